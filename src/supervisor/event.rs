//! Everything that the supervisor reacts to.

use core::net::{IpAddr, SocketAddr};
use std::fmt;
use std::time::Duration;

use crate::model::{RunId, RunReport};

use super::{Command, KeyboardSign, RequestId};

/// One thing that happened. Reports about a process carry its run, because a report about an older run changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Start the release command, if there is one, and then the formation.
    Boot,
    /// Something has happened to the processes of a run.
    Run(RunId, RunReport),
    /// A run has done what its `Readiness` requires: it listens on its port, and gave the expected answer (S6.2).
    Ready {
        /// The run.
        run: RunId,
        /// The address at which it can be reached on this machine.
        address: IpAddr,
        /// Whether it listens on loopback addresses only.
        loopback_only: bool,
    },
    /// A run did not do that in time, and the runtime has stopped looking (S6.2).
    NotReady {
        /// The run.
        run: RunId,
        /// How long the runtime looked.
        after: Duration,
    },
    /// A run listens, but has not given the expected answer over HTTP. Sent when it begins to listen, and whenever its
    /// answer changes.
    NotAnswering {
        /// The run.
        run: RunId,
        /// Its last answer. None: it has not answered yet.
        answer: Option<HttpAnswer>,
    },
    /// A run listens on these addresses and on no others. Each port has one address: the one at which the run can be
    /// reached best. Sent when that changes, as long as
    /// [`Supervisor::listen_interest`](super::Supervisor::listen_interest) says that something depends on it.
    Listens {
        /// The run.
        run: RunId,
        /// The addresses.
        at: Vec<SocketAddr>,
    },
    /// The answer to `Effect::FindListener`, if there is one: a run listens on a port other than its own.
    ListensElsewhere {
        /// The run.
        run: RunId,
        /// The port.
        port: u16,
    },
    /// A run waits for someone to type (S6.8, S10.5).
    NeedsKeyboard {
        /// Which run.
        run: RunId,
        /// How that shows.
        sign: KeyboardSign,
    },
    /// The answer to `Effect::Drain`: a run has answered its requests.
    Drained {
        /// The run.
        run: RunId,
    },
    /// From now on clients reach the dynos through a router, which counts their requests.
    Routed {
        /// How long a dyno whose stop is requested may answer its requests.
        drain: Duration,
    },
    /// `dyno` itself received a signal.
    Signal(UserSignal),
    /// The user pressed a key while the keyboard is connected to a run.
    Key {
        /// The run.
        run: RunId,
        /// The key.
        key: Key,
    },
    /// `dyno` was suspended and runs again.
    Resumed {
        /// How long it was suspended; every deadline moves by as much.
        paused_for: Duration,
    },
    /// The output of the dynos can no longer be written.
    OutputLost(OutputLoss),
    /// A front end asks for something; `Effect::Reply` is the answer.
    Request {
        /// The number of the request.
        id: RequestId,
        /// What it asks for.
        command: Command,
    },
    /// A deadline passed.
    Tick,
}

impl Event {
    /// The run that the event is about. None for a key: notices about it need not wait for the output of the dyno.
    #[must_use]
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::Run(run, _)
            | Self::Ready { run, .. }
            | Self::NotReady { run, .. }
            | Self::NotAnswering { run, .. }
            | Self::Listens { run, .. }
            | Self::ListensElsewhere { run, .. }
            | Self::NeedsKeyboard { run, .. }
            | Self::Drained { run } => Some(*run),
            Self::Boot
            | Self::Routed { .. }
            | Self::Signal(_)
            | Self::Key { .. }
            | Self::Resumed { .. }
            | Self::OutputLost(_)
            | Self::Request { .. }
            | Self::Tick => None,
        }
    }
}

/// A signal that `dyno` received (S12).
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
    /// SIGUSR1, passed on to the dynos.
    Usr1,
    /// SIGUSR2, passed on to the dynos.
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

/// What a key means to `dyno` while the keyboard is connected to a dyno.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Ctrl-C, or the interrupt character that the user's terminal has instead.
    Interrupt,
    /// Any other key: it went to the dyno.
    Other,
}

/// The result of an HTTP request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpAnswer {
    /// A response with this status.
    Status(u16),
    /// No response.
    None(HttpSilence),
}

/// Why there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpSilence {
    /// The connection was refused.
    Refused,
    /// The connection was closed before a response came.
    Closed,
    /// The bytes that came are not an HTTP response.
    NotHttp,
    /// The first line of a response did not come in time.
    Slow,
}

/// Why stdout can no longer be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputLoss {
    /// The reader closed the pipe, or the terminal is gone: stop quietly with `Status::OutputClosed`.
    Closed,
    /// The write failed, for example because the disk is full: stop with `Status::Output`. The runtime prints the
    /// reason.
    Failed,
}
