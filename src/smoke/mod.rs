//! Decides how a smoke test proceeds: all dynos up, still up a moment later, then the command, then the end.
//!
//! ```text
//! Release ──> Boot ──────────> Settle ─────────────> Command ─────────> Stop
//! in time     all are up       no dyno ended         it ended and       all are gone
//!             (and answer)     within that time      nothing is left
//! ```
//!
//! A client of the [`Supervisor`], which decides about each dyno as in any start: the first one that exits stops all
//! others. The smoke test sees every event with its effects and the snapshot after it, and answers with commands: run the
//! test command, stop everything. It decides when all are up, and what an exit means for the status (S11). Pure. Not
//! here: the dynos that must come up (`waiting`), the text of a reason (`cause`), and the record of each dyno
//! (`account`).

mod account;
mod cause;
mod progress;
mod report;
mod stage;
#[cfg(test)]
mod tests;
mod turn;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use crate::model::{DynoName, DynoSpec, Now};
use crate::supervisor::{
    Command, DynoRole, Effect, Event, Lifetime, NoticeKind, OnExit, Outcome, Plan, Policy, PublicState, RequestId, Row,
    Snapshot, StartPhase, Supervisor,
};

pub use report::{CommandReport, DynoReport, DynoResult, PhaseReport, PhaseResult, SmokePhase, SmokeReport, Span};
pub use turn::Step;

use account::Account;
use cause::{Cause, NotUp, RunEnd};
use progress::ProgressLines;
use stage::{Held, LAST_CHECK, SmokeStage};
use turn::Reaction;
use waiting::other_ports_to_find;

/// The number of every request of a smoke test. Nothing else may send requests meanwhile.
const OWN_REQUEST: RequestId = RequestId(0);

/// The rules of one smoke test, in addition to the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmokeRules {
    /// How long all dynos must stay up before the command runs.
    pub settle: Duration,
    /// The dyno whose address becomes `BASE_URL` of the command.
    pub base: Option<DynoName>,
    /// The words of the command, as given on the command line; empty if there is none.
    pub words: Vec<String>,
}

/// A smoke test of a start.
#[derive(Debug, Clone)]
pub struct Smoke {
    rules: SmokeRules,
    /// None: the smoke test ends once all dynos have stayed up.
    command: Option<Arc<DynoSpec>>,
    /// How long the release command and each dyno may take.
    boot_timeout: Option<Duration>,
    stage: SmokeStage,
    /// The state of all dynos after the last event.
    seen: Snapshot,
    /// The address of `SmokeRules::base`, once it is up.
    base_url: Option<String>,
    /// The progress lines of the current phase.
    progress: Option<ProgressLines>,
    account: Account,
    /// Why it ends. The first cause wins.
    cause: Option<Cause>,
    /// A process could not be killed, which overrides every cause.
    has_lost: bool,
}

impl Smoke {
    /// Creates the supervisor of a plan, and the smoke test that uses it. Both wait for [`Event::Boot`]. No dyno is
    /// ever restarted.
    #[must_use]
    pub fn new(plan: Plan, policy: Policy, rules: SmokeRules) -> (Supervisor, Self) {
        // If the whole formation exits as allowed, the smoke test continues: the command is still to come.
        let policy = Policy { on_exit: OnExit::StopAll, lifetime: Lifetime::Unlimited, ..policy };
        let boot_timeout = policy.boot_timeout;
        let account = Account::new(&plan);
        let command = plan.command.clone();
        let supervisor = Supervisor::new(plan, policy);
        let smoke = Self {
            rules,
            command,
            boot_timeout,
            stage: SmokeStage::Before,
            seen: supervisor.snapshot(),
            base_url: None,
            progress: None,
            account,
            cause: None,
            has_lost: false,
        };
        (supervisor, smoke)
    }

    /// When to handle `Event::Tick` next, besides the deadlines of the supervisor.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let mut stage = self.stage;
        self.progress.as_ref().map(ProgressLines::due).into_iter().chain(stage.deadline().copied()).min()
    }

    /// The report of the smoke test, at its end. `outcome`: how `dyno` ends.
    #[must_use]
    pub fn report(&self, outcome: Outcome, at: Duration) -> SmokeReport {
        self.account.report(self.cause.as_ref(), self.has_lost, &self.rules, outcome, at)
    }

    /// How `dyno` ends, if the supervisor ends like this.
    fn outcome(&self, outcome: Outcome) -> Outcome {
        let own = self.cause.as_ref().and_then(Cause::own_outcome).filter(|_| !self.has_lost);
        own.unwrap_or(outcome)
    }

    fn formation(&self) -> impl Iterator<Item = &Row> {
        self.seen.rows.iter().filter(|row| row.role == DynoRole::Formation)
    }

    fn is_ending(&self) -> bool {
        self.seen.phase == StartPhase::Stopping
    }

    /// How the smoke test reacts to an event. `effects`, `after`: the effects and the snapshot that the event led to.
    fn observe(&mut self, event: &Event, effects: &[Effect], after: Snapshot, now: Now) -> Reaction {
        let subject = self.account.dyno_of(event).cloned();
        let waiting = self.waiting();
        let before = std::mem::replace(&mut self.seen, after);
        self.account.record(event, effects, &before, &self.seen, now.mono);
        self.has_lost |= effects.iter().any(is_unkillable);
        self.note(event);
        self.limit_waits(now.mono);
        let mut reaction = Reaction::default();
        if effects.contains(&Effect::ReplaceGuardian) {
            // The runtime stops everything itself. As if the guardian had been killed, the current phase is the last one.
            return reaction;
        }
        if self.cause.is_none()
            && let Some(cause) = self.first_cause(event, subject, waiting)
        {
            self.account.record_cause(&cause);
            reaction.look_at = other_ports_to_find(&cause, effects);
            self.cause = Some(cause);
        }
        self.advance(now, effects, &mut reaction);
        if *event == Event::Tick {
            self.show_progress(now.mono, &mut reaction);
        }
        reaction
    }

    /// Why the smoke test ends, if this event decides that.
    fn first_cause(&self, event: &Event, subject: Option<DynoName>, waiting: Vec<NotUp>) -> Option<Cause> {
        if self.is_ending() {
            return Some(self.cause_of(event, subject, waiting));
        }
        // A failed command decides when it exits, although the stop waits for the processes that it left running (S19.2).
        self.account.command_end().cloned().map(Cause::Command).filter(|end| !end.is_success())
    }

    /// Why the supervisor began to stop everything at this event. `waiting`: the dynos that were not up before it.
    fn cause_of(&self, event: &Event, subject: Option<DynoName>, waiting: Vec<NotUp>) -> Cause {
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
        match (event, RunEnd::of(event), subject) {
            (Event::Signal(signal), _, _) => Cause::Signal { signal: *signal, phase },
            (Event::OutputLost(_), _, _) => Cause::OutputLost,
            (Event::Tick, _, _) if !waiting.is_empty() => {
                Cause::NotUp { after: self.boot_timeout.unwrap_or_default(), dynos: waiting }
            }
            (_, Some(how), Some(dyno)) => Cause::DynoEnded { dyno, how, phase },
            (_, Some(_), None) | (_, None, _) => Cause::Lost,
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
    fn advance(&mut self, now: Now, effects: &[Effect], reaction: &mut Reaction) {
        while reaction.command.is_none() {
            match (self.stage, self.seen.phase) {
                (SmokeStage::Stop, _) => return,
                // Notices about the dyno that caused the end belong to the phase that it ended.
                (_, StartPhase::Stopping) => {
                    self.enter(SmokeStage::Stop, now, stage::end_of_phase(effects), reaction);
                }
                (SmokeStage::Before, StartPhase::Release) => {
                    let until = self.boot_timeout.map(|after| now.mono.saturating_add(after));
                    self.enter(SmokeStage::Release { until }, now, 0, reaction);
                }
                (SmokeStage::Release { until: Some(until) }, StartPhase::Release) if until <= now.mono => {
                    // The platform would go on waiting.
                    let dynos = self.running_release().into_iter().collect();
                    self.stop(Cause::NotUp { after: self.boot_timeout.unwrap_or_default(), dynos }, effects, reaction);
                }
                (SmokeStage::Before | SmokeStage::Release { .. }, StartPhase::Running) => {
                    self.enter(SmokeStage::Boot { held: None }, now, 0, reaction);
                    self.limit_waits(now.mono);
                }
                (SmokeStage::Boot { .. }, StartPhase::Running) if self.prevented().is_some() => {
                    let Some(cause) = self.prevented() else { return };
                    self.stop(cause, effects, reaction);
                }
                (SmokeStage::Boot { held: Some(Held { until, .. }) }, StartPhase::Running) if until <= now.mono => {
                    let dynos = self.waiting();
                    self.stop(Cause::NotUp { after: self.boot_timeout.unwrap_or_default(), dynos }, effects, reaction);
                }
                (SmokeStage::Boot { .. }, StartPhase::Running) if self.all_are_up() => {
                    let until = now.mono.saturating_add(self.rules.settle);
                    self.enter(SmokeStage::Settle { until }, now, effects.len(), reaction);
                }
                (SmokeStage::Settle { until }, StartPhase::Running) if until <= now.mono => {
                    self.settled(now, effects, reaction);
                }
                (SmokeStage::Command, StartPhase::Running) if self.command_is_over() => {
                    let end = self.end_of_command();
                    if end.is_success() {
                        self.stage = SmokeStage::LastCheck { until: now.mono.saturating_add(LAST_CHECK) };
                    } else {
                        self.stop(end, effects, reaction);
                    }
                }
                (SmokeStage::LastCheck { until }, StartPhase::Running) if until <= now.mono => {
                    self.stop(self.end_of_command(), effects, reaction);
                }
                (
                    SmokeStage::Release { .. }
                    | SmokeStage::Boot { .. }
                    | SmokeStage::Settle { .. }
                    | SmokeStage::Command
                    | SmokeStage::LastCheck { .. },
                    StartPhase::Release | StartPhase::Running,
                ) => return,
            }
        }
    }

    /// Enters a stage. `position`: where among the effects its phase is shown.
    fn enter(&mut self, stage: SmokeStage, now: Now, position: usize, reaction: &mut Reaction) {
        self.stage = stage;
        let phase = self.stage.phase();
        self.progress = match phase {
            SmokePhase::Release | SmokePhase::Boot | SmokePhase::Settle => Some(ProgressLines::new(now.mono)),
            SmokePhase::Command | SmokePhase::Stop => None,
        };
        self.account.enter(phase, now.mono);
        reaction.phases.push((position, phase));
    }

    /// The dyno that stays down because another one did not do what it waited for.
    fn prevented(&self) -> Option<Cause> {
        let mut prevented = self.formation().filter_map(|row| Some((row, row.prevented.clone()?)));
        prevented.next().map(|(row, why)| Cause::Prevented { dyno: row.dyno.clone(), why })
    }

    /// Whether each dyno of the formation is up or has exited as allowed.
    fn all_are_up(&self) -> bool {
        self.formation().all(|row| !row.wanted || row.state == PublicState::Up)
    }

    fn settled(&mut self, now: Now, effects: &[Effect], reaction: &mut Reaction) {
        if let Some(command) = self.command_with_base_url() {
            self.enter(SmokeStage::Command, now, effects.len(), reaction);
            reaction.command = Some(Command::Run(command));
        } else {
            let ended = self.formation().filter(|row| !row.wanted).map(|row| row.dyno.clone()).collect();
            self.stop(Cause::Settled { after: self.rules.settle, ended }, effects, reaction);
        }
    }

    /// Whether the command and all its processes have ended: what it left behind may still use the formation.
    fn command_is_over(&self) -> bool {
        self.command.as_ref().is_none_or(|command| self.seen.rows.iter().all(|row| row.dyno != command.dyno))
    }

    /// How the command ended, once it is over.
    fn end_of_command(&self) -> Cause {
        Cause::Command(self.account.command_end().cloned().unwrap_or(RunEnd::Vanished))
    }

    /// Asks the supervisor to stop everything. `effects`: those of the event that is the reason.
    fn stop(&mut self, cause: Cause, effects: &[Effect], reaction: &mut Reaction) {
        self.cause = Some(cause);
        // If the command is removed now, nothing can be shown after its output later.
        let is_removed = |dyno: &&DynoName| {
            effects.iter().any(|effect| matches!(effect, Effect::Retire { dyno: removed } if removed == *dyno))
        };
        let after = self.command.as_ref().map(|command| &command.dyno).filter(is_removed).cloned();
        reaction.command = Some(Command::Shutdown { after });
    }
}

fn is_unkillable(effect: &Effect) -> bool {
    matches!(effect, Effect::Notify(notice) if matches!(notice.kind, NoticeKind::Unkillable { .. }))
}
