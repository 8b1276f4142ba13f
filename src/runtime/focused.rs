//! Shows the raw output of the focused dyno, with the other dynos' lines around it (S6.8).
//!
//! Part of the hub's thread. [`OpenLine`] decides how the dyno's unfinished line makes room for other lines. While the
//! dyno draws on the alternate screen, the lines of the other dynos wait.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::logs::{AlternateScreen, Formatter, LogBlock, OpenLine, Source, unfinished_bytes};
use crate::model::DynoName;

use super::own_terminal_size;

/// Maximum number of bytes of other lines that wait while the dyno draws a full screen. Beyond that the oldest lines
/// are left out.
const WAITING_BYTES: usize = 1 << 20;

/// The focused dyno and the state of its output on the terminal.
pub(super) struct Focused {
    dyno: DynoName,
    line: OpenLine,
    screen: AlternateScreen,
    /// The beginning of an escape sequence or of a character whose end was not read yet. Other lines must not split it.
    begun: Vec<u8>,
    /// Lines that wait until the dyno leaves the alternate screen.
    waiting: VecDeque<u8>,
    /// How many of these lines were left out.
    left_out: usize,
    /// Whether log files have the lines that are left out here.
    has_files: bool,
    /// Whether the terminal is in raw mode, in which `\n` alone does not begin a new line.
    is_raw: bool,
    /// Whether the terminal can erase a line.
    erases: bool,
    /// Buffer for other lines before their `\n` become `\r\n`.
    lines: Vec<u8>,
}

impl Focused {
    /// `is_raw`: whether the terminal is in raw mode while the dyno has the keyboard. `has_files`: whether all lines also go
    /// to log files.
    pub(super) fn new(dyno: DynoName, is_raw: bool, has_files: bool) -> Self {
        let erases = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
        Self {
            dyno,
            line: OpenLine::default(),
            screen: AlternateScreen::default(),
            begun: Vec::new(),
            waiting: VecDeque::new(),
            left_out: 0,
            has_files,
            is_raw,
            erases,
            lines: Vec::new(),
        }
    }

    /// Shows what the dyno wrote. If it leaves the alternate screen, the waiting lines follow at that point.
    pub(super) fn show(&mut self, bytes: &[u8], formatter: &mut Formatter, out: &mut Vec<u8>) {
        if !self.screen.is_shown() {
            self.line.come_back(out);
        }
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let (whole, begun) = all.split_at(all.len() - unfinished_bytes(&all));
        self.begun.extend_from_slice(begun);
        self.pass(whole, formatter, out);
    }

    /// Shows the unfinished sequence or character, because its end will not come.
    fn show_begun(&mut self, formatter: &mut Formatter, out: &mut Vec<u8>) {
        let begun = std::mem::take(&mut self.begun);
        self.pass(&begun, formatter, out);
    }

    fn pass(&mut self, bytes: &[u8], formatter: &mut Formatter, out: &mut Vec<u8>) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let was_shown = self.screen.is_shown();
            let (part, after) = rest.split_at(self.screen.follow(rest));
            out.extend_from_slice(part);
            match (was_shown, self.screen.is_shown()) {
                (false, false) => self.line.follow(part),
                // The terminal keeps this line and shows it again after the alternate screen.
                (false, true) => self.line.follow(part.get(..start_of_last_sequence(part)).unwrap_or_default()),
                (true, false) => self.show_waiting(formatter, out),
                (true, true) => {}
            }
            rest = after;
        }
    }

    /// Ends the output of a run. If its program was killed while it used the alternate screen, makes the terminal leave
    /// it.
    pub(super) fn end_of_run(&mut self, formatter: &mut Formatter, out: &mut Vec<u8>) {
        self.show_begun(formatter, out);
        if self.screen.is_shown() {
            self.screen.leave(out);
            self.show_waiting(formatter, out);
        }
    }

    /// Shows lines of other sources. A notice about this dyno ends its unfinished line. The dyno's own lines are skipped,
    /// because [`Focused::show`] has shown them.
    pub(super) fn render(&mut self, formatter: &mut Formatter, block: &LogBlock, out: &mut Vec<u8>) {
        let is_own = match &block.source {
            Source::App(dyno) if *dyno == self.dyno => return,
            Source::Notice(dyno) => *dyno == self.dyno,
            Source::App(_) | Source::System | Source::Router => false,
        };
        if is_own {
            self.show_begun(formatter, out);
        }
        self.lines.clear();
        formatter.render(block, &mut self.lines);
        if self.screen.is_shown() {
            return self.wait();
        }
        if is_own {
            self.line.end(out);
        } else {
            self.step_aside(out);
        }
        write_lines(&self.lines, self.is_raw, out);
    }

    /// Shows the unfinished line of the dyno again, below the other lines.
    pub(super) fn come_back(&mut self, out: &mut Vec<u8>) {
        if !self.screen.is_shown() {
            self.line.come_back(out);
        }
    }

    fn step_aside(&mut self, out: &mut Vec<u8>) {
        let columns = || own_terminal_size().map(|size| size.cols).filter(|_| self.erases);
        self.line.step_aside(columns, out);
    }

    /// Keeps the rendered lines for later, and leaves out the oldest if there are too many.
    fn wait(&mut self) {
        self.waiting.extend(&self.lines);
        while self.waiting.len() > WAITING_BYTES {
            let end = self.waiting.iter().position(|byte| *byte == b'\n').map_or(self.waiting.len(), |at| at + 1);
            self.waiting.drain(..end);
            self.left_out += 1;
        }
    }

    fn show_waiting(&mut self, formatter: &mut Formatter, out: &mut Vec<u8>) {
        if self.waiting.is_empty() {
            return;
        }
        self.step_aside(out);
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            let (lines, files) = (if left_out == 1 { "line" } else { "lines" }, self.where_to_find_them());
            let text = format!("{left_out} {lines} left out while {} drew a full screen{files}\n", self.dyno);
            let bytes = text.into_bytes();
            let block = LogBlock { source: Source::System, time: Timestamp::now(), bytes, continued: false };
            self.lines.clear();
            formatter.render(&block, &mut self.lines);
            write_lines(&self.lines, self.is_raw, out);
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        write_lines(waiting.make_contiguous(), self.is_raw, out);
        self.line.come_back(out);
    }

    fn where_to_find_them(&self) -> &'static str {
        if self.has_files { "; the log directory has them" } else { "" }
    }
}

/// Where the escape sequence at the end of `part` begins.
fn start_of_last_sequence(part: &[u8]) -> usize {
    memchr::memrchr(b'\x1b', part).unwrap_or(0)
}

/// `is_raw`: write `\r\n` for `\n`, which alone does not begin a new line in raw mode.
fn write_lines(lines: &[u8], is_raw: bool, out: &mut Vec<u8>) {
    if !is_raw {
        return out.extend_from_slice(lines);
    }
    let mut from = 0;
    for end in memchr::memchr_iter(b'\n', lines) {
        out.extend_from_slice(lines.get(from..end).unwrap_or_default());
        out.extend_from_slice(b"\r\n");
        from = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::logs::{LogFormat, Palette, Passing, TextOptions, View};
    use crate::model::ProcessType;

    fn dyno(name: &str) -> DynoName {
        DynoName::new(ProcessType::new(name).unwrap(), 1)
    }

    fn formatter() -> Formatter {
        let format = LogFormat::Text(TextOptions { timestamps: false, prefix: true });
        let palette = Palette::new([]);
        let passing = Passing::Terminal;
        Formatter::new(
            format,
            View { color: false, passing, name_width: 6, unprefixed: None, palette, zone: TimeZone::UTC },
        )
    }

    struct Terminal {
        focused: Focused,
        formatter: Formatter,
        out: Vec<u8>,
    }

    impl Terminal {
        fn new() -> Self {
            Self { focused: Focused::new(dyno("web"), false, true), formatter: formatter(), out: Vec::new() }
        }

        fn web(&mut self, bytes: &[u8]) {
            self.focused.show(bytes, &mut self.formatter, &mut self.out);
        }

        fn other(&mut self, source: Source, bytes: &[u8]) {
            let block = LogBlock { source, time: Timestamp::UNIX_EPOCH, bytes: bytes.to_vec(), continued: false };
            self.focused.render(&mut self.formatter, &block, &mut self.out);
        }

        fn take(&mut self) -> String {
            String::from_utf8(std::mem::take(&mut self.out)).unwrap()
        }
    }

    #[test]
    fn s6_8_other_lines_wait_until_the_dyno_leaves_the_alternate_screen() {
        let mut terminal = Terminal::new();
        terminal.web(b"$ vi\n\x1b[?1049hscreen");
        terminal.other(Source::App(dyno("worker")), b"job 1\n");
        terminal.other(Source::Notice(dyno("web")), b"listens\n");
        terminal.web(b"more");
        assert_eq!(terminal.take(), "$ vi\n\x1b[?1049hscreenmore");

        terminal.web(b"bye\x1b[?1049l$ ");

        assert_eq!(terminal.take(), "bye\x1b[?1049lworker.1 | job 1\nweb.1  | listens\n$ ");
    }

    #[test]
    fn s6_8_other_lines_never_split_a_sequence_or_a_character() {
        for (first, second) in [("$ \x1b[?10", "49hX"), ("$ \x1b[3", "1mred"), ("$ \x1b", "[31mred")] {
            let mut terminal = Terminal::new();
            terminal.web(first.as_bytes());
            terminal.other(Source::App(dyno("worker")), b"job\n");
            terminal.web(second.as_bytes());

            let text = terminal.take();
            let whole = first.strip_prefix("$ ").unwrap().to_owned() + second;
            assert!(text.ends_with(&whole) && text.contains("worker.1 | job\n"), "{text:?}");
        }
        let mut terminal = Terminal::new();
        terminal.web(b"\xc3");
        assert_eq!(terminal.take(), "");
        terminal.web(b"\xa9\x1b[3");
        terminal.other(Source::Notice(dyno("web")), b"exited\n");
        assert!(terminal.take().starts_with("\u{e9}\x1b[3"));
    }

    #[test]
    fn s6_8_the_oldest_lines_beyond_1_mib_are_left_out_and_counted() {
        let mut terminal = Terminal::new();
        terminal.web(b"\x1b[?1049h");
        for number in 0..3000 {
            let line = format!("{number:04}{}\n", "x".repeat(496 - "worker.1 | ".len() + 11));
            terminal.other(Source::App(dyno("worker")), line.as_bytes());
            assert!(terminal.focused.waiting.len() <= WAITING_BYTES);
        }

        terminal.web(b"\x1b[?1049l");

        let text = terminal.take();
        let lines: Vec<&str> = text.strip_prefix("\x1b[?1049h\x1b[?1049l").unwrap().lines().collect();
        let left_out = 3001 - lines.len();
        let notice =
            format!("system | {left_out} lines left out while web.1 drew a full screen; the log directory has them");
        assert_eq!(lines[0], notice);
        assert!(lines[1].starts_with(&format!("worker.1 | {left_out:04}x")), "{}", lines[1]);
        assert!(lines.last().unwrap().starts_with("worker.1 | 2999x"));
    }

    #[test]
    fn s6_8_the_terminal_leaves_the_alternate_screen_of_a_killed_program() {
        let mut terminal = Terminal::new();
        terminal.web(b"\x1b[?1049hscreen");
        terminal.other(Source::App(dyno("worker")), b"job\n");
        terminal.take();

        terminal.focused.end_of_run(&mut terminal.formatter, &mut terminal.out);

        assert_eq!(terminal.take(), "\x1b[?1049lworker.1 | job\n");
    }
}
