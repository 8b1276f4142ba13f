//! Clients of a server on this machine: how many requests it answers, how long each takes, and a download.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime;
use tokio::task::{JoinSet, LocalSet};

use super::upstream::{ANSWER_BYTES, DOWNLOAD_BYTES};

/// Bytes per read of an answer, which is shorter.
const ANSWER_READ: usize = 4 << 10;
/// Bytes per read of a download.
const DOWNLOAD_READ: usize = 256 << 10;
/// The longest that a single step may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a load has seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct LoadReport {
    pub(super) per_second: f64,
    /// Of a hundred requests, 99 took at most this many milliseconds.
    pub(super) p99_ms: f64,
}

/// Sends this many requests over kept connections, each of which waits for the answer before its next request.
#[expect(clippy::cast_precision_loss, reason = "less than a million requests")]
pub(super) fn requests(port: u16, connections: usize, requests: usize) -> LoadReport {
    let each = requests / connections;
    let begin = Instant::now();
    let mut times: Vec<Duration> = LocalSet::new().block_on(&runtime(), async {
        let mut clients = JoinSet::new();
        for _ in 0..connections {
            clients.spawn_local(one_client(port, each));
        }
        clients.join_all().await.concat()
    });
    let seconds = begin.elapsed().as_secs_f64();
    times.sort_unstable();
    let p99 = times.get(times.len() * 99 / 100).expect("there were requests");
    LoadReport { per_second: times.len() as f64 / seconds, p99_ms: p99.as_secs_f64() * 1e3 }
}

pub(super) fn runtime() -> runtime::Runtime {
    runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// How long each request has taken.
async fn one_client(port: u16, requests: usize) -> Vec<Duration> {
    let mut socket = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    socket.set_nodelay(true).unwrap();
    let request = request("/", port, "");
    let mut answer = Vec::with_capacity(ANSWER_READ);
    let mut times = Vec::with_capacity(requests);
    for _ in 0..requests {
        let begin = Instant::now();
        socket.write_all(request.as_bytes()).await.unwrap();
        answer.clear();
        while !is_whole(&answer) {
            assert!(socket.read_buf(&mut answer).await.unwrap() > 0, "the server closed a kept connection");
        }
        times.push(begin.elapsed());
    }
    times
}

fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = head_bytes(answer) else { return false };
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(answer));
    answer.len() == head + ANSWER_BYTES
}

fn head_bytes(answer: &[u8]) -> Option<usize> {
    memchr::memmem::find(answer, b"\r\n\r\n").map(|end| end + 4)
}

fn request(path: &str, port: u16, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: bench\r\nAccept: */*\r\n{headers}\r\n")
}

/// Downloads the large answer, and returns how many milliseconds that took.
pub(super) fn download(port: u16) -> f64 {
    let begin = Instant::now();
    let mut socket = connect(port);
    socket.write_all(request("/download", port, "Connection: close\r\n").as_bytes()).unwrap();
    let mut buffer = vec![0; DOWNLOAD_READ];
    let (mut head, mut read) = (Vec::new(), 0);
    loop {
        let count = socket.read(&mut buffer).unwrap();
        let bytes = buffer.get(..count).unwrap();
        assert!(count > 0, "the answer ended after {read} bytes");
        if read > 0 {
            read += count;
        } else {
            head.extend_from_slice(bytes);
            read = head_bytes(&head).map_or(0, |length| head.len() - length);
        }
        if read == DOWNLOAD_BYTES {
            return begin.elapsed().as_secs_f64() * 1e3;
        }
    }
}

fn connect(port: u16) -> TcpStream {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Whether a server answers on this port.
pub(super) fn is_up(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Opens a WebSocket, which stays open until it is dropped.
pub(super) fn web_socket(port: u16) -> TcpStream {
    let mut socket = connect(port);
    let headers = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    socket.write_all(request("/socket", port, headers).as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut byte = [0];
    while head_bytes(&answer).is_none() {
        socket.read_exact(&mut byte).unwrap();
        answer.extend_from_slice(&byte);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
    socket
}
