//! Which process types have a name of their own, such as `shop-api.localhost` (S16.2).

use std::collections::HashSet;

use super::{Backend, BackendState, Backends};
use crate::model::ProcessType;
use crate::supervisor::{DynoRole, Row, Snapshot};

/// The process types that are certain to answer requests. A worker has a `PORT`, too, but does not listen on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServedTypes(HashSet<ProcessType>);

impl ServedTypes {
    /// A dyno of this type has accepted a connection.
    pub fn accepted(&mut self, process_type: &ProcessType) {
        if !self.0.contains(process_type) {
            self.0.insert(process_type.clone());
        }
    }

    /// Learns from the state of the dynos. Returns the process types other than `web` that requests may be for, in start
    /// order: the certain ones, and those with a dyno that is up, because that may listen.
    #[must_use]
    pub fn learn(&mut self, snapshot: &Snapshot) -> Vec<ProcessType> {
        let mut types: Vec<ProcessType> = Vec::new();
        for row in snapshot.rows.iter().filter(|row| is_of_other_type(row)) {
            let process_type = &row.dyno.process_type;
            if row.life.expected_port.is_some() {
                self.accepted(process_type);
            }
            let is_meant = || self.is_meant(process_type, Some(&Backends::new(snapshot, process_type)), &[]);
            if !types.contains(process_type) && is_meant() {
                types.push(process_type.clone());
            }
        }
        types
    }

    /// All process types other than `web` with a `PORT`, in start order, whether their dynos listen or not.
    #[must_use]
    pub fn named(snapshot: &Snapshot) -> Vec<ProcessType> {
        let mut types: Vec<ProcessType> = Vec::new();
        for row in snapshot.rows.iter().filter(|row| is_of_other_type(row)) {
            if !types.contains(&row.dyno.process_type) {
                types.push(row.dyno.process_type.clone());
            }
        }
        types
    }

    /// Whether a request with the name of this type is for its dynos. False: it is for `web`. `tried`: the runs that have
    /// refused it.
    #[must_use]
    pub fn is_meant(&self, process_type: &ProcessType, backends: Option<&Backends>, tried: &[u64]) -> bool {
        let may_listen = |backend: &Backend| backend.state == BackendState::Up && !tried.contains(&backend.run);
        self.0.contains(process_type) || backends.is_some_and(|backends| backends.0.iter().any(may_listen))
    }
}

/// Whether this is a dyno with a `PORT` that is not of `web`.
fn is_of_other_type(row: &Row) -> bool {
    let is_web = row.dyno.process_type.as_str() == ProcessType::WEB;
    row.role == DynoRole::Formation && row.port.is_some() && !is_web
}

#[cfg(test)]
mod tests {
    use super::super::backend::tests::row;
    use super::*;
    use crate::supervisor::{DynoLife, LifeStage};

    fn process_type(name: &str) -> ProcessType {
        ProcessType::new(name).unwrap()
    }

    fn with(rows: Vec<Row>) -> Snapshot {
        Snapshot { rows, ..Snapshot::default() }
    }

    #[test]
    fn s16_2_a_type_that_may_listen_has_a_name_of_its_own() {
        let up = |name: &str, run| row(name, run, LifeStage::Up);
        let without = Row { port: None, ..up("clock.1", 4) };
        let once = Row { role: DynoRole::OneOff, ..up("cron.1234", 5) };
        let crashed = row("worker.1", 7, LifeStage::Crashed);
        let rows = vec![up("web.1", 1), up("api.1", 2), up("web.2", 3), without, once, up("api.2", 6), crashed];

        assert_eq!(ServedTypes::default().learn(&with(rows)), [process_type("api")]);
    }

    #[test]
    fn s16_2_a_type_that_has_not_listened_yet_is_web_once_it_refuses() {
        let (mut served, worker) = (ServedTypes::default(), process_type("worker"));
        let up = Backends::new(&with(vec![row("worker.1", 1, LifeStage::Up)]), &worker);

        assert!(served.is_meant(&worker, Some(&up), &[]));
        assert!(!served.is_meant(&worker, Some(&up), &[1]));
        assert!(!served.is_meant(&worker, None, &[]));
        served.accepted(&worker);
        assert!(served.is_meant(&worker, Some(&up), &[1]));
    }

    #[test]
    fn s16_2_a_type_that_is_expected_to_listen_keeps_its_name() {
        let life = DynoLife { stage: LifeStage::Booting, expected_port: Some(5001), ..DynoLife::default() };
        let api = Row { life, ..row("api.1", 1, LifeStage::Booting) };
        let mut served = ServedTypes::default();

        assert_eq!(served.learn(&with(vec![api])), [process_type("api")]);
        assert!(served.is_meant(&process_type("api"), None, &[1]));
    }
}
