//! The log over the socket: what the platform's client reads, and how many clients may follow it (S10.4).

use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{Shutdown, shutdown};

use super::*;
use crate::logs::{Audience, LogBlock, Source};

fn line(text: &str) -> LogBlock {
    let dyno = DynoName::new(ProcessType::new("web").expect("a name"), 1);
    let bytes = format!("{text}\n").into_bytes();
    LogBlock { source: Source::App(dyno), time: jiff::Timestamp::UNIX_EPOCH, bytes, continued: false }
}

impl Server {
    fn add(&self, text: &str) {
        self.api.archive.add(&line(text), Audience::All);
    }

    /// Opens a session and returns its path.
    async fn session(&self, body: &str) -> String {
        let head =
            format!("POST /apps/app/log-sessions HTTP/1.1\r\nhost: 127.0.0.1:5099\r\ncontent-length: {}", body.len());
        let (status, session) = self.send(format!("{head}\r\n\r\n{body}").as_bytes()).await;
        assert_eq!(status, 201);
        let url = session["logplex_url"].as_str().expect("an address");
        url.strip_prefix("http://127.0.0.1:5099").expect("the host that was asked").to_owned()
    }

    /// Begins to read a log.
    async fn open(&self, path: &str, header: &str) -> UnixStream {
        let mut stream = self.connect().await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n{header}\r\n");
        stream.write_all(request.as_bytes()).await.expect("written");
        stream
    }
}

/// What arrives until this text has.
async fn until(stream: &mut UnixStream, end: &str) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end.as_bytes()) {
        let count = stream.read_buf(&mut bytes).await.expect("read");
        assert!(count > 0, "the end came before `{end}`: {}", bytes.escape_ascii());
    }
    String::from_utf8(bytes).expect("text")
}

/// The body of a chunked answer.
fn body(answer: &str) -> String {
    let (head, chunks) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains("content-type: text/event-stream") && head.contains("transfer-encoding: chunked"), "{head}");
    chunks.split("\r\n").skip(1).step_by(2).collect()
}

const ONE: &str = "id: 1\ndata: 1970-01-01T00:00:00.000000+00:00 app[web.1]: one\n\n";
const TWO: &str = "id: 2\ndata: 1970-01-01T00:00:00.000000+00:00 app[web.1]: two\n\n";

#[test]
fn s10_4_the_platforms_client_gets_the_lines_as_events() {
    with_server(|server| async move {
        server.add("one");
        server.add("two");
        let path = server.session(r#"{"lines":100,"tail":false}"#).await;

        let mut stream = server.open(&path, "").await;

        let answer = until(&mut stream, "\r\n0\r\n\r\n").await;
        assert_eq!(body(&answer), format!("retry: 0\n\n{ONE}{TWO}"));
        assert_eq!(server.get("/dyno/log/unknown").await, 404);
        let unknown = server
            .send(b"POST /apps/app/log-sessions HTTP/1.1\r\ncontent-length: 16\r\n\r\n{\"dyno\":\"web.9\"}")
            .await;
        assert_eq!((unknown.0, &unknown.1["id"]), (404, &id("not_found")));
    });
}

#[test]
fn s10_4_the_platforms_client_continues_after_the_last_line_it_has() {
    with_server(|server| async move {
        server.add("one");
        let path = server.session(r#"{"lines":100,"tail":true}"#).await;
        let mut first = server.open(&path, "").await;
        until(&mut first, "\n\n\r\n").await;
        drop(first);
        server.add("two");

        let mut second = server.open(&path, "last-event-id: 1\r\n").await;

        assert_eq!(body(&until(&mut second, "\n\n\r\n").await), TWO);
        // A comment keeps a quiet connection alive; the clock jumps to it.
        assert!(until(&mut second, "still here\n\n\r\n").await.contains(": still here"));
        server.add("three");
        assert!(until(&mut second, "\n\n\r\n").await.contains("id: 3\ndata: "));
        let (finished, rest) = tokio::join!(server.api.finish(), until(&mut second, "0\r\n\r\n"));
        assert_eq!((finished, rest.as_str()), ((), "0\r\n\r\n"));
    });
}

/// A client that takes up to this much of a log of 2 MB every 250 ms, from its beginning on, which is also the end of the run.
/// Returns whether it got the end of the log.
async fn reads_after_the_end(server: Server, bytes: usize) -> bool {
    let path = server.session(r#"{"lines":1500,"tail":true}"#).await;
    for number in 0..500 {
        server.add(&format!("{number} {}", "x".repeat(4_000)));
    }
    let mut stream = server.open(&path, "").await;
    while server.api.count(ConnectionProgress::Streaming) == 0 {
        tokio::task::yield_now().await;
    }
    let reading = async {
        let (mut all, mut piece) = (Vec::new(), vec![0; bytes]);
        loop {
            match stream.read(&mut piece).await {
                Ok(0) | Err(_) => return all.ends_with(b"0\r\n\r\n"),
                Ok(count) => all.extend_from_slice(&piece[..count]),
            }
            sleep(Duration::from_millis(250)).await;
        }
    };
    let end = async {
        server.api.finish().await;
        let is_sent = server.api.count(ConnectionProgress::Streaming) == 0;
        // As when the process ends.
        for open in server.api.connections.borrow().iter() {
            let _ = shutdown(open.socket.as_fd().as_raw_fd(), Shutdown::Both);
        }
        is_sent
    };
    let (is_sent, is_complete) = tokio::join!(end, reading);
    assert_eq!(is_sent, is_complete);
    is_complete
}

#[test]
fn s10_4_a_client_that_goes_on_reading_gets_the_end_of_the_log() {
    with_server(|server| async move { assert!(reads_after_the_end(server, 64 << 10).await) });
    // That would take minutes.
    with_server(|server| async move { assert!(!reads_after_the_end(server, 2 << 10).await) });
}

#[test]
fn s10_4_clients_that_follow_leave_room_for_others() {
    with_server(|server| async move {
        server.add("one");
        let path = server.session(r#"{"tail":true}"#).await;
        let mut clients = Vec::new();
        for _ in 0..MAX_WAITING {
            let mut client = server.open(&path, "").await;
            until(&mut client, "\n\n\r\n").await;
            clients.push(client);
        }

        assert_eq!(server.get(&path).await, 503);
        assert_eq!(server.get("/account").await, 200);
        clients.pop();
        tokio::task::yield_now().await;
        let mut next = server.open(&path, "").await;
        until(&mut next, "\n\n\r\n").await;
        drop(clients);
        let mut arrived = String::new();
        // It reads nothing, however much comes.
        for number in 0..20_000 {
            server.add(&format!("{number} {}", "x".repeat(100)));
            if number % 100 == 0 {
                tokio::task::yield_now().await;
            }
        }
        sleep(Duration::from_secs(60)).await;
        while !arrived.contains(" lines skipped\n\n") || !arrived.contains(": 19999 x") {
            arrived += &until(&mut next, "\n\n\r\n").await;
        }
    });
}
