//! `dyno why`: why a dyno is, or is not, running (S10.2).
//!
//! Asks the start, and finds out itself what the start does not know: which process holds a port, where a dyno listens,
//! and whether the files of the app have changed. Not here: the text (`text`).

mod text;

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::Serialize;

use crate::api::{DynoResource, LastRun, StartDescription, WhyReason, WhyResource};
use crate::cli::{Cli, WhyArgs};
use crate::client::{Failure, RunningApp, finish, whereabouts};
use crate::console::stdout;
use crate::error::{Error, Status};
use crate::runtime::{self, PortHolder, RuntimeDirectory};
use crate::supervisor::{LifeStage, Outcome};

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
    /// The files of the app that were changed after the start.
    pub(super) changed_files: Vec<String>,
    /// The files that cannot be compared without reading them, such as a named pipe.
    pub(super) not_compared: Vec<String>,
    /// When its start ended: the app does not run.
    pub(super) ended_at: Option<String>,
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
    match RunningApp::find(cli.project_before(), &args.running) {
        Ok(app) => of_app(&app, &names),
        Err(failure) if failure.is_not_running() => of_last_run(cli, args, &names).unwrap_or(Err(failure)),
        Err(failure) => Err(failure),
    }
}

/// The dynos of the app that runs.
fn of_app(app: &RunningApp, names: &[&str]) -> Result<Vec<Explained>, Failure> {
    let mut all = Vec::new();
    if names.is_empty() {
        for start in app.starts() {
            all.extend(app.why(start, None)?.into_iter().map(|why| looked_at(why, start)));
        }
        return Ok(all);
    }
    let look = app.look(names.iter().copied())?;
    for name in names {
        for start in look.all_or_oldest(name) {
            let found = app.why(start, Some(name))?;
            if found.is_empty() {
                all.push(looked_at(missing(app, name)?, start));
            }
            all.extend(found.into_iter().map(|why| looked_at(why, start)));
        }
    }
    Ok(all)
}

/// A process type without dynos, or a dyno that its quantity does not include.
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

/// Adds what only a look at the system shows.
fn looked_at(why: WhyResource, start: &StartDescription) -> Explained {
    let listens_on = why.dyno.pid.map(runtime::ports_of_dyno).unwrap_or_default();
    let held = why.dyno.port.filter(|port| why.expected_port == Some(*port) && !listens_on.contains(port));
    let held = held.and_then(runtime::port_holder).filter(|holder| Some(holder.pid) != why.dyno.pid);
    let port_held_by = held.map(|PortHolder { pid, command }| format!("{command} (pid {pid})"));
    let (changed_files, not_compared) = compared(start);
    Explained { why, listens_on, port_held_by, changed_files, not_compared, ..Explained::default() }
}

/// The files that were changed after the start, and those that were not compared. Opens none: reading a named pipe would
/// take its content away.
fn compared(start: &StartDescription) -> (Vec<String>, Vec<String>) {
    let (mut changed, mut skipped) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for text in start.files.iter().filter(|text| seen.insert(text.as_str())) {
        let path = StartDescription::path(text);
        let shown = path.file_name().map_or_else(|| text.clone(), |name| Path::new(name).display().to_string());
        let Ok(found) = fs::metadata(&path) else { continue };
        if found.file_type().is_fifo() {
            skipped.push(shown);
            continue;
        }
        let written = found.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let written = written.and_then(|at| i64::try_from(at.as_millis()).ok());
        if found.is_file() && written.is_some_and(|at| at > start.started_at_ms) {
            changed.push(shown);
        }
    }
    (changed, skipped)
}

/// The dynos of the start that ended here last. None: no start is remembered.
fn of_last_run(cli: &Cli, args: &WhyArgs, names: &[&str]) -> Option<Result<Vec<Explained>, Failure>> {
    let directory = RuntimeDirectory::open_existing().ok().flatten()?;
    let place = whereabouts(cli.project_before(), &args.running).ok()?;
    let is_wanted = |run: &LastRun| {
        let start = &run.start;
        let is_here = place.directories.contains(&start.root) || place.directories.first() == Some(&start.directory);
        place.root.as_ref().map_or(is_here, |root| *root == start.root)
            && place.procfile.as_ref().is_none_or(|procfile| *procfile == start.procfile)
    };
    let runs: Vec<LastRun> = directory.last_runs().into_iter().filter(is_wanted).collect();
    let newest = runs.first()?;
    let is_named = |why: &WhyResource, name: &str| why.dyno.name == name || why.dyno.process_type == name;
    let mut all = Vec::new();
    for name in names {
        // Another start may have run it.
        let run = runs.iter().find(|run| run.dynos.iter().any(|why| is_named(why, name)));
        let Some(run) = run else {
            let known = newest.dynos.iter().flat_map(|why| [why.dyno.process_type.as_str(), why.dyno.name.as_str()]);
            return Some(Err(Failure::unknown_name(name, known).with_status(Status::Usage.code())));
        };
        all.extend(run.dynos.iter().filter(|why| is_named(why, name)).map(|why| from_summary(why, run)));
    }
    if names.is_empty() {
        all.extend(newest.dynos.iter().map(|why| from_summary(why, newest)));
    }
    Some(Ok(all))
}

fn from_summary(why: &WhyResource, run: &LastRun) -> Explained {
    let file = |directory: &String| StartDescription::path(directory).join(format!("{}.log", why.dyno.name));
    let log_file = run.start.log_directory.as_ref().map(|directory| file(directory).display().to_string());
    let mut why = why.clone();
    (why.dyno.pid, why.stage) = (None, LifeStage::Down);
    Explained {
        why,
        ended_at: jiff::Timestamp::from_millisecond(run.ended_at_ms).ok().map(|at| at.to_string()),
        log_file,
        ..Explained::default()
    }
}
