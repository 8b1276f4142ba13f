//! `dyno run --detach`: starts a one-off dyno inside the app that runs here (S10.2).
//!
//! Unlike with `dyno run` (`one_off`), the command gets the environment of the running app and writes to its log.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;

use serde::Serialize;

use crate::api::{DynoResource, RestartedDyno, StartDescription, WaitUntil};
use crate::app::Layers;
use crate::cli::{Cli, RunArgs, WhichArgs};
use crate::client::{Failure, RunningApp, Waiting, finish};
use crate::console::stdout;
use crate::error::{Error, Status};
use crate::project::files::invalid_setting;
use crate::release::OneOff;
use crate::runtime;
use crate::supervisor::Outcome;

/// The hint if no app runs here.
const NEEDS_APP: &str = "`dyno start` starts the app; without `--detach`, `dyno run` needs no running app";

/// The body of the request.
#[derive(Serialize)]
struct RunBody<'a> {
    command: &'a str,
    attach: bool,
    env: BTreeMap<&'a str, &'a str>,
}

pub(super) fn run(cli: &Cli, args: &RunArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    let failed = |failure| Ok(finish(&args.running(), Err(failure)));
    let (body, app) = match body(args).and_then(|body| Ok((body, find(cli, args)?))) {
        Ok(found) => found,
        Err(failure) => return failed(failure),
    };
    let (start, dyno) = match start(&app, &body) {
        Ok(started) => started,
        Err(failure) => return failed(failure),
    };
    // The name alone, so that a script can use it: `dyno stop $(dyno run --detach rake jobs)`. Before the wait, which may
    // take long.
    let shown = if args.json { serde_json::to_string(&dyno).unwrap_or_default() } else { dyno.name.clone() };
    let written = stdout::write(&format!("{shown}\n"))?;
    let Some(seconds) = args.wait.seconds else { return Ok(written) };
    let mut waiting = Waiting::new(&app, WaitUntil::Exit, seconds, args.json);
    let ended = waiting.wait(&[(start, vec![RestartedDyno { name: dyno.name, run: None }])]);
    Ok(finish(&args.running(), ended.map(|()| Outcome::Code(0))))
}

/// The request for the command and the variables of the line.
fn body(args: &RunArgs) -> Result<Vec<u8>, Failure> {
    let words: Vec<&[u8]> = args.words.iter().map(|word| word.as_bytes()).collect();
    let line = OneOff::line_of(&words).unwrap_or_default();
    let command = std::str::from_utf8(&line).map_err(|_| {
        usage("the command is not valid UTF-8", "put it into a script of the app and run the script with `--detach`")
    })?;
    let env = args.variables.set.iter().map(|setting| variable(setting)).collect::<Result<_, Failure>>()?;
    Ok(serde_json::to_vec(&RunBody { command, attach: false, env }).unwrap_or_default())
}

fn find(cli: &Cli, args: &RunArgs) -> Result<RunningApp, Failure> {
    RunningApp::find(cli.project_before(), &args.running()).map_err(|failure| {
        // If the user chose an app, the error already has a better hint.
        let is_any = args.which == WhichArgs::default();
        if is_any { failure.if_not_running(NEEDS_APP) } else { failure }
    })
}

fn start<'a>(app: &'a RunningApp, body: &[u8]) -> Result<(&'a StartDescription, DynoResource), Failure> {
    let oldest = app.oldest()?;
    Ok((oldest, app.ask(oldest, "POST", "dynos", body)?))
}

/// The key and the value of `--set KEY=VALUE`, checked.
fn variable(setting: &str) -> Result<(&str, &str), Failure> {
    Layers::default().add_setting(setting.as_bytes()).map_err(|error| {
        let error = invalid_setting(setting, error);
        let first = error.complaints().first();
        first.map_or_else(|| usage("", ""), |complaint| usage(&complaint.fact, &complaint.hint))
    })?;
    Ok(setting.split_once('=').unwrap_or((setting, "")))
}

fn usage(message: &str, hint: &str) -> Failure {
    Failure::new(Status::Usage, "invalid_params", message, hint)
}
