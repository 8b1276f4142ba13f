//! Guesses what kind of file was passed as a Procfile, if it is not a Procfile.
//!
//! One message about the file is more helpful than forty about its lines. The guess uses the first line that is not blank,
//! the key `services`, and the first rejected line that is a clue: conflict markers and keys such as `web:` are not.
//! `line` decides which lines are rejected.

use super::RejectedLine;
use super::line::InvalidLine;
use crate::app::text::source::{first_word, trim};

const YAML: &str = "YAML";

/// What a file may be instead of a Procfile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ForeignFile {
    /// Completes the sentence `the file looks like …`.
    pub(crate) kind: &'static str,
    /// Whether this is beyond doubt even for a file of a few lines.
    pub(crate) is_certain: bool,
}

impl ForeignFile {
    /// `first`: the first line that is not blank. `rejected`: the first lines that are not entries.
    pub(crate) fn guess(first: &[u8], rejected: &[RejectedLine<'_>]) -> Option<Self> {
        let is_key = |line: &&RejectedLine<'_>| matches!(line.kind, InvalidLine::EmptyCommand { .. });
        let begins_as = begins_as(trim(first));
        let mut telling = rejected.iter().filter(|line| !is_key(line) && line.kind != InvalidLine::ConflictMarker);
        let suggested = telling.next().and_then(suggested_by);
        let has_services = || rejected.iter().any(|line| line.kind == InvalidLine::EmptyCommand { name: b"services" });
        let is_compose = suggested == Some(YAML) && has_services();
        let kind = begins_as.or(is_compose.then_some("a docker-compose file")).or(suggested)?;
        // A line such as `image: nginx` or `- name` below a key cannot be meant as a command.
        let has_nested_keys =
            || rejected.iter().skip_while(|line| !is_key(line)).any(|line| suggested_by(line) == Some(YAML));
        Some(Self { kind, is_certain: begins_as.is_some() || has_nested_keys() })
    }
}

/// The kind of file that begins like that.
fn begins_as(first: &[u8]) -> Option<&'static str> {
    match first {
        [b'[', rest @ .., b']']
            if rest.strip_prefix(b"[").unwrap_or(rest).first().is_some_and(u8::is_ascii_alphabetic) =>
        {
            Some("a TOML or INI file")
        }
        [b'{' | b'[', rest @ ..] if !rest.starts_with(b"%") && !rest.starts_with(b"{") => Some("JSON"),
        [b'#', b'!', ..] => Some("a script"),
        [b'<', b'!' | b'?' | b'a'..=b'z', ..] => Some("XML or HTML"),
        _ => None,
    }
}

/// The kind of file in which such a line is typical.
fn suggested_by(rejected: &RejectedLine<'_>) -> Option<&'static str> {
    let text = rejected.line.text;
    let body = trim(text);
    let (word, _) = first_word(body);
    match rejected.kind {
        // Recipes of a Makefile are indented with tabs, YAML never is.
        InvalidLine::Yaml { .. } if text.starts_with(b"\t") => Some("a Makefile"),
        InvalidLine::Yaml { opens_block: true } => Some(YAML),
        InvalidLine::Yaml { opens_block: false } if word.ends_with(b":") || matches!(word, b"-" | b"---" | b"...") => {
            Some(YAML)
        }
        InvalidLine::Yaml { opens_block: false } => Some("plain text"),
        InvalidLine::Template => Some("a template"),
        InvalidLine::Assignment { .. } => Some("a `.env` file"),
        InvalidLine::ConflictMarker
        | InvalidLine::HerokuCommand
        | InvalidLine::MissingColon
        | InvalidLine::InvalidName { .. }
        | InvalidLine::NameWithColon { .. }
        | InvalidLine::EmptyCommand { .. }
        | InvalidLine::Continued { .. } => match word {
            b"FROM" | b"ARG" => Some("a Dockerfile"),
            b"set" | b"if" | b"for" | b"while" | b"case" | b"cd" | b"echo" | b"exec" | b"source" | b"trap" => {
                Some("a shell script")
            }
            _ if body.ends_with(b";") || body.ends_with(b"{") => Some("source code"),
            _ => None,
        },
    }
}
