//! Why a dyno is, or is not, running: everything that a start knows about one dyno (S10.2).

use serde::{Deserialize, Serialize};

use super::{AppFacts, DynoResource};
use crate::model::LeftRunning;
use crate::supervisor::{DynoRole, LifeStage, PastRun, Row, Snapshot, StartPhase, ended};

/// Everything about one dyno.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WhyResource {
    /// The dyno itself.
    #[serde(flatten)]
    pub dyno: DynoResource,
    /// What exactly it is doing.
    pub stage: LifeStage,
    /// Why it should run or should not.
    pub reason: WhyReason,
    /// The number of dynos of its process type in the formation.
    pub quantity: Option<u32>,
    /// The port on which it is expected to listen.
    pub expected_port: Option<u16>,
    /// Whether it has been seen listening there. `dyno` checks only if it matters or a client waits.
    pub listens: bool,
    /// Why it is not up, while it is starting: `does not listen on $PORT (5000)`.
    pub not_up: Option<String>,
    /// Why it stays down although it should have started: `db.1 has crashed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prevented: Option<String>,
    /// The last ends of runs, newest first.
    pub ends: Vec<EndResource>,
    /// When it starts again.
    pub next_restart: Option<NextRestartResource>,
    /// Its last lines.
    pub lines: Vec<String>,
    /// The files that the last reload has read. None: there has been no reload.
    pub reloaded: Option<ReloadedFiles>,
}

/// The files of the app that were read again (S14.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadedFiles {
    /// When that began, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Their paths, written by [`StartDescription::path_text`](super::StartDescription::path_text).
    pub paths: Vec<String>,
}

/// Why a dyno should run or should not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhyReason {
    /// It is part of the formation.
    #[default]
    Formation,
    /// It runs once.
    OneOff,
    /// The release command has not ended.
    ReleasePhase,
    /// Everything is being stopped, or was.
    Shutdown,
    /// It should start after another dyno, but that dyno will not do what it waits for.
    Prevented,
    /// It was stopped on request.
    Stopped,
    /// It ended by itself, which is allowed or was not prevented.
    Ended,
    /// The formation has fewer dynos now.
    ScaledDown,
    /// The quantity of its process type does not include it.
    Quantity,
}

/// How one run ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndResource {
    /// When.
    pub at: String,
    /// `exited with code 1` or `terminated by SIGKILL`.
    pub how: String,
    /// The status, as a shell would report it.
    pub exit_status: u8,
    /// How long its program had run, in milliseconds.
    pub ran_for_ms: u64,
    /// Whether its end was requested.
    pub requested: bool,
    /// What it left running, as `nginx (pid 812)`.
    pub left: Vec<String>,
}

/// The next restart of a crashed dyno.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextRestartResource {
    /// When.
    pub at: String,
    /// How long it waits in all, in seconds.
    pub delay: u64,
}

impl AppFacts {
    /// The dynos with this name or of this process type; all of them without one.
    #[must_use]
    pub fn why(&self, name: Option<&str>, snapshot: &Snapshot) -> Vec<WhyResource> {
        let is_named =
            |row: &&Row| name.is_none_or(|name| row.dyno.process_type.as_str() == name || row.dyno.to_string() == name);
        let is_gone = |row: &&Row| name.is_some() && snapshot.rows.iter().all(|known| known.dyno != row.dyno);
        let removed = snapshot.removed.iter().filter(is_gone).map(|row| (row, true));
        let rows = snapshot.rows.iter().map(|row| (row, false)).chain(removed);
        rows.filter(|(row, _)| is_named(row)).map(|(row, is_removed)| self.why_row(row, is_removed, snapshot)).collect()
    }

    /// All dynos, including the ones that were removed last.
    pub(super) fn why_all(&self, snapshot: &Snapshot) -> Vec<WhyResource> {
        let is_gone = |row: &&Row| snapshot.rows.iter().all(|known| known.dyno != row.dyno);
        let removed = snapshot.removed.iter().filter(is_gone).map(|row| (row, true));
        let rows = snapshot.rows.iter().map(|row| (row, false)).chain(removed);
        rows.map(|(row, is_removed)| self.why_row(row, is_removed, snapshot)).collect()
    }

    fn why_row(&self, row: &Row, is_removed: bool, snapshot: &Snapshot) -> WhyResource {
        let mut entries = snapshot.formation.iter();
        let quantity = entries.find(|entry| entry.process_type == row.dyno.process_type).map(|entry| entry.quantity);
        let quantity = quantity.filter(|_| row.role == DynoRole::Formation);
        let is_too_much = quantity.is_some_and(|quantity| row.dyno.index > quantity);
        WhyResource {
            dyno: DynoResource::new(self, row, snapshot.release.into()),
            stage: row.life.stage,
            reason: reason(row, is_removed || is_too_much, snapshot.phase),
            quantity,
            expected_port: row.life.expected_port,
            listens: row.life.listens,
            not_up: row.not_up.as_ref().map(ToString::to_string),
            prevented: row.prevented.as_ref().map(ToString::to_string),
            ends: row.life.ends.iter().map(EndResource::new).collect(),
            next_restart: row
                .life
                .next_restart
                .map(|next| NextRestartResource { at: time(next.at), delay: next.delay.as_secs() }),
            lines: Vec::new(),
            reloaded: None,
        }
    }
}

fn reason(row: &Row, is_removed: bool, phase: StartPhase) -> WhyReason {
    let ended_by_itself = row.life.ends.first().is_some_and(|end| !end.requested);
    match (row.role, row.wanted, is_removed, phase) {
        (DynoRole::Formation, _, true, _) => WhyReason::ScaledDown,
        (DynoRole::Formation, true, false, _) => WhyReason::Formation,
        (DynoRole::Formation, false, false, StartPhase::Release) => WhyReason::ReleasePhase,
        (DynoRole::OneOff | DynoRole::Release, true, false, _) => WhyReason::OneOff,
        (DynoRole::Formation, false, false, _) if row.prevented.is_some() => WhyReason::Prevented,
        (_, false, _, _) | (DynoRole::OneOff | DynoRole::Release, true, true, _) if ended_by_itself => WhyReason::Ended,
        (_, _, _, StartPhase::Stopping) => WhyReason::Shutdown,
        (_, _, _, StartPhase::Release | StartPhase::Running) => WhyReason::Stopped,
    }
}

impl EndResource {
    fn new(end: &PastRun) -> Self {
        Self {
            at: time(end.at),
            how: ended(end.exit),
            exit_status: end.exit.shell_code(),
            ran_for_ms: u64::try_from(end.ran_for.as_millis()).unwrap_or(u64::MAX),
            requested: end.requested,
            left: end.left.iter().map(LeftRunning::to_string).collect(),
        }
    }
}

/// With milliseconds: restarts can follow each other quickly.
fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
