//! Applies control characters and escape sequences to the cursor and the rows of a [`Screen`].

use memchr::memmem;

use super::row::ScreenRow;
use super::{Screen, Style, TAB_COLUMNS};

/// Largest value of a number in a sequence. No screen is that large.
const MAX_NUMBER: usize = 9999;

/// The numbers of a sequence. An empty one is 0.
fn numbers(parameters: &[u8]) -> impl Iterator<Item = usize> {
    let number = |digits: &[u8]| {
        digits.iter().fold(0_usize, |number, digit| match digit {
            b'0'..=b'9' => (number * 10 + usize::from(digit - b'0')).min(MAX_NUMBER),
            _ => number,
        })
    };
    parameters.split(|byte| matches!(byte, b';' | b':')).map(number)
}

/// Whether a sequence needs the screen: it moves the cursor, erases something or announces a redraw. Colours, queries
/// and titles do not. `sequence`: without its `ESC`.
pub(in crate::logs) fn needs_screen(sequence: &[u8]) -> bool {
    match sequence {
        [b'7' | b'8' | b'D' | b'E' | b'M' | b'c', ..] => true,
        [b'[', rest @ ..] => {
            let end = rest.iter().position(|byte| !(0x20..=0x3f).contains(byte));
            let Some((parameters, [last, ..])) = end.and_then(|end| rest.split_at_checked(end)) else { return false };
            match last {
                // Nothing is to the right of the end or below it, so there is nothing to erase. `grep` and `gcc` write
                // this on every line.
                b'J' | b'K' => !matches!(parameters, b"" | b"0"),
                b'@'
                | b'A'..=b'I'
                | b'L'
                | b'M'
                | b'P'
                | b'S'
                | b'T'
                | b'X'
                | b'`'
                | b'a'
                | b'd'
                | b'e'
                | b'f'
                | b'r' => true,
                b's' | b'u' => parameters.is_empty(),
                b'h' | b'l' => modes(parameters).any(|mode| is_alternate_screen(mode) || matches!(mode, 7 | 25 | 2026)),
                _ => false,
            }
        }
        _ => false,
    }
}

/// Whether a control sequence with this final byte sets colours, moves the cursor within its row or changes only that row.
pub(super) fn acts_within_a_line(last: u8) -> bool {
    matches!(last, b'm' | b'K' | b'X' | b'@' | b'P' | b'C' | b'D' | b'G' | b'I' | b'`' | b'a')
}

/// Whether a program switches to its alternate screen somewhere in its output.
pub(in crate::logs) fn enters_alternate_screen(bytes: &[u8]) -> bool {
    memmem::find_iter(bytes, b"\x1b[?").any(|at| {
        let sequence = bytes.get(at + 2..).unwrap_or_default();
        let end = sequence.iter().position(|byte| !(0x20..=0x3f).contains(byte));
        let Some((parameters, [b'h', ..])) = end.and_then(|end| sequence.split_at_checked(end)) else { return false };
        modes(parameters).any(is_alternate_screen)
    })
}

fn is_alternate_screen(mode: usize) -> bool {
    matches!(mode, 47 | 1047 | 1049)
}

/// The private modes that a sequence sets or resets.
fn modes(parameters: &[u8]) -> impl Iterator<Item = usize> {
    parameters.strip_prefix(b"?").into_iter().flat_map(numbers)
}

impl Screen {
    pub(super) fn control(&mut self, byte: u8) {
        match byte {
            b'\n' | 0x0b | 0x0c => self.line_end(),
            b'\r' => {
                self.column = 0;
                self.has_returned = self.is_pipe && !self.current().before.is_empty();
            }
            0x08 => self.column = self.seen_column().saturating_sub(1),
            b'\t' => self.column = ((self.column / TAB_COLUMNS + 1) * TAB_COLUMNS).min(self.width - 1),
            _ => {}
        }
    }

    pub(super) fn escape(&mut self, byte: u8) {
        match byte {
            b'7' => self.save_cursor(),
            b'8' => self.restore_cursor(),
            b'D' => self.next_row(),
            b'E' => self.line_end(),
            b'M' => {
                self.reach_above();
                if self.row == self.margins.0 { self.scroll_down() } else { self.move_up(1) }
            }
            _ => {}
        }
    }

    /// Resets the terminal.
    pub(super) fn reset(&mut self) {
        self.alternate = None;
        self.clear();
        self.pen = Style::PLAIN;
        self.wraps = true;
        self.margins = (0, self.height - 1);
        self.move_to(0, 0);
    }

    pub(super) fn set_modes(&mut self, parameters: &[u8], is_set: bool) {
        for mode in modes(parameters) {
            match mode {
                7 => {
                    self.wraps = is_set;
                    if let Some(alternate) = &mut self.alternate {
                        alternate.wraps = is_set;
                    }
                }
                mode if is_alternate_screen(mode) && !is_set => self.alternate = None,
                mode if is_alternate_screen(mode) => {
                    let (size, wraps) = (self.size(), self.wraps);
                    self.alternate.get_or_insert_with(|| Box::new(Self { wraps, ..Self::new(size) }));
                    self.entered_alternate = true;
                }
                // A program that hides the cursor or starts a synchronized update is going to redraw.
                25 => self.is_redrawing |= !is_set,
                2026 => self.is_redrawing |= is_set,
                _ => {}
            }
        }
    }

    pub(super) fn sequence(&mut self, parameters: &[u8], last: u8) {
        if last == b'm' {
            if parameters.iter().all(|byte| matches!(byte, b'0'..=b'9' | b';' | b':')) {
                self.pen.apply(parameters);
            }
            return;
        }
        if parameters.first().is_some_and(|byte| !byte.is_ascii_digit() && *byte != b';') {
            return;
        }
        let mut numbers = numbers(parameters);
        let (first, second) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let count = first.max(1);
        let (from, column, pen, width) = (self.column, self.seen_column(), self.pen, self.width);
        match last {
            b'A' => self.move_up(count),
            b'B' | b'e' => self.move_down(count),
            b'C' | b'a' => self.column = (column + count).min(width - 1),
            b'D' => self.column = column.saturating_sub(count),
            b'E' => {
                self.column = 0;
                self.move_down(count);
            }
            b'F' => {
                self.column = 0;
                self.move_up(count);
            }
            b'G' | b'`' => self.column = (count - 1).min(width - 1),
            b'H' | b'f' => self.move_to(count - 1, second.max(1) - 1),
            b'd' => self.move_to(count - 1, column),
            b'I' => self.column = ((column / TAB_COLUMNS + count) * TAB_COLUMNS).min(width - 1),
            b'J' => self.erase_screen(first),
            b'K' => match first {
                // Nothing is erased in a full row, although some terminals erase its last character.
                0 => self.current().erase(from, width, pen),
                1 => self.current().erase(0, column + 1, pen),
                _ => self.current().erase(0, width, pen),
            },
            b'X' => self.current().erase(from, (from + count).min(width), pen),
            b'@' => self.current().shift(column, count.cast_signed(), width),
            b'P' => self.current().shift(column, -count.cast_signed(), width),
            b'L' => self.insert_rows(count),
            b'M' => self.delete_rows(count),
            b'S' => (0..count.min(self.height)).for_each(|_| self.scroll_up_whole()),
            b'T' => (0..count.min(self.height)).for_each(|_| self.scroll_down()),
            b'r' => self.set_margins(count - 1, second),
            b's' => self.save_cursor(),
            b'u' => self.restore_cursor(),
            _ => {}
        }
    }

    fn move_up(&mut self, count: usize) {
        if count > self.row {
            self.reach_above();
        }
        self.move_to_row(self.row.saturating_sub(count));
    }

    fn move_down(&mut self, count: usize) {
        // Without the rows above it is unknown how far down the last row of the screen is.
        self.reach_above();
        self.move_to_row((self.row + count).min(self.height - 1));
    }

    /// Moves to a row and column of the whole screen, both 0-based.
    fn move_to(&mut self, row: usize, column: usize) {
        self.reach_above();
        self.move_to_row(row.min(self.height - 1));
        self.column = column.min(self.width - 1);
        self.is_home = (self.row, self.column) == (0, 0);
    }

    /// Moves to a row. A program that moves the cursor up over text is going to redraw it.
    fn move_to_row(&mut self, row: usize) {
        self.is_redrawing |= self.rows.range(row.min(self.row)..self.row).any(|row| !row.cells.is_empty());
        self.row = row;
        self.fill_to_cursor();
    }

    fn save_cursor(&mut self) {
        self.reach_above();
        self.saved = (self.row, self.column);
    }

    fn restore_cursor(&mut self) {
        self.reach_above();
        let (row, column) = self.saved;
        self.move_to_row(row.min(self.height - 1));
        self.column = column.min(self.width);
    }

    fn erase_screen(&mut self, what: usize) {
        let (from, column, pen, width) = (self.column, self.seen_column(), self.pen, self.width);
        match what {
            0 if self.is_home && self.above.is_empty() && (self.row, self.column) == (0, 0) => self.clear(),
            0 => {
                self.current().erase(from, width, pen);
                self.rows.range_mut(self.row + 1..).for_each(|row| row.erase(0, width, Style::PLAIN));
            }
            1 => {
                self.reach_above();
                self.rows.range_mut(..self.row).for_each(|row| row.erase(0, width, Style::PLAIN));
                self.current().erase(0, column + 1, pen);
            }
            2 => self.clear(),
            // Lines that have scrolled off the screen are not stored. Blank lines that have not been shown are dropped.
            3 => self.rows.iter_mut().filter(|row| row.is_pending_blank()).for_each(|row| row.is_changed = false),
            _ => {}
        }
    }

    /// Drops all rows, including those that have not been shown.
    fn clear(&mut self) {
        self.reach_above();
        self.rows.clear();
        self.fill_to_cursor();
        self.is_redrawing = true;
    }

    fn insert_rows(&mut self, count: usize) {
        for _ in 0..count.min(self.height) {
            self.remove_row(self.margins.1);
            self.insert_row(self.row);
        }
        self.is_redrawing = true;
    }

    fn delete_rows(&mut self, count: usize) {
        for _ in 0..count.min(self.height) {
            self.remove_row(self.row);
            self.insert_row(self.margins.1);
        }
        self.fill_to_cursor();
        self.is_redrawing = true;
    }

    fn scroll_up_whole(&mut self) {
        self.reach_above();
        self.scroll_up();
        self.fill_to_cursor();
    }

    fn scroll_down(&mut self) {
        self.reach_above();
        self.remove_row(self.margins.1);
        self.insert_row(self.margins.0);
        self.fill_to_cursor();
        self.is_redrawing = true;
    }

    /// Removes a row. If it continued the row above, that one now ends its line.
    pub(super) fn remove_row(&mut self, at: usize) {
        if let Some(above) = at.checked_sub(1).and_then(|above| self.rows.get_mut(above)) {
            above.wraps = false;
        }
        if at < self.rows.len() {
            self.rows.remove(at);
        }
    }

    fn insert_row(&mut self, at: usize) {
        if let Some(above) = at.checked_sub(1).and_then(|above| self.rows.get_mut(above)) {
            above.wraps = false;
        }
        if at <= self.rows.len() {
            self.rows.insert(at, ScreenRow::default());
        }
    }

    fn set_margins(&mut self, first: usize, last: usize) {
        let last = if last == 0 { self.height } else { last.min(self.height) } - 1;
        self.margins = if first < last { (first, last) } else { (0, self.height - 1) };
        self.move_to(0, 0);
    }
}
