//! Renders blocks for the user: as text, in the platform's format, or as JSON (S7.1 to S7.3).
//!
//! Decides prefix, time and colour of each line. Whether there is colour, which dynos are quiet and where the bytes go
//! is up to the callers: the hub and the log files. Ordinary text is rendered without any allocation per
//! line or per block.

use std::collections::HashMap;
use std::io::Write;

use jiff::tz::TimeZone;
use memchr::{memchr, memchr_iter};

use super::escapes::{self, LeftOver, OpenSequence};
use super::printable::{is_text, printable};
use super::stamp::Stamp;
use super::{LogBlock, Palette, Source, heroku, json, text, workflow};
use crate::model::DynoName;

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// `10:00:00 web.1    | text`, like foreman.
    Text(TextOptions),
    /// `2025-09-16T02:55:24.741657+00:00 app[web.1]: text`, like the platform.
    Heroku,
    /// One JSON object per line.
    Json,
}

/// Which parts come before the text of a line in [`LogFormat::Text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextOptions {
    /// The time of day.
    pub timestamps: bool,
    /// The whole prefix: if it is off, there is no time, either.
    pub prefix: bool,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self { timestamps: true, prefix: true }
    }
}

/// Which bytes of a dyno are shown unchanged. Depends on who reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passing {
    /// All of them: a file or a pipe (S7.2).
    All,
    /// All except those that would disturb other lines: a terminal (S7.2).
    Terminal,
    /// Text, and colours if they are switched on: the log of a CI service.
    Text,
    /// Like [`Passing::Text`], but without commands to GitHub's runner, which looks for them in the log (S19.6).
    GitHub,
}

/// How one receiver shows the lines.
#[derive(Debug, Clone)]
pub struct View {
    /// Whether prefixes are coloured.
    pub color: bool,
    /// Which bytes of a dyno are shown unchanged.
    pub passing: Passing,
    /// Width of the names in [`LogFormat::Text`], see [`name_width`](super::name_width).
    pub name_width: usize,
    /// A dyno whose lines have no prefix (S6.8), except in [`LogFormat::Json`].
    pub unprefixed: Option<DynoName>,
    /// Colours by process type.
    pub palette: Palette,
    /// Time zone for [`LogFormat::Text`]; the other formats use UTC.
    pub zone: TimeZone,
}

/// Renders blocks for one receiver. Create a new one after the formation has changed.
#[derive(Debug)]
pub struct Formatter {
    format: LogFormat,
    view: View,
    stamp: Stamp,
    /// The prefix of the lines of the current block.
    prefix: Vec<u8>,
    /// The prefix of its first line.
    first_prefix: Vec<u8>,
    /// Colours and unfinished sequences at the end of each dyno's last line.
    left: HashMap<Source, LeftOver>,
}

#[cfg(test)]
impl Formatter {
    /// One that writes text with a prefix, and nothing else.
    pub(crate) fn plain() -> Self {
        let (palette, zone) = (Palette::new([]), TimeZone::UTC);
        let view = View { color: false, passing: Passing::All, name_width: 6, unprefixed: None, palette, zone };
        Self::new(LogFormat::Text(TextOptions { timestamps: false, prefix: true }), view)
    }
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
        Self { format, view, stamp, prefix: Vec::new(), first_prefix: Vec::new(), left: HashMap::new() }
    }

    /// The same, but always with names in [`LogFormat::Text`], and with times unless those are off.
    #[must_use]
    pub fn with_prefix(mut self) -> Self {
        if let LogFormat::Text(options) = &mut self.format {
            options.prefix = true;
        }
        self
    }

    /// Appends the lines of `block` to `out`, each ended by `\n`.
    pub fn render(&mut self, block: &LogBlock, out: &mut Vec<u8>) {
        let is_bare = matches!(&block.source, Source::App(dyno) if self.view.unprefixed.as_ref() == Some(dyno));
        match self.format {
            LogFormat::Text(TextOptions { prefix: false, .. }) => self.render_without_prefix(block, out),
            LogFormat::Text(_) | LogFormat::Heroku if is_bare => self.render_without_prefix(block, out),
            LogFormat::Text(_) | LogFormat::Heroku => {
                self.build_prefixes(block);
                match self.view.passing {
                    Passing::All => copy_lines::<false>(&self.first_prefix, &self.prefix, &block.bytes, out),
                    Passing::Terminal => self.render_for_terminal(block, out),
                    Passing::Text | Passing::GitHub => self.render_text(block, out),
                }
            }
            LogFormat::Json => {
                let start = out.len();
                json::begin_object(block, &mut self.stamp, &mut self.prefix);
                json::render(block, &self.prefix, out);
                if self.view.passing == Passing::GitHub {
                    workflow::defuse_json(out, start);
                }
            }
        }
    }

    /// Writes both prefixes for a block: its first line may be marked as continued.
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
        let mut left = self.left_over(block);
        if left == LeftOver::default() && escapes::is_harmless(&block.bytes) {
            return copy_lines::<true>(&self.first_prefix, &self.prefix, &block.bytes, out);
        }
        let mut prefix = &self.first_prefix;
        for (at, line) in block.lines().enumerate() {
            // An open sequence can only be completed by the rest of the same line.
            if at > 0 || !block.continued {
                left.open = OpenSequence::Nothing;
            }
            out.extend_from_slice(prefix);
            escapes::copy_harmless(line, &mut left, out);
            out.push(b'\n');
            prefix = &self.prefix;
        }
        self.keep_left_over(block, left);
    }

    /// Renders without a prefix; only the rest of a line is marked.
    fn render_without_prefix(&mut self, block: &LogBlock, out: &mut Vec<u8>) {
        match self.view.passing {
            Passing::All => text::without_prefix(block, out),
            Passing::Terminal => self.render_for_terminal_without_prefix(block, out),
            Passing::Text | Passing::GitHub => {
                self.prefix.clear();
                self.first_prefix.clear();
                self.first_prefix.extend_from_slice(if block.continued { text::CONTINUED } else { b"" });
                self.render_text(block, out);
            }
        }
    }

    /// All bytes, but no colour runs on into the lines of other dynos.
    fn render_for_terminal_without_prefix(&mut self, block: &LogBlock, out: &mut Vec<u8>) {
        let mut left = self.left_over(block);
        if left.style.is_plain() && memchr(b'\x1b', &block.bytes).is_none() {
            return text::without_prefix(block, out);
        }
        if block.continued {
            out.extend_from_slice(text::CONTINUED);
        }
        for line in block.lines() {
            escapes::copy_with_colors(line, &mut left.style, out);
            out.push(b'\n');
        }
        self.keep_left_over(block, left);
    }

    fn render_text(&self, block: &LogBlock, out: &mut Vec<u8>) {
        let github = self.view.passing == Passing::GitHub;
        if is_text(&block.bytes) && !(github && workflow::may_hold_command(&block.bytes)) {
            return copy_lines::<false>(&self.first_prefix, &self.prefix, &block.bytes, out);
        }
        let mut prefix = &self.first_prefix;
        for line in block.lines() {
            let line = printable(line, self.view.color);
            let line = if github { workflow::defuse(&line, !prefix.is_empty()) } else { line.into() };
            out.extend([prefix.as_slice(), line.as_bytes(), b"\n"].into_iter().flatten());
            prefix = &self.prefix;
        }
    }

    /// Colours and sequences left over from earlier blocks. A notice about a dyno clears them, because another run may
    /// follow.
    fn left_over(&mut self, block: &LogBlock) -> LeftOver {
        if self.left.is_empty() {
            return LeftOver::default();
        }
        match &block.source {
            Source::App(_) => self.left.get(&block.source).copied().unwrap_or_default(),
            Source::Notice(dyno) => {
                self.left.remove(&Source::App(dyno.clone()));
                LeftOver::default()
            }
            Source::System | Source::Router => LeftOver::default(),
        }
    }

    fn keep_left_over(&mut self, block: &LogBlock, left: LeftOver) {
        match self.left.get_mut(&block.source) {
            Some(kept) => *kept = left,
            None if left == LeftOver::default() => {}
            None => drop(self.left.insert(block.source.clone(), left)),
        }
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

/// Copies lines, each with its prefix. `TRIM`: without trailing blanks. This is the path that must be fast.
fn copy_lines<const TRIM: bool>(first_prefix: &[u8], prefix: &[u8], lines: &[u8], out: &mut Vec<u8>) {
    let count = memchr_iter(b'\n', lines).count() + 1;
    out.reserve(lines.len() + 1 + count * first_prefix.len().max(prefix.len()));

    let mut before = first_prefix;
    let mut from = 0;
    for end in memchr_iter(b'\n', lines) {
        out.extend_from_slice(before);
        copy_line::<TRIM>(lines.get(from..=end).unwrap_or_default(), out);
        before = prefix;
        from = end + 1;
    }
    // A block should end with a line end. If it does not, nothing is lost.
    if let Some(rest) = lines.get(from..).filter(|rest| !rest.is_empty()) {
        out.extend_from_slice(before);
        copy_line::<TRIM>(rest, out);
        if !out.ends_with(b"\n") {
            out.push(b'\n');
        }
    }
}

fn copy_line<const TRIM: bool>(line: &[u8], out: &mut Vec<u8>) {
    if TRIM && matches!(line, [.., b' ' | b'\t', b'\n'] | [.., b' ' | b'\t']) {
        out.extend_from_slice(escapes::without_trailing_blanks(line.strip_suffix(b"\n").unwrap_or(line)));
        out.push(b'\n');
    } else {
        out.extend_from_slice(line);
    }
}

#[cfg(test)]
mod tests;
