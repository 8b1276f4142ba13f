//! The app resource of the Platform API: what is known of an app as a whole, for its own API and for `dyno ls`.

use serde::Serialize;

use super::app_facts::app_id;
use super::resources::{NameRef, UserRef, time};
use super::{AppFacts, StartDescription};
use crate::supervisor::{DynoRole, PublicState, Snapshot, StartPhase};

/// An app, with every field that the platform's client reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppResource {
    id: String,
    name: String,
    acm: bool,
    archived_at: Option<String>,
    buildpack_provided_description: Option<String>,
    build_stack: NameRef,
    create_status: &'static str,
    created_at: String,
    git_url: &'static str,
    maintenance: bool,
    owner: UserRef,
    region: NameRef,
    released_at: String,
    repo_size: u64,
    slug_size: u64,
    space: Option<NameRef>,
    stack: NameRef,
    updated_at: String,
    web_url: Option<String>,
    /// Ours: the directory.
    root: String,
    /// Ours: `starting`, `up`, `crashed`, `down` or `stopping`.
    state: String,
}

/// The state of an app, as in its resource.
#[derive(Debug, Serialize)]
pub(super) struct StateResource {
    state: &'static str,
}

impl StateResource {
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        Self { state: app_state(snapshot) }
    }
}

impl AppResource {
    pub(super) fn new(app: &AppFacts, snapshot: &Snapshot) -> Self {
        Self::named(app.name.clone(), app.root.clone(), &app.email).at(
            app.started_at,
            app.url.as_deref(),
            app_state(snapshot),
        )
    }

    /// The app of a start, without asking that start. `url`, `state`: those of the whole app; `email`: its owner.
    #[must_use]
    pub fn of_start(start: &StartDescription, url: Option<&str>, state: &str, email: &str) -> Self {
        let at = jiff::Timestamp::from_millisecond(start.started_at_ms).unwrap_or_default();
        Self::named(start.app.clone(), start.root.clone(), email).at(at, url, state)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its directory.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> &str {
        &self.state
    }

    fn named(name: String, root: String, email: &str) -> Self {
        Self {
            id: app_id(&root, &name),
            name,
            acm: false,
            archived_at: None,
            buildpack_provided_description: None,
            build_stack: NameRef::local("stack"),
            create_status: "complete",
            created_at: String::new(),
            git_url: "",
            maintenance: false,
            owner: UserRef::new(email),
            region: NameRef::local("region"),
            released_at: String::new(),
            repo_size: 0,
            slug_size: 0,
            space: None,
            stack: NameRef::local("stack"),
            updated_at: String::new(),
            web_url: None,
            root,
            state: String::new(),
        }
    }

    fn at(self, started_at: jiff::Timestamp, url: Option<&str>, state: &str) -> Self {
        let at = time(started_at);
        Self {
            created_at: at.clone(),
            released_at: at.clone(),
            updated_at: at,
            web_url: url.map(|url| format!("{url}/")),
            state: state.to_owned(),
            ..self
        }
    }
}

/// The state of a whole app: the most important state of its dynos.
pub(super) fn app_state(snapshot: &Snapshot) -> &'static str {
    let has = |state| snapshot.rows.iter().any(|row| row.role != DynoRole::OneOff && row.state == state);
    match snapshot.phase {
        StartPhase::Stopping => "stopping",
        StartPhase::Release => "starting",
        StartPhase::Running if has(PublicState::Crashed) => "crashed",
        StartPhase::Running if has(PublicState::Starting) => "starting",
        StartPhase::Running if has(PublicState::Up) => "up",
        StartPhase::Running => "down",
    }
}
