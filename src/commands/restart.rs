//! `dyno restart`: replaces dynos of the app that runs here, and waits for the new ones if asked to.

use super::running::{Failure, RunningApp, finish, in_path, of_each};
use super::waiting::Waiting;
use crate::api::{StartDescription, StopRequest, TouchedDynos, WaitUntil};
use crate::cli::{Cli, RestartArgs, Seconds};
use crate::console::stdout;
use crate::error::Error;
use crate::runtime;
use crate::supervisor::{Outcome, Target};

pub(super) fn run(cli: &Cli, args: &RestartArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    let app = match RunningApp::find(cli.project_before(), &args.running) {
        Ok(app) => app,
        Err(failure) => return Ok(finish(&args.running, Err(failure))),
    };
    let of_starts = match restart(&app, args) {
        Ok(of_starts) => of_starts,
        Err(failure) => return Ok(finish(&args.running, Err(failure))),
    };
    // Before the wait, which may take long.
    let dynos = of_starts.iter().flat_map(|(_, touched)| touched.dynos.iter().cloned()).collect();
    let written = stdout::write(&shown(&TouchedDynos { dynos }, "restarting", args.running.json))?;
    let Some(seconds) = args.wait.seconds else { return Ok(written) };
    let mut waiting = Waiting::new(&app, WaitUntil::Up, seconds, args.running.json);
    let mut waits = of_starts.into_iter().filter(|(_, touched)| !touched.dynos.is_empty());
    let waited = waits.try_for_each(|(start, touched)| waiting.wait(start, &touched.dynos).map(drop));
    Ok(finish(&args.running, waited.map(|()| written)))
}

/// The dynos of each start.
fn restart<'a>(
    app: &'a RunningApp,
    args: &'a RestartArgs,
) -> Result<Vec<(&'a StartDescription, TouchedDynos)>, Failure> {
    let targets = targets(app, args.dynos.all())?;
    of_each(targets.into_iter(), |(start, path)| Ok((start, app.ask(start, "DELETE", &path, &body(args.timeout))?)))
}

/// The body of a request to restart or stop dynos.
pub(super) fn body(grace: Option<Seconds>) -> Vec<u8> {
    let request = StopRequest { grace: grace.map(|Seconds(grace)| grace.as_secs_f64()) };
    serde_json::to_vec(&request).unwrap_or_default()
}

/// The start and the path for each name; without names, each start and the path of all its dynos.
pub(super) fn targets<'a>(
    app: &'a RunningApp,
    names: impl Iterator<Item = &'a str>,
) -> Result<Vec<(&'a StartDescription, String)>, Failure> {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        return Ok(app.starts().iter().map(|start| (start, "dynos".to_owned())).collect());
    }
    let path = |target: Target| match target {
        Target::All => "dynos".to_owned(),
        Target::Type(name) => format!("dynos/{}", in_path(name.as_str())),
        Target::Dyno(name) => format!("dynos/{}", in_path(&name.to_string())),
    };
    // All names are checked before anything is done.
    let owners = app.look()?.owners(names.into_iter())?;
    Ok(owners.into_iter().map(|(start, target)| (start, path(target))).collect())
}

/// `restarting: web.1, web.2`, or the same as JSON.
pub(super) fn shown(touched: &TouchedDynos, what: &str, json: bool) -> String {
    if json {
        return format!("{}\n", serde_json::to_string(touched).unwrap_or_default());
    }
    let names: Vec<&str> = touched.dynos.iter().map(|dyno| dyno.name.as_str()).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!("{what}: {names}\n")
}
