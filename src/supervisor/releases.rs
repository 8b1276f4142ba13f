//! The releases of one start, how each of them has turned out, and what it takes to deploy it again (S15.1).

use std::sync::Arc;

use super::{Deploy, Refusal};
use crate::release::{Release, ReleaseFacts};

/// How many releases are remembered, besides those that are pending and the one that runs.
const MOST_RELEASES: usize = 50;

/// One release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseInfo {
    /// Its number, from 1.
    pub version: u32,
    /// When it was made. The Unix epoch before `Event::Boot`.
    pub at: jiff::Timestamp,
    /// What it has changed, by name: `.env: + API_KEY`. Empty for the first one.
    pub difference: String,
    /// The same in the words of the platform, if it has only changed config vars: `Set API_KEY config vars`.
    pub config_change: Option<String>,
    /// How it has turned out.
    pub status: ReleaseStatus,
    /// What was deployed.
    pub deploy: Arc<Deploy>,
}

/// The status of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReleaseStatus {
    /// Its release command is running, or waits for that of an earlier release.
    Pending,
    /// The formation runs on it, or did so until a later one came.
    Succeeded,
    /// Its release command failed.
    Failed,
    /// A later release came before the formation could run on it.
    Superseded,
}

/// The releases of a start, the last one last.
#[derive(Debug, Clone)]
pub(super) struct Releases(Arc<Vec<ReleaseInfo>>);

impl ReleaseInfo {
    /// One that is pending.
    #[must_use]
    pub fn pending(version: u32, at: jiff::Timestamp, difference: String, deploy: Deploy) -> Self {
        let status = ReleaseStatus::Pending;
        Self { version, at, difference, config_change: None, status, deploy: Arc::new(deploy) }
    }

    /// What made it, such as `Rollback to v1`; else what it has changed. None for the first one.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        let Release { description, .. } = &self.deploy.release;
        let difference = (!self.difference.is_empty()).then_some(self.difference.as_str());
        description.as_deref().or(self.config_change.as_deref()).or(difference)
    }

    /// Its commands and config vars.
    #[must_use]
    pub fn facts(&self) -> ReleaseFacts {
        ReleaseFacts::of(&self.deploy.release)
    }
}

impl Releases {
    pub(super) fn new(first: Deploy) -> Self {
        let version = first.release.version;
        Self(Arc::new(vec![ReleaseInfo::pending(version, jiff::Timestamp::UNIX_EPOCH, String::new(), first)]))
    }

    /// The number of the next release.
    pub(super) fn next_version(&self) -> u32 {
        self.0.last().map_or(1, |last| last.version.saturating_add(1))
    }

    /// Makes the first release.
    pub(super) fn begin(&mut self, at: jiff::Timestamp) {
        if let Some(first) = Arc::make_mut(&mut self.0).first_mut() {
            first.at = at;
        }
    }

    /// Adds one. `current`: the number of the one that runs, which is remembered however many follow.
    pub(super) fn add(&mut self, info: ReleaseInfo, current: u32) {
        let releases = Arc::make_mut(&mut self.0);
        let can_go = |info: &ReleaseInfo| info.status != ReleaseStatus::Pending && info.version != current;
        if releases.len() >= MOST_RELEASES
            && let Some(at) = releases.iter().position(can_go)
        {
            releases.remove(at);
        }
        releases.push(info);
    }

    /// Whether a release is pending.
    pub(super) fn is_pending(&self, version: u32) -> bool {
        self.get(version).is_some_and(|info| info.status == ReleaseStatus::Pending)
    }

    /// Sets the status of a pending release. False: it was not pending.
    pub(super) fn settle(&mut self, version: u32, status: ReleaseStatus) -> bool {
        let is_it = |info: &&mut ReleaseInfo| info.version == version && info.status == ReleaseStatus::Pending;
        let Some(info) = Arc::make_mut(&mut self.0).iter_mut().find(is_it) else { return false };
        info.status = status;
        true
    }

    /// A release that is remembered.
    pub(super) fn get(&self, version: u32) -> Option<&ReleaseInfo> {
        self.0.iter().find(|info| info.version == version)
    }

    /// A release that the formation has run on.
    pub(super) fn proven(&self, version: u32) -> Result<&ReleaseInfo, Refusal> {
        let Some(info) = self.get(version) else {
            return Err(Refusal::UnknownRelease { version, known: self.0.iter().map(|info| info.version).collect() });
        };
        match info.status {
            ReleaseStatus::Succeeded => Ok(info),
            ReleaseStatus::Pending | ReleaseStatus::Failed | ReleaseStatus::Superseded => {
                Err(Refusal::NeverRan { version, status: info.status })
            }
        }
    }

    /// All that are remembered.
    pub(super) fn shown(&self) -> Arc<Vec<ReleaseInfo>> {
        Arc::clone(&self.0)
    }
}
