//! Reads a `.env` file that is JSON, as heroku local does (S2.7).
//!
//! Nested keys are joined by `_` and upper-cased, items of a list are numbered, `null` is left out. No message holds
//! a value.

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

/// The variables in the order of the file. Problems, an error for text that is no JSON, are added to `problems`.
pub(crate) fn read(text: SourceText<'_>, problems: &mut Problems) -> Vec<EnvEntry> {
    let mut json = Json { text: text.bytes(), at: text.begin(), line: 1, entries: Vec::new(), bytes: 0, problems };
    let read = json.value("", 0).and_then(|()| match json.peek() {
        None => Ok(()),
        Some(_) => Err("text follows the closing brace"),
    });
    let Json { line, entries, .. } = json;
    if let Err(message) = read {
        let hint = "mend the JSON, or write one `KEY=value` a line";
        problems.push(Problem::new(Severity::Error, line, format!("the JSON cannot be read: {message}"), hint));
    }
    entries
}

/// What is wrong with the JSON. Never a part of its text.
type Fault = &'static str;

struct Json<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
    entries: Vec<EnvEntry>,
    /// Bytes of all names and values so far.
    bytes: usize,
    problems: &'a mut Problems,
}

impl Json<'_> {
    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.text.get(self.at) {
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                _ => return Some(*byte),
            }
            self.at += 1;
        }
        None
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// Reads a value and adds the variables it makes, named `key` or below it.
    fn value(&mut self, key: &str, depth: usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err("it is nested too deeply");
        }
        let first = self.peek();
        let begin = self.at;
        match first {
            Some(b'{') => self.object(key, depth),
            Some(b'[') => self.list(key, depth),
            Some(b'"') => {
                self.at += 1;
                let value = self.string()?;
                self.add(key, value, begin)
            }
            Some(b't') => self.word(b"true").and_then(|()| self.add(key, b"true".to_vec(), begin)),
            Some(b'f') => self.word(b"false").and_then(|()| self.add(key, b"false".to_vec(), begin)),
            Some(b'n') => self.word(b"null"),
            Some(b'-' | b'0'..=b'9') => {
                let number = self.number()?;
                self.add(key, number, begin)
            }
            Some(_) => Err("a value is expected here"),
            None => Err("it ends too early"),
        }
    }

    fn object(&mut self, key: &str, depth: usize) -> Result<(), Fault> {
        self.at += 1;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.next() != Some(b'"') {
                return Err("a name in double quotes is expected here");
            }
            let name = self.string()?;
            if self.next() != Some(b':') {
                return Err("a colon is expected after a name");
            }
            self.value(&joined(key, &String::from_utf8_lossy(&name)), depth + 1)?;
            match self.next() {
                Some(b',') => {}
                Some(b'}') => return Ok(()),
                Some(_) => return Err("a comma or a closing brace is expected here"),
                None => return Err("it ends too early"),
            }
        }
    }

    fn list(&mut self, key: &str, depth: usize) -> Result<(), Fault> {
        self.at += 1;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        for index in 0_usize.. {
            self.value(&joined(key, &index.to_string()), depth + 1)?;
            match self.next() {
                Some(b',') => {}
                Some(b']') => break,
                Some(_) => return Err("a comma or a closing bracket is expected here"),
                None => return Err("it ends too early"),
            }
        }
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Fault> {
        if !part(self.text, self.at..self.text.len()).starts_with(word) {
            return Err("a value is expected here");
        }
        self.at += word.len();
        Ok(())
    }

    /// The digits of a number as they are written: nothing is rounded.
    fn number(&mut self) -> Result<Vec<u8>, Fault> {
        let rest = part(self.text, self.at..self.text.len());
        let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
        let number: Vec<u8> = rest.iter().copied().take_while(is_part).collect();
        let is_number = std::str::from_utf8(&number).is_ok_and(|number| number.parse::<f64>().is_ok());
        if !is_number || number.ends_with(b".") {
            return Err("a number is not well written");
        }
        self.at += number.len();
        Ok(number)
    }

    /// The rest of a string, after its opening quote.
    fn string(&mut self) -> Result<Vec<u8>, Fault> {
        let mut value = Vec::new();
        loop {
            let byte = *self.text.get(self.at).ok_or("a string is not closed")?;
            self.at += 1;
            match byte {
                b'"' => return Ok(value),
                b'\\' => {
                    let character = self.escape()?;
                    value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                0..=0x1F => return Err("a string has a control character; write `\\n` for a newline"),
                _ => value.push(byte),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let byte = self.text.get(self.at).ok_or("a string is not closed")?;
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' => Ok(char::from(*byte)),
            b'b' => Ok('\u{8}'),
            b'f' => Ok('\u{C}'),
            b'n' => Ok('\n'),
            b'r' => Ok('\r'),
            b't' => Ok('\t'),
            b'u' => self.unicode(),
            _ => Err("a string has an escape that JSON does not know"),
        }
    }

    /// The character after `\u`, two of them where it is a surrogate.
    fn unicode(&mut self) -> Result<char, Fault> {
        const FAULT: Fault = "a string has a bad `\\u` escape";
        let mut units = vec![self.hexadecimal().ok_or(FAULT)?];
        if matches!(units.first(), Some(0xD800..=0xDBFF)) {
            if part(self.text, self.at..self.at + 2) != b"\\u" {
                return Err(FAULT);
            }
            self.at += 2;
            units.push(self.hexadecimal().ok_or(FAULT)?);
        }
        match char::decode_utf16(units).next() {
            // No variable can hold it.
            Some(Ok('\0')) => Err("a string has a NUL character"),
            Some(Ok(character)) => Ok(character),
            Some(Err(_)) | None => Err(FAULT),
        }
    }

    fn hexadecimal(&mut self) -> Option<u16> {
        let digits = part(self.text, self.at..self.at + 4);
        self.at += digits.len();
        let all_digits = digits.len() == 4 && digits.iter().all(u8::is_ascii_hexdigit);
        std::str::from_utf8(digits).ok().filter(|_| all_digits).and_then(|digits| u16::from_str_radix(digits, 16).ok())
    }

    fn add(&mut self, key: &str, value: Vec<u8>, begin: usize) -> Result<(), Fault> {
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
            let value = Secret::new(value);
            self.entries.push(EnvEntry { key: key.to_owned(), value, line: self.line, span: begin..self.at });
        }
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
    fn nesting_without_end_is_refused_before_it_ends_the_stack() {
        let text = "{\"a\":".repeat(1_000_000);

        assert_eq!(fault(&text), "1: the JSON cannot be read: it is nested too deeply");
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
