//! Any chopping of the same bytes gives the same lines (S7.6), judged by an oracle that sees all bytes at once.
//!
//! The limit of a piece is a few bytes here, so that cuts meet line ends all the time.

use proptest::prelude::*;

use super::*;

type Shown = Vec<(Vec<u8>, bool)>;

/// What the stream does next.
#[derive(Debug, Clone)]
enum Step {
    Bytes(Vec<u8>),
    Silence,
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => Just(b'a'), 2 => Just(b'\r'), 2 => Just(b'\n'), 1 => any::<u8>()];
    prop::collection::vec(byte, 0..24)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(prop_oneof![3 => bytes().prop_map(Step::Bytes), 1 => Just(Step::Silence)], 0..10)
}

fn reads() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(bytes(), 0..10)
}

fn modes() -> impl Strategy<Value = LineMode> {
    prop_oneof![Just(LineMode::Pipe), Just(LineMode::Pty)]
}

/// Runs the splitter over the steps; every read is cut into reads of at most `read_limit` bytes.
fn run(mode: LineMode, limit: usize, steps: &[Step], read_limit: usize) -> Shown {
    let mut lines = Lines { limit, ..Lines::new(mode) };
    let mut shown = Vec::new();
    let mut emit = |chunk: Chunk| {
        let text = chunk.bytes.strip_suffix(b"\n").expect("a chunk ends with a line end");
        shown.extend(text.split(|byte| *byte == LF).enumerate().map(|(at, line)| {
            assert!(line.len() <= limit);
            (line.to_vec(), at == 0 && chunk.continued)
        }));
    };
    let mut pool = None;
    for step in steps {
        match step {
            Step::Silence => lines.flush_silent(&mut emit),
            Step::Bytes(bytes) => {
                for part in bytes.chunks(read_limit) {
                    let mut buffer: Vec<u8> = pool.take().unwrap_or_default();
                    lines.begin(&mut buffer);
                    let fresh_from = buffer.len();
                    buffer.extend_from_slice(part);
                    pool = lines.split(buffer, fresh_from, &mut emit);
                    assert!(lines.carry.len() <= limit + 1, "more than one piece is held");
                    assert!(pool.as_ref().is_none_or(Vec::is_empty), "a spare buffer is not empty");
                }
            }
        }
    }
    lines.finish(&mut emit);
    shown
}

fn pieces(text: &[u8], limit: usize) -> Shown {
    if text.is_empty() {
        return vec![(Vec::new(), false)];
    }
    text.chunks(limit).enumerate().map(|(at, piece)| (piece.to_vec(), at > 0)).collect()
}

/// Lines without their ends, `\r\n` read as `\n`, and whether the last one has no end.
fn whole_lines(all: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut lines: Vec<Vec<u8>> = all.split(|byte| *byte == LF).map(<[u8]>::to_vec).collect();
    let last = lines.pop().unwrap_or_default();
    for line in &mut lines {
        if line.ends_with(b"\r") {
            line.pop();
        }
    }
    let unfinished = !last.is_empty();
    if unfinished {
        lines.push(last);
    }
    (lines, unfinished)
}

fn oracle(mode: LineMode, limit: usize, all: &[u8]) -> Shown {
    let (lines, unfinished) = whole_lines(all);
    let count = lines.len();
    let mut shown = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if mode == LineMode::Pipe {
            shown.extend(pieces(line, limit));
            continue;
        }
        let segments: Vec<_> = line.split(|byte| *byte == CR).filter(|segment| !segment.is_empty()).collect();
        match segments.split_last() {
            None if unfinished && at + 1 == count => {}
            None => shown.push((Vec::new(), false)),
            Some((last, redrawn)) => {
                // Of a redrawn segment only the pieces that could not be held back were shown.
                for segment in redrawn {
                    let mut cut = pieces(segment, limit);
                    cut.pop();
                    shown.extend(cut);
                }
                shown.extend(pieces(last, limit));
            }
        }
    }
    shown
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(2_000), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_chopping_gives_the_lines_of_the_oracle(mode in modes(), limit in 1_usize..20, reads in reads()) {
        let all = reads.concat();
        let steps: Vec<_> = reads.into_iter().map(Step::Bytes).collect();

        prop_assert_eq!(run(mode, limit, &steps, usize::MAX), oracle(mode, limit, &all));
    }

    #[test]
    fn with_pauses_too_the_chopping_between_them_does_not_matter(
        mode in modes(),
        limit in 1_usize..20,
        steps in steps(),
        read_limit in 2_usize..30,
    ) {
        prop_assert_eq!(run(mode, limit, &steps, read_limit), run(mode, limit, &steps, 1));
    }

    #[test]
    fn the_pieces_of_a_line_from_a_pipe_join_to_that_line(limit in 1_usize..20, steps in steps()) {
        let all: Vec<u8> = steps.iter().flat_map(|step| match step {
            Step::Bytes(bytes) => bytes.clone(),
            Step::Silence => Vec::new(),
        }).collect();

        let shown = run(LineMode::Pipe, limit, &steps, usize::MAX);

        let mut joined: Vec<Vec<u8>> = Vec::new();
        for (piece, continued) in shown {
            if continued {
                let line = joined.last_mut().expect("something was shown before");
                prop_assert!(!piece.is_empty());
                prop_assert!(line.len() % limit + piece.len() <= limit, "a piece goes over a cut");
                line.extend(piece);
            } else {
                joined.push(piece);
            }
        }
        prop_assert_eq!(joined, whole_lines(&all).0);
    }
}
