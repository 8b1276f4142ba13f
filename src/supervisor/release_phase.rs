//! The gate: the formation boots once the release command has exited with 0 and none of its processes is left (S8).
//!
//! If the release command fails, `dyno` ends with its status; it is never restarted. It is stopped like any other dyno.
//! Not here: the release command of a later release (`deploy`).

use crate::model::ExitStatus;
use crate::release::Release;

use super::dyno_state::RunEnding;
use super::shutdown::{Phase, UNKILLABLE};
use super::slot::{EndListener, Intent, Role, Slot, Turn};
use super::{NoticeKind, Outcome, ReleaseStatus, Supervisor};

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
        self.releases.begin(turn.now.wall);
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
            self.want(Role::OneOff(EndListener::ReleaseGate), turn);
        } else {
            self.boot_formation(turn);
        }
    }

    fn boot_formation(&mut self, turn: &mut Turn) {
        self.announce_release(turn);
        self.phase = Phase::Running;
        self.want(Role::Formation, turn);
    }

    /// The formation runs on this release from now on.
    pub(super) fn announce_release(&mut self, turn: &mut Turn) {
        let Release { version, user, .. } = self.blueprint.release();
        self.releases.settle(*version, ReleaseStatus::Succeeded);
        turn.announce(NoticeKind::ReleaseCreated { version: *version, user: user.clone() });
    }

    fn want(&mut self, role: Role, turn: &mut Turn) {
        for slot in self.slots.iter_mut().filter(|slot| slot.role == role) {
            slot.intent = Intent::Run;
        }
        self.reconcile_all(turn);
    }

    /// The release command is gone. If it exited with 0, the formation boots or changes to the release, unless a stop was
    /// requested meanwhile.
    pub(super) fn release_gone(&mut self, ending: RunEnding, exit: ExitStatus, turn: &mut Turn) {
        let has_succeeded = match ending {
            RunEnding::Done => true,
            RunEnding::Requested | RunEnding::Replaced | RunEnding::Crashed(_) => false,
        };
        match self.phase {
            Phase::Release if has_succeeded => self.boot_formation(turn),
            Phase::Running => {
                // If it was stopped, its failure has not been reported yet.
                if !has_succeeded {
                    self.later_release_failed(exit, turn);
                }
                self.later_release_gone(has_succeeded, turn);
            }
            Phase::Unbooted | Phase::Release | Phase::Stopping { .. } | Phase::Killing { .. } | Phase::Over => {}
        }
    }

    /// The release command failed. In the release phase nothing starts, and `dyno` ends with its status (S8.2).
    pub(super) fn release_failed(&mut self, exit: ExitStatus, turn: &mut Turn) {
        match self.phase {
            Phase::Running => self.later_release_failed(exit, turn),
            Phase::Unbooted | Phase::Release | Phase::Stopping { .. } | Phase::Killing { .. } | Phase::Over => {
                let version = self.blueprint.release().version;
                self.releases.settle(version, ReleaseStatus::Failed);
                turn.announce(NoticeKind::ReleaseFailed { version, exit, kept: None });
                self.begin_stop(Outcome::Code(exit.shell_code()), turn);
            }
        }
    }

    /// A process of the release command cannot be killed. It may hold what the formation needs, so nothing starts.
    pub(super) fn release_lost(&mut self, turn: &mut Turn) {
        match self.phase {
            Phase::Release => self.begin_stop(UNKILLABLE, turn),
            Phase::Running => self.later_release_lost(turn),
            Phase::Unbooted | Phase::Stopping { .. } | Phase::Killing { .. } | Phase::Over => {}
        }
    }
}

impl Slot {
    /// Whether this is the release command.
    pub(super) fn is_release(&self) -> bool {
        match self.role {
            Role::OneOff(EndListener::ReleaseGate) => true,
            Role::Formation | Role::OneOff(EndListener::Log) => false,
        }
    }
}
