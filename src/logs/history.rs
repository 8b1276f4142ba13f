//! Keeps the last lines of every source in memory, for clients that ask later (S10.4).
//!
//! Lines are numbered in the order in which they arrived, over all sources, so that a client that knows the number of its
//! next line misses nothing and gets nothing twice. Blocks are copied as a whole, and nothing is allocated for a line
//! once a ring has grown to its size. Each source has its own ring, so a flood of one dyno does not push out the last
//! words of another. Not here: who reads, and how fast ([`Follower`](super::Follower)).

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use jiff::Timestamp;
use memchr::{memchr_iter, memrchr_iter};

use super::{LogBlock, LogFilter, Source};

/// Lines that are kept of each source. Up to one block more, because only whole blocks are dropped.
pub const HISTORY_LINES: usize = 1_500;

/// Bytes that are kept in all. Beyond this, the source with the most bytes loses its oldest lines.
pub const HISTORY_BYTES: usize = 8 << 20;

/// Bytes of each source that are kept even beyond [`HISTORY_LINES`] while clients follow: a burst of short lines must not
/// be gone before they had a chance to read it.
const FOLLOWED_BYTES: usize = 1 << 20;

/// About how many bytes a client gets in addition to each line: its time and source.
const LINE_BYTES: usize = 80;

/// What each source costs besides its lines, about.
const SOURCE_BYTES: usize = 256;

/// A ring that has this much more room than it needs is made smaller.
const SPARE_BYTES: usize = 64 << 10;

/// The last lines of all sources.
#[derive(Debug)]
pub struct History {
    rings: HashMap<Source, Ring>,
    /// The number of the next line.
    next: u64,
    /// The size of all rings.
    size: usize,
    /// Whether clients follow.
    is_followed: bool,
}

/// The last lines of one source.
#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<BlockEntry>,
    bytes: VecDeque<u8>,
    /// Lines that were ever added.
    lines: u64,
    /// Bytes that were dropped.
    dropped: u64,
}

/// One block.
#[derive(Debug)]
struct BlockEntry {
    /// The number of its first line.
    first: u64,
    /// How many lines it has.
    lines: u32,
    continued: bool,
    /// How many lines of its source came before it.
    before: u64,
    /// Where its bytes begin, counted from the first byte of its source.
    at: u64,
    time: Timestamp,
}

/// Where the reading of one ring is.
struct RingCursor<'a> {
    source: &'a Source,
    ring: &'a Ring,
    /// Index of the next entry.
    at: usize,
}

impl Default for History {
    fn default() -> Self {
        Self { rings: HashMap::new(), next: 1, size: 0, is_followed: false }
    }
}

impl History {
    /// Adds a block. Returns how many lines it has.
    pub fn push(&mut self, block: &LogBlock) -> u64 {
        let mut bytes = block.bytes.as_slice();
        let unfinished = u64::from(bytes.last().is_some_and(|byte| *byte != b'\n'));
        let lines = memchr_iter(b'\n', bytes).count() as u64 + unfinished;
        if lines == 0 {
            return 0;
        }
        let mut kept = lines;
        if !self.is_followed && lines > HISTORY_LINES as u64 {
            // Only lines that stay are copied.
            let nth = HISTORY_LINES - usize::try_from(unfinished).unwrap_or(0);
            let from = memrchr_iter(b'\n', bytes).nth(nth).map_or(0, |at| at + 1);
            bytes = bytes.get(from..).unwrap_or_default();
            kept = HISTORY_LINES as u64;
        }
        let ring = if let Some(ring) = self.rings.get_mut(&block.source) {
            ring
        } else {
            self.size += SOURCE_BYTES;
            self.rings.entry(block.source.clone()).or_default()
        };
        let before = ring.size();
        ring.add(bytes, self.next + (lines - kept), kept, lines, block);
        ring.trim(if self.is_followed { FOLLOWED_BYTES } else { 0 });
        self.next += lines;
        self.size = self.size - before + ring.size();
        while self.size > HISTORY_BYTES {
            self.drop_from_largest();
        }
        lines
    }

    /// Whether more than [`HISTORY_LINES`] lines of a source are worth keeping for a while.
    pub fn set_followed(&mut self, is_followed: bool) {
        self.is_followed = is_followed;
        if !is_followed {
            for ring in self.rings.values_mut() {
                let before = ring.size();
                ring.trim(0);
                self.size = self.size - before + ring.size();
            }
        }
    }

    /// The number of the line that comes next.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The sources of which lines are kept.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.rings.keys()
    }

    /// How many wanted lines with these numbers are kept.
    #[must_use]
    pub fn count(&self, filter: &LogFilter, numbers: Range<u64>) -> u64 {
        let of_ring = |ring: &Ring| ring.lines_before(numbers.end) - ring.lines_before(numbers.start);
        self.wanted(filter).map(|(_, ring)| of_ring(ring)).sum()
    }

    /// The number of the first line to send, so that at most the last `lines` wanted lines follow, none older than `since`.
    #[must_use]
    pub fn start(&self, filter: &LogFilter, lines: u64, since: Option<Timestamp>) -> u64 {
        let (mut low, mut high) = (0, self.next);
        while low < high {
            let middle = low.midpoint(high);
            if self.count(filter, middle..self.next) > lines {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let Some(since) = since else { return low };
        // After the last older entry: if the clock was set in the meantime, the times are not in order.
        let after_older = |ring: &Ring| {
            let older = ring.entries.iter().rfind(|entry| entry.time < since)?;
            Some(older.first + u64::from(older.lines))
        };
        low.max(self.wanted(filter).filter_map(|(_, ring)| after_older(ring)).max().unwrap_or(0))
    }

    /// Hands out wanted lines with these numbers, in their order, until `limit_bytes` are used up: each line uses its
    /// own bytes and `LINE_BYTES`. `each` gets some lines and the number of the first of them. Returns the number of
    /// the next line to read.
    pub fn read(
        &self,
        filter: &LogFilter,
        numbers: Range<u64>,
        limit_bytes: usize,
        mut each: impl FnMut(&LogBlock, u64),
    ) -> u64 {
        let mut cursors: Vec<RingCursor<'_>> =
            self.wanted(filter).map(|(source, ring)| RingCursor::new(source, ring, numbers.start)).collect();
        let mut block: Option<LogBlock> = None;
        let mut read = 0;
        while read < limit_bytes {
            let first = |cursor: &RingCursor<'_>| cursor.entry().map(|entry| entry.first);
            let Some(cursor) =
                cursors.iter_mut().filter(|cursor| first(cursor).is_some()).min_by_key(|cursor| first(cursor))
            else {
                return numbers.end;
            };
            let Some(entry) = cursor.entry().filter(|entry| entry.first < numbers.end) else { return numbers.end };
            let block = block.get_or_insert_with(|| LogBlock {
                source: cursor.source.clone(),
                time: entry.time,
                bytes: Vec::new(),
                continued: false,
            });
            if block.source != *cursor.source {
                block.source.clone_from(cursor.source);
            }
            block.time = entry.time;
            let skipped = numbers.start.saturating_sub(entry.first);
            block.continued = entry.continued && skipped == 0;
            block.bytes.clear();
            cursor.ring.copy(cursor.at, skipped, &mut block.bytes);
            let (lines, used) = cut(&mut block.bytes, limit_bytes - read);
            read += used;
            let next = entry.first + skipped + lines;
            each(block, entry.first + skipped);
            cursor.at += 1;
            if read >= limit_bytes {
                return next;
            }
        }
        numbers.start
    }

    fn wanted<'a>(&'a self, filter: &'a LogFilter) -> impl Iterator<Item = (&'a Source, &'a Ring)> {
        self.rings.iter().filter(|(source, _)| filter.wants(source))
    }

    fn drop_from_largest(&mut self) {
        let Some((source, ring)) = self.rings.iter_mut().max_by_key(|(_, ring)| ring.size()) else { return };
        let before = ring.size();
        ring.drop_first();
        ring.give_back_memory();
        self.size = self.size - before + ring.size();
        if ring.entries.is_empty() {
            let source = source.clone();
            self.rings.remove(&source);
            self.size -= SOURCE_BYTES;
        }
    }
}

/// Cuts off the lines after the one that uses up `limit`. Returns how many lines are left, and how much they use.
fn cut(lines: &mut Vec<u8>, limit: usize) -> (u64, usize) {
    let (mut count, mut end, mut used) = (0, 0, 0);
    let ends = memchr_iter(b'\n', lines).map(|at| at + 1);
    // The last line may be unfinished.
    for line_end in ends.chain([lines.len()]) {
        if end == line_end || used >= limit {
            break;
        }
        count += 1;
        used += line_end - end + LINE_BYTES;
        end = line_end;
    }
    lines.truncate(end);
    (count, used)
}

impl BlockEntry {
    /// The number after that of its last line.
    fn end(&self) -> u64 {
        self.first + u64::from(self.lines)
    }
}

impl<'a> RingCursor<'a> {
    fn new(source: &'a Source, ring: &'a Ring, from: u64) -> Self {
        Self { source, ring, at: ring.entries.partition_point(|entry| entry.end() <= from) }
    }

    fn entry(&self) -> Option<&'a BlockEntry> {
        self.ring.entries.get(self.at)
    }
}

impl Ring {
    fn size(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<BlockEntry>()
    }

    /// Adds the last `kept` of the `lines` lines of a block.
    fn add(&mut self, bytes: &[u8], first: u64, kept: u64, lines: u64, block: &LogBlock) {
        let room = self.bytes.capacity() - self.bytes.len();
        if room < bytes.len() {
            // Doubling could take twice the limit.
            self.bytes.reserve_exact(bytes.len().max(self.bytes.len() / 4));
        }
        let before = self.lines + (lines - kept);
        let at = self.dropped + self.bytes.len() as u64;
        let continued = block.continued && kept == lines;
        // A block has far fewer bytes than that.
        let kept = u32::try_from(kept).unwrap_or(u32::MAX);
        self.entries.push_back(BlockEntry { first, lines: kept, continued, before, at, time: block.time });
        self.bytes.extend(bytes);
        self.lines += lines;
    }

    /// Drops blocks that are not needed for the last [`HISTORY_LINES`] lines or the last `bytes`.
    fn trim(&mut self, bytes: usize) {
        while let [Some(_), Some(second)] = [self.entries.front(), self.entries.get(1)] {
            let lines = self.lines - second.before;
            let left = self.dropped + self.bytes.len() as u64 - second.at;
            if lines < HISTORY_LINES as u64 || left < bytes as u64 {
                break;
            }
            self.drop_first();
        }
        self.give_back_memory();
    }

    fn give_back_memory(&mut self) {
        if self.bytes.capacity() > 4 * self.bytes.len() + SPARE_BYTES {
            self.bytes.shrink_to(2 * self.bytes.len());
        }
        if self.entries.capacity() > 4 * self.entries.len() + SPARE_BYTES / size_of::<BlockEntry>() {
            self.entries.shrink_to(2 * self.entries.len());
        }
    }

    fn drop_first(&mut self) {
        self.entries.pop_front();
        let end = self.dropped + self.bytes.len() as u64;
        let at = self.entries.front().map_or(end, |entry| entry.at);
        let dropped = usize::try_from(at - self.dropped).unwrap_or(usize::MAX);
        self.bytes.drain(..dropped.min(self.bytes.len()));
        self.dropped = at;
    }

    /// How many lines of this source have a smaller number, those included that were dropped.
    fn lines_before(&self, number: u64) -> u64 {
        let at = self.entries.partition_point(|entry| entry.end() <= number);
        match self.entries.get(at) {
            Some(entry) => entry.before + number.saturating_sub(entry.first),
            None => self.lines,
        }
    }

    /// Appends the bytes of an entry, without its first lines.
    fn copy(&self, at: usize, skipped_lines: u64, out: &mut Vec<u8>) {
        let offset = |entry: &BlockEntry| usize::try_from(entry.at - self.dropped).unwrap_or(usize::MAX);
        let Some(from) = self.entries.get(at).map(offset) else { return };
        let to = self.entries.get(at + 1).map_or(self.bytes.len(), offset);
        let (front, back) = self.bytes.as_slices();
        let start = out.len();
        out.extend_from_slice(front.get(from.min(front.len())..to.min(front.len())).unwrap_or_default());
        let in_back = |at: usize| at.saturating_sub(front.len()).min(back.len());
        out.extend_from_slice(back.get(in_back(from)..in_back(to)).unwrap_or_default());
        if let Some(last) = usize::try_from(skipped_lines).ok().and_then(|lines| lines.checked_sub(1)) {
            let fresh = out.get(start..).unwrap_or_default();
            let end = memchr_iter(b'\n', fresh).nth(last).map_or(fresh.len(), |at| at + 1);
            out.drain(start..start + end);
        }
    }
}

#[cfg(test)]
mod tests;
