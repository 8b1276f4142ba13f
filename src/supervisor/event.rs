//! All that can happen to the supervisor.

use core::net::IpAddr;
use std::fmt;
use std::time::Duration;

use crate::app::{ExitStatus, LeftRunning, RunId};

/// Something happened. Reports about a process carry the number of its run; a report about an older run changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Begin: the formation is wanted.
    Boot,
    /// The guardian started a run and its exec succeeded.
    Spawned {
        /// Which run.
        run: RunId,
        /// Its process id, for display only.
        pid: i32,
    },
    /// The guardian could not start a run; nothing of it exists.
    SpawnFailed {
        /// Which run.
        run: RunId,
        /// What the system said.
        why: SpawnFailure,
    },
    /// The leader of a run ended; others of its group may still live.
    Exited {
        /// Which run.
        run: RunId,
        /// How the leader ended.
        exit: ExitStatus,
        /// What it left running, if nothing had asked it to end (S6.10).
        left: Vec<LeftRunning>,
    },
    /// A run is gone, and a process that it or another dyno left behind lives on: nothing says whose it is (S6.10).
    LeftBehind {
        /// The run that is gone.
        run: RunId,
        /// The dynos it may come from, as `web.1`.
        dynos: Vec<String>,
        /// The process.
        process: LeftRunning,
    },
    /// Nothing of a run is left: its group and its marked sessions are empty.
    Gone {
        /// Which run.
        run: RunId,
    },
    /// A run listens on its port (S6.2).
    Ready {
        /// Which run.
        run: RunId,
        /// Where it answers on this machine.
        address: IpAddr,
        /// Whether only this machine can reach it there.
        loopback_only: bool,
    },
    /// A run does not listen on its port, and nobody looks any more (S6.2).
    NotReady {
        /// Which run.
        run: RunId,
        /// How long it was looked at.
        after: Duration,
    },
    /// What came of `Effect::Ask`, told when it changes, until the answer is right.
    Answer {
        /// Which run.
        run: RunId,
        /// Where it was asked.
        address: IpAddr,
        /// What came.
        answer: HttpAnswer,
    },
    /// The answer to `Effect::FindListener`, if there is one: a run listens on another port than its own.
    ListensElsewhere {
        /// Which run.
        run: RunId,
        /// Where.
        port: u16,
    },
    /// The guardian killed a run and 2 s later some of it was still there.
    Unkillable {
        /// Which run.
        run: RunId,
        /// The process that stays, as `pid (command)`.
        survivor: String,
    },
    /// `dyno` itself received a signal.
    Signal(UserSignal),
    /// The user pressed a key while the keyboard belongs to a run.
    Key {
        /// Which run.
        run: RunId,
        /// Which key.
        key: Key,
    },
    /// `dyno` was suspended for this long and goes on now.
    Resumed {
        /// How long every deadline stood still.
        paused_for: Duration,
    },
    /// Nobody can read what the dynos say any more.
    OutputLost(OutputLoss),
    /// A deadline passed.
    Tick,
}

impl Event {
    /// Which run reports it. A key is the user's: what follows from it does not wait for the words of the dyno.
    pub(super) fn run(&self) -> Option<RunId> {
        match self {
            Self::Spawned { run, .. }
            | Self::SpawnFailed { run, .. }
            | Self::Exited { run, .. }
            | Self::LeftBehind { run, .. }
            | Self::Gone { run }
            | Self::Ready { run, .. }
            | Self::NotReady { run, .. }
            | Self::Answer { run, .. }
            | Self::ListensElsewhere { run, .. }
            | Self::Unkillable { run, .. } => Some(*run),
            Self::Boot
            | Self::Signal(_)
            | Self::Key { .. }
            | Self::Resumed { .. }
            | Self::OutputLost(_)
            | Self::Tick => None,
        }
    }
}

/// A signal `dyno` received (S12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserSignal {
    /// SIGINT: Ctrl-C.
    Int,
    /// SIGTERM.
    Term,
    /// SIGHUP: the terminal was closed.
    Hup,
    /// SIGQUIT: Ctrl-\.
    Quit,
    /// SIGTSTP: Ctrl-Z.
    Tstp,
    /// SIGUSR1, passed on.
    Usr1,
    /// SIGUSR2, passed on.
    Usr2,
}

impl fmt::Display for UserSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Int => "SIGINT",
            Self::Term => "SIGTERM",
            Self::Hup => "SIGHUP",
            Self::Quit => "SIGQUIT",
            Self::Tstp => "SIGTSTP",
            Self::Usr1 => "SIGUSR1",
            Self::Usr2 => "SIGUSR2",
        })
    }
}

/// What a key means to us while the keyboard belongs to a dyno.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Ctrl-C, or what the user's terminal has in its place.
    Interrupt,
    /// Any other: it went to the dyno.
    Other,
}

/// What came of an HTTP request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpAnswer {
    /// An answer with this status.
    Status(u16),
    /// None.
    None(HttpSilence),
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpSilence {
    /// There was no connection.
    Refused,
    /// The connection was closed before there was an answer.
    Closed,
    /// What came is no answer of HTTP.
    NotHttp,
    /// Nothing came for too long, or not all of the first line.
    Slow,
}

/// Why stdout cannot be written any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputLoss {
    /// The reader closed the pipe or the terminal is gone: stop quietly, 141.
    Closed,
    /// The system refused the write (disk full): stop, 74. The runtime prints the reason.
    Failed,
}

/// Why a run could not be started, in words fit for a message: `cannot start /bin/sh: No such file or directory`.
///
/// Never holds a value of the environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SpawnFailure(pub String);
