//! The side of `dyno attach` (S10.5): the connection to a start, the terminal of the person, and the signals that end it.
//!
//! Blocks, like `api_client`. A guardian without dynos restores the modes of the terminal if `dyno attach` is killed.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{getpgrp, tcgetpgrp};

use super::terminal_requests::TERMINAL_PROTOCOL;
use crate::api::StartDescription;
use crate::guardian::{Guardian, Limits, TerminalModes, terminal_size};
use crate::model::PtySize;
use crate::runtime::api_client::no_answer;
use crate::runtime::{ANSWERS_WITHIN, ClientAnswer, NoAnswer, RuntimeDirectory};
use crate::supervisor::UserSignal;
use crate::terminal::{AttachFrame, FrameDecoder, TerminalFrame};

/// Bytes per read.
const READ_BYTES: usize = 64 << 10;

/// The most bytes of the answer that begins a connection, or says why there is none.
const MAX_HEAD: usize = 64 << 10;

/// Bytes of keys that wait for a dyno that does not read. As long as there are fewer, the detach keys work.
const MAX_PENDING: usize = 1 << 20;

/// A connection that carries the terminal of a dyno.
pub struct AttachConnection {
    stream: UnixStream,
    received: FrameDecoder,
    /// What the start does not accept yet, because the dyno does not read its keys.
    pending: Vec<u8>,
}

impl RuntimeDirectory {
    /// Asks for the terminal of a dyno. The inner error is the answer of the start if it refuses.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn attach(
        &self,
        start: &StartDescription,
        path: &str,
        body: &[u8],
    ) -> Result<Result<AttachConnection, ClientAnswer>, NoAnswer> {
        let began = Instant::now();
        let mut stream = self.connect(start, ANSWERS_WITHIN).map_err(no_answer)?;
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: dyno\r\nconnection: upgrade\r\nupgrade: {TERMINAL_PROTOCOL}\r\n\
             content-length: {length}\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat()).map_err(no_answer)?;
        let mut bytes = Vec::new();
        loop {
            let left = ANSWERS_WITHIN.saturating_sub(began.elapsed());
            if left.is_zero() || bytes.len() > MAX_HEAD {
                return Err(NoAnswer::Late);
            }
            stream.set_read_timeout(Some(left)).map_err(NoAnswer::Refused)?;
            // Byte by byte costs little, and what follows stays in the socket.
            let mut byte = [0];
            match stream.read(&mut byte) {
                Ok(0) => return Err(NoAnswer::Ended),
                Ok(_) => bytes.extend(byte),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(no_answer(error)),
            }
            if bytes.starts_with(b"HTTP/1.1 101 ") {
                if bytes.ends_with(b"\r\n\r\n") {
                    stream.set_nonblocking(true).map_err(NoAnswer::Refused)?;
                    let (received, pending) = (FrameDecoder::default(), Vec::new());
                    return Ok(Ok(AttachConnection { stream, received, pending }));
                }
            } else if let Some(answer) = crate::runtime::api_client::whole(&bytes) {
                return Ok(Err(answer));
            }
        }
    }
}

impl AttachConnection {
    /// Sends a frame, now or as soon as the start accepts it. If the start is gone, the next read reports that.
    pub fn send(&mut self, frame: &AttachFrame) {
        frame.encode(&mut self.pending);
        self.send_pending();
    }

    fn send_pending(&mut self) {
        while !self.pending.is_empty() {
            match self.stream.write(&self.pending) {
                Ok(count) => drop(self.pending.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.pending.clear(),
            }
        }
    }

    /// Whether more keys may be sent. If not, they wait in the terminal.
    fn has_room(&self) -> bool {
        self.pending.len() < MAX_PENDING
    }

    /// Reads once. None: the start is gone, or sent something that is not a frame.
    pub fn receive(&mut self) -> Option<Vec<TerminalFrame>> {
        let mut bytes = vec![0; READ_BYTES];
        match self.stream.read(&mut bytes) {
            Ok(0) => return None,
            Ok(count) => self.received.feed(bytes.get(..count).unwrap_or_default()),
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(_) => return None,
        }
        let mut frames = Vec::new();
        loop {
            match self.received.terminal_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return Some(frames),
                Err(_) => return None,
            }
        }
    }
}

/// The terminal of the person, in raw mode while this value exists.
pub struct UserTerminal {
    terminal: File,
    /// The same, for output. A terminal that accepts nothing must not keep a signal from ending us.
    output: File,
    before: TerminalModes,
    during: TerminalModes,
    /// Restores the modes if we are killed.
    guardian: Guardian,
}

impl UserTerminal {
    /// Whether stdin and stdout are the terminal that we are in the foreground of.
    #[must_use]
    pub fn is_there() -> bool {
        let stdin = io::stdin();
        let is_ours = match tcgetpgrp(stdin.as_fd()) {
            Ok(group) => group == getpgrp(),
            // A terminal that controls no session has no foreground.
            Err(errno) => errno == Errno::ENOTTY,
        };
        stdin.is_terminal() && io::stdout().is_terminal() && is_ours
    }

    /// Makes it raw. Call it before any thread exists, with all signals blocked.
    ///
    /// # Errors
    /// The system refused: there is no terminal, or no more processes.
    pub fn open() -> Result<Self, Errno> {
        let copy = || -> Result<OwnedFd, Errno> {
            let copy = io::stdin().as_fd().try_clone_to_owned();
            copy.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EMFILE)))
        };
        let terminal = File::from(copy()?);
        let output = open_again().or_else(|_| io::stdout().as_fd().try_clone_to_owned().map(File::from));
        let output = output.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EMFILE)))?;
        let before = TerminalModes::of(&terminal)?;
        let during = before.raw(true);
        let mut guardian = Guardian::start(Limits::raise()?)?;
        guardian.remember_terminal(copy()?, before, during);
        // Before the change, because we may be killed right after it.
        let _ = guardian.flush();
        during.set(&terminal)?;
        Ok(Self { terminal, output, before, during, guardian })
    }

    /// Its size.
    #[must_use]
    pub fn size() -> Option<PtySize> {
        terminal_size(io::stdin())
    }

    /// The keys that were pressed. None: the terminal is gone.
    pub fn keys(&mut self) -> Option<Vec<u8>> {
        let mut keys = vec![0; READ_BYTES / 16];
        match self.terminal.read(&mut keys) {
            Ok(0) => None,
            Ok(count) => {
                keys.truncate(count);
                Some(keys)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {
                Some(Vec::new())
            }
            Err(_) => None,
        }
    }

    /// Shows bytes unchanged, unless a signal that ends us comes before the terminal has accepted them.
    ///
    /// # Errors
    /// That signal, or SIGHUP if the terminal is gone.
    pub fn show(&self, bytes: &[u8], signals: &AttachedSignals) -> Result<(), UserSignal> {
        let mut rest = self.show_now(bytes)?;
        while !rest.is_empty() {
            signals.wait_for_room(self)?;
            rest = self.show_now(rest)?;
        }
        Ok(())
    }

    /// Shows as much as the terminal accepts now. Returns the rest.
    ///
    /// # Errors
    /// SIGHUP: the terminal is gone.
    pub fn show_now<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], UserSignal> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match (&self.output).write(rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Err(UserSignal::Hup),
            }
        }
        Ok(rest)
    }
}

/// The terminal of stdout once more, so that `O_NONBLOCK` does not reach the programs that share stdout with us.
fn open_again() -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    File::options().write(true).custom_flags(flags).open("/proc/self/fd/1")
}

impl Drop for UserTerminal {
    fn drop(&mut self) {
        // Another program may have set its own modes meanwhile.
        if TerminalModes::of(&self.terminal) == Ok(self.during) {
            let _ = self.before.set(&self.terminal);
        }
        self.guardian.forget_terminal();
        let _ = self.guardian.flush();
    }
}

/// The signals that matter to a client.
pub struct AttachedSignals {
    caught: SignalFd,
    /// A SIGWINCH has come while we waited for something else.
    has_resized: Cell<bool>,
}

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientEvent {
    /// Keys can be read.
    Keys,
    /// Frames can be read.
    Frames,
    /// The terminal has another size.
    Resized,
    /// A signal ends the client.
    Signal(UserSignal),
    /// The time is over.
    Nothing,
}

impl AttachedSignals {
    /// All signals must be blocked.
    ///
    /// # Errors
    /// The system refused.
    pub fn catch() -> Result<Self, Errno> {
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGWINCH, Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
            signals.add(signal);
        }
        let caught = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { caught, has_resized: Cell::new(false) })
    }

    fn next(&self) -> Option<ClientEvent> {
        let signal = self.caught.read_signal().ok()??;
        let number = i32::try_from(signal.ssi_signo).ok()?;
        Some(match number {
            libc::SIGWINCH => ClientEvent::Resized,
            libc::SIGINT => ClientEvent::Signal(UserSignal::Int),
            libc::SIGHUP => ClientEvent::Signal(UserSignal::Hup),
            libc::SIGQUIT => ClientEvent::Signal(UserSignal::Quit),
            _ => ClientEvent::Signal(UserSignal::Term),
        })
    }

    /// Waits until the terminal accepts more output.
    ///
    /// # Errors
    /// This signal ends us.
    fn wait_for_room(&self, terminal: &UserTerminal) -> Result<(), UserSignal> {
        let mut polled = [
            PollFd::new(self.caught.as_fd(), PollFlags::POLLIN),
            PollFd::new(terminal.output.as_fd(), PollFlags::POLLOUT),
        ];
        let _ = poll(&mut polled, PollTimeout::NONE);
        match self.next() {
            Some(ClientEvent::Signal(signal)) => Err(signal),
            Some(ClientEvent::Resized) => {
                self.has_resized.set(true);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Waits until something happens. Signals come first.
    #[must_use]
    pub fn wait(
        &self,
        terminal: &UserTerminal,
        connection: &mut AttachConnection,
        limit: Option<Duration>,
    ) -> ClientEvent {
        let timeout = limit.map_or(PollTimeout::NONE, |limit| {
            // Rounded up: waking up too early would only cost another round.
            PollTimeout::try_from(limit + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        });
        if self.has_resized.take() {
            return ClientEvent::Resized;
        }
        loop {
            let of_keys = if connection.has_room() { PollFlags::POLLIN } else { PollFlags::empty() };
            let to_send = if connection.pending.is_empty() { PollFlags::empty() } else { PollFlags::POLLOUT };
            let mut polled = [
                PollFd::new(self.caught.as_fd(), PollFlags::POLLIN),
                PollFd::new(terminal.terminal.as_fd(), of_keys),
                PollFd::new(connection.stream.as_fd(), PollFlags::POLLIN | to_send),
            ];
            if poll(&mut polled, timeout) == Ok(0) {
                return ClientEvent::Nothing;
            }
            let [signals, keys, frames] = polled.map(|fd| fd.any().unwrap_or(false));
            connection.send_pending();
            if signals && let Some(event) = self.next() {
                return event;
            }
            if keys {
                return ClientEvent::Keys;
            }
            if frames {
                return ClientEvent::Frames;
            }
        }
    }
}
