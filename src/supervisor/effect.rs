//! All that the supervisor can order. The runtime performs it and decides nothing.

use crate::app::{RunId, SpawnSpec};

use super::{Notice, SmokePhase, UserSignal};

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Start a run.
    Spawn(SpawnSpec),
    /// Signal all that is left of a run: its group and the sessions that carry its marker.
    Signal {
        /// Which run.
        run: RunId,
        /// What to send.
        signal: GroupSignal,
    },
    /// Show a line of our own, where it has a text in the log format.
    Notify(Notice),
    /// Look once, before any later order is carried out, on which port the processes of a run listen;
    /// `Event::ListensElsewhere` is the answer. A hint for a person: where the system does not tell, there is none.
    FindListener {
        /// Which run.
        run: RunId,
    },
    /// Ask a run that listens over HTTP, again and again until the answer is right; `Event::Answer` follows.
    Ask {
        /// Which run.
        run: RunId,
    },
    /// A smoke enters a phase.
    EnterPhase(SmokePhase),
    /// Type Ctrl-C into the terminal of a run.
    PassInterrupt {
        /// Which run.
        run: RunId,
    },
    /// Stop ourselves as the terminal asked (SIGTSTP); `Event::Resumed` follows.
    Suspend,
    /// The guardian did not answer for too long: kill it and sweep in its place, then finish with 70.
    ReplaceGuardian,
    /// All runs are gone: sweep, flush, end.
    Finish(Outcome),
}

/// What is sent to a run's processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupSignal {
    /// The stop signal, then SIGCONT; at most once to each process, and to the rest when the first have ended (S6.6).
    Stop {
        /// Number of the signal, usually SIGTERM.
        signal: i32,
        /// Whether all processes get it at once, as on the platform.
        everything: bool,
    },
    /// The stop signal to all that have not had it.
    StopRest,
    /// SIGKILL, repeated by the guardian until nothing is left.
    Kill,
    /// SIGSTOP.
    Pause,
    /// SIGCONT.
    Continue,
    /// SIGUSR1 or SIGUSR2 (only those two are sent this way), except to a leader that is a shell of ours.
    User(UserSignal),
}

/// How `dyno` ends (S11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Exit with this code.
    Code(u8),
    /// Die by the signal that asked for the end.
    Signal(UserSignal),
}
