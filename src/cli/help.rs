//! The shape of the help: `--help` is one screen of 24 lines of 80 columns, `dyno help COMMAND` tells everything.
//!
//! Decides which options a screen shows and under which heading the whole list has them. Where a command has a table
//! here, options that it does not name are left to the whole list: a new one never makes the screen longer by itself.

use std::ffi::OsString;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command, CommandFactory};

use super::Cli;

/// What the screen of a command shows if it has more options than fit. Commands that are not here show all of theirs.
const ON_SCREEN: [(&str, &[&str]); 5] =
    [("dyno", &[]), ("start", START), ("local", START), ("release", RELEASE), ("smoke", SMOKE)];
const START: &[&str] = &["procfile", "env", "formation", "except", "port", "timeout", "can_die", "restart", "heroku"];

const SMOKE: &[&str] = &["command", "types", "start", "http", "boot_timeout", "settle", "can_die", "ready", "junit"];
const RELEASE: &[&str] = &["procfile", "env", "set", "heroku", "profile", "timeout", "log_dir"];

/// The headings of the whole list; other options stand under `Options`.
const HEADINGS: [(&str, &[&str]); 4] = [
    ("What runs", &["processes", "formation", "concurrency", "except", "no_release", "start", "start_cmd"]),
    ("Ports and variables", &["port", "port_step", "strict_ports", "set", "prefer_shell"]),
    ("Life of a dyno", LIFE),
    ("Terminal and output", OUTPUT),
];
const LIFE: &[&str] = &[
    "restart",
    "max_restarts",
    "max_delay",
    "http",
    "http_status",
    "settle",
    "grace",
    "ready",
    "boot_timeout",
    "can_die",
    "stop_signal",
    "stop_all",
    "timeout",
    "heroku",
    "profile",
];
const OUTPUT: &[&str] = &[
    "focus",
    "pty",
    "stdin",
    "color",
    "no_timestamps",
    "no_prefix",
    "quiet",
    "log_format",
    "log_dir",
    "junit",
    "json",
];

/// Where lines are broken, however wide the terminal is, or if there is none.
const SCREEN_COLUMNS: usize = 80;

/// How much of the options the help tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// What fits a screen, in one list.
    Screen,
    /// All of them, under headings.
    Whole,
}

impl Extent {
    /// What a line of words asks for.
    pub(super) fn wanted(words: &[OsString]) -> Self {
        if words.get(1).is_some_and(|word| word == "help") { Self::Whole } else { Self::Screen }
    }
}

/// The command line of `dyno` with its help in shape.
pub(super) fn command(extent: Extent) -> Command {
    // clap's own flag would print the whole list for `--help` and the screen for `-h`.
    let root = Cli::command().disable_help_flag(true).disable_version_flag(true).max_term_width(SCREEN_COLUMNS);
    // The place on the screen belongs to the commands.
    let version = Arg::new("version").short('V').long("version").action(ArgAction::Version).help("Print version");
    let root = root.arg(version);
    let visible = root.get_subcommands().filter(|command| !command.is_hide_set());
    let pages: Vec<String> = visible.map(|command| command.get_name().to_owned()).collect();
    let root = in_shape(root, extent).mut_subcommands(|command| in_shape(command, extent));
    root.mut_subcommand("man", |man| man.mut_arg("page", |page| page.value_parser(PossibleValuesParser::new(pages))))
}

/// The command line of `dyno` with all options under their headings.
#[must_use]
pub fn whole_command() -> Command {
    command(Extent::Whole)
}

fn in_shape(command: Command, extent: Extent) -> Command {
    let name = command.get_name().to_owned();
    let on_screen = ON_SCREEN.iter().find(|(known, _)| *known == name).map(|(_, ids)| *ids);
    let is_off = move |id: &str| on_screen.is_some_and(|ids| !ids.contains(&id));
    let text = if on_screen.is_some() && name != "dyno" {
        format!("Print this; `dyno help {name}` tells all")
    } else {
        "Print this".to_owned()
    };
    let flag = Arg::new("help").short('h').long("help").action(ArgAction::HelpShort).help(text);
    let command = match extent {
        Extent::Screen => {
            command.mut_args(|arg| if is_off(arg.get_id().as_str()) { arg.hide_short_help(true) } else { arg })
        }
        Extent::Whole => command.mut_args(under_heading),
    };
    command.arg(flag.hide_short_help(extent == Extent::Screen && name == "dyno"))
}

fn under_heading(arg: Arg) -> Arg {
    match HEADINGS.iter().find(|(_, ids)| ids.contains(&arg.get_id().as_str())) {
        Some((heading, _)) => arg.help_heading(*heading),
        None => arg,
    }
}
