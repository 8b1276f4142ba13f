//! Reads a Procfile: entries in the order of the file, and a problem for every line that is none (S1).
//!
//! Pure: bytes in, values out. Which file it is and whether it exists is decided in `commands`; what a single line
//! is, in `procfile_line`. No line ever invents a process type, and none is passed over in silence.

use std::collections::HashMap;

use super::ProcessType;
use super::env_line::holds_assignment;
use super::foreign_file::ForeignFile;
use super::problem::{Problem, Problems, Severity};
use super::procfile_entry::ProcfileEntry;
use super::procfile_line::{EntryLine, Line, Unreadable, classify};
use super::procfile_message::{
    Surroundings, duplicate, is_common_name, not_a_procfile, nothing_defined, oddity, unreadable,
};
use super::source_text::{SourceLine, SourceText, begins_with_name_and_colon, is_blank};

#[cfg(test)]
mod tests;

/// A Procfile that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Procfile {
    entries: Vec<ProcfileEntry>,
    /// Where the entry of each process type is.
    places: HashMap<ProcessType, usize>,
    problems: Vec<Problem>,
    repeats: Vec<usize>,
}

impl Procfile {
    /// Lines that are no entries before they are told in one sentence about the whole file.
    const MAX_SINGLE_COMPLAINTS: usize = 3;

    /// Reads a Procfile.
    ///
    /// # Errors
    /// All its problems, the warnings too, if one of them is an error: a NUL byte, more than
    /// [`MAX_FILE_BYTES`](super::MAX_FILE_BYTES), carriage returns as line ends, no process type at all, or the file is
    /// clearly of another kind.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let text = SourceText::new(bytes).map_err(|problem| vec![problem])?;
        text.check_line_ends(begins_with_name_and_colon)?;
        let mut reading = Reading::default();
        text.lines().for_each(|line| reading.line(line));
        reading.finish()
    }

    /// A Procfile of a single entry that no file has. None if the command line is blank.
    #[must_use]
    pub fn single(process_type: ProcessType, command: &str) -> Option<Self> {
        let command = command.trim_ascii().as_bytes().to_vec();
        if command.is_empty() {
            return None;
        }
        let places = HashMap::from([(process_type.clone(), 0)]);
        let entry = ProcfileEntry { process_type, span: 0..command.len(), command, line: 1 };
        Some(Self { entries: vec![entry], places, problems: Vec::new(), repeats: Vec::new() })
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

    /// The lines, 1-based, that define a process type again (S1.5).
    #[must_use]
    pub fn repeats(&self) -> &[usize] {
        &self.repeats
    }

    /// The entry of a process type.
    #[must_use]
    pub fn get(&self, process_type: &ProcessType) -> Option<&ProcfileEntry> {
        self.places.get(process_type).and_then(|place| self.entries.get(*place))
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

/// A line that is not an entry, until the whole file is read and it is known how to report it.
#[derive(Debug)]
struct Complaint<'a> {
    line: SourceLine<'a>,
    kind: Unreadable<'a>,
    /// The line of a command above it that ended in a backslash.
    continued: Option<usize>,
}

/// A Procfile as far as it is read.
#[derive(Debug, Default)]
struct Reading<'a> {
    entries: Vec<ProcfileEntry>,
    places: HashMap<ProcessType, usize>,
    repeats: Vec<usize>,
    problems: Problems,
    /// Lines that are not entries, reported one by one only if they are few; at most [`Problems::MAX_LISTED`].
    complaints: Vec<Complaint<'a>>,
    /// The first of them that is not kept.
    first_left_out: Option<usize>,
    foreign: ForeignFile,
    /// Some line gives a variable a value.
    has_values: bool,
    /// Lines that are neither blank nor comments.
    significant: usize,
    /// Indentation of a key without a command: lines indented deeper are its YAML body.
    block: Option<usize>,
    /// The line of a command that ended in a backslash; the line after it belongs to it.
    continued: Option<usize>,
}

impl<'a> Reading<'a> {
    fn line(&mut self, line: SourceLine<'a>) {
        self.foreign.see(line.text);
        let kind = classify(line.text);
        let may_give_value = matches!(kind, Line::Unreadable(Unreadable::Assignment { .. } | Unreadable::MissingColon));
        self.has_values |= may_give_value && holds_assignment(line.text);
        match kind {
            Line::Blank => self.continued = None,
            Line::Comment => {}
            Line::Entry(_) | Line::Unreadable(_) if self.is_in_block(line.text) => {
                self.unreadable(line, Unreadable::Yaml { opens_block: false });
            }
            // Indented below a backslash: the rest of that command, though it may have a colon.
            Line::Entry(_) | Line::Unreadable(_) if self.continued.is_some() && indentation(line.text) > 0 => {
                let goes_on = line.text.ends_with(b"\\");
                self.unreadable(line, Unreadable::MissingColon);
                self.continued = self.continued.filter(|_| goes_on);
            }
            Line::Entry(entry) => {
                self.continued = None;
                self.entry(&line, &entry);
            }
            Line::Unreadable(kind) => {
                let number = line.number;
                self.unreadable(line, kind);
                self.continued = matches!(kind, Unreadable::Continued { .. }).then_some(number);
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
            self.repeats.push(entry.line);
            *earlier = entry;
        } else {
            self.places.insert(entry.process_type.clone(), self.entries.len());
            self.entries.push(entry);
        }
    }

    fn unreadable(&mut self, line: SourceLine<'a>, kind: Unreadable<'a>) {
        self.significant += 1;
        self.foreign.add(line.text, &kind);
        if let Unreadable::EmptyCommand { .. } | Unreadable::Yaml { opens_block: true } = kind {
            self.block = Some(indentation(line.text));
        }
        if self.complaints.len() < Problems::MAX_LISTED {
            self.complaints.push(Complaint { line, kind, continued: self.continued });
        } else {
            self.first_left_out.get_or_insert(line.number);
        }
    }

    /// The problems of the lines that are not entries.
    fn complain(&self) -> Problems {
        let mut problems = Problems::default();
        for Complaint { line, kind, continued } in &self.complaints {
            let around = Surroundings { continued: *continued, has_values: self.has_values };
            problems.push(unreadable(line, kind, around));
        }
        if let Some(first) = self.first_left_out {
            problems.leave_out(self.foreign.unreadable - self.complaints.len(), first, Severity::Defect);
        }
        problems
    }

    fn finish(mut self) -> Result<Procfile, Vec<Problem>> {
        // Without any entry the lines that are none are the reason why nothing can start.
        let nothing = self.entries.is_empty();
        let few = self.foreign.unreadable <= Procfile::MAX_SINGLE_COMPLAINTS;
        let minority = self.foreign.unreadable <= self.significant - self.foreign.unreadable;
        let guess = self.foreign.guess();
        let nothing_else = nothing && self.foreign.unreadable > 0 && guess.is_some();
        // So short a file may be a Procfile with a slip in each line, unless it cannot be taken for one.
        let is_meant = self.entries.iter().any(|entry| is_common_name(entry.process_type.as_str().as_bytes()));
        let is_other = !few || (guess.is_some() && self.foreign.is_certain() && !is_meant);
        let whole = ((is_other && !minority && !self.foreign.is_conflict()) || nothing_else).then(|| {
            let first = self.complaints.first().map_or(1, |complaint| complaint.line.number);
            not_a_procfile(first, self.foreign.unreadable, self.significant, guess)
        });
        match whole {
            // Of another kind: what else is odd about its lines does not matter.
            Some(problem) if problem.severity == Severity::Error => return Err(vec![problem]),
            Some(problem) => self.problems.push(if nothing { problem.grave() } else { problem }),
            None => {
                let complaints = self.complain();
                self.problems.append(if nothing { complaints.grave() } else { complaints });
            }
        }
        if nothing && self.foreign.unreadable == 0 {
            self.problems.push(nothing_defined());
        }
        if self.problems.has_error() {
            return Err(self.problems.into_list());
        }
        let Self { entries, places, problems, repeats, .. } = self;
        Ok(Procfile { entries, places, problems: problems.into_list(), repeats })
    }
}

fn indentation(text: &[u8]) -> usize {
    text.iter().take_while(|byte| is_blank(**byte)).count()
}
