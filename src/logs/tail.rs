//! Keeps the last lines of one dyno while it runs, so that they can be repeated when it fails.
//!
//! Accepts whole blocks. Only the last lines of a long block are scanned and copied, so a flood costs no more than a
//! trickle, and nothing is allocated once the ring is full. Always limited in bytes; the limit in lines applies when
//! the lines are read. Not here: which dyno the lines belong to, and how they are shown
//! ([`printable`](super::printable())).

use std::collections::VecDeque;

use memchr::memrchr_iter;

use super::incomplete::{SHORT_SEQUENCE_BYTES, kept_from};
use super::{LogBlock, Source};

/// Number of lines that are repeated: enough for a stack trace, and no more than a screen of a CI log.
pub const TAIL_LINES: usize = 50;

/// Number of bytes that are kept: fifty lines of 1.3 KB. If the lines are longer, the beginning is lost, up to the last
/// place before these bytes where a line can be cut.
pub const TAIL_BYTES: usize = 64 << 10;

/// Shown in place of the lost beginning of a line.
const CUT: &[u8] = "…".as_bytes();

/// A ring with the last output of one dyno, without notices about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tail {
    bytes: VecDeque<u8>,
    /// The beginning of the first line is lost.
    cut: bool,
}

impl Tail {
    /// Adds a block of output. A line that arrived in pieces is joined again (S7.6).
    pub fn push(&mut self, block: &LogBlock) {
        match block.source {
            Source::App(_) => self.push_lines(&block.bytes, block.continued),
            Source::Notice(_) | Source::System | Source::Router => {}
        }
    }

    fn push_lines(&mut self, lines: &[u8], continued: bool) {
        if continued && self.bytes.back() == Some(&b'\n') {
            self.bytes.pop_back();
        }
        let mut fresh = lines;
        if let Some(at) = memrchr_iter(b'\n', lines).nth(TAIL_LINES) {
            self.forget();
            fresh = lines.get(at + 1..).unwrap_or_default();
        }
        if let Some(over) = fresh.len().checked_sub(TAIL_BYTES) {
            self.forget();
            let (lost, kept) = fresh.split_at(kept_from(fresh, over));
            self.cut = lost.last().is_some_and(|byte| *byte != b'\n');
            fresh = kept;
        }
        self.make_room(fresh.len());
        self.bytes.extend(fresh);
    }

    /// Drops what is too much once `fresh` more bytes are added.
    fn make_room(&mut self, fresh: usize) {
        let over = (self.bytes.len() + fresh).saturating_sub(TAIL_BYTES).min(self.bytes.len());
        // The ring can be in two parts, so the place to cut is found in a copy.
        let mut end = [0; SHORT_SEQUENCE_BYTES];
        let begin = over.saturating_sub(SHORT_SEQUENCE_BYTES);
        for (copied, byte) in end.iter_mut().zip(self.bytes.range(begin..over)) {
            *copied = *byte;
        }
        let over = begin + kept_from(&end, over - begin);
        if over > 0 {
            self.cut = self.bytes.get(over - 1) != Some(&b'\n');
            self.bytes.drain(..over);
        }
    }

    fn forget(&mut self) {
        self.bytes.clear();
        self.cut = false;
    }

    /// The last [`TAIL_LINES`] lines without their `\n`, oldest first. A line that lost its beginning starts with `…`.
    #[must_use]
    pub fn lines(&self) -> Vec<Vec<u8>> {
        let mut bytes: Vec<u8> = self.bytes.iter().copied().collect();
        if bytes.is_empty() {
            return Vec::new();
        }
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        let from = memrchr_iter(b'\n', &bytes).nth(TAIL_LINES - 1);
        let kept = from.and_then(|at| bytes.get(at + 1..)).unwrap_or(&bytes);
        let mut lines: Vec<Vec<u8>> = kept.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        if let Some(first) = lines.first_mut().filter(|_| self.cut && from.is_none()) {
            first.splice(..0, CUT.iter().copied());
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::model::{DynoName, ProcessType};

    fn tail(blocks: &[&[u8]]) -> Tail {
        let mut tail = Tail::default();
        for block in blocks {
            tail.push_lines(block, false);
        }
        tail
    }

    fn text(tail: &Tail) -> Vec<String> {
        tail.lines().iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    #[test]
    fn the_last_lines_are_kept_in_order() {
        let blocks: Vec<Vec<u8>> = (0..120).map(|n| format!("line {n}\n\n").into_bytes()).collect();
        let mut tail = Tail::default();
        for block in &blocks {
            tail.push_lines(block, false);
        }

        let lines = text(&tail);

        assert_eq!(lines.len(), TAIL_LINES);
        assert_eq!((lines[0].as_str(), lines[48].as_str(), lines[49].as_str()), ("line 95", "line 119", ""));
        assert_eq!(text(&Tail::default()), [""; 0]);
        assert_eq!(text(&super::tests::tail(&[b"\n"])), [""]);
    }

    #[test]
    fn only_the_last_lines_of_a_long_block_are_copied() {
        let mut tail = tail(&[b"before\n"]);

        tail.push_lines(&b"x\n".repeat(100_000), false);

        assert_eq!(tail.bytes.len(), 2 * TAIL_LINES);
        assert_eq!(text(&tail), ["x"; TAIL_LINES]);
    }

    // S7.6: a line that is too long, or unfinished for a while, arrives in pieces.
    #[test]
    fn a_line_that_came_in_pieces_is_joined() {
        let mut tail = tail(&[b"a\nhalf\n"]);

        tail.push_lines(b" and half\nb\n", true);

        assert_eq!(text(&tail), ["a", "half and half", "b"]);
    }

    #[test]
    fn notices_about_the_dyno_are_not_kept() {
        let web = DynoName::new(ProcessType::new("web").unwrap(), 1);
        let block = |source, text: &str| LogBlock {
            source,
            time: Timestamp::UNIX_EPOCH,
            bytes: text.as_bytes().to_vec(),
            continued: false,
        };
        let mut tail = Tail::default();

        tail.push(&block(Source::App(web.clone()), "boom\n"));
        tail.push(&block(Source::Notice(web), "exited with code 1\n"));
        tail.push(&block(Source::System, "sending SIGTERM\n"));

        assert_eq!(text(&tail), ["boom"]);
    }

    #[test]
    fn a_line_that_lost_its_beginning_starts_with_an_ellipsis() {
        let long = [b"short\n".to_vec(), vec![b'x'; TAIL_BYTES], b"end\n".to_vec()].concat();
        let lines = text(&tail(&[&long]));

        assert_eq!(lines.len(), 1);
        assert!(lines[0].starts_with("…xxx") && lines[0].ends_with("xend"));
        let whole = [b"y\n".to_vec(), vec![b'x'; TAIL_BYTES - 1], b"\n".to_vec()].concat();
        assert!(text(&tail(&[&whole]))[0].starts_with("xxx"), "cut between two lines");
        assert!(text(&tail(&[b"y\n", &whole[2..]]))[0].starts_with("xxx"), "cut between two blocks");
    }

    #[test]
    fn s7_6_a_line_is_not_cut_inside_a_character_or_a_colour() {
        for unit in ["é", "漢", "😀", "\x1b[31mx"] {
            for shift in 0..unit.len() {
                let half = unit.repeat(TAIL_BYTES * 2 / 3 / unit.len()) + &"x".repeat(shift);
                let pieces = [half.clone() + "\n", half.clone() + "\n"];
                let mut joined = tail(&[pieces[0].as_bytes()]);
                joined.push_lines(pieces[1].as_bytes(), true);
                let at_once = tail(&[(half.repeat(2) + "\n").as_bytes()]);

                for tail in [joined, at_once] {
                    let first = text(&tail).remove(0);
                    let kept = first.strip_prefix('…').unwrap();
                    // Between a colour and its text is a good place, too.
                    assert!(kept.starts_with(unit) || kept.starts_with('x'), "{unit:?} {shift}");
                }
            }
        }
    }

    /// Each case uses a few hundred kilobytes: more cases would be slow and would find nothing more.
    const MAX_CASES: u32 = 20_000;

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: ProptestConfig::default().cases.min(MAX_CASES),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn the_end_of_the_output_is_kept_however_it_is_cut_into_blocks(
            blocks in prop::collection::vec(
                prop_oneof![
                    (0..60_usize, prop::sample::select(vec![1_usize, 7, 900])),
                    (0..3_usize, prop::sample::select(vec![40_000_usize, TAIL_BYTES - 1])),
                ],
                1..6,
            ),
        ) {
            let mut tail = Tail::default();
            let mut all = Vec::new();
            for (count, length) in blocks {
                let block = [vec![b'a' + u8::try_from(length % 26).unwrap(); length], b"\n".to_vec()].concat().repeat(count);
                tail.push_lines(&block, false);
                all.extend(block);
                prop_assert!(tail.bytes.len() <= TAIL_BYTES);
            }

            let mut kept = tail.lines().join(&b'\n');
            if !tail.bytes.is_empty() {
                kept.push(b'\n');
            }
            let kept = kept.strip_prefix(CUT).unwrap_or(&kept);
            prop_assert!(all.ends_with(kept));
            let whole: Vec<&[u8]> = all.split_inclusive(|byte| *byte == b'\n').collect();
            let last = whole[whole.len().saturating_sub(TAIL_LINES)..].concat();
            prop_assert_eq!(kept.len(), last.len().min(TAIL_BYTES));
        }
    }
}
