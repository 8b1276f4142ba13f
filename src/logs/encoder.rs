//! Writes lines for a client of the API: as JSON objects, as events for the platform's own client, or as text.
//!
//! The JSON objects are those of the log format `json`. An empty line separates the lines that were kept from those that
//! follow as they come. An event has the number of its line, so that a client that was disconnected can continue.

use std::io::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Formatter, LogBlock, LogFormat, Palette, Passing, Source, View};

/// How the log is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogEncoding {
    /// One JSON object per line.
    JsonLines,
    /// Server-sent events with lines in the platform's format.
    EventStream,
    /// These lines alone.
    Text,
}

/// Writes the lines for one client.
#[derive(Debug)]
pub struct LogEncoder {
    encoding: LogEncoding,
    formatter: Formatter,
    lines: Vec<u8>,
}

impl LogEncoder {
    /// An encoder for one client.
    #[must_use]
    pub fn new(encoding: LogEncoding) -> Self {
        let view = View {
            color: false,
            // Neither a client nor its terminal may misread a control character.
            passing: Passing::Text,
            name_width: 0,
            unprefixed: None,
            palette: Palette::default(),
            zone: TimeZone::UTC,
        };
        let format = match encoding {
            LogEncoding::JsonLines => LogFormat::Json,
            LogEncoding::EventStream | LogEncoding::Text => LogFormat::Heroku,
        };
        Self { encoding, formatter: Formatter::new(format, view), lines: Vec::new() }
    }

    /// How the log is sent.
    #[must_use]
    pub fn encoding(&self) -> LogEncoding {
        self.encoding
    }

    /// Writes what comes before the first line.
    pub fn begin(&self, tail: bool, out: &mut Vec<u8>) {
        match self.encoding {
            // Otherwise the platform's client waits for 3 seconds after the end.
            LogEncoding::EventStream if !tail => out.extend_from_slice(b"retry: 0\n\n"),
            LogEncoding::EventStream | LogEncoding::JsonLines | LogEncoding::Text => {}
        }
    }

    /// Writes lines. `number`: that of the first one.
    pub fn encode(&mut self, block: &LogBlock, number: u64, out: &mut Vec<u8>) {
        self.write(block, Some(number), out);
    }

    /// Writes that lines were skipped.
    pub fn skipped(&mut self, count: u64, time: Timestamp, out: &mut Vec<u8>) {
        let lines = if count == 1 { "line" } else { "lines" };
        let bytes = format!("... {} {lines} skipped\n", grouped(count)).into_bytes();
        self.write(&LogBlock { source: Source::System, time, bytes, continued: false }, None, out);
    }

    /// Writes that all lines that were kept have been sent.
    pub fn caught_up(&self, out: &mut Vec<u8>) {
        match self.encoding {
            LogEncoding::JsonLines => out.push(b'\n'),
            LogEncoding::EventStream | LogEncoding::Text => {}
        }
    }

    fn write(&mut self, block: &LogBlock, number: Option<u64>, out: &mut Vec<u8>) {
        match self.encoding {
            LogEncoding::JsonLines | LogEncoding::Text => self.formatter.render(block, out),
            LogEncoding::EventStream => {
                self.lines.clear();
                self.formatter.render(block, &mut self.lines);
                let lines = self.lines.split_inclusive(|byte| *byte == b'\n');
                for (at, line) in lines.enumerate() {
                    if let Some(number) = number {
                        let _ = writeln!(out, "id: {}", number + at as u64);
                    }
                    out.extend([b"data: ", line, b"\n"].into_iter().flatten());
                }
            }
        }
    }
}

/// `1,204`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DynoName, ProcessType};

    fn block(bytes: &[u8]) -> LogBlock {
        let source = Source::App(DynoName::new(ProcessType::new("web").unwrap(), 1));
        let time = Timestamp::from_microsecond(1_795_410_000_000_001).unwrap();
        LogBlock { source, time, bytes: bytes.to_vec(), continued: false }
    }

    #[test]
    fn s10_4_events_have_the_shape_that_the_platforms_client_reads() {
        let mut encoder = LogEncoder::new(LogEncoding::EventStream);
        let mut out = Vec::new();

        encoder.begin(false, &mut out);
        encoder.encode(&block(b"one\n\x1b[31mred\rover\n"), 7, &mut out);
        encoder.skipped(1_204, Timestamp::UNIX_EPOCH, &mut out);

        let expected = "retry: 0\n\n\
            id: 7\ndata: 2026-11-23T05:00:00.000001+00:00 app[web.1]: one\n\n\
            id: 8\ndata: 2026-11-23T05:00:00.000001+00:00 app[web.1]: red\\rover\n\n\
            data: 1970-01-01T00:00:00.000000+00:00 app[api]: ... 1,204 lines skipped\n\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn s10_4_text_has_only_the_lines() {
        let mut encoder = LogEncoder::new(LogEncoding::Text);
        let mut out = Vec::new();

        encoder.begin(false, &mut out);
        encoder.encode(&block(b"one\n\x1b[31mred\rover\n"), 7, &mut out);
        encoder.caught_up(&mut out);
        encoder.skipped(1, Timestamp::UNIX_EPOCH, &mut out);

        let expected = "2026-11-23T05:00:00.000001+00:00 app[web.1]: one\n\
            2026-11-23T05:00:00.000001+00:00 app[web.1]: red\\rover\n\
            1970-01-01T00:00:00.000000+00:00 app[api]: ... 1 line skipped\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn digits_are_grouped() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
