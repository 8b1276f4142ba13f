//! What is left of a start after its end, for `dyno why` (S10.2): no config vars and no output.

use serde::{Deserialize, Serialize};

use super::{AppFacts, StartDescription, WhyResource};
use crate::supervisor::Snapshot;

/// A start that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    /// Its description.
    pub start: StartDescription,
    /// When it ended: milliseconds since the Unix epoch.
    pub ended_at_ms: i64,
    /// Its exit status, as a shell would report it.
    pub status: u8,
    /// Its dynos.
    pub dynos: Vec<WhyResource>,
}

impl LastRun {
    /// `snapshot`: the last one.
    #[must_use]
    pub fn new(app: &AppFacts, start: StartDescription, snapshot: &Snapshot, status: u8, at: jiff::Timestamp) -> Self {
        Self { start, ended_at_ms: at.as_millisecond(), status, dynos: app.why_all(snapshot) }
    }
}
