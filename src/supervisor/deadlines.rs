//! Decides what is due at a tick, when the next deadline is, and how deadlines move while `dyno` is suspended.

use std::time::Duration;

use crate::model::{ExitStatus, RunOrder};

use super::dyno_state::{Deadline, DynoState};
use super::reports::{UnrequestedExit, judge};
use super::shutdown::Phase;
use super::slot::Turn;
use super::{StopCause, Supervisor};

/// The status of a dyno that is killed for not being up in time, even if its leader exits with another one.
const KILLED: ExitStatus = ExitStatus::Signal(9);

impl Supervisor {
    /// When to call [`Supervisor::handle`] with `Event::Tick` next, as a value of `Now::mono`. None: nothing is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.deadlines().min()
    }

    /// All pending deadlines.
    pub(super) fn deadlines(&self) -> impl Iterator<Item = Duration> {
        let is_over = match self.phase {
            Phase::Over => true,
            Phase::Unbooted | Phase::Release | Phase::Running | Phase::Stopping { .. } | Phase::Killing { .. } => false,
        };
        let due = |state: DynoState| state.deadline().map(|(at, _)| at);
        let of_dynos = self.slots.iter().flat_map(move |slot| [due(slot.state), slot.address_report_due()]).flatten();
        of_dynos.chain(self.order_report_due()).filter(move |_| !is_over).chain(self.report_due())
    }

    pub(super) fn on_tick(&mut self, turn: &mut Turn) {
        let mono = turn.now.mono;
        if self.slots.iter().any(|slot| slot.state.is_due(Deadline::Answer, mono)) {
            self.replace_guardian(turn);
            return;
        }
        // The order matters: a boot timeout may stop everything, and a grace period of zero is then over at once.
        self.time_out_boots(turn);
        self.end_drains(|slot| slot.state.is_due(Deadline::Drain, mono), turn);
        for slot in self.slots.iter_mut().filter(|slot| slot.state.is_due(Deadline::Rest, mono)) {
            slot.stop_rest(turn);
        }
        self.kill_overdue(turn);
        self.report_still_running(turn);
        self.reconcile_all(turn);
        self.settle_order(turn);
        self.report_waits(turn);
        self.report_addresses(turn);
    }

    /// R10: kills the dynos that are not up in time. From then on each of them has crashed (S6.5).
    fn time_out_boots(&mut self, turn: &mut Turn) {
        let after = self.policy.boot_timeout.unwrap_or_default();
        for id in self.slots.ids() {
            let Some(slot) = self.slots.get_mut(id) else { continue };
            if !slot.state.is_due(Deadline::Boot, turn.now.mono) {
                continue;
            }
            let Some(run) = slot.state.run() else { continue };
            let ending = judge(slot, KILLED, &self.policy, &self.blueprint.release().order);
            slot.kill_for_not_being_up(after, ending, turn);
            let exit = UnrequestedExit { run, status: KILLED, cause: StopCause::NotUp, up_for: Duration::ZERO };
            self.on_unrequested_exit(id, ending, exit, turn);
        }
    }

    /// `dyno` was suspended for `paused_for`: continues all runs. Every stored time must be moved here.
    pub(super) fn on_resumed(&mut self, paused_for: Duration, turn: &mut Turn) {
        self.signal_all(RunOrder::Continue, turn);
        self.phase = self.phase.postponed(paused_for);
        for hold in &mut self.holds {
            hold.stage = hold.stage.postponed(paused_for);
        }
        for slot in self.slots.iter_mut() {
            slot.state = slot.state.postponed(paused_for);
            slot.memory.postpone(paused_for);
            slot.address_line = slot.address_line.postponed(paused_for);
        }
    }
}
