//! A program that stops its own workers, like Celery and gunicorn, for tests.
//!
//! `pool SCRIPT` runs the script with `sh` as its only worker. On SIGTERM it prints `leader: TERM`, waits until the
//! worker has finished, and prints how the worker exited.

use std::env;
use std::error::Error;
use std::io::{Write, stdout};
use std::process::Command;

use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;

#[expect(clippy::disallowed_methods, reason = "a program that `dyno` runs may start a worker")]
fn main() -> Result<(), Box<dyn Error>> {
    let script = env::args().nth(1).ok_or("usage: pool SCRIPT")?;
    let mut signals = Signals::new([SIGTERM])?;
    let mut worker = Command::new("sh").args(["-c", &script]).spawn()?;
    signals.forever().next();
    writeln!(stdout(), "leader: TERM")?;
    let ended = worker.wait()?;
    writeln!(stdout(), "worker: {ended}")?;
    Ok(())
}
