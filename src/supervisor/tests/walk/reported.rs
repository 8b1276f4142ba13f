//! What the log says about a stop: which dyno caused it, and which ones have not ended yet.

use super::model::{Model, Seen};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

impl Model {
    /// Checks a line that appears only in some stops. False: it is another kind of line.
    pub(super) fn allow_report(&mut self, kind: &NoticeKind, event: &Event, mono: Duration) -> Result<bool, Broken> {
        let advice = self.policy.stop_advice;
        if let NoticeKind::StoppingOthers { dyno, keys, .. } = kind {
            rule!(advice.is_some_and(|advice| advice.keys == *keys), "the policy does not allow a line about {dyno}");
            let others = self.runs.values().filter(|run| self.dynos[run.dyno].name != *dyno);
            let are_stopped = others.clone().any(|run| run.verdict.is_none() || run.drain_due.is_some());
            rule!(self.cause.is_some() && are_stopped, "{dyno} does not stop any other");
            rule!(self.announced.insert("stopping others"), "one dyno stops the others, not {dyno} too");
        } else if let NoticeKind::StopAvoidable { .. } = kind {
            let after = self.announced.contains("stopping others") && !self.announced.contains("stopping");
            rule!(advice.is_some_and(|advice| advice.options) && after, "the hint has no line to go with");
            rule!(self.announced.insert("stop avoidable"), "the hint must be shown once");
        } else if let NoticeKind::WaitingForExit { dynos, kill_in, .. } = kind {
            let is_due = *event == Event::Tick && self.report_due.is_some_and(|due| due <= mono);
            rule!(is_due, "no report is due");
            let waiting = self.waiting();
            rule!(*dynos == waiting, "these have not ended: {waiting:?}, not {dynos:?}");
            let kill_at = self.last_kill().unwrap_or_default();
            let off = kill_at.saturating_sub(mono).abs_diff(*kill_in);
            rule!(off <= SECOND / 2, "the last kill is at {kill_at:?}, not in {kill_in:?}");
            let next = mono + 10 * SECOND;
            self.report_due = (next + SECOND <= kill_at).then_some(next);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// What must have been reported when the event is handled, and what is to be reported next.
    pub(super) fn demand_report(&mut self, event: &Event, mono: Duration, was_stopping: bool) -> Result<(), Broken> {
        if self.announced.contains("killing") {
            self.report_due = None;
        } else if self.cause.is_some() && !was_stopping {
            self.report_due = (self.policy.grace >= 3 * SECOND).then_some(mono + 2 * SECOND);
        }
        if *event == Event::Tick && self.report_due.is_some_and(|due| due <= mono) {
            let waiting = self.waiting();
            rule!(waiting.is_empty(), "a report on {waiting:?} is missing");
            self.report_due = None;
        }
        Ok(())
    }

    fn waiting(&self) -> Vec<StillRunning> {
        let of = |index| self.runs.values().find(|run| run.dyno == index && run.stopped && !run.killed);
        let dynos = self.in_order().filter_map(|index| Some((of(index)?, self.dynos[index].name.clone())));
        let still = dynos.map(|(run, name)| match run.seen {
            Seen::Group => StillRunning::ProcessesOf(name),
            Seen::Ordered | Seen::Leader(_) => StillRunning::Dyno(name),
        });
        still.collect()
    }

    fn last_kill(&self) -> Option<Duration> {
        self.runs.values().filter(|run| run.stopped && !run.killed).filter_map(|run| run.kill_due).max()
    }
}
