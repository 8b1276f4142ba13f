//! The rules one start was given. Passed in, never global.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::app::{DynoSpec, ProcessType};

/// What runs: the release command that gates the rest, then the formation in the order of the Procfile.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The release all of it belongs to.
    pub record: ReleaseRecord,
    /// `release.1`; must exit 0 before anything else starts (S8.1).
    pub release: Option<Arc<DynoSpec>>,
    /// The dynos in start order.
    pub formation: Vec<Arc<DynoSpec>>,
    /// Started only when `Supervisor` is told to, once; its end is no reason to stop anything.
    pub command: Option<Arc<DynoSpec>>,
}

/// What the log says about a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseRecord {
    /// Its number, from 1.
    pub version: u32,
    /// Who made it, such as the login name.
    pub user: String,
    /// What made it: `Deploy 60a874b3`. None: there is nothing to say, as where the code is no commit.
    pub description: Option<String>,
}

impl Default for ReleaseRecord {
    fn default() -> Self {
        Self { version: 1, user: "local".to_owned(), description: None }
    }
}

/// The rules of one start.
#[derive(Debug, Clone)]
pub struct Policy {
    /// What an unasked exit leads to.
    pub on_exit: OnExit,
    /// Process types that may end without that (S6.3).
    pub can_die: BTreeMap<ProcessType, CanDie>,
    /// Signal number that stops dynos of a type; SIGTERM for others (S6.6).
    pub stop_signals: BTreeMap<ProcessType, i32>,
    /// Which process types get it in all their processes at once (S6.6).
    pub stop_all: StopAll,
    /// Time between the stop signal and SIGKILL.
    pub grace: Duration,
    /// Process types that are up when they listen; others are up when exec succeeded (S6.2).
    pub ready: Vec<ProcessType>,
    /// R10: how long a ready type may take to listen (S6.5). None: no limit.
    pub boot_timeout: Option<Duration>,
    /// Whether a ready type that only this machine can reach is told so (S6.2).
    pub notes_loopback: bool,
    /// Whether an overrun grace is logged as R12 (S6.6).
    pub report_exit_timeout: bool,
    /// Whether the whole goes on when all dynos have ended as they may.
    pub outlives_formation: bool,
}

/// What the unasked exit of a formation dyno leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExit {
    /// Everything stops and its status is ours (S6.3).
    StopAll,
    /// It is restarted (S6.4).
    Restart(RestartPolicy),
}

/// When a crashed dyno may start again (S6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// Delay before the second restart in a row; the first comes at once. Doubles from there.
    pub base: Duration,
    /// Longest delay.
    pub cap: Duration,
    /// Shortest time up that clears the count.
    pub min_healthy: Duration,
    /// Restarts in a row before it stays crashed. None: unlimited.
    pub max_restarts: Option<u32>,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(60),
            min_healthy: Duration::from_secs(10),
            max_restarts: None,
        }
    }
}

/// Which ends of a dyno are no reason to stop everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CanDie {
    /// Exit code 0.
    Success,
    /// Any status.
    Any,
}

/// Process types whose processes all get the stop signal at once, instead of the leader first (S6.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopAll {
    /// These.
    Types(Vec<ProcessType>),
    /// Every type, as on the platform.
    EveryType,
}

impl Policy {
    /// Default time between SIGTERM and SIGKILL (foreman).
    pub const DEFAULT_GRACE: Duration = Duration::from_secs(5);
    /// Grace on the platform.
    pub const HEROKU_GRACE: Duration = Duration::from_secs(30);
    /// Boot timeout on the platform.
    pub const HEROKU_BOOT_TIMEOUT: Duration = Duration::from_secs(60);

    /// SIGTERM, for types without a signal of their own.
    const DEFAULT_STOP_SIGNAL: i32 = 15;

    /// When the stop signal goes to all that have not had it, so long after the stop: 1 s before the grace is over, or after
    /// half of a grace of 2 s or less (S6.6). None: there is no grace, and SIGKILL comes first.
    #[must_use]
    pub fn stop_rest_after(&self) -> Option<Duration> {
        const BEFORE_KILL: Duration = Duration::from_secs(1);
        let after = (self.grace / 2).max(self.grace.saturating_sub(BEFORE_KILL));
        (!after.is_zero()).then_some(after)
    }

    /// Whether all processes of this type get the stop signal at once.
    #[must_use]
    pub fn stops_everything(&self, process_type: &ProcessType) -> bool {
        match &self.stop_all {
            StopAll::Types(types) => types.contains(process_type),
            StopAll::EveryType => true,
        }
    }

    /// The number of the signal that stops dynos of a type (S6.6).
    #[must_use]
    pub fn stop_signal(&self, process_type: &ProcessType) -> i32 {
        self.stop_signals.get(process_type).copied().unwrap_or(Self::DEFAULT_STOP_SIGNAL)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            on_exit: OnExit::StopAll,
            can_die: BTreeMap::new(),
            stop_signals: BTreeMap::new(),
            stop_all: StopAll::Types(Vec::new()),
            grace: Self::DEFAULT_GRACE,
            ready: Vec::new(),
            boot_timeout: None,
            notes_loopback: false,
            report_exit_timeout: false,
            outlives_formation: false,
        }
    }
}
