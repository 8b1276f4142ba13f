//! All problems of the files of an app, collected before any of them is shown.
//!
//! `start`, `run` and `config` show all of them at once and go on if no file is unusable; `check` prints them as its
//! result. The readers in `app` find the problems. Nothing is shown here.

use crate::app::{Problem, Severity};
use crate::error::{Complaint, Error, Status};

/// Maximum number of findings of one kind: a list of several screens does not help, and a file of 16 MiB may cause a
/// million.
const MAX_OF_ONE_KIND: usize = 100;

/// One problem of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// If it is an error, the status of the start that it prevents.
    pub(crate) status: Status,
    /// Its name as shown to the user. Empty: it is about the command line or the system.
    pub(crate) file: String,
    /// 1-based; None: the file as a whole.
    pub(crate) line: Option<usize>,
    /// The message is a whole sentence. Otherwise, without a line, it continues after the name of the file.
    pub(crate) is_sentence: bool,
    /// The process type or variable it is about.
    pub(crate) key: Option<String>,
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl Finding {
    /// A problem of a line, or of a file as a whole: then the message continues after its name.
    pub(crate) fn new(
        severity: Severity,
        file: impl Into<String>,
        line: impl Into<Option<usize>>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let (file, line) = (file.into(), line.into());
        let is_sentence = line.is_some();
        let status = Status::Config;
        Self { severity, status, file, line, is_sentence, key: None, message: message.into(), hint: hint.into() }
    }

    /// The same problem, with a message that does not need the name of the file before it.
    pub(crate) fn in_a_sentence(self) -> Self {
        Self { is_sentence: true, ..self }
    }

    /// The same problem, for which a start ends with a status other than [`Status::Config`].
    pub(crate) fn with_status(self, status: Status) -> Self {
        Self { status, ..self }
    }

    /// The same problem, about this process type or variable.
    pub(crate) fn about(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// The text to show.
    pub(crate) fn complaint(&self) -> Complaint {
        let fact = match self.line {
            Some(line) => format!("{}:{line}: {}", self.file, self.message),
            None if self.is_sentence => self.message.clone(),
            None => format!("{} {}", self.file, self.message),
        };
        Complaint::new(fact, self.hint.clone())
    }
}

/// All findings, in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    /// Adds the problems that a reader found in a file.
    pub(crate) fn add(&mut self, file: &str, problems: &[Problem]) {
        self.0.extend(problems.iter().cloned().map(|Problem { severity, line, key, message, hint }| Finding {
            key,
            ..Finding::new(severity, file, line, message, hint)
        }));
    }

    /// Adds a problem of a file as a whole, such as `does not exist`.
    pub(crate) fn add_file(&mut self, severity: Severity, file: &str, message: &str, hint: &str) {
        self.push(Finding::new(severity, file, None, message, hint));
    }

    pub(crate) fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// Adds all findings of another step.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Adds a warning about the command line.
    pub(crate) fn warn(&mut self, Complaint { fact, hint }: Complaint) {
        self.push(Finding::new(Severity::Warning, "", None, fact, hint).in_a_sentence());
    }

    /// The value, or None: its error is one of the findings.
    pub(crate) fn accept<T>(&mut self, value: Result<T, Error>) -> Option<T> {
        value.map_err(|error| self.refuse(&error)).ok()
    }

    /// Adds an error that no line of a file explains.
    pub(crate) fn refuse(&mut self, error: &Error) {
        for Complaint { fact, hint } in error.complaints() {
            let finding = Finding::new(Severity::Error, "", None, fact, hint).in_a_sentence();
            self.push(finding.with_status(error.status()));
        }
    }

    /// Adds the findings of one kind in one file, and counts those beyond the limit.
    pub(crate) fn push_limited(&mut self, of_one_kind: impl IntoIterator<Item = Finding>) {
        let mut findings = of_one_kind.into_iter();
        self.0.extend(findings.by_ref().take(MAX_OF_ONE_KIND));
        if let Some(Finding { severity, file, line, .. }) = findings.next() {
            let message = format!("and {} more like this", 1 + findings.count());
            self.push(Finding::new(severity, file, line, message, "fix the first ones and run `dyno check` again"));
        }
    }

    /// Sorts by file, in the order the files were read, then by line.
    pub(crate) fn sort_by_line(&mut self) {
        let mut files: Vec<String> = Vec::new();
        for finding in &self.0 {
            if !files.contains(&finding.file) {
                files.push(finding.file.clone());
            }
        }
        let place = |finding: &Finding| files.iter().position(|file| *file == finding.file);
        self.0.sort_by_key(|finding| (place(finding), finding.line));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }

    /// Whether an invalid line of `.foreman` may have named the Procfile.
    pub(crate) fn may_hide_procfile(&self, foreman_file: &str) -> bool {
        let names_it = |key: &String| key == "procfile" || key == "root";
        self.iter().any(|finding| {
            let is_error = finding.severity == Severity::Error && finding.file == foreman_file;
            is_error && finding.key.as_ref().is_none_or(names_it)
        })
    }

    /// The text of those that leave the files usable.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = Complaint> {
        self.iter().filter(|finding| finding.severity != Severity::Error).map(Finding::complaint)
    }

    /// Whether one of them prevents a start.
    pub(crate) fn prevent_start(&self) -> bool {
        self.errors().next().is_some()
    }

    /// The error with everything that prevents a start, and the status of the first. None: nothing does.
    pub(crate) fn error(&self) -> Option<Error> {
        let status = self.errors().next()?.status;
        Some(Error::all(status, self.errors().map(Finding::complaint)))
    }

    fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.iter().filter(|finding| finding.severity == Severity::Error)
    }
}
