//! The socket of one client, as hyper reads and writes it.
//!
//! Adds what hyper lacks: every byte passes the guard first, and interim answers such as `103 Early Hints` come before the
//! answer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};

use super::client::ClientConnection;

/// What hyper gets of a client.
pub(super) struct ClientIo(Rc<ClientConnection>);

impl ClientIo {
    pub(super) fn new(connection: Rc<ClientConnection>) -> Self {
        Self(connection)
    }
}

impl Read for ClientIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, mut cursor: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let client = &self.0;
        // The rest of what it sends is not a request. The connection ends once the requests before are answered.
        if client.is_refused() {
            return Poll::Pending;
        }
        loop {
            ready!(client.poll_read_ready(cx))?;
            let read = |bytes: &mut [u8]| client.try_read(bytes);
            let mut good = 0;
            let accept = |bytes: &[u8]| {
                good = client.check(bytes);
                good
            };
            match client.scratch.read_into(&mut cursor, read, accept) {
                // Nothing for hyper, but the client has not closed.
                Ok(1..) if good == 0 => {
                    if client.is_refused() {
                        return Poll::Pending;
                    }
                }
                Ok(_) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl Write for ClientIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, bytes, |socket| socket.try_write(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
        self.0.poll_write(cx, first, |socket| socket.try_write_vectored(slices))
    }

    /// hyper calls this when it has written everything.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    /// Dropping the last handle closes the socket.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
