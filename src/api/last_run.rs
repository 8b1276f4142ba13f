//! What is left of a start after its end, for `dyno why` (S10.2): no config vars and no output.

use serde::{Deserialize, Serialize};

use super::{AppFacts, DynoResource, StartDescription, WhyResource};
use crate::supervisor::Snapshot;

/// The status of a process that SIGKILL has ended, as a shell would report it.
const KILLED: u8 = 137;

/// A start that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    /// Its description.
    pub start: StartDescription,
    /// When it ended: milliseconds since the Unix epoch.
    pub ended_at_ms: i64,
    /// Its exit status, as a shell would report it.
    pub status: u8,
    /// Why it was stopped. None: its dynos explain it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its dynos. If it was killed, only one dyno of each process type is listed, and nothing is known but its name.
    pub dynos: Vec<WhyResource>,
    /// Whether it was killed, so that it could not leave a summary itself. It then ended at an unknown time before
    /// `ended_at_ms`.
    #[serde(default)]
    pub killed: bool,
}

impl LastRun {
    /// `snapshot`: the last one.
    #[must_use]
    pub fn new(app: &AppFacts, start: StartDescription, snapshot: &Snapshot, status: u8, at: jiff::Timestamp) -> Self {
        Self {
            start,
            ended_at_ms: at.as_millisecond(),
            status,
            reason: None,
            dynos: app.why_all(snapshot),
            killed: false,
        }
    }

    /// The summary of a start that was found to be killed.
    #[must_use]
    pub fn of_killed(start: StartDescription, found_at: jiff::Timestamp) -> Self {
        let dyno = |name: &String| DynoResource {
            name: name.clone(),
            process_type: name.clone(),
            state: "down".to_owned(),
            ..DynoResource::default()
        };
        let dynos = start.types.iter().map(|name| WhyResource { dyno: dyno(name), ..WhyResource::default() }).collect();
        Self { start, ended_at_ms: found_at.as_millisecond(), status: KILLED, reason: None, dynos, killed: true }
    }

    /// The process id of the start, if it was killed.
    #[must_use]
    pub fn killed_pid(&self) -> Option<i32> {
        self.killed.then_some(self.start.pid)
    }
}
