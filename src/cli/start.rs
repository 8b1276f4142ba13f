//! Options of `dyno start`.

use std::str::FromStr;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};

use super::help::{LIFE, OUTPUT, PORTS_AND_VARIABLES, WHAT_RUNS};
use super::running::limit_of_wait;
use super::{FormationArgs, LogArgs, Offers, OrderArgs, ProjectArgs, RouterArgs, VariableArgs, WatchArgs};

/// Options of `dyno start`.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(
    group = ArgGroup::new("restarting").args(["restart", "heroku"]).multiple(true),
    mut_arg("root", |root| root.hide_short_help(true)),
    mut_arg("types", |types| types.hide_short_help(true)),
    mut_arg("set", |set| set.hide_short_help(true)),
    after_help = "Examples:\n  dyno start -f Procfile.dev            run another Procfile\n  dyno start web worker=2               only these types, two workers\n  dyno start -m all=1,css=0 -p 3000     all except css, web.1 on port 3000"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line, independent of the others")]
pub struct StartArgs {
    /// The files of the app.
    #[command(flatten)]
    pub project: ProjectArgs,

    /// Which dynos run.
    #[command(flatten)]
    pub formation: FormationArgs,

    /// Base port, or `auto` for free ports
    ///
    /// [default: `PORT` given with --set, `port` in .foreman, `PORT` in .env or the shell, else 5000. A linked worktree of
    /// git and a copy (--name) have their own ports instead; any other directory leaves 5000 only if it is in use]
    #[arg(short, long, value_name = "PORT", allow_negative_numbers = true, help_heading = PORTS_AND_VARIABLES)]
    pub port: Option<String>,
    /// Distance between the ports of two process types; with 0 all share the base port [default: 100]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = port_step, help_heading = PORTS_AND_VARIABLES, hide_short_help = true)]
    pub port_step: Option<u16>,
    /// Name of the app [default: that of its directory]
    ///
    /// `dyno ps --app NAME` then finds it from any directory.
    #[arg(long, value_name = "NAME", value_parser = name, help_heading = WHAT_RUNS, hide_short_help = true)]
    pub app: Option<String>,
    /// Start a second copy of running process types, under this name
    #[arg(long, value_name = "NAME", value_parser = name, help_heading = WHAT_RUNS, hide_short_help = true)]
    pub name: Option<String>,
    /// Refuse to start if the port of a web dyno is in use
    #[arg(long, help_heading = PORTS_AND_VARIABLES, hide_short_help = true)]
    pub strict_ports: bool,
    /// Keep the default port 5000, even in a linked worktree of git or if it is in use
    #[arg(long, help_heading = PORTS_AND_VARIABLES, hide_short_help = true)]
    pub fixed_ports: bool,
    /// Variables from the command line.
    #[command(flatten)]
    pub variables: VariableArgs,

    /// The router.
    #[command(flatten)]
    pub router: RouterArgs,

    /// Run in the background; return once all are up
    ///
    /// Prints the address of the app. If the dynos are not up after SECONDS [default: 60], or one ends first, everything is
    /// stopped. Afterwards `dyno logs`, `ps`, `attach` and `stop` work from any terminal.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "60", value_parser = limit_of_wait, conflicts_with = "focus", help_heading = LIFE)]
    pub detach: Option<u64>,
    /// Behave like the platform
    ///
    /// The router and its time-outs, restarts, 30 s grace period, 60 s boot timeout, profile, its log format: each is also a
    /// separate option.
    #[arg(long, help_heading = LIFE)]
    pub heroku: bool,
    /// Apply changes to Procfile, .env and .foreman
    ///
    /// Applies them to the running app, like `dyno reload`, once no file has changed for 200 ms. Implied by --heroku.
    #[arg(long, help_heading = LIFE)]
    pub reload: bool,
    /// Restart dynos that exit
    ///
    /// At once, then after 1, 2, 4 … 60 seconds (`--max-delay`). Without `--restart` or `--heroku`, the
    /// first dyno that exits stops the others.
    #[arg(long, help_heading = LIFE)]
    pub restart: bool,
    /// Give up after N restarts in a row [default: no limit]
    #[arg(long, value_name = "N", allow_negative_numbers = true, requires = "restarting", value_parser = restarts, help_heading = LIFE, hide_short_help = true)]
    pub max_restarts: Option<u32>,
    /// Longest pause between two restarts [default: 60]
    ///
    /// With 0 every restart is immediate.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, requires = "restarting", help_heading = LIFE, hide_short_help = true)]
    pub max_delay: Option<Seconds>,
    /// Types that are up only once they listen on their port
    ///
    /// [default with --detach, --heroku, --restart, --boot-timeout, --http or --log-format heroku: web]
    #[arg(long, value_name = "TYPE,…", value_delimiter = ',', help_heading = LIFE, hide_short_help = true, add = Offers::ProcessTypes)]
    pub ready: Vec<String>,
    /// Path that `--ready` types must also answer [default STATUS: 200-399]
    ///
    /// A redirect is an answer, too. STATUS is `204` or a range such as `200-299`. If the path has a `?`, give STATUS with
    /// `--http-status`.
    #[arg(long, value_name = "/PATH[=STATUS]", help_heading = LIFE, hide_short_help = true)]
    pub http: Option<String>,
    /// Expected status, if it cannot follow the path
    ///
    /// `204`, or a range such as `200-299`.
    #[arg(long, value_name = "STATUS", requires = "http", help_heading = LIFE, hide_short_help = true)]
    pub http_status: Option<String>,
    /// Seconds a `--ready` type may take to be up before it is killed (R10)
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = above_zero, help_heading = LIFE, hide_short_help = true)]
    pub boot_timeout: Option<Seconds>,
    /// Source .profile.d/*.sh and .profile in bash before each command
    #[arg(long, help_heading = LIFE, hide_short_help = true)]
    pub profile: bool,
    /// Do not run the release command first
    #[arg(long, help_heading = WHAT_RUNS, hide_short_help = true)]
    pub no_release: bool,
    /// Types that may exit without stopping the rest
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
    /// What restarts when files change.
    #[command(flatten)]
    pub watch: WatchArgs,
    /// Stop dynos of a type with a signal other than TERM
    #[arg(long, value_name = "TYPE=SIGNAL,…", value_delimiter = ',', help_heading = LIFE, hide_short_help = true, add = Offers::StopSignals)]
    pub stop_signal: Vec<String>,
    /// Send the stop signal to all processes of these types at once; `all` means every type
    ///
    /// Otherwise the main program of a dyno gets it first and stops its own workers. Implied for every type by --heroku.
    #[arg(long, value_name = "TYPE,…", value_delimiter = ',', help_heading = LIFE, hide_short_help = true, add = Offers::ProcessTypes)]
    pub stop_all: Vec<String>,
    /// Seconds until SIGKILL [default: 5]
    ///
    /// Counted from the stop signal. The default with --heroku is 30.
    #[arg(short = 't', long, value_name = "SECONDS", allow_negative_numbers = true, help_heading = LIFE)]
    pub timeout: Option<Seconds>,

    /// Connect the keyboard to one dyno: `web` means web.1
    ///
    /// For debuggers, REPLs and prompts; `dyno attach` does the same later, from any terminal. Its output is shown raw, with the lines of the other dynos around it. Ctrl-C goes
    /// to it; a second one stops everything. If stdin is not a terminal, the dyno reads the stdin of `dyno`.
    #[arg(long, value_name = "TYPE[.N]", help_heading = OUTPUT, hide_short_help = true, add = Offers::Dynos)]
    pub focus: Option<String>,
    /// When to give dynos a terminal
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = PtyMode::Auto, help_heading = OUTPUT, hide_short_help = true)]
    pub pty: PtyMode,
    /// Stdin for dynos without a terminal: `endless` never ends, `null` is /dev/null
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = StdinMode::Endless, hide_possible_values = true, help_heading = OUTPUT, hide_short_help = true)]
    pub stdin: StdinMode,
    /// Serve the Platform API on this port of 127.0.0.1, so that the official `heroku` CLI can control the app
    ///
    /// Type `eval "$(dyno env heroku)"` in the terminal where you use `heroku`. It sets the address and the key; each
    /// start has a new key.
    #[arg(long, value_name = "[127.0.0.1:]PORT", value_parser = api_port, help_heading = PORTS_AND_VARIABLES, hide_short_help = true)]
    pub api: Option<u16>,
    /// Say where `web` listens, even if stdout is not a terminal
    #[arg(long, help_heading = OUTPUT, hide_short_help = true)]
    pub urls: bool,
    /// How the log looks and where it goes.
    #[command(flatten)]
    pub log: LogArgs,
    /// Run these types without showing their output; `router` hides the lines of requests
    #[arg(short, long, value_name = "TYPE,…", value_delimiter = ',', help_heading = OUTPUT, hide_short_help = true, add = Offers::ProcessTypes)]
    pub quiet: Vec<String>,
    /// Command to run as `web` if there is no Procfile
    #[arg(long, value_name = "COMMAND", hide = true)]
    pub start_cmd: Option<String>,
}

/// When dynos get a terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PtyMode {
    /// A terminal if stdout is one.
    #[default]
    Auto,
    /// A terminal.
    Always,
    /// A pipe.
    Never,
}

impl PtyMode {
    /// A terminal, unless it is ruled out. For an app in the background, where our own stdout does not decide.
    #[must_use]
    pub fn or_terminal(self) -> Self {
        match self {
            Self::Auto | Self::Always => Self::Always,
            Self::Never => Self::Never,
        }
    }
}

/// The stdin of a dyno without a terminal (S6.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum StdinMode {
    /// A pipe that never has data and never ends.
    #[default]
    Endless,
    /// `/dev/null`.
    Null,
}

/// The name of an app or of a start.
pub(super) fn name(text: &str) -> Result<String, String> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_valid = (1..=40).contains(&text.len()) && !text.starts_with('-') && text.bytes().all(is_allowed);
    if is_valid {
        Ok(text.to_owned())
    } else {
        Err("a name of up to 40 characters a-z 0-9 and `-`, without a leading `-`".to_owned())
    }
}

/// The port of the API. Any address other than 127.0.0.1 is refused.
fn api_port(text: &str) -> Result<u16, String> {
    let port = text.strip_prefix("127.0.0.1:").or_else(|| text.strip_prefix("localhost:")).unwrap_or(text);
    let port = port.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| {
        "a port from 1 to 65535, such as 5050 or 127.0.0.1:5050: the API listens on 127.0.0.1 only".to_owned()
    })
}

/// A distance between ports.
fn port_step(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("a whole number from 0 to {}", u16::MAX))
}

/// A number of restarts.
pub(super) fn restarts(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "a whole number, such as 3".to_owned())
}

/// A limit above 0: nothing can happen within 0 seconds, and 0 does not mean "no limit" either.
pub(super) fn above_zero(text: &str) -> Result<Seconds, String> {
    let seconds = text.parse().ok().filter(|Seconds(duration)| !duration.is_zero());
    seconds.ok_or_else(|| format!("a number of seconds above 0, up to {}", Seconds::MAX))
}

/// A duration in seconds, up to one day. Fractions such as `0.5` are allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seconds(pub Duration);

impl Seconds {
    const MAX: f64 = 86_400.0;
}

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds = text.parse().ok().filter(|seconds| (0.0..=Self::MAX).contains(seconds));
        seconds.map(|seconds| Self(Duration::from_secs_f64(seconds))).ok_or_else(|| {
            // Continues the hint `write …`.
            format!("a number of seconds from 0 to {}", Self::MAX)
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, CliCommand};

    #[test]
    fn the_defaults_are_those_of_the_command_line() {
        let cli = Cli::try_parse_from(["dyno", "start"]).expect("understood");

        let CliCommand::Start(args) = cli.command else { panic!("another command") };
        assert_eq!(*args, StartArgs::default());
    }

    #[test]
    fn a_timeout_is_a_number_of_seconds_up_to_a_day() {
        assert_eq!("0.5".parse(), Ok(Seconds(Duration::from_millis(500))));
        assert!("-1".parse::<Seconds>().is_err());
        assert!("86401".parse::<Seconds>().is_err());
        assert!("soon".parse::<Seconds>().is_err());
        assert!("NaN".parse::<Seconds>().is_err());
        assert_eq!(above_zero("0.5"), "0.5".parse());
        for text in ["0", "-5", "soon", "86401"] {
            assert_eq!(above_zero(text), Err("a number of seconds above 0, up to 86400".to_owned()));
        }
    }
}
