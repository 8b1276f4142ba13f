//! The screen of a terminal, computed from the bytes that a program has written to it.
//!
//! The only file that knows which library does this. The modes that the program sets are in `modes`, because no library
//! keeps all of them.

use std::fmt::Write as _;
use std::num::NonZeroU16;

use super::ScreenModes;
use crate::model::PtySize;

/// U+FE0F in UTF-8: the character before it is drawn as a picture. The library then makes that character wide, and panics if
/// it is in the last column. A panic would end the start, so the library never sees it.
const AS_PICTURE: [u8; 3] = [0xef, 0xb8, 0x8f];

/// The narrowest screen: a wide character has to fit.
const MIN_COLUMNS: u16 = 2;

/// One screen.
pub(super) struct Emulator {
    parser: vt100::Parser,
    /// The beginning of [`AS_PICTURE`] at the end of the bytes so far.
    begun: Vec<u8>,
}

impl Emulator {
    pub(super) fn new(size: PtySize) -> Self {
        let (rows, cols) = sides(size);
        Self { parser: vt100::Parser::new(rows, cols, 0), begun: Vec::new() }
    }

    pub(super) fn process(&mut self, bytes: &[u8]) {
        let mut bytes = [std::mem::take(&mut self.begun).as_slice(), bytes].concat();
        let begun =
            (1..AS_PICTURE.len()).rev().find(|begun| AS_PICTURE.get(..*begun).is_some_and(|it| bytes.ends_with(it)));
        self.begun = bytes.split_off(bytes.len() - begun.unwrap_or(0));
        let mut from = 0;
        for at in memchr::memmem::find_iter(&bytes, &AS_PICTURE) {
            self.parser.process(bytes.get(from..at).unwrap_or_default());
            from = at + AS_PICTURE.len();
        }
        self.parser.process(bytes.get(from..).unwrap_or_default());
    }

    pub(super) fn resize(&mut self, size: PtySize) {
        let (rows, cols) = sides(size);
        self.parser.set_size(rows, cols);
    }

    /// Bytes that draw the screen on a terminal: its text, colours and cursor. On a smaller one, rows and columns that do not
    /// fit are cut off; the last row is the one that is used last.
    pub(super) fn drawn(&self, modes: &ScreenModes) -> String {
        // Without wrapping, so that a row never takes the place of the next one.
        let mut drawn = "\x1b[m\x1b[H\x1b[2J\x1b[?7l".to_owned();
        for (row, text) in (1..).zip(self.colored_rows()).filter(|(_, text)| !text.is_empty()) {
            let _ = write!(drawn, "\x1b[{row};1H\x1b[2K{text}\x1b[m");
        }
        let (row, column) = self.cursor();
        let (region, row) = (modes.set_region(), row.saturating_sub(modes.rows_above()));
        let _ = write!(drawn, "\x1b[?7h{region}\x1b[{};{}H", row + 1, column + 1);
        drawn + &self.parser.screen().attributes_formatted()
    }

    /// Bytes that write the same below what a terminal shows already: its rows up to the last one that is used, then the
    /// cursor.
    pub(super) fn drawn_below(&self) -> String {
        let (row, column) = self.cursor();
        let rows = self.colored_rows();
        let used = rows.iter().rposition(|row| !row.is_empty()).unwrap_or(0).max(row.into());
        let text: Vec<&str> = rows.iter().take(used + 1).map(String::as_str).collect();
        let mut drawn = text.join("\x1b[m\r\n") + "\x1b[m\r";
        for (count, letter) in [(used - usize::from(row), 'A'), (column.into(), 'C')] {
            if count > 0 {
                let _ = write!(drawn, "\x1b[{count}{letter}");
            }
        }
        drawn + &self.parser.screen().attributes_formatted()
    }

    /// The rows as text.
    pub(super) fn rows(&self) -> Vec<String> {
        let screen = self.parser.screen();
        screen.rows(0, screen.size().1.get()).map(|row| row.trim_end().to_owned()).collect()
    }

    /// The rows with their colours, and without other sequences. Blanks at the end of a row are kept.
    pub(super) fn colored_rows(&self) -> Vec<String> {
        let screen = self.parser.screen();
        let columns = screen.size().1.get();
        screen.rows_formatted(0, columns).collect()
    }

    /// The row and column of the cursor, from 0.
    pub(super) fn cursor(&self) -> (u16, u16) {
        self.parser.screen().cursor_position()
    }
}

fn sides(size: PtySize) -> (NonZeroU16, NonZeroU16) {
    let at_least_1 = |length: u16| NonZeroU16::new(length).unwrap_or(NonZeroU16::MIN);
    (at_least_1(size.rows), at_least_1(size.cols.max(MIN_COLUMNS)))
}
