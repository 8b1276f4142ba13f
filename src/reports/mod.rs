//! Reports a finished smoke test to CI: files for its dashboards, and lines in its log. Pure: values in, text out.
//!
//! One file per format: [`junit`], [`json`], [`github`], and [`last_words`] for people who read the log. `smoke`
//! provides the result as a [`SmokeReport`]; `commands` and `runtime` decide when to report and where the text goes.
//! Dyno output and file names may hold any bytes: every format must stay valid and harmless with all of them.

pub mod github;
pub mod json;
pub mod junit;
pub mod last_words;

mod xml;

use std::time::Duration;

use jiff::Timestamp;

use crate::smoke::SmokeReport;

/// A finished smoke test, and what a report adds to its result.
#[derive(Debug, Clone, Copy)]
pub struct FinishedSmoke<'a> {
    /// The result.
    pub report: &'a SmokeReport,
    /// The exit status as a shell shows it, 0..=255: 128 + n if a signal ends us.
    pub status: u8,
    /// When the smoke test began.
    pub started: Timestamp,
    /// The last lines of the culprit, oldest first, as it wrote them; empty if there is no culprit.
    pub last_lines: &'a [Vec<u8>],
}

impl FinishedSmoke<'_> {
    /// Whether CI may continue.
    fn passed(&self) -> bool {
        self.status == 0
    }

    /// From the start of the run to the end of its last phase.
    fn time(&self) -> Duration {
        let spans = self.report.phases.iter().filter_map(|phase| phase.result.span());
        spans.map(|span| span.start + span.duration).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod examples;
