//! The API over TCP, for the official `heroku` CLI and other clients (S17.3), and attacks on it.

#[cfg(feature = "attached-run")]
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
#[cfg(feature = "attached-run")]
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

#[cfg(feature = "attached-run")]
use nix::sys::signal::Signal;

use crate::api_faults::connect;
use crate::app::free_port;
use crate::config_live::request;
use crate::detached;
use crate::harness::{App, Ended, error};
use crate::running::{names, pid_of, start, stop};
use crate::tcp_client::{TcpClient, key_of};

const APP: &str = "web: exec sleep 1000\nworker: echo level $LEVEL; exec sleep 1000\n";

/// The line of `dyno env heroku` with the certificate; empty in a build without TLS.
fn certificate_line(app: &App) -> String {
    let files = fs::read_dir(app.top().join("run/dyno")).unwrap().map(|entry| entry.unwrap().path());
    let found = files.into_iter().find(|path| path.extension().is_some_and(|end| end == "crt"));
    assert_eq!(found.is_some(), cfg!(feature = "attached-run"));
    found.map_or_else(String::new, |path| format!("export NODE_EXTRA_CA_CERTS='{}'\n", path.display()))
}

#[test]
fn s17_3_a_client_with_the_key_sees_and_changes_the_formation() {
    let app = App::new(APP).file(".env", "LEVEL=one\n");
    let (running, client) = TcpClient::of(&app);
    let address = format!("http://127.0.0.1:{}", client.port);
    let certificate = certificate_line(&app);
    let exports = format!(
        "export HEROKU_HOST='{address}'\nexport HEROKU_API_KEY='{}'\nexport HEROKU_APP='app'\n\
         export HEROKU_PARTICLEBOARD_URL='{address}'\n{certificate}export DISABLE_TELEMETRY='true'\n\
         export HEROKU_SKIP_NEW_VERSION_CHECK='true'\nexport HEROKU_DISABLE_AUTOUPDATE='1'\n",
        client.key
    );
    let without_proxy = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];
    let env = without_proxy.iter().fold(app.dyno(["env", "heroku"]), |call, name| call.env(name, ""));
    env.run().expect(Ended::Code(0), &exports, "");

    let (status, formation) =
        client.ask("PATCH", "/apps/app/formation", r#"{"updates":[{"quantity":"+1","type":"worker"}]}"#);
    assert_eq!((status, &formation[1]["quantity"]), (200, &2.into()));
    running.until("worker.2 is there", || names(&app) == ["web.1", "worker.1", "worker.2"]);
    let (status, vars) = client.ask("PATCH", "/apps/app/config-vars", r#"{"LEVEL":"two"}"#);
    assert_eq!((status, &vars["LEVEL"]), (200, &"two".into()));
    running.until_shown("level two");
    assert_eq!(client.ask("DELETE", "/apps/app/dynos/web.1", "").0, 202);
    let (status, session) = client.ask("POST", "/apps/app/log-sessions", r#"{"dyno":"worker","lines":100}"#);
    assert_eq!(status, 201);
    // This needs no key: the address itself is a secret.
    let path = session["logplex_url"].as_str().unwrap().strip_prefix(&address).unwrap();
    let log = |accept: &str| client.raw(format!("GET {path} HTTP/1.1\r\n{}\r\n{accept}\r\n", client.host()).as_bytes());
    let events = log("Accept: text/event-stream\r\n");
    assert!(
        events.contains("text/event-stream") && events.contains("\ndata: ") && events.contains("level two"),
        "{events}"
    );
    let lines = log("Accept: */*\r\n");
    assert!(lines.contains("text/plain") && !lines.contains("data: ") && lines.contains("level two"), "{lines}");
    let log = stop(&app, running).stderr();
    let said = format!("API at {address}; type `eval \"$(dyno env heroku)\"` to use the `heroku` CLI");
    assert!(log.contains(&said), "{log}");
}

#[test]
fn s17_3_without_the_key_nothing_is_shown_or_changed() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);
    let web = pid_of(&app, "web.1");
    let host = client.host();
    let wrong = r#"the API key is missing or wrong; type `eval "$(dyno env heroku)"` again: each start has a new key"#;

    for key in ["", "x", "undefined", "null", &client.key[1..], &client.key.to_uppercase()] {
        let bearer = format!("Authorization: Bearer {key}");
        for first in ["GET /apps", "GET /dyno/tcp", "GET /nowhere", "DELETE /apps/app/dynos", "POST /apps/app/dynos"] {
            assert_eq!(client.status(first, &[&host, &bearer]), (401, wrong.to_owned()), "{first} {key}");
        }
    }
    let guessed = client.status("GET /dyno/log/00000000000000000000000000000000", &[&host]);
    assert_eq!(guessed, (404, "there is no such log session".to_owned()));
    // The answer comes although no body is sent.
    let announced = ["POST /apps/app/dynos", "POST /dyno/log/x", "GET /dyno/log/x"];
    for first in announced {
        assert_eq!(client.status(first, &[&host, "Content-Length: 99999999999"]).0, 401, "{first}");
    }
    // If a body is sent, it is not read, and the answer still arrives.
    let head = format!("POST /apps/app/dynos HTTP/1.1\r\n{host}\r\nContent-Length: 1000000\r\n\r\n");
    let answer = client.raw(&[head.into_bytes(), vec![b' '; 1_000_000]].concat());
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.ends_with('}'), "{answer}");

    assert_eq!((names(&app), pid_of(&app, "web.1")), (vec!["web.1".to_owned(), "worker.1".to_owned()], web));
    stop(&app, running);
}

#[test]
fn s17_3_a_web_page_is_refused_even_if_it_knows_the_key() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);
    let web = pid_of(&app, "web.1");
    let (host, bearer) = (client.host(), client.bearer());
    let restart = "DELETE /apps/app/dynos";

    for page in ["Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"] {
        let refused = (403, "requests from web pages are refused".to_owned());
        assert_eq!(client.status(restart, &[&host, &bearer, page]), refused, "{page}");
    }
    // The page's domain now resolves to this machine.
    let rebound = format!("Host: evil.example:{}", client.port);
    let (status, message) = client.status(restart, &[&rebound, &bearer]);
    assert_eq!(status, 403, "{message}");
    let foreign = format!("DELETE http://evil.example:{}/apps/app/dynos", client.port);
    assert_eq!(client.status(&foreign, &[&host, &bearer]).0, 400);
    assert_eq!(client.status(restart, &[&host, "Host: evil.example", &bearer]).0, 400);
    assert_eq!(client.status(restart, &[&bearer]).0, 400);

    assert_eq!(pid_of(&app, "web.1"), web);
    stop(&app, running);
}

#[test]
fn s17_3_a_smuggled_second_request_is_not_carried_out() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);
    let web = pid_of(&app, "web.1");
    let (host, bearer) = (client.host(), client.bearer());
    let hidden = format!("DELETE /apps/app/dynos HTTP/1.1\r\n{host}\r\n{bearer}\r\n\r\n");
    let head = format!("POST /apps/app/log-sessions HTTP/1.1\r\n{host}\r\n{bearer}\r\n");
    let length = hidden.len();

    for framing in [
        "Content-Length: 0\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("Content-Length: 0\r\nContent-Length: {length}\r\n\r\n"),
        "Content-Length: 2\r\nTransfer-Encoding: identity\r\n\r\n{}".to_owned(),
        "Content-Length : 0\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\n\r\n0;x=\n\r\n\r\n".to_owned(),
    ] {
        let answer = client.raw(format!("{head}{framing}{hidden}").as_bytes());
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{framing:?}: {answer}");
    }

    assert_eq!(pid_of(&app, "web.1"), web);
    stop(&app, running);
}

#[test]
fn s17_3_the_key_is_new_for_each_start_and_not_on_disk() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);
    for file in fs::read_dir(app.top().join("run/dyno")).unwrap() {
        let text = fs::read(file.unwrap().path()).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&text).contains(&client.key));
    }
    let ended = stop(&app, running);
    assert!(!(ended.stdout() + &ended.stderr()).contains(&client.key));

    let again = start(&app, ["--api", &client.port.to_string()]);
    let exports = app.dyno(["env", "heroku", "--shell", "fish"]).run().stdout();
    assert!(exports.contains("set -gx HEROKU_API_KEY '") && !exports.contains(&client.key), "{exports}");
    stop(&app, again);
    assert!(TcpStream::connect(("127.0.0.1", client.port)).is_err());
}

#[test]
fn s17_3_a_detached_start_serves_the_api_as_well() {
    let app = App::new("worker: exec sleep 1000\n");
    let port = free_port().to_string();

    let mut running = app.dyno(["start", "--detach", "--api", &port]).spawn();
    running.returned().expect_end(Ended::Code(0));

    let exports = app.dyno(["env", "heroku", "--app", "app", "--shell", "powershell"]).run().stdout();
    assert!(exports.contains(&format!("$Env:HEROKU_HOST = 'http://127.0.0.1:{port}'\n")), "{exports}");
    detached::stop(&app, &running);
}

#[test]
fn s17_3_silent_or_departed_clients_do_not_block_others() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);
    let silent: Vec<TcpStream> = (0..100).map(|_| client.connect()).collect();
    let (status, session) = client.ask("POST", "/apps/app/log-sessions", r#"{"tail":true}"#);
    assert_eq!(status, 201);
    let path = session["logplex_url"].as_str().unwrap().split_once("/dyno").unwrap().1.to_owned();

    for _ in 0..300 {
        let mut tail = client.connect();
        tail.write_all(format!("GET /dyno{path} HTTP/1.1\r\n{}\r\n\r\n", client.host()).as_bytes()).unwrap();
        tail.read_exact(&mut [0; 12]).unwrap();
        tail.shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        tail.read_to_end(&mut rest).unwrap();
    }

    // At most 256 clients may follow the log; those that have left must not use up a place.
    assert_eq!(client.ask("GET", "/apps/app/dynos", "").0, 200);
    drop(silent);
    stop(&app, running);
}

#[test]
fn s17_3_silent_tcp_clients_do_not_replace_one_on_the_unix_socket() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);
    let mut slow = connect(&app);
    slow.write_all(b"GET /apps/app HTTP/1.1\r\n").unwrap();

    let silent: Vec<TcpStream> = (0..100).map(|_| client.connect()).collect();
    // Once this last client gets its answer, all of them are connected.
    assert_eq!(client.ask("GET", "/account", "").0, 200);
    slow.write_all(b"Host: x\r\n\r\n").unwrap();

    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(silent);
    stop(&app, running);
}

#[test]
fn s17_3_a_port_that_cannot_be_used_is_an_error_before_anything_starts() {
    let app = App::new(APP);
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let refused = app.dyno(["start", "--api", &port.to_string()]).run();
    assert_eq!((refused.ended, refused.stdout().as_str()), (Ended::Code(69), ""));
    assert!(
        refused.stderr().starts_with(&format!("error: port {port} for the API is in use by `")),
        "{}",
        refused.stderr()
    );

    let hint = "write a port from 1 to 65535, such as 5050 or 127.0.0.1:5050: the API listens on 127.0.0.1 only";
    for address in ["0", "0.0.0.0:5050", "65536", "::1", "http"] {
        let fact = format!("`{address}` is not a valid value for `--api`");
        app.refuses(&["start", "--api", address], 2, &error(&fact, hint));
    }
}

#[test]
fn s17_3_env_says_how_to_start_the_app_with_the_api() {
    let app = App::new(APP);
    let nothing = app.dyno(["env", "heroku"]).run();
    nothing.expect_end(Ended::Code(69));
    let running = start(&app, []);

    let hint = "stop it, then start it with `dyno start --api 5050`";
    app.refuses(&["env", "heroku"], 69, &error("the app was started without `--api`", hint));

    stop(&app, running);
}

#[test]
fn s17_3_a_client_that_sends_without_end_is_cut_off() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);
    let mut stream = client.connect();
    let head = format!("POST /apps HTTP/1.1\r\n{}\r\nContent-Length: 99999999999\r\n\r\n", client.host());
    stream.write_all(head.as_bytes()).unwrap();

    // All of this could be sent within the two seconds that the server allows, so only its limit on bytes can end it.
    let piece = vec![b' '; 1 << 16];
    let sent = (0..1_000).take_while(|_| stream.write_all(&piece).is_ok()).count();

    assert!(sent < 1_000, "{sent}");
    stop(&app, running);
}

#[test]
fn s17_3_only_this_machine_can_connect_and_dynos_do_not_get_the_key() {
    let app = App::new("web: env; exec sleep 1000\n");
    let port = free_port();
    let running = start(&app, ["--api", &format!("127.0.0.1:{port}"), "--log-dir", "log"]);
    let exports = app.dyno(["env", "heroku"]).run().stdout();
    let client = TcpClient { port, key: key_of(&exports) };
    assert_eq!(client.ask("GET", "/account", "").0, 200);

    assert!(TcpStream::connect(("127.0.0.2", port)).is_err() && TcpStream::connect(("::1", port)).is_err());

    stop(&app, running);
    let written = Command::new("grep").args(["-r", &client.key]).arg(app.top()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&written.stdout), "");
}

#[test]
fn s17_3_the_oldest_of_several_starts_with_the_api_is_used() {
    let app = App::new(APP);
    let first = start(&app, ["web"]);
    let ports = [free_port(), free_port()];
    let second = app.dyno(["start", "worker", "--api", &ports[0].to_string()]).spawn();
    second.until_shown("worker.1 | started");
    let third = app.dyno(["start", "--name", "copy", "worker", "--api", &ports[1].to_string()]).spawn();
    third.until_shown("worker.1 | started");

    let exports = app.dyno(["env", "heroku"]).run().stdout();
    assert!(exports.contains(&format!("export HEROKU_HOST='http://127.0.0.1:{}'\n", ports[0])), "{exports}");

    // The same start again: the error is that the app is already running, not that the port is in use.
    let again = app.dyno(["start", "worker", "--api", &ports[0].to_string()]).run();
    assert!(again.stderr().contains("`worker` is already running"), "{}", again.stderr());
    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    for start in [first, second, third] {
        start.finish();
    }
}

#[test]
fn s17_3_an_attached_run_needs_the_port_of_the_api() {
    let app = App::new(APP);
    let running = start(&app, []);

    let (status, refused) = request(&app, "POST", "dynos", r#"{"attach":true,"command":"true"}"#);

    let message = "a one-off dyno with a terminal cannot be started through this API; `dyno run COMMAND` starts it in this \
        terminal, and `heroku run:detached COMMAND` runs it in the background";
    assert_eq!((status, &refused["message"]), (422, &message.into()));
    stop(&app, running).expect_end(Ended::Code(0));
}

#[cfg(feature = "attached-run")]
#[test]
fn s17_3_a_certificate_that_no_client_could_name_is_not_used() {
    let app = App::new(APP);
    let odd = app.top().join(OsStr::from_bytes(b"odd\xff"));
    fs::create_dir(&odd).unwrap();
    let port = free_port().to_string();
    let running = app.dyno(["start", "--api", &port]).env("XDG_RUNTIME_DIR", odd.clone()).spawn();
    running.until_shown("level");
    let exports = app.dyno(["env", "heroku"]).env("XDG_RUNTIME_DIR", odd).run().stdout();
    assert!(!exports.contains("NODE_EXTRA_CA_CERTS"), "{exports}");
    let client = TcpClient { port: port.parse().unwrap(), key: key_of(&exports) };

    let (status, refused) = client.ask("POST", "/apps/app/dynos", r#"{"attach":true,"command":"true"}"#);

    assert_eq!(status, 422, "{refused}");
    running.signal(Signal::SIGTERM);
    let log = running.finish().stderr();
    let said = "`heroku run` is not available, only `heroku run:detached`: the path `";
    assert_eq!(log.matches(said).count(), 1, "{log}");
}
