//! Everything that the supervisor can order. The runtime performs it and decides nothing.

use crate::model::{DynoName, RunId, RunOrder, SpawnSpec};

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
        signal: RunOrder,
    },
    /// Give a run no new requests, and say so with `Event::Drained` once it has answered those it has (S16.3).
    Drain {
        /// The run.
        run: RunId,
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

/// How `dyno` ends (S11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Exit with this code.
    Code(u8),
    /// Die by the signal that requested the end.
    Signal(UserSignal),
}
