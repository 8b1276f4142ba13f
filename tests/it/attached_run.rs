//! A one-off dyno whose streams belong to a client of the API, as the `heroku` CLI asks for it (S17.3), and attacks on it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::config_live::request;
use crate::harness::{App, Ended, Running};
use crate::running::{dynos, names, stop};
use crate::tcp_client::{PATIENCE, TcpClient, certificate_of};

pub(crate) const APP: &str = "worker: exec sleep 1000\n";

/// What a client gets first.
const BANNER: &str = "rendezvous\r\n";

/// A one-off dyno that waits for its client.
pub(crate) struct Offer {
    pub(crate) name: String,
    port: u16,
    secret: String,
    certificate: PathBuf,
}

/// The streams of a one-off dyno.
pub(crate) struct Session(pub(crate) StreamOwned<ClientConnection, TcpStream>);

/// What a program does that trusts this certificate.
fn trusting(certificate: &Path) -> Arc<ClientConfig> {
    let text = fs::read_to_string(certificate).unwrap();
    let digits: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(BASE64_STANDARD.decode(digits).unwrap())).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

impl Offer {
    /// Asks for a one-off dyno with this body of the request.
    pub(crate) fn of(app: &App, client: &TcpClient, body: &str) -> Self {
        let (status, dyno) = client.ask("POST", "/apps/app/dynos", body);
        assert_eq!(status, 201, "{dyno}");
        Self::in_answer(app, &dyno)
    }

    fn in_answer(app: &App, dyno: &Value) -> Self {
        let address = dyno["attach_url"].as_str().unwrap().strip_prefix("rendezvous://127.0.0.1:").unwrap();
        let (port, secret) = address.split_once('/').unwrap();
        let name = dyno["name"].as_str().unwrap().to_owned();
        Self { name, port: port.parse().unwrap(), secret: secret.to_owned(), certificate: certificate_of(app) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Shows this secret to it.
    fn shown(&self, secret: &str) -> Session {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let tls = ClientConnection::new(trusting(&self.certificate), name).unwrap();
        let mut session = Session(StreamOwned::new(tls, self.connect()));
        session.send(&format!("{secret}\r\n"));
        session
    }

    pub(crate) fn attach(&self) -> Session {
        let mut session = self.shown(&self.secret);
        let mut banner = vec![0; BANNER.len()];
        session.0.read_exact(&mut banner).unwrap();
        assert_eq!(banner, BANNER.as_bytes());
        session
    }
}

impl Session {
    pub(crate) fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
        self.0.flush().unwrap();
    }

    /// Reads until this text has come.
    pub(crate) fn until(&mut self, text: &str) -> String {
        let mut bytes = Vec::new();
        while !String::from_utf8_lossy(&bytes).contains(text) {
            let mut byte = [0];
            assert_eq!(self.0.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&bytes));
            bytes.extend(byte);
        }
        String::from_utf8(bytes).unwrap()
    }

    /// Everything until the other side says that this is the end.
    pub(crate) fn rest(&mut self) -> String {
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        text
    }
}

/// The body of a request for an attached one-off dyno, with other fields.
pub(crate) fn attached(command: &str, others: &str) -> String {
    format!(r#"{{"attach":true,"command":{}{others}}}"#, Value::from(command))
}

/// What the `heroku` CLI sends for `run -x`.
pub(crate) fn reporting(command: &str) -> String {
    attached(&format!("{command} ; echo \"\u{ffff} heroku-command-exit-status: $?\""), "")
}

pub(crate) fn until_gone(app: &App, running: &Running, name: &str) {
    running.until("the one-off dyno is gone", || !names(app).iter().any(|known| known == name));
}

#[test]
fn s17_3_an_attached_run_has_a_terminal_that_only_its_client_sees() {
    let app = App::new(APP).file(".env", "LEVEL=two\n");
    let (running, client) = TcpClient::of(&app);
    let command =
        "stty size; test -t 0 && test -t 1 && test -t 2 && echo level $LEVEL on $TERM; read line; echo \"<$line>\"";
    let env = r#","env":{"TERM":"xterm","COLUMNS":132,"LINES":43}"#;
    let offer = Offer::of(&app, &client, &attached(command, env));
    let mut session = offer.attach();

    assert_eq!(session.until("xterm\r\n"), "43 132\r\nlevel two on xterm\r\n");
    assert_eq!(dynos(&app)[1]["name"], offer.name.as_str());
    let (status, refused) = request(&app, "GET", &format!("dynos/{}/screen", offer.name), "");
    let message = format!("{} is attached to the program that started it, such as `heroku run`", offer.name);
    assert_eq!((status, &refused["message"]), (409, &message.into()));
    session.send("typed\r");

    assert_eq!(session.rest(), "typed\r\n<typed>\r\n");
    until_gone(&app, &running, &offer.name);
    // The port is closed.
    assert!(TcpStream::connect(("127.0.0.1", offer.port)).is_err());
    let certificate = certificate_of(&app);
    assert!(certificate.exists());
    let log = stop(&app, running);
    assert!(!certificate.exists());
    let lines = log.lines_of(&offer.name);
    assert_eq!(lines, ["started with pid PID", "exited with code 0"]);
}

#[test]
fn s17_3_the_exit_status_is_the_last_line_if_it_is_asked_for() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);

    for (command, rest) in [
        ("exit 3", "\u{ffff} heroku-command-exit-status: 3\r\n"),
        ("printf text", "text\u{ffff} heroku-command-exit-status: 0\r\n"),
        ("kill -9 $$", "\u{ffff} heroku-command-exit-status: 137\r\n"),
    ] {
        let seen = Offer::of(&app, &client, &reporting(command)).attach().rest();
        assert_eq!(seen, rest, "{command}");
    }
    let missing = Offer::of(&app, &client, &reporting("./missing"));
    let seen = missing.attach().rest();
    assert!(seen.ends_with("not found\r\n\u{ffff} heroku-command-exit-status: 127\r\n"), "{seen}");
    until_gone(&app, &running, &missing.name);
    // Nothing points to a line above.
    let log = stop(&app, running);
    assert_eq!(log.lines_of(&missing.name), ["started with pid PID", "exited with code 127"]);
}

#[test]
fn s17_3_the_client_learns_why_its_command_cannot_be_started() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);
    let offer = Offer::of(&app, &client, &reporting("true"));
    let (root, moved) = (app.root(), app.top().join("moved"));
    fs::rename(&root, &moved).unwrap();

    let seen = offer.attach().rest();

    fs::rename(&moved, &root).unwrap();
    let why = format!("cannot enter the directory `{}`: No such file or directory", root.display());
    assert_eq!(seen, format!("{why}\r\n\u{ffff} heroku-command-exit-status: 126\r\n"));
    stop(&app, running);
}

#[test]
fn s17_3_the_keys_of_the_client_mean_what_they_mean_on_a_terminal() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);

    let script = "trap 'echo interrupted; exit 7' INT; echo ready; while :; do sleep 1000 & wait; done";
    let mut session = Offer::of(&app, &client, &reporting(script)).attach();
    session.until("ready\r\n");
    session.send("\x03");
    assert_eq!(session.rest(), "^Cinterrupted\r\n\u{ffff} heroku-command-exit-status: 7\r\n");

    // Not too early for a program that has just begun.
    let mut session = Offer::of(&app, &client, &reporting("exec sleep 1000")).attach();
    session.send("\x03");
    assert_eq!(session.rest(), "^C\u{ffff} heroku-command-exit-status: 130\r\n");

    let mut session = Offer::of(&app, &client, &attached("cat; echo end", "")).attach();
    session.send("typed\r\x04");
    assert_eq!(session.rest(), "typed\r\ntyped\r\nend\r\n");
    stop(&app, running);
}

#[test]
fn s17_3_without_a_terminal_the_last_ctrl_d_ends_the_input() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);
    let command = "cat; test -t 0 || test -t 1 || echo; test -t 0 || echo no terminal; echo error >&2";
    let mut session = Offer::of(&app, &client, &attached(command, r#","force_no_tty":true"#)).attach();

    session.send("one\x04two\n\x04");

    assert_eq!(session.rest(), "one\x04two\n\nno terminal\nerror\n");
    stop(&app, running);
}

#[test]
fn s17_3_no_byte_is_lost_however_slowly_the_client_reads() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);
    let command = "echo begin; yes 0123456789 | head -n 200000; echo end; echo >done";
    let mut session = Offer::of(&app, &client, &attached(command, "")).attach();

    session.until("begin\r\n");
    // It does not fit into the buffers.
    assert!(!app.has("done"));
    let rest = session.rest();

    assert_eq!(rest.len(), 200_000 * 12 + 5);
    assert!(rest.ends_with("0123456789\r\nend\r\n") && app.has("done"));
    stop(&app, running);
}

#[test]
fn s17_3_a_client_that_is_gone_ends_its_dyno() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);
    let script = "trap 'echo >hung-up; exit' HUP; echo ready; while :; do sleep 1000 & wait; done";
    for others in ["", r#","force_no_tty":true"#] {
        let command = if others.is_empty() { script } else { "echo ready; exec sleep 1000" };
        let offer = Offer::of(&app, &client, &attached(command, others));
        let mut session = offer.attach();
        session.until("ready");

        drop(session);

        until_gone(&app, &running, &offer.name);
    }
    assert!(app.has("hung-up"));
    stop(&app, running);
}

#[test]
fn s17_3_a_client_that_is_gone_ends_a_dyno_that_does_not_read() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);
    for (command, others) in
        [("echo ready; exec sleep 1000", r#","force_no_tty":true"#), ("stty -echo; echo ready; exec sleep 1000", "")]
    {
        let offer = Offer::of(&app, &client, &attached(command, others));
        let mut session = offer.attach();
        session.until("ready");
        // More than a pipe or a terminal holds, and little enough that the connection takes the rest.
        session.send(&"line\n".repeat(20_000));

        drop(session);

        until_gone(&app, &running, &offer.name);
    }
    stop(&app, running);
}

#[test]
fn s17_3_a_dyno_that_no_client_attaches_to_runs_nothing() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);
    let offer = Offer::of(&app, &client, &attached("echo >began; exec sleep 1000", ""));
    drop(offer.shown(&"0".repeat(32)));

    until_gone(&app, &running, &offer.name);

    assert!(!app.has("began") && TcpStream::connect(("127.0.0.1", offer.port)).is_err());
    let said = format!("{} was not started: its client did not connect within 10 s", offer.name);
    // Nor does one that is stopped before its client comes.
    let offer = Offer::of(&app, &client, &attached("echo >began", ""));
    app.dyno(["stop", &offer.name]).run().expect_end(Ended::Code(0));
    until_gone(&app, &running, &offer.name);
    assert_eq!(offer.attach().rest(), "");
    assert!(!app.has("began"));
    let log = stop(&app, running);
    assert!(log.lines_of("system").contains(&said), "{}", log.stdout());
    assert_eq!(log.lines_of(&offer.name), ["stop requested: sending SIGTERM"]);
}

#[test]
fn s17_3_a_stop_of_the_app_ends_the_session_after_the_last_line() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);
    let script = "trap 'echo stopped; exit 4' TERM; echo ready; while :; do sleep 1000 & wait; done";
    let mut session = Offer::of(&app, &client, &reporting(script)).attach();
    session.until("ready\r\n");

    running.signal(Signal::SIGTERM);

    assert_eq!(session.rest(), "stopped\r\n\u{ffff} heroku-command-exit-status: 4\r\n");
    drop(session);
    running.finish().expect_end(Ended::Signal(Signal::SIGTERM));
}

#[test]
fn s17_3_only_the_secret_opens_the_streams_and_only_once() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);
    let offer = Offer::of(&app, &client, &attached("echo hello", ""));
    let nothing = |mut session: Session| {
        let mut bytes = Vec::new();
        // Closed without a word, and without the end of TLS.
        assert!(session.0.read_to_end(&mut bytes).is_err() && bytes.is_empty());
    };

    nothing(offer.shown(&"0".repeat(32)));
    nothing(offer.shown(&offer.secret.to_uppercase().replace(char::is_numeric, "x")));
    nothing(offer.shown(&client.key));
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], offer.secret.as_bytes(), &vec![0; 100_000]] {
        let mut stream = offer.connect();
        let _ = stream.write_all(garbage);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        // At most an alert of TLS.
        assert!(answer.len() <= 7, "{}", String::from_utf8_lossy(&answer));
    }
    let silent: Vec<TcpStream> = (0..100).map(|_| offer.connect()).collect();

    let mut session = offer.attach();
    assert!(TcpStream::connect(("127.0.0.1", offer.port)).is_err());
    assert_eq!(session.rest(), "hello\r\n");
    drop(silent);
    stop(&app, running);
}

#[test]
fn s17_3_an_attached_run_needs_the_key_of_the_api() {
    let app = App::new(APP);
    let (running, client) = TcpClient::of(&app);
    let stranger = TcpClient { port: client.port, key: "wrong".to_owned() };
    assert_eq!(stranger.ask("POST", "/apps/app/dynos", &attached("true", "")).0, 401);
    // One that cannot be started has no address.
    let (status, refused) = client.ask("POST", "/apps/app/dynos", &attached(" ", ""));
    assert_eq!((status, &refused["message"]), (422, &"the command is empty".into()));
    stop(&app, running);
}
