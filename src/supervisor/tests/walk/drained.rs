//! The time for requests: who gets it before the stop signal, and when it is over (S16.3).

use super::dyno::Kind;
use super::model::{Model, Run, Seen};
use super::*;

impl Model {
    pub(super) fn allow_drain(&mut self, id: RunId, mono: Duration) -> Result<(), Broken> {
        let limit = self.drain_time();
        let Some(run) = self.runs.get(&id) else { return Err(format!("run {} is gone", id.0)) };
        rule!(self.may_have_requests(run), "run {} has no requests", id.0);
        rule!(run.verdict.is_some() && run.drain_due.is_none(), "run {} must not be drained", id.0);
        let Some(limit) = limit else { return Err(format!("run {} must be stopped at once", id.0)) };
        if let Some(run) = self.runs.get_mut(&id) {
            run.drain_due = Some(mono + limit);
        }
        Ok(())
    }

    /// Whether a run must not get the stop signal yet.
    pub(super) fn must_drain(&self, id: RunId, event: &Event, mono: Duration) -> bool {
        let Some(run) = self.runs.get(&id) else { return false };
        let is_over = match run.drain_due {
            Some(due) => *event == (Event::Drained { run: id }) || (*event == Event::Tick && due <= mono),
            None => false,
        };
        self.drain_time().is_some() && self.may_have_requests(run) && !is_over
    }

    fn drain_time(&self) -> Option<Duration> {
        self.policy.drain.filter(|limit| !limit.is_zero() && self.cause.is_none())
    }

    fn may_have_requests(&self, run: &Run) -> bool {
        let dyno = &self.dynos[run.dyno];
        let is_up = matches!(run.seen, Seen::Leader(_)) && run.up.is_some();
        is_up && !run.stopped && !run.killed && dyno.kind == Kind::Formation && dyno.port.is_some()
    }
}
