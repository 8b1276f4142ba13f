//! Everything that the supervisor can order. The runtime performs it and decides nothing.

use crate::model::{DynoName, RunId, SpawnSpec};

use super::{Notice, Refusal, Reply, RequestId, UserSignal};

/// One order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Start a run.
    Spawn(SpawnSpec),
    /// Signal the processes of a run (S6.10).
    Signal {
        /// The run.
        run: RunId,
        /// What to send.
        signal: GroupSignal,
    },
    /// Show a notice, if it has a text in the chosen log format.
    Notify(Notice),
    /// Find out once, before any later effect is performed, on which port the processes of a run listen.
    /// `Event::ListensElsewhere` is the answer; there is none if no other port is found.
    FindListener {
        /// The run.
        run: RunId,
    },
    /// Type Ctrl-C into the terminal of a run.
    PassInterrupt {
        /// The run.
        run: RunId,
    },
    /// Answer a request. Each one gets exactly one reply.
    Reply {
        /// The request.
        request: RequestId,
        /// The answer.
        result: Result<Reply, Refusal>,
    },
    /// A dyno was removed: show what is left of its output and close its files. No later effect is about it.
    Retire {
        /// The dyno.
        dyno: DynoName,
    },
    /// Suspend `dyno` itself after a SIGTSTP; `Event::Resumed` follows.
    Suspend,
    /// The guardian did not answer in time: kill it, stop the remaining processes in its place and exit with
    /// `Status::Internal`.
    ReplaceGuardian,
    /// All runs are gone: stop remaining descendants, flush the output and exit.
    Finish(Outcome),
}

/// What is sent to the processes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupSignal {
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
    /// SIGKILL, repeated by the guardian until no process is left.
    Kill,
    /// SIGSTOP.
    Pause,
    /// SIGCONT.
    Continue,
    /// SIGUSR1 or SIGUSR2 (only those two are sent this way), except to a leader that is `dyno`'s own `sh`.
    User(UserSignal),
}

/// How `dyno` ends (S11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Exit with this code.
    Code(u8),
    /// Die by the signal that requested the end.
    Signal(UserSignal),
}
