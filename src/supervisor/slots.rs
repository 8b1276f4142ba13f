//! All dynos of a start in start order, which run belongs to which dyno, and which ports are in use.
//!
//! Dynos are inserted and removed while others run. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{DynoName, RunId};

use super::dyno_state::{DynoState, Rest};
use super::slot::Slot;

/// The place of a dyno in start order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SlotId {
    pub(super) place: Place,
    pub(super) index: u32,
}

/// The place of a process type in start order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// The release command.
    Release,
    /// A process type of the formation, by its position in the Procfile.
    Formation(usize),
    /// One-off dynos.
    OneOff,
}

/// The dynos.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    dynos: BTreeMap<SlotId, Slot>,
    /// Every run that may still have processes.
    of_run: BTreeMap<RunId, SlotId>,
    /// The run that uses each port. Empty if dynos share ports.
    ports: BTreeMap<u16, RunId>,
    /// Dynos that start as soon as their port is free.
    waiting: BTreeSet<SlotId>,
    shares_ports: bool,
}

impl Slots {
    /// `shares_ports`: several dynos may use one port at the same time.
    pub(super) fn new(slots: impl IntoIterator<Item = (SlotId, Slot)>, shares_ports: bool) -> Self {
        let dynos = slots.into_iter().collect();
        let (of_run, ports, waiting) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { dynos, of_run, ports, waiting, shares_ports }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.dynos.values()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.dynos.values_mut()
    }

    /// All dynos in start order, as they are now.
    pub(super) fn ids(&self) -> Vec<SlotId> {
        self.dynos.keys().copied().collect()
    }

    /// The dynos of one place, in start order.
    pub(super) fn ids_of(&self, place: Place) -> Vec<SlotId> {
        let (first, last) = (SlotId { place, index: 0 }, SlotId { place, index: u32::MAX });
        self.dynos.range(first..=last).map(|(id, _)| *id).collect()
    }

    pub(super) fn get(&self, id: SlotId) -> Option<&Slot> {
        self.dynos.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: SlotId) -> Option<&mut Slot> {
        self.dynos.get_mut(&id)
    }

    pub(super) fn insert(&mut self, id: SlotId, slot: Slot) {
        self.dynos.insert(id, slot);
    }

    /// Removes a dyno of which nothing is left.
    pub(super) fn remove(&mut self, id: SlotId) -> Option<DynoName> {
        self.waiting.remove(&id);
        self.dynos.remove(&id).map(|slot| slot.spec.dyno.clone())
    }

    /// The dyno of a run that may still have processes.
    pub(super) fn id_of(&self, run: RunId) -> Option<SlotId> {
        self.of_run.get(&run).copied()
    }

    /// The dyno of a run that may still have processes.
    pub(super) fn of_run(&self, run: RunId) -> Option<&Slot> {
        self.get(self.id_of(run)?)
    }

    /// Whether some run may still have processes that can be stopped.
    pub(super) fn have_runs(&self) -> bool {
        let is_lost = |id| self.get(id).is_none_or(|slot| slot.state == DynoState::Rest(Rest::Lost));
        self.of_run.values().any(|id| !is_lost(*id))
    }

    /// Whether a dyno can start now. If not, [`end_run`](Self::end_run) returns it once its port is free: its number
    /// may have belonged to a dyno that is still being stopped.
    pub(super) fn has_free_port(&mut self, id: SlotId) -> bool {
        let port = self.get(id).and_then(|slot| slot.spec.port);
        let is_free = port.is_none_or(|port| !self.ports.contains_key(&port));
        if is_free {
            self.waiting.remove(&id);
        } else {
            self.waiting.insert(id);
        }
        is_free
    }

    /// A run of this dyno is being started.
    pub(super) fn begin_run(&mut self, run: RunId, id: SlotId) {
        self.of_run.insert(run, id);
        if let Some(port) = self.get(id).and_then(|slot| slot.spec.port).filter(|_| !self.shares_ports) {
            self.ports.insert(port, run);
        }
    }

    /// No process of a run is left. Returns the dynos that waited for a port.
    pub(super) fn end_run(&mut self, run: RunId) -> BTreeSet<SlotId> {
        let slot = self.of_run.remove(&run).and_then(|id| self.dynos.get(&id));
        match slot.and_then(|slot| slot.spec.port).filter(|port| self.ports.get(port) == Some(&run)) {
            Some(port) => {
                self.ports.remove(&port);
                std::mem::take(&mut self.waiting)
            }
            None => BTreeSet::new(),
        }
    }
}
