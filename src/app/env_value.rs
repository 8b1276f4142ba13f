//! The value of one `.env` entry: quotes, escapes, comments and `${NAME}` (S2.3-S2.5).
//!
//! Not here: keys and lines (`env_file`). Values are secrets: nothing in here makes a message.

use std::collections::HashMap;
use std::ops::Range;

use super::environment_limits::MAX_VARIABLE_BYTES;
use super::source_text::{after_line, is_blank, line_end, part, trim, trim_end};

/// How deep defaults may be nested, as in `${A:-${B:-c}}`. Deeper ones are kept as they are.
const MAX_NESTING: usize = 8;

/// Finds the value of a variable for `${NAME}`.
pub(crate) type Lookup<'a> = dyn Fn(&[u8]) -> Option<Vec<u8>> + 'a;

/// A value and where it ends.
#[derive(Debug)]
pub(crate) struct ReadValue {
    pub(crate) value: Vec<u8>,
    /// Where the next line begins.
    pub(crate) next: usize,
    /// It refers to a variable that is not set.
    pub(crate) has_unknown: bool,
    /// It has a `${` that is none of the two forms that are read; it was kept as it is.
    pub(crate) has_other_form: bool,
}

/// Why a value cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnreadValue {
    /// The quote is not closed before the end of the file.
    Unterminated,
    /// Text follows the closing quote; the next line begins at `next`.
    TextAfterQuote { next: usize },
    /// Longer than a variable may be; the next line begins at `next`.
    TooLong { next: usize },
}

/// Reads the value that begins at byte `at` of a file, which is not a blank.
pub(crate) fn read_value(file: &[u8], at: usize, lookup: &Lookup<'_>) -> Result<ReadValue, UnreadValue> {
    match file.get(at) {
        Some(quote @ (b'\'' | b'"' | b'`')) => quoted(file, at, *quote, lookup),
        _ => unquoted(file, at, lookup),
    }
}

fn unquoted(file: &[u8], at: usize, lookup: &Lookup<'_>) -> Result<ReadValue, UnreadValue> {
    let line = part(file, at..line_end(file, at));
    let comment = memchr::memchr_iter(b'#', line)
        .find(|hash| hash.checked_sub(1).and_then(|before| line.get(before)).is_none_or(|byte| is_blank(*byte)));
    let raw = trim_end(part(line, 0..comment.unwrap_or(line.len())));
    Expansion::of(raw, false, lookup).read(after_line(file, at))
}

fn quoted(file: &[u8], at: usize, quote: u8, lookup: &Lookup<'_>) -> Result<ReadValue, UnreadValue> {
    let escapes = quote == b'"';
    let rest = part(file, at + 1..file.len());
    let length = closing_quote(rest, quote, escapes).ok_or(UnreadValue::Unterminated)?;
    let close = at + 1 + length;
    let next = after_line(file, close);
    let after = trim(part(file, close + 1..line_end(file, close)));
    if !after.is_empty() && !after.starts_with(b"#") {
        return Err(UnreadValue::TextAfterQuote { next });
    }
    let raw = without_carriage_returns(part(rest, 0..length));
    if escapes {
        return Expansion::of(&raw, true, lookup).read(next);
    }
    if raw.len() > MAX_VARIABLE_BYTES {
        return Err(UnreadValue::TooLong { next });
    }
    Ok(ReadValue { value: raw, next, has_unknown: false, has_other_form: false })
}

fn closing_quote(rest: &[u8], quote: u8, escapes: bool) -> Option<usize> {
    if !escapes {
        return memchr::memchr(quote, rest);
    }
    let mut from = 0;
    loop {
        let found = from + memchr::memchr2(quote, b'\\', part(rest, from..rest.len()))?;
        if rest.get(found) == Some(&quote) {
            return Some(found);
        }
        from = found + 2;
    }
}

/// `\r\n` counts as `\n` inside a value too (S1.1).
fn without_carriage_returns(raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().peekable();
    while let Some(byte) = bytes.next() {
        if *byte != b'\r' || bytes.peek() != Some(&&b'\n') {
            text.push(*byte);
        }
    }
    text
}

/// Reads escapes and references of one value.
struct Expansion<'a> {
    raw: &'a [u8],
    escapes: bool,
    lookup: &'a Lookup<'a>,
    /// Where the reference that begins with the `$` at this place ends: its `}`. Found in one pass, so that a value
    /// of nothing but `${` is not read a thousand times.
    closing: HashMap<usize, usize>,
    value: Vec<u8>,
    has_unknown: bool,
    has_other_form: bool,
}

impl<'a> Expansion<'a> {
    fn of(raw: &'a [u8], escapes: bool, lookup: &'a Lookup<'a>) -> Self {
        Self {
            raw,
            escapes,
            lookup,
            closing: closing_braces(raw, escapes),
            value: Vec::with_capacity(raw.len()),
            has_unknown: false,
            has_other_form: false,
        }
    }

    fn read(mut self, next: usize) -> Result<ReadValue, UnreadValue> {
        // Checked while it grows: a few lines that double each other would fill the memory.
        if self.raw.len() > MAX_VARIABLE_BYTES || self.expand(0..self.raw.len(), 0).is_none() {
            return Err(UnreadValue::TooLong { next });
        }
        let Self { value, has_unknown, has_other_form, .. } = self;
        Ok(ReadValue { value, next, has_unknown, has_other_form })
    }

    /// Appends a range of the raw value. None: it grew too long.
    fn expand(&mut self, range: Range<usize>, depth: usize) -> Option<()> {
        let mut at = range.start;
        while at < range.end {
            let byte = *self.raw.get(at)?;
            let next = self.raw.get(at + 1).copied().filter(|_| at + 1 < range.end);
            match (byte, next) {
                (b'\\', Some(escaped)) if self.escapes => {
                    at += self.escape(escaped);
                }
                (b'$', Some(b'{')) => {
                    let end = self.closing.get(&at).copied().filter(|_| depth < MAX_NESTING);
                    at = self.reference(at, end, depth)?;
                }
                _ => {
                    self.value.push(byte);
                    at += 1;
                }
            }
            if self.value.len() > MAX_VARIABLE_BYTES {
                return None;
            }
        }
        Some(())
    }

    /// Appends what `\x` stands for; how many bytes were read.
    fn escape(&mut self, escaped: u8) -> usize {
        let byte = match escaped {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'"' | b'\\' | b'$' => escaped,
            // Any other backslash is kept, as in `"Symfony\Component"`.
            _ => {
                self.value.push(b'\\');
                return 1;
            }
        };
        self.value.push(byte);
        2
    }

    /// Appends the reference that begins at `at` and ends with the brace at `end`; where to go on.
    fn reference(&mut self, at: usize, end: Option<usize>, depth: usize) -> Option<usize> {
        let raw = self.raw;
        let content = end.map(|end| part(raw, at + 2..end)).unwrap_or_default();
        let length = content.iter().take_while(|byte| is_name_byte(**byte)).count();
        let (name, rest) = (part(content, 0..length), part(content, length..content.len()));
        match end {
            Some(end) if !name.is_empty() && rest.is_empty() => {
                match (self.lookup)(name) {
                    Some(value) => self.value.extend_from_slice(&value),
                    None => self.has_unknown = true,
                }
                Some(end + 1)
            }
            Some(end) if !name.is_empty() && rest.starts_with(b":-") => {
                match (self.lookup)(name).filter(|value| !value.is_empty()) {
                    Some(value) => self.value.extend_from_slice(&value),
                    None => self.expand(at + 2 + length + 2..end, depth + 1)?,
                }
                Some(end + 1)
            }
            // `${X:?no}`, `${`, `${}`: no form of ours, so it may just as well be part of a password.
            Some(_) | None => {
                self.has_other_form = true;
                self.value.extend_from_slice(b"${");
                Some(at + 2)
            }
        }
    }
}

/// A dash is left out though keys may have one: `${A-b}` is the shell's default.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.'
}

fn closing_braces(raw: &[u8], escapes: bool) -> HashMap<usize, usize> {
    let mut closing = HashMap::new();
    let mut open = Vec::new();
    if memchr::memchr(b'$', raw).is_none() {
        return closing;
    }
    let mut bytes = raw.iter().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        let next = bytes.peek().map(|(_, next)| **next);
        match byte {
            b'\\' if escapes => drop(bytes.next()),
            b'$' if next == Some(b'{') => open.push(at),
            b'}' => {
                if let Some(begin) = open.pop() {
                    closing.insert(begin, at);
                }
            }
            _ => {}
        }
    }
    closing
}
