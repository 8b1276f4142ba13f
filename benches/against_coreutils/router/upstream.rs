//! The server behind the proxies: answers of 1 KiB over kept connections, a large one, and tunnels in which nothing happens.

use std::net::Ipv4Addr;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

use super::load::runtime;

/// Bytes of the body of a usual answer.
pub(super) const ANSWER_BYTES: usize = 1 << 10;
/// Bytes of the body of the large answer.
pub(super) const DOWNLOAD_BYTES: usize = 100_000_000;
/// Bytes of one write of the large answer.
const PIECE: usize = 64 << 10;

/// Serves on `PORT`, for ever.
pub(crate) fn serve() {
    let port: u16 = std::env::var("PORT").unwrap().parse().unwrap();
    raise_open_files();
    LocalSet::new().block_on(&runtime(), async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::task::spawn_local(serve_client(socket));
        }
    });
}

/// Lets this process open as many files as allowed. Returns that limit.
pub(super) fn raise_open_files() -> u64 {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    hard
}

/// Ends when the client closes the connection.
async fn serve_client(mut socket: TcpStream) -> Option<()> {
    socket.set_nodelay(true).ok()?;
    let answer = [head(ANSWER_BYTES).as_bytes(), &[b'a'; ANSWER_BYTES]].concat();
    let mut request = Vec::new();
    loop {
        while !request.ends_with(b"\r\n\r\n") {
            if socket.read_buf(&mut request).await.ok()? == 0 {
                return None;
            }
        }
        if request.starts_with(b"GET /socket ") {
            let switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
            socket.write_all(switch).await.ok()?;
            // Until it is closed: this server has no frames to send.
            drop(request);
            while socket.read(&mut [0]).await.ok()? > 0 {}
            return None;
        } else if request.starts_with(b"GET /download ") {
            socket.write_all(head(DOWNLOAD_BYTES).as_bytes()).await.ok()?;
            let piece = vec![b'a'; PIECE];
            let mut left = DOWNLOAD_BYTES;
            while left > 0 {
                let part = piece.get(..left.min(PIECE)).unwrap_or_default();
                socket.write_all(part).await.ok()?;
                left -= part.len();
            }
        } else {
            socket.write_all(&answer).await.ok()?;
        }
        request.clear();
    }
}

fn head(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n")
}
