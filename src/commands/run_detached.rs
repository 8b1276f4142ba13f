//! `dyno run --detach`: starts a one-off dyno inside the app that runs here (S10.2).
//!
//! Unlike with `dyno run` (`one_off`), the command gets the environment of the running app and writes to its log.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;

use serde::Serialize;

use super::running::{Failure, RunningApp, finish};
use crate::api::DynoResource;
use crate::app::Layers;
use crate::cli::{Cli, RunArgs, WhichArgs};
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
    match start(cli, args) {
        Ok(dyno) if args.json => stdout::write(&format!("{}\n", serde_json::to_string(&dyno).unwrap_or_default())),
        // Alone, so that a script can use it: `dyno stop $(dyno run --detach rake jobs)`.
        Ok(dyno) => stdout::write(&format!("{}\n", dyno.name)),
        Err(failure) => Ok(finish(&args.running(), Err(failure))),
    }
}

fn start(cli: &Cli, args: &RunArgs) -> Result<DynoResource, Failure> {
    let words: Vec<&[u8]> = args.words.iter().map(|word| word.as_bytes()).collect();
    let line = OneOff::line_of(&words).unwrap_or_default();
    let command = std::str::from_utf8(&line).map_err(|_| {
        usage("the command is not valid UTF-8", "put it into a script of the app and run the script with `--detach`")
    })?;
    let env = args.variables.set.iter().map(|setting| variable(setting)).collect::<Result<_, Failure>>()?;
    let app = RunningApp::find(cli.project_before(), &args.running()).map_err(|failure| {
        // If the user chose an app, the error already has a better hint.
        let is_any = args.which == WhichArgs::default();
        if is_any { failure.if_not_running(NEEDS_APP) } else { failure }
    })?;
    let body = serde_json::to_vec(&RunBody { command, attach: false, env }).unwrap_or_default();
    app.ask(app.oldest()?, "POST", "dynos", &body)
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
