//! The read model: the state of all dynos as shown to users. Nothing is decided from it.

use std::fmt;
use std::sync::Arc;

use crate::model::{DynoName, ExitStatus, ProcessType};
use crate::release::{MovedPort, ReleaseFacts};

use super::dyno_state::{DynoState, Rest};
use super::shutdown::Phase;
use super::slot::{EndListener, Intent, Role, Slot};
use super::{DynoLife, Prevented, ReleaseInfo, Supervisor, WhyNotUp};

/// How many removed dynos are remembered.
const MOST_REMOVED: usize = 100;

/// The visible state of everything at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The number of the release that runs.
    pub release: u32,
    /// The last releases, the newest last. Some of them may never have become the current release.
    pub releases: Arc<Vec<ReleaseInfo>>,
    /// The commands and config vars of the current release.
    pub facts: Arc<ReleaseFacts>,
    /// The commands and config vars that the files of the app described when they were read last. A rollback leaves them.
    pub files: Arc<ReleaseFacts>,
    /// The process types that a new start would give other ports.
    pub moved_ports: Arc<Vec<MovedPort>>,
    /// The process types with dynos on the pending releases.
    pub coming: Vec<ProcessType>,
    /// How many dynos of each process type of the Procfile there should be, in its order and including 0.
    pub formation: Vec<Quantity>,
    /// One row for each dyno, in start order. The release phase comes first, while it runs or after it failed; one-off
    /// dynos come last, while they run. A dyno that is being removed has a row until nothing of it is left.
    pub rows: Vec<Row>,
    /// The dynos that were removed last, newest first: one-off dynos and the release command that have ended, and what was
    /// scaled down.
    pub removed: Vec<Row>,
    /// The phase that the start as a whole is in.
    pub phase: StartPhase,
}

/// The phase of a whole start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum StartPhase {
    /// The release command runs; the formation comes after it.
    Release,
    /// The formation runs.
    #[default]
    Running,
    /// Everything is being stopped.
    Stopping,
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
    /// Its purpose.
    pub role: DynoRole,
    /// Its state, in the words of the platform.
    pub state: PublicState,
    /// When it entered that state. The Unix epoch before `Event::Boot`.
    pub since: jiff::Timestamp,
    /// Why it is not up yet, while it is starting.
    pub not_up: Option<WhyNotUp>,
    /// Whether it should run. If not, it was stopped on request, has ended as allowed, is not due yet, or stays down
    /// because of another dyno.
    pub wanted: bool,
    /// Why it stays down although it should have started (S6.12).
    pub prevented: Option<Prevented>,
    /// The process id of its leader, while it is alive.
    pub pid: Option<i32>,
    /// The port that was assigned to it.
    pub port: Option<u16>,
    /// Its command line as written.
    pub command: Arc<str>,
    /// The number of its last run, 0 before the first one. It is higher than the number of any earlier run, including
    /// those of a removed dyno with the same name.
    pub run: u64,
    /// How many times it was restarted after a crash since the start or the last requested restart.
    pub restarts: u32,
    /// The exit status of its last run; 126 if it could not be started.
    pub last_exit: Option<ExitStatus>,
    /// Its earlier runs and its next one.
    pub life: DynoLife,
}

/// The purpose of a dyno.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DynoRole {
    /// It is part of the formation.
    Formation,
    /// It is the release phase.
    Release,
    /// It runs once.
    OneOff,
}

impl Row {
    pub(super) fn of(slot: &Slot) -> Self {
        Self {
            dyno: slot.spec.dyno.clone(),
            role: match slot.role {
                Role::Formation => DynoRole::Formation,
                Role::OneOff(EndListener::ReleaseGate) => DynoRole::Release,
                Role::OneOff(EndListener::Log) => DynoRole::OneOff,
            },
            state: slot.state.public(),
            since: slot.since,
            not_up: slot.why_not_up(),
            wanted: slot.intent == Intent::Run,
            prevented: slot.prevented.clone().filter(|_| slot.is_over()),
            pid: slot.state.pid(),
            port: slot.spec.port,
            command: Arc::clone(&slot.spec.command_line),
            run: slot.last_run,
            restarts: slot.restarts,
            last_exit: slot.last_exit,
            life: slot.memory.shown(slot.state, slot.spec.expected_port),
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
        let is_shown = |slot: &&Slot| match slot.role {
            Role::Formation => true,
            Role::OneOff(_) => !slot.is_over(),
        };
        // One that is stopped with everything else keeps its slot.
        let has_ended = |slot: &&Slot| !is_shown(slot) && slot.last_run > 0;
        let ended = self.slots.iter().filter(has_ended).map(Row::of);
        Snapshot {
            release: self.blueprint.release().version,
            releases: self.releases.shown(),
            facts: Arc::clone(&self.facts),
            files: Arc::clone(&self.files),
            moved_ports: Arc::clone(&self.moved_ports),
            coming: self.coming(),
            formation: self.quantities(),
            rows: self.slots.iter().filter(is_shown).map(|slot| self.row(slot)).collect(),
            removed: ended.chain(self.removed.iter().cloned()).collect(),
            phase: match self.phase {
                Phase::Unbooted | Phase::Release => StartPhase::Release,
                Phase::Running => StartPhase::Running,
                Phase::Stopping { .. } | Phase::Killing { .. } | Phase::Over => StartPhase::Stopping,
            },
        }
    }

    fn row(&self, slot: &Slot) -> Row {
        let row = Row::of(slot);
        match slot.state {
            DynoState::Rest(Rest::Waiting) => {
                Row { not_up: Some(WhyNotUp::Waits(self.missing(&slot.spec.dyno.process_type))), ..row }
            }
            DynoState::Rest(Rest::Down | Rest::Backoff { .. } | Rest::Crashed | Rest::Lost) | DynoState::Alive(..) => {
                row
            }
        }
    }

    /// Remembers a dyno that was removed, in place of an earlier one of its name.
    pub(super) fn remember(&mut self, row: Row) {
        self.removed.retain(|known| known.dyno != row.dyno);
        self.removed.truncate(MOST_REMOVED - 1);
        self.removed.push_front(row);
    }
}
