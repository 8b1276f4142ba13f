//! A stop that was asked for first waits for the requests of the dyno; any other does not (S16.3).

use std::io::Write;
use std::net::{Shutdown, TcpStream};

use nix::sys::signal::Signal;

use crate::app::free_port;
use crate::harness::{App, Ended, Running};
use crate::smoke;

/// An app whose dyno has a request that it never answers.
struct Busy {
    app: App,
    running: Running,
    client: TcpStream,
}

impl Busy {
    fn start(args: &[&str]) -> Self {
        let (app, port) = (smoke::app("web: exec ./listen 127.0.0.1 mute\n"), free_port());
        let running = app.dyno(["start", "--router", "-p", &port.to_string()]).args(args).spawn();
        running.until_shown("web.1  | Listening on ");
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        // The connection to the dyno: it has been given the request.
        running.until("the dyno is connected", || is_connected(port + 100));
        Self { app, running, client }
    }

    fn why(&self) -> String {
        self.app.dyno(["why", "web.1"]).run().stdout()
    }

    fn until_drained(&self) {
        self.running.until("the dyno is drained", || self.why().starts_with("web.1 is answering its last requests "));
    }
}

/// Whether a server on this port has a connection: `/proc/net/tcp` lists local addresses first, in state 1.
fn is_connected(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let local = format!(":{port:04X}");
    table.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(1).is_some_and(|field| field.ends_with(&local)) && fields.get(3) == Some(&"01")
    })
}

#[test]
fn s16_3_a_restart_waits_until_the_client_is_gone() {
    let busy = Busy::start(&["--router-drain", "600"]);
    busy.app.dyno(["restart", "web"]).run().expect(Ended::Code(0), "restarting: web.1\n", "");
    busy.until_drained();

    busy.client.shutdown(Shutdown::Both).unwrap();

    busy.running
        .until("the dyno has started again", || busy.running.stdout.text().matches("Listening on ").count() == 2);
    busy.running.signal(Signal::SIGTERM);
    let lines = busy.running.finish().lines_of("web.1");
    let expected = ["restart requested: sending SIGTERM", "terminated by SIGTERM", "started with pid PID"];
    assert!(lines.windows(3).any(|three| three == expected), "{lines:?}");
}

#[test]
fn s16_3_a_stop_of_everything_does_not_wait() {
    let busy = Busy::start(&["--router-drain", "600"]);
    busy.app.dyno(["restart", "web"]).run().expect(Ended::Code(0), "restarting: web.1\n", "");
    busy.until_drained();

    busy.running.signal(Signal::SIGTERM);

    let finished = busy.running.finish();
    assert_eq!(finished.lines_of("web.1").last().unwrap(), "terminated by SIGTERM");
}

#[test]
fn s16_3_a_drain_of_0_seconds_does_not_wait() {
    let busy = Busy::start(&["--router-drain", "0"]);

    busy.app.dyno(["restart", "web"]).run().expect(Ended::Code(0), "restarting: web.1\n", "");

    busy.running
        .until("the dyno has started again", || busy.running.stdout.text().matches("Listening on ").count() == 2);
    busy.running.signal(Signal::SIGTERM);
    busy.running.finish();
}
