//! Parses a `.env` file that is JSON, like `heroku local` (S2.7).
//!
//! Nested keys are joined by `_` and upper-cased, items of a list are numbered, `null` is left out. `serde_json` checks
//! the syntax; values are taken from the raw text, so that a number keeps its digits. Messages never contain a value.

use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::entry::EnvEntry;
use super::limits::{MAX_VALUES_BYTES, MAX_VARIABLE_BYTES};
use super::line::is_env_key;
use crate::app::text::json_fault::{JsonFault, fault, string};
use crate::app::text::problem::{Problem, Problems, Severity};
use crate::app::text::source::{SourceText, part};
use crate::model::Secret;

/// Deepest nesting that is accepted. Real configuration has up to three levels.
const MAX_DEPTH: usize = 64;

/// Whether the first character that is not a blank or a newline is `{`.
pub(crate) fn is_json(text: SourceText<'_>) -> bool {
    let text = part(text.bytes(), text.begin()..text.bytes().len());
    text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

/// The variables in the order of the file. Mistakes are added to `problems`; text that is not JSON is an error.
pub(crate) fn read(text: SourceText<'_>, problems: &mut Problems) -> Vec<EnvEntry> {
    let bytes = part(text.bytes(), text.begin()..text.bytes().len());
    let begin = text.begin();
    let mut json = Json { text: bytes, begin, at: 0, line: 1, entries: Vec::new(), bytes: 0, fault: None, problems };
    let read = match std::str::from_utf8(bytes) {
        Ok(text) => json.read(text),
        Err(error) => {
            json.advance(error.valid_up_to());
            Err("it has a byte that is not UTF-8")
        }
    };
    let Json { line, entries, .. } = json;
    if let Err(message) = read {
        let hint = "fix the JSON, or write one `KEY=value` per line";
        problems.push(Problem::new(Severity::Error, line, format!("the JSON cannot be read: {message}"), hint));
    }
    entries
}

struct Json<'p, 't> {
    text: &'t [u8],
    /// The offset of the text in the file.
    begin: usize,
    /// The offset in the text up to which it has been read, and the line of that offset.
    at: usize,
    line: usize,
    entries: Vec<EnvEntry>,
    /// Bytes of all keys and values so far.
    bytes: usize,
    /// Why reading stopped, if not because of the syntax.
    fault: Option<JsonFault>,
    problems: &'p mut Problems,
}

impl<'t> Json<'_, 't> {
    fn read(&mut self, text: &'t str) -> Result<(), JsonFault> {
        let json = text.trim_ascii_start();
        self.advance(text.len() - json.len());
        let first_line = self.line;
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let read = Nested { json: self, key: "", depth: 0 }.deserialize(&mut deserializer);
        read.and_then(|()| deserializer.end()).map_err(|error| {
            self.fault.unwrap_or_else(|| {
                self.line = first_line + error.line().saturating_sub(1);
                fault(&error, json)
            })
        })
    }

    /// Moves to the next value or closing bracket, and returns its first byte. `serde_json` checks what is skipped.
    fn next_byte(&mut self) -> Option<u8> {
        let rest = part(self.text, self.at..self.text.len());
        let skipped = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b':' | b',')).count();
        self.advance(self.at + skipped);
        rest.get(skipped).copied()
    }

    /// Moves to the end of a key or value.
    fn pass(&mut self, part: &RawValue) {
        self.advance(part.get().as_ptr().addr() - self.text.as_ptr().addr() + part.get().len());
    }

    /// Moves past a bracket.
    fn pass_bracket(&mut self) {
        self.next_byte();
        self.advance(self.at + 1);
    }

    /// Moves to a later offset.
    fn advance(&mut self, at: usize) {
        self.line += memchr::memchr_iter(b'\n', part(self.text, self.at..at)).count();
        self.at = at;
    }

    /// Stops for a reason other than the syntax.
    fn stop<E: de::Error>(&mut self, fault: JsonFault) -> E {
        self.fault = Some(fault);
        E::custom(fault)
    }

    /// Adds the variable of a value without members or items, which has just been passed.
    fn add(&mut self, key: &str, raw: &str) -> Result<(), JsonFault> {
        if raw == "null" {
            return Ok(());
        }
        let string = if raw.starts_with('"') { Some(string(raw)?) } else { None };
        let value = string.as_deref().unwrap_or(raw);
        // Each key contains the keys of the levels above it, so a short file can lead to very long ones.
        self.bytes += key.len() + value.len();
        if self.bytes > MAX_VALUES_BYTES {
            return Err("the names and values up to this line exceed 16 MiB in total");
        }
        let problem = |severity, message: String, hint| Problem::new(severity, self.line, message, hint);
        if !is_env_key(key.as_bytes()) {
            let message = "a JSON key is not a valid variable name".to_owned();
            self.problems.push(problem(Severity::Defect, message, "use only A-Z a-z 0-9 _ . - in keys"));
        } else if value.len() > MAX_VARIABLE_BYTES {
            let message = format!("`{key}` is longer than 128 KiB, the limit for a variable");
            let hint = "write the value to a file and set the variable to its path";
            self.problems.push(problem(Severity::Error, message, hint).about(key));
        } else {
            let end = self.begin + self.at;
            let (value, span) = (Secret::new(value), end - raw.len()..end);
            self.entries.push(EnvEntry { key: key.to_owned(), value, line: self.line, written: span.clone(), span });
        }
        Ok(())
    }
}

/// The next value of `json`: reads it with everything in it, and adds its variables. They are named `key`, or after it.
struct Nested<'j, 'p, 't> {
    json: &'j mut Json<'p, 't>,
    key: &'j str,
    depth: usize,
}

impl<'p, 't> Nested<'_, 'p, 't> {
    fn inner<'i>(&'i mut self, key: &'i str) -> Nested<'i, 'p, 't> {
        Nested { json: self.json, key, depth: self.depth + 1 }
    }
}

impl<'t> DeserializeSeed<'t> for Nested<'_, '_, 't> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.json.next_byte() {
            Some(b'{' | b'[') if self.depth >= MAX_DEPTH => Err(self.json.stop("it is nested too deeply")),
            Some(b'{') => deserializer.deserialize_map(self),
            Some(b'[') => deserializer.deserialize_seq(self),
            Some(_) | None => {
                let raw = <&RawValue>::deserialize(deserializer)?;
                self.json.pass(raw);
                self.json.add(self.key, raw.get()).map_err(|fault| self.json.stop(fault))
            }
        }
    }
}

impl<'t> Visitor<'t> for Nested<'_, '_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'t>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.json.pass_bracket();
        while let Some(raw) = map.next_key::<&RawValue>()? {
            self.json.pass(raw);
            let name = string(raw.get()).map_err(|fault| self.json.stop(fault))?;
            let key = joined(self.key, &name);
            map.next_value_seed(self.inner(&key))?;
        }
        self.json.pass_bracket();
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'t>>(mut self, mut list: A) -> Result<(), A::Error> {
        self.json.pass_bracket();
        for index in 0_usize.. {
            let key = joined(self.key, &index.to_string());
            if list.next_element_seed(self.inner(&key))?.is_none() {
                break;
            }
        }
        self.json.pass_bracket();
        Ok(())
    }
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
    fn json_escapes_are_read_and_references_are_not_expanded() {
        let text = r#"{"a": "\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00 ${A} $B"}"#;

        assert_eq!(variables(text), pairs(&[("A", "\"\\/\u{8}\u{c}\n\r\té😀 ${A} $B")]));
    }

    #[test]
    fn bad_json_is_an_error_with_its_line() {
        for (text, expected) in [
            ("{\n\"a\": 1,\n}", "3: the JSON cannot be read: expected a key in double quotes"),
            ("{\"a\" 1}", "1: the JSON cannot be read: expected a colon after the key"),
            ("{\"a\": \"x", "1: the JSON cannot be read: a string is not closed"),
            ("{\"a\": [1", "1: the JSON cannot be read: it ends unexpectedly"),
            ("{\"a\": tru}", "1: the JSON cannot be read: expected a value"),
            ("{\"a\": 1.}", "1: the JSON cannot be read: invalid number"),
            ("{\"a\": \"\\ud800x\"}", "1: the JSON cannot be read: a string has a bad `\\u` escape"),
            ("{\"a\": \"\\u0000\"}", "1: the JSON cannot be read: a string has a NUL character"),
            ("{}\nA=1", "2: the JSON cannot be read: text follows the closing brace"),
        ] {
            assert_eq!(fault(text), expected, "{text}");
        }
    }

    #[test]
    fn a_key_that_is_not_a_valid_variable_name_is_a_defect() {
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
    fn faults_below_the_top_level_have_the_right_line() {
        for (text, expected) in [
            ("{\"a\": {\n\"b\": [\n\"\\udc00\"]}}", "3: the JSON cannot be read: a string has a bad `\\u` escape"),
            ("{\"a\": {\n\"\\u0000\": 1}}", "2: the JSON cannot be read: a string has a NUL character"),
            ("{\"a\": {\n\"b\": 1,\n}}", "3: the JSON cannot be read: expected a key in double quotes"),
            ("{\"a\": [\n1,\n]}", "3: the JSON cannot be read: expected a value"),
        ] {
            assert_eq!(fault(text), expected, "{text}");
        }
    }

    #[test]
    fn a_byte_that_is_not_utf_8_is_an_error_with_its_line() {
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
    fn long_keys_around_many_values_are_rejected() {
        let text = format!("{{\"{}\": [{}1]}}", "k".repeat(1 << 20), "1,\n".repeat(1_000));

        let long = "the names and values up to this line exceed 16 MiB in total";
        assert_eq!(fault(&text), format!("16: the JSON cannot be read: {long}"));
    }

    proptest! {
        #[test]
        fn parsing_any_json_characters_never_panics(text in "\\{[a\"\\\\:,\\[\\]{}0-9.eEu \n-]{0,60}") {
            read_all(text.as_bytes());
        }
    }
}
