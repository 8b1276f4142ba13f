//! Decides what the log says while everything stops: which dyno caused it, and which dynos still run.
//!
//! Pure. The stop itself is in `shutdown`, and the words are in `notice_text`.

use std::time::Duration;

use crate::error::Status;
use crate::model::{DynoName, ExitStatus};

use super::dyno_state::{DynoState, Ordered, RunStage};
use super::shutdown::Phase;
use super::slot::{Role, Slot, Turn};
use super::{CanDie, NoticeKind, StillRunning, StopAdvice, StopCause, Supervisor};

/// Time from the stop signal to the first line about the dynos that still run. Most dynos have exited by then.
const FIRST_REPORT: Duration = Duration::from_secs(2);

/// Time from one such line to the next.
const BETWEEN_REPORTS: Duration = Duration::from_secs(10);

/// The line about SIGKILL is enough if it follows sooner than this.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// When the first report is due, if the stop signal is sent now.
pub(super) fn first_report(now: Duration, grace: Duration) -> Option<Duration> {
    (grace >= FIRST_REPORT + SHORTEST_WAIT).then(|| now.saturating_add(FIRST_REPORT))
}

impl Supervisor {
    /// Names the dyno that stops the others. Says nothing if there are no others: its own last line is enough then.
    pub(super) fn explain_stop(&self, culprit: &DynoName, cause: StopCause, turn: &mut Turn) {
        let Some(advice) = self.policy.stop_advice else { return };
        if !self.slots.iter().any(|slot| slot.state.may_be_stopped()) {
            return;
        }
        let is_other = |slot: &&Slot| slot.role == Role::Formation && slot.spec.dyno != *culprit;
        let mut others = self.slots.iter().filter(is_other);
        let is_first = others.all(|slot| slot.last_exit.is_none());
        turn.announce(NoticeKind::StoppingOthers { dyno: culprit.clone(), cause, is_first, keys: advice.keys });
        if let Some(rule) = rule_that_helps(cause).filter(|_| advice.options) {
            turn.announce(NoticeKind::StopAvoidable { process_type: culprit.process_type.clone(), rule });
        }
    }

    /// When the dynos that still run are reported next.
    pub(super) fn report_due(&self) -> Option<Duration> {
        match self.phase {
            Phase::Stopping { report_at, .. } => report_at,
            Phase::Unbooted | Phase::Release | Phase::Running | Phase::Killing { .. } | Phase::Over => None,
        }
    }

    /// Names the dynos that have not ended since they got the stop signal, if that is due.
    pub(super) fn report_still_running(&mut self, turn: &mut Turn) {
        let now = turn.now.mono;
        let Phase::Stopping { report_at, .. } = &mut self.phase else { return };
        if report_at.is_none_or(|at| at > now) {
            return;
        }
        *report_at = None;
        let waiting: Vec<(StillRunning, Duration)> = self.slots.iter().filter_map(still_running).collect();
        let Some(kill_at) = waiting.iter().map(|(_, kill_at)| *kill_at).max() else { return };
        let dynos = waiting.into_iter().map(|(dyno, _)| dyno).collect();
        let keys = self.policy.stop_advice.is_some_and(|StopAdvice { keys, .. }| keys);
        turn.announce(NoticeKind::WaitingForExit { dynos, kill_in: whole_seconds(kill_at.saturating_sub(now)), keys });
        let next = now.saturating_add(BETWEEN_REPORTS);
        if let Phase::Stopping { report_at, .. } = &mut self.phase {
            *report_at = (next.saturating_add(SHORTEST_WAIT) <= kill_at).then_some(next);
        }
    }
}

/// The rule of `--can-die` that keeps the others running when a dyno ends like that. None: the dyno is broken, and
/// continuing without it does not help.
fn rule_that_helps(cause: StopCause) -> Option<CanDie> {
    const BROKEN: [u8; 2] = [Status::NotExecutable.code(), Status::NotFound.code()];
    match cause {
        StopCause::Exited(ExitStatus::Code(0)) => Some(CanDie::Success),
        StopCause::Exited(ExitStatus::Code(code)) if BROKEN.contains(&code) => None,
        StopCause::Exited(ExitStatus::Code(_) | ExitStatus::Signal(_)) => Some(CanDie::Any),
        StopCause::NotStarted | StopCause::NotUp => None,
    }
}

/// What is left of a dyno that got the stop signal, and when it is killed.
fn still_running(slot: &Slot) -> Option<(StillRunning, Duration)> {
    let dyno = slot.spec.dyno.clone();
    match slot.state {
        DynoState::Alive(_, RunStage::Stopping { ordered: Ordered::Stop { kill_at, .. }, .. }) => {
            Some((StillRunning::Dyno(dyno), kill_at))
        }
        DynoState::Alive(_, RunStage::Clearing { ordered: Ordered::Stop { kill_at, .. }, .. }) => {
            Some((StillRunning::ProcessesOf(dyno), kill_at))
        }
        DynoState::Alive(
            _,
            RunStage::Stopping { ordered: Ordered::Drain { .. } | Ordered::Kill { .. }, .. }
            | RunStage::Clearing { ordered: Ordered::Drain { .. } | Ordered::Kill { .. }, .. }
            | RunStage::Starting { .. }
            | RunStage::Booting { .. }
            | RunStage::Up { .. },
        )
        | DynoState::Rest(_) => None,
    }
}

/// The nearest number of whole seconds: a timer can be late by some milliseconds.
fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.saturating_add(Duration::from_millis(500)).as_secs())
}
