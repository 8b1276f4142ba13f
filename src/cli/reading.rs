//! Options of the commands that only read: `check` and `config`.

use std::ffi::OsString;

use clap::Args;

use super::help::{OUTPUT, PORTS_AND_VARIABLES};
use super::start::name;
use super::{Offers, OrderArgs, ProjectArgs, VariableArgs};

/// Options of `dyno check`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno check                     list problems with file and line\n  dyno check -f Procfile.dev     check another Procfile\n  dyno check --json              the same, as JSON"
)]
pub struct CheckArgs {
    /// The files of the app.
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Which types start after others.
    #[command(flatten)]
    pub order: OrderArgs,
    /// Print the result as one JSON object
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
    /// Also fail if a strict .env reader would disagree
    ///
    /// Other notes do not fail the check.
    #[arg(long)]
    pub strict: bool,
}

/// Options of `dyno config`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno config                            KEY=VALUE, one per line\n  dyno config -e .env,.env.local         from these files, later ones win\n  dyno config --explain DATABASE_URL     which file and line set it"
)]
pub struct ConfigArgs {
    /// The files of the app.
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Variables from the command line.
    #[command(flatten)]
    pub variables: VariableArgs,
    /// Print one JSON object
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
    /// Show where a value comes from and what it overrides
    ///
    /// For `PORT`: where the base port comes from, and the port of each dyno.
    #[arg(long, value_name = "KEY", conflicts_with = "json", add = Offers::Keys)]
    pub explain: Option<String>,
    /// Base port for `--explain PORT`, as in `dyno start`
    #[arg(short, long, value_name = "PORT", allow_negative_numbers = true, requires = "explain", help_heading = PORTS_AND_VARIABLES)]
    pub port: Option<String>,
    /// With `--explain PORT`: the ports of a start with `--fixed-ports`
    #[arg(long, requires = "explain", help_heading = PORTS_AND_VARIABLES, hide_short_help = true)]
    pub fixed_ports: bool,
    /// With `--explain PORT`: the ports of a start with this `--name`
    #[arg(long, value_name = "NAME", value_parser = name, requires = "explain", help_heading = PORTS_AND_VARIABLES, hide_short_help = true)]
    pub name: Option<String>,
    /// `dyno config KEY`: the error says what to type instead.
    #[arg(value_name = "KEY", hide = true)]
    pub keys: Vec<OsString>,
}
