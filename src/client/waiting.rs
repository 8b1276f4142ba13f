//! Waits for dynos of the app that runs here. Says what is missing, and why a wait has failed (S10.2).
//!
//! `dyno wait` and the `--wait` of other commands use it. Not here: when a wait is over (`api::WaitCondition`).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::running_app::RunningApp;
use crate::api::{RestartedDyno, SILENT_FOR, StartDescription, WaitAnswer, WaitRequest, WaitResult, WaitUntil};
use crate::console::diagnostics::print_line;
use crate::error::Status;
use crate::project::reason;
use crate::runtime;

/// The pause after the first look at the ports of dynos. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// The pause between two lines that say what is missing.
const LINES_EVERY: Duration = Duration::from_secs(10);

/// The dynos to wait for in each start. An empty list means all dynos of that start.
pub(crate) type OfStarts<'a> = [(&'a StartDescription, Vec<RestartedDyno>)];

/// A dyno or process type that does not listen yet.
pub(crate) struct Silent<'a> {
    pub(crate) start: &'a StartDescription,
    pub(crate) name: String,
    /// The port that it should listen on. None: any port will do.
    pub(crate) port: Option<u16>,
}

/// One wait with its limit.
pub(crate) struct Waiting<'a> {
    app: &'a RunningApp,
    until: WaitUntil,
    /// The limit in seconds.
    seconds: u64,
    began: Instant,
    /// When the next line says what is missing, counted from the beginning of the wait. None: there are no such lines.
    line_due: Option<Duration>,
}

impl<'a> Waiting<'a> {
    /// Begins a wait. `quiet`: do not print lines about what is missing.
    pub(crate) fn new(app: &'a RunningApp, until: WaitUntil, seconds: u64, quiet: bool) -> Self {
        Self { app, until, seconds, began: Instant::now(), line_due: (!quiet).then_some(SILENT_FOR) }
    }

    /// Waits for these dynos.
    ///
    /// # Errors
    /// The first failure. If all have ended, as requested with `--exit`: the first dyno whose status is not 0.
    pub(crate) fn wait(&mut self, of_starts: &OfStarts<'_>) -> Result<(), Failure> {
        self.wait_and_listen(of_starts, &[], || Ok(None))
    }

    /// Waits for these dynos, and until `first_silent` finds none of the `listeners`.
    ///
    /// # Errors
    /// The same as for [`Self::wait`].
    pub(crate) fn wait_and_listen<'s>(
        &mut self,
        of_starts: &OfStarts<'_>,
        listeners: &OfStarts<'_>,
        first_silent: impl Fn() -> Result<Option<Silent<'s>>, Failure>,
    ) -> Result<(), Failure> {
        let mut requests = Requests::new(self.app)?;
        // A dyno that is up may crash while others are not up yet. Only a request that stays open is certain to notice.
        let is_guarded = self.until != WaitUntil::Exit && (of_starts.len() > 1 || !listeners.is_empty());
        for (start, dynos) in of_starts.iter().chain(listeners).filter(|_| is_guarded) {
            requests.send(Asker::Guard, start, self.request(dynos, WaitUntil::Failure))?;
        }
        for (at, (start, dynos)) in of_starts.iter().enumerate() {
            requests.send(Asker::Start(at), start, self.request(dynos, self.until))?;
        }
        let mut results: Vec<Option<Result<(), Failure>>> = of_starts.iter().map(|_| None).collect();
        let mut pause = FIRST_PAUSE;
        let mut ended = None;
        loop {
            if requests.guards == 0
                && let Some(failure) = ended.take()
            {
                return Err(failure);
            }
            let missing = results.iter().position(Option::is_none);
            let silent = if missing.is_none() { first_silent()? } else { None };
            let missing = match missing {
                None if silent.is_none() && is_guarded => self.first_down(of_starts)?,
                missing => missing,
            };
            match (missing, &silent) {
                (None, None) => return results.into_iter().flatten().collect(),
                (None, Some(silent)) if self.is_over() && requests.guards == 0 => return Err(self.late_silent(silent)),
                (Some(_), _) | (None, Some(_)) => {}
            }
            if let Some((at, (start, dynos))) = missing.and_then(|at| Some((at, of_starts.get(at)?)))
                && let Some(was_up) = results.get_mut(at)
                && was_up.take().is_some()
            {
                requests.send(Asker::Start(at), start, self.request(dynos, self.until))?;
            }
            let look = silent.as_ref().filter(|_| !self.is_over()).map(|_| pause);
            match requests.next(look.into_iter().chain(self.until_line()).min()) {
                Some((Asker::Guard, answer)) => self.check_guard(&answer?)?,
                // Its guard knows whether a crash has ended it.
                Some((Asker::Start(_), Err(failure))) if failure.is_over() && requests.guards > 0 => {
                    ended = Some(failure);
                }
                Some((Asker::Start(at), answer)) => {
                    let answer = answer?;
                    let result = self.judge(&answer);
                    // The others may not have ended yet.
                    let result = if answer.result == WaitResult::Ended { result } else { Ok(result?) };
                    if let Some(of_start) = results.get_mut(at) {
                        *of_start = Some(result);
                    }
                }
                None => {
                    pause = (2 * pause).min(LONGEST_PAUSE);
                    let of_start = missing.and_then(|at| of_starts.get(at));
                    self.say_what_is_missing(of_start, silent.as_ref());
                }
            }
        }
    }

    /// The position of the first start that has ended or whose dynos are no longer up.
    fn first_down(&self, of_starts: &OfStarts<'_>) -> Result<Option<usize>, Failure> {
        for (at, (start, dynos)) in of_starts.iter().enumerate() {
            match self.ask_now(start, dynos, self.until) {
                Ok(answer) if answer.result == WaitResult::Late => return Ok(Some(at)),
                Ok(answer) => self.judge(&answer)?,
                Err(failure) if failure.is_over() => return Ok(Some(at)),
                Err(failure) => return Err(failure),
            }
        }
        Ok(None)
    }

    /// Checks the answer of a guard, which only reports failures. If its time is over, that is not a failure.
    fn check_guard(&self, answer: &WaitAnswer) -> Result<(), Failure> {
        match answer.result {
            WaitResult::Crashed | WaitResult::Gone => self.judge(answer),
            WaitResult::Up | WaitResult::Ended | WaitResult::Late => Ok(()),
        }
    }

    fn request(&self, dynos: &[RestartedDyno], until: WaitUntil) -> WaitRequest {
        let left = Duration::from_secs(self.seconds).saturating_sub(self.began.elapsed());
        // The server counts whole seconds. Rounding up keeps it from giving up too early.
        let timeout = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        WaitRequest { dynos: dynos.to_vec(), until, timeout }
    }

    /// Asks without waiting.
    fn ask_now(
        &self,
        start: &StartDescription,
        dynos: &[RestartedDyno],
        until: WaitUntil,
    ) -> Result<WaitAnswer, Failure> {
        self.app.wait(start, &WaitRequest { dynos: dynos.to_vec(), until, timeout: 0 })
    }

    /// Whether the time is over.
    fn is_over(&self) -> bool {
        self.began.elapsed() >= Duration::from_secs(self.seconds)
    }

    /// Time until the next line about what is missing. None: there are no such lines.
    fn until_line(&self) -> Option<Duration> {
        self.line_due.map(|due| due.saturating_sub(self.began.elapsed()))
    }

    /// Prints the line about what is missing, if it is due. `of_start`: a start whose dynos are not all up.
    fn say_what_is_missing(
        &mut self,
        of_start: Option<&(&StartDescription, Vec<RestartedDyno>)>,
        silent: Option<&Silent<'_>>,
    ) {
        if !self.until_line().is_some_and(|left| left.is_zero()) {
            return;
        }
        self.line_due = Some(self.began.elapsed() + LINES_EVERY);
        // If there is no answer, the request that is still open reports why.
        let late = of_start.and_then(|(start, dynos)| self.ask_now(start, dynos, self.until).ok());
        let late = late.filter(|answer| answer.result == WaitResult::Late);
        match (late, silent) {
            (Some(answer), _) => print_line(&format!("waiting for {}", answer.missing(self.until))),
            (None, Some(silent)) => print_line(&format!("waiting for {} to listen on {}", silent.name, silent.place())),
            (None, None) => {}
        }
    }

    fn judge(&self, answer: &WaitAnswer) -> Result<(), Failure> {
        let id = match (answer.result, answer.exit_status) {
            (WaitResult::Up, _) | (WaitResult::Ended, None | Some(0)) => return Ok(()),
            (WaitResult::Late, _) => "not_up",
            (WaitResult::Crashed, _) => "crashed",
            (WaitResult::Ended, Some(_)) => "ended",
            (WaitResult::Gone, _) => "gone",
        };
        let found = answer.port.and_then(|_| port_of(answer));
        let message = answer.failure(self.until, self.seconds, found) + &last_words(answer);
        let failure = failed_wait(id, message, answer.subject());
        Err(match answer.failed_status() {
            Some(status) => failure.with_status(status),
            None => failure,
        })
    }

    fn late_silent(&self, silent: &Silent<'_>) -> Failure {
        let dynos = [RestartedDyno { name: silent.name.clone(), run: None }];
        let answer = self.ask_now(silent.start, &dynos, WaitUntil::Failure).ok();
        let dyno = answer.as_ref().and_then(|answer| answer.dyno.as_deref()).unwrap_or(&silent.name);
        let (elsewhere, words) = answer.as_ref().map(|it| (listens_on(it), last_words(it))).unwrap_or_default();
        let (place, seconds) = (silent.place(), self.seconds);
        failed_wait("not_up", format!("`{dyno}` does not listen on {place} after {seconds} s{elsewhere}{words}"), dyno)
    }
}

impl Silent<'_> {
    fn place(&self) -> String {
        self.port.map_or_else(|| "a port".to_owned(), |port| format!("port {port}"))
    }
}

/// `, but on port 5173`, or nothing.
fn listens_on(answer: &WaitAnswer) -> String {
    port_of(answer).map_or_else(String::new, |found| format!(", but on port {found}"))
}

/// A port on which its dyno listens.
fn port_of(answer: &WaitAnswer) -> Option<u16> {
    answer.pid.and_then(|pid| runtime::ports_of_dyno(pid).first().copied())
}

/// `: no database`, or nothing.
fn last_words(answer: &WaitAnswer) -> String {
    answer.last_words.as_deref().map_or_else(String::new, |words| format!(": {words}"))
}

/// What a request waits for.
#[derive(Clone, Copy)]
enum Asker {
    /// The dynos of the start at this position.
    Start(usize),
    /// A failure of any dyno.
    Guard,
}

type Answer = (Asker, Result<WaitAnswer, Failure>);

/// The open requests. Each has a thread, which ends at the latest with this command.
struct Requests {
    app: Arc<RunningApp>,
    sender: Sender<Answer>,
    answers: Receiver<Answer>,
    /// How many guards are open.
    guards: usize,
}

impl Requests {
    fn new(app: &RunningApp) -> Result<Self, Failure> {
        let (sender, answers) = channel();
        let app = Arc::new(app.try_clone().map_err(|error| cannot_wait(&error))?);
        Ok(Self { app, sender, answers, guards: 0 })
    }

    fn send(&mut self, asker: Asker, start: &StartDescription, request: WaitRequest) -> Result<(), Failure> {
        let (app, sender, start) = (Arc::clone(&self.app), self.sender.clone(), start.clone());
        let ask = move || {
            // The receiver is gone if another answer has ended the wait.
            let _ = sender.send((asker, app.wait(&start, &request)));
        };
        thread::Builder::new().spawn(ask).map_err(|error| cannot_wait(&error))?;
        self.guards += usize::from(matches!(asker, Asker::Guard));
        Ok(())
    }

    /// The next answer. None: there was none in time.
    fn next(&mut self, within: Option<Duration>) -> Option<Answer> {
        let answer = match within {
            Some(within) => self.answers.recv_timeout(within),
            None => self.answers.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let answer = answer.ok()?;
        self.guards -= usize::from(matches!(answer.0, Asker::Guard));
        Some(answer)
    }
}

fn cannot_wait(error: &std::io::Error) -> Failure {
    Failure::new(Status::Internal, "no_thread", format!("cannot wait for the app: {}", reason(error)), "")
}

/// The error if a wait has failed because of this dyno.
fn failed_wait(id: &str, message: String, dyno: &str) -> Failure {
    let hint = if dyno.contains('.') { format!("`dyno why {dyno}` says more") } else { String::new() };
    Failure::new(Status::NotUp, id, message, hint)
}
