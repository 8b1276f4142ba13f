//! The time in which a dyno that is to be stopped answers the requests that it has (S16.3).
//!
//! Only stopping single dynos waits. When the whole app stops, its requests are not waited for.

use std::time::Duration;

use crate::model::RunId;

use super::Supervisor;
use super::dyno_state::{DynoState, Ordered, RunStage};
use super::shutdown::Phase;
use super::slot::{Role, Slot, Turn};

impl Supervisor {
    /// How long a dyno whose stop is requested now may answer its requests. None: its stop signal is sent at once.
    pub(super) fn drain_time(&self) -> Option<Duration> {
        match self.phase {
            Phase::Running => self.policy.drain.filter(|limit| !limit.is_zero()),
            Phase::Unbooted | Phase::Release | Phase::Stopping { .. } | Phase::Killing { .. } | Phase::Over => None,
        }
    }

    /// A run has answered its requests.
    pub(super) fn on_drained(&mut self, run: RunId, turn: &mut Turn) {
        if let Some((_, slot)) = self.slot_of(run) {
            slot.end_drain(turn);
        }
    }

    /// Stops the dynos that were only drained so far.
    pub(super) fn end_drains(&mut self, is_meant: impl Fn(&Slot) -> bool, turn: &mut Turn) {
        for slot in self.slots.iter_mut().filter(|slot| is_meant(slot)) {
            slot.end_drain(turn);
        }
    }
}

impl Slot {
    /// Whether clients may be waiting for answers of its run.
    pub(super) fn may_have_requests(&self) -> bool {
        let is_up = matches!(self.state, DynoState::Alive(_, RunStage::Up { .. }));
        is_up && self.role == Role::Formation && self.spec.port.is_some()
    }

    /// Sends the postponed stop signal, if there is one.
    fn end_drain(&mut self, turn: &mut Turn) {
        let DynoState::Alive(run, stage) = self.state else { return };
        match stage.ordered() {
            Some(Ordered::Drain { .. }) => {
                let ordered = self.stop_rules.ordered(turn.now.mono, self.named_grace);
                self.enter(DynoState::Alive(run, stage.reordered(ordered)), turn);
                self.send_stop_signal(run, turn);
            }
            Some(Ordered::Stop { .. } | Ordered::Kill { .. }) | None => {}
        }
    }
}
