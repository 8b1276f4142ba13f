//! Decides who gets Ctrl-C while the keyboard is connected to a dyno (S6.8).
//!
//! The first one goes to the dyno: it may clear a half-typed line there, or end the dyno. A second one with no other
//! key in between is treated like a SIGINT to `dyno` (S12), even if the first one made the dyno restart. The runtime
//! passes the keys on.
//!
//! Also decides when the log says how to type into a dyno: once for each run that waits for input and does not have the
//! keyboard.

use crate::model::{Focus, Io, RunId};

use super::dyno_state::{DynoState, RunStage};
use super::slot::{Slot, Turn};
use super::{Effect, FocusAdvice, Key, KeyboardSign, NoticeKind, Supervisor, UserSignal};

impl Supervisor {
    pub(super) fn on_key(&mut self, run: RunId, key: Key, turn: &mut Turn) {
        match key {
            Key::Other => self.interrupted = false,
            Key::Interrupt if !self.interrupted && self.accepts_keys(run) => {
                self.interrupted = true;
                turn.order(Effect::PassInterrupt { run });
            }
            Key::Interrupt => self.on_signal(UserSignal::Int, turn),
        }
    }

    pub(super) fn on_needs_keyboard(&mut self, run: RunId, sign: KeyboardSign, turn: &mut Turn) {
        if !self.may_need_keyboard(run) {
            return;
        }
        let Some(slot) = self.slots.id_of(run).and_then(|id| self.slots.get_mut(id)) else { return };
        slot.focus_suggested = Some(run);
        let (dyno, advice) = (slot.spec.dyno.clone(), self.policy.keyboard_advice(slot.spec.io));
        turn.announce(NoticeKind::NeedsKeyboard { dyno, sign, advice });
    }

    /// Whether the log would say that this run waits for someone to type.
    #[must_use]
    pub fn may_need_keyboard(&self, run: RunId) -> bool {
        let is_unsaid = |slot: &Slot| slot.spec.focus == Focus::Elsewhere && slot.focus_suggested != Some(run);
        self.accepts_keys(run) && self.slots.of_run(run).is_some_and(is_unsaid)
    }

    /// What to suggest for a dyno with these streams that needs the keyboard.
    #[must_use]
    pub fn keyboard_advice(&self, io: Io) -> FocusAdvice {
        self.policy.keyboard_advice(io)
    }

    /// Whether `dyno attach` reaches a dyno with these streams.
    #[must_use]
    pub fn can_attach(&self, io: Io) -> bool {
        self.keyboard_advice(io) == FocusAdvice::Attach
    }

    /// Whether a run can still react to a key. If it is already ending, Ctrl-C stops everything.
    fn accepts_keys(&self, run: RunId) -> bool {
        let Some(slot) = self.slots.of_run(run) else { return false };
        match slot.state {
            DynoState::Alive(_, RunStage::Booting { .. } | RunStage::Up { .. }) => true,
            DynoState::Alive(_, RunStage::Starting { .. } | RunStage::Stopping { .. } | RunStage::Clearing { .. })
            | DynoState::Rest(_) => false,
        }
    }
}
