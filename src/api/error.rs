//! The errors of the API, in the shape of the platform: an HTTP status, an id and a message.

use super::answer::ApiAnswer;
use super::resources::ErrorResource;
use crate::app::{did_you_mean, nearest};
use crate::supervisor::{Refusal, ReleaseStatus};

/// The id of the error if everything is being stopped: another start of the app may still answer.
pub const ENDING: &str = "ending";

/// Why a request was not carried out. The formation is untouched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status, 4xx or 5xx.
    pub status: u16,
    /// The id, for programs.
    pub id: &'static str,
    /// What is wrong. Never empty: the platform's own client shows it as it is.
    pub message: String,
    /// What to do about it; empty if there is no advice.
    pub hint: String,
}

impl ApiError {
    fn new(status: u16, id: &'static str, message: impl Into<String>) -> Self {
        Self { status, id, message: message.into(), hint: String::new() }
    }

    /// The same error with advice.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// 400: the request cannot be read.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "bad_request", message)
    }

    /// 401: the request has no valid key.
    #[must_use]
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(401, "unauthorized", message)
    }

    /// 403: the client is not allowed to send requests.
    #[must_use]
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "forbidden", message)
    }

    /// 404: there is no such app, dyno, release or path.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "not_found", message)
    }

    /// 408: the request did not arrive in time.
    #[must_use]
    pub fn too_slow() -> Self {
        Self::new(408, "request_timeout", "the request did not arrive in time")
    }

    /// 409: not possible at this moment.
    #[must_use]
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "conflict", message)
    }

    /// 413: the body is longer than `limit` bytes.
    #[must_use]
    pub fn body_too_large(limit: usize) -> Self {
        Self::new(413, "request_too_large", format!("the body of the request is longer than {limit} bytes"))
    }

    /// 422: the request can be read, but a value in it is wrong.
    #[must_use]
    pub fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(422, "invalid_params", message)
    }

    /// 431: the headers are too long.
    #[must_use]
    pub fn headers_too_large() -> Self {
        Self::new(431, "request_headers_too_large", "the headers of the request are too long")
    }

    /// 503: the start is ending, or has too much to do.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "service_unavailable", message)
    }

    /// 503: everything is being stopped.
    #[must_use]
    pub fn ending() -> Self {
        Self::new(503, ENDING, "everything is being stopped").with_hint("start it again with `dyno start`")
    }

    /// The answer that carries this error.
    #[must_use]
    pub fn answer(&self) -> ApiAnswer {
        let hint = (!self.hint.is_empty()).then(|| self.hint.clone());
        let body = ErrorResource { id: self.id.to_owned(), message: self.message.clone(), hint };
        ApiAnswer::json(self.status, &body)
    }

    /// The error for a command that the supervisor has refused. `is_update`: the names came in the body of the request,
    /// not in its path.
    #[must_use]
    pub fn of_refusal(refusal: &Refusal, is_update: bool) -> Self {
        let unknown = if is_update { Self::invalid_params } else { Self::not_found };
        match refusal {
            Refusal::UnknownType { name, .. } if name.is_release() => {
                unknown("the release command is not part of the formation".to_owned())
                    .with_hint("`dyno release` runs it; `dyno start --focus release` gives it your keyboard")
            }
            Refusal::UnknownType { name, known } => {
                let known: Vec<&str> = known.iter().map(crate::model::ProcessType::as_str).collect();
                let hint = did_you_mean(&nearest(name.as_str(), known.iter().copied()))
                    .unwrap_or_else(|| listed("it has", &known));
                unknown(format!("the Procfile has no process type `{name}`")).with_hint(hint)
            }
            Refusal::UnknownDyno { name, known } => {
                let known: Vec<String> = known.iter().map(ToString::to_string).collect();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let hint = did_you_mean(&nearest(&name.to_string(), known.iter().copied()))
                    .unwrap_or_else(|| listed("there are", &known));
                unknown(format!("there is no dyno `{name}`")).with_hint(hint)
            }
            Refusal::TooMany { process_type } => {
                let limit = crate::app::MAX_QUANTITY;
                let message = format!("that is too many dynos of `{process_type}`: the limit is {limit}");
                Self::invalid_params(message).with_hint(format!("write at most `{process_type}={limit}`"))
            }
            Refusal::Impossible { dyno, why } => Self::invalid_params(format!("cannot start `{dyno}`: {why}")),
            Refusal::Arguments { process_type, error } => {
                Self::invalid_params(format!("cannot pass the arguments to `{process_type}`: {error}"))
                    .with_hint(error.hint())
            }
            Refusal::Blocked { dyno, why } => Self::conflict(format!("cannot start `{dyno}`: {why}")),
            Refusal::RunsOnce { dyno } => Self::invalid_params(format!("`{dyno}` runs once and cannot be restarted")),
            Refusal::UnknownRelease { version, known } => unknown_release(*version, known),
            Refusal::NeverRan { version, status } => {
                let why = match status {
                    ReleaseStatus::Pending => "its release command has not ended",
                    ReleaseStatus::Failed => "its release command failed",
                    ReleaseStatus::Superseded => "a later release replaced it before the app could run on it",
                    ReleaseStatus::Succeeded => "the app has not run on it",
                };
                Self::invalid_params(format!("release v{version} cannot be rolled back to: {why}"))
                    .with_hint("`dyno releases` shows which releases the app has run on")
            }
            Refusal::Smoke => Self::conflict("a smoke test is running: only the test decides what runs"),
            Refusal::ShuttingDown => {
                Self::conflict("everything is being stopped").with_hint("start it again with `dyno start`")
            }
            Refusal::ReleasePhase => {
                Self::conflict("the release command is still running").with_hint("try again when it has ended")
            }
        }
    }
}

/// The error if there is no such release. `known`: those that are remembered, in order.
fn unknown_release(version: u32, known: &[u32]) -> ApiError {
    let is_forgotten = (1..known.last().copied().unwrap_or(0)).contains(&version);
    if is_forgotten {
        return ApiError::not_found(format!("release v{version} is no longer stored"))
            .with_hint("`dyno releases -n 50` lists those that are");
    }
    ApiError::not_found(format!("there is no release v{version}")).with_hint("`dyno releases` lists the releases")
}

/// The first known names; empty if there are none.
fn listed(before: &str, known: &[&str]) -> String {
    if known.is_empty() { String::new() } else { format!("{before} {}", crate::app::some_of(known)) }
}
