//! One dyno of the plan: what is wanted of it, what is true of it, and what it has been through.
//!
//! Moves a single dyno and writes down the orders for its run. What an end means for the others is decided by
//! `Supervisor`.

use std::sync::Arc;
use std::time::Duration;

use crate::app::{DynoSpec, ExitStatus, Now, RunId};

use super::dyno_state::{DynoState, Ending, Ordered};
use super::restart::CrashCount;
use super::snapshot::Row;
use super::{Effect, GroupSignal, Notice, NoticeKind, Policy};

/// A guardian answers to SIGKILL within 2 s, be it with `Unkillable`; one second more and it is wedged.
const ANSWER_TO_KILL: Duration = Duration::from_secs(3);

/// The handling of one event: its moment, and the effects so far.
pub(super) struct Turn {
    pub(super) now: Now,
    pub(super) effects: Vec<Effect>,
}

impl Turn {
    pub(super) fn new(now: Now) -> Self {
        Self { now, effects: Vec::new() }
    }

    pub(super) fn order(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Signals what is left of a run.
    pub(super) fn signal(&mut self, run: RunId, signal: GroupSignal) {
        self.order(Effect::Signal { run, signal });
    }

    /// Shows a line about the whole formation.
    pub(super) fn announce(&mut self, kind: NoticeKind) {
        self.order(Effect::Notify(Notice { about: None, kind }));
    }
}

/// What a dyno is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The release phase: runs once, before all others (S8).
    Release,
    /// Part of the formation.
    Formation,
}

/// One dyno: intent (`wanted`) apart from fact (`state`).
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) spec: Arc<DynoSpec>,
    pub(super) role: Role,
    pub(super) wanted: bool,
    pub(super) state: DynoState,
    pub(super) crashes: CrashCount,
    /// Restarts after crashes since the start, for display.
    pub(super) restarts: u32,
    pub(super) last_exit: Option<ExitStatus>,
    /// Since when the public state is what it is.
    pub(super) since: jiff::Timestamp,
    pub(super) stop_signal: i32,
}

impl Slot {
    pub(super) fn new(spec: Arc<DynoSpec>, role: Role, policy: &Policy) -> Self {
        let stop_signal = policy.stop_signal(&spec.dyno.process_type);
        Self {
            spec,
            role,
            wanted: false,
            state: DynoState::Down,
            crashes: CrashCount::default(),
            restarts: 0,
            last_exit: None,
            since: jiff::Timestamp::UNIX_EPOCH,
            stop_signal,
        }
    }

    /// Changes the state, and the time of the public one if that changes too.
    pub(super) fn enter(&mut self, state: DynoState, now: Now) {
        if self.state.public() != state.public() {
            self.since = now.wall;
        }
        self.state = state;
    }

    /// Shows a line about one of its runs.
    pub(super) fn notify(&self, run: RunId, kind: NoticeKind, turn: &mut Turn) {
        turn.order(Effect::Notify(Notice { about: Some((self.spec.dyno.clone(), run)), kind }));
    }

    /// Shows how a leader ended and remembers it.
    pub(super) fn record_exit(&mut self, run: RunId, exit: ExitStatus, turn: &mut Turn) {
        self.last_exit = Some(exit);
        self.notify(run, NoticeKind::Exited(exit), turn);
        if exit == ExitStatus::Code(127) {
            self.notify(run, NoticeKind::CommandNotFound, turn);
        }
    }

    /// Tells a run that nobody has told yet to stop. Allowed before `Spawned` too: the guardian takes orders in sequence.
    pub(super) fn stop(&mut self, grace: Duration, turn: &mut Turn) {
        match self.state {
            DynoState::Starting { run } | DynoState::Booting { run, .. } | DynoState::Up { run, .. } => {
                let stopping = DynoState::Stopping {
                    run,
                    pid: self.state.pid(),
                    ordered: self.order_stop(run, grace, turn),
                    ending: Ending::Asked,
                    shown: self.state.public(),
                };
                self.enter(stopping, turn.now);
            }
            // Told already (a second SIGTERM means `die now` to many servers), or nothing to tell.
            DynoState::Stopping { .. }
            | DynoState::Clearing { .. }
            | DynoState::Down
            | DynoState::Backoff { .. }
            | DynoState::Crashed
            | DynoState::Lost => {}
        }
    }

    /// Sends the stop signal of its type; the caller keeps the returned deadline in the state.
    pub(super) fn order_stop(&self, run: RunId, grace: Duration, turn: &mut Turn) -> Ordered {
        turn.signal(run, GroupSignal::Stop(self.stop_signal));
        Ordered::Stop { kill_at: turn.now.mono.saturating_add(grace) }
    }

    /// Kills its run, if it has one and that was not done before: the guardian repeats the signal by itself.
    pub(super) fn kill(&mut self, turn: &mut Turn) {
        let killed = Ordered::Kill { answer_by: turn.now.mono.saturating_add(ANSWER_TO_KILL) };
        let state = match self.state {
            DynoState::Starting { run } | DynoState::Booting { run, .. } | DynoState::Up { run, .. } => {
                let shown = self.state.public();
                DynoState::Stopping { run, pid: self.state.pid(), ordered: killed, ending: Ending::Asked, shown }
            }
            DynoState::Stopping { run, pid, ordered: Ordered::Stop { .. }, ending, shown } => {
                DynoState::Stopping { run, pid, ordered: killed, ending, shown }
            }
            DynoState::Clearing { run, ordered: Ordered::Stop { .. }, ending } => {
                DynoState::Clearing { run, ordered: killed, ending }
            }
            DynoState::Stopping { ordered: Ordered::Kill { .. }, .. }
            | DynoState::Clearing { ordered: Ordered::Kill { .. }, .. }
            | DynoState::Down
            | DynoState::Backoff { .. }
            | DynoState::Crashed
            | DynoState::Lost => return,
        };
        if let Some(run) = state.run() {
            turn.signal(run, GroupSignal::Kill);
        }
        self.enter(state, turn.now);
    }

    /// Whether it has a run that nobody has killed yet.
    pub(super) fn is_spared(&self) -> bool {
        match self.state {
            DynoState::Starting { .. } | DynoState::Booting { .. } | DynoState::Up { .. } => true,
            DynoState::Stopping { ordered, .. } | DynoState::Clearing { ordered, .. } => match ordered {
                Ordered::Stop { .. } => true,
                Ordered::Kill { .. } => false,
            },
            DynoState::Down | DynoState::Backoff { .. } | DynoState::Crashed | DynoState::Lost => false,
        }
    }

    /// Its line in the read model.
    pub(super) fn row(&self) -> Row {
        Row {
            dyno: self.spec.dyno.clone(),
            state: self.state.public(),
            since: self.since,
            pid: self.state.pid(),
            restarts: self.restarts,
            last_exit: self.last_exit,
        }
    }
}
