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
/// What stands below: rows of the line, where the cursor was not in the last one.
const ERASE_BELOW: &[u8] = b"\x1b[J";
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
                match columns() {
                    Some(columns) if taken < usize::from(columns) => out.extend_from_slice(ERASE),
                    columns => begin_line(columns.is_some(), out),
                }
                self.aside = true;
            }
            Look::Unknown => {
                self.reset_color(out);
                begin_line(columns().is_some(), out);
                self.clear();
            }
        }
    }

    /// Shows the line again behind those of others.
    pub fn come_back(&mut self, out: &mut Vec<u8>) {
        if let (true, Look::Line { from, .. }) = (self.aside, self.look()) {
            show_again(self.recent.get(from..).unwrap_or_default(), out);
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

fn begin_line(can_erase: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(NEW_LINE);
    if can_erase {
        out.extend_from_slice(ERASE_BELOW);
    }
}

/// Writes a line once more, without what has had its effect: the bell rang, the title is set, the terminal has answered.
fn show_again(mut line: &[u8], out: &mut Vec<u8>) {
    while let Some((byte, rest)) = line.split_first() {
        let behind = match (byte, rest.first()) {
            (b'\x07', _) => Some(rest),
            (b'\x1b', Some(b']')) => behind_command(rest),
            (b'\x1b', _) => rest.strip_prefix(QUESTION),
            (_, _) => None,
        };
        line = behind.unwrap_or_else(|| {
            out.push(*byte);
            rest
        });
    }
}

/// Where the cursor is, as a REPL asks before its prompt; behind the escape.
const QUESTION: &[u8] = b"[6n";

/// What stands behind a command to the terminal that moves nothing, such as its title. `bytes`: behind the escape.
fn behind_command(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| matches!(byte, b'\x07' | b'\x1b' | b'\n'))?;
    let (end, rest) = bytes.get(end..)?.split_first()?;
    match (end, rest) {
        (b'\x07', _) => Some(rest),
        (b'\x1b', [b'\\', rest @ ..]) => Some(rest),
        (_, _) => None,
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
            b']' => return behind_command(bytes),
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
            // Codes of the arrow keys, the cursor's look (of `screen` and `tmux`, too), marks round what is pasted.
            b'h' | b'l' if matches!(parameters, b"?1" | b"?12" | b"?25" | b"34" | b"?2004") => {}
            // The answer comes as keys.
            b'n' if parameters == b"6" => {}
            _ => return None,
        }
        Some(rest)
    }
}

#[cfg(test)]
mod tests;
