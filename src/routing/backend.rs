//! The dynos of one process type, as the router sees them (S16.3).

use crate::model::{DynoName, ProcessType};
use crate::supervisor::{DynoRole, LifeStage, Row, Snapshot};

/// A dyno that requests may be for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// Its name.
    pub dyno: DynoName,
    /// The number of its run. A new run is never confused with the last one.
    pub run: u64,
    /// The port it should listen on.
    pub port: u16,
    /// Its state.
    pub state: BackendState,
}

/// What a dyno means for requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BackendState {
    /// It gets requests.
    Up,
    /// It will be up: requests wait for it.
    Starting,
    /// It crashed and is started again in a while: requests wait for it.
    Waiting,
    /// It is being stopped and gets no new requests.
    Leaving {
        /// Whether it is started again: requests wait for it.
        returns: bool,
    },
    /// It crashed, or cannot start, and stays down.
    Crashed,
    /// It is not supposed to run.
    Down,
}

/// The dynos of one process type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backends(pub Vec<Backend>);

impl Backends {
    /// Those of this process type.
    #[must_use]
    pub fn new(snapshot: &Snapshot, process_type: &ProcessType) -> Self {
        let is_meant = |row: &&Row| row.role == DynoRole::Formation && row.dyno.process_type == *process_type;
        let backend = |row: &Row| {
            let (dyno, port) = (row.dyno.clone(), row.port?);
            Some(Backend { dyno, run: row.run, port, state: BackendState::new(row) })
        };
        Self(snapshot.rows.iter().filter(is_meant).filter_map(backend).collect())
    }

    /// The process types other than `web` that have a dyno with a port, in start order.
    #[must_use]
    pub fn types(snapshot: &Snapshot) -> Vec<ProcessType> {
        let mut types: Vec<ProcessType> = Vec::new();
        for row in snapshot.rows.iter().filter(|row| row.role == DynoRole::Formation && row.port.is_some()) {
            let process_type = &row.dyno.process_type;
            if process_type.as_str() != ProcessType::WEB && !types.contains(process_type) {
                types.push(process_type.clone());
            }
        }
        types
    }

    /// How many are up.
    #[must_use]
    pub fn up(&self) -> usize {
        self.0.iter().filter(|backend| backend.state == BackendState::Up).count()
    }
}

impl BackendState {
    fn new(row: &Row) -> Self {
        match row.life.stage {
            LifeStage::Up => Self::Up,
            LifeStage::Waiting | LifeStage::Starting | LifeStage::Booting => Self::Starting,
            LifeStage::Backoff => Self::Waiting,
            LifeStage::Draining | LifeStage::Stopping | LifeStage::Clearing => Self::Leaving { returns: row.wanted },
            LifeStage::Crashed | LifeStage::Lost => Self::Crashed,
            LifeStage::Down if row.prevented.is_some() => Self::Crashed,
            LifeStage::Down => Self::Down,
        }
    }

    /// Whether requests wait for it.
    #[must_use]
    pub fn is_coming(self) -> bool {
        match self {
            Self::Starting | Self::Waiting | Self::Leaving { returns: true } => true,
            Self::Up | Self::Leaving { returns: false } | Self::Crashed | Self::Down => false,
        }
    }
}
