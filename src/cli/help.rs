//! The layout of the help: `--help` fits a screen of 24 lines of 80 columns, `dyno help COMMAND` lists every option.
//!
//! Each argument declares its heading (`help_heading`) and whether `--help` leaves it out (`hide_short_help`). A command
//! without room for an argument that it shares with other commands hides it in its own definition (`mut_arg`).

use std::ffi::OsString;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, ArgAction, Command, CommandFactory};

use super::{Cli, keyboard};

/// Headings of the full list. Arguments without one are listed under `Options`.
pub(super) const WHAT_RUNS: &str = "What runs";
pub(super) const PORTS_AND_VARIABLES: &str = "Ports and variables";
pub(super) const ROUTER: &str = "Router";
pub(super) const LIFE: &str = "Life of a dyno";
pub(super) const OUTPUT: &str = "Terminal and output";

/// The widest line, even on a wider terminal or without a terminal.
const SCREEN_COLUMNS: usize = 80;

/// Which options the help lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// The ones that fit a screen, without headings.
    Screen,
    /// All of them, under headings.
    Whole,
}

/// Commands for which the screen has no room. `dyno help` lists them as well.
pub(super) const ONLY_IN_WHOLE: [&str; 16] = [
    "completions",
    "config:get",
    "config:set",
    "config:unset",
    "env",
    "export",
    "man",
    "mcp",
    "release",
    // The log names it when a file has changed.
    "reload",
    "releases",
    "releases:info",
    "rollback",
    "router",
    "screen",
    "wait",
];

impl Extent {
    /// The extent that a command line requests.
    pub(super) fn wanted(words: &[OsString]) -> Self {
        if words.get(1).is_some_and(|word| word == "help") { Self::Whole } else { Self::Screen }
    }
}

/// The command line of `dyno` with its help laid out.
pub(super) fn command(extent: Extent) -> Command {
    // clap's own flag prints the whole list for `--help` and the short one for `-h`.
    let root = Cli::command().disable_help_flag(true).disable_version_flag(true).max_term_width(SCREEN_COLUMNS);
    // Not in `--help`: the commands need the room on the screen.
    let version = Arg::new("version")
        .short('V')
        .short_alias('v')
        .long("version")
        .action(ArgAction::Version)
        .help("Print version");
    let root = root.arg(version.hide_short_help(true));
    let visible = root.get_subcommands().filter(|command| !command.is_hide_set());
    let pages: Vec<String> = visible.map(|command| command.get_name().to_owned()).collect();
    let root = laid_out(root, extent).mut_subcommands(|command| laid_out(command, extent));
    let root = root.mut_subcommand("start", keyboard::with_keys);
    let root = ONLY_IN_WHOLE
        .iter()
        .fold(root, |root, name| root.mut_subcommand(*name, |command| command.hide(extent == Extent::Screen)));
    // The manual itself calls the page of `start` dyno-start(1).
    let pages = pages.into_iter().map(|name| PossibleValue::new(name.clone()).alias(format!("dyno-{name}")));
    let pages = PossibleValuesParser::new(pages);
    root.mut_subcommand("man", |man| man.mut_arg("page", |page| page.value_parser(pages)))
}

/// The command line of `dyno` with the full help: all options under their headings.
#[must_use]
pub fn whole_command() -> Command {
    command(Extent::Whole)
}

fn laid_out(command: Command, extent: Extent) -> Command {
    let (name, is_root) = (command.get_name().to_owned(), command.get_name() == "dyno");
    let hides_options = command.get_arguments().any(|arg| arg.is_hide_short_help_set() && !arg.is_hide_set());
    let text = match extent {
        _ if is_root || !hides_options => "Print this help".to_owned(),
        Extent::Screen => format!("Print this; `dyno help {name}` lists all options"),
        Extent::Whole => "Print the short help".to_owned(),
    };
    let flag = flag().help(text);
    let command = match extent {
        Extent::Screen => command.mut_args(|arg| arg.help_heading(None::<&str>)),
        Extent::Whole => command,
    };
    command.arg(flag.hide_short_help(is_root))
}

/// `-h` and `--help` of every command.
pub(super) fn flag() -> Arg {
    Arg::new("help").short('h').long("help").action(ArgAction::HelpShort)
}

/// Replaces clap's description of `help`. clap adds that command only when it builds the whole command line, which takes
/// too long for every start.
pub(super) fn with_described_help(mut command: Command) -> Command {
    command.build();
    command.mut_subcommand("help", |help| help.about("Print all options of a command, or a page about a topic"))
}
