//! The unit of the log path: many whole lines of one source.

use std::iter;

use jiff::Timestamp;
use memchr::memchr;

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

impl LogBlock {
    /// The lines, without their `\n`.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (line, behind) = rest.split_at(memchr(b'\n', rest).unwrap_or(rest.len()));
            rest = behind.strip_prefix(b"\n").unwrap_or(behind);
            Some(line)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::app::ProcessType;

    use super::*;

    #[test]
    fn lines_come_without_their_ends_and_none_is_missing() {
        let source = Source::App(DynoName::new(ProcessType::new("web").unwrap(), 1));
        let block = LogBlock { source, time: Timestamp::UNIX_EPOCH, bytes: b"a\n\nb\nc".to_vec(), continued: false };

        assert_eq!(block.lines().collect::<Vec<_>>(), [&b"a"[..], b"", b"b", b"c"]);
    }
}
