//! Random bytes, and requests that are nearly right: each connection gets one answer, and the next one is served.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRunner;

use super::*;

/// The process types of the server, so few that no answer takes long.
const FEW_TYPES: usize = 2;

/// After this many cases, the test checks that the server still answers and that all connections have ended.
const LOOK_EVERY: usize = 100;

/// A request as a client would send it.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let method = select(vec!["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "get"]);
    let path = select(vec![
        "/account",
        "/apps/app",
        "/apps/app/dynos",
        "/apps/app/dynos/web.1",
        "/apps/app/dynos/web.1/actions/stop",
        "/apps/app/formation",
        "/apps/app/releases",
        "/apps/app/config-vars",
        "/dyno/wait",
        "http://x/account",
        "*",
        "/%2e%2e/%ff?a=b#c",
        "",
    ]);
    let version = select(vec!["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.1 ", ""]);
    let header = prop_oneof![
        4 => select(vec![
            "host: x",
            "accept: application/vnd.heroku+json; version=3",
            "connection: keep-alive",
            "expect: 100-continue",
            "upgrade: h2c",
            "transfer-encoding: chunked",
            "transfer-encoding: gzip, chunked",
            "content-length: 4",
            "content-length: -1",
            "content-length: 99999999999999999999",
            " folded: x",
            "range: version ..; max=1",
        ])
        .prop_map(str::to_owned),
        1 => "[ -~]{0,20}",
    ];
    let body = prop_oneof![
        select(vec![
            r#"{"timeout":3}"#,
            r#"{"updates":[{"type":"web","quantity":2}]}"#,
            "4\r\n{  }\r\n0\r\n\r\n",
            "ffffffff\r\n"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    let headers = prop::collection::vec(header, 0..4);
    (method, path, version, headers, any::<bool>(), body).prop_map(|(method, path, version, headers, sized, body)| {
        let length = sized.then(|| format!("content-length: {}", body.len()));
        let lines = [format!("{method} {path} {version}")].into_iter().chain(headers).chain(length);
        let head: Vec<String> = lines.collect();
        [head.join("\r\n").as_bytes(), b"\r\n\r\n", &body].concat()
    })
}

/// What may be wrong with it: other bytes in it, a part missing, more after it, or nothing.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let changed =
        (request(), prop::collection::vec((any::<Index>(), any::<u8>()), 0..4)).prop_map(|(mut bytes, changes)| {
            for (at, byte) in &changes {
                *at.get_mut(&mut bytes) = *byte;
            }
            bytes
        });
    let cut = (request(), any::<Index>(), any::<Index>()).prop_map(|(bytes, one, other)| {
        let (one, other) = (one.index(bytes.len()), other.index(bytes.len()));
        [&bytes[..one.min(other)], &bytes[one.max(other)..]].concat()
    });
    let two = (request(), request()).prop_map(|(one, other)| [one, other].concat());
    prop_oneof![4 => changed, 2 => cut, 1 => two, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

/// The status of the last answer. Panics unless it is complete and only informational ones come before it. `is_head`:
/// it answers `HEAD`, so it may have no body.
fn status(answer: &[u8], is_head: bool) -> u16 {
    let mut rest = answer;
    loop {
        let at = rest.windows(4).position(|four| four == b"\r\n\r\n");
        let at = at.unwrap_or_else(|| panic!("no answer: {}", answer.escape_ascii()));
        let head = std::str::from_utf8(&rest[..at]).expect("a head of text");
        let status = head.strip_prefix("HTTP/1.1 ").or_else(|| head.strip_prefix("HTTP/1.0 ")).expect("an answer");
        let status: u16 = status[..3].parse().expect("a status");
        rest = &rest[at + 4..];
        if status >= 200 {
            let length = format!("content-length: {}", rest.len());
            let is_whole = head.lines().any(|line| line == length) && serde_json::from_slice::<Value>(rest).is_ok();
            assert!(is_whole || (rest.is_empty() && is_head), "{}", answer.escape_ascii());
            return status;
        }
    }
}

/// Sends these bytes in pieces of this length, and checks what comes back.
async fn check(server: &Server, bytes: &[u8], length: usize, closes: bool) {
    let mut stream = server.connect().await;
    for piece in bytes.chunks(length) {
        // The server may have answered, and closed, before all has arrived.
        if stream.write_all(piece).await.is_err() {
            break;
        }
    }
    if closes {
        let _ = stream.shutdown().await;
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;

    // Half a request may get no answer if the client stops sending.
    if !(closes && answer.is_empty()) {
        let is_head = bytes.trim_ascii_start().starts_with(b"HEAD");
        let status = status(&answer, is_head);
        assert!((200..=599).contains(&status), "{status}");
    }
}

/// All cases share one server, because starting one takes longer than a request.
#[test]
fn s10_3_any_bytes_are_answered_once() {
    let (runtime, tasks) = (paused_runtime(), LocalSet::new());
    let server = tasks.block_on(&runtime, async { Server::start_with(snapshot(FEW_TYPES)) });
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() });
    let count = Cell::new(0_usize);

    let result = runner.run(&(bytes(), 1_usize..300, any::<bool>()), |(bytes, length, closes)| {
        tasks.block_on(&runtime, async {
            check(&server, &bytes, length, closes).await;
            count.set(count.get() + 1);
            if count.get() % LOOK_EVERY == 1 {
                assert_eq!(server.get("/account").await, 200);
                assert!(server.api.connections.borrow().len() <= 1);
                server.app.commands.borrow_mut().clear();
            }
        });
        Ok(())
    });

    result.unwrap_or_else(|failure| panic!("{failure}"));
}
