//! The end of a smoke: report files, the last lines of the culprit, one sentence about the result.
//!
//! Everything important is in the last lines, in this order: what went wrong after the end, the lines of the culprit, the
//! sentence with the reason and the status, and GitHub's annotation.

use jiff::Timestamp;

use super::report_files::ReportFiles;
use crate::commands::shell_status;
use crate::console::diagnostics::{show_error, visible};
use crate::error::{GUARDIAN_KILLED, Status};
use crate::reports::last_words::Reader;
use crate::reports::{FinishedSmoke, github, last_words};
use crate::runtime::{Ending, Tails, write_diagnostics};
use crate::smoke::SmokeReport;
use crate::supervisor::Outcome;

/// Everything that the reports need, besides the ending itself.
pub(super) struct SmokeEnd<'a> {
    /// The last lines of each dyno.
    pub(super) tails: &'a Tails,
    /// Where the reports go.
    pub(super) files: ReportFiles,
    /// When the smoke test began.
    pub(super) started: Timestamp,
    /// Who reads the output.
    pub(super) reader: Reader,
}

impl SmokeEnd<'_> {
    /// Shows and writes everything. Returns how `dyno` ends.
    pub(super) fn report(mut self, ending: &Ending, report: &SmokeReport) -> Outcome {
        let mut report = final_report(report, ending, ending.outcome());
        let last_lines = report.culprit.as_ref().map(|culprit| self.tails.of(culprit)).unwrap_or_default();
        if let Err(error) = self.files.write(&self.smoke(&report, &last_lines)) {
            show_error(&error);
            if report.outcome == Outcome::Code(0) {
                report.replace(Outcome::Code(Status::Output.code()), "a report could not be written");
                // The other report should contain this failure, too. Its own failure was shown already.
                let _ = self.files.write(&self.smoke(&report, &last_lines));
            }
        }
        let smoke = self.smoke(&report, &last_lines);
        let mut text = String::new();
        if let Some(culprit) = &report.culprit {
            text += &last_words::render(culprit, &last_lines, self.reader);
        }
        if let Some(hint) = &report.hint {
            text.extend(["hint: ", &visible(hint), "\n"]);
        }
        text += &verdict(&smoke);
        if self.reader.github {
            text += &github::annotation(&smoke).unwrap_or_default();
        }
        write_diagnostics(text.as_bytes());
        report.outcome
    }

    fn smoke<'s>(&self, report: &'s SmokeReport, last_lines: &'s [Vec<u8>]) -> FinishedSmoke<'s> {
        FinishedSmoke { report, status: shell_status(report.outcome), started: self.started, last_lines }
    }
}

/// A failure after the end of the formation replaces the result so far, and is the failure of the last phase.
fn final_report(report: &SmokeReport, ending: &Ending, outcome: Outcome) -> SmokeReport {
    let reason = if ending.guardian_lost {
        GUARDIAN_KILLED
    } else if !ending.survivors.is_empty() {
        "a process could not be killed"
    } else if outcome != report.outcome {
        "the log could not be written"
    } else {
        return report.clone();
    };
    let mut report = report.clone();
    report.replace(outcome, reason);
    report
}

/// The sentence about the result.
fn verdict(smoke: &FinishedSmoke<'_>) -> String {
    let reason = visible(&smoke.report.reason);
    match smoke.status {
        0 => format!("smoke passed: {reason}\n"),
        status => format!("smoke failed: {reason} (status {status})\n"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::reports::{json, junit};
    use crate::smoke::{PhaseReport, PhaseResult, SmokePhase, Span};
    use crate::supervisor::UserSignal;

    fn report(outcome: Outcome) -> SmokeReport {
        let reason = "the command exited with code 3".to_owned();
        let (phases, dynos) = (Vec::new(), Vec::new());
        SmokeReport { outcome, reason, phases, dynos, command: None, culprit: None, hint: None }
    }

    #[test]
    fn the_last_line_names_the_reason_and_the_status() {
        for (outcome, line) in [
            (Outcome::Code(0), "smoke passed: the command exited with code 3\n"),
            (Outcome::Code(3), "smoke failed: the command exited with code 3 (status 3)\n"),
            (Outcome::Signal(UserSignal::Term), "smoke failed: the command exited with code 3 (status 143)\n"),
        ] {
            let report = report(outcome);
            let started = Timestamp::UNIX_EPOCH;

            assert_eq!(
                verdict(&FinishedSmoke { report: &report, status: shell_status(outcome), started, last_lines: &[] }),
                line
            );
        }
    }

    #[test]
    fn s11_a_failure_after_the_end_becomes_the_reason() {
        let ending = |outcome| {
            let mut ending = Ending::plain(Outcome::Code(0));
            ending.guardian_lost = outcome == Outcome::Code(70);
            ending
        };
        let reason = |outcome| final_report(&report(Outcome::Code(0)), &ending(outcome), outcome).reason;

        assert_eq!(reason(Outcome::Code(0)), "the command exited with code 3");
        assert_eq!(reason(Outcome::Code(70)), GUARDIAN_KILLED);
        assert_eq!(reason(Outcome::Code(74)), "the log could not be written");
    }

    #[test]
    fn s11_a_failure_after_the_end_is_reported_in_each_file() {
        let passed = PhaseResult::Passed(Span { start: Duration::ZERO, duration: Duration::from_secs(1) });
        let phases = SmokePhase::ALL.map(|phase| PhaseReport { phase, result: passed.clone() }).into();
        let report = SmokeReport { phases, ..report(Outcome::Code(0)) };
        let mut endings = [(); 3].map(|()| Ending::plain(Outcome::Code(0)));
        endings[0].guardian_lost = true;
        endings[1].survivors.push("77 (nfs)".to_owned());
        endings[2].unwritten_bytes = 7;
        let reasons = [
            "`dyno`'s helper process (the guardian) was killed",
            "a process could not be killed",
            "the log could not be written",
        ];
        for (ending, why) in endings.into_iter().zip(reasons) {
            let shown = final_report(&report, &ending, ending.outcome());

            let smoke = FinishedSmoke {
                report: &shown,
                status: shell_status(shown.outcome),
                started: Timestamp::UNIX_EPOCH,
                last_lines: &[],
            };
            let (xml, json) = (junit::render(&smoke), json::render(&smoke).expect("an object"));
            assert!(xml.contains(r#" tests="5" failures="1" "#), "{xml}");
            let stop = format!(
                r#"{{"phase":"stop","result":"failed","start_seconds":0.000000,"seconds":1.000000,"why":"{why}"}}"#
            );
            assert!(json.contains(&stop), "{json}");
        }
    }
}
