//! Whether the client of a one-off dyno is still there while nothing is read from it (S17.3).

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::runtime::socket_diagnostics::is_closing;

/// How often to look.
const LOOKS_EVERY: Duration = Duration::from_millis(500);

/// The connection of a client, seen without reading.
pub(in crate::runtime) struct ClientPresence {
    /// A copy of our socket.
    socket: OwnedFd,
    /// Its own address, and ours.
    client: SocketAddr,
    here: SocketAddr,
}

impl ClientPresence {
    /// # Errors
    /// We have run out of descriptors, or the client is gone.
    pub(in crate::runtime) fn of(stream: &TcpStream) -> io::Result<Self> {
        let socket = stream.as_fd().try_clone_to_owned()?;
        Ok(Self { socket, client: stream.peer_addr()?, here: stream.local_addr()? })
    }

    /// Ends when the client has closed its connection.
    pub(in crate::runtime) async fn left(&self) {
        while !self.is_over() {
            sleep(LOOKS_EVERY).await;
        }
    }

    fn is_over(&self) -> bool {
        let mut polled = [PollFd::new(self.socket.as_fd(), PollFlags::from_bits_retain(libc::POLLRDHUP))];
        let _ = poll(&mut polled, PollTimeout::ZERO);
        // None: `POLLRDHUP`, which `nix` does not know.
        if polled.iter().any(|fd| fd.revents() != Some(PollFlags::empty())) {
            return true;
        }
        // That it has closed its socket arrives only after everything that it has sent. Its socket is on this machine, so the
        // kernel knows. If it does not answer, the client may be there.
        is_closing(self.client, self.here).unwrap_or(false)
    }
}
