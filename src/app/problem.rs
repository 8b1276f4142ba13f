//! What is wrong with a file of the user: one type for all readers.
//!
//! A problem names line and key and says what is wrong and what to write instead. It never holds a value of
//! a `.env` file. The file's name is added by the caller, who prints `error: FILE:LINE: FACT` and the hint.

/// How grave a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The line was read; `start` and `check` only mention it.
    Warning,
    /// Something the user wrote has no effect: `start` warns and goes on without it, `check` fails (S1.4, S1.5, S2.6).
    Defect,
    /// The file cannot be used: nothing starts (S11: 78).
    Error,
}

impl Severity {
    /// Whether `check` fails because of it.
    #[must_use]
    pub fn fails_check(self) -> bool {
        match self {
            Self::Warning => false,
            Self::Defect | Self::Error => true,
        }
    }
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How grave it is.
    pub severity: Severity,
    /// 1-based line it begins on; 1 for the file as a whole.
    pub line: usize,
    /// The process type or variable it is about.
    pub key: Option<String>,
    /// The fact: lowercase, no full stop.
    pub message: String,
    /// What to do about it. Never empty.
    pub hint: String,
}

impl Problem {
    /// A problem without a key.
    pub(crate) fn new(severity: Severity, line: usize, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { severity, line, key: None, message: message.into(), hint: hint.into() }
    }

    /// The same problem, about this process type or variable.
    pub(crate) fn about(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// The same problem, where it makes the file unusable.
    pub(crate) fn grave(self) -> Self {
        Self { severity: Severity::Error, ..self }
    }
}

/// Collects the problems of one file, so that a file of 16 MiB of nonsense gives a page, not a gigabyte.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    listed: Vec<Problem>,
    left_out: usize,
    /// Where the first one left out is, and the gravest of them.
    first_left_out: Option<(usize, Severity)>,
}

impl Problems {
    /// Most problems of one file that are listed: more than fit a screen help nobody. Errors are always listed
    /// up to ten times as many.
    pub(crate) const MAX_LISTED: usize = 100;

    /// Adds one.
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

    /// Adds those of another list. What it left out stays left out.
    pub(crate) fn append(&mut self, other: Self) {
        other.listed.into_iter().for_each(|problem| self.push(problem));
        if let Some((line, gravest)) = other.first_left_out {
            self.leave_out(other.left_out, line, gravest);
        }
    }

    /// All of them, where they make the file unusable.
    pub(crate) fn grave(mut self) -> Self {
        self.listed = self.listed.into_iter().map(Problem::grave).collect();
        self.first_left_out = self.first_left_out.map(|(line, _)| (line, Severity::Error));
        self
    }

    /// Counts problems that are not listed. `line`: where the first of them is; `severity`: that of the gravest.
    pub(crate) fn leave_out(&mut self, count: usize, line: usize, severity: Severity) {
        self.left_out += count;
        let (first, gravest) = self.first_left_out.unwrap_or((line, severity));
        self.first_left_out = Some((first.min(line), gravest.max(severity)));
    }

    /// Whether one of them makes the file unusable.
    pub(crate) fn has_error(&self) -> bool {
        let left_out = self.first_left_out.is_some_and(|(_, gravest)| gravest == Severity::Error);
        left_out || self.listed.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// All of them in the order of the lines, the last one saying how many are not listed.
    pub(crate) fn into_list(mut self) -> Vec<Problem> {
        self.listed.sort_by_key(|problem| problem.line);
        if let Some((line, severity)) = self.first_left_out {
            let problems = if self.left_out == 1 { "problem" } else { "problems" };
            let message = format!("{} more {problems} from here on", self.left_out);
            self.listed.push(Problem::new(severity, line, message, "mend the first ones and look again"));
        }
        self.listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(line: usize) -> Problem {
        Problem::new(Severity::Warning, line, "odd", "mend it")
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
        assert_eq!(listed[100].message, "2 more problems from here on");
        assert_eq!(listed[100].line, 101);
    }

    #[test]
    fn what_a_list_left_out_is_counted_in_the_list_it_is_added_to() {
        let (mut problems, mut others) = (Problems::default(), Problems::default());
        problems.push(warning(1));
        (2..=103).for_each(|line| others.push(warning(line)));

        problems.append(others);

        let listed = problems.into_list();
        assert_eq!((listed[100].line, listed[100].message.as_str()), (101, "3 more problems from here on"));
    }

    #[test]
    fn problems_come_in_the_order_of_the_lines() {
        let mut problems = Problems::default();

        problems.push(warning(7));
        problems.push(warning(2));

        assert_eq!(problems.into_list().iter().map(|problem| problem.line).collect::<Vec<_>>(), [2, 7]);
    }
}
