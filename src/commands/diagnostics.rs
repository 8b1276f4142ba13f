//! Lines on stderr: `error:`, `warning:`, `note:`, their `hint:`, and plain lines.
//!
//! Only a smoke also writes its log and its result there. Never blocks forever and never panics: stderr may be closed, or
//! be a stopped terminal that it shares with stdout.

use std::fmt::Write as _;
use std::io::{IsTerminal, stderr};

use console::{Style, colors_enabled_stderr, set_colors_enabled_stderr};

use super::color;
use crate::error::{Complaint, Error};
use crate::runtime::write_last_words;

/// The rule for colours is that of the log (S7.2), applied to stderr.
pub(super) fn choose_color(choice: clap::ColorChoice) {
    set_colors_enabled_stderr(color::is_wanted(choice, |name| std::env::var(name).ok(), stderr().is_terminal()));
}

/// Shows an error: each fact, a blank line, its hint.
pub fn show_error(error: &Error) {
    for complaint in error.complaints() {
        show(&Style::new().red().bold(), "error", complaint, "\n");
    }
}

/// Shows a warning: the fact and the hint right below it, since several may follow each other.
pub(super) fn warn(complaint: &Complaint) {
    show(&Style::new().yellow().bold(), "warning", complaint, "");
}

/// Shows a finding of a check: an error, or a note that does not fail the check.
pub(super) fn show_finding(fails: bool, complaint: &Complaint) {
    if fails {
        show(&Style::new().red().bold(), "error", complaint, "");
    } else {
        show(&Style::new().cyan().bold(), "note", complaint, "");
    }
}

/// Shows a line that is neither an error nor a warning.
pub(super) fn tell(line: &str) {
    put(&format!("{line}\n"));
}

fn show(style: &Style, label: &str, complaint: &Complaint, before_hint: &str) {
    let colored = colors_enabled_stderr();
    let label = style.clone().force_styling(colored).apply_to(label);
    let mut text = format!("{label}: {}\n", complaint.fact);
    if !complaint.hint.is_empty() {
        let hint = Style::new().cyan().force_styling(colored).apply_to("hint");
        let _ = writeln!(text, "{before_hint}{hint}: {}", complaint.hint);
    }
    put(&text);
}

fn put(text: &str) {
    write_last_words(text.as_bytes());
}
