//! Changes the formation while it runs: dynos are added and removed, all or nothing.

use std::sync::Arc;

use crate::app::{Formation, PortError, Scale};
use crate::model::{DynoName, DynoSpec, ProcessType};
use crate::release::BlueprintError;

use super::dyno_state::{DynoState, Rest};
use super::shutdown::Phase;
use super::slot::{Intent, Role, Slot, Turn};
use super::slots::{Place, SlotId};
use super::{EndRequest, NoticeKind, Quantity, Refusal, Reply, Supervisor};

/// A dyno that is added.
type Added = (SlotId, Arc<DynoSpec>);

impl Supervisor {
    /// Changes the quantities of these types. In the release phase the new formation is the one that boots after it.
    pub(super) fn scale(&mut self, changes: &[(ProcessType, Scale)], turn: &mut Turn) -> Result<Reply, Refusal> {
        if let Some((name, _)) = changes.iter().find(|(name, _)| self.blueprint.position(name).is_none()) {
            return Err(self.unknown_type(name));
        }
        let too_many = |process_type| Refusal::TooMany { process_type };
        let formation = self.formation.scaled(changes).map_err(too_many)?;
        let added = self.added(&formation)?;
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
                self.leave(*id, turn);
            }
            for id in ids.iter().filter(|id| id.index <= quantity) {
                self.bring_back(*id);
            }
        }
        for (id, spec) in added {
            let mut slot = Slot::new(spec, Role::Formation, &self.policy);
            slot.since = turn.now.wall;
            self.slots.insert(id, slot);
            self.bring_back(id);
        }
        self.reconcile_all(turn);
        Ok(Reply::Scaled(formation))
    }

    /// The dynos that these changes would add. None if they would be refused.
    #[must_use]
    pub fn added_by(&self, changes: &[(ProcessType, Scale)]) -> Vec<Arc<DynoSpec>> {
        if changes.iter().any(|(name, _)| self.blueprint.position(name).is_none()) {
            return Vec::new();
        }
        let added = self.formation.scaled(changes).ok().and_then(|formation| self.added(&formation).ok());
        added.unwrap_or_default().into_iter().map(|(_, spec)| spec).collect()
    }

    /// The dynos of a formation that do not exist yet.
    fn added(&self, formation: &Formation) -> Result<Vec<Added>, Refusal> {
        self.blueprint.check_ports(formation).map_err(|error| port_refusal(&error))?;
        let mut added = Vec::new();
        for dyno in formation.dynos() {
            let Some(position) = self.blueprint.position(&dyno.process_type) else { continue };
            let id = SlotId { place: Place::Formation(position), index: dyno.index };
            if self.slots.get(id).is_some() {
                continue;
            }
            let spec = self.blueprint.spec(&dyno).map_err(|error| match error {
                BlueprintError::Port(error) => port_refusal(&error),
                BlueprintError::UnknownType(name) => self.unknown_type(&name),
            })?;
            added.push((id, Arc::new(spec)));
        }
        Ok(added)
    }

    /// Stops and removes a dyno that is not part of the formation any more.
    fn leave(&mut self, id: SlotId, turn: &mut Turn) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        if slot.state.may_be_stopped() {
            let signal = Some(slot.stop_rules.signal);
            slot.notify(NoticeKind::EndRequested { request: EndRequest::ScaleDown, signal }, turn);
        }
        slot.intent = Intent::Leave;
        self.tally.forget(id);
        self.reconcile(id, turn);
    }

    /// A dyno that is part of the formation, even if it was stopped before. One that has crashed for good, or of which a
    /// process could not be killed, stays crashed.
    fn bring_back(&mut self, id: SlotId) {
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

fn port_refusal(error: &PortError) -> Refusal {
    let impossible = |dyno: &DynoName| Refusal::Impossible { dyno: dyno.clone(), why: error.to_string() };
    match error {
        PortError::OutOfRange { dyno, .. }
        | PortError::OutsideBlock { dyno, .. }
        | PortError::Collision { second: dyno, .. } => impossible(dyno),
        // The base was checked before the start.
        PortError::BadBase { .. } => Refusal::ShuttingDown,
    }
}
