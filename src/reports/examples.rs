//! Example smoke tests for the tests of the reports.

use std::time::Duration;

use jiff::Timestamp;

use super::FinishedSmoke;
use crate::model::{DynoName, ProcessType};
use crate::smoke::{CommandReport, DynoReport, DynoResult, PhaseReport, PhaseResult, SmokePhase, SmokeReport, Span};
use crate::supervisor::Outcome;

/// A report and the status that goes with it.
pub(super) struct Example {
    pub(super) report: SmokeReport,
    pub(super) status: u8,
}

impl Example {
    pub(super) fn smoke<'a>(&'a self, last_lines: &'a [Vec<u8>]) -> FinishedSmoke<'a> {
        let started = Timestamp::from_microsecond(1_757_991_324_741_657).unwrap();
        FinishedSmoke { report: &self.report, status: self.status, started, last_lines }
    }
}

fn name(process_type: &str) -> DynoName {
    DynoName::new(ProcessType::new(process_type).unwrap(), 1)
}

fn span(start: u64, duration: u64) -> Span {
    Span { start: Duration::from_millis(start), duration: Duration::from_millis(duration) }
}

fn phases(results: [PhaseResult; 5]) -> Vec<PhaseReport> {
    let phases = SmokePhase::ALL.into_iter().zip(results);
    phases.map(|(phase, result)| PhaseReport { phase, result }).collect()
}

fn dyno(process_type: &str, boot: u64, ready: Option<u64>, result: DynoResult) -> DynoReport {
    let boot = Some(Duration::from_millis(boot));
    DynoReport { dyno: name(process_type), boot, ready: ready.map(Duration::from_millis), result }
}

/// `web.1` exits with code 3 while it boots.
pub(super) fn dying_web() -> Example {
    let why = "web.1 exited with code 3".to_owned();
    let report = SmokeReport {
        outcome: Outcome::Code(3),
        reason: why.clone(),
        phases: phases([
            PhaseResult::Passed(span(0, 500)),
            PhaseResult::Failed { span: span(500, 250), why: why.clone() },
            PhaseResult::NotReached,
            PhaseResult::NotReached,
            PhaseResult::Passed(span(750, 500)),
        ]),
        dynos: vec![
            dyno("release", 1, Some(0), DynoResult::Passed),
            dyno("web", 2, None, DynoResult::Failed(why)),
            dyno("worker", 3, None, DynoResult::StoppedBeforeUp),
        ],
        command: Some(CommandReport { words: vec!["npm".into(), "test".into()], status: None }),
        culprit: Some(name("web")),
        hint: None,
    };
    Example { report, status: 3 }
}

/// All dynos came up; there was no release phase and no command.
pub(super) fn passing() -> Example {
    let report = SmokeReport {
        outcome: Outcome::Code(0),
        reason: "all dynos came up".to_owned(),
        phases: phases([
            PhaseResult::NotNeeded,
            PhaseResult::Passed(span(0, 1_500)),
            PhaseResult::Passed(span(1_500, 1_000)),
            PhaseResult::NotNeeded,
            PhaseResult::Passed(span(2_500, 20)),
        ]),
        dynos: vec![dyno("web", 2, Some(1_400), DynoResult::Passed), dyno("worker", 3, Some(0), DynoResult::Passed)],
        command: None,
        culprit: None,
        hint: None,
    };
    Example { report, status: 0 }
}
