//! Classifies one line of a `.env` file, before its value is read (S2.2, S2.6).
//!
//! Not here: values, and quotes that span lines (`value`).

use crate::app::text::source::{is_blank, part, trim_end, trim_start};

/// Whether a text is a valid variable name (S2.2).
#[must_use]
pub fn is_env_key(key: &[u8]) -> bool {
    !key.is_empty() && key.iter().all(|byte| is_key_byte(*byte))
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

/// Whether a text, from any file, contains an assignment. Messages must not show such a text, because the value may be
/// a secret. The `=` of an option, such as `--bind=x`, is not an assignment.
pub(crate) fn holds_assignment(text: &[u8]) -> bool {
    memchr::memchr_iter(b'=', text).any(|equals| {
        let before = trim_end(part(text, 0..equals));
        let before = before.strip_suffix(b"+").unwrap_or(before);
        let length = before.iter().rev().take_while(|byte| is_key_byte(**byte)).count();
        let name = part(before, before.len() - length..before.len());
        !name.is_empty() && !name.starts_with(b"-")
    })
}

/// The kind of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EnvLine<'a> {
    /// A blank line or a comment.
    Nothing,
    /// `KEY=` or `KEY: `. `value`: offset in the line of the first byte after it that is not a blank.
    Assignment {
        key: &'a [u8],
        value: usize,
    },
    /// `export KEY`.
    ExportAlone,
    /// `KEY:` without a value: the start of a YAML block.
    ColonAlone,
    ConflictMarker,
    /// There is a `=`, but the text before it is not a valid name.
    BadKey,
    Other,
}

/// Classifies a line. `text`: the line without its line ending.
pub(crate) fn classify(text: &[u8]) -> EnvLine<'_> {
    let body = trim_start(text);
    if trim_end(body).is_empty() || body.starts_with(b"#") {
        return EnvLine::Nothing;
    }
    let exported = body.strip_prefix(b"export").filter(|rest| rest.first().is_some_and(|byte| is_blank(*byte)));
    let exported = exported.map(trim_start).filter(|rest| rest.first().is_some_and(|byte| is_key_byte(*byte)));
    let assignment = exported.unwrap_or(body);
    let key_length = assignment.iter().take_while(|byte| is_key_byte(**byte)).count();
    let key = part(assignment, 0..key_length);
    let after = part(assignment, key_length..assignment.len());
    let separator = trim_start(after);
    let value = match separator.split_first() {
        Some((b'=', value)) if !key.is_empty() => Some(value),
        // Without a blank after the colon it is an address or a time, not `KEY: value`.
        Some((b':', value)) if !key.is_empty() && after.len() == separator.len() => {
            if trim_end(value).is_empty() {
                return EnvLine::ColonAlone;
            }
            value.first().is_some_and(|byte| is_blank(*byte)).then_some(value)
        }
        _ => None,
    };
    if let Some(value) = value {
        return EnvLine::Assignment { key, value: text.len() - trim_start(value).len() };
    }
    if [b"<<<<<<<", b">>>>>>>", b"=======", b"|||||||"].iter().any(|marker| body.starts_with(*marker)) {
        EnvLine::ConflictMarker
    } else if exported.is_some() && trim_end(separator).is_empty() {
        EnvLine::ExportAlone
    } else if body.contains(&b'=') {
        EnvLine::BadKey
    } else {
        EnvLine::Other
    }
}

/// Whether a piece of a line, such as the text after a lone carriage return, begins an entry.
pub(crate) fn begins_assignment(text: &[u8]) -> bool {
    matches!(classify(text), EnvLine::Assignment { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(line: &str) -> Option<(&str, &str)> {
        match classify(line.as_bytes()) {
            EnvLine::Assignment { key, value } => Some((std::str::from_utf8(key).unwrap(), &line[value..])),
            EnvLine::Nothing
            | EnvLine::ExportAlone
            | EnvLine::ColonAlone
            | EnvLine::ConflictMarker
            | EnvLine::BadKey
            | EnvLine::Other => None,
        }
    }

    #[test]
    fn blanks_are_allowed_around_the_equals_sign() {
        assert_eq!(key("K=v"), Some(("K", "v")));
        assert_eq!(key(" \tK \t= \tv "), Some(("K", "v ")));
        assert_eq!(key("K="), Some(("K", "")));
        assert_eq!(key("K =  "), Some(("K", "")));
    }

    #[test]
    fn an_assignment_is_found_anywhere_in_a_text_but_an_option_is_not_one() {
        let options = ["npm start", "--bind=x a -k=v", "=======", "<%= x %>", ""];
        let values = ["A=1", "set -a; export A=1", "a;B.C-d = 1", "x --env=A=1", "sh -c 'A=1'", "A+=1", "u?token=1"];

        assert!(options.iter().all(|text| !holds_assignment(text.as_bytes())));
        assert!(values.iter().all(|text| holds_assignment(text.as_bytes())));
    }

    #[test]
    fn export_is_dropped_unless_it_is_the_key() {
        assert_eq!(key("export K=v"), Some(("K", "v")));
        assert_eq!(key("\texport \t K = v"), Some(("K", "v")));
        assert_eq!(key("export=v"), Some(("export", "v")));
        assert_eq!(key("export = v"), Some(("export", "v")));
        assert_eq!(key("exportK=v"), Some(("exportK", "v")));
        assert_eq!(classify(b"export K"), EnvLine::ExportAlone);
    }

    #[test]
    fn a_colon_must_be_followed_by_a_blank_and_a_value() {
        assert_eq!(key("K: v"), Some(("K", "v")));
        assert_eq!(key("PORT:\t24675"), Some(("PORT", "24675")));
        assert_eq!(key("K: a=b"), Some(("K", "a=b")));
        assert_eq!(classify(b"K:"), EnvLine::ColonAlone);
        assert_eq!(classify(b"http://x"), EnvLine::Other);
        assert_eq!(classify(b"K : v"), EnvLine::Other);
    }

    #[test]
    fn keys_consist_of_letters_digits_underscores_dots_and_dashes() {
        assert_eq!(key("mailer_options.port=1"), Some(("mailer_options.port", "1")));
        assert_eq!(key("A-B=1"), Some(("A-B", "1")));
        assert_eq!(key("1=1"), Some(("1", "1")));
        for line in ["=v", "a b=c", "A+B=c", "K\u{e9}=v", "'a'=b", "export 'a'=b", "\u{feff}K=v"] {
            assert_eq!(classify(line.as_bytes()), EnvLine::BadKey, "{line}");
        }
    }

    #[test]
    fn other_lines_are_distinguished_from_blank_lines_and_comments() {
        assert_eq!(classify(b"  # K=v"), EnvLine::Nothing);
        assert_eq!(classify(b" \t\r"), EnvLine::Nothing);
        assert_eq!(classify(b"CODECOV_TOKEN"), EnvLine::Other);
        assert_eq!(classify(b"======="), EnvLine::ConflictMarker);
        assert_eq!(classify(b"<<<<<<< HEAD"), EnvLine::ConflictMarker);
    }
}
