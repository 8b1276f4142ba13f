//! Options of `check`, which only reads.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::help::OUTPUT;
use super::{OrderArgs, ProjectArgs};
use crate::export::MoveTarget;

/// Options of `dyno check`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno check                     list problems with file and line\n  dyno check -f Procfile.dev     check another Procfile\n  dyno check --json              the same, as JSON\n  dyno check --for heroku        also what will differ on Heroku"
)]
pub struct CheckArgs {
    /// The files of the app.
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Which types start after others.
    #[command(flatten)]
    pub order: OrderArgs,
    /// Also report what will differ on heroku, dokku, kubernetes, compose, systemd or cnb
    ///
    /// `cnb` is an image that a Cloud Native Buildpack builds. What surely breaks fails the check; with `--strict`,
    /// everything does.
    #[arg(long = "for", value_name = "ENGINE", value_parser = target(), hide_possible_values = true)]
    pub target: Option<MoveTarget>,
    /// Print the result as one JSON object
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
    /// Also fail if a strict .env reader would disagree
    ///
    /// The same with required config vars of app.json that are not set, and with the notes of `--for`. Other notes do not
    /// fail the check.
    #[arg(long)]
    pub strict: bool,
}

/// The names of all targets.
fn target() -> impl TypedValueParser<Value = MoveTarget> {
    PossibleValuesParser::new(MoveTarget::ALL.map(MoveTarget::name))
        .map(|name| MoveTarget::of_name(&name).unwrap_or(MoveTarget::Heroku))
}
