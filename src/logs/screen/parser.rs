//! Splits the output of a program into text, control characters and escape sequences.
//!
//! Decides where each of them ends, even if it is cut between two reads. Independent of the screen. Holds at most
//! one unfinished sequence of [`MAX_PARAMETERS`] bytes or one unfinished character.

use crate::logs::incomplete;

/// Longest parameters of a sequence, in bytes. A sequence with longer ones is ignored.
const MAX_PARAMETERS: usize = 128;

const ESC: u8 = 0x1b;
/// `CSI` as one character, U+009B.
const C1_CSI: char = '\u{9b}';

/// One piece of output.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// Characters that are shown, valid UTF-8 or not.
    Text(&'t [u8]),
    /// A control character.
    Control(u8),
    /// `ESC` and this byte.
    Escape(u8),
    /// `ESC [`, these parameters, this final byte.
    Csi(&'t [u8], u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ParserState {
    #[default]
    Ground,
    Escape,
    /// `ESC` and intermediate bytes, such as `ESC (`.
    Intermediate,
    Csi,
    /// A sequence with too many parameters.
    Ignored,
    /// A string such as a title: up to `BEL` or `ESC \`, at most to the end of the line.
    Osc,
    /// Other strings: up to `ESC \`, at most to the end of the line.
    OtherString,
}

#[derive(Debug, Default)]
pub(super) struct Parser {
    state: ParserState,
    /// The parameters of an unfinished sequence.
    parameters: Vec<u8>,
    /// The first bytes of an unfinished character.
    character: Vec<u8>,
}

impl Parser {
    /// Whether no sequence and no character is unfinished.
    pub(super) fn is_idle(&self) -> bool {
        self.state == ParserState::Ground && self.character.is_empty()
    }

    /// The first bytes of a character whose end will not come.
    pub(super) fn take_character(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.character)
    }

    /// Reads the next token and returns it with the bytes after it. None: all bytes have been read; an unfinished
    /// sequence or character at their end is kept for the next call.
    pub(super) fn next<'p, 'b: 'p>(&'p mut self, mut bytes: &'b [u8]) -> Option<(Token<'p>, &'b [u8])> {
        loop {
            if self.state == ParserState::Ground {
                let (byte, after) = bytes.split_first()?;
                if !self.character.is_empty() && (0x80..=0xbf).contains(byte) {
                    self.character.push(*byte);
                    bytes = after;
                    if incomplete::character_bytes(&self.character) > 0 {
                        continue;
                    }
                }
                if !self.character.is_empty() {
                    self.parameters.clear();
                    self.parameters.append(&mut self.character);
                    if self.parameters == C1_CSI.to_string().as_bytes() {
                        self.parameters.clear();
                        self.state = ParserState::Csi;
                        continue;
                    }
                    return Some((Token::Text(&self.parameters), bytes));
                }
                match byte {
                    &ESC => self.state = ParserState::Escape,
                    0..=0x1f | 0x7f => return Some((Token::Control(*byte), after)),
                    // The character may be in U+0080 to U+009F, one of which begins a sequence.
                    0xc2 => {
                        self.character.push(*byte);
                    }
                    _ => match self.text(bytes) {
                        ([], _) => return None,
                        (text, after) => return Some((Token::Text(text), after)),
                    },
                }
                bytes = after;
                continue;
            }
            let (byte, after) = bytes.split_first()?;
            if *byte == b'\n' && matches!(self.state, ParserState::Osc | ParserState::OtherString) {
                // A string that was never ended must not swallow the lines after it.
                self.state = ParserState::Ground;
                continue;
            }
            bytes = after;
            if let Some((final_byte, is_csi)) = self.step(*byte) {
                let token = if is_csi { Token::Csi(&self.parameters, final_byte) } else { Token::Escape(final_byte) };
                return Some((token, bytes));
            }
        }
    }

    /// Splits off the text at the front. An incomplete character at the end of all bytes is kept for the next call.
    fn text<'b>(&mut self, bytes: &'b [u8]) -> (&'b [u8], &'b [u8]) {
        let end = bytes.iter().position(|byte| *byte < 0x20 || matches!(byte, 0x7f | 0xc2));
        let Some(end) = end else {
            let whole = bytes.len() - incomplete::character_bytes(bytes);
            let (text, unfinished) = bytes.split_at(whole);
            self.character.extend_from_slice(unfinished);
            return (text, &[]);
        };
        bytes.split_at(end)
    }

    /// Reads one byte of a sequence. At its end, returns the final byte and whether it is a control sequence.
    fn step(&mut self, byte: u8) -> Option<(u8, bool)> {
        let (next, done) = match (self.state, byte) {
            // CAN and SUB end every sequence.
            (_, 0x18 | 0x1a) => (ParserState::Ground, None),
            (_, ESC) => (ParserState::Escape, None),
            (ParserState::Ground, _) | (ParserState::Osc, 0x07) => (ParserState::Ground, None),
            (ParserState::Osc | ParserState::OtherString, _) => (self.state, None),
            (ParserState::Escape, b'[') => {
                self.parameters.clear();
                (ParserState::Csi, None)
            }
            (ParserState::Escape, b']') => (ParserState::Osc, None),
            (ParserState::Escape, b'P' | b'X' | b'^' | b'_') => (ParserState::OtherString, None),
            (ParserState::Escape | ParserState::Intermediate, 0x20..=0x2f) => (ParserState::Intermediate, None),
            (ParserState::Escape, 0x30..=0x7e) => (ParserState::Ground, Some((byte, false))),
            (ParserState::Csi, 0x20..=0x3f) if self.parameters.len() >= MAX_PARAMETERS => (ParserState::Ignored, None),
            (ParserState::Csi, 0x20..=0x3f) => {
                self.parameters.push(byte);
                (ParserState::Csi, None)
            }
            (ParserState::Csi, 0x40..=0x7e) => (ParserState::Ground, Some((byte, true))),
            (ParserState::Ignored, 0x20..=0x3f) => (ParserState::Ignored, None),
            // The end of an ignored sequence, or a byte that cannot belong to a sequence.
            (ParserState::Escape | ParserState::Intermediate | ParserState::Csi | ParserState::Ignored, _) => {
                (ParserState::Ground, None)
            }
        };
        self.state = next;
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens of these reads, one word each.
    fn read(reads: &[&[u8]]) -> Vec<String> {
        let mut parser = Parser::default();
        let mut seen = Vec::new();
        for read in reads {
            let mut rest = *read;
            while let Some((token, after)) = parser.next(rest) {
                seen.push(match token {
                    Token::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    Token::Control(byte) => format!("^{byte}"),
                    Token::Escape(byte) => format!("ESC {}", char::from(byte)),
                    Token::Csi(parameters, byte) => {
                        format!("CSI {}{}", String::from_utf8_lossy(parameters), char::from(byte))
                    }
                });
                let left = after.len();
                rest = &read[read.len() - left..];
            }
        }
        seen
    }

    #[test]
    fn text_control_characters_and_sequences_are_recognised() {
        assert_eq!(
            read(&[b"ab\r\x1b[2;3Hc\x1b7\x1b]0;t\x07d\x1bPx\x1b\\\x1b(Be\x7f"]),
            ["ab", "^13", "CSI 2;3H", "c", "ESC 7", "d", "ESC \\", "e", "^127"]
        );
        assert_eq!(read(&[b"\xc2\x9b2Ka\xc2\xb5"]), ["CSI 2K", "a", "\u{b5}"]);
    }

    #[test]
    fn a_cut_between_two_reads_changes_nothing() {
        for text in ["a\x1b[1;2Hb\u{e9}c\u{20ac}\x1b]0;x\x07\u{1f600}\x1b(B!", "\u{b5}\u{9b}3A"] {
            let bytes = text.as_bytes();
            let whole = read(&[bytes]).concat();
            for cut in 0..bytes.len() {
                assert_eq!(read(&[&bytes[..cut], &bytes[cut..]]).concat(), whole, "{cut}");
            }
        }
    }

    #[test]
    fn invalid_utf8_is_text_and_broken_sequences_are_ignored() {
        assert_eq!(read(&[b"\xe9x\xc2"]), ["\u{fffd}x"]);
        assert_eq!(read(&[b"\xc2", b"x"]), ["\u{fffd}", "x"]);
        assert_eq!(read(&[&[b"\x1b[".as_slice(), &[b'1'; 500], b"Ha"].concat()]), ["a"]);
        assert_eq!(read(&[b"\x1b[1\x18a\x1b[2\x1b[3Kb"]), ["a", "CSI 3K", "b"]);
    }
}
