//! The problems of a file that the user wrote, in one type for all parsers.
//!
//! A problem has a severity, a line, a fact and a hint, and may name a key. It never contains a value from a
//! `.env` file. The caller adds the name of the file and prints `error: FILE:LINE: FACT` and the hint.

/// The severity of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The line is used; `start` and `check` only mention the problem.
    Warning,
    /// Something the user wrote has no effect: `start` warns and goes on without it, `check` fails (S1.4, S1.5, S2.6).
    Defect,
    /// The file cannot be used: nothing starts (`Status::Config`).
    Error,
}

impl Severity {
    /// Whether `check` fails because of such a problem.
    #[must_use]
    pub fn fails_check(self) -> bool {
        match self {
            Self::Warning => false,
            Self::Defect | Self::Error => true,
        }
    }
}

/// One problem of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its severity.
    pub severity: Severity,
    /// 1-based line it begins on; 1 for the file as a whole.
    pub line: usize,
    /// The process type or variable that it concerns.
    pub key: Option<String>,
    /// The fact: lowercase, no full stop.
    pub message: String,
    /// What to do about it; never empty.
    pub hint: String,
}

impl Problem {
    /// A problem without a key.
    pub(crate) fn new(severity: Severity, line: usize, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { severity, line, key: None, message: message.into(), hint: hint.into() }
    }

    /// The same problem, concerning this process type or variable.
    pub(crate) fn about(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// The same problem as an error.
    pub(crate) fn into_error(self) -> Self {
        Self { severity: Severity::Error, ..self }
    }
}

/// Collects the problems of one file, but only a limited number, so that 16 MiB of nonsense do not produce a gigabyte
/// of messages.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    listed: Vec<Problem>,
    left_out: usize,
    /// The line of the first problem that was left out, and the highest severity of those left out.
    first_left_out: Option<(usize, Severity)>,
}

impl Problems {
    /// Maximum number of problems that are listed for one file; more would not help the user. For errors the limit is
    /// ten times as high.
    pub(crate) const MAX_LISTED: usize = 100;

    /// Adds a problem.
    pub(crate) fn push(&mut self, problem: Problem) {
        let room = match problem.severity {
            Severity::Warning | Severity::Defect => Self::MAX_LISTED,
            Severity::Error => Self::MAX_LISTED * 10,
        };
        if self.listed.len() < room {
            self.listed.push(problem);
            return;
        }
        self.leave_out(1, problem.line, problem.severity);
    }

    /// Adds the problems of another list. Those that it left out stay left out.
    pub(crate) fn append(&mut self, other: Self) {
        other.listed.into_iter().for_each(|problem| self.push(problem));
        if let Some((line, highest)) = other.first_left_out {
            self.leave_out(other.left_out, line, highest);
        }
    }

    /// The same problems as errors.
    pub(crate) fn into_errors(mut self) -> Self {
        self.listed = self.listed.into_iter().map(Problem::into_error).collect();
        self.first_left_out = self.first_left_out.map(|(line, _)| (line, Severity::Error));
        self
    }

    /// Counts problems that are not listed. `line`: that of the first of them; `severity`: the highest among them.
    pub(crate) fn leave_out(&mut self, count: usize, line: usize, severity: Severity) {
        self.left_out += count;
        let (first, highest) = self.first_left_out.unwrap_or((line, severity));
        self.first_left_out = Some((first.min(line), highest.max(severity)));
    }

    /// Whether at least one of them is an error.
    pub(crate) fn has_error(&self) -> bool {
        let left_out = self.first_left_out.is_some_and(|(_, highest)| highest == Severity::Error);
        left_out || self.listed.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The problems in the order of their lines. If some are not listed, the last one says how many.
    pub(crate) fn into_list(mut self) -> Vec<Problem> {
        self.listed.sort_by_key(|problem| problem.line);
        if let Some((line, severity)) = self.first_left_out {
            let problems = if self.left_out == 1 { "problem" } else { "problems" };
            let message = format!("and {} more {problems}", self.left_out);
            self.listed.push(Problem::new(severity, line, message, "fix the first ones and run `dyno check` again"));
        }
        self.listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(line: usize) -> Problem {
        Problem::new(Severity::Warning, line, "odd", "fix it")
    }

    #[test]
    fn defects_and_errors_fail_check() {
        assert!(Severity::Defect.fails_check() && Severity::Error.fails_check() && !Severity::Warning.fails_check());
    }

    #[test]
    fn the_hundred_and_first_problem_is_counted_instead_of_listed() {
        let mut problems = Problems::default();

        (1..=102).for_each(|line| problems.push(warning(line)));

        let listed = problems.into_list();
        assert_eq!(listed.len(), 101);
        assert_eq!(listed[100].message, "and 2 more problems");
        assert_eq!(listed[100].line, 101);
    }

    #[test]
    fn appending_a_list_adds_the_number_of_problems_it_left_out() {
        let (mut problems, mut others) = (Problems::default(), Problems::default());
        problems.push(warning(1));
        (2..=103).for_each(|line| others.push(warning(line)));

        problems.append(others);

        let listed = problems.into_list();
        assert_eq!((listed[100].line, listed[100].message.as_str()), (101, "and 3 more problems"));
    }

    #[test]
    fn problems_are_sorted_by_line() {
        let mut problems = Problems::default();

        problems.push(warning(7));
        problems.push(warning(2));

        assert_eq!(problems.into_list().iter().map(|problem| problem.line).collect::<Vec<_>>(), [2, 7]);
    }
}
