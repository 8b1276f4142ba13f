//! Options of `dyno man`.

use clap::Args;

/// Options of `dyno man`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno man | man -l -              read it now\n  dyno man start | man -l -        all options of `dyno start`\n  dyno man > dyno.1                save it, for a man1 directory"
)]
pub struct ManArgs {
    /// Command whose page to print [default: dyno itself]
    #[arg(value_name = "COMMAND", hide_possible_values = true)]
    pub page: Option<String>,
}
