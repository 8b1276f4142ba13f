//! The last lines of a dyno, to be shown again when it is to blame.

use std::collections::VecDeque;

use super::{LogBlock, Source};

/// Lines that are kept: two screens, and little enough to be read.
pub const TAIL_LINES: usize = 50;

/// Bytes that are kept of a line; what follows in it is dropped.
const LINE_BYTES: usize = 2048;

/// The last lines of one dyno, without our notices about it.
#[derive(Debug, Clone, Default)]
pub struct Tail(VecDeque<Vec<u8>>);

impl Tail {
    /// Takes what was written.
    pub fn push(&mut self, block: &LogBlock) {
        match block.source {
            Source::App(_) => {}
            Source::Notice(_) | Source::System => return,
        }
        let mut is_rest = block.continued;
        for line in block.lines() {
            match self.0.back_mut().filter(|_| is_rest) {
                Some(last) => extend(last, line),
                None => self.begin(line),
            }
            is_rest = false;
        }
    }

    fn begin(&mut self, line: &[u8]) {
        if self.0.len() >= TAIL_LINES {
            self.0.pop_front();
        }
        let mut kept = Vec::new();
        extend(&mut kept, line);
        self.0.push_back(kept);
    }

    /// The lines, the oldest first, without their `\n`.
    #[must_use]
    pub fn lines(&self) -> Vec<Vec<u8>> {
        self.0.iter().cloned().collect()
    }
}

fn extend(kept: &mut Vec<u8>, line: &[u8]) {
    let room = LINE_BYTES.saturating_sub(kept.len());
    kept.extend_from_slice(line.get(..room).unwrap_or(line));
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::app::{DynoName, ProcessType};

    fn web() -> DynoName {
        DynoName::new(ProcessType::new("web").unwrap(), 1)
    }

    fn block(text: &str, continued: bool) -> LogBlock {
        let (source, time) = (Source::App(web()), Timestamp::UNIX_EPOCH);
        LogBlock { source, time, bytes: text.as_bytes().to_vec(), continued }
    }

    fn shown(tail: &Tail) -> Vec<String> {
        tail.lines().into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut tail = Tail::default();

        for number in 0..TAIL_LINES + 3 {
            tail.push(&block(&format!("{number}\n"), false));
        }

        let expected: Vec<String> = (3..TAIL_LINES + 3).map(|number| number.to_string()).collect();
        assert_eq!(shown(&tail), expected);
    }

    #[test]
    fn the_rest_of_a_line_belongs_to_it_and_an_endless_line_is_cut() {
        let mut tail = Tail::default();

        tail.push(&block("a\nb", false));
        tail.push(&block("c\nd\n", true));
        assert_eq!(shown(&tail), ["a", "bc", "d"]);

        tail.push(&block(&"x".repeat(3 * LINE_BYTES), false));
        tail.push(&block(&"y".repeat(3 * LINE_BYTES), true));
        assert_eq!(tail.lines().last().map(Vec::len), Some(LINE_BYTES));
    }

    #[test]
    fn our_own_notices_are_not_its_words() {
        let mut tail = Tail::default();

        tail.push(&LogBlock { source: Source::Notice(web()), ..block("exited with code 1\n", false) });

        assert_eq!(shown(&tail), [""; 0]);
    }

    #[test]
    fn a_rest_without_a_beginning_begins_a_line() {
        let mut tail = Tail::default();

        tail.push(&block("rest\n", true));

        assert_eq!(shown(&tail), ["rest"]);
    }
}
