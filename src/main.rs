//! The binary `dyno`: parse, run, print an error and its hint once, end with the right status.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use std::process::ExitCode;

    use dynorun::cli::Dialect;
    use dynorun::supervisor::Outcome;
    use dynorun::{cli, commands, runtime};

    if commands::answer_shell(std::env::args_os()) {
        return ExitCode::SUCCESS;
    }
    // Before a run begins: a signal between two steps of the start must find everything ready or nothing begun.
    runtime::block_all();
    let (outcome, dialect) = match cli::parse(std::env::args_os()) {
        Ok(cli) => (commands::run(&cli), cli.dialect),
        Err(refusal) => (commands::refuse(&refusal), Dialect::Dyno),
    };
    match outcome {
        Ok(outcome) => {
            if let Outcome::Signal(signal) = outcome {
                runtime::die_by(signal);
            }
            ExitCode::from(commands::shell_status(outcome))
        }
        Err(error) => {
            commands::show_error(&error);
            ExitCode::from(dialect.status(error.status().code()))
        }
    }
}

/// Its promises rest on subreapers and `/proc`; a system without them is told so, not given half of them.
#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    use std::io::Write;

    let text = "error: `dyno` runs on Linux only so far: elsewhere it could not promise to leave no process behind\n";
    let _ = std::io::stderr().write_all(text.as_bytes());
    std::process::ExitCode::from(dynorun::error::Status::Internal.code())
}
