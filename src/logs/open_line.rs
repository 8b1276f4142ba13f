//! The line in which the cursor of a dyno stands that has the terminal, and how lines of others get past it (S6.8).
//!
//! Decides what is written before and after the lines of others: an unfinished line makes room for them and is shown
//! again behind them, so that a prompt with what was typed stays the last line. Where it cannot be shown again (it is
//! too long, or holds sequences that may be sent once only), a new line is begun and that is all.

/// Longest line that is shown again, in bytes, with all that was corrected in it.
const MAX_BYTES: usize = 4096;

/// What each tab may take at most, in columns.
const TAB_COLUMNS: usize = 8;

const NEW_LINE: &[u8] = b"\r\n";
/// The line and what stands below it, as a hint of a REPL does.
const ERASE: &[u8] = b"\r\x1b[J";
const NO_COLOR: &[u8] = b"\x1b[0m";

/// The unfinished line of one dyno.
#[derive(Debug, Default)]
pub struct OpenLine {
    /// The last of what was written, from the beginning of a line on.
    recent: Vec<u8>,
    /// The last line is longer than [`MAX_BYTES`] and not known.
    too_long: bool,
    /// It has made room for others, and nothing was shown since.
    aside: bool,
}

/// What a terminal made of the last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// There is none: the cursor stands at the beginning of a line.
    Nothing,
    /// Text, colours and movement within the line and what stands below it, no row wider than this.
    Line { from: usize, columns: usize },
    /// There is something else in it.
    Unknown,
}

impl OpenLine {
    /// Takes note of what the dyno wrote.
    pub fn follow(&mut self, bytes: &[u8]) {
        if self.too_long {
            let Some(end) = memchr::memchr(b'\n', bytes) else { return };
            self.too_long = false;
            return self.follow(bytes.get(end + 1..).unwrap_or_default());
        }
        let most = bytes.get(bytes.len().saturating_sub(MAX_BYTES + 1)..).unwrap_or_default();
        if most.len() < bytes.len() {
            self.recent.clear();
        }
        self.recent.extend_from_slice(most);
        let excess = self.recent.len().saturating_sub(MAX_BYTES);
        if excess == 0 {
            return;
        }
        // Half of it goes at once: a dyno that writes much is not cut after every byte.
        let half = excess.max(MAX_BYTES / 2);
        let early = memchr::memchr(b'\n', self.recent.get(half..).unwrap_or_default()).map(|end| half + end);
        let end = early.or_else(|| memchr::memrchr(b'\n', &self.recent).filter(|end| end + 1 >= excess));
        if let Some(end) = end {
            self.recent.drain(..=end);
        } else {
            self.recent.clear();
            self.too_long = true;
        }
    }

    /// Makes room for whole lines of others, where it did not yet. `columns`: asked for the width of the terminal; None:
    /// it is not known, or cannot erase a line.
    pub fn step_aside(&mut self, columns: impl FnOnce() -> Option<u16>, out: &mut Vec<u8>) {
        if self.aside {
            return;
        }
        match self.look() {
            Look::Nothing => {}
            Look::Line { columns: taken, .. } => {
                self.reset_color(out);
                let fits = columns().is_some_and(|columns| taken < usize::from(columns));
                out.extend_from_slice(if fits { ERASE } else { NEW_LINE });
                self.aside = true;
            }
            Look::Unknown => {
                self.reset_color(out);
                out.extend_from_slice(NEW_LINE);
                self.clear();
            }
        }
    }

    /// Shows the line again behind those of others.
    pub fn come_back(&mut self, out: &mut Vec<u8>) {
        if let (true, Look::Line { from, .. }) = (self.aside, self.look()) {
            let line = self.recent.get(from..).unwrap_or_default();
            // The bell rang already.
            out.extend(line.iter().filter(|byte| **byte != b'\x07'));
        }
        self.aside = false;
    }

    /// Nothing more will come in this line.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.come_back(out);
        if self.look() != Look::Nothing {
            self.reset_color(out);
            out.extend_from_slice(NEW_LINE);
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.recent.clear();
        (self.too_long, self.aside) = (false, false);
    }

    fn reset_color(&self, out: &mut Vec<u8>) {
        if self.too_long || memchr::memchr(b'\x1b', &self.recent).is_some() {
            out.extend_from_slice(NO_COLOR);
        }
    }

    /// The last line begins behind the last `\n`, or before it where the cursor went up again: a REPL shows a hint below
    /// the line that is typed.
    fn look(&self) -> Look {
        if self.too_long {
            return Look::Unknown;
        }
        let ends = memchr::memrchr_iter(b'\n', &self.recent).map(|end| end + 1);
        for from in ends.chain((!self.recent.is_empty()).then_some(0)) {
            match Cursor::after(self.recent.get(from..).unwrap_or_default()) {
                Some(Cursor { widest: 0, .. }) => return Look::Nothing,
                Some(Cursor { row: 0, widest, .. }) => return Look::Line { from, columns: widest },
                Some(_) | None => {}
            }
        }
        if self.recent.is_empty() { Look::Nothing } else { Look::Unknown }
    }
}

/// Where the cursor stands, seen from the beginning of a line.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    row: usize,
    column: usize,
    /// The rightmost it has been in any row.
    widest: usize,
    /// The lowest row it has been in.
    lowest: usize,
}

impl Cursor {
    /// None: it left the line upwards, or something may be sent once only.
    fn after(mut bytes: &[u8]) -> Option<Self> {
        let mut cursor = Self::default();
        while let Some((&byte, rest)) = bytes.split_first() {
            bytes = rest;
            match byte {
                // Of the terminal of the dyno `\r\n` comes; alone it would keep the column.
                b'\n' => {
                    cursor.row += 1;
                    cursor.lowest = cursor.lowest.max(cursor.row);
                }
                b'\r' => cursor.column = 0,
                b'\x08' => cursor.column = cursor.column.saturating_sub(1),
                b'\x07' => {}
                b'\t' => cursor.column += TAB_COLUMNS,
                b'\x1b' => bytes = cursor.escape(rest)?,
                // Never too few: a character of several bytes takes at most as many columns.
                b' '..=b'~' | 0x80.. => cursor.column += 1,
                0..=31 | b'\x7f' => return None,
            }
            cursor.widest = cursor.widest.max(cursor.column);
        }
        Some(cursor)
    }

    /// Follows a sequence that may be sent again, and returns what stands behind it. `bytes`: behind the escape.
    fn escape<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (kind, rest) = bytes.split_first()?;
        match kind {
            // Which codes the keys of the number pad send.
            b'=' | b'>' => return Some(rest),
            b'[' => {}
            _ => return None,
        }
        let length = rest.iter().position(|byte| !(b'0'..=b'?').contains(byte))?;
        let (parameters, rest) = rest.split_at_checked(length)?;
        let (last, rest) = rest.split_first()?;
        let number = || match parameters {
            [] => Some(1),
            digits => std::str::from_utf8(digits).ok()?.parse::<u16>().ok().map(|n| usize::from(n.max(1))),
        };
        match last {
            // Colours; characters and the rest of the row inserted, deleted or erased.
            b'm' | b'K' | b'P' | b'@' | b'X' => {}
            // What stands below.
            b'J' if matches!(parameters, b"" | b"0") => {}
            b'A' => self.row = self.row.checked_sub(number()?)?,
            b'B' => self.row = Some(self.row + number()?).filter(|row| *row <= self.lowest)?,
            b'C' => self.column += number()?,
            b'D' => self.column = self.column.saturating_sub(number()?),
            b'G' => self.column = number()? - 1,
            // Codes of the arrow keys, the cursor's look, marks round what is pasted.
            b'h' | b'l' if matches!(parameters, b"?1" | b"?12" | b"?25" | b"?2004") => {}
            _ => return None,
        }
        Some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands on the terminal when `written` is interrupted by the line `other` and goes on with `then`.
    fn interrupted(written: &[u8], columns: Option<u16>, then: &[u8]) -> String {
        let mut line = OpenLine::default();
        let mut out = written.to_vec();
        line.follow(written);
        for _ in 0..2 {
            line.step_aside(|| columns, &mut out);
            out.extend_from_slice(b"other\r\n");
        }
        line.come_back(&mut out);
        out.extend_from_slice(then);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn s6_8_a_whole_line_is_in_nobodys_way() {
        assert_eq!(interrupted(b"done\r\n", Some(80), b"next"), "done\r\nother\r\nother\r\nnext");
        assert_eq!(interrupted(b"", Some(80), b"next"), "other\r\nother\r\nnext");
        // Behind what ends a line that was typed.
        let marks = "\r\n\x1b[?2004l\r";
        assert_eq!(interrupted(marks.as_bytes(), Some(80), b"42"), format!("{marks}other\r\nother\r\n42"));
    }

    #[test]
    fn s6_8_a_prompt_with_what_was_typed_is_shown_again_behind_the_lines_of_others() {
        assert_eq!(
            interrupted(b"old\r\n(Pdb) pri", Some(80), b"nt"),
            "old\r\n(Pdb) pri\r\x1b[Jother\r\nother\r\n(Pdb) print"
        );
    }

    #[test]
    fn s6_8_colours_do_not_leak_into_the_lines_of_others() {
        assert_eq!(
            interrupted(b"\x1b[32m> ab\x08\x1b[K", Some(80), b"c"),
            "\x1b[32m> ab\x08\x1b[K\x1b[0m\r\x1b[Jother\r\nother\r\n\x1b[32m> ab\x08\x1b[Kc"
        );
    }

    #[test]
    fn s6_8_a_line_that_may_fill_several_rows_is_left_and_shown_again_below() {
        for columns in [None, Some(5)] {
            assert_eq!(interrupted(b"12345", columns, b"6"), "12345\r\nother\r\nother\r\n123456");
        }
        assert_eq!(interrupted(b"12345", Some(6), b"6"), "12345\r\x1b[Jother\r\nother\r\n123456");
    }

    #[test]
    fn s6_8_what_may_be_sent_once_only_is_not_sent_again() {
        // A question to the terminal, a cursor that leaves the line, a sequence that is not complete, a title.
        for line in ["a\x1b[6n", "a\x1b[A", "a\x1b[3", "a\x1b]0;t\x07", "a\x1b"] {
            assert_eq!(
                interrupted(line.as_bytes(), Some(80), b"b"),
                format!("{line}\x1b[0m\r\nother\r\nother\r\nb"),
                "{line:?}"
            );
        }
        assert_eq!(interrupted(b"a\x07", Some(80), b"b"), "a\x07\r\x1b[Jother\r\nother\r\nab");
    }

    #[test]
    fn s6_8_a_very_long_line_is_left_alone() {
        let long = vec![b'x'; MAX_BYTES + 1];
        let shown = interrupted(&long, Some(80), b"y");

        assert!(shown.ends_with("x\x1b[0m\r\nother\r\nother\r\ny"), "{shown}");
    }

    #[test]
    fn s6_8_our_notice_about_the_dyno_ends_its_line() {
        let mut line = OpenLine::default();
        let mut out = Vec::new();
        line.follow(b"(Pdb) ");
        line.step_aside(|| Some(80), &mut out);
        out.extend_from_slice(b"other\r\n");

        line.end(&mut out);
        line.end(&mut out);

        assert_eq!(String::from_utf8_lossy(&out), "\r\x1b[Jother\r\n(Pdb) \r\n");
    }

    #[test]
    fn s6_8_a_hint_below_the_line_is_shown_again_with_it() {
        // As node does: the result of what is typed so far, and back up.
        let hint = "\r\n\x1b[90m42\x1b[39m\x1b[6G\x1b[1A";
        let typed = format!("ok\r\n> 6*7{hint}\x1b[1B\x1b[2K\x1b[1A+{hint}");
        let line = typed.strip_prefix("ok\r\n").expect("the first line");

        assert_eq!(
            interrupted(typed.as_bytes(), Some(80), b"1"),
            format!("{typed}\x1b[0m\r\x1b[Jother\r\nother\r\n{line}1")
        );
    }

    #[test]
    fn movement_within_a_line_is_counted() {
        let look = |text: &str| {
            let mut line = OpenLine::default();
            line.follow(text.as_bytes());
            match line.look() {
                Look::Nothing => Some(0),
                Look::Line { columns, .. } => Some(columns),
                Look::Unknown => None,
            }
        };

        assert_eq!(look("\x1b[1G\x1b[0J> \x1b[3G"), Some(2));
        assert_eq!(look("abc\rd"), Some(3));
        assert_eq!(look("\t\x1b[5C\x1b[Dx"), Some(13));
        assert_eq!(look("\x1b[?25l\x1b=\r"), Some(0));
        for unknown in ["\x1b[99999999999C", "a\x1b[2J", "a\x1b[B", "a\r\nb\x1b[2A"] {
            assert_eq!(look(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn any_chopping_of_the_same_bytes_leads_to_the_same_line() {
        let long: Vec<u8> = (0..40_000_u32).map(|n| if n % 97 == 0 { b'\n' } else { b'x' }).collect();
        let endless = vec![b'x'; 2 * MAX_BYTES];
        let begun = [b"ab\n", &endless[..]].concat();
        let texts = [&long[..], &endless, &begun, &[&endless[..], b"\nab"].concat()];

        for (text, last) in texts.into_iter().zip([Some(39_999 % 97), None, None, Some(2)]) {
            for size in [1, 7, MAX_BYTES - 1, MAX_BYTES, MAX_BYTES + 1, text.len()] {
                let mut line = OpenLine::default();
                text.chunks(size).for_each(|chunk| line.follow(chunk));
                let expected = last.map_or(Look::Unknown, |columns| match line.look() {
                    Look::Line { from, .. } => Look::Line { from, columns },
                    other @ (Look::Nothing | Look::Unknown) => other,
                });
                assert_eq!(line.look(), expected, "{size}");
                assert!(line.recent.len() <= MAX_BYTES, "{size}");
                assert_eq!(line.look() == Look::Unknown, last.is_none(), "{size}");
            }
        }
    }
}
