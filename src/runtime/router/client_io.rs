//! The socket of one client, as hyper reads and writes it.
//!
//! Adds what hyper lacks: interim answers such as `103 Early Hints`, which have to come before the answer.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::net::TcpStream;

use super::read_scratch::ReadScratch;

/// One client.
pub(super) struct ClientConnection {
    pub(super) socket: TcpStream,
    scratch: Rc<ReadScratch>,
    /// Interim answers that are not written yet.
    interim: RefCell<Vec<u8>>,
    /// Whether everything that hyper has for this client is written.
    is_flushed: Cell<bool>,
}

impl ClientConnection {
    pub(super) fn new(socket: TcpStream, scratch: Rc<ReadScratch>) -> Self {
        Self { socket, scratch, interim: RefCell::default(), is_flushed: Cell::new(true) }
    }

    /// Sends an interim answer before the next answer.
    pub(super) fn inform(&self, head: &[u8]) {
        self.interim.borrow_mut().extend_from_slice(head);
        // Otherwise the end of the answer before it comes first.
        if self.is_flushed.get() {
            // What is not written now is written before the answer.
            let _ = self.write_interim();
        }
    }

    /// Whether all interim answers are written.
    fn write_interim(&self) -> io::Result<bool> {
        let mut interim = self.interim.borrow_mut();
        while !interim.is_empty() {
            match self.socket.try_write(&interim) {
                Ok(count) => drop(interim.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn poll_write_interim(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.write_interim()? {
            ready!(self.socket.poll_write_ready(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if self.is_flushed.get() {
            ready!(self.poll_write_interim(cx))?;
        }
        self.is_flushed.set(false);
        loop {
            match write(&self.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
            ready!(self.socket.poll_write_ready(cx))?;
        }
    }
}

/// What hyper gets of a client.
pub(super) struct ClientIo(Rc<ClientConnection>);

impl ClientIo {
    pub(super) fn new(connection: Rc<ClientConnection>) -> Self {
        Self(connection)
    }
}

impl Read for ClientIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, mut cursor: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let connection = &self.0;
        loop {
            ready!(connection.socket.poll_read_ready(cx))?;
            let read = |bytes: &mut [u8]| connection.socket.try_read(bytes);
            match connection.scratch.read_into(&mut cursor, read, <[u8]>::len) {
                Ok(_) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl Write for ClientIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, |socket| socket.try_write(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, |socket| socket.try_write_vectored(slices))
    }

    /// hyper calls this when it has written everything.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.is_flushed.set(true);
        self.0.poll_write_interim(cx)
    }

    /// Dropping the last handle closes the socket.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
