//! What may stand at the cursor of a command line that is being typed.
//!
//! Decides by the command line's own types, so that an option is completed from the day it exists. Which kind of value
//! an option takes is read off the name of its value: `FILE`, `DIR`, `TYPE…`, or an example with `web=`.
//! Pure: which process types there are is looked up by `commands`.

use std::ffi::OsString;

use clap::{Arg, Command};

use super::help::whole_command;
use super::parse::with_colons;
use super::{ProjectArgs, typed_line};

/// Signals that are offered for `--stop-signal`.
const SIGNALS: [&str; 6] = ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2"];

/// A word that may stand there, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The whole word.
    pub word: String,
    /// One line; may be empty.
    pub meaning: String,
}

/// What may stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// One of these words; those that do not go on with what was typed are left out.
    Words(Vec<Candidate>),
    /// A process type of the Procfile.
    ProcessType(TypeSlot),
    /// The name of a file.
    File,
    /// The name of a directory.
    Directory,
    /// Something nobody can guess.
    Unknown,
}

/// Where a process type may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeSlot {
    /// What stands before it in the same word: `--formation=web=1,`.
    pub before: String,
    /// What was typed of it.
    pub typed: String,
    /// Those that are there already.
    pub taken: Vec<String>,
    /// What follows it: `=` where a value must.
    pub after: &'static str,
    /// Whether `all` may stand there as well.
    pub or_all: bool,
    /// Whether the release command may.
    pub or_release: bool,
    /// Whether any command may.
    pub or_command: bool,
}

/// The cursor of a line.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor {
    /// What may stand there.
    pub expected: Expected,
    /// The word as far as it was typed.
    pub typed: String,
    /// Which files make the app, by the options on the line.
    pub project: ProjectArgs,
}

impl Cursor {
    /// The cursor behind a line, as it was typed for a shell.
    #[must_use]
    pub fn of_line(line: &[u8]) -> Self {
        Self::of_words(typed_line::words(line))
    }

    /// The cursor behind the last of these words; it may be empty. The first is the program.
    #[must_use]
    pub fn of_words(words: Vec<OsString>) -> Self {
        let mut root = whole_command();
        root.build();
        let mut words = with_colons(words);
        let typed = if words.len() > 1 { words.pop().unwrap_or_default() } else { OsString::new() };
        let typed = typed.to_string_lossy().into_owned();
        let mut walk = Walk::new(&root);
        for word in words.iter().skip(1) {
            walk.step(word);
        }
        Self { expected: walk.expected(&typed), typed, project: walk.project }
    }
}

/// The way from the program to the cursor, word by word.
struct Walk<'a> {
    command: &'a Command,
    /// The option that waits for its value.
    option: Option<&'a Arg>,
    /// The words that are neither options nor their values.
    positionals: Vec<String>,
    /// Whether nothing is an option any more.
    options_end: bool,
    project: ProjectArgs,
}

impl<'a> Walk<'a> {
    fn new(command: &'a Command) -> Self {
        Self { command, option: None, positionals: Vec::new(), options_end: false, project: ProjectArgs::default() }
    }

    fn step(&mut self, word: &OsString) {
        if let Some(option) = self.option.take() {
            self.note(option, word);
            return;
        }
        let text = word.to_string_lossy();
        if self.options_end || !text.starts_with('-') || text == "-" {
            self.positional(&text);
        } else if text == "--" {
            self.options_end = true;
        } else if let Some(long) = text.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            self.take(self.long(name), value);
        } else {
            self.cluster(text.get(1..).unwrap_or_default());
        }
    }

    fn positional(&mut self, text: &str) {
        if self.positionals.is_empty()
            && !self.options_end
            && let Some(subcommand) = self.command.find_subcommand(text)
        {
            self.command = subcommand;
            return;
        }
        let index = self.positionals.len();
        self.options_end |= self.command.get_positionals().nth(index).is_some_and(Arg::is_trailing_var_arg_set);
        self.positionals.push(text.to_owned());
    }

    /// `-xf FILE`: the first that takes a value ends it.
    fn cluster(&mut self, shorts: &str) {
        for (at, short) in shorts.char_indices() {
            let option = self.command.get_arguments().find(|arg| arg.get_short() == Some(short));
            if option.is_some_and(|option| option.get_action().takes_values()) {
                let value = shorts.get(at + short.len_utf8()..).unwrap_or_default();
                let value = value.strip_prefix('=').unwrap_or(value);
                self.take(option, (!value.is_empty()).then_some(value));
                return;
            }
        }
    }

    fn long(&self, name: &str) -> Option<&'a Arg> {
        self.command
            .get_arguments()
            .find(|arg| arg.get_long() == Some(name) || arg.get_all_aliases().unwrap_or_default().contains(&name))
    }

    fn take(&mut self, option: Option<&'a Arg>, value: Option<&str>) {
        match (option.filter(|option| option.get_action().takes_values()), value) {
            (Some(option), Some(value)) => self.note(option, &OsString::from(value)),
            (option, None) => self.option = option,
            (None, Some(_)) => {}
        }
    }

    fn note(&mut self, option: &Arg, value: &OsString) {
        match option.get_id().as_str() {
            "procfile" => self.project.procfile = Some(value.into()),
            "root" => self.project.root = Some(value.into()),
            "env" => self.project.env = vec![value.into()],
            _ => {}
        }
    }

    fn expected(&self, typed: &str) -> Expected {
        if let Some(option) = self.option {
            return Self::value(option, "", typed, &[]);
        }
        if !self.options_end
            && let Some(long) = typed.strip_prefix("--")
        {
            let Some((name, value)) = long.split_once('=') else { return self.options() };
            return self
                .long(name)
                .map_or(Expected::Unknown, |option| Self::value(option, &format!("--{name}="), value, &[]));
        }
        if !self.options_end && typed.starts_with('-') {
            return self.options();
        }
        if self.positionals.is_empty() && self.command.has_subcommands() {
            return self.subcommands();
        }
        // The last one takes all that follow.
        let count = self.command.get_positionals().count();
        let index = self.positionals.len();
        match self.command.get_positionals().nth(index.min(count.saturating_sub(1))) {
            Some(arg) if index < count || is_repeated(arg) => {
                if arg.is_trailing_var_arg_set() && index > 0 {
                    return Expected::File;
                }
                Self::value(arg, "", typed, &self.positionals)
            }
            Some(_) | None => Expected::Unknown,
        }
    }

    fn options(&self) -> Expected {
        let visible = self.command.get_arguments().filter(|arg| !arg.is_hide_set());
        let long = visible.filter_map(|arg| Some((format!("--{}", arg.get_long()?), arg.get_help())));
        Expected::Words(long.map(|(word, help)| candidate(word, help.map(ToString::to_string))).collect())
    }

    fn subcommands(&self) -> Expected {
        let visible = self.command.get_subcommands().filter(|command| !command.is_hide_set());
        let named = visible
            .map(|command| candidate(command.get_name().to_owned(), command.get_about().map(ToString::to_string)));
        Expected::Words(named.collect())
    }

    /// `before`: what stands before the value in its word. `others`: values that are there already.
    fn value(arg: &Arg, before: &str, typed: &str, others: &[String]) -> Expected {
        let values = arg.get_possible_values();
        if !values.is_empty() {
            let shown = values.iter().filter(|value| !value.is_hide_set());
            let words = shown.map(|value| {
                candidate(format!("{before}{}", value.get_name()), value.get_help().map(ToString::to_string))
            });
            return Expected::Words(words.collect());
        }
        let names = arg.get_value_names().unwrap_or_default();
        let name = names.first().map_or("", |name| name.as_str());
        if name.starts_with("FILE") {
            return Expected::File;
        }
        if name.starts_with("DIR") {
            return Expected::Directory;
        }
        let or_command = arg.is_trailing_var_arg_set();
        if !(name.starts_with("TYPE") || name.contains("web=") || or_command) {
            return Expected::Unknown;
        }
        Self::process_type(name, before, typed, others, or_command)
    }

    fn process_type(name: &str, before: &str, typed: &str, others: &[String], or_command: bool) -> Expected {
        let (list, item) = typed.rsplit_once(',').map_or(("", typed), |(list, item)| (list, item));
        let list = if list.is_empty() { String::new() } else { format!("{list},") };
        let before = format!("{before}{list}");
        if let Some((process_type, _)) = item.split_once('=') {
            let words: &[&str] = if name.contains("=SIGNAL") {
                &SIGNALS
            } else if name.contains("=any") {
                &["any"]
            } else {
                &[]
            };
            let word = |value: &&str| candidate(format!("{before}{process_type}={value}"), None);
            return if words.is_empty() {
                Expected::Unknown
            } else {
                Expected::Words(words.iter().map(word).collect())
            };
        }
        let taken = others.iter().map(String::as_str).chain(list.split(','));
        let taken = taken.filter_map(|item| item.split('=').next()).map(str::trim).filter(|item| !item.is_empty());
        let taken = if or_command { Vec::new() } else { taken.map(str::to_owned).collect() };
        let after = if name.contains("web=") || name.contains("=SIGNAL") { "=" } else { "" };
        let or_all = name.contains("all=");
        let or_release = or_command || name.contains("[.N]");
        Expected::ProcessType(TypeSlot { before, typed: item.to_owned(), taken, after, or_all, or_release, or_command })
    }
}

fn is_repeated(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|range| range.max_values() > 1)
        || matches!(arg.get_action(), clap::ArgAction::Append)
}

/// The meaning is one line: its first.
fn candidate(word: String, meaning: Option<String>) -> Candidate {
    let meaning = meaning.unwrap_or_default();
    Candidate { word, meaning: meaning.lines().next().unwrap_or_default().to_owned() }
}
