//! The limits of the server, with a stand-in for the run loop. The clock is paused: it jumps to the next deadline.

mod clients;
mod locks;
mod log;
mod random;

use std::cell::RefCell;
use std::future::Future;
use std::path::PathBuf;
use std::rc::Rc;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, LocalSet, spawn_local};

use super::super::calls::ApiCall;
use super::super::runtime_directory::RuntimeDirectory;
use super::*;
use crate::api::{LogLook, StartDescription, StartKind};
use crate::app::Scale;
use crate::model::{DynoName, ProcessType};
use crate::supervisor::tests::process_type;
use crate::supervisor::{Command, DynoLife, DynoRole, PublicState, Quantity, Refusal, Reply, Row, Snapshot};

/// A server on its own socket, and the commands that its run loop received.
struct Server {
    directory: PathBuf,
    path: PathBuf,
    api: Rc<ApiServer>,
    app: Rc<App>,
    run_loop: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Server {
    fn start() -> Self {
        Self::start_with(snapshot(MANY_TYPES))
    }

    fn start_with(snapshot: Snapshot) -> Self {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("dyno-api-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        let description = StartDescription {
            pid: 1,
            session: "a".to_owned(),
            kind: StartKind::Start,
            app: "app".to_owned(),
            name: None,
            root: "/srv/app".to_owned(),
            directory: "/srv/app".to_owned(),
            procfile: "/srv/app/Procfile".to_owned(),
            types: vec!["web".to_owned()],
            started_at_ms: 0,
            url: None,
            web_port: None,
            files: Vec::new(),
            log_directory: None,
        };
        let opened = RuntimeDirectory::open_at(directory.clone()).expect("a directory");
        let registered = opened.register(&description).expect("registered");
        let listener = UnixListener::from_std(registered.listener().expect("a socket")).expect("a socket");
        let (calls, received) = mpsc::channel(4);
        let app = Rc::new(App { snapshot: RefCell::new(snapshot), commands: RefCell::default() });
        let run_loop = spawn_local(run_loop(received, Rc::clone(&app))).abort_handle();
        let facts = AppFacts {
            name: "app".to_owned(),
            root: "/srv/app".to_owned(),
            url: None,
            email: "dev@localhost".to_owned(),
            started_at: jiff::Timestamp::UNIX_EPOCH,
            look: LogLook::default(),
            tcp: None,
        };
        let api = ApiServer::new(ApiStart::new(registered, facts), calls, LogArchive::new());
        spawn_local(Rc::clone(&api).serve(listener, None));
        Self { path: directory.join("a.sock"), directory, api, app, run_loop }
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(&self.path).await.expect("connected")
    }

    /// Sends these bytes and returns the status and the body of the answer.
    async fn send(&self, request: &[u8]) -> (u16, Value) {
        let mut stream = self.connect().await;
        let _ = stream.write_all(request).await;
        answer(stream).await
    }

    /// Lets the server do what it can do now.
    async fn settle(&self) {
        for _ in 0..3 {
            assert_eq!(self.get("/apps/app").await, 200);
        }
    }

    async fn get(&self, path: &str) -> u16 {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.0
    }
}

/// Reads an answer to its end.
async fn answer(mut stream: UnixStream) -> (u16, Value) {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8(bytes).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let length = format!("content-length: {}", body.len());
    assert!(head.lines().any(|line| line == length), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    (head[9..12].parse().expect("a status"), serde_json::from_str(body).expect("JSON"))
}

/// So many process types that a list of them does not fit into the buffer of a socket.
const MANY_TYPES: usize = 3_000;

/// Answers like a run loop with one dyno, `web.1`, which is starting: a command after a second, a refused one after two.
async fn run_loop(mut calls: mpsc::Receiver<ApiCall>, app: Rc<App>) {
    let mut waiting = Vec::new();
    while let Some(call) = calls.recv().await {
        match call {
            ApiCall::Command(command, answer) => {
                let reply = app.carry_out(&command);
                app.commands.borrow_mut().push(command);
                spawn_local(async move {
                    let seconds = if reply.is_ok() { 1 } else { 2 };
                    sleep(Duration::from_secs(seconds)).await;
                    let _ = answer.send(reply);
                });
            }
            ApiCall::Snapshot(answer) | ApiCall::SnapshotOfLog(answer) => {
                let _ = answer.send(app.snapshot.borrow().clone());
            }
            ApiCall::Say(_, answer) | ApiCall::Settle(answer) => drop(answer.send(())),
            // No client of these tests asks for a terminal, or gets one.
            ApiCall::TakeAttached(_, answer) => drop(answer.send(None)),
            ApiCall::BeginAttached(..)
            | ApiCall::Terminal(..)
            | ApiCall::FitTerminal { .. }
            | ApiCall::SignalTerminal { .. }
            | ApiCall::TakeOver { .. } => {}
            ApiCall::Wait { is_decided, answer, .. } => waiting.push((is_decided, answer)),
        }
        let snapshot = app.snapshot.borrow().clone();
        waiting.retain(|(_, answer)| !answer.is_closed());
        for (_, answer) in waiting.extract_if(.., |(is_decided, _)| is_decided(&snapshot)) {
            let _ = answer.send(snapshot.clone());
        }
    }
}

/// The state of the app, and what was asked for.
struct App {
    snapshot: RefCell<Snapshot>,
    commands: RefCell<Vec<Command>>,
}

impl App {
    /// Sets quantities that are absolute. One of 7 is refused.
    fn carry_out(&self, command: &Command) -> Result<Reply, Refusal> {
        let Command::Scale(changes) = command else { return Ok(Reply::Stopping(Vec::new())) };
        let formation = &mut self.snapshot.borrow_mut().formation;
        for (name, scale) in changes {
            let known = formation.iter_mut().find(|entry| entry.process_type == *name);
            match (known, scale) {
                (None, _) => return Err(Refusal::UnknownType { name: name.clone(), known: Vec::new() }),
                (Some(_), Scale::To(7)) => return Err(Refusal::TooMany { process_type: name.clone() }),
                (Some(entry), Scale::To(quantity)) => entry.quantity = (*quantity).into(),
                (Some(_), Scale::Up(_) | Scale::Down(_)) => {}
            }
        }
        Ok(Reply::Scaled(formation.clone()))
    }
}

fn row(process_type: ProcessType) -> Row {
    Row {
        dyno: DynoName::new(process_type, 1),
        state: PublicState::Starting,
        since: jiff::Timestamp::UNIX_EPOCH,
        role: DynoRole::Formation,
        not_up: None,
        prevented: None,
        wanted: true,
        pid: None,
        port: None,
        command: "true".into(),
        run: 1,
        restarts: 0,
        last_exit: None,
        life: DynoLife::default(),
    }
}

/// The snapshot of an app with this many process types.
fn snapshot(types: usize) -> Snapshot {
    let quantity = |(name, quantity): (&str, u32)| Quantity { process_type: process_type(name), quantity };
    let others = (2..types).map(|number| quantity((&format!("type{number}"), 0)));
    let formation = [("web", 1), ("worker", 0)].map(quantity).into_iter().chain(others).collect();
    Snapshot { release: 1, formation, rows: vec![row(process_type("web"))], ..Snapshot::default() }
}

fn paused_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("built")
}

fn with_server<F: Future<Output = ()>>(test: impl FnOnce(Server) -> F) {
    let runtime = paused_runtime();
    LocalSet::new().block_on(&runtime, async { test(Server::start()).await });
}

fn id(id: &str) -> Value {
    id.into()
}

#[test]
fn s10_3_a_request_in_pieces_is_answered() {
    with_server(|server| async move {
        let mut stream = server.connect().await;
        for byte in b"GET /apps/app/dynos HTTP/1.1\r\nhost: x\r\n\r\n" {
            stream.write_all(&[*byte]).await.expect("written");
        }
        let (status, dynos) = answer(stream).await;

        assert_eq!((status, &dynos[0]["name"]), (200, &id("web.1")));
    });
}

#[test]
fn s10_3_half_a_request_is_answered_with_408_and_closed() {
    with_server(|server| async move {
        for half in [&b""[..], b"GET /acc", b"PATCH /apps/app/formation HTTP/1.1\r\ncontent-length: 10\r\n\r\n{"] {
            let (status, error) = server.send(half).await;

            assert_eq!((status, &error["id"]), (408, &id("request_timeout")));
        }
        assert_eq!(server.get("/account").await, 200);
    });
}

#[test]
fn s10_3_bytes_that_are_not_http_get_an_error_in_the_platforms_shape() {
    with_server(|server| async move {
        let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(200_000));
        let path = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(200_000));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(500));
        for (bytes, status, name) in [
            (&b"\0\xff garbage\r\n\r\n"[..], 400, "bad_request"),
            (b"GET / HTTP/9.9\r\n\r\n", 400, "bad_request"),
            (b"GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n", 400, "bad_request"),
            (b"\x16\x03\x01\x02\x00\x01\x00", 400, "bad_request"),
            (long.as_bytes(), 431, "request_headers_too_large"),
            (path.as_bytes(), 431, "request_headers_too_large"),
            (many.as_bytes(), 431, "request_headers_too_large"),
        ] {
            let (answered, error) = server.send(bytes).await;

            assert_eq!((answered, &error["id"]), (status, &id(name)), "{}", bytes.escape_ascii());
        }
        assert_eq!(server.get("/account").await, 200);
    });
}

#[test]
fn s10_3_a_body_over_the_limit_is_refused() {
    with_server(|server| async move {
        let head = |length: u64| format!("PATCH /apps/app/formation HTTP/1.1\r\ncontent-length: {length}\r\n\r\n");
        let (announced, _) = server.send(head(100_000_000).as_bytes()).await;
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        let chunked = format!(
            "PATCH /apps/app/formation HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
            chunk.repeat(20)
        );
        let (sent, error) = server.send(chunked.as_bytes()).await;

        assert_eq!((announced, sent, &error["id"]), (413, 413, &id("request_too_large")));
        assert!(server.app.commands.borrow().is_empty());
    });
}

#[test]
fn s10_3_deep_json_and_garbage_after_a_request_are_harmless() {
    with_server(|server| async move {
        let deep = "[".repeat(500_000);
        let request =
            |body: &str| format!("PATCH /apps/app/formation HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        assert_eq!(server.send(request(&deep).as_bytes()).await.0, 400);

        let pipelined = "GET /account HTTP/1.1\r\n\r\n\0garbage\r\nDELETE /apps/app/dynos HTTP/1.1\r\n\r\n";
        assert_eq!(server.send(pipelined.as_bytes()).await.0, 200);
        assert!(server.app.commands.borrow().is_empty());
    });
}

#[test]
fn s10_3_a_thousand_unfinished_requests_do_not_block_a_client() {
    with_server(|server| async move {
        let mut half = Vec::new();
        for _ in 0..1_000 {
            let mut stream = server.connect().await;
            stream.write_all(b"GET /acc").await.expect("written");
            half.push(stream);
        }
        assert_eq!(server.get("/account").await, 200);
        assert!(server.api.connections.borrow().len() <= MAX_CONNECTIONS);

        let first = half.swap_remove(0);
        assert_eq!(answer(first).await.0, 503);
    });
}

#[test]
fn s10_3_a_client_that_reads_nothing_is_cut_off() {
    with_server(|server| async move {
        let mut silent = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            let mut stream = server.connect().await;
            stream.write_all(b"GET /apps/app/formation HTTP/1.1\r\n\r\n").await.expect("written");
            silent.push(stream);
        }

        assert_eq!(server.get("/account").await, 200);
        let mut part = Vec::new();
        let read = silent.swap_remove(0).read_to_end(&mut part).await;
        assert!(read.is_err() || part.len() < 500_000, "the whole answer: {} bytes", part.len());
    });
}

#[test]
fn s10_3_waiting_clients_do_not_block_others() {
    with_server(|server| async move {
        let body = r#"{"timeout":60}"#;
        let request = format!("POST /dyno/wait HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let mut waiting = Vec::new();
        for _ in 0..MAX_WAITING {
            let mut stream = server.connect().await;
            stream.write_all(request.as_bytes()).await.expect("written");
            waiting.push(stream);
        }
        assert_eq!(server.get("/account").await, 200);
        assert_eq!(server.send(request.as_bytes()).await.0, 503);

        // Nothing else happens, so the clock jumps to the end of the wait.
        let (status, end) = answer(waiting.swap_remove(0)).await;
        assert_eq!((status, &end["result"], &end["dyno"]), (200, &id("late"), &id("web.1")));
    });
}

#[test]
fn s10_3_a_repeated_change_is_made_once() {
    with_server(|server| async move {
        let restart = |id: &str| format!("DELETE /apps/app/dynos HTTP/1.1\r\nrequest-id: {id}\r\n\r\n");

        for _ in 0..6 {
            assert_eq!(server.send(restart("ID1,ID0").as_bytes()).await.0, 202);
        }
        assert_eq!(server.app.commands.borrow().len(), 1);
        assert_eq!(server.send(restart("ID2,ID1").as_bytes()).await.0, 202);
        assert_eq!(server.app.commands.borrow().len(), 2);
    });
}

#[test]
fn s10_3_a_change_of_a_client_that_has_gone_is_made_once() {
    with_server(|server| async move {
        let restart = b"DELETE /apps/app/dynos HTTP/1.1\r\nrequest-id: ID1\r\n\r\n";
        let mut stream = server.connect().await;
        stream.write_all(restart).await.expect("written");
        drop(stream);

        assert_eq!(server.send(restart).await.0, 202);
        assert_eq!(server.app.commands.borrow().len(), 1);
    });
}

#[test]
fn s10_3_answers_that_were_begun_are_finished_at_the_end() {
    with_server(|server| async move {
        let mut stream = server.connect().await;
        stream.write_all(b"POST /apps/app/dynos/actions/stop HTTP/1.1\r\n\r\n").await.expect("written");
        while server.api.count(ConnectionProgress::Answering) == 0 {
            yield_now().await;
        }

        server.api.finish().await;

        assert_eq!(server.api.count(ConnectionProgress::Answering), 0);
        assert_eq!(answer(stream).await.0, 202);
    });
}
