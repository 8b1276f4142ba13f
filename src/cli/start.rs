//! Options of `dyno start`.

use std::str::FromStr;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};

use super::help::{LIFE, OUTPUT, PORTS_AND_VARIABLES, WHAT_RUNS, off_screen};
use super::{FormationArgs, LogArgs, Offers, ProjectArgs, VariableArgs};

/// Options of `dyno start`.
#[derive(Debug, Default, PartialEq, Args)]
#[command(
    group = ArgGroup::new("restarting").args(["restart", "heroku"]).multiple(true),
    mut_args(|arg| off_screen(arg, &["root", "types", "set", "prefer_shell"])),
    after_help = "Examples:\n  dyno start -f Procfile.dev            another Procfile\n  dyno start web worker=2               these process types, two workers\n  dyno start -m all=1,css=0 -p 3000     all but css, web.1 on port 3000"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line, independent of the others")]
pub struct StartArgs {
    /// Which files make the app.
    #[command(flatten)]
    pub project: ProjectArgs,

    /// What runs.
    #[command(flatten)]
    pub formation: FormationArgs,

    /// Base port, or `auto` for free ones
    ///
    /// [default: `PORT` of --set, then in .env, then in the shell, then 5000]
    #[arg(short, long, value_name = "PORT", help_heading = PORTS_AND_VARIABLES)]
    pub port: Option<String>,
    /// Distance between the ports of two process types; 0: all share the base [default: 100]
    #[arg(long, value_name = "N", value_parser = whole_number::<u16>, help_heading = PORTS_AND_VARIABLES, hide_short_help = true)]
    pub port_step: Option<u16>,
    /// Refuse to start if the port of a web dyno is in use
    #[arg(long, help_heading = PORTS_AND_VARIABLES, hide_short_help = true)]
    pub strict_ports: bool,
    /// Variables beside those of the files.
    #[command(flatten)]
    pub variables: VariableArgs,

    /// Behave as the platform does
    ///
    /// Restarts, 30 s grace, 60 s boot timeout, profile, its log: each is an option of its own, too.
    #[arg(long, help_heading = LIFE)]
    pub heroku: bool,
    /// Start dynos again when they end
    ///
    /// At once, then after 1, 2, 4 … 60 seconds (`--max-delay`). Without this, the first dyno that ends stops all.
    #[arg(long, help_heading = LIFE)]
    pub restart: bool,
    /// Restarts in a row before a dyno stays down [default: no limit]
    #[arg(long, value_name = "N", requires = "restarting", value_parser = whole_number::<u32>, help_heading = LIFE, hide_short_help = true)]
    pub max_restarts: Option<u32>,
    /// Longest pause between two restarts [default: 60]
    ///
    /// 0: always restart at once.
    #[arg(long, value_name = "SECONDS", requires = "restarting", help_heading = LIFE, hide_short_help = true)]
    pub max_delay: Option<Seconds>,
    /// Types that are up when they listen on their port
    ///
    /// [default with --heroku, --restart, --boot-timeout or --log-format heroku: web]
    #[arg(long, value_name = "TYPE,…", value_delimiter = ',', help_heading = LIFE, hide_short_help = true, add = Offers::ProcessTypes)]
    pub ready: Vec<String>,
    /// Seconds such a type may take to listen; then it is killed, and that is a crash (R10)
    #[arg(long, value_name = "SECONDS", value_parser = some_time, help_heading = LIFE, hide_short_help = true)]
    pub boot_timeout: Option<Seconds>,
    /// Source .profile.d/*.sh and .profile by bash before each command
    #[arg(long, help_heading = LIFE, hide_short_help = true)]
    pub profile: bool,
    /// Do not run the release command first
    #[arg(long, help_heading = WHAT_RUNS, hide_short_help = true)]
    pub no_release: bool,
    /// Types that may exit without stopping the rest
    ///
    /// `TYPE`: with status 0; `TYPE=any`: with any status. `--allow-exit` is another name of this option.
    #[arg(long, alias = "allow-exit", value_name = "TYPE[=any],…", value_delimiter = ',', help_heading = LIFE, add = Offers::MayExit)]
    pub can_die: Vec<String>,
    /// Stop dynos of a type by another signal than TERM
    #[arg(long, value_name = "TYPE=SIGNAL,…", value_delimiter = ',', help_heading = LIFE, hide_short_help = true, add = Offers::StopSignals)]
    pub stop_signal: Vec<String>,
    /// Send the stop signal to all processes of these types at once; `all` for every type
    ///
    /// Otherwise a program that leads gets it first and ends its own workers. With --heroku every type is stopped at once.
    #[arg(long, value_name = "TYPE,…", value_delimiter = ',', help_heading = LIFE, hide_short_help = true, add = Offers::ProcessTypes)]
    pub stop_all: Vec<String>,
    /// Seconds until SIGKILL [default: 5]
    ///
    /// Counted from the stop signal. With --heroku 30 by default.
    #[arg(short = 't', long, value_name = "SECONDS", help_heading = LIFE)]
    pub timeout: Option<Seconds>,

    /// Give the keyboard to one dyno: `web` is web.1
    ///
    /// For debuggers, REPLs and questions: its output is shown as it is, those of the others round it. Ctrl-C goes to it
    /// once and to all the second time. Without a terminal, it reads the stdin of `dyno`.
    #[arg(long, value_name = "TYPE[.N]", help_heading = OUTPUT, hide_short_help = true, add = Offers::Dynos)]
    pub focus: Option<String>,
    /// Give dynos a terminal of their own
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = PtyMode::Auto, help_heading = OUTPUT, hide_short_help = true)]
    pub pty: PtyMode,
    /// What dynos without a terminal read
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = StdinMode::Endless, hide_possible_values = true, help_heading = OUTPUT, hide_short_help = true)]
    pub stdin: StdinMode,
    /// How the log looks, and where it goes.
    #[command(flatten)]
    pub log: LogArgs,
    /// Run these types but do not show what they say
    #[arg(short, long, value_name = "TYPE,…", value_delimiter = ',', help_heading = OUTPUT, hide_short_help = true, add = Offers::ProcessTypes)]
    pub quiet: Vec<String>,
    /// What to run as `web` if there is no Procfile
    #[arg(long, value_name = "COMMAND", hide = true)]
    pub start_cmd: Option<String>,
}

/// When dynos get a terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PtyMode {
    /// When stdout is one.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never: a pipe.
    Never,
}

/// What a dyno without a terminal reads (S6.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum StdinMode {
    /// A pipe that never gives data and never ends.
    #[default]
    Endless,
    /// `/dev/null`.
    Null,
}

/// A number in digits, as large as its type.
fn whole_number<Number: FromStr>(text: &str) -> Result<Number, String> {
    let largest = (1_u128 << (8 * size_of::<Number>())) - 1;
    text.parse().map_err(|_| format!("expected a whole number from 0 to {largest}"))
}

/// Seconds in which something can happen: 0 would be a limit that nothing keeps, and is not "no limit" either.
pub(super) fn some_time(text: &str) -> Result<Seconds, String> {
    match text.parse::<Seconds>()? {
        Seconds(Duration::ZERO) => Err(format!("expected more than 0, up to {} seconds", Seconds::MAX)),
        seconds => Ok(seconds),
    }
}

/// A duration in seconds, fractions allowed: `5`, `0.5`. At most a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seconds(pub Duration);

impl Seconds {
    const MAX: f64 = 86_400.0;
}

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
        if (0.0..=Self::MAX).contains(&seconds) {
            Ok(Self(Duration::from_secs_f64(seconds)))
        } else {
            Err(format!("expected 0 to {} seconds", Self::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn the_defaults_are_those_of_the_command_line() {
        let cli = Cli::try_parse_from(["dyno", "start"]).expect("understood");

        let Command::Start(args) = cli.command else { panic!("another command") };
        assert_eq!(*args, StartArgs::default());
    }

    #[test]
    fn a_timeout_is_a_number_of_seconds_up_to_a_day() {
        assert_eq!("0.5".parse(), Ok(Seconds(Duration::from_millis(500))));
        assert!("-1".parse::<Seconds>().is_err());
        assert!("86401".parse::<Seconds>().is_err());
        assert!("soon".parse::<Seconds>().is_err());
        assert!("NaN".parse::<Seconds>().is_err());
        assert_eq!(some_time("0.5"), "0.5".parse());
        assert_eq!(some_time("0"), Err("expected more than 0, up to 86400 seconds".to_owned()));
    }
}
