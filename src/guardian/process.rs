//! The guardian's own life: one loop over the socket and the ends of children.
//!
//! One thread, no runtime. It sleeps without a timeout unless a run is ending; then it looks every 20 ms, because
//! the end of a process that is not our child wakes nobody.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{chdir, setsid};

use super::limits::Limits;
use super::protocol::{HEADER_BYTES, Header, Message, Request};
use super::runs::{Finding, Runs, Scope};
use super::spawn::Spawner;
use super::sweep::sweep;
use super::sys;
use super::terminal_modes::MindedTerminal;
use crate::app::{ExitStatus, RunId};

/// Pause between two looks at runs that are ending.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Most bytes of messages that wait for the spawns still asked for: sixteen that something runs. `dyno` has up to 32
/// spawns asked for at a time, so it has time to ask for more.
const BATCH_BYTES: usize = 16 * (HEADER_BYTES + 4);

/// The socket to `dyno` is closed, or it speaks no sense: either way nobody waits for us any more.
struct Disconnected;

struct GuardianProcess {
    socket: OwnedFd,
    child_ended: SignalFd,
    runs: Runs,
    spawner: Spawner,
    /// The user's terminal, while its modes are changed.
    terminal: Option<MindedTerminal>,
    /// When to look at the runs that are ending; None: there are none.
    look_at: Option<Instant>,
    /// Messages that were not sent yet.
    outgoing: Vec<u8>,
    /// The sweep was asked for, and its outcome was told.
    swept: bool,
}

/// Runs the guardian until the sweep was asked for or `dyno` is gone. The caller then ends the process.
///
/// Call it in the forked child only, with all signals blocked.
pub(super) fn live(socket: OwnedFd, limits: Limits) -> Result<(), Errno> {
    settle()?;
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    let child_ended = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let mut guardian = GuardianProcess {
        socket,
        child_ended,
        runs: Runs::default(),
        spawner: Spawner::new(limits),
        terminal: None,
        look_at: None,
        outgoing: Vec::new(),
        swept: false,
    };
    while guardian.turn().is_ok() {}
    // Before the sweep, which may take its time: the user is back at a prompt.
    if let Some(terminal) = &guardian.terminal {
        terminal.give_back();
    }
    if !guardian.swept {
        sweep_to_the_last();
    }
    Ok(())
}

/// `dyno` is gone and nobody is told who is left: as long as it gets fewer, or others, nothing may outlive us.
fn sweep_to_the_last() {
    let mut before = sweep();
    while !before.is_empty() {
        let left = sweep();
        if left == before {
            return;
        }
        before = left;
    }
}

/// Lets go of the user's terminal, directory and streams, so that we neither hold nor disturb them.
fn settle() -> Result<(), Errno> {
    // All signals stay blocked for ever; SIGCHLD is read as a descriptor.
    sys::reset_signals();
    sys::ask_for_short_turns();
    setsid()?;
    nix::sys::prctl::set_child_subreaper(true)?;
    if let Ok(name) = CString::new("dyno-guardian") {
        nix::sys::prctl::set_name(&name)?;
    }
    chdir("/")?;
    let null = nix::fcntl::open("/dev/null", nix::fcntl::OFlag::O_RDWR, nix::sys::stat::Mode::empty())?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    Ok(())
}

impl GuardianProcess {
    fn turn(&mut self) -> Result<(), Disconnected> {
        let timeout = self.look_at.map(|at| at.saturating_duration_since(Instant::now()));
        // Rounded up: a timeout of zero would turn the last millisecond into a busy loop.
        let timeout = timeout.map_or(PollTimeout::NONE, |left| {
            PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::ZERO)
        });
        // What waits to be sent waits for other spawns only, never for something to happen.
        let timeout = if self.outgoing.is_empty() { timeout } else { PollTimeout::ZERO };
        let mut ready = [
            PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.child_ended.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut ready, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return Err(Disconnected),
        }
        let [from_dyno, _] = ready.map(|fd| fd.any().unwrap_or(true));
        if !from_dyno {
            self.flush()?;
        }
        if self.reap()? {
            self.look(Scope::LeaderGone)?;
        }
        if from_dyno {
            self.serve_one()?;
        }
        if !self.runs.need_watching() {
            self.look_at = None;
        } else if self.look_at.get_or_insert_with(|| Instant::now() + LOOK_AGAIN) <= &mut Instant::now() {
            self.look(Scope::Ending)?;
            self.look_at = Some(Instant::now() + LOOK_AGAIN);
        }
        Ok(())
    }

    /// Takes the status of every child that has ended; whether there was one.
    fn reap(&mut self) -> Result<bool, Disconnected> {
        let mut reaped = false;
        while let Ok(Some(_)) = self.child_ended.read_signal() {}
        loop {
            let (pid, exit) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, ExitStatus::Code(u8::try_from(code).unwrap_or(u8::MAX))),
                Ok(WaitStatus::Signaled(pid, signal, _)) => {
                    (pid, ExitStatus::Signal(u8::try_from(signal as i32).unwrap_or(u8::MAX)))
                }
                Ok(WaitStatus::StillAlive) => return Ok(reaped),
                Ok(_) | Err(Errno::EINTR) => continue,
                Err(_) => return Ok(reaped),
            };
            reaped = true;
            if let Some(run) = self.runs.reaped(pid) {
                self.send(run, &Message::Exited(exit))?;
            }
        }
    }

    fn look(&mut self, scope: Scope) -> Result<(), Disconnected> {
        let mut findings = Vec::new();
        self.runs.look(scope, &mut findings);
        for finding in findings {
            match finding {
                Finding::Gone(run) => self.send(run, &Message::Gone)?,
                Finding::Unkillable(run, survivor) => {
                    self.send(run, &Message::Unkillable { survivor: survivor.into_bytes() })?;
                }
            }
        }
        Ok(())
    }

    fn serve_one(&mut self) -> Result<(), Disconnected> {
        let (run, request, streams) = self.receive()?;
        match request {
            Request::Spawn(request) => {
                let message = match self.spawner.spawn(&request, &streams) {
                    Ok(pid) => {
                        let is_session = |variable: &&Vec<u8>| variable.starts_with(b"DYNO_SESSION=");
                        let session = request.environment.iter().find(is_session).and_then(|text| text.split_last());
                        let session = session.map_or(&[][..], |(_, text)| text);
                        let own_shell = request.own_shell.then(|| request.arguments.concat());
                        self.runs.add(run, pid, own_shell, request.marker, session);
                        Message::Spawned { pid: pid.as_raw() }
                    }
                    Err((stage, errno)) => Message::SpawnFailed { stage, errno: errno as i32 },
                };
                self.send(run, &message)
            }
            Request::Signal(sending) => {
                self.runs.signal(run, sending);
                Ok(())
            }
            Request::MindTerminal { before, during } => {
                let terminal = streams.into_iter().next();
                self.terminal = terminal.map(|terminal| MindedTerminal { terminal, before, during });
                Ok(())
            }
            Request::ForgetTerminal => {
                self.terminal = None;
                Ok(())
            }
            Request::Sweep => {
                let mut left = 0;
                super::descendants::for_each_own_child(|_| left += 1);
                let survivors: Vec<String> = sweep().into_iter().map(|survivor| survivor.description).collect();
                let survivors = survivors.join("\n").into_bytes();
                self.send(run, &Message::Swept { left, survivors })?;
                self.swept = true;
                Err(Disconnected)
            }
        }
    }

    /// Waits for a whole frame: `dyno` always completes one it has begun, or dies, which ends the stream.
    fn receive(&mut self) -> Result<(RunId, Request, Vec<OwnedFd>), Disconnected> {
        let mut bytes = [0; HEADER_BYTES];
        let mut streams = Vec::new();
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match sys::receive_header(self.socket.as_fd(), rest, &mut streams) {
                Ok(0) => return Err(Disconnected),
                Ok(read) => filled += read,
                Err(Errno::EINTR) => {}
                Err(_) => return Err(Disconnected),
            }
        }
        let header = Header::decode(bytes).ok_or(Disconnected)?;
        let mut payload = vec![0; header.payload_bytes as usize];
        let mut filled = 0;
        while let Some(rest) = payload.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match nix::unistd::read(&self.socket, rest) {
                Ok(0) => return Err(Disconnected),
                Ok(read) => filled += read,
                Err(Errno::EINTR) => {}
                Err(_) => return Err(Disconnected),
            }
        }
        let request = Request::decode(header.kind, &payload).ok_or(Disconnected)?;
        Ok((header.run, request, streams))
    }

    /// Sends a message after all before it. That something runs may wait for the spawns asked for behind it: each
    /// message wakes `dyno`, which takes the processor from what was just started.
    fn send(&mut self, run: RunId, message: &Message) -> Result<(), Disconnected> {
        let (kind, payload) = message.encode();
        let header = Header { kind, payload_bytes: u32::try_from(payload.len()).unwrap_or(u32::MAX), run };
        self.outgoing.extend_from_slice(&header.encode());
        self.outgoing.extend_from_slice(&payload);
        let may_wait = matches!(message, Message::Spawned { .. }) && self.outgoing.len() < BATCH_BYTES;
        if may_wait { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), Disconnected> {
        let outgoing = std::mem::take(&mut self.outgoing);
        let mut rest = outgoing.as_slice();
        while !rest.is_empty() {
            match sys::send_with_fds(self.socket.as_fd(), rest, &[]) {
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(Errno::EINTR) => {}
                Err(_) => return Err(Disconnected),
            }
        }
        Ok(())
    }
}
