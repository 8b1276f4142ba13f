//! The last output of a run on a terminal, and from it the screen that it leaves (S10.5).
//!
//! Keeps the last bytes as they are, and draws only when someone looks: a flood costs a copy. Of bytes that are dropped the
//! modes remain. While the alternate screen is shown, dropped bytes are drawn, because programs there change only parts of
//! what they drew long ago. On the main screen new lines push out old ones, so the last bytes are enough.

use std::collections::VecDeque;

use super::emulator::Emulator;
use super::modes::ScreenModes;
use super::newlines::{NewlineMeaning, Newlines, append_translated};
use crate::model::PtySize;

/// Bytes that are kept.
const KEPT: usize = 64 << 10;

/// The largest screen that is drawn. A terminal may claim to have any size.
const LARGEST: PtySize = PtySize { rows: 200, cols: 500 };

/// The output of one run.
pub struct ScreenRecord {
    size: PtySize,
    kept: VecDeque<u8>,
    /// Bytes written so far, in all runs.
    end: u64,
    /// How many of them are drawn. The modes and the screen are those at this place.
    drawn: u64,
    modes: ScreenModes,
    /// What the program means by `\n`.
    newline: NewlineMeaning,
    /// Whether the last byte that is drawn is `\r`.
    is_after_return: bool,
    /// None: blank.
    screen: Option<Emulator>,
}

/// A screen as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScreenText {
    /// The size of the terminal.
    pub size: PtySize,
    /// Its rows, without blanks at their ends.
    pub rows: Vec<String>,
    /// The same with colours.
    pub colored: Vec<String>,
    /// The row and column of the cursor, from 0.
    pub cursor: (u16, u16),
    /// Whether it is the alternate screen.
    pub is_alternate: bool,
}

/// A size that can be drawn.
#[must_use]
pub fn bounded(size: PtySize) -> PtySize {
    PtySize { rows: size.rows.clamp(1, LARGEST.rows), cols: size.cols.clamp(1, LARGEST.cols) }
}

impl ScreenRecord {
    /// Nothing was written yet.
    #[must_use]
    pub fn new(size: PtySize) -> Self {
        Self {
            size: bounded(size),
            kept: VecDeque::new(),
            end: 0,
            drawn: 0,
            modes: ScreenModes::default(),
            newline: NewlineMeaning::default(),
            is_after_return: false,
            screen: None,
        }
    }

    /// A new run begins, with a fresh terminal.
    pub fn clear(&mut self, size: PtySize) {
        *self = Self { end: self.end, drawn: self.end, ..Self::new(size) };
    }

    /// Bytes written so far.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The size of the terminal.
    #[must_use]
    pub fn size(&self) -> PtySize {
        self.size
    }

    /// What the program means by `\n` from now on.
    pub fn set_newline(&mut self, newline: NewlineMeaning) {
        self.newline = newline;
    }

    /// What it means by `\n`.
    #[must_use]
    pub fn newline(&self) -> NewlineMeaning {
        self.newline
    }

    /// Whether bytes that are dropped are still drawn.
    #[must_use]
    pub fn draws(&self) -> bool {
        self.screen.is_some()
    }

    /// The program has written these bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let excess = (self.kept.len() + bytes.len()).saturating_sub(KEPT);
        let of_kept = excess.min(self.kept.len());
        let (dropped, stays) = bytes.split_at_checked(excess - of_kept).unwrap_or((bytes, &[]));
        if excess > 0 {
            let undrawn = of_kept.saturating_sub(usize::try_from(self.drawn - self.begin()).unwrap_or(usize::MAX));
            let leaving = copied(&self.kept, of_kept - undrawn, of_kept);
            self.kept.drain(..of_kept);
            self.drop(&leaving);
            self.drop(dropped);
            self.drawn += (undrawn + dropped.len()) as u64;
        }
        if self.kept.capacity() < self.kept.len() + stays.len() {
            // Doubles as usual, but never beyond what can be needed.
            let wanted = (2 * (self.kept.len() + stays.len())).min(KEPT);
            self.kept.reserve_exact(wanted - self.kept.len());
        }
        self.kept.extend(stays);
        self.end += bytes.len() as u64;
    }

    /// Remembers what later drawings need to know about dropped bytes.
    fn drop(&mut self, bytes: &[u8]) {
        let (mut rest, newline) = (bytes, self.newline.of_earlier_bytes());
        while !rest.is_empty() {
            if !self.modes.is_alternate() {
                self.screen = None;
            }
            let is_alternate = self.modes.is_alternate();
            let read = self.modes.feed_to_switch(rest);
            let (now, after) = rest.split_at_checked(read.unwrap_or(rest.len())).unwrap_or((rest, &[]));
            match &mut self.screen {
                Some(screen) => {
                    let mut bytes = Vec::with_capacity(now.len());
                    append_translated(now, newline, is_alternate, &mut self.is_after_return, &mut bytes);
                    screen.process(&bytes);
                }
                None if self.modes.is_alternate() => self.screen = Some(self.blank()),
                None => {}
            }
            self.is_after_return = now.last() == Some(&b'\r');
            rest = after;
        }
    }

    /// A screen with the modes of the bytes that are drawn, and nothing on it.
    fn blank(&self) -> Emulator {
        let mut screen = Emulator::new(self.size);
        screen.process(&self.modes.set());
        screen.process(self.modes.begun());
        screen
    }

    /// Where the kept bytes begin.
    fn begin(&self) -> u64 {
        self.end - self.kept.len() as u64
    }

    /// Appends the bytes after the first `from`, at most as many as `most`, and returns up to where. None: they are not
    /// kept any more.
    pub fn after(&self, from: u64, most: usize, out: &mut Vec<u8>) -> Option<u64> {
        let at = usize::try_from(from.checked_sub(self.begin())?).ok().filter(|at| *at <= self.kept.len())?;
        let until = self.kept.len().min(at.saturating_add(most));
        out.extend(copied(&self.kept, at, until));
        Some(from + (until - at) as u64)
    }

    /// The terminal has another size now. What was written before was drawn for the old one.
    pub fn resize(&mut self, size: PtySize) {
        let size = bounded(size);
        if size == self.size {
            return;
        }
        if self.end > 0 {
            self.draw().resize(size);
            self.modes.forget_region();
        }
        self.size = size;
    }

    /// Draws what is not drawn yet.
    fn draw(&mut self) -> &mut Emulator {
        let blank = if self.screen.is_none() { Some(self.blank()) } else { None };
        let undrawn = usize::try_from(self.end - self.drawn).unwrap_or(usize::MAX).min(self.kept.len());
        let written = copied(&self.kept, self.kept.len() - undrawn, self.kept.len());
        let mut bytes = Vec::with_capacity(written.len());
        let mut newlines = self.newlines();
        newlines.translate(&written, self.newline.of_earlier_bytes(), &mut bytes);
        (self.modes, self.is_after_return) = newlines.into_parts();
        self.drawn = self.end;
        let size = self.size;
        let screen = self.screen.get_or_insert_with(|| blank.unwrap_or_else(|| Emulator::new(size)));
        screen.process(&bytes);
        screen
    }

    /// Bytes that draw the screen, and set the modes, on a fresh terminal of the same size. `below`: what that terminal
    /// shows already scrolls up instead of being erased, unless the program draws a full screen.
    pub fn redraw(&mut self, below: bool) -> Vec<u8> {
        self.draw();
        let is_below = below && !self.modes.is_alternate() && self.modes.set_region().is_empty();
        let draw = |screen: &Emulator| if is_below { screen.drawn_below() } else { screen.drawn(&self.modes) };
        let drawn = self.screen.as_ref().map(draw).unwrap_or_default().into_bytes();
        // What is drawn does not depend on the other modes if they are set after it.
        [&self.modes.set_screen(), &drawn, &self.modes.set_others(), self.modes.begun()].concat()
    }

    /// The place for `\n` after everything that is drawn.
    #[must_use]
    pub fn newlines(&self) -> Newlines {
        Newlines::after(self.modes.clone(), self.is_after_return)
    }

    /// The row and column of the cursor, from 0.
    pub fn cursor(&mut self) -> (u16, u16) {
        self.draw().cursor()
    }

    /// The screen as text.
    pub fn text(&mut self) -> ScreenText {
        let size = self.size;
        let screen = self.draw();
        let (rows, colored, cursor) = (screen.rows(), screen.colored_rows(), screen.cursor());
        ScreenText { size, rows, colored, cursor, is_alternate: self.modes.is_alternate() }
    }
}

/// The bytes from `from` to `until`. Not one by one: a flood comes through here.
fn copied(kept: &VecDeque<u8>, from: usize, until: usize) -> Vec<u8> {
    let (front, back) = kept.as_slices();
    let part = |length: usize, begin: usize| {
        let [from, until] = [from, until].map(|at| at.saturating_sub(begin).min(length));
        from..until
    };
    let of_front = front.get(part(front.len(), 0)).unwrap_or_default();
    let of_back = back.get(part(back.len(), front.len())).unwrap_or_default();
    [of_front, of_back].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: PtySize = PtySize { rows: 4, cols: 20 };

    fn record(parts: &[&[u8]]) -> ScreenRecord {
        let mut record = ScreenRecord::new(SIZE);
        for part in parts {
            record.push(part);
        }
        record
    }

    fn rows(record: &mut ScreenRecord) -> String {
        record.text().rows.join("|")
    }

    #[test]
    fn s10_5_the_screen_is_what_a_terminal_would_show() {
        let mut record = record(&[b"one\r\ntwo\r\n", b"\x1b[31mthree\x1b[m\r\nfour\r\nfi", b"ve\x1b[1;1Hx"]);

        assert_eq!(rows(&mut record), "xwo|three|four|five");
        assert_eq!(record.text().cursor, (0, 1));
        assert!(record.text().colored[1].contains("\x1b[31mthree"));
        let mut again = ScreenRecord::new(SIZE);
        again.push(&record.redraw(false));
        assert_eq!(again.text(), record.text());
    }

    #[test]
    fn s10_5_a_newline_alone_begins_a_line_unless_output_is_raw() {
        let mut lines = record(&[b"one\ntwo\r", b"\nthree\r"]);
        assert_eq!(rows(&mut lines), "one|two|three|");
        lines.push(b"\nfour");
        assert_eq!(rows(&mut lines), "one|two|three|four");

        let mut raw = record(&[b"one\ntwo\n\x1b[?1049h\x1b[Hthree\nfour\r\nfive"]);
        raw.set_newline(NewlineMeaning::Down);
        assert_eq!(rows(&mut raw), "three|     four|five|");
        raw.push(b"\x1b[?1049l");
        assert_eq!(rows(&mut raw), "one|two||");
    }

    #[test]
    fn s10_5_blanks_with_a_colour_are_drawn() {
        let mut bar = record(&[b"\x1b[7mbar   \x1b[m\r\nx"]);
        assert!(bar.text().colored[0].contains("bar   "), "{:?}", bar.text().colored);
        for below in [false, true] {
            let mut again = record(&[&bar.redraw(below)]);
            assert_eq!(again.text(), bar.text());
        }
    }

    #[test]
    fn s10_5_rows_that_do_not_scroll_stay_where_they_are() {
        for origin in ["", "\x1b[?6h"] {
            let mut split = record(&[b"title\x1b[2;3r", origin.as_bytes(), b"\x1b[2;1Hone"]);
            let mut again = record(&[&split.redraw(false)]);
            for record in [&mut split, &mut again] {
                record.push(b"\r\ntwo\r\nthree");
            }
            assert_eq!(rows(&mut split), "title|two|three|");
            assert_eq!(again.text(), split.text(), "{origin}");
        }
    }

    #[test]
    fn s10_5_a_screen_is_drawn_below_what_a_terminal_shows_already() {
        let mut below = record(&[b"$ dyno attach\r\n"]);

        below.push(&record(&[b"one\r\n\x1b[32m> 12\x1b[1D"]).redraw(true));
        below.push(b"!");

        assert_eq!(rows(&mut below), "$ dyno attach|one|> 1!|");
        assert!(below.text().colored[2].contains("\x1b[32m> 1!"), "{:?}", below.text().colored[2]);
        below.push(&record(&[b"\x1b[?1049h\x1b[Hfull"]).redraw(true));
        assert_eq!(rows(&mut below), "full|||");
    }

    #[test]
    fn s10_5_a_flood_on_the_main_screen_leaves_its_last_lines_and_modes() {
        let mut record = record(&[b"\x1b[?2004h\x1b[?25l"]);
        for line in 0..20_000 {
            record.push(format!("line {line}\r\n").as_bytes());
        }

        assert!(record.screen.is_none(), "nothing was drawn");
        assert_eq!(rows(&mut record), "line 19997|line 19998|line 19999|");
        assert!(record.redraw(false).ends_with(b"\x1b[?25l\x1b[?2004h"));
    }

    #[test]
    fn s10_5_what_was_drawn_long_ago_stays_on_the_alternate_screen() {
        for looks_before in [false, true] {
            let mut record = record(&[b"shell\r\n\x1b[?1049h\x1b[2J\x1b[1;1Htitle"]);
            if looks_before {
                assert_eq!(rows(&mut record), "title|||");
            }
            for count in 0..20_000 {
                record.push(format!("\x1b[3;1H{count}").as_bytes());
            }

            assert_eq!(rows(&mut record), "title||19999|", "{looks_before}");
            assert!(record.text().is_alternate);
            record.push(b"\x1b[?1049l");
            assert!(!record.text().is_alternate);
        }
    }

    #[test]
    fn s10_5_one_block_may_be_larger_than_what_is_kept() {
        let flood = b"0123456789\r\n".repeat(10_000);
        let mut record = record(&[b"\x1b[?1049htitle\x1b[?1049l", &flood, b"end"]);

        assert_eq!(rows(&mut record), "0123456789|0123456789|0123456789|end");
        assert_eq!(record.end(), 120_000 + 21 + 3);
        assert_eq!(record.after(0, 10, &mut Vec::new()), None);
        let mut last = Vec::new();
        assert_eq!(record.after(record.end() - 5, 4, &mut last), Some(record.end() - 1));
        assert_eq!(last, b"\r\nen");
        assert_eq!(record.after(record.end() + 1, 4, &mut last), None);
    }

    #[test]
    fn s10_5_a_new_run_begins_with_a_fresh_terminal() {
        let mut record = record(&[b"\x1b[?1049h\x1b[?1000hold"]);
        let end = record.end();

        record.clear(SIZE);

        assert_eq!(record.end(), end);
        assert_eq!(rows(&mut record), "|||");
        assert!(!record.text().is_alternate);
    }

    #[test]
    fn s10_5_a_resize_applies_to_what_is_written_after_it() {
        let mut record = record(&[b"0123456789abcdefghijklmno"]);

        record.resize(PtySize { rows: 2, cols: 30 });
        record.push(b"\r\n0123456789abcdefghijklmno");

        assert_eq!(rows(&mut record), "klmno|0123456789abcdefghijklmno");
        assert_eq!(record.size(), PtySize { rows: 2, cols: 30 });
        record.resize(PtySize { rows: 0, cols: u16::MAX });
        assert_eq!(record.size(), PtySize { rows: 1, cols: 500 });
    }
}
