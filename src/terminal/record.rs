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
        // Without output and without a reader there is no screen yet.
        if self.end > 0 || self.screen.is_some() {
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
mod tests;
