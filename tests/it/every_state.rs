//! Commands for dynos in states that end by themselves: each gets one answer, and the formation becomes what was asked
//! for (S10.2).

use std::fs;

use serde_json::Value;

use crate::app::free_port;
use crate::harness::{App, Call, Ended, Running};
use crate::running::{dynos, names, pid_of, stop};
use crate::smoke;

/// The dyno as `ps --json` shows it; null if there is none.
fn shown(app: &App, name: &str) -> Value {
    dynos(app).into_iter().find(|dyno| dyno["name"] == name).unwrap_or_default()
}

/// Asserts that the command is answered with this line.
#[track_caller]
fn says(call: Call, line: &str) {
    call.run().expect(Ended::Code(0), &format!("{line}\n"), "");
}

fn until_down(app: &App, running: &Running, name: &str) {
    running.until(&format!("{name} is down"), || {
        let dyno = shown(app, name);
        dyno["state"] == "down" && dyno["pid"].is_null()
    });
}

#[test]
fn s10_2_a_pause_before_a_restart_can_be_ended_or_cancelled() {
    let line = "echo >>$DYNO; test -e ok && exec sleep 1000; exit 3";
    let types = ["again", "stopped", "scaled", "other"];
    let app = App::new(&types.map(|name| format!("{name}: {line}\n")).concat());
    let running = app.dyno(["start", "--restart", "--max-delay", "4"]).spawn();
    // The first restart is immediate; the pauses after that take 1, 2 and 4 seconds.
    running.until("all wait to be restarted", || {
        let dynos = dynos(&app);
        dynos.len() == 4 && dynos.iter().all(|dyno| dyno["state"] == "crashed" && dyno["restarts"].as_u64() >= Some(2))
    });
    app.write("ok", "");

    says(app.dyno(["stop", "stopped.1"]), "stopping: stopped.1");
    until_down(&app, &running, "stopped.1");
    says(app.dyno(["scale", "scaled=0"]), "again=1 stopped=1 scaled=0 other=1");
    running.until("scaled.1 is gone", || names(&app) == ["again.1", "stopped.1", "other.1"]);
    let runs = |name: &str| fs::read(app.path(name)).unwrap().len();
    let before = ["stopped.1", "scaled.1"].map(runs);
    says(app.dyno(["restart", "again.1", "--wait"]), "restarting: again.1");
    let again = shown(&app, "again.1");
    assert_eq!((&again["state"], &again["restarts"]), (&"up".into(), &0.into()));

    // Its pause ends by itself. The pauses of the other dynos would have ended by now, too.
    running.until("other.1 is up", || shown(&app, "other.1")["state"] == "up");
    assert_eq!(names(&app), ["again.1", "stopped.1", "other.1"]);
    assert_eq!(shown(&app, "stopped.1")["state"], "down");
    assert_eq!(["stopped.1", "scaled.1"].map(runs), before);
    says(app.dyno(["scale", "scaled=1", "--wait"]), "again=1 stopped=1 scaled=1 other=1");
    says(app.dyno(["restart", "stopped", "--wait"]), "restarting: stopped.1");
    stop(&app, running).expect_end(Ended::Code(0));
}

#[test]
fn s6_12_a_dyno_that_waits_for_others_can_be_changed() {
    let db = free_port();
    let app = smoke::app(&format!(
        "again: exec sleep 1000\nstopped: exec sleep 1000\nscaled: exec sleep 1000\n\
         db: read line <go; PORT={db} exec ./listen 127.0.0.1\n"
    ))
    .fifo("go");
    let running = app.dyno(["start", "-p", "auto", "--after", "again=db,stopped=db,scaled=db"]).spawn();
    running.until("db.1 runs", || pid_of(&app, "db.1") > 0);
    let waits = |name: &str| {
        let dyno = shown(&app, name);
        assert_eq!((&dyno["state"], &dyno["pid"]), (&"starting".into(), &Value::Null), "{dyno}");
        assert_eq!(dyno["waits_for"], "db.1 to listen", "{dyno}");
    };

    says(app.dyno(["restart", "again.1"]), "restarting: again.1");
    waits("again.1");
    says(app.dyno(["scale", "again=2"]), "again=2 stopped=1 scaled=1 db=1");
    waits("again.1");
    waits("again.2");
    says(app.dyno(["stop", "stopped"]), "stopping: stopped.1");
    until_down(&app, &running, "stopped.1");
    says(app.dyno(["scale", "scaled=0"]), "again=2 stopped=1 scaled=0 db=1");
    assert_eq!(names(&app), ["again.1", "again.2", "stopped.1", "db.1"]);
    // The wait goes on with the next run of `db.1`.
    let first = pid_of(&app, "db.1");
    says(app.dyno(["restart", "db.1"]), "restarting: db.1");
    running.until("db.1 runs again", || ![0, first].contains(&pid_of(&app, "db.1")));
    waits("again.1");
    app.release("go");

    running.until("both are up", || ["again.1", "again.2"].iter().all(|name| shown(&app, name)["state"] == "up"));
    assert_eq!(shown(&app, "stopped.1")["state"], "down");
    assert_eq!(names(&app), ["again.1", "again.2", "stopped.1", "db.1"]);
    let log = running.stdout.text();
    assert!(!log.contains("stopped.1 | started") && !log.contains("scaled.1  | started"), "{log}");
    says(app.dyno(["scale", "scaled=1", "--wait"]), "again=2 stopped=1 scaled=1 db=1");
    says(app.dyno(["restart", "stopped", "--wait"]), "restarting: stopped.1");
    stop(&app, running).expect_end(Ended::Code(0));
}

#[test]
fn s10_2_after_the_release_phase_the_scaled_formation_runs() {
    let app = App::new(
        "release: echo releasing; read line <go\nweb: exec sleep 1000\nworker: exec sleep 1000\nclock: exec sleep 1000\n",
    )
    .fifo("go");
    let running = app.dyno(["start", "-m", "web=1,worker=1"]).spawn();
    running.until_shown("| releasing");

    says(app.dyno(["scale", "web=3", "worker=0"]), "web=3 worker=0 clock=0");
    says(app.dyno(["scale", "web-1", "clock+1"]), "web=2 worker=0 clock=1");
    assert!(!running.stdout.text().contains("web.1"), "{}", running.report());
    app.release("go");

    let started = ["web.1", "web.2", "clock.1"];
    running.until("all are up", || started.iter().all(|name| shown(&app, name)["state"] == "up"));
    assert_eq!(names(&app), started);
    says(app.dyno(["scale"]), "web=2 worker=0 clock=1");
    let log = stop(&app, running).stdout();
    assert!(!log.contains("worker.1") && !log.contains("web.3"), "{log}");
}
