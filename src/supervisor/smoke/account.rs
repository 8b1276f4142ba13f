//! Records how and when each phase and each dyno of a smoke test ended. Decides nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::GUARDIAN_KILLED;
use crate::model::DynoName;
use crate::supervisor::dyno_state::{DynoState, Ending};
use crate::supervisor::{
    CommandReport, DynoReport, DynoResult, Effect, Event, Outcome, PhaseReport, PhaseResult, Plan, SmokePhase,
    SmokeReport, Span, Supervisor,
};

use super::SmokeRules;
use super::cause::{Cause, RunEnd};

/// When one dyno reached each step.
#[derive(Debug, Clone, Copy, Default)]
struct Track {
    ordered: Option<Duration>,
    spawned: Option<Duration>,
    up: Option<Duration>,
    /// It exited by itself, as allowed.
    is_done: bool,
}

/// The record of a smoke test.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// The release phase and the formation, in start order.
    dynos: Vec<DynoName>,
    tracks: BTreeMap<DynoName, Track>,
    has_release: bool,
    command: Option<DynoName>,
    command_end: Option<RunEnd>,
    /// When each phase began.
    begun: BTreeMap<SmokePhase, Duration>,
}

impl Account {
    pub(super) fn new(plan: &Plan) -> Self {
        let dynos = plan.release.iter().chain(&plan.formation).map(|spec| spec.dyno.clone()).collect();
        Self {
            dynos,
            tracks: BTreeMap::new(),
            has_release: plan.release.is_some(),
            command: plan.command.as_ref().map(|spec| spec.dyno.clone()),
            command_end: None,
            begun: BTreeMap::new(),
        }
    }

    /// Records an event and its effects. `subject`: the dyno that the event is about.
    pub(super) fn record(
        &mut self,
        event: &Event,
        subject: Option<&DynoName>,
        supervisor: &Supervisor,
        effects: &[Effect],
        at: Duration,
    ) {
        for effect in effects {
            if let Effect::Spawn(spawn) = effect {
                self.tracks.entry(spawn.spec.dyno.clone()).or_default().ordered = Some(at);
            }
        }
        let Some(dyno) = subject else { return };
        if self.command.as_ref() == Some(dyno) {
            self.record_command(event);
        }
        let Some(slot) = supervisor.slots.iter().find(|slot| slot.spec.dyno == *dyno) else { return };
        let track = self.tracks.entry(dyno.clone()).or_default();
        if let Event::Spawned { .. } = event {
            track.spawned.get_or_insert(at);
        }
        match slot.state {
            DynoState::Up { .. } => {
                track.up.get_or_insert(at);
            }
            DynoState::Clearing { ending: Ending::Done, .. } => track.is_done = true,
            DynoState::Clearing { .. }
            | DynoState::Starting { .. }
            | DynoState::Booting { .. }
            | DynoState::Stopping { .. }
            | DynoState::Rest(_) => {}
        }
    }

    fn record_command(&mut self, event: &Event) {
        let end = match event {
            Event::Exited { exit, .. } => RunEnd::Exit(*exit),
            Event::SpawnFailed { why, .. } => RunEnd::NotStarted(why.clone()),
            Event::Gone { .. } => RunEnd::Vanished,
            Event::Boot
            | Event::Spawned { .. }
            | Event::Ready { .. }
            | Event::Answer { .. }
            | Event::NotReady { .. }
            | Event::ListensElsewhere { .. }
            | Event::DebuggerPrompt { .. }
            | Event::LeftBehind { .. }
            | Event::Unkillable { .. }
            | Event::Signal(_)
            | Event::Key { .. }
            | Event::Resumed { .. }
            | Event::OutputLost(_)
            | Event::Request { .. }
            | Event::Tick => return,
        };
        self.command_end.get_or_insert(end);
    }

    /// How the command ended.
    pub(super) fn command_end(&self) -> RunEnd {
        self.command_end.clone().unwrap_or(RunEnd::Vanished)
    }

    pub(super) fn enter(&mut self, phase: SmokePhase, at: Duration) {
        self.begun.entry(phase).or_insert(at);
    }

    /// Records the cause of the end. If a dyno did not stay up long enough, the settle phase was never reached.
    pub(super) fn record_cause(&mut self, cause: &Cause) {
        if let Cause::DynoEnded { phase: SmokePhase::Boot, .. } = cause {
            self.begun.remove(&SmokePhase::Settle);
        }
    }

    pub(super) fn report(
        &self,
        cause: Option<&Cause>,
        supervisor: &Supervisor,
        rules: &SmokeRules,
        outcome: Outcome,
        at: Duration,
    ) -> SmokeReport {
        let reason = match cause {
            Some(_) if supervisor.tally.has_lost() => Cause::Lost.reason(),
            Some(cause) => cause.reason(),
            None => GUARDIAN_KILLED.to_owned(),
        };
        let phases = SmokePhase::ALL.map(|phase| PhaseReport { phase, result: self.phase(phase, cause, &reason, at) });
        let command = self.command.as_ref().map(|_| CommandReport {
            words: rules.words.clone(),
            status: match cause {
                Some(Cause::Command(how)) => how.code(),
                Some(
                    Cause::Settled { .. }
                    | Cause::DynoEnded { .. }
                    | Cause::NotUp { .. }
                    | Cause::Signal { .. }
                    | Cause::OutputLost
                    | Cause::Lost,
                )
                | None => None,
            },
        });
        SmokeReport {
            outcome,
            reason,
            phases: phases.into(),
            dynos: self.dynos.iter().map(|dyno| self.dyno(dyno, cause)).collect(),
            command,
            culprit: cause.and_then(Cause::culprit).cloned(),
            hint: cause.and_then(|cause| cause.hint(&supervisor.policy)),
        }
    }

    fn phase(&self, phase: SmokePhase, cause: Option<&Cause>, reason: &str, at: Duration) -> PhaseResult {
        let is_needed = match phase {
            SmokePhase::Release => self.has_release,
            SmokePhase::Command => self.command.is_some(),
            SmokePhase::Boot | SmokePhase::Settle | SmokePhase::Stop => true,
        };
        let Some(&start) = self.begun.get(&phase) else {
            return if is_needed { PhaseResult::NotReached } else { PhaseResult::NotNeeded };
        };
        let next = self.begun.range(phase..).nth(1);
        let span = Span { start, duration: next.map_or(at, |(_, end)| *end).saturating_sub(start) };
        // The cause lies in the phase right before the stop; without a cause, the last phase failed.
        let is_last = match next {
            Some((SmokePhase::Stop, _)) => true,
            Some((SmokePhase::Release | SmokePhase::Boot | SmokePhase::Settle | SmokePhase::Command, _)) => false,
            None => phase != SmokePhase::Stop || cause.is_none(),
        };
        let failed = is_last && !cause.is_some_and(Cause::is_success);
        if failed { PhaseResult::Failed { span, why: reason.to_owned() } } else { PhaseResult::Passed(span) }
    }

    fn dyno(&self, dyno: &DynoName, cause: Option<&Cause>) -> DynoReport {
        let track = self.tracks.get(dyno).copied().unwrap_or_default();
        let between = |from: Option<Duration>, to: Option<Duration>| Some(to?.saturating_sub(from?));
        let result = match (cause.and_then(|cause| cause.failure_of(dyno)), track.ordered, track.up) {
            (Some(why), _, _) => DynoResult::Failed(why),
            (None, None, _) => DynoResult::NotStarted,
            (None, Some(_), None) if !track.is_done => DynoResult::StoppedBeforeUp,
            (None, Some(_), Some(_) | None) => DynoResult::Passed,
        };
        DynoReport {
            dyno: dyno.clone(),
            boot: between(track.ordered, track.spawned),
            ready: between(track.spawned, track.up),
            result,
        }
    }
}
