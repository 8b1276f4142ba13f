//! Messages about the problems of a Procfile.
//!
//! It decides nothing: `line` finds the problem of a line, the parent module the problems of the whole file.

use super::line::{EntryLine, InvalidLine, Oddity};
use crate::app::command::scan::Scan;
use crate::app::env::line::holds_assignment;
use crate::app::text::problem::{Problem, Severity};
use crate::app::text::source::{SourceLine, first_word, is_blank, shortened, trim};
use crate::model::{InvalidProcessType, ProcessType};

/// Common names of process types. If a line without a colon begins with one of them, the colon is missing.
const COMMON_NAMES: [&[u8]; 8] = [b"web", b"worker", b"release", b"clock", b"scheduler", b"sidekiq", b"beat", b"cron"];

/// Programs that commands begin with. If the second word of a line without a colon is one of them and the first is not, the
/// first is a name whose colon is missing.
const USUAL_PROGRAMS: &str = "
    bash bun bundle cargo celery command cross-env deno docker dotnet env esbuild exec flask foreman go gunicorn heroku java
    make mix node nohup npm npx php pnpm poetry puma python python3 rackup rails rake ruby sh sidekiq sudo tailwindcss time
    uv uvicorn vite webpack yarn
";

fn is_usual_program(word: &[u8]) -> bool {
    USUAL_PROGRAMS.split_ascii_whitespace().any(|known| known.as_bytes() == word)
}

/// Whether the first word of a line without a colon was meant as a name.
fn is_meant_as_name(first: &[u8], rest: &[u8]) -> bool {
    let is_name = std::str::from_utf8(first).is_ok_and(|name| ProcessType::new(name).is_ok());
    is_common_name(first) || is_name && is_usual_program(first_word(rest).0) && !is_usual_program(first)
}

/// Whether this is a common name of a process type.
pub(crate) fn is_common_name(name: &[u8]) -> bool {
    COMMON_NAMES.contains(&name)
}

/// What the lines around an invalid line say about it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LineContext {
    /// The number of the line above whose command ended in a backslash.
    pub(crate) continued: Option<usize>,
    /// Whether some line of the file assigns a variable. A line without a colon may then be part of a quoted value that
    /// spans lines.
    pub(crate) has_values: bool,
}

impl LineContext {
    /// The subject of a message: the text of the line, or `this line` if the text may contain the value of a variable.
    fn label(self, body: &[u8]) -> String {
        self.shown(body).map_or_else(|| "this line".to_owned(), |text| format!("`{text}`"))
    }

    /// A part of the line as shown in a message. None if it may contain the value of a variable.
    fn shown(self, text: &[u8]) -> Option<String> {
        let may_hold_value = holds_assignment(text) || (self.has_values && !text.contains(&b':'));
        (!may_hold_value).then(|| shortened(text))
    }
}

/// The problem of a line that is not an entry.
pub(crate) fn invalid_line(line: &SourceLine<'_>, kind: &InvalidLine<'_>, context: LineContext) -> Problem {
    let label = context.label(trim(line.text));
    let at = line.number;
    let problem = |message: String, hint: &str| Problem::new(Severity::Defect, at, message, hint);
    match kind {
        InvalidLine::ConflictMarker => problem(
            format!("{label} is a merge conflict marker"),
            "keep one side of the conflict and remove the markers",
        ),
        InvalidLine::Yaml { .. } => problem(
            format!("{label} looks like YAML"),
            "write each process type and its command on one line, such as `web: npm start`",
        ),
        InvalidLine::Template => {
            problem(format!("{label} looks like a template"), "render the template and pass the result with `-f`")
        }
        InvalidLine::HerokuCommand => {
            problem(format!("{label} looks like a Heroku command"), "run it in a terminal and remove the line")
        }
        InvalidLine::Assignment { key } => problem(
            format!("`{}` is assigned here, but a Procfile has no variables", shortened(key)),
            "move the line to `.env`",
        ),
        InvalidLine::MissingColon => missing_colon(line, context, &label),
        InvalidLine::InvalidName { why: InvalidProcessType::Empty, .. } => {
            problem("there is no name before the colon".to_owned(), "write `web: COMMAND`")
        }
        InvalidLine::InvalidName { name, why } => problem(
            format!("`{}` is not a valid process type: {why}", shortened(name)),
            &format!("write `{}: COMMAND`", as_name(name)),
        ),
        InvalidLine::NameWithColon { name } => problem(
            format!("`{}` is not a valid process type: the name contains a colon", shortened(name)),
            &format!("write `{}: COMMAND`", as_name(name)),
        ),
        InvalidLine::EmptyCommand { name } => {
            let name = shortened(name);
            problem(format!("`{name}` has no command"), &format!("write `{name}: COMMAND`, or remove the line"))
                .about(name)
        }
        InvalidLine::Continued { name } => problem(
            format!("the command of `{}` ends in a backslash, but lines are not joined", shortened(name)),
            "write the whole command on one line",
        )
        .about(shortened(name)),
    }
}

fn missing_colon(line: &SourceLine<'_>, context: LineContext, label: &str) -> Problem {
    let body = trim(line.text);
    if let Some(begin) = context.continued {
        let message = format!("{label} continues line {begin}, but lines are not joined");
        return Problem::new(Severity::Defect, line.number, message, "write the whole command on one line");
    }
    let (first, rest) = first_word(body);
    if !rest.is_empty() && is_meant_as_name(first, rest) {
        let name = shortened(first);
        let message = format!("the colon after `{name}` is missing");
        let command =
            context.shown(rest).filter(|_| !Scan::of(rest).is_unfinished()).unwrap_or_else(|| "COMMAND".to_owned());
        let hint = format!("write `{name}: {command}`");
        return Problem::new(Severity::Defect, line.number, message, hint).about(name);
    }
    let is_indented = line.text.first().is_some_and(|byte| is_blank(*byte));
    // Text that the shell would reject as unfinished is not suggested as a command.
    let may_be_command = !is_indented && !Scan::of(body).is_unfinished();
    let hint = match context.shown(body).filter(|_| may_be_command) {
        Some(command) => format!("write `web: {command}`"),
        None => "write `NAME: COMMAND`, or put `#` before a comment".to_owned(),
    };
    Problem::new(Severity::Defect, line.number, format!("{label} has no process type"), hint)
}

/// The problem of an entry that is used although it is odd.
pub(crate) fn oddity(line: &SourceLine<'_>, entry: &EntryLine<'_>, odd: &Oddity<'_>) -> Problem {
    let name = entry.process_type.as_str();
    let label = LineContext::default().label(trim(line.text));
    let (message, hint) = match odd {
        Oddity::LeadingBlanks => (
            format!("there is whitespace before `{name}`"),
            "remove it: other tools ignore the line or fail".to_owned(),
        ),
        Oddity::BlankBeforeColon => (
            format!("there is whitespace between `{name}` and its colon"),
            "remove it: other tools ignore the line or fail".to_owned(),
        ),
        // The arguments are left out, because the arguments of `config:set` contain a value.
        Oddity::HerokuCommand => (
            format!(
                "`{}` looks like a Heroku command, but it defines the process type `{name}`",
                shortened(first_word(line.text).0)
            ),
            "run it in a terminal and remove the line".to_owned(),
        ),
        Oddity::Address => (
            format!("{label} looks like an address, but it defines the process type `{name}`"),
            "put `#` before it if it is a comment".to_owned(),
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
            format!("the command of `{name}` contains a carriage return"),
            "save the file with LF line endings".to_owned(),
        ),
        Oddity::WindowsVariable(variable) => {
            let bare = shortened(variable).replace('%', "");
            (format!("`{}` is a variable on Windows only", shortened(variable)), format!("write `${bare}`"))
        }
        Oddity::Unclosed(construct) => (
            format!("the command of `{name}` has an unclosed {construct}, and the shell refuses it"),
            construct.hint().to_owned(),
        ),
        Oddity::WindowsPath(path) => (
            format!("the shell drops the backslashes of `{}`", shortened(path)),
            "write `/` in paths, or pass a Procfile for this system with `-f`".to_owned(),
        ),
    };
    let severity = match odd {
        // The shell refuses the command, so it has no effect.
        Oddity::Unclosed(_) => Severity::Defect,
        Oddity::LeadingBlanks
        | Oddity::BlankBeforeColon
        | Oddity::HerokuCommand
        | Oddity::Address
        | Oddity::ColonCommand
        | Oddity::OnlyComment
        | Oddity::CarriageReturn
        | Oddity::WindowsVariable(_)
        | Oddity::WindowsPath(_) => Severity::Warning,
    };
    Problem::new(severity, line.number, message, hint).about(name)
}

/// The problem of a process type that is defined again.
pub(crate) fn duplicate(process_type: &ProcessType, earlier: usize, line: usize) -> Problem {
    let message = format!("`{process_type}` is defined on line {earlier} and again here; this command is used");
    let hint = format!("remove one of them, or rename one, for example to `{process_type}_2`, to run both");
    Problem::new(Severity::Defect, line, message, hint).about(process_type.as_str())
}

const NOT_A_PROCFILE_HINT: &str = "write lines such as `web: npm start`, or pass another file with `-f`";

/// The problem of a file of another known kind. It is an error, because a line that looks like an entry by chance must
/// not be started.
pub(crate) fn not_a_procfile(line: usize, invalid: usize, of: usize, kind: &str) -> Problem {
    let message = format!("the file looks like {kind}: {invalid} of {of} lines are not Procfile entries");
    Problem::new(Severity::Error, line, message, NOT_A_PROCFILE_HINT)
}

/// The problem that counts the lines that are not listed. `line`: the first of these lines.
pub(crate) fn many_more(line: usize, more: usize, invalid: usize, of: usize) -> Problem {
    let message = format!("and {more} more: {invalid} of {of} lines are not Procfile entries");
    Problem::new(Severity::Defect, line, message, NOT_A_PROCFILE_HINT)
}

/// The problem of a file without entries.
pub(crate) fn nothing_defined() -> Problem {
    Problem::new(Severity::Error, 1, "no process type is defined", "write a line such as `web: npm start`")
}

/// A valid name that is similar to the text.
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
