//! The releases of one start, and how each of them has turned out (S15.1).

use std::sync::Arc;

use crate::release::Release;

/// How many releases are remembered, besides those that are pending.
const MOST_RELEASES: usize = 50;

/// One release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseInfo {
    /// Its number, from 1.
    pub version: u32,
    /// When it was made. The Unix epoch before `Event::Boot`.
    pub at: jiff::Timestamp,
    /// Who made it.
    pub user: String,
    /// What made it, if that is known.
    pub description: Option<String>,
    /// How it has turned out.
    pub status: ReleaseStatus,
}

/// How a release has turned out.
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

impl Releases {
    pub(super) fn new(first: &Release) -> Self {
        Self(Arc::new(vec![pending(first, jiff::Timestamp::UNIX_EPOCH)]))
    }

    /// The number of the next one.
    pub(super) fn next_version(&self) -> u32 {
        self.0.last().map_or(1, |last| last.version.saturating_add(1))
    }

    /// The first one is made now.
    pub(super) fn begin(&mut self, at: jiff::Timestamp) {
        if let Some(first) = Arc::make_mut(&mut self.0).first_mut() {
            first.at = at;
        }
    }

    /// Adds one that is pending.
    pub(super) fn add(&mut self, release: &Release, at: jiff::Timestamp) {
        let releases = Arc::make_mut(&mut self.0);
        if releases.len() >= MOST_RELEASES
            && let Some(at) = releases.iter().position(|info| info.status != ReleaseStatus::Pending)
        {
            releases.remove(at);
        }
        releases.push(pending(release, at));
    }

    /// Whether it is not decided yet how a release turns out.
    pub(super) fn is_pending(&self, version: u32) -> bool {
        self.0.iter().any(|info| info.version == version && info.status == ReleaseStatus::Pending)
    }

    /// A pending release has turned out like this. False: it was not pending.
    pub(super) fn settle(&mut self, version: u32, status: ReleaseStatus) -> bool {
        let is_it = |info: &&mut ReleaseInfo| info.version == version && info.status == ReleaseStatus::Pending;
        let Some(info) = Arc::make_mut(&mut self.0).iter_mut().find(is_it) else { return false };
        info.status = status;
        true
    }

    /// All that are remembered.
    pub(super) fn shown(&self) -> Arc<Vec<ReleaseInfo>> {
        Arc::clone(&self.0)
    }
}

fn pending(release: &Release, at: jiff::Timestamp) -> ReleaseInfo {
    let Release { version, user, description, procfile: _, layers: _, order: _, watch: _ } = release;
    let status = ReleaseStatus::Pending;
    ReleaseInfo { version: *version, at, user: user.clone(), description: description.clone(), status }
}
