//! Reads a `.env` file: variables in the order of the file, and a problem for every line that is none (S2).
//!
//! Pure: bytes in, values out. Which files are read is decided in `commands`; which value wins, in `layers`.
//! No message ever holds a value or the text of a line: it may be a password.

use std::collections::HashMap;
use std::ops::Range;

use super::env_json;
use super::env_value::{ReadValue, UnreadValue, read_value};
use super::problem::{Problem, Problems, Severity};
use super::source_text::{SourceLine, SourceText, is_blank, part, trim_end, trim_start};
use super::{Environment, Secret};

/// A `.env` file that can be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvFile {
    entries: Vec<EnvEntry>,
    last: HashMap<String, usize>,
    problems: Vec<Problem>,
}

/// One variable of a `.env` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvEntry {
    /// Its name: `[A-Za-z_0-9.-]+` (S2.2).
    pub key: String,
    /// Its value, quotes, escapes and references read.
    pub value: Secret,
    /// 1-based line it begins on.
    pub line: usize,
    /// The bytes of its lines in the file, from the start of the first to before the last line end: what a strict
    /// reader is given (S2.8).
    pub span: Range<usize>,
}

/// What `${NAME}` can refer to besides the earlier keys of the same file (S2.5).
#[derive(Debug, Clone, Copy)]
pub struct EnvScope<'a> {
    /// The files before this one; later ones win.
    pub earlier: &'a [EnvFile],
    /// The environment `dyno` was started with.
    pub inherited: &'a Environment,
    /// Whether the inherited environment wins, as with `--prefer-shell`.
    pub inherited_first: bool,
}

impl EnvFile {
    /// Reads a `.env` file, or a JSON file if its first character is `{` (S2.7).
    ///
    /// # Errors
    /// All its problems, the warnings too, if one of them is an error: a NUL byte, more than
    /// [`MAX_FILE_BYTES`](super::MAX_FILE_BYTES), a quote that is not closed, a variable that is too long, bad JSON.
    pub fn parse(bytes: &[u8], scope: &EnvScope<'_>) -> Result<Self, Vec<Problem>> {
        let text = SourceText::new(bytes).map_err(|problem| vec![problem])?;
        let mut reading = Reading { file: Self::default(), problems: Problems::default(), scope };
        if env_json::is_json(text) {
            let values = env_json::read(text, &mut reading.problems);
            for entry in values {
                reading.file.add(entry);
            }
        } else {
            reading.lines(text);
        }
        if reading.problems.has_error() {
            return Err(reading.problems.into_list());
        }
        Ok(Self { problems: reading.problems.into_list(), ..reading.file })
    }

    /// The entries in the order of the file; of several with one key the last counts.
    #[must_use]
    pub fn entries(&self) -> &[EnvEntry] {
        &self.entries
    }

    /// What is odd about the file: warnings and defects, no errors.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The entry of a variable that counts.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&EnvEntry> {
        self.last.get(key).and_then(|place| self.entries.get(*place))
    }

    fn add(&mut self, entry: EnvEntry) {
        self.last.insert(entry.key.clone(), self.entries.len());
        self.entries.push(entry);
    }
}

impl EnvEntry {
    /// The entry as a line of a `.env` file, with its newline. Read again, it is the same key and value; for any
    /// value without a NUL byte.
    #[must_use]
    pub fn write_entry(&self) -> Vec<u8> {
        let mut line = format!("{}=", self.key).into_bytes();
        let value = self.value.reveal();
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./:,@%+=".contains(byte);
        if value.iter().all(plain) {
            line.extend_from_slice(value);
        } else if !value.iter().any(|byte| matches!(byte, b'\'' | b'\r' | b'\n')) {
            line.push(b'\'');
            line.extend_from_slice(value);
            line.push(b'\'');
        } else {
            write_double_quoted(value, &mut line);
        }
        line.push(b'\n');
        line
    }
}

fn write_double_quoted(value: &[u8], line: &mut Vec<u8>) {
    line.push(b'"');
    for byte in value {
        match byte {
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'"' | b'\\' | b'$' => line.extend_from_slice(&[b'\\', *byte]),
            _ => line.push(*byte),
        }
    }
    line.push(b'"');
}

/// Whether a text is the name of a variable (S2.2).
#[must_use]
pub fn is_env_key(key: &[u8]) -> bool {
    !key.is_empty() && key.iter().all(|byte| is_key_byte(*byte))
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

/// What a line is, before its value is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EnvLine<'a> {
    /// Blank or a comment.
    Nothing,
    /// `KEY=`, or `KEY: `; `value`: offset in the line of the first byte that is not a blank.
    Assignment {
        key: &'a [u8],
        value: usize,
    },
    /// `export KEY`.
    ExportAlone,
    /// `KEY:` and no value: the start of a YAML block.
    ColonAlone,
    ConflictMarker,
    /// `=`, but what stands before it is no name.
    BadKey,
    Other,
}

fn classify(text: &[u8]) -> EnvLine<'_> {
    let body = trim_start(text);
    if trim_end(body).is_empty() || body.starts_with(b"#") {
        return EnvLine::Nothing;
    }
    let exported = body.strip_prefix(b"export").filter(|rest| rest.first().is_some_and(|byte| is_blank(*byte)));
    let exported = exported.map(trim_start).filter(|rest| rest.first().is_some_and(|byte| is_key_byte(*byte)));
    let assignment = exported.unwrap_or(body);
    let key_length = assignment.iter().take_while(|byte| is_key_byte(**byte)).count();
    let key = part(assignment, 0..key_length);
    let after = part(assignment, key_length..assignment.len());
    let separator = trim_start(after);
    let value = match separator.split_first() {
        Some((b'=', value)) if !key.is_empty() => Some(value),
        // Without the blank it is an address or a time, not `KEY: value`.
        Some((b':', value)) if !key.is_empty() && after.len() == separator.len() => {
            if trim_end(value).is_empty() {
                return EnvLine::ColonAlone;
            }
            value.first().is_some_and(|byte| is_blank(*byte)).then_some(value)
        }
        _ => None,
    };
    if let Some(value) = value {
        return EnvLine::Assignment { key, value: text.len() - trim_start(value).len() };
    }
    if [b"<<<<<<<", b">>>>>>>", b"=======", b"|||||||"].iter().any(|marker| body.starts_with(*marker)) {
        EnvLine::ConflictMarker
    } else if exported.is_some() && trim_end(separator).is_empty() {
        EnvLine::ExportAlone
    } else if body.contains(&b'=') {
        EnvLine::BadKey
    } else {
        EnvLine::Other
    }
}

/// A file as far as it is read.
struct Reading<'a> {
    file: EnvFile,
    problems: Problems,
    scope: &'a EnvScope<'a>,
}

impl Reading<'_> {
    fn lines(&mut self, text: SourceText<'_>) {
        let mut at = text.begin();
        let mut number = 1;
        while let Some(line) = text.line_at(at, number) {
            let next = self.line(text, &line);
            number += memchr::memchr_iter(b'\n', part(text.bytes(), at..next)).count();
            at = next;
        }
    }

    /// Reads what begins on this line; where the line after it begins.
    fn line(&mut self, text: SourceText<'_>, line: &SourceLine<'_>) -> usize {
        let next = super::source_text::after_line(text.bytes(), line.span.start);
        match classify(line.text) {
            EnvLine::Nothing => next,
            EnvLine::Assignment { key, value } => {
                self.assignment(text, line, &String::from_utf8_lossy(key), line.span.start + value).unwrap_or(next)
            }
            EnvLine::ExportAlone => {
                self.ignored(line, "`export` without a value sets nothing", "write `KEY=value`; all are exported");
                next
            }
            EnvLine::ColonAlone => {
                self.ignored(line, "nothing follows the colon", "write `KEY=value`, or `KEY=` for an empty value");
                next
            }
            EnvLine::ConflictMarker => {
                self.ignored(line, "the line is the mark of a merge conflict", "keep one side and remove its marks");
                next
            }
            EnvLine::BadKey => {
                let hint = "a name has only A-Z a-z 0-9 _ . -; write `KEY=value`";
                self.ignored(line, "what stands before `=` is no name of a variable", hint);
                next
            }
            EnvLine::Other => {
                self.ignored(line, "the line is no assignment", "write `KEY=value`, or `#` before a comment");
                next
            }
        }
    }

    fn ignored(&mut self, line: &SourceLine<'_>, message: &str, hint: &str) {
        self.problems.push(Problem::new(Severity::Defect, line.number, message, hint));
    }

    /// Reads a value; where the line after it begins, if it is not simply the next one.
    fn assignment(&mut self, text: SourceText<'_>, line: &SourceLine<'_>, key: &str, at: usize) -> Option<usize> {
        let read = read_value(text.bytes(), at, &|name| self.find(name));
        match read {
            Ok(read) => {
                self.doubts(line, key, &read);
                let own = part(text.bytes(), line.span.start..read.next);
                let own = own.strip_suffix(b"\n").unwrap_or(own);
                let own = own.strip_suffix(b"\r").unwrap_or(own);
                self.file.add(EnvEntry {
                    key: key.to_owned(),
                    value: Secret::new(read.value),
                    line: line.number,
                    span: line.span.start..line.span.start + own.len(),
                });
                Some(read.next)
            }
            Err(UnreadValue::Unterminated) => {
                let hint = "close it, or put the value into the other kind of quotes";
                self.refuse(Severity::Error, line, key, "is not closed before the end of the file", hint);
                None
            }
            Err(UnreadValue::TextAfterQuote { next }) => {
                let lines = memchr::memchr_iter(b'\n', part(text.bytes(), line.span.start..next)).count();
                let (message, hint) = if lines > 1 {
                    (format!("is closed {} lines below, and text follows there", lines - 1), "close it on its own line")
                } else {
                    ("is followed by text".to_owned(), "put all of the value into quotes, or none of it")
                };
                self.refuse(Severity::Defect, line, key, &message, hint);
                Some(next)
            }
            Err(UnreadValue::TooLong { next }) => {
                let message = format!("`{key}` is longer than 128 KiB, the most a variable can have");
                let hint = "write the value into a file and its path into the variable";
                self.problems.push(Problem::new(Severity::Error, line.number, message, hint).about(key));
                Some(next)
            }
        }
    }

    fn refuse(&mut self, severity: Severity, line: &SourceLine<'_>, key: &str, what: &str, hint: &str) {
        let message = format!("the quote of `{key}` {what}");
        self.problems.push(Problem::new(severity, line.number, message, hint).about(key));
    }

    fn doubts(&mut self, line: &SourceLine<'_>, key: &str, read: &ReadValue) {
        // The name is not shown: in a password with `${` in it, it would be a part of the password.
        if read.has_unknown {
            let message = format!("`{key}` refers to a variable that is not set; it counts as empty");
            let hint = "write `${NAME:-default}`, or single quotes round the value to keep `${` as it is";
            self.problems.push(Problem::new(Severity::Warning, line.number, message, hint).about(key));
        }
        if read.has_other_form {
            let message = format!("`{key}` has a `${{` that is not `${{NAME}}` or `${{NAME:-default}}`; it is kept");
            let hint = "put single quotes round the value if that is meant";
            self.problems.push(Problem::new(Severity::Warning, line.number, message, hint).about(key));
        }
    }

    fn find(&self, name: &[u8]) -> Option<Vec<u8>> {
        let key = std::str::from_utf8(name).ok()?;
        let own = self.file.get(key);
        let in_files = || own.or_else(|| self.scope.earlier.iter().rev().find_map(|file| file.get(key)));
        let in_files = || in_files().map(|entry| entry.value.reveal().to_vec());
        let inherited = || self.scope.inherited.get(name).map(|value| value.reveal().to_vec());
        if self.scope.inherited_first { inherited().or_else(in_files) } else { in_files().or_else(inherited) }
    }
}
