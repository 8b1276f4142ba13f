//! What the list of the front door says about a start (S16.7).

use serde::{Deserialize, Serialize};

use super::app_resource::app_state;
use crate::supervisor::{DynoRole, Row, Snapshot};

/// The state of a start, and where its process types should listen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutesResource {
    /// Its state, as in `dyno ls`.
    pub state: String,
    /// One for each dyno with a port, in start order.
    pub routes: Vec<RouteResource>,
}

/// Where a dyno should listen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteResource {
    /// Its process type.
    #[serde(rename = "type")]
    pub process_type: String,
    /// Its port.
    pub port: u16,
}

impl RoutesResource {
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        let rows = snapshot.rows.iter().filter(|row| row.role == DynoRole::Formation);
        let route =
            |row: &Row| Some(RouteResource { process_type: row.dyno.process_type.to_string(), port: row.port? });
        Self { state: app_state(snapshot).to_owned(), routes: rows.filter_map(route).collect() }
    }
}
