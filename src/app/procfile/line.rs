//! Classifies one line of a Procfile: blank, comment, entry, or not an entry and why (S1.2-S1.4).
//!
//! It sees one line at a time. Not here: what depends on other lines, such as duplicates and YAML below a key
//! (`procfile`).

use crate::app::command::Construct;
use crate::app::command::scan::Scan;
use crate::app::env::line::{holds_assignment, is_env_key};
use crate::app::text::source::{first_word, is_blank, part, trim, trim_end, trim_start};
use crate::model::{InvalidProcessType, ProcessType};

/// The kind of a line.
#[derive(Debug)]
pub(crate) enum ProcfileLine<'a> {
    /// Only blanks, or empty.
    Blank,
    /// `# …`.
    Comment,
    /// A process type and its command.
    Entry(EntryLine<'a>),
    /// Anything else.
    Invalid(InvalidLine<'a>),
}

/// A line that is an entry.
#[derive(Debug)]
pub(crate) struct EntryLine<'a> {
    pub(crate) process_type: ProcessType,
    /// Without surrounding blanks; never empty.
    pub(crate) command: &'a [u8],
    /// Reasons for warnings about the entry.
    pub(crate) oddities: Vec<Oddity<'a>>,
}

/// Why an entry deserves a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Oddity<'a> {
    LeadingBlanks,
    BlankBeforeColon,
    /// `ps:scale worker=1`.
    HerokuCommand,
    /// `http://localhost`.
    Address,
    /// `web:: npm start`: the shell's `:` does nothing.
    ColonCommand,
    OnlyComment,
    CarriageReturn,
    /// A variable such as `%PORT%`, including the percent signs.
    WindowsVariable(&'a [u8]),
    /// A path such as `bin\start.bat`.
    WindowsPath(&'a [u8]),
    /// `echo 'hi`, `echo $(date`.
    Unclosed(Construct),
}

/// Why a line is not an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InvalidLine<'a> {
    ConflictMarker,
    /// A document marker, a list item, or a key that opens a block of lines.
    Yaml {
        opens_block: bool,
    },
    /// `{% if %}`, `<%= x %>`.
    Template,
    /// `heroku ps:scale web=1`.
    HerokuCommand,
    /// `KEY=value`. Only the key is kept, because the value may be a secret.
    Assignment {
        key: &'a [u8],
    },
    MissingColon,
    /// The text before the colon is not a valid name.
    InvalidName {
        name: &'a [u8],
        why: InvalidProcessType,
    },
    /// `generate:api-client: pnpm generate`.
    NameWithColon {
        name: &'a [u8],
    },
    /// `web:`.
    EmptyCommand {
        name: &'a [u8],
    },
    /// The command ends in a backslash.
    Continued {
        name: &'a [u8],
    },
}

/// Commands of the Heroku CLI, such as `ps:scale`, that people leave in a Procfile as a note: topics with their
/// commands.
const HEROKU_COMMANDS: &[(&[u8], &[&[u8]])] = &[
    (b"ps", &[b"scale", b"restart", b"stop", b"kill", b"exec", b"type", b"resize", b"wait"]),
    (b"run", &[b"detached", b"inside"]),
    (b"config", &[b"set", b"get", b"unset", b"add", b"remove", b"edit"]),
    (b"addons", &[b"create", b"add", b"attach", b"destroy", b"upgrade"]),
    (b"buildpacks", &[b"set", b"add", b"remove", b"clear"]),
    (b"local", &[b"start", b"run"]),
    (b"git", &[b"remote", b"clone"]),
    (b"pg", &[b"push", b"pull", b"reset", b"psql", b"promote"]),
];

/// Classifies a line. `text`: the line without its line ending.
pub(crate) fn classify(text: &[u8]) -> ProcfileLine<'_> {
    let body = trim(text);
    if body.is_empty() {
        return ProcfileLine::Blank;
    }
    if body.starts_with(b"#") {
        return ProcfileLine::Comment;
    }
    if let Some(invalid) = foreign(body) {
        return ProcfileLine::Invalid(invalid);
    }
    let Some(colon) = memchr::memchr(b':', body) else {
        return ProcfileLine::Invalid(without_colon(body));
    };
    let before = part(body, 0..colon);
    let name = trim_end(before);
    let after = part(body, colon + 1..body.len());
    match ProcessType::new(&String::from_utf8_lossy(name)) {
        Ok(process_type) => {
            let mut oddities = Vec::new();
            if text.first().is_some_and(|byte| is_blank(*byte)) {
                oddities.push(Oddity::LeadingBlanks);
            }
            if name.len() < before.len() {
                oddities.push(Oddity::BlankBeforeColon);
            }
            entry(body, name, after, process_type, oddities)
        }
        Err(why) => ProcfileLine::Invalid(not_a_name(body, name, after, why)),
    }
}

/// Recognises lines of other kinds of files, even if they contain a colon.
fn foreign(body: &[u8]) -> Option<InvalidLine<'_>> {
    let marker = [b"<<<<<<<", b">>>>>>>", b"=======", b"|||||||"].iter().any(|marker| body.starts_with(*marker));
    if marker {
        return Some(InvalidLine::ConflictMarker);
    }
    if matches!(body, b"---" | b"..." | b"-") || body.starts_with(b"- ") || body.starts_with(b"--- ") {
        return Some(InvalidLine::Yaml { opens_block: false });
    }
    if body.starts_with(b"{%") || body.starts_with(b"{{") || body.starts_with(b"<%") {
        return Some(InvalidLine::Template);
    }
    let (first, rest) = first_word(body);
    (first == b"heroku" && !rest.starts_with(b":")).then_some(InvalidLine::HerokuCommand)
}

fn without_colon(body: &[u8]) -> InvalidLine<'_> {
    assigned_key(body).map_or(InvalidLine::MissingColon, |key| InvalidLine::Assignment { key })
}

/// The key of `KEY=value` or `export KEY=value`.
fn assigned_key(body: &[u8]) -> Option<&[u8]> {
    let (first, rest) = first_word(body);
    let assignment = if first == b"export" { rest } else { body };
    let key = trim_end(part(assignment, 0..memchr::memchr(b'=', assignment)?));
    (is_env_key(key) && !key.starts_with(b"-")).then_some(key)
}

/// Classifies a line with invalid text before its colon: a bad name, or a command that contains a colon.
fn not_a_name<'a>(body: &'a [u8], name: &'a [u8], after: &'a [u8], why: InvalidProcessType) -> InvalidLine<'a> {
    if let Some(key) = assigned_key(name).or_else(|| assigned_key(body)) {
        return InvalidLine::Assignment { key };
    }
    let (_, other_words) = first_word(name);
    let separates = after.first().is_none_or(|byte| is_blank(*byte));
    let two_words = !other_words.contains(&b' ') && !other_words.contains(&b'\t');
    if other_words.is_empty() || (separates && two_words) {
        return InvalidLine::InvalidName { name, why };
    }
    InvalidLine::MissingColon
}

/// Classifies a line with a valid name by its command. `name` and `after`: the text before and after the colon in `body`.
fn entry<'a>(
    body: &'a [u8],
    name: &'a [u8],
    after: &'a [u8],
    process_type: ProcessType,
    mut oddities: Vec<Oddity<'a>>,
) -> ProcfileLine<'a> {
    let command = trim_start(after);
    if command.is_empty() {
        return ProcfileLine::Invalid(InvalidLine::EmptyCommand { name });
    }
    if matches!(command, b"|" | b">" | b"|-" | b">-" | b"|+" | b">+") {
        return ProcfileLine::Invalid(InvalidLine::Yaml { opens_block: true });
    }
    let backslashes = command.iter().rev().take_while(|byte| **byte == b'\\').count();
    if backslashes % 2 == 1 {
        return ProcfileLine::Invalid(InvalidLine::Continued { name });
    }
    // Without a blank the colon may belong to something else: `ps:scale`, `http://`, `generate:api-client:`.
    if after.len() == command.len() {
        let (word, _) = first_word(command);
        if let Some(second_name) = word.strip_suffix(b":")
            && ProcessType::new(&String::from_utf8_lossy(second_name)).is_ok()
        {
            let colon = body.len() - after.len() - 1;
            return ProcfileLine::Invalid(InvalidLine::NameWithColon { name: part(body, 0..colon + word.len()) });
        }
        if is_heroku_command(name, word) {
            oddities.push(Oddity::HerokuCommand);
        } else if command.starts_with(b"//") {
            oddities.push(Oddity::Address);
        }
    }
    oddities.extend(command_oddities(command));
    ProcfileLine::Entry(EntryLine { process_type, command, oddities })
}

fn is_heroku_command(topic: &[u8], command: &[u8]) -> bool {
    HEROKU_COMMANDS.iter().any(|(known, commands)| *known == topic && commands.contains(&command))
}

/// Oddities of a command that do not depend on its process type.
fn command_oddities(command: &[u8]) -> impl Iterator<Item = Oddity<'_>> {
    let colon = command.starts_with(b": ").then_some(Oddity::ColonCommand);
    let comment = command.starts_with(b"#").then_some(Oddity::OnlyComment);
    let carriage_return = memchr::memchr(b'\r', command).map(|_| Oddity::CarriageReturn);
    let variable = windows_variable(command).map(Oddity::WindowsVariable);
    let path = windows_path(command).map(Oddity::WindowsPath);
    let may_be_unclosed = command.iter().any(|byte| b"'\"`({".contains(byte));
    let unclosed = may_be_unclosed.then(|| Scan::of(command).surely_unclosed()).flatten().map(Oddity::Unclosed);
    [colon, comment, carriage_return, variable, path, unclosed].into_iter().flatten()
}

/// The first `%NAME%`. The name has at least two characters and no lower case, so `date +%H%M` has none.
fn windows_variable(command: &[u8]) -> Option<&[u8]> {
    let mut percents = memchr::memchr_iter(b'%', command);
    let mut begin = percents.next()?;
    for end in percents {
        let name = part(command, begin + 1..end);
        let upper = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
        if name.len() >= 2 && name.iter().all(upper) && name.first().is_some_and(|byte| !byte.is_ascii_digit()) {
            return Some(part(command, begin..end + 1));
        }
        begin = end;
    }
    None
}

/// The first word that is the path of a Windows program, unless it is quoted: in quotes the shell keeps backslashes.
fn windows_path(command: &[u8]) -> Option<&[u8]> {
    memchr::memchr(b'\\', command)?;
    command.split(|byte| is_blank(*byte)).find(|word| {
        let lower = word.to_ascii_lowercase();
        let program = [b".bat", b".cmd", b".exe"].iter().any(|ending| lower.ends_with(*ending));
        let in_quotes = word.contains(&b'\'') || word.contains(&b'"');
        program && word.contains(&b'\\') && !in_quotes && !holds_assignment(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invalid(line: &str) -> InvalidLine<'_> {
        let ProcfileLine::Invalid(invalid) = classify(line.as_bytes()) else { panic!("{line}") };
        invalid
    }

    fn oddities(line: &str) -> Vec<Oddity<'_>> {
        let ProcfileLine::Entry(entry) = classify(line.as_bytes()) else { panic!("{line}") };
        entry.oddities
    }

    #[test]
    fn a_line_without_a_colon_is_not_an_entry() {
        for line in ["npm start", "     fast enough.", "release bundle exec rake db:migrate", "a b c: d"] {
            assert_eq!(invalid(line), InvalidLine::MissingColon, "{line}");
        }
    }

    #[test]
    fn an_assignment_keeps_only_its_key() {
        for line in ["KEY=value", "export KEY=a:b", "KEY=postgres://u:p@host", "KEY = a: b"] {
            assert_eq!(invalid(line), InvalidLine::Assignment { key: b"KEY" }, "{line}");
        }
        for (line, key) in [("DB.PASSWORD=x", "DB.PASSWORD"), ("MY-KEY=x: y", "MY-KEY"), ("export 1.A = x", "1.A")] {
            assert_eq!(invalid(line), InvalidLine::Assignment { key: key.as_bytes() }, "{line}");
        }
        assert_eq!(invalid("--bind=x"), InvalidLine::MissingColon);
    }

    #[test]
    fn a_colon_in_a_name_is_distinguished_from_the_colon_after_it() {
        let name = b"generate:api-client";
        assert_eq!(invalid("generate:api-client: pnpm generate"), InvalidLine::NameWithColon { name });
        assert!(oddities("web:flask --app x").is_empty());
        assert!(oddities("web: a:b: c").is_empty());
        assert_eq!(oddities("web:: npm start"), [Oddity::ColonCommand]);
    }

    #[test]
    fn heroku_commands_and_addresses_are_entries_with_a_warning() {
        assert_eq!(oddities("ps:scale worker=1"), [Oddity::HerokuCommand]);
        assert_eq!(oddities("http://example.com"), [Oddity::Address]);
        assert_eq!(invalid("heroku ps:scale web=1"), InvalidLine::HerokuCommand);
        assert!(oddities("heroku: ./local").is_empty());
    }

    #[test]
    fn a_windows_variable_is_distinguished_from_a_date_format() {
        assert_eq!(oddities("web: python -p %PORT%"), [Oddity::WindowsVariable(b"%PORT%")]);
        assert!(oddities("web: date +%Y%m%d %H%M%S").is_empty());
        assert_eq!(oddities(r"web: bin\x.bat 1"), [Oddity::WindowsPath(br"bin\x.bat")]);
        assert!(oddities(r"web: 'bin\x.bat' a\.b").is_empty());
    }

    #[test]
    fn one_backslash_at_the_end_continues_the_line_and_two_do_not() {
        assert_eq!(invalid("web: a \\"), InvalidLine::Continued { name: b"web" });
        assert_eq!(invalid("web: a \\ "), InvalidLine::Continued { name: b"web" });
        assert!(oddities("web: a \\\\").is_empty());
    }

    #[test]
    fn an_invalid_name_is_distinguished_from_a_command_with_a_colon() {
        for line in ["my worker: x", "my.worker:x", "+web: x", "wéb: x", ": x", "\"web\": x"] {
            assert!(matches!(invalid(line), InvalidLine::InvalidName { .. }), "{line}");
        }
    }

    #[test]
    fn blanks_before_the_name_or_the_colon_are_a_warning() {
        assert_eq!(oddities("  web\t: x"), [Oddity::LeadingBlanks, Oddity::BlankBeforeColon]);
    }
}
