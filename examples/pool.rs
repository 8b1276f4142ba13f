//! A program that leads workers and ends them itself, as Celery and gunicorn do, for tests.
//!
//! `pool SCRIPT` runs the script by `sh` as its only worker. When it gets SIGTERM it says so, starts nothing new, waits until
//! the worker has done its work, and says how that ended.

use std::env;
use std::error::Error;
use std::io::{Write, stdout};
use std::process::Command;

use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;

#[expect(clippy::disallowed_methods, reason = "it is a program that `dyno` runs, with a worker of its own")]
fn main() -> Result<(), Box<dyn Error>> {
    let script = env::args().nth(1).ok_or("pool SCRIPT")?;
    let mut signals = Signals::new([SIGTERM])?;
    let mut worker = Command::new("sh").args(["-c", &script]).spawn()?;
    signals.forever().next();
    writeln!(stdout(), "leader: TERM")?;
    let ended = worker.wait()?;
    writeln!(stdout(), "worker: {ended}")?;
    Ok(())
}
