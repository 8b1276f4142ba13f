//! What each subcommand does, one file each: reads what the user wrote and hands values to the runtime.
//!
//! A command that starts dynos prints only diagnostics before the first spawn and after the last exit; `main` prints errors
//! and ends the process.

mod check;
mod completions;
mod config;
mod config_get;
mod config_set;
mod deployed;
mod logs;
mod ls;
mod man;
mod one_off;
mod ps;
mod refusal;
mod releases;
mod reload;
mod restart;
mod rollback;
mod run_detached;
mod scale;
mod smoke;
mod start;
mod stop;
mod topic;
mod version;
mod wait;
mod why;

use crate::cli::{Cli, Command};
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
        Command::Start(args) | Command::Local(args) => start::run(cli, args),
        Command::Release(args) => start::run_release(cli, args),
        Command::Run(args) if args.detach => run_detached::run(cli, args),
        Command::Run(args) | Command::LocalRun(args) => one_off::run(cli, args),
        Command::Logs(args) => logs::run(cli, args),
        Command::Ps(args) => ps::run(cli, args),
        Command::Ls(args) => ls::run(args),
        Command::Scale(args) => scale::run(cli, args),
        Command::Restart(args) => restart::run(cli, args),
        Command::Reload(args) => reload::run(cli, args),
        Command::Releases(args) => releases::run(cli, args),
        Command::ReleasesInfo(args) => releases::run_info(cli, args),
        Command::Rollback(args) => rollback::run(cli, args),
        Command::Stop(args) => stop::run(cli, args),
        Command::Wait(args) => wait::run(cli, args),
        Command::Why(args) => why::run(cli, args),
        Command::Smoke(args) => smoke::run(cli, args),
        Command::Check(args) => check::run(cli, args),
        Command::Config(args) => config::run(cli, args),
        Command::ConfigGet(args) => config_get::run(cli, args),
        Command::ConfigSet(args) => config_set::set(cli, args),
        Command::ConfigUnset(args) => config_set::unset(cli, args),
        Command::Completions(args) => completions::script(args.shell),
        Command::Man(args) => man::run(args),
        Command::Version => version::run(cli.dialect),
        Command::Topic(topic) => topic::run(*topic),
    }
}
