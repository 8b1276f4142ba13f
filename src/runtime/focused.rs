//! The focused dyno on the terminal: what it writes as it is, and the lines of others round it (S6.8).
//!
//! Part of the hub's thread. How its unfinished line makes room is decided by [`OpenLine`].

use crate::app::DynoName;
use crate::logs::{Formatter, LogBlock, OpenLine, Source};

use super::own_terminal_size;

/// The dyno whose output is shown as it is.
pub(super) struct Focused {
    dyno: DynoName,
    line: OpenLine,
    /// The terminal takes everything as it is: `\n` alone does not begin a line.
    is_raw: bool,
    /// Whether the terminal can erase a line.
    erases: bool,
    /// Lines of others before their ends are made fit for such a terminal.
    lines: Vec<u8>,
}

impl Focused {
    /// `is_raw`: whether the terminal is made to take everything as it is while the dyno has the keyboard.
    pub(super) fn new(dyno: DynoName, is_raw: bool) -> Self {
        let erases = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
        Self { dyno, line: OpenLine::default(), is_raw, erases, lines: Vec::new() }
    }

    /// Shows what the dyno wrote.
    pub(super) fn show(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.line.come_back(out);
        out.extend_from_slice(bytes);
        self.line.follow(bytes);
    }

    /// Shows lines of others, and our notices about the dyno, which end its line. Its own lines were shown before.
    pub(super) fn render(&mut self, formatter: &mut Formatter, block: &LogBlock, out: &mut Vec<u8>) {
        match &block.source {
            Source::App(dyno) if *dyno == self.dyno => return,
            Source::Notice(dyno) if *dyno == self.dyno => self.line.end(out),
            Source::App(_) | Source::Notice(_) | Source::System => {
                let columns = || own_terminal_size().map(|size| size.cols).filter(|_| self.erases);
                self.line.step_aside(columns, out);
            }
        }
        if !self.is_raw {
            return formatter.render(block, out);
        }
        self.lines.clear();
        formatter.render(block, &mut self.lines);
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', &self.lines) {
            out.extend_from_slice(self.lines.get(from..end).unwrap_or_default());
            out.extend_from_slice(b"\r\n");
            from = end + 1;
        }
    }

    /// Shows the unfinished line of the dyno again, behind those of others.
    pub(super) fn come_back(&mut self, out: &mut Vec<u8>) {
        self.line.come_back(out);
    }
}
