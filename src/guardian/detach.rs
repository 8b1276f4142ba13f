//! Splits a detached start into two processes before it does anything else (S10.6). The caller is the process that the
//! user started: it only waits. A new process with its own session becomes the start.
//!
//! Until the caller returns, the start is its child: the caller passes signals on to it and ends in the same way, and
//! if the caller dies, every process of the start is killed. A pair of sockets connects the two. Over it the start
//! reports that all dynos are up; when one process ends, the other sees its socket closed. The start must then know
//! whether the caller has returned or was killed. The caller therefore writes a last word before it returns. That word
//! goes through a pipe of its own: in the socket it would wake the start, which could take the processor from the
//! caller between that word and its end.
//!
//! Not here: when the dynos are up (`runtime::launch`), and how the start finds out the end of the caller
//! (`caller_end`).

use std::fs;
use std::io::{ErrorKind, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::{set_child_subreaper, set_pdeathsig};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::Mode;
use nix::unistd::{ForkResult, Pid, close, dup2_stderr, dup2_stdin, dup2_stdout, getpid, getppid, setsid};

use super::caller_end::{CallerEnd, RETURNING};
use super::sweep::{Spared, sweep};
use super::sys;
use crate::error::Status;
use crate::model::ExitStatus;

/// The byte at the end of the start's message that all dynos are up.
pub const END_OF_NEWS: u8 = b'\n';
/// The longest message of the start, in bytes. The message is an address.
const MOST_NEWS: usize = 4096;
/// The signals that the caller passes on.
const PASSED_ON: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT, Signal::SIGHUP];

/// Which of the two processes this is.
pub enum Detached {
    /// The one that was called.
    Caller(WaitingCaller),
    /// The one that starts the app.
    Start(CallerLink),
}

/// Forks the process that becomes the start. Call it before any thread exists and with all signals blocked; they stay
/// blocked in both.
///
/// # Errors
/// EAGAIN, ENOMEM or EMFILE: the system has no room for another process or socket.
pub fn detach() -> Result<Detached, Errno> {
    let inherited = inherited();
    let spared = Spared::present();
    let (ours, theirs) = UnixStream::pair().map_err(|error| errno_of(&error))?;
    ours.set_nonblocking(true).map_err(|error| errno_of(&error))?;
    let (last_word, saying) = std::io::pipe().map_err(|error| errno_of(&error))?;
    // If our parent ignored this signal, we would not get the status of a child.
    sys::reset_signal(libc::SIGCHLD);
    // If the start is killed, its guardian becomes our child.
    set_child_subreaper(true)?;
    let caller = getpid();
    match sys::fork_process()? {
        ForkResult::Parent { child } => {
            let mut mask = SigSet::from_iter(PASSED_ON);
            mask.add(Signal::SIGCHLD);
            // A write that exceeds the user's limit (`ulimit -f`) then fails, as if the disk were full.
            mask.add(Signal::SIGXFSZ);
            // All other signals, such as that of Ctrl-Z, have their usual effect.
            mask.thread_set_mask()?;
            let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
            let (socket, last_word, has_passed_on) = (Some(ours), saying, false);
            Ok(Detached::Caller(WaitingCaller { socket, last_word, start: child, spared, signals, has_passed_on }))
        }
        ForkResult::Child => {
            drop((ours, saying));
            // Until the run loop watches the socket, nothing else would notice the end of the caller.
            let bound = set_pdeathsig(Signal::SIGKILL).and_then(|()| setsid());
            let caller_end = CallerEnd::of(caller, last_word);
            // The caller was alive until now.
            if bound.is_err() || getppid() != caller {
                sys::exit_at_once(Status::Internal.code().into());
            }
            Ok(Detached::Start(CallerLink { socket: theirs, caller_end, inherited }))
        }
    }
}

/// The open descriptors besides the standard streams. Empty if the system does not list them.
fn inherited() -> Vec<RawFd> {
    let Ok(listed) = fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let numbers: Vec<RawFd> = listed.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    // Reading the list opened one more descriptor, which is closed by now.
    let is_open = |fd: &RawFd| fs::symlink_metadata(format!("/proc/self/fd/{fd}")).is_ok();
    numbers.into_iter().filter(|fd| *fd > 2).filter(is_open).collect()
}

fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

/// What the caller learns about the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartNews {
    /// All dynos are up. With the message of the start: the address of the app.
    Up(String),
    /// The start has ended, and nothing of it is left.
    Ended(ExitStatus),
}

/// The caller of a start. Its end stops the start, unless [`WaitingCaller::return_to_shell`] ends it.
pub struct WaitingCaller {
    /// None: the start has closed its end.
    socket: Option<UnixStream>,
    last_word: PipeWriter,
    start: Pid,
    spared: Spared,
    signals: SignalFd,
    /// The start was asked to stop: from now on only its end matters, not what it says about its dynos.
    has_passed_on: bool,
}

impl WaitingCaller {
    /// Waits until all dynos are up or the start has ended. Passes on the signals that stop it.
    ///
    /// # Errors
    /// Those of poll(2).
    pub fn news(&mut self) -> Result<StartNews, Errno> {
        let mut news = Vec::new();
        loop {
            if let Some(exit) = self.ended() {
                return Ok(StartNews::Ended(exit));
            }
            let message = self.socket.as_ref().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN));
            self.wait(message)?;
            self.pass_on_signals();
            let Some(socket) = &mut self.socket else { continue };
            let mut bytes = [0; 256];
            match socket.read(&mut bytes) {
                // The start is ending.
                Ok(0) => self.socket = None,
                Ok(count) => news.extend_from_slice(bytes.get(..count).unwrap_or_default()),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => self.socket = None,
            }
            let is_complete = news.last() == Some(&END_OF_NEWS) || news.len() > MOST_NEWS;
            if is_complete && !self.has_passed_on {
                return Ok(StartNews::Up(String::from_utf8_lossy(&news).trim_end().to_owned()));
            }
        }
    }

    /// Ends this process with 0 and lets the start go on alone. Returns only if the start has ended meanwhile. Call it with
    /// all signals blocked: one that arrives now comes too late.
    pub fn return_to_shell(&mut self) {
        if self.last_word.write_all(RETURNING).is_ok() {
            sys::exit_at_once(0);
        }
    }

    /// Waits until this stream is writable. If a signal arrives that stops the start, passes it on and waits for the
    /// end of the start instead. Returns how the start has ended. None: it is still running, and the stream is
    /// writable.
    ///
    /// # Errors
    /// Those of poll(2).
    pub fn wait_for_reader(&mut self, stream: BorrowedFd<'_>) -> Result<Option<ExitStatus>, Errno> {
        loop {
            if let Some(exit) = self.ended() {
                return Ok(Some(exit));
            }
            let room = (!self.has_passed_on).then(|| PollFd::new(stream, PollFlags::POLLOUT));
            let has_room = self.wait(room)?;
            self.pass_on_signals();
            if has_room && !self.has_passed_on {
                return Ok(None);
            }
        }
    }

    /// Stops the start, and waits for its end. Signals that arrive meanwhile are passed on: a second one kills its dynos.
    ///
    /// # Errors
    /// Those of poll(2).
    pub fn stop(&mut self) -> Result<(), Errno> {
        // As in `pass_on`.
        sys::send(self.start, libc::SIGTERM);
        self.has_passed_on = true;
        self.news().map(drop)
    }

    fn pass_on_signals(&mut self) {
        while let Ok(Some(signal)) = self.signals.read_signal() {
            self.pass_on(signal.ssi_signo);
        }
    }

    fn pass_on(&mut self, signal: u32) {
        let Ok(signal) = i32::try_from(signal) else { return };
        let is_for_start = PASSED_ON.iter().any(|known| *known as i32 == signal);
        // Under `nohup` a HUP is ignored, but we receive it because it is blocked. The start handles the other signals
        // even if they are ignored, as in a background job of a script.
        let is_ignored = signal == libc::SIGHUP && sys::is_ignored(signal);
        if is_for_start && !is_ignored {
            // Its pid cannot be reused: it is our own child, which is not reaped yet.
            sys::send(self.start, signal);
            self.has_passed_on = true;
        }
    }

    /// The status of the start, if it has ended. By then, no process that it left is running any longer.
    fn ended(&self) -> Option<ExitStatus> {
        while let Ok(Some((pid, exit))) = sys::reap_any() {
            if pid == self.start {
                // Something is left only if the start was killed: we inherit its guardian, or the dynos if that was
                // killed, too.
                let _ = sweep(&self.spared);
                return Some(exit);
            }
        }
        None
    }

    /// Waits for a signal, the end of a child, or until `other` is ready. Returns whether `other` is ready.
    fn wait(&self, other: Option<PollFd<'_>>) -> Result<bool, Errno> {
        let mut ready = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        ready.extend(other);
        match poll(&mut ready, PollTimeout::NONE) {
            Ok(_) => Ok(ready.get(1).is_some_and(|other| other.any() == Some(true))),
            Err(Errno::EINTR | Errno::EAGAIN | Errno::ENOMEM) => Ok(false),
            Err(errno) => Err(errno),
        }
    }
}

/// The start's side of the connection to its caller.
pub struct CallerLink {
    socket: UnixStream,
    caller_end: CallerEnd,
    inherited: Vec<RawFd>,
}

/// What the start has inherited from its caller: the standard streams and all other descriptors that were open.
pub struct BorrowedStreams {
    inherited: Vec<RawFd>,
    null: OwnedFd,
}

impl CallerLink {
    /// The socket to the caller; it is closed when the caller is gone. Watch it from now on: the death of the caller no
    /// longer kills the start.
    ///
    /// # Errors
    /// EMFILE, or `/dev/null` is missing.
    pub fn watched(self) -> Result<(UnixStream, CallerEnd, BorrowedStreams), Errno> {
        let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
        set_pdeathsig(None)?;
        Ok((self.socket, self.caller_end, BorrowedStreams { inherited: self.inherited, null }))
    }

    /// Gives back what belongs to the caller, lets it print this and return, and waits for that. False: it was killed instead.
    ///
    /// # Errors
    /// As for [`Self::watched`]. The caller then reports how we end.
    pub fn let_caller_return(self, news: &str) -> Result<bool, Errno> {
        let (mut socket, caller_end, streams) = self.watched()?;
        streams.give_back()?;
        let news = [news.as_bytes(), &[END_OF_NEWS]].concat();
        if socket.write_all(&news).is_err() {
            return Ok(false);
        }
        // It never writes to the socket.
        while socket.read(&mut [0; 1]).is_err_and(|error| error.kind() == ErrorKind::Interrupted) {}
        Ok(caller_end.is_return())
    }
}

impl BorrowedStreams {
    /// Closes them, so that a reader of the caller's output no longer waits for us.
    ///
    /// # Errors
    /// Those of dup2(2).
    pub fn give_back(self) -> Result<(), Errno> {
        dup2_stdin(&self.null)?;
        dup2_stdout(&self.null)?;
        dup2_stderr(&self.null)?;
        for fd in self.inherited {
            // The number still means the inherited descriptor, because nothing else closes inherited descriptors.
            let _ = close(fd);
        }
        Ok(())
    }
}
