//! What can be asked of a running formation, and the answers. Every request gets exactly one reply.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Deploy, Quantity, ReleaseStatus};
use crate::app::{AppendError, Scale};
use crate::model::{DynoName, DynoSpec, ProcessType};
use crate::release::OneOff;

/// The number of a request, unique within one start. Its reply carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Something that a front end asks the supervisor to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Changes the quantities of these process types; all of them or none. Each type occurs once.
    Scale(Vec<(ProcessType, Scale)>),
    /// Replaces dynos, which is not counted as a crash. Also starts dynos that were stopped or have crashed.
    ///
    /// The time is the grace between the stop signal and SIGKILL. None: that of the policy.
    Restart(Target, Option<Duration>),
    /// Stops dynos until they are restarted or scaled, with this grace. [`Target::All`] stops the whole start.
    Stop(Target, Option<Duration>),
    /// Starts the one-off dyno with this specification. Its end never stops anything else.
    Run(Arc<DynoSpec>),
    /// Starts the one-off dyno `run.N`. Its end never stops anything else.
    RunOneOff {
        /// The number to give it, 1000..=9999. If it is taken, the next free one is used.
        number: u32,
        /// What to run.
        one_off: OneOff,
    },
    /// Replaces the current release with this one, once its release command has succeeded.
    Deploy(Box<Deploy>),
    /// Runs an earlier release again, as a new one (S15.2).
    Rollback {
        /// Its number.
        version: u32,
        /// Process types of which no dyno is added, because another start of the app runs them.
        elsewhere: Vec<ProcessType>,
    },
    /// Replace the dynos of this process type, because files that it uses have changed (S14.3). A dyno that was stopped on
    /// request or has ended as allowed stays down.
    Refresh {
        /// The process type.
        process_type: ProcessType,
        /// The first file that has changed.
        first: String,
        /// How many others have changed.
        more: usize,
    },
    /// Stops everything and then ends, like `Stop`, but without a line that says who asked for it.
    Shutdown {
        /// The dyno after whose last output this is announced.
        after: Option<DynoName>,
    },
}

/// The dynos that a command is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// All dynos of the formation.
    All,
    /// All dynos of one process type.
    Type(ProcessType),
    /// One dyno, which may be a one-off dyno.
    Dyno(DynoName),
}

impl Target {
    /// Whether a dyno of the formation is one of them.
    #[must_use]
    pub fn includes(&self, dyno: &DynoName) -> bool {
        match self {
            Self::All => true,
            Self::Type(process_type) => dyno.process_type == *process_type,
            Self::Dyno(name) => dyno == name,
        }
    }
}

/// The answer to a command that was accepted. It does not wait for the result: that is visible in the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The formation after [`Command::Scale`].
    Scaled(Vec<Quantity>),
    /// The dynos that are replaced or started, in start order.
    Restarting(Vec<Restarted>),
    /// The dynos that are stopped, in start order; empty if none of them was running or about to start.
    Stopping(Vec<DynoName>),
    /// The one-off dyno that is started.
    Started(DynoName),
    /// The release that was accepted. [`Snapshot::releases`](super::Snapshot::releases) shows how it turns out.
    Deploying {
        /// Its number.
        version: u32,
        /// What is different: `.env: + API_KEY`.
        difference: String,
    },
    /// The release has the same commands and config vars as the last one, so there is no new one.
    Unchanged,
}

/// A dyno that is replaced or started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restarted {
    /// Its name.
    pub dyno: DynoName,
    /// The number of its last run. [`Row::run`](super::Row::run) of the new one is higher.
    pub run: u64,
}

/// Why a command was refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no process type of this name. `known`: the process types in the formation.
    UnknownType {
        /// The name.
        name: ProcessType,
        /// The types that exist.
        known: Vec<ProcessType>,
    },
    /// There is no dyno of this name.
    UnknownDyno {
        /// The name.
        name: DynoName,
        /// The dynos that exist.
        known: Vec<DynoName>,
    },
    /// The quantity would be over the limit, or there are too many one-off dynos.
    TooMany {
        /// The process type.
        process_type: ProcessType,
    },
    /// A new dyno cannot be described, for example because its port would be over 65535.
    Impossible {
        /// The dyno.
        dyno: DynoName,
        /// Why.
        why: String,
    },
    /// The words after a process type would not be arguments of its command.
    Arguments {
        /// The process type.
        process_type: ProcessType,
        /// Why.
        error: AppendError,
    },
    /// The system would not let a new dyno run at this moment, for example because its port is in use.
    Blocked {
        /// The dyno.
        dyno: DynoName,
        /// Why.
        why: String,
    },
    /// A one-off dyno runs once and cannot be restarted.
    RunsOnce {
        /// The dyno.
        dyno: DynoName,
    },
    /// There is no release of this number, or it is no longer stored.
    UnknownRelease {
        /// The number.
        version: u32,
        /// The numbers of the remembered releases, in order.
        known: Vec<u32>,
    },
    /// The formation has never run on this release, so there is no way back to it.
    NeverRan {
        /// Its number.
        version: u32,
        /// How it has turned out.
        status: ReleaseStatus,
    },
    /// Everything is being stopped.
    ShuttingDown,
    /// The release phase has not ended yet.
    ReleasePhase,
    /// A smoke test runs: only the test itself changes what runs.
    Smoke,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.pad("all dynos"),
            Self::Type(process_type) => write!(f, "{process_type}"),
            Self::Dyno(dyno) => write!(f, "{dyno}"),
        }
    }
}
