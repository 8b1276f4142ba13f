//! Tracks whether a focused program is drawing on the alternate screen (S6.8).
//!
//! Reads the bytes on their way to the terminal; a sequence can be split between two reads. Decides nothing else.
//! Called by `runtime::focused`.

use memchr::memchr;

/// Longest parameters that are read, in bytes. A sequence that switches screens is shorter.
const MAX_PARAMETERS: usize = 64;

/// The terminal modes that show the alternate screen.
const MODES: [&[u8]; 3] = [b"47", b"1047", b"1049"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum SequenceState {
    #[default]
    Ground,
    Escape,
    Csi,
}

/// Which screen a terminal shows.
#[derive(Debug, Default)]
pub struct AlternateScreen {
    state: SequenceState,
    parameters: Vec<u8>,
    /// The mode that switched to the alternate screen.
    shown_by: Option<&'static [u8]>,
}

impl AlternateScreen {
    /// Whether the terminal shows the alternate screen.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.shown_by.is_some()
    }

    /// Reads up to the next change of the screen. Returns the number of bytes read: all of them if there is no change.
    pub fn follow(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.state == SequenceState::Ground {
                let rest = bytes.get(at..).unwrap_or_default();
                let Some(escape) = memchr(b'\x1b', rest) else { return bytes.len() };
                at += escape + 1;
                self.state = SequenceState::Escape;
                continue;
            }
            at += 1;
            if self.step(byte) {
                return at;
            }
        }
        bytes.len()
    }

    /// Reads one byte of a sequence. Returns whether the screen has changed.
    fn step(&mut self, byte: u8) -> bool {
        let was_shown = self.is_shown();
        self.state = match (self.state, byte) {
            (_, b'\x1b') => SequenceState::Escape,
            (SequenceState::Escape, b'[') => {
                self.parameters.clear();
                SequenceState::Csi
            }
            (SequenceState::Escape, b'c') => {
                self.shown_by = None;
                SequenceState::Ground
            }
            (SequenceState::Csi, 0x20..=0x3f) if self.parameters.len() < MAX_PARAMETERS => {
                self.parameters.push(byte);
                SequenceState::Csi
            }
            (SequenceState::Csi, b'h' | b'l') => {
                self.switch(byte == b'h');
                SequenceState::Ground
            }
            (SequenceState::Ground | SequenceState::Escape | SequenceState::Csi, _) => SequenceState::Ground,
        };
        was_shown != self.is_shown()
    }

    fn switch(&mut self, is_set: bool) {
        let Some(modes) = self.parameters.strip_prefix(b"?") else { return };
        for mode in modes.split(|byte| *byte == b';') {
            if let Some(known) = MODES.iter().find(|known| **known == mode) {
                self.shown_by = is_set.then_some(*known);
            }
        }
    }

    /// Leaves the alternate screen, if the program was killed before it did so itself.
    pub fn leave(&mut self, out: &mut Vec<u8>) {
        self.state = SequenceState::Ground;
        if let Some(mode) = self.shown_by.take() {
            out.extend([b"\x1b[?", mode, b"l"].into_iter().flatten());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The output, cut at each change of the screen; `true` if the alternate screen is shown after the part.
    fn parts(reads: &[&[u8]]) -> Vec<(String, bool)> {
        let mut screen = AlternateScreen::default();
        let mut parts = Vec::new();
        for read in reads {
            let mut rest = *read;
            while !rest.is_empty() {
                let (part, after) = rest.split_at(screen.follow(rest));
                parts.push((String::from_utf8_lossy(part).into_owned(), screen.is_shown()));
                rest = after;
            }
        }
        parts
    }

    #[test]
    fn each_mode_that_shows_the_alternate_screen_is_recognised() {
        for mode in ["47", "1047", "1049", "25;1049"] {
            let (on, off) = (format!("a\x1b[?{mode}h"), format!("b\x1b[?{mode}l"));
            let all = format!("{on}{off}c");
            assert_eq!(parts(&[all.as_bytes()]), [(on, true), (off, false), ("c".to_owned(), false)]);
        }
        assert_eq!(parts(&[b"\x1b[?1049h", b"\x1bc"]).last().unwrap(), &("\x1bc".to_owned(), false));
        assert!(!parts(&[b"\x1b[1049h\x1b[?25h\x1b]47h\x1b[?1049x"]).iter().any(|(_, shown)| *shown));
    }

    #[test]
    fn a_sequence_cut_between_two_reads_is_recognised() {
        let all = b"a\x1b[?1049hb";
        for cut in 0..all.len() {
            let seen = parts(&[&all[..cut], &all[cut..]]);
            assert!(seen.last().unwrap().1, "{cut}");
        }
    }

    #[test]
    fn leaving_the_screen_uses_the_mode_that_showed_it() {
        let (mut screen, mut out) = (AlternateScreen::default(), Vec::new());
        screen.follow(b"\x1b[?47h");

        screen.leave(&mut out);
        screen.leave(&mut out);

        assert_eq!(out, b"\x1b[?47l");
    }
}
