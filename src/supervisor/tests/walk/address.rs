//! S6.11: what the log says about the address of a dyno.

#![expect(clippy::wildcard_enum_match_arm, reason = "a rule is about some notices and ignores all others")]

use core::net::SocketAddr;

use super::dyno::Kind;
use super::model::{Model, Run, Seen};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

impl Model {
    /// The addresses of a run that listens on these ports; 0 is its own.
    pub(super) fn addresses(&self, run: RunId, ports: &[u16]) -> Vec<SocketAddr> {
        let own = self.dynos[self.runs[&run].dyno].port.unwrap_or(5_999);
        ports.iter().map(|port| SocketAddr::new(LOCALHOST, if *port == 0 { own } else { *port })).collect()
    }

    pub(super) fn on_listens(&mut self, id: RunId, at: &[SocketAddr], mono: Duration) {
        let Some(run) = self.runs.get_mut(&id).filter(|run| run.is_running()) else { return };
        run.listens = at.iter().map(SocketAddr::port).collect();
        let dyno = &self.dynos[run.dyno];
        if !self.policy.shows_addresses || dyno.key.0 != 0 || dyno.kind != Kind::Formation || run.has_line {
            return;
        }
        if dyno.port.is_some_and(|port| run.listens.contains(&port)) {
            (run.has_line, run.line_due) = (true, None);
            self.must_show = Some(id);
        } else if at.is_empty() {
            run.line_due = None;
        } else {
            run.line_due = run.line_due.or(Some(mono + 3 * SECOND));
        }
    }

    /// Checks a line about a dyno. False: it is another kind of line.
    pub(super) fn allow_address_notice(
        &mut self,
        index: usize,
        kind: &NoticeKind,
        event: &Event,
        mono: Duration,
    ) -> Result<bool, Broken> {
        let name = &self.dynos[index].name;
        let run = self.runs.iter_mut().find(|(_, run)| run.dyno == index);
        match (kind, run) {
            (NoticeKind::ListensAt { .. }, run) => {
                let run = run.map(|(run, _)| *run);
                rule!(run.is_some() && self.must_show.take() == run, "{name} has no address to show");
            }
            (NoticeKind::IgnoresPort { port, .. }, run) => {
                let (_, run) = run.ok_or_else(|| format!("{name} does not run"))?;
                let is_due = *event == Event::Tick && run.line_due().is_some_and(|due| due <= mono);
                rule!(is_due && run.listens.contains(port), "nothing is known of port {port} of {name}");
                (run.has_line, run.line_due) = (true, None);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Each line that is due was shown.
    pub(super) fn demand_addresses(&self, event: &Event, mono: Duration) -> Result<(), Broken> {
        if self.over {
            return Ok(());
        }
        rule!(self.must_show.is_none(), "the address of {:?} must be shown", self.must_show);
        let missed = self.runs.values().find(|run| run.line_due().is_some_and(|due| due <= mono));
        rule!(*event != Event::Tick || missed.is_none(), "the line about another port is missing: {missed:?}");
        Ok(())
    }
}

impl Run {
    /// Whether its program runs and is not being stopped.
    fn is_running(&self) -> bool {
        matches!(self.seen, Seen::Leader(_)) && self.verdict.is_none()
    }

    /// When the line about another port is due.
    pub(super) fn line_due(&self) -> Option<Duration> {
        self.line_due.filter(|_| self.is_running())
    }
}
