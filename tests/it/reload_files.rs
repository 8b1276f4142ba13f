//! How `dyno reload` reads the files again (S2.1, S14.1).

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{App, Ended, Running, error};
use crate::reload::reloads;
use crate::running::{names, start, stop, up};

const WAITS: &str = "waiting up to 10 seconds for a program to write to .env (a named pipe)\n";

const NEW_START: &str = "hint: `dyno stop`, then `dyno start`\n";

/// Starts an app whose `.env` is a named pipe that has this text once.
fn start_with(app: &App, text: &str) -> Running {
    let running = app.dyno(["start"]).spawn();
    app.send(".env", text);
    up(app, running)
}

/// A reload that waits for the writer of `.env`.
fn slow_reload(app: &App) -> Running {
    let reload = app.dyno(["reload"]).spawn();
    reload.until("the wait is announced", || reload.stderr.text() == WAITS);
    reload
}

/// Whether the start has opened this file.
pub(crate) fn has_open(running: &Running, path: &Path) -> bool {
    let open = fs::read_dir(format!("/proc/{}/fd", running.main())).unwrap();
    open.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|target| target == path))
}

#[test]
fn s14_1_a_reload_that_was_interrupted_leaves_a_named_pipe_to_the_next() {
    let app = App::new("worker: exec sleep 1000\n").fifo(".env");
    let running = start_with(&app, "LEVEL=1\n");
    let interrupted = slow_reload(&app);
    interrupted.signal(Signal::SIGTERM);
    assert_eq!(interrupted.finish().ended, Ended::Signal(Signal::SIGTERM));
    running.until("nothing reads .env", || !has_open(&running, &app.root().join(".env")));

    let reload = app.dyno(["reload"]).spawn();
    app.send(".env", "LEVEL=2\n");

    let reload = reload.finish();
    assert_eq!((reload.ended, reload.stdout().as_str()), (Ended::Code(0), "release v2: .env: ~ LEVEL\n"));
    stop(&app, running);
}

#[test]
fn s14_1_warnings_about_the_files_are_shown_even_if_the_reload_succeeds() {
    let app = App::new("worker: exec sleep 1000\n");
    let running = start(&app, []);
    fs::write(app.path(".env"), "LEVEL=1\nnot an entry\n").unwrap();

    let warning = "warning: .env:2: this line is not an assignment\nhint: write `KEY=value`, or `#` before a comment\n";
    app.dyno(["reload"]).run().expect(Ended::Code(0), "release v2: .env: + LEVEL\n", warning);

    app.dyno(["reload"]).run().expect(Ended::Code(0), "nothing to apply: the app stays on release v2\n", warning);
    let json: Vec<Value> = serde_json::from_slice(&app.dyno(["reload", "--json"]).run().stdout).unwrap();
    assert_eq!(json[0]["warnings"][0]["message"], ".env:2: this line is not an assignment");
    stop(&app, running);
}

#[test]
fn s14_1_warnings_are_shown_beside_errors_too() {
    let app = App::new("worker: exec sleep 1000\n");
    let running = start(&app, []);
    fs::write(app.path(".env"), "not an entry\nA='open\n").unwrap();

    let stderr = app.dyno(["reload"]).run().stderr();

    let labels: Vec<&str> = stderr.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    assert_eq!(labels, ["warning", "hint", "error", "hint"], "{stderr}");
    stop(&app, running);
}

#[test]
fn s14_1_root_and_procfile_stay_those_of_the_start() {
    let app =
        App::new("worker: exec sleep 1000\n").file("Other", "api: exec sleep 1000\n").file("sub/Procfile", "x: y\n");
    let running = start(&app, []);
    for (text, fact) in [
        ("procfile: Other\n", "this change needs a new start: `procfile` (.foreman:1)"),
        ("root: sub\nformation: worker=2\n", "this change needs a new start: `root` (.foreman:1)"),
        ("timeout: 7\nport: 6000\n", "these changes need a new start: `timeout` (.foreman:1), `port` (.foreman:2)"),
    ] {
        fs::write(app.path(".foreman"), text).unwrap();
        let note = format!("note: {fact}\n{NEW_START}");
        app.dyno(["reload"]).run().expect(Ended::Code(0), "nothing to apply: the app stays on release v1\n", &note);
    }
    fs::write(app.path(".foreman"), "").unwrap();
    fs::write(app.path(".env"), "A=1\nPORT=6000\nPROCFILE=Other\n").unwrap();

    let note = format!("note: these changes need a new start: `PORT` (.env:2), `PROCFILE` (.env:3)\n{NEW_START}");
    app.dyno(["reload"]).run().expect(Ended::Code(0), "release v2: .env: + A, + PORT, + PROCFILE\n", &note);

    assert_eq!(names(&app), ["worker.1"]);
    stop(&app, running);
}

#[test]
fn s14_1_a_procfile_from_stdin_is_kept_and_not_read_again() {
    let app = App::empty().file("types", "worker: echo level $LEVEL; exec sleep 1000\n");
    let stdin = fs::File::open(app.path("types")).unwrap();
    let running = up(&app, app.dyno(["start", "-f", "-"]).stdin_from(stdin).spawn());

    let note = "note: stdin was read at the start and cannot be read again\n\
                hint: use a regular file if you want to change it while the app runs\n";
    app.dyno(["reload"]).run().expect(Ended::Code(0), "nothing to apply: the app stays on release v1\n", note);

    fs::write(app.path(".env"), "LEVEL=2\n").unwrap();
    app.dyno(["reload"]).run().expect(Ended::Code(0), "release v2: .env: + LEVEL\n", "");
    running.until_shown("level 2");
    stop(&app, running);
}

#[test]
fn s14_1_an_error_about_an_option_says_that_it_is_one_of_the_start() {
    let app = App::new("worker: exec sleep 1000\n");
    let running = start(&app, ["-m", "worker=2"]);
    fs::write(app.path("Procfile"), "jobs: exec sleep 1000\n").unwrap();

    let stderr = error(
        "the options that the app was started with are no longer valid: the Procfile has no process type `worker`",
        "`dyno stop`, then start the app with other options",
    );
    app.dyno(["reload"]).run().expect(Ended::Code(2), "", &stderr);

    stop(&app, running);
}

#[test]
fn s10_2_why_compares_the_files_with_the_last_reload() {
    let app = App::new("worker: exec sleep 1000\n");
    let running = start(&app, []);
    let later = |seconds| SystemTime::now() + Duration::from_secs(seconds);
    let change =
        |file: &str, at| fs::File::options().append(true).open(app.path(file)).unwrap().set_modified(at).unwrap();
    let shown = || {
        let why = app.dyno(["why", "worker"]).run().stdout();
        let lines = why
            .lines()
            .filter_map(|line| Some(line.trim().split_once("release    v").or(line.split_once("next: "))?.1));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    change("Procfile", later(3600));
    assert_eq!(shown(), ["1; changed after the start: Procfile", "dyno reload, to read the changed files"]);

    fs::write(app.path("Procfile"), "worker: exec sleep 1001\n").unwrap();
    fs::write(app.path("vars"), "A=1\n").unwrap();
    fs::write(app.path(".foreman"), "env: vars\n").unwrap();
    reloads(&app, "release v2: .env: + A; Procfile: ~ worker\n");

    assert_eq!(shown(), ["2", "dyno restart worker.1"]);
    change("vars", later(3600));
    assert_eq!(shown(), ["2; changed after the last reload: vars", "dyno reload, to read the changed files"]);
    stop(&app, running);
}

#[test]
fn s14_1_the_end_of_the_app_does_not_wait_for_a_slow_file() {
    let app = App::new("worker: exec sleep 1000\n").fifo(".env");
    let running = start_with(&app, "LEVEL=1\n");
    let reload = slow_reload(&app);

    stop(&app, running).expect_end(Ended::Code(0));

    // The reload no longer waits for the file, so it is answered before the app ends.
    let ending = error("everything is being stopped", "start it again with `dyno start`");
    reload.finish().expect(Ended::Code(69), "", &format!("{WAITS}{ending}"));
}

#[test]
fn s14_1_simultaneous_reloads_read_a_named_pipe_one_after_the_other() {
    let app = App::new("worker: exec sleep 1000\n").fifo(".env");
    let running = start_with(&app, "LEVEL=1\n");
    let first = slow_reload(&app);
    let second = app.dyno(["reload"]).spawn();

    app.send(".env", "LEVEL=2\n");
    first.finish().expect(Ended::Code(0), "release v2: .env: ~ LEVEL\n", WAITS);
    app.send(".env", "LEVEL=3\n");

    assert_eq!(second.finish().stdout(), "release v3: .env: ~ LEVEL\n");
    stop(&app, running);
}
