//! What a program has on its terminal, as far as it can still change it (S7.6).
//!
//! A model of the rows that the program can reach: at most the height of its terminal, the current line included.
//! Decides what the text, control characters and sequences do to these rows. Which lines are shown, and when, is
//! decided by `show`. Only lines that move the cursor or erase something come here; see [`Lines`](super::Lines).
//!
//! A row takes 32 bytes a column that is written. Rows above the first one that was changed are kept as text
//! ([`Above`]) until the cursor moves up to them.

use std::collections::VecDeque;
use std::mem;

use super::Chunk;
use super::lines::PIECE_BYTES;
use super::style::Style;

mod above;
mod controls;
mod parser;
#[cfg(test)]
mod random;
mod row;
mod show;

use above::Above;
pub(super) use controls::acts;
use parser::{Parser, Token};
use row::{LONG_AGO, Row, columns_of};
pub(super) use show::Show;

/// Most rows of a screen: together with [`MAX_COLUMNS`] it bounds what a screen can make us hold, 8 MiB.
/// A run has at most two: its own and the alternate one.
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
    /// Where its lines are wrapped.
    pub columns: u16,
}

/// The rows of one run, and the cursor.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own, as in a terminal")]
pub(super) struct Screen {
    /// At least 1.
    height: usize,
    width: usize,
    parser: Parser,
    /// From the first row that was not plain text on; the whole screen once the cursor was moved above it. Never empty.
    rows: VecDeque<Row>,
    above: Above,
    row: usize,
    /// At the width: the next character begins a new row.
    column: usize,
    /// Style of what is written next.
    pen: Style,
    /// Row and column of the whole screen, saved by the program.
    saved: (usize, usize),
    /// First and last row that scroll.
    margins: (usize, usize),
    wraps: bool,
    /// The cursor was put into the first cell and nothing was written since.
    is_home: bool,
    /// What the program draws on its alternate screen. It is shown only if the program ends there: it holds the last
    /// words of one that crashed.
    alternate: Option<Box<Screen>>,
    /// The alternate screen was entered since this was last asked.
    began_alternate: bool,
    /// The program draws rows again: they are shown when they are still.
    holds: bool,
    /// The style at the end of what was shown last.
    shown_style: Style,
    /// How many lines were shown.
    shown_lines: u64,
    /// Lines to be shown.
    shown: Vec<Chunk>,
}

impl Screen {
    pub(super) fn new(size: ScreenSize) -> Self {
        let mut screen = Self {
            height: 1,
            width: 1,
            parser: Parser::default(),
            rows: VecDeque::from([Row::default()]),
            above: Above::default(),
            row: 0,
            column: 0,
            pen: Style::PLAIN,
            saved: (0, 0),
            margins: (0, 0),
            wraps: true,
            is_home: false,
            alternate: None,
            began_alternate: false,
            holds: false,
            shown_style: Style::PLAIN,
            shown_lines: 0,
            shown: Vec::new(),
        };
        screen.resize(size);
        screen
    }

    /// The terminal has another size now. Rows that are out of reach are shown.
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

    /// A program that draws a row again on a narrower terminal never reaches what was written right of its edge.
    fn cut_to_width(&mut self) {
        if self.rows.iter().all(|row| row.cells.len() <= self.width) {
            return;
        }
        self.show(Show::All);
        for row in &mut self.rows {
            row.cut(self.width);
        }
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

    /// Takes note of whole lines that were shown as they are, and of the style behind them.
    pub(super) fn pass(&mut self, lines: &[u8], style: Style) {
        self.above.push(lines, self.height);
        (self.pen, self.shown_style) = (style, style);
    }

    /// Takes the part of a line that was shown already. `goes_on`: more of the line was shown before that.
    pub(super) fn begin_with(&mut self, blanks: usize, shown: &[u8], goes_on: bool) {
        for _ in 0..blanks {
            self.line_end();
        }
        if !shown.is_empty() {
            self.feed(shown);
            // A long line scrolls out of reach while it is read, but nothing of it is shown twice.
            self.shown.clear();
        }
        self.mark_line_shown(goes_on);
        self.shown_style = self.pen;
    }

    /// Reads what the program wrote. Stops behind a line end where nothing is left to be done for any row, and
    /// returns how many bytes were read.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> usize {
        let mut parser = mem::take(&mut self.parser);
        let mut rest = bytes;
        let mut read = bytes.len();
        while let Some((token, behind)) = parser.next(rest) {
            rest = behind;
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

    /// Whether the next line can be shown as it is: the cursor is in an empty last row, and all others were shown.
    pub(super) fn is_at_rest(&self) -> bool {
        let is_last = self.row + 1 == self.rows.len() && self.column == 0;
        is_last
            && !self.holds
            && self.alternate.is_none()
            && self.parser.is_idle()
            && self.wraps
            && self.margins == (0, self.height - 1)
            && self.shown_style == self.pen
            && !self.rows.iter().any(|row| row.is_changed)
            && self.rows.back().is_some_and(|row| row.cells.is_empty() && row.before.is_empty())
    }

    /// Keeps the rows as text. Only at rest.
    pub(super) fn rest(&mut self) -> Style {
        let is_full = self.rows.len() >= self.height;
        self.rows.pop_back();
        let mut lines = Vec::new();
        let mut rows = mem::take(&mut self.rows).into_iter().peekable();
        while let Some(mut row) = rows.next() {
            row.wraps = row.goes_on_in(rows.peek());
            row.write_line(self.width, &mut lines);
        }
        self.above.push(&lines, self.height);
        self.above.is_cut |= is_full;
        self.rows.push_back(Row::default());
        self.row = 0;
        self.pen
    }

    /// Lines that are to be shown.
    pub(super) fn take_shown(&mut self) -> Vec<Chunk> {
        mem::take(&mut self.shown)
    }

    /// Whether the program began to draw on its alternate screen since this was asked last.
    pub(super) fn took_whole_screen(&mut self) -> bool {
        mem::take(&mut self.began_alternate)
    }

    fn obey(&mut self, token: &Token<'_>) {
        match *token {
            Token::Csi(parameters, b'h') => self.set_modes(parameters, true),
            Token::Csi(parameters, b'l') => self.set_modes(parameters, false),
            Token::Escape(b'c') => self.reset(),
            Token::Text(_) | Token::Control(_) | Token::Escape(_) | Token::Csi(..) => match &mut self.alternate {
                Some(alternate) => alternate.draw(token),
                None => self.draw(token),
            },
        }
    }

    fn draw(&mut self, token: &Token<'_>) {
        match *token {
            Token::Text(text) => self.write(text),
            Token::Control(byte) => self.control(byte),
            Token::Escape(byte) => self.escape(byte),
            Token::Csi(parameters, byte) => self.sequence(parameters, byte),
        }
    }

    /// Characters at the cursor. Bytes that are not text take a column each.
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
    fn current(&mut self) -> &mut Row {
        &mut self.rows[self.row]
    }

    /// Where the cursor is seen: in the last column until a character begins the next row.
    fn seen_column(&self) -> usize {
        self.column.min(self.width - 1)
    }

    fn line_end(&mut self) {
        let row = self.current();
        row.is_complete = true;
        if row.is_pending_blank() {
            row.is_changed = true;
        } else if !self.holds {
            self.show_rows(self.row, Show::All);
        }
        self.column = 0;
        self.next_row();
    }

    /// The cursor goes down by a row; at the last one the screen scrolls.
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
            self.rows.push_back(Row::default());
        }
    }

    fn scroll_up(&mut self) {
        let (first, last) = self.margins;
        if first == 0 {
            self.drop_first_row();
        } else {
            self.show_rows(first, Show::All);
            self.rows.remove(first);
        }
        if last < self.rows.len() {
            self.rows.insert(last, Row::default());
        }
    }

    /// The first row is out of reach from now on.
    fn drop_first_row(&mut self) {
        self.above.clear();
        let goes_on = self.rows.front().is_some_and(|row| row.goes_on_in(self.rows.get(1)));
        if !goes_on {
            self.show_rows(0, Show::All);
        }
        let Some(first) = self.rows.pop_front() else { return };
        if goes_on && let Some(next) = self.rows.front_mut() {
            next.take_beginning(first);
            if next.before.len() > PIECE_BYTES {
                self.show_beginning();
            }
        }
    }

    /// Brings the rows above into reach: from now on the first of `rows` is the first of the screen.
    fn reach_above(&mut self) {
        if self.above.is_empty() {
            return;
        }
        let above = mem::take(&mut self.above);
        let mut upper = Self::new(self.size());
        let mut rest = above.lines();
        while !rest.is_empty() {
            let read = upper.feed(rest);
            rest = rest.get(read..).unwrap_or_default();
        }
        upper.mark_all_shown();
        upper.rows.pop_back();
        let missing = if above.is_cut { self.height.saturating_sub(upper.rows.len() + self.rows.len()) } else { 0 };
        let before = self.rows.len();
        for mut row in upper.rows.into_iter().rev() {
            if let Some(shown) = &mut row.shown {
                shown.number = LONG_AGO;
            }
            self.rows.push_front(row);
        }
        for _ in 0..missing {
            self.rows.push_front(Row::default());
        }
        let excess = self.rows.len().saturating_sub(self.height);
        self.rows.drain(..excess);
        self.row = (self.row + self.rows.len()).saturating_sub(before).min(self.rows.len() - 1);
    }
}
