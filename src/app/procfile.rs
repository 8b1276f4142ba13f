//! Reads a Procfile: entries in the order of the file, and a problem for every line that is none (S1).
//!
//! Pure: bytes in, values out. Which file it is and whether it exists is decided in `commands`; what a single line
//! is, in `procfile_line`. No line ever invents a process type, and none is passed over in silence.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use super::ProcessType;
use super::command_line::{ShellLine, shell_line};
use super::foreign_file::Tally;
use super::problem::{Problem, Problems, Severity};
use super::procfile_line::{EntryLine, Line, Unreadable, classify};
use super::procfile_message::{duplicate, not_a_procfile, nothing_defined, oddity, unreadable};
use super::source_text::{SourceLine, SourceText, is_blank};

/// A Procfile that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Procfile {
    entries: Vec<ProcfileEntry>,
    problems: Vec<Problem>,
}

/// One process type of a Procfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcfileEntry {
    /// Its name.
    pub process_type: ProcessType,
    /// Its command line without blanks round it: bytes, as the shell gets them (S1.1).
    pub command: Vec<u8>,
    /// 1-based line of the command that counts.
    pub line: usize,
    /// The bytes of that line in the file, without its line end.
    pub span: Range<usize>,
}

impl ProcfileEntry {
    /// The command line as text, for messages and `DynoSpec::command_line`.
    #[must_use]
    pub fn command_line(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.command)
    }

    /// What `/bin/sh -c` is given (S1.6).
    #[must_use]
    pub fn shell_line(&self) -> ShellLine {
        shell_line(&self.command)
    }

    /// The entry as a line of a Procfile, with its newline. Read again, it is the same entry.
    #[must_use]
    pub fn write_entry(&self) -> Vec<u8> {
        let mut line = format!("{}: ", self.process_type).into_bytes();
        line.extend_from_slice(&self.command);
        line.push(b'\n');
        line
    }
}

impl Procfile {
    /// Lines that are no entries before they are told in one sentence about the whole file.
    const MAX_SINGLE_COMPLAINTS: usize = 3;

    /// Reads a Procfile.
    ///
    /// # Errors
    /// All its problems, the warnings too, if one of them is an error: a NUL byte, more than
    /// [`MAX_FILE_BYTES`](super::MAX_FILE_BYTES), no process type at all, or the file is clearly of another kind.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let text = SourceText::new(bytes).map_err(|problem| vec![problem])?;
        let mut reading = Reading::default();
        text.lines().for_each(|line| reading.line(&line));
        reading.finish()
    }

    /// The entries in the order of the file, `release` too. Never empty.
    #[must_use]
    pub fn entries(&self) -> &[ProcfileEntry] {
        &self.entries
    }

    /// What is odd about the file: warnings and defects, no errors.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The entry of a process type.
    #[must_use]
    pub fn get(&self, process_type: &ProcessType) -> Option<&ProcfileEntry> {
        self.entries.iter().find(|entry| entry.process_type == *process_type)
    }

    /// The entry of the release phase (S8).
    #[must_use]
    pub fn release(&self) -> Option<&ProcfileEntry> {
        self.entries.iter().find(|entry| entry.process_type.is_release())
    }

    /// The process types that can join the formation, in the order that ports are numbered in (S1.8, S5.1).
    #[must_use]
    pub fn formation_types(&self) -> Vec<ProcessType> {
        let types = self.entries.iter().map(|entry| &entry.process_type);
        types.filter(|process_type| !process_type.is_release()).cloned().collect()
    }
}

/// A Procfile as far as it is read.
#[derive(Debug, Default)]
struct Reading {
    entries: Vec<ProcfileEntry>,
    places: HashMap<ProcessType, usize>,
    problems: Problems,
    /// Problems of lines that are no entries, told one by one only if they are few.
    complaints: Problems,
    tally: Tally,
    first_unreadable: Option<usize>,
    /// Lines that are neither blank nor comments.
    significant: usize,
    /// Indentation of a key without a command: lines indented deeper are its YAML body.
    block: Option<usize>,
    /// The line of a command that ended in a backslash; the line after it belongs to it.
    continued: Option<usize>,
}

impl Reading {
    fn line(&mut self, line: &SourceLine<'_>) {
        self.tally.see(line.text);
        match classify(line.text) {
            Line::Blank => self.continued = None,
            Line::Comment => {}
            Line::Entry(_) | Line::Unreadable(_) if self.is_in_block(line.text) => {
                self.unreadable(line, &Unreadable::Yaml { opens_block: false });
            }
            // Indented below a backslash: the rest of that command, though it happens to have a colon.
            Line::Entry(_) if self.continued.is_some() && indentation(line.text) > 0 => {
                self.unreadable(line, &Unreadable::MissingColon);
                self.continued = None;
            }
            Line::Entry(entry) => {
                self.continued = None;
                self.entry(line, &entry);
            }
            Line::Unreadable(kind) => {
                self.unreadable(line, &kind);
                if let Unreadable::Continued { .. } = kind {
                    self.continued = Some(line.number);
                } else if !line.text.ends_with(b"\\") {
                    self.continued = None;
                }
            }
        }
    }

    /// Whether this line is indented deeper than a key above it that had no command.
    fn is_in_block(&mut self, text: &[u8]) -> bool {
        let indentation = indentation(text);
        let inside = self.block.is_some_and(|block| indentation > block);
        if !inside {
            self.block = None;
        }
        inside
    }

    fn entry(&mut self, line: &SourceLine<'_>, read: &EntryLine<'_>) {
        self.significant += 1;
        for odd in &read.oddities {
            self.problems.push(oddity(line, read, odd));
        }
        let entry = ProcfileEntry {
            process_type: read.process_type.clone(),
            command: read.command.to_vec(),
            line: line.number,
            span: line.span.clone(),
        };
        let place = self.places.get(&entry.process_type).and_then(|place| self.entries.get_mut(*place));
        if let Some(earlier) = place {
            self.problems.push(duplicate(&entry.process_type, earlier.line, entry.line));
            *earlier = entry;
        } else {
            self.places.insert(entry.process_type.clone(), self.entries.len());
            self.entries.push(entry);
        }
    }

    fn unreadable(&mut self, line: &SourceLine<'_>, kind: &Unreadable<'_>) {
        self.significant += 1;
        self.tally.add(line.text, kind);
        self.first_unreadable.get_or_insert(line.number);
        if let Unreadable::EmptyCommand { .. } | Unreadable::Yaml { opens_block: true } = kind {
            self.block = Some(indentation(line.text));
        }
        self.complaints.push(unreadable(line, kind, self.continued));
    }

    fn finish(mut self) -> Result<Procfile, Vec<Problem>> {
        let few = self.tally.unreadable <= Procfile::MAX_SINGLE_COMPLAINTS;
        let minority = self.tally.unreadable <= self.significant - self.tally.unreadable;
        let whole = (!few && !minority && !self.tally.is_conflict()).then(|| {
            let guess = self.tally.guess();
            not_a_procfile(self.first_unreadable.unwrap_or(1), self.tally.unreadable, self.significant, guess)
        });
        match whole {
            // Of another kind: what else is odd about its lines does not matter.
            Some(problem) if problem.severity == Severity::Error => return Err(vec![problem]),
            Some(problem) => self.problems.push(problem),
            None => self.complaints.into_list().into_iter().for_each(|problem| self.problems.push(problem)),
        }
        if self.entries.is_empty() {
            self.problems.push(nothing_defined());
        }
        if self.problems.has_error() {
            return Err(self.problems.into_list());
        }
        Ok(Procfile { entries: self.entries, problems: self.problems.into_list() })
    }
}

fn indentation(text: &[u8]) -> usize {
    text.iter().take_while(|byte| is_blank(**byte)).count()
}
