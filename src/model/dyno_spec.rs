//! Describes what the guardian starts: command, environment, directory and streams of a dyno.

use std::path::PathBuf;
use std::sync::Arc;

use super::{DynoName, Environment, RunId};

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

/// Everything that all runs of one dyno have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynoSpec {
    /// The dyno name.
    pub dyno: DynoName,
    /// The command line as written in the Procfile, for messages.
    pub command_line: Arc<str>,
    /// The shell that runs the shell line.
    pub shell: Shell,
    /// The argument of `-c`: the command line, with `exec ` before it if that is safe (S1.6).
    pub shell_line: Vec<u8>,
    /// Whether the shell stays the leader of the process group, because `exec` could not be used.
    pub own_shell: bool,
    /// The whole environment; nothing else is inherited.
    pub environment: Environment,
    /// The port that was assigned to it. None: it has none of its own.
    pub port: Option<u16>,
    /// The port on which it must listen before it is up, if its type is a ready type (S6.2).
    pub awaited_port: Option<u16>,
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
