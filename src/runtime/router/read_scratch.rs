//! The one buffer into which all connections read: bytes that have arrived are copied on at once, so an idle connection
//! needs none of its own.

use std::cell::RefCell;
use std::io;
use std::os::fd::AsRawFd;

use hyper::rt::ReadBufCursor;
use nix::sys::socket::{MsgFlags, recv};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Bytes per read. One less than a power of two, because hyper doubles a buffer that a read fills.
pub(super) const READ_BYTES: usize = (64 << 10) - 1;

/// The buffer.
pub(super) struct ReadScratch(RefCell<Box<[u8]>>);

impl Default for ReadScratch {
    fn default() -> Self {
        Self(RefCell::new(vec![0; READ_BYTES].into_boxed_slice()))
    }
}

impl ReadScratch {
    /// Reads as many bytes as the cursor takes. `read` fills the slice and returns how many bytes it has; `accept` sees
    /// them and returns how many of them the cursor gets. Returns how many were read.
    pub(super) fn read_into(
        &self,
        cursor: &mut ReadBufCursor<'_>,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
        accept: impl FnOnce(&[u8]) -> usize,
    ) -> io::Result<usize> {
        self.with(cursor.remaining(), |bytes| {
            let count = read(bytes)?;
            let bytes = bytes.get(..count).unwrap_or_default();
            let accepted = accept(bytes);
            cursor.put_slice(bytes.get(..accepted).unwrap_or(bytes));
            Ok(count)
        })
    }

    /// Lends the buffer, or its first `most` bytes.
    pub(super) fn with<T>(&self, most: usize, act: impl FnOnce(&mut [u8]) -> T) -> T {
        let mut buffer = self.0.borrow_mut();
        let room = buffer.len().min(most);
        act(buffer.get_mut(..room).unwrap_or_default())
    }
}

/// Reads what has arrived. If that was all, the next call waits without asking the system.
pub(super) fn read_arrived(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut all = None;
    let read = socket.try_io(Interest::READABLE, || {
        let count = recv(socket.as_raw_fd(), buffer, MsgFlags::empty())?;
        if (1..buffer.len()).contains(&count) {
            all = Some(count);
            // More bytes, or the end, are another event.
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(count)
    });
    all.map_or(read, Ok)
}
