//! `dyno restart`: replaces dynos of the app that runs here, and waits for the new ones if asked to.

use super::running::{Failure, RunningApp, finish, in_path};
use super::waiting::Waiting;
use crate::api::{StartDescription, StopRequest, TouchedDynos, WaitUntil};
use crate::cli::{Cli, RestartArgs, Seconds};
use crate::console::stdout;
use crate::error::Error;
use crate::runtime;
use crate::supervisor::Outcome;

pub(super) fn run(cli: &Cli, args: &RestartArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    match restart(cli, args) {
        Ok((dynos, waited)) => {
            let written = stdout::write(&shown(&dynos, "restarting", args.running.json))?;
            Ok(finish(&args.running, waited.map(|()| written)))
        }
        Err(failure) => Ok(finish(&args.running, Err(failure))),
    }
}

/// The dynos, and how the wait for them ended.
fn restart(cli: &Cli, args: &RestartArgs) -> Result<(TouchedDynos, Result<(), Failure>), Failure> {
    let app = RunningApp::find(cli.project_before(), &args.running)?;
    let mut all = TouchedDynos::default();
    let mut waits: Vec<(&StartDescription, TouchedDynos)> = Vec::new();
    for (start, path) in targets(&app, args.dynos.all())? {
        let touched: TouchedDynos = app.ask(start, "DELETE", &path, &body(args.timeout))?;
        all.dynos.extend(touched.dynos.iter().cloned());
        waits.push((start, touched));
    }
    let Some(seconds) = args.wait.seconds else { return Ok((all, Ok(()))) };
    let mut waiting = Waiting::new(&app, WaitUntil::Up, seconds, args.running.json);
    let mut waits = waits.into_iter().filter(|(_, touched)| !touched.dynos.is_empty());
    let waited = waits.try_for_each(|(start, touched)| waiting.wait(start, &touched.dynos).map(drop));
    Ok((all, waited))
}

/// The body of a request to restart or stop dynos.
pub(super) fn body(grace: Option<Seconds>) -> Vec<u8> {
    let request = StopRequest { grace: grace.map(|Seconds(grace)| grace.as_secs_f64()) };
    serde_json::to_vec(&request).unwrap_or_default()
}

/// The start and the path for each name; for all dynos of each start without names.
pub(super) fn targets<'a>(
    app: &'a RunningApp,
    names: impl Iterator<Item = &'a str>,
) -> Result<Vec<(&'a StartDescription, String)>, Failure> {
    let of_name = |name: &str| Ok((app.owner(name)?, format!("dynos/{}", in_path(name))));
    let found = names.map(of_name).collect::<Result<Vec<_>, Failure>>()?;
    if found.is_empty() {
        return Ok(app.starts().iter().map(|start| (start, "dynos".to_owned())).collect());
    }
    Ok(found)
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
