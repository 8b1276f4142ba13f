//! Options of the commands for an app that runs (S10.2).

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::help::OUTPUT;
use super::start::Seconds;
use super::{Offers, ProjectArgs};

/// The longest wait in seconds: a day.
const MAX_WAIT: u64 = 86_400;
/// How long `dyno wait` waits, in seconds.
const DEFAULT_WAIT: u64 = 60;

/// Which app is meant, and how results are printed. Unlike in other commands, `-d` and `-p` name dynos (S13.5).
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct RunningArgs {
    /// Root of the app [default: the app that runs here]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, hide_short_help = true)]
    pub root: Option<PathBuf>,
    /// Only apps started with this Procfile
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub procfile: Option<PathBuf>,
    /// Which of the starts.
    #[command(flatten)]
    pub which: WhichArgs,
    /// Print JSON, and errors as JSON on stderr
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}

/// Which of the running apps is meant (S10.2).
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct WhichArgs {
    /// The app with this name, from any directory
    #[arg(short, long, value_name = "NAME", hide_short_help = true, add = Offers::RunningApps)]
    pub app: Option<String>,
    /// Only the start with this `--name`
    #[arg(long, value_name = "NAME", hide_short_help = true, add = Offers::RunningNames)]
    pub name: Option<String>,
    /// Only the `dyno` with this process id, from any directory
    #[arg(long = "run", value_name = "PID", value_parser = process_id, hide_short_help = true, add = Offers::RunningPids)]
    pub pid: Option<i32>,
}

impl RunningArgs {
    /// The files that are named.
    #[must_use]
    pub fn project(&self) -> ProjectArgs {
        ProjectArgs { procfile: self.procfile.clone(), root: self.root.clone(), ..ProjectArgs::default() }
    }
}

/// The limit of a wait.
pub(super) fn limit_of_wait(text: &str) -> Result<u64, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds <= MAX_WAIT);
    seconds.ok_or_else(|| format!("a whole number of seconds from 0 to {MAX_WAIT}"))
}

/// A process id.
fn process_id(text: &str) -> Result<i32, String> {
    text.parse().ok().filter(|pid| *pid > 0).ok_or_else(|| "the process id of a `dyno start`, such as 4711".to_owned())
}

/// The dynos that `restart` and `stop` are about.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[group(id = "named", multiple = true)]
pub struct DynoArgs {
    /// Dynos or process types [default: all]
    #[arg(value_name = "DYNO|TYPE", add = Offers::RunningDynos)]
    pub names: Vec<String>,
    /// Same as naming a dyno as an argument
    #[arg(short = 'd', long = "dyno-name", value_name = "DYNO", hide_short_help = true, add = Offers::RunningDynos)]
    pub dynos: Vec<String>,
    /// Same as naming a process type as an argument
    #[arg(short = 'p', long = "process-type", value_name = "TYPE", hide_short_help = true, add = Offers::RunningTypes)]
    pub types: Vec<String>,
}

impl DynoArgs {
    /// All names: first the arguments, then those after `-d`, then those after `-p`.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.names.iter().chain(&self.dynos).chain(&self.types).map(String::as_str)
    }
}

/// Whether and how long to wait for the dynos.
#[derive(Debug, Clone, Copy, Default, PartialEq, Args)]
pub struct WaitArgs {
    /// Wait until the dynos are up [default: 60 seconds]
    #[arg(
        long = "wait",
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "60",
        value_parser = limit_of_wait
    )]
    pub seconds: Option<u64>,
}

/// Options of `dyno ps`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno ps              all dynos of the app that runs here\n  dyno ps web          only the dynos of one process type\n  dyno ps --json       the same, as JSON"
)]
pub struct PsArgs {
    /// Dynos or process types [default: all]
    #[arg(value_name = "DYNO|TYPE", add = Offers::RunningDynos)]
    pub names: Vec<String>,
    /// Which app, and how.
    #[command(flatten)]
    pub running: RunningArgs,
    /// Accepted for users of the platform's tool; all columns are always shown.
    #[arg(short = 'x', long, hide = true)]
    pub extended: bool,
}

/// Options of `dyno ls`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno ls                 all running apps, in any directory\n  dyno stop --app shop    stop one of them, from any directory"
)]
pub struct LsArgs {
    /// Print JSON, and errors as JSON on stderr
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}

/// Options of `dyno scale`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno scale web=3              set the quantity\n  dyno scale web+1 worker-1     change quantities\n  dyno scale                    show the formation"
)]
pub struct ScaleArgs {
    /// New quantities; without any, the formation is shown
    #[arg(value_name = "TYPE=N|TYPE+N|TYPE-N", add = Offers::RunningQuantities)]
    pub changes: Vec<String>,
    /// Whether to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// Which app, and how.
    #[command(flatten)]
    pub running: RunningArgs,
}

/// Options of `dyno wait`.
#[derive(Debug, Default, Args)]
#[command(
    override_usage = "dyno wait [OPTIONS] [DYNO|TYPE[:PORT]…] [-- COMMAND [WORD…]]",
    after_help = "Examples:\n  dyno wait web                    until web is up\n  dyno wait --exit run.4711        until it has ended; its status\n  dyno wait db:5433 -- bin/server  in a Procfile: start after db"
)]
pub struct WaitForArgs {
    /// What to wait for.
    #[command(flatten)]
    pub dynos: DynoArgs,
    /// Until they have ended; the status is the first that is not 0
    #[arg(long, requires = "named", conflicts_with = "listening")]
    pub exit: bool,
    /// Until they listen on any TCP port; `db:5433`: on that one
    #[arg(long, requires = "named")]
    pub listening: bool,
    /// Seconds to wait
    #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_WAIT, hide_default_value = true, help = format!("Seconds to wait [default: {DEFAULT_WAIT}]"), value_parser = limit_of_wait)]
    pub timeout: u64,
    /// Command to become after the wait
    #[arg(value_name = "COMMAND", last = true, add = Offers::CommandWords)]
    pub command: Vec<OsString>,
    /// Which app, and how.
    #[command(flatten)]
    pub running: RunningArgs,
}

/// Options of `dyno why`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno why web.1       why it is, or is not, running\n  dyno why web         the same for all dynos of a process type\n\nIt also works after the app has ended."
)]
pub struct WhyArgs {
    /// Which dynos.
    #[command(flatten)]
    pub dynos: DynoArgs,
    /// Which app, and how.
    #[command(flatten)]
    pub running: RunningArgs,
}

/// Options of `dyno restart`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno restart web.1            one dyno\n  dyno restart web --wait       all dynos of a process type, until they are up\n  dyno restart                  all dynos"
)]
pub struct RestartArgs {
    /// What to restart.
    #[command(flatten)]
    pub dynos: DynoArgs,
    /// Seconds until SIGKILL [default: that of `dyno start`]
    #[arg(short = 't', long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub timeout: Option<Seconds>,
    /// Whether to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// Which app, and how.
    #[command(flatten)]
    pub running: RunningArgs,
}

/// Options of `dyno reload`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno reload            after a change to the Procfile or .env\n  dyno reload --json     the same, as JSON"
)]
pub struct ReloadArgs {
    /// Which app, and how.
    #[command(flatten)]
    pub running: RunningArgs,
}

/// Options of `dyno stop`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno stop worker.1     one dyno; `dyno restart worker.1` starts it again\n  dyno stop worker       all dynos of a process type\n  dyno stop              the whole app"
)]
pub struct StopArgs {
    /// What to stop.
    #[command(flatten)]
    pub dynos: DynoArgs,
    /// Seconds until SIGKILL [default: that of `dyno start`]
    #[arg(short = 't', long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub timeout: Option<Seconds>,
    /// Which app, and how.
    #[command(flatten)]
    pub running: RunningArgs,
}
