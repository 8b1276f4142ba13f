//! Cuts a stream into whole lines, without copying them.
//!
//! Decides where a line ends and what happens to a line that is too long or unfinished (S7.6). Bytes stay bytes, and a
//! piece never ends inside a character. How a terminal would show the lines is not decided here but in
//! [`Lines`](super::Lines), which calls this.

use std::mem;

use memchr::{memchr, memchr_iter, memrchr};

use super::chunk::{Chunk, PIECE_BYTES};
use super::incomplete;

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;

const LF: u8 = b'\n';
const CR: u8 = b'\r';

/// The lines of one stream.
///
/// A round is [`begin`](Self::begin), a read into the spare capacity of the buffer, then [`split`](Self::split).
/// [`flush`](Self::flush) may be called between rounds; [`finish`](Self::finish) ends the stream.
#[derive(Debug)]
pub(super) struct Splitter {
    limit: usize,
    /// The part of the unfinished line that has not been shown: at most `limit` bytes, then at most one `\r`, which may
    /// turn out to begin a `\r\n`.
    carry: Vec<u8>,
    /// Number of bytes of the unfinished line that have been shown.
    shown: usize,
    /// How many of these were shown after the last cut.
    since_cut: usize,
}

impl Splitter {
    pub(super) fn new() -> Self {
        Self { limit: PIECE_BYTES, carry: Vec::new(), shown: 0, since_cut: 0 }
    }

    /// Begins a round: puts the unfinished line into the empty `buffer`; fresh bytes are appended after it.
    ///
    /// From then on only the buffer holds the unfinished line, so call [`split`](Self::split) even if nothing was read.
    pub(super) fn begin(&mut self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(&self.carry);
        self.carry.clear();
    }

    /// Emits the whole lines of `buffer` and keeps the rest.
    ///
    /// `fresh_from`: the length of `buffer` after [`begin`](Self::begin). If no byte of it has to change, the buffer
    /// itself is emitted; otherwise it is returned, empty, for reuse.
    pub(super) fn split(
        &mut self,
        mut buffer: Vec<u8>,
        fresh_from: usize,
        emit: &mut impl FnMut(Chunk),
    ) -> Option<Vec<u8>> {
        debug_assert!(self.carry.is_empty(), "`split` without `begin`");
        let fresh = buffer.get(fresh_from..).unwrap_or_default();
        let whole = memrchr(LF, fresh).map_or(0, |at| fresh_from + at + 1);
        self.carry.extend_from_slice(buffer.get(whole..).unwrap_or_default());
        buffer.truncate(whole);

        let spare = self.whole_lines(buffer, emit);
        self.cut_carry(emit);
        spare
    }

    /// Number of bytes of the unfinished line that have been shown.
    pub(super) fn shown(&self) -> usize {
        self.shown
    }

    /// The part of the unfinished line that can be shown now: without an incomplete character, escape sequence or line
    /// end. Empty if nothing in it is visible.
    pub(super) fn partial(&self) -> &[u8] {
        self.visible_without(incomplete::unfinished_bytes)
    }

    /// The same with an incomplete character, because its end may never come.
    pub(super) fn partial_at_exit(&self) -> &[u8] {
        self.visible_without(incomplete::unfinished_sequence_bytes)
    }

    fn visible_without(&self, unfinished_bytes: impl Fn(&[u8]) -> usize) -> &[u8] {
        let text = without_cr(&self.carry);
        let whole = text.get(..text.len() - unfinished_bytes(text)).unwrap_or_default();
        if incomplete::has_visible(whole) { whole } else { &[] }
    }

    /// Shows the [`partial`](Self::partial) line as a piece. The rest of the line will be marked `continued`.
    pub(super) fn flush(&mut self, emit: &mut impl FnMut(Chunk)) {
        self.flush_first(self.partial().len(), emit);
    }

    /// Shows the [`partial_at_exit`](Self::partial_at_exit) as a piece. The rest of the line will be marked `continued`.
    pub(super) fn flush_at_exit(&mut self, emit: &mut impl FnMut(Chunk)) {
        self.flush_first(self.partial_at_exit().len(), emit);
    }

    /// Shows all of the unfinished line as a piece, complete or not. The rest of the line will be marked `continued`.
    pub(super) fn flush_all(&mut self, emit: &mut impl FnMut(Chunk)) {
        self.flush_first(self.carry.len(), emit);
    }

    fn flush_first(&mut self, count: usize, emit: &mut impl FnMut(Chunk)) {
        if count == 0 {
            return;
        }
        let rest = self.carry.split_off(count);
        let text = mem::replace(&mut self.carry, rest);
        let mut chunk = Chunk::default();
        self.append(&text, &mut chunk, emit);
        self.count_flushed(text.len());
        emit(chunk);
    }

    /// Shows the rest of an unfinished line at the end of the stream.
    pub(super) fn finish(&mut self, emit: &mut impl FnMut(Chunk)) {
        let carry = mem::take(&mut self.carry);
        let mut chunk = Chunk::default();
        let rest = self.cut_pieces(&carry, &mut chunk, emit);
        if !rest.is_empty() {
            self.append(rest, &mut chunk, emit);
        }
        self.forget_line();
        if !chunk.bytes.is_empty() {
            emit(chunk);
        }
    }

    /// Drops what a terminal would not show at the end of the stream: a `\r`, which is not part of a line end, or all
    /// of the rest if nothing in it is visible.
    pub(super) fn drop_invisible(&mut self) {
        let text = without_cr(&self.carry);
        let shown = if incomplete::has_visible(text) { text.len() } else { 0 };
        self.carry.truncate(shown);
    }

    /// Drops the unfinished line, because the caller has taken it over.
    pub(super) fn forget_line(&mut self) {
        self.carry.clear();
        (self.shown, self.since_cut) = (0, 0);
    }

    /// Emits complete lines; part of the first one may have been shown before.
    fn whole_lines(&mut self, mut buffer: Vec<u8>, emit: &mut impl FnMut(Chunk)) -> Option<Vec<u8>> {
        if buffer.is_empty() {
            return Some(buffer);
        }
        drop_cr_before_lf(&mut buffer);
        if self.may_be_too_long(&buffer) {
            self.each_line(&buffer, emit);
            buffer.clear();
            return Some(buffer);
        }
        let mut continued = self.shown > 0;
        self.reset_shown();
        if continued && buffer.first() == Some(&LF) {
            // Everything but the newline of this line has been shown.
            buffer.drain(..1);
            continued = false;
        }
        if buffer.is_empty() {
            return Some(buffer);
        }
        emit(Chunk { bytes: buffer, continued, ..Chunk::default() });
        None
    }

    /// Whether some line may exceed the limit. No false alarm while a round reads at most [`PIECE_BYTES`], because
    /// everything after the first line is fresh.
    fn may_be_too_long(&self, lines: &[u8]) -> bool {
        let first = memchr(LF, lines).unwrap_or(lines.len());
        first > self.room() || lines.len() - first > self.limit
    }

    /// The slow path: copies the lines and cuts those that are too long.
    fn each_line(&mut self, lines: &[u8], emit: &mut impl FnMut(Chunk)) {
        let mut chunk = Chunk::default();
        let mut from = 0;
        for end in memchr_iter(LF, lines) {
            let text = lines.get(from..end).unwrap_or_default();
            from = end + 1;
            let rest = self.cut_pieces(text, &mut chunk, emit);
            if !rest.is_empty() || self.shown == 0 {
                self.append(rest, &mut chunk, emit);
            }
            self.reset_shown();
        }
        if !chunk.bytes.is_empty() {
            emit(chunk);
        }
    }

    /// Emits full pieces until the carry is within its limit.
    fn cut_carry(&mut self, emit: &mut impl FnMut(Chunk)) {
        if self.carry.len() <= self.room() {
            return;
        }
        let raw = mem::take(&mut self.carry);
        let mut chunk = Chunk::default();
        let text = without_cr(&raw);
        let rest = self.cut_pieces(text, &mut chunk, emit);
        self.carry.extend_from_slice(rest);
        if text.len() < raw.len() {
            self.carry.push(CR);
        }
        if !chunk.bytes.is_empty() {
            emit(chunk);
        }
    }

    /// Emits the full pieces of `text` and returns the rest, which is empty only if `text` is.
    fn cut_pieces<'t>(&mut self, text: &'t [u8], chunk: &mut Chunk, emit: &mut impl FnMut(Chunk)) -> &'t [u8] {
        let mut rest = text;
        while rest.len() > self.room() {
            let room = self.room();
            let full = rest.get(..room).unwrap_or(rest);
            let whole = full.len() - incomplete::unfinished_bytes(full);
            // If the limit is shorter than one character, cut inside it: otherwise the loop would make no progress.
            let cut = if whole == 0 && self.since_cut == 0 { room } else { whole };
            let (piece, after) = rest.split_at(cut);
            if !piece.is_empty() {
                self.append(piece, chunk, emit);
                self.shown += piece.len();
            }
            self.since_cut = 0;
            rest = after;
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
        chunk.push_line(text);
    }

    fn count_flushed(&mut self, flushed: usize) {
        self.shown += flushed;
        self.since_cut += flushed;
    }

    /// Bytes left before the next cut. Counted from the previous cut, so a flush does not move the next one.
    fn room(&self) -> usize {
        self.limit.saturating_sub(self.since_cut)
    }

    fn reset_shown(&mut self) {
        (self.shown, self.since_cut) = (0, 0);
    }
}

/// `text` without one trailing `\r`, which the next byte may turn into a line end.
fn without_cr(text: &[u8]) -> &[u8] {
    text.strip_suffix(&[CR]).unwrap_or(text)
}

/// Turns `\r\n` into `\n` in place.
fn drop_cr_before_lf(bytes: &mut Vec<u8>) {
    let mut from = 0;
    let mut kept = 0;
    let mut search = 0;
    while let Some(at) = bytes.get(search..).and_then(|rest| memchr(CR, rest)).map(|at| search + at) {
        search = at + 1;
        if bytes.get(search) == Some(&LF) {
            bytes.copy_within(from..at, kept);
            kept += at - from;
            from = search;
        }
    }
    if from > 0 {
        bytes.copy_within(from.., kept);
        bytes.truncate(bytes.len() - from + kept);
    }
}
