//! The command line as types. No behaviour: `commands` gives it its meaning.
//!
//! Under the names `foreman` and `honcho` the binary has the command line of those (`drop_in`); what it says becomes
//! the same types.

mod completions;
mod drop_in;
mod help;
mod keyboard;
mod man;
mod offers;
mod one_off;
mod parse;
mod reading;
mod release;
mod shared;
mod smoke;
mod start;
mod topic;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::builder::TypedValueParser;
use clap::{Args, ColorChoice, Parser, Subcommand, ValueHint};

pub use completions::{CompletionsArgs, Shell};
pub use help::whole_command;
pub use keyboard::KEYS;
pub use man::ManArgs;
pub use offers::Offers;
pub use one_off::{RunArgs, TypeWord};
pub use parse::{Refusal, parse, with_colons};
pub use reading::{CheckArgs, ConfigArgs};
pub use release::ReleaseArgs;
pub use shared::{FormationArgs, LogArgs, LogFormatName, VariableArgs};
pub use smoke::SmokeArgs;
pub use start::{PtyMode, Seconds, StartArgs, StdinMode};
pub use topic::Topic;

use crate::error::Status;

/// The Heroku runtime on your machine.
#[derive(Debug, Parser)]
#[command(
    name = "dyno",
    version,
    about = "The Heroku runtime on your machine: leaves no orphan, loses no line",
    subcommand_required = true,
    mut_args(|arg| arg.hide_short_help(true)),
    after_help = "Examples:\n  dyno start                     run everything in ./Procfile\n  dyno start -f Procfile.dev     run another Procfile\n  dyno start web worker=2        choose what runs\n  dyno run rails console         run one command with the app's environment\n\n`dyno COMMAND --help` shows a command, `dyno help COMMAND` all of its options."
)]
pub struct Cli {
    #[command(flatten)]
    project: ProjectArgs,
    /// Whose habits apply where they differ.
    #[arg(skip)]
    pub dialect: Dialect,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// The project options before the subcommand, under those after it.
    #[must_use]
    pub fn project(&self, after: &ProjectArgs) -> ProjectArgs {
        after.over(&self.project)
    }
}

impl Cli {
    /// Whether colours are wanted; `auto` for commands without such an option.
    #[must_use]
    pub fn color(&self) -> ColorChoice {
        let (project, choice) = match &self.command {
            Command::Start(args) | Command::Local(args) => (Some(&args.project), args.log.color),
            Command::Release(args) => (Some(&args.project), args.log.color),
            Command::Smoke(args) => (Some(&args.project), args.log.color),
            Command::Run(args) | Command::LocalRun(args) => (Some(&args.project), ColorChoice::Auto),
            Command::Check(args) => (Some(&args.project), ColorChoice::Auto),
            Command::Config(args) => (Some(&args.project), ColorChoice::Auto),
            Command::Completions(_) | Command::Man(_) | Command::Version | Command::Topic(_) => {
                (None, ColorChoice::Auto)
            }
        };
        if project.is_some_and(|project| self.project(project).no_color) { ColorChoice::Never } else { choice }
    }
}

/// Whose habits apply (S13.2): where the tools we stand in for disagree, the name decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Our own.
    #[default]
    Dyno,
    /// Called as `foreman`.
    Foreman,
    /// Called as `honcho`.
    Honcho,
    /// `dyno local`, as in `heroku local`.
    HerokuLocal,
}

impl Dialect {
    /// The dialect that the name of the program asks for; a symlink or a copy is enough.
    #[must_use]
    pub fn of_program(program: &OsStr) -> Self {
        match Path::new(program).file_name().and_then(OsStr::to_str) {
            Some("foreman") => Self::Foreman,
            Some("honcho") => Self::Honcho,
            Some(_) | None => Self::Dyno,
        }
    }

    /// The exit status of an error of our own: 1 under the names of others (S11), but what a shell says of a command
    /// that cannot be run stays, except as foreman, which says 1 there too.
    /// Of a command line that cannot be read it is [`usage_status`](Self::usage_status).
    #[must_use]
    pub fn status(self, status: u8) -> u8 {
        const NOT_EXECUTABLE: u8 = Status::NotExecutable.code();
        const NOT_FOUND: u8 = Status::NotFound.code();
        match (self, status) {
            (Self::Honcho, NOT_EXECUTABLE | NOT_FOUND) | (Self::Dyno | Self::HerokuLocal, _) => status,
            (Self::Foreman | Self::Honcho, _) => 1,
        }
    }

    /// The exit status of a command line that cannot be read: 2, as of honcho's own reader; foreman says 1.
    #[must_use]
    pub fn usage_status(self) -> u8 {
        match self {
            Self::Foreman => 1,
            Self::Dyno | Self::HerokuLocal | Self::Honcho => Status::Usage.code(),
        }
    }
}

/// Which files make the app (S1.7, S2.1).
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct ProjectArgs {
    /// Procfile to read; `-` is stdin
    #[arg(short = 'f', long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub procfile: Option<PathBuf>,
    /// Directory of the app [default: that of the Procfile]
    #[arg(short = 'd', long, value_name = "DIR", value_hint = ValueHint::DirPath, alias = "app-root")]
    pub root: Option<PathBuf>,
    /// Files of config vars [default: .env]
    ///
    /// Later ones win. `/dev/null` is an empty one.
    #[arg(short = 'e', long, value_name = "FILE,…", value_hint = ValueHint::FilePath)]
    #[arg(value_delimiter = ',', value_parser = file_list())]
    pub env: Vec<PathBuf>,
    /// As `--color never`
    #[arg(long, alias = "no-colour", hide = true)]
    pub no_color: bool,
}

impl ProjectArgs {
    /// These options, and those of `before` where these have none.
    #[must_use]
    pub fn over(&self, before: &Self) -> Self {
        Self {
            procfile: self.procfile.clone().or_else(|| before.procfile.clone()),
            root: self.root.clone().or_else(|| before.root.clone()),
            env: if self.env.is_empty() { before.env.clone() } else { self.env.clone() },
            no_color: self.no_color || before.no_color,
        }
    }
}

/// Paths that may be empty: `-e ''` asks for no file at all.
fn file_list() -> impl TypedValueParser<Value = PathBuf> {
    clap::builder::OsStringValueParser::new().map(PathBuf::from)
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the app: its whole formation, until a dyno ends or Ctrl-C
    #[command(alias = "s")]
    Start(Box<StartArgs>),
    /// Run one command, or a process type, with the app's environment
    Run(RunArgs),
    /// Run the release command alone
    Release(ReleaseArgs),
    /// Start all, run a command such as the tests, stop all: for CI
    Smoke(Box<SmokeArgs>),
    /// Check the files.
    #[command(about = format!("Check Procfile, .env and .foreman: status 0 or {}", Status::Config.code()))]
    Check(CheckArgs),
    /// Show the config vars that the files give
    Config(ConfigArgs),
    /// Print the script that lets a shell complete command lines
    Completions(CompletionsArgs),
    /// Print a manual page
    Man(ManArgs),
    /// As `start`, in the words of `heroku local`
    #[command(name = "local", alias = "local:start", hide = true)]
    Local(Box<StartArgs>),
    /// As `run`, in the words of `heroku local:run`
    #[command(name = "local:run", hide = true)]
    LocalRun(RunArgs),
    /// Print the version
    #[command(alias = "local:version", hide = true)]
    Version,
    /// `help TOPIC`: a page of text. The commands are listed by `help` itself
    #[command(skip)]
    Topic(Topic),
}
