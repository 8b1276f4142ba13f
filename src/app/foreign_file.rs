//! What a file looks like that was given as a Procfile and is not one.
//!
//! One sentence about the file helps more than forty about its lines. It is a guess from the first line, the first line that
//! is not an entry, and the key `services`. Which lines are entries is decided in `procfile_line`.

use super::procfile_line::Unreadable;
use super::source_text::{first_word, trim};

/// What is known of the file so far.
#[derive(Debug, Default)]
pub(crate) struct ForeignFile {
    /// Lines that are not entries.
    pub(crate) unreadable: usize,
    conflict_markers: usize,
    /// Whether a line was seen that is not blank, and what a file is that begins like that.
    begun: bool,
    begins_as: Option<&'static str>,
    /// Whether a line was seen that suggests a kind of file, or none, and which.
    judged: bool,
    suggested: Option<&'static str>,
    keys: Keys,
    /// `image: nginx` or `- name` below a key: nobody writes a command there.
    has_nested_keys: bool,
}

/// Lines such as `web:`: keys of YAML if there is YAML below them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Keys {
    #[default]
    None,
    Some,
    /// `services:` is among them.
    Services,
}

const YAML: &str = "YAML";

impl ForeignFile {
    /// Looks at a line, whatever it is.
    pub(crate) fn see(&mut self, text: &[u8]) {
        let body = trim(text);
        if body.is_empty() || self.begun {
            return;
        }
        self.begun = true;
        self.begins_as = match body {
            [b'[', rest @ .., b']']
                if rest.strip_prefix(b"[").unwrap_or(rest).first().is_some_and(u8::is_ascii_alphabetic) =>
            {
                Some("a TOML or INI file")
            }
            [b'{' | b'[', rest @ ..] if !rest.starts_with(b"%") && !rest.starts_with(b"{") => Some("JSON"),
            [b'#', b'!', ..] => Some("a script"),
            [b'<', b'!' | b'?' | b'a'..=b'z', ..] => Some("XML or HTML"),
            _ => None,
        };
    }

    /// Adds a line that is not an entry.
    pub(crate) fn add(&mut self, text: &[u8], unreadable: &Unreadable<'_>) {
        self.unreadable += 1;
        match unreadable {
            Unreadable::ConflictMarker => self.conflict_markers += 1,
            Unreadable::EmptyCommand { name: b"services" } => self.keys = Keys::Services,
            Unreadable::EmptyCommand { .. } if self.keys == Keys::None => self.keys = Keys::Some,
            Unreadable::EmptyCommand { .. } => {}
            Unreadable::Yaml { .. }
            | Unreadable::Template
            | Unreadable::HerokuCommand
            | Unreadable::Assignment { .. }
            | Unreadable::MissingColon
            | Unreadable::InvalidName { .. }
            | Unreadable::NameWithColon { .. }
            | Unreadable::Continued { .. } => {
                let suggested = suggested_by(text, unreadable);
                self.has_nested_keys |= self.keys != Keys::None && suggested == Some(YAML);
                if !self.judged {
                    self.judged = true;
                    self.suggested = suggested;
                }
            }
        }
    }

    /// Whether every line that could not be read is a merge conflict marker: then the file is a Procfile.
    pub(crate) fn is_conflict(&self) -> bool {
        self.conflict_markers == self.unreadable
    }

    /// Whether the guess is beyond doubt even for a file of a few lines.
    pub(crate) fn is_certain(&self) -> bool {
        self.begins_as.is_some() || self.has_nested_keys
    }

    /// What the file is, as the end of `the file looks like …`.
    pub(crate) fn guess(&self) -> Option<&'static str> {
        let compose = (self.keys == Keys::Services && self.suggested == Some(YAML)).then_some("a docker-compose file");
        self.begins_as.or(compose).or(self.suggested)
    }
}

/// The kind of file that has a line like this.
fn suggested_by(text: &[u8], unreadable: &Unreadable<'_>) -> Option<&'static str> {
    let body = trim(text);
    let (word, _) = first_word(body);
    match unreadable {
        // YAML is never indented by tabs, recipes are.
        Unreadable::Yaml { .. } if text.starts_with(b"\t") => Some("a Makefile"),
        Unreadable::Yaml { opens_block: true } => Some(YAML),
        Unreadable::Yaml { opens_block: false } if word.ends_with(b":") || matches!(word, b"-" | b"---" | b"...") => {
            Some(YAML)
        }
        Unreadable::Yaml { opens_block: false } => Some("plain text"),
        Unreadable::Template => Some("a template"),
        Unreadable::Assignment { .. } => Some("a `.env` file"),
        Unreadable::ConflictMarker
        | Unreadable::HerokuCommand
        | Unreadable::MissingColon
        | Unreadable::InvalidName { .. }
        | Unreadable::NameWithColon { .. }
        | Unreadable::EmptyCommand { .. }
        | Unreadable::Continued { .. } => match word {
            b"FROM" | b"ARG" => Some("a Dockerfile"),
            b"set" | b"if" | b"for" | b"while" | b"case" | b"cd" | b"echo" | b"exec" | b"source" | b"trap" => {
                Some("a shell script")
            }
            _ if body.ends_with(b";") || body.ends_with(b"{") => Some("source code"),
            _ => None,
        },
    }
}
