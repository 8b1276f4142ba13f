//! The workflow commands that a smoke test prints for GitHub's runner: a log group for each phase, and an annotation
//! that names the dyno and the reason of a failure.
//!
//! Not here: [`defuse`](crate::logs::defuse) in `logs` keeps dyno output from giving the runner commands.

use super::FinishedSmoke;
use crate::logs::printable;
use crate::smoke::SmokePhase;

/// The line that closes a group.
pub const END_OF_GROUP: &str = "::endgroup::\n";

/// The groups of a log. At most one is open at a time; the last one stays open until [`END_OF_GROUP`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    open: bool,
}

impl Groups {
    /// The lines that close the previous group, if there is one, and open the group of this phase.
    pub fn enter(&mut self, phase: SmokePhase) -> String {
        let before = if std::mem::replace(&mut self.open, true) { END_OF_GROUP } else { "" };
        format!("{before}::group::smoke: {phase}\n")
    }
}

/// The annotation of a failed smoke test, with dyno and reason. None: it passed.
#[must_use]
pub fn annotation(smoke: &FinishedSmoke<'_>) -> Option<String> {
    if smoke.passed() {
        return None;
    }
    let title = match &smoke.report.culprit {
        Some(dyno) => format!("smoke failed: {dyno}"),
        None => "smoke failed".to_owned(),
    };
    let message = format!("{} (status {})", smoke.report.reason, smoke.status);
    Some(format!("::error title={}::{}\n", property(&title), data(&message)))
}

/// The annotation of a smoke test that could not begin.
#[must_use]
pub fn refusal(fact: &str, status: u8) -> String {
    format!("::error title=smoke failed::{}\n", data(&format!("{fact} (status {status})")))
}

/// Escapes the text after the second `::`. The runner decodes `%25` last, so `%` must be escaped first.
fn data(text: &str) -> String {
    printable(text.as_bytes(), false).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property, which ends at `,` or `::`.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reports::examples::{dying_web, passing};

    #[test]
    fn s19_6_one_group_is_open_at_a_time() {
        let mut groups = Groups::default();

        assert_eq!(groups.enter(SmokePhase::Release), "::group::smoke: release\n");
        assert_eq!(groups.enter(SmokePhase::Boot), "::endgroup::\n::group::smoke: boot\n");
    }

    #[test]
    fn s19_6_the_annotation_names_dyno_reason_and_status() {
        let report = dying_web();
        let annotation = annotation(&report.smoke(&[]));

        assert_eq!(
            annotation.as_deref(),
            Some("::error title=smoke failed%3A web.1::web.1 exited with code 3 (status 3)\n")
        );
    }

    #[test]
    fn only_a_failed_smoke_test_is_annotated_and_the_culprit_may_be_missing() {
        let mut report = passing();
        assert_eq!(annotation(&report.smoke(&[])), None);

        report.status = 1;
        report.report.reason = "`npm test` exited with code 1".to_owned();
        let annotation = annotation(&report.smoke(&[]));
        assert_eq!(
            annotation.as_deref(),
            Some("::error title=smoke failed::`npm test` exited with code 1 (status 1)\n")
        );
    }

    #[test]
    fn an_error_before_anything_starts_is_a_single_line() {
        let line = refusal("Procfile:3: 100%; b\nc", 78);

        assert_eq!(line, "::error title=smoke failed::Procfile:3: 100%25; b\\nc (status 78)\n");
    }

    /// Decodes a line as the runner does: the title property and the text of its command.
    fn read(line: &str) -> (String, String) {
        let unescape = |text: &str| {
            [("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")]
                .iter()
                .fold(text.to_owned(), |text, (code, letter)| text.replace(code, letter))
        };
        let (properties, text) = line.strip_prefix("::error ").unwrap().split_once("::").unwrap();
        let (key, value) = properties.split_once('=').unwrap();
        assert_eq!((key, value.contains(',')), ("title", false));
        (unescape(value), unescape(text))
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_reason_is_one_line_and_the_runner_decodes_it(reason in "([:,%\r\n#\\[]|%0A|%25|::|\\PC){0,20}") {
            let mut report = dying_web();
            report.report.reason = reason.clone();

            let line = annotation(&report.smoke(&[])).unwrap();

            prop_assert_eq!(line.find(['\r', '\n']), Some(line.len() - 1));
            let (title, text) = read(line.trim_end_matches('\n'));
            prop_assert_eq!(title, "smoke failed: web.1");
            prop_assert_eq!(text, format!("{} (status 3)", printable(reason.as_bytes(), false)));
        }
    }
}
