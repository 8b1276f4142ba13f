//! Makes the output of a dyno harmless for a terminal that shows other lines, too (S7.2).
//!
//! Colours (SGR) are kept, reset at the end of their line and set again on the next one. Blanks at the end of a line
//! are removed, because they could wrap. Sequences that move the cursor, switch the character set, query the terminal
//! or set its title are removed. All other bytes are unchanged, valid UTF-8 or not. [`copy_harmless`] is called only
//! for prefixed lines on a terminal, and [`copy_with_colors`] for lines without a prefix there; `printable`, `style` and
//! `incomplete` use the same [`sequence`].

use std::mem;

use super::incomplete::is_unfinished;
use super::style::{RESET, Style};

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
/// First byte of U+0080..=U+009F in UTF-8, which terminals treat as control characters.
const C1_LEAD: u8 = 0xc2;
/// Number of bytes scanned at a time: enough for vector instructions, few enough to stop soon after an early hit.
pub(super) const SCAN_BYTES: usize = 1024;

/// The sequence that is still open at the end of a piece of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum OpenSequence {
    /// None.
    #[default]
    Nothing,
    /// `ESC`.
    Escape,
    /// `ESC` and intermediate bytes, such as `ESC (`.
    Intermediate,
    /// `ESC [`, possibly with parameters.
    Csi,
    /// `ESC ]`: a title or the like, up to `BEL` or `ESC \`.
    Osc,
    /// `ESC P`, `ESC X`, `ESC ^`, `ESC _`: up to `ESC \`.
    OtherString,
}

/// What is at the front of a text.
pub(super) enum Sequence<'t> {
    /// An SGR sequence, which is kept: its parameters and the text after it.
    Sgr(&'t [u8], &'t [u8]),
    /// Something that is removed, and the text after it.
    Hidden(&'t [u8]),
    /// A sequence that does not end in this text.
    Cut(OpenSequence),
}

/// Whether the lines can be shown unchanged. Can be false even if they can; never true if they contain a harmful byte.
pub(super) fn is_harmless(lines: &[u8]) -> bool {
    // Without an early exit within a part, the compiler can vectorize the loop.
    lines.chunks(SCAN_BYTES).all(|part| part.iter().fold(0, |found, byte| found | u8::from(may_harm(*byte))) == 0)
}

fn may_harm(byte: u8) -> bool {
    byte == C1_LEAD || (byte < 0x20 && byte != b'\n' && byte != b'\t' && byte != b'\r')
}

/// What one line passes on to the next line of the same source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct LeftOver {
    /// The sequence that was cut by the end of a piece.
    pub(super) open: OpenSequence,
    /// Colours that are still on.
    pub(super) style: Style,
}

/// Copies one line, or a piece of it, without harmful sequences and trailing blanks.
pub(super) fn copy_harmless(line: &[u8], left: &mut LeftOver, out: &mut Vec<u8>) {
    let mut rest = line;
    match resume(mem::take(&mut left.open), rest) {
        // The parameters of a colour sequence that was cut are incomplete, so it is dropped.
        Sequence::Sgr(_, after) | Sequence::Hidden(after) => rest = after,
        Sequence::Cut(still_open) => {
            left.open = still_open;
            return;
        }
    }
    let start = out.len();
    Style::PLAIN.write_change(left.style, out);
    let mut colored = out.len() > start;
    // Length of `out` up to the last visible byte.
    let mut visible = start;
    while let Some(at) = rest.iter().position(|byte| is_special(*byte)) {
        let (plain, tail) = rest.split_at(at);
        copy_text(plain, left.style, &mut visible, out);
        match sequence(tail, out) {
            Sequence::Sgr(parameters, after) => {
                out.extend([b"\x1b[", parameters, b"m"].into_iter().flatten());
                left.style.apply(parameters);
                colored = true;
                rest = after;
            }
            Sequence::Hidden(after) => rest = after,
            Sequence::Cut(cut) => {
                left.open = cut;
                rest = &[];
            }
        }
    }
    copy_text(rest, left.style, &mut visible, out);
    out.truncate(visible);
    if colored && visible > start {
        out.extend_from_slice(RESET);
    }
}

/// Copies one line unchanged, but begins with the colours that are still on, and ends without any. `style`: the colours
/// before and after it.
pub(super) fn copy_with_colors(line: &[u8], style: &mut Style, out: &mut Vec<u8>) {
    if line.is_empty() {
        return;
    }
    Style::PLAIN.write_change(*style, out);
    out.extend_from_slice(line);
    style.apply_all(line);
    // A sequence that the line end has cut would continue in the next line. The escape character of the reset ends it.
    if !style.is_plain() || is_unfinished(line) {
        out.extend_from_slice(RESET);
    }
}

/// Sets `visible` to the end of the last byte that a terminal would show.
fn copy_text(text: &[u8], style: Style, visible: &mut usize, out: &mut Vec<u8>) {
    out.extend_from_slice(text);
    let seen = if style.is_seen_on_blanks() { text } else { without_trailing_blanks(text) };
    if !seen.is_empty() {
        *visible = out.len() - (text.len() - seen.len());
    }
}

/// A line without its trailing blanks.
pub(super) fn without_trailing_blanks(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| !matches!(byte, b' ' | b'\t'));
    line.get(..end.map_or(0, |at| at + 1)).unwrap_or_default()
}

/// Bytes that may begin something to remove. TAB, NUL, BEL and DEL are harmless; `lines` has handled CR (S7.6).
fn is_special(byte: u8) -> bool {
    byte == C1_LEAD || (byte < 0x20 && !matches!(byte, b'\t' | b'\r' | BEL | 0))
}

/// Reads the sequence at the front of `text`. A `C1_LEAD` that begins an ordinary character is copied to `out`.
pub(super) fn sequence<'t>(text: &'t [u8], out: &mut Vec<u8>) -> Sequence<'t> {
    match text {
        [ESC, after @ ..] => escape(after),
        [C1_LEAD, 0x9b, after @ ..] => match csi(after) {
            // Not every terminal understands the eight-bit introducer, so colours with it are removed, too.
            Sequence::Sgr(_, after) => Sequence::Hidden(after),
            other @ (Sequence::Hidden(_) | Sequence::Cut(_)) => other,
        },
        [C1_LEAD, 0x9d, after @ ..] => string(OpenSequence::Osc, after),
        [C1_LEAD, 0x90 | 0x98 | 0x9e | 0x9f, after @ ..] => string(OpenSequence::OtherString, after),
        [C1_LEAD, 0x80..=0x9f, after @ ..] => Sequence::Hidden(after),
        // An incomplete character. If it were kept, it could form a new one with the byte after a removed sequence.
        [C1_LEAD, after @ ..] if after.first().is_some_and(|next| is_special(*next)) => Sequence::Hidden(after),
        [C1_LEAD, after @ ..] => {
            out.push(C1_LEAD);
            Sequence::Hidden(after)
        }
        [_, after @ ..] | after @ [] => Sequence::Hidden(after),
    }
}

/// Continues the sequence that was open at the end of the previous piece.
fn resume(open: OpenSequence, text: &[u8]) -> Sequence<'_> {
    match open {
        OpenSequence::Nothing => Sequence::Hidden(text),
        OpenSequence::Escape => escape(text),
        OpenSequence::Intermediate => intermediate(text),
        OpenSequence::Csi => csi(text),
        OpenSequence::Osc | OpenSequence::OtherString => string(open, text),
    }
}

/// Continues after `ESC`. If no sequence follows, only the `ESC` is removed.
fn escape(text: &[u8]) -> Sequence<'_> {
    match text {
        [] => Sequence::Cut(OpenSequence::Escape),
        [b'[', after @ ..] => csi(after),
        [b']', after @ ..] => string(OpenSequence::Osc, after),
        [b'P' | b'X' | b'^' | b'_', after @ ..] => string(OpenSequence::OtherString, after),
        [0x20..=0x2f, after @ ..] => intermediate(after),
        [0x30..=0x7e, after @ ..] => Sequence::Hidden(after),
        [_, ..] => Sequence::Hidden(text),
    }
}

/// Continues after `ESC` and an intermediate byte: more of them, then one final byte.
fn intermediate(text: &[u8]) -> Sequence<'_> {
    let Some(end) = text.iter().position(|byte| !matches!(byte, 0x20..=0x2f)) else {
        return Sequence::Cut(OpenSequence::Intermediate);
    };
    match text.split_at(end).1 {
        [0x30..=0x7e, after @ ..] => Sequence::Hidden(after),
        broken => Sequence::Hidden(broken),
    }
}

/// Continues after `ESC [`: parameters and intermediate bytes, then one final byte.
fn csi(text: &[u8]) -> Sequence<'_> {
    let Some(end) = text.iter().position(|byte| !matches!(byte, 0x20..=0x3f)) else {
        return Sequence::Cut(OpenSequence::Csi);
    };
    match text.split_at(end) {
        (parameters, [b'm', after @ ..]) if parameters.iter().all(|byte| matches!(byte, b'0'..=b'9' | b';' | b':')) => {
            Sequence::Sgr(parameters, after)
        }
        (_, [0x40..=0x7e, after @ ..]) => Sequence::Hidden(after),
        (_, broken) => Sequence::Hidden(broken),
    }
}

/// Continues inside a string that a terminal does not show, such as a title. Any `ESC` ends it: if no `\` follows, a
/// new sequence begins there.
fn string(kind: OpenSequence, text: &[u8]) -> Sequence<'_> {
    let mut rest = text;
    loop {
        match rest {
            [] => return Sequence::Cut(kind),
            [ESC, b'\\', after @ ..] | [C1_LEAD, 0x9c, after @ ..] | [0x18 | 0x1a, after @ ..] => {
                return Sequence::Hidden(after);
            }
            [ESC, ..] => return Sequence::Hidden(rest),
            [BEL, after @ ..] if kind == OpenSequence::Osc => return Sequence::Hidden(after),
            [_, after @ ..] => rest = after,
        }
    }
}

#[cfg(test)]
mod tests {
    use memchr::memmem;
    use proptest::prelude::*;

    use super::*;

    fn shown(line: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        copy_harmless(line, &mut LeftOver::default(), &mut out);
        out
    }

    fn shown_in_pieces(pieces: [&[u8]; 2]) -> Vec<Vec<u8>> {
        let mut left = LeftOver::default();
        let pieces = pieces.map(|piece| {
            let mut out = Vec::new();
            copy_harmless(piece, &mut left, &mut out);
            out
        });
        pieces.to_vec()
    }

    #[test]
    fn s7_2_a_long_title_without_an_end_does_not_reach_the_next_line() {
        let mut out = Vec::new();
        copy_with_colors(format!("a\x1b]0;{:09000}", 7).as_bytes(), &mut Style::default(), &mut out);
        assert!(out.ends_with(RESET));
    }

    // S7.2: only SGR sequences are kept, and they are reset at the end of the line.
    #[test]
    fn colours_are_kept_and_reset_at_the_end_of_their_line() {
        assert_eq!(shown(b"\x1b[1;31mred"), b"\x1b[1;31mred\x1b[0m");
        assert_eq!(shown(b"\x1b[38:5:9mx\x1b[m"), b"\x1b[38:5:9mx\x1b[0m");
        assert_eq!(shown(b"plain \xff\tbytes\r"), b"plain \xff\tbytes\r");
    }

    #[test]
    fn s7_2_a_colour_that_is_left_on_is_set_again_on_the_next_line() {
        assert_eq!(
            shown_in_pieces([b"\x1b[1;31mred", b"still\x1b[m not"]),
            [&b"\x1b[1;31mred\x1b[0m"[..], b"\x1b[1;31mstill\x1b[m not\x1b[0m"]
        );
        assert_eq!(shown_in_pieces([b"\x1b[31m", b"  "]), [b"", b""]);
    }

    #[test]
    fn s7_6_trailing_blanks_are_removed_unless_they_are_visible() {
        assert_eq!(shown(b"logo  \t "), b"logo");
        assert_eq!(shown(b"   "), b"");
        assert_eq!(shown(b"\x1b[32mok   \x1b[39m  "), b"\x1b[32mok\x1b[0m");
        assert_eq!(shown(b"\x1b[41m  \x1b[49m  "), b"\x1b[41m  \x1b[0m");
        assert_eq!(shown(b"a\x1b[7m \x1b[m"), b"a\x1b[7m \x1b[0m");
    }

    #[test]
    fn all_other_sequences_are_removed() {
        for sequence in [
            &b"\x1b[2J"[..],
            b"\x1b[?25l",
            b"\x1b[>4;1m",
            b"\x1b[0 q",
            b"\x1b]0;title\x07",
            b"\x1b]8;;http://x\x1b\\",
            b"\x1bPq#0\x07~\x1b\\",
            b"\x1b_apc\xc2\x9c",
            b"\x1b(0",
            b"\x1bc",
            b"\x1b#8",
            b"\xc2\x9b2J",
            b"\xc2\x9b31m",
            b"\xc2\x85",
            b"\x1b",
            b"\x08",
            b"\x0e\x05",
        ] {
            assert_eq!(shown(&[&b"a"[..], sequence, b"\xc2\xb5"].concat()), b"a\xc2\xb5", "{sequence:?}");
        }
    }

    #[test]
    fn a_sequence_cut_by_the_end_of_its_line_is_removed() {
        for line in [&b"a\x1b"[..], b"a\x1b[", b"a\x1b[31", b"a\x1b]0;tit", b"a\x1b(", b"a\x1bPq\x1b"] {
            assert_eq!(shown(line), b"a");
        }
    }

    #[test]
    fn a_sequence_cut_between_two_pieces_does_not_leak_into_the_second() {
        assert_eq!(shown_in_pieces([b"a\x1b[3", b"1mb"]), [b"a", b"b"]);
        assert_eq!(shown_in_pieces([b"a\x1b]0;ti", b"tle\x07b"]), [b"a", b"b"]);
        assert_eq!(shown_in_pieces([b"a\x1bP", b"\x07~\x1b\\b"]), [b"a", b"b"]);
        assert_eq!(shown_in_pieces([b"a\x1b", b"(0b"]), [b"a", b"b"]);
    }

    /// The text without its SGR sequences.
    fn without_colours(text: &[u8]) -> Vec<u8> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = memmem::find(rest, b"\x1b[") {
            parts.extend_from_slice(&rest[..at]);
            let end = at + rest[at..].iter().position(|byte| *byte == b'm').expect("an SGR sequence ends");
            assert!(rest[at + 2..end].iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':')));
            rest = &rest[end + 1..];
        }
        parts.extend_from_slice(rest);
        parts
    }

    fn lines(bytes: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![5 => prop::sample::select(bytes), 1 => 0x20_u8..0x80], 0..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(5_000), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_but_colours_reaches_the_terminal(
            line in lines(b"\x1b\x1b[[]P\\(0;31mmKh?a\x07\x08\x0e\x18\r\t\xc2\xc2\x9b\x9c\x9d\xb5\xff"),
        ) {
            let shown = shown(&line);

            let text = without_colours(&shown);
            prop_assert!(!text.iter().any(|byte| *byte == ESC || (is_special(*byte) && *byte != C1_LEAD)));
            prop_assert!(!shown.windows(2).any(|pair| pair[0] == C1_LEAD && (0x80..=0x9f).contains(&pair[1])));
            prop_assert!(!is_harmless(&line) || shown == without_trailing_blanks(&line));
        }

        #[test]
        fn a_cut_changes_no_visible_byte(
            line in lines(b"\x1b\x1b[[]P\\(0;31mmKh?a\x07\x08\x0e\x18\r\t\x9b\x9c\xff"),
            at in 0_usize..40,
        ) {
            let (first, second) = line.split_at(at.min(line.len()));

            let pieces = shown_in_pieces([first, second]).concat();

            let visible = |text: &[u8]| -> Vec<u8> {
                without_colours(text).into_iter().filter(|byte| !matches!(byte, b' ' | b'\t')).collect()
            };
            prop_assert_eq!(visible(&pieces), visible(&shown(&line)));
        }
    }
}
