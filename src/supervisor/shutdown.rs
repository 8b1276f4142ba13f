//! Decides when and how everything is stopped, and with which status `dyno` exits (S11, S12).
//!
//! The first cause determines the status; only a process that could not be killed overrides it. Not here: how a single
//! run is stopped or killed (`slot`).

use std::time::Duration;

use crate::error::Status;
use crate::model::{ExitStatus, RunOrder};

use super::dyno_state::{Deadline, DynoState, Rest};
use super::slot::{Intent, Turn};
use super::slots::SlotId;
use super::stop_report::first_report;
use super::{Effect, Lifetime, NoticeKind, Outcome, OutputLoss, Supervisor, UserSignal};

/// An INT, TERM or HUP this soon after the stop began does nothing: terminals and wrappers such as npm deliver a keypress
/// twice, and one that meant to stop everything must not kill because a dyno has just ended by itself (S12).
const SAME_KEYPRESS: Duration = Duration::from_millis(300);

/// SIGTERM, shown if the stop signals of the types differ.
const SIGTERM: i32 = 15;

/// How `dyno` ends if a process could not be killed (S11).
pub(super) const UNKILLABLE: Outcome = Outcome::Code(Status::Internal.code());

/// The phase that the start as a whole is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// `Event::Boot` has not happened yet.
    Unbooted,
    /// `release.1` runs; the formation waits for it.
    Release,
    /// The formation runs.
    Running,
    /// Everything has been stopped within the grace period since `began_at`. `report_at`: when the log next names the dynos
    /// that are still running.
    Stopping { outcome: Outcome, began_at: Duration, report_at: Option<Duration> },
    /// Every remaining run was sent SIGKILL.
    Killing { outcome: Outcome },
    /// `Finish` or `ReplaceGuardian` was ordered; no effect follows.
    Over,
}

impl Phase {
    /// The same phase after `dyno` was suspended for `by`.
    pub(super) fn postponed(self, by: Duration) -> Self {
        match self {
            Self::Stopping { outcome, began_at, report_at } => {
                let later = |at: Duration| at.saturating_add(by);
                Self::Stopping { outcome, began_at: later(began_at), report_at: report_at.map(later) }
            }
            Self::Unbooted | Self::Release | Self::Running | Self::Killing { .. } | Self::Over => self,
        }
    }
}

/// The exits that decide the status of `dyno` if the formation ends by itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// The dynos that were allowed to exit and did so with a status other than 0, the first one first.
    failures: Vec<(SlotId, ExitStatus)>,
    /// The dynos that are crashed for good, with their status; the last one that crashed comes last.
    given_up: Vec<(SlotId, ExitStatus)>,
    /// The dynos that were stopped on request.
    stopped: Vec<SlotId>,
    /// A process could not be killed.
    lost: bool,
}

impl Tally {
    pub(super) fn record_done(&mut self, id: SlotId, exit: ExitStatus) {
        if !exit.is_success() {
            self.failures.push((id, exit));
        }
    }

    pub(super) fn record_given_up(&mut self, id: SlotId, exit: ExitStatus) {
        self.given_up.push((id, exit));
    }

    /// A dyno was stopped on request.
    pub(super) fn record_stopped(&mut self, id: SlotId) {
        self.forget(id);
        self.stopped.push(id);
    }

    /// A dyno was restarted, stopped or removed on request: how it ended before does not matter any more.
    pub(super) fn forget(&mut self, id: SlotId) {
        self.stopped.retain(|dyno| *dyno != id);
        for ended in [&mut self.failures, &mut self.given_up] {
            ended.retain(|(dyno, _)| *dyno != id);
        }
    }

    pub(super) fn record_lost(&mut self) {
        self.lost = true;
    }

    /// The status if the end was not requested: that of the dyno given up on last, else the first failure among the
    /// dynos that were allowed to exit, else 0.
    fn natural(&self) -> Outcome {
        let decisive = self.given_up.last().or(self.failures.first());
        Outcome::Code(decisive.map_or(0, |(_, exit)| exit.shell_code()))
    }

    fn corrected(&self, outcome: Outcome) -> Outcome {
        if self.lost { UNKILLABLE } else { outcome }
    }
}

impl Supervisor {
    /// `dyno` itself received a signal (S12).
    pub(super) fn on_signal(&mut self, signal: UserSignal, turn: &mut Turn) {
        match signal {
            UserSignal::Int | UserSignal::Term | UserSignal::Hup => self.on_stop_request(signal, turn),
            UserSignal::Quit => self.on_quit(turn),
            UserSignal::Tstp => {
                self.signal_all(RunOrder::Pause, turn);
                turn.order(Effect::Suspend);
            }
            UserSignal::Usr1 => self.pass_on(RunOrder::Usr1, turn),
            UserSignal::Usr2 => self.pass_on(RunOrder::Usr2, turn),
        }
    }

    fn pass_on(&mut self, signal: RunOrder, turn: &mut Turn) {
        match self.phase {
            Phase::Unbooted | Phase::Release | Phase::Running => self.signal_all(signal, turn),
            Phase::Stopping { .. } | Phase::Killing { .. } | Phase::Over => {}
        }
    }

    fn on_stop_request(&mut self, signal: UserSignal, turn: &mut Turn) {
        match self.phase {
            Phase::Unbooted | Phase::Release | Phase::Running => {
                turn.announce(NoticeKind::StopRequested(signal));
                self.stop_all(Outcome::Signal(signal), turn);
            }
            Phase::Stopping { began_at, .. } if turn.now.mono.saturating_sub(began_at) < SAME_KEYPRESS => {}
            Phase::Stopping { outcome, .. } => self.kill_all(outcome, turn),
            Phase::Killing { .. } | Phase::Over => {}
        }
    }

    fn on_quit(&mut self, turn: &mut Turn) {
        match self.phase {
            Phase::Unbooted | Phase::Release | Phase::Running => {
                turn.announce(NoticeKind::StopRequested(UserSignal::Quit));
                self.kill_all(Outcome::Signal(UserSignal::Quit), turn);
            }
            Phase::Stopping { outcome, .. } => self.kill_all(outcome, turn),
            Phase::Killing { .. } | Phase::Over => {}
        }
    }

    /// The output of the dynos can no longer be written: stops everything (S7.5).
    pub(super) fn on_output_lost(&mut self, loss: OutputLoss, turn: &mut Turn) {
        let code = match loss {
            OutputLoss::Closed => Status::OutputClosed.code(),
            OutputLoss::Failed => Status::Output.code(),
        };
        match self.phase {
            Phase::Unbooted | Phase::Release | Phase::Running => self.stop_all(Outcome::Code(code), turn),
            Phase::Stopping { .. } | Phase::Killing { .. } | Phase::Over => {}
        }
    }

    /// Announces the stop, then stops every dyno. Called once, by the first cause.
    pub(super) fn stop_all(&mut self, outcome: Outcome, turn: &mut Turn) {
        if let Some(signal) = self.shown_stop_signal() {
            turn.announce(NoticeKind::Stopping { signal });
        }
        self.begin_stop(outcome, turn);
    }

    /// The same without the announcement, for when the reason is already shown and nothing else runs.
    pub(super) fn begin_stop(&mut self, outcome: Outcome, turn: &mut Turn) {
        let report_at = first_report(turn.now.mono, self.policy.grace);
        self.phase = Phase::Stopping { outcome, began_at: turn.now.mono, report_at };
        self.want_none();
        self.end_drains(|_| true, turn);
        self.reconcile_all(turn);
    }

    fn kill_all(&mut self, outcome: Outcome, turn: &mut Turn) {
        turn.announce(NoticeKind::Killing);
        self.phase = Phase::Killing { outcome };
        self.want_none();
        for slot in self.slots.iter_mut() {
            slot.kill(turn);
        }
        self.reconcile_all(turn);
    }

    fn want_none(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.intent == Intent::Run) {
            slot.intent = Intent::Rest;
        }
    }

    /// The stop signal if all dynos to be stopped share one, else SIGTERM. None: there is no dyno to stop.
    fn shown_stop_signal(&self) -> Option<i32> {
        let mut signals =
            self.slots.iter().filter(|slot| slot.state.may_be_stopped()).map(|slot| slot.stop_rules.signal);
        let first = signals.next()?;
        Some(if signals.all(|signal| signal == first) { first } else { SIGTERM })
    }

    /// Kills the runs whose grace period is over (S6.6).
    pub(super) fn kill_overdue(&mut self, turn: &mut Turn) {
        let mono = turn.now.mono;
        let is_overdue = |state: DynoState| state.is_due(Deadline::Kill, mono);
        if !self.slots.iter().any(|slot| is_overdue(slot.state)) {
            return;
        }
        let kills_all = self.slots.iter().all(|slot| is_overdue(slot.state) || !slot.state.may_be_killed());
        match self.phase {
            Phase::Stopping { outcome, .. } if kills_all => {
                turn.announce(NoticeKind::Killing);
                self.phase = Phase::Killing { outcome };
            }
            Phase::Unbooted
            | Phase::Release
            | Phase::Running
            | Phase::Stopping { .. }
            | Phase::Killing { .. }
            | Phase::Over => {}
        }
        for slot in self.slots.iter_mut().filter(|slot| is_overdue(slot.state)) {
            if self.policy.report_exit_timeout {
                let after = slot.named_grace.unwrap_or(self.policy.grace);
                slot.notify(NoticeKind::ExitTimeout { after, signal: slot.stop_rules.signal }, turn);
            }
            slot.kill(turn);
        }
    }

    /// The guardian is stuck: the runtime kills it, stops all processes in its place and exits with
    /// `Status::Internal`.
    pub(super) fn replace_guardian(&mut self, turn: &mut Turn) {
        turn.announce(NoticeKind::GuardianStuck);
        turn.order(Effect::ReplaceGuardian);
        self.phase = Phase::Over;
    }

    /// Whether the supervisor finishes when nothing of the formation runs any more.
    fn ends_by_itself(&self) -> bool {
        match self.policy.lifetime {
            Lifetime::Formation => true,
            Lifetime::Detached => {
                let wants_none = self.quantities().iter().all(|entry| entry.quantity == 0);
                !self.tally.given_up.is_empty() || (self.tally.stopped.is_empty() && !wants_none)
            }
            Lifetime::Unlimited => false,
        }
    }

    /// Finishes once no run is left and no dyno is due to start.
    pub(super) fn finish_if_done(&mut self, turn: &mut Turn) {
        let outcome = match self.phase {
            Phase::Unbooted | Phase::Release | Phase::Over => return,
            Phase::Running if !self.ends_by_itself() => return,
            Phase::Running => self.tally.natural(),
            Phase::Stopping { outcome, .. } | Phase::Killing { outcome } => outcome,
        };
        let is_waiting = |state: DynoState| matches!(state, DynoState::Rest(Rest::Backoff { .. }));
        if self.slots.have_runs() || self.slots.iter().any(|slot| is_waiting(slot.state)) {
            return;
        }
        self.phase = Phase::Over;
        turn.order(Effect::Finish(self.tally.corrected(outcome)));
    }
}
