//! Interim answers of a dyno, such as `103 Early Hints`. hyper does not pass them on, so they are written around it: after the
//! answer before, and before the answer that follows.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use http::{Request, StatusCode, header};
use hyper::ext::on_informational;
use tokio::net::TcpStream;

/// The most bytes of interim answers that wait for a client. One that would be more is left out; they are only hints.
const MOST_UNWRITTEN: usize = 32 << 10;

/// The interim answers for one client.
#[derive(Default)]
pub(super) struct InterimAnswers {
    unwritten: Arc<Mutex<Unwritten>>,
    /// Whether hyper has unwritten bytes of an earlier answer.
    is_behind: Cell<bool>,
}

#[derive(Default)]
struct Unwritten {
    bytes: Vec<u8>,
    waker: Option<Waker>,
}

/// Ignores poison: every change is a single step. There is only one thread; hyper demands more.
fn lock(unwritten: &Mutex<Unwritten>) -> MutexGuard<'_, Unwritten> {
    unwritten.lock().unwrap_or_else(PoisonError::into_inner)
}

impl InterimAnswers {
    /// Receives the interim answers to this request.
    pub(super) fn pass_from<B>(&self, request: &mut Request<B>) {
        let unwritten = Arc::clone(&self.unwritten);
        on_informational(request, move |answer| {
            // The client has that from the router itself.
            if answer.status() == StatusCode::CONTINUE {
                return;
            }
            let mut unwritten = lock(&unwritten);
            let head = head(answer.status(), answer.headers());
            if unwritten.bytes.len() + head.len() <= MOST_UNWRITTEN {
                unwritten.bytes.extend_from_slice(&head);
                if let Some(waker) = unwritten.waker.take() {
                    waker.wake();
                }
            }
        });
    }

    /// Whether hyper has written everything that it had.
    pub(super) fn is_hyper_flushed(&self) -> bool {
        !self.is_behind.get()
    }

    /// Writes them as they come. Never ready.
    pub(super) fn poll_pass(&self, socket: &TcpStream, cx: &mut Context<'_>) -> Poll<Infallible> {
        if !self.is_behind.get() && !lock(&self.unwritten).bytes.is_empty() {
            // What is not written now is written before the answer.
            let _ = self.write(socket);
        }
        lock(&self.unwritten).waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Whether all are written.
    fn write(&self, socket: &TcpStream) -> io::Result<bool> {
        let bytes = &mut lock(&self.unwritten).bytes;
        while !bytes.is_empty() {
            match socket.try_write(bytes) {
                Ok(count) => drop(bytes.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn poll_write(&self, socket: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.write(socket)? {
            ready!(socket.poll_write_ready(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Before hyper writes.
    pub(super) fn poll_before(&self, socket: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_behind.get() {
            ready!(self.poll_write(socket, cx))?;
            self.is_behind.set(true);
        }
        Poll::Ready(Ok(()))
    }

    /// After hyper has written everything.
    pub(super) fn poll_after(&self, socket: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_behind.set(false);
        self.poll_write(socket, cx)
    }
}

/// The head of an interim answer, without the headers that end at the router.
fn head(status: StatusCode, headers: &header::HeaderMap) -> Vec<u8> {
    let mut head = String::new();
    let _ = write!(head, "HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or("Interim"));
    let mut bytes = head.into_bytes();
    let ends_here = [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE, header::CONTENT_LENGTH];
    for (name, value) in headers.iter().filter(|(name, _)| !ends_here.contains(name)) {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}
