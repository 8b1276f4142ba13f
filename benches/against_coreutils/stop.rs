//! How long it takes from SIGTERM until `dyno` and all its processes are gone.

use std::process::Stdio;
use std::time::Instant;

use crate::Effort;
use crate::app::{App, until};
use crate::processes;
use crate::table::{Limit, Table};

/// Number of dynos. They exit as soon as they get SIGTERM.
const DYNOS: usize = 10;

/// Limit for the time from SIGTERM until all are gone, in milliseconds.
const STOP_MS: f64 = 50.0;

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    let app = App::idle();
    let rounds = 0..=effort.of(21, 5);
    // The first round is the warm-up.
    let times: Vec<f64> = rounds.map(|_| stop(&app)).skip(1).collect();
    table.alone(&format!("  {DYNOS} dynos"), &times, "ms", Limit::AtMost(STOP_MS));
}

fn stop(app: &App) -> f64 {
    let mut dyno = app.start(DYNOS, Stdio::null());
    let mut all: Vec<i32> = app.wait_for_reports(DYNOS).iter().map(|report| report.pid).collect();
    all.extend(dyno.both());
    let begin = Instant::now();
    dyno.terminate();
    dyno.wait();
    let none_left = || !all.iter().any(|pid| processes::exists(*pid));
    until("all processes are gone", none_left);
    begin.elapsed().as_secs_f64() * 1e3
}
