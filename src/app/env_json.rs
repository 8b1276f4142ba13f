//! Reads a `.env` file that is JSON, like heroku local (S2.7).
//!
//! Nested keys are joined by `_` and upper-cased, items of a list are numbered, `null` is left out. `serde_json` checks
//! the syntax; values are read from its raw text, so that a number keeps its digits. No message holds a value.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::env_entry::EnvEntry;
use super::env_line::is_env_key;
use super::environment::Secret;
use super::environment_limits::{MAX_VALUES_BYTES, MAX_VARIABLE_BYTES};
use super::problem::{Problem, Problems, Severity};
use super::source_text::{SourceText, part};

/// Deepest nesting that is read; configuration has three levels at most.
const MAX_DEPTH: usize = 64;

/// Whether the first character that is not a blank or a newline is `{`.
pub(crate) fn is_json(text: SourceText<'_>) -> bool {
    let text = part(text.bytes(), text.begin()..text.bytes().len());
    text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

/// Where the text is nested too deeply, if it is. Checked first, since every level is parsed again for its values.
fn too_deep(text: &[u8]) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    text.iter().position(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > MAX_DEPTH
    })
}

/// The variables in the order of the file. Problems, an error for text that is not JSON, are added to `problems`.
pub(crate) fn read(text: SourceText<'_>, problems: &mut Problems) -> Vec<EnvEntry> {
    let bytes = part(text.bytes(), text.begin()..text.bytes().len());
    let mut json = Json { text: bytes, begin: text.begin(), at: 0, line: 1, entries: Vec::new(), bytes: 0, problems };
    let read = match std::str::from_utf8(bytes) {
        Ok(text) => match too_deep(bytes) {
            None => json.value("", text.trim_ascii_start()),
            Some(at) => {
                json.advance(at);
                Err("it is nested too deeply")
            }
        },
        Err(error) => {
            json.advance(error.valid_up_to());
            Err("it has a byte that is not UTF-8")
        }
    };
    let Json { line, entries, .. } = json;
    if let Err(message) = read {
        let hint = "mend the JSON, or write one `KEY=value` a line";
        problems.push(Problem::new(Severity::Error, line, format!("the JSON cannot be read: {message}"), hint));
    }
    entries
}

/// What is wrong with the JSON. Never a part of its text.
type Fault = &'static str;

struct Json<'p, 't> {
    text: &'t [u8],
    /// Where the text begins in the file.
    begin: usize,
    /// Where in the text the value begins that is being read, and on which line.
    at: usize,
    line: usize,
    entries: Vec<EnvEntry>,
    /// Bytes of all names and values so far.
    bytes: usize,
    problems: &'p mut Problems,
}

/// The members of an object, in its order and with repeated names.
struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'t> Json<'_, 't> {
    /// Reads a value and adds the variables it makes, named `key` or below it. `raw`: a part of the text.
    fn value(&mut self, key: &str, raw: &'t str) -> Result<(), Fault> {
        self.advance(raw.as_ptr().addr() - self.text.as_ptr().addr());
        match raw.as_bytes().first() {
            Some(b'{') => {
                let Members(members) = self.parse(raw)?;
                members
                    .into_iter()
                    .try_for_each(|(name, member)| self.value(&joined(key, without_nul(&name)?), member.get()))
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = self.parse(raw)?;
                let mut items = items.into_iter().enumerate();
                items.try_for_each(|(index, item)| self.value(&joined(key, &index.to_string()), item.get()))
            }
            Some(b'"') => {
                let value: String = self.parse(raw)?;
                self.add(key, without_nul(&value)?, raw.len())
            }
            Some(b'n') => Ok(()),
            Some(_) | None => self.add(key, raw, raw.len()),
        }
    }

    fn parse<T: Deserialize<'t>>(&mut self, raw: &'t str) -> Result<T, Fault> {
        serde_json::from_str(raw).map_err(|error| {
            self.line += error.line().saturating_sub(1);
            fault(&error, raw)
        })
    }

    /// Moves on to a place further down.
    fn advance(&mut self, at: usize) {
        self.line += memchr::memchr_iter(b'\n', part(self.text, self.at..at)).count();
        self.at = at;
    }

    fn add(&mut self, key: &str, value: &str, length: usize) -> Result<(), Fault> {
        // Each name holds those above it, so a short file may make very long ones.
        self.bytes += key.len() + value.len();
        if self.bytes > MAX_VALUES_BYTES {
            return Err("all names and values up to here have more than 16 MiB together");
        }
        let problem = |severity, message: String, hint| Problem::new(severity, self.line, message, hint);
        if !is_env_key(key.as_bytes()) {
            let message = "the name of a value cannot be the name of a variable".to_owned();
            self.problems.push(problem(Severity::Defect, message, "a name has only A-Z a-z 0-9 _ . -"));
        } else if value.len() > MAX_VARIABLE_BYTES {
            let message = format!("`{key}` is longer than 128 KiB, the most a variable can have");
            let hint = "write the value into a file and its path into the variable";
            self.problems.push(problem(Severity::Error, message, hint).about(key));
        } else {
            let begin = self.begin + self.at;
            let (value, span) = (Secret::new(value), begin..begin + length);
            self.entries.push(EnvEntry { key: key.to_owned(), value, line: self.line, span });
        }
        Ok(())
    }
}

impl<'t> Deserialize<'t> for Members<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'t> Visitor<'t> for Collect {
            type Value = Members<'t>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Members<'t>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// Our words for an error of `serde_json`, which has no codes to compare. `raw`: the text that it read.
fn fault(error: &serde_json::Error, raw: &str) -> Fault {
    let message = error.to_string();
    match message.split(" at line ").next().unwrap_or_default() {
        "EOF while parsing a value" | "EOF while parsing an object" | "EOF while parsing a list" => "it ends too early",
        "EOF while parsing a string" => "a string is not closed",
        "expected `:`" => "a colon is expected after a name",
        "expected `,` or `}`" => "a comma or a closing brace is expected here",
        "expected `,` or `]`" => "a comma or a closing bracket is expected here",
        "key must be a string" | "trailing comma" => "a name in double quotes is expected here",
        "expected value" | "expected ident" => "a value is expected here",
        "invalid number" => "a number is not well written",
        "trailing characters" => "text follows the closing brace",
        "control character (\\u0000-\\u001F) found while parsing a string" => {
            "a string has a control character; write `\\n` for a newline"
        }
        "invalid escape" if !is_at_unicode_escape(error, raw) => "a string has an escape that JSON does not know",
        "invalid escape" | "lone leading surrogate in hex escape" | "unexpected end of hex escape" => {
            "a string has a bad `\\u` escape"
        }
        _ => "it is not valid JSON",
    }
}

/// Whether the last backslash before the place of an error is followed by `u`.
fn is_at_unicode_escape(error: &serde_json::Error, raw: &str) -> bool {
    let line = raw.lines().nth(error.line().saturating_sub(1)).unwrap_or_default().as_bytes();
    let before = part(line, 0..error.column());
    memchr::memrchr(b'\\', before).is_some_and(|at| line.get(at + 1) == Some(&b'u'))
}

/// No variable can hold a NUL.
fn without_nul(text: &str) -> Result<&str, Fault> {
    if text.contains('\0') { Err("a string has a NUL character") } else { Ok(text) }
}

fn joined(key: &str, name: &str) -> String {
    let name = name.to_uppercase();
    if key.is_empty() { name } else { format!("{key}_{name}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(text: &[u8]) -> (Vec<(String, String)>, Vec<Problem>) {
        let text = SourceText::new(text).unwrap();
        assert!(is_json(text));
        let mut problems = Problems::default();
        let entries = read(text, &mut problems);
        let value = |entry: &EnvEntry| String::from_utf8_lossy(entry.value.reveal()).into_owned();
        (entries.iter().map(|entry| (entry.key.clone(), value(entry))).collect(), problems.into_list())
    }

    fn variables(text: &str) -> Vec<(String, String)> {
        let (entries, problems) = read_all(text.as_bytes());
        assert_eq!(problems, []);
        entries
    }

    fn fault(text: &str) -> String {
        let (_, problems) = read_all(text.as_bytes());
        format!("{}: {}", problems[0].line, problems[0].message)
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn nested_keys_are_joined_and_upper_cased_and_null_is_left_out() {
        let text = r#"
            {"top": {"middle": {"bottom": "value"}, "other": ["zero", 1.50, true, null]}, "last": 42, "none": {}}
        "#;

        assert_eq!(
            variables(text),
            pairs(&[
                ("TOP_MIDDLE_BOTTOM", "value"),
                ("TOP_OTHER_0", "zero"),
                ("TOP_OTHER_1", "1.50"),
                ("TOP_OTHER_2", "true"),
                ("LAST", "42"),
            ])
        );
    }

    #[test]
    fn escapes_are_read_and_nothing_is_expanded() {
        let text = r#"{"a": "\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00 ${A} $B"}"#;

        assert_eq!(variables(text), pairs(&[("A", "\"\\/\u{8}\u{c}\n\r\té😀 ${A} $B")]));
    }

    #[test]
    fn bad_json_is_an_error_with_its_line() {
        for (text, expected) in [
            ("{\n\"a\": 1,\n}", "3: the JSON cannot be read: a name in double quotes is expected here"),
            ("{\"a\" 1}", "1: the JSON cannot be read: a colon is expected after a name"),
            ("{\"a\": \"x", "1: the JSON cannot be read: a string is not closed"),
            ("{\"a\": [1", "1: the JSON cannot be read: it ends too early"),
            ("{\"a\": tru}", "1: the JSON cannot be read: a value is expected here"),
            ("{\"a\": 1.}", "1: the JSON cannot be read: a number is not well written"),
            ("{\"a\": \"\\ud800x\"}", "1: the JSON cannot be read: a string has a bad `\\u` escape"),
            ("{\"a\": \"\\u0000\"}", "1: the JSON cannot be read: a string has a NUL character"),
            ("{}\nA=1", "2: the JSON cannot be read: text follows the closing brace"),
        ] {
            assert_eq!(fault(text), expected, "{text}");
        }
    }

    #[test]
    fn a_name_that_no_variable_can_have_is_a_defect() {
        let (entries, problems) = read_all(b"{\"a b\": 1, \"c\": 2}");

        assert_eq!(entries, pairs(&[("C", "2")]));
        assert_eq!(problems[0].severity, Severity::Defect);
    }

    #[test]
    fn deep_nesting_is_refused_before_the_stack_overflows() {
        for text in ["{\"a\":".repeat(1_000_000), format!("{{\n\"a\":{}1", "[".repeat(1_000_000))] {
            assert_eq!(
                fault(&text),
                format!("{}: the JSON cannot be read: it is nested too deeply", text.lines().count())
            );
        }
        assert_eq!(variables(&format!("{{\"a\": \"\\\"{}\"}}", "[".repeat(100)))[0].0, "A");
        let most = format!("{}1{}", "{\"a\":".repeat(MAX_DEPTH), "}".repeat(MAX_DEPTH));
        assert_eq!(variables(&most).len(), 1);
    }

    #[test]
    fn faults_below_the_top_level_have_their_line() {
        for (text, expected) in [
            ("{\"a\": {\n\"b\": [\n\"\\udc00\"]}}", "3: the JSON cannot be read: a string has a bad `\\u` escape"),
            ("{\"a\": {\n\"\\u0000\": 1}}", "1: the JSON cannot be read: a string has a NUL character"),
            ("{\"a\": {\n\"b\": 1,\n}}", "3: the JSON cannot be read: a name in double quotes is expected here"),
            ("{\"a\": [\n1,\n]}", "3: the JSON cannot be read: a value is expected here"),
        ] {
            assert_eq!(fault(text), expected, "{text}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_refused_with_their_line() {
        let (_, problems) = read_all(b"{\"a\": 1,\n\"b\": \"\xFF\"}");

        assert_eq!(problems[0].message, "the JSON cannot be read: it has a byte that is not UTF-8");
        assert_eq!(problems[0].line, 2);
    }

    #[test]
    fn spans_cover_the_values() {
        let text = "\u{feff} {\"a\": \"b\",\n \"c\": [10]}";
        let read = read(SourceText::new(text.as_bytes()).unwrap(), &mut Problems::default());

        let shown: Vec<(usize, &str)> = read.iter().map(|entry| (entry.line, &text[entry.span.clone()])).collect();
        assert_eq!(shown, [(1, "\"b\""), (2, "10")]);
    }

    #[test]
    fn long_names_round_many_values_end_in_an_error() {
        let text = format!("{{\"{}\": [{}1]}}", "k".repeat(1 << 20), "1,\n".repeat(1_000));

        let long = "all names and values up to here have more than 16 MiB together";
        assert_eq!(fault(&text), format!("16: the JSON cannot be read: {long}"));
    }

    proptest! {
        #[test]
        fn any_text_of_json_characters_is_read_or_refused(text in "\\{[a\"\\\\:,\\[\\]{}0-9.eEu \n-]{0,60}") {
            read_all(text.as_bytes());
        }
    }
}
