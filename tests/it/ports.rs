//! Ports that are in use, and runs with `-p auto` at the same time (S5.3, S5.4).

use std::net::TcpListener;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::harness::{App, Ended, Finished, Running};

#[test]
fn s5_3_a_port_in_use_is_a_warning_or_with_strict_ports_an_error() {
    for address in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
        let Ok(holder) = TcpListener::bind(address) else { continue };
        let port = holder.local_addr().unwrap().port().to_string();
        let app = App::new("web: echo started\n");

        let shown = |finished: &Finished| {
            let stderr = finished.stderr();
            let (before, rest) = stderr.split_once(" is in use by `").unwrap();
            // The holder is this test program.
            let (_, after) = rest.split_once('`').unwrap();
            (finished.ended, finished.stdout(), format!("{before} is in use by `HOLDER`{after}"))
        };
        let fact = format!("port {port} for `web.1` is in use by `HOLDER` (pid PID)\n");
        let hint = "hint: stop that process, or choose another port with `-p`; `-p auto` finds a free one\n";
        let stdout = "TIME web.1  | started with pid PID\nTIME web.1  | started\nTIME web.1  | exited with code 0\n";

        let warned = app.dyno(["start", "-p", &port]).run();
        let expected = (Ended::Code(0), stdout.to_owned(), format!("warning: {fact}{hint}"));
        assert_eq!(shown(&warned), expected, "{address}");

        let refused = app.dyno(["start", "-p", &port, "--strict-ports"]).run();
        let expected = (Ended::Code(69), String::new(), format!("error: {fact}\n{hint}"));
        assert_eq!(shown(&refused), expected, "{address}");
    }
}

#[test]
fn s5_4_runs_with_automatic_ports_never_share_a_port() {
    let lines = "web: echo port $PORT; read -r _ <never\nworker: echo port $PORT; read -r _ <never\n";
    let apps = [(); 3].map(|()| App::new(lines).fifo("never"));
    let start = |app: &App, runtime_directory: &Path| {
        let dyno =
            app.dyno(["start", "-p", "auto", "--pty", "never"]).env("XDG_RUNTIME_DIR", runtime_directory).spawn();
        dyno.until_shown("web.1    | port ");
        dyno.until_shown("worker.1 | port ");
        dyno
    };

    // The last one has another runtime directory, like a run of another user.
    let [first, second, third] = &apps;
    let runs = [start(first, first.top()), start(second, first.top()), start(third, &third.top().join("run"))];
    for run in &runs {
        run.signal(Signal::SIGTERM);
    }
    let runs = runs.map(Running::finish);

    let ports = |run: &Finished| {
        let [web, worker] = ["web.1", "worker.1"].map(|dyno| run.lines_of(dyno)[1].clone());
        let port = |line: &str| line.strip_prefix("port ").unwrap().to_owned();
        assert_eq!(run.stderr(), format!("ports: web.1 {}, worker.1 {}\n", port(&web), port(&worker)));
        [web, worker]
    };
    let mut all = runs.each_ref().map(ports).concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 6, "{all:?}");
}
