//! Options that mean the same in several commands.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::Offers;
use super::help::{LIFE, OUTPUT, PORTS_AND_VARIABLES, WHAT_RUNS};

/// What runs (S4).
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct FormationArgs {
    /// Process types to run, such as `worker=2` [default: all]
    #[arg(value_name = "TYPE[=N]", add = Offers::ProcessTypes)]
    pub types: Vec<String>,
    /// Same as naming process types as arguments
    #[arg(short = 'l', long, value_name = "TYPE,…", help_heading = WHAT_RUNS, hide_short_help = true, add = Offers::ProcessTypes)]
    pub processes: Vec<String>,
    /// Set the whole formation; other types get 0
    ///
    /// `all=1` sets the quantity of types that are not named.
    #[arg(short = 'm', long, value_name = "all=1,web=2", help_heading = WHAT_RUNS, add = Offers::WholeFormation)]
    pub formation: Option<String>,
    /// Change single quantities; other types run once
    #[arg(short = 'c', long, value_name = "web=2", conflicts_with = "formation", help_heading = WHAT_RUNS, hide_short_help = true, add = Offers::Quantities)]
    pub concurrency: Option<String>,
    /// Leave process types out
    #[arg(short = 'x', long, value_name = "TYPE,…", value_delimiter = ',', help_heading = WHAT_RUNS, add = Offers::ProcessTypes)]
    pub except: Vec<String>,
}

/// Which process types start after others (S6.12).
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct OrderArgs {
    /// Start a type only once others are listening: `worker=web,clock=web+db`
    ///
    /// `db:5433`: once it listens on that port; `setup:done`: once it has exited with 0; `db:started`: once it runs. The
    /// order applies when the app starts and when a type is scaled up from 0, but not when a dyno restarts.
    #[arg(long, value_name = "TYPE=TYPE,…", value_delimiter = ',', help_heading = LIFE, hide_short_help = true, add = Offers::StartOrder)]
    pub after: Vec<String>,
}

/// Which process types restart when files change (S14.3).
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct WatchArgs {
    /// Restart a type when files change: `web=src,config/*.yml`
    ///
    /// Files and directories of the app, or patterns as in .gitignore; a type alone means all files. Files that
    /// .gitignore, .ignore or .dynoignore excludes are not watched. May be given several times.
    #[arg(long, value_name = "TYPE[=PATH,…]", help_heading = LIFE, hide_short_help = true, add = Offers::ProcessTypes)]
    pub watch: Vec<String>,
    /// Milliseconds without a change before `--watch` restarts [default: 200]
    #[arg(long, value_name = "MS", help_heading = LIFE, hide_short_help = true)]
    pub watch_delay: Option<u16>,
}

/// Variables from the command line (S3.1).
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct VariableArgs {
    /// Set a config var; overrides all files
    #[arg(long, value_name = "KEY=VALUE", help_heading = PORTS_AND_VARIABLES, add = Offers::NewValues)]
    pub set: Vec<String>,
    /// Let variables in the shell override the files
    #[arg(long, help_heading = PORTS_AND_VARIABLES, hide_short_help = true)]
    pub prefer_shell: bool,
}

/// How the log looks and where it goes (S7).
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct LogArgs {
    /// When to colour the prefixes
    ///
    /// `auto`: on a terminal (in `start`), or if a variable such as `FORCE_COLOR` is set.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = clap::ColorChoice::Auto, help_heading = OUTPUT, hide_short_help = true)]
    pub color: clap::ColorChoice,
    /// Format of the log: text, heroku or json [default: text; with --heroku: heroku]
    #[arg(long, value_name = "FORMAT", value_enum, hide_possible_values = true, help_heading = OUTPUT, hide_short_help = true)]
    pub log_format: Option<LogFormatName>,
    /// Leave out the time of day
    #[arg(long, alias = "no-timestamp", help_heading = OUTPUT, hide_short_help = true)]
    pub no_timestamps: bool,
    /// Show the time of day whatever `.foreman` says (foreman's `--timestamp`).
    #[arg(skip)]
    pub timestamps: bool,
    /// Leave out time and name; the files of --log-dir keep them
    #[arg(long, help_heading = OUTPUT, hide_short_help = true)]
    pub no_prefix: bool,
    /// Also append all lines to files in this directory: one for each dyno, and all.log
    #[arg(long, value_name = "DIR", help_heading = OUTPUT, hide_short_help = true, value_hint = ValueHint::DirPath)]
    pub log_dir: Option<PathBuf>,
}

/// How a log line is written (S7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormatName {
    /// `10:00:00 web.1    | text`.
    Text,
    /// The platform's format and wording, in UTC with microseconds.
    Heroku,
    /// One JSON object per line.
    Json,
}
