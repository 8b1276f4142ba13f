//! Decides which dynos wait for others before they start (S6.12).
//!
//! A process type with prerequisites is held back until all of them are met at the same time, at boot and whenever its
//! quantity rises from 0. From then on its dynos start and restart like any other. Not here: the text of the option
//! (`app::start_order`), and the lines about dynos that wait (`order_report`).

use core::net::SocketAddr;
use std::time::Duration;

use crate::app::{Formation, Prerequisite, StartOrder, Until};
use crate::model::ProcessType;

use super::dyno_state::{DynoState, Rest, RunEnding, RunStage};
use super::order_report::FIRST_REPORT;
use super::shutdown::Phase;
use super::slot::{Intent, Role, Slot, Turn};
use super::slots::{Place, SlotId};
use super::{MissingDyno, NoticeKind, Prevented, Supervisor, Unmet};

/// A process type that starts after others.
#[derive(Debug, Clone)]
pub(super) struct Hold {
    pub(super) process_type: ProcessType,
    pub(super) after: Vec<Prerequisite>,
    pub(super) stage: HoldStage,
}

/// Whether the dynos of a process type that starts after others may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HoldStage {
    /// Not yet, but none of them is due to start.
    Closed,
    /// Not yet, and some of them are waiting. The next line about the wait is due at `report_at`.
    Waiting { report_at: Duration },
    /// Yes.
    Open,
}

/// Whether one dyno has done what others wait for.
enum DynoProgress {
    Done,
    Missing,
    /// It will never do it, unless it is started again on request.
    Never(Unmet),
}

/// What happens next to the waiting dynos of a process type.
enum OrderDecision {
    /// They start. `nothing_to_wait_for`: types that they would wait for, but that have no dyno.
    Start { nothing_to_wait_for: Vec<ProcessType> },
    /// They stay down.
    StayDown(Prevented),
    /// None of them is waiting any longer.
    Close,
}

/// The holds of a start order.
pub(super) fn holds(order: &StartOrder) -> Vec<Hold> {
    let hold = |(process_type, after): (&ProcessType, &[Prerequisite])| Hold {
        process_type: process_type.clone(),
        after: after.to_vec(),
        stage: HoldStage::Closed,
    };
    order.iter().map(hold).collect()
}

impl HoldStage {
    /// The same stage after `dyno` was suspended for `by`.
    pub(super) fn postponed(self, by: Duration) -> Self {
        match self {
            Self::Waiting { report_at } => Self::Waiting { report_at: report_at.saturating_add(by) },
            Self::Closed | Self::Open => self,
        }
    }
}

impl Supervisor {
    /// Whether a dyno must wait before it starts. If so, it waits from now on.
    pub(super) fn holds_back(&mut self, id: SlotId, turn: &mut Turn) -> bool {
        let Some(slot) = self.slots.get_mut(id).filter(|slot| slot.role == Role::Formation) else { return false };
        let mut holds = self.holds.iter_mut();
        let Some(hold) = holds.find(|hold| hold.process_type == slot.spec.dyno.process_type) else { return false };
        slot.prevented = None;
        match hold.stage {
            HoldStage::Open => return false,
            HoldStage::Closed => {
                hold.stage = HoldStage::Waiting { report_at: turn.now.mono.saturating_add(FIRST_REPORT) };
            }
            HoldStage::Waiting { .. } => {}
        }
        slot.enter(DynoState::Rest(Rest::Waiting), turn);
        true
    }

    /// From now on the order of the release that runs applies. It holds back no type that has dynos, except those that wait
    /// already. `before`: the formation until now.
    pub(super) fn renew_holds(&mut self, before: &Formation, turn: &mut Turn) {
        let waiting: Vec<SlotId> = (0..self.holds.len()).flat_map(|at| self.waiting(at)).collect();
        let earlier = std::mem::replace(&mut self.holds, holds(&self.blueprint.release().order));
        for hold in &mut self.holds {
            let same = earlier.iter().find(|earlier| earlier.process_type == hold.process_type);
            hold.stage = match same {
                Some(same) => same.stage,
                None if before.quantity(&hold.process_type) > 0 => HoldStage::Open,
                None => HoldStage::Closed,
            };
        }
        for id in waiting {
            let Some(slot) = self.slots.get_mut(id) else { continue };
            if self.holds.iter().all(|hold| hold.process_type != slot.spec.dyno.process_type) {
                slot.enter(DynoState::Rest(Rest::Down), turn);
            }
        }
    }

    /// A process type whose quantity is 0 will wait again when it gets dynos.
    pub(super) fn close_holds(&mut self) {
        for hold in self.holds.iter_mut().filter(|hold| self.formation.quantity(&hold.process_type) == 0) {
            hold.stage = HoldStage::Closed;
        }
    }

    /// Starts the dynos whose prerequisites are met. Those whose prerequisites can no longer be met stay down.
    pub(super) fn settle_order(&mut self, turn: &mut Turn) {
        if self.phase == Phase::Over {
            return;
        }
        // One decision may allow the next one: others may wait for a dyno that stays down.
        while let Some((at, decision)) = self.next_decision() {
            let waiting = self.waiting(at);
            let stage = match decision {
                OrderDecision::Start { .. } => HoldStage::Open,
                OrderDecision::StayDown(_) | OrderDecision::Close => HoldStage::Closed,
            };
            let Some(hold) = self.holds.get_mut(at) else { return };
            hold.stage = stage;
            match decision {
                OrderDecision::Start { nothing_to_wait_for } => {
                    let process_type = hold.process_type.clone();
                    if !nothing_to_wait_for.is_empty() {
                        turn.announce(NoticeKind::NothingToWaitFor { process_type, awaited: nothing_to_wait_for });
                    }
                    for id in waiting {
                        self.spawn(id, turn);
                    }
                }
                OrderDecision::StayDown(prevented) => {
                    for id in waiting {
                        let Some(slot) = self.slots.get_mut(id) else { continue };
                        slot.intent = Intent::Rest;
                        slot.notify(NoticeKind::NotStarted(prevented.clone()), turn);
                        slot.prevented = Some(prevented.clone());
                        slot.enter(DynoState::Rest(Rest::Down), turn);
                    }
                }
                OrderDecision::Close => {}
            }
        }
    }

    /// The next decision that can be made now, with the position of its hold.
    fn next_decision(&self) -> Option<(usize, OrderDecision)> {
        let waiting = self.holds.iter().enumerate().filter(|(_, hold)| matches!(hold.stage, HoldStage::Waiting { .. }));
        let mut decisions = waiting.map(|(at, hold)| Some((at, self.decision(at, hold)?)));
        decisions.find_map(|decision| decision)
    }

    /// What happens to the dynos of a hold. None: they go on waiting.
    fn decision(&self, at: usize, hold: &Hold) -> Option<OrderDecision> {
        if self.waiting(at).is_empty() {
            return Some(OrderDecision::Close);
        }
        let mut nothing_to_wait_for = Vec::new();
        let mut is_missing = false;
        for Prerequisite { process_type, until } in &hold.after {
            let mut has_dynos = false;
            for slot in self.formation_of(process_type) {
                has_dynos = true;
                match slot.progress(*until) {
                    DynoProgress::Done => {}
                    DynoProgress::Missing => is_missing = true,
                    DynoProgress::Never(why) => {
                        return Some(OrderDecision::StayDown(Prevented { by: slot.spec.dyno.clone(), why }));
                    }
                }
            }
            if !has_dynos && !nothing_to_wait_for.contains(process_type) {
                nothing_to_wait_for.push(process_type.clone());
            }
        }
        (!is_missing).then_some(OrderDecision::Start { nothing_to_wait_for })
    }

    /// The dynos of a hold that wait, in start order.
    fn waiting(&self, at: usize) -> Vec<SlotId> {
        let position = self.holds.get(at).and_then(|hold| self.blueprint.position(&hold.process_type));
        let ids = position.map(|position| self.slots.ids_of(Place::Formation(position))).unwrap_or_default();
        let is_waiting =
            |id: &SlotId| self.slots.get(*id).is_some_and(|slot| slot.state == DynoState::Rest(Rest::Waiting));
        ids.into_iter().filter(is_waiting).collect()
    }

    /// The dynos of a type, without those that are being removed.
    fn formation_of<'a>(&'a self, process_type: &ProcessType) -> impl Iterator<Item = &'a Slot> {
        let position = self.blueprint.position(process_type);
        let ids = position.map(|position| self.slots.ids_of(Place::Formation(position))).unwrap_or_default();
        ids.into_iter().filter_map(|id| self.slots.get(id)).filter(|slot| slot.intent != Intent::Leave)
    }

    /// What a dyno that is held back waits for.
    pub(super) fn missing(&self, process_type: &ProcessType) -> Vec<MissingDyno> {
        let after = self.holds.iter().filter(|hold| hold.process_type == *process_type).flat_map(|hold| &hold.after);
        let missing = after.flat_map(|Prerequisite { process_type, until }| {
            let missing = self.formation_of(process_type).filter(|slot| match slot.progress(*until) {
                DynoProgress::Missing => true,
                DynoProgress::Done | DynoProgress::Never(_) => false,
            });
            missing.map(|slot| MissingDyno {
                dyno: slot.spec.dyno.clone(),
                until: *until,
                found: slot.listens_at.iter().map(SocketAddr::port).collect(),
            })
        });
        missing.collect()
    }

    /// Whether dynos that wait depend on where this dyno listens. That is so even if it listens already: it may stop
    /// listening before the other dynos that they wait for listen.
    pub(super) fn is_awaited_to_listen(&self, slot: &Slot) -> bool {
        let waiting = self.holds.iter().filter(|hold| matches!(hold.stage, HoldStage::Waiting { .. }));
        let mut after = waiting.flat_map(|hold| &hold.after);
        after.any(|Prerequisite { process_type, until }| match until {
            Until::Listens | Until::ListensOn(_) => *process_type == slot.spec.dyno.process_type,
            Until::Done | Until::Started => false,
        })
    }
}

impl Slot {
    /// Whether it has done what others wait for. It has ended only when nothing of its run is left.
    fn progress(&self, until: Until) -> DynoProgress {
        match self.state {
            DynoState::Alive(_, RunStage::Booting { .. } | RunStage::Up { .. }) => {
                let is_done = match until {
                    Until::Listens => !self.listens_at.is_empty(),
                    Until::ListensOn(port) => self.listens_at.iter().any(|address| address.port() == port),
                    Until::Started => true,
                    Until::Done => false,
                };
                if is_done { DynoProgress::Done } else { DynoProgress::Missing }
            }
            DynoState::Alive(
                _,
                RunStage::Starting { .. }
                | RunStage::Stopping { ending: RunEnding::Replaced | RunEnding::Done | RunEnding::Crashed(_), .. }
                | RunStage::Clearing { ending: RunEnding::Replaced | RunEnding::Done | RunEnding::Crashed(_), .. },
            )
            | DynoState::Rest(Rest::Waiting | Rest::Backoff { .. }) => DynoProgress::Missing,
            DynoState::Alive(
                _,
                RunStage::Stopping { ending: RunEnding::Requested, .. }
                | RunStage::Clearing { ending: RunEnding::Requested, .. },
            ) => DynoProgress::Never(Unmet::Stopped),
            DynoState::Rest(Rest::Crashed) => DynoProgress::Never(Unmet::Crashed),
            DynoState::Rest(Rest::Lost) => DynoProgress::Never(Unmet::CannotBeKilled),
            DynoState::Rest(Rest::Down) => self.progress_at_rest(until),
        }
    }

    fn progress_at_rest(&self, until: Until) -> DynoProgress {
        match (self.intent, self.last_ending, self.last_exit) {
            // It starts as soon as its port is free.
            (Intent::Run, ..) => DynoProgress::Missing,
            (Intent::Rest | Intent::Leave, ..) if self.prevented.is_some() => DynoProgress::Never(Unmet::NotStarted),
            (Intent::Rest | Intent::Leave, Some(RunEnding::Done), Some(exit)) => match until {
                Until::Done if exit.is_success() => DynoProgress::Done,
                Until::Done | Until::Listens | Until::ListensOn(_) | Until::Started => {
                    DynoProgress::Never(Unmet::Ended(exit))
                }
            },
            // If it has not run, it was stopped while it was waiting for others itself.
            (
                Intent::Rest | Intent::Leave,
                None | Some(RunEnding::Requested | RunEnding::Replaced | RunEnding::Crashed(_) | RunEnding::Done),
                _,
            ) => DynoProgress::Never(Unmet::Stopped),
        }
    }
}
