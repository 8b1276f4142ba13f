//! Commands for an app that runs: how they find it, what they print, and what happens to the dynos (S10.1, S10.2).

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::api_faults::own_files;
use crate::binary;
use crate::harness::{App, Call, Ended, Finished, Running, until};

const TWO: &str = "web: exec sleep 1000\nworker: exec sleep 1000\n";

/// Starts the app with these arguments and waits until its dynos run.
pub(crate) fn start<const N: usize>(app: &App, args: [&str; N]) -> Running {
    up(app, app.dyno(["start"]).args(&args).spawn())
}

/// Waits until every dyno is up.
pub(crate) fn up(app: &App, running: Running) -> Running {
    running.until("all dynos are up", || {
        let dynos = dynos(app);
        !dynos.is_empty() && dynos.iter().all(|dyno| dyno["state"] == "up")
    });
    running
}

/// `dyno ps --json`; empty if nothing runs.
pub(crate) fn dynos(app: &App) -> Vec<Value> {
    serde_json::from_slice(&app.dyno(["ps", "--json"]).run().stdout).unwrap_or_default()
}

pub(crate) fn names(app: &App) -> Vec<String> {
    dynos(app).iter().map(|dyno| dyno["name"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn pid_of(app: &App, name: &str) -> i64 {
    let dynos = dynos(app);
    dynos.iter().find(|dyno| dyno["name"] == name).and_then(|dyno| dyno["pid"].as_i64()).unwrap_or_default()
}

/// Ends the run as `dyno stop` does.
pub(crate) fn stop(app: &App, running: Running) -> Finished {
    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    running.finish()
}

pub(crate) fn on_stderr(call: Call, status: i32, stderr: &str) {
    call.run().expect(Ended::Code(status), "", stderr);
}

pub(crate) const NOTHING_RUNS: &str = "error: no app is running here\n\nhint: `dyno start` starts the app; `--root DIR` names \
     another directory\n";

#[test]
fn s10_2_ps_shows_the_dynos_as_a_table() {
    let app = App::new(TWO);
    let running = start(&app, ["--fixed-ports"]);

    let shown = app.dyno(["ps"]).run();
    let lines: Vec<Vec<String>> =
        shown.stdout().lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
    shown.expect_end(Ended::Code(0));
    assert_eq!(lines[0].join(" "), "DYNO STATE FOR PID PORT CPU MEMORY RESTARTS COMMAND");
    for (line, name, port) in [(&lines[1], "web.1", "5000"), (&lines[2], "worker.1", "5100")] {
        assert_eq!((line[0].as_str(), line[1].as_str(), line[4].as_str()), (name, "up", port));
        assert_eq!(line[7..].join(" "), "0 exec sleep 1000");
    }

    let only = app.dyno(["ps", "web"]).run().stdout();
    assert!(only.contains("web.1") && !only.contains("worker.1"), "{only}");
    let hint = "error: no process type or dyno called `wbe` runs here\n\nhint: did you mean `web`?\n";
    on_stderr(app.dyno(["ps", "wbe"]), 2, hint);
    stop(&app, running).expect_end(Ended::Code(0));
}

#[test]
fn s10_2_restart_replaces_a_dyno_and_leaves_the_others() {
    let app = App::new("clock: exec sleep 1000\nworker: exec sleep 1000\n");
    let running = start(&app, []);
    let (clock, worker) = (pid_of(&app, "clock.1"), pid_of(&app, "worker.1"));

    app.dyno(["restart", "clock.1", "--wait"]).run().expect(Ended::Code(0), "restarting: clock.1\n", "");

    assert!(clock != pid_of(&app, "clock.1") && worker == pid_of(&app, "worker.1"));
    app.dyno(["ps:restart", "-p", "worker", "--wait=30"]).run().expect(Ended::Code(0), "restarting: worker.1\n", "");
    assert_ne!(worker, pid_of(&app, "worker.1"));
    app.dyno(["restart"]).run().expect(Ended::Code(0), "restarting: clock.1, worker.1\n", "");
    assert!(dynos(&app).iter().all(|dyno| dyno["restarts"] == 0));
    stop(&app, running).expect_end(Ended::Code(0));
}

#[test]
fn s10_2_a_wait_reports_the_dyno_that_crashes() {
    let app = App::new("clock: exec sleep 1000\nworker: test ! -e broken && exec sleep 1000; exit 3\n");
    // It never listens, so it is never up.
    let running = app.dyno(["start", "--restart", "--ready", "worker"]).spawn();
    running.until("worker.1 runs", || pid_of(&app, "worker.1") > 0);
    let late = app.dyno(["restart", "worker", "--wait=0"]).run();
    // The new run may have begun.
    let (stderr, end) = (late.stderr(), " after 0 s\n\nhint: `dyno why worker.1` says more\n");
    assert!(stderr.starts_with("error: `worker.1` ") && stderr.ends_with(end), "{stderr}");
    assert_eq!((late.ended, late.stdout().as_str()), (Ended::Code(75), "restarting: worker.1\n"));
    fs::write(app.path("broken"), "").unwrap();

    let waited = app.dyno(["restart", "worker", "--wait"]).run();

    let stderr = "error: `worker.1` has crashed (status 3)\n\nhint: `dyno why worker.1` says more\n";
    waited.expect(Ended::Code(3), "restarting: worker.1\n", stderr);
    stop(&app, running);
}

#[test]
fn s10_2_scale_changes_the_formation_or_nothing() {
    let app = App::new(TWO);
    let running = start(&app, ["web"]);

    app.dyno(["scale"]).run().expect(Ended::Code(0), "web=1 worker=0\n", "");
    app.dyno(["scale", "web+1"]).run().expect(Ended::Code(0), "web=2 worker=0\n", "");
    app.dyno(["scale", "worker=2", "--wait"]).run().expect(Ended::Code(0), "web=2 worker=2\n", "");
    assert_eq!(names(&app), ["web.1", "web.2", "worker.1", "worker.2"]);
    // The platform's tool accepts a size, too.
    app.dyno(["ps:scale", "web=2:Standard-1X", "worker-1"]).run().expect(Ended::Code(0), "web=2 worker=1\n", "");
    until("worker.2 is gone", || names(&app) == ["web.1", "web.2", "worker.1"]);

    for (change, stderr) in [
        ("wrker=1", "error: the Procfile has no process type `wrker`\n\nhint: did you mean `worker`?\n"),
        ("worker", "error: `worker` has no quantity\n\nhint: write `worker=1`\n"),
        (
            "worker=x",
            "error: the quantity of `worker` is not a number\n\nhint: write a number such as `worker=2`, or a change such as \
             `worker+1`\n",
        ),
        (
            "worker=-1",
            "error: the quantity of `worker` is not a number\n\nhint: write a number such as `worker=2`, or a change such as \
             `worker+1`\n",
        ),
        (
            "worker=1001",
            "error: `1001` is too many dynos of `worker`: the limit is 1000\n\nhint: write at most `worker=1000`\n",
        ),
    ] {
        on_stderr(app.dyno(["scale", "web=5", change]), 2, stderr);
    }
    app.dyno(["scale"]).run().expect(Ended::Code(0), "web=2 worker=1\n", "");
    stop(&app, running);
}

#[test]
fn s10_2_a_stopped_dyno_stays_down_until_it_is_restarted() {
    let app = App::new(TWO);
    let running = start(&app, []);

    app.dyno(["ps:stop", "worker.1"]).run().expect(Ended::Code(0), "stopping: worker.1\n", "");
    until("worker.1 is down", || dynos(&app)[1]["state"] == "down");
    // The search for what it has left may go on for a moment; until then it is stopped, too.
    until("nothing of worker.1 is left", || app.dyno(["stop", "worker"]).run().stdout() == "stopping: none\n");
    app.dyno(["restart", "-d", "worker.1", "--wait"]).run().expect(Ended::Code(0), "restarting: worker.1\n", "");
    assert_eq!(dynos(&app)[1]["state"], "up");

    stop(&app, running).expect_end(Ended::Code(0));
    on_stderr(app.dyno(["stop"]), 69, NOTHING_RUNS);
}

#[test]
fn s10_2_the_app_is_found_only_from_its_root_and_below() {
    let app = App::new(TWO).file("lib/x/keep", "").file("vendor/.git/keep", "").file("other/Procfile", "web: true\n");
    let running = start(&app, []);
    let from = |path: &str| app.dyno(["ps"]).directory(&app.path(path)).run().ended;

    assert_eq!(from(""), Ended::Code(0));
    assert_eq!(from("lib/x"), Ended::Code(0));
    assert_eq!(from("vendor"), Ended::Code(69));
    assert_eq!(from("other"), Ended::Code(69));
    assert_eq!(from("../home"), Ended::Code(69));
    let root = app.root();
    let named = app.dyno(["ps", "--root", root.to_str().unwrap()]).directory(&app.path("other"));
    named.run().expect_end(Ended::Code(0));
    app.dyno(["-d", root.to_str().unwrap(), "ps"]).directory(&app.path("other")).run().expect_end(Ended::Code(0));
    stop(&app, running);
}

#[test]
fn s10_2_the_app_is_found_from_where_it_was_typed() {
    let app = App::empty()
        .file("deploy/Procfile.dev", TWO)
        .script("bin/dev", "exec \"$DYNO\" start -f deploy/Procfile.dev\n");
    let dev = app.dyno([]).env("DYNO", binary::dyno()).program(&app.path("bin/dev"));
    let running = up(&app, dev.spawn());

    assert_eq!(names(&app), ["web.1", "worker.1"]);
    app.dyno(["ps"]).directory(&app.path("deploy")).run().expect_end(Ended::Code(0));
    stop(&app, running);
}

#[test]
fn s10_2_inside_a_dyno_its_own_run_is_meant() {
    let app = App::new("web: cd /; \"$DYNO_BIN\" ps --json >\"$OUT\"; exec sleep 1000\n");
    let out = app.path("out");
    let run = app.dyno(["start"]).env("DYNO_BIN", binary::dyno()).env("OUT", &out);
    let running = run.spawn();

    running.until("the dyno has asked", || fs::metadata(&out).is_ok_and(|file| file.len() > 10));
    let seen: Value = serde_json::from_slice(&fs::read(out).unwrap()).unwrap();
    assert_eq!(seen[0]["name"], "web.1");
    stop(&app, running);
}

#[test]
fn s10_1_a_second_start_of_a_process_type_is_refused() {
    let app = App::new(TWO);
    let running = start(&app, ["--fixed-ports"]);

    let second = app.dyno(["start", "web"]).run();

    second.expect_end(Ended::Code(69));
    let stderr = second.stderr();
    assert!(stderr.starts_with("error: `web` is already running (dyno pid PID, up "), "{stderr}");
    assert!(stderr.contains("): http://127.0.0.1:5000\n"), "{stderr}");
    assert!(
        stderr.ends_with(
            "\nhint: `dyno restart web` restarts it; `dyno logs -t` shows its log; `dyno start --name copy -p auto web` starts a second one\n"
        ),
        "{stderr}"
    );
    assert_eq!(second.stdout(), "");
    stop(&app, running);
}

#[test]
fn s10_1_disjoint_starts_are_one_formation() {
    let app = App::new(TWO);
    let web = start(&app, ["web"]);
    let worker = app.dyno(["start", "worker"]).spawn();
    until("both run", || names(&app) == ["web.1", "worker.1"]);

    app.dyno(["restart", "worker", "--wait"]).run().expect(Ended::Code(0), "restarting: worker.1\n", "");
    app.dyno(["scale"]).run().expect(Ended::Code(0), "web=1 worker=1\n", "");
    app.dyno(["stop"]).run().expect(Ended::Code(0), "stopping: web.1, worker.1\n", "");

    web.finish().expect_end(Ended::Code(0));
    worker.finish().expect_end(Ended::Code(0));
}

#[test]
fn s10_1_a_start_that_was_killed_does_not_block_the_next_one() {
    let app = App::new(TWO);
    let killed = start(&app, []);
    killed.signal(Signal::SIGKILL);
    killed.finish().expect_end(Ended::Signal(Signal::SIGKILL));
    on_stderr(app.dyno(["ps"]), 69, NOTHING_RUNS);

    let running = start(&app, []);

    assert_eq!(own_files(&app), 4, "a description, a socket, the lock, and a summary of the start that was killed");
    stop(&app, running);
}

#[test]
fn s10_1_a_smoke_runs_beside_a_start() {
    let app = App::new("worker: exec sleep 1000\n");
    let running = start(&app, []);

    // The command of the smoke asks for its own run: `run.N` is the command itself.
    let smoke = app.dyno(["smoke", "--", binary::dyno(), "ps"]).run();
    smoke.expect_end(Ended::Code(0));
    assert!(smoke.stdout().contains("worker.1") && smoke.stdout().contains("ps"), "{}", smoke.stdout());

    assert_eq!(names(&app), ["worker.1"]);
    stop(&app, running);
}

#[test]
fn s10_1_a_start_without_a_runtime_directory_still_runs() {
    let app = App::new("web: echo hello\n").file("run", "");
    let blocked = app.path("");
    fs::write(blocked.join("dyno"), "").unwrap();

    let finished = app.dyno(["start"]).env("XDG_RUNTIME_DIR", &blocked).run();

    finished.expect_end(Ended::Code(0));
    assert!(finished.stdout().contains("hello"));
    let warning = "warning: commands such as `dyno ps` will not find this start: the directory";
    assert!(finished.stderr().starts_with(warning), "{}", finished.stderr());
}

#[test]
fn s10_2_a_suspended_start_does_not_answer() {
    let app = App::new("web: exec sleep 1000\n");
    let running = start(&app, []);
    let main = running.main();
    kill(Pid::from_raw(main), Signal::SIGSTOP).unwrap();

    let asked = app.dyno(["ps"]).run();

    kill(Pid::from_raw(main), Signal::SIGCONT).unwrap();
    let hint = "error: `dyno` (pid PID) did not answer in time\n\nhint: if it is suspended, run `kill -CONT PID`\n";
    assert_eq!((asked.ended, asked.stderr().replace(&main.to_string(), "PID").as_str()), (Ended::Code(69), hint));
    stop(&app, running);
}

#[test]
fn s10_2_a_waiting_client_reports_that_the_app_ended() {
    let app = App::new("web: exec sleep 1000\n");
    // It never listens, so it is never up.
    let running = app.dyno(["start", "--ready", "web"]).spawn();
    running.until("web.1 runs", || pid_of(&app, "web.1") > 0);
    let waiting = app.dyno(["restart", "web", "--wait"]).spawn();
    waiting.until("web.1 is replaced", || running.stdout.text().matches("started with pid").count() == 2);

    running.signal(Signal::SIGKILL);

    let stderr = "error: the app ended before it answered\n\nhint: `dyno start` starts it again\n";
    waiting.finish().expect(Ended::Code(69), "restarting: web.1\n", stderr);
    running.finish();
}

#[test]
fn s10_2_clients_that_restart_one_dyno_at_once_are_all_answered() {
    let app = App::new("worker: exec sleep 1000\n");
    let running = start(&app, []);

    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    app.dyno(["restart", "worker.1", "--wait"]).run().expect_end(Ended::Code(0));
                }
            });
        }
    });

    assert_eq!(names(&app), ["worker.1"]);
    assert_eq!(running.of_dynos().len(), 1);
    stop(&app, running).expect_end(Ended::Code(0));
}

/// The process types on which the only start holds a lock.
fn locked_types(app: &App) -> Vec<Value> {
    let files = fs::read_dir(app.top().join("run/dyno")).unwrap().map(|entry| entry.unwrap().path());
    let description = files.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "start")).unwrap();
    let description: Value = serde_json::from_slice(&fs::read(description).unwrap()).unwrap();
    description["types"].as_array().unwrap().clone()
}

#[test]
fn s10_1_a_type_that_is_scaled_up_cannot_be_started_again() {
    let app = App::new(TWO);
    let running = start(&app, ["web"]);
    app.dyno(["scale", "worker=1"]).run().expect_end(Ended::Code(0));
    app.dyno(["start", "worker"]).run().expect_end(Ended::Code(69));

    app.dyno(["scale", "worker=0"]).run().expect_end(Ended::Code(0));
    // Locked until the dyno has ended.
    until("worker is not locked any more", || locked_types(&app) == ["web"]);
    let worker = app.dyno(["start", "worker"]).spawn();
    until("both run", || names(&app) == ["web.1", "worker.1"]);

    stop(&app, running);
    worker.finish();
}

#[test]
fn s17_1_errors_with_json_are_json_too() {
    let app = App::new(TWO);
    let error = |call: Call| {
        let finished = call.run();
        let error: Value = serde_json::from_str(&finished.stderr()).unwrap();
        (finished.ended, error["id"].as_str().unwrap().to_owned())
    };

    assert_eq!(error(app.dyno(["ps", "--json"])), (Ended::Code(69), "not_running".to_owned()));
    let running = start(&app, []);
    assert_eq!(error(app.dyno(["restart", "web.2", "--json"])), (Ended::Code(2), "not_found".to_owned()));
    assert_eq!(error(app.dyno(["scale", "x=1", "--json"])), (Ended::Code(2), "invalid_params".to_owned()));
    stop(&app, running);
}
