//! One dyno: its wanted state, its actual state and its history.
//!
//! Changes the state of a single dyno and collects the effects for its run. Not here: what the exit of a dyno means for
//! the others (`Supervisor`).

use core::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Status;
use crate::model::{DynoName, DynoSpec, ExitStatus, Focus, LeftRunning, Now, RunId, RunOrder};

use super::PublicState;
use super::address::AddressLine;
use super::dyno_state::{DynoState, Ordered, Rest, RunEnding, RunStage};
use super::life::Memory;
use super::restart::CrashCount;
use super::stop_rules::StopRules;
use super::{About, Effect, HttpAnswer, Notice, NoticeKind, Policy, Prevented, WhyNotUp};

/// The guardian answers a SIGKILL within 2 s, if only with `Unkillable`. One second more, and it is stuck.
const ANSWER_TO_KILL: Duration = Duration::from_secs(3);

/// The handling of one event: when it happened, and the effects so far.
pub(super) struct Turn {
    pub(super) now: Now,
    pub(super) effects: Vec<Effect>,
    /// The dyno whose event caused the formation-wide notices.
    subject: Option<DynoName>,
    /// The dynos that were removed. Reported at the end, because earlier effects may still be about them.
    retired: Vec<DynoName>,
}

impl Turn {
    /// `subject`: the dyno that the event is about.
    pub(super) fn new(now: Now, subject: Option<DynoName>) -> Self {
        Self { now, effects: Vec::new(), subject, retired: Vec::new() }
    }

    pub(super) fn order(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Puts formation-wide notices after everything that this dyno has written.
    pub(super) fn put_after(&mut self, dyno: Option<DynoName>) {
        self.subject = dyno;
    }

    /// A dyno was removed.
    pub(super) fn retire(&mut self, dyno: DynoName) {
        self.retired.push(dyno);
    }

    /// A dyno of this name exists again: it is not reported as removed, so its outputs stay.
    pub(super) fn keep(&mut self, dyno: &DynoName) {
        self.retired.retain(|retired| retired != dyno);
    }

    /// Reports the dynos that were removed.
    pub(super) fn report_retired(&mut self) {
        self.effects.extend(self.retired.drain(..).map(|dyno| Effect::Retire { dyno }));
    }

    /// Signals the processes of a run.
    pub(super) fn signal(&mut self, run: RunId, signal: RunOrder) {
        self.order(Effect::Signal { run, signal });
    }

    /// Shows a notice about the whole formation.
    pub(super) fn announce(&mut self, kind: NoticeKind) {
        self.order(Effect::Notify(Notice { about: About::Formation { after: self.subject.clone() }, kind }));
    }
}

fn killed(turn: &Turn) -> Ordered {
    Ordered::Kill { answer_by: turn.now.mono.saturating_add(ANSWER_TO_KILL) }
}

/// The purpose of a dyno.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Part of the formation.
    Formation,
    /// It runs once and is never restarted.
    OneOff(EndListener),
}

/// What reacts to the end of a dyno that runs once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndListener {
    /// The gate of the release phase (S8): the formation boots if it exits with 0.
    ReleaseGate,
    /// Only the log and the snapshot.
    Log,
}

/// What a dyno is supposed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    /// Run.
    Run,
    /// Stay down.
    Rest,
    /// End and be removed.
    Leave,
}

/// One dyno: its intent is kept apart from the fact (`state`).
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) spec: Arc<DynoSpec>,
    pub(super) role: Role,
    pub(super) intent: Intent,
    pub(super) state: DynoState,
    pub(super) crashes: CrashCount,
    /// The number of its last run. 0 before the first one.
    pub(super) last_run: u64,
    /// Restarts after crashes since the start or the last requested restart, for display only.
    pub(super) restarts: u32,
    pub(super) last_exit: Option<ExitStatus>,
    /// What people who ask about it want to know.
    pub(super) memory: Memory,
    /// When the public state last changed.
    pub(super) since: jiff::Timestamp,
    pub(super) stop_rules: StopRules,
    /// The grace that a request has named for the stop of this run. None: that of the policy.
    pub(super) named_grace: Option<Duration>,
    /// The wrong answers of the current run that the log has shown.
    pub(super) wrong_answers: Vec<HttpAnswer>,
    /// Where the current run listens, if something depends on that.
    pub(super) listens_at: Vec<SocketAddr>,
    pub(super) address_line: AddressLine,
    /// What the end of the last run meant. None before the first end, and from the next spawn on.
    pub(super) last_ending: Option<RunEnding>,
    /// Why it was not started when it was last wanted.
    pub(super) prevented: Option<Prevented>,
    /// The last run for which the log suggested `--focus`: once for each run is enough.
    pub(super) focus_suggested: Option<RunId>,
}

impl Slot {
    pub(super) fn new(spec: Arc<DynoSpec>, role: Role, policy: &Policy) -> Self {
        let stop_rules = StopRules::new(&spec.dyno.process_type, policy);
        Self {
            spec,
            role,
            intent: Intent::Rest,
            state: DynoState::Rest(Rest::Down),
            crashes: CrashCount::default(),
            last_run: 0,
            restarts: 0,
            last_exit: None,
            memory: Memory::default(),
            since: jiff::Timestamp::UNIX_EPOCH,
            stop_rules,
            named_grace: None,
            wrong_answers: Vec::new(),
            listens_at: Vec::new(),
            address_line: AddressLine::default(),
            last_ending: None,
            prevented: None,
            focus_suggested: None,
        }
    }

    /// Whether it is replaced if its command or its files change. True: it runs, is about to run, or has crashed.
    /// False: it starts later, was stopped on request, has ended as allowed, cannot start, or is leaving.
    pub(super) fn is_replaceable(&self) -> bool {
        match (self.intent, self.state) {
            (Intent::Run, DynoState::Alive(..) | DynoState::Rest(Rest::Backoff { .. } | Rest::Crashed))
            | (Intent::Rest, DynoState::Rest(Rest::Crashed)) => true,
            (Intent::Run | Intent::Rest | Intent::Leave, DynoState::Alive(..) | DynoState::Rest(_)) => false,
        }
    }

    /// Changes the state. If the public state changes, too, the time is recorded and a notice shown. Apart from
    /// `on_resumed`, which only moves its times, nothing else may set the state, so that every visible change is
    /// announced.
    pub(super) fn enter(&mut self, state: DynoState, turn: &mut Turn) {
        let (before, after) = (self.state.public(), state.public());
        let (from, to) = (self.state.logged(), state.logged());
        self.state = state;
        if before != after {
            self.since = turn.now.wall;
        }
        if from != to
            && let Some(kind) = self.change_notice(from, to)
        {
            self.notify(kind, turn);
        }
    }

    /// What the platform logs about a change of the public state.
    fn change_notice(&self, from: PublicState, to: PublicState) -> Option<NoticeKind> {
        match from {
            // A new dyno is created in the state `starting`: its first line is the one with its command. A dyno that is
            // down and turns out to be unkillable has its own notice.
            PublicState::Down => return None,
            PublicState::Crashed | PublicState::Starting | PublicState::Up => {}
        }
        let has_ended = match to {
            PublicState::Down | PublicState::Crashed => true,
            PublicState::Starting | PublicState::Up => false,
        };
        Some(match (self.role, has_ended) {
            // A release command that failed was completed when it crashed.
            (Role::OneOff(_), true) if from == PublicState::Crashed => return None,
            (Role::OneOff(_), true) => NoticeKind::Completed { from },
            (Role::OneOff(_), false) | (Role::Formation, true | false) => NoticeKind::StateChanged { from, to },
        })
    }

    /// Shows a notice about this dyno. From then on it is the subject of the turn.
    pub(super) fn notify(&self, kind: NoticeKind, turn: &mut Turn) {
        turn.subject = Some(self.spec.dyno.clone());
        turn.order(Effect::Notify(Notice { about: About::Dyno(self.spec.dyno.clone()), kind }));
    }

    /// Records and shows the exit of a leader. `left`: the processes that it left running, which are stopped too.
    pub(super) fn record_exit(&mut self, exit: ExitStatus, left: Vec<LeftRunning>, turn: &mut Turn) {
        self.record_end(exit, &left, turn);
        match left.iter().find(|process| process.port.is_some()) {
            Some(process) => self.notify(NoticeKind::ExitedListening { exit, process: process.clone() }, turn),
            None => self.notify(NoticeKind::Exited(exit), turn),
        }
        if !left.is_empty() && left.iter().all(|process| process.port.is_none()) {
            self.notify(NoticeKind::LeftRunning(left), turn);
        }
        if exit == ExitStatus::Code(Status::NotFound.code()) {
            self.notify(NoticeKind::CommandNotFound, turn);
        } else if exit == ExitStatus::Code(Status::NotExecutable.code()) {
            self.notify(NoticeKind::CommandNotExecutable, turn);
        }
    }

    /// Remembers the end of a run, or that it could not be started.
    pub(super) fn record_end(&mut self, exit: ExitStatus, left: &[LeftRunning], turn: &Turn) {
        self.last_exit = Some(exit);
        self.memory.record_end(exit, left, self.state, turn);
    }

    /// The public state between the order to stop and the exit of the leader. On the platform a dyno of the formation
    /// is down as soon as its stop is requested, and starting if it is replaced; a one-off dyno stays up until it is
    /// complete.
    fn shown_while_ending(&self, ending: RunEnding) -> PublicState {
        match self.role {
            Role::Formation => ending.public(),
            Role::OneOff(_) => self.state.public(),
        }
    }

    /// Stops a run, if that was not ordered before. Allowed before `Spawned`: the guardian works in sequence,
    /// and a run whose spawn was not sent to it yet never starts. `drain`: how long it may answer requests first, but no
    /// longer than a grace that the request has named.
    pub(super) fn stop(&mut self, ending: RunEnding, drain: Option<Duration>, turn: &mut Turn) {
        match self.state {
            DynoState::Alive(run, RunStage::Starting { .. } | RunStage::Booting { .. } | RunStage::Up { .. }) => {
                let (pid, shown) = (self.state.pid(), self.shown_while_ending(ending));
                let drain = drain.filter(|_| self.may_have_requests());
                let drain = drain.map(|limit| self.named_grace.map_or(limit, |grace| limit.min(grace)));
                let drain = drain.filter(|limit| !limit.is_zero());
                let ordered = match drain {
                    Some(limit) => Ordered::Drain { until: turn.now.mono.saturating_add(limit) },
                    None => self.stop_rules.ordered(turn.now.mono, self.named_grace),
                };
                self.enter(DynoState::Alive(run, RunStage::Stopping { pid, ordered, ending, shown }), turn);
                match drain {
                    Some(_) => turn.order(Effect::Drain { run }),
                    None => self.send_stop_signal(run, turn),
                }
            }
            // Stopped already (to many servers a second SIGTERM means `die now`), or there is no run.
            DynoState::Alive(_, RunStage::Stopping { .. } | RunStage::Clearing { .. }) | DynoState::Rest(_) => {}
        }
    }

    pub(super) fn send_stop_signal(&self, run: RunId, turn: &mut Turn) {
        self.notify(NoticeKind::StoppingProcesses { signal: self.stop_rules.signal }, turn);
        turn.signal(run, self.stop_rules.stop_order());
    }

    /// A later request names a grace for a run that is being stopped already: it can only become shorter.
    pub(super) fn hasten(&mut self, grace: Option<Duration>, turn: &mut Turn) {
        let DynoState::Alive(run, stage) = self.state else { return };
        let (Some(ordered), Some(named)) = (stage.ordered(), grace) else { return };
        let sooner = ordered.sooner(self.stop_rules.ordered(turn.now.mono, grace));
        self.named_grace = match ordered {
            // The grace begins later.
            Ordered::Drain { .. } => Some(named.min(self.named_grace.unwrap_or(self.stop_rules.grace))),
            Ordered::Stop { .. } | Ordered::Kill { .. } => grace,
        };
        self.enter(DynoState::Alive(run, stage.reordered(sooner)), turn);
    }

    /// The run is being stopped already: changes what its end will mean.
    pub(super) fn end_as(&mut self, ending: RunEnding, turn: &mut Turn) {
        let before = self.state.public();
        match self.state {
            DynoState::Alive(run, RunStage::Stopping { pid, ordered, .. }) => {
                let shown = self.shown_while_ending(ending);
                self.enter(DynoState::Alive(run, RunStage::Stopping { pid, ordered, ending, shown }), turn);
            }
            DynoState::Alive(run, RunStage::Clearing { ordered, .. }) => {
                self.enter(DynoState::Alive(run, RunStage::Clearing { ordered, ending }), turn);
            }
            DynoState::Alive(_, RunStage::Starting { .. } | RunStage::Booting { .. } | RunStage::Up { .. })
            | DynoState::Rest(_) => {}
        }
        // Not a new dyno, so the change from `down` is shown.
        let after = self.state.public();
        if before == PublicState::Down && after != before {
            self.notify(NoticeKind::StateChanged { from: before, to: after }, turn);
        }
    }

    /// The leader exited by itself: stops what it left running, which may hold the port and would live on. A stop that was
    /// requested before may have named the grace.
    pub(super) fn clear(&mut self, run: RunId, ending: RunEnding, turn: &mut Turn) {
        let ordered = self.stop_rules.ordered(turn.now.mono, self.named_grace);
        self.enter(DynoState::Alive(run, RunStage::Clearing { ordered, ending }), turn);
        turn.signal(run, self.stop_rules.stop_order());
    }

    /// The grace period is nearly over: sends the stop signal to the processes that have not received it.
    pub(super) fn stop_rest(&mut self, turn: &mut Turn) {
        let DynoState::Alive(run, stage) = self.state else { return };
        let Some(Ordered::Stop { kill_at, .. }) = stage.ordered() else { return };
        let rest_signalled = Ordered::Stop { rest_at: None, kill_at };
        self.enter(DynoState::Alive(run, stage.reordered(rest_signalled)), turn);
        turn.signal(run, RunOrder::StopRest);
    }

    /// Kills the run, if there is one and it was not killed before: the guardian repeats the signal by itself.
    pub(super) fn kill(&mut self, turn: &mut Turn) {
        let DynoState::Alive(run, stage) = self.state else { return };
        let killed = killed(turn);
        let (stage, kind) = match stage.ordered() {
            None => {
                let ending = RunEnding::Requested;
                let (pid, shown) = (self.state.pid(), self.shown_while_ending(ending));
                (RunStage::Stopping { pid, ordered: killed, ending, shown }, NoticeKind::KillingProcess)
            }
            Some(Ordered::Drain { .. }) => (stage.reordered(killed), NoticeKind::KillingProcess),
            Some(Ordered::Stop { .. }) => (stage.reordered(killed), NoticeKind::KillingRemaining),
            Some(Ordered::Kill { .. }) => return,
        };
        self.enter(DynoState::Alive(run, stage), turn);
        self.notify(kind, turn);
        turn.signal(run, RunOrder::Kill);
    }

    /// When the dyno is killed if it is not up (R10). None: there is no limit.
    pub(super) fn boot_deadline(&self, policy: &Policy, turn: &Turn) -> Option<Duration> {
        // The user may be in a debugger before the dyno listens (S6.5).
        let limit = policy.boot_timeout.filter(|_| self.spec.focus != Focus::Keyboard)?;
        (self.role == Role::Formation).then(|| turn.now.mono.saturating_add(limit))
    }

    /// Kills the dyno because it is not up in time. Its public state stays the same until its leader ends.
    pub(super) fn kill_for_not_being_up(&mut self, after: Duration, ending: RunEnding, turn: &mut Turn) {
        match self.state {
            DynoState::Alive(run, RunStage::Starting { .. }) => {
                let why = "is still waiting for its program to start".to_owned();
                self.notify(NoticeKind::NotAnswering { why, after }, turn);
                self.kill_before_up(run, ending, turn);
            }
            DynoState::Alive(run, RunStage::Booting { .. }) => {
                match self.why_not_up() {
                    Some(why @ WhyNotUp::NotAnswering { .. }) => {
                        self.notify(NoticeKind::NotAnswering { why: why.to_string(), after }, turn);
                    }
                    Some(WhyNotUp::Waits(_) | WhyNotUp::NotStarted | WhyNotUp::NotListening { .. }) | None => {
                        let process_type = self.spec.dyno.process_type.clone();
                        self.notify(NoticeKind::BootTimeout { process_type, after }, turn);
                        turn.order(Effect::FindListener { run });
                    }
                }
                self.kill_before_up(run, ending, turn);
            }
            // These states have no boot deadline.
            DynoState::Alive(_, RunStage::Up { .. } | RunStage::Stopping { .. } | RunStage::Clearing { .. })
            | DynoState::Rest(_) => {}
        }
    }

    fn kill_before_up(&mut self, run: RunId, ending: RunEnding, turn: &mut Turn) {
        let (pid, shown) = (self.state.pid(), self.state.public());
        self.notify(NoticeKind::KillingProcess, turn);
        turn.signal(run, RunOrder::Kill);
        self.enter(DynoState::Alive(run, RunStage::Stopping { pid, ordered: killed(turn), ending, shown }), turn);
    }

    /// Whether nothing is left of it. A dyno that is no longer wanted may leave a process that cannot be killed.
    pub(super) fn is_over(&self) -> bool {
        let is_left_alone = self.intent == Intent::Leave && self.state == DynoState::Rest(Rest::Lost);
        self.state == DynoState::Rest(Rest::Down) || is_left_alone
    }
}
