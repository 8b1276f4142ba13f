//! The unit that travels through the log: many whole lines from one source.

use std::iter;

use jiff::Timestamp;
use memchr::memchr;

use crate::model::DynoName;

/// Where a log line comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// The output of a dyno.
    App(DynoName),
    /// A notice of `dyno` itself about one dyno.
    Notice(DynoName),
    /// A notice of `dyno` itself about the whole formation.
    System,
    /// What the router reports about a request (S16.5).
    Router,
}

impl Source {
    /// The name of the router, in each format.
    pub const ROUTER: &'static str = "router";
}

/// Whole lines from one source, received together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogBlock {
    /// Where the lines come from.
    pub source: Source,
    /// When they were received.
    pub time: Timestamp,
    /// One or more lines, each ended by `\n`; every `\r\n` has already become `\n`.
    pub bytes: Vec<u8>,
    /// The first line is the rest of a line whose beginning has already been shown, because that line was too long or
    /// was still unfinished after 250 ms of silence (S7.6).
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
            let (line, after) = rest.split_at(memchr(b'\n', rest).unwrap_or(rest.len()));
            rest = after.strip_prefix(b"\n").unwrap_or(after);
            Some(line)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::model::ProcessType;

    use super::*;

    #[test]
    fn lines_yields_every_line_without_its_newline() {
        let source = Source::App(DynoName::new(ProcessType::new("web").unwrap(), 1));
        let block = LogBlock { source, time: Timestamp::UNIX_EPOCH, bytes: b"a\n\nb\nc".to_vec(), continued: false };

        assert_eq!(block.lines().collect::<Vec<_>>(), [&b"a"[..], b"", b"b", b"c"]);
    }
}
