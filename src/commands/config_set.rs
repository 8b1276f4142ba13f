//! `dyno config:set` and `dyno config:unset`: change the `.env` file in use, and what runs (S15.3).
//!
//! What is printed has names, never values.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Read};
use std::os::unix::ffi::OsStrExt;

use serde::Serialize;

use super::config::check_key;
use super::deployed::{StartAnswer, all, show_warnings};
use super::reload::ask_all;
use crate::api::{ReloadResult, StartDescription};
use crate::app::{MAX_VARIABLE_BYTES, is_env_key};
use crate::cli::{Cli, ConfigSetArgs, ConfigUnsetArgs, ProjectArgs, RunningArgs};
use crate::client::{RunningApp, finish};
use crate::console::diagnostics::{note, print_line, settled, show_all, show_complaint, warn};
use crate::console::stdout;
use crate::error::{Complaint, Error, Status};
use crate::model::{EnvChange, Secret};
use crate::project::{ChangedConfig, ConfigFile, Findings, Places, reason};
use crate::runtime;
use crate::supervisor::Outcome;

/// The result as JSON.
#[derive(Serialize)]
struct Done<'a> {
    /// The file that was changed.
    file: &'a str,
    /// The names of the config vars that were set or removed.
    keys: &'a [&'a str],
    /// What became of the running app; empty if none runs.
    releases: &'a [StartAnswer<'a>],
}

pub(super) fn set(cli: &Cli, args: &ConfigSetArgs) -> Result<Outcome, Error> {
    // A write over the limit of the shell is then an error like a full disk.
    runtime::unblock_for_start();
    let mut changes = args.settings.iter().map(|word| setting(word)).collect::<Result<Vec<_>, Error>>()?;
    if let Some(key) = &args.stdin {
        check_key(key, "write `--stdin KEY`")?;
        changes.push(EnvChange { key: key.clone(), value: Some(from_stdin(key)?) });
    }
    change(cli, &args.project, &changes, "Setting", args.json)
}

pub(super) fn unset(cli: &Cli, args: &ConfigUnsetArgs) -> Result<Outcome, Error> {
    runtime::unblock_for_start();
    args.keys.iter().try_for_each(|key| check_key(key, "write `dyno config:unset KEY`"))?;
    let changes: Vec<_> = args.keys.iter().map(|key| EnvChange { key: key.clone(), value: None }).collect();
    change(cli, &args.project, &changes, "Unsetting", args.json)
}

/// `verb`: what is being done, for the line about it.
fn change(cli: &Cli, project: &ProjectArgs, changes: &[EnvChange], verb: &str, json: bool) -> Result<Outcome, Error> {
    let project = cli.project(project);
    let mut findings = Findings::default();
    let places = Places::find(project.clone().into(), cli.dialect, &mut findings);
    let file = ConfigFile::find(&settled(places, &findings)?)?;
    let args = RunningArgs { json, ..RunningArgs::default() };
    let app = RunningApp::reading(&file.path);
    let before = app.as_ref().ok().and_then(Option::as_ref).map(RunningApp::versions).unwrap_or_default();
    let ChangedConfig { warnings, notes, absent } = file.change(changes)?;
    warnings.iter().for_each(warn);
    notes.iter().for_each(note);
    for key in &absent {
        note(&Complaint::new(format!("`{key}` is not in {}", file.name), ""));
    }
    let mut keys: Vec<&str> = Vec::new();
    for EnvChange { key, .. } in changes {
        if !keys.contains(&key.as_str()) && !absent.contains(key) {
            keys.push(key);
        }
    }
    let done = |releases: &[StartAnswer<'_>]| {
        if json {
            return stdout::write_json(&Done { file: &file.name, keys: &keys, releases });
        }
        stdout::write(&lines(verb, &keys, &file.name, releases))
    };
    let app = match &app {
        Ok(app) => app.as_ref().filter(|_| !keys.is_empty()),
        Err(failure) => {
            done(&[])?;
            return Ok(finish(&args, Err(failure.clone())));
        }
    };
    let Some(app) = app else { return done(&[]) };
    let (mut answers, failures) = ask_all(app, json);
    count_saved(&mut answers, &before);
    if !json {
        show_warnings(&answers);
    }
    let mut outcomes = vec![done(&answers)?];
    if !json {
        show_failures(&file.name, &answers);
    }
    outcomes.extend(answers.iter().map(|answered| Outcome::Code(answered.answer.status)));
    // An app that ends meanwhile reads the file when it starts again.
    let failures = failures.into_iter().filter(|failure| !failure.is_over());
    outcomes.extend(failures.map(|failure| finish(&args, Err(failure))));
    // The first one that is not a success.
    Ok(outcomes.into_iter().find(|outcome| *outcome != Outcome::Code(0)).unwrap_or(Outcome::Code(0)))
}

/// With `--reload`, a start may have seen the change in the file before it was asked. Its release is then the one of the change.
fn count_saved(answers: &mut [StartAnswer<'_>], before: &[(&StartDescription, u64)]) {
    for StartAnswer { answer, start, .. } in answers {
        let is_newer =
            |(known, version): &(&StartDescription, u64)| known == start && u64::from(answer.version) > *version;
        if answer.result == ReloadResult::Unchanged && before.iter().any(is_newer) {
            answer.result = ReloadResult::Succeeded;
        }
    }
}

/// What was done: one line for each start that runs on a release with the change, else one about the file.
fn lines(verb: &str, keys: &[&str], file: &str, releases: &[StartAnswer<'_>]) -> String {
    if keys.is_empty() {
        return String::new();
    }
    let keys = keys.join(", ");
    let line = |StartAnswer { answer, start, .. }: &StartAnswer<'_>| {
        let (types, version) = (start.types.join(", "), answer.version);
        match answer.result {
            ReloadResult::Succeeded => Some(format!("{verb} {keys} and restarting {types}... done, v{version}\n")),
            ReloadResult::Superseded => {
                Some(format!("{verb} {keys} and restarting {types}... done, v{version}; a later release replaced it\n"))
            }
            ReloadResult::Unchanged | ReloadResult::Failed | ReloadResult::Invalid => None,
        }
    };
    let lines: String = releases.iter().filter_map(line).collect();
    if lines.is_empty() { format!("{verb} {keys} in {file}... done\n") } else { lines }
}

/// Says which starts go on as before although the file is changed, and why.
fn show_failures(file: &str, answers: &[StartAnswer<'_>]) {
    show_all(all(answers, |answer| &answer.problems));
    for StartAnswer { answer, .. } in answers {
        let version = answer.version;
        match answer.result {
            ReloadResult::Unchanged => {
                note(&Complaint::new(format!("nothing to apply: the app stays on release v{version}"), ""));
            }
            ReloadResult::Failed => {
                answer.lines.iter().for_each(|line| print_line(line));
                let ending = answer.ending();
                let fact = format!("{file} is changed, but release v{version} failed: its command {ending}");
                let hint = "the app stays on the previous release; `dyno reload` tries again";
                show_complaint(&Complaint::new(fact, hint));
            }
            ReloadResult::Invalid => {
                let fact = format!("{file} is changed, but not applied: the app goes on with release v{version}");
                show_complaint(&Complaint::new(fact, "correct the files, then `dyno reload` applies them"));
            }
            ReloadResult::Succeeded | ReloadResult::Superseded => {}
        }
    }
}

/// Reads `KEY=VALUE`.
fn setting(word: &OsStr) -> Result<EnvChange, Error> {
    let bytes = word.as_bytes();
    let hint = "write `KEY=VALUE`, with only A-Z a-z 0-9 _ . - in the key";
    let Some((key, value)) = memchr::memchr(b'=', bytes).and_then(|at| bytes.split_at_checked(at)) else {
        let text = word.to_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'));
        let fact = text.map_or("an argument has no value".to_owned(), |key| format!("`{key}` has no value"));
        let hint = format!("write `dyno config:set {}=VALUE`", text.unwrap_or("KEY"));
        return Err(Error::usage(fact, hint));
    };
    let key = std::str::from_utf8(key).unwrap_or_default();
    if !is_env_key(key.as_bytes()) {
        return Err(Error::usage("the text before `=` is not a valid variable name", hint));
    }
    Ok(EnvChange { key: key.to_owned(), value: Some(Secret::new(value.strip_prefix(b"=").unwrap_or(value))) })
}

/// All that stdin has, less one newline at its end.
fn from_stdin(key: &str) -> Result<Secret, Error> {
    let mut stdin = io::stdin().lock();
    if stdin.is_terminal() {
        print_line(&format!("Type the value of {key}, then Enter and Ctrl-D:"));
    }
    let mut value = Vec::new();
    let limit = MAX_VARIABLE_BYTES as u64 + 3;
    (&mut stdin)
        .take(limit)
        .read_to_end(&mut value)
        .map_err(|error| Error::new(Status::Config, format!("stdin cannot be read: {}", reason(&error)), ""))?;
    if value.ends_with(b"\n") {
        value.pop();
        value.pop_if(|byte| *byte == b'\r');
    }
    Ok(Secret::new(value))
}
