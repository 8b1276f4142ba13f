//! The read model: the state of all dynos as shown to users. Nothing is decided from it.

use std::fmt;

use crate::model::{DynoName, ExitStatus, ProcessType};

use super::Supervisor;
use super::dyno_state::DynoState;
use super::slot::{Role, Slot};

/// The visible state of everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The number of dynos of each process type, in the order of the Procfile.
    pub formation: Vec<Quantity>,
    /// One row for each dyno, in start order. The release phase comes first, while it runs or after it failed; the
    /// command of a smoke test comes last, while it runs.
    pub rows: Vec<Row>,
}

/// The number of dynos of one process type in the formation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantity {
    /// The process type.
    pub process_type: ProcessType,
    /// The number of its dynos.
    pub quantity: u32,
}

/// One dyno at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub dyno: DynoName,
    /// Its state, in the words of the platform.
    pub state: PublicState,
    /// When it entered that state. The Unix epoch before `Event::Boot`.
    pub since: jiff::Timestamp,
    /// The process id of its leader, while it is alive.
    pub pid: Option<i32>,
    /// How often it was restarted after a crash.
    pub restarts: u32,
    /// The exit status of its last run; 126 if it could not be started.
    pub last_exit: Option<ExitStatus>,
}

impl Row {
    fn of(slot: &Slot) -> Self {
        Self {
            dyno: slot.spec.dyno.clone(),
            state: slot.state.public(),
            since: slot.since,
            pid: slot.state.pid(),
            restarts: slot.restarts,
            last_exit: slot.last_exit,
        }
    }
}

/// The states of the Platform API v3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PublicState {
    /// It exited by itself; it may be about to restart.
    Crashed,
    /// It has ended and is not supposed to run.
    Down,
    /// It is being started, or does not listen yet.
    Starting,
    /// It runs, and listens if that is required.
    Up,
}

impl fmt::Display for PublicState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Crashed => "crashed",
            Self::Down => "down",
            Self::Starting => "starting",
            Self::Up => "up",
        })
    }
}

impl Supervisor {
    /// The current snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut formation: Vec<Quantity> = Vec::new();
        let mut rows = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            match slot.role {
                Role::Release | Role::Command if slot.state == DynoState::Down => continue,
                Role::Release | Role::Command => {}
                Role::Formation => count(&mut formation, &slot.spec.dyno.process_type),
            }
            rows.push(Row::of(slot));
        }
        Snapshot { formation, rows }
    }
}

/// Counts one dyno. Dynos of a type are adjacent in a plan, so the search from the end is nearly always short.
fn count(formation: &mut Vec<Quantity>, process_type: &ProcessType) {
    match formation.iter_mut().rev().find(|entry| entry.process_type == *process_type) {
        Some(entry) => entry.quantity = entry.quantity.saturating_add(1),
        None => formation.push(Quantity { process_type: process_type.clone(), quantity: 1 }),
    }
}
