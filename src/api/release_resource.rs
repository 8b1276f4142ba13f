//! The releases of an app, with the field names of the platform (S15.1). Our own additions are extra fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::id::stable_id;
use super::reload::ReloadProblem;
use super::resources::{AppRef, NameRef, UserRef, time};
use super::{AppFacts, ReleaseKey};
use crate::model::ProcessType;
use crate::supervisor::{Refusal, ReleaseInfo, ReleaseStatus, Snapshot};

/// The status of a release that was superseded.
pub const EXPIRED: &str = "expired";

/// A release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReleaseResource {
    /// Its id.
    pub id: String,
    /// Its number, from 1.
    pub version: u64,
    /// Always empty.
    pub addon_plan_names: Vec<String>,
    /// Its app.
    pub app: AppRef,
    /// When it was made.
    pub created_at: String,
    /// Whether the app runs on it.
    pub current: bool,
    /// What made it: `Rollback to v1`.
    pub description: String,
    /// Whether the app has run on it.
    pub eligible_for_rollback: bool,
    /// None: the log has the output of its release command.
    pub output_stream_url: Option<String>,
    /// None: its code is the directory.
    pub slug: Option<NameRef>,
    /// `pending`, `succeeded`, `failed` or `expired`: a later release came before the app could run on it. The platform has
    /// no other word, and clients may know only its words.
    pub status: String,
    /// When it was made.
    pub updated_at: String,
    /// Who made it.
    pub user: UserRef,
    /// Ours: what it has changed, by name: `.env: + API_KEY`. Empty for the first one.
    pub difference: String,
    /// Ours: the command of each process type. Only if one release is asked for: all of them would be long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_types: Option<BTreeMap<String, String>>,
}

/// A rollback that was accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RollbackAnswer {
    /// The new release, or the one that goes on.
    #[serde(flatten)]
    pub release: ReleaseResource,
    /// Ours: nothing is different, so there is no new release.
    pub unchanged: bool,
    /// Ours: what else the person who asked should know.
    pub notes: Vec<ReloadProblem>,
}

impl ReleaseResource {
    /// All releases that are remembered.
    pub(super) fn all(app: &AppFacts, snapshot: &Snapshot) -> Vec<Self> {
        snapshot.releases.iter().map(|info| Self::new(app, info, snapshot.release)).collect()
    }

    /// One of them, with its process types.
    pub(super) fn with_types(app: &AppFacts, info: &ReleaseInfo, snapshot: &Snapshot) -> Self {
        let commands = info.facts().commands.into_iter();
        let text = |(name, command): (ProcessType, Vec<u8>)| {
            (name.to_string(), String::from_utf8_lossy(&command).into_owned())
        };
        Self { process_types: Some(commands.map(text).collect()), ..Self::new(app, info, snapshot.release) }
    }

    /// `current`: the version that runs.
    fn new(app: &AppFacts, info: &ReleaseInfo, current: u32) -> Self {
        let (at, version) = (time(info.at), info.version.into());
        let status = match info.status {
            ReleaseStatus::Pending => "pending",
            ReleaseStatus::Succeeded => "succeeded",
            ReleaseStatus::Failed => "failed",
            ReleaseStatus::Superseded => EXPIRED,
        };
        Self {
            id: release_id(app, version),
            version,
            app: AppRef::new(app),
            created_at: at.clone(),
            current: info.version == current && info.status == ReleaseStatus::Succeeded,
            description: info.description().unwrap_or("Started").to_owned(),
            eligible_for_rollback: info.status == ReleaseStatus::Succeeded,
            status: status.to_owned(),
            updated_at: at,
            user: UserRef::owner(app),
            difference: info.difference.clone(),
            ..Self::default()
        }
    }
}

impl AppFacts {
    /// The release with this number or id.
    ///
    /// # Errors
    /// 404: there is no such release, or it is no longer stored.
    pub fn found_release<'s>(
        &self,
        key: &ReleaseKey,
        snapshot: &'s Snapshot,
    ) -> Result<&'s ReleaseInfo, super::ApiError> {
        let is_it = |info: &&ReleaseInfo| key.is(info.version, &release_id(self, info.version.into()));
        snapshot.releases.iter().find(is_it).ok_or_else(|| match key.version() {
            Some(version) => {
                let known = snapshot.releases.iter().map(|info| info.version).collect();
                super::ApiError::of_refusal(&Refusal::UnknownRelease { version, known }, false)
            }
            None => super::ApiError::not_found("there is no such release"),
        })
    }

    /// The answer to a rollback that was accepted. `version`: the new release; None: nothing is different.
    #[must_use]
    pub fn rolled_back(&self, version: Option<u32>, notes: Vec<ReloadProblem>, after: &Snapshot) -> RollbackAnswer {
        let shown = version.unwrap_or(after.release);
        let found = after.releases.iter().find(|info| info.version == shown);
        let release = found.map(|info| ReleaseResource::new(self, info, after.release)).unwrap_or_default();
        RollbackAnswer { release, unchanged: version.is_none(), notes }
    }
}

pub(super) fn release_id(app: &AppFacts, version: u64) -> String {
    stable_id(&["release", &app.id(), &version.to_string(), &app.started_at.to_string()])
}
