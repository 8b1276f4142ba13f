//! Messages about `.env` values that were read but may not be what the user meant.
//!
//! It decides nothing: `value` and `reference` find the doubts. Messages never contain a value.

use super::reference::Doubt;
use crate::app::text::problem::{Problem, Severity};
use crate::app::text::source::shortened;

/// The message for a doubt about the value of `key`, whose entry begins on line `line`.
pub(crate) fn doubtful_value(line: usize, key: &str, doubt: &Doubt) -> Problem {
    let (severity, message, hint) = match doubt {
        // The name may be part of a password that contains `${`, but without it the mistake is hard to find.
        Doubt::Unset(name) => {
            let name = shortened(name);
            (
                Severity::Warning,
                format!("`{key}` refers to the unset variable `{name}`, treated as empty"),
                format!("write `${{{name}:-default}}`, or put single quotes around the value to keep `${{` as it is"),
            )
        }
        Doubt::OtherForm => (
            Severity::Warning,
            format!("`{key}` has a `${{` that is not `${{NAME}}` or `${{NAME:-default}}`; kept as it is"),
            "put single quotes around the value to keep `${` as text; quote a default that has an unmatched brace"
                .to_owned(),
        ),
        Doubt::CarriageReturn => (
            Severity::Warning,
            format!("`{key}` has a carriage return in its value"),
            "save the file with LF line endings".to_owned(),
        ),
        Doubt::CommentInQuote => (
            Severity::Defect,
            format!("`{key}` has an open quote before `#`, and the rest of the line is read as a comment"),
            "put quotes around the whole value".to_owned(),
        ),
        Doubt::CommentInReference => (
            Severity::Defect,
            format!("`{key}` has an open `${{` before `#`, and the rest of the line is read as a comment"),
            "put double quotes around the whole value".to_owned(),
        ),
        Doubt::BackslashBeforeQuote => (
            Severity::Warning,
            format!("`{key}` ends at the quote after a backslash, and the rest of the line is read as a comment"),
            r#"to put a quote inside the value, write it as `\"` in double quotes"#.to_owned(),
        ),
    };
    Problem::new(severity, line, message, hint).about(key)
}
