//! Cuts what a dyno wrote into whole lines, without copying them.
//!
//! Decides where a line ends, what becomes of a line that is over-long or unfinished, and what a carriage return
//! means (S7.6). Bytes stay bytes. Knows no time: the caller waits for [`PARTIAL_AFTER`] and asks.
//! One value per run, owned by the task that reads its stream.

use std::mem;
use std::time::Duration;

use memchr::{memchr, memchr_iter, memrchr};

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;

/// Silence after which an unfinished line is shown, and the least time between two refreshes of a redrawn one.
pub const PARTIAL_AFTER: Duration = Duration::from_millis(250);

/// Longest piece of a line, in bytes, without its `\n`. It bounds what one run can make us hold.
pub const PIECE_BYTES: usize = 65_536;

const LF: u8 = b'\n';
const CR: u8 = b'\r';

/// What the stream is: it decides what a bare carriage return means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineMode {
    /// A pipe: a bare `\r` is a byte like others.
    Pipe,
    /// A pty: a bare `\r` goes back to the start of the line, so only the last segment of a line is shown.
    Pty,
}

/// Whole lines, ready to be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunk {
    /// One or more lines, each ended by `\n`.
    pub bytes: Vec<u8>,
    /// The first line goes on with a line whose beginning went out before.
    pub continued: bool,
}

/// The splitter of one run's stream.
///
/// A round is [`begin`](Self::begin), a read into the spare capacity of the buffer, [`split`](Self::split). Between
/// rounds, after [`PARTIAL_AFTER`] without bytes, [`flush_silent`](Self::flush_silent); in the end
/// [`finish`](Self::finish).
#[derive(Debug)]
pub struct Lines {
    mode: LineMode,
    limit: usize,
    /// The unfinished line as far as it was not shown: at most `limit` bytes, then at most one `\r` that may turn out
    /// to belong to a `\r\n`. From a pty it is the last segment that is not empty.
    carry: Vec<u8>,
    /// How many bytes of the unfinished line (from a pty: of its last segment) went out already.
    shown: usize,
    /// The unfinished line was begun anew by a `\r`.
    redrawn: bool,
}

impl Lines {
    /// A splitter at the beginning of a stream.
    #[must_use]
    pub fn new(mode: LineMode) -> Self {
        Self { mode, limit: PIECE_BYTES, carry: Vec::new(), shown: 0, redrawn: false }
    }

    /// Begins a round: puts the unfinished line into the empty `buffer`; fresh bytes are appended after it.
    ///
    /// The unfinished line is in the buffer until [`split`](Self::split) gets it, also when nothing could be read.
    pub fn begin(&mut self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(&self.carry);
        self.carry.clear();
    }

    /// Emits the whole lines of `buffer` and keeps the rest.
    ///
    /// `fresh_from`: the length of `buffer` after [`begin`](Self::begin). The buffer itself is emitted where nothing
    /// in it must change; otherwise it comes back, empty, to be used again.
    pub fn split(&mut self, mut buffer: Vec<u8>, fresh_from: usize, emit: &mut impl FnMut(Chunk)) -> Option<Vec<u8>> {
        debug_assert!(self.carry.is_empty(), "`split` without `begin`");
        let fresh = buffer.get(fresh_from..).unwrap_or_default();
        let whole = memrchr(LF, fresh).map_or(0, |at| fresh_from + at + 1);
        self.carry.extend_from_slice(buffer.get(whole..).unwrap_or_default());
        buffer.truncate(whole);

        let spare = self.whole_lines(buffer, emit);
        self.settle(emit);
        spare
    }

    /// Whether [`flush_silent`](Self::flush_silent) would show something.
    #[must_use]
    pub fn has_partial(&self) -> bool {
        !without_cr(&self.carry).is_empty()
    }

    /// Whether an unfinished line is being redrawn: then [`PARTIAL_AFTER`] counts from the first bytes that were not
    /// shown, and fresh bytes do not put the flush off. A progress bar is never silent.
    #[must_use]
    pub fn wants_refresh(&self) -> bool {
        self.redrawn && self.has_partial()
    }

    /// Shows the unfinished line, or the rest of it, as a piece. What follows it will be `continued`.
    pub fn flush_silent(&mut self, emit: &mut impl FnMut(Chunk)) {
        if !self.has_partial() {
            return;
        }
        let mut chunk = Chunk::default();
        let text = without_cr(&self.carry);
        let flushed = text.len();
        self.append(text, &mut chunk, emit);
        self.shown += flushed;
        self.carry.drain(..flushed);
        emit(chunk);
    }

    /// The stream has ended: shows what is left of an unfinished line.
    pub fn finish(&mut self, emit: &mut impl FnMut(Chunk)) {
        let carry = mem::take(&mut self.carry);
        let mut chunk = Chunk::default();
        let rest = self.cut_segments(&carry, &mut chunk, emit);
        if !rest.is_empty() {
            self.append(rest, &mut chunk, emit);
        }
        self.line_ended();
        if !chunk.bytes.is_empty() {
            emit(chunk);
        }
    }

    /// Emits lines that are all complete; the first one may have been shown in part.
    fn whole_lines(&mut self, mut buffer: Vec<u8>, emit: &mut impl FnMut(Chunk)) -> Option<Vec<u8>> {
        if buffer.is_empty() {
            return Some(buffer);
        }
        let bare_cr = drop_cr_before_lf(&mut buffer);
        if (bare_cr && self.mode == LineMode::Pty) || self.may_be_too_long(&buffer) {
            self.each_line(&buffer, emit);
            buffer.clear();
            return Some(buffer);
        }
        let mut continued = self.shown > 0;
        self.line_ended();
        if continued && buffer.first() == Some(&LF) {
            // All of this line was shown, only its end was missing.
            buffer.drain(..1);
            continued = false;
        }
        if buffer.is_empty() {
            return Some(buffer);
        }
        emit(Chunk { bytes: buffer, continued });
        None
    }

    /// Whether some line may be over the limit. Never so by mistake while at most [`PIECE_BYTES`] come in a round:
    /// behind the end of the first line there is nothing but fresh bytes.
    fn may_be_too_long(&self, lines: &[u8]) -> bool {
        let first = memchr(LF, lines).unwrap_or(lines.len());
        first > self.room() || lines.len() - first > self.limit
    }

    /// The path with a copy: cuts over-long lines and leaves out what was redrawn.
    fn each_line(&mut self, lines: &[u8], emit: &mut impl FnMut(Chunk)) {
        let mut chunk = Chunk::default();
        let mut from = 0;
        for end in memchr_iter(LF, lines) {
            let text = lines.get(from..end).unwrap_or_default();
            from = end + 1;
            let rest = self.cut_segments(text, &mut chunk, emit);
            if !rest.is_empty() || self.shown == 0 {
                self.append(rest, &mut chunk, emit);
            }
            self.line_ended();
        }
        if !chunk.bytes.is_empty() {
            emit(chunk);
        }
    }

    /// Brings the carry into its bounds: emits full pieces, forgets what was redrawn.
    fn settle(&mut self, emit: &mut impl FnMut(Chunk)) {
        let redraws = self.mode == LineMode::Pty && memchr(CR, &self.carry).is_some();
        if !redraws && self.carry.len() <= self.room() {
            return;
        }
        let raw = mem::take(&mut self.carry);
        let mut chunk = Chunk::default();
        let text = without_cr(&raw);
        let rest = self.cut_segments(text, &mut chunk, emit);
        self.carry.extend_from_slice(rest);
        if text.len() < raw.len() {
            self.carry.push(CR);
        }
        self.redrawn |= redraws;
        if !chunk.bytes.is_empty() {
            emit(chunk);
        }
    }

    /// Cuts the text of one line, without its end, and returns what is to be shown last: from a pipe what is left of
    /// the line, from a pty what is left of its last segment that is not empty.
    fn cut_segments<'t>(&mut self, text: &'t [u8], chunk: &mut Chunk, emit: &mut impl FnMut(Chunk)) -> &'t [u8] {
        if self.mode == LineMode::Pipe {
            return self.cut_pieces(text, chunk, emit);
        }
        let mut segments = text.split(|byte| *byte == CR);
        let mut rest = self.cut_pieces(segments.next().unwrap_or_default(), chunk, emit);
        for segment in segments.filter(|segment| !segment.is_empty()) {
            self.shown = 0;
            rest = self.cut_pieces(segment, chunk, emit);
        }
        rest
    }

    /// Emits the full pieces of `text`. What is left is empty only if `text` is.
    fn cut_pieces<'t>(&mut self, text: &'t [u8], chunk: &mut Chunk, emit: &mut impl FnMut(Chunk)) -> &'t [u8] {
        let mut rest = text;
        while rest.len() > self.room() {
            let (piece, behind) = rest.split_at(self.room());
            self.append(piece, chunk, emit);
            self.shown += piece.len();
            rest = behind;
        }
        rest
    }

    /// Adds a line to `chunk`. Only the first line of a chunk can be marked as continued.
    fn append(&self, text: &[u8], chunk: &mut Chunk, emit: &mut impl FnMut(Chunk)) {
        if self.shown > 0 {
            if !chunk.bytes.is_empty() {
                emit(mem::take(chunk));
            }
            chunk.continued = true;
        }
        chunk.bytes.reserve(text.len() + 1);
        chunk.bytes.extend_from_slice(text);
        chunk.bytes.push(LF);
    }

    /// Bytes up to the next cut. Cuts are counted from the start of the line, so a flush does not move them.
    fn room(&self) -> usize {
        self.limit - self.shown % self.limit
    }

    fn line_ended(&mut self) {
        self.shown = 0;
        self.redrawn = false;
    }
}

/// `text` without the one `\r` at its end that the next byte may turn into a line end.
fn without_cr(text: &[u8]) -> &[u8] {
    text.strip_suffix(&[CR]).unwrap_or(text)
}

/// Turns `\r\n` into `\n` in place. Returns whether any other `\r` is there.
fn drop_cr_before_lf(bytes: &mut Vec<u8>) -> bool {
    let mut bare = false;
    let mut from = 0;
    let mut kept = 0;
    let mut search = 0;
    while let Some(at) = bytes.get(search..).and_then(|rest| memchr(CR, rest)).map(|at| search + at) {
        search = at + 1;
        if bytes.get(search) == Some(&LF) {
            bytes.copy_within(from..at, kept);
            kept += at - from;
            from = search;
        } else {
            bare = true;
        }
    }
    if from > 0 {
        bytes.copy_within(from.., kept);
        bytes.truncate(bytes.len() - from + kept);
    }
    bare
}
