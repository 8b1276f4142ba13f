//! Makes the text of a line safe to show anywhere: no escape sequences and no control characters are left.
//!
//! Used for reports, CI logs and repeated lines. Ordinary lines on a terminal go through `escapes`, which is faster.

use std::io::Write;

use super::escapes::{self, SCAN_BYTES, Sequence};
use super::style;

/// Any bytes as printable text.
///
/// Escape sequences are removed. With `colors`, colours are kept and reset at the end. Control characters other than
/// TAB are written as `\r`, `\n` or in hex, such as `\x07`; bytes that are not UTF-8 become U+FFFD.
#[must_use]
pub fn printable(bytes: &[u8], colors: bool) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = Vec::with_capacity(text.len());
    let mut colored = false;
    let mut rest = text.as_bytes();
    while let Some(at) = position_of_control(rest) {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain);
        let after_control = tail.get(control_bytes(tail)..).unwrap_or_default();
        rest = match escapes::sequence(tail, &mut Vec::new()) {
            Sequence::Sgr(parameters, after) => {
                if colors {
                    out.extend([b"\x1b[", parameters, b"m"].into_iter().flatten());
                    colored = true;
                }
                after
            }
            Sequence::Hidden(after) if after.len() < after_control.len() => after,
            // No sequence follows: only the control character itself is at the front.
            Sequence::Hidden(_) => {
                write_visible(tail, &mut out);
                after_control
            }
            Sequence::Cut(_) => &[],
        };
    }
    out.extend_from_slice(rest);
    if colored {
        out.extend_from_slice(style::RESET);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether the lines can be shown unchanged. Can be false even if they can; never true if they contain a control
/// character other than LF and TAB.
pub(super) fn is_text(lines: &[u8]) -> bool {
    let may_be_control = |byte: u8| byte == 0xc2 || (byte.is_ascii_control() && byte != b'\n' && byte != b'\t');
    // Without an early exit within a part, the compiler can vectorize the loop.
    lines.chunks(SCAN_BYTES).all(|part| part.iter().fold(0, |found, byte| found | u8::from(may_be_control(*byte))) == 0)
}

/// Position of the first control character other than TAB. `text` is UTF-8.
fn position_of_control(text: &[u8]) -> Option<usize> {
    let is_control = |(at, byte): (usize, &u8)| match byte {
        b'\t' => false,
        0xc2 => text.get(at + 1).is_some_and(|next| (0x80..=0x9f).contains(next)),
        byte => byte.is_ascii_control(),
    };
    text.iter().enumerate().position(is_control)
}

/// Length in bytes of the control character at the front.
fn control_bytes(text: &[u8]) -> usize {
    if text.first() == Some(&0xc2) { 2 } else { 1 }
}

fn write_visible(text: &[u8], out: &mut Vec<u8>) {
    let _ = match text {
        [b'\r', ..] => write!(out, "\\r"),
        [b'\n', ..] => write!(out, "\\n"),
        [0xc2, control, ..] | [control, ..] => write!(out, "\\x{control:02x}"),
        [] => Ok(()),
    };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_text_is_unchanged() {
        for text in ["", "plain\ttext", "µ € 😀 <&>\"'\\", "::error::x"] {
            assert_eq!(printable(text.as_bytes(), false), text);
        }
        assert_eq!(printable(b"a\xffb\xc2", false), "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn escape_sequences_are_removed_and_colours_kept_only_on_request() {
        let line = b"\x1b[1;31mred\x1b[m\x1b[2J\x1b]0;title\x07 \xc2\x9b31mend\x1b[3";

        assert_eq!(printable(line, false), "red end");
        assert_eq!(printable(line, true), "\x1b[1;31mred\x1b[m end\x1b[0m");
    }

    #[test]
    fn other_control_characters_are_written_out() {
        assert_eq!(printable(b"10%\r20%\n\0\x07\x08\x0e\x7f\xc2\x85", false), r"10%\r20%\n\x00\x07\x08\x0e\x7f\x85");
        assert_eq!(printable(b"a\x1b\xc2\xb5", false), "a\\x1b\u{b5}");
        assert_eq!(printable(b"end\x1b", false), "end");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_become_printable_text(
            bytes in prop::collection::vec(
                prop_oneof![prop::sample::select(&b"\x1b\x1b[]m31;P\\\x07\xc2\x9b\x9d\x85\xb5\r\n\x08"[..]), any::<u8>()],
                0..40,
            ),
        ) {
            let text = printable(&bytes, false);
            prop_assert!(!text.chars().any(|character| character.is_control() && character != '\t'), "{:?}", text);

            let colored = printable(&bytes, true);
            let without: String = colored.split("\x1b[").map(|part| part.split_once('m').map_or("", |(_, text)| text)).skip(1).collect();
            let first = colored.split("\x1b[").next().unwrap_or_default();
            prop_assert_eq!(first.to_owned() + &without, text);
        }
    }
}
