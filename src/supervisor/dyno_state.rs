//! The states of one dyno, with the deadline and the public state that belong to each.
//!
//! ```text
//!  Down ──> (Waiting) ──> Starting ──> Booting ──> Up     (only a ready type passes through Booting)
//!               └───────────┴─────────┤ stop requested, or killed for not listening
//!                  exited by itself   │      v
//!                           │      Stopping ──> Clearing ──> Down | Backoff | Crashed
//!                           └───────────────────^                     └──> Starting
//!
//!  Down, Waiting, Backoff, Crashed and Lost are the states without a run (`Rest`), the others the stages of one
//!  (`RunStage`).
//! ```
//!
//! A dyno gets past `Stopping` and `Clearing` only when nothing of its run is left (`Gone`, or `SpawnFailed` if it
//! never started) or on `Unkillable`, which leads to `Lost`. From there only `Gone` leads on, so a new run never meets
//! the old one on its port (S6.7). Each event is handled by one `on_<event>` of `Supervisor`, and every change of the state
//! goes through `Slot::enter`.

use std::time::Duration;

use crate::model::{ExitStatus, RunId};

use super::PublicState;
use super::readiness::Awaited;

/// The actual state of a dyno.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DynoState {
    /// It has no run.
    Rest(Rest),
    /// Something of this run may be alive, from the order to spawn it until nothing of it is left.
    Alive(RunId, RunStage),
}

/// How far a run has come. Each variant carries only the data that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunStage {
    /// The spawn was ordered; its program does not run yet. It is killed at `deadline`, because an exec can hang.
    Starting { deadline: Option<Duration> },
    /// Its exec succeeded; it does not listen or answer yet. It is killed at `deadline` (R10).
    Booting { pid: i32, deadline: Option<Duration>, awaited: Awaited },
    /// It has been up since `since`, on a clock that excludes the time spent suspended.
    Up { pid: i32, since: Duration },
    /// Its end was ordered; its leader may still run. `shown`: its public state until the leader ends.
    Stopping { pid: Option<i32>, ordered: Ordered, ending: RunEnding, shown: PublicState },
    /// Its leader ended; other processes of the run may still be alive.
    Clearing { ordered: Ordered, ending: RunEnding },
}

/// Why a dyno has no run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// It never had one, or the last one ended as requested or allowed.
    Down,
    /// It is wanted, but others must be up before it starts (S6.12).
    Waiting,
    /// Nothing of the last run is left; it starts again at `until`.
    Backoff { until: Duration },
    /// It exited by itself, nothing of the run is left, and it is not restarted.
    Crashed,
    /// One of its processes could not be killed. It keeps its port and is not started again, unless that process ends
    /// after all.
    Lost,
}

/// The last order given to a run that must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ordered {
    /// To answer the requests that it has, but to get no new ones (S16.3). At `until` the stop signal follows, answered or
    /// not. No signal was sent yet.
    Drain { until: Duration },
    /// The stop signal. At `rest_at` it goes to the processes that have not received it; SIGKILL follows at `kill_at`.
    Stop { rest_at: Option<Duration>, kill_at: Duration },
    /// SIGKILL. If the guardian has not answered by `answer_by`, it is stuck.
    Kill { answer_by: Duration },
}

/// What the end of a run means. Decided once: when the end is requested, or else when the leader exits by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunEnding {
    /// It was requested, so its status does not matter (S6.3).
    Requested,
    /// It was requested, and the dyno starts again as soon as nothing of the run is left.
    Replaced,
    /// It was not requested but is allowed: the release command with 0, a type of `--can-die`, or any other one-off dyno.
    Done,
    /// It was not requested and is a crash.
    Crashed(ExitStatus),
}

/// What happens when the deadline of a state passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deadline {
    /// The dyno is not up in time: R10.
    Boot,
    /// The dyno has had enough time for its requests: the stop signal is sent.
    Drain,
    /// The grace period is nearly over: the stop signal goes to the processes that have not received it.
    Rest,
    /// The grace period is over: SIGKILL.
    Kill,
    /// The guardian has not answered a SIGKILL.
    Answer,
    /// The back-off is over.
    Restart,
}

impl DynoState {
    /// Its current run, from the order to spawn it until nothing of it is left.
    pub(super) fn run(self) -> Option<RunId> {
        match self {
            Self::Alive(run, _) => Some(run),
            Self::Rest(_) => None,
        }
    }

    /// The process id of its leader while it is alive.
    pub(super) fn pid(self) -> Option<i32> {
        match self {
            Self::Alive(_, stage) => stage.pid(),
            Self::Rest(_) => None,
        }
    }

    /// Whether it has a run whose leader is alive and which has not been sent its stop signal.
    pub(super) fn may_be_stopped(self) -> bool {
        match self {
            Self::Alive(_, stage) => match stage.ordered() {
                None | Some(Ordered::Drain { .. }) => true,
                Some(Ordered::Stop { .. } | Ordered::Kill { .. }) => false,
            },
            Self::Rest(_) => false,
        }
    }

    /// Whether it has a run that has not been killed yet.
    pub(super) fn may_be_killed(self) -> bool {
        match self {
            Self::Alive(_, stage) => match stage.ordered() {
                None | Some(Ordered::Drain { .. } | Ordered::Stop { .. }) => true,
                Some(Ordered::Kill { .. }) => false,
            },
            Self::Rest(_) => false,
        }
    }

    /// The deadline of this state and what is due then, if anything.
    pub(super) fn deadline(self) -> Option<(Duration, Deadline)> {
        match self {
            Self::Alive(_, RunStage::Starting { deadline } | RunStage::Booting { deadline, .. }) => {
                deadline.map(|at| (at, Deadline::Boot))
            }
            Self::Alive(_, RunStage::Stopping { ordered, .. } | RunStage::Clearing { ordered, .. }) => {
                Some(ordered.deadline())
            }
            Self::Rest(Rest::Backoff { until }) => Some((until, Deadline::Restart)),
            Self::Alive(_, RunStage::Up { .. })
            | Self::Rest(Rest::Down | Rest::Waiting | Rest::Crashed | Rest::Lost) => None,
        }
    }

    /// Whether this deadline has passed at `mono`.
    pub(super) fn is_due(self, wanted: Deadline, mono: Duration) -> bool {
        self.deadline().is_some_and(|(at, deadline)| deadline == wanted && at <= mono)
    }

    /// The same state after `dyno` was suspended for `by`: every time in it moves by as much (S12.2).
    pub(super) fn postponed(self, by: Duration) -> Self {
        match self {
            Self::Alive(run, stage) => Self::Alive(run, stage.postponed(by)),
            Self::Rest(Rest::Backoff { until }) => Self::Rest(Rest::Backoff { until: until.saturating_add(by) }),
            Self::Rest(Rest::Down | Rest::Waiting | Rest::Crashed | Rest::Lost) => self,
        }
    }

    /// Its public state in the log. There, a dyno that waits has not begun to start: the first line about it is the one
    /// with its command.
    pub(super) fn logged(self) -> PublicState {
        match self {
            Self::Rest(Rest::Waiting) => PublicState::Down,
            Self::Rest(Rest::Down | Rest::Backoff { .. } | Rest::Crashed | Rest::Lost) | Self::Alive(..) => {
                self.public()
            }
        }
    }

    /// Its state in the words of the Platform API.
    pub(super) fn public(self) -> PublicState {
        match self {
            Self::Rest(Rest::Down) => PublicState::Down,
            Self::Rest(Rest::Waiting) | Self::Alive(_, RunStage::Starting { .. } | RunStage::Booting { .. }) => {
                PublicState::Starting
            }
            Self::Alive(_, RunStage::Up { .. }) => PublicState::Up,
            Self::Alive(_, RunStage::Stopping { shown, .. }) => shown,
            Self::Alive(_, RunStage::Clearing { ending, .. }) => ending.public(),
            Self::Rest(Rest::Backoff { .. } | Rest::Crashed | Rest::Lost) => PublicState::Crashed,
        }
    }
}

impl RunStage {
    fn pid(self) -> Option<i32> {
        match self {
            Self::Booting { pid, .. } | Self::Up { pid, .. } => Some(pid),
            Self::Stopping { pid, .. } => pid,
            Self::Starting { .. } | Self::Clearing { .. } => None,
        }
    }

    /// The last order to end. None: it was given none.
    pub(super) fn ordered(self) -> Option<Ordered> {
        match self {
            Self::Stopping { ordered, .. } | Self::Clearing { ordered, .. } => Some(ordered),
            Self::Starting { .. } | Self::Booting { .. } | Self::Up { .. } => None,
        }
    }

    /// The same stage with another order to end. The same stage if the run has no such order.
    pub(super) fn reordered(self, ordered: Ordered) -> Self {
        match self {
            Self::Stopping { pid, ending, shown, .. } => Self::Stopping { pid, ordered, ending, shown },
            Self::Clearing { ending, .. } => Self::Clearing { ordered, ending },
            Self::Starting { .. } | Self::Booting { .. } | Self::Up { .. } => self,
        }
    }

    fn postponed(self, by: Duration) -> Self {
        let later = |at: Duration| at.saturating_add(by);
        match self {
            Self::Starting { deadline } => Self::Starting { deadline: deadline.map(later) },
            Self::Booting { pid, deadline, awaited } => Self::Booting { pid, deadline: deadline.map(later), awaited },
            Self::Up { pid, since } => Self::Up { pid, since: later(since) },
            Self::Stopping { ordered, .. } | Self::Clearing { ordered, .. } => self.reordered(ordered.postponed(by)),
        }
    }
}

impl Ordered {
    fn deadline(self) -> (Duration, Deadline) {
        match self {
            Self::Drain { until } => (until, Deadline::Drain),
            Self::Stop { rest_at: Some(rest_at), .. } => (rest_at, Deadline::Rest),
            Self::Stop { rest_at: None, kill_at } => (kill_at, Deadline::Kill),
            Self::Kill { answer_by } => (answer_by, Deadline::Answer),
        }
    }

    /// The same order, with each step no later than in the other one. A kill that was ordered stays.
    pub(super) fn sooner(self, other: Self) -> Self {
        match (self, other) {
            (Self::Stop { rest_at, kill_at }, Self::Stop { rest_at: other_rest, kill_at: other_kill }) => {
                // None means that the rest was signalled already.
                let rest_at = rest_at.and_then(|at| Some(at.min(other_rest?)));
                Self::Stop { rest_at, kill_at: kill_at.min(other_kill) }
            }
            (Self::Drain { until }, Self::Stop { kill_at, .. }) => Self::Drain { until: until.min(kill_at) },
            (Self::Drain { .. } | Self::Stop { .. } | Self::Kill { .. }, _) => self,
        }
    }

    fn postponed(self, by: Duration) -> Self {
        match self {
            Self::Drain { until } => Self::Drain { until: until.saturating_add(by) },
            Self::Stop { rest_at, kill_at } => {
                Self::Stop { rest_at: rest_at.map(|at| at.saturating_add(by)), kill_at: kill_at.saturating_add(by) }
            }
            Self::Kill { answer_by } => Self::Kill { answer_by: answer_by.saturating_add(by) },
        }
    }
}

impl RunEnding {
    /// The public state of a dyno whose leader has ended like this.
    pub(super) fn public(self) -> PublicState {
        match self {
            Self::Requested | Self::Done => PublicState::Down,
            Self::Replaced => PublicState::Starting,
            Self::Crashed(_) => PublicState::Crashed,
        }
    }
}
