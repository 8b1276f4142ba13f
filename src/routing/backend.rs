//! The dynos of one process type, as the router sees them (S16.3).

use crate::model::{DynoName, ProcessType};
use crate::supervisor::{DynoRole, LifeStage, Row, Snapshot, StartPhase};

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
    /// Whether its run has been seen listening. Most process types are up before that (S6.2).
    pub listens: bool,
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
            Some(Backend {
                dyno,
                run: row.run,
                port,
                state: BackendState::new(row, snapshot.phase),
                listens: row.life.listens,
            })
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
    fn new(row: &Row, phase: StartPhase) -> Self {
        match row.life.stage {
            // For a request that waits, a dyno is not up before it listens (S6.2).
            LifeStage::Up if !row.life.is_ready() => Self::Starting,
            LifeStage::Up => Self::Up,
            LifeStage::Waiting | LifeStage::Starting | LifeStage::Booting => Self::Starting,
            LifeStage::Backoff => Self::Waiting,
            LifeStage::Draining | LifeStage::Stopping | LifeStage::Clearing => {
                Self::Leaving { returns: row.wanted && phase != StartPhase::Stopping }
            }
            LifeStage::Crashed | LifeStage::Lost => Self::Crashed,
            LifeStage::Down if row.prevented.is_some() => Self::Crashed,
            // The release command runs, or the next run is about to be started.
            LifeStage::Down if phase == StartPhase::Release || row.wanted => Self::Starting,
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

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::supervisor::{DynoLife, Prevented, PublicState, Unmet};

    /// A dyno of the formation. The last digits of its port are the number of its run.
    pub(in crate::routing) fn row(name: &str, run: u64, stage: LifeStage) -> Row {
        let (process_type, index) = name.split_once('.').unwrap();
        Row {
            dyno: DynoName::new(ProcessType::new(process_type).unwrap(), index.parse().unwrap()),
            role: DynoRole::Formation,
            state: PublicState::Up,
            since: jiff::Timestamp::UNIX_EPOCH,
            not_up: None,
            wanted: stage != LifeStage::Down,
            prevented: None,
            pid: None,
            port: Some(5000 + u16::try_from(run).unwrap()),
            command: Arc::from("server"),
            run,
            restarts: 0,
            last_exit: None,
            life: DynoLife { stage, listens: true, ..DynoLife::default() },
        }
    }

    pub(in crate::routing) fn web() -> ProcessType {
        ProcessType::new("web").unwrap()
    }

    #[test]
    fn s16_3_the_state_of_a_dyno_decides_whether_requests_wait_for_it() {
        let leaving = |returns| BackendState::Leaving { returns };
        for (stage, wanted, state, is_coming) in [
            (LifeStage::Up, true, BackendState::Up, false),
            (LifeStage::Waiting, true, BackendState::Starting, true),
            (LifeStage::Starting, true, BackendState::Starting, true),
            (LifeStage::Booting, true, BackendState::Starting, true),
            (LifeStage::Backoff, true, BackendState::Waiting, true),
            (LifeStage::Draining, true, leaving(true), true),
            (LifeStage::Stopping, true, leaving(true), true),
            (LifeStage::Clearing, true, leaving(true), true),
            (LifeStage::Draining, false, leaving(false), false),
            (LifeStage::Stopping, false, leaving(false), false),
            (LifeStage::Clearing, false, leaving(false), false),
            (LifeStage::Crashed, true, BackendState::Crashed, false),
            (LifeStage::Lost, true, BackendState::Crashed, false),
            (LifeStage::Down, false, BackendState::Down, false),
            (LifeStage::Down, true, BackendState::Starting, true),
        ] {
            let row = Row { wanted, ..row("web.1", 1, stage) };
            assert_eq!(BackendState::new(&row, StartPhase::Running), state, "{stage:?}");
            assert_eq!(state.is_coming(), is_coming, "{stage:?}");
        }
        let expected = DynoLife { stage: LifeStage::Up, expected_port: Some(5001), ..DynoLife::default() };
        let silent = Row { life: expected.clone(), ..row("web.1", 1, LifeStage::Up) };
        assert_eq!(BackendState::new(&silent, StartPhase::Running), BackendState::Starting);
        let listening = Row { life: DynoLife { ready: true, ..expected }, ..silent };
        assert_eq!(BackendState::new(&listening, StartPhase::Running), BackendState::Up);
        let prevented = Some(Prevented { by: row("db.1", 1, LifeStage::Crashed).dyno, why: Unmet::Crashed });
        let prevented = Row { prevented, ..row("web.1", 1, LifeStage::Down) };
        assert_eq!(BackendState::new(&prevented, StartPhase::Running), BackendState::Crashed);
    }

    #[test]
    fn s16_3_requests_wait_for_the_release_command_but_not_at_the_end() {
        let down = Row { wanted: false, ..row("web.1", 1, LifeStage::Down) };
        assert_eq!(BackendState::new(&down, StartPhase::Release), BackendState::Starting);
        let stopping = row("web.1", 1, LifeStage::Stopping);
        assert_eq!(BackendState::new(&stopping, StartPhase::Stopping), BackendState::Leaving { returns: false });
    }

    #[test]
    fn s16_1_only_dynos_of_the_formation_with_a_port_get_requests() {
        let up = |name: &str, run| row(name, run, LifeStage::Up);
        let without = Row { port: None, ..up("clock.1", 4) };
        let once = Row { role: DynoRole::OneOff, ..up("web.1234", 5) };
        let rows = vec![up("web.1", 1), up("api.1", 2), up("web.2", 3), without, once, up("api.2", 6)];
        let snapshot = Snapshot { rows, ..Snapshot::default() };

        let ports: Vec<u16> = Backends::new(&snapshot, &web()).0.iter().map(|backend| backend.port).collect();
        assert_eq!(ports, [5001, 5003]);
        assert_eq!(Backends::types(&snapshot), [ProcessType::new("api").unwrap()]);
    }
}
