//! What each subcommand does, one file each: reads what the user wrote and hands values to the runtime.
//!
//! A command that starts dynos prints only diagnostics before the first spawn and after the last exit; `main` prints errors
//! and ends the process.

mod attach;
mod check;
mod completions;
mod config;
mod config_get;
mod config_set;
mod deployed;
mod env;
mod export;
mod logs;
mod ls;
mod man;
mod mcp;
mod one_off;
mod ps;
mod refusal;
mod releases;
mod reload;
mod restart;
mod rollback;
mod router;
mod run_detached;
mod scale;
mod screen;
mod smoke;
mod start;
mod stop;
mod topic;
mod version;
mod wait;
mod why;

use crate::cli::{Cli, CliCommand};
use crate::console::diagnostics;
use crate::error::Error;
use crate::model::ExitStatus;
use crate::runtime;
use crate::supervisor::Outcome;

pub use crate::console::diagnostics::show_error;
pub use completions::answer_shell;
pub use refusal::refuse;

/// The exit status as a shell shows it.
#[must_use]
pub fn shell_status(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Code(code) => code,
        Outcome::Signal(signal) => {
            let number = u8::try_from(runtime::signal_number(signal)).unwrap_or(u8::MAX);
            ExitStatus::Signal(number).shell_code()
        }
    }
}

/// Carries out a command line.
///
/// # Errors
/// Why it could not be carried out.
pub fn run(cli: &Cli) -> Result<Outcome, Error> {
    diagnostics::choose_color(cli.color());
    match &cli.command {
        CliCommand::Start(args) | CliCommand::Local(args) => start::run(cli, args),
        CliCommand::Release(args) => start::run_release(cli, args),
        CliCommand::Run(args) if args.detach => run_detached::run(cli, args),
        CliCommand::Run(args) | CliCommand::LocalRun(args) => one_off::run(cli, args),
        CliCommand::Logs(args) => logs::run(cli, args),
        CliCommand::Ps(args) => ps::run(cli, args),
        CliCommand::Ls(args) => ls::run(args),
        CliCommand::Router(args) => router::run(args),
        CliCommand::Attach(args) => Ok(attach::run(cli, args)),
        CliCommand::Screen(args) => screen::run(cli, args),
        CliCommand::Scale(args) => scale::run(cli, args),
        CliCommand::Restart(args) => restart::run(cli, args),
        CliCommand::Reload(args) => reload::run(cli, args),
        CliCommand::Releases(args) => releases::run(cli, args),
        CliCommand::ReleasesInfo(args) => releases::run_info(cli, args),
        CliCommand::Rollback(args) => rollback::run(cli, args),
        CliCommand::Stop(args) => stop::run(cli, args),
        CliCommand::Wait(args) => wait::run(cli, args),
        CliCommand::Why(args) => why::run(cli, args),
        CliCommand::Smoke(args) => smoke::run(cli, args),
        CliCommand::Check(args) => check::run(cli, args),
        CliCommand::Export(args) => export::run(cli, args),
        CliCommand::Config(args) => config::run(cli, args),
        CliCommand::ConfigGet(args) => config_get::run(cli, args),
        CliCommand::ConfigSet(args) => config_set::set(cli, args),
        CliCommand::ConfigUnset(args) => config_set::unset(cli, args),
        CliCommand::Env(args) => env::run(cli, args),
        CliCommand::Mcp(_) => mcp::run(cli),
        CliCommand::Completions(args) => completions::script(args.shell),
        CliCommand::Man(args) => man::run(args),
        CliCommand::Version => version::run(cli.dialect),
        CliCommand::Topic(topic) => topic::run(*topic),
    }
}
