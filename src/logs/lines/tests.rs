//! How the output of a program on a terminal is shown, sequence by sequence (S7.6).

use super::*;

/// A run on a terminal of 24 rows and 80 columns.
pub(super) struct Run {
    pub(super) lines: Lines,
    shown: Vec<String>,
    pub(super) files: Vec<u8>,
}

impl Run {
    fn new(mode: LineMode) -> Self {
        Self { lines: Lines::new(mode), shown: Vec::new(), files: Vec::new() }
    }

    pub(super) fn on_terminal(rows: u16, columns: u16) -> Self {
        Self::new(LineMode::Terminal { size: ScreenSize { rows, columns }, keeps_all_bytes: true })
    }

    pub(super) fn on_pipe() -> Self {
        Self::new(LineMode::PipeOnTerminal { keeps_all_bytes: true })
    }

    /// The program writes `text`.
    pub(super) fn write(&mut self, text: &str) {
        self.write_bytes(text.as_bytes());
    }

    pub(super) fn write_bytes(&mut self, bytes: &[u8]) {
        let mut buffer = Vec::new();
        self.lines.begin(&mut buffer);
        let fresh_from = buffer.len();
        buffer.extend_from_slice(bytes);
        let (shown, files) = (&mut self.shown, &mut self.files);
        self.lines.split(buffer, fresh_from, &mut |chunk| collect(&chunk, shown, files));
    }

    pub(super) fn flush(&mut self, is_still: bool) {
        let (shown, files) = (&mut self.shown, &mut self.files);
        self.lines.flush(is_still, &mut |chunk| collect(&chunk, shown, files));
    }

    /// The leader has exited, but the stream may go on.
    pub(super) fn flush_all(&mut self) {
        let (shown, files) = (&mut self.shown, &mut self.files);
        self.lines.flush_all(&mut |chunk| collect(&chunk, shown, files));
    }

    /// The program is silent until nothing is waiting to be shown.
    pub(super) fn pause(&mut self) {
        while self.lines.patience().is_some() {
            self.flush(true);
        }
    }

    pub(super) fn resize(&mut self, size: ScreenSize) {
        let (shown, files) = (&mut self.shown, &mut self.files);
        self.lines.resize(size, &mut |chunk| collect(&chunk, shown, files));
    }

    /// The program has kept writing for so long that changes are shown anyway.
    pub(super) fn keep_writing(&mut self) {
        self.flush(false);
    }

    /// The lines shown since the last call; the rest of a line begins with `> `.
    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.shown)
    }

    pub(super) fn end(mut self) -> Vec<String> {
        let (shown, files) = (&mut self.shown, &mut self.files);
        self.lines.finish(&mut |chunk| collect(&chunk, shown, files));
        self.shown
    }

    /// Ends the run and returns the bytes that the log files received.
    pub(super) fn into_file_bytes(mut self) -> Vec<u8> {
        let (shown, files) = (&mut self.shown, &mut self.files);
        self.lines.finish(&mut |chunk| collect(&chunk, shown, files));
        self.files
    }
}

fn collect(chunk: &Chunk, shown: &mut Vec<String>, files: &mut Vec<u8>) {
    match chunk.audience {
        Audience::Files => files.extend_from_slice(&chunk.bytes),
        Audience::All | Audience::Screens => {
            let text = String::from_utf8_lossy(chunk.bytes.strip_suffix(b"\n").unwrap());
            let marks = std::iter::once(if chunk.continued { "> " } else { "" }).chain(std::iter::repeat(""));
            shown.extend(text.split('\n').zip(marks).map(|(line, mark)| format!("{mark}{line}")));
        }
    }
}

/// The lines shown for this output by the end of the run.
pub(super) fn shown(text: &str) -> Vec<String> {
    let mut run = Run::on_terminal(24, 80);
    run.write(text);
    run.end()
}

const NOTHING: [&str; 0] = [];

#[test]
fn plain_lines_are_emitted_in_the_buffer_they_were_read_into() {
    let size = ScreenSize { rows: 24, columns: 80 };
    let mut lines = Lines::new(LineMode::Terminal { size, keeps_all_bytes: false });
    let buffer = b"one\ttab  \n\x1b[31m\x1b[Kred\x1b[m\x1b[K\r\n\x1b]0;title\x07two\nthr".to_vec();
    let address = buffer.as_ptr();
    let mut chunks = Vec::new();

    let spare = lines.split(buffer, 0, &mut |chunk| chunks.push(chunk));

    assert_eq!(spare, None);
    assert_eq!(chunks.len(), 1);
    assert_eq!(chunks[0].bytes, b"one\ttab  \n\x1b[31m\x1b[Kred\x1b[m\x1b[K\n\x1b]0;title\x07two\n");
    assert_eq!(chunks[0].bytes.as_ptr(), address);
}

#[test]
fn s7_6_a_carriage_return_overwrites_the_line_from_its_start() {
    assert_eq!(
        shown("10%\r50%\r100%\nplain\n\r\na\r\r\nb\rc\r\nlong line\rshort\n"),
        ["100%", "plain", "", "a", "c", "shortline"]
    );
    assert_eq!(shown("a\nlast\r"), ["a", "last"]);
}

#[test]
fn s7_6_erased_text_is_not_shown() {
    assert_eq!(shown("100%\r\x1b[Kdone\n"), ["done"]);
    assert_eq!(shown("100%\r\x1b[K"), NOTHING);
    assert_eq!(shown("100%\r\x1b[2K\nnext\n"), ["next"]);
    assert_eq!(shown("100%\r    \r"), NOTHING);
    assert_eq!(shown("working\x1b[1K\x1b[8Gx\n"), ["       x"]);
    // A blank line is shown if nothing was ever written to it.
    assert_eq!(shown("\x1b[2K\n\x1b[2K\r\n"), ["", ""]);
}

#[test]
fn s7_6_text_positioned_by_column_keeps_its_gaps() {
    assert_eq!(shown("name\x1b[12Gstate\x1b[20Gport\na\x1b[3Cb\x1b[2Dc\n"), ["name       state   port", "a  cb"]);
    assert_eq!(shown("a\tb\x1b[1Xc\n"), ["a       bc"]);
}

#[test]
fn s7_6_an_unfinished_line_is_continued_or_shown_again_if_redrawn() {
    let mut run = Run::on_terminal(24, 80);
    run.write("Password: ");
    run.pause();
    run.write("ok\n> ");
    run.pause();
    run.write("\r\n50%\r100%");
    run.pause();
    run.write(" done\n90%");
    run.pause();
    run.write("\r100%\r");
    run.pause();
    run.write("\r\nnext\n");

    assert_eq!(run.take(), ["Password: ", "> ok", "> ", "100%", ">  done", "90%", "100%", "next"]);
}

#[test]
fn s7_6_a_redrawn_line_does_not_wait_for_silence() {
    let mut run = Run::on_terminal(24, 80);
    run.write("10%");
    assert_eq!(run.lines.patience().unwrap().at_most, None);
    run.write("\r20%\r30%\r");
    assert_eq!(run.lines.patience().unwrap().at_most, Some(PARTIAL_AFTER));
    run.keep_writing();
    assert_eq!(run.lines.patience(), None);
    run.write("\r40%");
    run.keep_writing();
    run.write(" done\r\nnext");

    assert_eq!(run.end(), ["30%", "40%", ">  done", "next"]);
}

#[test]
fn s7_2_a_colour_that_is_left_on_survives_a_redrawn_line() {
    assert_eq!(shown("\x1b[31mred\n10%\r20%\nstill\n\x1b[mplain\n"), ["\x1b[31mred", "20%", "still", "\x1b[mplain"]);
    assert_eq!(shown("a\x1b[31m\x08b\nc\x1b[m\x08d\n"), ["\x1b[31mb", "\x1b[0md"]);
}

#[test]
fn s7_6_a_wrapped_line_stays_one_line_and_can_be_edited() {
    let long = "0123456789".repeat(25);
    assert_eq!(shown(&format!("\x1b[1G{long}\x1b[K\n")), std::slice::from_ref(&long));
    // Two rows up is the third row of the long line.
    assert_eq!(
        shown(&format!("{long}\nx\n\x1b[2A\x1b[KX\n")),
        [long.clone(), "x".to_owned(), format!("{}X", &long[..240])]
    );
    let mut run = Run::on_terminal(2, 10);
    run.write("x\x08");
    run.write(&long);
    run.write("\nend\n");
    assert_eq!(run.take(), [long, "end".to_owned()]);
}

#[test]
fn s7_6_wide_characters_take_two_columns() {
    assert_eq!(shown("漢字\x1b[3Gx\n"), ["漢x"]);
    assert_eq!(shown("漢字\rab\n"), ["ab字"]);
    assert_eq!(shown("e\u{301}\x1b[Ka\x08b\n"), ["e\u{301}b"]);
}

#[test]
fn log_files_get_all_bytes_whatever_the_terminal_shows() {
    let text = "plain\n10%\r20%\n\x1b[2J\x1b[H\x1b[?1049hx\x1b[?1049l\n\n\nend\x08";
    let mut run = Run::on_terminal(24, 80);
    for byte in text.bytes() {
        run.write_bytes(&[byte]);
    }
    run.pause();

    assert_eq!(String::from_utf8_lossy(&run.files), format!("{text}\n"));
    assert_eq!(run.take(), ["plain", "20%", "", "", "", "end"]);
}

#[test]
fn s7_6_a_bare_cr_from_a_pipe_is_treated_like_one_from_a_terminal() {
    let mut run = Run::on_pipe();
    run.write("10%\r20%");
    run.keep_writing();
    run.write("\r30%\n\n\x1b[2Jbytes\x08\n\r\n");

    assert_eq!(run.end(), ["20%", "30%", "", "\x1b[2Jbytes\x08", ""]);
}

#[test]
fn s7_6_a_full_screen_from_a_pipe_is_noticed_and_its_bytes_are_shown() {
    for mode in ["47", "1047", "1049", "25;1049"] {
        let mut run = Run::on_pipe();
        let text = format!("before\n\x1b[?25l\x1b[?{mode}hshreds\n");
        for byte in text.bytes() {
            run.write_bytes(&[byte]);
        }
        assert!(run.lines.entered_alternate_screen() && !run.lines.entered_alternate_screen(), "{mode}");
        assert_eq!(run.take(), text.lines().collect::<Vec<_>>());
    }
    let mut run = Run::on_pipe();
    run.write("\x1b[?1049l\x1b[?25h\x1b[1049h\x1b[?10490h\x1b]?1049h\x07\n");
    assert!(!run.lines.entered_alternate_screen());
}

#[test]
fn s7_6_rows_out_of_reach_stay_as_they_were_shown() {
    let mut run = Run::on_terminal(3, 80);
    run.write("a\nb\nc\nd\n\x1b[9A");
    run.write("X\x1b[K");
    run.pause();

    assert_eq!(run.take(), ["a", "b", "c", "d", "X"]);
}

#[test]
fn s7_6_on_a_smaller_terminal_fewer_rows_are_within_reach() {
    let mut run = Run::on_terminal(24, 80);
    run.write("a\n\x1b[1Ab\nc\n");
    run.lines.resize(ScreenSize { rows: 1, columns: 20 }, &mut |chunk| collect(&chunk, &mut run.shown, &mut run.files));
    assert_eq!(run.take(), ["a", "b", "c"]);
    run.write("\x1b[5Ad\n");
    run.pause();
    assert_eq!(run.take(), ["d"]);
}

#[test]
fn s7_6_editing_a_long_line_shows_only_its_end_again() {
    let mut run = Run::on_terminal(24, 80);
    for letter in ["x", "y", "z"] {
        run.write(&letter.repeat(60_000));
        run.pause();
    }
    let shown = run.take().iter().map(|line| line.trim_start_matches("> ").len()).sum::<usize>();
    assert_eq!(shown, 180_000);

    run.write("\x08!\nend\n");
    let rest = run.end();

    // Only the part of the edited line that was kept, then the next line.
    let [edited, end] = rest.as_slice() else { panic!("{} lines", rest.len()) };
    assert!(edited.len() <= PIECE_BYTES && edited.ends_with("z!"), "{} bytes", edited.len());
    assert_eq!(end, "end");
}

#[test]
fn s7_6_an_edited_long_line_begins_with_a_whole_character_or_colour() {
    for unit in ["é", "漢", "😀", "\x1b[38;5;208mx"] {
        for shift in 0..unit.len() {
            let mut run = Run::on_terminal(24, 80);
            for _ in 0..2 {
                run.write(&("x".repeat(shift) + &unit.repeat(50_000 / unit.len())));
                run.pause();
            }
            run.take();

            run.write("\x08!\n");

            let edited = run.end().remove(0);
            let kept = ["> ", "\x1b[0m", "\x1b[38;5;208m"]
                .iter()
                .fold(edited.as_str(), |text, start| text.trim_start_matches(start));
            assert!(kept.starts_with(unit.chars().next_back().unwrap()), "{unit:?} after {shift} bytes: {kept:.40}");
        }
    }
}

#[test]
fn s7_6_an_endless_line_takes_bounded_memory() {
    let mut run = Run::on_terminal(24, 80);
    for _ in 0..100 {
        run.write(&"x".repeat(60_000));
        run.pause();
        assert!(run.lines.terminal.as_ref().unwrap().partial.len() <= PIECE_BYTES);
    }
}

#[test]
fn s7_6_a_row_redrawn_on_a_narrower_terminal_is_cut_at_its_edge() {
    let mut run = Run::on_terminal(24, 80);
    run.write(&format!("\r{}50%", "#".repeat(40)));
    run.lines
        .resize(ScreenSize { rows: 24, columns: 20 }, &mut |chunk| collect(&chunk, &mut run.shown, &mut run.files));
    run.write(&format!("\r{}60%", "#".repeat(12)));
    run.pause();
    run.write("\r\x1b[Kdone\n");

    let [before, after] = [40, 12].map(|count| "#".repeat(count));
    assert_eq!(run.end(), [format!("{before}50%"), format!("{after}60%#####"), "done".to_owned()]);
}
