//! Changes at the worst moment: while the files are read, while a release command runs, and while dynos restart or stop.

use std::fs;
use std::os::unix::fs::symlink;

use nix::sys::signal::Signal;

use crate::harness::{App, Ended, Running, error, until};
use crate::reload_files::has_open;
use crate::running::{dynos, names, start, stop};

const SHOWS_LEVEL: &str = "worker: echo level $LEVEL; exec sleep 1000\n";

/// A start with `--reload` that has read `first.env` and waits for a named pipe.
fn start_that_has_read_one(app: &App) -> Running {
    let running = app.dyno(["start", "--reload", "-e", "first.env,pipe"]).spawn();
    running.until("it reads the named pipe", || has_open(&running, &app.root().join("pipe")));
    running
}

#[test]
fn s14_2_the_target_of_a_symlink_may_change_while_the_app_starts() {
    let app = App::new(SHOWS_LEVEL).file("real.env", "LEVEL=1\n").fifo("pipe");
    symlink("real.env", app.path("first.env")).unwrap();
    let running = start_that_has_read_one(&app);

    app.write("real.env", "LEVEL=2\n");
    app.send("pipe", "A=1\n");
    running.until_shown("level 1");

    running.until_shown("level 2");
    let log = stop(&app, running);
    assert_eq!(log.lines_of("system")[0], "release v2: .env: ~ LEVEL");
}

#[test]
fn s14_2_a_file_may_vanish_while_the_app_starts() {
    let app = App::new(SHOWS_LEVEL).file("first.env", "LEVEL=1\n").fifo("pipe");
    let running = start_that_has_read_one(&app);

    fs::remove_file(app.path("first.env")).unwrap();
    app.send("pipe", "A=1\n");
    running.until_shown("level 1");

    running.until_shown("not applied: first.env does not exist");
    stop(&app, running);
}

#[test]
fn s8_3_a_save_during_a_release_command_replaces_its_release() {
    let app = App::new("worker: exec sleep 1000\n").fifo("go");
    let running = start(&app, ["--reload"]);
    app.write("Procfile", "release: cat go\nworker: exec sleep 1001\n");
    let first = app.dyno(["reload"]).spawn();
    running.until("the release command runs", || names(&app).contains(&"release.1".to_owned()));
    running.until_shown("release v2: Procfile: + release, ~ worker");

    app.write("Procfile", "release: true\nworker: exec sleep 1002\n");
    running.until_shown("release v3: Procfile: ~ release, ~ worker");
    let second = app.dyno(["reload"]).spawn();
    app.release("go");

    let replaced = "release v2: Procfile: + release, ~ worker; a later release replaced it\n";
    first.finish().expect(Ended::Code(0), replaced, "");
    let second = second.finish();
    second.expect_end(Ended::Code(0));
    let shown = ["release v3: Procfile: + release, ~ worker\n", "nothing to apply: the app stays on release v3\n"];
    assert!(
        second.stdout().starts_with("release v3: ") || shown.contains(&second.stdout().as_str()),
        "{}",
        second.stdout()
    );
    until("the last command runs", || dynos(&app).iter().any(|dyno| dyno["command"] == "exec sleep 1002"));
    stop(&app, running);
}

#[test]
fn s14_1_a_save_during_a_restart_is_applied_by_the_next_run() {
    let procfile = "worker: trap 'echo stopping; cat go; exit' TERM; echo level $LEVEL; while :; do sleep 1; done\n";
    let app = App::new(procfile).file(".env", "LEVEL=1\n").fifo("go");
    let running = start(&app, ["--reload", "-t", "1000"]);
    running.until_shown("level 1");
    let restart = app.dyno(["restart", "worker"]).spawn();
    running.until_shown("stopping");

    app.write(".env", "LEVEL=2\n");
    running.until_shown("release v2: .env: ~ LEVEL");
    app.release("go");

    running.until_shown("level 2");
    restart.finish().expect_end(Ended::Code(0));
    assert_eq!(running.stdout.text().matches("| level ").count(), 2);
    running.signal(Signal::SIGTERM);
    app.release("go");
    running.finish().expect_end(Ended::Signal(Signal::SIGTERM));
}

#[test]
fn s14_1_a_save_while_everything_stops_starts_nothing() {
    let procfile = "worker: trap 'echo stopping; cat go; exit' TERM; echo level $LEVEL; while :; do sleep 1; done\n";
    let app = App::new(procfile).file(".env", "LEVEL=1\n").fifo("go");
    let running = start(&app, ["--reload", "-t", "1000", "--watch", "worker"]);
    running.until_shown("level 1");
    running.signal(Signal::SIGTERM);
    running.until_shown("stopping");

    app.write(".env", "LEVEL=2\n");
    app.write("a.rb", "");
    let refused = app.dyno(["reload"]).run();
    app.release("go");

    let ending = error("everything is being stopped", "start it again with `dyno start`");
    refused.expect(Ended::Code(69), "", &ending);
    let log = running.finish();
    log.expect_end(Ended::Signal(Signal::SIGTERM));
    let shown = log.stdout();
    assert!(!shown.contains("level 2") && !shown.contains("release v2") && !shown.contains("restarting"), "{shown}");
}

#[test]
fn s8_3_ctrl_c_stops_a_later_release_command_too() {
    let app = App::new("worker: trap 'echo worker stops; exit' TERM; echo ready; while :; do sleep 1; done\n");
    let running = start(&app, ["--reload"]);
    running.until_shown("worker.1 | ready");
    let release = "release: trap 'echo release stops; exit' TERM; echo migrating; while :; do sleep 1; done\n";
    app.write("Procfile", &format!("{release}worker: exec sleep 1000\nclock: exec sleep 1000\n"));
    running.until_shown("release.1 | migrating");

    running.signal(Signal::SIGINT);

    let log = running.finish();
    log.expect_end(Ended::Signal(Signal::SIGINT));
    let shown = log.stdout();
    assert!(shown.contains("release stops") && shown.contains("worker stops"), "{shown}");
    // Neither the later release nor what it adds.
    assert_eq!(shown.matches("started with pid").count(), 2, "{shown}");
}
