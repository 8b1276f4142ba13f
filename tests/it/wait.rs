//! Waiting for dynos, and how long a stop may take: `wait`, `--wait` and `-t` (S10.2, S6.2, S6.6).

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;

use crate::app::free_port;
use crate::binary;
use crate::harness::{App, Ended, Running, error, until};
use crate::running::{NOTHING_RUNS, dynos, on_stderr, pid_of, start, stop};
use crate::smoke;

/// An app whose `web` listens after a line has arrived in the fifo `go`.
fn web_that_listens_later() -> App {
    smoke::app("web: read line <go; exec ./listen 127.0.0.1\n").fifo("go")
}

/// The last line of a wait that has failed.
fn says(dyno: &str, what: &str) -> String {
    error(&format!("`{dyno}` {what}"), &format!("`dyno why {dyno}` says more"))
}

/// Begins a wait, and returns when the wait has printed what it waits for.
fn begin_to_wait(app: &App, line: &[&str], for_what: &str) -> Running {
    let waiting = app.dyno(["wait", "--timeout", "1000"]).args(line).spawn();
    waiting
        .until("it says what is missing", || waiting.stderr.text().starts_with(&format!("waiting for {for_what}\n")));
    waiting
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

    let stderr = "error: `release.1` has not ended after 0 s\n\nhint: `dyno why release.1` says more\n";
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
    let procfile = "a: read line <go.a\nb: read line <go.b; echo bad; exit 3\nworker: exec sleep 1000\n";
    let app = App::new(procfile).fifo("go.a").fifo("go.b");
    let running = start(&app, ["--can-die", "a,b=any"]);
    let waiting = app.dyno(["wait", "--exit", "a", "b.1"]).spawn();

    app.release("go.a");
    app.release("go.b");

    waiting.finish().expect(Ended::Code(3), "", &says("b.1", "has ended (status 3): bad"));
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
    let call = app.dyno(["start", "-p", &port, "--can-die", "web"]).env("DYNO_BIN", binary::dyno());
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

    let unknown = error("no process type or dyno called `wrker` runs here", "did you mean `worker`?");
    on_stderr(app.dyno(["wait", "wrker"]), 2, &unknown);
    on_stderr(app.dyno(["wait", "--exit", "wrker"]), 2, &unknown);
    let hint = "only the last 100 dynos that have ended are remembered";
    on_stderr(app.dyno(["wait", "--exit", "run.4711"]), 2, &error("`run.4711` is no longer remembered", hint));
    for (line, option) in [(["wait", "--timeout=abc"], "--timeout"), (["restart", "--wait=abc"], "--wait")] {
        let fact = format!("`abc` is not a valid value for `{option}`");
        on_stderr(app.dyno(line), 2, &error(&fact, "write a whole number of seconds from 0 to 86400"));
    }
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

#[test]
fn s10_2_wait_exit_sees_a_crash_that_a_restart_follows_at_once() {
    let app = App::new("web: echo up; read line <go; exit 3\n").fifo("go");
    let running = app.dyno(["start", "--restart"]).spawn();
    running.until_shown("| up\n");
    let files = fs::read_dir(app.top().join("run/dyno")).unwrap().map(|entry| entry.unwrap().path());
    let socket = files.into_iter().find(|path| path.extension().is_some_and(|name| name == "sock"));
    let mut waiting = UnixStream::connect(socket.unwrap()).unwrap();
    let body = r#"{"dynos":[{"name":"web","run":null}],"until":"exit","timeout":60}"#;
    write!(waiting, "POST /dyno/wait HTTP/1.1\r\nhost: dyno\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    // An answer to a later request: by then the wait has begun.
    assert!(pid_of(&app, "web.1") > 0);

    // The reports of the exit and of the end arrive together.
    running.signal(Signal::SIGSTOP);
    app.release("go");
    running.until("it has ended", || running.of_dynos().is_empty());
    running.signal(Signal::SIGCONT);

    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(r#""result":"ended","dyno":"web.1","exit_status":3"#), "{answer}");
    running.until("it runs again", || running.stdout.text().matches("| up\n").count() == 2);
    stop(&app, running);
}

#[test]
fn s10_2_a_wait_for_a_port_reports_the_crash_that_ends_the_app() {
    let app = App::new("web: read line <go; echo broken; exit 7\nx: exec sleep 1000\n").fifo("go");
    let running = start(&app, []);
    let lines: [(&[&str], &str); 4] = [
        (&["--listening", "web"], "web.1 to listen on a port"),
        (&["--listening", "x"], "x.1 to listen on a port"),
        (&["x:9"], "x to listen on port 9"),
        (&["x", "web:9"], "web to listen on port 9"),
    ];
    let waiting = lines.map(|(line, what)| (begin_to_wait(&app, line, what), what));

    app.release("go");

    for (waiting, what) in waiting {
        let crash = says("web.1", "has crashed (status 7): broken");
        waiting.finish().expect(Ended::Code(7), "", &format!("waiting for {what}\n{crash}"));
    }
    running.finish().expect_end(Ended::Code(7));
}

#[test]
fn s10_2_wait_listening_accepts_any_port_of_a_ready_type() {
    let (port, other) = (free_port().to_string(), free_port());
    let app = smoke::app(&format!("web: PORT={other} exec ./listen 127.0.0.1\n"));
    let running = app.dyno(["start", "--ready", "web", "-p", &port]).spawn();
    running.until_shown("Listening on");

    app.dyno(["wait", "--listening", "web"]).run().expect(Ended::Code(0), "", "");
    app.dyno(["wait", &format!("web:{other}")]).run().expect(Ended::Code(0), "", "");
    let late = app.dyno(["wait", "web", "--timeout=0"]).run();
    let fact = format!("error: `web.1` does not listen on port {port} after 0 s, but on port {other}: ");
    assert!(late.ended == Ended::Code(75) && late.stderr().starts_with(&fact), "{}", late.stderr());
    stop(&app, running);
}

#[test]
fn s10_2_a_port_of_another_program_is_not_that_of_a_dyno() {
    let app = App::new("worker: exec sleep 1000\n");
    let running = start(&app, []);
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = other.local_addr().unwrap().port();

    let late = says("worker.1", &format!("does not listen on port {port} after 0 s"));
    on_stderr(app.dyno(["wait", &format!("worker:{port}"), "--timeout=0"]), 75, &late);
    stop(&app, running);
}

#[test]
fn s10_2_wait_refuses_a_type_with_quantity_0() {
    let app = App::new("worker: exec sleep 1000\nclock: exec sleep 1000\n");
    let running = start(&app, ["worker"]);

    for line in [&["wait", "clock"][..], &["wait", "worker", "clock:9"], &["wait", "--listening", "clock"]] {
        app.refuses(line, 69, &error("`clock` has quantity 0", "`dyno scale clock=1` starts one"));
    }
    app.dyno(["wait", "--exit", "clock"]).run().expect(Ended::Code(0), "", "");
    stop(&app, running);
}

#[test]
fn s10_2_a_wait_ends_when_the_main_process_is_killed() {
    // It never listens, so it is never up.
    let app = App::new("web: exec sleep 1000\n");
    let port = free_port().to_string();
    let running = app.dyno(["start", "--ready", "web", "-p", &port]).spawn();
    running.until("web.1 runs", || pid_of(&app, "web.1") > 0);
    let missing = format!("web.1 to listen on port {port}");
    let lines: [(&[&str], &str); 3] =
        [(&[], &missing), (&["--exit", "web"], "web.1 to end"), (&["--listening", "web"], "web.1 to listen on a port")];
    let waiting = lines.map(|(line, what)| (begin_to_wait(&app, line, what), what));

    running.signal(Signal::SIGKILL);

    for (waiting, what) in waiting {
        let ended = error("the app ended before it answered", "`dyno start` starts it again");
        waiting.finish().expect(Ended::Code(69), "", &format!("waiting for {what}\n{ended}"));
    }
    running.finish();
}

#[test]
fn s10_2_a_wait_says_again_what_it_waits_for() {
    let app = App::new("web: exec sleep 1000\n");
    let port = free_port();
    let running = app.dyno(["start", "-p", &port.to_string()]).spawn();
    running.until_shown("started with pid");
    let waiting = begin_to_wait(&app, &[], &format!("web.1 to listen on port {port}"));

    let line = format!("waiting for web.1 to listen on port {port}\n");
    waiting.until("it says so again", || waiting.stderr.text().matches(&line).count() == 2);

    stop(&app, running);
    waiting.finish().expect_end(Ended::Code(1));
}
