//! What is typed for one run, on its way to its terminal or to the pipe that is its stdin: by the keyboard of `--focus`
//! (`focus`), by `dyno attach` (`dyno_terminal`), or by the client of a one-off dyno (`attached_session`).

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::write;
use tokio::net::unix::pipe::{Receiver, Sender};

use crate::guardian::{TerminalModes, drop_unread_keys, press_signal_key};

/// Bytes that are held for a run that does not read. Further ones wait where they come from, except those of `dyno attach`:
/// they are dropped, because a signal key behind them must still interrupt the dyno.
const WAITING_BYTES: usize = 1 << 20;

/// The writing side of the terminal of a run, or of its stdin.
pub(super) struct RunInput {
    writer: Sender,
    waiting: VecDeque<u8>,
}

impl RunInput {
    /// `stream`: the master of the terminal.
    ///
    /// # Errors
    /// We have run out of descriptors.
    pub(super) fn of_terminal(stream: &Receiver) -> std::io::Result<Self> {
        Self::new(stream.as_fd().try_clone_to_owned()?)
    }

    /// `writer`: the master of a terminal, or the writing end of a pipe.
    ///
    /// # Errors
    /// The system refused to watch it.
    pub(super) fn new(writer: OwnedFd) -> std::io::Result<Self> {
        Ok(Self { writer: Sender::from_owned_fd_unchecked(writer)?, waiting: VecDeque::new() })
    }

    /// Whether more may come.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < WAITING_BYTES
    }

    /// Whether something is held.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Types this.
    pub(super) fn type_text(&mut self, text: &[u8]) {
        self.waiting.extend(text);
        self.write();
    }

    /// Types a key that means a signal. What is held and what was not read is dropped, as the system itself does as soon as it
    /// reads the key. Behind a full queue it would never read it, and a dyno that does not read must be interrupted, too.
    pub(super) fn type_signal(&mut self, key: u8) {
        self.drop_keys();
        self.type_text(&[key]);
    }

    fn drop_keys(&mut self) {
        self.waiting.clear();
        // If the system cannot do that, a queue that is not full is enough.
        let _ = drop_unread_keys(&self.writer);
    }

    /// Types these keys up to the first one that means a signal, and that one. Returns the signal and the keys after it. Text
    /// for which there is no room is dropped. `sends_signals`: whether the terminal sends the signal itself, to the processes
    /// whose session it controls. Otherwise the key is only echoed: the system would read a typed key later than the processes get our signal,
    /// and would then drop what they have printed meanwhile.
    pub(super) fn type_to_signal<'a>(&mut self, keys: &'a [u8], sends_signals: bool) -> (Option<i32>, &'a [u8]) {
        // Each time, because a program that gets a signal may change the modes.
        let modes = TerminalModes::of(&self.writer).ok();
        let signal_of = |key: &u8| modes.and_then(|modes| modes.signal_of(*key));
        let at = keys.iter().position(|key| signal_of(key).is_some()).unwrap_or(keys.len());
        let (text, rest) = keys.split_at_checked(at).unwrap_or((keys, &[]));
        if !text.is_empty() && self.has_room() {
            self.type_text(text);
        }
        let Some((key, rest)) = rest.split_first() else { return (None, &[]) };
        if sends_signals {
            self.type_signal(*key);
        } else {
            self.drop_keys();
            let echoes = modes.is_some_and(|modes| modes.echoes());
            let _ = press_signal_key(&self.writer, *key, echoes);
        }
        (signal_of(key), rest)
    }

    /// Returns when the run may accept what is held. A terminal that no program has open is always ready.
    pub(super) async fn writable(&self) {
        let _ = self.writer.writable().await;
    }

    /// Writes as much of what is held as the run accepts now.
    pub(super) fn write(&mut self) {
        while !self.waiting.is_empty() {
            let (front, _) = self.waiting.as_slices();
            let written = match self.writer.try_write(front) {
                // Tokio does not know yet that it is ready. These may be the last keys before their client is gone.
                Err(error) if error.kind() == ErrorKind::WouldBlock => write(&self.writer, front),
                written => written.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))),
            };
            match written {
                Ok(count @ 1..) => drop(self.waiting.drain(..count)),
                Err(Errno::EAGAIN) if self.is_held() => return,
                Err(Errno::EINTR) => {}
                // No program has it open any more.
                Ok(0) | Err(_) => self.waiting.clear(),
            }
        }
    }

    /// Whether some program has the terminal open. If none has and the terminal is full, writes would fail with EAGAIN for
    /// ever.
    fn is_held(&self) -> bool {
        let mut fds = [PollFd::new(self.writer.as_fd(), PollFlags::empty())];
        let _ = poll(&mut fds, PollTimeout::ZERO);
        let [events] = fds.map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
        !events.contains(PollFlags::POLLHUP)
    }
}

/// Returns when a run may accept what is held for it. Never returns without one.
pub(super) async fn writable(input: Option<&RunInput>) {
    match input {
        Some(input) => input.writable().await,
        None => std::future::pending().await,
    }
}
