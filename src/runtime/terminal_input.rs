//! The keys for one run, on their way to its terminal: those of `--focus` (`focus`) and of `dyno attach`
//! (`dyno_terminal`).

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::write;
use tokio::net::unix::pipe::{Receiver, Sender};

/// Bytes of keys that are held for a dyno that does not read. With `--focus` further keys wait where they come from; those
/// of `dyno attach` are dropped, because a signal key behind them must still interrupt the dyno.
const WAITING_BYTES: usize = 1 << 20;

/// The writing side of the terminal of a run.
pub(super) struct TerminalInput {
    master: Sender,
    waiting: VecDeque<u8>,
}

impl TerminalInput {
    /// `stream`: the master of the terminal.
    ///
    /// # Errors
    /// We have run out of descriptors.
    pub(super) fn new(stream: &Receiver) -> std::io::Result<Self> {
        let master = Sender::from_owned_fd_unchecked(stream.as_fd().try_clone_to_owned()?)?;
        Ok(Self { master, waiting: VecDeque::new() })
    }

    /// Whether more keys may come.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < WAITING_BYTES
    }

    /// Whether keys are held.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Types these keys.
    pub(super) fn type_text(&mut self, text: &[u8]) {
        self.waiting.extend(text);
        self.write();
    }

    /// Types a key that means a signal. Held keys are dropped, as the system does with its own queue, so that a dyno that
    /// does not read is interrupted, too.
    pub(super) fn type_signal(&mut self, key: u8) {
        self.waiting.clear();
        self.type_text(&[key]);
    }

    /// Returns when the terminal may accept held keys. One that no program has open is always ready.
    pub(super) async fn writable(&self) {
        let _ = self.master.writable().await;
    }

    /// Writes as many held keys as the terminal accepts now.
    pub(super) fn write(&mut self) {
        while !self.waiting.is_empty() {
            let (front, _) = self.waiting.as_slices();
            let written = match self.master.try_write(front) {
                // Tokio does not know yet that the terminal accepts keys. These may be the last ones before their client
                // is gone.
                Err(error) if error.kind() == ErrorKind::WouldBlock => write(&self.master, front),
                written => written.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))),
            };
            match written {
                Ok(count @ 1..) => drop(self.waiting.drain(..count)),
                Err(Errno::EAGAIN) if self.is_held() => return,
                Err(Errno::EINTR) => {}
                // No program has the terminal open any more.
                Ok(0) | Err(_) => self.waiting.clear(),
            }
        }
    }

    /// Whether some program has the terminal open. If none has and the terminal is full, writes would fail with EAGAIN for
    /// ever.
    fn is_held(&self) -> bool {
        let mut fds = [PollFd::new(self.master.as_fd(), PollFlags::empty())];
        let _ = poll(&mut fds, PollTimeout::ZERO);
        let [events] = fds.map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
        !events.contains(PollFlags::POLLHUP)
    }
}
