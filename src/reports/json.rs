//! A smoke test as one JSON object, for scripts. All fields of [`Summary`] are always present, in that order.
//!
//! Times are seconds with six decimals, counted from the start of the run. Bytes that are not UTF-8 become U+FFFD.
//! Control characters are escaped, DEL and U+0080..=U+009F too, so that they have no effect in a terminal.

use std::fmt::Write;
use std::time::Duration;

use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::FinishedSmoke;
use crate::smoke::{DynoReport, DynoResult, PhaseReport, PhaseResult};

/// The version of the format. It changes when a field is removed or changes its meaning, not when one is added.
pub const VERSION: u32 = 1;

/// The object.
#[derive(Debug, Serialize)]
pub struct Summary<'a> {
    /// [`VERSION`].
    pub version: u32,
    /// Whether the status is 0.
    pub passed: bool,
    /// The exit status as a shell shows it.
    pub status: u8,
    /// The reason for that status, the same text as in the last line of the log.
    pub reason: &'a str,
    /// The dyno that caused a failure, such as `web.1`. Null: it passed, the command failed, or no single dyno is to
    /// blame.
    pub culprit: Option<String>,
    /// When the smoke test began: RFC 3339, UTC.
    pub started: String,
    /// Seconds from the start of the run to the end of its last phase.
    pub seconds: JsonSeconds,
    /// `release`, `boot`, `settle`, `command`, `stop`, always all five in this order.
    pub phases: Vec<PhaseEntry<'a>>,
    /// The release dyno if there is one, then the formation in start order.
    pub dynos: Vec<Dyno<'a>>,
    /// The command to run once all dynos were up. Null: there was none.
    pub command: Option<CommandEntry<'a>>,
    /// The last lines of the culprit, at most 50, oldest first. Empty if there is no culprit.
    pub last_lines: Vec<String>,
}

/// One of [`Summary::phases`].
#[derive(Debug, Serialize)]
pub struct PhaseEntry<'a> {
    /// Its name.
    pub phase: String,
    /// `passed`, `failed`, `not needed` (it had nothing to do) or `not reached` (something failed before it).
    pub result: &'static str,
    /// When it began. Null: it did not begin.
    pub start_seconds: Option<JsonSeconds>,
    /// How long it took, up to the failure if it failed. Null: it did not begin.
    pub seconds: Option<JsonSeconds>,
    /// Why it failed. Null: it did not.
    pub why: Option<&'a str>,
}

/// One of [`Summary::dynos`].
#[derive(Debug, Serialize)]
pub struct Dyno<'a> {
    /// Its name.
    pub dyno: String,
    /// `passed`, `failed`, `not started`, or `stopped before up` (something else failed).
    pub result: &'static str,
    /// From the attempt to start it until its program ran. Null: the program never ran.
    pub boot_seconds: Option<JsonSeconds>,
    /// From then until it was up; 0 if it does not have to listen. Null: it never was.
    pub ready_seconds: Option<JsonSeconds>,
    /// Why it failed. Null: it did not.
    pub why: Option<&'a str>,
}

/// [`Summary::command`].
#[derive(Debug, Serialize)]
pub struct CommandEntry<'a> {
    /// Its words as given on the command line.
    pub words: &'a [String],
    /// Its own status, 128 + n for a signal. Null: it was not started, or did not exit by itself.
    pub status: Option<u8>,
}

/// A time, written digit by digit: a binary float would print as `6e-6` instead of `0.000006`.
#[derive(Debug)]
pub struct JsonSeconds(Duration);

impl Serialize for JsonSeconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = format!("{}.{:06}", self.0.as_secs(), self.0.subsec_micros());
        RawValue::from_string(digits).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// The content of the file: one line.
///
/// # Errors
/// None known: every value of a [`Summary`] can be written as JSON.
pub fn render(smoke: &FinishedSmoke<'_>) -> serde_json::Result<String> {
    let report = smoke.report;
    let summary = Summary {
        version: VERSION,
        passed: smoke.passed(),
        status: smoke.status,
        reason: &report.reason,
        culprit: report.culprit.as_ref().map(ToString::to_string),
        started: smoke.started.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        seconds: JsonSeconds(smoke.time()),
        phases: report.phases.iter().map(phase).collect(),
        dynos: report.dynos.iter().map(dyno).collect(),
        command: report.command.as_ref().map(|command| CommandEntry { words: &command.words, status: command.status }),
        last_lines: smoke.last_lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect(),
    };
    Ok(escape_rest(&serde_json::to_string(&summary)?) + "\n")
}

fn phase(report: &PhaseReport) -> PhaseEntry<'_> {
    let (result, span, why) = match &report.result {
        PhaseResult::NotNeeded => ("not needed", None, None),
        PhaseResult::NotReached => ("not reached", None, None),
        PhaseResult::Passed(span) => ("passed", Some(span), None),
        PhaseResult::Failed { span, why } => ("failed", Some(span), Some(why.as_str())),
    };
    PhaseEntry {
        phase: report.phase.to_string(),
        result,
        start_seconds: span.map(|span| JsonSeconds(span.start)),
        seconds: span.map(|span| JsonSeconds(span.duration)),
        why,
    }
}

fn dyno(report: &DynoReport) -> Dyno<'_> {
    let (result, why) = match &report.result {
        DynoResult::NotStarted => ("not started", None),
        DynoResult::StoppedBeforeUp => ("stopped before up", None),
        DynoResult::Passed => ("passed", None),
        DynoResult::Failed(why) => ("failed", Some(why.as_str())),
    };
    Dyno {
        dyno: report.dyno.to_string(),
        result,
        boot_seconds: report.boot.map(JsonSeconds),
        ready_seconds: report.ready.map(JsonSeconds),
        why,
    }
}

/// Escapes DEL and the C1 control characters, which JSON allows raw. They occur only in strings, where escapes work.
fn escape_rest(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() {
            let _ = write!(out, "\\u{:04x}", u32::from(letter));
        } else {
            out.push(letter);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::reports::examples::{dying_web, passing};

    #[test]
    fn s19_6_all_fields_are_present_and_in_order() {
        let report = dying_web();
        let lines = [b"boom".to_vec(), b"\x1b[31m\xff\x7f\xc2\x9b".to_vec()];

        assert_eq!(
            render(&report.smoke(&lines)).unwrap(),
            concat!(
                r#"{"version":1,"passed":false,"status":3,"reason":"web.1 exited with code 3","culprit":"web.1","#,
                r#""started":"2025-09-16T02:55:24.741657Z","seconds":1.250000,"phases":["#,
                r#"{"phase":"release","result":"passed","start_seconds":0.000000,"seconds":0.500000,"why":null},"#,
                r#"{"phase":"boot","result":"failed","start_seconds":0.500000,"seconds":0.250000,"why":"web.1 exited with code 3"},"#,
                r#"{"phase":"settle","result":"not reached","start_seconds":null,"seconds":null,"why":null},"#,
                r#"{"phase":"command","result":"not reached","start_seconds":null,"seconds":null,"why":null},"#,
                r#"{"phase":"stop","result":"passed","start_seconds":0.750000,"seconds":0.500000,"why":null}],"dynos":["#,
                r#"{"dyno":"release.1","result":"passed","boot_seconds":0.001000,"ready_seconds":0.000000,"why":null},"#,
                r#"{"dyno":"web.1","result":"failed","boot_seconds":0.002000,"ready_seconds":null,"#,
                r#""why":"web.1 exited with code 3"},"#,
                r#"{"dyno":"worker.1","result":"stopped before up","boot_seconds":0.003000,"ready_seconds":null,"#,
                r#""why":null}],"#,
                r#""command":{"words":["npm","test"],"status":null},"#,
                r#""last_lines":["boom","\u001b[31m"#,
                "\u{fffd}",
                r#"\u007f\u009b"]}"#,
                "\n"
            )
        );
    }

    #[test]
    fn a_passed_smoke_test_has_the_same_fields() {
        let report = passing();
        let (passed, failed) = (report.smoke(&[]), dying_web());
        let read = |smoke: &FinishedSmoke<'_>| -> Value { serde_json::from_str(&render(smoke).unwrap()).unwrap() };

        let (passed, failed) = (read(&passed), read(&failed.smoke(&[])));

        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&passed), keys(&failed));
        assert_eq!((&passed["passed"], &passed["culprit"], &passed["status"]), (&json!(true), &Value::Null, &json!(0)));
        assert_eq!(passed["phases"][0]["result"], "not needed");
        assert_eq!(passed["command"], Value::Null);
        assert_eq!(passed["dynos"][1]["ready_seconds"], 0.0);
    }

    #[test]
    fn seconds_have_six_decimals() {
        let shown = |micros: u64| serde_json::to_string(&JsonSeconds(Duration::from_micros(micros))).unwrap();

        assert_eq!([shown(0), shown(6), shown(1_012_345)], ["0.000000", "0.000006", "1.012345"]);
        assert_eq!([shown(60_000_001), shown(4_100_000_000_003)], ["60.000001", "4100000.000003"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_become_one_line_of_json_and_are_read_back(
            lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..4),
            reason: String,
            words in prop::collection::vec(any::<String>(), 0..3),
        ) {
            let mut report = dying_web();
            report.report.reason = reason.clone();
            report.report.command.as_mut().unwrap().words = words.clone();

            let text = render(&report.smoke(&lines)).unwrap();

            prop_assert_eq!(text.find(char::is_control), Some(text.len() - 1));
            let value: Value = serde_json::from_str(&text).unwrap();
            let texts: Vec<_> = lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
            prop_assert_eq!(&value["last_lines"], &json!(texts));
            prop_assert_eq!(&value["reason"], &json!(reason));
            prop_assert_eq!(&value["command"]["words"], &json!(words));
        }
    }
}
