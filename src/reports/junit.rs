//! A smoke test as a JUnit file, the format that every CI service can show: one test case for each phase and each dyno.
//!
//! JUnit XML is not a standard. There are three schemas: Jenkins' (`junit-10.xsd`), that of its older plugin, and Ant's.
//! The file is valid in all of them, except for `skipped`, which Ant's schema lacks. A phase with nothing to do has no
//! test case. A phase that was not reached is skipped, and so is a dyno that was not up when something else failed, so
//! that an app has the same test cases in every run.
//!
//! `quick-junit` (0.8) is not used: it always writes `skipped` on `testsuite`, which Ant's schema rejects, deletes control
//! characters instead of showing them, and needs six more crates to replace the small writer in `xml`.

use std::time::Duration;

use super::xml::{Document, Element};
use super::{FinishedSmoke, last_words};
use crate::logs::printable;
use crate::smoke::{DynoReport, DynoResult, PhaseReport, PhaseResult};

/// The outcome of one test case.
enum CaseVerdict<'a> {
    Passed,
    Skipped(&'static str),
    Failed { kind: &'static str, why: &'a str, last_lines: Option<String> },
}

struct Case<'a> {
    class: &'static str,
    name: String,
    time: Duration,
    verdict: CaseVerdict<'a>,
}

/// The content of the file.
#[must_use]
pub fn render(smoke: &FinishedSmoke<'_>) -> String {
    let phases = smoke.report.phases.iter().filter_map(phase);
    let cases: Vec<Case<'_>> = phases.chain(smoke.report.dynos.iter().map(|report| dyno(smoke, report))).collect();

    let mut document = Document::new();
    document.element("testsuites").content(|suites| {
        suite(suites, smoke, &cases).content(|suite| {
            properties(suite, smoke);
            for case in &cases {
                write_case(suite, case);
            }
            // Ant's schema requires them. They are empty because dyno output is part of the failures.
            suite.element("system-out").empty();
            suite.element("system-err").empty();
        });
    });
    document.into_text()
}

fn suite<'d>(document: &'d mut Document, smoke: &FinishedSmoke<'_>, cases: &[Case<'_>]) -> Element<'d> {
    let count = |counts: fn(&CaseVerdict<'_>) -> bool| cases.iter().filter(|case| counts(&case.verdict)).count();
    let skipped = count(|verdict| matches!(verdict, CaseVerdict::Skipped(_)));
    let suite = document
        .element("testsuite")
        .attribute("name", "dyno smoke")
        .attribute("package", "dyno")
        .attribute("id", "0")
        .attribute("timestamp", &smoke.started.strftime("%Y-%m-%dT%H:%M:%S").to_string())
        .attribute("hostname", "localhost")
        .attribute("tests", &cases.len().to_string())
        .attribute("failures", &count(|verdict| matches!(verdict, CaseVerdict::Failed { .. })).to_string())
        .attribute("errors", "0")
        .attribute("time", &seconds(smoke.time()));
    if skipped == 0 { suite } else { suite.attribute("skipped", &skipped.to_string()) }
}

fn properties(suite: &mut Document, smoke: &FinishedSmoke<'_>) {
    let command = smoke.report.command.as_ref().map(|command| command.words.join(" "));
    suite.element("properties").content(|properties| {
        let mut property = |name: &str, value: &str| {
            properties.element("property").attribute("name", name).attribute("value", &text(value)).empty();
        };
        property("status", &smoke.status.to_string());
        property("reason", &smoke.report.reason);
        if let Some(command) = &command {
            property("command", command);
        }
    });
}

fn write_case(suite: &mut Document, case: &Case<'_>) {
    let element = suite
        .element("testcase")
        .attribute("classname", case.class)
        .attribute("name", &case.name)
        .attribute("time", &seconds(case.time));
    match &case.verdict {
        CaseVerdict::Passed => element.empty(),
        CaseVerdict::Skipped(why) => element.content(|case| case.element("skipped").text(why)),
        CaseVerdict::Failed { kind, why, last_lines } => element.content(|case| {
            let why = text(why);
            let whole = last_lines.as_ref().map_or_else(|| why.clone(), |lines| format!("{why}\n\n{lines}"));
            case.element("failure").attribute("message", &why).attribute("type", kind).text(&whole);
        }),
    }
}

fn phase(report: &PhaseReport) -> Option<Case<'_>> {
    let (time, verdict) = match &report.result {
        PhaseResult::NotNeeded => return None,
        PhaseResult::NotReached => (Duration::ZERO, CaseVerdict::Skipped("not reached")),
        PhaseResult::Passed(span) => (span.duration, CaseVerdict::Passed),
        PhaseResult::Failed { span, why } => {
            (span.duration, CaseVerdict::Failed { kind: "phase", why, last_lines: None })
        }
    };
    Some(Case { class: "smoke.phase", name: report.phase.to_string(), time, verdict })
}

fn dyno<'a>(smoke: &FinishedSmoke<'_>, report: &'a DynoReport) -> Case<'a> {
    let is_culprit = smoke.report.culprit.as_ref() == Some(&report.dyno);
    let verdict = match &report.result {
        DynoResult::NotStarted => CaseVerdict::Skipped("not started"),
        DynoResult::StoppedBeforeUp => CaseVerdict::Skipped("stopped before it was up"),
        DynoResult::Passed => CaseVerdict::Passed,
        DynoResult::Failed(why) => {
            let last_lines = is_culprit.then(|| last_words::lines(&report.dyno, smoke.last_lines, false));
            CaseVerdict::Failed { kind: "dyno", why, last_lines: last_lines.filter(|lines| !lines.is_empty()) }
        }
    };
    let time = report.boot.unwrap_or_default() + report.ready.unwrap_or_default();
    Case { class: "smoke.dyno", name: report.dyno.to_string(), time, verdict }
}

/// Three decimals, as the schemas require.
fn seconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

fn text(value: &str) -> String {
    printable(value.as_bytes(), false)
}

#[cfg(test)]
mod tests;
