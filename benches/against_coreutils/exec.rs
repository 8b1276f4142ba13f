//! How long it takes until the first and the last program of a formation are executed.

use std::process::Stdio;
use std::time::SystemTime;

use crate::Effort;
use crate::app::{App, terminate};
use crate::roles::{milliseconds, nanoseconds, report_and_wait};
use crate::table::{Limit, Table};

/// Limit for the time to the first exec, in milliseconds. With 100 dynos it is only shown: all of them are checked before
/// any is started, and the first one shares the cores with the start of the others.
const FIRST_MS: f64 = 5.0;

/// Limit for the time to the hundredth exec, as a ratio to a shell loop that runs the bare commands. The loop that
/// passes each line to `sh -c`, like a Procfile, is shown next to it without a limit.
const HUNDREDTH: f64 = 1.2;

/// Milliseconds from just before the start to the first and to the last exec, one per round.
struct Execs {
    first: Vec<f64>,
    last: Vec<f64>,
}

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    for count in [1, 10, 100] {
        let app = App::idle();
        let mut dyno = Execs { first: Vec::new(), last: Vec::new() };
        let mut shell = Execs { first: Vec::new(), last: Vec::new() };
        let mut bare = Execs { first: Vec::new(), last: Vec::new() };
        for round in 0..=effort.of(21, 5) {
            let times = [with_dyno(&app, count), with_shell(&app, count, LINES), with_shell(&app, count, BARE)];
            // The first round is the warm-up.
            if round > 0 {
                for ((first, last), execs) in times.into_iter().zip([&mut dyno, &mut shell, &mut bare]) {
                    execs.first.push(first);
                    execs.last.push(last);
                }
            }
        }
        let limit = if count == 100 { Limit::None } else { Limit::AtMost(FIRST_MS) };
        table.shortest(&format!("  first of {count}"), &dyno.first, limit);
        table.against(&format!("  first of {count}, `sh` loop"), [&dyno.first, &shell.first], "ms", Limit::None);
        let limit = if count == 100 { Limit::AtMost(HUNDREDTH) } else { Limit::None };
        table.against(&format!("  last of {count}, `sh` loop"), [&dyno.last, &shell.last], "ms", Limit::None);
        table.against(&format!("  last of {count}, bare commands"), [&dyno.last, &bare.last], "ms", limit);
    }
}

/// Milliseconds to the first and to the last exec.
pub(crate) fn with_dyno(app: &App, count: usize) -> (f64, f64) {
    let begin = SystemTime::now();
    let mut dyno = app.start(count, Stdio::null());
    let times = first_and_last(app, count, begin).0;
    dyno.terminate();
    dyno.wait();
    times
}

/// The body of the shell loop: either passes the command line to `sh -c`, like a Procfile …
const LINES: &str = "sh -c \"exec $line\"";
/// … or runs its words directly.
const BARE: &str = "$line";

fn with_shell(app: &App, count: usize, run: &str) -> (f64, f64) {
    let line = report_and_wait("reports");
    let script =
        format!("read -r line <<'END'\n{line}\nEND\ni=0; while [ $i -lt {count} ]; do {run} & i=$((i+1)); done; wait");
    let begin = SystemTime::now();
    let mut shell = app.shell(&script, Stdio::null());
    let (times, pids) = first_and_last(app, count, begin);
    pids.into_iter().for_each(terminate);
    shell.wait();
    times
}

fn first_and_last(app: &App, count: usize, begin: SystemTime) -> ((f64, f64), Vec<i32>) {
    let reports = app.wait_for_reports(count);
    let since = |at: u128| milliseconds(at.saturating_sub(nanoseconds(begin)));
    let first = reports.iter().map(|report| report.at).min().unwrap();
    let last = reports.iter().map(|report| report.at).max().unwrap();
    ((since(first), since(last)), reports.iter().map(|report| report.pid).collect())
}
