//! What can prevent a dyno from being added: its log file, its port, the ports of another run (S5.3, S5.4, S10.2).

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use crate::harness::{App, Ended};
use crate::running::{dynos, on_stderr, start, stop};

const WEB: &str = "web: exec sleep 1000\n";

/// Occupies a port, and returns the one before it as the base for `-p`.
fn occupied() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let base = listener.local_addr().unwrap().port() - 1;
    (listener, base.to_string())
}

#[test]
fn s5_3_the_port_of_an_added_web_dyno_is_probed() {
    let app = App::new(WEB);
    let (listener, base) = occupied();
    let port = listener.local_addr().unwrap().port();
    let running = start(&app, ["-p", &base]);

    app.dyno(["scale", "web=2"]).run().expect(Ended::Code(0), "web=2\n", "");

    running.until_shown(&format!("warning: port {port} for `web.2` is in use by "));
    stop(&app, running);
}

#[test]
fn s5_3_strict_ports_refuse_a_web_dyno_whose_port_is_in_use() {
    let app = App::new(WEB);
    let (listener, base) = occupied();
    let port = listener.local_addr().unwrap().port();
    let running = start(&app, ["-p", &base, "--strict-ports"]);

    let refused = app.dyno(["scale", "web=2"]).run();

    assert_eq!(refused.ended, Ended::Code(69));
    let start = format!("error: cannot start `web.2`: port {port} is in use by ");
    assert!(refused.stderr().starts_with(&start), "{}", refused.stderr());
    assert_eq!(dynos(&app).len(), 1);
    stop(&app, running);
}

#[test]
fn s7_7_a_dyno_whose_log_file_cannot_be_opened_is_not_added() {
    let app = App::new("worker: exec sleep 1000\n");
    fs::create_dir_all(app.path("log/worker.2.log")).unwrap();
    let running = start(&app, ["--log-dir", "log"]);

    let stderr = "error: cannot start `worker.2`: the log file `log/worker.2.log` cannot be used: Is a directory\n";
    on_stderr(app.dyno(["scale", "worker=3"]), 69, stderr);

    app.dyno(["scale"]).run().expect(Ended::Code(0), "worker=1\n", "");
    stop(&app, running).expect_end(Ended::Code(0));
}

#[test]
fn s5_4_a_formation_does_not_grow_beyond_its_reserved_ports() {
    let app = App::new("worker: exec sleep 1000\n");
    let running = start(&app, ["-p", "auto"]);
    app.dyno(["scale", "worker=10"]).run().expect_end(Ended::Code(0));

    let refused = app.dyno(["scale", "worker=11"]).run();

    assert_eq!(refused.ended, Ended::Code(2));
    let start = "error: cannot start `worker.11`: `worker.11` would get port ";
    assert!(refused.stderr().starts_with(start), "{}", refused.stderr());
    stop(&app, running);
}
