//! Remembers how runs ended during a wait for their end. This is necessary because the next run may start right after a
//! crash, while the wait for other dynos goes on.

use std::collections::HashMap;

use crate::model::{DynoName, ExitStatus};
use crate::supervisor::{LifeStage, Row};

/// The run of each dyno that was the current one when the wait began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AwaitedRuns(HashMap<DynoName, AwaitedRun>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AwaitedRun {
    /// 0 before the first run.
    run: u64,
    end: Option<ExitStatus>,
}

impl AwaitedRuns {
    /// Must be called with every state of a dyno.
    pub(super) fn observe(&mut self, row: &Row) {
        self.0.entry(row.dyno.clone()).or_insert(AwaitedRun { run: row.run, end: None }).observe(row);
    }

    /// How its run has ended. None: something of it is left.
    pub(super) fn end_of(&self, row: &Row) -> Option<ExitStatus> {
        let seen = self.0.get(&row.dyno).and_then(|awaited| awaited.end);
        seen.or_else(|| row.last_exit.filter(|_| !has_run(row)))
    }
}

impl AwaitedRun {
    fn observe(&mut self, row: &Row) {
        if self.run == 0 {
            self.run = row.run;
        }
        let is_replaced = row.run > self.run;
        if is_replaced && row.life.ends.first().is_some_and(|end| end.requested) {
            // A restart that was requested is not the end.
            self.run = row.run;
        } else if is_replaced || !has_run(row) {
            self.end = self.end.or(row.last_exit);
        }
    }
}

/// Whether something of its last run may be left.
fn has_run(row: &Row) -> bool {
    match row.life.stage {
        LifeStage::Down | LifeStage::Waiting | LifeStage::Backoff | LifeStage::Crashed => false,
        LifeStage::Starting
        | LifeStage::Booting
        | LifeStage::Up
        | LifeStage::Draining
        | LifeStage::Stopping
        | LifeStage::Clearing
        | LifeStage::Lost => true,
    }
}
