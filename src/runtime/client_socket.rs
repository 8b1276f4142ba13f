//! The socket of an API client: the unix socket of the start, or TCP (S17.3).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::task::{Context, Poll};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{Shutdown, shutdown};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::yield_now;

/// The most bytes that are discarded after an answer: more than the largest body that is allowed (`api_service`).
const MOST_DISCARDED: usize = 2 << 20;

/// The socket of one client.
pub(super) enum ClientSocket {
    /// From a process of the same user.
    Unix(UnixStream),
    /// From any process on this machine: its requests need the key.
    Tcp(TcpStream),
}

impl ClientSocket {
    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Unix(stream) => stream.poll_read_ready(cx),
            Self::Tcp(stream) => stream.poll_read_ready(cx),
        }
    }

    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Unix(stream) => stream.poll_write_ready(cx),
            Self::Tcp(stream) => stream.poll_write_ready(cx),
        }
    }

    pub(super) fn try_read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.try_read(bytes),
            Self::Tcp(stream) => stream.try_read(bytes),
        }
    }

    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.try_write(bytes),
            Self::Tcp(stream) => stream.try_write(bytes),
        }
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.readable().await,
            Self::Tcp(stream) => stream.readable().await,
        }
    }

    /// Whether a client that has stopped sending is gone. On the unix socket, one that has closed only its own half can
    /// still read its answer. Over TCP the two cases look alike, so it is treated as gone.
    pub(super) fn is_hung_up(&self) -> bool {
        match self {
            Self::Unix(_) => {
                let mut polled = [PollFd::new(self.as_fd(), PollFlags::empty())];
                let _ = poll(&mut polled, PollTimeout::ZERO);
                polled.iter().any(|polled| polled.revents().is_some_and(|events| events.contains(PollFlags::POLLHUP)))
            }
            Self::Tcp(_) => true,
        }
    }

    /// The process of the client, if the system says which.
    pub(super) fn peer_pid(&self) -> Option<i32> {
        match self {
            Self::Unix(stream) => stream.peer_cred().ok()?.pid(),
            Self::Tcp(_) => None,
        }
    }

    pub(super) fn needs_key(&self) -> bool {
        match self {
            Self::Unix(_) => false,
            Self::Tcp(_) => true,
        }
    }

    /// Ends the answer, then discards what the client still sends, up to a limit: over TCP, closing with unread bytes
    /// would lose the end of the answer.
    pub(super) async fn finish(&self) {
        match self {
            Self::Unix(_) => {}
            Self::Tcp(stream) => discard_rest(stream).await,
        }
    }
}

/// Ends what is sent over TCP, then discards what the other side still sends, up to a limit.
pub(super) async fn discard_rest(stream: &TcpStream) {
    let _ = shutdown(stream.as_raw_fd(), Shutdown::Write);
    let mut bytes = [0; 8 << 10];
    let mut discarded = 0;
    while discarded < MOST_DISCARDED && stream.readable().await.is_ok() {
        match stream.try_read(&mut bytes) {
            Ok(0) => return,
            Ok(count) => discarded += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
        // A client that never stops sending must not keep everything else waiting.
        yield_now().await;
    }
}

impl AsFd for ClientSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }
}
