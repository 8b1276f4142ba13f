//! `dyno start --detach`: the process that the user called. It waits until the app is up (S10.6).
//!
//! The start itself runs as usual in another process, which writes its own warnings and errors. If that process ends,
//! this one ends in the same way.

use std::os::fd::AsFd;

use crate::console::diagnostics::show_complaint;
use crate::console::stdout;
use crate::error::{Complaint, Error};
use crate::guardian::{StartNews, WaitingCaller};
use crate::model::ExitStatus;
use crate::runtime::{block_all, signal_number};
use crate::supervisor::{Outcome, UserSignal};

use super::no_helper;

/// Signals that ask a start to end; it then ends by the same signal.
const ASKED_TO_END: [UserSignal; 4] = [UserSignal::Int, UserSignal::Term, UserSignal::Hup, UserSignal::Quit];

/// Waits until the app is up or the start has ended.
///
/// # Errors
/// Status 70: waiting failed. Status 74: the address could not be written.
pub(in crate::commands) fn wait(mut caller: WaitingCaller) -> Result<Outcome, Error> {
    let url = match caller.news().map_err(no_helper)? {
        StartNews::Up(url) => url,
        StartNews::Ended(exit) => return Ok(ended(exit)),
    };
    if !url.is_empty() {
        // Writing may take long if the reader of stdout is slow.
        if let Some(exit) = caller.wait_for_reader(std::io::stdout().as_fd()).map_err(no_helper)? {
            return Ok(ended(exit));
        }
        let shown = stdout::write(&format!("{url}\n"));
        if !matches!(shown, Ok(Outcome::Code(0))) {
            caller.stop().map_err(no_helper)?;
            return shown;
        }
    }
    block_all();
    caller.return_to_shell();
    // This line is reached only if the start ended at the last moment.
    match caller.news().map_err(no_helper)? {
        StartNews::Ended(exit) => Ok(ended(exit)),
        StartNews::Up(_) => Ok(Outcome::Code(0)),
    }
}

/// How this process ends after the start has ended. If the start was killed, this process says so in its place.
fn ended(exit: ExitStatus) -> Outcome {
    if let ExitStatus::Signal(signal) = exit {
        let asked = ASKED_TO_END.into_iter().find(|asked| signal_number(*asked) == i32::from(signal));
        if let Some(asked) = asked {
            return Outcome::Signal(asked);
        }
        let fact = format!("`dyno` was killed by signal {signal} before the app was up; all dynos were killed");
        show_complaint(&Complaint::new(fact, ""));
    }
    Outcome::Code(exit.shell_code())
}
