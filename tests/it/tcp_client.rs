//! A client of the API of a start over TCP (S17.3), which sends any bytes and reads any answer.

use std::io::{Read, Write};
use std::net::TcpStream;
#[cfg(any(feature = "attached-run", feature = "real-apps"))]
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::app::free_port;
use crate::harness::{App, Ended, Running};
use crate::running::up;

/// How long an answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// A client that knows the key.
pub(crate) struct TcpClient {
    pub(crate) port: u16,
    pub(crate) key: String,
}

/// The key in the lines of `dyno env`.
pub(crate) fn key_of(exports: &str) -> String {
    let key = exports.lines().find_map(|line| line.strip_prefix("export HEROKU_API_KEY='")?.strip_suffix('\''));
    key.unwrap().to_owned()
}

/// The file with the certificate, as the `heroku` CLI learns of it.
#[cfg(any(feature = "attached-run", feature = "real-apps"))]
pub(crate) fn certificate_of(app: &App) -> PathBuf {
    let exports = app.dyno(["env", "heroku"]).run().stdout();
    let path = exports.lines().find_map(|line| line.strip_prefix("export NODE_EXTRA_CA_CERTS='")?.strip_suffix('\''));
    PathBuf::from(path.unwrap())
}

impl TcpClient {
    /// Starts the app with the API on a free port.
    pub(crate) fn of(app: &App) -> (Running, Self) {
        Self::with(app, [])
    }

    /// The same with more arguments.
    pub(crate) fn with<const N: usize>(app: &App, args: [&str; N]) -> (Running, Self) {
        let port = free_port();
        let running = up(app, app.dyno(["start", "--api", &port.to_string()]).args(&args).spawn());
        let exports = app.dyno(["env", "heroku"]).run();
        exports.expect_end(Ended::Code(0));
        (running, Self { port, key: key_of(&exports.stdout()) })
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends these bytes and returns everything that comes back.
    pub(crate) fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // The start may answer before it has read everything.
        let _ = stream.write_all(bytes);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The status of the answer to a request with these lines after its first one, and what its body says.
    pub(crate) fn status(&self, first: &str, headers: &[&str]) -> (u16, String) {
        let answer = self.raw(format!("{first} HTTP/1.1\r\n{}\r\n\r\n", headers.join("\r\n")).as_bytes());
        let (head, body) = answer.split_once("\r\n\r\n").expect(&answer);
        let body: Value = serde_json::from_str(body).unwrap();
        (head[9..12].parse().unwrap(), body["message"].as_str().unwrap_or_default().to_owned())
    }

    pub(crate) fn host(&self) -> String {
        format!("Host: 127.0.0.1:{}", self.port)
    }

    pub(crate) fn bearer(&self) -> String {
        format!("Authorization: Bearer {}", self.key)
    }

    /// Sends a request as the platform's client does, and returns its answer.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let accept = "Accept: application/vnd.heroku+json; version=3.sdk";
        let head = [self.host(), self.bearer(), accept.to_owned(), format!("Content-Length: {}", body.len())];
        let answer = self.raw(format!("{method} {path} HTTP/1.1\r\n{}\r\n\r\n{body}", head.join("\r\n")).as_bytes());
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap())
    }
}
