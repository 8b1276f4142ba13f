//! The gate: the formation boots once the release command has exited with 0 and none of its processes is left (S8).
//!
//! If the release command fails, `dyno` ends with its status; it is never restarted. It is stopped like any other dyno.

use crate::model::ExitStatus;
use crate::release::Release;

use super::shutdown::{Phase, UNKILLABLE};
use super::slot::{Intent, Listener, Role, Slot, Turn};
use super::{NoticeKind, Outcome, Supervisor};

impl Supervisor {
    /// Starts the release command if there is one, else the formation.
    pub(super) fn on_boot(&mut self, turn: &mut Turn) {
        match self.phase {
            Phase::Unbooted => {}
            Phase::Release | Phase::Running | Phase::Stopping { .. } | Phase::Killing { .. } | Phase::Over => return,
        }
        for slot in self.slots.iter_mut() {
            slot.since = turn.now.wall;
        }
        let Release { version, user, description, .. } = self.blueprint.release();
        let (version, user, description) = (*version, user.clone(), description.clone());
        if let Some(description) = description {
            turn.announce(NoticeKind::ReleaseDescribed { description, user: user.clone() });
        }
        let command_line = self.slots.iter().find(|slot| slot.is_release()).map(|slot| slot.spec.command_line.clone());
        if let Some(command_line) = command_line {
            self.phase = Phase::Release;
            turn.announce(NoticeKind::ReleaseRunning { version, user: user.clone() });
            turn.announce(NoticeKind::OneOffRequested { command_line, user });
            self.want(Role::OneOff(Listener::ReleaseGate), turn);
        } else {
            self.boot_formation(turn);
        }
    }

    fn boot_formation(&mut self, turn: &mut Turn) {
        let Release { version, user, .. } = self.blueprint.release();
        let (version, user) = (*version, user.clone());
        turn.announce(NoticeKind::ReleaseCreated { version, user });
        self.phase = Phase::Running;
        self.want(Role::Formation, turn);
    }

    fn want(&mut self, role: Role, turn: &mut Turn) {
        for slot in self.slots.iter_mut().filter(|slot| slot.role == role) {
            slot.intent = Intent::Run;
        }
        self.reconcile_all(turn);
    }

    /// The release command exited with 0 and is gone. Boots the formation, unless a stop was requested meanwhile.
    pub(super) fn open_gate(&mut self, turn: &mut Turn) {
        match self.phase {
            Phase::Release => self.boot_formation(turn),
            Phase::Unbooted | Phase::Running | Phase::Stopping { .. } | Phase::Killing { .. } | Phase::Over => {}
        }
    }

    /// The release command failed: nothing starts, and `dyno` ends with its status (S8.2).
    pub(super) fn release_failed(&mut self, exit: ExitStatus, turn: &mut Turn) {
        turn.announce(NoticeKind::ReleaseFailed { version: self.blueprint.release().version, exit });
        self.begin_stop(Outcome::Code(exit.shell_code()), turn);
    }

    /// A process of the release command cannot be killed. It may hold what the formation needs, so nothing starts.
    pub(super) fn release_lost(&mut self, turn: &mut Turn) {
        match self.phase {
            Phase::Release => self.begin_stop(UNKILLABLE, turn),
            Phase::Unbooted | Phase::Running | Phase::Stopping { .. } | Phase::Killing { .. } | Phase::Over => {}
        }
    }
}

impl Slot {
    /// Whether this is the release command.
    pub(super) fn is_release(&self) -> bool {
        match self.role {
            Role::OneOff(Listener::ReleaseGate) => true,
            Role::Formation | Role::OneOff(Listener::Log) => false,
        }
    }
}
