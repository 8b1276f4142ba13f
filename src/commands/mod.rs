//! What each subcommand does, one file each: reads what the user wrote and hands values to the runtime.
//!
//! Decides how a command line and files become a plan and a policy. Prints nothing but diagnostics before the first
//! spawn and after the last; `main` prints errors and ends the process.

mod color;
mod diagnostics;
mod policy;
mod project;
mod source_file;
mod start;

use crate::cli::{Cli, Command};
use crate::error::Error;
use crate::supervisor::Outcome;

pub use diagnostics::show_error;

/// Carries out a command line.
///
/// # Errors
/// Why it could not be carried out.
pub fn run(cli: &Cli) -> Result<Outcome, Error> {
    match &cli.command {
        Command::Start(args) => start::run(cli, args),
    }
}
