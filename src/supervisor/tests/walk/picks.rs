//! Selects the runs that an operation of a walk is about.

use super::model::{Model, Run, Seen};
use super::*;

impl Model {
    /// A run whose leader was reported as spawned and has not exited.
    pub(super) fn running(&self, pick: usize) -> Option<RunId> {
        let running: Vec<_> = self.runs.iter().filter(|(_, run)| matches!(run.seen, Seen::Leader(_))).collect();
        running.get(pick % running.len().max(1)).map(|(run, _)| **run)
    }

    /// A run that is not up yet, if there is one, else one that is.
    pub(super) fn booting(&self, pick: usize) -> Option<RunId> {
        let is_booting = |run: &Run| matches!(run.seen, Seen::Leader(_)) && run.up.is_none();
        let booting: Vec<_> = self.runs.iter().filter(|(_, run)| is_booting(run)).collect();
        booting.get(pick % booting.len().max(1)).map(|(run, _)| **run).or_else(|| self.running(pick))
    }

    /// A run that was not killed.
    pub(super) fn not_killed(&self, pick: usize) -> Option<RunId> {
        let not_killed: Vec<_> = self.runs.iter().filter(|(_, run)| !run.killed).collect();
        not_killed.get(pick % not_killed.len().max(1)).map(|(run, _)| **run)
    }
}
