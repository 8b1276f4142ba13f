//! Options of the commands that only read: `check` and `config`.

use std::ffi::OsString;

use clap::Args;

use super::help::{OUTPUT, PORTS_AND_VARIABLES};
use super::{Offers, ProjectArgs, VariableArgs};

/// Options of `dyno check`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno check                     what is wrong, with file and line\n  dyno check -f Procfile.dev     of another Procfile\n  dyno check --json              the same for a program"
)]
pub struct CheckArgs {
    /// Which files make the app.
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Print what was found as one JSON object
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
    /// Fail too where a strict reader of .env differs
    ///
    /// Other notes stay notes.
    #[arg(long)]
    pub strict: bool,
}

/// Options of `dyno config`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno config                            KEY=VALUE, a line each\n  dyno config -e .env,.env.local         of these files, later ones win\n  dyno config --explain DATABASE_URL     which file and line gave the value"
)]
pub struct ConfigArgs {
    /// Which files make the app.
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Variables beside those of the files.
    #[command(flatten)]
    pub variables: VariableArgs,
    /// Print one JSON object
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
    /// Show where a value comes from, and what it shadows
    ///
    /// `PORT`: where the ports of the dynos begin, and which each of them gets.
    #[arg(long, value_name = "KEY", conflicts_with = "json", add = Offers::Keys)]
    pub explain: Option<String>,
    /// Base port for `--explain PORT`, as for `dyno start`
    #[arg(short, long, value_name = "PORT", requires = "explain", help_heading = PORTS_AND_VARIABLES)]
    pub port: Option<String>,
    /// `dyno config KEY`, which is answered with what to type instead.
    #[arg(value_name = "KEY", hide = true)]
    pub keys: Vec<OsString>,
}
