//! What is remembered about a dyno for people who ask about it: how its last runs ended, when it starts again, and whether
//! it has been seen to listen and answer. Nothing is decided from it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{ExitStatus, LeftRunning, RunId};

use super::dyno_state::{DynoState, Ordered, Rest, RunEnding, RunStage};
use super::slot::Turn;

/// How many ends of runs are remembered for each dyno.
const MOST_ENDS: usize = 3;

/// How one run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastRun {
    /// When its leader ended.
    pub at: jiff::Timestamp,
    /// Its exit status; 126 if it could not be started.
    pub exit: ExitStatus,
    /// How long its program had run.
    pub ran_for: Duration,
    /// Whether its end was requested.
    pub requested: bool,
    /// What it left running.
    pub left: Vec<LeftRunning>,
}

/// The next restart of a crashed dyno.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextRestart {
    /// When it starts again.
    pub at: jiff::Timestamp,
    /// How long it waits in all.
    pub delay: Duration,
}

/// What exactly a dyno is doing. The public state has fewer words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LifeStage {
    /// It has no run: it ended as requested or allowed, or has never been started.
    #[default]
    Down,
    /// Others must be up before it starts (S6.12).
    Waiting,
    /// Its program is being started.
    Starting,
    /// Its program runs, but has not been seen to listen, or to give the expected answer.
    Booting,
    /// It is up.
    Up,
    /// It gets no new requests, and is stopped once it has answered those it has (S16.3).
    Draining,
    /// It has been sent its stop signal.
    Stopping,
    /// Its leader has ended, and what it left running is being stopped.
    Clearing,
    /// It crashed and will be started again.
    Backoff,
    /// It crashed and will not be started again.
    Crashed,
    /// One of its processes cannot be killed.
    Lost,
}

/// The past of a dyno, and what comes next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DynoLife {
    /// What exactly it is doing.
    pub stage: LifeStage,
    /// The port on which it is expected to listen (S6.2).
    pub expected_port: Option<u16>,
    /// Whether its run has been seen listening on that port.
    pub listens: bool,
    /// Whether its run has been seen to do all that is expected of it: listen, and answer if it must.
    pub ready: bool,
    /// The last ends of runs, newest first.
    pub ends: Vec<PastRun>,
    /// When it starts again, if it waits for that.
    pub next_restart: Option<NextRestart>,
}

impl DynoLife {
    /// Whether it listens, and answers if it must; true if it is not expected to. For clients that wait, a dyno is not
    /// up before that (S6.2).
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready || self.expected_port.is_none()
    }
}

/// What a slot remembers.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    /// When the program of the current run was started.
    started: Option<Duration>,
    /// The last run that has been seen listening.
    listening: Option<RunId>,
    /// The last run that has been seen to do all that is expected of it.
    ready: Option<RunId>,
    ends: Vec<PastRun>,
    next_restart: Option<NextRestart>,
}

impl Memory {
    pub(super) fn record_start(&mut self, turn: &Turn) {
        self.started = Some(turn.now.mono);
    }

    pub(super) fn record_listening(&mut self, run: RunId) {
        self.listening = Some(run);
    }

    pub(super) fn record_ready(&mut self, run: RunId) {
        (self.listening, self.ready) = (Some(run), Some(run));
    }

    /// The leader of a run has ended, or the run could not be started. `state`: the one before.
    pub(super) fn record_end(&mut self, exit: ExitStatus, left: &[LeftRunning], state: DynoState, turn: &Turn) {
        let requested = match state {
            DynoState::Alive(_, RunStage::Stopping { ending, .. } | RunStage::Clearing { ending, .. }) => {
                match ending {
                    RunEnding::Requested | RunEnding::Replaced => true,
                    RunEnding::Done | RunEnding::Crashed(_) => false,
                }
            }
            DynoState::Alive(_, RunStage::Starting { .. } | RunStage::Booting { .. } | RunStage::Up { .. })
            | DynoState::Rest(_) => false,
        };
        let ran_for = self.started.take().map_or(Duration::ZERO, |started| turn.now.mono.saturating_sub(started));
        self.ends.truncate(MOST_ENDS - 1);
        self.ends.insert(0, PastRun { at: turn.now.wall, exit, ran_for, requested, left: left.to_vec() });
    }

    pub(super) fn record_restart(&mut self, delay: Duration, turn: &Turn) {
        let at = turn.now.wall.checked_add(delay).unwrap_or(turn.now.wall);
        self.next_restart = Some(NextRestart { at, delay });
    }

    /// `dyno` was suspended: what is due comes as much later.
    pub(super) fn postpone(&mut self, by: Duration) {
        if let Some(next) = &mut self.next_restart {
            next.at = next.at.checked_add(by).unwrap_or(next.at);
        }
    }

    /// What is shown. `state`: the current one.
    pub(super) fn shown(&self, state: DynoState, expected_port: Option<u16>) -> DynoLife {
        let is_current = |seen: Option<RunId>| seen.is_some() && seen == state.run();
        DynoLife {
            stage: stage(state),
            expected_port,
            listens: is_current(self.listening),
            ready: is_current(self.ready),
            ends: self.ends.clone(),
            next_restart: self.next_restart.filter(|_| matches!(state, DynoState::Rest(Rest::Backoff { .. }))),
        }
    }
}

/// What a state means to people.
fn stage(state: DynoState) -> LifeStage {
    match state {
        DynoState::Rest(Rest::Down) => LifeStage::Down,
        DynoState::Rest(Rest::Waiting) => LifeStage::Waiting,
        DynoState::Rest(Rest::Backoff { .. }) => LifeStage::Backoff,
        DynoState::Rest(Rest::Crashed) => LifeStage::Crashed,
        DynoState::Rest(Rest::Lost) => LifeStage::Lost,
        DynoState::Alive(_, RunStage::Starting { .. }) => LifeStage::Starting,
        DynoState::Alive(_, RunStage::Booting { .. }) => LifeStage::Booting,
        DynoState::Alive(_, RunStage::Up { .. }) => LifeStage::Up,
        DynoState::Alive(_, RunStage::Stopping { ordered: Ordered::Drain { .. }, .. }) => LifeStage::Draining,
        DynoState::Alive(_, RunStage::Stopping { ordered: Ordered::Stop { .. } | Ordered::Kill { .. }, .. }) => {
            LifeStage::Stopping
        }
        DynoState::Alive(_, RunStage::Clearing { .. }) => LifeStage::Clearing,
    }
}
