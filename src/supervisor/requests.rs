//! Decides what a command changes, and answers it: accepted in the phases that allow it, else refused (S10.2).
//!
//! | | release phase | running | stopping | over |
//! |---|---|---|---|---|
//! | `Scale` | the formation that will boot | dynos are added and removed | refused | refused |
//! | `Restart` | refused | dynos are replaced or started | refused | refused |
//! | `Stop`, all | everything is stopped | everything is stopped | accepted, can shorten the grace | refused |
//! | `Stop`, some | refused | dynos are stopped | accepted, can shorten the grace | refused |
//! | `Run`, `RunOneOff` | refused | the dyno is started | refused | refused |
//! | `Deploy`, `Rollback` | refused | another release replaces the current one | refused | refused |
//! | `Shutdown` | everything is stopped | everything is stopped | accepted, changes nothing | refused |

use std::sync::Arc;
use std::time::Duration;

use crate::model::{DynoName, DynoSpec, ProcessType};
use crate::release::OneOff;

use super::dyno_state::{DynoState, Rest, RunEnding, RunStage};
use super::restart::CrashCount;
use super::shutdown::Phase;
use super::slot::{EndListener, Intent, Role, Slot, Turn};
use super::slots::{Place, SlotId};
use super::{
    Command, Effect, EndRequest, NoticeKind, Outcome, Refusal, Reply, RequestId, Restarted, Supervisor, Target,
};

/// The numbers of one-off dynos.
const ONE_OFF_NUMBERS: std::ops::RangeInclusive<u32> = 1_000..=9_999;

/// Maximum number of one-off dynos at a time, as many as dynos of one process type.
const MAX_ONE_OFFS: usize = crate::app::MAX_QUANTITY as usize;

impl Supervisor {
    pub(super) fn on_request(&mut self, id: RequestId, command: Command, turn: &mut Turn) {
        let result = match (self.phase, command) {
            (Phase::Unbooted | Phase::Release | Phase::Running, Command::Scale(changes)) => self.scale(&changes, turn),
            (Phase::Unbooted | Phase::Release | Phase::Running, Command::Stop(Target::All, grace)) => {
                turn.announce(NoticeKind::ShutdownRequested);
                Ok(self.stop_start(grace, turn))
            }
            (Phase::Running, Command::Stop(target @ (Target::Type(_) | Target::Dyno(_)), grace)) => {
                self.stop_some(&target, grace, turn)
            }
            (Phase::Running, Command::Restart(target, grace)) => self.restart(&target, grace, turn),
            (Phase::Running, Command::RunOneOff { number, one_off }) => self.run_one_off(number, &one_off, turn),
            (Phase::Running, Command::Run(spec)) => self.run_spec(spec, turn),
            (Phase::Running, Command::Deploy(deploy)) => self.deploy(*deploy, turn),
            (Phase::Running, Command::Rollback { version, elsewhere }) => self.rollback(version, &elsewhere, turn),
            (Phase::Running, Command::Refresh { process_type, first, more }) => {
                Ok(self.refresh(process_type, first, more, turn))
            }
            // The dynos start later, with the changed files.
            (Phase::Unbooted | Phase::Release, Command::Refresh { .. }) => Ok(Reply::Restarting(Vec::new())),
            (Phase::Unbooted | Phase::Release | Phase::Running, Command::Shutdown { after }) => {
                turn.put_after(after);
                Ok(self.stop_start(None, turn))
            }
            (Phase::Stopping { .. } | Phase::Killing { .. }, Command::Shutdown { .. }) => {
                Ok(Reply::Stopping(self.active(&self.slots.ids())))
            }
            (
                Phase::Unbooted | Phase::Release,
                Command::Stop(Target::Type(_) | Target::Dyno(_), _)
                | Command::Restart(..)
                | Command::Run(_)
                | Command::RunOneOff { .. }
                | Command::Deploy(_)
                | Command::Rollback { .. },
            ) => Err(Refusal::ReleasePhase),
            (Phase::Stopping { .. } | Phase::Killing { .. }, Command::Stop(target, grace)) => {
                self.hasten_stop(&target, grace, turn)
            }
            (
                Phase::Stopping { .. } | Phase::Killing { .. },
                Command::Scale(_)
                | Command::Restart(..)
                | Command::Run(_)
                | Command::RunOneOff { .. }
                | Command::Deploy(_)
                | Command::Rollback { .. }
                | Command::Refresh { .. },
            )
            | (
                Phase::Over,
                Command::Scale(_)
                | Command::Restart(..)
                | Command::Stop(..)
                | Command::Run(_)
                | Command::RunOneOff { .. }
                | Command::Deploy(_)
                | Command::Rollback { .. }
                | Command::Refresh { .. }
                | Command::Shutdown { .. },
            ) => Err(Refusal::ShuttingDown),
        };
        turn.order(Effect::Reply { request: id, result });
    }

    /// Stops everything, and then ends.
    fn stop_start(&mut self, grace: Option<Duration>, turn: &mut Turn) -> Reply {
        for slot in self.slots.iter_mut() {
            slot.named_grace = grace;
            slot.hasten(grace, turn);
        }
        let active = self.active(&self.slots.ids());
        self.stop_all(Outcome::Code(0), turn);
        Reply::Stopping(active)
    }

    /// Everything is being stopped already: a request can only name a shorter grace.
    fn hasten_stop(&mut self, target: &Target, grace: Option<Duration>, turn: &mut Turn) -> Result<Reply, Refusal> {
        let ids = match target {
            // As for the stop itself: one-off dynos and the release phase, too.
            Target::All => self.slots.ids(),
            Target::Type(_) | Target::Dyno(_) => self.targets(target)?,
        };
        for id in &ids {
            if let Some(slot) = self.slots.get_mut(*id) {
                slot.hasten(grace, turn);
            }
        }
        Ok(Reply::Stopping(self.active(&ids)))
    }

    fn stop_some(&mut self, target: &Target, grace: Option<Duration>, turn: &mut Turn) -> Result<Reply, Refusal> {
        let ids = self.targets(target)?;
        let active = self.active(&ids);
        for id in ids {
            self.stop_one(id, grace, turn);
        }
        Ok(Reply::Stopping(active))
    }

    fn stop_one(&mut self, id: SlotId, grace: Option<Duration>, turn: &mut Turn) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        slot.intent = match (slot.role, slot.intent) {
            (Role::Formation, Intent::Run | Intent::Rest) => Intent::Rest,
            (Role::Formation, Intent::Leave) | (Role::OneOff(_), _) => Intent::Leave,
        };
        match slot.role {
            Role::Formation => self.tally.record_stopped(id),
            Role::OneOff(_) => self.tally.forget(id),
        }
        match slot.state {
            DynoState::Alive(_, RunStage::Starting { .. } | RunStage::Booting { .. } | RunStage::Up { .. }) => {
                let signal = Some(slot.stop_rules.signal);
                slot.notify(NoticeKind::EndRequested { request: EndRequest::Stop, signal }, turn);
                slot.named_grace = grace;
            }
            DynoState::Alive(_, RunStage::Stopping { .. } | RunStage::Clearing { .. }) => {
                slot.end_as(RunEnding::Requested, turn);
                slot.hasten(grace, turn);
            }
            DynoState::Rest(Rest::Crashed) => slot.enter(DynoState::Rest(Rest::Down), turn),
            DynoState::Rest(Rest::Down | Rest::Waiting | Rest::Backoff { .. } | Rest::Lost) => {}
        }
        self.reconcile(id, turn);
    }

    fn restart(&mut self, target: &Target, grace: Option<Duration>, turn: &mut Turn) -> Result<Reply, Refusal> {
        let ids = self.targets(target)?;
        let slots = || ids.iter().filter_map(|id| Some((*id, self.slots.get(*id)?)));
        if let Some((_, slot)) = slots().find(|(_, slot)| slot.role != Role::Formation) {
            return Err(Refusal::RunsOnce { dyno: slot.spec.dyno.clone() });
        }
        // Without dynos that are being removed from the formation: some of their processes may still be running.
        let ids: Vec<SlotId> = slots().filter(|(_, slot)| slot.intent != Intent::Leave).map(|(id, _)| id).collect();
        if let (Target::Dyno(name), true) = (target, ids.is_empty()) {
            return Err(self.unknown_dyno(name));
        }
        let slots = || ids.iter().filter_map(|id| Some((*id, self.slots.get(*id)?)));
        let is_lost = |slot: &Slot| slot.state == DynoState::Rest(Rest::Lost);
        let (lost, others): (Vec<_>, Vec<_>) = slots().partition(|(_, slot)| is_lost(slot));
        if let (Some((_, slot)), true) = (lost.first(), others.is_empty()) {
            let why = "one of its processes could not be killed".to_owned();
            return Err(Refusal::Impossible { dyno: slot.spec.dyno.clone(), why });
        }
        let restarted = |(_, slot): &(SlotId, &Slot)| Restarted { dyno: slot.spec.dyno.clone(), run: slot.last_run };
        let reply = Reply::Restarting(others.iter().map(restarted).collect());
        let others: Vec<SlotId> = others.into_iter().map(|(id, _)| id).collect();
        for id in others {
            self.restart_one(id, EndRequest::Restart, grace, turn);
        }
        Ok(reply)
    }

    /// Replaces the dynos of this type that run or are to run.
    fn refresh(&mut self, process_type: ProcessType, first: String, more: usize, turn: &mut Turn) -> Reply {
        let of_type = |slot: &Slot| slot.role == Role::Formation && slot.spec.dyno.process_type == process_type;
        let ids = self.slots.ids();
        let slots = ids.iter().filter_map(|id| Some((*id, self.slots.get(*id)?)));
        let replaced: Vec<(SlotId, Restarted)> = slots
            .filter(|(_, slot)| of_type(slot) && slot.is_replaceable())
            .map(|(id, slot)| (id, Restarted { dyno: slot.spec.dyno.clone(), run: slot.last_run }))
            .collect();
        if !replaced.is_empty() {
            turn.announce(NoticeKind::FilesChanged { process_type, first, more });
        }
        for (id, _) in &replaced {
            self.restart_one(*id, EndRequest::Restart, None, turn);
        }
        Reply::Restarting(replaced.into_iter().map(|(_, restarted)| restarted).collect())
    }

    /// Replaces a dyno, which is not a crash. Earlier crashes are forgotten.
    pub(super) fn restart_one(&mut self, id: SlotId, request: EndRequest, grace: Option<Duration>, turn: &mut Turn) {
        let drain = self.drain_time();
        let Some(slot) = self.slots.get_mut(id) else { return };
        slot.intent = Intent::Run;
        (slot.crashes, slot.restarts) = (CrashCount::default(), 0);
        self.tally.forget(id);
        let requested = |signal| NoticeKind::EndRequested { request, signal };
        match slot.state {
            DynoState::Alive(_, RunStage::Starting { .. } | RunStage::Booting { .. } | RunStage::Up { .. }) => {
                slot.notify(requested(Some(slot.stop_rules.signal)), turn);
                slot.named_grace = grace;
                slot.stop(RunEnding::Replaced, drain, turn);
            }
            DynoState::Alive(_, RunStage::Stopping { .. } | RunStage::Clearing { .. }) => {
                slot.notify(requested(None), turn);
                slot.end_as(RunEnding::Replaced, turn);
                slot.hasten(grace, turn);
            }
            DynoState::Rest(Rest::Down | Rest::Backoff { .. } | Rest::Crashed) => {
                slot.notify(requested(None), turn);
                self.spawn(id, turn);
            }
            // One that waits for others is started as soon as they are up.
            DynoState::Rest(Rest::Waiting | Rest::Lost) => {}
        }
    }

    fn run_one_off(&mut self, number: u32, one_off: &OneOff, turn: &mut Turn) -> Result<Reply, Refusal> {
        let process_type = ProcessType::one_off();
        if self.slots.ids_of(Place::OneOff).len() >= MAX_ONE_OFFS {
            return Err(Refusal::TooMany { process_type });
        }
        let is_free = |number: &u32| {
            let dyno = DynoName::new(process_type.clone(), *number);
            self.slots.iter().all(|slot| slot.spec.dyno != dyno)
        };
        let after = ONE_OFF_NUMBERS.filter(|other| *other >= number);
        let Some(index) = after.chain(ONE_OFF_NUMBERS).find(is_free) else {
            return Err(Refusal::TooMany { process_type });
        };
        let dyno = DynoName::new(process_type, index);
        let line = self.blueprint.one_off_line(&one_off.line);
        let line = line.map_err(|(process_type, error)| Refusal::Arguments { process_type, error })?;
        let spec = Arc::new(self.blueprint.one_off(&dyno, &OneOff { line, ..one_off.clone() }));
        let user = self.blueprint.release().user.clone();
        turn.announce(NoticeKind::OneOffRequested { command_line: spec.command_line.clone(), user });
        self.start_one_off(spec, turn);
        Ok(Reply::Started(dyno))
    }

    fn run_spec(&mut self, spec: Arc<DynoSpec>, turn: &mut Turn) -> Result<Reply, Refusal> {
        let dyno = spec.dyno.clone();
        if self.slots.iter().any(|slot| slot.spec.dyno == dyno) {
            return Err(Refusal::Impossible { dyno, why: "there is already a dyno with that name".to_owned() });
        }
        self.start_one_off(spec, turn);
        Ok(Reply::Started(dyno))
    }

    /// Starts a dyno that runs once.
    fn start_one_off(&mut self, spec: Arc<DynoSpec>, turn: &mut Turn) {
        let id = SlotId { place: Place::OneOff, index: spec.dyno.index };
        let mut slot = Slot::new(spec, Role::OneOff(EndListener::Log), &self.policy);
        (slot.intent, slot.since) = (Intent::Run, turn.now.wall);
        self.slots.insert(id, slot);
        self.reconcile(id, turn);
    }

    /// The dynos that a command is about, in start order.
    fn targets(&self, target: &Target) -> Result<Vec<SlotId>, Refusal> {
        let ids = |matches: &dyn Fn(&Slot) -> bool| -> Vec<SlotId> {
            let ids = self.slots.ids().into_iter();
            ids.filter(|id| self.slots.get(*id).is_some_and(matches)).collect()
        };
        // The command of a later release can be stopped alone: then that release fails (S8.3).
        let is_named = |slot: &Slot| !slot.is_release() || self.deploying.is_some();
        match target {
            Target::All => Ok(ids(&|slot| slot.role == Role::Formation)),
            Target::Type(name) => {
                let found = ids(&|slot| is_named(slot) && slot.spec.dyno.process_type == *name);
                let is_known = !found.is_empty() || self.blueprint.position(name).is_some();
                if is_known { Ok(found) } else { Err(self.unknown_type(name)) }
            }
            Target::Dyno(name) => {
                let found = ids(&|slot| is_named(slot) && slot.spec.dyno == *name);
                if found.is_empty() { Err(self.unknown_dyno(name)) } else { Ok(found) }
            }
        }
    }

    fn unknown_dyno(&self, name: &DynoName) -> Refusal {
        let staying = self.slots.iter().filter(|slot| slot.intent != Intent::Leave);
        Refusal::UnknownDyno { name: name.clone(), known: staying.map(|slot| slot.spec.dyno.clone()).collect() }
    }

    /// The names of those dynos among `ids` that have a run or are about to start.
    fn active(&self, ids: &[SlotId]) -> Vec<DynoName> {
        let is_active = |slot: &&Slot| match slot.state {
            DynoState::Alive(..) | DynoState::Rest(Rest::Waiting | Rest::Backoff { .. }) => true,
            // Then it waits for its port.
            DynoState::Rest(Rest::Down) => slot.intent == Intent::Run,
            DynoState::Rest(Rest::Crashed | Rest::Lost) => false,
        };
        let slots = ids.iter().filter_map(|id| self.slots.get(*id));
        slots.filter(is_active).map(|slot| slot.spec.dyno.clone()).collect()
    }
}
