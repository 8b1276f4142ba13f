//! What to type instead of a command line that cannot be understood.
//!
//! Every suggested line is parsed first, so that a hint never leads to the next error.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Arg, Command};

use super::help;
use super::other_tools::{self, OptionInstead};
use super::refusal::GivenLine;
use crate::app::{did_you_mean, nearest, shown_words, some_in_words};

/// Values to suggest for an option that is missing because another option needs it.
const USUAL_VALUES: [(&str, &str); 2] = [("--explain", "PORT"), ("--http", "/")];

impl GivenLine<'_> {
    /// The index of the word that is the command. None: an unknown option comes before it, or there is no command.
    pub(super) fn command_at(&self) -> Option<usize> {
        let mut words = self.words.iter().enumerate().skip(1);
        while let Some((at, word)) = words.next() {
            let word = word.to_str()?;
            if !word.starts_with('-') {
                return self.command.find_subcommand(word).map(|_| at);
            }
            if option_named(self.command, word)?.value_follows {
                words.next();
            }
        }
        None
    }

    /// The command that the line names.
    pub(super) fn subcommand(&self) -> Option<&Command> {
        self.command.find_subcommand(self.words.get(self.command_at()?)?)
    }

    /// The hint for an option that the command does not have.
    pub(super) fn instead_of_option(&self, option: &str) -> Option<String> {
        let name = option.trim_start_matches('-');
        let command = self.subcommand();
        if command.is_none()
            && let Some(line) = self.with_command_first()
        {
            return did_you_mean(&[line]);
        }
        self.instead_of_other_tools_option(option)
            .or_else(|| command.and_then(|command| self.commands_with(option, command)))
            .or_else(|| did_you_mean(&near_options(command.unwrap_or(self.command), name)))
    }

    /// `dyno start -p 3000` for `dyno -p 3000 start` and `dyno -p 3000`.
    fn with_command_first(&self) -> Option<String> {
        let is_command =
            |word: &OsString| word.to_str().is_some_and(|word| self.command.find_subcommand(word).is_some());
        let places: Vec<usize> =
            self.words.iter().enumerate().skip(1).filter(|(_, word)| is_command(word)).map(|(at, _)| at).collect();
        let moved = places.iter().map(|at| {
            let mut words = self.words.to_vec();
            let command = words.remove(*at);
            words.insert(1, command);
            words
        });
        let started = places.is_empty().then(|| {
            let mut words = self.words.to_vec();
            words.insert(1, "start".into());
            words
        });
        moved.chain(started).find(|words| self.accepts(words)).map(|words| self.shown(words))
    }

    /// The option of `dyno` for one of another tool.
    fn instead_of_other_tools_option(&self, option: &str) -> Option<String> {
        let instead = other_tools::instead_of_option(option).filter(|_| self.program == "dyno")?;
        let at = self.words.iter().skip(1).position(|word| word.as_encoded_bytes().starts_with(option.as_bytes()))? + 1;
        let own_value = self.words.get(at)?.to_str()?.strip_prefix(option)?;
        let own_value = own_value.strip_prefix('=').unwrap_or(own_value);
        let mut words = self.words.to_vec();
        let has_value = own_value.is_empty() && words.get(at + 1).is_some_and(|word| !starts_with_dash(word));
        match instead {
            OptionInstead::Renamed(name) => {
                let own_value = Some(own_value).filter(|value| !value.is_empty());
                words.splice(at..=at, [name].into_iter().chain(own_value).map(OsString::from));
            }
            OptionInstead::Switch(switch) => {
                words.splice(at..=at + usize::from(has_value), switch.split(' ').map(OsString::from));
            }
            OptionInstead::Advice(advice) => {
                return matches!(self.subcommand()?.get_name(), "start" | "local").then(|| advice.to_owned());
            }
        }
        if self.accepts(&words) { did_you_mean(&[self.shown(words)]) } else { None }
    }

    /// Other commands that have exactly this option. `command`: the one of the line.
    fn commands_with(&self, option: &str, command: &Command) -> Option<String> {
        // Some are hidden only because the screen has no room for them.
        let is_listed = |other: &&Command| !other.is_hide_set() || help::ONLY_IN_WHOLE.contains(&other.get_name());
        let others = self.command.get_subcommands().filter(is_listed);
        let others = others.filter(|other| other.get_name() != command.get_name());
        let found = others.filter(|other| option_named(other, option).is_some_and(|found| !found.arg.is_hide_set()));
        let mut names: Vec<&str> = found.map(Command::get_name).collect();
        // Most people mean `start`, and only the first names are shown.
        names.sort_by_key(|name| *name != "start");
        let names: Vec<String> = names.iter().map(|name| format!("{} {name}", self.program)).collect();
        (!names.is_empty()).then(|| format!("`{option}` is an option of {}", some_in_words(&names)))
    }

    /// The option of the line that needs another option, which is missing.
    pub(super) fn option_that_needs_another(&self) -> Option<String> {
        let (command, mut at) = (self.subcommand()?, self.command_at()? + 1);
        let mut words = self.words.to_vec();
        while let Some(word) = words.get(at).and_then(|word| word.to_str()).filter(|word| *word != "--") {
            let Some(option) = option_named(command, word) else {
                at += 1;
                continue;
            };
            let word = word.to_owned();
            words.drain(at..words.len().min(at + option.words()));
            if self.failure(&words) != Some(ErrorKind::MissingRequiredArgument) {
                let typed = word.split('=').next().filter(|name| name.starts_with("--"));
                return typed.map(str::to_owned).or_else(|| option.arg.get_long().map(|long| format!("--{long}")));
            }
        }
        None
    }

    /// The line with the first of these options that makes it complete.
    pub(super) fn with_one_of(&self, options: &[String]) -> Option<String> {
        let at = self.command_at()? + 1;
        let lines = options.iter().map(|option| {
            let value = USUAL_VALUES.iter().find(|(name, _)| name == option).map(|(_, value)| *value);
            let mut words = self.words.to_vec();
            words.splice(at..at, [option.as_str()].into_iter().chain(value).map(OsString::from));
            words
        });
        did_you_mean(&[self.shown(lines.into_iter().find(|words| self.accepts(words))?)])
    }

    /// Each valid line that is left if one of these options is removed once.
    pub(super) fn without_one_of(&self, options: &[&str]) -> Option<String> {
        let command = self.subcommand()?;
        let named = |word: &OsString| option_named(command, word.to_str()?);
        let excluded: Vec<&str> =
            options.iter().filter_map(|name| Some(option_named(command, name)?.arg.get_id().as_str())).collect();
        let removable = |option: &NamedOption<'_>| excluded.contains(&option.arg.get_id().as_str());
        let mut lines: Vec<String> = Vec::new();
        // The line that keeps the option typed first is suggested first.
        for (at, word) in self.words.iter().enumerate().rev() {
            let Some(option) = named(word).filter(removable) else { continue };
            let mut words = self.words.to_vec();
            words.drain(at..words.len().min(at + option.words()));
            if self.accepts(&words) {
                lines.push(self.shown(words));
            }
        }
        lines.dedup();
        did_you_mean(&lines)
    }

    /// Whether the line is valid, or asks for a help text.
    fn accepts(&self, words: &[OsString]) -> bool {
        self.failure(words).is_none()
    }

    fn failure(&self, words: &[OsString]) -> Option<ErrorKind> {
        let error = self.command.clone().try_get_matches_from(words).err()?;
        error.use_stderr().then(|| error.kind())
    }

    /// The line as the user types it.
    fn shown(&self, mut words: Vec<OsString>) -> String {
        if let Some(program) = words.first_mut() {
            *program = self.program.into();
        }
        shown_words(&words)
    }
}

/// An option as a word of the line names it.
struct NamedOption<'a> {
    arg: &'a Arg,
    /// Whether its value is the next word.
    value_follows: bool,
}

impl NamedOption<'_> {
    /// How many words it takes.
    fn words(&self) -> usize {
        1 + usize::from(self.value_follows)
    }
}

/// The option of the command that a word such as `-p`, `-p3000`, `--port` or `--port=3000` names.
fn option_named<'a>(command: &'a Command, word: &str) -> Option<NamedOption<'a>> {
    let (found, has_value) = if let Some(long) = word.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        let is_named = |arg: &&Arg| {
            arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
        };
        (command.get_arguments().find(is_named), value.is_some())
    } else {
        let short = word.strip_prefix('-')?.chars().next()?;
        (command.get_arguments().find(|arg| arg.get_short() == Some(short)), word.len() > 1 + short.len_utf8())
    };
    let arg = found?;
    Some(NamedOption {
        arg,
        value_follows: arg.get_action().takes_values() && !has_value && !arg.is_require_equals_set(),
    })
}

/// Options with a similar name, by our own measure: clap's suggests `--no-prefix` for `--nope`.
fn near_options(command: &Command, name: &str) -> Vec<String> {
    let options = command.get_arguments().filter(|option| !option.is_hide_set());
    let near = nearest(name, options.filter_map(Arg::get_long));
    near.into_iter().map(|name| format!("--{name}")).collect()
}

fn starts_with_dash(word: &OsString) -> bool {
    word.as_encoded_bytes().starts_with(b"-")
}
