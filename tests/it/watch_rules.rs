//! Which files `--watch` leaves out: by ignore files, behind symlinks, and those that `dyno` writes (S14.3). In each case the
//! change of another file shows that there was no restart before.

use std::os::unix::fs::symlink;
use std::time::Duration;

use crate::harness::{App, Running, until};
use crate::reload_watch::sh;
use crate::running::{start, stop};
use crate::watch::restarts;

const SLEEPS: &str = "worker: exec sleep 1000\n";

/// Saves a file that counts, and asserts that this is restart number `count`, for this file alone.
#[track_caller]
fn only_then(app: &App, running: &Running, count: usize) {
    let name = format!("counts{count}.rb");
    app.write(&name, "");
    running.until_shown(&format!("worker restarting: {name} changed\n"));
    assert_eq!(restarts(running, "worker"), count, "{}", running.stdout.text());
}

#[test]
fn s14_3_a_saved_ignore_file_applies_to_the_next_change() {
    let app = App::new(SLEEPS).file("a.log", "").file(".dynoignore", "data\n").file("data/x", "");
    let running = start(&app, ["--watch", "worker"]);

    app.write(".dynoignore", "*.log\n");
    running.until("it restarts", || restarts(&running, "worker") == 1);
    app.write("a.log", "ignored by this time");
    only_then(&app, &running, 2);
    app.write("data/x", "no longer ignored");
    running.until_shown("worker restarting: data/x changed\n");

    stop(&app, running);
}

#[test]
fn s14_3_only_files_count_and_not_the_root_itself() {
    let app = App::new(SLEEPS).file("a.rb", "");
    // A file saved right before the start would be treated as changed when everything is looked at again.
    let saved = app.path("a.rb").metadata().unwrap().modified().unwrap();
    until("the file is older", || saved.elapsed().is_ok_and(|age| age > Duration::from_millis(100)));
    let running = start(&app, ["--watch", "worker"]);

    sh(&app, "touch .; chmod 711 .; chmod 755 .");
    only_then(&app, &running, 1);

    stop(&app, running);
}

#[test]
fn s14_3_files_below_a_symlinked_directory_are_not_watched() {
    let app = App::new(SLEEPS).file("../outside/a.rb", "");
    symlink("../outside", app.path("lib")).unwrap();
    let running = start(&app, ["--watch", "worker"]);

    app.write("../outside/a.rb", "changed");
    only_then(&app, &running, 1);

    stop(&app, running);
}

#[test]
fn s14_3_the_log_files_of_dyno_are_not_watched() {
    let app = App::new("worker: echo begins; while :; do echo works; sleep 0.1; done\n");
    let running = start(&app, ["--watch", "worker", "--log-dir", "log"]);
    let works = || running.stdout.text().matches("works").count();
    running.until("it writes", || works() > 5);

    only_then(&app, &running, 1);
    let so_far = works();
    running.until("it writes more", || works() > so_far + 20);

    assert_eq!(restarts(&running, "worker"), 1);
    stop(&app, running);
}

#[test]
fn s14_3_a_file_that_changes_while_the_dynos_start_restarts_them() {
    // The dyno itself creates the file as soon as it starts.
    let app = App::new("worker: test -e made || echo >made; echo $(ls); exec sleep 1000\n");

    let running = start(&app, ["--watch", "worker"]);

    running.until_shown("worker restarting: made changed");
    running.until("it runs again", || running.stdout.text().matches("| Procfile made").count() == 2);
    assert_eq!(restarts(&running, "worker"), 1);
    stop(&app, running);
}
