//! Scans a command line the way a shell does, but only to find out whether it is a single simple command.
//!
//! One pass, no expansion. If shells disagree about a line, it is treated as compound. Used by `command_line`, and by
//! `procfile_message` to check suggestions.

use super::shell_words::{is_assignment, is_shell_word};
use crate::app::text::source::is_blank;

/// A word before the shell expands it.
#[derive(Debug, Default)]
pub(crate) struct Word {
    /// Its bytes without the quotes.
    pub(crate) literal: Vec<u8>,
    /// Whether it contains `$`, a glob or a tilde that only the shell can expand.
    pub(crate) expands: bool,
}

/// A construct that surrounds the current byte.
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
    /// The open constructs, the innermost last. A stack instead of recursion, because megabytes of `"$("$(` would
    /// overflow the call stack.
    inside: Vec<Inside>,
    /// The first words; the rest are not kept.
    pub(crate) words: Vec<Word>,
    word: Option<Word>,
    /// Whether something was found that does not occur in a single simple command.
    compound: bool,
    /// Whether it ends in a comment.
    pub(crate) comment: bool,
    /// Whether it ends inside quotes or parentheses, or with a backslash.
    pub(crate) unfinished: bool,
    quotes: Quotes,
}

/// What is known of the quotes, apart from the double ones in [`Scan::inside`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    Closed,
    /// A single quote is never closed.
    OpenSingle,
    /// Something was found in which shells differ, or a command inside another one has quotes of its own.
    Uncertain,
}

/// A quote that is opened and never closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quote {
    Single,
    Double,
}

impl std::fmt::Display for Quote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Single => "'",
            Self::Double => "\"",
        })
    }
}

impl<'a> Scan<'a> {
    /// Number of words that are kept: `exec` and the one after it.
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
            quotes: Quotes::Closed,
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

    /// Whether `exec` can be put before it without changing what it does.
    pub(crate) fn accepts_exec(&self) -> bool {
        let Some(first) = self.words.first() else { return false };
        let named = !first.expands && !first.literal.is_empty() && !first.literal.starts_with(b"-");
        self.is_simple() && named && !is_shell_word(&first.literal) && !is_assignment(&first.literal)
    }

    /// Whether the command line already begins with `exec`, without options.
    pub(crate) fn begins_with_exec(&self) -> bool {
        let mut words = self.words.iter();
        let (Some(first), Some(second)) = (words.next(), words.next()) else { return false };
        self.is_simple() && !first.expands && first.literal == b"exec" && !second.literal.starts_with(b"-")
    }

    /// The quote that is never closed, if all shells agree about it.
    pub(crate) fn unclosed_quote(&self) -> Option<Quote> {
        // The `)` of a `case` pattern ends a substitution too early.
        if memchr::memmem::find(self.line, b"case ").is_some() {
            return None;
        }
        match self.quotes {
            Quotes::Uncertain => None,
            Quotes::OpenSingle => Some(Quote::Single),
            Quotes::Closed => self.inside.contains(&Inside::DoubleQuotes).then_some(Quote::Double),
        }
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
                // `[` alone is a builtin, but a command with a glob in its name is left to the shell anyway.
                self.word().expands = true;
                self.literal(byte);
            }
            // `~/bin/x` cannot become a builtin, because it contains a slash whatever the home directory is; `~x` can
            // become anything.
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
            // `$(a)#b` is one word, so the `#` does not begin a comment.
            self.word();
        }
    }

    fn single_quotes(&mut self) {
        let rest = self.line.get(self.at..).unwrap_or_default();
        let Some(length) = memchr::memchr(b'\'', rest) else {
            self.unfinished = true;
            if self.quotes == Quotes::Closed {
                self.quotes = Quotes::OpenSingle;
            }
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
                if byte == b'`' {
                    self.quotes = Quotes::Uncertain;
                }
                self.literal(byte);
            }
            _ => self.literal(byte),
        }
    }

    /// Handles the text after a `$`: a variable is simple, a command substitution is not.
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
            Some(b'{') => {
                if let Some(length) = self.braces(quoted) {
                    self.at += length;
                } else {
                    self.compound = true;
                    self.quotes = Quotes::Uncertain;
                }
            }
            // `$$` is the pid of the shell, so a brace after it does not begin an expansion.
            Some(b'$') => self.at += 1,
            // bash and dash disagree about `$'…'` and `$"…"`.
            Some(b'\'' | b'"') if !quoted => {
                self.compound = true;
                self.quotes = Quotes::Uncertain;
            }
            _ => {}
        }
    }

    /// Length of `{NAME:-word}` including both braces. None if it is not closed, or contains nesting, operators or
    /// quotes that shells read differently.
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
