//! One dyno of the plan: what is wanted of it, what is true of it, and what it has been through.
//!
//! Moves a single dyno and writes down the orders for its run. What an end means for the others is decided by
//! `Supervisor`.

use std::sync::Arc;
use std::time::Duration;

use crate::app::{DynoName, DynoSpec, ExitStatus, Focus, LeftRunning, Now, ProcessType, RunId};
use crate::error::Status;

use super::PublicState;
use super::dyno_state::{DynoState, Ending, Ordered};
use super::restart::CrashCount;
use super::{About, Effect, GroupSignal, Notice, NoticeKind, Policy};

/// A guardian answers to SIGKILL within 2 s, be it with `Unkillable`; one second more and it is wedged.
const ANSWER_TO_KILL: Duration = Duration::from_secs(3);

/// The handling of one event: its moment, and the effects so far.
pub(super) struct Turn {
    pub(super) now: Now,
    pub(super) effects: Vec<Effect>,
    /// The dyno that what is said about the formation follows from.
    subject: Option<DynoName>,
}

impl Turn {
    /// `subject`: the dyno the event is about.
    pub(super) fn new(now: Now, subject: Option<DynoName>) -> Self {
        Self { now, effects: Vec::new(), subject }
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
        self.order(Effect::Notify(Notice { about: About::Formation { after: self.subject.clone() }, kind }));
    }
}

fn killed(turn: &Turn) -> Ordered {
    Ordered::Kill { answer_by: turn.now.mono.saturating_add(ANSWER_TO_KILL) }
}

/// What a dyno is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The release phase: runs once, before all others (S8).
    Release,
    /// Part of the formation.
    Formation,
    /// Runs once, beside the formation, when it is told to.
    Command,
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
    pub(super) stop_rules: StopRules,
}

/// How the runs of a dyno are told to end (S6.6).
#[derive(Debug, Clone, Copy)]
pub(super) struct StopRules {
    pub(super) signal: i32,
    /// Whether all its processes get the signal at once.
    everything: bool,
    /// When those that have not had it get it.
    rest_after: Option<Duration>,
    grace: Duration,
}

impl StopRules {
    fn new(process_type: &ProcessType, policy: &Policy) -> Self {
        let everything = policy.stops_everything(process_type);
        Self {
            signal: policy.stop_signal(process_type),
            everything,
            rest_after: policy.stop_rest_after().filter(|_| !everything),
            grace: policy.grace,
        }
    }

    fn ordered(self, now: Duration) -> Ordered {
        let rest_at = self.rest_after.map(|after| now.saturating_add(after));
        Ordered::Stop { rest_at, kill_at: now.saturating_add(self.grace) }
    }

    fn group_signal(self) -> GroupSignal {
        GroupSignal::Stop { signal: self.signal, everything: self.everything }
    }
}

impl Slot {
    pub(super) fn new(spec: Arc<DynoSpec>, role: Role, policy: &Policy) -> Self {
        let stop_rules = StopRules::new(&spec.dyno.process_type, policy);
        Self {
            spec,
            role,
            wanted: false,
            state: DynoState::Down,
            crashes: CrashCount::default(),
            restarts: 0,
            last_exit: None,
            since: jiff::Timestamp::UNIX_EPOCH,
            stop_rules,
        }
    }

    /// Changes the state. If that is to be seen from outside, it is said, and the time of it is kept. The only way to
    /// another state, so that no change goes untold.
    pub(super) fn enter(&mut self, state: DynoState, turn: &mut Turn) {
        let (from, to) = (self.state.public(), state.public());
        self.state = state;
        if from == to {
            return;
        }
        self.since = turn.now.wall;
        if let Some(kind) = self.change(from, to) {
            self.notify(kind, turn);
        }
    }

    /// What the platform logs about a change of the public state.
    fn change(&self, from: PublicState, to: PublicState) -> Option<NoticeKind> {
        match from {
            // A dyno is created in the state `starting`: its first line is the one with its command. One that is down
            // and cannot be killed says so itself.
            PublicState::Down => return None,
            PublicState::Crashed | PublicState::Starting | PublicState::Up => {}
        }
        let has_ended = match to {
            PublicState::Down | PublicState::Crashed => true,
            PublicState::Starting | PublicState::Up => false,
        };
        Some(match (self.role, has_ended) {
            (Role::Release | Role::Command, true) => NoticeKind::Completed { from },
            (Role::Release | Role::Command, false) | (Role::Formation, true | false) => {
                NoticeKind::StateChanged { from, to }
            }
        })
    }

    /// Shows a line about it.
    pub(super) fn notify(&self, kind: NoticeKind, turn: &mut Turn) {
        turn.subject = Some(self.spec.dyno.clone());
        turn.order(Effect::Notify(Notice { about: About::Dyno(self.spec.dyno.clone()), kind }));
    }

    /// Shows how a leader ended and remembers it. `left`: what it left running, which is stopped too.
    pub(super) fn record_exit(&mut self, exit: ExitStatus, left: Vec<LeftRunning>, turn: &mut Turn) {
        self.last_exit = Some(exit);
        match left.iter().find(|process| process.port.is_some()) {
            Some(process) => self.notify(NoticeKind::ExitedListening { exit, process: process.clone() }, turn),
            None => self.notify(NoticeKind::Exited(exit), turn),
        }
        if !left.is_empty() && left.iter().all(|process| process.port.is_none()) {
            self.notify(NoticeKind::LeftRunning(left), turn);
        }
        if exit == ExitStatus::Code(Status::NotFound.code()) {
            self.notify(NoticeKind::CommandNotFound, turn);
        }
    }

    /// What is seen of it from the moment it was told to end until its leader did: for the platform a dyno of the
    /// formation is down once that was asked for, a release phase and a command are up until they
    /// are complete.
    fn shown_while_ending(&self) -> PublicState {
        match self.role {
            Role::Formation => PublicState::Down,
            Role::Release | Role::Command => self.state.public(),
        }
    }

    /// Tells a run that nobody has told yet to stop. Allowed before `Spawned` too: the guardian takes orders in sequence.
    pub(super) fn stop(&mut self, turn: &mut Turn) {
        match self.state {
            DynoState::Starting { run, .. } | DynoState::Booting { run, .. } | DynoState::Up { run, .. } => {
                let (pid, shown) = (self.state.pid(), self.shown_while_ending());
                let ordered = self.stop_rules.ordered(turn.now.mono);
                self.enter(DynoState::Stopping { run, pid, ordered, ending: Ending::Asked, shown }, turn);
                self.notify(NoticeKind::StoppingProcesses { signal: self.stop_rules.signal }, turn);
                turn.signal(run, self.stop_rules.group_signal());
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

    /// Its leader ended by itself: what that left running is stopped too, since it may hold the port and would outlive it.
    pub(super) fn clear(&mut self, run: RunId, ending: Ending, turn: &mut Turn) {
        let ordered = self.stop_rules.ordered(turn.now.mono);
        self.enter(DynoState::Clearing { run, ordered, ending }, turn);
        turn.signal(run, self.stop_rules.group_signal());
    }

    /// Its grace is nearly over: all that have not had the stop signal get it.
    pub(super) fn stop_rest(&mut self, turn: &mut Turn) {
        let told = |kill_at| Ordered::Stop { rest_at: None, kill_at };
        let (run, state) = match self.state {
            DynoState::Stopping { run, pid, ordered: Ordered::Stop { kill_at, .. }, ending, shown } => {
                (run, DynoState::Stopping { run, pid, ordered: told(kill_at), ending, shown })
            }
            DynoState::Clearing { run, ordered: Ordered::Stop { kill_at, .. }, ending } => {
                (run, DynoState::Clearing { run, ordered: told(kill_at), ending })
            }
            DynoState::Stopping { ordered: Ordered::Kill { .. }, .. }
            | DynoState::Clearing { ordered: Ordered::Kill { .. }, .. }
            | DynoState::Starting { .. }
            | DynoState::Booting { .. }
            | DynoState::Up { .. }
            | DynoState::Down
            | DynoState::Backoff { .. }
            | DynoState::Crashed
            | DynoState::Lost => return,
        };
        self.enter(state, turn);
        turn.signal(run, GroupSignal::StopRest);
    }

    /// Kills its run, if it has one and that was not done before: the guardian repeats the signal by itself.
    pub(super) fn kill(&mut self, turn: &mut Turn) {
        let killed = killed(turn);
        let (run, state, kind) = match self.state {
            DynoState::Starting { run, .. } | DynoState::Booting { run, .. } | DynoState::Up { run, .. } => {
                let (pid, shown) = (self.state.pid(), self.shown_while_ending());
                let state = DynoState::Stopping { run, pid, ordered: killed, ending: Ending::Asked, shown };
                (run, state, NoticeKind::KillingProcess)
            }
            DynoState::Stopping { run, pid, ordered: Ordered::Stop { .. }, ending, shown } => {
                let state = DynoState::Stopping { run, pid, ordered: killed, ending, shown };
                (run, state, NoticeKind::KillingRemaining)
            }
            DynoState::Clearing { run, ordered: Ordered::Stop { .. }, ending } => {
                (run, DynoState::Clearing { run, ordered: killed, ending }, NoticeKind::KillingRemaining)
            }
            DynoState::Stopping { ordered: Ordered::Kill { .. }, .. }
            | DynoState::Clearing { ordered: Ordered::Kill { .. }, .. }
            | DynoState::Down
            | DynoState::Backoff { .. }
            | DynoState::Crashed
            | DynoState::Lost => return,
        };
        self.enter(state, turn);
        self.notify(kind, turn);
        turn.signal(run, GroupSignal::Kill);
    }

    /// When it is killed unless it is up by then (R10); None: it may take its time.
    pub(super) fn boot_deadline(&self, policy: &Policy, turn: &Turn) -> Option<Duration> {
        // Someone sits in a debugger before it listens (S6.8).
        let limit = policy.boot_timeout.filter(|_| self.spec.focus != Focus::Keyboard)?;
        (self.role == Role::Formation).then(|| turn.now.mono.saturating_add(limit))
    }

    /// Kills it because it is not up in time. Until its leader ends it is seen as what it was.
    pub(super) fn kill_for_not_being_up(&mut self, after: Duration, ending: Ending, turn: &mut Turn) {
        match self.state {
            DynoState::Starting { run, .. } => {
                let why = "still waits for its program to be executed".to_owned();
                self.notify(NoticeKind::NotAnswering { why, after }, turn);
                self.kill_late(run, ending, turn);
            }
            DynoState::Booting { run, .. } => {
                let process_type = self.spec.dyno.process_type.clone();
                self.notify(NoticeKind::BootTimeout { process_type, after }, turn);
                turn.order(Effect::FindListener { run });
                self.kill_late(run, ending, turn);
            }
            // Nobody waits for it to listen.
            DynoState::Up { .. }
            | DynoState::Stopping { .. }
            | DynoState::Clearing { .. }
            | DynoState::Down
            | DynoState::Backoff { .. }
            | DynoState::Crashed
            | DynoState::Lost => {}
        }
    }

    fn kill_late(&mut self, run: RunId, ending: Ending, turn: &mut Turn) {
        let (pid, shown) = (self.state.pid(), self.state.public());
        self.notify(NoticeKind::KillingProcess, turn);
        turn.signal(run, GroupSignal::Kill);
        self.enter(DynoState::Stopping { run, pid, ordered: killed(turn), ending, shown }, turn);
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
}
