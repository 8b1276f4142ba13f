//! The address that a start shows is one at which its server answers (S6.11, S10.6).

use std::io::{Read, Write};
use std::net::TcpStream;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::api_faults::connect;
use crate::app::{free_port, has_ipv6};
use crate::harness::{App, Ended};
use crate::smoke;

/// An app whose server listens on IPv6 only, and a free port for it.
fn on_ipv6_only() -> (App, String) {
    (smoke::app("web: exec ./listen ::1\n"), free_port().to_string())
}

/// Whether a server answers at this URL.
fn answers(url: &str) -> bool {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.starts_with("HTTP/1.1 200 ")
}

/// The answer of the API.
fn asked(app: &App, path: &str) -> Value {
    let mut stream = connect(app);
    write!(stream, "GET {path} HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn s6_11_the_log_names_the_ipv6_address_if_only_that_answers() {
    if !has_ipv6() {
        return;
    }
    let (app, port) = on_ipv6_only();
    let running = app.dyno(["start", "--urls", "-p", &port]).spawn();
    running.until_shown("web.1  | listening on http://");

    assert!(answers(&format!("http://[::1]:{port}")));

    running.signal(Signal::SIGTERM);
    let lines = running.finish().lines_of("web.1");
    assert!(lines.contains(&format!("listening on http://[::1]:{port}")), "{lines:?}");
}

#[test]
fn s6_11_the_log_names_another_loopback_address_if_only_that_answers() {
    let (app, port) = (smoke::app("web: exec ./listen 127.0.0.2\n"), free_port().to_string());
    let running = app.dyno(["start", "--urls", "-p", &port]).spawn();
    running.until_shown("web.1  | listening on http://");

    assert!(answers(&format!("http://127.0.0.2:{port}")));

    running.signal(Signal::SIGTERM);
    let lines = running.finish().lines_of("web.1");
    assert!(lines.contains(&format!("listening on http://127.0.0.2:{port}")), "{lines:?}");
}

#[test]
fn s10_6_a_detached_start_ls_and_a_second_start_name_the_ipv6_address() {
    if !has_ipv6() {
        return;
    }
    let (app, port) = on_ipv6_only();
    let mut start = app.dyno(["start", "--detach", "-p", &port]).spawn();

    let url = format!("http://[::1]:{port}");
    start.returned().expect(Ended::Code(0), &format!("{url}\n"), "");

    assert!(answers(&url));
    let listed = app.dyno(["ls"]).run().stdout();
    assert!(listed.contains(&format!("  {url}  ")), "{listed}");
    for path in ["/apps", "/apps/app"] {
        let answer = asked(&app, path);
        let shown = if path == "/apps" { &answer[0] } else { &answer };
        assert_eq!(shown["web_url"], format!("{url}/"), "{path}: {answer}");
    }
    let second = app.dyno(["start"]).run().stderr();
    assert!(second.contains(&format!("): {url}\n")), "{second}");
    crate::detached::stop(&app, &start);
}
