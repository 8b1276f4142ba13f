//! Options of `config`, and of the commands that print or change single config vars.

use std::ffi::OsString;

use clap::Args;

use super::help::{OUTPUT, PORTS_AND_VARIABLES};
use super::start::name;
use super::{Offers, ProjectArgs, VariableArgs};

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

/// Options of `dyno config:get`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno config:get DATABASE_URL     its value, as the dynos get it\n  dyno config:get A B              one value per line\n  dyno config --explain A          which file and line set it"
)]
pub struct ConfigGetArgs {
    /// The config vars to print
    #[arg(value_name = "KEY", required = true, add = Offers::Keys)]
    pub keys: Vec<String>,
    /// The files of the app.
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Variables from the command line.
    #[command(flatten)]
    pub variables: VariableArgs,
    /// Print one JSON object
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}

/// Options of `dyno config:set`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno config:set LEVEL=debug A='b c'          change .env, restart the app\n  dyno config:set --stdin API_KEY < key.txt    keep the value out of the history"
)]
pub struct ConfigSetArgs {
    /// The config vars and their new values
    #[arg(value_name = "KEY=VALUE", required_unless_present = "stdin", add = Offers::NewValues)]
    pub settings: Vec<OsString>,
    /// Read the value of this config var from stdin
    ///
    /// Reads to the end of the file, and drops one newline there.
    #[arg(long, value_name = "KEY", add = Offers::Keys)]
    pub stdin: Option<String>,
    /// The files of the app.
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Print the result as JSON
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}

/// Options of `dyno config:unset`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno config:unset API_KEY     remove its line from .env\n  dyno config:unset A B         several at once"
)]
pub struct ConfigUnsetArgs {
    /// The config vars to remove
    #[arg(value_name = "KEY", required = true, add = Offers::Keys)]
    pub keys: Vec<String>,
    /// The files of the app.
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Print the result as JSON
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}
