//! Reads a Procfile: entries in the order of the file, and a problem for every line that is none (S1).
//!
//! Pure: bytes in, values out. Which file it is and whether it exists is decided in `commands`; what a single line
//! is, in `procfile_line`. No line ever invents a process type, and none is passed over in silence.

use std::collections::HashMap;

use super::ProcessType;
use super::env_line::holds_assignment;
use super::foreign_file::Tally;
use super::problem::{Problem, Problems, Severity};
use super::procfile_entry::ProcfileEntry;
use super::procfile_line::{EntryLine, Line, Unreadable, classify};
use super::procfile_message::{Surroundings, duplicate, not_a_procfile, nothing_defined, oddity, unreadable};
use super::source_text::{SourceLine, SourceText, is_blank};

/// A Procfile that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Procfile {
    entries: Vec<ProcfileEntry>,
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
    /// [`MAX_FILE_BYTES`](super::MAX_FILE_BYTES), no process type at all, or the file is clearly of another kind.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let text = SourceText::new(bytes).map_err(|problem| vec![problem])?;
        let gives_value = |line: SourceLine<'_>| {
            let kind = classify(line.text);
            let may = matches!(kind, Line::Unreadable(Unreadable::Assignment { .. } | Unreadable::MissingColon));
            may && holds_assignment(line.text)
        };
        let mut reading = Reading { has_values: text.lines().any(gives_value), ..Reading::default() };
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

    /// The lines, 1-based, that define a process type again (S1.5).
    #[must_use]
    pub fn repeats(&self) -> &[usize] {
        &self.repeats
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
    repeats: Vec<usize>,
    problems: Problems,
    /// Problems of lines that are no entries, told one by one only if they are few.
    complaints: Problems,
    tally: Tally,
    first_unreadable: Option<usize>,
    /// Some line gives a variable a value.
    has_values: bool,
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
            // Indented below a backslash: the rest of that command, though it may have a colon.
            Line::Entry(_) | Line::Unreadable(_) if self.continued.is_some() && indentation(line.text) > 0 => {
                self.unreadable(line, &Unreadable::MissingColon);
                self.continued = self.continued.filter(|_| line.text.ends_with(b"\\"));
            }
            Line::Entry(entry) => {
                self.continued = None;
                self.entry(line, &entry);
            }
            Line::Unreadable(kind) => {
                self.unreadable(line, &kind);
                let ends_in_backslash = matches!(kind, Unreadable::Continued { .. });
                self.continued = ends_in_backslash.then_some(line.number);
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

    fn unreadable(&mut self, line: &SourceLine<'_>, kind: &Unreadable<'_>) {
        self.significant += 1;
        self.tally.add(line.text, kind);
        self.first_unreadable.get_or_insert(line.number);
        if let Unreadable::EmptyCommand { .. } | Unreadable::Yaml { opens_block: true } = kind {
            self.block = Some(indentation(line.text));
        }
        let around = Surroundings { continued: self.continued, has_values: self.has_values };
        self.complaints.push(unreadable(line, kind, around));
    }

    fn finish(mut self) -> Result<Procfile, Vec<Problem>> {
        let few = self.tally.unreadable <= Procfile::MAX_SINGLE_COMPLAINTS;
        let minority = self.tally.unreadable <= self.significant - self.tally.unreadable;
        let guess = self.tally.guess();
        let nothing_else = self.entries.is_empty() && self.tally.unreadable > 0 && guess.is_some();
        let whole = ((!few && !minority && !self.tally.is_conflict()) || nothing_else).then(|| {
            not_a_procfile(self.first_unreadable.unwrap_or(1), self.tally.unreadable, self.significant, guess)
        });
        // Without any entry the lines that are none are the reason why nothing can start.
        let nothing = self.entries.is_empty();
        match whole {
            // Of another kind: what else is odd about its lines does not matter.
            Some(problem) if problem.severity == Severity::Error => return Err(vec![problem]),
            Some(problem) => self.problems.push(if nothing { problem.grave() } else { problem }),
            None => self.problems.append(if nothing { self.complaints.grave() } else { self.complaints }),
        }
        if nothing && self.tally.unreadable == 0 {
            self.problems.push(nothing_defined());
        }
        if self.problems.has_error() {
            return Err(self.problems.into_list());
        }
        Ok(Procfile { entries: self.entries, problems: self.problems.into_list(), repeats: self.repeats })
    }
}

fn indentation(text: &[u8]) -> usize {
    text.iter().take_while(|byte| is_blank(**byte)).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries(text: &str) -> Vec<(String, String, usize)> {
        let procfile = Procfile::parse(text.as_bytes()).unwrap();
        let shown =
            |entry: &ProcfileEntry| (entry.process_type.to_string(), entry.command_line().into_owned(), entry.line);
        procfile.entries().iter().map(shown).collect()
    }

    fn entry(name: &str, command: &str, line: usize) -> (String, String, usize) {
        (name.to_owned(), command.to_owned(), line)
    }

    fn told(text: &str) -> Vec<String> {
        let problems = Procfile::parse(text.as_bytes()).map_or_else(|problems| problems, |procfile| procfile.problems);
        problems
            .iter()
            .map(|problem| format!("{}:{}: {}", problem.severity.label(), problem.line, problem.message))
            .collect()
    }

    #[test]
    fn entries_come_in_the_order_of_the_file_with_lines_and_spans() {
        let text = "\u{feff}# web\r\nweb:\tnpm start  \r\n\r\nrelease:./migrate # now\r\n";

        assert_eq!(entries(text), [entry("web", "npm start", 2), entry("release", "./migrate # now", 4)]);
        let procfile = Procfile::parse(text.as_bytes()).unwrap();
        assert_eq!(&text[procfile.entries()[0].span.clone()], "web:\tnpm start  ");
        assert_eq!(procfile.release().unwrap().line, 4);
        assert_eq!(procfile.formation_types().len(), 1);
    }

    #[test]
    fn the_last_command_of_a_name_wins_at_the_first_one_s_place() {
        let text = "css: a\nweb: b\ncss: c\ncss: d\n";

        assert_eq!(entries(text), [entry("css", "d", 4), entry("web", "b", 2)]);
        assert_eq!(
            told(text),
            [
                "warning:3: `css` is defined on line 1 and again here; this command counts",
                "warning:4: `css` is defined on line 3 and again here; this command counts",
            ]
        );
    }

    #[test]
    fn bytes_that_are_not_utf_8_reach_the_shell_unchanged() {
        let procfile = Procfile::parse(b"web: echo \xFF").unwrap();

        assert_eq!(procfile.entries()[0].command, b"echo \xFF");
    }

    #[test]
    fn a_few_lines_that_are_no_entries_are_told_one_by_one() {
        assert_eq!(
            told("web: a\nnpm start\nmy.worker: x\n"),
            [
                "warning:2: `npm start` has no process type",
                "warning:3: `my.worker` is no process type: the name has a character other than A-Z a-z 0-9 _ -",
            ]
        );
    }

    #[test]
    fn a_file_of_another_kind_is_refused_in_one_sentence() {
        let compose = "version: '3'\nservices:\n  web:\n    image: x\n    ports:\n      - '80:80'\n";
        assert_eq!(
            told(compose),
            ["error:2: the file looks like a docker-compose file: 5 of 6 lines are no entries of a Procfile"]
        );
        let yaml = "root: /srv\nprocesses:\n  web:\n    command: x\n  worker:\n    command: y\n";
        assert_eq!(told(yaml).len(), 1);
        assert!(told(yaml)[0].contains("looks like YAML"), "{:?}", told(yaml));
        let script = "#!/bin/sh\nset -e\nif true; then\n  npm start\nfi\n";
        assert!(told(script)[0].contains("looks like a script"), "{:?}", told(script));
        let json = "{\n  \"web\": \"x\",\n  \"a\": \"b\",\n  \"c\": 1\n}\n";
        assert!(told(json)[0].contains("looks like JSON"), "{:?}", told(json));
        assert_eq!(
            told("{\"web\": \"x\"}")[0],
            "error:1: the file looks like JSON: 1 of 1 lines are no entries of a Procfile"
        );
        let env = "A=1\nB=2\nexport C=3\nD=4\n";
        assert_eq!(
            told(env),
            ["error:1: the file looks like a `.env` file: 4 of 4 lines are no entries of a Procfile"]
        );
    }

    #[test]
    fn s1_4_lines_that_are_the_only_ones_are_the_reason_why_nothing_is_defined() {
        assert_eq!(told("web:\n"), ["error:1: `web` has no command"]);
        assert_eq!(told("web:\nworker:\n"), ["error:1: `web` has no command", "error:2: `worker` has no command"]);
        assert_eq!(told("npm start\n"), ["error:1: `npm start` has no process type"]);
        let lines = "p1 true\n".repeat(1000);
        assert_eq!(told(&lines), ["error:1: 1000 of 1000 lines are no entries of a Procfile"]);
        assert_eq!(told("# nothing\n"), ["error:1: no process type is defined"]);
        let conflicts = told(&"=======\n".repeat(1200));
        assert_eq!(conflicts.last().unwrap(), "error:101: 1100 more problems from here on");
    }

    #[test]
    fn a_file_of_nothing_known_is_told_in_one_sentence_too_but_its_entries_are_used() {
        let text = "web: a\nlorem ipsum dolor\nsit amet\nconsectetur elit\nsed do\n";

        assert_eq!(told(text), ["warning:2: 4 of 5 lines are no entries of a Procfile"]);
        assert_eq!(entries(text), [entry("web", "a", 1)]);
    }

    #[test]
    fn lines_below_a_key_without_a_command_invent_no_process_type() {
        let text = "web:\n  command: npm start\n# c\n\n  env: x\nworker: y\n";

        assert_eq!(entries(text), [entry("worker", "y", 6)]);
    }

    #[test]
    fn a_continued_command_is_left_out_with_all_of_its_lines() {
        let text = "web: gunicorn \\\n  --bind: x \\\n  app:app\nworker: y\n";

        assert_eq!(entries(text), [entry("worker", "y", 4)]);
        assert_eq!(
            told(text),
            [
                "warning:1: the command of `web` ends in a backslash, and lines are not joined",
                "warning:2: `--bind: x \\` continues line 1, and lines are not joined",
                "warning:3: `app:app` continues line 1, and lines are not joined",
            ]
        );
    }

    #[test]
    fn a_file_without_entries_is_an_error() {
        for text in ["", "\n", "# web: x\n"] {
            assert_eq!(told(text), ["error:1: no process type is defined"]);
        }
    }

    #[test]
    fn hundred_thousands_of_bad_lines_give_a_page_of_problems() {
        let problems = told(&"x\nweb: y\nweb: z\n".repeat(100_000));

        assert_eq!(problems.len(), 101);
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ \t]{0,2}[a-z.:-]{0,5}[ \t]?:?[ \t]{0,2}[a-z$%#=\\\\'\"{}<>|-]{0,8}[ \t\r]{0,2}",
            "(web|worker|release|css): [a-z ./$-]{1,12}",
            "(#|=======|<<<<<<<|---|- |heroku |\\{%).{0,6}",
            ".{0,12}",
        ]
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Procfile::parse(&bytes);
        }

        #[test]
        fn every_line_is_an_entry_blank_a_comment_or_a_problem(lines in proptest::collection::vec(line(), 0..7)) {
            let text = lines.join("\n");
            let Ok(procfile) = Procfile::parse(text.as_bytes()) else { return Ok(()) };
            if procfile.problems.iter().any(|problem| problem.message.contains("lines are no entries")) {
                return Ok(());
            }

            for (index, line) in text.trim_start_matches('\u{feff}').split('\n').enumerate() {
                let line = line.trim_matches([' ', '\t', '\r']);
                let ignored = line.is_empty() || line.starts_with('#');
                let read = procfile.entries().iter().any(|entry| entry.line == index + 1);
                // The first of two definitions is named in the problem of the second.
                let named = |problem: &Problem| problem.message.contains(&format!("on line {} ", index + 1));
                let told = procfile.problems.iter().any(|problem| problem.line == index + 1 || named(problem));
                prop_assert!(ignored || read || told, "{:?} is passed over", line);
            }
        }

        #[test]
        fn entries_written_out_are_read_as_the_same(lines in proptest::collection::vec(line(), 0..7)) {
            let Ok(procfile) = Procfile::parse(lines.join("\n").as_bytes()) else { return Ok(()) };

            let written: Vec<u8> = procfile.entries().iter().flat_map(ProcfileEntry::write_entry).collect();

            let shown = |procfile: &Procfile| -> Vec<_> {
                procfile.entries.iter().map(|entry| (entry.process_type.clone(), entry.command.clone())).collect()
            };
            prop_assert_eq!(shown(&Procfile::parse(&written).unwrap()), shown(&procfile));
        }
    }
}
