//! The command line as types, without behaviour: `commands` carries it out.
//!
//! Under the names `foreman` and `honcho` the binary reads the command line of those tools (`drop_in`) into the same types.

mod attach;
mod check;
mod completions;
mod config;
mod drop_in;
mod env;
mod export;
mod front_door;
mod help;
mod instead;
mod keyboard;
mod logs;
mod man;
mod mcp;
mod offers;
mod one_off;
mod other_tools;
mod parse;
mod quick;
mod refusal;
mod release;
mod releases;
mod router;
mod running;
mod shared;
mod smoke;
mod start;
mod topic;

use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::{Args, ColorChoice, Parser, Subcommand, ValueHint};

pub use attach::{AttachArgs, ScreenArgs};
pub use check::CheckArgs;
pub use completions::{CompletionShell, CompletionsArgs};
pub use config::{ConfigArgs, ConfigGetArgs, ConfigSetArgs, ConfigUnsetArgs};
pub use env::{ApiClientName, EnvArgs, EnvShell};
pub use export::ExportArgs;
pub use front_door::FrontDoorArgs;
pub use help::whole_command;
pub use keyboard::KEYS;
pub use logs::{LogSourceName, LogsArgs};
pub use man::ManArgs;
pub use mcp::McpArgs;
pub use offers::Offers;
pub use one_off::{RunArgs, TypeWord};
pub use other_tools::{CommandInstead, TOOLS, instead_of_command};
pub use parse::{parse, with_colons};
pub use refusal::{Misread, RefusedLine, StrayWord};
pub use release::ReleaseArgs;
pub use releases::{ReleasesArgs, ReleasesInfoArgs, RollbackArgs};
pub use router::RouterArgs;
pub use running::{
    DynoArgs, LsArgs, PsArgs, ReloadArgs, RestartArgs, RunningArgs, ScaleArgs, StopArgs, WaitArgs, WaitForArgs,
    WhichArgs, WhyArgs,
};
pub use shared::{FormationArgs, LogArgs, LogFormatName, OrderArgs, VariableArgs, WatchArgs};
pub use smoke::SmokeArgs;
pub use start::{PtyMode, Seconds, StartArgs, StdinMode};
pub use topic::Topic;

use crate::error::Status;
use crate::model::Dialect;

/// The Heroku runtime on your machine.
#[derive(Debug, Parser)]
#[command(
    name = "dyno",
    version,
    about = "The Heroku runtime on your machine: leaves no process behind, loses no output",
    subcommand_required = true,
    mut_args(|arg| arg.hide_short_help(true)),
    after_help = "Examples:\n  dyno start          run everything in ./Procfile\n  dyno help COMMAND   list every option; `dyno help` lists commands and topics"
)]
pub struct Cli {
    #[command(flatten)]
    project: ProjectArgs,
    /// Whose behaviour applies where the tools differ.
    #[arg(skip)]
    pub dialect: Dialect,
    /// What to do.
    #[command(subcommand)]
    pub command: CliCommand,
}

impl Cli {
    /// The project options; those after the subcommand override those before it.
    #[must_use]
    pub fn project(&self, after: &ProjectArgs) -> ProjectArgs {
        after.over(&self.project)
    }
}

impl Cli {
    /// The project options before the subcommand.
    #[must_use]
    pub fn project_before(&self) -> &ProjectArgs {
        &self.project
    }

    /// When to use colours: `auto` for commands without such an option.
    #[must_use]
    pub fn color(&self) -> ColorChoice {
        let before = ProjectArgs::default();
        let (project, choice) = match &self.command {
            CliCommand::Start(args) | CliCommand::Local(args) => (Some(&args.project), args.log.color),
            CliCommand::Release(args) => (Some(&args.project), args.log.color),
            CliCommand::Smoke(args) => (Some(&args.project), args.log.color),
            CliCommand::Run(args) | CliCommand::LocalRun(args) => (Some(&args.project), ColorChoice::Auto),
            CliCommand::Check(args) => (Some(&args.project), ColorChoice::Auto),
            CliCommand::Export(args) => (Some(&args.project), ColorChoice::Auto),
            CliCommand::Config(args) => (Some(&args.project), ColorChoice::Auto),
            CliCommand::ConfigGet(args) => (Some(&args.project), ColorChoice::Auto),
            CliCommand::ConfigSet(args) => (Some(&args.project), ColorChoice::Auto),
            CliCommand::ConfigUnset(args) => (Some(&args.project), ColorChoice::Auto),
            CliCommand::Logs(args) => (Some(&before), args.color),
            CliCommand::Ps(_)
            | CliCommand::Ls(_)
            | CliCommand::Router(_)
            | CliCommand::Attach(_)
            | CliCommand::Screen(_)
            | CliCommand::Scale(_)
            | CliCommand::Restart(_)
            | CliCommand::Reload(_)
            | CliCommand::Releases(_)
            | CliCommand::ReleasesInfo(_)
            | CliCommand::Rollback(_)
            | CliCommand::Stop(_)
            | CliCommand::Env(_)
            | CliCommand::Mcp(_)
            | CliCommand::Wait(_)
            | CliCommand::Why(_)
            | CliCommand::Completions(_)
            | CliCommand::Man(_)
            | CliCommand::Version
            | CliCommand::Topic(_) => (None, ColorChoice::Auto),
        };
        if project.is_some_and(|project| self.project(project).no_color) { ColorChoice::Never } else { choice }
    }
}

/// The files of the app (S1.7, S2.1).
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct ProjectArgs {
    /// Procfile to read; `-` reads stdin
    #[arg(short = 'f', long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub procfile: Option<PathBuf>,
    /// Directory of the app [default: where the Procfile is]
    #[arg(short = 'd', long, value_name = "DIR", value_hint = ValueHint::DirPath, alias = "app-root")]
    pub root: Option<PathBuf>,
    /// Config var files [default: .env]
    ///
    /// Later files win. `/dev/null` is an empty file.
    #[arg(short = 'e', long, value_name = "FILE,…", value_hint = ValueHint::FilePath)]
    #[arg(value_delimiter = ',', value_parser = file_list())]
    pub env: Vec<PathBuf>,
    /// Same as `--color never`
    #[arg(long, alias = "no-colour", hide = true)]
    pub no_color: bool,
}

impl ProjectArgs {
    /// These options; a missing one is taken from `before`.
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

/// Paths that may be empty: `-e ''` reads no file.
fn file_list() -> impl TypedValueParser<Value = PathBuf> {
    clap::builder::OsStringValueParser::new().map(PathBuf::from)
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum CliCommand {
    /// Run the app until a dyno exits or you press Ctrl-C
    #[command(alias = "s")]
    Start(Box<StartArgs>),
    /// Run a command or a process type in the app's environment
    Run(RunArgs),
    /// Show the dynos of the app that runs here
    Ps(PsArgs),
    /// List all running apps
    #[command(alias = "apps")]
    Ls(LsArgs),
    /// One address for all running apps.
    #[command(about = "One address for all running apps: http://APP.localhost:4900")]
    Router(FrontDoorArgs),
    /// Show the log of the app that runs here
    Logs(LogsArgs),
    /// Type into the terminal of a dyno, from any terminal
    Attach(AttachArgs),
    /// Print what the terminal of a dyno shows
    Screen(ScreenArgs),
    /// Change how many dynos run
    #[command(alias = "ps:scale")]
    Scale(ScaleArgs),
    /// Restart dynos
    #[command(alias = "ps:restart")]
    Restart(RestartArgs),
    /// Read the Procfile and .env again; restart what has changed
    Reload(ReloadArgs),
    /// List the releases of the app that runs here
    Releases(ReleasesArgs),
    /// Show one release: its config vars and process types
    #[command(name = "releases:info")]
    ReleasesInfo(ReleasesInfoArgs),
    /// Run an earlier release again, as a new one
    #[command(alias = "releases:rollback")]
    Rollback(RollbackArgs),
    /// Stop dynos, or the whole app
    #[command(alias = "ps:stop")]
    Stop(StopArgs),
    /// Wait until dynos are up, or have ended
    #[command(alias = "ps:wait")]
    Wait(WaitForArgs),
    /// Say why a dyno is, or is not, running
    #[command(alias = "ps:why")]
    Why(WhyArgs),
    /// Run only the release command
    Release(ReleaseArgs),
    /// For CI: start the app, run your tests, stop the app
    Smoke(Box<SmokeArgs>),
    /// Check the files.
    #[command(about = format!("Check Procfile, .env and .foreman: status 0 or {}", Status::Config.code()))]
    Check(CheckArgs),
    /// Write files that run the app elsewhere: systemd, kubernetes…
    Export(Box<ExportArgs>),
    /// Show the config vars of the app
    Config(ConfigArgs),
    /// Print config vars
    #[command(name = "config:get")]
    ConfigGet(ConfigGetArgs),
    /// Set config vars in .env, and restart the app if it runs
    #[command(name = "config:set", alias = "config:add")]
    ConfigSet(ConfigSetArgs),
    /// Remove config vars, and restart the app if it runs
    #[command(name = "config:unset", alias = "config:remove")]
    ConfigUnset(ConfigUnsetArgs),
    /// Print variables that let the `heroku` CLI use the app
    Env(EnvArgs),
    /// Let a program, such as an AI agent, control the app (MCP)
    Mcp(McpArgs),
    /// Print the completion script for a shell
    Completions(CompletionsArgs),
    /// Print a manual page
    Man(ManArgs),
    /// Same as `start`, for users of `heroku local`
    #[command(name = "local", alias = "local:start", hide = true)]
    Local(Box<StartArgs>),
    /// Same as `run`, for users of `heroku local:run`
    #[command(name = "local:run", hide = true)]
    LocalRun(RunArgs),
    /// Print the version, and what it was built for
    #[command(alias = "local:version", hide = true)]
    Version,
    /// `help TOPIC`: a page of text. Plain `help` lists the commands
    #[command(skip)]
    Topic(Topic),
}
