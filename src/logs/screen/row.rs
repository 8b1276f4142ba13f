//! One row of a screen: its cells, and how they are written as a line.

use unicode_width::UnicodeWidthChar;

use crate::logs::style::Style;

/// Most bytes of one cell: a character and what combines with it. More combining characters are left out.
const CELL_BYTES: usize = 14;

/// What one column shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    text: [u8; CELL_BYTES],
    length: u8,
    /// The second column of a wide character.
    is_right_half: bool,
    pub(super) style: Style,
}

impl Cell {
    const BLANK: Self = Self { text: [0; CELL_BYTES], length: 0, is_right_half: false, style: Style::PLAIN };
    const RIGHT_HALF: Self = Self { is_right_half: true, ..Self::BLANK };

    /// An erased cell: the background of the pen stays.
    fn erased(pen: Style) -> Self {
        match pen.background_only() {
            Style::PLAIN => Self::BLANK,
            background => Self::of(b" ", background),
        }
    }

    fn of(character: &[u8], style: Style) -> Self {
        let mut cell = Self { style, ..Self::BLANK };
        cell.append(character);
        cell
    }

    fn append(&mut self, character: &[u8]) {
        let length = usize::from(self.length);
        if let Some(room) = self.text.get_mut(length..length + character.len()) {
            room.copy_from_slice(character);
            self.length += u8::try_from(character.len()).unwrap_or(0);
        }
    }

    fn bytes(&self) -> &[u8] {
        match self.text.get(..usize::from(self.length)) {
            Some([]) | None => b" ",
            Some(text) => text,
        }
    }

    /// Whether nothing is seen in it.
    fn is_blank(&self) -> bool {
        matches!(self.text.get(..usize::from(self.length)), Some([] | [b' ']) | None) && !self.style.is_seen_on_blanks()
    }
}

/// The number of a line that was not the last one that was shown.
pub(super) const LONG_AGO: u64 = u64::MAX;

/// How many columns a character takes: 0 if it combines with the one before it.
pub(super) fn columns_of(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// What of a line was shown last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// Its text as [`write_cells`] wrote it.
    pub(super) text: Vec<u8>,
    /// Its width in cells.
    pub(super) cells: usize,
    /// More of the line went out before this.
    pub(super) goes_on: bool,
    /// How many lines had been shown then: only the last one can go on.
    pub(super) number: u64,
}

/// One row. The rows of a line that was wrapped belong together; what was shown of it is kept in the first one.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Row {
    /// Without the empty ones at the end.
    pub(super) cells: Vec<Cell>,
    /// The line goes on in the next row.
    pub(super) wraps: bool,
    /// The line begins in rows that are out of reach; this was its text there.
    pub(super) before: Vec<u8>,
    /// Text was written to it at some time, and may have been erased since.
    pub(super) was_written: bool,
    /// A line end was written in it.
    pub(super) is_complete: bool,
    /// Cells were overwritten or erased since it was shown.
    pub(super) is_edited: bool,
    /// It may differ from what was shown.
    pub(super) is_changed: bool,
    pub(super) shown: Option<Shown>,
}

impl Row {
    /// Writes a character at a column. `columns`: 1 or 2.
    pub(super) fn put(&mut self, column: usize, character: &[u8], columns: usize, style: Style) {
        self.clear_halves(column, columns);
        if self.cells.len() < column + columns {
            self.cells.resize(column + columns, Cell::BLANK);
        }
        if let Some(cell) = self.cells.get_mut(column) {
            *cell = Cell::of(character, style);
        }
        if columns == 2
            && let Some(cell) = self.cells.get_mut(column + 1)
        {
            *cell = Cell::RIGHT_HALF;
        }
        self.was_written |= character != b" ";
        self.is_changed = true;
    }

    /// Adds a character of no width to the one before a column.
    pub(super) fn combine(&mut self, column: usize, character: &[u8]) {
        let before = column.checked_sub(1).and_then(|at| self.cells.get(at)).is_some_and(|cell| cell.is_right_half);
        let at = column.checked_sub(if before { 2 } else { 1 });
        if let Some(cell) = at.and_then(|at| self.cells.get_mut(at)) {
            cell.append(character);
            self.is_changed = true;
        }
    }

    /// Erases cells. `pen`: its background fills them.
    pub(super) fn erase(&mut self, from: usize, to: usize, pen: Style) {
        let erased = Cell::erased(pen);
        if from >= self.cells.len() && erased == Cell::BLANK {
            return;
        }
        self.clear_halves(from, to.saturating_sub(from));
        if erased == Cell::BLANK && to >= self.cells.len() {
            self.cells.truncate(from);
        } else {
            self.cells.resize(self.cells.len().max(to), Cell::BLANK);
            self.cells.get_mut(from..to).unwrap_or_default().fill(erased);
        }
        self.wraps = false;
        (self.is_edited, self.is_changed) = (true, true);
    }

    /// Drops the cells from this column on. What was shown of them stays shown.
    pub(super) fn cut(&mut self, width: usize) {
        if width < self.cells.len() {
            self.clear_halves(width, 0);
            self.cells.truncate(width);
            self.is_edited = true;
        }
    }

    /// Whether it is a blank line that was ended and not shown. One that was written and erased is none.
    pub(super) fn is_pending_blank(&self) -> bool {
        self.is_complete
            && !self.was_written
            && self.shown.is_none()
            && self.before.is_empty()
            && self.cells.iter().all(Cell::is_blank)
    }

    /// Whether the line of this row continues in the next one. It does not if that part was erased.
    pub(super) fn goes_on_in(&self, next: Option<&Self>) -> bool {
        self.wraps && next.is_some_and(|next| !next.cells.is_empty())
    }

    /// The line goes on here; the row above, where it began, is out of reach.
    pub(super) fn take_beginning(&mut self, above: Self) {
        let cells = above.cells.len();
        self.before = above.before;
        let style = write_cells(above.cells.iter(), Style::PLAIN, &mut self.before);
        style.write_change(Style::PLAIN, &mut self.before);
        self.shown = above.shown.map(|shown| Shown { cells: shown.cells.saturating_sub(cells), ..shown });
        self.was_written |= above.was_written;
        self.is_edited |= above.is_edited;
        self.is_changed |= above.is_changed;
    }

    /// Writes its cells as text, with a line end unless its line goes on in the next row: then it is as wide as the
    /// screen. What came before it is out of reach, and is not written.
    pub(super) fn write_line(&self, width: usize, out: &mut Vec<u8>) {
        let style = write_cells(self.cells.iter(), Style::PLAIN, out);
        style.write_change(Style::PLAIN, out);
        if self.wraps {
            out.resize(out.len() + width.saturating_sub(self.cells.len()), b' ');
        } else {
            out.push(b'\n');
        }
    }

    /// A wide character of which one half is overwritten is gone.
    fn clear_halves(&mut self, column: usize, columns: usize) {
        if column < self.cells.len() {
            self.is_edited = true;
        }
        if self.cells.get(column).is_some_and(|cell| cell.is_right_half)
            && let Some(left) = column.checked_sub(1).and_then(|at| self.cells.get_mut(at))
        {
            *left = Cell::BLANK;
        }
        if let Some(right) = self.cells.get_mut(column + columns).filter(|cell| cell.is_right_half) {
            *right = Cell::BLANK;
        }
    }

    /// Shifts the cells from a column on to the right, or to the left where `count` is negative.
    pub(super) fn shift(&mut self, column: usize, count: isize, width: usize) {
        if column >= self.cells.len() {
            return;
        }
        let many = count.unsigned_abs().min(width);
        self.clear_halves(column, 0);
        if count > 0 {
            let blanks = std::iter::repeat_n(Cell::BLANK, many);
            self.cells.splice(column..column, blanks);
            self.cells.truncate(width);
        } else {
            self.clear_halves(column, many);
            self.cells.drain(column..(column + many).min(self.cells.len()));
        }
        (self.is_edited, self.is_changed) = (true, true);
    }
}

/// Number of cells without the blanks at the end, over the rows of one line.
pub(super) fn visible_cells<'r>(rows: impl Iterator<Item = &'r Row>) -> usize {
    let mut visible = 0;
    let mut at = 0;
    for cell in rows.flat_map(|row| &row.cells) {
        at += 1;
        if !cell.is_blank() && !cell.is_right_half {
            visible = at;
        }
    }
    visible
}

/// Writes cells as text with colours that stand alone, from `style` on. Returns the style at the end.
pub(super) fn write_cells<'c>(cells: impl Iterator<Item = &'c Cell>, style: Style, out: &mut Vec<u8>) -> Style {
    let mut style = style;
    for cell in cells.filter(|cell| !cell.is_right_half) {
        style.write_change(cell.style, out);
        style = cell.style;
        out.extend_from_slice(cell.bytes());
    }
    style
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(row: &Row) -> String {
        let mut out = Vec::new();
        write_cells(row.cells.iter().take(visible_cells([row].into_iter())), Style::PLAIN, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn row(text: &str) -> Row {
        let mut row = Row::default();
        for letter in text.chars() {
            let at = row.cells.len();
            row.put(at, letter.to_string().as_bytes(), columns_of(letter), Style::PLAIN);
        }
        row
    }

    #[test]
    fn half_a_wide_character_is_never_left() {
        for at in [1, 2] {
            let mut row = row("a漢b");
            row.put(at, b"x", 1, Style::PLAIN);
            assert_eq!(text(&row), if at == 1 { "ax b" } else { "a xb" });
        }
        let mut erased = row("a漢b");
        erased.erase(2, 9, Style::PLAIN);
        assert_eq!(text(&erased), "a");
        let mut covered = row("漢字");
        covered.put(1, "語".as_bytes(), 2, Style::PLAIN);
        assert_eq!(text(&covered), " 語");
    }

    #[test]
    fn cells_move_when_others_are_inserted_or_deleted() {
        let mut moved = row("abcdef");
        moved.shift(1, 2, 7);
        assert_eq!(text(&moved), "a  bcde");
        moved.shift(0, -3, 7);
        assert_eq!(text(&moved), "bcde");
    }

    #[test]
    fn combining_characters_stay_with_theirs_and_blanks_at_the_end_are_not_visible() {
        let mut combined = row("e漢  ");
        combined.combine(1, "\u{301}".as_bytes());
        combined.combine(3, "\u{fe0f}".as_bytes());
        assert_eq!(text(&combined), "e\u{301}漢\u{fe0f}");
    }
}
