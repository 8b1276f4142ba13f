//! Waits for dynos of the app that runs here, and says what it waits for and why a wait has failed (S10.2).
//!
//! For `wait`, and for `--wait` of other commands. Not here: when a wait is over (`api::WaitCondition`).

use std::io;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::running_app::RunningApp;
use crate::api::{RestartedDyno, StartDescription, WaitAnswer, WaitRequest, WaitResult, WaitUntil};
use crate::console::diagnostics::print_line;
use crate::error::Status;
use crate::project::reason;
use crate::runtime;

/// The pause before a start whose dynos are up is asked again, while those of another start are not.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// After this long, a line says what is missing.
const SILENT_FOR: Duration = Duration::from_secs(5);

/// One wait with its limit.
pub(crate) struct Waiting<'a> {
    app: &'a RunningApp,
    until: WaitUntil,
    /// The limit in seconds.
    seconds: u64,
    began: Instant,
    /// Whether a line may say what is missing.
    says: bool,
}

impl<'a> Waiting<'a> {
    /// `quiet`: no line says what is missing.
    pub(crate) fn new(app: &'a RunningApp, until: WaitUntil, seconds: u64, quiet: bool) -> Self {
        Self { app, until, seconds, began: Instant::now(), says: !quiet }
    }

    /// Waits for these dynos of each start. Returns the status: 0, or that of the first that ended with another one.
    ///
    /// # Errors
    /// The reason why the first of them is not as wanted.
    pub(crate) fn wait(&mut self, of_starts: &[(&StartDescription, Vec<RestartedDyno>)]) -> Result<u8, Failure> {
        if let [(start, dynos)] = of_starts {
            let one = self.one(start, dynos);
            loop {
                let answer = one.answer(self.app)?;
                if let Some(status) = self.decide(&answer)? {
                    return Ok(status);
                }
            }
        }
        let answers = self.answers(of_starts).map_err(|error| {
            let message = format!("cannot wait for several starts of the app: {}", reason(&error));
            Failure::new(Status::Internal, "no_thread", message, "")
        })?;
        let mut statuses = vec![None; of_starts.len()];
        while statuses.contains(&None) {
            let Ok((at, answer)) = answers.recv() else { break };
            let status = self.decide(&answer?)?;
            if let Some(of_start) = statuses.get_mut(at) {
                *of_start = status;
            }
        }
        Ok(statuses.into_iter().flatten().find(|status| *status != 0).unwrap_or(0))
    }

    /// Asks all starts at the same time. The position of the start comes with each of its answers. One whose dynos are up is
    /// asked again and again, because a dyno may crash before those of the others are up.
    fn answers(
        &self,
        of_starts: &[(&StartDescription, Vec<RestartedDyno>)],
    ) -> io::Result<mpsc::Receiver<(usize, Result<WaitAnswer, Failure>)>> {
        let (sender, answers) = mpsc::channel();
        let app = Arc::new(self.app.try_clone()?);
        for (at, (start, dynos)) in of_starts.iter().enumerate() {
            let (one, app, sender) = (self.one(start, dynos), Arc::clone(&app), sender.clone());
            // The thread ends at the latest with this command.
            thread::Builder::new().spawn(move || {
                loop {
                    let answer = one.answer(&app);
                    let result = answer.as_ref().ok().map(|answer| answer.result);
                    if sender.send((at, answer)).is_err() || one.is_over() {
                        return;
                    }
                    match result {
                        Some(WaitResult::Late) => {}
                        Some(WaitResult::Up) => thread::park_timeout(ASK_AGAIN),
                        Some(WaitResult::Ended | WaitResult::Crashed | WaitResult::Gone) | None => return,
                    }
                }
            })?;
        }
        Ok(answers)
    }

    fn one(&self, start: &StartDescription, dynos: &[RestartedDyno]) -> WaitForOne {
        let Self { until, seconds, began, says, .. } = *self;
        WaitForOne { start: start.clone(), dynos: dynos.to_vec(), until, seconds, began, says }
    }

    /// The status, if an answer decides it; otherwise a line says what is missing.
    fn decide(&mut self, answer: &WaitAnswer) -> Result<Option<u8>, Failure> {
        if answer.result != WaitResult::Late || self.is_over() {
            return self.judge(answer).map(Some);
        }
        self.say(&format!("waiting for {}", self.missing(answer)));
        Ok(None)
    }

    /// Whether the time is over.
    pub(crate) fn is_over(&self) -> bool {
        self.began.elapsed() >= Duration::from_secs(self.seconds)
    }

    /// Shows a line once, after a while.
    pub(crate) fn say(&mut self, line: &str) {
        if self.says && self.began.elapsed() >= SILENT_FOR {
            print_line(line);
            self.says = false;
        }
    }

    /// `web.1 to listen on port 5000`
    fn missing(&self, answer: &WaitAnswer) -> String {
        let dyno = name(answer);
        match (self.until, answer.port) {
            _ if answer.leaving => format!("{dyno} to end"),
            (WaitUntil::Up | WaitUntil::Running, Some(port)) => format!("{dyno} to listen on port {port}"),
            (WaitUntil::Up | WaitUntil::Running, None) => format!("{dyno} to come up"),
            (WaitUntil::Exit, _) => format!("{dyno} to end"),
        }
    }

    fn judge(&self, answer: &WaitAnswer) -> Result<u8, Failure> {
        let dyno = name(answer);
        let status = answer.exit_status;
        let words = answer.last_words.as_deref().map_or_else(String::new, |words| format!(": {words}"));
        match answer.result {
            WaitResult::Up => Ok(0),
            WaitResult::Ended => Ok(status.unwrap_or(0)),
            WaitResult::Crashed => {
                let status = status.unwrap_or(1);
                let message = format!("`{dyno}` has crashed (status {status}){words}");
                Err(failed_wait("crashed", message, &dyno).with_status(status.max(1)))
            }
            WaitResult::Gone => {
                let what = match status {
                    Some(status) => format!("has ended (status {status})"),
                    None => "was stopped".to_owned(),
                };
                let status = status.unwrap_or(1).max(1);
                Err(failed_wait("gone", format!("`{dyno}` {what}"), &dyno).with_status(status))
            }
            WaitResult::Late => Err(self.late(&dyno, answer)),
        }
    }

    fn late(&self, dyno: &str, answer: &WaitAnswer) -> Failure {
        let seconds = self.seconds;
        let message = match (self.until, answer.port) {
            _ if answer.leaving => format!("`{dyno}` has not ended after {seconds} s"),
            (WaitUntil::Exit, _) => format!("`{dyno}` has not ended after {seconds} s"),
            (WaitUntil::Up | WaitUntil::Running, None) => format!("`{dyno}` is not up after {seconds} s"),
            (WaitUntil::Up | WaitUntil::Running, Some(port)) => {
                let found = answer.pid.map(runtime::ports_of_dyno).unwrap_or_default();
                let elsewhere = found.first().map_or_else(String::new, |found| format!(", but on port {found}"));
                format!("`{dyno}` does not listen on port {port} after {seconds} s{elsewhere}")
            }
        };
        failed_wait("not_up", message, dyno)
    }
}

/// The wait for the dynos of one start.
struct WaitForOne {
    start: StartDescription,
    dynos: Vec<RestartedDyno>,
    until: WaitUntil,
    seconds: u64,
    began: Instant,
    /// Whether an answer is wanted when a line may say what is missing.
    says: bool,
}

impl WaitForOne {
    fn answer(&self, app: &RunningApp) -> Result<WaitAnswer, Failure> {
        let gone = self.began.elapsed();
        let left = Duration::from_secs(self.seconds).saturating_sub(gone);
        let silent = SILENT_FOR.saturating_sub(gone);
        let part = if self.says && !silent.is_zero() { left.min(silent) } else { left };
        // The server counts whole seconds, and one that has begun counts.
        let timeout = part.as_secs() + u64::from(part.subsec_nanos() > 0);
        app.wait(&self.start, &WaitRequest { dynos: self.dynos.clone(), until: self.until, timeout })
    }

    fn is_over(&self) -> bool {
        self.began.elapsed() >= Duration::from_secs(self.seconds)
    }
}

/// A wait has failed because of this dyno.
pub(crate) fn failed_wait(id: &str, message: String, dyno: &str) -> Failure {
    let hint = if dyno.contains('.') { format!("`dyno why {dyno}` says more") } else { String::new() };
    Failure::new(Status::NotUp, id, message, hint)
}

/// The dyno that an answer is about.
fn name(answer: &WaitAnswer) -> String {
    answer.dyno.clone().unwrap_or_else(|| "the app".to_owned())
}
