//! `dyno why`: why a dyno is, or is not, running (S10.2).
//!
//! Asks the start, and looks up what the start does not know: which process holds a port, where a dyno listens, and
//! whether the files of the app have changed. Not here: starts that have ended (`last_runs`), and the text (`text`).

mod last_runs;
mod text;

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::Serialize;

use self::last_runs::LastRuns;
use crate::api::{DynoResource, ReloadedFiles, StartDescription, StartKind, WhyReason, WhyResource};
use crate::cli::{Cli, WhyArgs};
use crate::client::{Failure, RunningApp, finish, of_each, option_for};
use crate::console::stdout;
use crate::error::Error;
use crate::runtime::{self, ANSWERS_WITHIN, PortHolder};
use crate::supervisor::Outcome;

/// Everything about one dyno.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Explained {
    /// What its start says.
    #[serde(flatten)]
    pub(super) why: WhyResource,
    /// The ports on which it listens.
    pub(super) listens_on: Vec<u16>,
    /// The other process that has its port.
    pub(super) port_held_by: Option<String>,
    /// The files of the app that were changed after the last reload, or after the start.
    pub(super) changed_files: Vec<String>,
    /// The files that cannot be compared without reading them, such as a named pipe.
    pub(super) not_compared: Vec<String>,
    /// The option that selects its start. None: no other start runs a dyno of this name.
    pub(super) option: Option<String>,
    /// Whether its start is a smoke test, which refuses all changes.
    pub(super) is_smoke: bool,
    /// When its start ended.
    pub(super) ended_at: Option<String>,
    /// The exit status of its start, as a shell would report it.
    pub(super) ended_with: Option<u8>,
    /// Why its start was stopped. None: its dynos explain it.
    pub(super) end_reason: Option<String>,
    /// The process id of its start, if that was killed.
    pub(super) killed_pid: Option<i32>,
    /// The file with its output.
    pub(super) log_file: Option<String>,
}

pub(super) fn run(cli: &Cli, args: &WhyArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    match explain(cli, args) {
        Ok(dynos) if args.running.json => {
            stdout::write(&format!("{}\n", serde_json::to_string(&dynos).unwrap_or_default()))
        }
        Ok(dynos) => stdout::write(&text::text(&dynos, jiff::Timestamp::now())),
        Err(failure) => Ok(finish(&args.running, Err(failure))),
    }
}

fn explain(cli: &Cli, args: &WhyArgs) -> Result<Vec<Explained>, Failure> {
    let names: Vec<&str> = args.dynos.all().collect();
    let last_runs = || LastRuns::find(cli, args);
    let found = match RunningApp::find(cli.project_before(), &args.running) {
        Ok(app) => of_app(&app, &names, &last_runs).inspect_err(|failure| {
            if failure.is_over() {
                app.until_ended(ANSWERS_WITHIN);
            }
        }),
        Err(failure) => Err(failure),
    };
    match found {
        Err(failure) if failure.is_over() => last_runs().explain(&names).unwrap_or(Err(failure)),
        found => found,
    }
}

/// The dynos of the app that runs.
fn of_app(app: &RunningApp, names: &[&str], last_runs: &dyn Fn() -> LastRuns) -> Result<Vec<Explained>, Failure> {
    if names.is_empty() {
        let found = of_each(app.starts().iter(), |start| Ok((start, app.why(start, None)?)))?;
        let each = found.into_iter().flat_map(|(start, found)| found.into_iter().map(move |why| (start, why)));
        return Ok(distinguished(each.map(|(start, why)| (Some(start), looked_at(why, start))).collect()));
    }
    let mut all = Vec::new();
    let look = app.look(names.iter().copied())?;
    for name in names {
        for start in look.all_or_oldest(name) {
            let found = app.why(start, Some(name))?;
            if found.is_empty() {
                let ended = last_runs().since(start, name);
                if ended.is_empty() {
                    all.push((Some(start), looked_at(missing(app, name)?, start)));
                }
                all.extend(ended.into_iter().map(|dyno| (None, dyno)));
            }
            all.extend(found.into_iter().map(|why| (Some(start), looked_at(why, start))));
        }
    }
    Ok(distinguished(all))
}

/// Adds an option to each dyno whose name occurs in several starts.
fn distinguished(found: Vec<(Option<&StartDescription>, Explained)>) -> Vec<Explained> {
    let starts_of = |name: &str| -> Vec<&StartDescription> {
        found.iter().filter(|(_, dyno)| dyno.why.dyno.name == name).filter_map(|(start, _)| *start).collect()
    };
    let option = |start: &StartDescription, dyno: &Explained| {
        let starts = starts_of(&dyno.why.dyno.name);
        (starts.len() > 1).then(|| option_for(start, &starts))
    };
    let options: Vec<_> = found.iter().map(|(start, dyno)| start.and_then(|start| option(start, dyno))).collect();
    let dynos = found.into_iter().map(|(_, dyno)| dyno);
    dynos.zip(options).map(|(dyno, option)| Explained { option, ..dyno }).collect()
}

/// What to say about a process type without dynos, or about a dyno beyond the quantity of its type.
fn missing(app: &RunningApp, name: &str) -> Result<WhyResource, Failure> {
    let formation = app.formation()?;
    let process_type = name.rsplit_once('.').map_or(name, |(process_type, _)| process_type);
    let Some(entry) = formation.iter().find(|entry| entry.process_type == process_type) else {
        let dynos = app.dynos()?;
        let names = dynos.iter().map(|dyno| dyno.name.as_str());
        return Err(Failure::unknown_name(
            name,
            formation.iter().map(|entry| entry.process_type.as_str()).chain(names),
        ));
    };
    let dyno = DynoResource {
        name: name.to_owned(),
        process_type: process_type.to_owned(),
        command: entry.command.clone(),
        state: "down".to_owned(),
        ..DynoResource::default()
    };
    Ok(WhyResource { dyno, reason: WhyReason::Quantity, quantity: Some(entry.quantity), ..WhyResource::default() })
}

/// Adds what the start does not know and the system shows.
fn looked_at(why: WhyResource, start: &StartDescription) -> Explained {
    let listens_on = why.dyno.pid.map(runtime::ports_of_dyno).unwrap_or_default();
    let held = why.dyno.port.filter(|port| why.expected_port == Some(*port) && !listens_on.contains(port));
    let held = held.and_then(runtime::port_holder).filter(|holder| Some(holder.pid) != why.dyno.pid);
    let port_held_by = held.map(|PortHolder { pid, command }| format!("{command} (pid {pid})"));
    let (changed_files, not_compared) = compared(start, why.reloaded.as_ref());
    let is_smoke = start.kind == StartKind::Smoke;
    Explained { why, listens_on, port_held_by, changed_files, not_compared, is_smoke, ..Explained::default() }
}

/// The files that were changed after they were read, and those that were not compared. No file is opened, because reading a
/// named pipe would empty it.
fn compared(start: &StartDescription, reloaded: Option<&ReloadedFiles>) -> (Vec<String>, Vec<String>) {
    let (files, read_at_ms) = match reloaded {
        Some(reloaded) => (&reloaded.paths, reloaded.at_ms),
        None => (&start.files, start.started_at_ms),
    };
    let (mut changed, mut skipped) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for text in files.iter().filter(|text| seen.insert(text.as_str())) {
        let path = StartDescription::path(text);
        let shown = path.file_name().map_or_else(|| text.clone(), |name| Path::new(name).display().to_string());
        let Ok(found) = fs::metadata(&path) else { continue };
        if found.file_type().is_fifo() {
            skipped.push(shown);
            continue;
        }
        let written = found.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let written = written.and_then(|at| i64::try_from(at.as_millis()).ok());
        if found.is_file() && written.is_some_and(|at| at > read_at_ms) {
            changed.push(shown);
        }
    }
    (changed, skipped)
}
