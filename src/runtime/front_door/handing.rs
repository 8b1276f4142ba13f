//! Hands one connection over to a start: an HTTP exchange on its unix socket, then the descriptor. The start says when it serves the
//! connection; until then the front door still has it, and can answer in the place of a start that has ended.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{sleep, timeout};

use super::super::api_client::{ANSWERS_WITHIN, no_answer, whole};
use super::super::hand_over::{HAND_OVER_PROTOCOL, LENGTH_BYTES, TAKEN};
use super::super::{NoAnswer, RuntimeDirectory};
use crate::api::{ErrorResource, HAND_OVER_PATH, StartDescription};
use crate::guardian::send_with_fd;

/// The pause before the next attempt if the queue of a start is full.
const QUEUE_FULL: Duration = Duration::from_millis(20);
/// The most bytes of an answer of the start.
const MOST_ANSWER: usize = 64 << 10;

/// What has become of a connection.
pub(super) enum HandedOver {
    /// The start serves it.
    Taken,
    /// The start has ended.
    Gone,
    /// The start did not answer in time.
    Late,
    /// The start refused it, for this reason.
    Refused(String),
}

/// Hands a connection over. `first`: what was read of it.
pub(super) async fn hand_over(
    directory: &RuntimeDirectory,
    start: &StartDescription,
    socket: &TcpStream,
    first: &[u8],
) -> HandedOver {
    match timeout(ANSWERS_WITHIN, attempt(directory, start, socket, first)).await {
        Err(_) => HandedOver::Late,
        Ok(Ok(handed)) => handed,
        Ok(Err(error)) => match no_answer(error) {
            NoAnswer::Ended => HandedOver::Gone,
            NoAnswer::Late => HandedOver::Late,
            NoAnswer::Refused(error) => {
                HandedOver::Refused(format!("cannot reach `dyno` (pid {}): {error}", start.pid))
            }
        },
    }
}

async fn attempt(
    directory: &RuntimeDirectory,
    start: &StartDescription,
    socket: &TcpStream,
    first: &[u8],
) -> io::Result<HandedOver> {
    let mut stream = connect(directory, start).await?;
    let head = format!(
        "POST {HAND_OVER_PATH} HTTP/1.1\r\nhost: dyno\r\nconnection: upgrade\r\nupgrade: {HAND_OVER_PROTOCOL}\r\n\
         content-length: 0\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    while !(answer.starts_with(b"HTTP/1.1 101 ") && answer.ends_with(b"\r\n\r\n")) {
        if let Some(refusal) = whole(&answer) {
            let error = serde_json::from_slice::<ErrorResource>(&refusal.body).map(|error| error.message);
            return Ok(HandedOver::Refused(error.unwrap_or_else(|_| format!("`dyno` (pid {}) refused", start.pid))));
        }
        if answer.len() >= MOST_ANSWER || stream.read_buf(&mut answer).await? == 0 {
            return Ok(HandedOver::Gone);
        }
    }
    let length = u32::try_from(first.len()).unwrap_or(u32::MAX).to_le_bytes();
    let sent =
        stream.async_io(Interest::WRITABLE, || Ok(send_with_fd(stream.as_fd(), &length, socket.as_fd())?)).await?;
    debug_assert_eq!(sent, LENGTH_BYTES, "so few bytes are sent at once");
    stream.write_all(first).await?;
    match stream.read_u8().await {
        Ok(TAKEN) => Ok(HandedOver::Taken),
        Ok(_) => Ok(HandedOver::Refused(format!("`dyno` (pid {}) cannot serve more connections", start.pid))),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(HandedOver::Gone),
        Err(error) => Err(error),
    }
}

/// Connects to the socket of a start. The queue of one that is suspended may be full: only this connection waits then.
async fn connect(directory: &RuntimeDirectory, start: &StartDescription) -> io::Result<UnixStream> {
    loop {
        match directory.connect(start, Duration::ZERO) {
            Ok(stream) => {
                stream.set_nonblocking(true)?;
                return UnixStream::from_std(stream);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                sleep(QUEUE_FULL).await;
            }
            Err(error) => return Err(error),
        }
    }
}
