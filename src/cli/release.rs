//! Options of `dyno release`.

use clap::Args;

use super::help::{LIFE, OUTPUT};
use super::start::{PtyMode, Seconds};
use super::{LogArgs, ProjectArgs, VariableArgs};

/// Options of `dyno release`: those of `start` that affect the release command.
#[derive(Debug, PartialEq, Args)]
#[command(
    after_help = "Examples:\n  dyno release                     run the release command of ./Procfile\n  dyno release -e .env.staging     use other config vars"
)]
pub struct ReleaseArgs {
    /// The files of the app.
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Variables from the command line.
    #[command(flatten)]
    pub variables: VariableArgs,
    /// Behave like the platform
    ///
    /// 30 s grace period, profile, its log format: each is also a separate option.
    #[arg(long, help_heading = LIFE)]
    pub heroku: bool,
    /// Source .profile.d/*.sh and .profile in bash first
    #[arg(long, help_heading = LIFE)]
    pub profile: bool,
    /// Seconds until SIGKILL [default: 5]
    ///
    /// Counted from the stop signal. The default with --heroku is 30.
    #[arg(short = 't', long, value_name = "SECONDS", allow_negative_numbers = true, help_heading = LIFE)]
    pub timeout: Option<Seconds>,
    /// When to give the command a terminal
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = PtyMode::Auto, help_heading = OUTPUT, hide_short_help = true)]
    pub pty: PtyMode,
    /// How the log looks and where it goes.
    #[command(flatten)]
    pub log: LogArgs,
}
