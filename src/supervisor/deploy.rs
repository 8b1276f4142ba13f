//! Replaces the current release with a later one (S8.3, S14.1).
//!
//! If the later release has a release command, that runs first, while the formation goes on as before. Then dynos whose
//! specification differs are replaced, those of new process types start, and those of removed ones leave. One release
//! command runs at a time: a release that comes meanwhile waits for it, and replaces another that waits. Not here: what a
//! rollback deploys (`rollback`).

use std::collections::HashMap;
use std::sync::Arc;

use crate::app::{Formation, PortRange};
use crate::model::{DynoName, ExitStatus, ProcessType};
use crate::release::{Blueprint, Listeners, Release, ReleaseFacts};

use super::dyno_state::{DynoState, Rest};
use super::formation::{Added, port_refusal};
use super::slot::{EndListener, Intent, Role, Slot, Turn};
use super::slots::{Place, SlotId};
use super::{EndRequest, NoticeKind, Refusal, ReleaseInfo, ReleaseStatus, Reply, Supervisor};

/// A release that is to replace the current one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deploy {
    /// The release. It gets the next number.
    pub release: Release,
    /// Its process types that are expected to listen.
    pub listeners: Listeners,
    /// The quantities of the process types that are new.
    pub added: Formation,
    /// Whether its release command runs, if it has one.
    pub runs_release_command: bool,
    /// Reserved ports for process types that are new, if the block of the start has no room for them.
    pub spare_ports: HashMap<ProcessType, PortRange>,
    /// What asks for it.
    pub origin: DeployOrigin,
}

impl Deploy {
    /// The process types that get dynos if they are new.
    #[must_use]
    pub fn added_types(&self) -> Vec<ProcessType> {
        self.added.iter().filter(|(_, quantity)| *quantity > 0).map(|(name, _)| name.clone()).collect()
    }

    /// The same without dynos of these process types if they are new.
    #[must_use]
    pub fn without(self, elsewhere: &[ProcessType]) -> Self {
        Self { added: elsewhere.iter().fold(self.added, Formation::without), ..self }
    }
}

/// What asks for a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeployOrigin {
    /// A person: the release is what the files of the app say.
    Files,
    /// A file that was saved: like `Files`, but the rollback stays if the files are still those from before it.
    SavedFile,
    /// A person: the release has run before.
    Rollback {
        /// The number that it had.
        to: u32,
    },
}

impl DeployOrigin {
    /// Whether the release is what the files of the app say.
    fn is_of_files(self) -> bool {
        match self {
            Self::Files | Self::SavedFile => true,
            Self::Rollback { .. } => false,
        }
    }
}

/// A release that was accepted, but is not the current one yet.
#[derive(Debug, Clone)]
pub(super) struct Later {
    blueprint: Blueprint,
    added: Formation,
    runs_release_command: bool,
    facts: Arc<ReleaseFacts>,
}

impl Later {
    pub(super) fn version(&self) -> u32 {
        self.blueprint.release().version
    }

    /// The formation on this release. `before`: the formation at that time.
    fn formation(&self, before: &Formation) -> Formation {
        before.succeeded_by(self.blueprint.types(), &self.added)
    }

    /// Whether each dyno would have a port. `before`: the formation at that time.
    fn check_fits(&self, before: &Formation) -> Result<(), Refusal> {
        self.blueprint.check_ports(&self.formation(before)).map_err(|error| port_refusal(&error))
    }

    fn release_command(&self) -> Option<DynoName> {
        self.blueprint.release_command().filter(|_| self.runs_release_command)
    }
}

impl Supervisor {
    /// Accepts a release, unless nothing is different from the current one. If it is the same as a pending release, the
    /// reply is about that release.
    pub(super) fn deploy(&mut self, deploy: Deploy, turn: &mut Turn) -> Result<Reply, Refusal> {
        let facts = Arc::new(ReleaseFacts::of(&deploy.release));
        if self.was_rolled_back(deploy.origin, &facts) {
            return Ok(Reply::Unchanged);
        }
        let files = deploy.origin.is_of_files().then(|| Arc::clone(&facts));
        let reply = self.replace_release(deploy, facts, turn)?;
        if let Some(files) = files {
            self.files = files;
        }
        Ok(reply)
    }

    fn replace_release(&mut self, deploy: Deploy, facts: Arc<ReleaseFacts>, turn: &mut Turn) -> Result<Reply, Refusal> {
        let last = self.last_pending();
        let before = last.map_or(&self.facts, |later| &later.facts);
        let (difference, config_change) = (before.difference(&facts), before.config_change(&facts));
        match last.filter(|_| difference.is_empty()) {
            Some(later) => {
                let difference = self.facts.difference(&later.facts);
                return Ok(Reply::Deploying { version: later.version(), difference });
            }
            None if difference.is_empty() => return Ok(Reply::Unchanged),
            None => {}
        }
        let later = self.later(deploy.clone(), facts);
        let version = later.version();
        later.check_fits(&self.formation)?;
        if let Some(dyno) = later.release_command().filter(|_| self.is_release_lost()) {
            let why = "one of its processes could not be killed".to_owned();
            return Err(Refusal::Impossible { dyno, why });
        }
        let Release { user, description, .. } = later.blueprint.release();
        let (user, description) = (user.clone(), description.clone());
        let info = ReleaseInfo::pending(version, turn.now.wall, difference.clone(), deploy);
        let info = ReleaseInfo { config_change: config_change.clone(), ..info };
        self.releases.add(info, self.blueprint.release().version);
        turn.announce(NoticeKind::Deploying {
            version,
            description: description.clone(),
            difference: difference.clone(),
        });
        if let Some(description) = description.or(config_change) {
            turn.announce(NoticeKind::ReleaseDescribed { description, user });
        }
        if self.deploying.is_none() {
            self.begin_release(later, turn);
        } else if let Some(replaced) = self.queued.replace(later) {
            self.releases.settle(replaced.version(), ReleaseStatus::Superseded);
        }
        Ok(Reply::Deploying { version, difference })
    }

    /// The last release that was accepted and whose outcome is not decided: one that has failed is not, even before its
    /// command is gone.
    pub(super) fn last_pending(&self) -> Option<&Later> {
        let is_pending = |later: &&Later| self.releases.is_pending(later.version());
        self.queued.as_ref().or(self.deploying.as_ref().filter(is_pending))
    }

    fn later(&self, deploy: Deploy, facts: Arc<ReleaseFacts>) -> Later {
        let Deploy { release, listeners, added, runs_release_command, spare_ports, origin: _ } = deploy;
        let release = Release { version: self.releases.next_version(), ..release };
        let blueprint = self.blueprint.succeeded_by(release, listeners, &spare_ports);
        Later { blueprint, added, runs_release_command, facts }
    }

    /// The dynos that a release would add. None: it would be refused.
    pub(super) fn added_by_release(&self, deploy: &Deploy) -> Option<Vec<Added>> {
        let later = self.later(deploy.clone(), Arc::default());
        self.added(&later.blueprint, &later.formation(&self.formation)).ok()
    }

    /// The process types with dynos on the pending releases.
    pub(super) fn coming(&self) -> Vec<ProcessType> {
        let later = self.deploying.iter().chain(&self.queued);
        let formations: Vec<Formation> = later.map(|later| later.formation(&self.formation)).collect();
        let with_dynos = formations.iter().flat_map(Formation::iter).filter(|(_, quantity)| *quantity > 0);
        with_dynos.map(|(process_type, _)| process_type.clone()).collect()
    }

    /// Whether the pending releases would have a port for each dyno if the formation were this one.
    pub(super) fn check_later(&self, formation: &Formation) -> Result<(), Refusal> {
        self.deploying.iter().chain(&self.queued).try_for_each(|later| later.check_fits(formation))
    }

    fn is_release_lost(&self) -> bool {
        self.slots.iter().any(|slot| slot.is_release() && slot.state == DynoState::Rest(Rest::Lost))
    }

    /// Runs the release command of a later release if there is one. Else the formation runs on it from now on.
    fn begin_release(&mut self, later: Later, turn: &mut Turn) {
        let spec = later.release_command().and_then(|dyno| later.blueprint.spec(&dyno).ok());
        let Some(spec) = spec else {
            self.run_on(later, turn);
            return;
        };
        let Release { version, user, .. } = later.blueprint.release();
        let (version, user, command_line) = (*version, user.clone(), Arc::clone(&spec.command_line));
        turn.announce(NoticeKind::ReleaseRunning { version, user: user.clone() });
        turn.announce(NoticeKind::OneOffRequested { command_line, user });
        let id = SlotId { place: Place::Release, index: spec.dyno.index };
        turn.keep(&spec.dyno);
        let mut slot = Slot::new(Arc::new(spec), Role::OneOff(EndListener::ReleaseGate), &self.policy);
        (slot.intent, slot.since) = (Intent::Run, turn.now.wall);
        self.slots.insert(id, slot);
        self.deploying = Some(later);
        self.reconcile(id, turn);
    }

    /// The release command of a later release has failed: the formation goes on as before (S8.3).
    pub(super) fn later_release_failed(&mut self, exit: ExitStatus, turn: &mut Turn) {
        let Some(version) = self.deploying.as_ref().map(Later::version) else { return };
        if self.releases.settle(version, ReleaseStatus::Failed) {
            let kept = Some(self.blueprint.release().version);
            turn.announce(NoticeKind::ReleaseFailed { version, exit, kept });
        }
    }

    /// The release command of a later release is gone.
    pub(super) fn later_release_gone(&mut self, has_succeeded: bool, turn: &mut Turn) {
        let Some(later) = self.deploying.take() else { return };
        match self.queued.take() {
            Some(next) => {
                self.releases.settle(later.version(), ReleaseStatus::Superseded);
                self.begin_release(next, turn);
            }
            None if has_succeeded => self.run_on(later, turn),
            None => {}
        }
    }

    /// A process of the release command of a later release cannot be killed. That process may hold what another release
    /// command needs.
    pub(super) fn later_release_lost(&mut self, turn: &mut Turn) {
        let kept = self.blueprint.release().version;
        for later in self.deploying.take().into_iter().chain(self.queued.take()) {
            let version = later.version();
            if self.releases.settle(version, ReleaseStatus::Failed) {
                turn.announce(NoticeKind::ReleaseStuck { version, kept });
            }
        }
    }

    /// From now on the formation runs on this release.
    fn run_on(&mut self, later: Later, turn: &mut Turn) {
        let version = later.version();
        let formation = later.formation(&self.formation);
        let before = std::mem::replace(&mut self.formation, formation);
        (self.blueprint, self.facts) = (later.blueprint, later.facts);
        self.moved_ports = Arc::new(self.blueprint.moved_ports());
        self.announce_release(turn);
        self.announce_rollback(turn);
        self.renew_holds(&before, turn);
        self.close_holds();
        for id in self.slots.ids() {
            let Some(slot) = self.slots.get(id).filter(|slot| slot.role == Role::Formation) else { continue };
            let dyno = &slot.spec.dyno;
            if dyno.index <= u32::from(self.formation.quantity(&dyno.process_type)) {
                self.renew(id, turn);
            } else if slot.intent != Intent::Leave {
                self.leave(id, EndRequest::Removed { version }, turn);
            }
        }
        // It was checked when the release was accepted, and at each change of the formation since.
        let added = self.added(&self.blueprint, &self.formation).unwrap_or_default();
        self.insert_all(added, turn);
        self.reconcile_all(turn);
    }

    /// Gives a dyno its specification in the current release, and replaces its run if that is different.
    fn renew(&mut self, id: SlotId, turn: &mut Turn) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        let Ok(spec) = self.blueprint.spec(&slot.spec.dyno) else { return };
        let differs = *slot.spec != spec;
        if differs {
            slot.spec = Arc::new(spec);
        }
        if slot.intent == Intent::Leave {
            // Its type was removed or scaled down, and has come back.
            self.bring_back(id);
        } else if differs && slot.is_replaceable() {
            let version = self.blueprint.release().version;
            self.restart_one(id, EndRequest::Changed { version }, None, turn);
        }
    }
}
