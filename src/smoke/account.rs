//! Records how and when each phase and each dyno of a smoke test ended. Decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::error::GUARDIAN_KILLED;
use crate::model::{DynoName, DynoSpec, RunId, RunReport};
use crate::supervisor::{Effect, Event, Outcome, Plan, PublicState, Snapshot};

use super::cause::{Cause, RunEnd};
use super::{
    CommandReport, DynoReport, DynoResult, PhaseReport, PhaseResult, SmokePhase, SmokeReport, SmokeRules, Span,
    is_unkillable,
};

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
    /// The ports of those that must listen before they are up.
    ports: BTreeMap<DynoName, u16>,
    /// Every run that may still have processes.
    runs: BTreeMap<RunId, DynoName>,
    tracks: BTreeMap<DynoName, Track>,
    has_release: bool,
    command: Option<DynoName>,
    /// How the command ended, unless it was stopped.
    command_end: Option<RunEnd>,
    /// When each phase began.
    begun: BTreeMap<SmokePhase, Duration>,
}

impl Account {
    pub(super) fn new(plan: &Plan) -> Self {
        let listens_on = |spec: &Arc<DynoSpec>| Some((spec.dyno.clone(), spec.readiness.port()?));
        Self {
            dynos: plan.release.iter().chain(&plan.formation).map(|spec| spec.dyno.clone()).collect(),
            ports: plan.formation.iter().filter_map(listens_on).collect(),
            runs: BTreeMap::new(),
            tracks: BTreeMap::new(),
            has_release: plan.release.is_some(),
            command: plan.command.as_ref().map(|spec| spec.dyno.clone()),
            command_end: None,
            begun: BTreeMap::new(),
        }
    }

    /// The dyno that an event is about, if its run may still have processes.
    pub(super) fn dyno_of(&self, event: &Event) -> Option<&DynoName> {
        self.runs.get(&event.run()?)
    }

    /// The run of a dyno that may still have processes.
    pub(super) fn run_of(&self, dyno: &DynoName) -> Option<RunId> {
        self.runs.iter().find(|(_, of)| *of == dyno).map(|(run, _)| *run)
    }

    /// The port of a run that must listen, if it is a run of this dyno.
    pub(super) fn base_port(&self, run: RunId, base: Option<&DynoName>) -> Option<u16> {
        let dyno = self.runs.get(&run).filter(|dyno| Some(*dyno) == base)?;
        self.ports.get(dyno).copied()
    }

    /// Records an event with its effects, and the state of all dynos before and after it.
    pub(super) fn record(
        &mut self,
        event: &Event,
        effects: &[Effect],
        before: &Snapshot,
        after: &Snapshot,
        at: Duration,
    ) {
        for effect in effects {
            if let Effect::Spawn(spawn) = effect {
                self.runs.insert(spawn.run, spawn.spec.dyno.clone());
                self.tracks.entry(spawn.spec.dyno.clone()).or_default().ordered = Some(at);
            }
        }
        let Some(dyno) = self.dyno_of(event).cloned() else { return };
        let is_stopping = self.begun.contains_key(&SmokePhase::Stop);
        if self.command.as_ref() == Some(&dyno) && self.command_end.is_none() && !is_stopping {
            self.command_end = RunEnd::of(event);
        }
        let row =
            |snapshot: &Snapshot| snapshot.rows.iter().find(|row| row.dyno == dyno).map(|row| (row.state, row.wanted));
        let track = self.tracks.entry(dyno.clone()).or_default();
        if let Event::Run(_, RunReport::Spawned { .. }) = event {
            track.spawned.get_or_insert(at);
        }
        match (row(before), row(after)) {
            (_, Some((PublicState::Up, _))) => {
                track.up.get_or_insert(at);
            }
            // It was not being stopped, and is not crashed.
            (Some((_, true)), Some((PublicState::Down, _))) => {
                track.is_done |= matches!(event, Event::Run(_, RunReport::Exited { .. }));
            }
            (_, Some((PublicState::Crashed | PublicState::Starting | PublicState::Down, _)) | None) => {}
        }
        let is_over = matches!(event, Event::Run(_, RunReport::Gone | RunReport::SpawnFailed(_)));
        if is_over || effects.iter().any(is_unkillable) {
            self.runs.retain(|run, _| Some(*run) != event.run());
        }
    }

    /// How the command ended by itself. None: it has not, or was stopped before.
    pub(super) fn command_end(&self) -> Option<&RunEnd> {
        self.command_end.as_ref()
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
        has_lost: bool,
        rules: &SmokeRules,
        outcome: Outcome,
        at: Duration,
    ) -> SmokeReport {
        let reason = match (cause, has_lost) {
            (Some(_), true) => Cause::Lost.reason(),
            (Some(cause), false) => cause.reason(),
            (None, _) => GUARDIAN_KILLED.to_owned(),
        };
        let phases = SmokePhase::ALL.map(|phase| PhaseReport { phase, result: self.phase(phase, cause, at) });
        let command = self.command.as_ref().map(|_| CommandReport {
            words: rules.words.clone(),
            status: self.command_end.as_ref().and_then(RunEnd::code),
        });
        let mut report = SmokeReport {
            outcome,
            reason: reason.clone(),
            phases: phases.into(),
            dynos: self.dynos.iter().map(|dyno| self.dyno(dyno, cause)).collect(),
            command,
            culprit: cause.and_then(Cause::culprit).cloned(),
            hint: cause.and_then(|cause| cause.hint(|dyno| self.ports.contains_key(dyno))),
        };
        let is_reason = |cause: &Cause| !has_lost || *cause == Cause::Lost;
        if !cause.is_some_and(is_reason) {
            report.fail_last_phase(&reason);
        }
        report
    }

    /// The result of a phase, as far as the cause decides it.
    fn phase(&self, phase: SmokePhase, cause: Option<&Cause>, at: Duration) -> PhaseResult {
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
        // The cause lies in the phase right before the stop.
        let is_last = match next {
            Some((SmokePhase::Stop, _)) => true,
            Some((SmokePhase::Release | SmokePhase::Boot | SmokePhase::Settle | SmokePhase::Command, _)) => false,
            None => phase != SmokePhase::Stop,
        };
        match cause.filter(|cause| is_last && !cause.is_success()) {
            Some(cause) => PhaseResult::Failed { span, why: cause.reason() },
            None => PhaseResult::Passed(span),
        }
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
