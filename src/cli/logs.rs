//! Options of `dyno logs` (S10.4).

use clap::{Args, ColorChoice, ValueEnum};

use super::help::OUTPUT;
use super::{DynoArgs, RunningArgs};

/// Options of `dyno logs`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno logs -t                     the last lines, then new ones until Ctrl-C\n  dyno logs web.1 -n 1000          more lines of one dyno\n  dyno logs -t --grep 'GET|POST'   only lines with a match\n  dyno logs --since 5m -s dyno     what started and ended lately"
)]
pub struct LogsArgs {
    /// Whose lines.
    #[command(flatten)]
    pub dynos: DynoArgs,
    /// Go on with new lines until Ctrl-C
    #[arg(short = 't', long, short_alias = 'f', alias = "follow")]
    pub tail: bool,
    /// Number of lines [default: 100; all with --since]
    #[arg(short = 'n', long = "num", alias = "lines", value_name = "LINES")]
    pub lines: Option<u64>,
    /// Only lines of the last 5m, 2h or 1d; or since a time
    ///
    /// A time is written as `2026-11-23T05:00:00Z`.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only lines that match a regular expression
    #[arg(long, value_name = "REGEX")]
    pub grep: Option<String>,
    /// Only app (output of dynos) or dyno (notices)
    ///
    /// `heroku` is the same as `dyno`.
    #[arg(short = 's', long, value_name = "SOURCE", value_enum, hide_possible_values = true)]
    pub source: Option<LogSourceName>,
    /// When to colour the prefixes
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = ColorChoice::Auto, help_heading = OUTPUT, hide_short_help = true)]
    pub color: ColorChoice,
    /// Which app, and how.
    #[command(flatten)]
    pub running: RunningArgs,
}

/// Whose lines are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogSourceName {
    /// The output of dynos.
    App,
    /// What `dyno` itself reports.
    #[value(alias = "heroku", alias = "system")]
    Dyno,
}
