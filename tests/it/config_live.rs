//! `config:set` and `config:unset` while the app runs: a change is a release at once (S15.3).

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{App, Ended, error, until};
use crate::running::{names, pid_of, start, stop, up};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(180);

const SHOWS_LEVEL: &str = "clock: exec sleep 1000\nworker: echo level $LEVEL; exec sleep 1000\n";

fn env(app: &App) -> String {
    fs::read_to_string(app.path(".env")).unwrap()
}

/// Sends a request to the start that runs, and returns the status and the body of its answer.
pub(crate) fn request(app: &App, method: &str, path: &str, body: &str) -> (u16, Value) {
    let entries = fs::read_dir(app.top().join("run/dyno")).unwrap().map(|entry| entry.unwrap().path());
    let socket = entries.into_iter().find(|path| path.extension().is_some_and(|name| name == "sock")).unwrap();
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let head = format!("{method} /apps/app/{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all((head + body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap())
}

#[test]
fn s15_3_a_change_is_a_release_at_once() {
    let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=one\n");
    let running = start(&app, []);
    running.until_shown("level one");
    let worker = pid_of(&app, "worker.1");

    let done = "Setting LEVEL and restarting clock, worker... done, v2\n";
    app.dyno(["config:set", "LEVEL=two"]).run().expect(Ended::Code(0), done, "");

    running.until_shown("level two");
    assert_ne!(pid_of(&app, "worker.1"), worker);
    assert_eq!(env(&app), "LEVEL=two\n");
    let done = "Unsetting LEVEL and restarting clock, worker... done, v3\n";
    app.dyno(["config:unset", "LEVEL"]).run().expect(Ended::Code(0), done, "");
    let (_, releases) = request(&app, "GET", "releases", "");
    let described: Vec<_> = releases.as_array().unwrap().iter().map(|release| release["description"].clone()).collect();
    assert!(described.contains(&json!("Set LEVEL config vars")), "{described:?}");
    assert!(described.contains(&json!("Remove LEVEL config vars")), "{described:?}");
    stop(&app, running);
}

#[test]
fn s15_3_with_reload_a_change_is_one_release() {
    let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=one\n");
    let running = start(&app, ["--reload"]);

    let done = "Setting LEVEL and restarting clock, worker... done, v2\n";
    app.dyno(["config:set", "LEVEL=two"]).run().expect(Ended::Code(0), done, "");
    // The watch sees this later than the change of `.env`.
    fs::write(app.path("Procfile"), SHOWS_LEVEL.replace("clock: exec sleep 1000", "clock: exec sleep 1001")).unwrap();

    running.until_shown("release v3: Procfile: ~ clock\n");
    stop(&app, running);
}

#[test]
fn s15_3_the_platform_s_lines_say_what_was_set_and_what_was_created() {
    let app = App::new(SHOWS_LEVEL);
    let running = start(&app, ["--heroku", "--no-router"]);

    app.dyno(["config:set", "LEVEL=secret", "KEY=secret"]).run().expect_end(Ended::Code(0));

    running.until_shown("Release v2 created by user ");
    let log = stop(&app, running).stdout();
    let lines: Vec<&str> =
        log.lines().filter_map(|line| line.split_once(" app[api]: ")).map(|(_, text)| text).collect();
    let of_release: Vec<&str> =
        lines.iter().filter_map(|line| line.rsplit_once(" by user ")).map(|(text, _)| text).collect();
    assert_eq!(of_release, ["Release v1 created", "Set KEY, LEVEL config vars", "Release v2 created"]);
    assert!(lines.iter().all(|line| !line.contains("secret")));
}

#[test]
fn s15_3_if_the_release_command_fails_the_file_keeps_the_new_value() {
    let app = App::new(&format!("release: test -z \"$BAD\" || {{ echo cannot migrate; exit 3; }}\n{SHOWS_LEVEL}"));
    let running = start(&app, []);
    let worker = pid_of(&app, "worker.1");

    let failed = app.dyno(["config:set", "BAD=1"]).run();

    let fact = ".env is changed, but release v2 failed: its command exited with status 3";
    let hint = "the app stays on the previous release; `dyno reload` tries again";
    let stderr = format!("cannot migrate\n{}", error(fact, hint));
    failed.expect(Ended::Code(3), "Setting BAD in .env... done\n", &stderr);
    assert_eq!((env(&app).as_str(), pid_of(&app, "worker.1")), ("BAD=1\n", worker));
    let done = "Unsetting BAD in .env... done\n";
    let note = "note: nothing to apply: the app stays on release v1\n";
    app.dyno(["config:unset", "BAD"]).run().expect(Ended::Code(0), done, note);
    stop(&app, running);
}

#[test]
fn s15_3_if_the_files_cannot_be_used_the_answer_says_why() {
    let app = App::new(SHOWS_LEVEL);
    let running = start(&app, []);
    fs::write(app.path("Procfile"), "").unwrap();

    let failed = app.dyno(["config:set", "LEVEL=1"]).run();

    assert_eq!((failed.ended, failed.stdout().as_str()), (Ended::Code(78), "Setting LEVEL in .env... done\n"));
    let fact = ".env is changed, but not applied: the app goes on with release v1";
    let last = error(fact, "correct the files, then `dyno reload` applies them");
    assert!(failed.stderr().ends_with(&last) && failed.stderr().starts_with("error: Procfile"), "{}", failed.stderr());
    stop(&app, running);
}

#[test]
fn s15_3_all_starts_that_read_the_file_get_the_change() {
    let app = App::new(SHOWS_LEVEL);
    let clock = start(&app, ["clock"]);
    let worker = app.dyno(["start", "worker"]).spawn();
    worker.until("worker.1 runs", || names(&app).len() == 2);
    let worker = up(&app, worker);
    let other = app.dyno(["start", "--name", "copy", "-e", "other.env", "worker"]);
    fs::write(app.path("other.env"), "").unwrap();
    let other = other.spawn();
    other.until_shown("worker.1 | level");

    let done = "Setting LEVEL and restarting clock... done, v2\nSetting LEVEL and restarting worker... done, v2\n";
    app.dyno(["config:set", "LEVEL=two"]).run().expect(Ended::Code(0), done, "");

    worker.until_shown("level two");
    let done = "Setting LEVEL and restarting worker... done, v2\n";
    app.dyno(["config:set", "-e", "other.env", "LEVEL=three"]).run().expect(Ended::Code(0), done, "");
    other.until_shown("level three");
    app.dyno(["stop", "--name", "copy"]).run().expect_end(Ended::Code(0));
    other.finish();
    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    clock.finish();
    assert!(!worker.finish().stdout().contains("three"));
}

#[test]
fn s15_3_json_says_what_became_of_the_running_app() {
    let app = App::new(SHOWS_LEVEL);
    let running = start(&app, []);

    let done: Value = serde_json::from_slice(&app.dyno(["config:set", "--json", "LEVEL=1"]).run().stdout).unwrap();

    assert_eq!((&done["file"], &done["keys"]), (&json!(".env"), &json!(["LEVEL"])));
    let release = &done["releases"][0];
    assert_eq!((&release["result"], &release["version"]), (&json!("succeeded"), &json!(2)));
    assert_eq!(release["pid"], json!(running.main()));
    stop(&app, running);
}

#[test]
fn s15_3_the_api_changes_the_file_and_answers_with_all_config_vars() {
    let app = App::new(SHOWS_LEVEL).file(".env", "# kept\nLEVEL='one'\nOLD=1\n");
    let running = start(&app, ["--reload"]);

    let patched = request(&app, "PATCH", "config-vars", r#"{"LEVEL":"two","OLD":null,"NEW":"a b"}"#);

    assert_eq!(patched, (200, json!({"LEVEL": "two", "NEW": "a b"})));
    assert_eq!(env(&app), "# kept\nLEVEL='two'\nNEW='a b'\n");
    assert_eq!(request(&app, "GET", "config-vars", ""), (200, json!({"LEVEL": "two", "NEW": "a b"})));
    let (_, releases) = request(&app, "GET", "releases", "");
    let description = json!("Set LEVEL, NEW, remove OLD config vars");
    assert!(releases.as_array().unwrap().iter().any(|release| release["description"] == description), "{releases}");
    assert_eq!(request(&app, "PATCH", "config-vars", "{}").1, json!({"LEVEL": "two", "NEW": "a b"}));
    running.until_shown("level two");
    stop(&app, running);
}

#[test]
fn s15_3_the_api_refuses_what_cannot_be_written() {
    let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL='1' 2\n");
    let running = start(&app, []);

    let refused = |body: &str| request(&app, "PATCH", "config-vars", body);

    assert_eq!((refused("[]").0, refused(r#"{"A":1}"#).0, refused(r#"{"a b":"1"}"#).0), (400, 400, 422));
    let (status, body) = refused(r#"{"LEVEL":"3"}"#);
    assert_eq!((status, &body["id"]), (422, &json!("invalid_params")));
    assert_eq!(body["message"], json!(".env:1: `LEVEL` has text after its closing quote"));
    assert_eq!(env(&app), "LEVEL='1' 2\n");
    stop(&app, running);
}

#[test]
fn s15_3_twelve_changes_of_a_running_app_at_once_are_all_applied() {
    let app = App::new(SHOWS_LEVEL).file(".env", "");
    let running = start(&app, ["--reload"]);

    let setting = |number| app.dyno(["config:set"]).args(&[&format!("K{number}={number}")]).spawn();
    let all: Vec<_> = (0..12).map(setting).collect();
    for running in all {
        running.finish().expect_end(Ended::Code(0));
    }

    let expected: serde_json::Map<_, _> =
        (0..12).map(|number| (format!("K{number}"), json!(number.to_string()))).collect();
    until("the app runs on all of them", || request(&app, "GET", "config-vars", "").1.as_object() == Some(&expected));
    stop(&app, running);
}

#[test]
fn s14_1_changes_on_request_are_not_taken_for_a_loop() {
    let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=one\n");
    let running = start(&app, ["--reload"]);

    for number in 1..=11 {
        app.dyno(["config:set", &format!("LEVEL={number}")]).run().expect_end(Ended::Code(0));
    }
    fs::write(app.path(".env"), "LEVEL=last\n").unwrap();
    running.until_shown("level last");

    let log = stop(&app, running).stdout();
    assert!(!log.contains("more than 10 times"), "{log}");
}
