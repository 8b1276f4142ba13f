//! Options of `dyno smoke`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::help::{LIFE, OUTPUT, WHAT_RUNS};
use super::start::{Seconds, StdinMode, above_zero};
use super::{FormationArgs, LogArgs, Offers, OrderArgs, ProjectArgs, VariableArgs};
use crate::error::Status;

/// Options that choose from a Procfile.
const WHAT_A_PROCFILE_RUNS: [&str; 7] =
    ["procfile", "types", "processes", "formation", "concurrency", "except", "after"];

/// Default of `--settle`.
const DEFAULT_SETTLE: Seconds = Seconds(Duration::from_secs(1));
/// Default of `--timeout` (S6.5).
const DEFAULT_BOOT_TIMEOUT: Seconds = Seconds(Duration::from_secs(60));

/// Options of `dyno smoke`: those of `start` that make sense without a user, and its own.
#[derive(Debug, PartialEq, Args)]
#[command(
    override_usage = "dyno smoke [OPTIONS] [TYPE[=N]…] [-- COMMAND [WORD…]]",
    mut_arg("procfile", |procfile| procfile.hide_short_help(true)),
    mut_arg("root", |root| root.hide_short_help(true)),
    mut_arg("env", |env| env.hide_short_help(true)),
    mut_arg("formation", |formation| formation.hide_short_help(true)),
    mut_arg("except", |except| except.hide_short_help(true)),
    mut_arg("set", |set| set.hide_short_help(true)),
    after_help = "Examples:\n  dyno smoke -- npm test                    start the app, test it, stop it\n  dyno smoke --http /health                 does it start and answer?\n  dyno smoke --start 'npm start' --http /   an app without a Procfile\n  dyno smoke web -- 'curl -f \"$BASE_URL\"'   one word is run by the shell"
)]
pub struct SmokeArgs {
    /// The files of the app.
    #[command(flatten)]
    pub project: ProjectArgs,

    /// Which dynos run.
    #[command(flatten)]
    pub formation: FormationArgs,
    /// Variables from the command line.
    #[command(flatten)]
    pub variables: VariableArgs,

    /// Run this command as `web`, without a Procfile
    ///
    /// An existing Procfile is not read.
    #[arg(long, value_name = "COMMAND", conflicts_with_all = WHAT_A_PROCFILE_RUNS, help_heading = WHAT_RUNS)]
    pub start: Option<String>,
    /// Types that must listen [default: web]
    ///
    /// They are up when they listen on their `PORT`; other types are up when they are started.
    #[arg(long, value_name = "TYPE,…", value_delimiter = ',', help_heading = LIFE, add = Offers::ProcessTypes)]
    pub ready: Vec<String>,
    /// Path to request [default STATUS: 200-399]
    ///
    /// The types that must listen have to answer it. A redirect is an answer, too. STATUS is `204` or a range such as
    /// `200-299`. If the path has a `?`, give STATUS with `--http-status`.
    #[arg(long, value_name = "/PATH[=STATUS]", help_heading = LIFE)]
    pub http: Option<String>,
    /// Expected status, if it cannot follow the path
    ///
    /// `204`, or a range such as `200-299`.
    #[arg(long, value_name = "STATUS", requires = "http", help_heading = LIFE, hide_short_help = true)]
    pub http_status: Option<String>,
    /// Seconds for all dynos to come up [default: 60]
    #[arg(long = "timeout", alias = "boot-timeout", value_name = "SECONDS", allow_negative_numbers = true, value_parser = above_zero, help_heading = LIFE, long_help = boot_timeout_help())]
    pub boot_timeout: Option<Seconds>,
    /// Seconds all dynos must stay up [default: 1]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, help_heading = LIFE)]
    pub settle: Option<Seconds>,
    /// Types that may exit during the test
    ///
    /// `TYPE`: with status 0; `TYPE=any`: with any status. `--allow-exit` is the same option.
    #[arg(long, value_name = "TYPE[=any],…", value_delimiter = ',', help_heading = LIFE, add = Offers::MayExit)]
    pub can_die: Vec<String>,
    /// Same as `--can-die`
    // Not an alias, so that messages use the name that was typed.
    #[arg(long, value_name = "TYPE[=any],…", value_delimiter = ',', hide = true, add = Offers::MayExit)]
    pub allow_exit: Vec<String>,
    /// Which types start after others.
    #[command(flatten)]
    pub order: OrderArgs,
    /// Do not run the release command first
    #[arg(long, help_heading = WHAT_RUNS, hide_short_help = true)]
    pub no_release: bool,
    /// Behave like the platform
    ///
    /// 30 s grace period, profile, its log format: each is also a separate option. Nothing is restarted.
    #[arg(long, help_heading = LIFE, hide_short_help = true)]
    pub heroku: bool,
    /// Source .profile.d/*.sh and .profile in bash before each command
    #[arg(long, help_heading = LIFE, hide_short_help = true)]
    pub profile: bool,
    /// Stop dynos of a type with a signal other than TERM
    #[arg(long, value_name = "TYPE=SIGNAL,…", value_delimiter = ',', help_heading = LIFE, hide_short_help = true, add = Offers::StopSignals)]
    pub stop_signal: Vec<String>,
    /// Send the stop signal to all processes of these types at once; `all` means every type
    ///
    /// Otherwise the main program of a dyno gets it first and stops its own workers. Implied for every type by --heroku.
    #[arg(long, value_name = "TYPE,…", value_delimiter = ',', help_heading = LIFE, hide_short_help = true, add = Offers::ProcessTypes)]
    pub stop_all: Vec<String>,
    /// Seconds from the stop signal until SIGKILL [default: 5]
    ///
    /// The default with --heroku is 30.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, help_heading = LIFE, hide_short_help = true)]
    pub grace: Option<Seconds>,

    /// Stdin for dynos: `endless` never ends, `null` is /dev/null
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = StdinMode::Endless, hide_possible_values = true, help_heading = OUTPUT, hide_short_help = true)]
    pub stdin: StdinMode,
    /// How the log looks and where it goes.
    #[command(flatten)]
    pub log: LogArgs,
    /// Run these types without showing their output
    #[arg(short, long, value_name = "TYPE,…", value_delimiter = ',', help_heading = OUTPUT, hide_short_help = true, add = Offers::ProcessTypes)]
    pub quiet: Vec<String>,

    /// Write a JUnit file: one case per phase and dyno
    #[arg(long, value_name = "FILE", help_heading = OUTPUT, value_hint = ValueHint::FilePath)]
    pub junit: Option<PathBuf>,
    /// Write a JSON summary: status, reason, times of each phase and dyno
    #[arg(long = "json", id = "json_file", value_name = "FILE", help_heading = OUTPUT, hide_short_help = true, value_hint = ValueHint::FilePath)]
    pub json: Option<PathBuf>,

    /// Command to run when all are up; `BASE_URL` is the app's address
    #[arg(value_name = "COMMAND", last = true, add = Offers::CommandWords)]
    pub command: Vec<OsString>,
}

fn boot_timeout_help() -> String {
    format!(
        "Seconds for all dynos to come up [default: 60]\n\nCounted from the start of each dyno. If one is not up in time, the status is {}. \
         The release command has the same limit.",
        Status::NotUp.code()
    )
}

impl SmokeArgs {
    /// How long all dynos must stay up.
    #[must_use]
    pub fn settle(&self) -> Duration {
        self.settle.unwrap_or(DEFAULT_SETTLE).0
    }

    /// How long all dynos may take to come up.
    #[must_use]
    pub fn boot_timeout(&self) -> Duration {
        self.boot_timeout.unwrap_or(DEFAULT_BOOT_TIMEOUT).0
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, CliCommand};

    fn parsed(options: &[&str]) -> SmokeArgs {
        let cli = Cli::try_parse_from(["dyno", "smoke"].iter().chain(options)).expect("understood");
        let CliCommand::Smoke(args) = cli.command else { panic!("another command") };
        *args
    }

    #[test]
    fn s13_1_timeout_is_the_boot_timeout_and_grace_a_separate_option() {
        let args = parsed(&["--timeout", "7", "--grace", "3"]);

        assert_eq!(args.boot_timeout(), Duration::from_secs(7));
        assert_eq!(args.grace, Some(Seconds(Duration::from_secs(3))));
        assert_eq!(parsed(&["--boot-timeout", "7"]).boot_timeout(), args.boot_timeout());
    }

    #[test]
    fn can_die_and_allow_exit_accept_the_same_lists() {
        let lists = |args: SmokeArgs| [args.can_die, args.allow_exit];
        for (at, name) in ["--can-die", "--allow-exit"].into_iter().enumerate() {
            let list = parsed(&[name, "job,cron=any"]);
            let twice = parsed(&[name, "job", name, "cron=any"]);

            assert_eq!(lists(list)[at], ["job", "cron=any"]);
            assert_eq!(lists(twice)[at], ["job", "cron=any"]);
        }
    }

    #[test]
    fn s19_1_start_excludes_everything_that_chooses_from_a_procfile() {
        let args = parsed(&["--start", "npm start", "-e", "ci.env", "--set", "A=1", "--", "npm", "test"]);
        assert_eq!((args.start.as_deref(), args.command.len()), (Some("npm start"), 2));

        let choices = [
            &["-f", "Procfile"][..],
            &["web"],
            &["-l", "web"],
            &["-m", "web=2"],
            &["-c", "web=2"],
            &["-x", "web"],
            &["--after", "web=db"],
        ];
        for choice in choices {
            let words = [&["dyno", "smoke", "--start", "npm start"], choice].concat();
            let error = Cli::try_parse_from(words).expect_err("a conflict");
            assert_eq!(error.kind(), clap::error::ErrorKind::ArgumentConflict, "{choice:?}");
        }
    }

    #[test]
    fn the_words_after_two_dashes_are_the_command() {
        let args = parsed(&["web=2", "--settle", "0.5", "--", "npm", "test", "--", "-v"]);

        assert_eq!(
            (args.formation.types.as_slice(), args.settle()),
            (&["web=2".to_owned()][..], Duration::from_millis(500))
        );
        assert_eq!(args.command, ["npm", "test", "--", "-v"]);
        assert_eq!(parsed(&[]).settle(), Duration::from_secs(1));
    }
}
