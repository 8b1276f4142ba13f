//! The error that every command returns (facts, hints and an exit status), and the table of exit statuses (S11).

use std::fmt;

use crate::model::Dialect;

/// The fact if the guardian ended before its work was done.
pub const GUARDIAN_KILLED: &str = "`dyno`'s helper process (the guardian) was killed";

/// Declares [`Status`] from the one table of exit statuses.
macro_rules! statuses {
    ($($name:ident = $code:literal: $when:literal,)*) => {
        /// Exit statuses of `dyno` itself, as opposed to those passed on from a dyno.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Status {
            $(#[doc = $when] $name = $code,)*
        }

        impl Status {
            const ALL: &[(Self, &str)] = &[$((Self::$name, $when),)*];
        }
    };
}

statuses! {
    Failed = 1: "`smoke`, `wait`, `--detach`: a dyno exited with 0 too early, or was stopped; `config:get`: not set; `export`: an edited file is in the way, or `--diff` found a difference; as `foreman` or `honcho`: an error of `dyno`",
    Usage = 2: "the command line is wrong",
    Unavailable = 69: "the app is not running, already runs or is busy; or no port is free, or `--strict-ports` found one in use",
    Internal = 70: "`dyno`'s helper process (the guardian) was killed, a process could not be killed (it is named), a limit of the system was reached, or `smoke` found no `/proc`",
    CannotWrite = 73: "`config:set`, `config:unset`, `export`: a file cannot be written",
    Output = 74: "the output could not be written, or its reader read nothing for two seconds after a run that succeeded",
    NotUp = 75: "`smoke`, `wait`, `--wait`, `--detach`: not up in time, or the release command took too long",
    Config = 78: "Procfile, `.env` or `.foreman` is missing or invalid; `config --explain`: the variable is not set; the environment is too large; or there is no bash for the profile",
    NotExecutable = 126: "a command could not be executed: that of `run`, or of the first dyno to exit",
    NotFound = 127: "a command was not found: that of `run`, or of the first dyno to exit",
    OutputClosed = 141: "the reader of stdout closed it",
}

impl Status {
    /// The exit status as a number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl Dialect {
    /// The exit status of an error of our own. Other names have only one (S11.3), except that honcho keeps those of a
    /// command that is not found or cannot be executed, like a shell. See [`usage_status`](Self::usage_status) for a wrong command line.
    #[must_use]
    pub fn status(self, status: u8) -> u8 {
        const NOT_EXECUTABLE: u8 = Status::NotExecutable.code();
        const NOT_FOUND: u8 = Status::NotFound.code();
        match (self, status) {
            (Self::Honcho, NOT_EXECUTABLE | NOT_FOUND) | (Self::Dyno | Self::HerokuLocal, _) => status,
            (Self::Foreman | Self::Honcho, _) => Status::Failed.code(),
        }
    }

    /// The exit status of a wrong command line; foreman has none of its own for it (S11.3).
    #[must_use]
    pub fn usage_status(self) -> u8 {
        match self {
            Self::Foreman => Status::Failed.code(),
            Self::Dyno | Self::HerokuLocal | Self::Honcho => Status::Usage.code(),
        }
    }
}

/// Every way in which `dyno` ends: the exit status as people write it, and when. `dyno man` is made from this, and a test
/// compares `docs/statuses.md` with it.
pub fn exit_statuses() -> impl Iterator<Item = (String, &'static str)> {
    let passed_on = [
        ("0", "success; in `start`, the first dyno to exit did so with 0"),
        ("n, 128+n", "code or signal of the first dyno to exit, or of a failed release command"),
        ("by the signal", "stopped by INT, TERM, HUP or QUIT: shells show 130, 143, 129 or 131"),
    ];
    let own = Status::ALL.iter().map(|(status, when)| (status.code().to_string(), *when));
    passed_on.into_iter().map(|(status, when)| (status.to_owned(), when)).chain(own)
}

/// One problem and the advice that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// What happened, and where: lowercase, no full stop, literals in backticks. Never contains the value of a
    /// variable.
    pub fact: String,
    /// What to do about it; empty if there is no advice.
    pub hint: String,
}

impl Complaint {
    /// A complaint with a fact and a hint.
    #[must_use]
    pub fn new(fact: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { fact: fact.into(), hint: hint.into() }
    }
}

/// An error for the user: at least one complaint, and one exit status for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    status: Status,
    complaints: Vec<Complaint>,
}

impl Error {
    /// An error with one fact and one hint.
    #[must_use]
    pub fn new(status: Status, fact: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status, complaints: vec![Complaint::new(fact, hint)] }
    }

    /// An error in the command line.
    #[must_use]
    pub fn usage(fact: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Status::Usage, fact, hint)
    }

    /// An error with several complaints, all of which are shown.
    #[must_use]
    pub fn all(status: Status, complaints: impl IntoIterator<Item = Complaint>) -> Self {
        Self { status, complaints: complaints.into_iter().collect() }
    }

    /// The complaints, in the order in which they are shown.
    #[must_use]
    pub fn complaints(&self) -> &[Complaint] {
        &self.complaints
    }

    /// The exit status (S11).
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts: Vec<&str> = self.complaints.iter().map(|complaint| complaint.fact.as_str()).collect();
        f.write_str(&facts.join("; "))
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_all_its_facts() {
        let error = Error::all(Status::Config, [Complaint::new("a", "do x"), Complaint::new("b", "")]);

        assert_eq!((error.to_string().as_str(), error.status().code()), ("a; b", 78));
    }
    #[test]
    fn s11_every_status_has_one_number_in_ascending_order() {
        let own: Vec<u8> = Status::ALL.iter().map(|(status, _)| status.code()).collect();

        assert!(own.is_sorted_by(|a, b| a < b), "{own:?}");
        assert_eq!(exit_statuses().count(), 3 + own.len());
    }
}
