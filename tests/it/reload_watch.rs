//! `dyno start --reload`: the files are watched, and their changes are applied (S14.1, S14.2).

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::harness::{App, Running};
use crate::running::{names, start, stop};

const SHOWS_LEVEL: &str = "worker: echo level $LEVEL; exec sleep 1000\n";

fn save_by_rename(app: &App, name: &str, text: &str) {
    app.write("saved.tmp", text);
    fs::rename(app.path("saved.tmp"), app.path(name)).unwrap();
}

pub(crate) fn sh(app: &App, script: &str) {
    assert!(Command::new("sh").args(["-ec", script]).current_dir(app.root()).status().unwrap().success());
}

fn releases(running: &Running) -> usize {
    running.stdout.text().matches("system   | release v").count()
}

#[test]
fn s14_2_a_file_is_applied_however_it_is_saved() {
    let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=1\n");
    let running = start(&app, ["--reload"]);
    running.until_shown("level 1");

    app.write(".env", "LEVEL=2\n");
    running.until_shown("level 2");
    save_by_rename(&app, ".env", "LEVEL=3\n");
    running.until_shown("level 3");
    // As vim does: the old file becomes a backup, and a new one is written.
    fs::rename(app.path(".env"), app.path(".env~")).unwrap();
    app.write(".env", "LEVEL=4\n");
    running.until_shown("level 4");
    fs::remove_file(app.path(".env")).unwrap();
    running.until_shown("release v5: .env: - LEVEL");
    app.write(".env", "LEVEL=5\n");
    running.until_shown("level 5");

    let log = stop(&app, running);
    assert_eq!(log.lines_of("system")[0], "release v2: .env: ~ LEVEL");
}

#[test]
fn s14_2_the_target_of_a_symlink_and_the_symlink_itself_are_watched() {
    let app = App::new(SHOWS_LEVEL).file("config/a.env", "LEVEL=1\n").file("config/b.env", "LEVEL=2\n");
    symlink("config/a.env", app.path(".env")).unwrap();
    let running = start(&app, ["--reload"]);
    running.until_shown("level 1");

    symlink("config/b.env", app.path("link.tmp")).unwrap();
    fs::rename(app.path("link.tmp"), app.path(".env")).unwrap();
    running.until_shown("level 2");
    save_by_rename(&app, "config/b.env", "LEVEL=3\n");
    running.until_shown("level 3");

    stop(&app, running);
}

#[test]
fn s14_2_a_directory_that_is_replaced_is_watched_again() {
    let app = App::new(SHOWS_LEVEL).file("config/.env", "LEVEL=1\n").file("other/.env", "LEVEL=2\n");
    let running = start(&app, ["--reload", "-e", "config/.env"]);
    running.until_shown("level 1");

    fs::rename(app.path("config"), app.path("before")).unwrap();
    fs::rename(app.path("other"), app.path("config")).unwrap();
    running.until_shown("level 2");
    app.write("config/.env", "LEVEL=3\n");
    running.until_shown("level 3");

    stop(&app, running);
}

#[test]
fn s14_2_after_three_hundred_changes_in_a_row_the_last_one_is_applied() {
    let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=0\n");
    let running = start(&app, ["--reload"]);
    running.until_shown("level 0");

    sh(&app, "n=0; while [ $n -lt 300 ]; do n=$((n+1)); echo LEVEL=$n >new; mv new .env; done; echo LEVEL=last >.env");

    running.until_shown("level last");
    stop(&app, running);
}

#[test]
fn s14_1_a_mistake_is_named_and_changes_nothing_until_it_is_fixed() {
    let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=1\n");
    let running = start(&app, ["--reload"]);
    running.until_shown("level 1");

    app.write(".env", "LEVEL=\"2\n");
    running.until_shown("hint: close it");
    app.write(".env", "LEVEL=1\n");
    running.until_shown(".env: fixed, nothing to apply");

    let log = stop(&app, running);
    let expected = [
        "not applied: .env:1: `LEVEL` opens a quote that is never closed",
        "hint: close it, or use the other kind of quotes",
        ".env: fixed, nothing to apply",
    ];
    assert_eq!(log.lines_of("system")[..3], expected);
    assert_eq!(log.lines_of("worker.1")[1..3], ["level 1", "terminated by SIGTERM"]);
}

#[test]
fn s14_1_a_change_during_the_first_release_phase_is_applied_after_it() {
    let procfile = format!("release: echo ready; cat gate\n{SHOWS_LEVEL}");
    let app = App::new(&procfile).file(".env", "LEVEL=1\n").fifo("gate");
    let running = app.dyno(["start", "--reload"]).spawn();
    running.until_shown("ready");

    app.write(".env", "LEVEL=2\n");
    app.release("gate");
    running.until_shown("release.1 | exited");
    // The release command of the new release.
    app.release("gate");

    running.until_shown("level 2");
    stop(&app, running);
}

#[test]
fn s14_1_a_saved_procfile_starts_new_types_and_stops_removed_ones() {
    let app = App::new("clock: exec sleep 1000\nworker: exec sleep 1000\n");
    let running = start(&app, ["--reload"]);

    save_by_rename(&app, "Procfile", "mailer: exec sleep 1000\nworker: exec sleep 1000\n");

    running.until("the formation has changed", || names(&app) == ["worker.1", "mailer.1"]);
    stop(&app, running);
}

#[test]
fn s14_1_reload_is_implied_by_heroku() {
    let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=1\n");
    let running = start(&app, ["--heroku", "--no-router", "--log-format", "text"]);
    running.until_shown("level 1");

    app.write(".env", "LEVEL=2\n");

    running.until_shown("level 2");
    stop(&app, running);
}

fn mentions(running: &Running) -> usize {
    running.stdout.text().matches(" changed: run `dyno reload` to apply it").count()
}

#[test]
fn s14_1_on_a_terminal_a_line_says_that_reload_would_apply_a_change() {
    let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=1\n");
    let running = app.dyno(["start"]).spawn_in_terminal();
    running.until_shown("level 1");

    app.write("Procfile", "worker: echo level $LEVEL two; exec sleep 1000\n");
    // A file that was saved just before the start may be named, too.
    running.until("the change of the Procfile is mentioned", || mentions(&running) == 1);
    assert!(running.stdout.text().contains("Procfile"), "{}", running.stdout.text());
    // Written again without another difference: there is nothing new to say.
    app.write(".env", "LEVEL=1 # one\n");
    app.write(".env", "LEVEL='\n");
    running.until("each change is mentioned once", || mentions(&running) == 2);
    assert_eq!(releases(&running), 0);
    stop(&app, running);
}

#[test]
fn s14_3_a_dyno_that_changes_the_files_is_not_restarted_forever() {
    let app = App::new("worker: echo N=$$ >.env; exec sleep 1000\n").file(".env", "N=0\n");
    let running = start(&app, ["--reload"]);

    let said = ".env changed more than 10 times in 20 s, perhaps written by a dyno. Changes are not applied until there has \
                been none for 20 s; `dyno reload` applies them now";
    running.until_shown(said);

    assert_eq!(releases(&running), 10);
    stop(&app, running);
}

#[test]
fn s14_1_a_named_pipe_is_read_again_only_if_a_reload_is_typed() {
    let worker = |text: &str| format!("worker: echo level $LEVEL {text}; exec sleep 1000\n");
    let app = App::new(&worker("of one")).fifo(".env");
    let running = app.dyno(["start", "--reload"]).spawn();
    app.send(".env", "LEVEL=1\n");
    running.until_shown("level 1 of one");

    // Without a program that writes to the pipe.
    app.write("Procfile", &worker("of two"));
    running.until_shown("level 1 of two");
    let reload = app.dyno(["reload"]).spawn();
    app.send(".env", "LEVEL=2\n");
    assert_eq!(reload.finish().stdout(), "release v3: .env: ~ LEVEL\n");
    running.until_shown("level 2 of two");
    app.write("Procfile", &worker("of three"));
    running.until_shown("level 2 of three");

    let log = stop(&app, running).stdout();
    assert!(!log.contains("not applied"), "{log}");
}
