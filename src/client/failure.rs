//! Why a command for a running app has failed (S17.1).

use std::fmt::Write as _;

use crate::api::{ApiError, ENDING, ErrorResource, StartDescription};
use crate::app::{did_you_mean, nearest, some_of};
use crate::cli::RunningArgs;
use crate::console::diagnostics;
use crate::error::{Complaint, Status};
use crate::project::reason;
use crate::runtime::NoAnswer;
use crate::supervisor::Outcome;

/// HTTP statuses of requests that are valid, but cannot be carried out now.
const BUSY: u16 = 409;
const TOO_SLOW: u16 = 408;

/// The id of the error if no app runs here.
pub(super) const NOT_RUNNING: &str = "not_running";
/// The id of the error if `dyno` cannot find out what is running.
pub(super) const UNAVAILABLE: &str = "service_unavailable";

/// The id of the error if a start does not answer.
const NO_ANSWER: &str = "no_answer";
/// The id of the error if a start does not know a name.
const NOT_FOUND: &str = "not_found";

/// Why a command for a running app failed: an [`crate::error::Error`] with an id for programs (S17.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    status: u8,
    error: ErrorResource,
}

impl Failure {
    /// The error that a start answered with this HTTP status.
    pub(super) fn answered(status: u16, error: ErrorResource) -> Self {
        // A wrong name or number is a usage error, as on the command line of `start`.
        let status = match status {
            BUSY | TOO_SLOW | 500.. => Status::Unavailable,
            _ => Status::Usage,
        };
        Self { status: status.code(), error }
    }

    /// Whether the start has ended, or does not know a name.
    pub(crate) fn is_unknown(&self) -> bool {
        self.is_not_running() || self.error.id == NOT_FOUND
    }

    /// The same failure with another exit status, such as that of a dyno.
    pub(crate) fn with_status(self, status: u8) -> Self {
        Self { status, ..self }
    }

    /// Whether a start did not answer.
    pub(crate) fn is_silence(&self) -> bool {
        self.error.id == NO_ANSWER
    }

    /// Warns that this start was left out because it did not answer.
    pub(super) fn warn_of(&self, silent: &StartDescription) {
        let fact = format!("{}: leaving out {}", self.error.message, some_of(&silent.types));
        diagnostics::warn(&Complaint::new(fact, self.error.hint.clone().unwrap_or_default()));
    }

    /// Whether nothing runs here.
    pub(crate) fn is_not_running(&self) -> bool {
        self.error.id == NOT_RUNNING
    }

    /// The error if no dyno or process type has this name. `known`: the names that exist.
    pub(crate) fn unknown_name<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Self {
        Self::unknown(name, known, "runs", "`dyno ps` lists all dynos")
    }

    /// The same after the app has ended.
    pub(crate) fn unknown_past_name<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Self {
        Self::unknown(name, known, "ran", "`dyno why` lists the dynos that ran last")
    }

    fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>, verb: &str, otherwise: &str) -> Self {
        let mut near = nearest(name, known);
        near.dedup();
        let hint = did_you_mean(&near).unwrap_or_else(|| otherwise.to_owned());
        Self::new(Status::Usage, NOT_FOUND, format!("no process type or dyno called `{name}` {verb} here"), hint)
    }

    pub(crate) fn new(status: Status, id: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let error = ErrorResource { id: id.to_owned(), message: message.into(), hint: Some(hint.into()) };
        Self { status: status.code(), error }
    }

    /// The error for a wrong name or number that the command itself finds.
    pub(crate) fn usage(error: ApiError) -> Self {
        Self::new(Status::Usage, error.id, error.message, error.hint)
    }

    /// The same failure, after other starts have already carried out the request.
    pub(super) fn after(mut self, done: &str) -> Self {
        let _ = write!(self.error.message, "; already done: {done}");
        self
    }

    /// Whether the start ended, or is ending, before it could answer.
    pub(crate) fn is_over(&self) -> bool {
        self.error.id == NOT_RUNNING || self.error.id == ENDING
    }

    pub(crate) fn not_running() -> Self {
        let hint = "`dyno start` starts the app; `--root DIR` names another directory";
        Self::new(Status::Unavailable, NOT_RUNNING, "no app is running here", hint)
    }

    pub(super) fn no_answer(why: &NoAnswer, start: &StartDescription) -> Self {
        let pid = start.pid;
        match why {
            NoAnswer::Ended => Self::new(
                Status::Unavailable,
                NOT_RUNNING,
                "the app ended before it answered",
                "`dyno start` starts it again",
            ),
            NoAnswer::Late => {
                let message = format!("`dyno` (pid {pid}) did not answer in time");
                Self::new(
                    Status::Unavailable,
                    NO_ANSWER,
                    message,
                    format!("if it is suspended, run `kill -CONT {pid}`"),
                )
            }
            NoAnswer::Refused(error) => {
                let message = format!("cannot reach `dyno` (pid {pid}): {}", reason(error));
                Self::new(Status::Internal, NO_ANSWER, message, "")
            }
        }
    }

    pub(crate) fn late(start: &StartDescription) -> Self {
        Self::no_answer(&NoAnswer::Late, start)
    }

    /// The error if the start ended unexpectedly while its log was being read.
    pub(crate) fn log_was_cut(start: &StartDescription) -> Self {
        let message = format!("`dyno` (pid {}) has ended unexpectedly: the last lines may be missing", start.pid);
        Self::new(Status::Unavailable, NOT_RUNNING, message, "`dyno start` starts it again")
    }

    /// The same failure; its hint is replaced if nothing is running here.
    pub(crate) fn if_not_running(mut self, hint: &str) -> Self {
        if self.error.id == NOT_RUNNING {
            self.error.hint = Some(hint.to_owned());
        }
        self
    }

    /// Shows it and returns the exit status.
    fn show(&self, json: bool) -> Outcome {
        if json {
            diagnostics::print_line(&serde_json::to_string(&self.error).unwrap_or_default());
        } else {
            let hint = self.error.hint.clone().unwrap_or_default();
            diagnostics::show_complaint(&Complaint::new(self.error.message.clone(), hint));
        }
        Outcome::Code(self.status)
    }
}

/// Ends a command: prints what it returns, or why it failed.
pub(crate) fn finish(args: &RunningArgs, result: Result<Outcome, Failure>) -> Outcome {
    result.unwrap_or_else(|failure| failure.show(args.json))
}
