//! The guardian, and how the run loop waits for it.

use std::os::fd::AsFd;

use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::guardian::Guardian;

pub(super) struct GuardianLink {
    pub(super) guardian: Guardian,
    /// A copy of the guardian's socket, only used to wait.
    socket: UnixStream,
}

impl GuardianLink {
    /// # Errors
    /// The socket could not be copied or watched.
    pub(super) fn new(guardian: Guardian) -> std::io::Result<Self> {
        let socket = UnixStream::from_std(guardian.as_fd().try_clone_to_owned()?.into())?;
        Ok(Self { guardian, socket })
    }

    /// Waits until messages have arrived, or queued requests can be sent. Receive and flush after that, until the socket is
    /// empty or full: the next call waits for a change. Cancel safe.
    pub(super) async fn ready(&self) {
        let sending = if self.guardian.has_queued() { Some(Interest::WRITABLE) } else { None };
        let interest = sending.map_or(Interest::READABLE, |writable| writable | Interest::READABLE);
        // An error means that the guardian is gone, which receiving reports.
        let _ = self.socket.ready(interest).await;
        // Makes tokio's next wait really wait.
        let _ = self.socket.try_io(interest, || Err::<(), _>(std::io::Error::from(std::io::ErrorKind::WouldBlock)));
    }
}
