//! `dyno start --http`: a dyno is up once it answers, as in a smoke test (S6.2, S19.4).

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use nix::sys::signal::Signal;

use crate::harness::{Ended, Finished};
use crate::running::{on_stderr, stop};
use crate::smoke::{app, ports};

/// A boot timeout, long enough for `listen` to start and to be probed on a loaded machine, in seconds.
const LIMIT: &str = "6";

/// Starts a web server that answers with this status until it is stopped for not being up.
fn not_up(status: &str, options: &[&str]) -> Finished {
    let app = app(&format!("web: ./listen 0.0.0.0 {status}\n"));
    app.dyno(["start", "-p", "auto", "--boot-timeout", LIMIT]).args(options).run()
}

#[test]
fn s6_2_start_waits_for_the_right_answer() {
    let app = app("web: ./listen 0.0.0.0 302\n");
    let dyno = app.dyno(["start", "-p", "auto", "--http", "/up", "--log-format", "heroku"]).spawn();

    dyno.until_shown("State changed from starting to up");
    dyno.signal(Signal::SIGTERM);

    let finished = dyno.finish();
    assert!(!finished.stdout().contains("not 200 to 399"), "{}", finished.stdout());
}

#[test]
fn s10_2_wait_and_why_depend_on_the_answer() {
    let app = app("web: ./listen 0.0.0.0 503 & read line <go; kill $!; wait $!; exec ./listen\n").fifo("go");
    let running = app.dyno(["start", "-p", "auto", "--http", "/up"]).spawn();
    running.until_shown("answers GET /up with 503, not 200 to 399; trying again\n");

    let why = app.dyno(["why", "web.1"]).run().stdout();
    let late = app.dyno(["wait", "--timeout=0"]).run();
    late.expect_end(Ended::Code(75));
    let stderr = late.stderr();
    assert!(stderr.starts_with("error: `web.1` is not up after 0 s: Listening on 0.0.0.0:"), "{stderr}");
    assert!(stderr.ends_with("\n\nhint: `dyno why web.1` says more\n"), "{stderr}");
    let waiting = app.dyno(["wait", "web"]).spawn();
    app.release("go");

    waiting.finish().expect(Ended::Code(0), "", "");
    let headline = why.lines().next().unwrap();
    assert!(headline.starts_with("web.1 is starting, for "), "{why}");
    assert!(headline.ends_with(": it answers GET /up with 503, not 200 to 399"), "{why}");
    stop(&app, running);
}

#[test]
fn s6_5_start_stops_a_dyno_that_does_not_answer_in_time() {
    let finished = not_up("500", &["--http", "/up"]);

    finished.expect_end(Ended::Code(137));
    let why = "answers GET /up with 500, not 200 to 399";
    let port = ports(&finished.stderr()).remove(0);
    assert_eq!(
        finished.lines_of("web.1"),
        [
            "started with pid PID",
            &format!("Listening on 0.0.0.0:{port}"),
            &format!("{why}; trying again"),
            &format!("not up within {LIMIT} seconds: it {why}"),
            "terminated by SIGKILL",
        ]
    );
}

#[test]
fn s19_4_start_accepts_the_same_statuses_as_smoke() {
    for options in [&["--http", "/up=204"][..], &["--http", "/up?a=b", "--http-status", "204"]] {
        let path = if options.len() == 2 { "/up" } else { "/up?a=b" };

        let finished = not_up("200", options);

        let line = format!("not up within {LIMIT} seconds: it answers GET {path} with 200, not 204");
        assert!(finished.lines_of("web.1").contains(&line), "{:?}", finished.lines_of("web.1"));
    }
}

#[test]
fn s19_4_start_refuses_a_check_that_cannot_work() {
    let app = app("worker: touch started\nweb: touch started\n");
    let refused = |args: &[&str], fact: &str, hint: &str| {
        app.dyno(["start"]).args(args).run().expect(Ended::Code(2), "", &format!("error: {fact}\n\nhint: {hint}\n"));
    };

    refused(
        &["worker", "--http", "/"],
        "`--http` has nothing to probe: no started process type is expected to listen",
        "name the types that listen on `$PORT` with `--ready`",
    );
    refused(&["--http", "up"], "`--http up`: expected a path that begins with `/`", "write `--http /up`");
    assert!(!app.has("started"));
}

#[test]
fn s6_2_an_answer_of_another_server_on_the_port_is_ignored() {
    let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = foreign.local_addr().unwrap().port().to_string();
    thread::spawn(move || {
        for client in foreign.incoming() {
            let mut client = client.unwrap();
            let _ = client.read(&mut [0; 1024]);
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        }
    });
    let app = app("web: ./listen 127.0.0.2 500\n");

    let running = app.dyno(["start", "-p", &port, "--http", "/"]).spawn();

    running.until_shown("answers GET / with 500, not 200 to 399; trying again\n");
    let said = format!("Listening on 127.0.0.2:{port}");
    let stderr = format!("error: `web.1` is not up after 0 s: {said}\n\nhint: `dyno why web.1` says more\n");
    on_stderr(app.dyno(["wait", "--timeout=0"]), 75, &stderr);
    stop(&app, running);
}
