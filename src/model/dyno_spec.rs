//! Describes what the guardian starts: command, environment, directory and streams of a dyno.

use std::path::PathBuf;
use std::sync::Arc;

use super::{DynoName, Environment, HttpCheck, RunId};

/// What stdin, stdout and stderr of a dyno are connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Io {
    /// stdout and stderr share one pipe. By default stdin never gives data and never ends.
    Pipe,
    /// All three streams are a pseudo-terminal of this size.
    Pty(PtySize),
    /// stdout and stderr are those of `dyno` itself.
    Inherit,
}

/// Whether a dyno gets the keyboard (S6.8).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Focus {
    /// It does not.
    #[default]
    Elsewhere,
    /// Keys go to its terminal, which controls its session, so that Ctrl-C, job control and `/dev/tty` work.
    Keyboard,
    /// It reads the stdin of `dyno`, which is not a terminal.
    Stdin,
    /// All its streams belong to a client of the API (S17.3). If they are a terminal, it controls the session.
    Client,
}

/// The size of a terminal in character cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PtySize {
    /// Lines.
    pub rows: u16,
    /// Columns.
    pub cols: u16,
}

/// The shell that runs a command line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shell {
    /// The shell of the system (S1.6).
    #[default]
    Sh,
    /// The shell of the platform, used to source the profile of the app (S3.3).
    Bash,
}

impl Shell {
    /// Its path.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Sh => "/bin/sh",
            Self::Bash => "/bin/bash",
        }
    }
}

/// What is executed for a command line. Decided once, when a dyno is described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Launch {
    /// The program itself, because the shell would do nothing but become it (S1.6). If none of the paths can be executed,
    /// `/bin/sh` gets the line, and its error message is the one that users know.
    Program {
        /// The paths to try, in this order. Relative paths start at the working directory of the dyno.
        paths: Vec<Vec<u8>>,
        /// The arguments, beginning with the program as written in the command line.
        words: Vec<Vec<u8>>,
        /// The argument of `sh -c`.
        line: Vec<u8>,
    },
    /// A shell.
    Shell {
        /// Which one.
        shell: Shell,
        /// The argument of `-c`: the command line, with `exec ` before it if that is safe.
        line: Vec<u8>,
        /// Whether the shell stays the leader of the process group, because `exec` could not be used.
        leads: bool,
    },
}

impl Launch {
    /// The shell that executes the command, or would.
    #[must_use]
    pub fn shell(&self) -> Shell {
        match self {
            Self::Program { .. } => Shell::Sh,
            Self::Shell { shell, .. } => *shell,
        }
    }

    /// The line for the shell.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        match self {
            Self::Program { line, .. } | Self::Shell { line, .. } => line,
        }
    }

    /// Whether a shell stays the leader of the process group.
    #[must_use]
    pub fn shell_leads(&self) -> bool {
        match self {
            Self::Program { .. } => false,
            Self::Shell { leads, .. } => *leads,
        }
    }
}

/// What must happen before a run is up (S6.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Readiness {
    /// Its program must run.
    #[default]
    Runs,
    /// Something must listen on its port.
    Listens {
        /// The port.
        port: u16,
    },
    /// Something must listen on its port and give the expected answer over HTTP.
    Answers {
        /// The port.
        port: u16,
        /// The request and the expected answer.
        check: Arc<HttpCheck>,
    },
}

impl Readiness {
    /// The port that must listen.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Runs => None,
            Self::Listens { port } | Self::Answers { port, .. } => Some(*port),
        }
    }

    /// The request that must be answered.
    #[must_use]
    pub fn check(&self) -> Option<&Arc<HttpCheck>> {
        match self {
            Self::Runs | Self::Listens { .. } => None,
            Self::Answers { check, .. } => Some(check),
        }
    }
}

/// Everything that all runs of one dyno have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynoSpec {
    /// The dyno name.
    pub dyno: DynoName,
    /// The command line as written in the Procfile, for messages.
    pub command_line: Arc<str>,
    /// What is executed.
    pub launch: Launch,
    /// The whole environment; nothing else is inherited.
    pub environment: Environment,
    /// The port that was assigned to it. None: it has none of its own.
    pub port: Option<u16>,
    /// What must happen before it is up.
    pub readiness: Readiness,
    /// The port on which it is expected to listen, even if it is treated as up before that (S6.2).
    pub expected_port: Option<u16>,
    /// The working directory.
    pub directory: PathBuf,
    /// What the streams are connected to.
    pub io: Io,
    /// Whether it gets the keyboard; with [`Focus::Keyboard`] the streams are a terminal.
    pub focus: Focus,
    /// Whether its stdin is `/dev/null`, even if its other streams are a terminal, so that a prompt does not wait
    /// forever.
    pub stdin_is_empty: bool,
}

/// One spawn: the dyno's specification and the number of this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpawnSpec {
    /// The number of this run.
    pub run: RunId,
    /// What to start; shared by all runs of the dyno.
    pub spec: Arc<DynoSpec>,
}
