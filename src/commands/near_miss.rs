//! What to type instead of a word that is not a command or an argument: for `dyno web`, `dyno start web`.
//!
//! Looks at the files of the app, like completion: opens regular files only, does not wait long for them, and does not
//! report problems in them.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::files::{self, Settings};
use super::findings::Findings;
use super::places::Places;
use super::program_lookup::obstacle;
use super::quick_lookup::look_up_in_time;
use crate::app::{Procfile, did_you_mean, is_plain, list_items, nearest, quote_word};
use crate::cli::{Dialect, StrayWord};
use crate::model::Environment;

/// What other tools call our commands.
const OTHER_NAMES: [(&str, &str); 8] = [
    ("up", "start"),
    ("dev", "start"),
    ("server", "start"),
    ("serve", "start"),
    ("exec", "run"),
    ("env", "config"),
    ("validate", "check"),
    ("lint", "check"),
];

/// Maximum number of commands that one hint offers.
const MAX_OFFERED: usize = 3;

/// The hint for a word that is not a command or an argument. None: nothing similar was found in time.
pub(super) fn hint_in_time(stray: &StrayWord) -> Option<String> {
    let stray = stray.clone();
    look_up_in_time(move || hint(&stray)).flatten()
}

fn hint(stray: &StrayWord) -> Option<String> {
    let word = stray.word()?;
    let offered = match &stray.near_commands {
        Some(near) => instead_of_command(stray, word, near),
        None => file_option(word).map(|option| with_words(stray, &[option])).into_iter().collect(),
    };
    did_you_mean(&offered)
}

/// `-f` for a Procfile and `-e` for a `.env` file of that name, if there is such a file.
pub(super) fn file_option(name: &str) -> Option<&'static str> {
    let path = Path::new(name);
    let file_name = path.file_name()?.to_str()?;
    let option = if file_name.starts_with(".env") || path.extension().is_some_and(|extension| extension == "env") {
        "-e"
    } else if file_name.contains("Procfile") {
        "-f"
    } else {
        return None;
    };
    path.is_file().then_some(option)
}

/// Whether a program of that name is on the `PATH` of the shell.
pub(super) fn is_program(name: &str) -> bool {
    let mut environment = Environment::default();
    if let Some(path) = env::var_os("PATH") {
        environment.set("PATH", path.as_bytes());
    }
    env::current_dir().is_ok_and(|directory| obstacle(name.as_bytes(), &environment, &directory).is_none())
}

/// Words quoted for a shell.
pub(super) fn shown(words: &[OsString]) -> String {
    // Unlike `quote_word`, this leaves `web=2` and reserved words after a command as they are.
    let shown = |word: &OsString| {
        let word = word.as_bytes();
        let plain = !word.is_empty() && word.iter().copied().all(is_plain) && !word.starts_with(b"=");
        if plain { word.to_vec() } else { quote_word(word) }
    };
    String::from_utf8_lossy(&words.iter().map(shown).collect::<Vec<_>>().join(&b' ')).into_owned()
}

fn instead_of_command(stray: &StrayWord, word: &str, near: &[String]) -> Vec<String> {
    let types = process_types(stray);
    let names: Vec<&str> = list_items(word).filter_map(|item| item.split('=').next()).collect();
    let is_type = |name: &&str| types.iter().any(|known| known == name);
    if names.iter().all(is_type) {
        return vec![with_words(stray, &["start"])];
    }
    if let Some((_, command)) = OTHER_NAMES.iter().find(|(name, _)| *name == word) {
        return vec![in_place(stray, command)];
    }
    if let Some(option) = file_option(word) {
        return vec![with_words(stray, &["start", option])];
    }
    let mut offered = near.to_vec();
    offered
        .extend(nearest(word, types.iter().map(String::as_str)).into_iter().map(|name| format!("dyno start {name}")));
    if is_program(word) {
        offered.push(with_words(stray, &["run"]));
    }
    offered.truncate(MAX_OFFERED);
    offered
}

/// The line with these words before the stray one.
fn with_words(stray: &StrayWord, inserted: &[&str]) -> String {
    let mut words = stray.words.clone();
    words.splice(stray.at..stray.at, inserted.iter().map(OsString::from));
    shown_as_dyno(words)
}

/// The line with this command in place of the stray word.
fn in_place(stray: &StrayWord, command: &str) -> String {
    let mut words = stray.words.clone();
    words.splice(stray.at..=stray.at, [OsString::from(command)]);
    shown_as_dyno(words)
}

/// The line to show: it begins with `dyno`, whatever name the program was called by.
fn shown_as_dyno(mut words: Vec<OsString>) -> String {
    if let Some(program) = words.first_mut() {
        *program = "dyno".into();
    }
    shown(&words)
}

/// The process types of the Procfile that the line selects, without `release`, which is also a command of `dyno`.
fn process_types(stray: &StrayWord) -> Vec<String> {
    let Ok(places) = Places::find(stray.project.clone(), Dialect::Dyno, &mut Findings::default()) else {
        return Vec::new();
    };
    let layers = files::layers_at_tab(&places, &Settings { set: &[], prefer_shell: false });
    let procfile = files::procfile_at_tab(&places, &layers);
    procfile.iter().flat_map(Procfile::formation_types).map(|name| name.to_string()).collect()
}
