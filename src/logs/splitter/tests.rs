//! Examples of how the splitter cuts a stream (S7.6).

use super::*;

/// Feeds one read at a time and collects `(line, continued)`.
struct Reader {
    lines: Splitter,
    seen: Vec<(Vec<u8>, bool)>,
}

impl Reader {
    fn new() -> Self {
        Self { lines: Splitter::new(), seen: Vec::new() }
    }

    fn read(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut buffer = Vec::new();
        self.lines.begin(&mut buffer);
        let fresh_from = buffer.len();
        buffer.extend_from_slice(bytes);
        self.lines.split(buffer, fresh_from, &mut |chunk| collect(&mut self.seen, &chunk))
    }

    fn silence(&mut self) {
        self.lines.flush(&mut |chunk| collect(&mut self.seen, &chunk));
    }

    fn end(mut self) -> Vec<(Vec<u8>, bool)> {
        self.lines.finish(&mut |chunk| collect(&mut self.seen, &chunk));
        self.seen
    }

    fn take(&mut self) -> Vec<(String, bool)> {
        self.seen.drain(..).map(|(line, continued)| (String::from_utf8(line).unwrap(), continued)).collect()
    }
}

fn collect(seen: &mut Vec<(Vec<u8>, bool)>, chunk: &Chunk) {
    let text = chunk.bytes.strip_suffix(b"\n").unwrap();
    seen.extend(
        text.split(|byte| *byte == LF).enumerate().map(|(at, line)| (line.to_vec(), at == 0 && chunk.continued)),
    );
}

fn has_partial(reader: &Reader) -> bool {
    !reader.lines.partial().is_empty()
}

fn fresh(line: &str) -> (String, bool) {
    (line.to_owned(), false)
}

fn continued(line: &str) -> (String, bool) {
    (line.to_owned(), true)
}

#[test]
fn s7_6_a_piece_never_ends_inside_a_short_sequence() {
    let mut reader = Reader::new();
    let letters = "a".repeat(PIECE_BYTES - 3);
    reader.read(format!("{letters}\x1b[31mred\n").as_bytes());

    assert_eq!(reader.take(), [fresh(&letters), continued("\x1b[31mred")]);
}

#[test]
fn s7_5_a_line_that_was_shown_completely_can_go_on() {
    for (end, rest) in [(&b"caf\xc3"[..], &b"\xa9"[..]), (b"red\x1b[3", b"1m"), (b"\x1b[0m", b"x"), (b"50%\r", b"60%")]
    {
        let mut reader = Reader::new();
        reader.read(&[b"whole\n", end].concat());
        reader.lines.flush_all(&mut |chunk| collect(&mut reader.seen, &chunk));
        reader.read(&[rest, b"\nnext\n"].concat());

        let lines =
            [(b"whole".to_vec(), false), (end.to_vec(), false), (rest.to_vec(), true), (b"next".to_vec(), false)];
        assert_eq!(reader.end(), lines);
    }
}

#[test]
fn whole_lines_are_emitted_in_the_buffer_they_were_read_into() {
    let mut lines = Splitter::new();
    let buffer = b"one\ntwo\nthr".to_vec();
    let address = buffer.as_ptr();
    let mut chunks = Vec::new();

    let spare = lines.split(buffer, 0, &mut |chunk| chunks.push(chunk));

    assert_eq!(spare, None);
    assert_eq!(chunks, [Chunk { bytes: b"one\ntwo\n".to_vec(), ..Chunk::default() }]);
    assert_eq!(chunks[0].bytes.as_ptr(), address);
}

#[test]
fn a_buffer_without_a_line_end_is_returned_empty() {
    let mut reader = Reader::new();

    assert_eq!(reader.read(b"no end"), Some(Vec::new()));

    assert_eq!(reader.end(), [(b"no end".to_vec(), false)]);
}

#[test]
fn an_empty_read_loses_nothing() {
    let mut reader = Reader::new();
    reader.read(b"abc");

    reader.read(b"");
    reader.read(b"d\n");

    assert_eq!(reader.take(), [fresh("abcd")]);
}

// S7.6: `\r\n` becomes `\n`, wherever the reads were cut.
#[test]
fn crlf_becomes_lf_and_every_other_cr_is_kept() {
    let mut reader = Reader::new();

    reader.read(b"a\r\n\r\nb\r\r\nc\rd\r");
    reader.read(b"\ne\r");
    reader.read(b"f\n");

    assert_eq!(reader.take(), ["a", "", "b\r", "c\rd", "e\rf"].map(fresh));
}

// S7.6: an unfinished line is shown after 250 ms of silence.
#[test]
fn an_unfinished_line_is_shown_after_silence_and_its_rest_is_marked() {
    let mut reader = Reader::new();

    reader.read(b"Password: ");
    assert!(has_partial(&reader));
    reader.silence();
    assert!(!has_partial(&reader));
    reader.read(b"ok\nnext\n");

    assert_eq!(reader.take(), [fresh("Password: "), continued("ok"), fresh("next")]);
}

#[test]
fn a_late_line_end_does_not_add_an_empty_line() {
    for end in [&b"\n"[..], b"\r\n"] {
        let mut reader = Reader::new();
        reader.read(b"> ");
        reader.silence();

        reader.read(end);
        reader.read(b"x\n");

        assert_eq!(reader.take(), [fresh("> "), fresh("x")]);
    }
}

#[test]
fn silence_does_not_show_a_cr_that_may_begin_a_line_end() {
    let mut reader = Reader::new();
    reader.read(b"ab\r");

    reader.silence();
    assert!(!has_partial(&reader));
    reader.read(b"c");

    assert_eq!(reader.end(), [(b"ab".to_vec(), false), (b"\rc".to_vec(), true)]);
}

#[test]
fn the_end_of_the_stream_shows_an_unfinished_line() {
    let mut reader = Reader::new();
    reader.read(b"a\nlast\r");

    assert_eq!(reader.end(), [(b"a".to_vec(), false), (b"last\r".to_vec(), false)]);
}

#[test]
fn s7_6_a_piece_never_ends_inside_a_character() {
    let mut reader = Reader::new();
    reader.read("caf".as_bytes());
    reader.read(b"\xc3");
    reader.silence();
    assert!(!has_partial(&reader), "an incomplete character alone is not a partial line");
    reader.read(b"\xa9 au lait\n");
    assert_eq!(reader.take(), [fresh("caf"), continued("\u{e9} au lait")]);

    let long = "\u{20ac}".repeat(30_000) + "\n";
    for part in long.as_bytes().chunks(1000) {
        reader.read(part);
    }
    let lengths: Vec<_> = reader.take().into_iter().map(|(line, continued)| (line.len(), continued)).collect();
    assert_eq!(lengths, [(65_535, false), (90_000 - 65_535, true)]);
}

#[test]
fn s7_6_a_piece_without_a_visible_character_is_not_shown() {
    for invisible in ["  ", "\t", "\x1b[0m", "\x1b]0;title\x07", "\x07"] {
        let mut reader = Reader::new();
        reader.read(invisible.as_bytes());
        assert!(!has_partial(&reader), "{invisible:?}");
        reader.silence();
        reader.read(b"x\n");
        assert_eq!(reader.take(), [fresh(&format!("{invisible}x"))]);
    }
}

#[test]
fn an_incomplete_sequence_is_held_back() {
    let mut reader = Reader::new();
    reader.read(b"a\x1b[3");
    reader.silence();
    reader.read(b"1mb\n");
    assert_eq!(reader.take(), [fresh("a"), continued("\x1b[31mb")]);
}

// S7.6: a line over 64 KiB is shown in marked pieces.
#[test]
fn a_line_over_64_kib_is_cut_every_65536_bytes_from_its_start() {
    let mut reader = Reader::new();
    let line = vec![b'x'; 2 * PIECE_BYTES + 1];

    reader.read(b"ab\nxxx");
    reader.silence();
    for part in line[3..].chunks(1000) {
        reader.read(part);
    }
    reader.read(b"\ncd\n");

    let lengths: Vec<_> = reader.take().into_iter().map(|(line, continued)| (line.len(), continued)).collect();
    assert_eq!(lengths, [(2, false), (3, false), (PIECE_BYTES - 3, true), (PIECE_BYTES, true), (1, true), (2, false)]);
}

#[test]
fn a_line_of_exactly_64_kib_is_one_line_even_with_crlf() {
    for end in [&b"\n"[..], b"\r\n"] {
        let mut reader = Reader::new();

        reader.read(&vec![b'x'; PIECE_BYTES]);
        for byte in end {
            reader.read(&[*byte]);
        }

        assert_eq!(reader.take(), [fresh(&"x".repeat(PIECE_BYTES))]);
    }
}

#[test]
fn fifty_megabytes_without_a_line_end_hold_at_most_two_pieces() {
    let mut reader = Reader::new();
    let read = vec![b'x'; PIECE_BYTES];
    let mut bytes = 0;

    for _ in 0..50 * 16 {
        reader.read(&read);
        bytes += reader.seen.drain(..).map(|(piece, _)| piece.len()).sum::<usize>();
        assert!(reader.lines.carry.capacity() <= 2 * PIECE_BYTES + 2);
    }
    bytes += reader.end().iter().map(|(piece, _)| piece.len()).sum::<usize>();

    assert_eq!(bytes, 50 * 16 * PIECE_BYTES);
}
