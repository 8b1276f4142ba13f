//! Waiting for dynos, and how long a stop may take: `wait`, `--wait` and `-t` (S10.2, S6.2, S6.6).

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::symlink;

use crate::harness::{App, Ended, until};
use crate::running::{NOTHING_RUNS, dynos, on_stderr, pid_of, start, stop};

/// A port that no other test uses, because it was ephemeral a moment ago.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// An app whose `web` listens after a line has arrived in the fifo `go`.
fn web_that_listens_later() -> App {
    let app = App::new("web: read line <go; exec ./listen 127.0.0.1\n").fifo("go");
    symlink(crate::app::example("listen"), app.path("listen")).unwrap();
    app
}

#[test]
fn s6_2_a_client_waits_until_web_listens_although_nothing_else_looks() {
    let app = web_that_listens_later();
    let port = free_port().to_string();
    let running = start(&app, ["-p", &port]);

    let late = app.dyno(["wait", "--timeout", "0"]).run();
    let stderr =
        format!("error: `web.1` does not listen on port {port} after 0 s\n\nhint: `dyno why web.1` says more\n");
    late.expect(Ended::Code(75), "", &stderr);
    let waiting = app.dyno(["wait", "web"]).spawn();
    app.release("go");

    waiting.finish().expect(Ended::Code(0), "", "");
    app.dyno(["wait"]).run().expect(Ended::Code(0), "", "");
    stop(&app, running);
}

#[test]
fn s6_2_wait_on_a_restart_waits_until_the_new_run_listens() {
    let app = web_that_listens_later();
    let port = free_port().to_string();
    let running = start(&app, ["-p", &port]);
    app.release("go");
    app.dyno(["wait", "web.1"]).run().expect(Ended::Code(0), "", "");

    let late = app.dyno(["restart", "web", "--wait=0"]).run();
    let restart = app.dyno(["wait", "web"]).spawn();
    app.release("go");

    assert_eq!((late.ended, late.stdout().as_str()), (Ended::Code(75), "restarting: web.1\n"));
    restart.finish().expect(Ended::Code(0), "", "");
    stop(&app, running);
}

#[test]
fn s10_2_a_wait_ends_with_the_status_and_last_words_of_a_crash() {
    let app = App::new("web: read line <go; echo no database; exit 4\nclock: exec sleep 1000\n").fifo("go");
    let running = app.dyno(["start", "--restart", "--max-restarts", "0"]).spawn();
    running.until("web runs", || pid_of(&app, "web.1") > 0);

    let waiting = app.dyno(["wait"]).spawn();
    app.release("go");

    let stderr = "error: `web.1` has crashed (status 4): no database\n\nhint: `dyno why web.1` says more\n";
    waiting.finish().expect(Ended::Code(4), "", stderr);
    stop(&app, running);
}

#[test]
fn s10_2_a_wait_in_the_release_phase_waits_for_the_formation() {
    let app = App::new("release: read line <go\nworker: exec sleep 1000\n").fifo("go");
    let running = app.dyno(["start"]).spawn();
    running.until("the release command runs", || pid_of(&app, "release.1") > 0);

    let stderr = "error: `worker.1` is not up after 0 s\n\nhint: `dyno why worker.1` says more\n";
    app.dyno(["wait", "--timeout=0"]).run().expect(Ended::Code(75), "", stderr);
    let waiting = app.dyno(["wait", "worker"]).spawn();
    // What is impossible only at this moment is not a usage error (S11.1).
    let refused = "error: the release command is still running\n\nhint: try again when it has ended\n";
    on_stderr(app.dyno(["restart", "worker"]), 69, refused);
    app.release("go");

    waiting.finish().expect(Ended::Code(0), "", "");
    stop(&app, running);
}

#[test]
fn s10_2_wait_exit_returns_the_first_status_that_is_not_0() {
    let procfile = "a: read line <go.a\nb: read line <go.b; exit 3\nworker: exec sleep 1000\n";
    let app = App::new(procfile).fifo("go.a").fifo("go.b");
    let running = start(&app, ["--can-die", "a,b=any"]);
    let waiting = app.dyno(["wait", "--exit", "a", "b.1"]).spawn();

    app.release("go.a");
    app.release("go.b");

    waiting.finish().expect(Ended::Code(3), "", "");
    app.dyno(["wait", "--exit", "a"]).run().expect(Ended::Code(0), "", "");
    let stderr = "error: `worker.1` has not ended after 0 s\n\nhint: `dyno why worker.1` says more\n";
    on_stderr(app.dyno(["wait", "--exit", "worker", "--timeout=0"]), 75, stderr);
    // Those that have ended as allowed are not missing.
    app.dyno(["wait"]).run().expect(Ended::Code(0), "", "");
    stop(&app, running);
}

#[test]
fn s10_2_a_line_of_the_procfile_can_wait_for_another() {
    let app = web_that_listens_later().file(
        "Procfile",
        "db: read line <go; exec ./listen 127.0.0.1\nweb: \"$DYNO_BIN\" wait db --listening -- echo after\n",
    );
    let port = free_port().to_string();
    let call = app.dyno(["start", "-p", &port, "--can-die", "web"]).env("DYNO_BIN", env!("CARGO_BIN_EXE_dyno"));
    let running = call.spawn();
    running.until("both run", || pid_of(&app, "web.1") > 0);

    let late = app.dyno(["wait", &format!("db:{port}"), "--timeout=0"]).run();
    app.release("go");

    assert_eq!(late.ended, Ended::Code(75), "{}", late.stderr());
    running.until_shown("| after\n");
    app.dyno(["wait", &format!("db:{port}")]).run().expect(Ended::Code(0), "", "");
    stop(&app, running);
}

#[test]
fn s10_2_wait_refuses_what_it_cannot_wait_for() {
    let app = App::new("worker: exec sleep 1000\n");
    on_stderr(app.dyno(["wait"]), 69, NOTHING_RUNS);
    let running = start(&app, []);

    on_stderr(app.dyno(["wait", "wrker"]), 2, "error: no dyno of `wrker` runs here\n\nhint: did you mean `worker`?\n");
    for line in [["wait", "--exit"], ["wait", "--listening"]] {
        assert_eq!(app.dyno(line).run().ended, Ended::Code(2), "{line:?}");
    }
    let missing = "error: `./missing` was not found\n\nhint: check the spelling and `PATH`\n";
    on_stderr(app.dyno(["wait", "--", "./missing", "x"]), 127, missing);
    app.dyno(["wait", "--", "echo one; exit 5"]).run().expect(Ended::Code(5), "one\n", "");
    stop(&app, running);
}

#[test]
fn s6_6_stop_and_restart_accept_a_grace_of_their_own() {
    let app = App::new("worker: trap '' TERM; echo ready; while :; do sleep 1000; done\nclock: exec sleep 1000\n");
    let running = start(&app, ["-t", "1000"]);
    running.until_shown("| ready\n");

    app.dyno(["restart", "worker", "-t", "0", "--wait"]).run().expect(Ended::Code(0), "restarting: worker.1\n", "");
    running.until("it is ready again", || running.stdout.text().matches("| ready\n").count() == 2);
    app.dyno(["stop", "worker"]).run().expect(Ended::Code(0), "stopping: worker.1\n", "");
    assert!(pid_of(&app, "worker.1") > 0);
    app.dyno(["stop", "worker", "--timeout", "0.01"]).run().expect(Ended::Code(0), "stopping: worker.1\n", "");

    until("worker.1 is gone", || pid_of(&app, "worker.1") == 0);
    assert_eq!(dynos(&app)[0]["state"], "down");
    app.dyno(["stop", "-t", "0"]).run().expect_end(Ended::Code(0));
    running.finish().expect_end(Ended::Code(0));
}
