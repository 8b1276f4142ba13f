//! `dyno`'s side of the guardian: asking, and hearing what happened.
//!
//! Never blocks: what the socket does not take now waits in a queue, so neither side can wait for the other. The
//! caller (`runtime`) waits for the socket to become ready and calls [`Guardian::flush`] and [`Guardian::receive`].

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
use super::protocol::{HEADER_BYTES, Header, MAX_PAYLOAD_BYTES, Message, Request, Sending, Stage};
use super::spawn_request::spawn_request;
use super::sweep::{Spared, Survivor, sweep};
use super::sys;
use super::terminal_modes::TerminalModes;
use crate::app::{DynoSpec, ExitStatus, LeftRunning, RunId, SpawnSpec};
use crate::error::Status;

/// How long the guardian may take to end once it is let go: what it takes to call a process unkillable, and a second.
const LETS_GO_WITHIN: Duration = Duration::from_secs(3);

/// Why a process was not started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpawnError {
    stage: Stage,
    errno: Errno,
}

impl SpawnError {
    /// The reason in words. `spec`: what was to run.
    #[must_use]
    pub fn describe(&self, spec: &DynoSpec) -> String {
        let reason = self.errno.desc();
        match (self.stage, self.errno) {
            (Stage::Fork, Errno::EAGAIN) => {
                format!("cannot start another process: the system's or the user's limit is reached ({reason})")
            }
            (Stage::Fork, _) => format!("cannot start another process: {reason}"),
            (Stage::Directory, _) => format!("cannot enter the directory `{}`: {reason}", spec.directory.display()),
            (Stage::Exec, Errno::E2BIG) => {
                format!("the command line and the environment together are too long for the system ({reason})")
            }
            (Stage::Exec, _) => format!("cannot execute `{}`: {reason}", spec.shell.path()),
            (Stage::Setup, _) => format!("cannot prepare the process: {reason}"),
        }
    }
}

/// What the guardian reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Its exec succeeded.
    Spawned(RunId, i32),
    /// Nothing of it exists.
    SpawnFailed(RunId, SpawnError),
    /// The leader ended, and left these processes running if nothing had asked it to end.
    Exited(RunId, ExitStatus, Vec<LeftRunning>),
    /// This run is gone, and it or another of these dynos left a process running that belongs to no run for certain.
    LeftBehind(RunId, Vec<String>, LeftRunning),
    /// Nothing of it is left.
    Gone(RunId),
    /// It was killed 2 s ago and something is still there: `pid (command)`.
    Unkillable(RunId, String),
    /// The sweep is over.
    Swept {
        /// Processes that dynos had left behind and that no run accounted for.
        left: u32,
        /// Processes that could not be killed.
        survivors: Vec<String>,
    },
}

/// The guardian is gone: its socket is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the guardian process was lost")]
pub struct Lost;

enum Outgoing {
    Spawn(SpawnSpec, Vec<OwnedFd>),
    Signal(RunId, Sending),
    MindTerminal(OwnedFd, TerminalModes, TerminalModes),
    ForgetTerminal,
    Sweep,
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
    /// EAGAIN or ENOMEM: no process or socket could be made.
    pub fn start(limits: Limits) -> Result<Self, Errno> {
        let spared = Spared::present();
        nix::sys::prctl::set_child_subreaper(true)?;
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?;
        match sys::fork_process()? {
            ForkResult::Child => {
                drop(ours);
                let status = if process::live(theirs, limits).is_ok() { 0 } else { Status::Internal.code() };
                sys::exit_at_once(status.into())
            }
            ForkResult::Parent { child } => {
                fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
                let (queue, sending, received) = (VecDeque::new(), Vec::new(), Vec::new());
                Ok(Self { socket: ours, pid: child, spared, queue, sending, received })
            }
        }
    }

    /// Asks for a process. `streams`: the one terminal for all, or stdin and the output, or all three.
    pub fn spawn(&mut self, spec: SpawnSpec, streams: Vec<OwnedFd>) {
        self.queue.push_back(Outgoing::Spawn(spec, streams));
    }

    /// Asks a run to stop: the signal and SIGCONT, once to each process, in the order of S6.6 or to `everything` at once.
    pub fn stop(&mut self, run: RunId, signal: i32, everything: bool) {
        self.queue.push_back(Outgoing::Signal(run, Sending::Stop { signal, everything }));
    }

    /// Sends the stop signal to all of a run that have not had it.
    pub fn stop_rest(&mut self, run: RunId) {
        self.queue.push_back(Outgoing::Signal(run, Sending::StopRest));
    }

    /// Kills all that is left of a run, again and again until nothing is.
    pub fn kill(&mut self, run: RunId) {
        self.queue.push_back(Outgoing::Signal(run, Sending::Kill));
    }

    /// Sends a signal to all that is left of a run.
    pub fn signal(&mut self, run: RunId, signal: i32) {
        self.queue.push_back(Outgoing::Signal(run, Sending::All(signal)));
    }

    /// Sends a signal to all that is left of a run but a leader that is a shell of ours.
    pub fn signal_sparing_shell(&mut self, run: RunId, signal: i32) {
        self.queue.push_back(Outgoing::Signal(run, Sending::SpareShell(signal)));
    }

    /// Hands over a terminal whose modes are about to change from `before` to `during`: they are given back when `dyno`
    /// is killed.
    pub fn mind_terminal(&mut self, terminal: OwnedFd, before: TerminalModes, during: TerminalModes) {
        self.queue.push_back(Outgoing::MindTerminal(terminal, before, during));
    }

    /// The modes are back; the guardian lets go of the terminal.
    pub fn forget_terminal(&mut self) {
        self.queue.push_back(Outgoing::ForgetTerminal);
    }

    /// Asks for the end: every descendant is killed, then [`Report::Swept`], then the socket closes.
    pub fn sweep(&mut self) {
        self.queue.push_back(Outgoing::Sweep);
    }

    /// Whether [`Guardian::flush`] has something to send.
    #[must_use]
    pub fn has_queued(&self) -> bool {
        !self.queue.is_empty() || !self.sending.is_empty()
    }

    /// Sends what the socket takes now.
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
            let (run, request, streams) = match &next {
                Outgoing::Spawn(spec, streams) => {
                    (spec.run, Request::Spawn(spawn_request(&spec.spec)), streams.as_slice())
                }
                Outgoing::Signal(run, sending) => (*run, Request::Signal(*sending), &[][..]),
                Outgoing::MindTerminal(terminal, before, during) => {
                    let request = Request::MindTerminal { before: *before, during: *during };
                    (RunId(0), request, std::slice::from_ref(terminal))
                }
                Outgoing::ForgetTerminal => (RunId(0), Request::ForgetTerminal, &[][..]),
                Outgoing::Sweep => (RunId(0), Request::Sweep, &[][..]),
            };
            let frame = frame(run, &request);
            match sys::send_with_fds(self.socket.as_fd(), &frame, streams) {
                Ok(sent) => self.sending = frame.get(sent..).unwrap_or_default().to_vec(),
                Err(Errno::EAGAIN) => {
                    self.queue.push_front(next);
                    return Ok(());
                }
                Err(Errno::EINTR) => self.queue.push_front(next),
                Err(_) => return Err(Lost),
            }
        }
    }

    /// The reports that have arrived; reads until the socket has no more.
    ///
    /// # Errors
    /// [`Lost`] once the guardian is gone and all its reports were taken.
    pub fn receive(&mut self, reports: &mut Vec<Report>) -> Result<(), Lost> {
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
        let before = reports.len();
        let mut rest = self.received.as_slice();
        while let Some((report, after)) = parse(rest) {
            reports.extend(report);
            rest = after;
        }
        self.received = rest.to_vec();
        if open || reports.len() > before { Ok(()) } else { Err(Lost) }
    }

    /// Takes the place of a guardian that is lost or does not answer: kills it, then all that descends from a dyno.
    ///
    /// Returns what is left after 2 s.
    #[must_use]
    pub fn sweep_in_its_place(&self) -> Vec<Survivor> {
        sys::send(self.pid, libc::SIGKILL);
        self.reap();
        sweep(&self.spared)
    }

    /// Waits until the guardian has ended and takes its status. Call it after [`Lost`] or a SIGKILL.
    pub fn reap(&self) {
        sys::reap_when_ended(self.pid);
    }
}

impl Drop for Guardian {
    /// Lets the guardian go and waits for its end, so that none is seen after `dyno` itself has ended. At once where
    /// it was reaped before. One that somebody has stopped is killed.
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
    /// Whether its end closes the socket in time; what it still says is for nobody.
    fn hangs_up(&self) -> bool {
        let deadline = Instant::now() + LETS_GO_WITHIN;
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

fn frame(run: RunId, request: &Request) -> Vec<u8> {
    let (kind, mut payload) = request.encode();
    if payload.len() > MAX_PAYLOAD_BYTES {
        // The guardian answers a spawn without words with EINVAL; E2BIG is what exec would have said, and the
        // sizes are checked before anything starts (S2.9). Kept as the last line of defence.
        payload.clear();
    }
    let header = Header { kind, payload_bytes: u32::try_from(payload.len()).unwrap_or(0), run };
    let mut frame = header.encode().to_vec();
    frame.append(&mut payload);
    frame
}

/// The first whole frame, and what follows it. None: not complete yet.
fn parse(bytes: &[u8]) -> Option<(Option<Report>, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let header = Header::decode(*head)?;
    let (payload, rest) = rest.split_at_checked(header.payload_bytes as usize)?;
    let run = header.run;
    let report = Message::decode(header.kind, payload).map(|message| match message {
        Message::Spawned { pid } => Report::Spawned(run, pid),
        Message::SpawnFailed { stage, errno } => {
            Report::SpawnFailed(run, SpawnError { stage, errno: Errno::from_raw(errno) })
        }
        Message::Exited { exit, left } => Report::Exited(run, exit, left),
        Message::LeftBehind { dynos, process } => Report::LeftBehind(run, dynos, process),
        Message::Gone => Report::Gone(run),
        Message::Unkillable { survivor } => Report::Unkillable(run, String::from_utf8_lossy(&survivor).into_owned()),
        Message::Swept { left, survivors } => {
            let survivors = String::from_utf8_lossy(&survivors).lines().map(str::to_owned).collect();
            Report::Swept { left, survivors }
        }
    });
    Some((report, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Focus, Shell};

    #[test]
    fn s1_6_why_a_process_was_not_started() {
        let process_type = crate::app::ProcessType::new("web").expect("a name");
        let spec = DynoSpec {
            dyno: crate::app::DynoName::new(process_type, 1),
            command_line: "web".to_owned(),
            shell: Shell::Sh,
            shell_line: b"exec web".to_vec(),
            own_shell: false,
            environment: crate::app::Environment::default(),
            awaited_port: None,
            directory: "/app".into(),
            io: crate::app::Io::Pipe,
            focus: Focus::Elsewhere,
            stdin_is_empty: false,
        };
        let told = |stage, errno| SpawnError { stage, errno }.describe(&spec);

        assert_eq!(
            told(Stage::Fork, Errno::EAGAIN),
            "cannot start another process: the system's or the user's limit is reached (Try again)"
        );
        assert_eq!(told(Stage::Fork, Errno::ENOMEM), "cannot start another process: Out of memory");
        assert_eq!(told(Stage::Directory, Errno::EACCES), "cannot enter the directory `/app`: Permission denied");
        assert_eq!(
            told(Stage::Exec, Errno::E2BIG),
            "the command line and the environment together are too long for the system (Argument list too long)"
        );
        assert_eq!(told(Stage::Exec, Errno::ENOENT), "cannot execute `/bin/sh`: No such file or directory");
        assert_eq!(told(Stage::Setup, Errno::EMFILE), "cannot prepare the process: Too many open files");
    }
}
