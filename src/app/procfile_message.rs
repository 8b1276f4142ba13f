//! The words for what is wrong with a Procfile. It decides nothing: which problem it is, `procfile_line` says.

use super::command_scan::Scan;
use super::env_line::holds_assignment;
use super::problem::{Problem, Severity};
use super::procfile_line::{EntryLine, Oddity, Unreadable};
use super::source_text::{SourceLine, first_word, is_blank, shortened, trim};
use super::{InvalidProcessType, ProcessType};

/// Names that people give to process types; such a word at the start of a line lacks its colon.
const COMMON_NAMES: [&[u8]; 8] = [b"web", b"worker", b"release", b"clock", b"scheduler", b"sidekiq", b"beat", b"cron"];

/// Whether people name process types so.
pub(crate) fn is_common_name(name: &[u8]) -> bool {
    COMMON_NAMES.contains(&name)
}

/// What else is known where a line stands that is no entry.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Surroundings {
    /// The line of a command above it that ended in a backslash.
    pub(crate) continued: Option<usize>,
    /// Some line gives a variable a value: one without a colon may be the rest of it, in quotes.
    pub(crate) has_values: bool,
}

impl Surroundings {
    /// How a message calls the line: by its text, unless that may hold the value of a variable.
    fn called(self, body: &[u8]) -> String {
        self.shown(body).map_or_else(|| "the line".to_owned(), |text| format!("`{text}`"))
    }

    /// A text of the line as a message shows it. None: it may hold the value of a variable.
    fn shown(self, text: &[u8]) -> Option<String> {
        let may_hold_value = holds_assignment(text) || (self.has_values && !text.contains(&b':'));
        (!may_hold_value).then(|| shortened(text))
    }
}

/// A line that is no entry.
pub(crate) fn unreadable(line: &SourceLine<'_>, kind: &Unreadable<'_>, around: Surroundings) -> Problem {
    let called = around.called(trim(line.text));
    let at = line.number;
    let problem = |message: String, hint: &str| Problem::new(Severity::Defect, at, message, hint);
    match kind {
        Unreadable::ConflictMarker => problem(
            format!("{called} is the mark of a merge conflict"),
            "keep one side of the conflict and remove its marks",
        ),
        Unreadable::Yaml { .. } => problem(
            format!("{called} looks like YAML"),
            "a process type and its command are one line, such as `web: npm start`",
        ),
        Unreadable::Template => {
            problem(format!("{called} looks like a template"), "render the template and name its result with `-f`")
        }
        Unreadable::HerokuCommand => {
            problem(format!("{called} looks like a Heroku command"), "run it in a terminal and remove the line")
        }
        Unreadable::Assignment { key } => problem(
            format!("`{}` is assigned here, but a Procfile has no variables", shortened(key)),
            "write the line into `.env`",
        ),
        Unreadable::MissingColon => missing_colon(line, around, &called),
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

fn missing_colon(line: &SourceLine<'_>, around: Surroundings, called: &str) -> Problem {
    let body = trim(line.text);
    if let Some(begin) = around.continued {
        let message = format!("{called} continues line {begin}, and lines are not joined");
        return Problem::new(Severity::Defect, line.number, message, "write the whole command on one line");
    }
    let (first, rest) = first_word(body);
    if is_common_name(first) && !rest.is_empty() {
        let name = shortened(first);
        let message = format!("the colon after `{name}` is missing");
        let command = around.shown(rest).filter(|_| !Scan::of(rest).unfinished).unwrap_or_else(|| "COMMAND".to_owned());
        let hint = format!("write `{name}: {command}`");
        return Problem::new(Severity::Defect, line.number, message, hint).about(name);
    }
    let is_indented = line.text.first().is_some_and(|byte| is_blank(*byte));
    // What the shell would find unfinished is no command, whatever name stands before it.
    let may_be_command = !is_indented && !Scan::of(body).unfinished;
    let hint = match around.shown(body).filter(|_| may_be_command) {
        Some(command) => format!("write `web: {command}`"),
        None => "write `NAME: COMMAND`, or `#` before it if it is a comment".to_owned(),
    };
    Problem::new(Severity::Defect, line.number, format!("{called} has no process type"), hint)
}

/// An entry that was read, though it is odd.
pub(crate) fn oddity(line: &SourceLine<'_>, entry: &EntryLine<'_>, odd: &Oddity<'_>) -> Problem {
    let name = entry.process_type.as_str();
    let called = Surroundings::default().called(trim(line.text));
    let (message, hint) = match odd {
        Oddity::LeadingBlanks => {
            (format!("there are blanks before `{name}`"), "remove them: other tools ignore the line or fail".to_owned())
        }
        Oddity::BlankBeforeColon => (
            format!("there are blanks between `{name}` and its colon"),
            "remove them: other tools ignore the line or fail".to_owned(),
        ),
        // Not its arguments: `config:set` has a value among them.
        Oddity::HerokuCommand => (
            format!(
                "`{}` looks like a Heroku command, but it defines the process type `{name}`",
                shortened(first_word(line.text).0)
            ),
            "run it in a terminal and remove the line".to_owned(),
        ),
        Oddity::Address => (
            format!("{called} looks like an address, but it defines the process type `{name}`"),
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
