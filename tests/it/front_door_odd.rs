//! The front door and requests that no app may get (S16.7), and apps that cannot be reached.

use std::io::Write;
use std::net::Shutdown;

use nix::sys::signal::Signal;

use crate::app::free_port;
use crate::front_door::{OpenDoor, end, start, whole};
use crate::harness::{Ended, note};
use crate::smoke;

/// A user id without an account.
const OTHER_USER: u32 = 54_321;

#[test]
fn s16_7_invalid_requests_reach_no_app() {
    let app = smoke::app("web: exec ./listen 127.0.0.1\n");
    let door = OpenDoor::open(&app);
    let running = start(&app, "", &[]);

    for (request, status) in [
        ("\x16\x03\x01\x02\0\x01\0", "400 Bad Request"),
        ("GET /\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\nHost: app.localhost\n\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nHost: app.localhost\r\nHost: app.localhost\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n", "400 Bad Request"),
        (
            "GET / HTTP/1.1\r\nHost: app.localhost\r\nHost: app.localhost\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
            "400 Bad Request",
        ),
        ("GET / HTTP/1.1\r\nHost: app..localhost\r\n\r\n", "400 Bad Request"),
        ("CONNECT app.localhost:80 HTTP/1.1\r\nHost: app.localhost\r\n\r\n", "405 Method Not Allowed"),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421 Misdirected Request"),
        ("GET / HTTP/1.1\r\nHost: app.localhost.evil.example\r\n\r\n", "421 Misdirected Request"),
    ] {
        let answer = whole(door.connect(request));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request:?}: {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{request:?}: {answer}");
    }
    // The app refuses it, and does not wait for its body.
    let request = "POST /1 HTTP/1.1\r\nHost: app.localhost\r\nExpect: x\r\nContent-Length: 3\r\n\r\n";
    let answer = whole(door.connect(request));
    assert!(answer.starts_with("HTTP/1.1 417 Expectation Failed\r\n"), "{answer}");
    let long = format!("GET / HTTP/1.1\r\nHost: app.localhost\r\nA: {}\r\n", "a".repeat(70_000));
    let answer = whole(door.connect(&long));
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{answer}");
    // A client that leaves without a request.
    let mut silent = door.connect("GET / HT");
    silent.flush().unwrap();
    silent.shutdown(Shutdown::Write).unwrap();
    assert_eq!(whole(silent), "");

    assert_eq!(door.status("app.localhost"), "200");
    assert_eq!(end(running).lines_of("router").len(), 2);
    door.close();
}

#[test]
fn s16_7_of_two_apps_with_one_name_the_oldest_web_is_reached() {
    let app = smoke::app("web: exec ./listen 127.0.0.1 201\n");
    let listen = app.path("listen").display().to_string();
    let app = app
        .file("../other/app/Procfile", format!("web: exec {listen} 127.0.0.1 202\n"))
        .file("../none/app/Procfile", "worker: exec sleep 1000\n");
    let door = OpenDoor::open(&app);
    // Under this name, a start does not remember the name of its app.
    let begin = |directory: &str, shown: &str| {
        let call = app.called("foreman", ["start"]).directory(&app.path(directory));
        let running = call.args(&["-p", &free_port().to_string()]).spawn();
        running.until_shown(shown);
        running
    };
    let worker = begin("../none/app", "started with pid");
    let first = begin("", "| Listening on ");
    let second = begin("../other/app", "| Listening on ");

    assert_eq!((0..5).map(|_| door.status("app.localhost")).collect::<Vec<_>>(), ["201"; 5]);
    end(first);
    assert_eq!(door.status("app.localhost"), "202");
    end(second);
    end(worker);
    door.close();
}

#[test]
fn s16_7_the_body_of_the_first_request_reaches_the_dyno() {
    let app = smoke::app("web: exec ./listen 127.0.0.1 mirror\n");
    let door = OpenDoor::open(&app);
    let running = start(&app, "", &[]);

    let head = "POST /items HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\nContent-Length: 6\r\n\r\n";
    let answer = whole(door.connect(&format!("{head}a\r\nbcd")));

    assert!(answer.contains("POST /items HTTP/1.1\r\n"), "{answer}");
    end(running);
    door.close();
}

#[test]
fn s16_7_a_suspended_app_is_503_and_keeps_no_other_waiting() {
    let app = smoke::app("web: exec ./listen 127.0.0.1\n");
    let listen = app.path("listen").display().to_string();
    let app = app.file("../other/Procfile", format!("web: exec {listen} 127.0.0.1 203\n"));
    let door = OpenDoor::open(&app);
    let (running, other) = (start(&app, "", &[]), start(&app, "../other", &[]));
    running.signal(Signal::SIGSTOP);

    let waiting: Vec<_> = (0..20).map(|_| door.connect("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n")).collect();
    assert_eq!(door.status("other.localhost"), "203");
    let answer = whole(waiting.into_iter().next().unwrap());

    let pid = running.main();
    let expected = format!(
        "`app` did not answer in time: its `dyno` (pid {pid}) is busy or suspended; `kill -CONT {pid}` continues \
         a suspended one\n"
    );
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n") && answer.ends_with(&expected), "{answer}");
    running.signal(Signal::SIGCONT);
    end(running);
    end(other);
    door.close();
}

#[test]
fn s16_7_the_front_door_of_another_user_reaches_no_app() {
    if !nix::unistd::geteuid().is_root() {
        return note("skipped: only root can start a run as another user");
    }
    let app = smoke::app("web: exec ./listen 127.0.0.1\n");
    let running = start(&app, "", &[]);
    let port = crate::app::free_port();
    let theirs = app.dyno(["router", "--port", &port.to_string()]).user(OTHER_USER).spawn();
    theirs.until_shown(&format!("http://localhost:{port}\n"));
    let door = OpenDoor { running: theirs, port };

    assert_eq!(door.status("app.localhost"), "404");
    assert_eq!(door.list()["apps"], serde_json::json!([]));
    // Nor is it ours to end.
    let stopped = app.dyno(["router", "--stop", "--port", &port.to_string()]).run();
    stopped.expect_end(Ended::Code(69));
    end(running);
    door.close();
}
