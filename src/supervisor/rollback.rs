//! Runs an earlier release again, as a new one (S15.2).
//!
//! The files of the app are not touched, and a rollback stays until they say something else, or a person asks for what they
//! say. Not here: how a release replaces another (`deploy`).

use std::collections::HashMap;

use crate::model::ProcessType;
use crate::release::{Release, ReleaseFacts};

use super::deploy::Later;
use super::slot::Turn;
use super::{Deploy, DeployOrigin, NoticeKind, Refusal, ReleaseInfo, Reply, Snapshot, Supervisor};

impl Supervisor {
    /// Accepts a release that has run already. `elsewhere`: the process types that it adds, but another start runs.
    pub(super) fn rollback(
        &mut self,
        version: u32,
        elsewhere: &[ProcessType],
        turn: &mut Turn,
    ) -> Result<Reply, Refusal> {
        let deploy = self.earlier(version, elsewhere)?;
        self.deploy(deploy, turn)
    }

    /// What a rollback deploys.
    pub(super) fn earlier(&self, version: u32, elsewhere: &[ProcessType]) -> Result<Deploy, Refusal> {
        let deploy = Deploy::clone(&self.releases.proven(version)?.deploy).without(elsewhere);
        Ok(Deploy {
            release: Release { description: Some(format!("Rollback to v{version}")), ..deploy.release },
            // Its types have kept their ports.
            spare_ports: HashMap::new(),
            origin: DeployOrigin::Rollback { to: version },
            ..deploy
        })
    }

    /// Whether a release is that of a file that was saved as it was before a rollback.
    pub(super) fn was_rolled_back(&self, origin: DeployOrigin, facts: &ReleaseFacts) -> bool {
        let last = self.last_pending().map_or(self.blueprint.release().version, Later::version);
        let is_rollback = self.releases.get(last).and_then(ReleaseInfo::rolled_back_to).is_some();
        origin == DeployOrigin::SavedFile && is_rollback && self.files.difference(facts).is_empty()
    }

    /// Says that the formation runs on what the files do not say.
    pub(super) fn announce_rollback(&self, turn: &mut Turn) {
        let current = self.releases.get(self.blueprint.release().version);
        let files = self.facts.different_files(&self.files);
        if let Some(to) = current.and_then(ReleaseInfo::rolled_back_to).filter(|_| !files.is_empty()) {
            turn.announce(NoticeKind::RolledBack { to, files });
        }
    }
}

impl ReleaseInfo {
    /// The number of the earlier release, if it is a rollback.
    #[must_use]
    pub fn rolled_back_to(&self) -> Option<u32> {
        match self.deploy.origin {
            DeployOrigin::Rollback { to } => Some(to),
            DeployOrigin::Files | DeployOrigin::SavedFile => None,
        }
    }
}

impl Snapshot {
    /// The number of the earlier release, if the formation runs on a rollback.
    #[must_use]
    pub fn rolled_back_to(&self) -> Option<u32> {
        self.releases.iter().find(|info| info.version == self.release)?.rolled_back_to()
    }
}
