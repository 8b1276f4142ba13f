//! The lines above the rows of a [`Screen`], which were shown unchanged, kept as text.
//!
//! Must be fast, because every line that passes ends up here: it looks only for line ends and copies only the last
//! lines.

use std::mem;

use memchr::memrchr_iter;

use super::Screen;
use super::row::{LONG_AGO, ScreenRow};
use crate::logs::incomplete;

/// Bytes that are kept at least, in case the program redraws these rows. If the lines are longer, their beginning
/// is lost.
const ABOVE_BYTES: usize = 32 << 10;

#[derive(Debug, Default)]
pub(super) struct Above {
    bytes: Vec<u8>,
    /// Lines before these were dropped.
    pub(super) is_cut: bool,
}

impl Above {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.is_cut
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.is_cut = false;
    }

    /// Adds whole lines. `rows`: the height of the screen.
    pub(super) fn push(&mut self, lines: &[u8], rows: usize) {
        let most_from = incomplete::kept_from(lines, lines.len().saturating_sub(ABOVE_BYTES));
        let most = lines.get(most_from..).unwrap_or_default();
        let last = memrchr_iter(b'\n', most).nth(rows).and_then(|end| most.get(end + 1..)).unwrap_or(most);
        if last.len() < lines.len() {
            self.bytes.clear();
            self.is_cut = true;
        }
        if self.bytes.len() + last.len() > 2 * ABOVE_BYTES {
            let excess = self.bytes.len().saturating_sub(ABOVE_BYTES);
            self.bytes.drain(..incomplete::kept_from(&self.bytes, excess));
            self.is_cut = true;
        }
        self.bytes.extend_from_slice(last);
    }

    pub(super) fn lines(&self) -> &[u8] {
        &self.bytes
    }
}

impl Screen {
    /// Turns the text above back into rows. Afterwards the first of `rows` is the first row of the screen.
    pub(super) fn reach_above(&mut self) {
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
            self.rows.push_front(ScreenRow::default());
        }
        let excess = self.rows.len().saturating_sub(self.height);
        self.rows.drain(..excess);
        self.row = (self.row + self.rows.len()).saturating_sub(before).min(self.rows.len() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_within_the_limit() {
        let mut above = Above::default();
        above.push(b"a\nb\n", 3);
        assert_eq!((above.lines(), above.is_cut), (&b"a\nb\n"[..], false));

        above.push(b"c\nd\ne\nf\n", 3);
        assert_eq!((above.lines(), above.is_cut), (&b"d\ne\nf\n"[..], true));

        for _ in 0..100 {
            above.push(&b"x".repeat(ABOVE_BYTES / 3), 3);
            assert!(above.lines().len() <= 2 * ABOVE_BYTES);
        }
    }

    #[test]
    fn s7_6_a_line_that_lost_its_beginning_begins_with_a_whole_character() {
        for unit in ["é", "漢", "😀", "\x1b[31mx"] {
            for shift in 0..unit.len() {
                let line = |bytes: usize| unit.repeat(bytes / unit.len()) + &"x".repeat(shift) + "\n";
                let (mut at_once, mut by_lines) = (Above::default(), Above::default());

                at_once.push(line(2 * ABOVE_BYTES).as_bytes(), 3);
                for _ in 0..3 {
                    by_lines.push(line(ABOVE_BYTES - 100).as_bytes(), 3);
                }

                for above in [at_once, by_lines] {
                    let kept = std::str::from_utf8(above.lines()).unwrap();
                    // Between a colour and its text is a good place, too.
                    assert!(above.is_cut && (kept.starts_with(unit) || kept.starts_with('x')), "{unit:?} {shift}");
                }
            }
        }
    }
}
