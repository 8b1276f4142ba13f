//! The states of one dyno, and what each of them says about deadlines and to the outside.
//!
//! ```text
//!  Down ──> Starting ──> Booting ──> Up          (a type that is not waited for skips Booting)
//!               └───────────┴─────────┤ asked to stop, or killed for not listening
//!                     exited unasked  │      v
//!                           │      Stopping ──> Clearing ──> Down | Backoff | Crashed
//!                           └───────────────────^                     └──> Starting
//! ```
//!
//! Leaving `Stopping` or `Clearing` takes `Gone` (or `Unkillable`, which ends in `Lost`), so that a new run never meets
//! the old one on its port (S6.7). Who moves a dyno: `Supervisor`, one `on_<event>` each.

use std::time::Duration;

use crate::app::{ExitStatus, RunId};

use super::PublicState;

/// What is true of a dyno. Each state carries what is needed in it and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DynoState {
    /// No run, and none is due.
    Down,
    /// The spawn was ordered; its program does not run yet. After `deadline` it is killed (R10): an exec can hang.
    Starting { run: RunId, deadline: Option<Duration> },
    /// Its exec succeeded; it does not listen yet. After `deadline` it is killed (R10).
    Booting { run: RunId, pid: i32, deadline: Option<Duration> },
    /// It is up since then (on the clock that counts no pause).
    Up { run: RunId, pid: i32, since: Duration },
    /// It was told to end; its leader may still live. `shown`: what the outside sees until the leader ends.
    Stopping { run: RunId, pid: Option<i32>, ordered: Ordered, ending: Ending, shown: PublicState },
    /// Its leader ended; others of its group may still live.
    Clearing { run: RunId, ordered: Ordered, ending: Ending },
    /// Its group is empty; it starts again at `until`.
    Backoff { until: Duration },
    /// It ended unasked, its group is empty, and it is not restarted.
    Crashed,
    /// A process of it could not be killed. Nothing more is expected of it, and it is never started again.
    Lost,
}

/// The last order given to a run that has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ordered {
    /// The stop signal; at `rest_at` all that have not had it get it, SIGKILL follows at `kill_at`.
    Stop { rest_at: Option<Duration>, kill_at: Duration },
    /// SIGKILL. A guardian that has not answered by `answer_by` is wedged.
    Kill { answer_by: Duration },
}

/// What the end of a run means, decided once: when it was asked for, or when it came unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It was asked for and counts for nothing (S6.3).
    Asked,
    /// It came by itself and is in order: the release command with 0, or a type that may end so.
    Done,
    /// It came by itself and is a crash.
    Crashed(ExitStatus),
}

/// What happens when the time of a state has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deadline {
    /// A dyno is not up in time: R10.
    Boot,
    /// The grace is nearly over: the stop signal to all that have not had it.
    Rest,
    /// The grace is over: SIGKILL.
    Kill,
    /// The guardian has not answered to a SIGKILL.
    Answer,
    /// A back-off is over.
    Restart,
}

impl DynoState {
    /// The run it has, from the order to spawn it until nothing of it is left.
    pub(super) fn run(self) -> Option<RunId> {
        match self {
            Self::Starting { run, .. }
            | Self::Booting { run, .. }
            | Self::Up { run, .. }
            | Self::Stopping { run, .. }
            | Self::Clearing { run, .. } => Some(run),
            Self::Down | Self::Backoff { .. } | Self::Crashed | Self::Lost => None,
        }
    }

    /// The process id of its leader while that lives.
    pub(super) fn pid(self) -> Option<i32> {
        match self {
            Self::Booting { pid, .. } | Self::Up { pid, .. } => Some(pid),
            Self::Stopping { pid, .. } => pid,
            Self::Down
            | Self::Starting { .. }
            | Self::Clearing { .. }
            | Self::Backoff { .. }
            | Self::Crashed
            | Self::Lost => None,
        }
    }

    /// Whether it has a run that nobody has told to end and whose leader lives.
    pub(super) fn may_be_stopped(self) -> bool {
        match self {
            Self::Starting { .. } | Self::Booting { .. } | Self::Up { .. } => true,
            Self::Down
            | Self::Stopping { .. }
            | Self::Clearing { .. }
            | Self::Backoff { .. }
            | Self::Crashed
            | Self::Lost => false,
        }
    }

    /// When something is due in this state, and what. At most one thing is.
    pub(super) fn deadline(self) -> Option<(Duration, Deadline)> {
        match self {
            Self::Starting { deadline, .. } | Self::Booting { deadline, .. } => deadline.map(|at| (at, Deadline::Boot)),
            Self::Stopping { ordered, .. } | Self::Clearing { ordered, .. } => Some(ordered.deadline()),
            Self::Backoff { until } => Some((until, Deadline::Restart)),
            Self::Down | Self::Up { .. } | Self::Crashed | Self::Lost => None,
        }
    }

    /// Whether this is due at `mono`.
    pub(super) fn is_due(self, wanted: Deadline, mono: Duration) -> bool {
        self.deadline().is_some_and(|(at, deadline)| deadline == wanted && at <= mono)
    }

    /// The same state after the clock stood still for `by`: every time in it moves along (S12, TSTP).
    pub(super) fn postponed(self, by: Duration) -> Self {
        match self {
            Self::Starting { run, deadline } => {
                Self::Starting { run, deadline: deadline.map(|at| at.saturating_add(by)) }
            }
            Self::Booting { run, pid, deadline } => {
                Self::Booting { run, pid, deadline: deadline.map(|at| at.saturating_add(by)) }
            }
            Self::Up { run, pid, since } => Self::Up { run, pid, since: since.saturating_add(by) },
            Self::Stopping { run, pid, ordered, ending, shown } => {
                Self::Stopping { run, pid, ordered: ordered.postponed(by), ending, shown }
            }
            Self::Clearing { run, ordered, ending } => Self::Clearing { run, ordered: ordered.postponed(by), ending },
            Self::Backoff { until } => Self::Backoff { until: until.saturating_add(by) },
            Self::Down | Self::Crashed | Self::Lost => self,
        }
    }

    /// The word of the Platform API for it.
    pub(super) fn public(self) -> PublicState {
        match self {
            Self::Down => PublicState::Down,
            Self::Starting { .. } | Self::Booting { .. } => PublicState::Starting,
            Self::Up { .. } => PublicState::Up,
            Self::Stopping { shown, .. } => shown,
            Self::Clearing { ending, .. } => ending.public(),
            Self::Backoff { .. } | Self::Crashed | Self::Lost => PublicState::Crashed,
        }
    }
}

impl Ordered {
    fn deadline(self) -> (Duration, Deadline) {
        match self {
            Self::Stop { rest_at: Some(rest_at), .. } => (rest_at, Deadline::Rest),
            Self::Stop { rest_at: None, kill_at } => (kill_at, Deadline::Kill),
            Self::Kill { answer_by } => (answer_by, Deadline::Answer),
        }
    }

    fn postponed(self, by: Duration) -> Self {
        match self {
            Self::Stop { rest_at, kill_at } => {
                Self::Stop { rest_at: rest_at.map(|at| at.saturating_add(by)), kill_at: kill_at.saturating_add(by) }
            }
            Self::Kill { answer_by } => Self::Kill { answer_by: answer_by.saturating_add(by) },
        }
    }
}

impl Ending {
    /// What the outside sees of a dyno whose leader ended so.
    pub(super) fn public(self) -> PublicState {
        match self {
            Self::Asked | Self::Done => PublicState::Down,
            Self::Crashed(_) => PublicState::Crashed,
        }
    }
}
