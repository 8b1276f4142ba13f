//! A command line that cannot be understood: the help, or what to type instead: for `dyno web`, `dyno start web`.
//!
//! Looks at the files of the app, like completion: opens regular files only, does not wait long for them, and does not
//! report problems in them.

use std::ffi::OsString;

use clap::ColorChoice;

use crate::app::{Procfile, did_you_mean, is_env_key, list_items, nearest, shown_words};
use crate::cli::{CommandInstead, RefusedLine, StrayWord, TOOLS, instead_of_command, whole_command};
use crate::console::{diagnostics, stdout};
use crate::error::{Error, Status};
use crate::model::Dialect;
use crate::project::Findings;
use crate::project::Places;
use crate::project::files;
use crate::project::missing_procfile::another_with;
use crate::project::program_lookup::is_program;
use crate::project::quick_lookup::{FOR_A_HINT, look_up_within};
use crate::settings::VariableOptions;
use crate::settings::file_option;
use crate::supervisor::Outcome;

/// Maximum number of commands that one hint offers.
const MAX_OFFERED: usize = 3;

/// Programs that delete something or end other programs: no hint suggests such a command.
const NEVER_OFFERED: [&str; 12] =
    ["dd", "halt", "killall", "mkfs", "mv", "pkill", "poweroff", "reboot", "rm", "rmdir", "shred", "truncate"];

/// Shows the requested help, or why a command line cannot be understood and what to type instead.
///
/// # Errors
/// Status 74: the help could not be written.
pub fn refuse(refusal: &RefusedLine) -> Result<Outcome, Error> {
    match refusal {
        RefusedLine::Shown(text) => stdout::outcome(text.print()),
        RefusedLine::Misread(misread) => {
            diagnostics::choose_color(ColorChoice::Auto);
            let mut complaint = misread.complaint.clone();
            if let Some(hint) = misread.stray.as_ref().and_then(hint_in_time) {
                complaint.hint = hint;
            }
            diagnostics::show_error(&Error::all(Status::Usage, [complaint]));
            Ok(Outcome::Code(misread.dialect.usage_status()))
        }
    }
}

/// The hint for a word that is not a command or an argument. None: nothing similar was found in time.
fn hint_in_time(stray: &StrayWord) -> Option<String> {
    let stray = stray.clone();
    look_up_within(FOR_A_HINT, move || hint(&stray)).flatten()
}

fn hint(stray: &StrayWord) -> Option<String> {
    let word = stray.word()?;
    match &stray.near_commands {
        Some(near) => for_command(stray, word, near),
        None => did_you_mean(&[with_words(stray, &[file_option(word)?])]),
    }
}

fn for_command(stray: &StrayWord, word: &str, near: &[String]) -> Option<String> {
    let app = App::of(stray);
    let types = app.as_ref().map(App::process_types).unwrap_or_default();
    let names: Vec<&str> = list_items(word).filter_map(|item| item.split('=').next()).collect();
    if names.iter().all(|name| types.iter().any(|known| known == name)) {
        return did_you_mean(&[with_words(stray, &["start"])]);
    }
    if TOOLS.contains(&word) {
        return without_tool(stray);
    }
    if let Some(instead) = instead_of_command(word) {
        return Some(for_other_tool(stray, instead, &types));
    }
    if let Some(option) = file_option(word) {
        return did_you_mean(&[with_words(stray, &["start", option])]);
    }
    if let Some(file) = app.and_then(|app| another_with(&app.places, &names)) {
        return did_you_mean(&[with_words(stray, &["start", "-f", &file])]);
    }
    let mut offered = near.to_vec();
    offered
        .extend(nearest(word, types.iter().map(String::as_str)).into_iter().map(|name| format!("dyno start {name}")));
    if is_program(word) && !NEVER_OFFERED.contains(&word) {
        offered.push(with_words(stray, &["run"]));
    }
    offered.truncate(MAX_OFFERED);
    did_you_mean(&offered)
}

/// The line without the name of the tool: `dyno foreman start`.
fn without_tool(stray: &StrayWord) -> Option<String> {
    let mut words = stray.words.clone();
    words.remove(stray.at);
    let next = words.get(stray.at).and_then(|word| word.to_str()).unwrap_or("start");
    if next.starts_with('-') || whole_command().find_subcommand(next).is_some() {
        let start = (stray.at >= words.len() || next.starts_with('-')).then(|| OsString::from("start"));
        words.splice(stray.at..stray.at, start);
        return did_you_mean(&[shown_as_dyno(words)]);
    }
    hint(&StrayWord { words, at: stray.at, project: stray.project.clone(), near_commands: Some(Vec::new()) })
}

/// The hint for a command of another tool. `types`: the process types of the app.
fn for_other_tool(stray: &StrayWord, instead: CommandInstead, types: &[String]) -> String {
    let arguments: Vec<&str> = stray.words.iter().skip(stray.at + 1).filter_map(|word| word.to_str()).collect();
    match instead {
        CommandInstead::Words(words) => {
            let mut line = stray.words.clone();
            line.splice(stray.at..=stray.at, words.iter().map(OsString::from));
            format!("did you mean `{}`?", shown_as_dyno(line))
        }
        CommandInstead::Attach => {
            let named = arguments.first().copied().or_else(|| types.first().map(String::as_str)).unwrap_or("web");
            format!("did you mean `dyno attach {named}`?")
        }
        CommandInstead::Advice(advice) => about_key(advice, &arguments),
    }
}

/// The advice with the key of the line in place of `KEY`.
fn about_key(advice: &str, arguments: &[&str]) -> String {
    let key = arguments.first().map(|word| word.split('=').next().unwrap_or(word));
    key.filter(|key| is_env_key(key.as_bytes())).map_or_else(|| advice.to_owned(), |key| advice.replace("KEY", key))
}

/// The line with these words before the stray one.
fn with_words(stray: &StrayWord, inserted: &[&str]) -> String {
    let mut words = stray.words.clone();
    words.splice(stray.at..stray.at, inserted.iter().map(OsString::from));
    shown_as_dyno(words)
}

/// The line to show: it begins with `dyno`, whatever name the program was called by.
fn shown_as_dyno(mut words: Vec<OsString>) -> String {
    if let Some(program) = words.first_mut() {
        *program = "dyno".into();
    }
    shown_words(&words)
}

/// The files that the line selects.
struct App {
    places: Places,
    procfile: Option<Procfile>,
}

impl App {
    fn of(stray: &StrayWord) -> Option<Self> {
        let places = Places::find(stray.project.clone().into(), Dialect::Dyno, &mut Findings::default())?;
        let layers = files::layers_at_tab(&places, &VariableOptions::default());
        let procfile = files::procfile_at_tab(&places, &layers);
        Some(Self { places, procfile })
    }

    /// The process types without `release`, which is also a command of `dyno`.
    fn process_types(&self) -> Vec<String> {
        self.procfile.iter().flat_map(Procfile::formation_types).map(|name| name.to_string()).collect()
    }
}
