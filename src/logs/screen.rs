//! A model of the rows on a program's terminal that the program can still change (S7.6).
//!
//! Holds at most as many rows as the terminal has, including the current one. Decides what text, control characters and
//! sequences do to these rows; `show` decides which lines are shown, and when. Used by [`Lines`](super::Lines) only
//! while a program moves the cursor or erases something.
//!
//! A row takes 48 bytes per written column. Rows above the first one that was changed are kept as text ([`Above`])
//! until the cursor moves up to them.

use std::collections::VecDeque;
use std::mem;

use super::chunk::{Chunk, PIECE_BYTES};
use super::style::Style;

mod above;
mod controls;
mod parser;
#[cfg(test)]
mod random;
mod row;
mod show;

use above::Above;
use controls::acts_within_a_line;
pub(super) use controls::{enters_alternate_screen, needs_screen};
use parser::{Parser, Token};
use row::{LONG_AGO, ScreenRow, columns_of};
pub(super) use show::Show;

/// Most rows of a screen. With [`MAX_COLUMNS`] it limits the memory of one screen to 12 MiB. A run has at most two:
/// the normal one and the alternate one.
const MAX_ROWS: usize = 256;
/// Most columns of a screen.
const MAX_COLUMNS: usize = 1024;
/// Columns between two tab stops.
const TAB_COLUMNS: usize = 8;

/// Size of a screen in character cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScreenSize {
    /// How many rows a program can reach.
    pub rows: u16,
    /// Width at which its lines wrap.
    pub columns: u16,
}

/// The rows of one run's terminal, and its cursor.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent modes, as in a terminal")]
pub(super) struct Screen {
    /// At least 1.
    height: usize,
    width: usize,
    /// The program writes to a pipe. It has no screen to clear, so only sequences that act within a line are used.
    is_pipe: bool,
    parser: Parser,
    /// The rows from the first one that was not plain text; all rows once the cursor has moved above it. Never empty.
    rows: VecDeque<ScreenRow>,
    above: Above,
    row: usize,
    /// Equal to the width if the row is full: the next character begins a new row.
    column: usize,
    /// Style of the next character.
    pen: Style,
    /// Row and column that the program saved, relative to the whole screen.
    saved: (usize, usize),
    /// First and last row of the scrolling region.
    margins: (usize, usize),
    wraps: bool,
    /// The cursor was moved to the first cell and nothing has been written since.
    is_home: bool,
    /// The program has just returned to the start of a line on a pipe, which is out of reach.
    has_returned: bool,
    /// What the program draws on its alternate screen. It is shown only if the program ends there: it may hold the
    /// error message of a program that crashed.
    alternate: Option<Box<Screen>>,
    /// The program has switched to the alternate screen since the last call of `entered_alternate_screen`.
    entered_alternate: bool,
    /// The program redraws rows, so they are shown only when they stop changing.
    is_redrawing: bool,
    /// The style at the end of the last line that was shown.
    shown_style: Style,
    /// Number of lines shown so far.
    shown_lines: u64,
    /// Lines that [`take_shown`](Self::take_shown) will return.
    shown: Vec<Chunk>,
}

impl Screen {
    pub(super) fn new(size: ScreenSize) -> Self {
        let mut screen = Self {
            height: 1,
            width: 1,
            is_pipe: false,
            parser: Parser::default(),
            rows: VecDeque::from([ScreenRow::default()]),
            above: Above::default(),
            row: 0,
            column: 0,
            pen: Style::PLAIN,
            saved: (0, 0),
            margins: (0, 0),
            wraps: true,
            is_home: false,
            has_returned: false,
            alternate: None,
            entered_alternate: false,
            is_redrawing: false,
            shown_style: Style::PLAIN,
            shown_lines: 0,
            shown: Vec::new(),
        };
        screen.resize(size);
        screen
    }

    /// The current line of a pipe, which is as wide as possible: a pipe has no edge at which a line wraps.
    pub(super) fn of_pipe() -> Self {
        Self { is_pipe: true, width: MAX_COLUMNS, ..Self::new(ScreenSize { rows: 1, columns: 1 }) }
    }

    /// Adapts to a change of the terminal's size. Rows that the program can no longer reach are shown.
    pub(super) fn resize(&mut self, size: ScreenSize) {
        self.height = usize::from(size.rows).clamp(1, MAX_ROWS);
        self.width = usize::from(size.columns).clamp(1, MAX_COLUMNS);
        self.cut_to_width();
        while self.rows.len() > self.height {
            self.drop_first_row();
            self.row = self.row.saturating_sub(1);
        }
        self.column = self.column.min(self.width);
        self.margins = (0, self.height - 1);
        if let Some(alternate) = &mut self.alternate {
            alternate.resize(size);
        }
    }

    /// Drops cells to the right of a narrower terminal's edge: the program can no longer overwrite them.
    fn cut_to_width(&mut self) {
        if self.rows.iter().all(|row| row.cells.len() <= self.width) {
            return;
        }
        self.show(Show::All);
        self.cut_rows();
    }

    /// Whether it has only the current line of a pipe.
    pub(super) fn is_pipe(&self) -> bool {
        self.is_pipe
    }

    pub(super) fn height(&self) -> usize {
        self.height
    }

    fn size(&self) -> ScreenSize {
        ScreenSize {
            rows: u16::try_from(self.height).unwrap_or(u16::MAX),
            columns: u16::try_from(self.width).unwrap_or(u16::MAX),
        }
    }

    /// Records whole lines that were shown unchanged, and the style at their end.
    pub(super) fn pass(&mut self, lines: &[u8], style: Style) {
        self.above.push(lines, self.height);
        (self.pen, self.shown_style) = (style, style);
    }

    /// Starts with the part of a line that has been shown. `blanks`: number of blank lines before it. `continued`: more
    /// of the line was shown before that part.
    pub(super) fn begin_with(&mut self, blanks: usize, shown: &[u8], continued: bool) {
        for _ in 0..blanks {
            self.line_end();
        }
        if !shown.is_empty() {
            self.feed(shown);
            // A long line may scroll out of reach here, but none of it must be shown twice.
            self.shown.clear();
        }
        self.mark_line_shown(continued);
        self.shown_style = self.pen;
    }

    /// Reads the output of the program. Stops early after a line end at which the screen is at rest. Returns the number
    /// of bytes read.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> usize {
        let mut parser = mem::take(&mut self.parser);
        let mut rest = bytes;
        let mut read = bytes.len();
        while let Some((token, after)) = parser.next(rest) {
            rest = after;
            let ends_line = token == Token::Control(b'\n');
            self.obey(&token);
            if ends_line && self.is_at_rest() {
                read = bytes.len() - rest.len();
                break;
            }
        }
        self.parser = parser;
        if let Some(alternate) = &mut self.alternate {
            alternate.shown.clear();
        }
        read
    }

    /// Whether the next line can be shown unchanged: the cursor is in an empty last row, and all other rows were shown.
    pub(super) fn is_at_rest(&self) -> bool {
        let is_last = self.row + 1 == self.rows.len() && self.column == 0;
        is_last
            && !self.is_redrawing
            && self.alternate.is_none()
            && self.parser.is_idle()
            && self.wraps
            && self.margins == (0, self.height - 1)
            && self.shown_style == self.pen
            && !self.rows.iter().any(|row| row.is_changed)
            && self.rows.back().is_some_and(|row| row.cells.is_empty() && row.before.is_empty())
    }

    /// Stores the rows as text and returns the current style. Call only at rest.
    pub(super) fn store_as_text(&mut self) -> Style {
        let is_full = self.rows.len() >= self.height;
        self.rows.pop_back();
        let mut lines = Vec::new();
        let mut rows = mem::take(&mut self.rows).into_iter().peekable();
        while let Some(mut row) = rows.next() {
            row.wraps = row.continues_in(rows.peek());
            row.write_line(self.width, &mut lines);
        }
        self.above.push(&lines, self.height);
        self.above.is_cut |= is_full;
        self.rows.push_back(ScreenRow::default());
        self.row = 0;
        self.pen
    }

    /// The lines to show next.
    pub(super) fn take_shown(&mut self) -> Vec<Chunk> {
        mem::take(&mut self.shown)
    }

    /// Whether the program has switched to its alternate screen since the last call.
    pub(super) fn entered_alternate_screen(&mut self) -> bool {
        mem::take(&mut self.entered_alternate)
    }

    fn obey(&mut self, token: &Token<'_>) {
        if self.has_returned {
            self.after_return(token);
        }
        match *token {
            Token::Csi(_, last) if self.is_pipe && !acts_within_a_line(last) => {}
            Token::Escape(_) if self.is_pipe => {}
            Token::Csi(parameters, b'h') => self.set_modes(parameters, true),
            Token::Csi(parameters, b'l') => self.set_modes(parameters, false),
            Token::Escape(b'c') => self.reset(),
            Token::Text(_) | Token::Control(_) | Token::Escape(_) | Token::Csi(..) => match &mut self.alternate {
                Some(alternate) => alternate.draw(token),
                None => self.draw(token),
            },
        }
    }

    /// On a pipe, a line begins where its text began, wherever that is now. A line end after the `\r` leaves all of it.
    fn after_return(&mut self, token: &Token<'_>) {
        match *token {
            Token::Control(b'\n') => {}
            Token::Csi(_, b'm') | Token::Control(_) | Token::Escape(_) => return,
            Token::Csi(_, last) if !acts_within_a_line(last) => return,
            Token::Text(_) | Token::Csi(..) => self.current().drop_beginning(),
        }
        self.has_returned = false;
    }

    fn draw(&mut self, token: &Token<'_>) {
        match *token {
            Token::Text(text) => self.write(text),
            Token::Control(byte) => self.control(byte),
            Token::Escape(byte) => self.escape(byte),
            Token::Csi(parameters, byte) => self.sequence(parameters, byte),
        }
    }

    /// Writes text at the cursor. Each byte that is not UTF-8 takes one column.
    fn write(&mut self, text: &[u8]) {
        self.is_home = false;
        for part in text.utf8_chunks() {
            for character in part.valid().chars() {
                if !character.is_control() {
                    self.put(character.encode_utf8(&mut [0; 4]).as_bytes(), columns_of(character));
                }
            }
            for byte in part.invalid().chunks(1) {
                self.put(byte, 1);
            }
        }
    }

    fn put(&mut self, character: &[u8], columns: usize) {
        let columns = columns.min(self.width);
        if columns == 0 {
            let column = self.column;
            return self.current().combine(column, character);
        }
        if self.column + columns > self.width {
            if self.wraps {
                self.current().wraps = true;
                self.column = 0;
                self.next_row();
            } else {
                self.column = self.width - columns;
            }
        }
        let (column, pen) = (self.column, self.pen);
        self.current().put(column, character, columns, pen);
        self.column += columns;
    }

    #[expect(clippy::indexing_slicing, reason = "the cursor is always in one of the rows")]
    fn current(&mut self) -> &mut ScreenRow {
        &mut self.rows[self.row]
    }

    /// The column in which a terminal shows the cursor: the last one if the row is full.
    fn seen_column(&self) -> usize {
        self.column.min(self.width - 1)
    }

    fn line_end(&mut self) {
        let row = self.current();
        row.is_complete = true;
        if row.is_pending_blank() {
            row.is_changed = true;
        } else if !self.is_redrawing {
            self.show_rows(self.row, Show::All);
        }
        self.column = 0;
        self.next_row();
    }

    /// Moves the cursor down by one row. In the last row the screen scrolls.
    fn next_row(&mut self) {
        if self.row == self.margins.1 {
            self.scroll_up();
        } else if self.row + 1 < self.height {
            self.row += 1;
        }
        self.fill_to_cursor();
    }

    fn fill_to_cursor(&mut self) {
        while self.rows.len() <= self.row {
            self.rows.push_back(ScreenRow::default());
        }
    }

    fn scroll_up(&mut self) {
        let (first, last) = self.margins;
        if last < self.rows.len() {
            self.rows.insert(last + 1, ScreenRow::default());
        }
        if first == 0 {
            self.drop_first_row();
        } else {
            self.show_rows(first, Show::All);
            self.remove_row(first);
        }
    }

    /// Removes the first row, because the program can no longer reach it.
    fn drop_first_row(&mut self) {
        self.above.clear();
        // If there is only one row, it has just become full, and the line goes on in an empty one.
        let continues = |row: &ScreenRow| row.continues_in(self.rows.get(1)) || (row.wraps && self.height == 1);
        let continues = self.rows.front().is_some_and(|row| continues(row) && !row.has_overwritten_end());
        if !continues {
            if let Some(first) = self.rows.front_mut() {
                first.wraps = false;
            }
            self.show_rows(0, Show::All);
        }
        let Some(first) = self.rows.pop_front() else { return };
        if continues && let Some(next) = self.rows.front_mut() {
            next.take_beginning(first);
            if next.before.len() > PIECE_BYTES {
                self.show_beginning();
            }
        }
    }
}
