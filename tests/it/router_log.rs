//! The lines of the router in the log, and where they can be read (S16.5).

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::app::free_base;
use crate::checkouts::end;
use crate::harness::{App, Ended, Running};
use crate::smoke;

/// An app with a server behind a router, and its port.
struct Routed {
    app: App,
    port: u16,
    running: Running,
}

impl Routed {
    fn start(args: &[&str]) -> Self {
        let (app, port) = (smoke::app("web: exec ./listen\n"), free_base());
        let running = app.dyno(["start", "--router", "-p", &port.to_string()]).args(args).spawn();
        running.until_shown("Listening on ");
        Self { app, port, running }
    }

    /// Sends a request and waits for the end of the answer.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        answer
    }

    /// The output of `dyno logs` with these options, once it has this line.
    fn logs(&self, args: &[&str], line: &str) -> String {
        let mut shown = String::new();
        self.running.until("the line can be read", || {
            shown = self.app.dyno(["logs", "--color", "never"]).args(args).run().stdout();
            shown.contains(line)
        });
        shown
    }
}

#[test]
fn s16_5_a_request_is_a_line_of_the_router() {
    let routed = Routed::start(&[]);
    routed.get("/items?a=b");
    routed.running.until_shown("router | GET /items?a=b 200 web.1 ");

    let only = routed.logs(&["router"], "GET /items");
    let [of_dyno, of_heroku] = ["dyno", "heroku"].map(|source| routed.logs(&["-s", source], "GET /items"));
    let of_app = routed.logs(&["-s", "app"], "Listening on ");
    let of_web = routed.logs(&["web"], "Listening on ");

    assert_eq!((only.lines().count(), only.matches(" router | GET /items?a=b 200 web.1 ").count()), (1, 1), "{only}");
    assert!(of_dyno.contains(" router | GET ") && of_dyno.contains(" web.1  | started with pid "), "{of_dyno}");
    assert_eq!(of_heroku, of_dyno);
    assert!(!of_app.contains("router") && !of_web.contains("router"), "{of_app}{of_web}");
    end(routed.running);
}

#[test]
fn s16_5_the_other_formats_name_the_router() {
    let heroku = Routed::start(&["--log-format", "heroku"]);
    heroku.get("/");
    heroku.running.until_shown("+00:00 heroku[router]: ");
    end(heroku.running);

    let json = Routed::start(&["--log-format", "json"]);
    json.get("/");
    json.running.until_shown("\"source\":\"router\",\"message\":\"GET / 200 web.1 ");
    end(json.running);
}

#[test]
fn s16_5_quiet_hides_the_lines_of_the_router_but_keeps_them() {
    let routed = Routed::start(&["-q", "router"]);
    routed.get("/");

    let kept = routed.logs(&["router"], "GET / 200 web.1 ");

    assert_eq!(kept.lines().count(), 1, "{kept}");
    let finished = end(routed.running);
    assert!(!finished.stdout().contains("router"), "{}", finished.stdout());
}

#[test]
fn s16_5_before_the_first_request_the_router_has_no_lines() {
    let routed = Routed::start(&[]);

    routed.app.dyno(["logs", "router"]).run().expect(Ended::Code(0), "", "");

    end(routed.running);
}

#[test]
fn s16_5_log_files_have_the_lines_of_the_router_in_the_merged_one() {
    let routed = Routed::start(&["--log-dir", "log"]);
    routed.get("/");
    routed.running.until_shown("router | GET / 200 web.1 ");

    end(routed.running);

    let read = |name| std::fs::read_to_string(routed.app.path(name)).unwrap();
    assert!(read("log/all.log").contains(" router | GET / 200 web.1 "), "{}", read("log/all.log"));
    assert!(!read("log/web.1.log").contains("router"), "{}", read("log/web.1.log"));
}
