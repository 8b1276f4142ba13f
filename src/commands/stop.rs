//! `dyno stop`: stops dynos of the app that runs here, or all of it.

use std::env;
use std::time::{Duration, Instant};

use super::restart::{body, done_so_far, shown, targets};
use crate::api::{RestartedDyno, TouchedDynos};
use crate::cli::{Cli, StopArgs};
use crate::client::{Failure, RunningApp, change_each, finish};
use crate::console::diagnostics::{print_line, show_finding};
use crate::console::stdout;
use crate::error::{Complaint, Error};
use crate::runtime;
use crate::supervisor::Outcome;

/// How long `stop` waits without a word.
const SILENT_FOR: Duration = Duration::from_secs(5);

pub(super) fn run(cli: &Cli, args: &StopArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    let app = match RunningApp::find(cli.project_before(), &args.running) {
        Ok(app) => app,
        Err(failure) => return Ok(finish(&args.running, Err(failure))),
    };
    let dynos = match stop(&app, args) {
        Ok(dynos) => dynos,
        Err(failure) => return Ok(finish(&args.running, Err(failure))),
    };
    let written = stdout::write(&shown(&dynos, "stopping", args.running.json))?;
    let is_release = |dyno: &RestartedDyno| dyno.name.starts_with("release.");
    if args.dynos.all().next().is_some() && !args.running.json && dynos.dynos.iter().any(is_release) {
        let fact = "the new release will fail, and the app stays on the previous one";
        show_finding(false, &Complaint::new(fact, "`dyno reload` tries again"));
    }
    if args.dynos.all().next().is_none() {
        wait_for_end(&app, args.running.json);
    }
    Ok(written)
}

fn stop(app: &RunningApp, args: &StopArgs) -> Result<TouchedDynos, Failure> {
    let targets = targets(app, args.dynos.all())?;
    let stop =
        |(start, path): (_, String)| app.ask(start, "POST", &format!("{path}/actions/stop"), &body(args.timeout));
    let touched: Vec<TouchedDynos> = change_each(targets.into_iter(), stop, |done| {
        done_so_far("stopping", done.into_iter().flat_map(|touched: TouchedDynos| touched.dynos))
    })?;
    Ok(TouchedDynos { dynos: touched.into_iter().flat_map(|touched| touched.dynos).collect() })
}

/// Waits until all starts have ended: `dyno stop && dyno start` starts the app again. A dyno that stops its own app does not
/// wait for itself. `quiet`: without a word.
fn wait_for_end(app: &RunningApp, quiet: bool) {
    let own = env::var("DYNO_SESSION").ok();
    let others = app.starts().iter().filter(|start| own.as_deref() != Some(start.session.as_str()));
    // All at once. Without a thread for it there is no wait.
    let ends: Vec<_> = others.filter_map(|start| Some((start.pid, app.directory().end_of(start).ok()?))).collect();
    let silent_until = Instant::now() + SILENT_FOR;
    for (pid, end) in ends {
        if end.recv_timeout(silent_until.saturating_duration_since(Instant::now())).is_err() {
            if !quiet {
                print_line(&format!("waiting for `dyno` (pid {pid}) to end"));
            }
            let _ = end.recv();
        }
    }
}
