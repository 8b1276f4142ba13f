//! Changes the formation while it runs: dynos are added and removed, all or nothing.

use std::sync::Arc;

use crate::app::{Formation, PortError, Scale};
use crate::model::{DynoName, DynoSpec, ProcessType};
use crate::release::{Blueprint, BlueprintError};

use super::dyno_state::{DynoState, Rest};
use super::shutdown::Phase;
use super::slot::{Intent, Role, Slot, Turn};
use super::slots::{Place, SlotId};
use super::{Command, EndRequest, NoticeKind, Quantity, Refusal, Reply, Supervisor};

/// A dyno that is added.
pub(super) type Added = (SlotId, Arc<DynoSpec>);

impl Supervisor {
    /// Changes the quantities of these types. In the release phase the new formation is the one that boots after it.
    pub(super) fn scale(&mut self, changes: &[(ProcessType, Scale)], turn: &mut Turn) -> Result<Reply, Refusal> {
        if let Some((name, _)) = changes.iter().find(|(name, _)| self.blueprint.position(name).is_none()) {
            return Err(self.unknown_type(name));
        }
        let too_many = |process_type| Refusal::TooMany { process_type };
        let formation = self.formation.scaled(changes).map_err(too_many)?;
        let added = self.added(&self.blueprint, &formation)?;
        self.check_later(&formation)?;
        self.formation = formation;
        self.close_holds();
        let (formation, user) = (self.quantities(), self.blueprint.release().user.clone());
        if !changes.is_empty() {
            turn.announce(NoticeKind::Scaled { formation: formation.clone(), user });
        }
        for (process_type, _) in changes {
            let Some(position) = self.blueprint.position(process_type) else { continue };
            let quantity = u32::from(self.formation.quantity(process_type));
            let ids = self.slots.ids_of(Place::Formation(position));
            // The highest index stops first.
            for id in ids.iter().rev().filter(|id| id.index > quantity) {
                self.leave(*id, EndRequest::ScaleDown, turn);
            }
            for id in ids.iter().filter(|id| id.index <= quantity) {
                self.bring_back(*id);
            }
        }
        self.insert_all(added, turn);
        self.reconcile_all(turn);
        Ok(Reply::Scaled(formation))
    }

    /// Adds dynos to the formation.
    pub(super) fn insert_all(&mut self, added: Vec<Added>, turn: &Turn) {
        for (id, spec) in added {
            let mut slot = Slot::new(spec, Role::Formation, &self.policy);
            slot.since = turn.now.wall;
            self.slots.insert(id, slot);
            self.bring_back(id);
        }
    }

    /// The dynos that a command would add. None if it would be refused.
    #[must_use]
    pub fn added_by(&self, command: &Command) -> Vec<Arc<DynoSpec>> {
        let added = match command {
            Command::Scale(changes) => {
                let formation = self.formation.scaled(changes).ok();
                formation.and_then(|formation| self.added(&self.blueprint, &formation).ok())
            }
            Command::Deploy(deploy) => self.added_by_release(deploy),
            Command::Rollback { version, elsewhere } => {
                self.earlier(*version, elsewhere).ok().and_then(|deploy| self.added_by_release(&deploy))
            }
            Command::Restart(..)
            | Command::Refresh { .. }
            | Command::Stop(..)
            | Command::Run(_)
            | Command::RunOneOff { .. }
            | Command::Shutdown { .. } => None,
        };
        added.unwrap_or_default().into_iter().map(|(_, spec)| spec).collect()
    }

    /// The dynos of a formation that do not exist yet.
    pub(super) fn added(&self, blueprint: &Blueprint, formation: &Formation) -> Result<Vec<Added>, Refusal> {
        blueprint.check_ports(formation).map_err(|error| port_refusal(&error))?;
        let mut added = Vec::new();
        for dyno in formation.dynos() {
            let Some(position) = blueprint.position(&dyno.process_type) else { continue };
            let id = SlotId { place: Place::Formation(position), index: dyno.index };
            if self.slots.get(id).is_some() {
                continue;
            }
            let spec = blueprint.spec(&dyno).map_err(|error| match error {
                BlueprintError::Port(error) => port_refusal(&error),
                BlueprintError::UnknownType(name) => self.unknown_type(&name),
            })?;
            added.push((id, Arc::new(spec)));
        }
        Ok(added)
    }

    /// Stops and removes a dyno that is not part of the formation any more.
    pub(super) fn leave(&mut self, id: SlotId, request: EndRequest, turn: &mut Turn) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        if slot.state.may_be_stopped() {
            let signal = Some(slot.stop_rules.signal);
            slot.notify(NoticeKind::EndRequested { request, signal }, turn);
        }
        slot.intent = Intent::Leave;
        self.tally.forget(id);
        self.reconcile(id, turn);
    }

    /// Makes a dyno part of the formation again, even if it was stopped before. One that has crashed for good, or of
    /// which a process could not be killed, stays crashed.
    pub(super) fn bring_back(&mut self, id: SlotId) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        let intent = match self.phase {
            Phase::Unbooted | Phase::Release => Intent::Rest,
            Phase::Running | Phase::Stopping { .. } | Phase::Killing { .. } | Phase::Over => Intent::Run,
        };
        slot.intent = match slot.state {
            DynoState::Rest(Rest::Lost) => Intent::Rest,
            DynoState::Rest(Rest::Crashed) => intent,
            DynoState::Rest(Rest::Down | Rest::Waiting | Rest::Backoff { .. }) | DynoState::Alive(..) => {
                self.tally.forget(id);
                intent
            }
        };
    }

    /// The number of dynos that each process type should have.
    pub(super) fn quantities(&self) -> Vec<Quantity> {
        let quantity = |(process_type, quantity): (&ProcessType, u16)| Quantity {
            process_type: process_type.clone(),
            quantity: quantity.into(),
        };
        self.formation.iter().map(quantity).collect()
    }

    pub(super) fn unknown_type(&self, name: &ProcessType) -> Refusal {
        Refusal::UnknownType { name: name.clone(), known: self.blueprint.types().to_vec() }
    }
}

pub(super) fn port_refusal(error: &PortError) -> Refusal {
    let impossible = |dyno: &DynoName| Refusal::Impossible { dyno: dyno.clone(), why: error.to_string() };
    match error {
        PortError::OutOfRange { dyno, .. }
        | PortError::OutsideBlock { dyno, .. }
        | PortError::Router { dyno, .. }
        | PortError::Collision { second: dyno, .. } => impossible(dyno),
        // The base was checked before the start.
        PortError::BadBase { .. } => Refusal::ShuttingDown,
    }
}
