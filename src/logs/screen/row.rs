//! One row of a screen: its cells, and how it is written as a line.

use unicode_width::UnicodeWidthChar;

use crate::logs::style::Style;

/// Most bytes of one cell: a character and its combining characters. Those that do not fit are dropped.
const CELL_BYTES: usize = 30;

/// One column of a row.
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

    /// An erased cell, which has the background of the pen.
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

    /// Whether the cell looks empty.
    fn is_blank(&self) -> bool {
        matches!(self.text.get(..usize::from(self.length)), Some([] | [b' ']) | None) && !self.style.is_seen_on_blanks()
    }
}

/// Number for a line that is certainly not the last one that was shown.
pub(super) const LONG_AGO: u64 = u64::MAX;

/// How many columns a character takes: 0 if it combines with the one before it.
pub(super) fn columns_of(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// How a line was last shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// Its text as [`write_cells`] wrote it.
    pub(super) text: Vec<u8>,
    /// The style at its end.
    pub(super) style: Style,
    /// More of the line was shown before this text.
    pub(super) continued: bool,
    /// Number of lines that had been shown by then: only the last one can be continued.
    pub(super) number: u64,
}

impl Shown {
    /// Whether a part of the line was shown, so that the rest has to be marked.
    pub(super) fn is_part(&self) -> bool {
        self.continued || !self.text.is_empty()
    }

    /// Writes what comes after it in `text`, which begins with it. `style`: the style before.
    pub(super) fn write_rest(&self, text: &[u8], style: Style, out: &mut Vec<u8>) {
        let Some(rest) = text.strip_prefix(self.text.as_slice()).filter(|rest| !rest.is_empty()) else { return };
        let mut change = Vec::new();
        self.style.write_change(style, &mut change);
        if let Some(same_style) = rest.strip_prefix(change.as_slice()) {
            return out.extend_from_slice(same_style);
        }
        style.write_change(self.style, out);
        out.extend_from_slice(rest);
    }
}

/// One row. A wrapped line has several rows, and the first of them keeps what was shown of the line.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct ScreenRow {
    /// The cells, without empty ones at the end.
    pub(super) cells: Vec<Cell>,
    /// The line continues in the next row.
    pub(super) wraps: bool,
    /// The beginning of the line, if it has scrolled out of reach, as text.
    pub(super) before: Vec<u8>,
    /// The style at the end of that text.
    pub(super) style_before: Style,
    /// Text was written to the row; it may have been erased since.
    pub(super) was_written: bool,
    /// A line end was written in the row.
    pub(super) is_complete: bool,
    /// Cells have been overwritten or erased since the row was shown.
    pub(super) is_edited: bool,
    /// The first cell of this row itself has been overwritten or erased.
    pub(super) is_overwritten: bool,
    /// The row may differ from what was shown.
    pub(super) is_changed: bool,
    pub(super) shown: Option<Shown>,
}

impl ScreenRow {
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

    /// Adds a zero-width character to the cell before a column.
    pub(super) fn combine(&mut self, column: usize, character: &[u8]) {
        let before = column.checked_sub(1).and_then(|at| self.cells.get(at)).is_some_and(|cell| cell.is_right_half);
        let at = column.checked_sub(if before { 2 } else { 1 });
        if let Some(cell) = at.and_then(|at| self.cells.get_mut(at)) {
            cell.append(character);
            self.is_changed = true;
        }
    }

    /// Erases cells and fills them with the background of `pen`.
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

    /// Drops the cells from this column on. Returns whether there were any.
    pub(super) fn cut(&mut self, width: usize) -> bool {
        let is_cut = width < self.cells.len();
        if is_cut {
            self.clear_halves(width, 0);
            self.cells.truncate(width);
        }
        is_cut
    }

    /// Whether this is a finished blank line that has not been shown. A row whose text was erased does not qualify.
    pub(super) fn is_pending_blank(&self) -> bool {
        self.is_complete
            && !self.was_written
            && self.shown.is_none()
            && self.before.is_empty()
            && self.cells.iter().all(Cell::is_blank)
    }

    /// Whether the line continues in the next row. It does not if that part was erased.
    pub(super) fn continues_in(&self, next: Option<&Self>) -> bool {
        self.wraps && next.is_some_and(|next| !next.cells.is_empty())
    }

    /// Whether the program went back to the start of this row and overwrote it, and the beginning of the line is out of
    /// reach. If the line then grows again, as a status line does that is wider than the screen, that is a new line.
    pub(super) fn has_overwritten_end(&self) -> bool {
        self.is_overwritten && !self.before.is_empty()
    }

    /// Drops the beginning of the line that is out of reach, because the program writes the line again from its start.
    pub(super) fn drop_beginning(&mut self) {
        (self.before, self.style_before) = (Vec::new(), Style::PLAIN);
        (self.is_edited, self.is_changed) = (true, true);
    }

    /// Takes over the beginning of the line from the row above, which is out of reach now.
    pub(super) fn take_beginning(&mut self, above: Self) {
        (self.before, self.shown) = (above.before, above.shown);
        self.style_before = write_cells(above.cells.iter(), above.style_before, &mut self.before);
        self.was_written |= above.was_written;
        self.is_edited |= above.is_edited;
        self.is_changed |= above.is_changed;
    }

    /// Writes the cells as text. A row that continues in the next one is padded to the width of the screen; any other
    /// row gets a line end. The beginning of the line that is out of reach is not written.
    pub(super) fn write_line(&self, width: usize, out: &mut Vec<u8>) {
        let style = write_cells(self.cells.iter(), Style::PLAIN, out);
        style.write_change(Style::PLAIN, out);
        if self.wraps {
            out.resize(out.len() + width.saturating_sub(self.cells.len()), b' ');
        } else {
            out.push(b'\n');
        }
    }

    /// Blanks the other half of each wide character that these columns cut, and marks the row as edited.
    fn clear_halves(&mut self, column: usize, columns: usize) {
        if column < self.cells.len() {
            self.is_edited = true;
            self.is_overwritten |= column == 0;
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

    /// Shifts the cells that begin at a column to the right, or to the left if `count` is negative.
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

/// Number of cells in all rows of one line, without trailing blanks.
pub(super) fn visible_cells<'r>(rows: impl Iterator<Item = &'r ScreenRow>) -> usize {
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

/// Writes cells as text with their colours. `style`: the style before them. Returns the style at the end.
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

    fn text(row: &ScreenRow) -> String {
        let mut out = Vec::new();
        write_cells(row.cells.iter().take(visible_cells([row].into_iter())), Style::PLAIN, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn row(text: &str) -> ScreenRow {
        let mut row = ScreenRow::default();
        for letter in text.chars() {
            let at = row.cells.len();
            row.put(at, letter.to_string().as_bytes(), columns_of(letter), Style::PLAIN);
        }
        row
    }

    #[test]
    fn half_a_wide_character_never_remains() {
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
    fn combining_characters_belong_to_the_character_before_them() {
        let mut combined = row("e漢  ");
        combined.combine(1, "\u{301}".as_bytes());
        combined.combine(3, "\u{fe0f}".as_bytes());
        assert_eq!(text(&combined), "e\u{301}漢\u{fe0f}");
    }
}
