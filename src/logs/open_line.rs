//! The unfinished line of a focused dyno, and how it makes room for the lines of other dynos (S6.8).
//!
//! Decides what is written before and after the other lines: the unfinished line is erased and shown again after them,
//! so that a prompt, with what was typed at it, stays the last line. If it cannot be shown again, because it is too
//! long or contains sequences that must be sent only once, the others simply start on a new line. Called by
//! `runtime::focused`.

/// Longest line that is shown again, in bytes, corrections included.
const MAX_BYTES: usize = 4096;

/// Most columns that one tab can take.
const TAB_COLUMNS: usize = 8;

const NEW_LINE: &[u8] = b"\r\n";
/// Erases below the cursor: rows of the line, if the cursor was not in its last row.
const ERASE_BELOW: &[u8] = b"\x1b[J";
/// Erases the line and everything below it, such as the hint of a REPL.
const ERASE: &[u8] = b"\r\x1b[J";
const NO_COLOR: &[u8] = b"\x1b[0m";

/// The unfinished line of one dyno.
#[derive(Debug, Default)]
pub struct OpenLine {
    /// The end of the output, from the beginning of a line on.
    recent: Vec<u8>,
    /// The last line is longer than [`MAX_BYTES`], so its text was not kept.
    too_long: bool,
    /// The line has made room for others and has not been shown again yet.
    aside: bool,
}

/// How the terminal shows the last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastLine {
    /// There is none: the cursor is at the beginning of a line.
    Nothing,
    /// It can be shown again: text, colours, and movement within the line and the rows below it. No row is wider than
    /// `columns`.
    Line { from: usize, columns: usize },
    /// It cannot be shown again.
    Unknown,
}

impl OpenLine {
    /// Records the output of the dyno.
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
        // Drops half at once, so that a dyno that writes a lot does not cause a copy for every byte.
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

    /// Makes room for whole lines of other dynos, unless it already has. `columns`: returns the width of the terminal,
    /// or None if it is unknown or the terminal cannot erase a line.
    pub fn step_aside(&mut self, columns: impl FnOnce() -> Option<u16>, out: &mut Vec<u8>) {
        if self.aside {
            return;
        }
        match self.last_line() {
            LastLine::Nothing => {}
            LastLine::Line { columns: taken, .. } => {
                self.reset_color(out);
                match columns() {
                    Some(columns) if taken < usize::from(columns) => out.extend_from_slice(ERASE),
                    columns => begin_line(columns.is_some(), out),
                }
                self.aside = true;
            }
            LastLine::Unknown => {
                self.reset_color(out);
                begin_line(columns().is_some(), out);
                self.clear();
            }
        }
    }

    /// Shows the line again after the lines of the other dynos.
    pub fn come_back(&mut self, out: &mut Vec<u8>) {
        if let (true, LastLine::Line { from, .. }) = (self.aside, self.last_line()) {
            show_again(self.recent.get(from..).unwrap_or_default(), out);
        }
        self.aside = false;
    }

    /// Ends the line: the dyno will write nothing more to it.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.come_back(out);
        if self.last_line() != LastLine::Nothing {
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

    /// The last line begins after the last `\n`, or before it if the cursor moved up again, as when a REPL shows a hint
    /// below the line that is being typed.
    fn last_line(&self) -> LastLine {
        if self.too_long {
            return LastLine::Unknown;
        }
        let ends = memchr::memrchr_iter(b'\n', &self.recent).map(|end| end + 1);
        for from in ends.chain((!self.recent.is_empty()).then_some(0)) {
            match Cursor::after(self.recent.get(from..).unwrap_or_default()) {
                Some(Cursor { widest: 0, .. }) => return LastLine::Nothing,
                Some(Cursor { row: 0, widest, .. }) => return LastLine::Line { from, columns: widest },
                Some(_) | None => {}
            }
        }
        if self.recent.is_empty() { LastLine::Nothing } else { LastLine::Unknown }
    }
}

fn begin_line(can_erase: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(NEW_LINE);
    if can_erase {
        out.extend_from_slice(ERASE_BELOW);
    }
}

/// Writes a line again, without the parts that must have their effect only once: bell, title and cursor query.
fn show_again(mut line: &[u8], out: &mut Vec<u8>) {
    while let Some((byte, rest)) = line.split_first() {
        let after = match (byte, rest.first()) {
            (b'\x07', _) => Some(rest),
            (b'\x1b', Some(b']')) => after_command(rest),
            (b'\x1b', _) => rest.strip_prefix(CURSOR_QUERY),
            (_, _) => None,
        };
        line = after.unwrap_or_else(|| {
            out.push(*byte);
            rest
        });
    }
}

/// Asks for the position of the cursor, as a REPL does before its prompt. Without the escape.
const CURSOR_QUERY: &[u8] = b"[6n";

/// The text after a command that does not move the cursor, such as one that sets the title. `bytes`: after the escape.
fn after_command(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| matches!(byte, b'\x07' | b'\x1b' | b'\n'))?;
    let (end, rest) = bytes.get(end..)?.split_first()?;
    match (end, rest) {
        (b'\x07', _) => Some(rest),
        (b'\x1b', [b'\\', rest @ ..]) => Some(rest),
        (_, _) => None,
    }
}

/// The position of the cursor, relative to the beginning of a line.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    row: usize,
    column: usize,
    /// The rightmost column that it has reached in any row.
    widest: usize,
    /// The lowest row that it has reached.
    lowest: usize,
}

impl Cursor {
    /// None: the cursor moved above the line, or something must not be sent twice.
    fn after(mut bytes: &[u8]) -> Option<Self> {
        let mut cursor = Self::default();
        while let Some((&byte, rest)) = bytes.split_first() {
            bytes = rest;
            match byte {
                // Keeps the column: the dyno's terminal sends `\r\n` for a line end.
                b'\n' => {
                    cursor.row += 1;
                    cursor.lowest = cursor.lowest.max(cursor.row);
                }
                b'\r' => cursor.column = 0,
                b'\x08' => cursor.column = cursor.column.saturating_sub(1),
                b'\x07' => {}
                b'\t' => cursor.column += TAB_COLUMNS,
                b'\x1b' => bytes = cursor.escape(rest)?,
                // Can count too many columns, never too few: no character is wider than its number of bytes.
                b' '..=b'~' | 0x80.. => cursor.column += 1,
                0..=31 | b'\x7f' => return None,
            }
            cursor.widest = cursor.widest.max(cursor.column);
        }
        Some(cursor)
    }

    /// Follows a sequence that may be sent again and returns the text after it. `bytes`: after the escape.
    fn escape<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (kind, rest) = bytes.split_first()?;
        match kind {
            // Modes of the number pad.
            b'=' | b'>' => return Some(rest),
            b']' => return after_command(bytes),
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
            // Colours, and insertion, deletion or erasure within the row.
            b'm' | b'K' | b'P' | b'@' | b'X' => {}
            // Erases everything below.
            b'J' if matches!(parameters, b"" | b"0") => {}
            b'A' => self.row = self.row.checked_sub(number()?)?,
            b'B' => self.row = Some(self.row + number()?).filter(|row| *row <= self.lowest)?,
            b'C' => self.column += number()?,
            b'D' => self.column = self.column.saturating_sub(number()?),
            b'G' => self.column = number()? - 1,
            // Modes of the arrow keys, the look of the cursor (34: `screen` and `tmux`), bracketed paste.
            b'h' | b'l' if matches!(parameters, b"?1" | b"?12" | b"?25" | b"34" | b"?2004") => {}
            // A query for the position of the cursor; the answer arrives like typed keys.
            b'n' if parameters == b"6" => {}
            _ => return None,
        }
        Some(rest)
    }
}

#[cfg(test)]
mod tests;
