//! Changes at the worst moment: while the files are read, while a release command runs, and while dynos restart or stop.

use std::fs;
use std::os::unix::fs::symlink;

use crate::harness::{App, Running};
use crate::reload_files::has_open;
use crate::running::stop;

const SHOWS_LEVEL: &str = "worker: echo level $LEVEL; exec sleep 1000\n";

fn write(app: &App, name: &str, text: &str) {
    fs::write(app.path(name), text).unwrap();
}

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

    write(&app, "real.env", "LEVEL=2\n");
    app.send("pipe", "A=1\n");
    running.until_shown("level 1");
    app.send("pipe", "A=1\n");

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
    app.send("pipe", "A=1\n");

    running.until_shown("not applied: first.env does not exist");
    stop(&app, running);
}
