//! The modes that a program has set on its terminal: alternate screen, mouse, bracketed paste and others.
//!
//! Finds them in the output without drawing anything, which is fast enough for a flood. They are set again on the terminal of
//! a person who attaches later, and unset on one who detaches.

use std::fmt::Write as _;

use memchr::memchr3;

use super::sequences::{ESC, MAX_SEQUENCE, SequenceEnd, numbers, seen};

/// The most keyboard modes that are stacked by programs within programs.
const MAX_KEYBOARDS: usize = 16;

/// The private modes (`CSI ? N h`) that matter to others, and whether a fresh terminal has them.
const PRIVATE: [(u16, bool); 20] = [
    (1, false),    // application cursor keys
    (5, false),    // reverse video
    (7, true),     // wrap at the last column
    (9, false),    // mouse
    (12, false),   // blinking cursor
    (25, true),    // visible cursor
    (45, false),   // reverse wrap
    (66, false),   // keypad
    (1000, false), // mouse
    (1001, false),
    (1002, false),
    (1003, false),
    (1004, false), // focus events
    (1005, false), // how mouse events are written
    (1006, false),
    (1007, false), // wheel as arrow keys
    (1015, false),
    (1016, false),
    (2004, false), // bracketed paste
    (2031, false), // changes of the colour scheme
];

/// The private modes that show the alternate screen.
const ALTERNATE: [u16; 3] = [47, 1047, 1049];

/// The private mode in which rows count from the first one that scrolls.
const ORIGIN: u16 = 6;

/// The usual letters. Others are lines for frames, for example.
const LATIN: u8 = b'B';

/// The bytes that show the letters of G1 and of G0.
const SHOW_SECOND: u8 = 0x0e;
const SHOW_FIRST: u8 = 0x0f;

/// The modes of a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScreenModes {
    private: [bool; PRIVATE.len()],
    /// The mode with which the alternate screen was entered.
    alternate: Option<u16>,
    keypad: bool,
    /// `CSI > 4 ; N m`.
    other_keys: u16,
    /// `CSI > N u`.
    keyboards: Vec<u16>,
    /// `CSI N SP q`.
    cursor_style: u16,
    /// The first and last row that scroll, from 1. None: all rows do.
    region: Option<(u16, u16)>,
    /// Whether rows count from the first one that scrolls.
    counts_from_region: bool,
    /// The letters of G0 and G1.
    letters: [u8; 2],
    /// Whether those of G1 are shown.
    shows_second: bool,
    /// A sequence that has begun, and of which the end has not arrived.
    begun: Vec<u8>,
}

impl Default for ScreenModes {
    fn default() -> Self {
        Self {
            private: PRIVATE.map(|(_, is_set)| is_set),
            alternate: None,
            keypad: false,
            other_keys: 0,
            keyboards: Vec::new(),
            cursor_style: 0,
            region: None,
            counts_from_region: false,
            letters: [LATIN; 2],
            shows_second: false,
            begun: Vec::new(),
        }
    }
}

impl ScreenModes {
    /// Whether the program shows the alternate screen.
    #[must_use]
    pub fn is_alternate(&self) -> bool {
        self.alternate.is_some()
    }

    /// The beginning of a sequence at the end of the bytes so far.
    pub(super) fn begun(&self) -> &[u8] {
        &self.begun
    }

    /// Notes the modes that these bytes set.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(read) = self.feed_to_switch(rest) {
            rest = rest.get(read..).unwrap_or_default();
        }
    }

    /// The same up to the place where the program switches between its two screens. None: it does not, and all bytes were
    /// read.
    pub(super) fn feed_to_switch(&mut self, bytes: &[u8]) -> Option<usize> {
        let was_alternate = self.is_alternate();
        let mut at = 0;
        if !self.begun.is_empty() {
            let begun = self.begun.len();
            let mut joined = std::mem::take(&mut self.begun);
            joined.extend_from_slice(bytes.get(..(MAX_SEQUENCE + 2).min(bytes.len())).unwrap_or_default());
            match seen(&joined) {
                SequenceEnd::Whole(length) => {
                    self.apply(joined.get(..length).unwrap_or_default());
                    // A sequence of two bytes that has begun ends here at the earliest.
                    at = length.saturating_sub(begun);
                }
                SequenceEnd::Cut => {
                    self.begun = joined;
                    return None;
                }
            }
        }
        while self.is_alternate() == was_alternate {
            let rest = bytes.get(at..).unwrap_or_default();
            let found = memchr3(ESC, SHOW_SECOND, SHOW_FIRST, rest)?;
            let sequence = rest.get(found..).unwrap_or_default();
            if let Some(byte @ (SHOW_SECOND | SHOW_FIRST)) = sequence.first().copied() {
                self.shows_second = byte == SHOW_SECOND;
                at += found + 1;
                continue;
            }
            match seen(sequence) {
                SequenceEnd::Whole(length) => {
                    self.apply(sequence.get(..length).unwrap_or_default());
                    at += found + length;
                }
                SequenceEnd::Cut => {
                    self.begun = sequence.to_vec();
                    return None;
                }
            }
        }
        Some(at)
    }

    fn apply(&mut self, sequence: &[u8]) {
        match sequence {
            [ESC, b'='] => self.keypad = true,
            [ESC, b'>'] => self.keypad = false,
            [ESC, b'c'] => *self = Self::default(),
            [ESC, b'(', letters] => self.letters[0] = *letters,
            [ESC, b')', letters] => self.letters[1] = *letters,
            [ESC, b'[', b'?', parameters @ .., b'h'] => self.set_private(parameters, true),
            [ESC, b'[', b'?', parameters @ .., b'l'] => self.set_private(parameters, false),
            [ESC, b'[', b'>', parameters @ .., b'm'] => match numbers(parameters).as_slice() {
                [4, level] => self.other_keys = *level,
                [] | [4] => self.other_keys = 0,
                _ => {}
            },
            [ESC, b'[', b'>', parameters @ .., b'u'] if self.keyboards.len() < MAX_KEYBOARDS => {
                self.keyboards.push(numbers(parameters).first().copied().unwrap_or_default());
            }
            [ESC, b'[', b'<', parameters @ .., b'u'] => {
                let count = usize::from(numbers(parameters).first().copied().unwrap_or(1));
                self.keyboards.truncate(self.keyboards.len().saturating_sub(count));
            }
            [ESC, b'[', parameters @ .., b' ', b'q'] => {
                self.cursor_style = numbers(parameters).first().copied().unwrap_or_default();
            }
            [ESC, b'[', parameters @ .., b'r'] if parameters.iter().all(|byte| b"0123456789;".contains(byte)) => {
                self.region = match numbers(parameters).as_slice() {
                    [first, last] if first < last => Some(((*first).max(1), *last)),
                    _ => None,
                };
            }
            // A soft reset.
            [ESC, b'[', b'!', b'p'] => {
                let alternate = self.alternate;
                let mice = self.private;
                *self = Self { alternate, ..Self::default() };
                for ((now, before), (mode, _)) in self.private.iter_mut().zip(mice).zip(PRIVATE) {
                    if mode >= 1000 {
                        *now = before;
                    }
                }
            }
            _ => {}
        }
    }

    fn set_private(&mut self, parameters: &[u8], is_set: bool) {
        for number in numbers(parameters) {
            if number == ORIGIN {
                self.counts_from_region = is_set;
            }
            if ALTERNATE.contains(&number) {
                self.alternate = is_set.then_some(number);
            }
            for (now, (mode, _)) in self.private.iter_mut().zip(PRIVATE) {
                if mode == number {
                    *now = is_set;
                }
            }
        }
    }

    /// Bytes that give a fresh terminal these modes.
    #[must_use]
    pub fn set(&self) -> Vec<u8> {
        [self.set_screen(), self.set_region().into_bytes(), self.set_others()].concat()
    }

    /// Bytes that set the rows that scroll. They move the cursor.
    pub(super) fn set_region(&self) -> String {
        let mut out = self.region.map(|(first, last)| format!("\x1b[{first};{last}r")).unwrap_or_default();
        if self.counts_from_region {
            out += "\x1b[?6h";
        }
        out
    }

    /// The number of rows above the region that scrolls, if row numbers begin there.
    pub(super) fn rows_above(&self) -> u16 {
        self.region.filter(|_| self.counts_from_region).map_or(0, |(first, _)| first - 1)
    }

    /// The terminal has another size: all its rows scroll again.
    pub(super) fn forget_region(&mut self) {
        self.region = None;
    }

    /// Bytes that show the alternate screen, if the program does.
    pub(super) fn set_screen(&self) -> Vec<u8> {
        self.alternate.map(|mode| format!("\x1b[?{mode}h")).unwrap_or_default().into_bytes()
    }

    /// Bytes that set all other modes.
    pub(super) fn set_others(&self) -> Vec<u8> {
        let mut out = String::new();
        for ((is_set, (mode, is_default)), letter) in self.private.iter().zip(PRIVATE).zip(self.switches()) {
            if *is_set != is_default {
                let _ = write!(out, "\x1b[?{mode}{letter}");
            }
        }
        if self.keypad {
            out += "\x1b=";
        }
        if self.other_keys > 0 {
            let _ = write!(out, "\x1b[>4;{}m", self.other_keys);
        }
        for flags in &self.keyboards {
            let _ = write!(out, "\x1b[>{flags}u");
        }
        if self.cursor_style > 0 {
            let _ = write!(out, "\x1b[{} q", self.cursor_style);
        }
        for (place, letters) in ['(', ')'].into_iter().zip(self.letters).filter(|(_, letters)| *letters != LATIN) {
            let _ = write!(out, "\x1b{place}{}", char::from(letters));
        }
        out.extend(self.shows_second.then_some(char::from(SHOW_SECOND)));
        out.into_bytes()
    }

    /// Bytes that make such a terminal fresh again, also in its colours and its scrolling region. The text stays.
    #[must_use]
    pub fn unset(&self) -> Vec<u8> {
        let mut out = String::new();
        if !self.keyboards.is_empty() {
            let _ = write!(out, "\x1b[<{}u", self.keyboards.len());
        }
        if self.other_keys > 0 {
            out += "\x1b[>4m";
        }
        if self.keypad {
            out += "\x1b>";
        }
        if self.cursor_style > 0 {
            out += "\x1b[0 q";
        }
        for (is_set, (mode, is_default)) in self.private.iter().zip(PRIVATE) {
            if *is_set != is_default {
                let _ = write!(out, "\x1b[?{mode}{}", if is_default { 'h' } else { 'l' });
            }
        }
        // It is saved and restored with the cursor.
        if self.counts_from_region {
            out += "\x1b[?6l";
        }
        // Resetting the scrolling region moves the cursor. Then the usual letters, no insertion, and nothing held back.
        out += "\x1b7\x1b[r\x1b8\x1b[m\x1b(B\x1b)B\x0f\x1b[4l\x1b[?2026l";
        if let Some(mode) = self.alternate {
            let _ = write!(out, "\x1b[?{mode}l");
        }
        out.into_bytes()
    }

    fn switches(&self) -> impl Iterator<Item = char> {
        self.private.iter().map(|is_set| if *is_set { 'h' } else { 'l' })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(bytes: &[u8]) -> ScreenModes {
        let mut modes = ScreenModes::default();
        modes.feed(bytes);
        modes
    }

    #[test]
    fn s10_5_the_modes_of_vim_are_set_and_unset_again() {
        let vim = b"\x1b[?1049h\x1b[22;0;0t\x1b[>4;2m\x1b[?1h\x1b=\x1b[?2004h\x1b[?1004h\x1b[?25l\x1b[2 q\x1b[31mtext";
        let modes = after(vim);

        assert!(modes.is_alternate());
        assert_eq!(after(&modes.set()), modes);
        assert_eq!(after(&[&modes.set()[..], &modes.unset()].concat()), ScreenModes::default());
        assert!(modes.unset().ends_with(b"\x1b[?1049l"));
    }

    #[test]
    fn s10_5_programs_within_programs_stack_their_keyboards() {
        let modes = after(b"\x1b[>1u\x1b[>5u\x1b[<u\x1b[?1000;1006h");

        assert_eq!(modes.set(), b"\x1b[?1000h\x1b[?1006h\x1b[>1u");
        assert_eq!(after(b"\x1b[>1u\x1bc"), ScreenModes::default());
    }

    #[test]
    fn s10_5_letters_that_draw_frames_are_set_and_unset_again() {
        let modes = after(b"\x1b(B\x1b)0\x0elqk");

        assert_eq!(modes.set(), b"\x1b)0\x0e");
        assert_eq!(after(b"\x1b(0lqk\x1b)0\x0e\x0f").set(), b"\x1b(0\x1b)0");
        assert_eq!(after(&[&modes.set()[..], &modes.unset()].concat()), ScreenModes::default());
    }

    #[test]
    fn s10_5_modes_are_found_wherever_the_output_is_cut() {
        let bytes = b"a\x1b[31m\x1b[?1049hb\x1b=\x1b\x1b[?2004h\xe2\x9c\x93\x1b[?1049l\x1b[?25l\x1b]0;t\x07\x1b)0\x0e";
        let whole = after(bytes);

        for cut in 0..=bytes.len() {
            let mut modes = after(&bytes[..cut]);
            modes.feed(&bytes[cut..]);
            assert_eq!(modes, whole, "{cut}");
        }
    }

    #[test]
    fn s10_5_a_switch_of_screens_ends_right_after_its_sequence() {
        let mut modes = ScreenModes::default();

        assert_eq!(modes.feed_to_switch(b"one\x1b[?10"), None);
        assert_eq!(modes.feed_to_switch(b"49htwo\x1b[?1049l"), Some(3));
        assert_eq!(modes.feed_to_switch(b"two\x1b[?1049lthree"), Some(11));
        assert_eq!(modes.feed_to_switch(b"three"), None);
    }
}
