//! The unit of the log path: many whole lines of one source.

use jiff::Timestamp;

use crate::app::DynoName;

/// Who said it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// The dyno itself.
    App(DynoName),
    /// We, about this dyno.
    Notice(DynoName),
    /// We, about the whole formation.
    System,
}

/// Whole lines of one source, received together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogBlock {
    /// Who said it.
    pub source: Source,
    /// When it was received.
    pub time: Timestamp,
    /// One or more lines, each ended by `\n`; `\r\n` is already `\n`.
    pub bytes: Vec<u8>,
    /// The first line goes on with a line whose beginning was shown before: an over-long line, or one that
    /// paused for longer than 250 ms (S7.6).
    pub continued: bool,
}
