//! What a file looks like that was given as a Procfile and is none.
//!
//! One sentence about the file helps more than forty about its lines. Only a guess for a message; which lines are
//! entries is decided elsewhere (`procfile_line`).

use super::procfile_line::Unreadable;
use super::source_text::{first_word, trim};

/// Counts what the lines of a file look like.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Lines that are no entries.
    pub(crate) unreadable: usize,
    conflict_markers: usize,
    yaml: usize,
    /// Of these, what nothing but YAML has: marks, list items, keys.
    yaml_beyond_doubt: usize,
    /// Of these, those that begin with a tab, as YAML's never do and a recipe does.
    recipes: usize,
    /// Of these, `image: nginx` and `- name` below a key: no command that was written on the line after its name.
    yaml_below_keys: usize,
    /// `web:`: a key of YAML only where other lines are YAML, too.
    empty_commands: usize,
    assignments: usize,
    templates: usize,
    docker_instructions: usize,
    shell: usize,
    /// `npm start`: a line of a script only where other lines are of one, too.
    without_colon: usize,
    code: usize,
    services: bool,
    begins_as: Option<Beginning>,
}

/// What the first line that is not blank begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning {
    Json,
    /// `[section]`.
    Section,
    Markup,
    Shebang,
    Other,
}

impl Tally {
    /// Counts a line, before it is known what it is.
    pub(crate) fn see(&mut self, text: &[u8]) {
        let body = trim(text);
        if body.is_empty() || self.begins_as.is_some() {
            return;
        }
        self.begins_as = Some(match body {
            [b'[', rest @ .., b']']
                if rest.strip_prefix(b"[").unwrap_or(rest).first().is_some_and(u8::is_ascii_alphabetic) =>
            {
                Beginning::Section
            }
            [b'{' | b'[', rest @ ..] if !rest.starts_with(b"%") && !rest.starts_with(b"{") => Beginning::Json,
            [b'#', b'!', ..] => Beginning::Shebang,
            [b'<', b'!' | b'?' | b'a'..=b'z', ..] => Beginning::Markup,
            _ => Beginning::Other,
        });
    }

    /// Counts a line that is no entry.
    pub(crate) fn add(&mut self, text: &[u8], unreadable: &Unreadable<'_>) {
        let body = trim(text);
        self.unreadable += 1;
        match unreadable {
            Unreadable::ConflictMarker => self.conflict_markers += 1,
            Unreadable::Yaml { opens_block } => {
                let (word, _) = first_word(body);
                self.yaml += 1;
                let is_item = word.ends_with(b":") || matches!(word, b"-" | b"---" | b"...");
                self.yaml_beyond_doubt += usize::from(is_item || *opens_block);
                self.recipes += usize::from(text.starts_with(b"\t"));
                self.yaml_below_keys += usize::from(self.empty_commands > 0 && is_item);
            }
            Unreadable::EmptyCommand { name } => {
                self.empty_commands += 1;
                self.services |= *name == b"services";
            }
            Unreadable::Template => self.templates += 1,
            Unreadable::Assignment { .. } => self.assignments += 1,
            Unreadable::MissingColon => self.without_colon += 1,
            Unreadable::HerokuCommand
            | Unreadable::InvalidName { .. }
            | Unreadable::NameWithColon { .. }
            | Unreadable::Continued { .. } => {}
        }
        let (word, _) = first_word(body);
        self.docker_instructions += usize::from(is_docker_instruction(word));
        self.shell += usize::from(is_shell_line(word));
        self.code += usize::from(body.ends_with(b";") || body.ends_with(b"{") || body.starts_with(b"}"));
    }

    /// Whether all that could not be read are the markers of merge conflicts: then the file is a Procfile.
    pub(crate) fn is_conflict(&self) -> bool {
        self.conflict_markers == self.unreadable
    }

    /// Whether a guess is beyond doubt however few the lines are that it is made from.
    pub(crate) fn is_certain(&self) -> bool {
        match self.begins_as {
            Some(Beginning::Json | Beginning::Section | Beginning::Markup | Beginning::Shebang) => true,
            Some(Beginning::Other) | None => self.yaml_below_keys > 0,
        }
    }

    /// What the file is, as the end of `the file looks like …`. `alone`: it has no entries.
    pub(crate) fn guess(&self, alone: bool) -> Option<&'static str> {
        let shell = if alone && self.shell > 0 { self.shell.max(self.without_colon) } else { self.shell };
        let yaml = if self.yaml > 0 { self.yaml + self.empty_commands } else { 0 };
        match self.begins_as {
            Some(Beginning::Json) => return Some("JSON"),
            Some(Beginning::Section) => return Some("a TOML or INI file"),
            Some(Beginning::Markup) => return Some("XML or HTML"),
            Some(Beginning::Shebang) if yaml * 2 < self.unreadable => return Some("a script"),
            Some(Beginning::Shebang | Beginning::Other) | None => {}
        }
        let indented = if self.recipes * 2 > self.yaml {
            "a Makefile"
        } else if self.yaml_beyond_doubt > 0 {
            "YAML"
        } else {
            "plain text"
        };
        if self.services && yaml * 2 > self.unreadable {
            return Some("a docker-compose file");
        }
        let counted = [
            (yaml, indented),
            (self.assignments, "a `.env` file"),
            (self.docker_instructions, "a Dockerfile"),
            (self.code, "source code"),
            (shell, "a shell script"),
            (self.templates, "a template"),
        ];
        let most = counted.iter().max_by_key(|(count, _)| *count)?;
        (most.0 * 2 > self.unreadable).then_some(most.1)
    }
}

fn is_docker_instruction(word: &[u8]) -> bool {
    let instructions: [&[u8]; 11] =
        [b"FROM", b"RUN", b"CMD", b"COPY", b"ADD", b"ENV", b"WORKDIR", b"EXPOSE", b"ENTRYPOINT", b"USER", b"ARG"];
    instructions.contains(&word)
}

fn is_shell_line(word: &[u8]) -> bool {
    let words: [&[u8]; 18] = [
        b"if", b"then", b"else", b"fi", b"for", b"do", b"done", b"while", b"case", b"esac", b"set", b"export", b"echo",
        b"cd", b"exit", b"exec", b"source", b"trap",
    ];
    words.contains(&word)
}
