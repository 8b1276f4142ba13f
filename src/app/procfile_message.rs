//! The words for what is wrong with a Procfile. It decides nothing: which problem it is, `procfile_line` says.

use super::problem::{Problem, Severity};
use super::procfile_line::{EntryLine, Oddity, Unreadable};
use super::source_text::{SourceLine, first_word, is_blank, shortened, trim};
use super::{InvalidProcessType, ProcessType};

/// Names that people give to process types; such a word at the start of a line lacks its colon.
const COMMON_NAMES: [&[u8]; 8] = [b"web", b"worker", b"release", b"clock", b"scheduler", b"sidekiq", b"beat", b"cron"];

/// A line that is no entry. `continued`: the line of a command above it that ended in a backslash.
pub(crate) fn unreadable(line: &SourceLine<'_>, kind: &Unreadable<'_>, continued: Option<usize>) -> Problem {
    let body = trim(line.text);
    let at = line.number;
    let problem = |message: String, hint: &str| Problem::new(Severity::Defect, at, message, hint);
    match kind {
        Unreadable::ConflictMarker => problem(
            format!("`{}` is the mark of a merge conflict", shortened(body)),
            "keep one side of the conflict and remove its marks",
        ),
        Unreadable::Yaml { .. } => problem(
            format!("`{}` looks like YAML", shortened(body)),
            "a process type and its command are one line, such as `web: npm start`",
        ),
        Unreadable::Template => problem(
            format!("`{}` looks like a template", shortened(body)),
            "render the template and name its result with `-f`",
        ),
        Unreadable::HerokuCommand => problem(
            format!("`{}` looks like a Heroku command", shortened(body)),
            "run it in a terminal and remove the line",
        ),
        Unreadable::Assignment { key } => problem(
            format!("`{}` is assigned here, but a Procfile has no variables", shortened(key)),
            "write the line into `.env`",
        ),
        Unreadable::MissingColon => missing_colon(line, continued),
        Unreadable::InvalidName { why: InvalidProcessType::Empty, .. } => {
            problem("no name stands before the colon".to_owned(), "write `web: COMMAND`")
        }
        Unreadable::InvalidName { name, why } => problem(
            format!("`{}` is no process type: {why}", shortened(name)),
            &format!("write `{}: COMMAND`", as_name(name)),
        ),
        Unreadable::NameWithColon { name } => problem(
            format!("`{}` is no process type: the name has a colon", shortened(name)),
            &format!("write `{}: COMMAND`", as_name(name)),
        ),
        Unreadable::EmptyCommand { name } => {
            let name = shortened(name);
            problem(format!("`{name}` has no command"), &format!("write `{name}: COMMAND`, or remove the line"))
                .about(name)
        }
        Unreadable::Continued { name } => problem(
            format!("the command of `{}` ends in a backslash, and lines are not joined", shortened(name)),
            "write the whole command on one line",
        )
        .about(shortened(name)),
    }
}

fn missing_colon(line: &SourceLine<'_>, continued: Option<usize>) -> Problem {
    let body = trim(line.text);
    if let Some(begin) = continued {
        let message = format!("`{}` continues line {begin}, and lines are not joined", shortened(body));
        return Problem::new(Severity::Defect, line.number, message, "write the whole command on one line");
    }
    let (first, rest) = first_word(body);
    if COMMON_NAMES.contains(&first) && !rest.is_empty() {
        let name = shortened(first);
        let message = format!("the colon after `{name}` is missing");
        let hint = format!("write `{name}: {}`", shortened(rest));
        return Problem::new(Severity::Defect, line.number, message, hint).about(name);
    }
    let hint = if line.text.first().is_some_and(|byte| is_blank(*byte)) {
        "write `NAME: COMMAND`, or `#` before it if it is a comment".to_owned()
    } else {
        format!("write `web: {}`", shortened(body))
    };
    Problem::new(Severity::Defect, line.number, format!("`{}` has no process type", shortened(body)), hint)
}

/// An entry that was read, though it is odd.
pub(crate) fn oddity(line: &SourceLine<'_>, entry: &EntryLine<'_>, odd: &Oddity<'_>) -> Problem {
    let name = entry.process_type.as_str();
    let body = shortened(trim(line.text));
    let (message, hint) = match odd {
        Oddity::LeadingBlanks => {
            (format!("there are blanks before `{name}`"), "remove them: other tools ignore the line or fail".to_owned())
        }
        Oddity::BlankBeforeColon => (
            format!("there are blanks between `{name}` and its colon"),
            "remove them: other tools ignore the line or fail".to_owned(),
        ),
        Oddity::HerokuCommand => (
            format!("`{body}` looks like a Heroku command, but it defines the process type `{name}`"),
            "run it in a terminal and remove the line".to_owned(),
        ),
        Oddity::Address => (
            format!("`{body}` looks like an address, but it defines the process type `{name}`"),
            "write `#` before it if it is a comment".to_owned(),
        ),
        Oddity::ColonCommand => (
            format!("the command of `{name}` begins with `:`, which does nothing"),
            format!("write one colon after `{name}`"),
        ),
        Oddity::OnlyComment => (
            format!("the command of `{name}` is only a comment"),
            format!("write `#` before `{name}` to leave it out, or a command after the colon"),
        ),
        Oddity::CarriageReturn => (
            format!("the command of `{name}` has a carriage return in it"),
            "save the file with newlines as line ends".to_owned(),
        ),
        Oddity::WindowsVariable(variable) => {
            let bare = shortened(variable).replace('%', "");
            (format!("`{}` is a variable on Windows only", shortened(variable)), format!("write `${bare}`"))
        }
        Oddity::WindowsPath(path) => (
            format!("the shell drops the backslashes of `{}`", shortened(path)),
            "write `/` in paths, or name a Procfile for this system with `-f`".to_owned(),
        ),
    };
    Problem::new(Severity::Warning, line.number, message, hint).about(name)
}

/// A process type that was defined before.
pub(crate) fn duplicate(process_type: &ProcessType, earlier: usize, line: usize) -> Problem {
    let message = format!("`{process_type}` is defined on line {earlier} and again here; this command counts");
    let hint = format!("remove one, or rename one, such as `{process_type}_2`, to run both");
    Problem::new(Severity::Defect, line, message, hint).about(process_type.as_str())
}

/// Most lines are no entries. Known to be of another kind, the file is not used at all: what looks like an entry
/// in it would start nonsense.
pub(crate) fn not_a_procfile(line: usize, unreadable: usize, of: usize, guess: Option<&str>) -> Problem {
    let count = format!("{unreadable} of {of} lines are no entries of a Procfile");
    let hint = "write lines such as `web: npm start`, or name the Procfile with `-f`";
    match guess {
        Some(kind) => Problem::new(Severity::Error, line, format!("the file looks like {kind}: {count}"), hint),
        None => Problem::new(Severity::Defect, line, count, hint),
    }
}

/// The file has no entry.
pub(crate) fn nothing_defined() -> Problem {
    Problem::new(Severity::Error, 1, "no process type is defined", "write a line such as `web: npm start`")
}

/// The nearest text that is a name.
fn as_name(text: &[u8]) -> String {
    let mut name = String::new();
    for character in shortened(text).trim_end_matches('…').chars() {
        if character.is_ascii_alphanumeric() || character == '-' || character == '_' {
            name.push(character);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_end_matches('-');
    if name.is_empty() { "web".to_owned() } else { name.to_owned() }
}
