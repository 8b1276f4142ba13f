//! `dyno why`: what it says about a dyno in each state, and after the app has ended (S10.2).

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{App, Ended, until};
use crate::running::{NOTHING_RUNS, dynos, on_stderr, start, stop};

/// The lines that `dyno why` prints about this dyno, without those that depend on the machine.
fn lines(app: &App, name: &str) -> Vec<String> {
    let finished = app.dyno(["why", name]).run();
    finished.expect_end(Ended::Code(0));
    finished.stdout().lines().map(str::to_owned).collect()
}

fn json(app: &App, name: &str) -> Value {
    let all: Value = serde_json::from_slice(&app.dyno(["why", name, "--json"]).run().stdout).unwrap();
    all[0].clone()
}

#[test]
fn s10_2_why_explains_a_dyno_that_is_up() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let app = App::new("web: echo hello; exec sleep 1000\n");
    let running = start(&app, ["-p", &port.to_string()]);
    running.until_shown("| hello\n");

    let shown = lines(&app, "web.1");

    assert!(shown[0].starts_with("web.1 is up, for "), "{shown:?}");
    assert!(shown.contains(&"  formation  web=1".to_owned()), "{shown:?}");
    let held = format!("  port       {port}, held by ");
    assert!(shown.iter().any(|line| line.starts_with(&held)), "{shown:?}");
    assert!(shown.contains(&"  release    v1".to_owned()), "{shown:?}");
    assert_eq!(shown[shown.len() - 3..], ["  last lines:", "    hello", "next: dyno restart web.1"]);
    let why = json(&app, "web.1");
    assert_eq!((&why["stage"], &why["reason"], &why["lines"][0]), (&"up".into(), &"formation".into(), &"hello".into()));
    stop(&app, running);
}

#[test]
fn s10_2_why_lists_the_last_ends_of_a_crashed_dyno() {
    let app = App::new("worker: echo boom; exit 3\nclock: exec sleep 1000\n");
    let running = app.dyno(["start", "--restart", "--max-restarts", "1"]).spawn();
    running.until_shown("not restarted");

    let shown = lines(&app, "worker.1");

    assert!(shown[0].starts_with("worker.1 has crashed and is not restarted, for "), "{shown:?}");
    let ends: Vec<&String> = shown.iter().filter(|line| line.contains("ago, exited with code 3 after ")).collect();
    assert_eq!(ends.len(), 2, "{shown:?}");
    assert_eq!(shown.last().unwrap(), "next: dyno restart worker.1");
    assert_eq!(json(&app, "worker.1")["ends"][0]["exit_status"], 3);
    stop(&app, running);
}

#[test]
fn s10_2_why_explains_what_is_down_and_what_does_not_exist() {
    let app = App::new("web: exec sleep 1000\nworker: exec sleep 1000\nclock: exec sleep 1000\n");
    let running = start(&app, ["web", "worker"]);
    app.dyno(["stop", "worker.1"]).run().expect_end(Ended::Code(0));
    until("it is down", || json(&app, "worker.1")["stage"] == "down");

    let stopped = lines(&app, "worker");
    let missing = app.dyno(["why", "clock"]).run();
    let third = lines(&app, "web.3");

    assert_eq!(stopped[0], "worker.1 is down: it was stopped, and stays down until it is restarted");
    assert!(stopped.iter().any(|line| line.ends_with(", as requested")), "{stopped:?}");
    let text = "clock does not exist: the quantity of its process type is too low\n  command    exec sleep 1000\n  \
         formation  clock=0\nnext: dyno scale clock=1\n";
    missing.expect(Ended::Code(0), text, "");
    assert_eq!(third.last().unwrap(), "next: dyno scale web=3");
    on_stderr(
        app.dyno(["why", "wrker"]),
        2,
        "error: no process type or dyno called `wrker` runs here\n\nhint: did you mean `worker`?\n",
    );
    stop(&app, running);
}

#[test]
fn s10_2_why_says_which_files_were_changed_after_the_start() {
    let app = App::new("worker: exec sleep 1000\n").file(".env", "A=1\n");
    let running = start(&app, []);
    assert!(lines(&app, "worker.1").contains(&"  release    v1".to_owned()));

    fs::write(app.path(".env"), "A=2\n").unwrap();

    let shown = lines(&app, "worker.1");
    assert!(shown.contains(&"  release    v1; changed after the start: .env".to_owned()), "{shown:?}");
    stop(&app, running);
}

#[test]
fn s10_2_why_works_after_the_app_has_ended() {
    let app = App::new("web: echo secret; exit 3\nworker: exec sleep 1000\n");
    on_stderr(app.dyno(["why", "web"]), 69, NOTHING_RUNS);
    app.dyno(["start", "--log-dir", "log"]).run().expect_end(Ended::Code(3));

    let shown = lines(&app, "web.1");
    let other = lines(&app, "worker.1");

    assert!(shown[0].starts_with("web.1 is not running: its start ended "), "{shown:?}");
    assert!(shown[0].ends_with(" ago with status 3, and this dyno ended by itself"), "{shown:?}");
    assert!(shown.iter().any(|line| line.contains("exited with code 3 after ")), "{shown:?}");
    let log = format!("  log        {}", app.root().join("log/web.1.log").display());
    assert_eq!(shown[shown.len() - 2..], [log, "next: dyno start".to_owned()]);
    assert!(other[0].ends_with(" ago with status 3, and this dyno was stopped"), "{other:?}");
    assert!(!shown.iter().any(|line| line.trim() == "secret"), "{shown:?}");
    assert_eq!(dynos(&app).len(), 0);
}

#[test]
fn s10_2_why_names_a_start_that_was_killed() {
    let app = App::new("worker: exec sleep 1000\nclock: exec sleep 1000\n");
    stop(&app, start(&app, []));
    let running = start(&app, []);
    let pid = running.main();
    let of = |name: &str| format!("{name} is not running: `dyno` (pid PID), which ran it, was killed");

    running.signal(Signal::SIGKILL);
    running.finish().expect_end(Ended::Signal(Signal::SIGKILL));

    assert_eq!(lines(&app, "clock"), [of("clock"), "next: dyno start".to_owned()]);
    assert_eq!(
        app.dyno(["why", "clock", "--json"]).run().stdout().matches(&format!("\"killed_pid\":{pid}")).count(),
        1
    );
    // Another start removes what the killed one left.
    stop(&app, start(&app, ["worker"]));
    assert_eq!(lines(&app, "clock")[0], of("clock"));
    assert!(lines(&app, "worker")[0].starts_with("worker.1 is not running: its start ended "));
}

#[test]
fn s10_2_why_shows_each_type_as_its_last_start_left_it() {
    let app = App::new("worker: exec sleep 1000\nclock: exec sleep 1000\n");
    let worker = start(&app, ["worker"]);
    let clock = start(&app, ["clock"]);
    worker.signal(Signal::SIGTERM);
    worker.finish().expect_end(Ended::Signal(Signal::SIGTERM));

    let beside = lines(&app, "worker");
    assert!(beside[0].starts_with("worker.1 is not running: its start ended "), "{beside:?}");
    assert!(beside[0].ends_with(" with status 143, and this dyno was stopped"), "{beside:?}");
    stop(&app, clock);

    let shown = app.dyno(["why"]).run().stdout();
    let names: Vec<&str> =
        shown.lines().filter_map(|line| line.split_once(" is not running: ").map(|(name, _)| name)).collect();
    assert_eq!(names, ["clock.1", "worker.1"]);
    on_stderr(
        app.dyno(["why", "nope"]),
        2,
        "error: no process type or dyno called `nope` ran here\n\nhint: `dyno why` lists the dynos that ran last\n",
    );
}

#[test]
fn s10_2_why_suggests_only_commands_that_are_accepted() {
    let app = App::new("worker: trap '' TERM; exec sleep 1000\n").file("Other", "worker: exec sleep 1000\n");
    let first = start(&app, ["-m", "worker=2"]);
    app.dyno(["scale", "worker=1"]).run().expect_end(Ended::Code(0));
    let leaving = lines(&app, "worker.2");
    assert_eq!(leaving.last().unwrap(), "next: dyno scale worker=2");
    let other = app.dyno(["start", "-f", "Other"]).spawn();
    other.until_shown("worker.1 | started");

    let both = lines(&app, "worker.1");
    let procfile = |name: &str| app.root().join(name).display().to_string();
    for name in ["Procfile", "Other"] {
        let next = format!("next: dyno restart worker.1 --procfile {}", procfile(name));
        assert!(both.contains(&next), "{both:?}");
    }

    for running in [first, other] {
        running.signal(Signal::SIGINT);
        running.signal(Signal::SIGINT);
        running.finish();
    }
}
