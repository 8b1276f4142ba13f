//! What to type if the options of a command match no start, or more than one (S10.2).

use super::failure::{Failure, NOT_RUNNING};
use crate::api::StartDescription;
use crate::app::{did_you_mean, nearest, some_of};
use crate::cli::WhichArgs;
use crate::error::Status;

/// An option that selects this start and none of the others.
pub(crate) fn option_for(start: &StartDescription, all: &[&StartDescription]) -> String {
    let others = || all.iter().filter(|other| other.session != start.session);
    if others().all(|other| other.procfile != start.procfile) {
        return format!("--procfile {}", start.procfile);
    }
    match &start.name {
        Some(name) if others().all(|other| other.name != start.name) => format!("--name {name}"),
        Some(_) | None => format!("--run {}", start.pid),
    }
}

/// The error if no start matches. `starts`: all running starts, of any app.
pub(super) fn not_found(which: &WhichArgs, starts: &[StartDescription]) -> Failure {
    let failure = |message: String, hint: String| Failure::new(Status::Unavailable, NOT_RUNNING, message, hint);
    let listed = |known: &[String]| {
        if known.is_empty() { "no app is running".to_owned() } else { format!("running now: {}", some_of(known)) }
    };
    if let Some(app) = &which.app {
        let mut known: Vec<String> = starts.iter().map(|start| start.app.clone()).collect();
        known.sort();
        known.dedup();
        let near = did_you_mean(&nearest(app, known.iter().map(String::as_str)));
        let hint = near.unwrap_or_else(|| listed(&known));
        return failure(format!("no app `{app}` is running"), hint);
    }
    if let Some(pid) = which.pid {
        let run = |start: &StartDescription| format!("{} ({})", start.pid, start.app);
        let known: Vec<String> = starts.iter().map(run).collect();
        return failure(format!("no `dyno` with the process id {pid} is running"), listed(&known));
    }
    match &which.name {
        Some(name) => {
            let hint = format!("`dyno start --name {name}` starts one");
            failure(format!("no app with `--name {name}` is running here"), hint)
        }
        None => Failure::not_running(),
    }
}
