//! The apps that the front door lists: those of this user that run now (S16.7).

use std::collections::BTreeMap;

use super::all_apps::{ANSWERS_WITHIN, SeenStartState, ask_each};
use crate::api::{RoutesResource, StartDescription, StartKind};
use crate::routing::FrontDoorApp;
use crate::runtime::{ClientRequest, ListeningSockets, NoAnswer, RuntimeDirectory};

/// The apps, sorted by name, with the addresses that they have at a front door on this port. Several starts of one app are one.
/// Unlike `dyno ls`, it changes nothing: a start that was killed is still shown there.
pub(crate) fn routed_apps(port: u16) -> Vec<FrontDoorApp> {
    let Ok(Some(directory)) = RuntimeDirectory::open_existing() else { return Vec::new() };
    let mut starts = directory.starts().unwrap_or_default().starts;
    starts.retain(|start| start.kind != StartKind::Smoke);
    starts.sort_by_key(|start| (start.started_at_ms, start.pid));
    let silent = RoutesResource { state: SeenStartState::Silent.to_string(), routes: Vec::new() };
    let seen = ask_each(&starts, &silent, |start| routes(&directory, start, &silent));
    let mut apps: BTreeMap<(&str, &str), Vec<&RoutesResource>> = BTreeMap::new();
    for (start, routes) in &seen {
        apps.entry((&start.app, &start.root)).or_default().push(routes);
    }
    let listening = ListeningSockets::default();
    let app = |((name, root), starts): (_, Vec<&RoutesResource>)| {
        let mut types: Vec<&str> = Vec::new();
        for route in starts.iter().flat_map(|start| &start.routes).filter(|route| listening.has(route.port)) {
            if !types.contains(&route.process_type.as_str()) {
                types.push(&route.process_type);
            }
        }
        let state = starts.iter().map(|start| rank(&start.state)).max();
        let state = state.map_or_else(String::new, |state| state.to_string());
        FrontDoorApp::new(name, &state, root, port, types.into_iter())
    };
    apps.into_iter().map(app).collect()
}

/// None: it has ended.
fn routes(directory: &RuntimeDirectory, start: &StartDescription, silent: &RoutesResource) -> Option<RoutesResource> {
    let request =
        ClientRequest { method: "GET", path: "/dyno/routes", body: &[], patience: ANSWERS_WITHIN, notice: |_| () };
    match directory.ask(start, &request) {
        Ok(answer) => Some(serde_json::from_slice(&answer.body).unwrap_or_else(|_| silent.clone())),
        Err(NoAnswer::Ended) => None,
        Err(NoAnswer::Late | NoAnswer::Refused(_)) => Some(silent.clone()),
    }
}

/// If an app has several starts, the state of which is shown: see [`SeenStartState`].
fn rank(state: &str) -> SeenStartState {
    serde_json::from_value(state.into()).unwrap_or(SeenStartState::Silent)
}
