//! The dynos in a snapshot that explain why a wait is, or is not, over.

use crate::supervisor::{DynoRole, PublicState, Row, Snapshot, StartPhase};

/// The dyno whose crash stops everything.
pub(super) fn culprit(snapshot: &Snapshot) -> Option<&Row> {
    let is_crashed = |row: &&Row| row.state == PublicState::Crashed && row.role != DynoRole::OneOff;
    snapshot.rows.iter().filter(|_| snapshot.phase == StartPhase::Stopping).find(is_crashed)
}

/// The release command, while it runs.
pub(super) fn release_command(snapshot: &Snapshot) -> Option<&Row> {
    let is_release = |row: &&Row| row.role == DynoRole::Release;
    snapshot.rows.iter().filter(|_| snapshot.phase == StartPhase::Release).find(is_release)
}

/// Whether it was scaled down. It has a row until nothing of it is left.
pub(super) fn is_leaving(row: &Row, snapshot: &Snapshot) -> bool {
    let of_type = snapshot.formation.iter().find(|entry| entry.process_type == row.dyno.process_type);
    row.role == DynoRole::Formation && of_type.is_some_and(|entry| row.dyno.index > entry.quantity)
}

/// Whether it is down and should be.
pub(super) fn is_at_rest(row: &Row) -> bool {
    row.state == PublicState::Down && !row.wanted && row.run > 0
}
