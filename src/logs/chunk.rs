//! Whole lines on their way from the stream of a dyno to those who show or keep them, and how long unfinished ones wait.

use std::time::Duration;

/// Silence after which an unfinished line is shown, and the shortest time between two refreshes of a redrawn line.
pub const PARTIAL_AFTER: Duration = Duration::from_millis(250);

/// Longest piece of a line, in bytes, without its `\n`. Bounds the memory that one run can use.
pub const PIECE_BYTES: usize = 65_536;

/// Who gets the lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Audience {
    /// Every receiver.
    #[default]
    All,
    /// Only the log files, which keep all bytes.
    Files,
    /// Every receiver but the log files: lines as a terminal would leave them.
    Screens,
}

/// Whole lines, ready to be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunk {
    /// One or more lines, each ended by `\n`.
    pub bytes: Vec<u8>,
    /// The first line is the rest of a line whose beginning has already been emitted.
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

/// How long output that has not been shown yet waits for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlushPatience {
    /// Flush after this long without a fresh byte.
    pub still: Duration,
    /// Flush after this long even if bytes keep arriving. None: no such limit.
    pub at_most: Option<Duration>,
}
