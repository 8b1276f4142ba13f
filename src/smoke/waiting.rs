//! The dynos that a smoke test waits for: which are not up yet and why, and at which address `web.1` answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{DynoSpec, RunId, http_url};
use crate::supervisor::{About, DynoRole, Effect, Event, Notice, NoticeKind, Row, WhyNotUp, seconds};

use super::Smoke;
use super::cause::{Cause, DynoObstacle, NotUp, describe_all};
use super::progress::ProgressStep;
use super::stage::{Held, SmokeStage};
use super::turn::Reaction;

impl Smoke {
    /// Records what the snapshot does not show.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Resumed { paused_for } => self.postpone(*paused_for),
            Event::ListensElsewhere { run, port } => self.note_other_port(*run, *port),
            Event::Ready { run, address, .. } => {
                if let Some(port) = self.account.base_port(*run, self.rules.base.as_ref()) {
                    self.base_url = Some(http_url(*address, port));
                }
            }
            Event::Boot
            | Event::Run(..)
            | Event::NotAnswering { .. }
            | Event::NotReady { .. }
            | Event::Listens { .. }
            | Event::NeedsKeyboard { .. }
            | Event::Drained { .. }
            | Event::Routed { .. }
            | Event::Signal(_)
            | Event::Key { .. }
            | Event::OutputLost(_)
            | Event::Request { .. }
            | Event::Tick => {}
        }
    }

    /// The command, with the address of the dyno `rules.base` as `BASE_URL` (S19.3).
    pub(super) fn command_with_base_url(&self) -> Option<Arc<DynoSpec>> {
        let command = self.command.as_ref()?;
        let Some(url) = &self.base_url else { return Some(Arc::clone(command)) };
        let mut spec = DynoSpec::clone(command);
        spec.environment.set("BASE_URL", url.clone());
        Some(Arc::new(spec))
    }

    /// The dynos that are not up yet, and why.
    pub(super) fn waiting(&self) -> Vec<NotUp> {
        let not_up = |row: &Row| {
            let run = self.account.run_of(&row.dyno);
            Some(NotUp { dyno: row.dyno.clone(), run, why: DynoObstacle::NotUp(row.not_up.clone()?) })
        };
        self.formation().filter_map(not_up).collect()
    }

    /// Limits how long dynos may wait for others: as long as one may take to boot, counted from the last one that started.
    pub(super) fn limit_waits(&mut self, now: Duration) {
        let waits = |row: &&Row| row.not_up.as_ref().is_some_and(|why| why.waits_for().is_some());
        let (dynos, limit) = (self.formation().filter(waits).count(), self.boot_timeout.filter(|_| !self.is_ending()));
        if let SmokeStage::Boot { held } = &mut self.stage {
            *held = match (*held, limit) {
                (_, None) => None,
                (Some(held), Some(_)) if held.dynos == dynos => Some(held),
                (_, Some(limit)) => (dynos > 0).then(|| Held { dynos, until: now.saturating_add(limit) }),
            };
        }
    }

    /// The release command, while it runs.
    pub(super) fn running_release(&self) -> Option<NotUp> {
        let release = self.seen.rows.iter().find(|row| row.role == DynoRole::Release)?;
        let run = self.account.run_of(&release.dyno)?;
        Some(NotUp { dyno: release.dyno.clone(), run: Some(run), why: DynoObstacle::StillRuns })
    }

    /// Shows what the smoke test is waiting for, if a line is due.
    pub(super) fn show_progress(&mut self, now: Duration, reaction: &mut Reaction) {
        let Some(progress) = &mut self.progress else { return };
        let (after, elsewhere) = match progress.step(now) {
            ProgressStep::Nothing => return,
            ProgressStep::FindListeners => {
                let not_listening = self.waiting().into_iter().filter(NotUp::does_not_listen);
                reaction.look_at.extend(not_listening.filter_map(|not_up| not_up.run));
                return;
            }
            ProgressStep::Say { after, elsewhere } => (after, elsewhere),
        };
        let mut dynos: Vec<NotUp> = self.running_release().into_iter().chain(self.waiting()).collect();
        note_other_ports(&mut dynos, &elsewhere);
        let what = if let SmokeStage::Settle { .. } = self.stage {
            // A later line would say the same.
            self.progress = None;
            format!("all dynos must stay up for {}", seconds(self.rules.settle))
        } else {
            describe_all(&dynos)
        };
        if !what.is_empty() {
            let kind = NoticeKind::StillWaiting { after, what };
            reaction.notice = Some(Notice { about: About::Formation { after: None }, kind });
        }
    }

    /// Records that a run listens on a port that is not its own.
    fn note_other_port(&mut self, run: RunId, port: u16) {
        if let Some(progress) = &mut self.progress {
            progress.note_other_port(run, port);
        }
        if let Some(Cause::NotUp { dynos, .. }) = &mut self.cause {
            note_other_ports(dynos, &BTreeMap::from([(run, port)]));
        }
    }
}

/// The runs that did not listen on their own port when everything had to stop, apart from those that the supervisor has
/// looked up.
pub(super) fn other_ports_to_find(cause: &Cause, effects: &[Effect]) -> Vec<RunId> {
    let Cause::NotUp { dynos, .. } = cause else { return Vec::new() };
    let is_looked_at = |run: RunId| effects.contains(&Effect::FindListener { run });
    let runs = dynos.iter().filter(|not_up| !not_up.listens_on_own_port()).filter_map(|not_up| not_up.run);
    runs.filter(|run| !is_looked_at(*run)).collect()
}

fn note_other_ports(dynos: &mut [NotUp], elsewhere: &BTreeMap<RunId, u16>) {
    for not_up in dynos {
        if let (DynoObstacle::NotUp(WhyNotUp::NotListening { port: given }), Some(&port)) =
            (&not_up.why, not_up.run.and_then(|run| elsewhere.get(&run)))
        {
            not_up.why = DynoObstacle::ListensElsewhere { port, given: *given };
        }
    }
}
