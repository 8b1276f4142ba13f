//! What happens to a run: the orders that the supervisor gives and the guardian carries out, and what the guardian reports.

use super::{ExitStatus, LeftRunning};

/// What is sent to the processes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunOrder {
    /// The stop signal, then SIGCONT, at most once to each process: first to the leader and, if it is a shell, to the
    /// programs that it runs; to the others when those have ended (S6.6).
    Stop {
        /// The signal number, usually SIGTERM.
        signal: i32,
        /// Whether all processes get it at once, like on the platform.
        everything: bool,
    },
    /// The stop signal, to the processes that have not received it.
    StopRest,
    /// SIGKILL, repeated until no process is left.
    Kill,
    /// SIGSTOP.
    Pause,
    /// SIGCONT.
    Continue,
    /// SIGWINCH.
    Resized,
    /// The signal of a key, to the group of the leader: what a terminal does if it controls the session.
    FromTerminal {
        /// The signal number.
        signal: i32,
    },
    /// SIGUSR1, except to a leader that is `dyno`'s own `sh`.
    Usr1,
    /// SIGUSR2, except to a leader that is `dyno`'s own `sh`.
    Usr2,
}

/// What the guardian reports about a run. The runtime reports two of these in its place: `SpawnFailed` if it cannot create
/// the streams, and `Gone` if the run was to end before its start was requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunReport {
    /// Its exec succeeded.
    Spawned {
        /// The process id of its leader, for display only.
        pid: i32,
    },
    /// It could not be started; nothing of it exists.
    SpawnFailed(SpawnFailure),
    /// Its leader ended; other processes of the run may still be alive.
    Exited {
        /// How the leader ended.
        exit: ExitStatus,
        /// The processes that it left running; empty if the run was asked to stop (S6.10).
        left: Vec<LeftRunning>,
    },
    /// It is gone, but a process is still alive that belongs to it or to another dyno: it is unknown which (S6.10).
    LeftBehind {
        /// The dynos that it may come from, such as `web.1`.
        dynos: Vec<String>,
        /// The process.
        process: LeftRunning,
    },
    /// No process of it is left (S6.10).
    Gone,
    /// It was sent SIGKILL, and 2 s later one of its processes is still alive.
    Unkillable {
        /// The process that survived, as `pid (command)`.
        survivor: String,
    },
}

/// Why a run could not be started, as message text: ``cannot execute `/bin/sh`: No such file or directory``.
///
/// Never contains the value of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SpawnFailure(pub String);
