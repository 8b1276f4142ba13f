//! `dyno reload` of an app that several starts run (S10.2, S14.1).

use std::fs;

use serde_json::Value;

use crate::harness::{App, Ended, Running, until};
use crate::running::{names, start, up};

const TWO: &str = "clock: exec sleep 1000\nworker: exec sleep 1000\n";
const THREE: &str = "clock: exec sleep 1000\nworker: exec sleep 1000\napi: exec sleep 1000\n";

/// Two starts. Each of them runs one of the two types, and would run any new type.
fn two_starts(app: &App) -> [Running; 2] {
    let clock = start(app, ["-x", "worker"]);
    let worker = app.dyno(["start", "-x", "clock"]).spawn();
    worker.until("worker.1 runs", || names(app).len() == 2);
    [clock, up(app, worker)]
}

fn stop(app: &App, running: [Running; 2]) {
    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    for running in running {
        running.finish().expect_end(Ended::Code(0));
    }
}

#[test]
fn s14_1_only_one_of_several_starts_runs_a_new_type() {
    let app = App::new(TWO);
    let running = two_starts(&app);
    fs::write(app.path("Procfile"), THREE).unwrap();

    let shown =
        "clock (dyno pid PID): release v2: Procfile: + api\nworker (dyno pid PID): release v2: Procfile: + api\n";
    let note = "note: `api` is already running in another start (dyno pid PID), so it is not started again\n";
    app.dyno(["reload"]).run().expect(Ended::Code(0), shown, note);

    until("api.1 runs", || names(&app).contains(&"api.1".to_owned()));
    app.dyno(["scale"]).run().expect(Ended::Code(0), "clock=1 worker=1 api=1\n", "");
    stop(&app, running);
}

#[test]
fn s14_1_the_answers_of_all_starts_are_shown_even_if_one_fails() {
    let app = App::new(TWO);
    let running = two_starts(&app);
    // The command succeeds only the first time.
    let procfile = format!("release: mkdir migrated 2>/dev/null || exit 4\n{TWO}");
    fs::write(app.path("Procfile"), procfile).unwrap();

    let shown = "clock (dyno pid PID): release v2: Procfile: + release\n";
    let stderr = "error: release v2 of worker (dyno pid PID) failed: its command exited with status 4\n\nhint: the app stays \
                  on the previous release; `dyno why release` says more\n";
    app.dyno(["reload"]).run().expect(Ended::Code(4), shown, stderr);

    let pids = running.each_ref().map(|start| Value::from(start.main()));
    let reload = app.dyno(["reload", "--json"]).run();
    let json: Vec<Value> = serde_json::from_slice(&reload.stdout).unwrap();
    assert_eq!([&json[0]["pid"], &json[1]["pid"]], pids.each_ref());
    assert_eq!([&json[0]["result"], &json[1]["result"]], ["unchanged", "failed"]);
    assert_eq!(reload.ended, Ended::Code(4));
    stop(&app, running);
}
