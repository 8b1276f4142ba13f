//! The guardian as seen from `dyno`: sends requests and receives messages.
//!
//! Sending and receiving never block: requests that the socket does not accept yet wait in a queue, so the two
//! processes cannot deadlock. The caller (`runtime`) waits until the socket is ready and calls [`Guardian::flush`] and
//! [`Guardian::receive`].

use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::{ForkResult, Pid};

use super::limits::Limits;
use super::process;
use super::protocol::{HEADER_BYTES, Header, MAX_PAYLOAD_BYTES, Message, NO_RUN, Request, frame};
use super::spawn_failure::too_long;
use super::spawn_request::spawn_request;
use super::sweep::{Spared, Survivor, sweep};
use super::sys;
use super::terminal_modes::TerminalModes;
use crate::error::Status;
use crate::model::{RunId, RunOrder, SpawnFailure, SpawnSpec};

/// How long the guardian may take to exit after its socket is shut down: 2 seconds, after which a process is
/// treated as unkillable, plus one second.
const EXIT_TIMEOUT: Duration = Duration::from_secs(3);

/// The guardian is gone and its socket is closed, or it sent something that is not a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the guardian was killed or does not answer")]
pub struct Lost;

/// A request that the socket has not accepted yet.
struct Outgoing {
    frame: Vec<u8>,
    /// The descriptors that go with it.
    streams: Vec<OwnedFd>,
}

/// The guardian process as `dyno` sees it.
pub struct Guardian {
    socket: OwnedFd,
    pid: Pid,
    spared: Spared,
    queue: VecDeque<Outgoing>,
    /// The rest of the frame that is being sent.
    sending: Vec<u8>,
    /// Bytes received of a frame that is not complete.
    received: Vec<u8>,
}

impl Guardian {
    /// Forks the guardian. Call it before any thread exists and with all signals blocked; they stay blocked there.
    ///
    /// # Errors
    /// EAGAIN or ENOMEM: no process or socket could be created.
    pub fn start(limits: Limits) -> Result<Self, Errno> {
        let spared = Spared::present();
        nix::sys::prctl::set_child_subreaper(true)?;
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?;
        match sys::fork_process()? {
            ForkResult::Child => {
                drop(ours);
                let status = if process::run(theirs, limits).is_ok() { 0 } else { Status::Internal.code() };
                sys::exit_at_once(status.into())
            }
            ForkResult::Parent { child } => {
                fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
                let (queue, sending, received) = (VecDeque::new(), Vec::new(), Vec::new());
                Ok(Self { socket: ours, pid: child, spared, queue, sending, received })
            }
        }
    }

    /// Requests the start of a process. `streams`: one terminal for all three, or stdin and one for the output, or all
    /// three.
    ///
    /// # Errors
    /// The request is larger than anything that the system could execute. Nothing is sent: the guardian treats such a
    /// frame as the end of `dyno`.
    pub fn spawn(&mut self, spec: &SpawnSpec, streams: Vec<OwnedFd>) -> Result<(), SpawnFailure> {
        let (kind, payload) = Request::Spawn(spawn_request(&spec.spec)).encode();
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(too_long());
        }
        self.queue.push_back(Outgoing { frame: frame(spec.run, kind, payload), streams });
        Ok(())
    }

    /// Orders something for the processes of a run.
    pub fn order(&mut self, run: RunId, order: RunOrder) {
        self.request(run, &Request::Signal(order), Vec::new());
    }

    /// Hands over a terminal whose modes are about to change from `before` to `during`. The guardian restores them if
    /// `dyno` is killed.
    pub fn remember_terminal(&mut self, terminal: OwnedFd, before: TerminalModes, during: TerminalModes) {
        self.request(NO_RUN, &Request::RememberTerminal { before, during }, vec![terminal]);
    }

    /// Reports that the modes are restored; the guardian closes the terminal.
    pub fn forget_terminal(&mut self) {
        self.request(NO_RUN, &Request::ForgetTerminal, Vec::new());
    }

    /// Requests the final sweep: the guardian kills every descendant, sends [`Message::Swept`] and closes the socket.
    pub fn sweep(&mut self) {
        self.request(NO_RUN, &Request::Sweep, Vec::new());
    }

    /// Queues a request of a few bytes.
    fn request(&mut self, run: RunId, request: &Request, streams: Vec<OwnedFd>) {
        let (kind, payload) = request.encode();
        self.queue.push_back(Outgoing { frame: frame(run, kind, payload), streams });
    }

    /// Whether [`Guardian::flush`] has something to send.
    #[must_use]
    pub fn has_queued(&self) -> bool {
        !self.queue.is_empty() || !self.sending.is_empty()
    }

    /// Sends as much as the socket accepts now.
    ///
    /// # Errors
    /// [`Lost`] if the guardian is gone.
    pub fn flush(&mut self) -> Result<(), Lost> {
        loop {
            while !self.sending.is_empty() {
                match sys::send_with_fds(self.socket.as_fd(), &self.sending, &[]) {
                    Ok(sent) => drop(self.sending.drain(..sent)),
                    Err(Errno::EAGAIN) => return Ok(()),
                    Err(Errno::EINTR) => {}
                    Err(_) => return Err(Lost),
                }
            }
            let Some(next) = self.queue.pop_front() else { return Ok(()) };
            match sys::send_with_fds(self.socket.as_fd(), &next.frame, &next.streams) {
                Ok(sent) => self.sending = next.frame.get(sent..).unwrap_or_default().to_vec(),
                Err(Errno::EAGAIN) => {
                    self.queue.push_front(next);
                    return Ok(());
                }
                Err(Errno::EINTR) => self.queue.push_front(next),
                Err(_) => return Err(Lost),
            }
        }
    }

    /// Appends the messages that have arrived to `messages`, even before an error.
    ///
    /// # Errors
    /// [`Lost`] if the guardian is gone and all its messages have been returned, or if bytes that are not a message have
    /// arrived. Their end could only be guessed, so that a wait for more might never end.
    pub fn receive(&mut self, messages: &mut Vec<Message>) -> Result<(), Lost> {
        let mut buffer = [0; 4096];
        let mut open = true;
        loop {
            match nix::unistd::read(&self.socket, &mut buffer) {
                Ok(0) => open = false,
                Ok(read) => {
                    self.received.extend_from_slice(buffer.get(..read).unwrap_or_default());
                    continue;
                }
                Err(Errno::EAGAIN) => {}
                Err(Errno::EINTR) => continue,
                Err(_) => open = false,
            }
            break;
        }
        let before = messages.len();
        let mut rest = self.received.as_slice();
        while let Some((message, after)) = parse(rest)? {
            messages.push(message);
            rest = after;
        }
        self.received = rest.to_vec();
        if open || messages.len() > before { Ok(()) } else { Err(Lost) }
    }

    /// Does the sweep itself if the guardian is lost or does not answer: kills the guardian, then every descendant of a
    /// dyno.
    ///
    /// Returns the processes that are left after 2 s.
    #[must_use]
    pub fn sweep_in_its_place(&self) -> Vec<Survivor> {
        sys::send(self.pid, libc::SIGKILL);
        self.reap();
        sweep(&self.spared)
    }

    /// Reaps the children that have ended, except the guardian: processes that `dyno` has adopted as a subreaper or as the
    /// first process of a container, and those that it had before it became `dyno`.
    pub fn reap_adopted(&mut self) {
        // The guardian is signalled by its pid, so it is reaped elsewhere. Once it has ended, `waitid` always returns it
        // first. Then everything is about to end, and the sweep reaps the others.
        while let Some(ended) = sys::any_ended_child().filter(|ended| *ended != self.pid) {
            sys::reap_when_ended(ended);
            self.spared.forget(ended);
        }
    }

    /// Waits until the guardian has exited, and reaps it. Call it after [`Lost`] or a SIGKILL.
    pub fn reap(&self) {
        sys::reap_when_ended(self.pid);
    }
}

impl Drop for Guardian {
    /// Shuts the socket down and waits until the guardian has exited, so that it never outlives `dyno`. Returns at once
    /// if it was reaped before. A guardian that does not exit in time, for example because it got SIGSTOP, is killed.
    fn drop(&mut self) {
        let _ = nix::sys::socket::shutdown(self.socket.as_raw_fd(), nix::sys::socket::Shutdown::Write);
        if self.hangs_up() {
            self.reap();
        } else {
            let _ = self.sweep_in_its_place();
        }
    }
}

impl Guardian {
    /// Whether the guardian closes the socket in time. Messages that it still sends are discarded.
    fn hangs_up(&self) -> bool {
        let deadline = Instant::now() + EXIT_TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut ready = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
            match poll(&mut ready, PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO)) {
                Ok(0) => return false,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return true,
            }
            match nix::unistd::read(&self.socket, &mut [0; HEADER_BYTES]) {
                Ok(0) => return true,
                Ok(_) | Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(_) => return true,
            }
        }
    }
}

impl AsFd for Guardian {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The first message, and the bytes after it. None: it is not complete yet.
///
/// # Errors
/// [`Lost`]: the bytes are not a message, and more of them would not make one.
fn parse(bytes: &[u8]) -> Result<Option<(Message, &[u8])>, Lost> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let header = Header::decode(*head).ok_or(Lost)?;
    let Some((payload, rest)) = rest.split_at_checked(header.payload_bytes as usize) else { return Ok(None) };
    let message = Message::decode(header, payload).ok_or(Lost)?;
    Ok(Some((message, rest)))
}

#[cfg(test)]
mod tests;
