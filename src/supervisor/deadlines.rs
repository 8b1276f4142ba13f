//! Everything about time: what is due, when the next thing is, and how all of it moves while we are suspended.

use std::time::Duration;

use crate::app::ExitStatus;

use super::dyno_state::{Deadline, DynoState};
use super::reports::{UnaskedEnd, judge};
use super::shutdown::Phase;
use super::slot::Turn;
use super::{GroupSignal, Supervisor};

/// How a dyno counts that was killed because it was not up in time, whatever its leader made of it.
const KILLED: ExitStatus = ExitStatus::Signal(9);

impl Supervisor {
    /// When to call [`Supervisor::handle`] with `Event::Tick` next, on the clock of `Now::mono`. None: nothing is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.deadlines().min()
    }

    /// All times at which something is due.
    pub(super) fn deadlines(&self) -> impl Iterator<Item = Duration> {
        let is_over = match self.phase {
            Phase::Over => true,
            Phase::Unbooted | Phase::Release | Phase::Running | Phase::Stopping { .. } | Phase::Killing { .. } => false,
        };
        let due = |state: DynoState| state.deadline().map(|(at, _)| at);
        self.slots.iter().filter(move |_| !is_over).filter_map(move |slot| due(slot.state))
    }

    pub(super) fn on_tick(&mut self, turn: &mut Turn) {
        let mono = turn.now.mono;
        if self.slots.iter().any(|slot| slot.state.is_due(Deadline::Answer, mono)) {
            self.replace_guardian(turn);
            return;
        }
        // In this order: a boot timeout may stop everything, and a grace of zero is over at once.
        self.time_out_boots(turn);
        for slot in self.slots.iter_mut().filter(|slot| slot.state.is_due(Deadline::Rest, mono)) {
            slot.stop_rest(turn);
        }
        self.kill_overdue(turn);
        self.reconcile_all(turn);
    }

    /// R10: kills the dynos that are not up in time. Each counts as a crash from this moment (S6.5).
    fn time_out_boots(&mut self, turn: &mut Turn) {
        let after = self.policy.boot_timeout.unwrap_or_default();
        for index in 0..self.slots.len() {
            let Some(slot) = self.slots.get_mut(index) else { return };
            if !slot.state.is_due(Deadline::Boot, turn.now.mono) {
                continue;
            }
            let Some(run) = slot.state.run() else { continue };
            let ending = judge(slot, KILLED, &self.policy);
            slot.kill_for_not_being_up(after, ending, turn);
            self.on_unasked_end(index, ending, UnaskedEnd { run, exit: KILLED, up_for: Duration::ZERO }, turn);
        }
    }

    /// The clock stood still for `paused_for`: continues all runs and moves every time we keep, in this one place.
    pub(super) fn on_resumed(&mut self, paused_for: Duration, turn: &mut Turn) {
        self.signal_all(GroupSignal::Continue, turn);
        self.phase = self.phase.postponed(paused_for);
        for slot in &mut self.slots {
            slot.state = slot.state.postponed(paused_for);
        }
    }
}
