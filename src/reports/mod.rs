//! How a smoke is told to CI: files for its dashboards, and what is said in its log. Pure: values in, text out.
//!
//! One file for each form: [`junit`], [`json`], [`github`], and [`last_words`] for whoever reads the log. What a smoke
//! was is `supervisor`'s [`SmokeReport`]; what happens when, and where the text goes, `commands` and `runtime` decide.
//! Dynos write what they like and names of files are any bytes: each form is valid and harmless whatever they are.

pub mod github;
pub mod json;
pub mod junit;
pub mod last_words;

mod xml;

use std::time::Duration;

use jiff::Timestamp;

use crate::supervisor::{PhaseResult, SmokeReport};

/// A smoke that is over, and what a report says besides what the run knows of itself.
#[derive(Debug, Clone, Copy)]
pub struct Smoke<'a> {
    /// What it was.
    pub report: &'a SmokeReport,
    /// The exit status as a shell shows it, 0..=255: 128 + n where a signal ends us.
    pub status: u8,
    /// When it began.
    pub started: Timestamp,
    /// The last lines of the culprit, oldest first, as it wrote them; empty without one.
    pub last_lines: &'a [Vec<u8>],
}

impl Smoke<'_> {
    /// Whether CI may go on.
    fn passed(&self) -> bool {
        self.status == 0
    }

    /// From the start of the run to the end of its last phase.
    fn time(&self) -> Duration {
        let ends = self.report.phases.iter().filter_map(|phase| match &phase.result {
            PhaseResult::NotNeeded | PhaseResult::NotReached => None,
            PhaseResult::Passed(span) | PhaseResult::Failed { span, .. } => Some(span.start + span.duration),
        });
        ends.max().unwrap_or_default()
    }
}

#[cfg(test)]
mod examples;
