//! How long it takes until commands run: the first of a formation and the last.

use std::process::Stdio;
use std::time::SystemTime;

use crate::Effort;
use crate::app::{App, signal};
use crate::roles::{nanoseconds, report_and_wait};
use crate::table::{Limit, Table};

/// Longest time to the first exec, in milliseconds.
const FIRST_MS: f64 = 5.0;

/// How much longer than a loop of the shell the hundredth exec may take.
const HUNDREDTH: f64 = 1.2;

/// Milliseconds from before the start to the first exec and to the last.
struct Execs {
    first: Vec<f64>,
    last: Vec<f64>,
}

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    for count in [1, 10, 100] {
        let app = App::idle();
        let mut dyno = Execs { first: Vec::new(), last: Vec::new() };
        let mut shell = Execs { first: Vec::new(), last: Vec::new() };
        for round in 0..=effort.of(21, 5) {
            let pair = [with_dyno(&app, count), with_shell(&app, count)];
            // The first round is the warm-up.
            if round > 0 {
                for ((first, last), execs) in pair.into_iter().zip([&mut dyno, &mut shell]) {
                    execs.first.push(first);
                    execs.last.push(last);
                }
            }
        }
        table.alone(&format!("  first of {count}"), &dyno.first, "ms", Limit::AtMost(FIRST_MS));
        table.against(&format!("  first of {count}, `sh` loop"), [&dyno.first, &shell.first], "ms", Limit::None);
        let limit = if count == 100 { Limit::AtMost(HUNDREDTH) } else { Limit::None };
        table.against(&format!("  last of {count}, `sh` loop"), [&dyno.last, &shell.last], "ms", limit);
    }
}

fn with_dyno(app: &App, count: usize) -> (f64, f64) {
    let begin = SystemTime::now();
    let mut dyno = app.start(count, Stdio::null());
    let times = first_and_last(app, count, begin).0;
    dyno.terminate();
    dyno.wait();
    times
}

fn with_shell(app: &App, count: usize) -> (f64, f64) {
    let command = report_and_wait("reports");
    let script = format!("i=0; while [ $i -lt {count} ]; do {command} & i=$((i+1)); done; wait");
    let begin = SystemTime::now();
    let mut shell = app.shell(&script, Stdio::null());
    let (times, pids) = first_and_last(app, count, begin);
    pids.into_iter().for_each(signal);
    shell.wait();
    times
}

fn first_and_last(app: &App, count: usize, begin: SystemTime) -> ((f64, f64), Vec<i32>) {
    let begun = app.begun(count);
    let since = |at: u128| milliseconds(at.saturating_sub(nanoseconds(begin)));
    let first = begun.iter().map(|begun| begun.at).min().unwrap();
    let last = begun.iter().map(|begun| begun.at).max().unwrap();
    ((since(first), since(last)), begun.iter().map(|begun| begun.pid).collect())
}

#[expect(clippy::cast_precision_loss, reason = "less than a minute")]
fn milliseconds(nanoseconds: u128) -> f64 {
    nanoseconds as f64 / 1e6
}
