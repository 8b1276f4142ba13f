//! Decides how a smoke test proceeds: all dynos up, still up a moment later, then the command, then the end.
//!
//! ```text
//! Release ──> Boot ──────────> Settle ─────────────> Command ─────────> Stop
//! in time     all are up       no dyno ended         it ended and       all are gone
//!             (and answer)     within that time      nothing is left
//! ```
//!
//! Wraps a [`Supervisor`], which decides about each dyno like in any start: the first one that exits stops all others.
//! The smoke test adds which dynos must answer over HTTP, when all are up, and what an exit means for the status (S11).
//! Pure. Not here: the dynos that must come up and their answers (`awaited`), the text of a reason (`cause`), and the
//! record of each dyno (`account`).

mod account;
mod awaited;
mod cause;
mod progress;
mod stage;
#[cfg(test)]
mod tests;

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{DynoName, DynoSpec, HttpCheck, Now, RunId};

use super::dyno_state::DynoState;
use super::shutdown::Phase;
use super::slot::{Intent, Listener, Role, Slot, Turn};
use super::{Effect, Event, Outcome, Plan, Policy, Refusal, SmokePhase, SmokeReport, Snapshot, Supervisor};

use account::Account;
use awaited::Probed;
use cause::{Cause, NotUp, RunEnd};
use progress::Progress;
use stage::{LAST_CHECK, Stage};

/// The rules of one smoke, in addition to the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmokeRules {
    /// How long all dynos must stay up before the command runs.
    pub settle: Duration,
    /// The HTTP request that every dyno of a ready type must answer. None: it only has to listen.
    pub http: Option<HttpCheck>,
    /// The dyno whose address becomes `BASE_URL` of the command.
    pub base: Option<DynoName>,
    /// The words of the command, as given on the command line; empty if there is none.
    pub words: Vec<String>,
}

/// A start under test.
#[derive(Debug, Clone)]
pub struct Smoke {
    supervisor: Supervisor,
    rules: SmokeRules,
    command: Option<Arc<DynoSpec>>,
    stage: Stage,
    probed: BTreeMap<RunId, Probed>,
    /// The address at which each ready run can be reached.
    answers_at: BTreeMap<RunId, IpAddr>,
    /// The progress lines of the current phase.
    progress: Option<Progress>,
    account: Account,
    /// Why it ends. The first cause wins.
    cause: Option<Cause>,
}

impl Smoke {
    /// Creates a smoke test that waits for [`Event::Boot`]. It never restarts a dyno.
    #[must_use]
    pub fn new(plan: Plan, policy: Policy, rules: SmokeRules) -> Self {
        // If the whole formation exits as allowed, the smoke test continues: the command is still to come.
        let policy = Policy { on_exit: super::OnExit::StopAll, outlives_formation: true, ..policy };
        let (account, command) = (Account::new(&plan), plan.command.clone());
        let supervisor = Supervisor::new(plan, policy);
        Self {
            supervisor,
            rules,
            command,
            stage: Stage::Before,
            probed: BTreeMap::new(),
            answers_at: BTreeMap::new(),
            progress: None,
            account,
            cause: None,
        }
    }

    /// Handles one event and returns the effects to perform, in order; see [`Supervisor::handle`].
    #[must_use = "an effect that is not performed never happens"]
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Effect> {
        if let Event::Request { id, .. } = event {
            return vec![Effect::Reply { request: id, result: Err(Refusal::Smoke) }];
        }
        let mut effects = Vec::new();
        let Some(event) = self.probe_before_ready(event, now, &mut effects) else { return effects };
        match &event {
            Event::Resumed { paused_for } => self.postpone(*paused_for),
            Event::ListensElsewhere { run, port } => self.note_other_port(*run, *port),
            Event::Ready { .. } => self.note_address(&event),
            Event::Boot
            | Event::Spawned { .. }
            | Event::SpawnFailed { .. }
            | Event::Exited { .. }
            | Event::LeftBehind { .. }
            | Event::Gone { .. }
            | Event::Answer { .. }
            | Event::NotReady { .. }
            | Event::DebuggerPrompt { .. }
            | Event::Unkillable { .. }
            | Event::Signal(_)
            | Event::Key { .. }
            | Event::OutputLost(_)
            | Event::Request { .. }
            | Event::Tick => {}
        }
        let subject = event.run().and_then(|run| self.slot(run)).map(|slot| (slot.spec.dyno.clone(), slot.role));
        let waiting = self.waiting();
        effects = self.supervisor.handle(event.clone(), now);
        self.account.record(&event, subject.as_ref().map(|(dyno, _)| dyno), &self.supervisor, &effects, now.mono);
        if self.cause.is_none() && self.is_ending() {
            let cause = self.cause_of(&event, subject, waiting);
            self.account.record_cause(&cause);
            self.cause = Some(cause);
            self.explain_not_up(&mut effects);
        }
        self.advance(now, &mut effects);
        if event == Event::Tick {
            self.show_progress(now.mono, &mut effects);
        }
        self.with_own_status(in_order(effects))
    }

    /// When to call [`Smoke::handle`] with `Event::Tick` next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let mut stage = self.stage;
        let progress = self.progress.as_ref().map(Progress::due);
        self.supervisor.next_deadline().into_iter().chain(stage.deadline().copied()).chain(progress).min()
    }

    /// The report of the smoke test, at its end. `outcome`: how `dyno` ends.
    #[must_use]
    pub fn report(&self, outcome: Outcome, at: Duration) -> SmokeReport {
        self.account.report(self.cause.as_ref(), &self.supervisor, &self.rules, outcome, at)
    }

    /// The state of all dynos now.
    pub(super) fn snapshot(&self) -> Snapshot {
        self.supervisor.snapshot()
    }

    fn slot(&self, run: RunId) -> Option<&Slot> {
        self.supervisor.slots.of_run(run)
    }

    fn formation(&self) -> impl Iterator<Item = &Slot> {
        self.supervisor.slots.iter().filter(|slot| slot.role == Role::Formation)
    }

    fn is_ending(&self) -> bool {
        match self.supervisor.phase {
            Phase::Stopping { .. } | Phase::Killing { .. } | Phase::Over => true,
            Phase::Unbooted | Phase::Release | Phase::Running => false,
        }
    }

    /// Why the supervisor began to stop everything at this event. `waiting`: the dynos that were not up before it.
    fn cause_of(&self, event: &Event, subject: Option<(DynoName, Role)>, waiting: Vec<NotUp>) -> Cause {
        let phase = match self.stage.phase() {
            // A dyno that exits while settling never booted: whether it was seen to be up for a moment is a matter
            // of chance.
            SmokePhase::Settle if subject.is_some() => SmokePhase::Boot,
            phase @ (SmokePhase::Release
            | SmokePhase::Boot
            | SmokePhase::Settle
            | SmokePhase::Command
            | SmokePhase::Stop) => phase,
        };
        match (event, subject) {
            (Event::Signal(signal), _) => Cause::Signal { signal: *signal, phase },
            (Event::OutputLost(_), _) => Cause::OutputLost,
            (Event::Tick, _) => Cause::NotUp {
                after: self.supervisor.policy.boot_timeout.unwrap_or_default(),
                check: self.rules.http.clone(),
                dynos: waiting,
            },
            (Event::SpawnFailed { why, .. }, Some((dyno, _))) => {
                Cause::DynoEnded { dyno, how: RunEnd::NotStarted(why.clone()), phase }
            }
            (Event::Exited { exit, .. }, Some((dyno, _))) => Cause::DynoEnded { dyno, how: RunEnd::Exit(*exit), phase },
            (Event::Gone { .. }, Some((dyno, _))) => Cause::DynoEnded { dyno, how: RunEnd::Vanished, phase },
            (
                Event::Boot
                | Event::Spawned { .. }
                | Event::Ready { .. }
                | Event::Answer { .. }
                | Event::NotReady { .. }
                | Event::ListensElsewhere { .. }
                | Event::DebuggerPrompt { .. }
                | Event::LeftBehind { .. }
                | Event::Unkillable { .. }
                | Event::Key { .. }
                | Event::Request { .. }
                | Event::Resumed { .. },
                _,
            )
            | (Event::SpawnFailed { .. } | Event::Exited { .. } | Event::Gone { .. }, None) => Cause::Lost,
        }
    }

    fn postpone(&mut self, by: Duration) {
        if let Some(until) = self.stage.deadline() {
            *until = until.saturating_add(by);
        }
        if let Some(progress) = &mut self.progress {
            progress.postpone(by);
        }
    }

    /// Goes on to the next stage, and further if a stage has nothing to wait for.
    fn advance(&mut self, now: Now, effects: &mut Vec<Effect>) {
        loop {
            let is_ending = self.is_ending();
            match (self.stage, self.supervisor.phase) {
                (Stage::Stop, _) => return,
                // Notices about the dyno that caused the end belong to the phase that it ended.
                (_, _) if is_ending => {
                    let position = stage::end_of_phase(effects);
                    self.enter(Stage::Stop, now, effects, position);
                }
                (Stage::Before, Phase::Release) => {
                    let until = self.supervisor.policy.boot_timeout.map(|after| now.mono.saturating_add(after));
                    self.enter(Stage::Release { until }, now, effects, 0);
                }
                (Stage::Release { until: Some(until) }, Phase::Release) if until <= now.mono => {
                    self.release_hangs(now, effects);
                }
                (Stage::Before | Stage::Release { .. }, Phase::Running) => self.enter(Stage::Boot, now, effects, 0),
                (Stage::Boot, Phase::Running) if self.all_are_up() => {
                    let until = now.mono.saturating_add(self.rules.settle);
                    self.enter(Stage::Settle { until }, now, effects, effects.len());
                }
                (Stage::Settle { until }, Phase::Running) if until <= now.mono => self.settled(now, effects),
                (Stage::Command, Phase::Running) if self.command_is_over() => {
                    if Cause::Command(self.account.command_end()).is_success() {
                        self.stage = Stage::LastCheck { until: now.mono.saturating_add(LAST_CHECK) };
                    } else {
                        self.command_ended(now, effects);
                    }
                }
                (Stage::LastCheck { until }, Phase::Running) if until <= now.mono => self.command_ended(now, effects),
                (
                    Stage::Before
                    | Stage::Release { .. }
                    | Stage::Boot
                    | Stage::Settle { .. }
                    | Stage::Command
                    | Stage::LastCheck { .. },
                    _,
                ) => return,
            }
        }
    }

    /// Enters a stage. `position`: where among the effects its phase is shown.
    fn enter(&mut self, stage: Stage, now: Now, effects: &mut Vec<Effect>, position: usize) {
        self.stage = stage;
        let phase = self.stage.phase();
        self.progress = match phase {
            SmokePhase::Release | SmokePhase::Boot => Some(Progress::new(now.mono)),
            SmokePhase::Settle | SmokePhase::Command | SmokePhase::Stop => None,
        };
        self.account.enter(phase, now.mono);
        effects.insert(position, Effect::EnterPhase(phase));
    }

    /// Whether each dyno of the formation is up or has exited as allowed.
    fn all_are_up(&self) -> bool {
        self.formation().all(|slot| slot.intent != Intent::Run || matches!(slot.state, DynoState::Up { .. }))
    }

    fn settled(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if let Some(command) = self.command_with_base_url() {
            self.enter(Stage::Command, now, effects, effects.len());
            let start = |supervisor: &mut Supervisor, turn: &mut Turn| {
                supervisor.start_one_off(command, Listener::Smoke, turn);
            };
            effects.extend(self.order(now, None, start));
        } else {
            let ended =
                self.formation().filter(|slot| slot.intent != Intent::Run).map(|slot| slot.spec.dyno.clone()).collect();
            self.cause = Some(Cause::Settled { after: self.rules.settle, ended });
            self.stop(Outcome::Code(0), now, effects);
        }
    }

    /// Ends the smoke test because the release command took too long. The platform would go on waiting.
    fn release_hangs(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let dynos = self.running_release().into_iter().collect();
        let after = self.supervisor.policy.boot_timeout.unwrap_or_default();
        let cause = Cause::NotUp { after, check: None, dynos };
        let outcome = cause.own_outcome();
        self.cause = Some(cause);
        self.stop(outcome.unwrap_or(super::shutdown::UNKILLABLE), now, effects);
    }

    /// Whether the command and all its processes have ended: what it left behind may still use the formation.
    fn command_is_over(&self) -> bool {
        let is_command = |slot: &Slot| slot.role == Role::OneOff(Listener::Smoke) && !slot.is_over();
        !self.supervisor.slots.iter().any(is_command)
    }

    fn command_ended(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let cause = Cause::Command(self.account.command_end());
        let outcome = cause.own_outcome();
        self.cause = Some(cause);
        self.stop(outcome.unwrap_or(super::shutdown::UNKILLABLE), now, effects);
    }

    fn stop(&mut self, outcome: Outcome, now: Now, effects: &mut Vec<Effect>) {
        let after = self
            .command
            .as_ref()
            .map(|command| command.dyno.clone())
            .filter(|command| is_removed_now(command, effects));
        effects.extend(self.order(now, after, |supervisor, turn| {
            if supervisor.slots.have_runs() {
                supervisor.stop_all(outcome, turn);
            } else {
                supervisor.begin_stop(outcome, turn);
            }
        }));
    }

    /// Gives the supervisor an order for which there is no event.
    fn order(
        &mut self,
        now: Now,
        after: Option<DynoName>,
        ask: impl FnOnce(&mut Supervisor, &mut Turn),
    ) -> Vec<Effect> {
        let mut turn = Turn::new(now, after);
        ask(&mut self.supervisor, &mut turn);
        turn.report_retired();
        self.supervisor.finish_if_done(&mut turn);
        turn.effects
    }

    /// Replaces the status of the supervisor if a smoke test has a different one.
    fn with_own_status(&self, mut effects: Vec<Effect>) -> Vec<Effect> {
        let own = self.cause.as_ref().and_then(Cause::own_outcome).filter(|_| !self.supervisor.tally.has_lost());
        for effect in &mut effects {
            if let (Effect::Finish(outcome), Some(own)) = (effect, own) {
                *outcome = own;
            }
        }
        effects
    }
}

/// Whether a dyno is removed by one of these effects: from then on, nothing can be shown after its output.
fn is_removed_now(dyno: &DynoName, effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Retire { dyno: removed } if removed == dyno))
}

/// Removes dynos last, because the effects that a smoke adds may still be about them.
fn in_order(effects: Vec<Effect>) -> Vec<Effect> {
    let is_last = |effect: &Effect| matches!(effect, Effect::Retire { .. } | Effect::Finish(_));
    let (last, mut first): (Vec<Effect>, Vec<Effect>) = effects.into_iter().partition(is_last);
    first.extend(last);
    first
}
