//! A reload that makes the app read other files: these are watched from then on, and changed by `config:set` (S14, S15.3).

use std::fs;

use serde_json::json;

use crate::config_live::request;
use crate::harness::{App, Ended};
use crate::reload::reloads;
use crate::running::{start, stop};
use crate::watch::restarts;

const SHOWS_LEVEL: &str = "worker: echo level $LEVEL; exec sleep 1000\n";

/// An app whose `.foreman` will name `vars` in place of `.env`.
fn app() -> App {
    App::new(SHOWS_LEVEL).file(".env", "LEVEL=1\n").file("vars", "LEVEL=2\n")
}

#[test]
fn s14_1_the_files_that_a_saved_foreman_file_names_are_watched() {
    let app = app();
    let running = start(&app, ["--reload"]);
    running.until_shown("level 1");

    app.write(".foreman", "env: vars\n");
    running.until_shown("level 2");
    app.write("vars", "LEVEL=3\n");

    running.until_shown("level 3");
    stop(&app, running);
}

#[test]
fn s14_1_a_file_that_is_named_before_it_exists_is_watched() {
    let app = app();
    let running = start(&app, ["--reload"]);
    running.until_shown("level 1");

    app.write(".foreman", "env: later\n");
    running.until_shown("not applied: .foreman:1: the file `later` does not exist");
    app.write("later", "LEVEL=3\n");

    running.until_shown("level 3");
    stop(&app, running);
}

#[test]
fn s14_1_the_files_that_dyno_reload_has_read_are_watched() {
    let app = app();
    let running = start(&app, ["--reload"]);
    running.until_shown("level 1");
    app.write(".foreman", "env: vars\n");
    app.dyno(["reload"]).run().expect_end(Ended::Code(0));

    for level in ["level 3", "level 4"] {
        // The first one may still be read because `.foreman` has changed.
        app.write("vars", &format!("LEVEL={}\n", &level[6..]));
        running.until_shown(level);
    }

    stop(&app, running);
}

#[test]
fn s14_3_a_newly_read_file_does_not_restart_types() {
    let app = app();
    let running = start(&app, ["--watch", "worker"]);
    app.write(".foreman", "env: vars\n");
    reloads(&app, "release v2: .env: ~ LEVEL\n");

    app.write("vars", "LEVEL=3\n");
    app.write("b.rb", "");
    running.until_shown("b.rb changed");
    // This one is read no longer.
    app.write(".env", "LEVEL=4\n");
    running.until_shown("worker restarting: .env changed");
    fs::remove_file(app.path("vars")).unwrap();
    fs::remove_file(app.path(".env")).unwrap();
    running.until("it restarts again", || restarts(&running, "worker") >= 3);

    let log = stop(&app, running).stdout();
    assert!(!log.contains("vars changed"), "{log}");
}

#[test]
fn s15_3_config_set_changes_the_file_of_the_last_reload_and_the_app() {
    let app = app();
    let running = start(&app, []);
    app.write(".foreman", "env: vars\n");
    reloads(&app, "release v2: .env: ~ LEVEL\n");

    let done = "Setting LEVEL and restarting worker... done, v3\n";
    app.dyno(["config:set", "LEVEL=3"]).run().expect(Ended::Code(0), done, "");

    running.until_shown("level 3");
    let read = |name: &str| fs::read_to_string(app.path(name)).unwrap();
    assert_eq!((read(".env").as_str(), read("vars").as_str()), ("LEVEL=1\n", "LEVEL=3\n"));
    let done = "Setting LEVEL in .env... done\n";
    app.dyno(["config:set", "-e", ".env", "LEVEL=4"]).run().expect(Ended::Code(0), done, "");
    assert_eq!(request(&app, "PATCH", "config-vars", r#"{"LEVEL":"5"}"#), (200, json!({"LEVEL": "5"})));
    assert_eq!((read(".env").as_str(), read("vars").as_str()), ("LEVEL=4\n", "LEVEL=5\n"));
    stop(&app, running);
}
