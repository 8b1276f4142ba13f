//! Decides what happens to the dynos: a pure state machine.
//!
//! [`Supervisor::handle`] takes an event and returns the effects to perform; [`Supervisor::next_deadline`] says when to
//! call it again with [`Event::Tick`]. It uses no clock, channel or file and never acts on a process id itself. The
//! runtime performs the effects in order and decides nothing.
//!
//! Intent is kept apart from fact (`state`): events change one of them, `reconcile` moves facts toward intent. Dynos come
//! and go while others run: a [`Command`] changes the formation, and each one gets exactly one reply. What each other
//! event does in each state:
//!
//! | | Starting | Booting | Up | Stopping | Clearing | Down, Waiting, Backoff, Crashed, Lost |
//! |---|---|---|---|---|---|---|
//! | Spawned | Booting or Up | - | - | records the pid | - | - |
//! | `SpawnFailed` | crash, 126 | - | - | ended | - | - |
//! | Ready | - | Up | - | - | - | - |
//! | `NotAnswering` | - | each wrong answer is shown once | - | - | - | - |
//! | `NotReady` | - | Up if there is no boot timeout | - | - | - | - |
//! | `Listens` | - | recorded, reported once | recorded, reported once | - | - | - |
//! | `ListensElsewhere` | - | - | - | reported | reported | - |
//! | `NeedsKeyboard` | - | reported once | reported once | - | - | - |
//! | Drained | - | - | - | the stop signal, if none was sent | - | - |
//! | Exited | Clearing | Clearing | Clearing | Clearing | - | - |
//! | `LeftBehind` | reported | reported | reported | reported | reported | reported |
//! | Gone | ended | ended | ended | ended | ended | Crashed if Lost |
//! | Unkillable | - | - | - | Lost if killed | Lost if killed | - |
//! | Key (Ctrl-C) | stop all | passed on, then stop all | passed on, then stop all | stop all | stop all | stop all |
//! | Tick | kill | kill (R10) | - | stop signal, stop the rest, kill, report, replace guardian | same as Stopping | start again, report |
//!
//! "Ended" leads to Down, Backoff or Crashed. A report about a run that is not the dyno's current one changes nothing. After
//! each event, `settle_order` starts the dynos that waited for what has just happened.

mod address;
mod command;
mod deadlines;
mod deploy;
mod drain;
mod dyno_state;
mod effect;
mod event;
mod formation;
mod keyboard;
mod life;
mod notice;
mod notice_text;
mod order;
mod order_report;
mod policy;
mod readiness;
mod release_phase;
mod releases;
mod reports;
mod requests;
mod restart;
mod rollback;
mod shutdown;
mod slot;
mod slots;
mod snapshot;
mod stop_report;
mod stop_rules;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::app::Formation;
use crate::model::{DynoName, DynoSpec, Now, RunId, RunOrder, SpawnSpec};
use crate::release::{Blueprint, MovedPort, ReleaseFacts};

pub use address::ListenInterest;
pub use command::{Command, Refusal, Reply, RequestId, Restarted, Target};
pub use deploy::{Deploy, DeployOrigin};
pub use effect::{Effect, Outcome};
pub use event::{Event, HttpAnswer, HttpSilence, Key, OutputLoss, UserSignal};
pub use life::{DynoLife, LifeStage, NextRestart, PastRun};
pub use notice::{About, EndRequest, KeyboardSign, Notice, NoticeKind, StillRunning, StopCause};
pub use notice_text::{NoticeStyle, ended, release_line, rolled_back};
pub use order_report::{MissingDyno, Prevented, Unmet};
pub use policy::{CanDie, FocusAdvice, Lifetime, OnExit, Plan, Policy, RestartPolicy, StopAdvice, StopAll};
pub use readiness::WhyNotUp;
pub use releases::{ReleaseInfo, ReleaseStatus};
pub use snapshot::{DynoRole, PublicState, Quantity, Row, Snapshot, StartPhase};

pub(crate) use notice_text::{SignalName, seconds};
pub(crate) use reports::{NOT_STARTED, VANISHED};

use address::AddressLine;
use deploy::Later;
use dyno_state::{DynoState, Rest, RunEnding, RunStage};
use order::{Hold, holds};
use releases::Releases;
use shutdown::{Phase, Tally};
use slot::{EndListener, Intent, Role, Slot, Turn};
use slots::{Place, SlotId, Slots};

/// Decides what happens to the dynos of one start.
#[derive(Debug, Clone)]
pub struct Supervisor {
    policy: Policy,
    blueprint: Blueprint,
    /// How many dynos of each process type there should be.
    formation: Formation,
    /// The release command if there is one, then the formation in start order, then one-off dynos.
    slots: Slots,
    /// The dynos that were removed last, newest first, for people who ask about them.
    removed: VecDeque<Row>,
    /// The process types that start after others.
    holds: Vec<Hold>,
    last_run: u64,
    phase: Phase,
    releases: Releases,
    /// What clients see of the current release.
    facts: Arc<ReleaseFacts>,
    /// The same of the release that the files of the app described when they were read last.
    files: Arc<ReleaseFacts>,
    /// The process types that a new start would give other ports.
    moved_ports: Arc<Vec<MovedPort>>,
    /// The release whose release command runs while the formation goes on.
    deploying: Option<Later>,
    /// The release that comes after that.
    queued: Option<Later>,
    tally: Tally,
    /// Whether a Ctrl-C was passed to a dyno, with no other key since.
    interrupted: bool,
}

impl Supervisor {
    /// Creates a supervisor that waits for [`Event::Boot`]. Only a smoke test starts `plan.command`.
    #[must_use]
    pub fn new(plan: Plan, policy: Policy) -> Self {
        let Plan { blueprint, release, formation: dynos, command: _ } = plan;
        let formation = Formation::counted(blueprint.types(), dynos.iter().map(|spec| &spec.dyno.process_type));
        let runs_release = release.is_some();
        let release =
            release.into_iter().map(|spec| (Some(Place::Release), spec, Role::OneOff(EndListener::ReleaseGate)));
        let dynos = dynos
            .into_iter()
            .map(|spec| (blueprint.position(&spec.dyno.process_type).map(Place::Formation), spec, Role::Formation));
        let slots = release.chain(dynos).filter_map(|(place, spec, role)| {
            Some((SlotId { place: place?, index: spec.dyno.index }, Slot::new(spec, role, &policy)))
        });
        let slots = Slots::new(slots.collect::<Vec<_>>(), blueprint.shares_ports());
        let holds = holds(&blueprint.release().order);
        let facts = Arc::new(ReleaseFacts::of(blueprint.release()));
        let releases = Releases::new(Deploy {
            release: blueprint.release().clone(),
            listeners: blueprint.listeners(),
            added: formation.clone(),
            runs_release_command: runs_release,
            spare_ports: HashMap::new(),
            origin: DeployOrigin::Files,
        });
        Self {
            policy,
            blueprint,
            formation,
            slots,
            removed: VecDeque::new(),
            holds,
            last_run: 0,
            phase: Phase::Unbooted,
            releases,
            files: Arc::clone(&facts),
            facts,
            moved_ports: Arc::default(),
            deploying: None,
            queued: None,
            tally: Tally::default(),
            interrupted: false,
        }
    }

    /// Handles one event and returns the effects to perform, in order.
    ///
    /// After [`Effect::Suspend`] the next event must be [`Event::Resumed`]. After [`Effect::Finish`] or
    /// [`Effect::ReplaceGuardian`] no more effects are returned, except replies.
    #[must_use = "an effect that is not performed never happens"]
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Effect> {
        let subject = event.run().and_then(|run| self.slots.of_run(run));
        let mut turn = Turn::new(now, subject.map(|slot| slot.spec.dyno.clone()));
        if self.phase == Phase::Over && !matches!(event, Event::Request { .. }) {
            return turn.effects;
        }
        match event {
            Event::Boot => self.on_boot(&mut turn),
            Event::Run(run, report) => self.on_report(run, report, &mut turn),
            Event::Ready { run, address, loopback_only } => {
                self.on_ready(run, loopback_only.then_some(address), &mut turn);
            }
            Event::NotReady { run, after } => self.on_not_ready(run, after, &mut turn),
            Event::NotAnswering { run, answer } => self.on_not_answering(run, answer, &mut turn),
            Event::Listens { run, at } => self.on_listens(run, at, &mut turn),
            Event::ListensElsewhere { run, port } => self.on_listens_elsewhere(run, port, &mut turn),
            Event::NeedsKeyboard { run, sign } => self.on_needs_keyboard(run, sign, &mut turn),
            Event::Drained { run } => self.on_drained(run, &mut turn),
            Event::Routed { drain } => self.policy.drain = Some(drain),
            Event::Signal(signal) => self.on_signal(signal, &mut turn),
            Event::Key { run, key } => self.on_key(run, key, &mut turn),
            Event::Resumed { paused_for } => self.on_resumed(paused_for, &mut turn),
            Event::OutputLost(loss) => self.on_output_lost(loss, &mut turn),
            Event::Request { id, command } => self.on_request(id, command, &mut turn),
            Event::Tick => self.on_tick(&mut turn),
        }
        self.settle_order(&mut turn);
        turn.report_retired();
        self.finish_if_done(&mut turn);
        turn.effects
    }

    /// The specification of a dyno. None: there is no such dyno.
    #[must_use]
    pub fn spec_of(&self, dyno: &DynoName) -> Option<&DynoSpec> {
        self.slots.iter().map(|slot| &*slot.spec).find(|spec| spec.dyno == *dyno)
    }

    fn reconcile_all(&mut self, turn: &mut Turn) {
        for id in self.slots.ids() {
            self.reconcile(id, turn);
        }
    }

    /// Moves one dyno toward its intent. Changes nothing if the dyno is already there or on its way.
    fn reconcile(&mut self, id: SlotId, turn: &mut Turn) {
        let drain = self.drain_time();
        let Some(slot) = self.slots.get_mut(id) else { return };
        match (slot.intent, slot.state) {
            (Intent::Run, DynoState::Rest(Rest::Down)) => self.spawn(id, turn),
            (Intent::Run, DynoState::Rest(Rest::Backoff { until })) if until <= turn.now.mono => {
                slot.restarts = slot.restarts.saturating_add(1);
                self.spawn(id, turn);
            }
            // It starts again when nothing of the old run is left (S6.7).
            (
                Intent::Run,
                DynoState::Alive(
                    _,
                    RunStage::Stopping { ending: RunEnding::Requested | RunEnding::Done, .. }
                    | RunStage::Clearing { ending: RunEnding::Requested | RunEnding::Done, .. },
                ),
            ) => slot.end_as(RunEnding::Replaced, turn),
            (
                Intent::Rest | Intent::Leave,
                DynoState::Alive(_, RunStage::Starting { .. } | RunStage::Booting { .. } | RunStage::Up { .. }),
            ) => slot.stop(RunEnding::Requested, drain, turn),
            (
                Intent::Rest | Intent::Leave,
                DynoState::Alive(
                    _,
                    RunStage::Stopping { ending: RunEnding::Replaced, .. }
                    | RunStage::Clearing { ending: RunEnding::Replaced, .. },
                ),
            ) => slot.end_as(RunEnding::Requested, turn),
            (Intent::Rest | Intent::Leave, DynoState::Rest(Rest::Waiting | Rest::Backoff { .. }))
            | (Intent::Leave, DynoState::Rest(Rest::Crashed)) => {
                slot.enter(DynoState::Rest(Rest::Down), turn);
                self.remove_if_left(id, turn);
            }
            (Intent::Leave, DynoState::Rest(Rest::Down)) => self.remove_if_left(id, turn),
            // Already there, due later, given up, on its way, or waiting for the end of a process.
            (
                Intent::Run,
                DynoState::Alive(
                    _,
                    RunStage::Starting { .. }
                    | RunStage::Booting { .. }
                    | RunStage::Up { .. }
                    | RunStage::Stopping { ending: RunEnding::Replaced | RunEnding::Crashed(_), .. }
                    | RunStage::Clearing { ending: RunEnding::Replaced | RunEnding::Crashed(_), .. },
                )
                | DynoState::Rest(Rest::Waiting | Rest::Backoff { .. } | Rest::Crashed),
            )
            | (Intent::Rest, DynoState::Rest(Rest::Down | Rest::Crashed))
            | (Intent::Run | Intent::Rest | Intent::Leave, DynoState::Rest(Rest::Lost))
            | (
                Intent::Rest | Intent::Leave,
                DynoState::Alive(
                    _,
                    RunStage::Stopping {
                        ending: RunEnding::Requested | RunEnding::Done | RunEnding::Crashed(_), ..
                    }
                    | RunStage::Clearing {
                        ending: RunEnding::Requested | RunEnding::Done | RunEnding::Crashed(_), ..
                    },
                ),
            ) => {}
        }
    }

    /// Removes a dyno that is not part of the formation any more. Only for dynos of which nothing is left.
    fn remove_if_left(&mut self, id: SlotId, turn: &mut Turn) {
        let Some(row) = self.slots.get(id).filter(|slot| slot.intent == Intent::Leave).map(Row::of) else { return };
        if let Some(dyno) = self.slots.remove(id) {
            self.remember(row);
            turn.retire(dyno);
        }
    }

    /// Starts a run of a dyno that has none, or puts that off until others are up and its port is free.
    fn spawn(&mut self, id: SlotId, turn: &mut Turn) {
        if self.holds_back(id, turn) {
            return;
        }
        let has_free_port = self.slots.has_free_port(id);
        let Some(slot) = self.slots.get_mut(id) else { return };
        if !has_free_port {
            slot.enter(DynoState::Rest(Rest::Down), turn);
            return;
        }
        self.last_run = self.last_run.saturating_add(1);
        let run = RunId(self.last_run);
        slot.last_run = run.0;
        slot.named_grace = None;
        slot.wrong_answers.clear();
        slot.listens_at.clear();
        (slot.address_line, slot.last_ending) = (AddressLine::Missing, None);
        let deadline = slot.boot_deadline(&self.policy, turn);
        slot.enter(DynoState::Alive(run, RunStage::Starting { deadline }), turn);
        slot.notify(NoticeKind::Starting { command_line: slot.spec.command_line.clone() }, turn);
        turn.order(Effect::Spawn(SpawnSpec { run, spec: slot.spec.clone() }));
        self.slots.begin_run(run, id);
    }

    /// Sends a signal to every run that may still have processes, in start order.
    fn signal_all(&self, signal: RunOrder, turn: &mut Turn) {
        for run in self.slots.iter().filter_map(|slot| slot.state.run()) {
            turn.signal(run, signal);
        }
    }
}
