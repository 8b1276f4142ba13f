//! `dyno completions`: the scripts for the shells, and what they ask at each press of Tab.
//!
//! A script knows nothing but the question: `dyno __complete` answers with the kind of what is expected on the first
//! line (`words`, `files`, `directories` or `nothing`, a tab, the word as far as it was typed) and, of words, one a
//! line with its meaning behind a tab. Whatever is wrong with the files of the app, it is silent and ends with 0: it
//! runs while somebody types.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::files;
use super::findings::Findings;
use super::places::{Places, is_stream};
use super::stdout;
use crate::app::Procfile;
use crate::cli::{Candidate, Cursor, CursorArgs, Dialect, Expected, ProjectArgs, Shell, TypeSlot};
use crate::error::Error;
use crate::supervisor::Outcome;

/// Characters of a command that are shown as the meaning of its process type.
const MEANING_CHARS: usize = 60;

/// Prints the script of a shell.
pub(super) fn script(shell: Shell) -> Result<Outcome, Error> {
    stdout::write(match shell {
        Shell::Bash => include_str!("completions/dyno.bash"),
        Shell::Zsh => include_str!("completions/dyno.zsh"),
        Shell::Fish => include_str!("completions/dyno.fish"),
        Shell::Elvish => include_str!("completions/dyno.elv"),
        Shell::PowerShell => include_str!("completions/dyno.ps1"),
    })
}

/// Answers a script.
pub(super) fn at_cursor(args: &CursorArgs) -> Result<Outcome, Error> {
    let cursor = match &args.line {
        Some(line) => Cursor::of_line(line.as_bytes()),
        None => Cursor::of_words(args.words.clone()),
    };
    let (kind, candidates) = match &cursor.expected {
        Expected::Words(words) => ("words", words.clone()),
        Expected::ProcessType(slot) => {
            let types = process_types(slot, &cursor.project);
            let is_like_one = types.iter().any(|candidate| candidate.word.starts_with(&cursor.typed));
            if slot.or_command && !is_like_one { ("files", Vec::new()) } else { ("words", types) }
        }
        Expected::File => ("files", Vec::new()),
        Expected::Directory => ("directories", Vec::new()),
        Expected::Unknown => ("nothing", Vec::new()),
    };
    let mut answer = format!("{kind}\t{}\n", one_line(&cursor.typed));
    for candidate in candidates.iter().filter(|candidate| candidate.word.starts_with(&cursor.typed)) {
        let _ = writeln!(answer, "{}\t{}", one_line(&candidate.word), one_line(&candidate.meaning));
    }
    stdout::write(&answer)
}

/// The words for a process type, in the order of the Procfile.
fn process_types(slot: &TypeSlot, project: &ProjectArgs) -> Vec<Candidate> {
    let Some(procfile) = procfile(project) else { return Vec::new() };
    let word = |name: &str| format!("{}{name}{}", slot.before, slot.after);
    let entries = procfile.entries().iter().filter(|entry| slot.or_release || !entry.process_type.is_release());
    let types = entries.map(|entry| {
        let command = String::from_utf8_lossy(&entry.command);
        Candidate { word: word(entry.process_type.as_str()), meaning: command.chars().take(MEANING_CHARS).collect() }
    });
    let all = slot.or_all.then(|| Candidate { word: word("all"), meaning: "what is not named".to_owned() });
    let is_free = |candidate: &Candidate| !slot.taken.iter().any(|taken| candidate.word == word(taken));
    types.chain(all).filter(is_free).collect()
}

/// The Procfile of the line, as `start` would find it. None for whatever is wrong with it, and for one that could only
/// be read once.
fn procfile(project: &ProjectArgs) -> Option<Procfile> {
    if project.procfile.as_deref().is_some_and(is_stream) {
        return None;
    }
    let args = ProjectArgs {
        procfile: project.procfile.as_deref().map(at_home),
        root: project.root.as_deref().map(at_home),
        env: project.env.iter().filter(|path| !is_stream(path)).map(|path| at_home(path)).collect(),
        no_color: false,
    };
    let mut unheard = Findings::default();
    let places = Places::find(args, Dialect::Dyno, &mut unheard).ok()?;
    let layers = files::layers_for_completion(&places)?;
    files::procfile(&places, &files::procfile_path(&places, &layers), &mut unheard)
}

/// A shell expands the tilde only when the line is done.
fn at_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => PathBuf::from(home).join(rest),
        (_, _) => path.to_owned(),
    }
}

/// Neither tab nor newline, and no escape sequence for the terminal of whoever types.
fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}
