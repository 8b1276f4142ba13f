//! What all parts of `app.json` have in common: which values have another shape than expected.

use super::json_value::{JsonMember, JsonValue};
use crate::app::text::problem::{Problem, Problems, Severity};

/// Collects the problems while the file is read.
#[derive(Debug, Default)]
pub(super) struct AppJsonReader {
    problems: Problems,
}

impl AppJsonReader {
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_list()
    }

    /// The members of the object at a key of the file.
    pub(super) fn members<'t>(&mut self, key: &str, value: JsonValue<'t>, hint: &str) -> Vec<JsonMember<'t>> {
        if let Some(members) = value.members() {
            return members;
        }
        if !value.is_null() {
            self.refuse_value(value, key, &format!("`{key}`"), "an object", hint);
        }
        Vec::new()
    }

    /// The value of this member is of another kind than expected.
    pub(super) fn refuse(&mut self, member: &JsonMember<'_>, what: &str, expected: &str, hint: &str) {
        let message = format!("{what} is {}, not {expected}", member.value.kind());
        self.problems.push(Problem::new(Severity::Error, member.line, message, hint).about(&member.name));
    }

    /// The same for a value without a name of its own.
    pub(super) fn refuse_value(&mut self, value: JsonValue<'_>, key: &str, what: &str, expected: &str, hint: &str) {
        let message = format!("{what} is {}, not {expected}", value.kind());
        self.problems.push(Problem::new(Severity::Error, value.line(), message, hint).about(key));
    }

    /// The value of this member is of the right kind, but cannot be used.
    pub(super) fn refuse_text(&mut self, member: &JsonMember<'_>, message: &str, hint: &str) {
        self.problems.push(Problem::new(Severity::Error, member.line, message, hint).about(&member.name));
    }

    /// The value at this line is only listed, and cannot be.
    pub(super) fn skip(&mut self, (line, key): (usize, &str), message: String, hint: &str) {
        self.problems.push(Problem::new(Severity::Defect, line, message, hint).about(key));
    }
}
