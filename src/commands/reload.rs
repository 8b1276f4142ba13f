//! `dyno reload`: asks the app that runs here to read its files again and to apply what is different (S14.1).

use super::deployed::{StartAnswer, show_all};
use crate::cli::{Cli, ReloadArgs};
use crate::client::{Failure, PATIENCE, RunningApp, finish};
use crate::console::diagnostics;
use crate::error::Error;
use crate::runtime;
use crate::supervisor::Outcome;

pub(super) fn run(cli: &Cli, args: &ReloadArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    let app = match RunningApp::find(cli.project_before(), &args.running) {
        Ok(app) => app,
        Err(failure) => return Ok(finish(&args.running, Err(failure))),
    };
    let (answers, failures) = ask_all(&app, args.running.json);
    show_all(&args.running, &answers, failures)
}

/// The answers of the starts, and why the others have not answered. A start that ends meanwhile is left out, unless all
/// of them end.
pub(super) fn ask_all(app: &RunningApp, json: bool) -> (Vec<StartAnswer<'_>>, Vec<Failure>) {
    let notice = if json { |_: &str| () } else { diagnostics::print_line };
    let (mut answers, mut failures, mut over) = (Vec::new(), Vec::new(), None);
    for start in app.starts() {
        match app.ask_patiently(start, "POST", "releases/actions/reload", PATIENCE, notice) {
            Ok(answer) => answers.push(StartAnswer { pid: start.pid, answer, description: None, start }),
            Err(failure) if failure.is_over() => over = Some(failure),
            Err(failure) => failures.push(failure),
        }
    }
    if answers.is_empty() && failures.is_empty() {
        failures.extend(over);
    }
    (answers, failures)
}
