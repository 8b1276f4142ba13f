//! The objects of the Platform API, with the field names of the platform. Our own additions are extra fields.

use serde::{Deserialize, Serialize};

use super::AppFacts;
use super::app_facts::owner_id;
use super::id::stable_id;
use super::release_resource::release_id;
use crate::model::{DynoName, Usages};
use crate::release::ReleaseFacts;
use crate::supervisor::{PublicState, Quantity, Restarted, Row, Snapshot, WhyNotUp};

/// The size of every dyno. Not a name of the platform, so that its client does not compute a price from it.
const SIZE: &str = "Local";

/// The name of our only region (the place where apps run) and stack (the system they run on).
const LOCAL: &str = "local";

/// An error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorResource {
    /// For programs: `not_found`.
    pub id: String,
    /// What is wrong.
    pub message: String,
    /// Ours: what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountResource {
    id: String,
    email: String,
    name: Option<String>,
    created_at: String,
    updated_at: String,
    verified: bool,
}

impl AccountResource {
    pub(super) fn new(app: &AppFacts) -> Self {
        let at = time(app.started_at);
        Self {
            id: app.owner_id(),
            email: app.email.clone(),
            name: None,
            created_at: at.clone(),
            updated_at: at,
            verified: true,
        }
    }
}

/// How many requests the user may still send: there is no limit, so it is what the platform says before the first one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateLimitResource {
    remaining: u32,
}

impl RateLimitResource {
    pub(super) const NONE: Self = Self { remaining: 4_500 };
}

/// An object that is named by another: id and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRef {
    id: String,
    name: String,
}

impl NameRef {
    pub(super) fn local(kind: &str) -> Self {
        Self { id: stable_id(&[kind, LOCAL]), name: LOCAL.to_owned() }
    }
}

/// The app of another object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppRef {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl AppRef {
    pub(super) fn new(app: &AppFacts) -> Self {
        Self { id: app.id(), name: app.name.clone() }
    }
}

/// The user of another object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRef {
    /// Its id.
    pub id: String,
    /// `user@localhost`.
    pub email: String,
}

impl UserRef {
    pub(super) fn new(email: &str) -> Self {
        Self { id: owner_id(email), email: email.to_owned() }
    }

    pub(super) fn owner(app: &AppFacts) -> Self {
        Self::new(&app.email)
    }
}

/// The release of another object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRef {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: u64,
}

impl ReleaseRef {
    fn new(app: &AppFacts, version: u64) -> Self {
        Self { id: release_id(app, version), version }
    }
}

/// A dyno.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DynoResource {
    /// Its id, which stays the same when it restarts.
    pub id: String,
    /// `web.1`.
    pub name: String,
    /// Its process type.
    #[serde(rename = "type")]
    pub process_type: String,
    /// Its command, as written.
    pub command: String,
    /// `starting`, `up`, `crashed` or `down`.
    pub state: String,
    /// Its size; without effect.
    pub size: String,
    /// When it entered that state.
    pub updated_at: String,
    /// The same.
    pub created_at: String,
    /// Where its streams are, for the client that has started it. None: in any other answer.
    pub attach_url: Option<String>,
    /// The release it runs.
    pub release: ReleaseRef,
    /// Its app.
    pub app: AppRef,
    /// Ours: the process id of its leader, while it is alive.
    pub pid: Option<i32>,
    /// Ours: its `PORT`.
    pub port: Option<u16>,
    /// Ours: what it waits for before it starts, such as `web.1 to listen`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// Ours: how many times it was restarted after a crash.
    pub restarts: u32,
    /// Ours: the status of its last run, as a shell would report it.
    pub exit_status: Option<u8>,
    /// Ours: the CPU time of its processes in seconds. None: it does not run, or the system does not report it.
    pub cpu: Option<f64>,
    /// Ours: the memory of its processes in bytes. None: it does not run, or the system does not report it.
    pub memory: Option<u64>,
}

impl DynoResource {
    /// All dynos of a snapshot.
    #[must_use]
    pub fn all(app: &AppFacts, snapshot: &Snapshot, usages: &Usages) -> Vec<Self> {
        let dyno = |row: &Row| {
            let usage = row.pid.and_then(|pid| usages.get(&pid));
            let (cpu, memory) = (usage.map(|usage| usage.cpu.as_secs_f64()), usage.map(|usage| usage.memory));
            Self { cpu, memory, ..Self::new(app, row, snapshot.release.into()) }
        };
        snapshot.rows.iter().map(dyno).collect()
    }

    pub(super) fn new(app: &AppFacts, row: &Row, version: u64) -> Self {
        let since = if row.since == jiff::Timestamp::UNIX_EPOCH { app.started_at } else { row.since };
        Self {
            state: row.state.to_string(),
            updated_at: time(since),
            created_at: time(since),
            pid: row.pid,
            port: row.port,
            command: row.command.to_string(),
            release: ReleaseRef::new(app, version),
            waits_for: row.not_up.as_ref().and_then(WhyNotUp::waits_for),
            restarts: row.restarts,
            exit_status: row.last_exit.map(crate::model::ExitStatus::shell_code),
            ..Self::named(app, &row.dyno)
        }
    }

    /// A one-off dyno that was just started. It may be gone already.
    pub(super) fn of_one_off(app: &AppFacts, dyno: &DynoName, snapshot: Option<&Snapshot>) -> Self {
        let found = snapshot.and_then(|snapshot| {
            let mut rows = snapshot.rows.iter().chain(&snapshot.removed);
            Some((snapshot, rows.find(|row| row.dyno == *dyno)?))
        });
        let gone = || {
            let at = time(app.started_at);
            Self {
                state: PublicState::Down.to_string(),
                created_at: at.clone(),
                updated_at: at,
                release: ReleaseRef::new(app, snapshot.map_or(1, |snapshot| snapshot.release.into())),
                ..Self::named(app, dyno)
            }
        };
        found.map_or_else(gone, |(snapshot, row)| Self::new(app, row, snapshot.release.into()))
    }

    pub(super) fn named(app: &AppFacts, dyno: &DynoName) -> Self {
        let name = dyno.to_string();
        Self {
            id: stable_id(&["dyno", &app.id(), &name]),
            name,
            process_type: dyno.process_type.to_string(),
            size: SIZE.to_owned(),
            app: AppRef::new(app),
            ..Self::default()
        }
    }
}

/// The quantity of one process type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FormationResource {
    /// Its id.
    pub id: String,
    /// The process type.
    #[serde(rename = "type")]
    pub process_type: String,
    /// How many dynos of it are wanted.
    pub quantity: u32,
    /// Their size; without effect.
    pub size: String,
    /// The command, as written.
    pub command: String,
    /// When the app was started.
    pub created_at: String,
    /// The same.
    pub updated_at: String,
    /// The app.
    pub app: AppRef,
}

impl FormationResource {
    /// One entry for each process type.
    pub(super) fn all(app: &AppFacts, release: &ReleaseFacts, formation: &[Quantity]) -> Vec<Self> {
        let at = time(app.started_at);
        let entry = |quantity: &Quantity| Self {
            id: stable_id(&["formation", &app.id(), quantity.process_type.as_str()]),
            process_type: quantity.process_type.to_string(),
            quantity: quantity.quantity,
            size: SIZE.to_owned(),
            command: release.command(&quantity.process_type),
            created_at: at.clone(),
            updated_at: at.clone(),
            app: AppRef::new(app),
        };
        formation.iter().map(entry).collect()
    }
}

/// The dynos that a restart or a stop is about. The platform's client ignores the body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TouchedDynos {
    /// Ours: the dynos, in start order.
    pub dynos: Vec<RestartedDyno>,
}

/// One dyno that a command is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartedDyno {
    /// `web.1`.
    pub name: String,
    /// How many times it had been spawned: the new run has a higher number. None if it is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
}

impl TouchedDynos {
    pub(super) fn restarting(dynos: &[Restarted]) -> Self {
        let dyno = |restarted: &Restarted| RestartedDyno { name: restarted.dyno.to_string(), run: Some(restarted.run) };
        Self { dynos: dynos.iter().map(dyno).collect() }
    }

    pub(super) fn stopping(dynos: &[DynoName]) -> Self {
        Self { dynos: dynos.iter().map(|dyno| RestartedDyno { name: dyno.to_string(), run: None }).collect() }
    }
}

/// The time as the platform writes it: `2026-11-23T05:00:00Z`.
pub(super) fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
