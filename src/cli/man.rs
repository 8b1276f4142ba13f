//! Options of `dyno man`.

use clap::Args;

/// Options of `dyno man`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno man | man -l -              read it at once\n  dyno man start | man -l -        all options of `dyno start`\n  dyno man > dyno.1                keep it, in a man1 directory"
)]
pub struct ManArgs {
    /// The page of one command [default: that of `dyno`]
    #[arg(value_name = "COMMAND", hide_possible_values = true)]
    pub page: Option<String>,
}
