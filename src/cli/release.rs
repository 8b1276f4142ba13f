//! Options of `dyno release`.

use clap::Args;

use super::help::{LIFE, OUTPUT};
use super::start::{PtyMode, Seconds, StartArgs};
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

impl ReleaseArgs {
    /// The same options for a start.
    #[must_use]
    pub fn as_start(&self) -> StartArgs {
        StartArgs {
            project: self.project.clone(),
            variables: self.variables.clone(),
            heroku: self.heroku,
            profile: self.profile,
            timeout: self.timeout,
            pty: self.pty,
            log: self.log.clone(),
            ..StartArgs::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::{Cli, Command, StartArgs};

    fn as_start(options: &[&str]) -> StartArgs {
        let cli = Cli::try_parse_from(["dyno", "release"].iter().chain(options)).expect("understood");
        let Command::Release(args) = cli.command else { panic!("another command") };
        args.as_start()
    }

    #[test]
    fn each_option_means_what_it_means_for_a_start() {
        let options = [
            "-f",
            "Procfile.dev",
            "--set",
            "A=1",
            "--prefer-shell",
            "--heroku",
            "--profile",
            "-t",
            "3",
            "--pty",
            "never",
            "--color",
            "always",
            "--log-format",
            "text",
            "--no-timestamps",
            "--no-prefix",
            "--log-dir",
            "log",
        ];
        let cli = Cli::try_parse_from(["dyno", "start"].iter().chain(&options)).expect("understood");

        let Command::Start(start) = cli.command else { panic!("another command") };
        assert_eq!(as_start(&options), *start);
        assert_eq!(as_start(&[]), StartArgs::default());
    }
}
