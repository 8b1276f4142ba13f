//! Clients of an app with a router see no crash (S16.3), and its pages and lines say what happened (S16.5).

use std::io::{Read, Write};
use std::net::TcpStream;

use nix::sys::signal::Signal;

use crate::app::free_base;
use crate::checkouts;
use crate::harness::{App, Running};
use crate::smoke;

/// How the answer of `listen` begins.
pub(crate) const OK: &str = "HTTP/1.1 200 As asked\r\n";

/// An app that runs with a router.
pub(crate) struct Routed {
    pub(crate) app: App,
    pub(crate) running: Running,
    pub(crate) port: u16,
}

impl Routed {
    pub(crate) fn start(app: App, args: &[&str]) -> Self {
        let port = free_base();
        let running = app.dyno(["start", "--router", "-p", &port.to_string()]).args(args).spawn();
        running.until("the router listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { app, running, port }
    }

    fn answer(&self, headers: &str) -> String {
        answer(self.port, headers)
    }
}

/// The whole answer of the router. Empty: there is none.
pub(crate) fn answer(port: u16, headers: &str) -> String {
    answer_to("GET /items", port, headers)
}

/// The same for a request with this method and target.
pub(crate) fn answer_to(asked: &str, port: u16, headers: &str) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut client) = TcpStream::connect(("127.0.0.1", port)) {
        let request = format!("{asked} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
        let _ = client.write_all(request.as_bytes());
        let _ = client.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn s16_3_a_crash_at_a_request_is_not_seen_by_the_client() {
    let script = "if [ -e crashed ]; then exec ./listen 127.0.0.1; fi\n: >crashed\nexec ./listen 127.0.0.1 die\n";
    let app = smoke::app("web: ./serve\n").script("serve", script);
    let routed = Routed::start(app, &["--restart"]);

    let answer = routed.answer("");

    assert!(answer.starts_with(OK), "{answer}");
    routed.running.until_shown("router | GET /items 200 web.1 ");
    assert!(routed.running.stdout.text().contains("web.1  | exited with code 3"), "{}", routed.running.report());
}

#[test]
fn s16_5_the_page_of_a_crashed_dyno_says_what_it_wrote_last() {
    let app = App::new("web: echo '<b>boom</b>'; exit 3\nworker: exec sleep 1000\n");
    let routed = Routed::start(app, &["--restart", "--max-restarts", "0"]);
    routed.running.until_shown("web.1    | exited with code 3");

    let page = routed.answer("Accept: text/html\r\n");
    let json = routed.answer("Accept: application/json\r\n");

    let head = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/html; charset=utf-8\r\n";
    assert!(page.starts_with(head) && page.contains("App crashed"), "{page}");
    assert!(page.contains("&lt;b&gt;boom&lt;/b&gt;") && !page.contains("<b>boom"), "{page}");
    assert!(page.contains("dyno why web.1"), "{page}");
    let (head, body) = json.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{head}");
    let value: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((&value["code"], &value["lines"]), (&"H10".into(), &serde_json::json!(["<b>boom</b>"])));
    assert_eq!(value["dyno"]["name"], "web.1");
    routed.running.until_shown("router   | GET /items 503 H10 App crashed");
}

#[test]
fn s16_5_each_answer_of_the_router_itself_has_a_date() {
    let routed = Routed::start(App::new("web: exec sleep 1000\n"), &[]);

    // hyper never sees the first.
    for (request, status) in [
        ("GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "421 Misdirected Request"),
    ] {
        let mut client = TcpStream::connect(("127.0.0.1", routed.port)).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        let answer = crate::front_door::whole(client);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert!(answer.split_once("\r\n\r\n").unwrap().0.contains("\r\ndate: "), "{answer}");
    }
}

#[test]
fn s16_5_the_heroku_format_writes_the_platforms_router_line() {
    let routed = Routed::start(smoke::app("web: exec ./listen 127.0.0.1\n"), &["--heroku"]);

    assert!(routed.answer("X-Request-Id: 01234567890123456789\r\n").starts_with(OK));

    routed.running.until_shown("tls=false");
    let log = routed.running.stdout.text();
    let line = log.lines().find_map(|line| line.split_once("heroku[router]: ")).map(|(_, line)| line).unwrap();
    let expected = "at=info method=GET path=\"/items\" host=localhost request_id=01234567890123456789 \
                    fwd=\"127.0.0.1\" dyno=web.1 connect=";
    assert!(line.starts_with(expected), "{line}");
    assert!(line.contains(" status=200 bytes=") && line.ends_with(" protocol=http1.1 tls=false"), "{line}");
}

#[test]
fn s16_5_the_log_format_decides_the_format_of_router_lines() {
    let app = || smoke::app("web: exec ./listen 127.0.0.1\n");
    let routed = Routed::start(app(), &["--log-format", "heroku"]);
    assert!(routed.answer("").starts_with(OK));
    let line = " heroku[router]: at=info method=GET path=\"/items\" host=localhost ";
    routed.running.until_shown(line);
    let again = || routed.app.dyno(["logs", "router"]).run().stdout();
    routed.running.until("the line can be read again", || again().contains("at=info method=GET path=\"/items\" "));
    checkouts::end(routed.running);

    let routed = Routed::start(app(), &["--heroku", "--log-format", "text"]);
    assert!(routed.answer("").starts_with(OK));
    routed.running.until_shown("router | GET /items 200 web.1 ");
    checkouts::end(routed.running);
}

#[test]
fn s16_5_the_name_router_also_means_the_dynos_of_such_a_type() {
    let app = smoke::app("web: exec ./listen 127.0.0.1\nrouter: echo hello; exec sleep 1000\n");
    let routed = Routed::start(app, &["-q", "router"]);
    assert!(routed.answer("").starts_with(OK));
    let logs = |name| routed.app.dyno(["logs", name]).run().stdout();

    routed.running.until("the lines of both can be read", || {
        let lines = logs("router");
        lines.contains("GET /items 200 web.1 ") && lines.contains("hello")
    });
    let of_dyno = logs("router.1");

    assert!(of_dyno.contains("hello") && !of_dyno.contains("GET /items"), "{of_dyno}");
    let finished = checkouts::end(routed.running);
    assert!(!finished.stdout().contains("hello") && !finished.stdout().contains("GET /items"), "{}", finished.stdout());
}

#[test]
fn s16_5_all_lines_of_the_router_are_written_before_the_end() {
    let routed = Routed::start(smoke::app("web: exec ./listen 127.0.0.1\n"), &[]);
    (0..20).for_each(|_| assert!(routed.answer("").starts_with(OK)));

    routed.running.signal(Signal::SIGTERM);

    let finished = routed.running.finish();
    assert_eq!(finished.lines_of("router").len(), 20, "{}", finished.stdout());
}
