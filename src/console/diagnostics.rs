//! Lines on stderr: `error:`, `warning:`, `note:`, their `hint:`, and plain lines.
//!
//! Only a smoke test also writes its log and result there. Never blocks forever and never panics: stderr may be closed, or
//! be a stopped terminal that it shares with stdout.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{IsTerminal, stderr};

use console::{Style, colors_enabled_stderr, set_colors_enabled_stderr};

use super::color;
use crate::error::{Complaint, Error, Status};
use crate::project::Findings;
use crate::runtime::write_diagnostics;

/// The rule for colours is that of the log (S7.2), applied to stderr.
pub(crate) fn choose_color(choice: clap::ColorChoice) {
    set_colors_enabled_stderr(color::is_wanted(choice, |name| std::env::var(name).ok(), stderr().is_terminal()));
}

/// Shows an error: each fact, a blank line, its hint.
pub fn show_error(error: &Error) {
    error.complaints().iter().for_each(show_complaint);
}

/// The same for errors that another process has found.
pub(crate) fn show_all(complaints: impl Iterator<Item = Complaint>) {
    complaints.for_each(|complaint| show_complaint(&complaint));
}

/// Shows one of the complaints of an error.
pub(crate) fn show_complaint(complaint: &Complaint) {
    show(&Style::new().red().bold(), "error", complaint, "\n");
}

/// Shows a warning: the fact and the hint right below it, since several may follow each other.
pub(crate) fn warn(complaint: &Complaint) {
    show(&Style::new().yellow().bold(), "warning", complaint, "");
}

/// Shows what the user may want to know.
pub(crate) fn note(complaint: &Complaint) {
    show_finding(false, complaint);
}

/// Shows the warnings about the files of an app.
///
/// # Errors
/// Everything that makes a file unusable.
pub(crate) fn settle(findings: &Findings) -> Result<(), Error> {
    findings.warnings().for_each(|complaint| warn(&complaint));
    findings.error().map_or(Ok(()), Err)
}

/// The same for what was read from the files. None: the findings contain the reason.
pub(crate) fn settled<T>(read: Option<T>, findings: &Findings) -> Result<T, Error> {
    settle(findings)?;
    read.ok_or_else(|| Error::all(Status::Config, []))
}

/// Shows a finding of a check: an error, or a note that does not fail the check.
pub(crate) fn show_finding(fails: bool, complaint: &Complaint) {
    if fails {
        show(&Style::new().red().bold(), "error", complaint, "");
    } else {
        show(&Style::new().cyan().bold(), "note", complaint, "");
    }
}

/// Shows a line that is neither an error nor a warning.
pub(crate) fn print_line(line: &str) {
    put(&format!("{}\n", visible(line)));
}

/// The text with its control characters written out, such as `\n` or `\u{1b}`. A message can quote what the user typed or
/// the name of a file; that must not control the terminal or look like another message.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_debug());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

fn show(style: &Style, label: &str, complaint: &Complaint, before_hint: &str) {
    let colored = colors_enabled_stderr();
    let label = style.clone().force_styling(colored).apply_to(label);
    let mut text = format!("{label}: {}\n", visible(&complaint.fact));
    if !complaint.hint.is_empty() {
        let hint = Style::new().cyan().force_styling(colored).apply_to("hint");
        let _ = writeln!(text, "{before_hint}{hint}: {}", visible(&complaint.hint));
    }
    put(&text);
}

fn put(text: &str) {
    write_diagnostics(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_in_a_message_are_written_out() {
        assert_eq!(visible("`a\u{1b}[2J\nerror: b\t\u{9b}`"), "`a\\u{1b}[2J\\nerror: b\\t\\u{9b}`");
        assert_eq!(visible("plain `\"'\\ é 日`"), "plain `\"'\\ é 日`");
    }
}
