//! Commands for an app that several starts run, and commands that wait (S10.2).

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{App, Ended, Running, error, until};

const TWO: &str = "web: exec sleep 1000\nworker: exec sleep 1000\n";

/// The dynos and their process ids, once all are up.
fn dynos(app: &App) -> Vec<(String, i64)> {
    let mut found = Vec::new();
    until("all dynos are up", || {
        let dynos: Vec<Value> = serde_json::from_slice(&app.dyno(["ps", "--json"]).run().stdout).unwrap_or_default();
        let name = |dyno: &Value| (dyno["name"].as_str().unwrap().to_owned(), dyno["pid"].as_i64().unwrap_or_default());
        found = dynos.iter().map(name).collect();
        !dynos.is_empty() && dynos.iter().all(|dyno| dyno["state"] == "up")
    });
    found
}

/// Starts `web` and `worker` beside each other.
fn two_starts(app: &App) -> [Running; 2] {
    let web = app.dyno(["start", "web"]).spawn();
    web.until("web.1 runs", || dynos(app).len() == 1);
    let worker = app.dyno(["start", "worker"]).spawn();
    worker.until("worker.1 runs", || dynos(app).len() == 2);
    [web, worker]
}

fn stop<const N: usize>(app: &App, running: [Running; N]) {
    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    for running in running {
        running.finish().expect_end(Ended::Code(0));
    }
}

#[test]
fn s10_2_a_wrong_name_or_quantity_changes_no_start() {
    let app = App::new(TWO);
    let running = two_starts(&app);
    let before = dynos(&app);

    for command in [
        &["scale", "web=3", "worker=1001"][..],
        &["scale", "web=3", "wrker=1"],
        &["scale", "web=3", "worker=x"],
        &["stop", "web.1", "nope"],
        &["stop", "web", "worker.2"],
        &["restart", "worker", "web.2"],
    ] {
        let ended = app.dyno(["--no-color"]).args(command).run();
        assert_eq!((ended.ended, ended.stdout().as_str()), (Ended::Code(2), ""), "{command:?}: {}", ended.stderr());
    }

    app.dyno(["scale"]).run().expect(Ended::Code(0), "web=1 worker=1\n", "");
    assert_eq!(dynos(&app), before);
    stop(&app, running);
}

#[test]
fn s10_2_a_suspended_start_affects_only_commands_about_its_dynos() {
    let app = App::new(TWO);
    let running = two_starts(&app);
    let pid = running[1].main();
    running[1].signal(Signal::SIGSTOP);

    let hint = format!("hint: if it is suspended, run `kill -CONT {pid}`\n");
    let warning = format!("warning: `dyno` (pid PID) did not answer in time: leaving out `worker`\n{hint}");
    for (command, shown) in
        [(&["restart", "web"][..], "restarting: web.1\n"), (&["scale", "web=2"], "web=2 worker=0\n")]
    {
        app.dyno(["--no-color"]).args(command).run().expect(Ended::Code(0), shown, &warning);
    }
    let listed = app.dyno(["ps"]).run();
    assert!(listed.stdout().contains("\nweb.1 ") && !listed.stdout().contains("worker"), "{}", listed.stdout());
    assert_eq!((listed.ended, listed.stderr()), (Ended::Code(0), warning));
    let fact = format!("error: `dyno` (pid PID) did not answer in time\n\n{hint}");
    app.dyno(["stop", "worker"]).run().expect(Ended::Code(69), "", &fact);

    running[1].signal(Signal::SIGCONT);
    stop(&app, running);
}

#[test]
fn s10_2_a_type_of_another_procfile_is_scaled_by_its_own_start() {
    let app =
        App::new("web: exec sleep 1000\n").file("Procfile.jobs", "job: exec sleep 1000\nclock: exec sleep 1000\n");
    let web = app.dyno(["start"]).spawn();
    web.until("web.1 runs", || dynos(&app).len() == 1);
    let jobs = app.dyno(["start", "-f", "Procfile.jobs"]).spawn();
    jobs.until("all run", || dynos(&app).len() == 3);

    app.dyno(["scale", "job=0"]).run().expect(Ended::Code(0), "web=1 job=0 clock=1\n", "");
    jobs.until("job.1 is gone", || dynos(&app).len() == 2);
    app.dyno(["scale", "job=1", "web+1"]).run().expect(Ended::Code(0), "web=2 job=1 clock=1\n", "");
    stop(&app, [web, jobs]);
}

#[test]
fn s10_2_the_last_type_can_be_scaled_to_0() {
    let app = App::new(TWO);
    let [web, worker] = two_starts(&app);

    app.dyno(["scale", "worker=0"]).run().expect(Ended::Code(0), "web=1 worker=0\n", "");
    worker.finish().expect_end(Ended::Code(0));
    app.dyno(["scale", "web=0"]).run().expect(Ended::Code(0), "web=0 worker=0\n", "");
    web.finish().expect_end(Ended::Code(0));
}

#[test]
fn s10_2_a_dyno_that_is_named_twice_is_restarted_once() {
    let app = App::new("clock: exec sleep 1000\nworker: exec sleep 1000\n");
    let running = app.dyno(["start"]).spawn();
    dynos(&app);

    let restarted = app.dyno(["restart", "clock", "clock.1", "worker.1", "worker.1", "--wait"]).run();

    restarted.expect(Ended::Code(0), "restarting: clock.1, worker.1\n", "");
    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    assert_eq!(running.finish().stdout().matches("restart requested").count(), 2);
}

#[test]
fn s10_2_a_restart_is_shown_before_the_wait_for_it() {
    let app = App::new("web: exec sleep 1000\n");
    // It never listens, so it is never up.
    let running = app.dyno(["start", "--ready", "web"]).spawn();
    let is_running = || app.dyno(["ps", "--json"]).run().stdout().contains("\"pid\":");
    running.until("web.1 runs", is_running);

    let waiting = app.dyno(["restart", "--wait=1000"]).spawn();

    waiting.until("the restart is shown", || waiting.stdout.text() == "restarting: web.1\n");
    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    running.finish();
    waiting.finish();
}

#[test]
fn s10_2_a_stopped_app_can_be_started_at_once() {
    let app = App::new("web: trap 'sleep 0.5; exit' TERM; echo up; while :; do sleep 0.1; done\n");
    let first = app.dyno(["start"]).spawn();
    dynos(&app);

    app.dyno(["stop"]).run().expect(Ended::Code(0), "stopping: web.1\n", "");
    let second = app.dyno(["start"]).spawn();

    second.until("web.1 runs", || second.stdout.text().contains("up"));
    first.finish().expect_end(Ended::Code(0));
    stop(&app, [second]);
}

#[test]
fn s10_2_a_long_stop_says_what_it_waits_for() {
    let app = App::new("web: trap 'echo asked; read line <go; exit' TERM; echo up; while :; do sleep 0.1; done\n");
    nix::unistd::mkfifo(&app.path("go"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let running = app.dyno(["start", "--timeout", "1000"]).spawn();
    running.until("web.1 runs", || running.stdout.text().contains("up"));

    let stopping = app.dyno(["stop"]).spawn();
    stopping.until("it says so", || stopping.stderr.text().contains("waiting for `dyno` (pid "));
    std::fs::write(app.path("go"), "\n").unwrap();

    let stopping = stopping.finish();
    stopping.expect_end(Ended::Code(0));
    assert_eq!(stopping.stdout(), "stopping: web.1\n");
    running.finish().expect_end(Ended::Code(0));
}

#[test]
fn s10_2_a_wait_after_scaling_down_lasts_until_the_dynos_have_ended() {
    let app = App::new("worker: trap 'sleep 0.5; exit' TERM; echo up; while :; do sleep 0.1; done\n");
    let running = app.dyno(["start", "worker=2"]).spawn();
    running.until("both run", || running.stdout.text().matches("| up").count() == 2);

    app.dyno(["scale", "worker=1", "--wait"]).run().expect(Ended::Code(0), "worker=1\n", "");

    assert_eq!(dynos(&app).len(), 1);
    stop(&app, [running]);
}

#[test]
fn s10_2_a_wait_in_the_release_phase_lasts_until_the_formation_is_up() {
    let app = App::new("release: read line <go\nworker: exec sleep 1000\n");
    nix::unistd::mkfifo(&app.path("go"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let running = app.dyno(["start"]).spawn();
    running.until("the release command runs", || app.dyno(["ps"]).run().stdout().contains("release.1"));

    let scaling = app.dyno(["scale", "worker=2", "--wait"]).spawn();
    scaling.until("the change is shown", || scaling.stdout.text() == "worker=2\n");
    std::fs::write(app.path("go"), "\n").unwrap();

    scaling.finish().expect(Ended::Code(0), "worker=2\n", "");
    assert_eq!(dynos(&app).len(), 2);
    stop(&app, [running]);
}

#[test]
fn s10_2_a_wait_sees_a_crash_in_any_start_at_once() {
    let app = App::new("web: exec sleep 1000\nclock: exec sleep 1000\nworker: read line <go; exit 4\n").fifo("go");
    // It never listens, so it is never up.
    let web = app.dyno(["start", "--fixed-ports", "--ready", "web", "web"]).spawn();
    web.until_shown("started with pid");
    let worker = app.dyno(["start", "--restart", "--max-restarts", "0", "worker", "clock"]).spawn();
    worker.until("both run", || worker.stdout.text().matches("started with pid").count() == 2);

    let waiting = app.dyno(["wait", "--timeout", "1000"]).spawn();
    // By then the start with the worker has answered that its dynos are up.
    until("a line says what is missing", || {
        waiting.stderr.text().starts_with("waiting for web.1 to listen on port 5000\n")
    });
    app.release("go");

    let why = error("`worker.1` has crashed (status 4)", "`dyno why worker.1` says more");
    let said = "waiting for web.1 to listen on port 5000\n";
    waiting.finish().expect(Ended::Code(4), "", &format!("{said}{why}"));
    let statuses = app.dyno(["wait", "--exit", "worker", "web", "--timeout", "1000"]).spawn();
    stop(&app, []);
    web.finish().expect_end(Ended::Code(0));
    worker.finish();
    assert_ne!(statuses.finish().ended, Ended::Code(0));
}

#[test]
fn s10_2_a_wait_sees_the_crash_that_ends_one_of_several_starts() {
    let app = App::new("web: exec sleep 1000\na: read line <go; echo broken; exit 7\n").fifo("go");
    let a = app.dyno(["start", "a"]).spawn();
    a.until_shown("started with pid");
    // It never listens, so it is never up.
    let web = app.dyno(["start", "--fixed-ports", "--ready", "web", "web"]).spawn();
    web.until_shown("started with pid");
    let waiting = app.dyno(["wait", "--timeout", "1000"]).spawn();
    let said = "waiting for web.1 to listen on port 5000\n";
    until("a line says what is missing", || waiting.stderr.text().starts_with(said));

    app.release("go");

    let why = error("`a.1` has crashed (status 7): broken", "`dyno why a.1` says more");
    waiting.finish().expect(Ended::Code(7), "", &format!("{said}{why}"));
    a.finish().expect_end(Ended::Code(7));
    stop(&app, [web]);
}

#[test]
fn s10_2_a_refusal_says_what_other_starts_have_done() {
    let app = App::new("web: exec sleep 1000\n")
        .file("Procfile.jobs", "release: echo releasing; read line <go\njob: exec sleep 1000\n")
        .fifo("go");
    let web = app.dyno(["start"]).spawn();
    web.until("web.1 runs", || dynos(&app).len() == 1);
    let jobs = app.dyno(["start", "-f", "Procfile.jobs"]).spawn();
    jobs.until_shown("releasing");

    for (command, done) in [(&["restart"][..], "restarting web.1"), (&["stop", "web", "job"], "stopping web.1")] {
        let fact = format!("the release command is still running; already done: {done}");
        app.refuses(command, 69, &error(&fact, "try again when it has ended"));
    }
    web.finish().expect_end(Ended::Code(0));
    app.release("go");
    jobs.until("job.1 runs", || dynos(&app).len() == 1);
    stop(&app, [jobs]);
}

#[test]
fn s10_2_ps_tells_dynos_of_one_name_apart() {
    let app = App::new("web: exec sleep 1000\n");
    let first = app.dyno(["start"]).spawn();
    first.until("web.1 runs", || dynos(&app).len() == 1);
    let copy = app.dyno(["start", "--name", "copy"]).spawn();
    copy.until("both run", || dynos(&app).len() == 2);

    let shown = |options: &[&str]| {
        let text = app.dyno(["ps"]).args(options).run().stdout();
        text.lines().map(|line| line.split_whitespace().take(3).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(shown(&[]), ["DYNO APP STATE", "web.1 app up", "web.1 app-copy up"]);
    assert!(shown(&["--name", "copy"])[0].starts_with("DYNO STATE"));
    stop(&app, [first, copy]);
}
