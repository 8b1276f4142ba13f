//! Turns blocks into what the user sees: text, the platform's format, or JSON (S7.1 to S7.3).
//!
//! Decides prefix, time and colour. Whether there is colour, which dynos are quiet, and where the bytes go is decided
//! by the caller: the hub, the log files, `logs`. In steady state nothing is allocated, neither per line nor per block.

use std::collections::HashMap;
use std::io::Write;
use std::mem;

use jiff::tz::TimeZone;
use memchr::memchr_iter;

use super::escapes::{self, Open};
use super::stamp::Stamp;
use super::{LogBlock, Palette, Source, heroku, json, text};

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// `10:00:00 web.1    | text`, as foreman does.
    Text(TextOptions),
    /// `2025-09-16T02:55:24.741657+00:00 app[web.1]: text`, as the platform does.
    Heroku,
    /// One JSON object a line.
    Json,
}

/// What stands before the text of a line in [`LogFormat::Text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextOptions {
    /// The time of day.
    pub timestamps: bool,
    /// Anything at all: without a prefix there is no time either.
    pub prefix: bool,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self { timestamps: true, prefix: true }
    }
}

/// Where the lines are shown, and with what names.
#[derive(Debug, Clone)]
pub struct View {
    /// Whether prefixes are coloured.
    pub color: bool,
    /// Whether the lines go to a terminal: then what would disturb other lines is left out (S7.2).
    pub terminal: bool,
    /// Width of the names in [`LogFormat::Text`], see [`name_width`](super::name_width).
    pub name_width: usize,
    /// Colours by process type.
    pub palette: Palette,
    /// Zone of the time of day in [`LogFormat::Text`]; the other formats are in UTC.
    pub zone: TimeZone,
}

/// Renders blocks for one receiver. After a change of the formation, make a new one.
#[derive(Debug)]
pub struct Formatter {
    format: LogFormat,
    view: View,
    stamp: Stamp,
    /// What stands before each line of the current block.
    prefix: Vec<u8>,
    /// What stands before its first line.
    first_prefix: Vec<u8>,
    /// Escape sequences cut by the end of a piece. At most one per dyno.
    open: HashMap<Source, Open>,
}

impl Formatter {
    /// A formatter for one receiver.
    #[must_use]
    pub fn new(format: LogFormat, view: View) -> Self {
        let zone = match format {
            LogFormat::Text(_) => view.zone.clone(),
            LogFormat::Heroku | LogFormat::Json => TimeZone::UTC,
        };
        let stamp = Stamp::new(zone);
        Self { format, view, stamp, prefix: Vec::new(), first_prefix: Vec::new(), open: HashMap::new() }
    }

    /// Appends the lines of `block` to `out`, each ended by `\n`.
    pub fn render(&mut self, block: &LogBlock, out: &mut Vec<u8>) {
        match self.format {
            LogFormat::Text(TextOptions { prefix: false, .. }) => text::without_prefix(block, out),
            LogFormat::Text(_) | LogFormat::Heroku => {
                self.build_prefixes(block);
                if self.view.terminal {
                    self.render_for_terminal(block, out);
                } else {
                    copy_lines(&self.first_prefix, &self.prefix, &block.bytes, out);
                }
            }
            LogFormat::Json => {
                json::begin_object(block, &mut self.stamp, &mut self.prefix);
                json::render(block, &self.prefix, out);
            }
        }
    }

    /// What stands before the first line, which may be marked as continued, and before the others.
    fn build_prefixes(&mut self, block: &LogBlock) {
        self.prefix.clear();
        self.first_prefix.clear();
        let Self { format, view, stamp, prefix, first_prefix, .. } = self;
        write_prefix(*format, view, stamp, block, false, prefix);
        if block.continued {
            write_prefix(*format, view, stamp, block, true, first_prefix);
        } else {
            first_prefix.extend_from_slice(prefix);
        }
    }

    fn render_for_terminal(&mut self, block: &LogBlock, out: &mut Vec<u8>) {
        let mut open = self.take_open(block);
        if open == Open::Nothing && escapes::is_harmless(&block.bytes) {
            return copy_lines(&self.first_prefix, &self.prefix, &block.bytes, out);
        }
        let mut prefix = &self.first_prefix;
        let mut last_open = Open::Nothing;
        for line in block.lines() {
            out.extend_from_slice(prefix);
            last_open = escapes::copy_harmless(line, mem::take(&mut open), out);
            out.push(b'\n');
            prefix = &self.prefix;
        }
        if last_open != Open::Nothing {
            self.open.insert(block.source.clone(), last_open);
        }
    }

    /// What the piece before this block left open.
    fn take_open(&mut self, block: &LogBlock) -> Open {
        if self.open.is_empty() {
            return Open::Nothing;
        }
        self.open.remove(&block.source).filter(|_| block.continued).unwrap_or_default()
    }
}

fn write_prefix(
    format: LogFormat,
    view: &View,
    stamp: &mut Stamp,
    block: &LogBlock,
    continued: bool,
    prefix: &mut Vec<u8>,
) {
    let color = view.color.then(|| view.palette.color(&block.source));
    if let Some(color) = color {
        let _ = write!(prefix, "\x1b[{}m", color.sgr());
    }
    match format {
        LogFormat::Text(options) => {
            if options.timestamps {
                stamp.time_of_day(block.time, prefix);
                prefix.push(b' ');
            }
            text::write_name(&block.source, view.name_width, prefix);
            prefix.extend_from_slice(if continued { b" > " } else { b" | " });
        }
        LogFormat::Heroku => {
            stamp.date_and_time(block.time, prefix);
            heroku::write_source(&block.source, prefix);
        }
        LogFormat::Json => {}
    }
    if color.is_some() {
        prefix.extend_from_slice(b"\x1b[0m");
    }
    if format == LogFormat::Heroku {
        prefix.extend_from_slice(if continued { b" > " } else { b" " });
    }
}

/// Copies lines as they are, each behind its prefix. The path that must be fast.
fn copy_lines(first_prefix: &[u8], prefix: &[u8], lines: &[u8], out: &mut Vec<u8>) {
    let count = memchr_iter(b'\n', lines).count() + 1;
    out.reserve(lines.len() + 1 + count * first_prefix.len().max(prefix.len()));

    let mut before = first_prefix;
    let mut from = 0;
    for end in memchr_iter(b'\n', lines) {
        out.extend_from_slice(before);
        out.extend_from_slice(lines.get(from..=end).unwrap_or_default());
        before = prefix;
        from = end + 1;
    }
    // A block ends with a line end; one that does not still loses nothing.
    if let Some(rest) = lines.get(from..).filter(|rest| !rest.is_empty()) {
        out.extend_from_slice(before);
        out.extend_from_slice(rest);
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz;

    use crate::app::{DynoName, ProcessType};

    use super::*;

    const TEXT: LogFormat = LogFormat::Text(TextOptions { timestamps: true, prefix: true });

    fn web() -> DynoName {
        DynoName::new(ProcessType::new("web").unwrap(), 1)
    }

    /// Off a terminal, without colour, in a zone two hours east of Greenwich.
    fn plain() -> View {
        let palette = Palette::new([ProcessType::new("web").unwrap()]);
        View { color: false, terminal: false, name_width: 8, palette, zone: TimeZone::fixed(tz::offset(2)) }
    }

    fn block(source: Source, bytes: &[u8]) -> LogBlock {
        let time = Timestamp::from_microsecond(1_757_991_324_741_657).unwrap();
        LogBlock { source, time, bytes: bytes.to_vec(), continued: false }
    }

    fn rendered(format: LogFormat, view: View, blocks: &[LogBlock]) -> String {
        let mut formatter = Formatter::new(format, view);
        let mut out = Vec::new();
        for block in blocks {
            formatter.render(block, &mut out);
        }
        String::from_utf8(out).unwrap()
    }

    // S7.1
    #[test]
    fn each_line_has_the_local_time_and_the_padded_name() {
        let blocks = [
            block(Source::Notice(web()), b"started with pid 7\n"),
            block(Source::App(web()), b"one\n\ntwo\n"),
            block(Source::System, b"sending SIGTERM\n"),
        ];

        assert_eq!(
            rendered(TEXT, plain(), &blocks),
            "04:55:24 web.1    | started with pid 7\n\
             04:55:24 web.1    | one\n04:55:24 web.1    | \n04:55:24 web.1    | two\n\
             04:55:24 system   | sending SIGTERM\n"
        );
    }

    // S7.1: --no-timestamps, --no-prefix.
    #[test]
    fn time_and_prefix_can_be_left_out() {
        let mut piece = block(Source::App(web()), b"rest\nnext\n");
        piece.continued = true;

        let no_time = LogFormat::Text(TextOptions { timestamps: false, prefix: true });
        let no_prefix = LogFormat::Text(TextOptions { timestamps: true, prefix: false });

        assert_eq!(rendered(no_time, plain(), &[piece.clone()]), "web.1    > rest\nweb.1    | next\n");
        assert_eq!(rendered(no_prefix, plain(), &[piece]), "> rest\nnext\n");
    }

    // S7.1: coloured by process type.
    #[test]
    fn colour_covers_the_prefix_as_in_foreman() {
        let view = View { color: true, ..plain() };
        let blocks = [block(Source::App(web()), b"hi\n"), block(Source::System, b"bye\n")];

        assert_eq!(
            rendered(TEXT, view, &blocks),
            "\x1b[36m04:55:24 web.1    | \x1b[0mhi\n\x1b[37m04:55:24 system   | \x1b[0mbye\n"
        );
    }

    // S7.2
    #[test]
    fn on_a_terminal_only_colours_pass_and_end_with_their_line() {
        let view = View { terminal: true, ..plain() };
        let no_time = LogFormat::Text(TextOptions { timestamps: false, prefix: true });
        let blocks = [block(Source::App(web()), b"\x1b[2J\x1b[31mred\nplain\x1b]0;t\n]\x07\n")];

        assert_eq!(
            rendered(no_time, view, &blocks),
            "web.1    | \x1b[31mred\x1b[0m\nweb.1    | plain\nweb.1    | ]\x07\n"
        );
    }

    #[test]
    fn on_a_terminal_a_sequence_cut_by_a_piece_does_not_leak_into_the_next_one_of_that_dyno() {
        let view = View { terminal: true, ..plain() };
        let no_time = LogFormat::Text(TextOptions { timestamps: false, prefix: true });
        let first = block(Source::App(web()), b"a\x1b[3\n");
        let between = block(Source::System, b"1m\n");
        let rest = LogBlock { continued: true, ..block(Source::App(web()), b"1mb\n1mc\n") };
        let other = block(Source::App(web()), b"1mc\n");

        assert_eq!(
            rendered(no_time, view.clone(), &[first.clone(), between, rest]),
            "web.1    | a\nsystem   | 1m\nweb.1    > b\nweb.1    | 1mc\n"
        );
        assert_eq!(rendered(no_time, view, &[first, other]), "web.1    | a\nweb.1    | 1mc\n");
    }

    // S7.2: elsewhere bytes pass as they are.
    #[test]
    fn off_a_terminal_and_without_prefix_all_bytes_pass() {
        let bytes = b"\x1b[2J\x1b[31m\xff\x00\x08\r\n";
        let no_prefix = LogFormat::Text(TextOptions { timestamps: false, prefix: false });
        let mut out = Vec::new();

        Formatter::new(TEXT, plain()).render(&block(Source::App(web()), bytes), &mut out);
        assert_eq!(out, [&b"04:55:24 web.1    | "[..], bytes].concat());

        out.clear();
        Formatter::new(no_prefix, View { terminal: true, ..plain() })
            .render(&block(Source::App(web()), bytes), &mut out);
        assert_eq!(out, bytes);
    }

    // S7.3
    #[test]
    fn the_heroku_format_is_the_platforms_in_utc() {
        let mut piece = block(Source::App(web()), b"rest\n");
        piece.continued = true;
        let blocks = [
            block(Source::App(web()), b"hi\n"),
            piece,
            block(Source::Notice(web()), b"State changed from starting to up\n"),
            block(Source::System, b"Scaled to web@2 by user x\n"),
        ];

        assert_eq!(
            rendered(LogFormat::Heroku, plain(), &blocks),
            "2025-09-16T02:55:24.741657+00:00 app[web.1]: hi\n\
             2025-09-16T02:55:24.741657+00:00 app[web.1]: > rest\n\
             2025-09-16T02:55:24.741657+00:00 heroku[web.1]: State changed from starting to up\n\
             2025-09-16T02:55:24.741657+00:00 app[api]: Scaled to web@2 by user x\n"
        );
        assert_eq!(
            rendered(LogFormat::Heroku, View { color: true, ..plain() }, &blocks[..1]),
            "\x1b[36m2025-09-16T02:55:24.741657+00:00 app[web.1]:\x1b[0m hi\n"
        );
    }

    #[test]
    fn a_last_line_without_its_end_gets_one_in_every_format() {
        for format in [TEXT, LogFormat::Text(TextOptions { timestamps: false, prefix: false }), LogFormat::Heroku] {
            let ended = rendered(format, plain(), &[block(Source::System, b"a\nb\n")]);

            assert_eq!(rendered(format, plain(), &[block(Source::System, b"a\nb")]), ended);
        }
    }
}
