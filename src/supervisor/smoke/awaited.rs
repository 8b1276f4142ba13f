//! The dynos that a smoke waits for: which must answer over HTTP, what they answered, and which are not up yet and why.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{DynoSpec, Now, RunId, http_url};
use crate::supervisor::dyno_state::DynoState;
use crate::supervisor::slot::{Slot, Turn};
use crate::supervisor::{About, Effect, Event, HttpAnswer, HttpSilence, Notice, NoticeKind};

use super::Smoke;
use super::cause::{self, Cause, NotUp, WhyNotUp};
use super::progress::Step;

/// A run that listens and is probed over HTTP.
#[derive(Debug, Clone)]
pub(super) struct Probed {
    loopback_only: bool,
    /// Its wrong answers so far, each kind once.
    kinds: Vec<HttpAnswer>,
    /// Its last wrong answer.
    answer: Option<HttpAnswer>,
}

impl Smoke {
    /// Holds back `Event::Ready` until a dyno has given the right answer. None: the event is handled, and only
    /// `effects` are left to perform.
    pub(super) fn probe_before_ready(&mut self, event: Event, now: Now, effects: &mut Vec<Effect>) -> Option<Event> {
        if let Event::Answer { run, address, answer } = event {
            return self.judge_answer(run, address, answer, now, effects);
        }
        if let Event::Ready { run, loopback_only, .. } = event
            && self.must_probe(run)
        {
            self.probed.insert(run, Probed { loopback_only, kinds: Vec::new(), answer: None });
            effects.push(Effect::ProbeHttp { run });
            return None;
        }
        Some(event)
    }

    fn judge_answer(
        &mut self,
        run: RunId,
        address: IpAddr,
        answer: HttpAnswer,
        now: Now,
        effects: &mut Vec<Effect>,
    ) -> Option<Event> {
        let check = self.rules.http.as_ref()?;
        let probed = self.probed.get_mut(&run)?;
        match answer {
            HttpAnswer::Status(status) if check.accepts(status) => {
                Some(Event::Ready { run, address, loopback_only: probed.loopback_only })
            }
            HttpAnswer::Status(_) | HttpAnswer::None(_) => {
                probed.answer = Some(answer);
                if probed.is_new(answer) {
                    let why = cause::not_answering(check, Some(answer));
                    self.notify(run, NoticeKind::WrongAnswer { why }, now, effects);
                }
                None
            }
        }
    }

    fn must_probe(&self, run: RunId) -> bool {
        let is_booting = self.slot(run).is_some_and(|slot| matches!(slot.state, DynoState::Booting { .. }));
        self.rules.http.is_some() && is_booting && !self.probed.contains_key(&run)
    }

    /// Shows a notice about the dyno of a run that is not up yet.
    fn notify(&self, run: RunId, kind: NoticeKind, now: Now, effects: &mut Vec<Effect>) {
        let Some(slot) = self.slot(run).filter(|slot| matches!(slot.state, DynoState::Booting { .. })) else { return };
        let mut turn = Turn::new(now, None);
        slot.notify(kind, &mut turn);
        effects.extend(turn.effects);
    }

    /// Records the address at which a run can be reached.
    pub(super) fn note_address(&mut self, event: &Event) {
        if let Event::Ready { run, address, .. } = event {
            self.answers_at.insert(*run, *address);
        }
    }

    /// The command, with the address of the dyno `rules.base` as `BASE_URL` (S19.3).
    pub(super) fn command_with_base_url(&self) -> Option<Arc<DynoSpec>> {
        let command = self.command.as_ref()?;
        let base = self.formation().find(|slot| Some(&slot.spec.dyno) == self.rules.base.as_ref());
        let known = base.and_then(|slot| Some((self.answers_at.get(&slot.state.run()?)?, slot.spec.awaited_port?)));
        let Some(url) = known.map(|(address, port)| http_url(*address, port)) else { return Some(Arc::clone(command)) };
        let mut spec = DynoSpec::clone(command);
        spec.environment.set("BASE_URL", url);
        Some(Arc::new(spec))
    }

    /// The dynos that are not up yet, and why.
    pub(super) fn waiting(&self) -> Vec<NotUp> {
        let not_up = |slot: &Slot| {
            let is_waiting = matches!(slot.state, DynoState::Starting { .. } | DynoState::Booting { .. });
            let run = slot.state.run().filter(|_| is_waiting)?;
            let why = match (self.probed.get(&run), slot.spec.awaited_port) {
                (Some(probed), _) => WhyNotUp::Answer(probed.answer),
                (None, Some(port)) => WhyNotUp::NotListening { port },
                (None, None) => WhyNotUp::NotStarted,
            };
            Some(NotUp { dyno: slot.spec.dyno.clone(), run, why })
        };
        self.formation().filter_map(not_up).collect()
    }

    /// The release command, while it runs.
    pub(super) fn running_release(&self) -> Option<NotUp> {
        let release = self.supervisor.slots.iter().find(|slot| slot.is_release())?;
        Some(NotUp { dyno: release.spec.dyno.clone(), run: release.state.run()?, why: WhyNotUp::StillRuns })
    }

    /// Shows what the smoke test is waiting for, if a line is due.
    pub(super) fn show_progress(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let Some(progress) = &mut self.progress else { return };
        let (after, elsewhere) = match progress.step(now) {
            Step::Nothing => return,
            Step::FindListeners => {
                let not_listening = self.waiting().into_iter().filter(NotUp::does_not_listen);
                return effects.extend(not_listening.map(|not_up| Effect::FindListener { run: not_up.run }));
            }
            Step::Say { after, elsewhere } => (after, elsewhere),
        };
        let mut dynos: Vec<NotUp> = self.running_release().into_iter().chain(self.waiting()).collect();
        note_other_ports(&mut dynos, &elsewhere);
        if !dynos.is_empty() {
            let what = cause::describe_all(&dynos, self.rules.http.as_ref());
            let kind = NoticeKind::StillWaiting { after, what };
            effects.push(Effect::Notify(Notice { about: About::Formation { after: None }, kind }));
        }
    }

    /// Adds what the supervisor does not know: the HTTP answers, and the other dynos that were not up.
    pub(super) fn explain_not_up(&self, effects: &mut Vec<Effect>) {
        let Some(Cause::NotUp { after, check, dynos }) = &self.cause else { return };
        let is_probed = |run: &RunId| self.probed.contains_key(run);
        // Dynos that are probed listen on the right port, so there is no other port to look for.
        effects.retain(|effect| !matches!(effect, Effect::FindListener { run } if is_probed(run)));
        for effect in effects.iter_mut() {
            if let Effect::Notify(notice) = effect
                && let NoticeKind::BootTimeout { .. } = notice.kind
                && let Some(not_up) = dynos.iter().find(|not_up| notice.is_about(&not_up.dyno))
                && let (WhyNotUp::Answer(answer), Some(check)) = (&not_up.why, check)
            {
                let why = cause::not_answering(check, *answer);
                notice.kind = NoticeKind::NotAnswering { why, after: *after };
            }
        }
        let looked_at: Vec<RunId> = effects.iter().filter_map(find_listener).collect();
        let others = dynos.iter().map(|not_up| not_up.run).filter(|run| !is_probed(run) && !looked_at.contains(run));
        effects.splice(0..0, others.map(|run| Effect::FindListener { run }));
    }

    /// Records that a run listens on a port that is not its own.
    pub(super) fn note_other_port(&mut self, run: RunId, port: u16) {
        if let Some(progress) = &mut self.progress {
            progress.note_other_port(run, port);
        }
        if let Some(Cause::NotUp { dynos, .. }) = &mut self.cause {
            note_other_ports(dynos, &BTreeMap::from([(run, port)]));
        }
    }
}

impl Probed {
    /// Whether a wrong answer is the first of its kind. If there is no answer at all, the progress lines say so.
    fn is_new(&mut self, answer: HttpAnswer) -> bool {
        let is_wrong = match answer {
            HttpAnswer::Status(_) | HttpAnswer::None(HttpSilence::Closed | HttpSilence::NotHttp) => true,
            HttpAnswer::None(HttpSilence::Refused | HttpSilence::Slow) => false,
        };
        let is_new = is_wrong && !self.kinds.contains(&answer);
        if is_new {
            self.kinds.push(answer);
        }
        is_new
    }
}

fn note_other_ports(dynos: &mut [NotUp], elsewhere: &BTreeMap<RunId, u16>) {
    for not_up in dynos {
        if let (WhyNotUp::NotListening { port: given }, Some(&port)) = (&not_up.why, elsewhere.get(&not_up.run)) {
            not_up.why = WhyNotUp::ListensElsewhere { port, given: *given };
        }
    }
}

fn find_listener(effect: &Effect) -> Option<RunId> {
    if let Effect::FindListener { run } = effect { Some(*run) } else { None }
}
