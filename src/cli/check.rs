//! Options of `check`, which only reads.

use clap::Args;

use super::help::OUTPUT;
use super::{OrderArgs, ProjectArgs};

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
    /// The same with required config vars of app.json that are not set. Other notes do not fail the check.
    #[arg(long)]
    pub strict: bool,
}
