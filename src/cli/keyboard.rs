//! What keys and signals do while dynos run (S6.8, S12), for `dyno help start` and the manual.

use clap::Command;

/// Keys and signals, and what each of them does.
pub const KEYS: [(&str, &str); 6] = [
    ("Ctrl-C, TERM, HUP", "stops every dyno; a second one kills"),
    ("Ctrl-\\, QUIT", "kills every dyno at once"),
    ("Ctrl-Z, TSTP", "pauses the dynos and all time limits; `fg` continues"),
    ("USR1, USR2", "are passed on to the dynos"),
    ("--focus: Ctrl-C", "goes to the dyno; twice stops all, three times kills"),
    ("--focus: other keys", "go to the dyno, including Ctrl-Z and Ctrl-\\"),
];

/// Adds this list to the command's help, between its options and its examples.
pub(super) fn with_keys(command: Command) -> Command {
    let width = KEYS.iter().map(|(key, _)| key.len()).max().unwrap_or_default();
    let list: Vec<String> = KEYS.iter().map(|(key, what)| format!("  {key:width$}  {what}")).collect();
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    command.after_long_help(format!("Keyboard and signals:\n{}\n\n{examples}", list.join("\n")))
}
