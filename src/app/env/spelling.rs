//! Chooses how a value is written in a `.env` file, so that each program that reads the file gets the same value (S15.3).
//!
//! Pure. Our own reader always reads back what was written: every spelling is parsed before it is used. For python-dotenv,
//! dotenv of Node and foreman, a table says which spellings they read in another way.

use super::file::{EnvFile, EnvScope};
use crate::app::command::shell_words::is_plain;
use crate::model::Environment;

/// Another program that reads `.env` files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OtherReader {
    PythonDotenv,
    NodeDotenv,
    Foreman,
}

impl OtherReader {
    const ALL: [Self; 3] = [Self::PythonDotenv, Self::NodeDotenv, Self::Foreman];

    /// Its name in a message.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PythonDotenv => "python-dotenv",
            Self::NodeDotenv => "dotenv of Node",
            Self::Foreman => "foreman",
        }
    }

    /// Whether it reads a value in this style as our own reader does.
    fn reads_back(self, style: QuoteStyle, spot: &Spot<'_>, value: &[u8]) -> bool {
        // None of them passes on bytes that are not UTF-8.
        let Ok(text) = std::str::from_utf8(value) else { return false };
        let has = |part: &str| text.contains(part);
        match (self, style) {
            (Self::PythonDotenv | Self::Foreman, QuoteStyle::Backtick) => false,
            // It expands references in single quotes, too, and knows no way to write them as text.
            (Self::PythonDotenv, QuoteStyle::Bare) => !has_reference(text),
            (Self::PythonDotenv, QuoteStyle::Single) => !has_reference(text) && !has(r"\\") && !text.ends_with('\\'),
            (Self::PythonDotenv, QuoteStyle::Double | QuoteStyle::DoubleLines) => !has("${") && !text.ends_with('\\'),
            (Self::NodeDotenv, QuoteStyle::Bare) => !has("#"),
            (Self::NodeDotenv, QuoteStyle::Single | QuoteStyle::Backtick) => !text.ends_with('\\'),
            // Of the escapes it reads only those for line endings.
            (Self::NodeDotenv, QuoteStyle::Double | QuoteStyle::DoubleLines) => !has("\"") && !has("\\") && !has("${"),
            (Self::Foreman, _) if !spot.is_for_foreman() => false,
            (Self::Foreman, QuoteStyle::Bare) => true,
            (Self::Foreman, QuoteStyle::Single) => !has("\n"),
            (Self::Foreman, QuoteStyle::Double) => !has("\r") && !has(r"\n"),
            (Self::Foreman, QuoteStyle::DoubleLines) => !has("\n") && !has("\r") && !has(r"\n"),
        }
    }
}

/// Whether a text has a `${NAME}` or `${NAME:-default}`, where python-dotenv takes any characters for a name.
fn has_reference(text: &str) -> bool {
    text.match_indices("${").any(|(at, begin)| {
        let content = text.get(at + begin.len()..).unwrap_or_default();
        let end = content.find(['}', ':']).and_then(|end| content.get(end..)).unwrap_or_default();
        end.starts_with('}') || (end.starts_with(":-") && end.contains('}'))
    })
}

/// How a value is quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QuoteStyle {
    /// Without quotes.
    Bare,
    Single,
    /// In double quotes, with `\n` for each newline.
    Double,
    /// In double quotes, over several lines.
    DoubleLines,
    Backtick,
}

impl QuoteStyle {
    /// The styles in the order in which they are tried.
    const ORDER: [Self; 5] = [Self::Single, Self::Double, Self::Bare, Self::DoubleLines, Self::Backtick];

    /// The style of a value as it is written in a file.
    fn of(written: &[u8]) -> Self {
        match written.first() {
            Some(b'\'') => Self::Single,
            Some(b'`') => Self::Backtick,
            Some(b'"') if written.contains(&b'\n') => Self::DoubleLines,
            Some(b'"') => Self::Double,
            Some(_) | None => Self::Bare,
        }
    }

    /// Writes a value. None: this style has no way to write it.
    fn write(self, value: &[u8], line_ending: &[u8]) -> Option<Vec<u8>> {
        let verbatim = |quote: u8| {
            let fits = !value.iter().any(|byte| *byte == quote || *byte == b'\r');
            fits.then(|| enclosed(quote, with_line_endings(value, line_ending)))
        };
        match self {
            Self::Bare => is_bare(value).then(|| value.to_vec()),
            Self::Single => verbatim(b'\''),
            Self::Backtick => verbatim(b'`'),
            Self::Double => Some(enclosed(b'"', escaped(value, br"\n"))),
            Self::DoubleLines => Some(enclosed(b'"', escaped(value, line_ending))),
        }
    }

    /// The other programs that do not read this spelling like `dyno`.
    fn differing(self, spot: &Spot<'_>, value: &[u8]) -> Vec<OtherReader> {
        OtherReader::ALL.into_iter().filter(|reader| !reader.reads_back(self, spot, value)).collect()
    }
}

/// Whether a value can be read without quotes. Blanks that only some readers know are left to the quotes, and so is the
/// space before a `#`.
fn is_bare(value: &[u8]) -> bool {
    let is_odd = |char: char| char.is_control() || char == '\u{feff}' || (char.is_whitespace() && char != ' ');
    std::str::from_utf8(value).is_ok_and(|text| !text.contains(is_odd) && text.trim() == text)
}

/// Whether a value looks right without quotes: a shell and strict readers accept it, too, except for a `&` or `?` as in
/// addresses.
fn is_bare_by_habit(value: &[u8]) -> bool {
    let is_habit = |byte: u8| is_plain(byte) || byte.is_ascii_graphic() && !b"'\"`\\#$".contains(&byte);
    value.iter().copied().all(is_habit)
}

fn enclosed(quote: u8, text: Vec<u8>) -> Vec<u8> {
    [vec![quote], text, vec![quote]].concat()
}

fn with_line_endings(value: &[u8], line_ending: &[u8]) -> Vec<u8> {
    value.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(line_ending)
}

fn escaped(value: &[u8], newline: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(value.len());
    for (at, byte) in value.iter().enumerate() {
        match byte {
            b'\n' => text.extend_from_slice(newline),
            b'\r' => text.extend_from_slice(br"\r"),
            b'"' | b'\\' => text.extend_from_slice(&[b'\\', *byte]),
            // A bare `$` stays as it is (S2.5), and no other reader knows this escape.
            b'$' if value.get(at + 1) == Some(&b'{') => text.extend_from_slice(br"\$"),
            _ => text.push(*byte),
        }
    }
    text
}

/// A value as it is now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OldValue<'a> {
    /// With its quotes.
    pub(crate) written: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl OldValue<'_> {
    /// Whether it is this value, whatever other variables have.
    fn is(&self, value: &[u8]) -> bool {
        self.value == value && memchr::memmem::find(self.written, b"${").is_none()
    }
}

/// The line on which a value is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot<'a> {
    pub(crate) key: &'a str,
    /// The text before the value: `KEY=`.
    pub(crate) before: &'a [u8],
    /// The text after it, such as a comment.
    pub(crate) after: &'a [u8],
    pub(crate) line_ending: &'a [u8],
    pub(crate) old: Option<OldValue<'a>>,
}

impl Spot<'_> {
    /// Whether foreman reads the line: it ignores `export KEY=` and `KEY = `, and takes a comment for a part of the value.
    fn is_for_foreman(&self) -> bool {
        let key = self.before.strip_suffix(b"=").unwrap_or_default();
        !key.is_empty() && key.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') && self.after.is_empty()
    }
}

/// A value as it is to be written.
#[derive(Debug)]
pub(crate) struct Spelling {
    pub(crate) written: Vec<u8>,
    /// The programs that read another value.
    pub(crate) differing: Vec<OtherReader>,
}

/// The best way to write a value: the style of the old value, if the new one is read back in it. Otherwise the style that
/// most programs read back. None: the value is too long.
pub(crate) fn spell(spot: &Spot<'_>, value: &[u8]) -> Option<Spelling> {
    if let Some(OldValue { written, .. }) = spot.old.filter(|old| old.is(value)) {
        return Some(Spelling { written: written.to_vec(), differing: QuoteStyle::of(written).differing(spot, value) });
    }
    let old_style = spot.old.map(|old| QuoteStyle::of(old.written));
    // A program that could not read the old value has no say in how the new one is written.
    let lost = spot.old.zip(old_style).map(|(old, style)| style.differing(spot, old.value)).unwrap_or_default();
    let preferred = match old_style {
        Some(QuoteStyle::Bare) => is_bare_by_habit(value).then_some(QuoteStyle::Bare),
        Some(style) => Some(style),
        None => value.iter().copied().all(is_plain).then_some(QuoteStyle::Bare),
    };
    let possible = preferred.into_iter().chain(QuoteStyle::ORDER).filter_map(|style| {
        let written = style.write(value, spot.line_ending)?;
        let differing = style.differing(spot, value);
        let cost = differing.iter().filter(|reader| !lost.contains(reader)).count();
        is_read_back(spot, &written, value).then_some((cost, Spelling { written, differing }))
    });
    possible.min_by_key(|(cost, _)| *cost).map(|(_, spelling)| spelling)
}

/// An entry as a line of a `.env` file, with its newline. Parsing the line gives the same key and value. `value` has no NUL
/// byte and is not longer than a variable can be.
#[must_use]
pub fn env_line(key: &str, value: &[u8]) -> Vec<u8> {
    let before = format!("{key}=").into_bytes();
    let spot = Spot { key, before: &before, after: b"", line_ending: b"\n", old: None };
    // Nothing else can be written of a value that is too long.
    let written = spell(&spot, value).map_or_else(|| value.to_vec(), |spelling| spelling.written);
    [before.as_slice(), &written, b"\n"].concat()
}

/// Whether our own reader gets this value from the line, without any doubt.
fn is_read_back(spot: &Spot<'_>, written: &[u8], value: &[u8]) -> bool {
    let line = [spot.before, written, spot.after].concat();
    let inherited = Environment::default();
    let scope = EnvScope { earlier: &[], inherited: &inherited, inherited_first: false };
    EnvFile::parse(&line, &scope).is_ok_and(|file| match file.entries() {
        [entry] => entry.key == spot.key && entry.value.reveal() == value && file.problems().is_empty(),
        [] | [_, _, ..] => false,
    })
}
