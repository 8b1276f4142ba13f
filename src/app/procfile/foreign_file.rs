//! Guesses what kind of file was passed as a Procfile, if it is not a Procfile.
//!
//! One message about the file is more helpful than forty about its lines. The guess uses the first line that is
//! not blank, the first line that is not an entry (apart from conflict markers and keys such as `web:`), and the key
//! `services`. `procfile_line` decides which lines are entries.

use super::line::InvalidLine;
use crate::app::text::source::{first_word, trim};

/// What the lines seen so far say about the file.
#[derive(Debug, Default)]
pub(crate) struct ForeignFile {
    /// The number of lines that are not entries.
    pub(crate) invalid_lines: usize,
    conflict_markers: usize,
    /// Whether a line that is not blank has been seen, and the kind of file that begins like that line.
    begun: bool,
    begins_as: Option<&'static str>,
    /// Whether a line that is not an entry has been judged, and the kind of file that it suggests.
    judged: bool,
    suggested: Option<&'static str>,
    keys: YamlKeys,
    /// Whether there is a line such as `image: nginx` or `- name` below a key. It cannot be meant as a command.
    has_nested_keys: bool,
}

/// Lines such as `web:` seen so far. They are YAML keys if YAML follows below them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum YamlKeys {
    #[default]
    None,
    Some,
    /// `services:` is among them.
    Services,
}

const YAML: &str = "YAML";

impl ForeignFile {
    /// Looks at a line of any kind. Only the first one that is not blank matters.
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
    pub(crate) fn add(&mut self, text: &[u8], invalid: &InvalidLine<'_>) {
        self.invalid_lines += 1;
        match invalid {
            InvalidLine::ConflictMarker => self.conflict_markers += 1,
            InvalidLine::EmptyCommand { name: b"services" } => self.keys = YamlKeys::Services,
            InvalidLine::EmptyCommand { .. } if self.keys == YamlKeys::None => self.keys = YamlKeys::Some,
            InvalidLine::EmptyCommand { .. } => {}
            InvalidLine::Yaml { .. }
            | InvalidLine::Template
            | InvalidLine::HerokuCommand
            | InvalidLine::Assignment { .. }
            | InvalidLine::MissingColon
            | InvalidLine::InvalidName { .. }
            | InvalidLine::NameWithColon { .. }
            | InvalidLine::Continued { .. } => {
                let suggested = suggested_by(text, invalid);
                self.has_nested_keys |= self.keys != YamlKeys::None && suggested == Some(YAML);
                if !self.judged {
                    self.judged = true;
                    self.suggested = suggested;
                }
            }
        }
    }

    /// Whether every line that could not be read is a merge conflict marker: then the file is a Procfile.
    pub(crate) fn is_conflict(&self) -> bool {
        self.conflict_markers == self.invalid_lines
    }

    /// Whether the guess is beyond doubt even for a file of a few lines.
    pub(crate) fn is_certain(&self) -> bool {
        self.begins_as.is_some() || self.has_nested_keys
    }

    /// The kind of file, to complete the sentence `the file looks like …`.
    pub(crate) fn guess(&self) -> Option<&'static str> {
        let compose =
            (self.keys == YamlKeys::Services && self.suggested == Some(YAML)).then_some("a docker-compose file");
        self.begins_as.or(compose).or(self.suggested)
    }
}

/// The kind of file in which such a line is typical.
fn suggested_by(text: &[u8], invalid: &InvalidLine<'_>) -> Option<&'static str> {
    let body = trim(text);
    let (word, _) = first_word(body);
    match invalid {
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
