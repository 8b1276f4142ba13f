//! `dyno man`: the manual pages, generated from the command line and from the tables in this file.

use std::fmt::Write as _;
use std::io;

use clap::builder::{PossibleValue, StyledStr};
use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

use crate::cli::{KEYS, ManArgs, whole_command};
use crate::console::stdout;
use crate::error::{Error, Status, exit_statuses};
use crate::supervisor::Outcome;

/// The version takes the place of a date, which would soon be wrong.
const SOURCE: &str = concat!("dyno ", env!("CARGO_PKG_VERSION"));
const MANUAL: &str = "User Commands";

const FILES: [(&str, &str); 6] = [
    ("Procfile", "Process types, one `name: command` per line. The command of `release` runs before the others."),
    (".env", "Config vars, one KEY=VALUE per line. They override the variables of the shell."),
    (
        ".foreman",
        "Defaults of options: port, formation, concurrency, procfile, env, root, timeout, app, after, watch, router, timestamp, color. Options override them.",
    ),
    (".dynoignore", "Files that --watch leaves out, in the format of .gitignore, which it reads as well."),
    (
        "$XDG_RUNTIME_DIR/dyno, /tmp/dyno-UID",
        "Locks and sockets of running apps, and locks on the ports that `-p auto` chose.",
    ),
    ("$XDG_STATE_HOME/dyno/ports, ~/.local/state/dyno/ports", "The ports of each checkout."),
];

/// Variables that `dyno` itself reads (S1.7, S5.2, S7.2, S13.3).
const ENVIRONMENT: [(&str, &str); 9] = [
    ("PORT", "The base port, unless -p, --set, .foreman or .env gives one."),
    ("PROCFILE", "The Procfile to read, unless -f, --set or .env gives one."),
    ("NO_COLOR", "Not empty: no colours, unless --color always."),
    ("CLICOLOR=0, TERM=dumb", "No colours on a terminal, unless they are forced."),
    ("CLICOLOR_FORCE, FORCE_COLOR", "Unless empty, 0 or false: colours even if stdout is not a terminal."),
    ("TZ", "The time zone of the times in the log."),
    ("XDG_RUNTIME_DIR", "The directory for locks and sockets."),
    ("XDG_STATE_HOME", "The directory for the ports of each checkout."),
    ("PATH", "Where run looks for commands."),
];

/// Variables that each dyno gets (S3.1).
const DYNO_ENVIRONMENT: [(&str, &str); 8] = [
    ("PORT", "The port to listen on: base + 100 × position in the Procfile + (index − 1)."),
    ("DYNO, PS", "The name of the dyno, such as web.1."),
    ("DYNO_APP", "The name of the app."),
    ("DYNO_URL", "The address of the app: that of its router, or of web.1, unless set already."),
    (
        "WEB_PORT, WEB_URL",
        "The port and the address of web.1, and such a pair for each type of --ready, unless set already.",
    ),
    ("FOREMAN_WORKER_NAME, HONCHO_PROCESS_NAME", "The same name, unless set already."),
    ("PYTHONUNBUFFERED", "1, unless set already: Python's output is shown at once."),
    ("DYNO_SESSION", "Random number of this start, used to find its processes."),
];

/// Prints the page of `dyno` or of one subcommand.
pub(super) fn run(args: &ManArgs) -> Result<Outcome, Error> {
    let mut command = whole_command().disable_help_subcommand(true);
    command.build();
    let page = match &args.page {
        None => page_of(&command, None),
        Some(name) => match command.find_subcommand(name.strip_prefix("dyno-").unwrap_or(name)) {
            Some(subcommand) => page_of(subcommand, Some(&command)),
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        },
    };
    let page = page.map_err(|error| Error::new(Status::Internal, format!("cannot create the page: {error}"), ""))?;
    stdout::write(&in_ascii(&page))
}

/// `root`: the command that this one belongs to.
fn page_of(command: &Command, root: Option<&Command>) -> io::Result<Vec<u8>> {
    let usage = usage(command);
    let command = command.clone().override_usage(usage).subcommand_help_heading("COMMANDS").mut_args(one_paragraph);
    let title = command.get_display_name().unwrap_or("dyno").to_uppercase();
    let man = Man::new(command.clone());
    let mut page = format!(".TH \"{title}\" \"1\" \"\" \"{SOURCE}\" \"{MANUAL}\"\n").into_bytes();
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if root.is_none() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut roff = Roff::new();
    if root.is_none() || command.get_name() == "start" {
        definitions(&mut roff, "KEYBOARD AND SIGNALS", &KEYS);
    }
    if root.is_none() {
        let statuses: Vec<(String, &str)> = exit_statuses().collect();
        let statuses: Vec<(&str, &str)> = statuses.iter().map(|(status, when)| (status.as_str(), *when)).collect();
        definitions(&mut roff, "EXIT STATUS", &statuses);
        definitions(&mut roff, "FILES", &FILES);
        definitions(&mut roff, "ENVIRONMENT", &ENVIRONMENT);
        roff.control("PP", []).text([roman("Each dyno gets these variables:")]);
        entries(&mut roff, &DYNO_ENVIRONMENT);
    }
    examples(&mut roff, &command);
    roff.control("SH", ["SEE ALSO"]);
    let others = root.unwrap_or(&command).get_subcommands().filter(|other| !other.is_hide_set());
    let names = others.map(Command::get_name).filter(|name| *name != "help" && *name != command.get_name());
    let names = names.map(|name| format!("dyno-{name}(1)")).chain(root.map(|_| "dyno(1)".to_owned()));
    roff.text([roman(names.collect::<Vec<_>>().join(", "))]);
    roff.to_writer(&mut page)?;
    Ok(page)
}

/// The usage line of the help, without its label. A list of all options would not help.
fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    usage.strip_prefix("Usage: ").unwrap_or(&usage).to_owned()
}

/// Paragraphs and lists of values would break up the list of options.
fn one_paragraph(arg: Arg) -> Arg {
    let help = arg.get_long_help().or_else(|| arg.get_help()).map(StyledStr::to_string).unwrap_or_default();
    let mut sentences: Vec<String> = help.split("\n\n").map(str::to_owned).collect();
    if !arg.is_hide_possible_values_set() {
        let values = arg.get_possible_values();
        let names: Vec<&str> = values.iter().map(PossibleValue::get_name).collect();
        if !names.is_empty() && arg.get_action().takes_values() {
            sentences.push(format!("One of {}", names.join(", ")));
        }
    }
    arg.long_help(sentences.join(". ")).hide_possible_values(true)
}

/// The same page in characters that every `roff` reads and every terminal shows. In the C locale groff leaves out an
/// ellipsis.
fn in_ascii(page: &[u8]) -> String {
    let mut text = String::with_capacity(page.len());
    for char in String::from_utf8_lossy(page).chars() {
        match char {
            '…' => text.push_str("..."),
            char if char.is_ascii() => text.push(char),
            char => {
                let _ = write!(text, "\\[u{:04X}]", u32::from(char));
            }
        }
    }
    text
}

fn definitions(roff: &mut Roff, heading: &str, pairs: &[(&str, &str)]) {
    roff.control("SH", [heading]);
    entries(roff, pairs);
}

fn entries(roff: &mut Roff, pairs: &[(&str, &str)]) {
    for (term, text) in pairs {
        roff.control("TP", []).text([bold(*term)]).text([roman(*text)]);
    }
}

/// The examples at the end of the help: one per line, a command and what it does.
fn examples(roff: &mut Roff, command: &Command) {
    let help = command.get_after_help().map(StyledStr::to_string).unwrap_or_default();
    let Some(text) = help.strip_prefix("Examples:\n") else { return };
    let (lines, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    roff.control("SH", ["EXAMPLES"]);
    for line in lines.lines() {
        let (example, meaning) = line.trim().split_once("   ").unwrap_or((line.trim(), ""));
        roff.control("TP", []).text([bold(example)]).text([italic(meaning.trim())]);
    }
    if !rest.is_empty() {
        roff.control("PP", []).text([roman(rest)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::ForemanFile;

    #[test]
    fn s4_5_the_manual_names_every_key_of_the_foreman_file() {
        let (_, text) = FILES.iter().find(|(name, _)| *name == ".foreman").unwrap();

        let words: Vec<&str> = text.split([' ', ',', '.']).collect();
        assert!(ForemanFile::KEYS.iter().all(|key| words.contains(key)), "{text}");
    }
}
