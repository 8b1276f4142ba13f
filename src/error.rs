//! Why a command could not be carried out: the facts, what to do about each, and the exit status (S11).

use std::fmt;

/// Exit statuses of `dyno` itself; a dyno's own status and 128+n are numbers of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// The command line cannot be understood.
    Usage = 2,
    /// Nothing is running here, something already is, or no port is free.
    Unavailable = 69,
    /// The system refused what `dyno` cannot be without, the guardian was lost, or a process could not be killed.
    Internal = 70,
    /// Output could not be written.
    Output = 74,
    /// Procfile, .env, .foreman or app.json missing or invalid.
    Config = 78,
    /// `run`: there is such a file, but it cannot be executed.
    NotExecutable = 126,
    /// `run`: there is no such command.
    NotFound = 127,
}

/// One thing that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// What happened, and where: lowercase, no full stop, literals in backticks, never a value of the environment.
    pub fact: String,
    /// The advice; empty where there is none to give.
    pub hint: String,
}

impl Complaint {
    /// A fact with the advice that goes with it.
    #[must_use]
    pub fn new(fact: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { fact: fact.into(), hint: hint.into() }
    }
}

/// An error for the user: at least one complaint, and one status for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    status: Status,
    complaints: Vec<Complaint>,
}

impl Error {
    /// An error with one fact and the advice what to do.
    #[must_use]
    pub fn new(status: Status, fact: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status, complaints: vec![Complaint::new(fact, hint)] }
    }

    /// Several things are wrong at once; the user hears all of them.
    #[must_use]
    pub fn all(status: Status, complaints: impl IntoIterator<Item = Complaint>) -> Self {
        Self { status, complaints: complaints.into_iter().collect() }
    }

    /// All that is wrong, in the order to show it.
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

        assert_eq!((error.to_string().as_str(), error.status() as u8), ("a; b", 78));
    }
}
