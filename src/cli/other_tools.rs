//! What `dyno` has for the commands and options of foreman, honcho, heroku, overmind and hivemind (S13.4).
//!
//! A row is removed when `dyno` gets a command or an option of that name.

/// The tools that `dyno` replaces: `dyno foreman start` means `dyno start`.
pub const TOOLS: [&str; 5] = ["foreman", "heroku", "honcho", "overmind", "hivemind"];

/// What to type instead of a command of another tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandInstead {
    /// These words in its place.
    Words(&'static [&'static str]),
    /// The terminal of the dyno that follows.
    Attach,
    /// This advice.
    Advice(&'static str),
}

use CommandInstead::{Advice, Attach, Words};

/// Commands of other tools. Those of Heroku are also written with a blank: `config set`.
const COMMANDS: &[(&[&str], CommandInstead)] = &[
    (&["up", "dev", "server", "serve"], Words(&["start"])),
    (&["exec", "run:inside"], Words(&["run"])),
    (&["ps:exec"], Advice("`dyno attach web.1` types into a dyno; `dyno run bash` opens a shell with its config vars")),
    (&["variables"], Words(&["config"])),
    (&["validate", "lint"], Words(&["check"])),
    (&["config:edit"], Advice("`dyno config:set KEY=VALUE` changes a value; or open .env in an editor")),
    (&["down", "quit", "kill", "interrupt", "shutdown", "ps:kill"], Words(&["stop"])),
    (&["status", "top"], Words(&["ps"])),
    (&["log"], Words(&["logs"])),
    (&["tail", "echo"], Words(&["logs", "-t"])),
    (&["connect"], Attach),
    (&["console"], Advice("type the console's own command, such as `dyno run rails console`")),
    (&["open"], Advice("`dyno config --explain PORT` shows the ports to open in a browser")),
    (&["init"], Advice("create a Procfile with a line such as `web: npm start`, then type `dyno start`")),
    (&["login", "logout", "auth"], Advice("no account is needed: `dyno start` runs the app on this machine")),
];

/// What to type instead of a command of another tool.
#[must_use]
pub fn instead_of_command(word: &str) -> Option<CommandInstead> {
    COMMANDS.iter().find(|(names, _)| names.contains(&word)).map(|(_, instead)| *instead)
}

/// What to type instead of an option of another tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OptionInstead {
    /// This option with the same value.
    Renamed(&'static str),
    /// These words; the value of the option is dropped.
    Switch(&'static str),
    /// This advice.
    Advice(&'static str),
}

/// Options of overmind and hivemind, and `config --get` of other tools.
const OPTIONS: &[(&[&str], OptionInstead)] = &[
    (&["-P"], OptionInstead::Renamed("--port-step")),
    (&["-i", "--stop-signals"], OptionInstead::Renamed("--stop-signal")),
    (&["--ignored-processes"], OptionInstead::Renamed("--except")),
    (&["--get"], OptionInstead::Renamed("--explain")),
    (&["-r", "--auto-restart"], OptionInstead::Switch("--restart")),
    (&["--any-can-die"], OptionInstead::Switch("--can-die all=any")),
    (&["-T", "--show-timestamps"], OptionInstead::Advice("leave it out: the log shows the time of day")),
    (&["-D", "--daemonize"], OptionInstead::Switch("--detach")),
    (&["-N", "--no-port"], OptionInstead::Advice("leave it out: every dyno gets a `PORT`, which it may ignore")),
    (&["-b", "--colors"], OptionInstead::Advice("leave it out: each process type has a colour of its own")),
    (
        &["-H", "--shell"],
        OptionInstead::Advice("leave it out: `/bin/sh` runs the commands; with `--profile` it is bash"),
    ),
    (&["-w", "--title", "-F", "--tmux-config"], OptionInstead::Advice("leave it out: `dyno` does not use tmux")),
    (
        &["-s", "--socket", "-S", "--network"],
        OptionInstead::Advice("leave it out: `dyno ps` and other commands find the app by its directory"),
    ),
    (&["--formation-port-step"], OptionInstead::Advice("leave it out: `web.2` has the port after that of `web.1`")),
];

/// What to type instead of an option of another tool.
pub(super) fn instead_of_option(option: &str) -> Option<OptionInstead> {
    OPTIONS.iter().find(|(names, _)| names.contains(&option)).map(|(_, instead)| *instead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_of_dyno_is_listed_as_one_of_another_tool() {
        for command in super::super::whole_command().get_subcommands() {
            assert_eq!(instead_of_command(command.get_name()), None, "{}", command.get_name());
        }
    }
}
