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

        let warned = app.dyno(["start", "-p", &port]).run();
        warned.expect_end(Ended::Code(0));
        let fact = format!("port {port} for `web.1` is in use by `");
        assert!(warned.stderr().starts_with(&format!("warning: {fact}")), "{address}: {}", warned.stderr());

        let refused = app.dyno(["start", "-p", &port, "--strict-ports"]).run();
        refused.expect_end(Ended::Code(69));
        assert!(refused.stdout().is_empty() && refused.stderr().starts_with(&format!("error: {fact}")));
    }
}

#[test]
fn s5_4_runs_with_automatic_ports_never_share_a_port() {
    let app =
        App::new("web: echo port $PORT; read -r _ <never\nworker: echo port $PORT; read -r _ <never\n").fifo("never");
    let start = |runtime_directory: &Path| {
        let dyno =
            app.dyno(["start", "-p", "auto", "--pty", "never"]).env("XDG_RUNTIME_DIR", runtime_directory).spawn();
        dyno.until_shown("web.1    | port ");
        dyno.until_shown("worker.1 | port ");
        dyno
    };

    // The last one has another runtime directory, like a run of another user.
    let runs = [start(app.top()), start(app.top()), start(&app.top().join("run"))];
    for run in &runs {
        run.signal(Signal::SIGTERM);
    }
    let runs = runs.map(Running::finish);

    let ports = |run: &Finished| ["web.1", "worker.1"].map(|dyno| run.lines_of(dyno)[1].clone());
    let mut all = runs.each_ref().map(ports).concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 6, "{all:?}");
    assert!(runs[0].stderr().starts_with("ports: web.1 "), "{}", runs[0].stderr());
}
