//! What it costs to watch files (S14.2, S14.3): the time from a change to the next exec, the start, memory and wake-ups.

use std::fs;
use std::process::Stdio;
use std::time::SystemTime;

use crate::Effort;
use crate::app::{App, Running, is_installed, pause};
use crate::processes::AtRest;
use crate::roles::{milliseconds, nanoseconds, report_and_wait};
use crate::table::{Limit, Table};

/// Limit for the time from a change of `.env` to the next exec, in milliseconds. 200 of it is the quiet time.
const RELOAD_MS: f64 = 250.0;

/// Files in the app that is large.
const FILES: usize = 50_000;
/// How much later its first dyno may start because they are watched, in milliseconds.
const DELAY_MS: f64 = 500.0;
/// How much more memory both processes may need, in megabytes.
const MORE_MB: f64 = 30.0;

/// A program that restarts a command when files change, measured beside `dyno` if it is installed.
const PEER: &str = "nodemon";

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    reload(effort, table);
    restart(effort, table);
    many_files(effort, table);
}

/// With something after the command, it needs its shell.
fn line() -> String {
    format!("{}; :", report_and_wait("reports"))
}

fn reload(effort: Effort, table: &mut Table) {
    let app = App::new(&line());
    fs::write(app.path(".env"), "LEVEL=0\n").unwrap();
    let mut dyno = app.start_with(&["--reload"], Stdio::null());
    app.wait_for_report();
    let mut times = Vec::new();
    for round in 1..=effort.of(9, 3) {
        fs::write(app.path(".env.new"), format!("LEVEL={round}\n")).unwrap();
        let begin = SystemTime::now();
        fs::rename(app.path(".env.new"), app.path(".env")).unwrap();
        times.push(milliseconds(app.wait_for_report().at.saturating_sub(nanoseconds(begin))));
        // More than 10 changes in 20 seconds are a loop.
        pause(2_100);
    }
    end(&mut dyno);
    table.alone("  `.env` renamed, until the next exec", &times, "ms", Limit::AtMost(RELOAD_MS));
}

/// The time from a change of a file to the next exec.
fn restart(effort: Effort, table: &mut Table) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..effort.of(9, 3) {
        ours.push(changed(|app| app.start_with(&["--watch", "web=src"], Stdio::null())));
        if is_installed(PEER) {
            let peer = format!("exec {PEER} --quiet --watch src --ext txt --exec '{}'", line());
            theirs.push(changed(|app| app.shell(&peer, Stdio::null())));
        }
    }
    if theirs.is_empty() {
        table.alone("  a file of `--watch` changed, until the next exec", &ours, "ms", Limit::AtMost(RELOAD_MS));
        table.note(&format!("  skipped: `{PEER}` is not on the PATH"));
    } else {
        let what = format!("  a watched file changed, until the next exec, `{PEER}`");
        table.against(&what, [&ours, &theirs], "ms", Limit::None);
        table.alone("  the same of `dyno`", &ours, "ms", Limit::AtMost(RELOAD_MS));
    }
}

fn changed(start: impl FnOnce(&App) -> Running) -> f64 {
    let app = App::new(&line());
    fs::create_dir(app.path("src")).unwrap();
    fs::write(app.path("src/a.txt"), "first\n").unwrap();
    let mut running = start(&app);
    app.wait_for_report();
    // The other program begins to watch some time after it has started its command.
    pause(1_000);
    let begin = SystemTime::now();
    fs::write(app.path("src/a.txt"), "second\n").unwrap();
    let took = milliseconds(app.wait_for_report().at.saturating_sub(nanoseconds(begin)));
    end(&mut running);
    took
}

fn many_files(effort: Effort, table: &mut Table) {
    let app = App::new(&line());
    for number in 0..FILES {
        let directory = app.path(&format!("src/{}", number / 50));
        if number % 50 == 0 {
            fs::create_dir_all(&directory).unwrap();
        }
        fs::write(directory.join(format!("{number}.txt")), "").unwrap();
    }
    let (mut plain, mut watched) = (Vec::new(), Vec::new());
    let (mut more, mut wake_ups) = (Vec::new(), Vec::new());
    for round in 0..=effort.of(9, 3) {
        let (without, before) = started(&app, &[], effort);
        let (with, after) = started(&app, &["--reload", "--watch", "web"], effort);
        // The first round is the warm-up.
        if round > 0 {
            plain.push(without);
            watched.push(with);
            more.push(after.resident - before.resident);
            wake_ups.push(after.wake_ups);
        }
    }
    let delays: Vec<f64> = watched.iter().zip(&plain).map(|(with, without)| with - without).collect();
    let what = |what: &str| format!("  {FILES} files watched, {what}");
    table.alone(&what("delay of the start"), &delays, "ms", Limit::AtMost(DELAY_MS));
    table.alone(&what("more RSS"), &more, "MB", Limit::AtMost(MORE_MB));
    table.alone(&what("wake-ups"), &wake_ups, "", Limit::AtMost(0.0));
}

/// The time until the first exec, then the memory of both processes and their wake-ups while idle.
fn started(app: &App, options: &[&str], effort: Effort) -> (f64, AtRest) {
    let begin = SystemTime::now();
    let mut dyno = app.start_with(options, Stdio::null());
    let took = milliseconds(app.wait_for_report().at.saturating_sub(nanoseconds(begin)));
    let at_rest = AtRest::of(dyno.both(), effort.of(2_000, 500));
    end(&mut dyno);
    (took, at_rest)
}

fn end(running: &mut Running) {
    running.terminate();
    running.wait();
}
