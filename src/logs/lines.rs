//! Turns the output of a dyno into lines: whole ones at once, unfinished ones after a while (S7.6).
//!
//! Decides how a stream is shown. Bytes from a pipe stay bytes, but on our terminal a bare `\r` overwrites its line.
//! From a terminal, lines of plain text and colours pass unchanged; when the program moves the cursor or erases
//! something, a [`Screen`] takes over until everything on it has been shown. No clock: the caller waits as long as
//! [`Lines::patience`] says. One value per run, owned by the task that reads its stream.

use std::mem;

use memchr::{memchr_iter, memchr3_iter, memrchr};

use super::chunk::{Audience, Chunk, FlushPatience, PARTIAL_AFTER, PIECE_BYTES};
use super::incomplete;
use super::screen::{Screen, ScreenSize, Show, enters_alternate_screen, needs_screen};
use super::splitter::Splitter;
use super::style::Style;

#[cfg(test)]
mod followed;
mod prompt;
#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tools;

pub use prompt::UnfinishedLine;

const ESC: u8 = 0x1b;
const BACKSPACE: u8 = 0x08;
const CR: u8 = b'\r';

/// How the stream is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineMode {
    /// Every byte is shown.
    AllBytes,
    /// Lines are shown as the dyno's terminal would leave them.
    Terminal {
        /// The size of that terminal.
        size: ScreenSize,
        /// Whether log files need all bytes as well.
        keeps_all_bytes: bool,
    },
    /// A pipe whose lines are shown on our terminal: a bare `\r` returns to the start of the line.
    PipeOnTerminal {
        /// Whether log files need all bytes as well.
        keeps_all_bytes: bool,
    },
}

/// The lines of one run's stream.
///
/// A round is [`begin`](Self::begin), a read into the spare capacity of the buffer, then [`split`](Self::split). After
/// each round [`patience`](Self::patience) says when to [`flush`](Self::flush). [`finish`](Self::finish) ends the
/// stream.
#[derive(Debug)]
pub struct Lines {
    plain: Splitter,
    terminal: Option<Box<Terminal>>,
    /// All bytes, for log files, if other receivers get only what a terminal would show.
    kept: Option<Splitter>,
    /// Who gets the lines of `plain` and `terminal`.
    audience: Audience,
}

/// What is needed beyond a [`Splitter`] to show lines as a terminal would.
#[derive(Debug)]
struct Terminal {
    screen: Screen,
    /// The screen interprets the bytes; otherwise lines pass unchanged.
    is_followed: bool,
    /// The program on the pipe has switched to its alternate screen since the last call of `entered_alternate_screen`.
    pipe_entered_alternate: bool,
    /// Number of blank lines that are held back, because clearing the screen would drop them.
    blanks: usize,
    /// The shown part of the unfinished line, if it passed unchanged: its last [`PIECE_BYTES`], from the last
    /// place before them where it can be cut.
    partial: Vec<u8>,
    /// The style at the end of the lines that passed.
    style: Style,
}

impl Lines {
    /// Starts at the beginning of a stream.
    #[must_use]
    pub fn new(mode: LineMode) -> Self {
        let (terminal, keeps_all_bytes) = match mode {
            LineMode::AllBytes => (None, false),
            LineMode::Terminal { size, keeps_all_bytes } => (Some(Terminal::new(Screen::new(size))), keeps_all_bytes),
            LineMode::PipeOnTerminal { keeps_all_bytes } => (Some(Terminal::new(Screen::of_pipe())), keeps_all_bytes),
        };
        let audience = if keeps_all_bytes { Audience::Screens } else { Audience::All };
        let kept = keeps_all_bytes.then(Splitter::new);
        Self { plain: Splitter::new(), terminal: terminal.map(Box::new), kept, audience }
    }

    /// Adapts to a change of the terminal's size.
    pub fn resize(&mut self, size: ScreenSize, emit: &mut impl FnMut(Chunk)) {
        if let Some(terminal) = self.terminal.as_mut().filter(|terminal| !terminal.screen.is_pipe()) {
            terminal.screen.resize(size);
            self.emit_shown(emit);
        }
    }

    /// Whether the program has switched to its alternate screen since the last call. What it draws there is not shown,
    /// except from a pipe.
    pub fn entered_alternate_screen(&mut self) -> bool {
        self.terminal.as_mut().is_some_and(|terminal| {
            terminal.screen.entered_alternate_screen() || mem::take(&mut terminal.pipe_entered_alternate)
        })
    }

    /// Begins a round: puts the unfinished line into the empty `buffer`; fresh bytes are appended after it.
    pub fn begin(&mut self, buffer: &mut Vec<u8>) {
        self.plain.begin(buffer);
    }

    /// Emits what can be shown at once and keeps the rest.
    ///
    /// `fresh_from`: the length of `buffer` after [`begin`](Self::begin). If no byte of it has to change, the buffer
    /// itself is emitted; otherwise it is returned, empty, for reuse.
    pub fn split(&mut self, buffer: Vec<u8>, fresh_from: usize, emit: &mut impl FnMut(Chunk)) -> Option<Vec<u8>> {
        if let Some(kept) = &mut self.kept {
            let mut copy = Vec::new();
            kept.begin(&mut copy);
            let from = copy.len();
            copy.extend_from_slice(buffer.get(fresh_from..).unwrap_or_default());
            kept.split(copy, from, &mut |chunk| emit(Chunk { audience: Audience::Files, ..chunk }));
        }
        let audience = self.audience;
        let Some(terminal) = &mut self.terminal else { return self.plain.split(buffer, fresh_from, emit) };
        if terminal.screen.is_pipe() {
            terminal.pipe_entered_alternate |= enters_alternate_screen(&buffer);
        }
        if terminal.passes_all(&buffer, self.plain.shown()) {
            let whole = memrchr(b'\n', &buffer).map_or(0, |at| at + 1);
            terminal.pass(buffer.get(..whole).unwrap_or_default());
            return self.plain.split(buffer, fresh_from, &mut |chunk| emit(Chunk { audience, ..chunk }));
        }
        self.follow(&buffer, emit);
        let mut spare = buffer;
        spare.clear();
        Some(spare)
    }

    /// When to [`flush`](Self::flush). None: nothing is waiting.
    #[must_use]
    pub fn patience(&self) -> Option<FlushPatience> {
        let drawn = self.terminal.as_ref().filter(|terminal| terminal.is_followed);
        if let Some(terminal) = drawn {
            return terminal.screen.patience();
        }
        let waits =
            !self.plain.partial().is_empty() || self.terminal.as_ref().is_some_and(|terminal| terminal.blanks > 0);
        waits.then_some(FlushPatience { still: PARTIAL_AFTER, at_most: None })
    }

    /// Shows what is waiting. `is_still`: no byte has arrived for [`FlushPatience::still`]; otherwise
    /// [`FlushPatience::at_most`] has passed.
    pub fn flush(&mut self, is_still: bool, emit: &mut impl FnMut(Chunk)) {
        if is_still && let Some(kept) = &mut self.kept {
            kept.flush(&mut |chunk| emit(Chunk { audience: Audience::Files, ..chunk }));
        }
        if let Some(terminal) = self.terminal.as_mut().filter(|terminal| terminal.is_followed) {
            terminal.screen.show(if is_still { Show::All } else { Show::NewText });
            terminal.stop_following_if_done();
            return self.emit_shown(emit);
        }
        self.pass_blanks(emit);
        let audience = self.audience;
        if let Some(terminal) = &mut self.terminal {
            terminal.note_partial(self.plain.partial());
        }
        self.plain.flush(&mut |chunk| emit(Chunk { audience, ..chunk }));
    }

    /// Shows what is waiting, and every other byte that has been read if bytes are shown unchanged: the exit notice
    /// follows. Unlike after [`finish`](Self::finish), the stream may go on.
    pub fn flush_all(&mut self, emit: &mut impl FnMut(Chunk)) {
        if let Some(kept) = &mut self.kept {
            kept.flush_all(&mut |chunk| emit(Chunk { audience: Audience::Files, ..chunk }));
        }
        if let Some(terminal) = &mut self.terminal {
            if terminal.is_followed {
                terminal.screen.show_last();
                return self.emit_shown(emit);
            }
            self.pass_blanks(emit);
            // Incomplete sequences stay, because they may change what comes next.
            let audience = self.audience;
            if let Some(terminal) = &mut self.terminal {
                terminal.note_partial(self.plain.partial_at_exit());
            }
            return self.plain.flush_at_exit(&mut |chunk| emit(Chunk { audience, ..chunk }));
        }
        self.plain.flush_all(emit);
    }

    /// Shows the rest at the end of the stream.
    pub fn finish(&mut self, emit: &mut impl FnMut(Chunk)) {
        if let Some(kept) = &mut self.kept {
            kept.finish(&mut |chunk| emit(Chunk { audience: Audience::Files, ..chunk }));
        }
        if let Some(terminal) = self.terminal.as_mut().filter(|terminal| terminal.is_followed) {
            terminal.screen.show_last();
            return self.emit_shown(emit);
        }
        self.pass_blanks(emit);
        let audience = self.audience;
        if self.terminal.is_some() {
            self.plain.drop_invisible();
        }
        self.plain.finish(&mut |chunk| emit(Chunk { audience, ..chunk }));
    }

    /// The slow path: passes lines on, or hands them to the screen once it is needed.
    fn follow(&mut self, bytes: &[u8], emit: &mut impl FnMut(Chunk)) {
        let mut rest = bytes;
        while let Some(terminal) = &mut self.terminal {
            if terminal.is_followed {
                let read = terminal.screen.feed(rest);
                rest = rest.get(read..).unwrap_or_default();
                terminal.stop_following_if_done();
                self.emit_shown(emit);
                if rest.is_empty() {
                    return;
                }
                continue;
            }
            let at_screen = terminal.first_that_needs_screen(rest);
            let end = at_screen
                .map_or(rest.len(), |at| memrchr(b'\n', rest.get(..at).unwrap_or_default()).map_or(0, |at| at + 1));
            let (passing, after) = rest.split_at(end);
            self.pass_lines(passing, emit);
            if at_screen.is_none() {
                return;
            }
            rest = after;
            let shown = self.plain.shown();
            self.plain.forget_line();
            if let Some(terminal) = &mut self.terminal {
                terminal.begin_to_follow(shown);
            }
        }
    }

    /// Passes lines on unchanged, with an unfinished one at the end. Trailing blank lines are held back.
    fn pass_lines(&mut self, bytes: &[u8], emit: &mut impl FnMut(Chunk)) {
        let whole = memrchr(b'\n', bytes).map_or(0, |at| at + 1);
        let (lines, unfinished) = bytes.split_at(whole);
        let Some(terminal) = &self.terminal else { return };
        let visible =
            if terminal.screen.is_pipe() { whole } else { without_blank_lines(lines, self.plain.shown() > 0) };
        let (lines, blank) = lines.split_at(visible);
        let audience = self.audience;
        if !lines.is_empty() {
            self.pass_blanks(emit);
            if let Some(terminal) = &mut self.terminal {
                terminal.pass(lines);
            }
            self.plain.split(lines.to_vec(), 0, &mut |chunk| emit(Chunk { audience, ..chunk }));
        }
        if let Some(terminal) = &mut self.terminal {
            terminal.blanks += memchr_iter(b'\n', blank).count();
            if terminal.blanks > terminal.screen.height() {
                self.pass_blanks(emit);
            }
        }
        self.plain.split(unfinished.to_vec(), 0, &mut |chunk| emit(Chunk { audience, ..chunk }));
    }

    /// Emits the blank lines that were held back.
    fn pass_blanks(&mut self, emit: &mut impl FnMut(Chunk)) {
        let Some(terminal) = &mut self.terminal else { return };
        let blanks = mem::take(&mut terminal.blanks);
        if blanks > 0 {
            let bytes = vec![b'\n'; blanks];
            terminal.pass(&bytes);
            emit(Chunk { bytes, continued: false, audience: self.audience });
        }
    }

    fn emit_shown(&mut self, emit: &mut impl FnMut(Chunk)) {
        let audience = self.audience;
        let chunks = self.terminal.as_mut().map(|terminal| terminal.screen.take_shown()).unwrap_or_default();
        for chunk in chunks {
            emit(Chunk { audience, ..chunk });
        }
    }
}

impl Terminal {
    fn new(screen: Screen) -> Self {
        Self {
            screen,
            is_followed: false,
            pipe_entered_alternate: false,
            blanks: 0,
            partial: Vec::new(),
            style: Style::PLAIN,
        }
    }

    /// Whether the whole buffer can pass unchanged. `shown`: number of bytes of the first line that have been shown.
    fn passes_all(&self, buffer: &[u8], shown: usize) -> bool {
        let ends_blank = || {
            let whole = memrchr(b'\n', buffer).map_or(0, |at| at + 1);
            let lines = buffer.get(..whole).unwrap_or_default();
            without_blank_lines(lines, shown > 0) < whole
        };
        !self.is_followed
            && self.blanks == 0
            && self.first_that_needs_screen(buffer).is_none()
            && (self.screen.is_pipe() || !ends_blank())
    }

    /// Position of the first byte for which the screen is needed: it erases something, or moves the cursor in a way
    /// that text and line ends do not.
    fn first_that_needs_screen(&self, bytes: &[u8]) -> Option<usize> {
        let after = |at: usize| bytes.get(at + 1..).unwrap_or_default();
        // A `\r` at the end of the bytes may belong to a line end.
        let is_bare = |at: usize| after(at).first().is_some_and(|next| *next != b'\n');
        // In a pipe, only a bare `\r` needs the screen.
        if self.screen.is_pipe() {
            return memchr_iter(CR, bytes).find(|at| is_bare(*at));
        }
        memchr3_iter(ESC, BACKSPACE, CR, bytes).find(|at| match bytes.get(*at) {
            Some(&CR) => is_bare(*at),
            Some(&ESC) => needs_screen(after(*at)),
            _ => true,
        })
    }

    /// Records lines that pass unchanged.
    fn pass(&mut self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        self.style.apply_all(lines);
        if self.partial.is_empty() {
            self.screen.pass(lines, self.style);
        } else {
            self.partial.extend_from_slice(lines);
            self.screen.pass(&mem::take(&mut self.partial), self.style);
        }
    }

    /// Records a part of the unfinished line that is about to be shown.
    fn note_partial(&mut self, part: &[u8]) {
        self.partial.extend_from_slice(part);
        let excess = self.partial.len().saturating_sub(PIECE_BYTES);
        self.partial.drain(..incomplete::kept_from(&self.partial, excess));
    }

    /// Lets the screen take over. `shown`: number of bytes of the unfinished line that have been shown.
    fn begin_to_follow(&mut self, shown: usize) {
        let partial = mem::take(&mut self.partial);
        let continued = shown > partial.len();
        self.screen.begin_with(mem::take(&mut self.blanks), &partial, continued);
        self.is_followed = true;
    }

    /// Lets lines pass unchanged again if the screen has nothing left to show.
    fn stop_following_if_done(&mut self) {
        if self.screen.is_at_rest() {
            self.style = self.screen.store_as_text();
            self.is_followed = false;
        }
    }
}

/// Length of these whole lines without the blank ones at the end. `continued`: the first line began earlier, so it is
/// not blank.
fn without_blank_lines(lines: &[u8], continued: bool) -> usize {
    let mut rest = lines;
    loop {
        let Some(line) = rest.strip_suffix(b"\n") else { return rest.len() };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() && continued || !line.is_empty() && !line.ends_with(b"\n") {
            return rest.len();
        }
        rest = line;
    }
}
