//! What the guardian is asked to start.

use std::path::PathBuf;
use std::sync::Arc;

use super::{DynoName, Environment, RunId};

/// Where the streams of a dyno go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Io {
    /// stdout and stderr share one pipe; stdin never gives data and never ends.
    Pipe,
    /// All three streams are a terminal of this size.
    Pty(PtySize),
    /// stdout and stderr of `dyno` itself.
    Inherit,
}

/// Whether the keyboard is this dyno's (S6.8).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Focus {
    /// It is not.
    #[default]
    Elsewhere,
    /// The keys of the user go to its terminal, which controls its session: Ctrl-C, job control and `/dev/tty` work.
    Keyboard,
    /// It reads our own stdin, which is no terminal, to its end.
    Stdin,
}

/// Size of a terminal in character cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PtySize {
    /// Lines.
    pub rows: u16,
    /// Characters a line.
    pub cols: u16,
}

/// What a command line is given to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shell {
    /// The system's (S1.6).
    #[default]
    Sh,
    /// The platform's, which reads the profile of the app (S3.3).
    Bash,
}

impl Shell {
    /// Where it is.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Sh => "/bin/sh",
            Self::Bash => "/bin/bash",
        }
    }
}

/// All that every run of one dyno has in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynoSpec {
    /// Whose run it is.
    pub dyno: DynoName,
    /// The command line as written in the Procfile; the messages show this one.
    pub command_line: String,
    /// What runs the shell line.
    pub shell: Shell,
    /// What is passed to it with `-c`: the command line, with `exec ` before it where that is safe (S1.6).
    pub shell_line: Vec<u8>,
    /// Whether a shell of ours stays the leader of the group: the line could not be given to `exec`.
    pub own_shell: bool,
    /// The whole environment, nothing is inherited besides.
    pub environment: Environment,
    /// The port it is to listen on, if it is up only then (S6.2).
    pub awaited_port: Option<u16>,
    /// The working directory.
    pub directory: PathBuf,
    /// Where the streams go.
    pub io: Io,
    /// Whose keyboard it is; with [`Focus::Keyboard`] the streams are a terminal.
    pub focus: Focus,
    /// Whether it finds its stdin at the end at once, also where the other streams are a terminal: nobody can answer what
    /// it asks there.
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
