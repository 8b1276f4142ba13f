//! Scans a command line the way a shell does, but only to find out whether it is a single simple command.
//!
//! One pass, no expansion. If shells disagree about a line, it is treated as compound. Used by `line`, and by
//! `procfile::message` to check suggestions.

use super::construct::Construct;
use super::ending::{End, LineFollower};
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

/// One pass over a command line.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about the line, independent of the others")]
pub(crate) struct Scan<'a> {
    line: &'a [u8],
    at: usize,
    /// The open constructs, the innermost last. A stack instead of recursion, because megabytes of `"$("$(` would
    /// overflow the call stack.
    inside: Vec<Construct>,
    /// The first words; the rest are not kept.
    pub(crate) words: Vec<Word>,
    word: Option<Word>,
    /// Where the word that is being read begins.
    word_at: Option<usize>,
    ending: LineFollower,
    /// Whether something was found that does not occur in a single simple command.
    compound: bool,
    /// Whether it ends in a comment.
    pub(crate) comment: bool,
    /// Whether its last character is a backslash that escapes nothing.
    pub(crate) ends_in_backslash: bool,
    /// Whether something was found in which shells differ, so that what is open at the end is not certain.
    uncertain: bool,
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
            word_at: None,
            ending: LineFollower::default(),
            compound: false,
            comment: false,
            ends_in_backslash: false,
            uncertain: false,
        };
        while let Some(byte) = scan.next() {
            match scan.inside.last() {
                Some(Construct::DoubleQuotes) => scan.in_double_quotes(byte),
                Some(Construct::Braces) => scan.in_braces(byte, false),
                Some(Construct::QuotedBraces) => scan.in_braces(byte, true),
                Some(Construct::Substitution | Construct::Parentheses) | None => scan.unquoted(byte),
                // Both are read in one step, and stay open only at the end of the line.
                Some(Construct::SingleQuotes | Construct::Backticks) => {}
            }
        }
        scan.end_word();
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

    /// The construct that is open at the end. If there are several, the innermost quotes: they have hidden the closing
    /// characters of the others.
    pub(crate) fn unclosed(&self) -> Option<Construct> {
        let quotes = self.inside.iter().rev().find(|construct| construct.quotes());
        quotes.or(self.inside.last()).copied()
    }

    /// The same, but only if all shells agree that it is never closed.
    pub(crate) fn surely_unclosed(&self) -> Option<Construct> {
        // The `)` of a `case` pattern ends a substitution too early.
        let is_certain = !self.uncertain && memchr::memmem::find(self.line, b"case ").is_none();
        self.unclosed().filter(|_| is_certain)
    }

    /// Whether the shell would go on reading after its end.
    pub(crate) fn is_unfinished(&self) -> bool {
        !self.inside.is_empty() || self.ends_in_backslash
    }

    /// What it ends in, if words after it would not be arguments of its last command.
    pub(super) fn end(&self) -> Option<End> {
        self.ending.end()
    }

    fn is_simple(&self) -> bool {
        !self.compound && !self.is_unfinished() && !self.line.contains(&0)
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
        if self.word.is_none() && self.word_at.is_none() {
            self.word_at = self.at.checked_sub(1);
        }
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
        if let Some(start) = self.word_at.take() {
            let rest = self.line.get(start..).unwrap_or_default();
            let is_end = |byte: &u8| is_blank(*byte) || b"\n;&|<>()".contains(byte);
            let (raw, after) = rest.split_at(rest.iter().position(is_end).unwrap_or(rest.len()));
            self.ending.word(raw, after.first().copied());
        }
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
                self.inside.push(Construct::DoubleQuotes);
            }
            b'\\' => self.backslash(),
            b'$' => self.dollar(),
            b'`' => self.backticks(),
            b'{' | b'}' | b'!' => {
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
        match (byte, self.inside.last()) {
            (b'(', _) => {
                self.inside.push(Construct::Parentheses);
                self.ending.open();
            }
            (b')', Some(Construct::Parentheses | Construct::Substitution)) => {
                match self.inside.pop() {
                    Some(Construct::Substitution) => self.ending.close_substitution(),
                    _ => self.ending.close(),
                }
                // `$(a)#b` is one word, so the `#` does not begin a comment.
                self.word.get_or_insert_default();
            }
            (b')', _) => self.ending.close(),
            _ => self.ending.operator(byte),
        }
    }

    fn backslash(&mut self) {
        match self.next() {
            Some(escaped) => {
                // The word begins with the backslash.
                self.word_at = self.word_at.or(self.at.checked_sub(2));
                self.compound |= escaped == b'\n';
                self.literal(escaped);
            }
            None => self.ends_in_backslash = true,
        }
    }

    fn single_quotes(&mut self) {
        let rest = self.line.get(self.at..).unwrap_or_default();
        let Some(length) = memchr::memchr(b'\'', rest) else { return self.never_closed(Construct::SingleQuotes) };
        let quoted = rest.get(..length).unwrap_or_default();
        self.compound |= quoted.contains(&b'\n');
        self.word();
        for byte in quoted {
            self.literal(*byte);
        }
        self.at += length + 1;
    }

    /// Skips a command in backticks: the shell looks for the second one before it reads what is between them.
    fn backticks(&mut self) {
        self.compound = true;
        self.word();
        while let Some(byte) = self.next() {
            match byte {
                b'`' => return,
                b'\\' => drop(self.next()),
                _ => {}
            }
        }
        self.never_closed(Construct::Backticks);
    }

    fn never_closed(&mut self, construct: Construct) {
        self.inside.push(construct);
        self.at = self.line.len();
    }

    /// Inside `${…}`, if it is not as simple as [`Scan::braces`] can read.
    fn in_braces(&mut self, byte: u8, in_double_quotes: bool) {
        match byte {
            b'}' => drop(self.inside.pop()),
            b'\\' => self.backslash(),
            b'$' => self.dollar(),
            b'`' => self.backticks(),
            // In double quotes, a single quote is a character for some shells and a quote for others.
            b'\'' if in_double_quotes => self.uncertain = true,
            b'\'' => self.single_quotes(),
            b'"' => {
                self.uncertain |= in_double_quotes;
                self.inside.push(Construct::DoubleQuotes);
            }
            _ => self.literal(byte),
        }
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
            b'`' => self.backticks(),
            b'\n' => {
                self.compound = true;
                self.literal(byte);
            }
            _ => self.literal(byte),
        }
    }

    /// Handles the text after a `$`: a variable is simple, a command substitution is not.
    fn dollar(&mut self) {
        self.word().expands = true;
        let quoted = matches!(self.inside.last(), Some(Construct::DoubleQuotes | Construct::QuotedBraces));
        match self.peek() {
            Some(b'(') => {
                self.at += 1;
                self.compound = true;
                // In arithmetic, `#` does not begin a comment, and `<<` is not a here-document.
                self.uncertain |= self.peek() == Some(b'(');
                self.inside.push(Construct::Substitution);
                self.end_word();
                self.ending.open();
            }
            Some(b'{') => {
                if let Some(length) = self.braces(quoted) {
                    self.at += length;
                } else {
                    self.at += 1;
                    self.compound = true;
                    self.inside.push(if quoted { Construct::QuotedBraces } else { Construct::Braces });
                }
            }
            // `$$` is the pid of the shell, so a brace after it does not begin an expansion.
            Some(b'$') => self.at += 1,
            // bash and dash disagree about `$'…'` and `$"…"`.
            Some(b'\'' | b'"') if !quoted => {
                self.compound = true;
                self.uncertain = true;
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
