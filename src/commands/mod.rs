//! What each subcommand does, one file each: reads what the user wrote and hands values to the runtime.
//!
//! Decides how a command line and files become a plan and a policy. A command that starts dynos prints only
//! diagnostics before the first spawn and after the last exit; `main` prints errors and ends the process.

mod check;
mod completions;
mod config;
mod focus;
mod formation;
mod identity;
mod look;
mod man;
mod near_miss;
mod one_off;
mod platform;
mod policy;
mod port_explanation;
mod ports;
mod process_table;
mod ps;
mod registration;
mod report_files;
mod restart;
mod running;
mod scale;
mod smoke;
mod smoke_end;
mod smoke_request;
mod start;
mod stop;
mod topic;
mod version;

use clap::ColorChoice;

use crate::cli::{Cli, Command, Refusal};
use crate::console::{diagnostics, stdout};
use crate::error::{Error, Status};
use crate::model::ExitStatus;
use crate::runtime;
use crate::supervisor::Outcome;

pub use crate::console::diagnostics::show_error;
pub use completions::answer_shell;

/// Shows the requested help, or why a command line cannot be understood and what to type instead.
///
/// # Errors
/// Status 74: the help could not be written.
pub fn refuse(refusal: &Refusal) -> Result<Outcome, Error> {
    match refusal {
        Refusal::Shown(text) => stdout::outcome(text.print()),
        Refusal::Misread(misread) => {
            diagnostics::choose_color(ColorChoice::Auto);
            let mut complaint = misread.complaint.clone();
            if let Some(hint) = misread.stray.as_ref().and_then(near_miss::hint_in_time) {
                complaint.hint = hint;
            }
            show_error(&Error::all(Status::Usage, [complaint]));
            Ok(Outcome::Code(misread.dialect.usage_status()))
        }
    }
}

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
        Command::Release(args) => start::run_release(cli, &args.as_start()),
        Command::Run(args) | Command::LocalRun(args) => one_off::run(cli, args),
        Command::Ps(args) => ps::run(cli, args),
        Command::Scale(args) => scale::run(cli, args),
        Command::Restart(args) => restart::run(cli, args),
        Command::Stop(args) => stop::run(cli, args),
        Command::Smoke(args) => smoke::run(cli, args),
        Command::Check(args) => check::run(cli, args),
        Command::Config(args) => config::run(cli, args),
        Command::Completions(args) => completions::script(args.shell),
        Command::Man(args) => man::run(args),
        Command::Version => version::run(cli.dialect),
        Command::Topic(topic) => topic::run(*topic),
    }
}
