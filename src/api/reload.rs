//! The answer to a request to read the files of the app again (S14.1).

use serde::{Deserialize, Serialize};

use crate::supervisor::{ReleaseStatus, Snapshot};

/// The result of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReloadResult {
    /// Nothing is different, so there is no new release.
    Unchanged,
    /// The formation runs on the new release.
    Succeeded,
    /// The release command failed, and the formation goes on as before.
    Failed,
    /// A later release came before the formation could run on this one.
    Superseded,
    /// The files cannot be used.
    Invalid,
}

/// An error, a warning or a note about the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadProblem {
    /// What is wrong, with file and line if it is a line.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadAnswer {
    /// The result.
    pub result: ReloadResult,
    /// The number of the new release, or of the one that goes on.
    pub version: u32,
    /// What is different, by name: `.env: + API_KEY`.
    pub difference: String,
    /// How the release command ended, as a shell would report it, or the status of a start with these files.
    pub status: u8,
    /// Whether the release command was stopped on request.
    #[serde(default)]
    pub stopped: bool,
    /// The last lines of a release command that failed.
    pub lines: Vec<String>,
    /// Why the files cannot be used.
    pub problems: Vec<ReloadProblem>,
    /// What a start with these files would warn about.
    #[serde(default)]
    pub warnings: Vec<ReloadProblem>,
    /// What else the person who reloads should know.
    #[serde(default)]
    pub notes: Vec<ReloadProblem>,
}

impl ReloadAnswer {
    /// The files are the same. `version`: the current release.
    #[must_use]
    pub fn unchanged(version: u32) -> Self {
        Self {
            result: ReloadResult::Unchanged,
            version,
            difference: String::new(),
            status: 0,
            stopped: false,
            lines: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// How a release command that failed has ended, after `its command`.
    #[must_use]
    pub fn ending(&self) -> String {
        if self.stopped { "was stopped".to_owned() } else { format!("exited with status {}", self.status) }
    }

    /// The files cannot be used. `status`: that of a start.
    #[must_use]
    pub fn invalid(version: u32, status: u8, problems: Vec<ReloadProblem>) -> Self {
        Self { result: ReloadResult::Invalid, status, problems, ..Self::unchanged(version) }
    }

    /// The result of a release. None: it is still pending.
    #[must_use]
    pub fn settled(version: u32, difference: &str, snapshot: &Snapshot) -> Option<Self> {
        let info = snapshot.releases.iter().find(|info| info.version == version)?;
        let result = match info.status {
            ReleaseStatus::Pending => return None,
            ReleaseStatus::Succeeded => ReloadResult::Succeeded,
            ReleaseStatus::Failed => ReloadResult::Failed,
            ReleaseStatus::Superseded => ReloadResult::Superseded,
        };
        Some(Self { result, difference: difference.to_owned(), ..Self::unchanged(version) })
    }
}
