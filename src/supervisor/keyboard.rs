//! Decides who hears Ctrl-C while the keyboard belongs to a dyno (S6.8).
//!
//! The first one is the dyno's: it may interrupt a line that is being typed, or end the dyno. A second one with no other
//! key in between is meant for all, and counts as SIGINT (S12), also where the first one made the dyno start again. The
//! keys themselves are carried by the runtime.

use crate::app::RunId;

use super::dyno_state::DynoState;
use super::slot::Turn;
use super::{Effect, Key, Supervisor, UserSignal};

impl Supervisor {
    pub(super) fn on_key(&mut self, run: RunId, key: Key, turn: &mut Turn) {
        match key {
            Key::Other => self.interrupted = false,
            Key::Interrupt if !self.interrupted && self.hears_keys(run) => {
                self.interrupted = true;
                turn.order(Effect::PassInterrupt { run });
            }
            Key::Interrupt => self.on_signal(UserSignal::Int, turn),
        }
    }

    /// One that is ending anyway hears nothing any more: then the key is meant for all.
    fn hears_keys(&self, run: RunId) -> bool {
        let Some(slot) = self.slot_of.get(&run).and_then(|index| self.slots.get(*index)) else { return false };
        match slot.state {
            DynoState::Booting { .. } | DynoState::Up { .. } => true,
            DynoState::Starting { .. }
            | DynoState::Stopping { .. }
            | DynoState::Clearing { .. }
            | DynoState::Down
            | DynoState::Backoff { .. }
            | DynoState::Crashed
            | DynoState::Lost => false,
        }
    }
}
