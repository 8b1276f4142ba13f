//! The words for a value of a `.env` file that was read but may not be meant so.
//!
//! It decides nothing: `env_value` and `env_reference` find the doubts. No message shows a value.

use super::env_reference::Doubt;
use super::problem::{Problem, Severity};
use super::source_text::shortened;

/// What is doubtful about the value of `key`, which begins on line `line`.
pub(crate) fn doubtful(line: usize, key: &str, doubt: &Doubt) -> Problem {
    let (severity, message, hint) = match doubt {
        // The name may be part of a password that has `${` in it, but without it the mistake is hard to find.
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
            format!("`{key}` has a `${{` that is not `${{NAME}}` or `${{NAME:-default}}`; it is kept"),
            "put single quotes around the value to keep it, or quotes around a default with a lone brace".to_owned(),
        ),
        Doubt::CarriageReturn => (
            Severity::Warning,
            format!("`{key}` has a carriage return in its value"),
            "save the file with newlines as line ends".to_owned(),
        ),
        Doubt::CommentInQuote => (
            Severity::Defect,
            format!("`{key}` has an open quote before `#`, and the rest of the line is read as a comment"),
            "put quotes around the whole value".to_owned(),
        ),
        Doubt::BackslashBeforeQuote => (
            Severity::Warning,
            format!("`{key}` ends at the quote after a backslash, and the rest of the line is read as a comment"),
            "only double quotes know escapes; put the value into those if it was meant to go on".to_owned(),
        ),
    };
    Problem::new(severity, line, message, hint).about(key)
}
