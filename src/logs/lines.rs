//! Makes lines of what a dyno wrote: whole ones at once, unfinished ones after a while (S7.6).
//!
//! Decides what a stream is shown as. From a pipe bytes stay bytes. From a terminal, lines of plain text and colours
//! pass as they are; where the program moves the cursor or erases something, a [`Screen`] follows it until all is shown.
//! Knows no time: the caller waits as long as [`Lines::patience`] says. One value per run, owned by the task that reads
//! its stream.

use std::time::Duration;

use memchr::{memchr_iter, memchr3_iter, memrchr};

use super::screen::{Screen, ScreenSize, Show, acts};
use super::splitter::Splitter;
use super::style::Style;

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tools;

/// Silence after which an unfinished line is shown, and the least time between two refreshes of a redrawn one.
pub const PARTIAL_AFTER: Duration = Duration::from_millis(250);

/// Longest piece of a line, in bytes, without its `\n`. It bounds what one run can make us hold.
pub const PIECE_BYTES: usize = 65_536;

const ESC: u8 = 0x1b;
const BACKSPACE: u8 = 0x08;
const CR: u8 = b'\r';

/// What the stream is shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineMode {
    /// Every byte is shown.
    AllBytes,
    /// As its terminal would leave it.
    Terminal {
        /// The size of that terminal.
        size: ScreenSize,
        /// Whether all bytes are wanted besides, for files.
        is_kept: bool,
    },
    /// A pipe that is shown on our terminal: a bare `\r` goes back to the start of the line.
    PipeOnTerminal {
        /// Where lines with a bare `\r` are wrapped.
        columns: u16,
        /// Whether all bytes are wanted besides, for files.
        is_kept: bool,
    },
}

/// Who gets the lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Audience {
    /// Everybody.
    #[default]
    All,
    /// Those that keep all bytes: the files.
    Files,
    /// Those that show what is left on a terminal: all others.
    Screens,
}

/// Whole lines, ready to be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunk {
    /// One or more lines, each ended by `\n`.
    pub bytes: Vec<u8>,
    /// The first line goes on with a line whose beginning went out before.
    pub continued: bool,
    /// Who gets it.
    pub audience: Audience,
}

impl Chunk {
    pub(super) fn push_line(&mut self, line: &[u8]) {
        self.bytes.reserve(line.len() + 1);
        self.bytes.extend_from_slice(line);
        self.bytes.push(b'\n');
    }
}

/// How long something that is not shown yet waits for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Without any fresh byte.
    pub still: Duration,
    /// Since it began to wait, whatever comes; None: as long as bytes come.
    pub at_most: Option<Duration>,
}

/// The lines of one run's stream.
///
/// A round is [`begin`](Self::begin), a read into the spare capacity of the buffer, [`split`](Self::split). After each
/// round [`patience`](Self::patience) says when to [`flush`](Self::flush); in the end [`finish`](Self::finish).
#[derive(Debug)]
pub struct Lines {
    plain: Splitter,
    terminal: Option<Box<Terminal>>,
    /// All bytes, where a terminal shows others.
    kept: Option<Splitter>,
    /// Whom the lines of `plain` and of the terminal are for.
    audience: Audience,
}

/// What makes lines from a terminal differ from those of a pipe.
#[derive(Debug)]
struct Terminal {
    screen: Screen,
    /// The screen gets the bytes; otherwise lines pass as they are.
    is_followed: bool,
    /// Only a bare `\r` matters.
    is_pipe: bool,
    /// Blank lines at the end of those that passed: a clear of the screen would drop them.
    blanks: usize,
    /// The last of what was shown of the unfinished line, if that passed as it is: at most [`PIECE_BYTES`].
    partial: Vec<u8>,
    /// The style behind the lines that passed.
    style: Style,
}

impl Lines {
    /// The lines of a stream from its beginning.
    #[must_use]
    pub fn new(mode: LineMode) -> Self {
        let (terminal, is_kept) = match mode {
            LineMode::AllBytes => (None, false),
            LineMode::Terminal { size, is_kept } => (Some(Terminal::new(size, false)), is_kept),
            LineMode::PipeOnTerminal { columns, is_kept } => {
                (Some(Terminal::new(ScreenSize { rows: 1, columns }, true)), is_kept)
            }
        };
        let audience = if is_kept { Audience::Screens } else { Audience::All };
        let kept = is_kept.then(Splitter::new);
        Self { plain: Splitter::new(), terminal: terminal.map(Box::new), kept, audience }
    }

    /// The terminal has another size now.
    pub fn resize(&mut self, size: ScreenSize, emit: &mut impl FnMut(Chunk)) {
        if let Some(terminal) = self.terminal.as_mut().filter(|terminal| !terminal.is_pipe) {
            terminal.screen.resize(size);
            self.emit_shown(emit);
        }
    }

    /// Whether the program began to draw on its alternate screen since this was asked last. What it draws is not shown.
    pub fn took_whole_screen(&mut self) -> bool {
        self.terminal.as_mut().is_some_and(|terminal| terminal.screen.took_whole_screen())
    }

    /// Begins a round: puts the unfinished line into the empty `buffer`; fresh bytes are appended after it.
    pub fn begin(&mut self, buffer: &mut Vec<u8>) {
        self.plain.begin(buffer);
    }

    /// Emits what can be shown at once and keeps the rest.
    ///
    /// `fresh_from`: the length of `buffer` after [`begin`](Self::begin). The buffer itself is emitted where nothing
    /// in it must change; otherwise it comes back, empty, to be used again.
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

    /// When to [`flush`](Self::flush); None: there is nothing that waits.
    #[must_use]
    pub fn patience(&self) -> Option<Patience> {
        let drawn = self.terminal.as_ref().filter(|terminal| terminal.is_followed);
        if let Some(terminal) = drawn {
            return terminal.screen.patience();
        }
        let waits = !self.plain.partial().is_empty() || self.terminal.as_ref().is_some_and(|one| one.blanks > 0);
        waits.then_some(Patience { still: PARTIAL_AFTER, at_most: None })
    }

    /// Shows what waits. `is_still`: there was no byte for as long as patience says; otherwise something has waited for
    /// the longest time.
    pub fn flush(&mut self, is_still: bool, emit: &mut impl FnMut(Chunk)) {
        if is_still && let Some(kept) = &mut self.kept {
            kept.flush(&mut |chunk| emit(Chunk { audience: Audience::Files, ..chunk }));
        }
        if let Some(terminal) = self.terminal.as_mut().filter(|terminal| terminal.is_followed) {
            terminal.screen.show(if is_still { Show::All } else { Show::News });
            terminal.rest_if_done();
            return self.emit_shown(emit);
        }
        self.pass_blanks(emit);
        let audience = self.audience;
        if let Some(terminal) = &mut self.terminal {
            terminal.note_partial(self.plain.partial());
        }
        self.plain.flush(&mut |chunk| emit(Chunk { audience, ..chunk }));
    }

    /// The stream has ended: shows what is left.
    pub fn finish(&mut self, emit: &mut impl FnMut(Chunk)) {
        if let Some(kept) = &mut self.kept {
            kept.finish(&mut |chunk| emit(Chunk { audience: Audience::Files, ..chunk }));
        }
        if let Some(terminal) = self.terminal.as_mut().filter(|terminal| terminal.is_followed) {
            terminal.screen.finish();
            return self.emit_shown(emit);
        }
        self.pass_blanks(emit);
        let audience = self.audience;
        if self.terminal.is_some() {
            self.plain.drop_cr();
        }
        self.plain.finish(&mut |chunk| emit(Chunk { audience, ..chunk }));
    }

    /// The path with a copy: parts that pass and parts that the screen gets.
    fn follow(&mut self, bytes: &[u8], emit: &mut impl FnMut(Chunk)) {
        let mut rest = bytes;
        while let Some(terminal) = &mut self.terminal {
            if terminal.is_followed {
                let read = terminal.screen.feed(rest);
                rest = rest.get(read..).unwrap_or_default();
                terminal.rest_if_done();
                self.emit_shown(emit);
                if rest.is_empty() {
                    return;
                }
                continue;
            }
            let acting = terminal.first_that_acts(rest);
            let end = acting
                .map_or(rest.len(), |at| memrchr(b'\n', rest.get(..at).unwrap_or_default()).map_or(0, |at| at + 1));
            let (passing, behind) = rest.split_at(end);
            self.pass_lines(passing, emit);
            if acting.is_none() {
                return;
            }
            rest = behind;
            let shown = self.plain.shown();
            self.plain.forget_line();
            if let Some(terminal) = &mut self.terminal {
                terminal.begin_to_follow(shown);
            }
        }
    }

    /// Lines that pass, and an unfinished one at the end. Blank lines at the end wait.
    fn pass_lines(&mut self, bytes: &[u8], emit: &mut impl FnMut(Chunk)) {
        let whole = memrchr(b'\n', bytes).map_or(0, |at| at + 1);
        let (lines, unfinished) = bytes.split_at(whole);
        let Some(terminal) = &self.terminal else { return };
        let visible = if terminal.is_pipe { whole } else { without_blank_lines(lines, self.plain.shown() > 0) };
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

    /// Blank lines that waited go out before what follows them.
    fn pass_blanks(&mut self, emit: &mut impl FnMut(Chunk)) {
        let Some(terminal) = &mut self.terminal else { return };
        let blanks = std::mem::take(&mut terminal.blanks);
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
    fn new(size: ScreenSize, is_pipe: bool) -> Self {
        Self {
            screen: Screen::new(size),
            is_followed: false,
            is_pipe,
            blanks: 0,
            partial: Vec::new(),
            style: Style::PLAIN,
        }
    }

    /// Whether all of it passes as it is, in the buffer it was read into. `shown`: bytes of the first line that were
    /// shown before.
    fn passes_all(&self, buffer: &[u8], shown: usize) -> bool {
        let ends_blank = || {
            let whole = memrchr(b'\n', buffer).map_or(0, |at| at + 1);
            let lines = buffer.get(..whole).unwrap_or_default();
            without_blank_lines(lines, shown > 0) < whole
        };
        !self.is_followed
            && self.blanks == 0
            && self.first_that_acts(buffer).is_none()
            && (self.is_pipe || !ends_blank())
    }

    /// Where the first byte is that moves the cursor in another way than text and line ends do, or erases something.
    fn first_that_acts(&self, bytes: &[u8]) -> Option<usize> {
        let behind = |at: usize| bytes.get(at + 1..).unwrap_or_default();
        // At the end it may belong to a line end.
        let is_bare = |at: usize| behind(at).first().is_some_and(|next| *next != b'\n');
        if self.is_pipe {
            return memchr_iter(CR, bytes).find(|at| is_bare(*at));
        }
        memchr3_iter(ESC, BACKSPACE, CR, bytes).find(|at| match bytes.get(*at) {
            Some(&CR) => is_bare(*at),
            Some(&ESC) => acts(behind(*at)),
            _ => true,
        })
    }

    /// Takes note of lines that pass.
    fn pass(&mut self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        self.style.apply_all(lines);
        if self.partial.is_empty() {
            self.screen.pass(lines, self.style);
        } else {
            self.partial.extend_from_slice(lines);
            self.screen.pass(&std::mem::take(&mut self.partial), self.style);
        }
    }

    /// Takes note of a part of the unfinished line that is shown.
    fn note_partial(&mut self, part: &[u8]) {
        self.partial.extend_from_slice(part);
        let excess = self.partial.len().saturating_sub(PIECE_BYTES);
        self.partial.drain(..excess);
    }

    /// `shown`: bytes of the unfinished line that were shown before.
    fn begin_to_follow(&mut self, shown: usize) {
        let partial = std::mem::take(&mut self.partial);
        let goes_on = shown > partial.len();
        self.screen.begin_with(std::mem::take(&mut self.blanks), &partial, goes_on);
        self.is_followed = true;
    }

    /// Lets lines pass again when the screen has nothing left to do.
    fn rest_if_done(&mut self) {
        if self.screen.is_at_rest() {
            self.style = self.screen.rest();
            self.is_followed = false;
        }
    }
}

/// How much of these whole lines is left without the blank ones at the end. `goes_on`: the first one was begun before,
/// so that it is not blank.
fn without_blank_lines(lines: &[u8], goes_on: bool) -> usize {
    let mut rest = lines;
    loop {
        let Some(line) = rest.strip_suffix(b"\n") else { return rest.len() };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() && goes_on || !line.is_empty() && !line.ends_with(b"\n") {
            return rest.len();
        }
        rest = line;
    }
}
