//! `dyno restart`: replaces dynos of the app that runs here, and waits for the new ones if asked to.

use super::running::{Failure, RunningApp, finish, wait_result};
use crate::api::{StartDescription, TouchedDynos};
use crate::cli::{Cli, RestartArgs};
use crate::console::stdout;
use crate::error::Error;
use crate::runtime;
use crate::supervisor::Outcome;

pub(super) fn run(cli: &Cli, args: &RestartArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    match restart(cli, args) {
        Ok((dynos, waited)) => {
            let written = stdout::write(&shown(&dynos, "restarting", args.running.json))?;
            Ok(if waited == Ok(Outcome::Code(0)) { written } else { finish(&args.running, waited) })
        }
        Err(failure) => Ok(finish(&args.running, Err(failure))),
    }
}

/// The dynos, and how the wait for them ended.
fn restart(cli: &Cli, args: &RestartArgs) -> Result<(TouchedDynos, Result<Outcome, Failure>), Failure> {
    let app = RunningApp::find(cli.project_before(), &args.running)?;
    let mut all = TouchedDynos::default();
    let mut waits: Vec<(&StartDescription, TouchedDynos)> = Vec::new();
    for (start, path) in targets(&app, args.dynos.all())? {
        let touched: TouchedDynos = app.ask(start, "DELETE", &path, &[])?;
        all.dynos.extend(touched.dynos.iter().cloned());
        waits.push((start, touched));
    }
    let Some(seconds) = args.wait.seconds else { return Ok((all, Ok(Outcome::Code(0)))) };
    for (start, touched) in waits.into_iter().filter(|(_, touched)| !touched.dynos.is_empty()) {
        let waited = wait_result(&app.wait(start, touched.dynos, seconds)?, seconds);
        if waited != Ok(Outcome::Code(0)) {
            return Ok((all, waited));
        }
    }
    Ok((all, Ok(Outcome::Code(0))))
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

/// The name as one part of a path.
fn in_path(name: &str) -> String {
    let escaped = |byte: u8| {
        let is_plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if is_plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    name.bytes().map(escaped).collect()
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
