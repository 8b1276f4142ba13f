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
    /// It has a carriage return that belongs to no line end: the file was saved with old line ends.
    pub(crate) has_carriage_return: bool,
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
    let has_carriage_return = raw.contains(&b'\r');
    Ok(ReadValue { value: raw, next, has_unknown: false, has_other_form: false, has_carriage_return })
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
        let has_carriage_return = self.raw.contains(&b'\r');
        let Self { value, has_unknown, has_other_form, .. } = self;
        Ok(ReadValue { value, next, has_unknown, has_other_form, has_carriage_return })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The value that stands after `K=`; `A` is `one`, `E` is empty, `B.C` is `dot`, all else is not set.
    fn read(file: &str) -> ReadValue {
        read_value(file.as_bytes(), 0, &lookup).unwrap()
    }

    fn lookup(name: &[u8]) -> Option<Vec<u8>> {
        let value: &[u8] = match name {
            b"A" => b"one",
            b"E" => b"",
            b"B.C" => b"dot",
            _ => return None,
        };
        Some(value.to_vec())
    }

    fn value(file: &str) -> String {
        String::from_utf8(read(file).value).unwrap()
    }

    #[test]
    fn a_plain_value_is_trimmed_and_keeps_what_is_inside() {
        assert_eq!(value("hello  world \t\r\nX=1"), "hello  world");
        assert_eq!(value(r#"["http://x"] it's a\b=c"#), r#"["http://x"] it's a\b=c"#);
        assert_eq!(value(""), "");
        assert_eq!(value("\nX=1"), "");
    }

    #[test]
    fn a_hash_begins_a_comment_only_at_the_start_or_after_a_blank() {
        assert_eq!(value("5432      # Port"), "5432");
        assert_eq!(value("#see readme"), "");
        assert_eq!(value("ab#cd"), "ab#cd");
        assert_eq!(value("ab#cd #x"), "ab#cd");
    }

    #[test]
    fn single_quotes_and_backticks_are_verbatim_and_may_span_lines() {
        assert_eq!(value("'a\\n ${A} # \" \r\nb'  # c"), "a\\n ${A} # \" \nb");
        assert_eq!(value("`it's \"x\"`#c"), "it's \"x\"");
        assert_eq!(read("'a\nb'\nX=1").next, 6);
    }

    #[test]
    fn double_quotes_read_six_escapes_and_keep_other_backslashes() {
        assert_eq!(value(r#""\n\r\t\"\\\$""#), "\n\r\t\"\\$");
        assert_eq!(value(r#""Symfony\Component\Cache""#), r"Symfony\Component\Cache");
        assert_eq!(value(r#""a\\""#), r"a\");
        assert_eq!(value("\"a\r\nb\""), "a\nb");
    }

    #[test]
    fn only_a_comment_may_follow_a_closing_quote() {
        let read = |file: &str| read_value(file.as_bytes(), 0, &lookup).unwrap_err();

        assert_eq!(read("'a'b\nX=1"), UnreadValue::TextAfterQuote { next: 5 });
        assert_eq!(read("\"a"), UnreadValue::Unterminated);
        assert_eq!(read("\"a\\\""), UnreadValue::Unterminated);
        assert_eq!(read("'a\nb"), UnreadValue::Unterminated);
    }

    #[test]
    fn braces_expand_and_a_bare_dollar_does_not() {
        assert_eq!(value("${A}-${E}-$A-${B.C}"), "one--$A-dot");
        assert_eq!(value("\"${A} \\${A} $A\""), "one ${A} $A");
        assert_eq!(value("\\${A}"), "\\one");
    }

    #[test]
    fn a_default_counts_if_the_variable_is_not_set_or_empty() {
        assert_eq!(value("${X:-false}${E:-e}${A:-a}"), "falseeone");
        assert_eq!(value("${X:-${Y:-${A}}}"), "one");
        assert_eq!(value("\"${X:-a\\nb}\""), "a\nb");
        assert!(!read("${X:-}").has_unknown);
    }

    #[test]
    fn an_unknown_variable_is_empty_and_noted() {
        assert_eq!(value("a${X}b"), "ab");
        assert!(read("a${X}b").has_unknown && !read("'${X}'").has_unknown);
    }

    #[test]
    fn other_forms_stay_as_they_are_and_are_noted() {
        for form in ["${X:?no}", "${X-d}", "${}", "${", "a${b", "${X", "$${"] {
            assert_eq!(value(form), form);
            assert!(read(form).has_other_form, "{form}");
        }
        assert_eq!(value("${${A}"), "${one");
    }

    #[test]
    fn defaults_are_nested_eight_deep_at_most() {
        let nested = |depth: usize| format!("{}x{}", "${X:-".repeat(depth), "}".repeat(depth));

        assert_eq!(value(&nested(8)), "x");
        assert_eq!(value(&nested(9)), "${X:-x}");
        assert!(value(&nested(10_000)).starts_with("${X:-"));
    }

    #[test]
    fn values_that_grow_too_long_are_given_up_early() {
        let file = "${A}".repeat(MAX_VARIABLE_BYTES / 4);

        let ten = |_: &[u8]| Some(vec![b'x'; 10]);

        assert_eq!(read_value(file.as_bytes(), 0, &ten).unwrap_err(), UnreadValue::TooLong { next: file.len() });
        assert!(read_value(&vec![b'x'; MAX_VARIABLE_BYTES + 1], 0, &lookup).is_err());
    }

    #[test]
    fn a_carriage_return_inside_a_value_is_noted() {
        assert!(read("a\rB=c\r\n").has_carriage_return);
        assert!(!read("a\r\nB=c\r\n").has_carriage_return && !read("'a\r\nb'").has_carriage_return);
    }
}
