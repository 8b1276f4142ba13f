//! The rules: when each effect is allowed, which effects each event requires, and what must be visible afterwards.

#![expect(clippy::wildcard_enum_match_arm, reason = "a rule is about some notices and treats all others alike")]

use super::asked::Ask;
use super::dyno::{Dyno, Kind};
use super::model::{Model, Run, Seen};
use super::*;

const ANSWER: Duration = Duration::from_secs(3);

impl Model {
    pub(super) fn check(
        &mut self,
        event: &Event,
        ask: Option<Ask>,
        now: Now,
        effects: &[Effect],
    ) -> Result<(), Broken> {
        if let (true, Event::Request { id, .. }) = (self.over, event) {
            let refused = [Effect::Reply { request: *id, result: Err(Refusal::ShuttingDown) }];
            rule!(*effects == refused, "after the end a request must be refused, not {effects:?}");
            return Ok(());
        }
        if self.over {
            rule!(effects.is_empty(), "after the end no effect may follow, but got {effects:?}");
            return Ok(());
        }
        let was_stopping = self.cause.is_some();
        self.must_show = None;
        (self.may_kill, self.must_pass) = (false, None);
        self.removed.clear();
        self.deployed.has_changed = false;
        if self.update(event, ask, now) {
            let is_shown_first =
                matches!(effects.first(), Some(Effect::Notify(Notice { kind: NoticeKind::Exited(_), .. })));
            rule!(is_shown_first, "an exit must be shown before any other effect");
        }
        let mut before = None;
        for effect in effects {
            rule!(!self.over, "no effect may follow the last one, but got {effect:?}");
            self.demand_notice(before, effect)?;
            self.allow(effect, event, now.mono)?;
            before = Some(effect);
        }
        rule!(self.must_reply.is_none(), "a request must get its reply: {:?}", self.must_reply);
        rule!(self.over || self.removed.is_empty(), "the outputs of {:?} must be closed", self.removed);
        if self.cause.is_some() && !was_stopping {
            self.stopping_since = Some(now.mono);
        }
        self.demand_release_notices()?;
        self.demand_order(event, now.mono)?;
        self.compare_logged()?;
        if self.over {
            return Ok(());
        }
        self.demand_announcement(event, effects, was_stopping)?;
        self.demand_report(event, now.mono, was_stopping)?;
        self.demand(event, now.mono, effects)
    }

    fn allow(&mut self, effect: &Effect, event: &Event, mono: Duration) -> Result<(), Broken> {
        match effect {
            Effect::Spawn(spawn) => self.allow_spawn(spawn, mono),
            Effect::Signal { run, signal } => self.allow_signal(*run, *signal, event, mono),
            Effect::Drain { run } => self.allow_drain(*run, mono),
            Effect::Notify(notice) => match &notice.about {
                About::Dyno(name) => self.allow_notice(name, &notice.kind, event, mono),
                About::Formation { after } => {
                    if self.allow_report(&notice.kind, event, mono)? || self.allow_wait(&notice.kind, event, mono)? {
                        return Ok(());
                    }
                    self.allow_announcement(after.as_ref(), &notice.kind, event)
                }
            },
            Effect::FindListener { run } => {
                let due = self.runs.get(run).is_some_and(|run| run.boot_due.is_some_and(|due| due <= mono));
                rule!(*event == Event::Tick && due, "run {} has no boot timeout now", run.0);
                Ok(())
            }
            Effect::PassInterrupt { run } => {
                rule!(self.must_pass.take() == Some(*run), "run {} must not get Ctrl-C", run.0);
                Ok(())
            }
            Effect::Reply { request, result } => {
                let expected = self.must_reply.take();
                let actual = Some((*request, result.clone()));
                rule!(actual == expected, "the reply must be {expected:?}, not {actual:?}");
                Ok(())
            }
            Effect::Retire { dyno } => {
                let at = self.removed.iter().position(|removed| removed == dyno);
                self.removed.remove(at.ok_or_else(|| format!("{dyno} was not removed"))?);
                Ok(())
            }
            Effect::Suspend => {
                rule!(*event == Event::Signal(UserSignal::Tstp), "only TSTP may suspend");
                Ok(())
            }
            Effect::ReplaceGuardian => {
                let stuck = self.runs.values().any(|run| run.answer_due.is_some_and(|due| due <= mono));
                rule!(*event == Event::Tick && stuck, "the guardian still has time to answer");
                self.over = true;
                Ok(())
            }
            Effect::Finish(outcome) => self.allow_finish(*outcome),
        }
    }

    fn allow_spawn(&mut self, spawn: &SpawnSpec, mono: Duration) -> Result<(), Broken> {
        let name = &spawn.spec.dyno;
        let index = self.index_of(name)?;
        let uses_port = |run: &Run| spawn.spec.port.is_some() && self.dynos[run.dyno].port == spawn.spec.port;
        let has_port = !self.runs.values().any(uses_port) && !self.is_port_lost(spawn.spec.port);
        rule!(has_port, "{name} must not be spawned on the port of a run that is not gone");
        rule!(spawn.spec.port == self.dynos[index].port, "{name} has the wrong port {:?}", spawn.spec.port);
        rule!(spawn.run.0 > self.last_run, "run {} is not new", spawn.run.0);
        rule!(self.cause.is_none(), "{name} must not be spawned while everything stops");
        rule!(self.runs.values().all(|run| run.dyno != index), "{name} must not have two runs");
        self.release(index)?;
        self.allow_on_release(index)?;
        self.compare_program(index, &spawn.spec)?;
        let gate_open = self.gate_open;
        let dyno = &mut self.dynos[index];
        rule!(gate_open || dyno.kind == Kind::Release, "{name} must wait for the release command");
        rule!(dyno.logged == PublicState::Starting, "{name} is spawned, but was logged as {}", dyno.logged);
        rule!(dyno.wanted && !dyno.retired, "{name} must not be started again");
        let restart = dyno.restart_due.take();
        rule!(dyno.must_spawn || restart.is_some_and(|due| due <= mono), "{name} is not due to start");
        (dyno.must_spawn, dyno.prevented) = (false, false);
        dyno.last_verdict = None;
        dyno.last_run = spawn.run.0;
        dyno.restarts += u32::from(restart.is_some());
        self.last_run = spawn.run.0;
        let run = Run {
            dyno: index,
            seen: Seen::Ordered,
            up: None,
            verdict: None,
            shown: PublicState::Starting,
            stopped: false,
            killed: false,
            boot_due: self.policy.boot_timeout.filter(|_| dyno.kind == Kind::Formation).map(|limit| mono + limit),
            drain_due: None,
            rest_due: None,
            kill_due: None,
            answer_due: None,
            listens: Vec::new(),
            line_due: None,
            has_line: false,
        };
        self.runs.insert(spawn.run, run);
        Ok(())
    }

    fn allow_signal(&mut self, id: RunId, sent: RunOrder, event: &Event, mono: Duration) -> Result<(), Broken> {
        let stopping = self.cause.is_some();
        let must_drain = self.must_drain(id, event, mono);
        let Some(run) = self.runs.get_mut(&id) else {
            return Err(format!("run {} is gone or never existed, and must not be sent {sent:?}", id.0));
        };
        let process_type = &self.dynos[run.dyno].name.process_type;
        let kind = self.dynos[run.dyno].kind;
        match sent {
            RunOrder::Stop { signal: number, everything } => {
                let at_once = self.policy.stops_everything(process_type);
                rule!(everything == at_once, "run {} has a wrong `everything`: {everything}", id.0);
                rule!(!run.stopped && !run.killed, "run {} must not be stopped again", id.0);
                rule!(stopping || run.verdict.is_some(), "run {} must not be stopped", id.0);
                rule!(!must_drain, "run {} must be drained first", id.0);
                rule!(
                    number == self.policy.stop_signal(process_type),
                    "run {} must not be stopped by signal {number}",
                    id.0
                );
                run.stopped = true;
                let grace = self.policy.grace;
                let half = grace / 2;
                let rest_after =
                    if half > Duration::from_secs(1) { grace.saturating_sub(Duration::from_secs(1)) } else { half };
                run.rest_due = (!at_once && !grace.is_zero()).then_some(mono + rest_after);
                run.kill_due = Some(mono + grace);
                (run.boot_due, run.drain_due) = (None, None);
                run.request_end(kind);
            }
            RunOrder::StopRest => {
                let is_due = *event == Event::Tick && run.rest_due.is_some_and(|due| due <= mono);
                rule!(is_due && !run.killed, "the rest of run {} must not be stopped yet", id.0);
                run.rest_due = None;
            }
            RunOrder::Kill => {
                rule!(!run.killed, "run {} must be killed only once", id.0);
                let is_tick = *event == Event::Tick;
                let not_up = is_tick && run.boot_due.is_some_and(|due| due <= mono);
                let overdue = is_tick && run.kill_due.is_some_and(|due| due <= mono);
                rule!(not_up || overdue || self.may_kill, "run {} must not be killed yet", id.0);
                run.killed = true;
                run.answer_due = Some(mono + ANSWER);
                (run.drain_due, run.rest_due, run.kill_due, run.boot_due) = (None, None, None, None);
                if not_up {
                    run.shown = run.visible();
                    self.judge(id, killed_by(9), mono);
                } else {
                    run.request_end(kind);
                }
            }
            RunOrder::Pause => rule!(*event == Event::Signal(UserSignal::Tstp), "only TSTP may pause"),
            RunOrder::Continue => rule!(matches!(event, Event::Resumed { .. }), "only Resumed may continue"),
            RunOrder::Usr1 => rule!(*event == Event::Signal(UserSignal::Usr1), "USR1 was not received"),
            RunOrder::Usr2 => rule!(*event == Event::Signal(UserSignal::Usr2), "USR2 was not received"),
            RunOrder::Resized | RunOrder::FromTerminal { .. } => return Err("only the runtime does that".into()),
        }
        Ok(())
    }

    fn allow_notice(
        &mut self,
        name: &DynoName,
        kind: &NoticeKind,
        event: &Event,
        mono: Duration,
    ) -> Result<(), Broken> {
        let index = self.index_of(name)?;
        if self.allow_order_notice(index, kind, event, mono)? {
            return Ok(());
        }
        let dyno = &mut self.dynos[index];
        let expected = delay(dyno.in_a_row.0, self.policy.on_exit);
        match kind {
            NoticeKind::Restarting { after } => {
                rule!(dyno.must_decide.take().is_some() && !dyno.retired, "{name} must not be restarted");
                rule!(Some(*after) == expected, "{name} must wait {expected:?}, not {after:?}");
                dyno.in_a_row = (dyno.in_a_row.0 + 1, *after);
                dyno.restart_due = Some(mono + *after);
            }
            NoticeKind::GaveUp { .. } => {
                rule!(dyno.must_decide.is_some() && expected.is_none(), "{name} must not be given up on");
                self.given_up.extend(dyno.must_decide.take().map(|exit| (index, exit)));
            }
            NoticeKind::ExitTimeout { .. } => rule!(self.policy.report_exit_timeout, "R12 is off"),
            NoticeKind::EndRequested { .. } => {
                let is_asked = matches!(event, Event::Request { .. }) || self.deployed.has_changed;
                rule!(is_asked, "the end of {name} was not requested");
            }
            kind => {
                self.allow_hint(kind, event)?;
                self.update_logged_state(index, kind, event)?;
            }
        }
        Ok(())
    }

    fn allow_announcement(&mut self, after: Option<&DynoName>, kind: &NoticeKind, event: &Event) -> Result<(), Broken> {
        if self.allow_release_notice(kind)? {
            return Ok(());
        }
        if let Event::Request { command, .. } = event {
            let is_answer = match kind {
                NoticeKind::Scaled { .. } => matches!(command, Command::Scale(_)),
                NoticeKind::FilesChanged { .. } => matches!(command, Command::Refresh { .. }),
                _ => false,
            };
            if is_answer {
                return Ok(());
            }
        }
        let once = match kind {
            NoticeKind::StopRequested(_) | NoticeKind::ShutdownRequested => "stop requested",
            NoticeKind::Stopping { .. } => "stopping",
            NoticeKind::Killing => "killing",
            NoticeKind::GuardianStuck => "stuck",
            kind => return Err(format!("{kind:?} must name its dyno")),
        };
        let known = after.is_none_or(|name| self.index_of(name).is_ok());
        rule!(known, "`{once}` is caused by a dyno that does not exist any more");
        rule!(self.announced.insert(once), "`{once}` must be announced only once");
        Ok(())
    }

    fn allow_finish(&mut self, outcome: Outcome) -> Result<(), Broken> {
        rule!(self.runs.is_empty(), "it must not finish while {:?} are left", self.runs.keys());
        let must_spawn = |at: usize, dyno: &Dyno| dyno.must_spawn && !self.is_port_lost(dyno.port) && !self.is_held(at);
        let is_due = |(at, dyno): (usize, &Dyno)| dyno.restart_due.is_some() || must_spawn(at, dyno);
        let waiting = self.dynos.iter().enumerate().any(is_due);
        rule!(!waiting, "it must not finish while a dyno is about to start");
        let decisive = self.given_up.last().or(self.failures.first());
        let natural = decisive.map_or(0, |(_, exit)| exit.shell_code());
        let expected = if self.lost { Outcome::Code(70) } else { self.cause.unwrap_or(Outcome::Code(natural)) };
        rule!(outcome == expected, "the outcome must be {expected:?}, not {outcome:?}");
        self.over = true;
        Ok(())
    }

    /// The effects that must have followed from the event.
    fn demand(&self, event: &Event, mono: Duration, effects: &[Effect]) -> Result<(), Broken> {
        rule!(self.must_pass.is_none(), "Ctrl-C must be passed on");
        for (at, dyno) in self.dynos.iter().enumerate().filter(|(_, dyno)| dyno.present) {
            let waits = self.runs.values().any(|run| dyno.port.is_some() && self.dynos[run.dyno].port == dyno.port);
            let waits = waits || self.is_port_lost(dyno.port) || self.is_held(at);
            rule!(!dyno.must_spawn || waits, "{} must be spawned", dyno.name);
            rule!(dyno.must_decide.is_none(), "{} crashed: it must be restarted or given up on", dyno.name);
            let due = dyno.restart_due.is_some_and(|due| due <= mono);
            rule!(*event != Event::Tick || !due, "{} is due to start again", dyno.name);
        }
        for (id, run) in &self.runs {
            rule!(self.cause.is_none() || run.stopped || run.killed, "run {} must be stopped", id.0);
            rule!(
                run.verdict.is_none() || run.stopped || run.killed || run.drain_due.is_some(),
                "run {} should have been stopped",
                id.0
            );
            rule!(run.seen != Seen::Group || run.stopped || run.killed, "the rest of run {} must be stopped", id.0);
            rule!(!self.may_kill || run.killed, "run {} must be killed now", id.0);
            let mut dues = run.dues().flatten();
            rule!(*event != Event::Tick || dues.all(|due| due > mono), "a deadline of run {} was missed", id.0);
        }
        let goes_to_all = match event {
            Event::Signal(UserSignal::Tstp) => Some(RunOrder::Pause),
            Event::Resumed { .. } => Some(RunOrder::Continue),
            // A dyno that is being stopped need not reopen its log.
            Event::Signal(UserSignal::Usr1) => self.cause.is_none().then_some(RunOrder::Usr1),
            Event::Signal(UserSignal::Usr2) => self.cause.is_none().then_some(RunOrder::Usr2),
            Event::Boot
            | Event::Run(..)
            | Event::Ready { .. }
            | Event::NotReady { .. }
            | Event::NotAnswering { .. }
            | Event::Listens { .. }
            | Event::ListensElsewhere { .. }
            | Event::NeedsKeyboard { .. }
            | Event::Drained { .. }
            | Event::Routed { .. }
            | Event::Signal(UserSignal::Int | UserSignal::Term | UserSignal::Hup | UserSignal::Quit)
            | Event::Key { .. }
            | Event::OutputLost(_)
            | Event::Request { .. }
            | Event::Tick => None,
        };
        if let Some(expected) = goes_to_all {
            for id in self.runs.keys() {
                let order = Effect::Signal { run: *id, signal: expected };
                rule!(
                    effects.iter().filter(|effect| **effect == order).count() == 1,
                    "run {} must get {expected:?}",
                    id.0
                );
            }
        }
        let waiting = self.dynos.iter().any(|dyno| dyno.restart_due.is_some());
        let done = self.cause.is_some() || (self.booted && self.gate_open && !waiting);
        rule!(!done || !self.runs.is_empty(), "no run is left and no dyno is due to start: it must finish");
        Ok(())
    }

    /// SIGKILL to all processes must be announced when the last runs are killed, and not before.
    fn demand_announcement(&self, event: &Event, effects: &[Effect], was_stopping: bool) -> Result<(), Broken> {
        let kills_all = self.runs.values().all(|run| run.killed);
        let kills = effects.iter().any(|effect| matches!(effect, Effect::Signal { signal: RunOrder::Kill, .. }));
        let must = self.may_kill || (was_stopping && *event == Event::Tick && kills && kills_all);
        let announced = self.announced.contains("killing");
        rule!(announced || !must, "SIGKILL to all processes must be announced");
        rule!(kills_all || !announced, "SIGKILL to all processes was announced, but some runs were not killed");
        Ok(())
    }
}

/// S6.4: zero, then 1, 2, 4 … times the base up to the cap. None: no restart.
fn delay(in_a_row: u32, on_exit: OnExit) -> Option<Duration> {
    match on_exit {
        OnExit::StopAll => None,
        OnExit::Restart(policy) if policy.max_restarts.is_some_and(|most| in_a_row >= most) => None,
        OnExit::Restart(_) if in_a_row == 0 => Some(Duration::ZERO),
        OnExit::Restart(policy) => Some((policy.base * (1 << (in_a_row - 1).min(10))).min(policy.cap)),
    }
}
