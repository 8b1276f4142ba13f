//! Tunnels through the router of a start while dynos and types come and go, and which names open one (S16.1, S16.2).

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::app::free_base;
use crate::checkouts::end;
use crate::front_door::assert_echo;
use crate::harness::{App, Ended, Running};
use crate::smoke;

const PROCFILE: &str = "web: exec ./listen 127.0.0.1 echo\napi: exec ./listen 127.0.0.1\n";

/// Starts one web dyno that sends back what a tunnel gets.
fn start(app: &App, port: u16, args: &[&str]) -> Running {
    let running = app.dyno(["start", "--router", "-p", &port.to_string(), "web=1"]).args(args).spawn();
    running.until_shown("web.1  | Listening on ");
    running
}

/// Sends a request for a tunnel.
fn ask(port: u16, target: &str, host: &str) -> TcpStream {
    ask_with(port, target, &format!("Host: {host}\r\n"))
}

/// Sends a request for a tunnel with these headers.
fn ask_with(port: u16, target: &str, headers: &str) -> TcpStream {
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!("GET {target} HTTP/1.1\r\n{headers}Connection: upgrade\r\nUpgrade: echo\r\n\r\n");
    client.write_all(head.as_bytes()).unwrap();
    client
}

/// The head of the answer.
fn head(client: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        assert_eq!(client.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&head));
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn tunnel(port: u16, host: &str) -> TcpStream {
    let mut client = ask(port, "/ws", host);
    let head = head(&mut client);
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    client
}

#[test]
fn s16_1_a_tunnel_lives_while_dynos_and_types_come_and_go() {
    let (app, port) = (smoke::app(PROCFILE), free_base());
    let running = start(&app, port, &[]);
    let mut tunnel = tunnel(port, "localhost");

    for change in ["web=2", "api=1", "api=2", "web=1", "api=0"] {
        app.dyno(["scale", change, "--wait"]).run().expect_end(Ended::Code(0));
        assert_echo(&mut tunnel);
    }
    app.dyno(["restart", "api", "--wait"]).run();
    app.write("Procfile", &format!("{PROCFILE}clock: exec sleep 1000\n"));
    app.dyno(["reload"]).run().expect_end(Ended::Code(0));
    assert_echo(&mut tunnel);
    app.write("Procfile", "web: exec ./listen 127.0.0.1 echo\n");
    app.dyno(["reload"]).run().expect_end(Ended::Code(0));
    assert_echo(&mut tunnel);

    drop(tunnel);
    running.until_shown("router | GET /ws 101 web.1 ");
    let finished = end(running);
    assert_eq!(finished.lines_of("router").len(), 1, "{}", finished.stdout());
}

// DNS rebinding: a page uses a name of its own that leads to this machine.
#[test]
fn s16_2_only_allowed_names_open_a_tunnel_or_get_an_answer() {
    let (app, port) = (smoke::app(PROCFILE), free_base());
    let running = start(&app, port, &["--hosts", "shop.test"]);

    for host in ["localhost", "127.0.0.1", "[::1]", "app.localhost", "shop.test", "SHOP.test."] {
        assert_echo(&mut tunnel(port, &format!("{host}:{port}")));
    }
    for (target, host) in [
        ("/ws", "evil.example"),
        ("/ws", "localhost.evil.example"),
        ("/ws", "a.shop.test"),
        ("/ws", "shop.test.evil.example"),
        ("http://evil.example/ws", "localhost"),
    ] {
        let answer = head(&mut ask(port, target, host));
        assert!(answer.starts_with("HTTP/1.1 421 Misdirected Request\r\n"), "{target} {host}: {answer}");
    }
    end(running);
}

#[test]
fn s16_2_a_request_for_a_tunnel_without_a_host_or_with_two_is_refused() {
    let (app, port) = (smoke::app(PROCFILE), free_base());
    let running = start(&app, port, &[]);

    for hosts in ["", "Host: localhost\r\nHost: localhost\r\n", "Host: localhost\r\nHost: evil.example\r\n"] {
        let answer = head(&mut ask_with(port, "/ws", hosts));
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{hosts:?}: {answer}");
    }
    end(running);
}

#[test]
fn s16_2_a_request_for_a_tunnel_has_the_headers_of_the_platform() {
    let (app, port) = (smoke::app("web: exec ./listen 127.0.0.1 mirror\n"), free_base());
    let running = start(&app, port, &[]);
    // The body of the answer is the head of the request.
    let seen = |headers: &str| {
        let mut client = ask_with(port, "/ws", &format!("Host: localhost\r\n{headers}"));
        assert!(head(&mut client).starts_with("HTTP/1.1 200 OK\r\n"));
        head(&mut client).to_ascii_lowercase()
    };
    let value = |seen: &str, name: &str| {
        let values: Vec<_> = seen.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect();
        assert_eq!(values.len(), 1, "{name}: {seen}");
        values[0].to_owned()
    };

    let (first, second) = (seen(""), seen("X-Request-Id: 01234567890123456789\r\nX-Request-Start: 1\r\n"));

    assert_eq!(value(&second, "x-request-id"), "01234567890123456789");
    let (id, start) = (value(&first, "x-request-id"), value(&first, "x-request-start"));
    assert!((20..=200).contains(&id.len()), "{id}");
    let now = jiff::Timestamp::now().as_millisecond();
    for start in [start, value(&second, "x-request-start")] {
        assert!((now - 3_600_000..=now).contains(&start.parse().unwrap()), "{start}");
    }
    for seen in [first, second] {
        assert_eq!((value(&seen, "upgrade"), value(&seen, "connection")), ("echo".to_owned(), "upgrade".to_owned()));
    }
    end(running);
}
