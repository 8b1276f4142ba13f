//! However a stream is cut into reads, the lines are the same (S7.6). An oracle that sees all bytes at once checks it.
//!
//! A piece is limited to a few bytes here, so that cuts and line ends often coincide.

use proptest::prelude::*;

use super::*;

/// At least the length of the longest character.
const LIMITS: std::ops::Range<usize> = 4..20;

type Shown = Vec<(Vec<u8>, bool)>;

/// The next thing that happens on the stream.
#[derive(Debug, Clone)]
enum Step {
    Bytes(Vec<u8>),
    Silence,
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => Just(b'a'), 2 => Just(b'\r'), 2 => Just(b'\n'), 1 => prop::sample::select(&b"\xc3\xa9\xe2\x82\xac"[..]), 1 => any::<u8>()];
    prop::collection::vec(byte, 0..24)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(prop_oneof![3 => bytes().prop_map(Step::Bytes), 1 => Just(Step::Silence)], 0..10)
}

fn reads() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(bytes(), 0..10)
}

/// Runs the splitter over the steps, with reads of at most `read_limit` bytes.
fn run(limit: usize, steps: &[Step], read_limit: usize) -> Shown {
    let mut lines = Splitter { limit, ..Splitter::new() };
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
            Step::Silence => lines.flush(&mut emit),
            Step::Bytes(bytes) => {
                for part in bytes.chunks(read_limit) {
                    let mut buffer: Vec<u8> = pool.take().unwrap_or_default();
                    lines.begin(&mut buffer);
                    let fresh_from = buffer.len();
                    buffer.extend_from_slice(part);
                    pool = lines.split(buffer, fresh_from, &mut emit);
                    assert!(lines.carry.len() <= limit + 1, "the carry holds more than one piece");
                    assert!(pool.as_ref().is_none_or(Vec::is_empty), "the spare buffer is not empty");
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
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let full = &rest[..limit.min(rest.len())];
        // A character or sequence that the cut would split moves to the next piece, unless it is longer than a piece.
        let unfinished = if full.len() < rest.len() { incomplete::unfinished_bytes(full) } else { 0 };
        let (piece, after) = rest.split_at(full.len() - if unfinished < full.len() { unfinished } else { 0 });
        pieces.push((piece.to_vec(), !pieces.is_empty()));
        rest = after;
    }
    pieces
}

/// Lines without `\n` or `\r\n`, and whether the last one has no line end.
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

fn oracle(limit: usize, all: &[u8]) -> Shown {
    whole_lines(all).0.iter().flat_map(|line| pieces(line, limit)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.clamp(2_000, 100_000), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_lines_do_not_depend_on_how_the_stream_was_read(limit in LIMITS, reads in reads()) {
        let all = reads.concat();
        let steps: Vec<_> = reads.into_iter().map(Step::Bytes).collect();

        prop_assert_eq!(run(limit, &steps, usize::MAX), oracle(limit, &all));
    }

    #[test]
    fn between_pauses_the_size_of_the_reads_does_not_matter(
        limit in LIMITS,
        steps in steps(),
        read_limit in 2_usize..30,
    ) {
        prop_assert_eq!(run(limit, &steps, read_limit), run(limit, &steps, 1));
    }

    #[test]
    fn joined_pieces_give_the_original_line(limit in LIMITS, steps in steps()) {
        let all: Vec<u8> = steps.iter().flat_map(|step| match step {
            Step::Bytes(bytes) => bytes.clone(),
            Step::Silence => Vec::new(),
        }).collect();

        let shown = run(limit, &steps, usize::MAX);

        let mut joined: Vec<Vec<u8>> = Vec::new();
        for (piece, continued) in shown {
            if continued {
                let line = joined.last_mut().expect("a continued piece follows another piece");
                prop_assert!(!piece.is_empty());
                prop_assert!(piece.len() <= limit);
                line.extend(piece);
            } else {
                joined.push(piece);
            }
        }
        prop_assert_eq!(joined, whole_lines(&all).0);
    }
}
