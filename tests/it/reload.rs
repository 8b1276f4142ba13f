//! `dyno reload`: the files are read again, and what is different is applied (S8.3, S14.1).

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{App, Ended, error, until};
use crate::running::{dynos, names, pid_of, start, stop};

const TWO: &str = "clock: exec sleep 1000\nworker: exec sleep 1000\n";

/// Waits until `clock` can be started by another `dyno start`, which it then ends.
fn until_it_can_be_started(app: &App, args: &[&str]) {
    until("clock is free", || {
        let mut other = app.dyno(["start"]).args(args).spawn();
        until("it runs or has ended", || other.has_ended() || names(app).contains(&"clock.1".to_owned()));
        let is_refused = other.has_ended();
        if !is_refused {
            other.signal(Signal::SIGTERM);
        }
        other.returned();
        !is_refused
    });
}

/// Asserts that `dyno reload` succeeds and prints this.
pub(crate) fn reloads(app: &App, stdout: &str) {
    app.dyno(["reload"]).run().expect(Ended::Code(0), stdout, "");
}

#[test]
fn s14_1_reload_restarts_only_what_has_changed() {
    let app = App::new(TWO);
    let running = start(&app, []);
    let (clock, worker) = (pid_of(&app, "clock.1"), pid_of(&app, "worker.1"));
    reloads(&app, "nothing to apply: the app stays on release v1\n");
    app.write("Procfile", "clock: exec sleep 1000\nworker: exec sleep 1001\n");

    reloads(&app, "release v2: Procfile: ~ worker\n");

    running.until("worker.1 runs again", || ![0, worker].contains(&pid_of(&app, "worker.1")));
    assert_eq!(pid_of(&app, "clock.1"), clock);
    let log = stop(&app, running);
    assert_eq!(log.lines_of("system")[0], "release v2: Procfile: ~ worker");
    assert_eq!(log.lines_of("worker.1")[1], "replaced by release v2: sending SIGTERM");
}

#[test]
fn s14_1_config_vars_are_named_but_their_values_are_not_shown() {
    let app = App::new("worker: echo level $LEVEL; exec sleep 1000\n").file(".env", "LEVEL=secret1\nOLD=x\n");
    let running = start(&app, []);
    app.write(".env", "LEVEL=secret2\nAPI_KEY=secret3\n");

    reloads(&app, "release v2: .env: + API_KEY, ~ LEVEL, - OLD\n");

    running.until_shown("level secret2");
    stop(&app, running);
}

#[test]
fn s14_1_new_types_come_after_the_others_and_removed_ones_stop() {
    let app = App::new(TWO);
    let running = start(&app, ["-p", "23000"]);
    app.write("Procfile", "api: exec sleep 1000\nworker: exec sleep 1000\n");

    let note = "note: the next start will use other ports: `api` 23000 instead of 23200\n";
    app.dyno(["reload"]).run().expect(Ended::Code(0), "release v2: Procfile: + api, - clock\n", note);

    running.until("clock.1 is gone", || names(&app) == ["worker.1", "api.1"]);
    let ports: Vec<_> = dynos(&app).iter().map(|dyno| dyno["port"].as_u64()).collect();
    assert_eq!(ports, [Some(23_100), Some(23_200)]);
    stop(&app, running);
}

#[test]
fn s14_1_a_type_that_was_left_out_at_the_start_stays_at_0() {
    let app = App::new(TWO);
    let running = start(&app, ["worker"]);
    app.write("Procfile", "clock: exec sleep 1000\nworker: exec sleep 1000\nmailer: exec sleep 1000\n");

    reloads(&app, "release v2: Procfile: + mailer\n");

    app.dyno(["scale"]).run().expect(Ended::Code(0), "clock=0 worker=1 mailer=0\n", "");
    app.dyno(["scale", "mailer=1"]).run().expect(Ended::Code(0), "clock=0 worker=1 mailer=1\n", "");
    stop(&app, running);
}

#[test]
fn s14_1_files_with_errors_change_nothing() {
    let app = App::new(TWO);
    let running = start(&app, []);
    let before = pid_of(&app, "worker.1");
    app.write("Procfile", "clock: exec sleep 1000\nworker: exec sleep 1001\n");
    app.write(".env", "A=\"never closed\n");

    let refused = app.dyno(["reload"]).run();

    let stderr =
        "error: .env:1: `A` opens a quote that is never closed\n\nhint: close it, or use the other kind of quotes\n";
    refused.expect(Ended::Code(78), "", stderr);
    let json: Vec<Value> = serde_json::from_slice(&app.dyno(["reload", "--json"]).run().stdout).unwrap();
    assert_eq!((&json[0]["result"], &json[0]["version"]), (&"invalid".into(), &1.into()));
    assert_eq!(pid_of(&app, "worker.1"), before);
    stop(&app, running);
}

#[test]
fn s8_3_if_the_release_command_fails_everything_goes_on_as_before() {
    let app = App::new(TWO);
    let running = start(&app, []);
    let before = pid_of(&app, "worker.1");
    app.write("Procfile", "release: echo cannot migrate; exit 3\nworker: exec sleep 1001\n");

    let fact = "cannot migrate\nerror: release v2 failed: its command exited with status 3\n\nhint: the app stays on the \
                previous release; `dyno why release` says more\n";
    app.dyno(["reload"]).run().expect(Ended::Code(3), "", fact);

    assert_eq!((names(&app), pid_of(&app, "worker.1")), (vec!["clock.1".to_owned(), "worker.1".to_owned()], before));
    let log = stop(&app, running);
    let line = "release v2 failed: its command exited with status 3; the app stays on v1".to_owned();
    assert!(log.lines_of("system").contains(&line), "{}", log.stdout());
}

#[test]
fn s8_3_the_formation_changes_when_the_release_command_has_ended() {
    let app = App::new(TWO).fifo("go");
    let running = start(&app, []);
    let before = pid_of(&app, "worker.1");
    app.write("Procfile", "release: cat go\nclock: exec sleep 1000\nworker: exec sleep 1001\n");
    let reload = app.dyno(["reload"]).spawn();
    running.until("the release command runs", || names(&app).contains(&"release.1".to_owned()));
    assert_eq!(pid_of(&app, "worker.1"), before);

    app.release("go");

    reload.finish().expect(Ended::Code(0), "release v2: Procfile: + release, ~ worker\n", "");
    running.until("worker.1 runs again", || ![0, before].contains(&pid_of(&app, "worker.1")));
    stop(&app, running);
}

#[test]
fn s8_3_a_stop_during_the_release_command_ends_the_reload_too() {
    let app = App::new(TWO);
    let running = start(&app, []);
    app.write("Procfile", "release: exec sleep 1000\nclock: exec sleep 1000\nworker: exec sleep 1001\n");
    let reload = app.dyno(["reload"]).spawn();
    running.until("the release command runs", || names(&app).contains(&"release.1".to_owned()));

    stop(&app, running).expect_end(Ended::Code(0));

    assert_eq!(reload.finish().ended, Ended::Code(69));
}

#[test]
fn s8_3_a_release_command_can_be_stopped_and_its_release_then_fails() {
    let app = App::new(TWO);
    let running = start(&app, []);
    let before = pid_of(&app, "worker.1");
    app.write("Procfile", "release: exec sleep 1000\nclock: exec sleep 1000\nworker: exec sleep 1001\n");
    let reload = app.dyno(["reload"]).spawn();
    running.until("the release command runs", || names(&app).contains(&"release.1".to_owned()));

    let note = "note: the new release will fail, and the app stays on the previous one\n\
                hint: `dyno reload` tries again\n";
    app.dyno(["stop", "release"]).run().expect(Ended::Code(0), "stopping: release.1\n", note);

    let fact = "release v2 failed: its command was stopped";
    let hint = "the app stays on the previous release; `dyno why release` says more";
    reload.finish().expect(Ended::Code(143), "", &error(fact, hint));
    assert_eq!(pid_of(&app, "worker.1"), before);
    stop(&app, running);
}

#[test]
fn s8_3_each_of_many_reloads_is_answered_and_the_last_one_wins() {
    let app = App::new("worker: exec sleep 1000\n").fifo("go");
    let running = start(&app, []);
    app.write("Procfile", "release: cat go\nworker: exec sleep 1001\n");
    let first = app.dyno(["reload"]).spawn();
    running.until("the release command runs", || names(&app).contains(&"release.1".to_owned()));
    app.write("Procfile", "release: true\nworker: exec sleep 1002\n");
    let second = app.dyno(["reload"]).spawn();
    running.until_shown("release v3: ");

    app.release("go");

    let replaced = "release v2: Procfile: + release, ~ worker; a later release replaced it\n";
    first.finish().expect(Ended::Code(0), replaced, "");
    second.finish().expect(Ended::Code(0), "release v3: Procfile: ~ release, ~ worker\n", "");
    until("the last command runs", || dynos(&app).iter().any(|dyno| dyno["command"] == "exec sleep 1002"));
    stop(&app, running);
}

#[test]
fn s14_1_without_an_app_there_is_nothing_to_reload() {
    App::new(TWO).dyno(["reload"]).run().expect(Ended::Code(69), "", crate::running::NOTHING_RUNS);
}

#[test]
fn s10_1_the_types_of_a_release_are_locked_until_it_has_failed() {
    let app = App::new("worker: exec sleep 1000\n").fifo("go");
    let running = start(&app, []);
    app.write("Procfile", "release: cat go; exit 1\nworker: exec sleep 1000\nclock: exec sleep 1000\n");
    let reload = app.dyno(["reload"]).spawn();
    running.until("the release command runs", || names(&app).contains(&"release.1".to_owned()));
    // A change of the formation gives up locks that nothing needs.
    app.dyno(["scale", "worker=2"]).run().expect_end(Ended::Code(0));
    app.write("Procfile", "worker: exec sleep 1000\nclock: exec sleep 1000\n");
    let second = app.dyno(["start", "clock"]).run();
    assert!(second.stderr().starts_with("error: `clock` is already running"), "{}", second.stderr());

    app.release("go");

    reload.finish().expect_end(Ended::Code(1));
    until_it_can_be_started(&app, &["clock"]);
    stop(&app, running);
}

#[test]
fn s10_1_a_type_that_a_release_removes_can_be_started_elsewhere() {
    let app = App::new("worker: exec sleep 1000\nclock: exec sleep 1000\n").file("Other", "clock: exec sleep 1000\n");
    let running = start(&app, []);
    app.write("Procfile", "release: true\nworker: exec sleep 1000\n");
    app.dyno(["reload"]).run().expect_end(Ended::Code(0));
    running.until("clock.1 is gone", || names(&app) == ["worker.1"]);

    until_it_can_be_started(&app, &["-f", "Other"]);
    stop(&app, running);
}

#[test]
fn s14_1_a_release_command_that_failed_silently_has_no_last_lines() {
    let app = App::new("worker: exec sleep 1000\n");
    let running = start(&app, []);
    app.write("Procfile", "release: echo words of the first; exit 1\nworker: exec sleep 1000\n");
    app.dyno(["reload"]).run().expect_end(Ended::Code(1));
    app.write("Procfile", "release: exit 2\nworker: exec sleep 1000\n");

    let fact = "error: release v3 failed: its command exited with status 2\n\nhint: the app stays on the previous \
                release; `dyno why release` says more\n";
    app.dyno(["reload"]).run().expect(Ended::Code(2), "", fact);

    stop(&app, running);
}
