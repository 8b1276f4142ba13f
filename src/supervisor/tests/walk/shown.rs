//! What must be visible after each event.

use super::dyno::Kind;
use super::model::{Model, Run, Seen, Verdict};
use super::*;

impl Model {
    /// Compares the snapshot and the next deadline with the model.
    pub(super) fn compare(&mut self, supervisor: &Supervisor, now: Now) -> Result<(), Broken> {
        if self.over {
            rule!(supervisor.next_deadline().is_none(), "nothing may be due after the end");
            return Ok(());
        }
        let runs = self.runs.values();
        let runs = runs.flat_map(|run| run.dues().chain([run.line_due()]).collect::<Vec<_>>());
        let restarts = self.dynos.iter().map(|dyno| dyno.restart_due);
        let expected = runs.chain(restarts).chain(self.wait_due).chain([self.report_due]).flatten().min();
        let next = supervisor.next_deadline();
        rule!(next == expected, "the next deadline must be {expected:?}, not {next:?}");

        let snapshot = supervisor.snapshot();
        self.compare_releases(&snapshot)?;
        let formation = self.formation();
        rule!(snapshot.formation == formation, "the formation must be {formation:?}, not {:?}", snapshot.formation);
        self.compare_formation()?;
        let mut rows = snapshot.rows.iter();
        for index in self.in_order() {
            let is_held = self.is_held(index);
            let dyno = &mut self.dynos[index];
            let run = self.runs.values().find(|run| run.dyno == index);
            let at_rest = if is_held { PublicState::Starting } else { dyno.without_run };
            let state = run.map_or(at_rest, Run::visible);
            let is_over = state == PublicState::Down || (dyno.lost && dyno.leaving);
            if dyno.kind != Kind::Formation && run.is_none() && is_over {
                continue;
            }
            let row = rows.next().ok_or_else(|| format!("{} must have a row", dyno.name))?;
            let actual = (&row.dyno, row.state, row.pid, row.last_exit, row.restarts);
            let expected = (&dyno.name, state, run.and_then(Run::pid), dyno.last_exit, dyno.restarts);
            rule!(actual == expected, "the row must be {expected:?}, not {actual:?}");
            let actual = (&row.dyno, row.wanted, row.run, row.port);
            let expected = (&dyno.name, dyno.wanted, dyno.last_run, dyno.port);
            rule!(actual == expected, "the row must be {expected:?}, not {actual:?}");
            let changed = (state != dyno.state).then_some(now.wall);
            rule!(
                changed.is_none_or(|at| row.since == at),
                "the row of {} must have changed to {state} now",
                dyno.name
            );
            rule!(row.since == dyno.since || row.since == now.wall, "{} is {state} since {}", dyno.name, row.since);
            (dyno.state, dyno.since) = (state, row.since);
        }
        rule!(rows.next().is_none(), "a row of a dyno that is not in the plan");
        Ok(())
    }
}

impl Run {
    /// When something must happen to it.
    pub(super) fn dues(&self) -> impl Iterator<Item = Option<Duration>> + use<> {
        [self.boot_due, self.drain_due, self.rest_due, self.kill_due, self.answer_due].into_iter()
    }

    /// Its end is requested: from now on a dyno of the formation is shown as down.
    pub(super) fn request_end(&mut self, kind: Kind) {
        if self.verdict.is_none() {
            self.shown = if kind == Kind::Formation { PublicState::Down } else { self.visible() };
            self.verdict = Some(Verdict::Requested);
        }
    }

    /// Its end does not matter.
    pub(super) fn ends_as_requested(&self) -> bool {
        matches!(self.verdict, Some(Verdict::Requested | Verdict::Done))
    }

    fn pid(&self) -> Option<i32> {
        match self.seen {
            Seen::Leader(pid) => Some(pid),
            Seen::Ordered | Seen::Group => None,
        }
    }

    pub(super) fn visible(&self) -> PublicState {
        match (self.seen, self.verdict) {
            (Seen::Group, _) => self.visible_end(),
            (Seen::Ordered | Seen::Leader(_), Some(_)) => self.shown,
            (Seen::Ordered | Seen::Leader(_), None) if self.up.is_some() => PublicState::Up,
            (Seen::Ordered | Seen::Leader(_), None) => PublicState::Starting,
        }
    }

    fn visible_end(&self) -> PublicState {
        match self.verdict {
            Some(Verdict::Crashed(_)) => PublicState::Crashed,
            Some(Verdict::Replaced) => PublicState::Starting,
            Some(Verdict::Requested | Verdict::Done) | None => PublicState::Down,
        }
    }
}
