//! The socket of one API client, as hyper reads and writes it.
//!
//! Adds what hyper lacks: a client that does not read its answer is cut off, unless that is the log, and what hyper itself says about a request
//! that it cannot read gets a body in the shape of the platform.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::task::yield_now;
use tokio::time::{Sleep, sleep};

use super::api_client::NOTICE_HEADER;
use super::client_socket::ClientSocket;
use crate::api::{ApiAnswer, ApiError};

/// How long a client may take to read the part of its answer that does not fit the buffer of the socket. For the log, how long
/// it may read nothing.
const READS_WITHIN: Duration = Duration::from_secs(5);

/// Bytes per read.
const READ_BYTES: usize = 8 << 10;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionProgress {
    /// Its request has not arrived completely.
    Receiving,
    /// Its request is being carried out, or its answer sent.
    Answering,
    /// It waits for something that may take long.
    Waiting,
    /// It gets the log or a terminal, and may read it as slowly as it likes.
    Streaming,
    /// Its answer is sent, but it has not closed the connection yet.
    Leaving,
}

/// One client.
pub(super) struct ClientStream {
    socket: Rc<ClientSocket>,
    progress: Rc<Cell<ConnectionProgress>>,
    /// How many bytes all clients have taken.
    taken: Rc<Cell<u64>>,
    /// Runs from the moment when the client reads more slowly than its answer is sent.
    stalled: Option<Pin<Box<Sleep>>>,
    /// The answer that replaces the one of hyper, and how much of it is sent.
    replaced: Option<(Vec<u8>, usize)>,
}

impl ClientStream {
    pub(super) fn new(socket: Rc<ClientSocket>, progress: Rc<Cell<ConnectionProgress>>, taken: Rc<Cell<u64>>) -> Self {
        Self { socket, progress, taken, stalled: None, replaced: None }
    }

    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let Poll::Ready(ready) = self.socket.poll_write_ready(cx) else {
                if self.progress.get() == ConnectionProgress::Streaming {
                    return Poll::Pending;
                }
                let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(READS_WITHIN)));
                ready!(stalled.as_mut().poll(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            };
            ready?;
            match self.socket.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => {
                    // A log has no end by which it could be read.
                    if self.progress.get() == ConnectionProgress::Streaming {
                        self.stalled = None;
                    }
                    let count = written.as_ref().map_or(0, |count| *count as u64);
                    self.taken.set(self.taken.get().wrapping_add(count));
                    return Poll::Ready(written);
                }
            }
        }
    }
}

impl Read for ClientStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, mut buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            let mut bytes = [0; READ_BYTES];
            let room = bytes.len().min(buffer.remaining());
            let Some(bytes) = bytes.get_mut(..room) else { return Poll::Ready(Ok(())) };
            match self.socket.try_read(bytes) {
                Ok(count) => {
                    buffer.put_slice(bytes.get(..count).unwrap_or_default());
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl Write for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // Before our service has a request, only hyper answers, and only to say that it cannot read it.
        if self.replaced.is_none()
            && self.progress.get() == ConnectionProgress::Receiving
            && let Some(error) = refusal(bytes)
        {
            self.replaced = Some((whole(&error.answer()), 0));
        }
        let Some((answer, sent)) = self.replaced.take() else { return self.write(cx, bytes) };
        let rest = answer.get(sent..).unwrap_or_default().to_vec();
        let written = if rest.is_empty() { Poll::Ready(Ok(0)) } else { self.write(cx, &rest) };
        let sent = match &written {
            Poll::Ready(Ok(count)) => sent + count,
            Poll::Ready(Err(_)) | Poll::Pending => sent,
        };
        let is_sent = sent >= answer.len();
        self.replaced = Some((answer, sent));
        match written {
            Poll::Ready(Ok(_)) if is_sent => Poll::Ready(Ok(bytes.len())),
            Poll::Ready(Ok(_)) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Dropping the last handle closes the socket.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Ends when the client is gone. Bytes that it sends after its request are thrown away. One that has only closed its own half
/// still reads its answer.
pub(super) async fn gone(socket: &ClientSocket) {
    let mut bytes = [0; READ_BYTES];
    while socket.readable().await.is_ok() {
        match socket.try_read(&mut bytes) {
            Ok(0) if socket.is_hung_up() => return,
            // The system does not report anything else about it.
            Ok(0) => std::future::pending().await,
            // A client that never stops sending must not keep everything else waiting.
            Ok(_) => yield_now().await,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// The error that hyper reports with this answer. None: it is not an error, such as `100 Continue`.
fn refusal(answer: &[u8]) -> Option<ApiError> {
    match answer.strip_prefix(b"HTTP/1.1 ")?.get(..3)? {
        [b'4', b'1', b'4'] | [b'4', b'3', b'1'] => Some(ApiError::headers_too_large()),
        [b'4', ..] => Some(ApiError::bad_request("the request is not valid HTTP/1.1")),
        _ => None,
    }
}

/// An interim response of HTTP with a line for the person who waits. As JSON: it may name a file with any characters.
pub(super) fn interim(line: &str) -> Vec<u8> {
    let line = serde_json::Value::from(line);
    format!("HTTP/1.1 102 Processing\r\n{NOTICE_HEADER}: {line}\r\n\r\n").into_bytes()
}

/// An answer with its headers, for a connection on which hyper does not answer.
pub(super) fn whole(answer: &ApiAnswer) -> Vec<u8> {
    let reason = hyper::StatusCode::from_u16(answer.status).ok();
    let reason = reason.and_then(|status| status.canonical_reason()).unwrap_or("Error");
    let head = format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.status,
        answer.body.len()
    );
    [head.as_bytes(), &answer.body].concat()
}
