//! The plan and the rules of one start. Passed in, never global.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{DynoSpec, Io, ProcessType};
use crate::release::Blueprint;

/// What to run: the release command, then the formation in the order of the Procfile, then the command of a smoke test.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The release that is started, and the specifications of dynos that are added later.
    pub blueprint: Blueprint,
    /// `release.1`, which must exit with 0 before anything else starts (S8.1).
    pub release: Option<Arc<DynoSpec>>,
    /// The dynos in start order.
    pub formation: Vec<Arc<DynoSpec>>,
    /// The command of a smoke test, which starts it once all dynos have stayed up.
    pub command: Option<Arc<DynoSpec>>,
}

/// The rules of one start.
#[derive(Debug, Clone)]
pub struct Policy {
    /// What happens when a dyno exits by itself.
    pub on_exit: OnExit,
    /// Process types that may exit without triggering `on_exit` (S6.3).
    pub can_die: BTreeMap<ProcessType, CanDie>,
    /// Number of the stop signal for each type; SIGTERM for types that are not listed (S6.6).
    pub stop_signals: BTreeMap<ProcessType, i32>,
    /// The process types whose processes all get the stop signal at once (S6.6).
    pub stop_all: StopAll,
    /// Time between the stop signal and SIGKILL.
    pub grace: Duration,
    /// How long a dyno may take to answer its requests before a requested stop sends the stop signal (S16.3). None: it is
    /// sent at once, because no requests are known of.
    pub drain: Option<Duration>,
    /// How long a dyno may take to be up before it is killed (R10, S6.5). None: no limit.
    pub boot_timeout: Option<Duration>,
    /// Whether to warn about a ready type that listens on loopback addresses only.
    pub notes_loopback: bool,
    /// Whether the log says where web dynos listen (S6.11).
    pub shows_addresses: bool,
    /// The address of the app, if it has a router: then the line about `web.1` names it, and other web dynos have none.
    pub router_url: Option<String>,
    /// Whether to log R12 when a dyno does not end within the grace period (S6.6).
    pub report_exit_timeout: bool,
    /// When the supervisor finishes by itself.
    pub lifetime: Lifetime,
    /// How the log explains that one dyno stops the others (S6.3). None: it does not.
    pub stop_advice: Option<StopAdvice>,
    /// What the line about a dyno that needs the keyboard suggests (S6.8).
    pub focus_advice: FocusAdvice,
    /// The same for a dyno that has a terminal, which `dyno attach` may reach (S10.5).
    pub terminal_advice: FocusAdvice,
}

/// When the supervisor finishes although nothing has asked it to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// As soon as nothing runs and nothing is about to start.
    #[default]
    Formation,
    /// The same, but not while a dyno is missing because it was stopped or scaled away on request (S10.2).
    Detached,
    /// Never.
    Unlimited,
}

/// How the user can give a dyno the keyboard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FocusAdvice {
    /// With `dyno attach`, which needs no other start.
    Attach,
    /// By another command: the one that was typed has no `--focus`.
    #[default]
    Command,
    /// By adding `--focus` to the line that was typed.
    Option,
    /// Under the name of a tool that has no such option.
    None,
}

/// What the line about the dyno that stops the others may suggest to the user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StopAdvice {
    /// Ctrl-C: the user is at a terminal.
    pub keys: bool,
    /// `--can-die` and `--restart`: they are options of the command that was typed.
    pub options: bool,
}

/// What happens when a dyno of the formation exits by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExit {
    /// Everything stops, and `dyno` exits with its status (S6.3).
    StopAll,
    /// It is restarted (S6.4).
    Restart(RestartPolicy),
}

/// When a crashed dyno may start again (S6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// Delay before the second restart in a row; it doubles from there. The first restart is immediate.
    pub base: Duration,
    /// Longest delay.
    pub cap: Duration,
    /// Shortest uptime that resets the count of restarts.
    pub min_healthy: Duration,
    /// Restarts in a row before the dyno stays crashed. None: no limit.
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

/// The exit statuses with which a dyno may exit without stopping everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CanDie {
    /// Exit code 0.
    Success,
    /// Any status.
    Any,
}

/// The process types whose processes all get the stop signal at once, instead of the leader first (S6.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopAll {
    /// Only these types.
    Types(Vec<ProcessType>),
    /// Every type, like on the platform.
    EveryType,
}

impl Policy {
    /// Default time between the stop signal and SIGKILL, the same as in foreman.
    pub const DEFAULT_GRACE: Duration = Duration::from_secs(5);
    /// The grace period on the platform.
    pub const HEROKU_GRACE: Duration = Duration::from_secs(30);
    /// The boot timeout on the platform.
    pub const HEROKU_BOOT_TIMEOUT: Duration = Duration::from_secs(60);

    /// SIGTERM, for types without their own stop signal.
    const DEFAULT_STOP_SIGNAL: i32 = 15;

    /// How long after the first stop signal the remaining processes get it: 1 s less than the grace period, or half of
    /// a grace period of 2 s or less (S6.6). None: the grace period is zero, and there is only SIGKILL.
    #[must_use]
    pub fn stop_rest_after(grace: Duration) -> Option<Duration> {
        const BEFORE_KILL: Duration = Duration::from_secs(1);
        let after = (grace / 2).max(grace.saturating_sub(BEFORE_KILL));
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

    /// What to suggest for a dyno with these streams that needs the keyboard.
    #[must_use]
    pub fn keyboard_advice(&self, io: Io) -> FocusAdvice {
        match io {
            Io::Pty(_) => self.terminal_advice,
            Io::Pipe | Io::Inherit => self.focus_advice,
        }
    }

    /// The number of the stop signal for dynos of this type (S6.6).
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
            drain: None,
            boot_timeout: None,
            notes_loopback: false,
            shows_addresses: false,
            router_url: None,
            report_exit_timeout: false,
            lifetime: Lifetime::default(),
            stop_advice: None,
            focus_advice: FocusAdvice::default(),
            terminal_advice: FocusAdvice::default(),
        }
    }
}
