//! Parses a `.env` file into entries, and a problem for every line that is not an entry (S2).
//!
//! Pure: bytes in, values out. `commands` decides which files are read, `layers` which value wins.
//! Messages never contain a value or the text of a line, because it may be a password.

use std::collections::HashMap;

use super::entry::EnvEntry;
use super::json;
use super::limits::MAX_VALUES_BYTES;
use super::line::{EnvLine, begins_assignment, classify};
use super::message::doubtful_value;
use super::value::{InvalidEnvValue, read_value};
use crate::app::text::problem::{Problem, Problems, Severity};
use crate::app::text::source::{SourceLine, SourceText, after_line, part};
use crate::model::{Environment, Secret};

/// A `.env` file without errors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvFile {
    entries: Vec<EnvEntry>,
    last: HashMap<String, usize>,
    problems: Vec<Problem>,
}

/// Where `${NAME}` is looked up besides the earlier keys of the same file (S2.5).
#[derive(Debug, Clone, Copy)]
pub struct EnvScope<'a> {
    /// The files before this one; later ones win.
    pub earlier: &'a [EnvFile],
    /// The environment `dyno` was started with.
    pub inherited: &'a Environment,
    /// Whether the inherited environment wins over the files, as with `--prefer-shell`.
    pub inherited_first: bool,
}

impl EnvFile {
    /// Parses a `.env` file, or JSON if its first character is `{` (S2.7).
    ///
    /// # Errors
    /// All problems of the file, warnings included, if at least one is an error: a NUL byte, more than
    /// [`MAX_FILE_BYTES`](crate::app::MAX_FILE_BYTES), carriage returns as line endings, an unclosed quote, a variable that
    /// is too long, or bad JSON.
    pub fn parse(bytes: &[u8], scope: &EnvScope<'_>) -> Result<Self, Vec<Problem>> {
        let text = SourceText::new(bytes).map_err(|problem| vec![problem])?;
        let mut parser = EnvParser { file: Self::default(), problems: Problems::default(), scope, bytes: 0 };
        if json::is_json(text) {
            let values = json::read(text, &mut parser.problems);
            for entry in values {
                parser.file.add(entry);
            }
        } else {
            text.check_line_endings(begins_assignment)?;
            parser.lines(text);
        }
        if parser.problems.has_error() {
            return Err(parser.problems.into_list());
        }
        Ok(Self { problems: parser.problems.into_list(), ..parser.file })
    }

    /// The entries in the order of the file. If a key occurs several times, the last entry is used.
    #[must_use]
    pub fn entries(&self) -> &[EnvEntry] {
        &self.entries
    }

    /// Warnings and defects of the file, never errors.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The entry of a variable that is used: the last one with this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&EnvEntry> {
        self.last.get(key).and_then(|place| self.entries.get(*place))
    }

    fn add(&mut self, entry: EnvEntry) {
        self.last.insert(entry.key.clone(), self.entries.len());
        self.entries.push(entry);
    }
}

/// A file while it is being parsed.
struct EnvParser<'a> {
    file: EnvFile,
    problems: Problems,
    scope: &'a EnvScope<'a>,
    /// Bytes of all keys and values so far.
    bytes: usize,
}

impl EnvParser<'_> {
    fn lines(&mut self, text: SourceText<'_>) {
        let mut at = text.begin();
        let mut number = 1;
        while let Some(line) = text.line_at(at, number) {
            let next = self.line(text, &line);
            if self.bytes > MAX_VALUES_BYTES {
                let message = "the values up to this line exceed 16 MiB in total";
                let hint = "write long values to files and set the variables to their paths";
                self.problems.push(Problem::new(Severity::Error, line.number, message, hint));
                return;
            }
            number += memchr::memchr_iter(b'\n', part(text.bytes(), at..next)).count();
            at = next;
        }
    }

    /// Reads the entry that begins on this line. Returns where the next unread line begins.
    fn line(&mut self, text: SourceText<'_>, line: &SourceLine<'_>) -> usize {
        let next = after_line(text.bytes(), line.span.start);
        match classify(line.text) {
            EnvLine::Nothing => next,
            EnvLine::Assignment { key, value } => {
                self.assignment(text, line, &String::from_utf8_lossy(key), line.span.start + value).unwrap_or(next)
            }
            EnvLine::ExportAlone => {
                self.ignored(
                    line,
                    "`export` without a value sets nothing",
                    "write `KEY=value`: every variable is exported",
                );
                next
            }
            EnvLine::ColonAlone => {
                self.ignored(line, "nothing follows the colon", "write `KEY=value`, or `KEY=` for an empty value");
                next
            }
            EnvLine::ConflictMarker => {
                self.ignored(line, "this line is a merge conflict marker", "keep one side and remove the markers");
                next
            }
            EnvLine::BadKey => {
                let hint = "write `KEY=value`, with only A-Z a-z 0-9 _ . - in the key";
                self.ignored(line, "the text before `=` is not a valid variable name", hint);
                next
            }
            EnvLine::Other => {
                self.ignored(line, "this line is not an assignment", "write `KEY=value`, or `#` before a comment");
                next
            }
        }
    }

    fn ignored(&mut self, line: &SourceLine<'_>, message: &str, hint: &str) {
        self.problems.push(Problem::new(Severity::Defect, line.number, message, hint));
    }

    /// Reads a value. Returns where the line after it begins, or None if that is simply the next line.
    fn assignment(&mut self, text: SourceText<'_>, line: &SourceLine<'_>, key: &str, at: usize) -> Option<usize> {
        let read = read_value(text.bytes(), at, &|name| self.find(name));
        match read {
            Ok(read) => {
                for doubt in &read.doubts {
                    self.problems.push(doubtful_value(line.number, key, doubt));
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
                    written: at..read.end,
                });
                Some(read.next)
            }
            Err(InvalidEnvValue::Unterminated) => {
                let hint = "close it, or use the other kind of quotes";
                self.bad_quote(Severity::Error, line, key, "opens a quote that is never closed", hint);
                None
            }
            Err(InvalidEnvValue::TextAfterQuote { next }) => {
                let lines = memchr::memchr_iter(b'\n', part(text.bytes(), line.span.start..next)).count();
                let below = match lines {
                    0 | 1 => None,
                    2 => Some("a line".to_owned()),
                    more => Some(format!("{} lines", more - 1)),
                };
                let (message, hint) = match below {
                    Some(below) => {
                        let message = format!("has a quote that closes {below} below, with text after it");
                        (message, "close it on the line where it opens")
                    }
                    None => ("has text after its closing quote".to_owned(), "quote the whole value, or none of it"),
                };
                self.bad_quote(Severity::Defect, line, key, &message, hint);
                Some(next)
            }
            Err(InvalidEnvValue::TooLong { next }) => {
                let message = format!("`{key}` is longer than 128 KiB, the limit for a variable");
                let hint = "write the value to a file and set the variable to its path";
                self.problems.push(Problem::new(Severity::Error, line.number, message, hint).about(key));
                Some(next)
            }
        }
    }

    fn bad_quote(&mut self, severity: Severity, line: &SourceLine<'_>, key: &str, what: &str, hint: &str) {
        let message = format!("`{key}` {what}");
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

    fn messages(problems: &[Problem]) -> Vec<String> {
        problems.iter().map(|problem| format!("{}: {}", problem.line, problem.message)).collect()
    }

    #[test]
    fn the_written_value_has_its_quotes_but_not_the_text_around_it() {
        let text = "A= x y # c\r\nB='1\n2' # x\nexport C =\"\\\"\"#\nD=\nE: `` \nF= # c";

        let file = parse(text).unwrap();

        let shown: Vec<_> = file.entries().iter().map(|entry| &text[entry.written.clone()]).collect();
        assert_eq!(shown, ["x y", "'1\n2'", "\"\\\"\"", "", "``", ""]);
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
    fn all_errors_and_warnings_are_reported_together_with_line_and_key() {
        let problems = parse("hunter2\nA='x' y\nB=\"never closed\nC=${NO}\nK:\n").unwrap_err();

        assert_eq!(
            messages(&problems),
            [
                "1: this line is not an assignment",
                "2: `A` has text after its closing quote",
                "3: `B` opens a quote that is never closed",
                "4: `C` refers to the unset variable `NO`, treated as empty",
                "5: nothing follows the colon",
            ]
        );
        assert_eq!(problems[2].key.as_deref(), Some("B"));
    }

    #[test]
    fn the_message_about_a_quote_that_spans_lines_says_where_it_closes() {
        let file = parse("A=\"x\nB=1\nC=\"y\"\nD=2\n").unwrap();

        assert_eq!(messages(file.problems()), ["1: `A` has a quote that closes 2 lines below, with text after it"]);
        assert_eq!(file.entries().len(), 1);
    }

    #[test]
    fn references_use_earlier_keys_then_earlier_files_then_the_environment() {
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
    fn exponential_references_are_rejected_before_memory_runs_out() {
        let doubling: Vec<String> = (1..60).map(|n| format!("A{n}=${{A{}}}${{A{}}}\n", n - 1, n - 1)).collect();

        let problems = parse(&format!("A0=xxxxxxxxxx\n{}", doubling.concat())).unwrap_err();

        assert_eq!(problems[0].message, "`A14` is longer than 128 KiB, the limit for a variable");
    }

    #[test]
    fn many_references_to_a_long_value_are_rejected() {
        let repeats: Vec<String> = (1..=4_000).map(|n| format!("K{n}=${{K0}}\n")).collect();

        let problems = parse(&format!("K0={}\n{}", "x".repeat(120_000), repeats.concat())).unwrap_err();

        assert_eq!(messages(&problems), ["140: the values up to this line exceed 16 MiB in total"]);
        assert!(parse(&repeats[..100].concat()).is_ok());
    }

    proptest! {
        #[test]
        fn parsing_any_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let inherited = Environment::default();
            let _ = EnvFile::parse(&bytes, &EnvScope { earlier: &[], inherited: &inherited, inherited_first: false });
        }

        #[test]
        fn every_line_is_an_entry_a_comment_or_a_problem(text in "([ \t]{0,2}(export )?[A-Za-z.<-]{0,6}[ =:#]{0,3}[a-z0-9 =#]{0,8}\r?\n){0,8}") {
            let file = parse(&text).unwrap();

            for (index, line) in text.lines().enumerate() {
                let ignored = line.trim().is_empty() || line.trim().starts_with('#');
                let read = file.entries().iter().any(|entry| entry.line == index + 1);
                let reported = file.problems().iter().any(|problem| problem.line == index + 1);
                prop_assert!(ignored || read || reported, "{:?} is neither read nor reported", line);
            }
        }

        #[test]
        fn no_message_contains_a_value_or_a_line(text in "(K|export K|K:|'|\"|)[=: ]?['\"`]?(\\$\\{NAME:-|\\$\\{-)?SECRET[}'\"`\r #]{0,3}(SECRET)?\n?") {
            let problems = parse(&text).map_or_else(|problems| problems, |file| file.problems);

            for problem in problems {
                prop_assert!(!format!("{problem:?}").contains("SECRET"), "{problem:?}");
            }
        }
    }
}
