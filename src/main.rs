//! The binary `dyno`: parse, run, print an error and its hint once, end with the right status.

use std::process::ExitCode;

use clap::Parser;
use dynorun::cli::Cli;
use dynorun::supervisor::Outcome;
use dynorun::{commands, runtime};

fn main() -> ExitCode {
    // First of all: a signal between two steps of the start must find everything ready or nothing begun.
    runtime::block_all();
    let cli = Cli::parse();
    match commands::run(&cli) {
        Ok(Outcome::Code(code)) => ExitCode::from(code),
        Ok(Outcome::Signal(signal)) => {
            runtime::die_by(signal);
            ExitCode::from(u8::try_from(128 + runtime::signal_number(signal)).unwrap_or(u8::MAX))
        }
        Err(error) => {
            commands::show_error(&error);
            ExitCode::from(error.status() as u8)
        }
    }
}
