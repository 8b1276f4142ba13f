//! The only code besides the guardian that touches the system: turns the world into events and effects into calls.
//!
//! Decides nothing: [`crate::supervisor::Supervisor`] does. One loop waits for signals, the guardian's reports, the log hub and the next
//! deadline; each becomes an event, and what the supervisor orders is performed at once. Called by `commands`.

mod delivery;
mod effects;
mod ending;
mod focus;
mod focused;
mod http_probe;
mod ipv6_only;
mod last_words;
mod listening;
mod log_files;
mod log_hub;
mod outlet;
mod output;
mod patience;
mod ports;
mod run_loop;
mod runtime_directory;
mod signals;
mod streams;
mod tails;
mod terminal;

use tokio::task::LocalSet;

use crate::guardian::Guardian;
use crate::logs::{Formatter, Source};
use crate::supervisor::{NoticeStyle, Plan, Policy, SmokePhase, SmokeRules};

pub use ending::Ending;
pub use last_words::{write_last_words, write_result};
pub use log_files::{LogFileError, LogFiles};
pub use ports::{BindMode, PortHolder, first_ephemeral_port, is_port_free, port_holder};
pub use runtime_directory::{PortLocks, RuntimeDirectory, RuntimeDirectoryError};
pub use signals::{block_all, die_by, number as signal_number, unblock_all};
pub use tails::Tails;
pub use terminal::own_terminal_size;

use run_loop::Runtime;

/// Whose lines are taken but not shown.
pub type Quiet = Box<dyn Fn(&Source) -> bool + Send>;

/// All that a start needs besides the guardian.
pub struct Start {
    /// What runs.
    pub plan: Plan,
    /// By which rules.
    pub policy: Policy,
    /// In whose words our own lines are.
    pub notices: NoticeStyle,
    /// How lines look.
    pub formatter: Formatter,
    /// Whose lines are not shown.
    pub quiet: Quiet,
    /// Files that all lines go to besides.
    pub files: Option<LogFiles>,
    /// Whether dynos without a terminal read `/dev/null` instead of a pipe that never ends.
    pub null_stdin: bool,
    /// Columns of the terminal that the prefix takes away from a dyno's own.
    pub prefix_columns: u16,
    /// What makes a smoke of it; then the log goes to stderr, since stdout belongs to the command.
    pub smoke: Option<SmokeStart>,
}

/// What a smoke needs besides.
pub struct SmokeStart {
    /// By which rules.
    pub rules: SmokeRules,
    /// Where the last lines of each dyno are kept.
    pub tails: Tails,
    /// What is written into the log, on lines of its own, when a phase begins.
    pub phase_mark: Option<PhaseMark>,
}

/// What is written when a phase begins: whole lines.
pub type PhaseMark = Box<dyn FnMut(SmokePhase) -> String>;

/// Runs a formation to its end.
///
/// # Errors
/// The system refused something `dyno` itself cannot be without: a thread, a socket, the event queue.
pub fn run(start: Start, guardian: Guardian) -> std::io::Result<Ending> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let local = LocalSet::new();
    local.block_on(&tokio, async {
        let mut runtime = Runtime::new(start, guardian)?;
        let finished = runtime.until_finished().await;
        Ok(runtime.end(finished).await)
    })
}
