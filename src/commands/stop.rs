//! `dyno stop`: stops dynos of the app that runs here, or all of it.

use super::restart::{body, shown, targets};
use super::running::{Failure, RunningApp, finish};
use crate::api::TouchedDynos;
use crate::cli::{Cli, StopArgs};
use crate::console::stdout;
use crate::error::Error;
use crate::runtime;
use crate::supervisor::Outcome;

pub(super) fn run(cli: &Cli, args: &StopArgs) -> Result<Outcome, Error> {
    runtime::unblock_all();
    match stop(cli, args) {
        Ok(dynos) => stdout::write(&shown(&dynos, "stopping", args.running.json)),
        Err(failure) => Ok(finish(&args.running, Err(failure))),
    }
}

fn stop(cli: &Cli, args: &StopArgs) -> Result<TouchedDynos, Failure> {
    let app = RunningApp::find(cli.project_before(), &args.running)?;
    let mut all = TouchedDynos::default();
    for (start, path) in targets(&app, args.dynos.all())? {
        let touched: TouchedDynos = app.ask(start, "POST", &format!("{path}/actions/stop"), &body(args.timeout))?;
        all.dynos.extend(touched.dynos);
    }
    Ok(all)
}
