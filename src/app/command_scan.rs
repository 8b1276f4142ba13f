//! Reads a command line as the shell would, as far as is needed to tell one simple command from anything else.
//!
//! One pass, no expansion. Where shells differ the line counts as compound. Who uses it: `command_line`.

use super::shell_words::{is_assignment, is_shell_word};
use super::source_text::is_blank;

/// A word as far as it is known before the shell expands it.
#[derive(Debug, Default)]
pub(crate) struct Word {
    /// Its bytes without the quotes.
    pub(crate) literal: Vec<u8>,
    /// Whether it holds `$`, a glob or a tilde alone: only the shell knows what it becomes.
    pub(crate) expands: bool,
}

/// What surrounds the byte that is looked at; nothing means the line itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    DoubleQuotes,
    Parentheses,
}

/// One pass over a command line.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    line: &'a [u8],
    at: usize,
    /// Explicit, not recursive: a line of megabytes of `"$("$(` must not end the stack.
    inside: Vec<Inside>,
    /// The first words; more are not kept.
    pub(crate) words: Vec<Word>,
    word: Option<Word>,
    /// Whether something was found that one simple command does not have.
    compound: bool,
    /// Whether it ends in a comment.
    pub(crate) comment: bool,
    /// Whether it ends inside a quote or in a backslash.
    pub(crate) unfinished: bool,
}

impl<'a> Scan<'a> {
    /// Words that are kept: `exec` and the one after it.
    const KEPT_WORDS: usize = 2;

    /// Reads a command line to its end.
    pub(crate) fn of(line: &'a [u8]) -> Self {
        let mut scan = Self {
            line,
            at: 0,
            inside: Vec::new(),
            words: Vec::new(),
            word: None,
            compound: false,
            comment: false,
            unfinished: false,
        };
        while let Some(byte) = scan.next() {
            match scan.inside.last() {
                Some(Inside::DoubleQuotes) => scan.in_double_quotes(byte),
                Some(Inside::Parentheses) | None => scan.unquoted(byte),
            }
        }
        scan.end_word();
        scan.unfinished |= !scan.inside.is_empty();
        scan
    }

    /// Whether `exec` may be put before it.
    pub(crate) fn may_be_executed(&self) -> bool {
        let Some(first) = self.words.first() else { return false };
        let named = !first.expands && !first.literal.is_empty() && !first.literal.starts_with(b"-");
        self.is_simple() && named && !is_shell_word(&first.literal) && !is_assignment(&first.literal)
    }

    /// Whether the user wrote `exec` himself, without options.
    pub(crate) fn is_exec(&self) -> bool {
        let mut words = self.words.iter();
        let (Some(first), Some(second)) = (words.next(), words.next()) else { return false };
        self.is_simple() && !first.expands && first.literal == b"exec" && !second.literal.starts_with(b"-")
    }

    fn is_simple(&self) -> bool {
        !self.compound && !self.unfinished && !self.line.contains(&0)
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn word(&mut self) -> &mut Word {
        self.word.get_or_insert_default()
    }

    fn literal(&mut self, byte: u8) {
        let kept = self.words.len() < Self::KEPT_WORDS;
        let word = self.word();
        if kept {
            word.literal.push(byte);
        }
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take()
            && self.words.len() < Self::KEPT_WORDS
        {
            self.words.push(word);
        }
    }

    fn unquoted(&mut self, byte: u8) {
        match byte {
            _ if is_blank(byte) => self.end_word(),
            b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => self.operator(byte),
            b'#' if self.word.is_none() => {
                self.comment = true;
                let rest = self.line.get(self.at..).unwrap_or_default();
                self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            }
            b'\'' => self.single_quotes(),
            b'"' => {
                self.word();
                self.inside.push(Inside::DoubleQuotes);
            }
            b'\\' => match self.next() {
                Some(escaped) => {
                    self.compound |= escaped == b'\n';
                    self.literal(escaped);
                }
                None => self.unfinished = true,
            },
            b'$' => self.dollar(),
            b'{' | b'}' | b'!' | b'`' => {
                self.compound = true;
                self.literal(byte);
            }
            b'*' | b'?' | b'[' => {
                // `[` alone is a command, and one with a glob in its name is left to the shell anyway.
                self.word().expands = true;
                self.literal(byte);
            }
            // `~/bin/x` has a slash whatever the home is, so it is no builtin; `~x` may become anything.
            b'~' if self.word.is_none() && self.peek() != Some(b'/') => {
                self.word().expands = true;
                self.literal(byte);
            }
            _ => self.literal(byte),
        }
    }

    fn operator(&mut self, byte: u8) {
        self.compound = true;
        self.end_word();
        if byte == b'(' {
            self.inside.push(Inside::Parentheses);
        } else if byte == b')' && self.inside.last() == Some(&Inside::Parentheses) {
            self.inside.pop();
            // `$(a)#b` goes on as one word: what follows is no comment.
            self.word();
        }
    }

    fn single_quotes(&mut self) {
        let rest = self.line.get(self.at..).unwrap_or_default();
        let Some(length) = memchr::memchr(b'\'', rest) else {
            self.unfinished = true;
            self.at = self.line.len();
            return;
        };
        let quoted = rest.get(..length).unwrap_or_default();
        self.compound |= quoted.contains(&b'\n');
        self.word();
        for byte in quoted {
            self.literal(*byte);
        }
        self.at += length + 1;
    }

    fn in_double_quotes(&mut self, byte: u8) {
        match byte {
            b'"' => {
                self.inside.pop();
            }
            b'\\' => {
                let escaped = self.next();
                self.compound |= escaped == Some(b'\n');
                if !matches!(escaped, Some(b'$' | b'`' | b'"' | b'\\')) {
                    self.literal(byte);
                }
                if let Some(escaped) = escaped {
                    self.literal(escaped);
                }
            }
            b'$' => self.dollar(),
            b'`' | b'\n' => {
                self.compound = true;
                self.literal(byte);
            }
            _ => self.literal(byte),
        }
    }

    /// After a `$`: a variable is fine, a command substitution is not.
    fn dollar(&mut self) {
        self.word().expands = true;
        let quoted = self.inside.last() == Some(&Inside::DoubleQuotes);
        match self.peek() {
            Some(b'(') => {
                self.at += 1;
                self.compound = true;
                self.inside.push(Inside::Parentheses);
                self.end_word();
            }
            Some(b'{') => match self.braces(quoted) {
                Some(length) => self.at += length,
                None => self.compound = true,
            },
            // The shell's own pid: a brace after it begins no expansion.
            Some(b'$') => self.at += 1,
            // `$'…'` and `$"…"` are read in one way by bash and in another by dash.
            Some(b'\'' | b'"') if !quoted => self.compound = true,
            _ => {}
        }
    }

    /// Length of `{NAME:-word}` with both braces, if nothing in it is quoted in ways shells differ on or nested.
    fn braces(&self, in_double_quotes: bool) -> Option<usize> {
        let rest = self.line.get(self.at + 1..).unwrap_or_default();
        let mut quoted = false;
        for (length, byte) in rest.iter().enumerate() {
            match byte {
                b'}' if quoted => return None,
                b'}' => return Some(length + 2),
                b'"' if !in_double_quotes => quoted = !quoted,
                b'"' | b'\'' | b'`' | b'\\' | b'\n' | b'(' | b')' | b'{' | b';' | b'&' | b'|' | b'<' | b'>' | b'!' => {
                    return None;
                }
                _ => {}
            }
        }
        None
    }
}
