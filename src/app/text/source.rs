//! The bytes of a file that the user wrote: checks and line splitting that are the same for every parser (S1.1).
//!
//! Not here: what a line means.

use std::borrow::Cow;
use std::ops::Range;

use super::problem::{Problem, Problems, Severity};

/// Longest file that is read, in bytes (S1.1). Real files are a few kilobytes long.
pub const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;

/// Maximum number of characters of a line that a message shows.
const SHOWN_CHARACTERS: usize = 40;

/// The byte order mark of UTF-8.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// A file that passed the checks of S1.1: no NUL, not too long. A byte order mark is skipped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SourceText<'a> {
    bytes: &'a [u8],
    /// The offset at which the text begins, after the byte order mark.
    begin: usize,
}

/// One line, without its line ending.
#[derive(Debug, Clone)]
pub(crate) struct SourceLine<'a> {
    /// 1-based.
    pub(crate) number: usize,
    /// Its bytes, without `\n` or `\r\n`.
    pub(crate) text: &'a [u8],
    /// The range of these bytes in the file.
    pub(crate) span: Range<usize>,
}

impl<'a> SourceText<'a> {
    /// Checks the bytes of a file for NUL and length.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, Problem> {
        if bytes.len() > MAX_FILE_BYTES {
            let message = format!("the file is longer than {} MiB", MAX_FILE_BYTES / (1024 * 1024));
            return Err(Problem::new(Severity::Error, 1, message, "check that it is the right file"));
        }
        if let Some(at) = memchr::memchr(0, bytes) {
            let line = 1 + memchr::memchr_iter(b'\n', part(bytes, 0..at)).count();
            let hint = if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
                "it looks like UTF-16; save it as UTF-8"
            } else {
                "it looks like a binary file; is it the right one?"
            };
            return Err(Problem::new(Severity::Error, line, "the file has a NUL byte", hint));
        }
        Ok(Self { bytes, begin: if bytes.starts_with(BOM) { BOM.len() } else { 0 } })
    }

    /// Refuses a file with a lone carriage return in place of a line ending, because the entry after it would be
    /// lost (S1.1). `begins_entry`: whether a text, up to the next carriage return or line ending, begins an entry.
    pub(crate) fn check_line_endings(self, begins_entry: impl Fn(&[u8]) -> bool) -> Result<(), Vec<Problem>> {
        if memchr::memchr(b'\r', self.bytes).is_none() {
            return Ok(());
        }
        let mut problems = Problems::default();
        for line in self.lines() {
            let mut after_returns = line.text.split(|byte| *byte == b'\r').skip(1);
            if after_returns.any(&begins_entry) {
                let message = "a lone carriage return does not end a line, and the entry after it would be lost";
                let hint = "save the file with LF or CRLF line endings";
                problems.push(Problem::new(Severity::Error, line.number, message, hint));
            }
        }
        if problems.has_error() { Err(problems.into_list()) } else { Ok(()) }
    }

    /// The whole file, including the byte order mark: spans are offsets into these bytes.
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The offset in [`Self::bytes`] at which the text begins.
    pub(crate) fn begin(self) -> usize {
        self.begin
    }

    /// All lines.
    pub(crate) fn lines(self) -> impl Iterator<Item = SourceLine<'a>> {
        let mut at = self.begin;
        let mut number = 0;
        std::iter::from_fn(move || {
            let line = self.line_at(at, number + 1)?;
            number = line.number;
            at = after_line(self.bytes, at);
            Some(line)
        })
    }

    /// The rest of a line from offset `at` on. `number`: its 1-based line number. None at the end of the file.
    pub(crate) fn line_at(self, at: usize, number: usize) -> Option<SourceLine<'a>> {
        if at >= self.bytes.len() {
            return None;
        }
        let end = line_end(self.bytes, at);
        let text = part(self.bytes, at..end);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        Some(SourceLine { number, text, span: at..at + text.len() })
    }
}

/// The end of the line that contains offset `at`: its `\n`, or the end of the file.
pub(crate) fn line_end(bytes: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', part(bytes, at..bytes.len())).map_or(bytes.len(), |length| at + length)
}

/// The start of the line after the one that contains offset `at`.
pub(crate) fn after_line(bytes: &[u8], at: usize) -> usize {
    (line_end(bytes, at) + 1).min(bytes.len())
}

/// A part of some bytes. A range that reaches beyond the end is cut short.
pub(crate) fn part(bytes: &[u8], range: Range<usize>) -> &[u8] {
    bytes.get(range.start.min(bytes.len())..range.end.min(bytes.len())).unwrap_or_default()
}

/// Whether this byte is a blank: space or tab.
pub(crate) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// The text without leading blanks.
pub(crate) fn trim_start(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| is_blank(**byte)).count();
    part(text, blanks..text.len())
}

/// The text without trailing blanks. A stray carriage return is treated as a blank.
pub(crate) fn trim_end(text: &[u8]) -> &[u8] {
    let blanks = text.iter().rev().take_while(|byte| is_blank(**byte) || **byte == b'\r').count();
    part(text, 0..text.len() - blanks)
}

/// The text without surrounding blanks.
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    trim_end(trim_start(text))
}

/// The items of a comma-separated list, without surrounding spaces; empty ones are left out.
pub(crate) fn list_items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// The first word and the text after it, without the blanks between them.
pub(crate) fn first_word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = trim_start(text);
    let length = text.iter().take_while(|byte| !is_blank(**byte)).count();
    (part(text, 0..length), trim_start(part(text, length..text.len())))
}

/// Whether a text begins with a name and a colon, like an entry of a Procfile or `.foreman`.
pub(crate) fn begins_with_name_and_colon(text: &[u8]) -> bool {
    let text = trim_start(text);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let length = text.iter().take_while(|byte| is_name(byte)).count();
    length > 0 && trim_start(part(text, length..text.len())).starts_with(b":")
}

/// A text as shown in a message: one line, at most 40 characters, no control characters.
pub(crate) fn shortened(text: &[u8]) -> String {
    // Only the start of the text is decoded, because a line may be megabytes long.
    let head = part(text, 0..SHOWN_CHARACTERS * 4 + 4);
    let head: Cow<'_, str> = String::from_utf8_lossy(head);
    let mut shown: String = head
        .chars()
        .take(SHOWN_CHARACTERS)
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    if head.chars().count() > SHOWN_CHARACTERS {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<(usize, &[u8], Range<usize>)> {
        let text = SourceText::new(bytes).unwrap();
        text.lines().map(|line| (line.number, line.text, line.span)).collect()
    }

    #[test]
    fn windows_line_endings_and_a_byte_order_mark_are_dropped() {
        assert_eq!(lines(b"\xEF\xBB\xBFa\r\n\r\nb"), [(1, &b"a"[..], 3..4), (2, b"", 6..6), (3, b"b", 8..9)]);
    }

    #[test]
    fn a_newline_at_the_end_does_not_begin_another_line() {
        assert_eq!(lines(b"a\n").len(), 1);
        assert_eq!(lines(b"").len(), 0);
        assert_eq!(lines(b"\n\n").len(), 2);
    }

    #[test]
    fn a_nul_byte_is_an_error_with_its_line() {
        let problem = SourceText::new(b"a: b\nc: \0\n").unwrap_err();

        assert_eq!((problem.severity, problem.line), (Severity::Error, 2));
    }

    #[test]
    fn s1_1_a_lone_carriage_return_before_an_entry_is_an_error() {
        let lines = |text: &[u8]| {
            let checked = SourceText::new(text).unwrap().check_line_endings(begins_with_name_and_colon);
            checked.map_or_else(|problems| problems.iter().map(|problem| problem.line).collect(), |()| Vec::new())
        };

        assert_eq!(lines(b"a: b\rc: d\r"), [1]);
        assert_eq!(lines(b"x\r\na: b\r\r c : d\r\n# e\rf:\n"), [2, 3]);
        for harmless in [&b"a: b\r\nc: d\r\n"[..], b"a: b\r\r\nc: d\r\r\n", b"a: b\r", b"a: b\rc\n", b"a: b\r:c", b""] {
            assert_eq!(lines(harmless), [0; 0], "{harmless:?}");
        }
    }

    #[test]
    fn a_file_in_utf_16_gets_a_hint_about_its_encoding() {
        let problem = SourceText::new(b"\xFF\xFEw\0e\0b\0").unwrap_err();

        assert_eq!(problem.hint, "it looks like UTF-16; save it as UTF-8");
    }

    #[test]
    fn a_file_can_be_up_to_16_mebibytes_long() {
        assert!(SourceText::new(&vec![b'#'; MAX_FILE_BYTES]).is_ok());
        assert!(SourceText::new(&vec![b'#'; MAX_FILE_BYTES + 1]).is_err());
    }

    #[test]
    fn a_long_line_is_shortened_for_a_message() {
        assert_eq!(shortened(b"npm start"), "npm start");
        assert_eq!(shortened(&[b'x'; 41]), format!("{}…", "x".repeat(40)));
        assert_eq!(shortened(b"a\x1b[31mb"), "a [31mb");
        assert_eq!(shortened(&"é".repeat(1_000).into_bytes()), format!("{}…", "é".repeat(40)));
    }
}
