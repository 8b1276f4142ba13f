//! S6.12 and S6.11: which dynos wait for others, and what the log says about that and about the address of a dyno.

#![expect(clippy::wildcard_enum_match_arm, reason = "a rule is about some notices and ignores all others")]

use core::net::SocketAddr;

use super::dyno::Kind;
use super::model::{Model, Run, Seen, Verdict};
use super::scenario::TYPES;
use super::*;
use crate::app::{Prerequisite, Until};

const SECOND: Duration = Duration::from_secs(1);

/// What the dynos that a type waits for have done.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Done,
    Missing,
    Never(Unmet),
}

impl Model {
    /// The addresses of a run that listens on these ports; 0 is its own.
    pub(super) fn addresses(&self, run: RunId, ports: &[u16]) -> Vec<SocketAddr> {
        let own = self.dynos[self.runs[&run].dyno].port.unwrap_or(5_999);
        ports.iter().map(|port| SocketAddr::new(LOCALHOST, if *port == 0 { own } else { *port })).collect()
    }

    pub(super) fn on_listens(&mut self, id: RunId, at: &[SocketAddr], mono: Duration) {
        let Some(run) = self.runs.get_mut(&id).filter(|run| run.is_running()) else { return };
        run.listens = at.iter().map(SocketAddr::port).collect();
        let dyno = &self.dynos[run.dyno];
        if !self.policy.shows_addresses || dyno.key.0 != 0 || dyno.kind != Kind::Formation || run.has_line {
            return;
        }
        if dyno.port.is_some_and(|port| run.listens.contains(&port)) {
            (run.has_line, run.line_due) = (true, None);
            self.must_show = Some(id);
        } else if at.is_empty() {
            run.line_due = None;
        } else {
            run.line_due = run.line_due.or(Some(mono + 3 * SECOND));
        }
    }

    /// Whether a dyno is wanted and has no run, because others must be up before.
    pub(super) fn is_held(&self, index: usize) -> bool {
        let dyno = &self.dynos[index];
        let has_run = self.runs.values().any(|run| run.dyno == index);
        let waits = dyno.kind == Kind::Formation && dyno.present && dyno.must_spawn && !has_run;
        waits && !self.released[dyno.key.0] && !self.prerequisites(dyno.key.0).is_empty()
    }

    pub(super) fn prerequisites(&self, place: usize) -> Vec<Prerequisite> {
        let all = self.order.iter().filter(|(name, _)| name.as_str() == TYPES[place]);
        all.flat_map(|(_, after)| after.to_vec()).collect()
    }

    /// What each dyno has done that a type waits for.
    fn awaited(&self, place: usize) -> Vec<(DynoName, Progress)> {
        let mut all = Vec::new();
        for Prerequisite { process_type, until } in self.prerequisites(place) {
            for index in self.in_order() {
                let dyno = &self.dynos[index];
                if dyno.kind == Kind::Formation && dyno.name.process_type == process_type && !dyno.leaving {
                    all.push((dyno.name.clone(), self.progress(index, until)));
                }
            }
        }
        all
    }

    fn progress(&self, index: usize, until: Until) -> Progress {
        let dyno = &self.dynos[index];
        let run = self.runs.values().find(|run| run.dyno == index);
        let done = |is_done| if is_done { Progress::Done } else { Progress::Missing };
        match run.map(|run| (run, run.verdict)) {
            Some((run, None)) => done(match until {
                Until::Started => run.is_running(),
                Until::Listens => run.is_running() && !run.listens.is_empty(),
                Until::ListensOn(port) => run.is_running() && run.listens.contains(&port),
                Until::Done => false,
            }),
            Some((_, Some(Verdict::Requested))) => Progress::Never(Unmet::Stopped),
            Some((_, Some(_))) => Progress::Missing,
            None if dyno.lost => Progress::Never(Unmet::CannotBeKilled),
            None if dyno.must_spawn || dyno.restart_due.is_some() || dyno.must_decide.is_some() => Progress::Missing,
            None if dyno.without_run == PublicState::Crashed => Progress::Never(Unmet::Crashed),
            None => match (dyno.last_verdict, dyno.last_exit) {
                _ if dyno.prevented => Progress::Never(Unmet::NotStarted),
                (Some(Verdict::Done), exit) if until == Until::Done && exit == Some(code(0)) => Progress::Done,
                (Some(Verdict::Done), Some(exit)) => Progress::Never(Unmet::Ended(exit)),
                (Some(_) | None, _) => Progress::Never(Unmet::Stopped),
            },
        }
    }

    /// A dyno is spawned. If it has waited, everything that it waited for must have happened.
    pub(super) fn release(&mut self, index: usize) -> Result<(), Broken> {
        if self.is_held(index) {
            let (name, place) = (&self.dynos[index].name, self.dynos[index].key.0);
            let early = self.awaited(place).into_iter().find(|(_, progress)| *progress != Progress::Done);
            rule!(early.is_none(), "{name} must not start before {early:?}");
            self.released[place] = true;
        }
        Ok(())
    }

    /// Checks a line about a dyno. False: it is another kind of line.
    pub(super) fn allow_order_notice(
        &mut self,
        index: usize,
        kind: &NoticeKind,
        event: &Event,
        mono: Duration,
    ) -> Result<bool, Broken> {
        let name = &self.dynos[index].name;
        let run = self.runs.iter_mut().find(|(_, run)| run.dyno == index);
        match (kind, run) {
            (NoticeKind::NotStarted(Prevented { by, why }), _) => {
                let awaited = self.awaited(self.dynos[index].key.0);
                let is_over = awaited.iter().any(|(dyno, progress)| dyno == by && *progress == Progress::Never(*why));
                rule!(self.is_held(index) && is_over, "{name} must go on waiting for {awaited:?}");
                let dyno = &mut self.dynos[index];
                (dyno.wanted, dyno.must_spawn, dyno.prevented) = (false, false, true);
            }
            (NoticeKind::ListensAt { .. }, run) => {
                let run = run.map(|(run, _)| *run);
                rule!(run.is_some() && self.must_show.take() == run, "{name} has no address to show");
            }
            (NoticeKind::IgnoresPort { port, .. }, run) => {
                let (_, run) = run.ok_or_else(|| format!("{name} does not run"))?;
                let is_due = *event == Event::Tick && run.line_due().is_some_and(|due| due <= mono);
                rule!(is_due && run.listens.contains(port), "nothing is known of port {port} of {name}");
                (run.has_line, run.line_due) = (true, None);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Checks a line about a process type that waits. False: it is another kind of line.
    pub(super) fn allow_wait(&mut self, kind: &NoticeKind, event: &Event, mono: Duration) -> Result<bool, Broken> {
        let place = |name: &ProcessType| TYPES.iter().position(|known| *known == name.as_str()).unwrap();
        match kind {
            NoticeKind::HeldBack { process_type, missing } => {
                let place = place(process_type);
                let is_due = *event == Event::Tick && self.wait_due[place].is_some_and(|due| due <= mono);
                rule!(is_due, "no line about {process_type} is due");
                let awaited = self.awaited(place).into_iter().filter(|(_, progress)| *progress == Progress::Missing);
                let awaited: Vec<DynoName> = awaited.map(|(dyno, _)| dyno).collect();
                let named: Vec<DynoName> = missing.iter().map(|missing| missing.dyno.clone()).collect();
                rule!(named == awaited, "{process_type} waits for {awaited:?}, not {named:?}");
                self.wait_due[place] = Some(mono + 30 * SECOND);
            }
            NoticeKind::NothingToWaitFor { process_type, awaited } => {
                let exists = |name: &ProcessType| {
                    self.present()
                        .any(|dyno| dyno.name.process_type == *name && dyno.kind == Kind::Formation && !dyno.leaving)
                };
                rule!(!awaited.iter().any(exists), "{process_type} must wait for one of {awaited:?}");
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Checks that no dyno waits that could start or can no longer start, and that each line that is due was shown.
    pub(super) fn demand_order(&mut self, event: &Event, mono: Duration) -> Result<(), Broken> {
        if self.over {
            return Ok(());
        }
        self.dynos.iter_mut().for_each(|dyno| dyno.prevented &= !dyno.must_spawn);
        rule!(self.must_show.is_none(), "the address of {:?} must be shown", self.must_show);
        let missed = self.runs.values().find(|run| run.line_due().is_some_and(|due| due <= mono));
        rule!(*event != Event::Tick || missed.is_none(), "the line about another port is missing: {missed:?}");
        for place in 0..TYPES.len() {
            let held = (0..self.dynos.len()).find(|index| self.dynos[*index].key.0 == place && self.is_held(*index));
            let Some(held) = held else {
                self.wait_due[place] = None;
                continue;
            };
            let (name, awaited) = (&self.dynos[held].name, self.awaited(place));
            let is_over = awaited.iter().any(|(_, progress)| matches!(progress, Progress::Never(_)));
            rule!(!is_over, "{name} must not wait any longer for {awaited:?}");
            let is_missing = awaited.iter().any(|(_, progress)| *progress == Progress::Missing);
            rule!(is_missing, "{name} must be started: {awaited:?}");
            let due = *self.wait_due[place].get_or_insert(mono + 5 * SECOND);
            rule!(*event != Event::Tick || due > mono, "the line about {name} is missing");
        }
        Ok(())
    }
}

impl Run {
    /// Whether its program runs and is not being stopped.
    fn is_running(&self) -> bool {
        matches!(self.seen, Seen::Leader(_)) && self.verdict.is_none()
    }

    /// When the line about another port is due.
    pub(super) fn line_due(&self) -> Option<Duration> {
        self.line_due.filter(|_| self.is_running())
    }
}
