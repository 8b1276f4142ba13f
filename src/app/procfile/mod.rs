//! Parses a Procfile into entries, and reports a problem for every line that is not an entry (S1).
//!
//! Pure: bytes in, values out. `project` finds the file; `line` classifies a single line.
//! A line that is not an entry never becomes a process type, and is never skipped without a problem.

mod entry;
mod foreign_file;
mod line;
mod message;

use std::collections::HashMap;

use crate::app::env::line::holds_assignment;
use crate::app::text::problem::{Problem, Problems, Severity};
use crate::app::text::source::{SourceLine, SourceText, begins_with_name_and_colon, is_blank};
use crate::model::ProcessType;
pub use entry::ProcfileEntry;
use foreign_file::ForeignFile;
use line::{EntryLine, InvalidLine, ProcfileLine, classify};
use message::{
    LineContext, duplicate, invalid_line, is_common_name, many_more, not_a_procfile, nothing_defined, oddity,
};

#[cfg(test)]
mod tests;

/// A Procfile without errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Procfile {
    entries: Vec<ProcfileEntry>,
    /// The index of the entry of each process type.
    places: HashMap<ProcessType, usize>,
    problems: Vec<Problem>,
    repeats: Vec<usize>,
}

impl Procfile {
    /// A file with at most this many lines that are not entries is read as a Procfile, even if they are the majority.
    const MAX_SINGLE_PROBLEMS: usize = 3;

    /// Maximum number of lines that are listed if the majority are not entries: the first ones show what the file is.
    const MAX_LISTED_OF_MANY: usize = 10;

    /// Parses a Procfile.
    ///
    /// # Errors
    /// All problems of the file, warnings included, if at least one is an error: a NUL byte, more than
    /// [`MAX_FILE_BYTES`](super::MAX_FILE_BYTES), carriage returns as line endings, no process type at all, or a file
    /// that is clearly of another kind.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let text = SourceText::new(bytes).map_err(|problem| vec![problem])?;
        text.check_line_endings(begins_with_name_and_colon)?;
        let mut parser = ProcfileParser::default();
        text.lines().for_each(|line| parser.line(line));
        parser.finish()
    }

    /// A Procfile with one entry that does not come from a file. None if the command line is blank.
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

    /// The entries in the order of the file, including `release`. Never empty.
    #[must_use]
    pub fn entries(&self) -> &[ProcfileEntry] {
        &self.entries
    }

    /// Warnings and defects of the file, never errors.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The 1-based lines that define a process type again (S1.5).
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

    /// The process types of the formation, in the order in which ports are assigned (S1.8, S5.1).
    #[must_use]
    pub fn formation_types(&self) -> Vec<ProcessType> {
        let types = self.entries.iter().map(|entry| &entry.process_type);
        types.filter(|process_type| !process_type.is_release()).cloned().collect()
    }
}

/// A line that is not an entry. How it is reported depends on the rest of the file.
#[derive(Debug)]
struct RejectedLine<'a> {
    line: SourceLine<'a>,
    kind: InvalidLine<'a>,
    /// The number of the line above whose command ended in a backslash.
    continued: Option<usize>,
}

/// A Procfile while it is being parsed.
#[derive(Debug, Default)]
struct ProcfileParser<'a> {
    entries: Vec<ProcfileEntry>,
    places: HashMap<ProcessType, usize>,
    repeats: Vec<usize>,
    problems: Problems,
    /// Lines that are not entries, reported one by one only if there are few. At most [`Problems::MAX_LISTED`].
    rejected: Vec<RejectedLine<'a>>,
    /// The line number of the first one that is not kept.
    first_left_out: Option<usize>,
    /// The number of lines that are not entries.
    invalid: usize,
    /// The first line that is not blank.
    first: Option<&'a [u8]>,
    /// Whether some line assigns a variable.
    has_values: bool,
    /// The number of lines that are neither blank nor comments.
    significant: usize,
    /// Indentation of the last key without a command. Lines that are indented more deeply are its YAML body.
    block: Option<usize>,
    /// The number of the line whose command ended in a backslash. The next line belongs to it.
    continued: Option<usize>,
}

impl<'a> ProcfileParser<'a> {
    fn line(&mut self, line: SourceLine<'a>) {
        let kind = classify(line.text);
        if self.first.is_none() && !matches!(kind, ProcfileLine::Blank) {
            self.first = Some(line.text);
        }
        let may_give_value =
            matches!(kind, ProcfileLine::Invalid(InvalidLine::Assignment { .. } | InvalidLine::MissingColon));
        self.has_values |= may_give_value && holds_assignment(line.text);
        match kind {
            ProcfileLine::Blank => self.continued = None,
            ProcfileLine::Comment => {}
            ProcfileLine::Entry(_) | ProcfileLine::Invalid(_) if self.is_in_block(line.text) => {
                self.invalid_line(line, InvalidLine::Yaml { opens_block: false });
            }
            // An indented line after a backslash is the rest of that command, even if it has a colon.
            ProcfileLine::Entry(_) | ProcfileLine::Invalid(_)
                if self.continued.is_some() && indentation(line.text) > 0 =>
            {
                let goes_on = line.text.ends_with(b"\\");
                self.invalid_line(line, InvalidLine::MissingColon);
                self.continued = self.continued.filter(|_| goes_on);
            }
            ProcfileLine::Entry(entry) => {
                self.continued = None;
                self.entry(&line, &entry);
            }
            ProcfileLine::Invalid(kind) => {
                let number = line.number;
                self.invalid_line(line, kind);
                self.continued = matches!(kind, InvalidLine::Continued { .. }).then_some(number);
            }
        }
    }

    /// Whether this line is indented more deeply than a key above it that has no command.
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

    fn invalid_line(&mut self, line: SourceLine<'a>, kind: InvalidLine<'a>) {
        self.significant += 1;
        self.invalid += 1;
        if let InvalidLine::EmptyCommand { .. } | InvalidLine::Yaml { opens_block: true } = kind {
            self.block = Some(indentation(line.text));
        }
        if self.rejected.len() < Problems::MAX_LISTED {
            self.rejected.push(RejectedLine { line, kind, continued: self.continued });
        } else {
            self.first_left_out.get_or_insert(line.number);
        }
    }

    /// The problems of the first `limit` lines that are not entries.
    fn problems_of_rejected(&self, limit: usize) -> Problems {
        let mut problems = Problems::default();
        for RejectedLine { line, kind, continued } in self.rejected.iter().take(limit) {
            let context = LineContext { continued: *continued, has_values: self.has_values };
            problems.push(invalid_line(line, kind, context));
        }
        problems
    }

    /// The first problems of a file that is mostly invalid and of unknown kind.
    fn first_rejected(&self) -> Problems {
        let mut problems = self.problems_of_rejected(Procfile::MAX_LISTED_OF_MANY);
        if let Some(next) = self.rejected.get(Procfile::MAX_LISTED_OF_MANY) {
            let more = self.invalid - Procfile::MAX_LISTED_OF_MANY;
            problems.push(many_more(next.line.number, more, self.invalid, self.significant));
        }
        problems
    }

    /// The problems of the lines that are not entries.
    fn problems_of_all_rejected(&self) -> Problems {
        let mut problems = self.problems_of_rejected(Problems::MAX_LISTED);
        if let Some(first) = self.first_left_out {
            problems.leave_out(self.invalid - self.rejected.len(), first, Severity::Defect);
        }
        problems
    }

    fn finish(mut self) -> Result<Procfile, Vec<Problem>> {
        // If there are no entries at all, the lines that are not entries are errors: nothing can start because of them.
        let nothing = self.entries.is_empty();
        let few = self.invalid <= Procfile::MAX_SINGLE_PROBLEMS;
        let minority = self.invalid <= self.significant - self.invalid;
        let guess = ForeignFile::guess(self.first.unwrap_or_default(), &self.rejected);
        let nothing_else = nothing && self.invalid > 0 && guess.is_some();
        // A file this short may be a Procfile with a mistake in every line, unless it clearly is something else.
        let has_common_name = self.entries.iter().any(|entry| is_common_name(entry.process_type.as_str().as_bytes()));
        let is_other = !few || (guess.is_some_and(|guess| guess.is_certain) && !has_common_name);
        let is_conflict = self.rejected.iter().all(|rejected| rejected.kind == InvalidLine::ConflictMarker);
        let is_whole_file = (is_other && !minority && !is_conflict) || nothing_else;
        if let Some(ForeignFile { kind, .. }) = guess.filter(|_| is_whole_file) {
            let first = self.rejected.first().map_or(1, |rejected_line| rejected_line.line.number);
            // The file is of another kind, so its other problems do not matter.
            return Err(vec![not_a_procfile(first, self.invalid, self.significant, kind)]);
        }
        let rejected = if is_whole_file { self.first_rejected() } else { self.problems_of_all_rejected() };
        self.problems.append(if nothing { rejected.into_errors() } else { rejected });
        if nothing && self.invalid == 0 {
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
