//! Decides which lines of a [`Screen`] are shown, and how: only those that have changed, from the top down.

use std::mem;
use std::time::Duration;

use super::row::Shown;
use super::row::{ScreenRow, visible_cells, write_cells};
use super::{LONG_AGO, Screen, Style, Token};
use crate::logs::chunk::{Chunk, FlushPatience, PARTIAL_AFTER, PIECE_BYTES};
use crate::logs::incomplete;

/// How long redrawn rows must stay unchanged before they are shown. Slightly more than the 250 ms after which rich
/// redraws.
const ROWS_STILL_AFTER: Duration = Duration::from_millis(300);
/// The longest time that rows wait if they keep changing.
const ROWS_SHOWN_WITHIN: Duration = Duration::from_secs(2);

/// Which changes to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::logs) enum Show {
    /// Everything that changed.
    All,
    /// Only lines whose letters or digits changed: if only symbols changed, as in a spinner, the program is still
    /// drawing. Not the current line without any if nothing else changed.
    NewText,
}

/// A line that has changed.
struct ChangedLine {
    /// Index of its first row; `last` is the last one.
    first: usize,
    last: usize,
    text: Vec<u8>,
    /// The style at the end of the text.
    style: Style,
}

impl Screen {
    /// When to show the changed rows. None: there are none.
    pub(in crate::logs) fn patience(&self) -> Option<FlushPatience> {
        if !self.rows.iter().any(|row| row.is_changed) {
            return None;
        }
        let is_redrawn = self.rows.get(self.row).is_some_and(|row| row.is_changed && row.is_edited);
        Some(match (self.is_redrawing, is_redrawn) {
            (true, _) => FlushPatience { still: ROWS_STILL_AFTER, at_most: Some(ROWS_SHOWN_WITHIN) },
            (false, true) => FlushPatience { still: PARTIAL_AFTER, at_most: Some(PARTIAL_AFTER) },
            (false, false) => FlushPatience { still: PARTIAL_AFTER, at_most: None },
        })
    }

    /// Shows all rows, including the unfinished one.
    pub(in crate::logs) fn show(&mut self, what: Show) {
        self.show_rows(self.rows.len() - 1, what);
        self.is_redrawing = false;
    }

    /// The program has ended: shows what is left on its screens. A program that ended on its alternate screen may have
    /// written there why it ended. The output may go on, from a process that it left running.
    pub(in crate::logs) fn show_last(&mut self) {
        let unfinished = self.parser.take_character();
        if !unfinished.is_empty() {
            self.obey(&Token::Text(&unfinished));
        }
        self.show(Show::All);
        if let Some(alternate) = &mut self.alternate {
            alternate.shown_style = self.shown_style;
            alternate.show(Show::All);
            if !alternate.shown.is_empty() {
                self.shown.append(&mut alternate.shown);
                // Whatever comes next continues none of these lines.
                (self.shown_style, alternate.shown_lines) = (alternate.shown_style, alternate.shown_lines + 1);
                self.shown_lines += 1;
            }
        }
    }

    /// The text of the row with the cursor, with its colours.
    pub(in crate::logs) fn cursor_row(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let cells = self.rows.get(self.row).into_iter().flat_map(|row| &row.cells);
        write_cells(cells, Style::PLAIN, &mut text);
        text
    }

    /// Marks the current content of all rows as shown.
    pub(super) fn mark_all_shown(&mut self) {
        let last = self.rows.len() - 1;
        for line in self.changed_lines(last) {
            self.mark_shown(line, false);
        }
    }

    /// Marks the line with the cursor as shown. `continued`: more of it was shown before.
    pub(super) fn mark_line_shown(&mut self, continued: bool) {
        let at = self.row;
        self.current().is_changed = true;
        for line in self.changed_lines(at).into_iter().filter(|line| (line.first..=line.last).contains(&at)) {
            self.mark_shown(line, continued);
        }
    }

    /// Drops what is to the right of the screen's edge. Everything was shown: what the program writes to the rest of a row
    /// continues its line.
    pub(super) fn cut_rows(&mut self) {
        let (mut number, mut goes_on) = (LONG_AGO, false);
        for row in &mut self.rows {
            if !goes_on {
                number = row.shown.as_ref().map_or(LONG_AGO, |shown| shown.number);
            }
            let is_cut = row.cut(self.width);
            if is_cut || goes_on {
                let cells = visible_cells([&*row].into_iter());
                let mut text = Vec::new();
                let style = write_cells(row.cells.iter().take(cells), Style::PLAIN, &mut text);
                (row.before, row.style_before) = (Vec::new(), Style::PLAIN);
                row.shown = Some(Shown { text, style, continued: true, number });
                row.is_edited = false;
            }
            goes_on = mem::take(&mut row.wraps);
        }
    }

    /// Shows the changed lines, down to the one with row `last`.
    pub(super) fn show_rows(&mut self, last: usize, what: Show) {
        let mut lines = self.changed_lines(last);
        // A spinner: the program may be about to erase it. Not one row of several: a table without its borders would get
        // them at its end.
        let is_single = lines.len() == 1;
        let at = self.row;
        lines.retain(|line| {
            let is_current = (line.first..=line.last).contains(&at);
            let shown = self.rows.get(line.first).and_then(|row| row.shown.as_ref());
            match shown {
                Some(shown) if shown.text == line.text => {
                    mark_unchanged(self.rows.range_mut(line.first..=line.last));
                    false
                }
                _ if what == Show::All => true,
                _ if is_single && is_current && letters(&line.text).is_empty() => false,
                Some(shown) => letters(&shown.text) != letters(&line.text),
                None => true,
            }
        });
        // A line that only moved to another row has already been shown.
        let mut elsewhere: Vec<Vec<u8>> = Vec::new();
        if lines.len() > 1 {
            let shown = lines.iter().filter_map(|line| self.rows.get(line.first)?.shown.as_ref());
            elsewhere.extend(shown.map(|shown| shown.text.clone()).filter(|text| !text.is_empty()));
        }
        for line in lines {
            let first = line.first;
            let moved = elsewhere.iter().position(|text| *text == line.text);
            if moved.is_none() {
                self.show_line(&line);
            }
            self.mark_shown(line, false);
            if let Some(at) = moved {
                elsewhere.swap_remove(at);
                // What follows it would not continue the line that was shown last.
                if let Some(shown) = self.rows.get_mut(first).and_then(|row| row.shown.as_mut()) {
                    shown.number = LONG_AGO;
                }
            }
        }
    }

    fn show_line(&mut self, line: &ChangedLine) {
        let rows = || self.rows.range(line.first..=line.last);
        let Some(head) = self.rows.get(line.first) else { return };
        if line.text.is_empty() {
            if head.is_pending_blank() {
                let mut text = Vec::new();
                self.shown_style.write_change(self.pen, &mut text);
                self.shown_style = self.pen;
                self.push_line(&text, false);
            }
            return;
        }
        let is_edited = rows().any(|row| row.is_edited);
        let is_last = |shown: &&Shown| shown.number == self.shown_lines;
        let is_longer = |shown: &&Shown| !is_edited && line.text.starts_with(&shown.text);
        let shown = head.shown.as_ref().filter(is_last).filter(is_longer);
        let shown = shown.cloned().unwrap_or_default();
        let mut text = Vec::new();
        shown.write_rest(&line.text, self.shown_style, &mut text);
        line.style.write_change(self.pen, &mut text);
        self.shown_style = self.pen;
        self.push_line(&text, shown.is_part());
    }

    /// Shows the part of the first line that is out of reach, because it has become too long to keep.
    pub(super) fn show_beginning(&mut self) {
        let shown_lines = self.shown_lines;
        let Some(row) = self.rows.front_mut() else { return };
        let is_edited = mem::take(&mut row.is_edited);
        let before = mem::take(&mut row.before);
        let goes_on = |shown: &Shown| {
            let is_last = shown.number == shown_lines && !is_edited;
            is_last && (before.starts_with(&shown.text) || shown.text.starts_with(&before))
        };
        let shown = row.shown.take().filter(goes_on).unwrap_or_default();
        let (is_all_shown, continued) = (shown.text.starts_with(&before), shown.is_part());
        let mut text = Vec::new();
        shown.write_rest(&before, self.shown_style, &mut text);
        row.shown = Some(if is_all_shown {
            let text = shown.text.get(before.len()..).unwrap_or_default().to_vec();
            Shown { text, continued: true, ..shown }
        } else {
            Shown { style: row.style_before, continued: true, number: shown_lines + 1, ..Shown::default() }
        });
        if !is_all_shown {
            self.shown_style = row.style_before;
            self.push_line(&text, continued);
        }
    }

    fn mark_shown(&mut self, line: ChangedLine, continued: bool) {
        mark_unchanged(self.rows.range_mut(line.first..=line.last));
        if let Some(row) = self.rows.get_mut(line.first) {
            let is_nothing = line.text.is_empty() && !row.is_complete && !continued;
            let (text, style, number) = (line.text, line.style, self.shown_lines);
            row.shown = (!is_nothing).then_some(Shown { text, style, continued, number });
        }
    }

    /// The lines with a row that may have changed, from the top down to the one with row `last`.
    fn changed_lines(&self, last: usize) -> Vec<ChangedLine> {
        let mut lines = Vec::new();
        let mut first = 0;
        while first <= last && first < self.rows.len() {
            let mut end = first;
            while self.rows.get(end).is_some_and(|row| row.wraps) && end + 1 < self.rows.len() {
                end += 1;
            }
            let rows = || self.rows.range(first..=end);
            if rows().any(|row| row.is_changed) {
                let cells = visible_cells(rows());
                let before = rows().next().map(|row| (row.before.clone(), row.style_before));
                let (mut text, style) = before.unwrap_or_default();
                let style = write_cells(rows().flat_map(|row| &row.cells).take(cells), style, &mut text);
                lines.push(ChangedLine { first, last: end, text, style });
            }
            first = end + 1;
        }
        lines
    }

    /// Adds a line to the lines to show. A line that is too long is cut into marked pieces.
    fn push_line(&mut self, text: &[u8], continued: bool) {
        self.shown_lines += 1;
        let (mut rest, mut continued) = (text, continued);
        loop {
            let most = rest.get(..PIECE_BYTES).unwrap_or(rest);
            let cut =
                if most.len() < rest.len() { most.len() - incomplete::unfinished_bytes(most) } else { most.len() };
            let (piece, after) = rest.split_at(cut);
            // Only the first line of a chunk can be marked as continued.
            if continued || self.shown.is_empty() {
                self.shown.push(Chunk { continued, ..Chunk::default() });
            }
            if let Some(chunk) = self.shown.last_mut() {
                chunk.push_line(piece);
            }
            if after.is_empty() {
                return;
            }
            (rest, continued) = (after, true);
        }
    }
}

fn mark_unchanged<'r>(rows: impl Iterator<Item = &'r mut ScreenRow>) {
    for row in rows {
        (row.is_changed, row.is_edited) = (false, false);
    }
}

/// The letters and digits of a line, without its symbols and colours.
fn letters(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text).into_owned();
    let mut letters = String::new();
    let mut parts = text.split("\x1b[");
    letters.extend(parts.next().unwrap_or_default().chars().filter(|letter| letter.is_alphanumeric()));
    for part in parts {
        let after = part.split_once('m').map_or("", |(_, after)| after);
        letters.extend(after.chars().filter(|letter| letter.is_alphanumeric()));
    }
    letters
}
