//! The binary `dyno`: parses the command line, runs the command, prints an error with its hint, and sets the exit
//! status.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use std::process::ExitCode;

    use dynorun::model::Dialect;
    use dynorun::supervisor::Outcome;
    use dynorun::{cli, commands, runtime};

    if commands::answer_shell(std::env::args_os()) {
        return ExitCode::SUCCESS;
    }
    // A signal that arrives during startup waits until everything is ready to handle it.
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

/// `dyno` needs subreapers and `/proc` to find every process. It refuses to start without them rather than do half the
/// job.
#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    use std::io::Write;

    let text =
        "error: `dyno` runs only on Linux so far: elsewhere it cannot guarantee that no process is left behind\n";
    let _ = std::io::stderr().write_all(text.as_bytes());
    std::process::ExitCode::from(dynorun::error::Status::Internal.code())
}
