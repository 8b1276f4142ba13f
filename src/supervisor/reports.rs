//! What the guardian and the readiness probe report about runs, and what an end means.
//!
//! A report of an older run finds no slot and changes nothing. What was asked for never counts; the rest is judged by
//! the policy (S6.3, S6.4).

use std::time::Duration;

use crate::app::{ExitStatus, LeftRunning, RunId};
use crate::error::Status;

use super::dyno_state::{DynoState, Ending, Ordered};
use super::restart::Decision;
use super::slot::{Role, Slot, Turn};
use super::{CanDie, NoticeKind, OnExit, Outcome, Policy, SpawnFailure, Supervisor};

/// Status of a dyno that could not be started, as a shell reports what it cannot execute. Only the policy and our own
/// exit status see it; the message tells the reason.
pub(super) const NOT_STARTED: ExitStatus = ExitStatus::Code(Status::NotExecutable.code());

/// Status of a run the guardian lost sight of: nothing is left of it, and nobody told how its leader ended.
pub(super) const VANISHED: ExitStatus = ExitStatus::Signal(9);

/// An end nobody asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnaskedEnd {
    pub(super) run: RunId,
    pub(super) exit: ExitStatus,
    /// How long the dyno had been up; zero if it never was.
    pub(super) up_for: Duration,
}

impl Supervisor {
    fn slot_of(&mut self, run: RunId) -> Option<(usize, &mut Slot)> {
        let index = *self.slot_of.get(&run)?;
        self.slots.get_mut(index).map(|slot| (index, slot))
    }

    pub(super) fn on_spawned(&mut self, run: RunId, pid: i32, turn: &mut Turn) {
        let Some(&index) = self.slot_of.get(&run) else { return };
        let Some(slot) = self.slots.get_mut(index) else { return };
        let awaits_port = slot.role == Role::Formation && self.policy.ready.contains(&slot.spec.dyno.process_type);
        match slot.state {
            DynoState::Starting { .. } => {
                slot.notify(NoticeKind::Started { pid }, turn);
                if awaits_port {
                    let deadline = slot.boot_deadline(&self.policy, turn);
                    slot.enter(DynoState::Booting { run, pid, deadline }, turn);
                } else {
                    slot.rise(run, pid, turn);
                }
            }
            DynoState::Stopping { pid: None, ordered, ending, shown, .. } => {
                slot.notify(NoticeKind::Started { pid }, turn);
                slot.enter(DynoState::Stopping { run, pid: Some(pid), ordered, ending, shown }, turn);
            }
            // Told twice, or too late to matter.
            DynoState::Stopping { pid: Some(_), .. }
            | DynoState::Booting { .. }
            | DynoState::Up { .. }
            | DynoState::Clearing { .. }
            | DynoState::Down
            | DynoState::Backoff { .. }
            | DynoState::Crashed
            | DynoState::Lost => {}
        }
    }

    /// A server that only this machine can reach is told of where somebody waits for it as the platform does.
    pub(super) fn on_ready(&mut self, run: RunId, loopback_only: bool, turn: &mut Turn) {
        let is_noted = self.policy.notes_loopback;
        let Some((_, slot)) = self.slot_of(run) else { return };
        match slot.state {
            DynoState::Booting { run, pid, .. } => {
                slot.rise(run, pid, turn);
                if loopback_only && is_noted {
                    slot.notify(NoticeKind::LoopbackOnly, turn);
                }
            }
            // Nobody probes before `Spawned`; the others were up, are ending or have ended.
            DynoState::Starting { .. }
            | DynoState::Up { .. }
            | DynoState::Stopping { .. }
            | DynoState::Clearing { .. }
            | DynoState::Down
            | DynoState::Backoff { .. }
            | DynoState::Crashed
            | DynoState::Lost => {}
        }
    }

    /// Without a boot timeout nothing else ends its state of starting: it counts as up from here on.
    pub(super) fn on_not_ready(&mut self, run: RunId, after: Duration, turn: &mut Turn) {
        let Some((_, slot)) = self.slot_of(run) else { return };
        match slot.state {
            DynoState::Booting { run, pid, deadline: None } => {
                slot.notify(NoticeKind::NotListening { port: slot.spec.awaited_port, after }, turn);
                slot.rise(run, pid, turn);
            }
            // R10 decides, or it does not matter any more.
            DynoState::Booting { deadline: Some(_), .. }
            | DynoState::Starting { .. }
            | DynoState::Up { .. }
            | DynoState::Stopping { .. }
            | DynoState::Clearing { .. }
            | DynoState::Down
            | DynoState::Backoff { .. }
            | DynoState::Crashed
            | DynoState::Lost => {}
        }
    }

    /// Why a run that is being killed did not seem to listen.
    pub(super) fn on_listens_elsewhere(&mut self, run: RunId, port: u16, turn: &mut Turn) {
        let Some((_, slot)) = self.slot_of(run) else { return };
        match slot.state {
            DynoState::Stopping { .. } | DynoState::Clearing { .. } => {
                slot.notify(NoticeKind::ListensElsewhere { port, given: slot.spec.awaited_port }, turn);
            }
            // Nobody asked, or it is over.
            DynoState::Starting { .. }
            | DynoState::Booting { .. }
            | DynoState::Up { .. }
            | DynoState::Down
            | DynoState::Backoff { .. }
            | DynoState::Crashed
            | DynoState::Lost => {}
        }
    }

    pub(super) fn on_spawn_failed(&mut self, run: RunId, why: SpawnFailure, turn: &mut Turn) {
        let Some((index, slot)) = self.slot_of(run) else { return };
        match slot.state {
            DynoState::Starting { .. } => {
                slot.last_exit = Some(NOT_STARTED);
                slot.notify(NoticeKind::SpawnFailed(why), turn);
                self.vanish(index, UnaskedEnd { run, exit: NOT_STARTED, up_for: Duration::ZERO }, turn);
            }
            DynoState::Stopping { pid: None, ending, .. } => {
                slot.last_exit = Some(NOT_STARTED);
                slot.notify(NoticeKind::SpawnFailed(why), turn);
                self.settle(index, run, ending, turn);
            }
            // It was started: the report contradicts an earlier one.
            DynoState::Stopping { pid: Some(_), .. }
            | DynoState::Booting { .. }
            | DynoState::Up { .. }
            | DynoState::Clearing { .. }
            | DynoState::Down
            | DynoState::Backoff { .. }
            | DynoState::Crashed
            | DynoState::Lost => {}
        }
    }

    pub(super) fn on_exited(&mut self, run: RunId, exit: ExitStatus, left: Vec<LeftRunning>, turn: &mut Turn) {
        let Some(&index) = self.slot_of.get(&run) else { return };
        let Some(slot) = self.slots.get_mut(index) else { return };
        match slot.state {
            DynoState::Starting { .. } | DynoState::Booting { .. } | DynoState::Up { .. } => {
                let end = UnaskedEnd { run, exit, up_for: slot.up_for(turn) };
                let ending = judge(slot, exit, &self.policy);
                slot.record_exit(exit, left, turn);
                slot.clear(run, ending, turn);
                self.on_unasked_end(index, ending, end, turn);
            }
            DynoState::Stopping { ordered, ending, .. } => {
                slot.record_exit(exit, left, turn);
                slot.enter(DynoState::Clearing { run, ordered, ending }, turn);
            }
            // Told twice.
            DynoState::Clearing { .. }
            | DynoState::Down
            | DynoState::Backoff { .. }
            | DynoState::Crashed
            | DynoState::Lost => {}
        }
    }

    pub(super) fn on_gone(&mut self, run: RunId, turn: &mut Turn) {
        let Some((index, slot)) = self.slot_of(run) else { return };
        match slot.state {
            DynoState::Clearing { ending, .. } | DynoState::Stopping { ending, .. } => {
                self.settle(index, run, ending, turn);
            }
            DynoState::Starting { .. } | DynoState::Booting { .. } | DynoState::Up { .. } => {
                let end = UnaskedEnd { run, exit: VANISHED, up_for: slot.up_for(turn) };
                slot.record_exit(VANISHED, Vec::new(), turn);
                self.vanish(index, end, turn);
            }
            DynoState::Down | DynoState::Backoff { .. } | DynoState::Crashed | DynoState::Lost => {}
        }
    }

    pub(super) fn on_unkillable(&mut self, run: RunId, survivor: String, turn: &mut Turn) {
        let Some((_, slot)) = self.slot_of(run) else { return };
        let ordered = match slot.state {
            DynoState::Stopping { ordered, .. } | DynoState::Clearing { ordered, .. } => ordered,
            // Nobody killed it.
            DynoState::Starting { .. }
            | DynoState::Booting { .. }
            | DynoState::Up { .. }
            | DynoState::Down
            | DynoState::Backoff { .. }
            | DynoState::Crashed
            | DynoState::Lost => return,
        };
        match ordered {
            Ordered::Stop { .. } => {}
            Ordered::Kill { .. } => {
                slot.notify(NoticeKind::Unkillable { survivor }, turn);
                slot.wanted = false;
                slot.enter(DynoState::Lost, turn);
                let was_release = slot.is_release();
                self.slot_of.remove(&run);
                self.tally.record_lost();
                if was_release {
                    self.release_lost(turn);
                }
            }
        }
    }

    /// Draws the consequences of an end nobody asked for. The dyno has left its state of being up already.
    pub(super) fn on_unasked_end(&mut self, index: usize, ending: Ending, end: UnaskedEnd, turn: &mut Turn) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        match (slot.role, ending, self.policy.on_exit) {
            (Role::Release, Ending::Crashed(exit), OnExit::StopAll | OnExit::Restart(_)) => {
                self.release_failed(exit, turn);
            }
            (Role::Formation, Ending::Crashed(exit), OnExit::StopAll) => {
                self.stop_all(Outcome::Code(exit.shell_code()), None, turn);
            }
            (Role::Formation, Ending::Crashed(_), OnExit::Restart(policy)) => {
                slot.crashes.record_crash(end.up_for, policy);
            }
            (Role::Formation, Ending::Done, OnExit::StopAll | OnExit::Restart(_)) => {
                slot.wanted = false;
                self.tally.record_done(end.exit);
            }
            // What the end of a command means is decided by whoever asked for it.
            (
                Role::Command,
                Ending::Done | Ending::Crashed(_) | Ending::Asked,
                OnExit::StopAll | OnExit::Restart(_),
            )
            | (Role::Release, Ending::Done, OnExit::StopAll | OnExit::Restart(_)) => slot.wanted = false,
            (Role::Release | Role::Formation, Ending::Asked, OnExit::StopAll | OnExit::Restart(_)) => {}
        }
    }

    /// A run ended unasked and nothing of it is left to signal.
    fn vanish(&mut self, index: usize, end: UnaskedEnd, turn: &mut Turn) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let ending = judge(slot, end.exit, &self.policy);
        self.slot_of.remove(&end.run);
        let state = match ending {
            Ending::Asked | Ending::Done => DynoState::Down,
            Ending::Crashed(_) => DynoState::Crashed,
        };
        slot.enter(state, turn);
        self.on_unasked_end(index, ending, end, turn);
        self.settle(index, end.run, ending, turn);
    }

    /// Nothing of a run is left: the only way to Down, Backoff or Crashed.
    fn settle(&mut self, index: usize, run: RunId, ending: Ending, turn: &mut Turn) {
        self.slot_of.remove(&run);
        let Some(slot) = self.slots.get_mut(index) else { return };
        let state = match (slot.wanted, ending, self.policy.on_exit) {
            (true | false, Ending::Asked | Ending::Done, OnExit::StopAll | OnExit::Restart(_)) => DynoState::Down,
            (true, Ending::Crashed(exit), OnExit::Restart(policy)) => match slot.crashes.next_restart(policy) {
                Decision::Restart { after } => {
                    slot.notify(NoticeKind::Restarting { after }, turn);
                    DynoState::Backoff { until: turn.now.mono.saturating_add(after) }
                }
                Decision::GiveUp { restarts } => {
                    slot.notify(NoticeKind::GaveUp { restarts }, turn);
                    self.tally.record_given_up(exit);
                    DynoState::Crashed
                }
            },
            (true, Ending::Crashed(_), OnExit::StopAll)
            | (false, Ending::Crashed(_), OnExit::StopAll | OnExit::Restart(_)) => DynoState::Crashed,
        };
        slot.enter(state, turn);
        match (slot.role, ending) {
            (Role::Release, Ending::Done) => self.open_gate(turn),
            (Role::Release, Ending::Asked | Ending::Crashed(_))
            | (Role::Formation | Role::Command, Ending::Asked | Ending::Done | Ending::Crashed(_)) => {
                self.reconcile(index, turn);
            }
        }
    }
}

impl Slot {
    /// The dyno is up from now on.
    fn rise(&mut self, run: RunId, pid: i32, turn: &mut Turn) {
        self.enter(DynoState::Up { run, pid, since: turn.now.mono }, turn);
    }

    fn up_for(&self, turn: &Turn) -> Duration {
        match self.state {
            DynoState::Up { since, .. } => turn.now.mono.saturating_sub(since),
            DynoState::Starting { .. }
            | DynoState::Booting { .. }
            | DynoState::Stopping { .. }
            | DynoState::Clearing { .. }
            | DynoState::Down
            | DynoState::Backoff { .. }
            | DynoState::Crashed
            | DynoState::Lost => Duration::ZERO,
        }
    }
}

/// What an end nobody asked for means. A formation dyno's exit with 0 is a crash as well, unless its type may end (S6.3).
pub(super) fn judge(slot: &Slot, exit: ExitStatus, policy: &Policy) -> Ending {
    let is_in_order = match (slot.role, policy.can_die.get(&slot.spec.dyno.process_type), policy.on_exit) {
        (Role::Release, Some(CanDie::Success | CanDie::Any) | None, OnExit::StopAll | OnExit::Restart(_))
        | (Role::Formation, Some(CanDie::Success), OnExit::StopAll | OnExit::Restart(_))
        // With restarts only 0 ends a dyno for good (S6.4).
        | (Role::Formation, Some(CanDie::Any), OnExit::Restart(_)) => exit.is_success(),
        (Role::Formation, Some(CanDie::Any), OnExit::StopAll)
        | (Role::Command, Some(CanDie::Success | CanDie::Any) | None, OnExit::StopAll | OnExit::Restart(_)) => true,
        (Role::Formation, None, OnExit::StopAll | OnExit::Restart(_)) => false,
    };
    if is_in_order { Ending::Done } else { Ending::Crashed(exit) }
}
