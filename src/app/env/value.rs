//! Finds where the value of a `.env` entry begins and ends: quotes and comments (S2.3, S2.4).
//!
//! Not here: keys and lines (`file`), escapes and `${NAME}` (`reference`). Values are secrets, so this module
//! builds no messages.

use std::ops::Range;

use super::limits::MAX_VARIABLE_BYTES;
use super::reference::{Doubt, Expanded, Lookup, closing_quote, expand};
use crate::app::text::source::{after_line, is_blank, line_end, part, trim, trim_end};

/// A value that was read, and where it ends.
#[derive(Debug)]
pub(crate) struct ReadValue {
    pub(crate) value: Vec<u8>,
    /// Offset of the first byte after it, or after its closing quote.
    pub(crate) end: usize,
    /// Offset of the next line.
    pub(crate) next: usize,
    /// Reasons why the value may not be what the user meant.
    pub(crate) doubts: Vec<Doubt>,
}

/// Why a value cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InvalidEnvValue {
    /// The quote is not closed before the end of the file.
    Unterminated,
    /// There is text after the closing quote. The next line begins at `next`.
    TextAfterQuote { next: usize },
    /// The value is longer than a variable can be. The next line begins at `next`.
    TooLong { next: usize },
}

/// Reads a value. `at`: the offset in the file at which it begins, after any blanks.
pub(crate) fn read_value(file: &[u8], at: usize, lookup: &Lookup<'_>) -> Result<ReadValue, InvalidEnvValue> {
    match file.get(at) {
        Some(quote @ (b'\'' | b'"' | b'`')) => quoted(file, at, *quote, lookup),
        _ => unquoted(file, at, lookup),
    }
}

fn unquoted(file: &[u8], at: usize, lookup: &Lookup<'_>) -> Result<ReadValue, InvalidEnvValue> {
    let line = part(file, at..line_end(file, at));
    let comment = memchr::memchr_iter(b'#', line)
        .find(|hash| hash.checked_sub(1).and_then(|before| line.get(before)).is_none_or(|byte| is_blank(*byte)));
    let text = trim_end(part(line, 0..comment.unwrap_or(line.len())));
    let comment = part(line, text.len()..line.len());
    let next = after_line(file, at);
    let mut expanded = expand(text, false, lookup).ok_or(InvalidEnvValue::TooLong { next })?;
    let mut doubt = None;
    if !comment.is_empty() && has_open_quote(text) {
        doubt = Some(Doubt::CommentInQuote);
    } else if comment.contains(&b'}') && has_open_reference(text) {
        expanded.doubts.retain(|doubt| *doubt != Doubt::OtherForm);
        doubt = Some(Doubt::CommentInReference);
    }
    Ok(with_doubts(expanded, text, at + text.len()..next, doubt))
}

/// Whether the last `${` of a text has no closing brace.
fn has_open_reference(text: &[u8]) -> bool {
    memchr::memmem::rfind(text, b"${").is_some_and(|at| !part(text, at..text.len()).contains(&b'}'))
}

/// Whether a text has an odd number of `"` or of `'`. A `'` between two letters is an apostrophe.
fn has_open_quote(text: &[u8]) -> bool {
    // Every byte of a non-ASCII character is treated as a letter, as in `l'été`.
    let is_letter = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii());
    let is_apostrophe =
        |at: &usize| is_letter(at.checked_sub(1).and_then(|before| text.get(before))) && is_letter(text.get(at + 1));
    let double = memchr::memchr_iter(b'"', text).count();
    let single = memchr::memchr_iter(b'\'', text).filter(|at| !is_apostrophe(at)).count();
    double % 2 == 1 || single % 2 == 1
}

fn quoted(file: &[u8], at: usize, quote: u8, lookup: &Lookup<'_>) -> Result<ReadValue, InvalidEnvValue> {
    let rest = part(file, at + 1..file.len());
    let length = closing_quote(rest, quote).ok_or(InvalidEnvValue::Unterminated)?;
    let close = at + 1 + length;
    let next = after_line(file, close);
    let after = part(file, close + 1..line_end(file, close));
    let comment = trim(after);
    if !comment.is_empty() && !is_comment(after, comment, quote) {
        return Err(InvalidEnvValue::TextAfterQuote { next });
    }
    let text = without_carriage_returns(part(rest, 0..length));
    if quote == b'"' {
        let expanded = expand(&text, true, lookup).ok_or(InvalidEnvValue::TooLong { next })?;
        return Ok(with_doubts(expanded, &text, close + 1..next, None));
    }
    if text.len() > MAX_VARIABLE_BYTES {
        return Err(InvalidEnvValue::TooLong { next });
    }
    // `'it\' # isn't'`: a backslash is not an escape in these quotes, so the value ends at the second quote.
    let looks_escaped = text.ends_with(b"\\") && comment.contains(&quote);
    let verbatim = Expanded { value: text.clone(), doubts: Vec::new() };
    Ok(with_doubts(verbatim, &text, close + 1..next, looks_escaped.then_some(Doubt::BackslashBeforeQuote)))
}

/// Whether the text after a closing quote is a comment. If there is no blank before the `#`, and the same quote follows
/// on this line, it is the rest of a value that the user meant to continue: `'p\'#c'`.
fn is_comment(after: &[u8], trimmed: &[u8], quote: u8) -> bool {
    let is_apart = after.first().is_some_and(|byte| is_blank(*byte));
    trimmed.starts_with(b"#") && (is_apart || !trimmed.contains(&quote))
}

/// Adds `doubt`, and one about a carriage return in `text`, to the doubts of the expansion. `after`: from the end of the
/// value to the next line.
fn with_doubts(expanded: Expanded, text: &[u8], after: Range<usize>, doubt: Option<Doubt>) -> ReadValue {
    let Expanded { value, mut doubts } = expanded;
    doubts.extend(doubt);
    doubts.extend(text.contains(&b'\r').then_some(Doubt::CarriageReturn));
    ReadValue { value, end: after.start, next: after.end, doubts }
}

/// Replaces `\r\n` with `\n` inside a value (S1.1).
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a value as it is after `K=`, with no variable set.
    fn read(file: &str) -> ReadValue {
        read_value(file.as_bytes(), 0, &|_| None).unwrap()
    }

    fn value(file: &str) -> String {
        String::from_utf8(read(file).value).unwrap()
    }

    #[test]
    fn an_unquoted_value_is_trimmed_and_otherwise_unchanged() {
        assert_eq!(value("hello  world \t\r\nX=1"), "hello  world");
        assert_eq!(value(r#"["http://x"] it's a\b=c"#), r#"["http://x"] it's a\b=c"#);
        assert_eq!(value(""), "");
        assert_eq!(value("\nX=1"), "");
    }

    #[test]
    fn a_comment_that_cuts_a_reference_is_reported() {
        assert_eq!(read("${F:-a # b}").doubts, [Doubt::CommentInReference]);
        assert_eq!(read("${F:-a} # b}").doubts, []);
        assert_eq!(read("${F:-a # b").doubts, [Doubt::OtherForm]);
    }

    #[test]
    fn a_hash_begins_a_comment_only_at_the_start_or_after_a_space() {
        assert_eq!(value("5432      # Port"), "5432");
        assert_eq!(value("#see readme"), "");
        assert_eq!(value("ab#cd"), "ab#cd");
        assert_eq!(value("ab#cd #x"), "ab#cd");
    }

    #[test]
    fn s2_3_a_comment_that_begins_in_an_open_quote_is_reported() {
        for file in [
            r#"{"a": "x #y"}"#,
            "sh -c 'echo #1'",
            "5\" # inch",
            "a \"b\" \"c # d\"",
            "it's 'x #1'",
            "x' # a",
            "90's # a",
            "'' \" '' # a",
        ] {
            let noted = read_value(format!("x {file}").as_bytes(), 0, &|_| None).unwrap();
            assert_eq!(noted.doubts, [Doubt::CommentInQuote], "{file}");
        }
        assert_eq!(value(r#"{"a": "x #y"}"#), r#"{"a": "x"#);
    }

    #[test]
    fn s2_3_apostrophes_closed_quotes_and_quotes_in_comments_are_fine() {
        for file in [
            "Don't panic # shown",
            "l'été d'août # shown",
            "rock'n'roll isn't # it's",
            r#"{"a": "x"} # "y"#,
            "x # it's \"",
            "x# \"y",
            "\"no comment",
            "# it's",
        ] {
            let plain = read_value(format!("x {file}").as_bytes(), 0, &|_| None).unwrap();
            assert_eq!(plain.doubts, [], "{file}");
        }
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
        let read = |file: &str| read_value(file.as_bytes(), 0, &|_| None).unwrap_err();

        assert_eq!(read("'a'b\nX=1"), InvalidEnvValue::TextAfterQuote { next: 5 });
        assert_eq!(read("\"a"), InvalidEnvValue::Unterminated);
        assert_eq!(read("\"a\\\""), InvalidEnvValue::Unterminated);
        assert_eq!(read("'a\nb"), InvalidEnvValue::Unterminated);
    }

    #[test]
    fn s2_4_a_hash_before_another_quote_begins_no_comment() {
        for file in ["'p\\'#c'", "\"a\"#b\"", "`a`#`", "'a\nb'#'"] {
            let unread = read_value(file.as_bytes(), 0, &|_| None).unwrap_err();
            assert_eq!(unread, InvalidEnvValue::TextAfterQuote { next: file.len() }, "{file}");
        }
        for file in ["\"foo\"#bar", "'foo' #it's", "\"foo\"#it's", "'foo'\t#'"] {
            assert_eq!(value(file), "foo", "{file}");
        }
    }

    #[test]
    fn s2_4_a_value_that_ends_at_a_quote_after_a_backslash_is_reported() {
        assert_eq!(read(r"'p\' #c'").doubts, [Doubt::BackslashBeforeQuote]);
        assert_eq!(read(r"'C:\dir\' # the folder").doubts, []);
        assert_eq!(read(r"'p' #c'").doubts, []);
    }

    #[test]
    fn after_a_value_that_is_too_long_reading_continues_on_the_next_line() {
        let long = "x".repeat(MAX_VARIABLE_BYTES + 1);

        for file in [format!("{long}\nX=1"), format!("'{long}'\nX=1"), format!("\"{long}\"\nX=1")] {
            let unread = read_value(file.as_bytes(), 0, &|_| None).unwrap_err();
            assert_eq!(unread, InvalidEnvValue::TooLong { next: file.len() - 3 });
        }
    }

    #[test]
    fn a_carriage_return_inside_a_value_is_reported() {
        assert_eq!(read("a\rb c\r\n").doubts, [Doubt::CarriageReturn]);
        assert_eq!(read("'a\rb'").doubts, [Doubt::CarriageReturn]);
        assert_eq!((read("a\r\nB=c\r\n").doubts, read("'a\r\nb'").doubts), (Vec::new(), Vec::new()));
    }
}
