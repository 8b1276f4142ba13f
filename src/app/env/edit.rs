//! Changes the text of a `.env` file: sets and removes variables (S15.3).
//!
//! Pure: text and changes in, text out. What is not changed stays byte for byte. `spelling` chooses the quotes. Not here:
//! which file is meant, and how it is replaced. Messages never contain a value.

use std::ops::Range;

use super::entry::EnvEntry;
use super::file::{EnvFile, EnvScope};
use super::json::is_json;
use super::limits::MAX_VARIABLE_BYTES;
use super::spelling::{OldValue, OtherReader, Spelling, Spot, spell};
use crate::app::text::problem::{Problem, Severity};
use crate::app::text::source::{SourceText, after_line, part};
use crate::model::{EnvChange, Environment};

#[cfg(test)]
mod tests;

/// A `.env` file after some changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EditedEnv {
    /// The new text.
    pub text: Vec<u8>,
    /// The keys that are on several lines.
    pub warnings: Vec<Problem>,
    /// The values that other programs read differently, in the order of their lines.
    pub differences: Vec<EnvDifference>,
    /// The keys that were to be removed and are not in the file.
    pub absent: Vec<String>,
}

/// A value that another program reads differently, however it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvDifference {
    /// The name of the variable.
    pub key: String,
    /// 1-based line of its first entry.
    pub line: usize,
    /// The names of the programs.
    pub readers: Vec<&'static str>,
}

impl EnvDifference {
    /// What is different, after the name of the file and the line.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { key, readers, .. } = self;
        let verb = if readers.len() == 1 { "reads" } else { "read" };
        format!("{} {verb} another value of `{key}`", in_words(readers))
    }
}

/// Makes these changes. If a key has several, the last one is made.
///
/// # Errors
/// The problems because of which the file cannot be edited: those for which it cannot be read, a line of one of the keys
/// that is not an entry, or a value that is too long or has a NUL byte.
pub fn edit_env(text: &[u8], changes: &[EnvChange]) -> Result<EditedEnv, Vec<Problem>> {
    let file = parse(text)?;
    let source = SourceText::new(text).map_err(|problem| vec![problem])?;
    if is_json(source) {
        let message = "the file is JSON, which is changed in an editor";
        return Err(vec![Problem::new(
            Severity::Error,
            1,
            message,
            "open it in an editor, or write one `KEY=value` per line",
        )]);
    }
    let mut wanted: Vec<&EnvChange> = Vec::new();
    for change in changes {
        match wanted.iter_mut().find(|known| known.key == change.key) {
            Some(known) => *known = change,
            None => wanted.push(change),
        }
    }
    let unusable = unusable_lines(&file, &wanted);
    if !unusable.is_empty() {
        return Err(unusable);
    }
    let mut editor = Editor {
        old: text,
        begin: source.begin(),
        at: 0,
        line_ending: line_ending(text, &file, &wanted),
        edited: EditedEnv::default(),
    };
    editor.make(&file, &wanted)?;
    let edited = editor.edited;
    // It may have become too long.
    parse(&edited.text)?;
    Ok(edited)
}

fn parse(text: &[u8]) -> Result<EnvFile, Vec<Problem>> {
    // References are not expanded for an edit, so nothing is looked up.
    let inherited = Environment::default();
    let parsed = EnvFile::parse(text, &EnvScope { earlier: &[], inherited: &inherited, inherited_first: false });
    parsed.map_err(|problems| problems.into_iter().filter(|problem| problem.severity == Severity::Error).collect())
}

/// The lines of these keys that are not entries, such as `KEY="a" b`: what belongs to their values is not known.
fn unusable_lines(file: &EnvFile, wanted: &[&EnvChange]) -> Vec<Problem> {
    let is_entry = |problem: &Problem| file.entries().iter().any(|entry| entry.line == problem.line);
    let is_wanted = |problem: &Problem| wanted.iter().any(|change| problem.key.as_ref() == Some(&change.key));
    let problems = file.problems().iter().filter(|problem| is_wanted(problem) && !is_entry(problem));
    problems.cloned().map(Problem::into_error).collect()
}

/// The line ending of new lines: the first one that is kept, so that repeating a change gives the same file. If none is
/// kept, the first one of the text.
fn line_ending(text: &[u8], file: &EnvFile, wanted: &[&EnvChange]) -> &'static [u8] {
    let replaced: Vec<Range<usize>> = file.entries().iter().filter_map(|entry| replaced(text, entry, wanted)).collect();
    let mut ends = memchr::memchr_iter(b'\n', text);
    let stays = ends.find(|end| !replaced.iter().any(|range| range.contains(end)));
    let end = stays.or_else(|| memchr::memchr(b'\n', text));
    let before = end.and_then(|end| end.checked_sub(1)).and_then(|before| text.get(before));
    if before == Some(&b'\r') { b"\r\n" } else { b"\n" }
}

/// The part of this entry that the changes replace or remove.
fn replaced(text: &[u8], entry: &EnvEntry, wanted: &[&EnvChange]) -> Option<Range<usize>> {
    let change = wanted.iter().find(|change| change.key == entry.key)?;
    match change.value {
        Some(_) => Some(entry.written.clone()),
        None => Some(entry.span.start..after_line(text, entry.span.end)),
    }
}

struct Editor<'a> {
    old: &'a [u8],
    /// The offset at which it begins, after the byte order mark.
    begin: usize,
    /// The offset up to which the old text has been copied or replaced.
    at: usize,
    line_ending: &'static [u8],
    edited: EditedEnv,
}

impl Editor<'_> {
    fn make(&mut self, file: &EnvFile, wanted: &[&EnvChange]) -> Result<(), Vec<Problem>> {
        for entry in file.entries() {
            match wanted.iter().find(|change| change.key == entry.key).map(|change| &change.value) {
                Some(Some(value)) => self.replace(entry, value.reveal()).map_err(|problem| vec![problem])?,
                Some(None) => {
                    self.copy_to(entry.span.start);
                    self.at = after_line(self.old, entry.span.end);
                }
                None => {}
            }
        }
        self.copy_to(self.old.len());
        for change in wanted {
            let lines: Vec<usize> =
                file.entries().iter().filter(|entry| entry.key == change.key).map(|entry| entry.line).collect();
            match (&change.value, lines.as_slice()) {
                (Some(value), []) => self.append(&change.key, value.reveal()).map_err(|problem| vec![problem])?,
                (None, []) => self.edited.absent.push(change.key.clone()),
                (Some(_), [first, _, ..]) => {
                    let message = format!("`{}` is on lines {}; all of them were set", change.key, in_words(&lines));
                    let problem = Problem::new(Severity::Warning, *first, message, "keep one of them");
                    self.edited.warnings.push(problem.about(&change.key));
                }
                (Some(_) | None, _) => {}
            }
        }
        Ok(())
    }

    fn copy_to(&mut self, end: usize) {
        self.edited.text.extend_from_slice(part(self.old, self.at..end));
        self.at = end;
    }

    fn replace(&mut self, entry: &EnvEntry, value: &[u8]) -> Result<(), Problem> {
        let old = part(self.old, entry.written.clone());
        let before = part(self.old, entry.span.start..entry.written.start);
        let after = part(self.old, entry.written.end..entry.span.end);
        // The new value may need a blank before the comment.
        let gap: &[u8] = if after.starts_with(b"#") { b" " } else { b"" };
        let spot = Spot {
            key: &entry.key,
            before,
            after: &[gap, after].concat(),
            line_ending: self.line_ending,
            old: Some(OldValue { written: old, value: entry.value.reveal() }),
        };
        let spelling = spelled(&spot, value, entry.line)?;
        if spelling.written != old {
            self.copy_to(entry.written.start);
            self.edited.text.extend_from_slice(&spelling.written);
            self.edited.text.extend_from_slice(gap);
            self.at = entry.written.end;
        }
        self.note(&entry.key, entry.line, spelling.differing);
        Ok(())
    }

    fn append(&mut self, key: &str, value: &[u8]) -> Result<(), Problem> {
        let line = 1 + memchr::memchr_iter(b'\n', &self.edited.text).count();
        let before = format!("{key}=").into_bytes();
        let spot = Spot { key, before: &before, after: b"", line_ending: self.line_ending, old: None };
        let spelling = spelled(&spot, value, line)?;
        let text = &mut self.edited.text;
        // A file without a newline at its end stays one.
        let ends_open = text.len() > self.begin && !text.ends_with(b"\n");
        let (first, last) = if ends_open { (self.line_ending, &b""[..]) } else { (&b""[..], self.line_ending) };
        let line = line + usize::from(ends_open);
        for piece in [first, &before, &spelling.written, last] {
            text.extend_from_slice(piece);
        }
        self.note(key, line, spelling.differing);
        Ok(())
    }

    /// Remembers which programs read another value.
    fn note(&mut self, key: &str, line: usize, differing: Vec<OtherReader>) {
        let names = differing.into_iter().map(OtherReader::name);
        match self.edited.differences.iter_mut().find(|known| known.key == key) {
            Some(known) => {
                let more: Vec<_> = names.filter(|name| !known.readers.contains(name)).collect();
                known.readers.extend(more);
            }
            None if names.len() == 0 => {}
            None => self.edited.differences.push(EnvDifference { key: key.to_owned(), line, readers: names.collect() }),
        }
    }
}

/// How the value is written, or why it cannot be. `line`: for the message.
fn spelled(spot: &Spot<'_>, value: &[u8], line: usize) -> Result<Spelling, Problem> {
    if value.contains(&0) {
        let message = format!("the new value of `{}` has a NUL byte", spot.key);
        let hint = "no variable can hold one: encode the value, for example with `base64`";
        return Err(Problem::new(Severity::Error, line, message, hint).about(spot.key));
    }
    let spelling = if value.len() > MAX_VARIABLE_BYTES { None } else { spell(spot, value) };
    spelling.ok_or_else(|| {
        let message = format!("`{}` is longer than 128 KiB, the limit for a variable", spot.key);
        let hint = "write the value to a file and set the variable to its path";
        Problem::new(Severity::Error, line, message, hint).about(spot.key)
    })
}

/// `1, 3 and 5`.
fn in_words(items: &[impl ToString]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    match items.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}
