//! The tool's own log lines, as values. `Display` is the text of the default log format.

use std::fmt;
use std::time::Duration;

use crate::app::{DynoName, ExitStatus, RunId};

use super::{SpawnFailure, UserSignal};

/// One line of our own in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The run it is about; it is shown after all that run had written. None: about the whole formation.
    pub about: Option<(DynoName, RunId)>,
    /// What it says.
    pub kind: NoticeKind,
}

/// What a notice says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeKind {
    /// A run is about to start; the command line as written. Shown in the heroku format only.
    Starting {
        /// Command line as in the Procfile, unexpanded.
        command_line: String,
    },
    /// A run was started.
    Started {
        /// Its process id.
        pid: i32,
    },
    /// A run is up: it listens on its port, or its exec succeeded. Shown in the heroku format only.
    Up,
    /// A run could not be started.
    SpawnFailed(SpawnFailure),
    /// The leader ended.
    Exited(ExitStatus),
    /// Exit 127 of a shell line: what it could not find stands in the line above (S1.6).
    CommandNotFound,
    /// A crashed dyno starts again after this delay (zero: at once).
    Restarting {
        /// The delay.
        after: Duration,
    },
    /// It crashed too often and stays down.
    GaveUp {
        /// Restarts in a row so far.
        restarts: u32,
    },
    /// R10: it did not listen in time and is killed.
    BootTimeout {
        /// The limit.
        after: Duration,
    },
    /// R12: it did not end within the grace and is killed.
    ExitTimeout {
        /// The grace.
        after: Duration,
    },
    /// A process stays although it was killed.
    Unkillable {
        /// `pid (command)`.
        survivor: String,
    },
    /// The release command failed; nothing was started.
    ReleaseFailed(ExitStatus),
    /// A signal asked for the end.
    StopRequested(UserSignal),
    /// The stop signal goes to all.
    Stopping {
        /// Number of the signal, usually SIGTERM.
        signal: i32,
    },
    /// SIGKILL goes to all that is left.
    Killing,
    /// The guardian does not answer.
    GuardianWedged,
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = f;
        Ok(())
    }
}
