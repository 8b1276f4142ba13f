//! Handles what the guardian reports about runs, and decides what an exit means.
//!
//! A report about an older run finds no slot and changes nothing. A requested exit has no consequences; any other is
//! judged by the policy (S6.3, S6.4).

use std::time::Duration;

use crate::app::StartOrder;
use crate::error::Status;
use crate::model::{ExitStatus, LeftRunning, Readiness, RunId, RunReport, SpawnFailure};

use super::dyno_state::{DynoState, Ordered, Rest, RunEnding, RunStage};
use super::readiness::Awaited;
use super::restart::RestartDecision;
use super::shutdown::Phase;
use super::slot::{EndListener, Intent, Role, Slot, Turn};
use super::slots::SlotId;
use super::{CanDie, NoticeKind, OnExit, Outcome, Policy, StopCause, Supervisor};

/// Status of a dyno that could not be started: the one of a shell that cannot execute a program. It only affects the
/// policy and the exit status of `dyno`; a notice gives the reason.
pub(crate) const NOT_STARTED: ExitStatus = ExitStatus::Code(Status::NotExecutable.code());

/// Status of a run that is gone although the exit of its leader was never reported.
pub(crate) const VANISHED: ExitStatus = ExitStatus::Signal(9);

/// The end of a run that was not requested.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnrequestedExit {
    pub(super) run: RunId,
    pub(super) status: ExitStatus,
    /// What the log says if this exit stops the others.
    pub(super) cause: StopCause,
    /// How long the dyno had been up; zero if it never was.
    pub(super) up_for: Duration,
}

impl Supervisor {
    pub(super) fn slot_of(&mut self, run: RunId) -> Option<(SlotId, &mut Slot)> {
        let id = self.slots.id_of(run)?;
        self.slots.get_mut(id).map(|slot| (id, slot))
    }

    pub(super) fn on_report(&mut self, run: RunId, report: RunReport, turn: &mut Turn) {
        match report {
            RunReport::Spawned { pid } => self.on_spawned(run, pid, turn),
            RunReport::SpawnFailed(why) => self.on_spawn_failed(run, why, turn),
            RunReport::Exited { exit, left } => self.on_exited(run, exit, left, turn),
            RunReport::LeftBehind { dynos, process } => turn.announce(NoticeKind::LeftBehind { dynos, process }),
            RunReport::Gone => self.on_gone(run, turn),
            RunReport::Unkillable { survivor } => self.on_unkillable(run, survivor, turn),
        }
    }

    fn on_spawned(&mut self, run: RunId, pid: i32, turn: &mut Turn) {
        let Some(id) = self.slots.id_of(run) else { return };
        let Some(slot) = self.slots.get_mut(id) else { return };
        match slot.state {
            DynoState::Alive(_, RunStage::Starting { .. }) => {
                slot.notify(NoticeKind::Started { pid }, turn);
                slot.memory.record_start(turn);
                match slot.spec.readiness {
                    Readiness::Runs => slot.mark_up(run, pid, turn),
                    Readiness::Listens { .. } | Readiness::Answers { .. } => {
                        let deadline = slot.boot_deadline(&self.policy, turn);
                        slot.enter(
                            DynoState::Alive(run, RunStage::Booting { pid, deadline, awaited: Awaited::Port }),
                            turn,
                        );
                    }
                }
            }
            // Without a `started` notice: it would come after the one that says that everything stops.
            DynoState::Alive(_, RunStage::Stopping { pid: None, ordered, ending, shown, .. }) => {
                slot.memory.record_start(turn);
                slot.enter(DynoState::Alive(run, RunStage::Stopping { pid: Some(pid), ordered, ending, shown }), turn);
            }
            // A repeated report, or one that comes too late to matter.
            DynoState::Alive(
                _,
                RunStage::Stopping { pid: Some(_), .. }
                | RunStage::Booting { .. }
                | RunStage::Up { .. }
                | RunStage::Clearing { .. },
            )
            | DynoState::Rest(_) => {}
        }
    }

    fn on_spawn_failed(&mut self, run: RunId, why: SpawnFailure, turn: &mut Turn) {
        let Some((id, slot)) = self.slot_of(run) else { return };
        match slot.state {
            DynoState::Alive(_, RunStage::Starting { .. }) => {
                slot.record_end(NOT_STARTED, &[], turn);
                slot.notify(NoticeKind::SpawnFailed(why), turn);
                let cause = StopCause::NotStarted;
                let exit = UnrequestedExit { run, status: NOT_STARTED, cause, up_for: Duration::ZERO };
                self.end_without_processes(id, exit, turn);
            }
            DynoState::Alive(_, RunStage::Stopping { pid: None, ending, .. }) => {
                slot.record_end(NOT_STARTED, &[], turn);
                slot.notify(NoticeKind::SpawnFailed(why), turn);
                self.finish_run(id, run, ending, turn);
            }
            // The run was started: this report contradicts an earlier one.
            DynoState::Alive(
                _,
                RunStage::Stopping { pid: Some(_), .. }
                | RunStage::Booting { .. }
                | RunStage::Up { .. }
                | RunStage::Clearing { .. },
            )
            | DynoState::Rest(_) => {}
        }
    }

    fn on_exited(&mut self, run: RunId, exit: ExitStatus, left: Vec<LeftRunning>, turn: &mut Turn) {
        let Some(id) = self.slots.id_of(run) else { return };
        let Some(slot) = self.slots.get_mut(id) else { return };
        match slot.state {
            DynoState::Alive(_, RunStage::Starting { .. } | RunStage::Booting { .. } | RunStage::Up { .. }) => {
                let cause = StopCause::Exited(exit);
                let unrequested = UnrequestedExit { run, status: exit, cause, up_for: slot.up_for(turn) };
                let ending = judge(slot, exit, &self.policy, &self.blueprint.release().order);
                slot.record_exit(exit, left, turn);
                slot.clear(run, ending, turn);
                self.on_unrequested_exit(id, ending, unrequested, turn);
            }
            // Nothing of it has been sent a signal.
            DynoState::Alive(_, RunStage::Stopping { ordered: Ordered::Drain { .. }, ending, .. }) => {
                slot.record_exit(exit, left, turn);
                slot.clear(run, ending, turn);
            }
            DynoState::Alive(
                _,
                RunStage::Stopping { ordered: ordered @ (Ordered::Stop { .. } | Ordered::Kill { .. }), ending, .. },
            ) => {
                slot.record_exit(exit, left, turn);
                slot.enter(DynoState::Alive(run, RunStage::Clearing { ordered, ending }), turn);
            }
            // A repeated report.
            DynoState::Alive(_, RunStage::Clearing { .. }) | DynoState::Rest(_) => {}
        }
    }

    fn on_gone(&mut self, run: RunId, turn: &mut Turn) {
        let Some((id, slot)) = self.slot_of(run) else { return };
        match slot.state {
            DynoState::Alive(_, RunStage::Clearing { ending, .. } | RunStage::Stopping { ending, .. }) => {
                self.finish_run(id, run, ending, turn);
            }
            DynoState::Alive(_, RunStage::Starting { .. } | RunStage::Booting { .. } | RunStage::Up { .. }) => {
                let cause = StopCause::Exited(VANISHED);
                let exit = UnrequestedExit { run, status: VANISHED, cause, up_for: slot.up_for(turn) };
                slot.record_exit(VANISHED, Vec::new(), turn);
                self.end_without_processes(id, exit, turn);
            }
            DynoState::Rest(Rest::Lost) => self.end_lost(id, run, turn),
            DynoState::Rest(Rest::Down | Rest::Waiting | Rest::Backoff { .. } | Rest::Crashed) => {}
        }
    }

    /// The process that could not be killed has ended after all: the dyno can start again.
    fn end_lost(&mut self, id: SlotId, run: RunId, turn: &mut Turn) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        match (slot.role, slot.intent) {
            (Role::Formation, Intent::Run | Intent::Rest) => slot.enter(DynoState::Rest(Rest::Crashed), turn),
            (Role::Formation, Intent::Leave) | (Role::OneOff(_), _) => slot.intent = Intent::Leave,
        }
        self.end_run(id, run, turn);
        self.remove_if_left(id, turn);
    }

    fn on_unkillable(&mut self, run: RunId, survivor: String, turn: &mut Turn) {
        let Some((_, slot)) = self.slot_of(run) else { return };
        let ordered = match slot.state {
            DynoState::Alive(_, RunStage::Stopping { ordered, .. } | RunStage::Clearing { ordered, .. }) => ordered,
            // The run was not killed.
            DynoState::Alive(_, RunStage::Starting { .. } | RunStage::Booting { .. } | RunStage::Up { .. })
            | DynoState::Rest(_) => {
                return;
            }
        };
        match ordered {
            Ordered::Drain { .. } | Ordered::Stop { .. } => {}
            Ordered::Kill { .. } => {
                slot.notify(NoticeKind::Unkillable { survivor }, turn);
                slot.intent = match slot.intent {
                    Intent::Run | Intent::Rest => Intent::Rest,
                    Intent::Leave => Intent::Leave,
                };
                slot.enter(DynoState::Rest(Rest::Lost), turn);
                // The dyno has not ended, whatever its end was meant to cause.
                slot.last_ending = Some(RunEnding::Requested);
                let was_release = slot.is_release();
                self.tally.record_lost();
                if was_release {
                    self.release_lost(turn);
                }
            }
        }
    }

    /// Decides what an exit that was not requested means for the other dynos. The dyno itself has already left Up.
    pub(super) fn on_unrequested_exit(
        &mut self,
        id: SlotId,
        ending: RunEnding,
        exit: UnrequestedExit,
        turn: &mut Turn,
    ) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        match (slot.role, ending, self.policy.on_exit) {
            (
                Role::OneOff(EndListener::ReleaseGate),
                RunEnding::Crashed(status),
                OnExit::StopAll | OnExit::Restart(_),
            ) => {
                // Only a later release command leaves: the first one is shown until everything has ended.
                if self.phase == Phase::Running {
                    slot.intent = Intent::Leave;
                }
                self.release_failed(status, turn);
            }
            (Role::Formation, RunEnding::Crashed(status), OnExit::StopAll) => {
                let culprit = slot.spec.dyno.clone();
                self.explain_stop(&culprit, exit.cause, turn);
                self.stop_all(Outcome::Code(status.shell_code()), turn);
            }
            (Role::Formation, RunEnding::Crashed(_), OnExit::Restart(policy)) => {
                slot.crashes.record_crash(exit.up_for, policy);
            }
            (Role::Formation, RunEnding::Done, OnExit::StopAll | OnExit::Restart(_)) => {
                slot.intent = Intent::Rest;
                self.tally.record_done(id, exit.status);
            }
            // Its end never stops anything else.
            (
                Role::OneOff(EndListener::Log),
                RunEnding::Done | RunEnding::Crashed(_),
                OnExit::StopAll | OnExit::Restart(_),
            )
            | (Role::OneOff(EndListener::ReleaseGate), RunEnding::Done, OnExit::StopAll | OnExit::Restart(_)) => {
                slot.intent = Intent::Leave;
            }
            (
                Role::Formation | Role::OneOff(_),
                RunEnding::Requested | RunEnding::Replaced,
                OnExit::StopAll | OnExit::Restart(_),
            ) => {}
        }
    }

    /// A run ended without a request, and no process of it is left to stop.
    fn end_without_processes(&mut self, id: SlotId, exit: UnrequestedExit, turn: &mut Turn) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        let ending = judge(slot, exit.status, &self.policy, &self.blueprint.release().order);
        let state = match ending {
            RunEnding::Requested | RunEnding::Replaced | RunEnding::Done => Rest::Down,
            RunEnding::Crashed(_) => Rest::Crashed,
        };
        slot.enter(DynoState::Rest(state), turn);
        self.on_unrequested_exit(id, ending, exit, turn);
        self.finish_run(id, exit.run, ending, turn);
    }

    /// No process of a run is left: the dyno goes to Down, Backoff or Crashed, or starts again.
    fn finish_run(&mut self, id: SlotId, run: RunId, ending: RunEnding, turn: &mut Turn) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        slot.last_ending = Some(ending);
        let rest = match (slot.intent, ending, self.policy.on_exit) {
            (Intent::Run, RunEnding::Replaced, OnExit::StopAll | OnExit::Restart(_)) => None,
            (
                Intent::Run | Intent::Rest | Intent::Leave,
                RunEnding::Requested | RunEnding::Done,
                OnExit::StopAll | OnExit::Restart(_),
            )
            | (Intent::Rest | Intent::Leave, RunEnding::Replaced, OnExit::StopAll | OnExit::Restart(_)) => {
                Some(Rest::Down)
            }
            (Intent::Run, RunEnding::Crashed(exit), OnExit::Restart(policy)) => {
                Some(match slot.crashes.next_restart(policy) {
                    RestartDecision::Restart { after } => {
                        slot.notify(NoticeKind::Restarting { after }, turn);
                        slot.memory.record_restart(after, turn);
                        Rest::Backoff { until: turn.now.mono.saturating_add(after) }
                    }
                    RestartDecision::GiveUp { restarts } => {
                        slot.notify(NoticeKind::GaveUp { restarts }, turn);
                        self.tally.record_given_up(id, exit);
                        Rest::Crashed
                    }
                })
            }
            (Intent::Run, RunEnding::Crashed(_), OnExit::StopAll)
            | (Intent::Rest | Intent::Leave, RunEnding::Crashed(_), OnExit::StopAll | OnExit::Restart(_)) => {
                Some(Rest::Crashed)
            }
        };
        if let Some(rest) = rest {
            slot.enter(DynoState::Rest(rest), turn);
        }
        let (was_release, exit) = (slot.is_release(), slot.last_exit.unwrap_or(VANISHED));
        self.end_run(id, run, turn);
        if rest.is_none() {
            self.spawn(id, turn);
        }
        if was_release {
            self.release_gone(ending, exit, turn);
        }
    }

    /// No process of a run is left: whatever waited for that goes on.
    fn end_run(&mut self, id: SlotId, run: RunId, turn: &mut Turn) {
        let waiting = self.slots.end_run(run);
        self.reconcile(id, turn);
        for id in waiting {
            self.reconcile(id, turn);
        }
    }
}

impl Slot {
    pub(super) fn mark_up(&mut self, run: RunId, pid: i32, turn: &mut Turn) {
        self.enter(DynoState::Alive(run, RunStage::Up { pid, since: turn.now.mono }), turn);
    }

    fn up_for(&self, turn: &Turn) -> Duration {
        match self.state {
            DynoState::Alive(_, RunStage::Up { since, .. }) => turn.now.mono.saturating_sub(since),
            DynoState::Alive(
                _,
                RunStage::Starting { .. }
                | RunStage::Booting { .. }
                | RunStage::Stopping { .. }
                | RunStage::Clearing { .. },
            )
            | DynoState::Rest(_) => Duration::ZERO,
        }
    }
}

/// What an exit that was not requested means. In the formation even 0 is a crash, unless the type may exit (S6.3), or others
/// wait for its end (S6.12).
pub(super) fn judge(slot: &Slot, exit: ExitStatus, policy: &Policy, order: &StartOrder) -> RunEnding {
    let process_type = &slot.spec.dyno.process_type;
    let can_die = policy.can_die.get(process_type).copied();
    let can_die = can_die.or_else(|| order.awaits_end_of(process_type).then_some(CanDie::Success));
    let is_allowed = match (slot.role, can_die, policy.on_exit) {
        (
            Role::OneOff(EndListener::ReleaseGate),
            Some(CanDie::Success | CanDie::Any) | None,
            OnExit::StopAll | OnExit::Restart(_),
        )
        | (Role::Formation, Some(CanDie::Success), OnExit::StopAll | OnExit::Restart(_))
        // With restarts only 0 ends a dyno for good (S6.4).
        | (Role::Formation, Some(CanDie::Any), OnExit::Restart(_)) => exit.is_success(),
        (Role::Formation, Some(CanDie::Any), OnExit::StopAll)
        | (
            Role::OneOff(EndListener::Log),
            Some(CanDie::Success | CanDie::Any) | None,
            OnExit::StopAll | OnExit::Restart(_),
        ) => true,
        (Role::Formation, None, OnExit::StopAll | OnExit::Restart(_)) => false,
    };
    if is_allowed { RunEnding::Done } else { RunEnding::Crashed(exit) }
}
