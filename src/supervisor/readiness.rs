//! Decides when a run is up, from what the runtime has seen of it: whether it listens, and what it answers over HTTP.
//!
//! `DynoSpec::readiness` says what is required. Not here: how long a run may take (`deadlines`).

use core::net::IpAddr;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{HttpCheck, RunId};

use super::dyno_state::{DynoState, RunStage};
use super::order_report::missing_text;
use super::slot::{Slot, Turn};
use super::{HttpAnswer, HttpSilence, MissingDyno, NoticeKind, Supervisor};

/// What a booting run must still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// Listen on its port.
    Port,
    /// Give the expected answer over HTTP. `last`: its last answer, if there was one.
    Answer { last: Option<HttpAnswer> },
}

/// Why a dyno that is starting is not up yet. The text follows the name of the dyno: `web.1 has not started yet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyNotUp {
    /// It is not started before these have done what it waits for (S6.12).
    Waits(Vec<MissingDyno>),
    /// Its program does not run yet, and need not listen.
    NotStarted,
    /// It does not listen on its port.
    NotListening {
        /// The port.
        port: u16,
    },
    /// It listens, but has not given the expected answer over HTTP.
    NotAnswering {
        /// The request and the expected answer.
        check: Arc<HttpCheck>,
        /// Its last answer. None: it has not answered yet.
        answer: Option<HttpAnswer>,
    },
}

impl WhyNotUp {
    /// What it waits for before it starts: `web.1 to listen`. None: it has been started.
    #[must_use]
    pub fn waits_for(&self) -> Option<String> {
        match self {
            Self::Waits(missing) => Some(missing_text(missing)),
            Self::NotStarted | Self::NotListening { .. } | Self::NotAnswering { .. } => None,
        }
    }
}

impl fmt::Display for WhyNotUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (check, answer) = match self {
            Self::Waits(missing) => return write!(f, "waits for {}", missing_text(missing)),
            Self::NotStarted => return f.write_str("has not started yet"),
            Self::NotListening { port } => return write!(f, "does not listen on $PORT ({port})"),
            Self::NotAnswering { check, answer } => (check, answer),
        };
        match answer {
            Some(HttpAnswer::Status(status)) => write!(f, "answers {check} with {status}, not {}", check.expected()),
            Some(HttpAnswer::None(HttpSilence::Refused)) => write!(f, "refuses the connection for {check}"),
            Some(HttpAnswer::None(HttpSilence::Closed)) => write!(f, "closes the connection without answering {check}"),
            Some(HttpAnswer::None(HttpSilence::NotHttp)) => {
                write!(f, "answers {check} with something that is not HTTP")
            }
            Some(HttpAnswer::None(HttpSilence::Slow)) | None => write!(f, "listens but does not answer {check}"),
        }
    }
}

impl Supervisor {
    /// The run listens, and answers if it must: a booting one is up now. `only_at`: the address, if only this machine can
    /// reach the server there.
    pub(super) fn on_ready(&mut self, run: RunId, only_at: Option<IpAddr>, turn: &mut Turn) {
        let only_at = only_at.filter(|_| self.policy.notes_loopback);
        let Some((_, slot)) = self.slot_of(run) else { return };
        slot.memory.record_ready(run);
        match slot.state {
            DynoState::Alive(run, RunStage::Booting { pid, .. }) => {
                slot.mark_up(run, pid, turn);
                if let Some(address) = only_at {
                    slot.notify(NoticeKind::LoopbackOnly { address }, turn);
                }
            }
            // No probe runs before `Spawned`; in the other states the dyno was up, is ending or has ended.
            DynoState::Alive(
                _,
                RunStage::Starting { .. } | RunStage::Up { .. } | RunStage::Stopping { .. } | RunStage::Clearing { .. },
            )
            | DynoState::Rest(_) => {}
        }
    }

    /// The run listens, but is not up before it gives the expected answer. Each kind of wrong answer is shown once.
    pub(super) fn on_not_answering(&mut self, run: RunId, answer: Option<HttpAnswer>, turn: &mut Turn) {
        let Some((_, slot)) = self.slot_of(run) else { return };
        slot.memory.record_listening(run);
        match slot.state {
            DynoState::Alive(run, RunStage::Booting { pid, deadline, .. }) if slot.spec.readiness.check().is_some() => {
                slot.enter(
                    DynoState::Alive(
                        run,
                        RunStage::Booting { pid, deadline, awaited: Awaited::Answer { last: answer } },
                    ),
                    turn,
                );
                if let (Some(answer), Some(why)) = (answer, slot.why_not_up())
                    && is_wrong(answer)
                    && !slot.wrong_answers.contains(&answer)
                {
                    slot.wrong_answers.push(answer);
                    slot.notify(NoticeKind::WrongAnswer { why: why.to_string() }, turn);
                }
            }
            // It is already up, is ending or has ended, or need not answer.
            DynoState::Alive(..) | DynoState::Rest(_) => {}
        }
    }

    /// Without a boot timeout nothing else would end the state `starting`, so the dyno is treated as up from now on.
    pub(super) fn on_not_ready(&mut self, run: RunId, after: Duration, turn: &mut Turn) {
        let Some((_, slot)) = self.slot_of(run) else { return };
        match slot.state {
            DynoState::Alive(run, RunStage::Booting { pid, deadline: None, awaited }) => {
                let kind = match (awaited, slot.why_not_up()) {
                    (Awaited::Answer { .. }, Some(why)) => NoticeKind::StillNotUp { why: why.to_string(), after },
                    (Awaited::Port, _) | (Awaited::Answer { .. }, None) => {
                        NoticeKind::NotListening { port: slot.spec.readiness.port(), after }
                    }
                };
                slot.notify(kind, turn);
                slot.mark_up(run, pid, turn);
            }
            // The boot timeout decides, or it no longer matters.
            DynoState::Alive(
                _,
                RunStage::Booting { deadline: Some(_), .. }
                | RunStage::Starting { .. }
                | RunStage::Up { .. }
                | RunStage::Stopping { .. }
                | RunStage::Clearing { .. },
            )
            | DynoState::Rest(_) => {}
        }
    }

    /// Explains why a run that is being killed did not listen on its port.
    pub(super) fn on_listens_elsewhere(&mut self, run: RunId, port: u16, turn: &mut Turn) {
        let Some((_, slot)) = self.slot_of(run) else { return };
        match slot.state {
            DynoState::Alive(_, RunStage::Stopping { .. } | RunStage::Clearing { .. }) => {
                slot.notify(NoticeKind::ListensElsewhere { port, given: slot.spec.readiness.port() }, turn);
            }
            // No boot timeout has passed, or the run has ended.
            DynoState::Alive(_, RunStage::Starting { .. } | RunStage::Booting { .. } | RunStage::Up { .. })
            | DynoState::Rest(_) => {}
        }
    }
}

impl Slot {
    /// Why it is not up yet. None: it is not starting.
    pub(super) fn why_not_up(&self) -> Option<WhyNotUp> {
        let readiness = &self.spec.readiness;
        let awaited = match self.state {
            DynoState::Alive(_, RunStage::Starting { .. }) => Awaited::Port,
            DynoState::Alive(_, RunStage::Booting { awaited, .. }) => awaited,
            DynoState::Alive(_, RunStage::Up { .. } | RunStage::Stopping { .. } | RunStage::Clearing { .. })
            | DynoState::Rest(_) => {
                return None;
            }
        };
        Some(match (awaited, readiness.check(), readiness.port()) {
            (Awaited::Answer { last: answer }, Some(check), _) => {
                WhyNotUp::NotAnswering { check: Arc::clone(check), answer }
            }
            (Awaited::Port | Awaited::Answer { .. }, _, Some(port)) => WhyNotUp::NotListening { port },
            (Awaited::Port | Awaited::Answer { .. }, _, None) => WhyNotUp::NotStarted,
        })
    }
}

/// Whether an answer is worth a notice. If there is none at all, it may still come.
fn is_wrong(answer: HttpAnswer) -> bool {
    match answer {
        HttpAnswer::Status(_) | HttpAnswer::None(HttpSilence::Closed | HttpSilence::NotHttp) => true,
        HttpAnswer::None(HttpSilence::Refused | HttpSilence::Slow) => false,
    }
}
