//! `dyno router`: one port for all apps of a user, each by its name (S16.7).

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::app::free_port;
use crate::harness::{App, Ended, Finished, Running};
use crate::smoke;

/// A front door in the foreground.
pub(crate) struct OpenDoor {
    pub(crate) running: Running,
    pub(crate) port: u16,
}

impl OpenDoor {
    /// Opens one for the apps in the runtime directory of `app`.
    pub(crate) fn open(app: &App) -> Self {
        let port = free_port();
        let running = app.dyno(["router", "--port", &port.to_string()]).spawn();
        running.until_shown(&format!("http://localhost:{port}\n"));
        Self { running, port }
    }

    /// The whole answer to a request for `/items` at this name.
    pub(crate) fn answer(&self, host: &str, headers: &str) -> String {
        let host = format!("{host}:{}", self.port);
        whole(self.connect(&format!("GET /items HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n")))
    }

    /// The status of that answer.
    pub(crate) fn status(&self, host: &str) -> String {
        self.answer(host, "").split(' ').nth(1).unwrap_or_default().to_owned()
    }

    /// The list of all apps.
    pub(crate) fn list(&self) -> Value {
        json_of(&self.answer("localhost", "Accept: application/json\r\n"))
    }

    /// A connection that has sent this.
    pub(crate) fn connect(&self, request: &str) -> TcpStream {
        let mut client = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        client
    }

    /// A tunnel to a dyno that sends back what it gets. The first bytes come with the request.
    pub(crate) fn tunnel(&self, host: &str) -> TcpStream {
        let upgrade = format!("GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nearly");
        let mut tunnel = self.connect(&upgrade);
        let mut seen = Vec::new();
        while !seen.ends_with(b"early") {
            let mut bytes = [0; 4096];
            let count = tunnel.read(&mut bytes).unwrap();
            assert_ne!(count, 0, "{host}: {}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&bytes[..count]);
        }
        assert!(seen.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"), "{}", String::from_utf8_lossy(&seen));
        tunnel
    }

    /// Ends it.
    pub(crate) fn close(self) -> Finished {
        self.running.signal(Signal::SIGTERM);
        self.running.finish()
    }
}

pub(crate) fn whole(mut client: TcpStream) -> String {
    let mut bytes = Vec::new();
    match client.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Checks that a tunnel is whole.
pub(crate) fn assert_echo(tunnel: &mut TcpStream) {
    tunnel.write_all(b"still there").unwrap();
    let mut echo = [0; 11];
    tunnel.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"still there");
}

fn json_of(answer: &str) -> Value {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{head}");
    serde_json::from_str(body).unwrap()
}

/// An app whose dynos answer with these statuses.
fn app() -> App {
    let app =
        smoke::app("web: exec ./listen 127.0.0.1 201\napi: exec ./listen 127.0.0.1 202\nworker: exec sleep 1000\n");
    let listen = app.path("listen").display().to_string();
    app.file("../other/Procfile", format!("web: exec {listen} 127.0.0.1 203\n"))
}

/// Starts an app whose web dyno listens. `directory`: its path from the root of `app`.
pub(crate) fn start(app: &App, directory: &str, args: &[&str]) -> Running {
    let call = app.dyno(["start"]).args(args).directory(&app.path(directory));
    let running = call.args(&["-p", &free_port().to_string()]).spawn();
    running.until_shown("| Listening on ");
    running
}

pub(crate) fn end(running: Running) -> Finished {
    running.signal(Signal::SIGTERM);
    running.finish()
}

#[test]
fn s16_7_the_front_door_reaches_every_app_and_type_by_its_name() {
    let app = app();
    let door = OpenDoor::open(&app);
    let (first, second) = (start(&app, "", &[]), start(&app, "../other", &["--router"]));

    for (host, status) in [
        ("app.localhost", "201"),
        ("APP.localhost.", "201"),
        ("a.b.app.localhost", "201"),
        ("app-api.localhost", "202"),
        ("other.localhost", "203"),
    ] {
        assert_eq!(door.status(host), status, "{host}");
    }

    let (first, second, door) = (end(first), end(second), door.close());
    let shown = |finished: &Finished| finished.lines_of("router");
    let ends_of = |lines: &[String]| lines.iter().map(|line| line[..20].to_owned()).collect::<Vec<_>>();
    assert_eq!(ends_of(&shown(&first))[..3], ["GET /items 201 web.1"; 3], "{}", first.stdout());
    assert_eq!((shown(&first).len(), shown(&second).len()), (4, 1));
    // The app has the log. The door itself is silent.
    assert_eq!(door.stdout().lines().count(), 1, "{}", door.stdout());
    assert_eq!(door.stderr(), "");
}

#[test]
fn s16_7_a_list_shows_what_runs_and_which_types_listen() {
    let app = app();
    let door = OpenDoor::open(&app);
    assert_eq!(door.list(), json!({ "apps": [] }));
    let running = start(&app, "", &[]);
    running.until("both listen", || running.stdout.text().matches("| Listening on ").count() == 2);

    let at = |label: &str| format!("http://{label}.localhost:{}", door.port);
    let listed = json!([{
        "name": "app",
        "state": "up",
        "root": app.root().canonicalize().unwrap(),
        "urls": [at("app"), at("app-api")],
    }]);
    running.until("the app is listed as up", || door.list()["apps"] == listed);
    let page = door.answer("127.0.0.1", "Accept: text/html\r\n");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\n"), "{page}");
    assert!(page.contains(&format!("<a href=\"{0}/\">{0}</a>", at("app-api"))), "{page}");
    // With a time, like every answer of a server that has a clock (RFC 9110, section 6.6.1).
    let date = page.split_once("\r\ndate: ").unwrap().1.split_once("\r\n").unwrap().0;
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).unwrap();
    assert!(jiff::Timestamp::now().duration_since(date).as_hours().abs() < 1, "{page}");
    let missing = door.answer("nope.localhost", "Accept: application/json\r\n");
    assert!(missing.starts_with("HTTP/1.1 404 Not Found\r\n"), "{missing}");
    assert_eq!(json_of(&missing), json!({ "missing": "nope", "apps": listed }));

    end(running);
    assert_eq!(door.list(), json!({ "apps": [] }));
    assert_eq!(door.status("app.localhost"), "404");
    door.close();
}

#[test]
fn s16_7_a_dyno_sees_the_port_that_the_client_connected_to() {
    let app = smoke::app("web: exec ./listen 127.0.0.1 mirror\n");
    let door = OpenDoor::open(&app);
    let running = start(&app, "", &["--router"]);

    let seen = door.answer("app.localhost", "X-Forwarded-Port: 1\r\n");

    assert!(seen.contains(&format!("\r\nhost: app.localhost:{}\r\n", door.port)), "{seen}");
    assert!(seen.contains(&format!("\r\nx-forwarded-port: {}\r\n", door.port)), "{seen}");
    assert!(seen.contains("\r\nx-forwarded-for: 127.0.0.1\r\n"), "{seen}");
    end(running);
    door.close();
}

#[test]
fn s16_7_quiet_hides_the_lines_of_a_router_that_begins_later() {
    let app = smoke::app("web: exec ./listen 127.0.0.1\n");
    let door = OpenDoor::open(&app);
    let running = start(&app, "", &["-q", "router"]);

    assert_eq!(door.status("app.localhost"), "200");

    assert_eq!(end(running).lines_of("router"), [] as [&str; 0]);
    door.close();
}

#[test]
fn s16_7_a_restart_waits_for_requests_without_an_option() {
    let app = smoke::app("web: exec ./listen 127.0.0.1 mute\n");
    let door = OpenDoor::open(&app);
    let running = start(&app, "", &[]);
    let _client = door.connect("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n");
    let is_busy = || app.dyno(["why", "web.1"]).run().stdout().starts_with("web.1 is answering its last requests ");
    // Until the request has reached the dyno, a restart does not wait.
    running.until("a restart waits for the request", || {
        app.dyno(["restart", "web"]).run().expect_end(Ended::Code(0));
        is_busy()
    });

    end(running);
    door.close();
}

#[test]
fn s16_7_a_later_request_for_another_app_ends_the_connection() {
    let app = smoke::app("web: exec ./listen 127.0.0.1\n");
    let listen = app.path("listen").display().to_string();
    let app = app.file("../other/Procfile", format!("web: exec {listen} 127.0.0.1\n"));
    let door = OpenDoor::open(&app);
    let (first, second) = (start(&app, "", &[]), start(&app, "../other", &[]));

    for other in ["other.localhost", "localhost", "127.0.0.1", "evil.example"] {
        let both = format!("GET /1 HTTP/1.1\r\nHost: app.localhost\r\n\r\nGET /2 HTTP/1.1\r\nHost: {other}\r\n\r\n");
        let answers = whole(door.connect(&both));

        let second = answers.split("ok\n").nth(1).unwrap();
        assert!(second.starts_with("HTTP/1.1 421 Misdirected Request\r\n"), "{other}: {answers}");
        assert!(second.contains("\r\nconnection: close\r\n"), "{other}: {answers}");
    }
    end(first);
    assert_eq!(end(second).lines_of("router"), [] as [&str; 0]);
    door.close();
}

#[test]
fn s16_7_a_tunnel_outlives_the_front_door_and_other_apps() {
    let app = smoke::app("web: exec ./listen 127.0.0.1 echo\n");
    let listen = app.path("listen").display().to_string();
    let app = app.file("../other/Procfile", format!("web: exec {listen} 127.0.0.1 203\n"));
    let door = OpenDoor::open(&app);
    let (running, other) = (start(&app, "", &[]), start(&app, "../other", &[]));
    assert_eq!(door.status("other.localhost"), "203");
    let mut tunnel = door.tunnel("app.localhost");

    end(other);
    door.close().expect_end(Ended::Signal(Signal::SIGTERM));

    assert_echo(&mut tunnel);
    end(running);
}

#[test]
fn s16_7_many_connections_at_once_are_all_answered() {
    let app = smoke::app("web: exec ./listen 127.0.0.1 201\n");
    let door = OpenDoor::open(&app);
    let running = start(&app, "", &[]);

    let statuses: Vec<String> = thread::scope(|scope| {
        let ask = |_| scope.spawn(|| door.status("app.localhost"));
        let clients: Vec<_> = (0..200).map(ask).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });

    assert_eq!(statuses, vec!["201"; 200]);
    assert_eq!(end(running).lines_of("router").len(), 200);
    door.close();
}
