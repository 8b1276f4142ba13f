//! A connection to a dyno, as hyper reads and writes it. Notes how much has come, which decides what an error means.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::answer_extent::AnswerExtent;
use super::read_scratch::{READ_BYTES, ReadScratch, read_arrived};
use super::tunnel::DynoParts;

/// The buffers of hyper have this many bytes at first.
const FIRST_BUFFER: usize = 8 << 10;

/// What is known about the bytes of one connection.
#[derive(Default)]
pub(super) struct DynoMeter {
    /// How many bytes the dyno has sent.
    pub(super) received: Cell<u64>,
    /// Reading or writing has failed, so the dyno did not just close the connection.
    pub(super) has_failed: Cell<bool>,
    /// How much of the present answer has come.
    extent: Cell<AnswerExtent>,
    /// A buffer of hyper has grown.
    pub(super) has_grown: Cell<bool>,
    /// Gets the connection if it becomes a tunnel.
    pub(super) takes_over: Cell<Option<oneshot::Sender<DynoParts>>>,
}

impl DynoMeter {
    /// A request is sent.
    pub(super) fn begin(&self) {
        self.extent.set(AnswerExtent::default());
    }

    /// So many bytes were read or written at once.
    fn note_size(&self, bytes: usize) {
        if bytes >= FIRST_BUFFER {
            self.has_grown.set(true);
        }
    }

    /// Whether the dyno may send more of an answer after these bytes.
    fn goes_on(&self, bytes: &[u8]) -> bool {
        let mut extent = self.extent.get();
        let goes_on = extent.goes_on(bytes);
        self.extent.set(extent);
        goes_on
    }

    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if result.is_err() {
            self.has_failed.set(true);
        }
        result
    }
}

/// What hyper gets of a connection to a dyno.
pub(super) struct DynoIo {
    socket: TcpStream,
    meter: Rc<DynoMeter>,
    scratch: Rc<ReadScratch>,
}

impl DynoIo {
    pub(super) fn new(socket: TcpStream, meter: Rc<DynoMeter>, scratch: Rc<ReadScratch>) -> Self {
        Self { socket, meter, scratch }
    }

    pub(super) fn into_socket(self) -> TcpStream {
        self.socket
    }

    fn write(&self, cx: &mut Context<'_>, write: impl Fn(&TcpStream) -> io::Result<usize>) -> Poll<io::Result<usize>> {
        loop {
            match write(&self.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(self.meter.note(written)),
            }
            ready!(self.socket.poll_write_ready(cx))?;
        }
    }
}

impl Read for DynoIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, mut cursor: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            let (mut goes_on, room) = (false, cursor.remaining().min(READ_BYTES));
            let read = |bytes: &mut [u8]| read_arrived(&self.socket, bytes);
            let accept = |bytes: &[u8]| {
                goes_on = self.meter.goes_on(bytes);
                bytes.len()
            };
            match self.scratch.read_into(&mut cursor, read, accept) {
                Ok(count) => {
                    self.meter.received.set(self.meter.received.get() + count as u64);
                    self.meter.note_size(count);
                    // A dyno that sends head and body apart waits for the acknowledgement of the head (Nagle), which the
                    // system would delay by 40 ms. If there is more to read already, it does not wait.
                    if goes_on && count < room {
                        let _ = self.socket.set_quickack(true);
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(self.meter.note(Err(error))),
            }
        }
    }
}

impl Write for DynoIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, |socket| socket.try_write(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // The head of a request comes first.
        self.meter.note_size(slices.first().map_or(0, |head| head.len()));
        self.write(cx, |socket| socket.try_write_vectored(slices))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Dropping it closes the socket.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
