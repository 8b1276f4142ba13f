//! A command line that cannot be understood: the fact in our own words, and what to type instead.
//!
//! clap finds the mistake; this module decides the wording. `commands` adds what depends on the files of the app, such as
//! that the unknown command is a process type.

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::ProjectArgs;
use crate::app::{did_you_mean, nearest, one_of};
use crate::error::Complaint;
use crate::model::Dialect;

/// Maximum number of values of an argument that a hint lists.
const MAX_LISTED: usize = 3;

/// The hint for an option before the command that is not an option of any command.
const BEFORE_THE_COMMAND: &str =
    "only `-f`, `-d` and `-e` may come before the command; write others after it, as in `dyno start -p 3000`";

/// A command line that is not carried out.
#[derive(Debug)]
pub enum RefusedLine {
    /// It requests the help or the version: the text for stdout.
    Shown(clap::Error),
    /// It cannot be understood.
    Misread(Box<Misread>),
}

/// What is wrong with a command line.
#[derive(Debug)]
pub struct Misread {
    /// Decides the exit status.
    pub dialect: Dialect,
    /// The fact, and a hint that needs no files.
    pub complaint: Complaint,
    /// The unexpected word, if that is the mistake.
    pub stray: Option<StrayWord>,
}

/// A word that is neither a command nor an argument in its place.
#[derive(Debug, Clone)]
pub struct StrayWord {
    /// All words; the first is the program.
    pub words: Vec<OsString>,
    /// Where it is among them.
    pub at: usize,
    /// The files that the words before it name.
    pub project: ProjectArgs,
    /// The commands with a similar name, if the word is in the place of a command. None: it comes after a command.
    pub near_commands: Option<Vec<String>>,
}

impl StrayWord {
    /// The word itself, if it is text.
    #[must_use]
    pub fn word(&self) -> Option<&str> {
        self.words.get(self.at)?.to_str()
    }
}

/// The command line that was read, for messages about it.
pub(super) struct GivenLine<'a> {
    pub(super) words: &'a [OsString],
    pub(super) command: &'a Command,
    /// What to type for the program: `dyno`.
    pub(super) program: &'static str,
}

impl GivenLine<'_> {
    /// `dyno start`, or `dyno` if the line names no command.
    fn command_path(&self) -> String {
        self.subcommand()
            .map_or_else(|| self.program.to_owned(), |found| format!("{} {}", self.program, found.get_name()))
    }

    fn help_hint(&self) -> String {
        let path = self.command_path();
        match path.split_once(' ') {
            // `--help` of `dyno` leaves out what does not fit the screen.
            Some(("dyno", name)) => format!("`dyno help {name}` lists its options"),
            Some(_) => format!("`{path} --help` lists its options"),
            None => format!("`{path} --help` lists the commands"),
        }
    }

    /// The fact and the hint for a mistake that clap has found.
    pub(super) fn complaint(&self, error: &clap::Error) -> Complaint {
        let argument = self.arguments(error, ContextKind::InvalidArg);
        let shown = argument.first().map(|text| argument_name(text)).unwrap_or_default();
        let value = strings(error, ContextKind::InvalidValue).into_iter().next().unwrap_or_default();
        match error.kind() {
            ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                let hint = format!("`{0} start` runs the app; `{0} --help` lists the commands", self.program);
                Complaint::new("a command is missing", hint)
            }
            ErrorKind::InvalidSubcommand => {
                let typed = strings(error, ContextKind::InvalidSubcommand);
                Complaint::new(format!("unknown command `{}`", typed.join(" ")), self.help_hint())
            }
            ErrorKind::UnknownArgument => self.unknown_argument(&shown),
            ErrorKind::InvalidValue if value.is_empty() => {
                Complaint::new(format!("`{shown}` needs a value"), self.usage_of(&argument))
            }
            ErrorKind::InvalidValue if self.command_path() == "dyno man" => {
                let pages = strings(error, ContextKind::ValidValue);
                let near = nearest(value.trim_start_matches("dyno-"), pages.iter().map(String::as_str));
                let near: Vec<String> = near.iter().map(|name| format!("dyno man {name}")).collect();
                let hint = did_you_mean(&near).unwrap_or_else(|| "`dyno --help` lists the commands".to_owned());
                Complaint::new(format!("there is no manual page `{value}`"), hint)
            }
            ErrorKind::InvalidValue => {
                let hint = self.values_hint(error, &value);
                Complaint::new(format!("`{value}` is not a valid value for `{shown}`"), hint)
            }
            ErrorKind::ValueValidation => {
                let expected = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
                Complaint::new(format!("`{value}` is not a valid value for `{shown}`"), format!("write {expected}"))
            }
            ErrorKind::TooManyValues => {
                Complaint::new(format!("`{shown}` takes no value"), format!("write `{shown}` alone"))
            }
            ErrorKind::ArgumentConflict => {
                let others = self.arguments(error, ContextKind::PriorArg);
                let other = others.first().map(|text| argument_name(text)).unwrap_or_default();
                let fact = if other == shown {
                    format!("`{shown}` is given twice")
                } else {
                    format!("`{shown}` cannot be used with `{other}`")
                };
                Complaint::new(fact, self.without_one_of(&[&shown, &other]).unwrap_or_else(|| self.help_hint()))
            }
            ErrorKind::MissingRequiredArgument => self.missing(&argument),
            ErrorKind::InvalidUtf8 => Complaint::new(
                "an argument is not valid UTF-8",
                "write it in UTF-8; only file names may have other bytes",
            ),
            // clap's own words: none of these happens with our options.
            ErrorKind::NoEquals
            | ErrorKind::TooFewValues
            | ErrorKind::WrongNumberOfValues
            | ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::Io
            | ErrorKind::Format
            | _ => {
                let text = error.to_string();
                let fact = text.lines().next().unwrap_or_default();
                Complaint::new(fact.strip_prefix("error: ").unwrap_or(fact), self.help_hint())
            }
        }
    }

    fn unknown_argument(&self, shown: &str) -> Complaint {
        if !shown.starts_with('-') {
            return Complaint::new(format!("unexpected argument `{shown}`"), self.help_hint());
        }
        let hint = self.instead_of_option(shown).unwrap_or_else(|| {
            if self.program == "dyno" && self.subcommand().is_none() {
                BEFORE_THE_COMMAND.to_owned()
            } else {
                self.help_hint()
            }
        });
        Complaint::new(format!("unknown option `{shown}`"), hint)
    }

    /// The arguments that a mistake is about, with the names of options as they were typed: clap keeps only the main name.
    fn arguments(&self, error: &clap::Error, kind: ContextKind) -> Vec<String> {
        strings(error, kind).into_iter().map(|argument| self.as_typed(argument)).collect()
    }

    /// The text of an argument, such as `--timeout <SECONDS>`, with the other name of the option if only that was typed.
    fn as_typed(&self, argument: String) -> String {
        let name = argument_name(&argument);
        let Some(main) = name.strip_prefix("--") else { return argument };
        let options = self.subcommand().into_iter().chain([self.command]).flat_map(Command::get_arguments);
        let Some(option) = options.into_iter().find(|option| option.get_long() == Some(main)) else { return argument };
        let words = self.words.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str());
        let typed: Vec<&str> = words
            .filter_map(|word| word.strip_prefix("--")?.split('=').next())
            .filter(|name| !name.is_empty())
            .collect();
        let others = option.get_all_aliases().unwrap_or_default();
        match typed.iter().find(|name| others.contains(name)) {
            Some(other) if !typed.contains(&main) => argument.replacen(main, other, 1),
            Some(_) | None => argument,
        }
    }

    fn values_hint(&self, error: &clap::Error, value: &str) -> String {
        let valid = strings(error, ContextKind::ValidValue);
        if let Some(hint) = did_you_mean(&nearest(value, valid.iter().map(String::as_str))) {
            return hint;
        }
        if valid.is_empty() || valid.len() > MAX_LISTED {
            return format!("`{} --help` lists the values", self.command_path());
        }
        let quoted: Vec<String> = valid.iter().map(|name| format!("`{name}`")).collect();
        format!("write {}", one_of(&quoted))
    }

    fn missing(&self, arguments: &[String]) -> Complaint {
        let missing: Vec<String> = arguments.iter().flat_map(|text| text.split('|')).map(argument_name).collect();
        let quoted: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
        // Anything else is an argument that the command always needs.
        if missing.iter().any(|name| name.starts_with('-'))
            && let Some(option) = self.option_that_needs_another()
        {
            let hint = self.with_one_of(&missing).unwrap_or_else(|| self.help_hint());
            return Complaint::new(format!("`{option}` needs {}", one_of(&quoted)), hint);
        }
        Complaint::new(format!("`{}` needs {}", self.command_path(), quoted.join(" and ")), self.example())
    }

    /// The hint for an option without its value, from clap's `--timeout <SECONDS>`.
    fn usage_of(&self, argument: &[String]) -> String {
        argument.first().map_or_else(|| self.help_hint(), |text| format!("write `{}`", text.replace(['<', '>'], "")))
    }

    /// The first example of the command, or where its options are listed.
    fn example(&self) -> String {
        let path = self.command_path();
        let name = path.split(' ').nth(1).unwrap_or_default();
        let help = self.command.find_subcommand(name).and_then(Command::get_after_help).map(ToString::to_string);
        let example = help.as_deref().and_then(|help| help.lines().nth(1)).map(str::trim);
        let example = example.map(|line| line.split("  ").next().unwrap_or(line));
        example.map_or_else(|| self.help_hint(), |example| format!("for example `{example}`"))
    }
}

/// The texts that clap keeps about a mistake.
fn strings(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        Some(_) | None => Vec::new(),
    }
}

/// `--timeout` of `--timeout <SECONDS>`, `TYPE[=N]` of `[TYPE[=N]]...`, `COMMAND` of `<COMMAND>...`.
fn argument_name(text: &str) -> String {
    let text = text.trim_end_matches("...");
    let text = text.strip_prefix('<').map_or(text, |inner| inner.strip_suffix('>').unwrap_or(inner));
    let text = text.strip_suffix('>').filter(|_| !text.contains('<')).unwrap_or(text);
    let text = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(text);
    if !text.starts_with('-') {
        return text.to_owned();
    }
    text.split([' ', '=', '[']).next().unwrap_or(text).to_owned()
}
