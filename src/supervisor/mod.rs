//! Decides what happens to the dynos: a pure state machine.
//!
//! [`Supervisor::handle`] takes an event and returns the effects to perform; [`Supervisor::next_deadline`] says when to
//! call it again with [`Event::Tick`]. It uses no clock, channel or file and never acts on a process id itself. The
//! runtime performs the effects in order and decides nothing.
//!
//! Intent (`wanted`) is kept apart from fact (`state`): events change one of them, `reconcile` moves facts toward
//! intent. What each event does in each state:
//!
//! | | Starting | Booting | Up | Stopping | Clearing | Down, Backoff, Crashed, Lost |
//! |---|---|---|---|---|---|---|
//! | Spawned | Booting or Up | - | - | records the pid | - | - |
//! | `SpawnFailed` | crash, 126 | - | - | ended | - | - |
//! | Ready | - | Up | - | - | - | - |
//! | `NotReady` | - | Up if there is no boot timeout | - | - | - | - |
//! | `ListensElsewhere` | - | - | - | reported | reported | - |
//! | `DebuggerPrompt` | - | reported once | reported once | - | - | - |
//! | Exited | Clearing | Clearing | Clearing | Clearing | - | - |
//! | `LeftBehind` | reported | reported | reported | reported | reported | reported |
//! | Gone | ended | ended | ended | ended | ended | - |
//! | Unkillable | - | - | - | Lost if killed | Lost if killed | - |
//! | Key (Ctrl-C) | stop all | passed on, then stop all | passed on, then stop all | stop all | stop all | stop all |
//! | Tick | kill | kill (R10) | - | stop the rest, kill, report, replace guardian | same as Stopping | start again |
//!
//! "Ended" leads to Down, Backoff or Crashed. A report about a run that is not the dyno's current one changes nothing.

mod command;
mod deadlines;
mod director;
mod dyno_state;
mod effect;
mod event;
mod keyboard;
mod notice;
mod notice_text;
mod policy;
mod release_phase;
mod reports;
mod restart;
mod shutdown;
mod slot;
mod smoke;
mod smoke_report;
mod snapshot;
mod stop_report;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::model::{Now, RunId, SpawnSpec};
use crate::release::Blueprint;

pub use command::{Command, Refusal, Reply, RequestId, Target};
pub use director::Director;
pub use effect::{Effect, GroupSignal, Outcome};
pub use event::{Event, HttpAnswer, HttpSilence, Key, OutputLoss, SpawnFailure, UserSignal};
pub use notice::{About, KeyboardSign, Notice, NoticeKind, StillRunning, StopCause};
pub use notice_text::NoticeStyle;
pub use policy::{CanDie, FocusAdvice, OnExit, Plan, Policy, RestartPolicy, StopAdvice, StopAll};
pub use smoke::{Smoke, SmokeRules};
pub use smoke_report::{
    CommandReport, DynoReport, DynoResult, PhaseReport, PhaseResult, SmokePhase, SmokeReport, Span,
};
pub use snapshot::{PublicState, Quantity, Row, Snapshot};

use dyno_state::DynoState;
use shutdown::{Phase, Tally};
use slot::{Role, Slot, Turn};

/// Decides what happens to the dynos of one start.
#[derive(Debug, Clone)]
pub struct Supervisor {
    policy: Policy,
    blueprint: Blueprint,
    /// The release phase if there is one, then the formation in start order, then the command if there is one.
    slots: Vec<Slot>,
    /// The slot of every run that may still have processes.
    slot_of: BTreeMap<RunId, usize>,
    last_run: u64,
    phase: Phase,
    tally: Tally,
    /// Whether a Ctrl-C was passed to a dyno, with no other key since.
    interrupted: bool,
}

impl Supervisor {
    /// Creates a supervisor that waits for [`Event::Boot`].
    #[must_use]
    pub fn new(plan: Plan, policy: Policy) -> Self {
        let release = plan.release.into_iter().map(|spec| (spec, Role::Release));
        let formation = plan.formation.into_iter().map(|spec| (spec, Role::Formation));
        let command = plan.command.into_iter().map(|spec| (spec, Role::Command));
        let slots =
            release.chain(formation).chain(command).map(|(spec, role)| Slot::new(spec, role, &policy)).collect();
        Self {
            policy,
            blueprint: plan.blueprint,
            slots,
            slot_of: BTreeMap::new(),
            last_run: 0,
            phase: Phase::Unbooted,
            tally: Tally::default(),
            interrupted: false,
        }
    }

    /// Handles one event and returns the effects to perform, in order.
    ///
    /// After [`Effect::Suspend`] the next event must be [`Event::Resumed`]. After [`Effect::Finish`] or
    /// [`Effect::ReplaceGuardian`] no more effects are returned.
    #[must_use = "an effect that is not performed never happens"]
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Effect> {
        let subject = event.run().and_then(|run| self.slots.get(*self.slot_of.get(&run)?));
        let mut turn = Turn::new(now, subject.map(|slot| slot.spec.dyno.clone()));
        match self.phase {
            Phase::Over => return turn.effects,
            Phase::Unbooted | Phase::Release | Phase::Running | Phase::Stopping { .. } | Phase::Killing { .. } => {}
        }
        match event {
            Event::Boot => self.on_boot(&mut turn),
            Event::Spawned { run, pid } => self.on_spawned(run, pid, &mut turn),
            Event::SpawnFailed { run, why } => self.on_spawn_failed(run, why, &mut turn),
            Event::Exited { run, exit, left } => self.on_exited(run, exit, left, &mut turn),
            Event::LeftBehind { dynos, process, .. } => turn.announce(NoticeKind::LeftBehind { dynos, process }),
            Event::Gone { run } => self.on_gone(run, &mut turn),
            Event::Ready { run, address, loopback_only } => {
                self.on_ready(run, loopback_only.then_some(address), &mut turn);
            }
            Event::NotReady { run, after } => self.on_not_ready(run, after, &mut turn),
            // Only a smoke test probes over HTTP.
            Event::Answer { .. } => {}
            Event::ListensElsewhere { run, port } => self.on_listens_elsewhere(run, port, &mut turn),
            Event::DebuggerPrompt { run } => self.on_debugger_prompt(run, &mut turn),
            Event::Unkillable { run, survivor } => self.on_unkillable(run, survivor, &mut turn),
            Event::Signal(signal) => self.on_signal(signal, &mut turn),
            Event::Key { run, key } => self.on_key(run, key, &mut turn),
            Event::Resumed { paused_for } => self.on_resumed(paused_for, &mut turn),
            Event::OutputLost(loss) => self.on_output_lost(loss, &mut turn),
            Event::Tick => self.on_tick(&mut turn),
        }
        self.finish_if_done(&mut turn);
        turn.effects
    }

    fn reconcile_all(&mut self, turn: &mut Turn) {
        for index in 0..self.slots.len() {
            self.reconcile(index, turn);
        }
    }

    /// Moves one dyno toward its wanted state. Changes nothing if the dyno is already there or on its way.
    fn reconcile(&mut self, index: usize, turn: &mut Turn) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        match (slot.wanted, slot.state) {
            (true, DynoState::Down) => self.spawn(index, turn),
            (true, DynoState::Backoff { until }) if until <= turn.now.mono => {
                slot.restarts = slot.restarts.saturating_add(1);
                self.spawn(index, turn);
            }
            (false, DynoState::Starting { .. } | DynoState::Booting { .. } | DynoState::Up { .. }) => {
                slot.stop(turn);
            }
            (false, DynoState::Backoff { .. }) => slot.enter(DynoState::Down, turn),
            // Wanted: already there, due later, waiting for the end of its old run (S6.7), or given up.
            // Unwanted: already there, or on its way.
            (
                true,
                DynoState::Starting { .. }
                | DynoState::Booting { .. }
                | DynoState::Up { .. }
                | DynoState::Backoff { .. },
            )
            | (
                true | false,
                DynoState::Stopping { .. } | DynoState::Clearing { .. } | DynoState::Crashed | DynoState::Lost,
            )
            | (false, DynoState::Down) => {}
        }
    }

    fn spawn(&mut self, index: usize, turn: &mut Turn) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        self.last_run = self.last_run.saturating_add(1);
        let run = RunId(self.last_run);
        self.slot_of.insert(run, index);
        let deadline = slot.boot_deadline(&self.policy, turn);
        slot.enter(DynoState::Starting { run, deadline }, turn);
        slot.notify(NoticeKind::Starting { command_line: slot.spec.command_line.clone() }, turn);
        turn.order(Effect::Spawn(SpawnSpec { run, spec: slot.spec.clone() }));
    }

    /// Sends a signal to every run that may still have processes, in start order.
    fn signal_all(&self, signal: GroupSignal, turn: &mut Turn) {
        for run in self.slots.iter().filter_map(|slot| slot.state.run()) {
            turn.signal(run, signal);
        }
    }
}
