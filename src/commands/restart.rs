//! `dyno restart`: replaces dynos of the app that runs here, and waits for the new ones if asked to.

use crate::api::{RestartedDyno, StartDescription, StopRequest, TouchedDynos, WaitUntil};
use crate::cli::{Cli, RestartArgs, Seconds};
use crate::client::{Failure, RunningApp, Waiting, change_each, finish, in_path};
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
    let restarted = of_starts.into_iter().filter(|(_, touched)| !touched.dynos.is_empty());
    let restarted: Vec<_> = restarted.map(|(start, touched)| (start, touched.dynos)).collect();
    Ok(finish(&args.running, waiting.wait(&restarted).map(|()| written)))
}

/// The dynos of each start.
fn restart<'a>(
    app: &'a RunningApp,
    args: &'a RestartArgs,
) -> Result<Vec<(&'a StartDescription, TouchedDynos)>, Failure> {
    let targets = targets(app, args.dynos.all())?;
    let restart = |(start, path): (_, String)| Ok((start, app.ask(start, "DELETE", &path, &body(args.timeout))?));
    change_each(targets.into_iter(), restart, |done| {
        done_so_far("restarting", done.into_iter().flat_map(|(_, touched): (_, TouchedDynos)| touched.dynos))
    })
}

/// What was done before a start has refused: `restarting web.1, web.2`; empty if nothing was.
pub(super) fn done_so_far(what: &str, dynos: impl Iterator<Item = RestartedDyno>) -> String {
    let names: Vec<String> = dynos.map(|dyno| dyno.name).collect();
    if names.is_empty() { String::new() } else { format!("{what} {}", names.join(", ")) }
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
    let owners = app.look(names.iter().copied())?.owners(names.into_iter())?;
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
