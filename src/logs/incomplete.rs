//! Finds an unfinished character or escape sequence at the end of a text (S7.6).
//!
//! A piece of a line never ends inside a character: neither half would be valid UTF-8 on its own. Nor inside a sequence,
//! unless that is very long. Called wherever a line can be cut.

use memchr::memchr;

use super::escapes::{self, OpenSequence, Sequence};

const ESC: u8 = 0x1b;

/// Longest escape sequence that is held back, in bytes: enough for a title or an address. A longer one is an image,
/// which does not move the cursor.
const SEQUENCE_BYTES: usize = 4096;

/// Longest sequence in which the kept end of a text does not begin, in bytes.
pub(super) const SHORT_SEQUENCE_BYTES: usize = 128;

/// Number of bytes at the end that begin a UTF-8 character without completing it: 0 to 3.
pub(super) fn character_bytes(text: &[u8]) -> usize {
    let tail = text.get(text.len().saturating_sub(3)..).unwrap_or_default();
    for (at, byte) in tail.iter().enumerate().rev() {
        if matches!(byte, 0x80..=0xbf) {
            continue;
        }
        let unfinished = tail.get(at..).unwrap_or_default();
        // `error_len` is None only if more bytes could complete the character.
        let is_unfinished =
            std::str::from_utf8(unfinished).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none());
        return if is_unfinished { unfinished.len() } else { 0 };
    }
    0
}

/// Number of bytes at the end that begin a character or an escape sequence without completing it.
#[must_use]
pub fn unfinished_bytes(text: &[u8]) -> usize {
    unfinished_within(text, SEQUENCE_BYTES)
}

/// Number of bytes at the end that begin an escape sequence without completing it.
pub(super) fn unfinished_sequence_bytes(text: &[u8]) -> usize {
    let unfinished = unfinished_bytes(text);
    let begins_sequence = text.get(text.len() - unfinished) == Some(&ESC);
    if begins_sequence { unfinished } else { 0 }
}

/// The last position up to `at` at which the kept end of a text can begin: inside neither a character nor an escape
/// sequence. Less than [`SHORT_SEQUENCE_BYTES`] before `at`.
pub(super) fn kept_from(text: &[u8], at: usize) -> usize {
    let lost = text.get(..at).unwrap_or(text);
    lost.len() - unfinished_within(lost, SHORT_SEQUENCE_BYTES)
}

/// Whether a character or an escape sequence, however long, has begun and is not complete.
pub(super) fn is_unfinished(text: &[u8]) -> bool {
    unfinished_within(text, text.len()) > 0
}

/// The same as [`unfinished_bytes`] for sequences of fewer than `most` bytes.
fn unfinished_within(text: &[u8], most: usize) -> usize {
    let tail = text.get(text.len().saturating_sub(most)..).unwrap_or_default();
    let next = |from: usize| tail.get(from..).and_then(|rest| memchr(ESC, rest)).map(|at| from + at);
    // The last string such as a title: where it begins and ends.
    let mut string = (0, 0);
    let mut found = next(0);
    while let Some(at) = found {
        let rest = tail.get(at..).unwrap_or_default();
        let end = match escapes::sequence(rest, &mut Vec::new()) {
            // The `ESC` at the end may begin the `ESC \` that ends the string.
            Sequence::Cut(OpenSequence::Escape) if string.1 == at => return tail.len() - string.0,
            Sequence::Cut(_) => return rest.len(),
            Sequence::Sgr(_, after) | Sequence::Hidden(after) => tail.len() - after.len(),
        };
        if matches!(rest.get(1), Some(b']' | b'P' | b'X' | b'^' | b'_')) {
            string = (at, end);
        }
        found = next(end);
    }
    character_bytes(text)
}

/// Whether a terminal would show anything: more than blanks, control characters and escape sequences.
pub(super) fn has_visible(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b'\x1b' => match escapes::sequence(rest, &mut Vec::new()) {
                Sequence::Sgr(_, after) | Sequence::Hidden(after) => after,
                Sequence::Cut(_) => return false,
            },
            0..=b' ' | 0x7f => after,
            _ => return true,
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_character_that_more_bytes_could_complete_is_held_back() {
        for text in ["é", "€", "😀"] {
            let bytes = text.as_bytes();
            for cut in 1..bytes.len() {
                assert_eq!(character_bytes(&[b"ab", &bytes[..cut]].concat()), cut, "{text} {cut}");
            }
            assert_eq!(character_bytes(bytes), 0);
        }
        for text in [&b""[..], b"a", b"\xff", b"\x80\x80\x80", b"\xc3\xa9\xa9", b"\xed\xa0", b"\xf5\x80", b"\xe9x"] {
            assert_eq!(character_bytes(text), 0, "{text:?}");
        }
    }

    #[test]
    fn an_incomplete_escape_sequence_is_held_back() {
        assert_eq!(unfinished_bytes(b"a\x1b[3"), 3);
        assert_eq!(unfinished_bytes(b"a\x1b"), 1);
        assert_eq!(unfinished_bytes(b"a\x1b[31mb"), 0);
        assert_eq!(unfinished_bytes(b"a\x1b[31m\xc3"), 1);
        let title = |length: usize| [b"\x1b]0;".as_slice(), &vec![b'x'; length]].concat();
        assert_eq!(unfinished_bytes(&title(300)), 304);
        assert_eq!(unfinished_bytes(&[&title(300)[..], b"\x1b"].concat()), 305);
        assert_eq!(unfinished_bytes(&[&title(300)[..], b"\x1b\\"].concat()), 0);
        assert_eq!(unfinished_bytes(&[&title(300)[..], b"\x07\x1b[3"].concat()), 3);
        assert_eq!(unfinished_bytes(&title(SEQUENCE_BYTES)), 0);
    }

    #[test]
    fn the_kept_end_of_a_text_begins_with_a_whole_character_or_sequence() {
        let text = "aé\x1b[31m😀b".as_bytes();

        let kept: Vec<usize> = (0..=text.len()).map(|at| kept_from(text, at)).collect();

        assert_eq!(kept, [0, 1, 1, 3, 3, 3, 3, 3, 8, 8, 8, 8, 12, 13]);
    }

    #[test]
    fn blanks_control_characters_and_sequences_are_not_visible() {
        for text in [&b""[..], b" \t\r\x07", b"\x1b[31m\x1b[0m", b"\x1b]0;title\x07", b"\x1b[2K\x1b[1G", b"\x1b[3"] {
            assert!(!has_visible(text), "{text:?}");
        }
        for text in [&b"a"[..], b"\x1b[31m>", b"  \xc3\xa9"] {
            assert!(has_visible(text), "{text:?}");
        }
    }
}
