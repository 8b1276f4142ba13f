//! Reads a `.env` file: variables in the order of the file, and a problem for every line that is none (S2).
//!
//! Pure: bytes in, values out. Which files are read is decided in `commands`; which value wins, in `layers`.
//! No message ever holds a value or the text of a line: it may be a password.

use std::collections::HashMap;

use super::env_entry::EnvEntry;
use super::env_json;
use super::env_line::{EnvLine, begins_assignment, classify};
use super::env_message::doubtful;
use super::env_value::{UnreadValue, read_value};
use super::environment_limits::MAX_VALUES_BYTES;
use super::problem::{Problem, Problems, Severity};
use super::source_text::{SourceLine, SourceText, after_line, part};
use super::{Environment, Secret};

/// A `.env` file that can be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvFile {
    entries: Vec<EnvEntry>,
    last: HashMap<String, usize>,
    problems: Vec<Problem>,
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
    /// [`MAX_FILE_BYTES`](super::MAX_FILE_BYTES), carriage returns as line ends, a quote that is not closed, a variable that
    /// is too long, bad JSON.
    pub fn parse(bytes: &[u8], scope: &EnvScope<'_>) -> Result<Self, Vec<Problem>> {
        let text = SourceText::new(bytes).map_err(|problem| vec![problem])?;
        let mut reading = Reading { file: Self::default(), problems: Problems::default(), scope, bytes: 0 };
        if env_json::is_json(text) {
            let values = env_json::read(text, &mut reading.problems);
            for entry in values {
                reading.file.add(entry);
            }
        } else {
            text.check_line_ends(begins_assignment)?;
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

/// A file as far as it is read.
struct Reading<'a> {
    file: EnvFile,
    problems: Problems,
    scope: &'a EnvScope<'a>,
    /// Bytes of all keys and values so far.
    bytes: usize,
}

impl Reading<'_> {
    fn lines(&mut self, text: SourceText<'_>) {
        let mut at = text.begin();
        let mut number = 1;
        while let Some(line) = text.line_at(at, number) {
            let next = self.line(text, &line);
            if self.bytes > MAX_VALUES_BYTES {
                let message = "all values up to here have more than 16 MiB together";
                let hint = "write long values into files and their paths into the variables";
                self.problems.push(Problem::new(Severity::Error, line.number, message, hint));
                return;
            }
            number += memchr::memchr_iter(b'\n', part(text.bytes(), at..next)).count();
            at = next;
        }
    }

    /// Reads what begins on this line; where the line after it begins.
    fn line(&mut self, text: SourceText<'_>, line: &SourceLine<'_>) -> usize {
        let next = after_line(text.bytes(), line.span.start);
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
                for doubt in &read.doubts {
                    self.problems.push(doubtful(line.number, key, doubt));
                }
                let own = part(text.bytes(), line.span.start..read.next);
                let own = own.strip_suffix(b"\n").unwrap_or(own);
                let own = own.strip_suffix(b"\r").unwrap_or(own);
                self.bytes += key.len() + read.value.len();
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
                let below = match lines {
                    0 | 1 => None,
                    2 => Some("a line".to_owned()),
                    more => Some(format!("{} lines", more - 1)),
                };
                let (message, hint) = match below {
                    Some(below) => {
                        (format!("is closed {below} below, and text follows there"), "close it on its own line")
                    }
                    None => ("is followed by text".to_owned(), "put all of the value into quotes, or none of it"),
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

    fn find(&self, name: &[u8]) -> Option<Vec<u8>> {
        let key = std::str::from_utf8(name).ok()?;
        let own = self.file.get(key);
        let in_files = || own.or_else(|| self.scope.earlier.iter().rev().find_map(|file| file.get(key)));
        let in_files = || in_files().map(|entry| entry.value.reveal().to_vec());
        let inherited = || self.scope.inherited.get(name).map(|value| value.reveal().to_vec());
        if self.scope.inherited_first { inherited().or_else(in_files) } else { in_files().or_else(inherited) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<EnvFile, Vec<Problem>> {
        let inherited = Environment::default();
        EnvFile::parse(text.as_bytes(), &EnvScope { earlier: &[], inherited: &inherited, inherited_first: false })
    }

    fn told(problems: &[Problem]) -> Vec<String> {
        problems.iter().map(|problem| format!("{}: {}", problem.line, problem.message)).collect()
    }

    #[test]
    fn entries_have_their_lines_and_spans() {
        let text = "\u{feff}# c\nA='1\n2' # x\r\n\n export B = 3\nA=4";

        let file = parse(text).unwrap();

        let shown: Vec<_> = file.entries().iter().map(|entry| (entry.line, &text[entry.span.clone()])).collect();
        assert_eq!(shown, [(2, "A='1\n2' # x"), (5, " export B = 3"), (6, "A=4")]);
        assert_eq!(file.get("A").unwrap().value.reveal(), b"4");
    }

    #[test]
    fn all_errors_and_warnings_come_at_once_and_name_line_and_key() {
        let problems = parse("hunter2\nA='x' y\nB=\"never closed\nC=${NO}\nK:\n").unwrap_err();

        assert_eq!(
            told(&problems),
            [
                "1: the line is no assignment",
                "2: the quote of `A` is followed by text",
                "3: the quote of `B` is not closed before the end of the file",
                "4: `C` refers to the unset variable `NO`, treated as empty",
                "5: nothing follows the colon",
            ]
        );
        assert_eq!(problems[2].key.as_deref(), Some("B"));
    }

    #[test]
    fn a_quote_that_swallowed_other_lines_says_so() {
        let file = parse("A=\"x\nB=1\nC=\"y\"\nD=2\n").unwrap();

        assert_eq!(told(file.problems()), ["1: the quote of `A` is closed 2 lines below, and text follows there"]);
        assert_eq!(file.entries().len(), 1);
    }

    #[test]
    fn references_look_at_earlier_keys_then_earlier_files_then_the_environment() {
        let first = parse("A=file\nB=file\n").unwrap();
        let mut inherited = Environment::default();
        for key in ["A", "B", "C"] {
            inherited.set(key, "shell");
        }
        let read = |inherited_first| {
            let earlier = [first.clone()];
            let scope = EnvScope { earlier: &earlier, inherited: &inherited, inherited_first };
            let file = EnvFile::parse(b"A=own\nK=${A} ${B} ${C}\n", &scope).unwrap();
            String::from_utf8(file.get("K").unwrap().value.reveal().to_vec()).unwrap()
        };

        assert_eq!(read(false), "own file shell");
        assert_eq!(read(true), "shell shell shell");
    }

    #[test]
    fn lines_that_double_each_other_end_in_an_error_not_in_all_of_the_memory() {
        let doubling: Vec<String> = (1..60).map(|n| format!("A{n}=${{A{}}}${{A{}}}\n", n - 1, n - 1)).collect();

        let problems = parse(&format!("A0=xxxxxxxxxx\n{}", doubling.concat())).unwrap_err();

        assert_eq!(problems[0].message, "`A14` is longer than 128 KiB, the most a variable can have");
    }

    #[test]
    fn lines_that_repeat_a_long_value_end_in_an_error_too() {
        let repeats: Vec<String> = (1..=4_000).map(|n| format!("K{n}=${{K0}}\n")).collect();

        let problems = parse(&format!("K0={}\n{}", "x".repeat(120_000), repeats.concat())).unwrap_err();

        assert_eq!(told(&problems), ["140: all values up to here have more than 16 MiB together"]);
        assert!(parse(&repeats[..100].concat()).is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let inherited = Environment::default();
            let _ = EnvFile::parse(&bytes, &EnvScope { earlier: &[], inherited: &inherited, inherited_first: false });
        }

        #[test]
        fn every_line_is_an_entry_a_comment_or_a_problem(text in "([ \t]{0,2}(export )?[A-Za-z.<-]{0,6}[ =:#]{0,3}[a-z0-9 =#]{0,8}\r?\n){0,8}") {
            let file = parse(&text).unwrap();

            for (index, line) in text.lines().enumerate() {
                let ignored = line.trim().is_empty() || line.trim().starts_with('#');
                let read = file.entries().iter().any(|entry| entry.line == index + 1);
                let told = file.problems().iter().any(|problem| problem.line == index + 1);
                prop_assert!(ignored || read || told, "{:?} is passed over", line);
            }
        }

        #[test]
        fn no_message_shows_a_value_or_a_line(text in "(K|export K|K:|'|\"|)[=: ]?['\"`]?(\\$\\{NAME:-|\\$\\{-)?SECRET[}'\"`\r #]{0,3}(SECRET)?\n?") {
            let problems = parse(&text).map_or_else(|problems| problems, |file| file.problems);

            for problem in problems {
                prop_assert!(!format!("{problem:?}").contains("SECRET"), "{problem:?}");
            }
        }

        #[test]
        fn an_entry_written_out_is_read_as_the_same(key in "[A-Za-z_0-9.-]{1,12}", value in proptest::collection::vec(1_u8.., 0..60)) {
            let entry = EnvEntry { key, value: Secret::new(value), line: 1, span: 0..0 };
            let inherited = Environment::default();
            let scope = EnvScope { earlier: &[], inherited: &inherited, inherited_first: false };

            let read = EnvFile::parse(&entry.write_entry(), &scope).unwrap();

            prop_assert_eq!(read.entries().len(), 1);
            prop_assert_eq!((&read.entries()[0].key, &read.entries()[0].value), (&entry.key, &entry.value));
        }
    }
}
