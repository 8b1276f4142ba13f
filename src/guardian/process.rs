//! The guardian process: one loop that serves requests from `dyno` and reaps children.
//!
//! One thread, no async runtime. It never blocks on an exec. It sleeps without a timeout except in two cases. While
//! programs are starting, it collects finished execs for 0.5 ms at a time. While a run is ending, it scans every 20 ms,
//! because the end of a process that is not its child does not wake it.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::TimeSpec;
use nix::unistd::{chdir, setsid};

use super::limits::Limits;
use super::proc_table::stream_name;
use super::protocol::{HEADER_BYTES, Header, Message, Request, SpawnRequest};
use super::run::NewRun;
use super::runs::{ReportOfRun, Runs};
use super::spawn::Spawner;
use super::sweep::{Spared, sweep};
use super::sys;
use super::terminal_modes::RememberedTerminal;
use crate::model::{RunId, RunReport};

/// Interval between two scans while runs are ending.
const SCAN_INTERVAL: Duration = Duration::from_millis(20);

/// How long finished execs are collected before they are reported together. Reporting each one would wake the guardian
/// and then `dyno`, and both would take the processor from the programs that are starting.
const COLLECT_EXECS: Duration = Duration::from_micros(500);

/// Queued messages are sent once they reach this size, even if more requests are waiting.
const OUTGOING_BYTES: usize = 16 << 10;

/// The sweep is done, or the socket to `dyno` is closed or has delivered something that is not a request: `dyno` no
/// longer needs the guardian.
struct Disconnected;

struct GuardianProcess {
    socket: OwnedFd,
    child_ended: SignalFd,
    runs: Runs,
    spawner: Spawner,
    /// The user's terminal while `dyno` has changed its modes.
    terminal: Option<RememberedTerminal>,
    /// When to scan again, while runs are ending. None: no run is ending.
    scan_at: Option<Instant>,
    /// When to check which execs have finished. None: their pipes are polled instead.
    collect_at: Option<Instant>,
    /// Encoded messages that have not been sent yet.
    outgoing: Vec<u8>,
    /// `dyno` has requested the sweep and got the result.
    swept: bool,
}

/// Runs the guardian until `dyno` has requested the sweep or has died. The caller then exits the process.
///
/// Call it only in the forked child, with all signals blocked.
pub(super) fn run(socket: OwnedFd, limits: Limits) -> Result<(), Errno> {
    settle(socket.as_fd())?;
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    let child_ended = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let mut guardian = GuardianProcess {
        socket,
        child_ended,
        runs: Runs::default(),
        spawner: Spawner::new(limits),
        terminal: None,
        scan_at: None,
        collect_at: None,
        outgoing: Vec::new(),
        swept: false,
    };
    while guardian.turn().is_ok() {}
    // Before the sweep, which can take a while: the user is already back at the shell prompt.
    if let Some(terminal) = &guardian.terminal {
        terminal.give_back();
    }
    if !guardian.swept {
        sweep_while_it_helps();
    }
    Ok(())
}

/// `dyno` has died, so survivors cannot be reported. Sweeps again as long as that makes a difference.
fn sweep_while_it_helps() {
    let mut before = sweep(&Spared::default());
    while !before.is_empty() {
        let left = sweep(&Spared::default());
        if left == before {
            return;
        }
        before = left;
    }
}

/// Detaches from the user's terminal, working directory and descriptors.
fn settle(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    sys::close_all_but(socket);
    // All signals stay blocked. SIGCHLD is read from a signalfd.
    sys::reset_signals();
    sys::request_short_time_slices();
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
        if self.wait()? {
            // Every request in the socket is read before one scan carries them all out.
            return self.serve_one();
        }
        let has_reaped = self.reap();
        let is_scan_due = self.scan_at.is_some_and(|at| at <= Instant::now());
        let needs_scan = self.runs.need_scan() || (self.runs.need_watching() && (has_reaped || is_scan_due));
        // After reaping: the exec of a child that has ended has finished, too, and a failed exec is not an exit.
        if needs_scan || has_reaped || self.collect_at.is_none_or(|at| at <= Instant::now()) {
            self.report_executed()?;
        }
        if needs_scan {
            self.scan()?;
        }
        if self.scan_at.is_none() && self.runs.need_watching() {
            self.scan_at = Some(Instant::now() + SCAN_INTERVAL);
        }
        self.flush()
    }

    /// Waits until there is something to do. Returns whether `dyno` has sent something.
    fn wait(&self) -> Result<bool, Disconnected> {
        // Messages are held back only while more requests are in the socket.
        let may_sleep = self.outgoing.is_empty() && !self.runs.need_scan();
        let due = if may_sleep { self.scan_at.into_iter().chain(self.collect_at).min() } else { Some(Instant::now()) };
        let timeout = due.map(|at| TimeSpec::from_duration(at.saturating_duration_since(Instant::now())));
        let mut ready = vec![
            PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.child_ended.as_fd(), PollFlags::POLLIN),
        ];
        if self.collect_at.is_none() {
            ready.extend(self.runs.executions().map(|execution| PollFd::new(execution.as_fd(), PollFlags::POLLIN)));
        }
        match ppoll(&mut ready, timeout, None) {
            Ok(_) | Err(Errno::EINTR | Errno::EAGAIN | Errno::ENOMEM) => {}
            Err(_) => return Err(Disconnected),
        }
        Ok(ready.first().is_none_or(|socket| socket.any().unwrap_or(true)))
    }

    /// Keeps collecting while execs are finishing. The pipe of one that takes longer is polled, so that the guardian
    /// can sleep.
    fn report_executed(&mut self) -> Result<(), Disconnected> {
        let mut findings = Vec::new();
        self.runs.take_executed(&mut findings);
        let more_will_follow = !findings.is_empty() && self.runs.executions().next().is_some();
        self.collect_at = more_will_follow.then(|| Instant::now() + COLLECT_EXECS);
        self.report(findings)
    }

    /// Reaps every child that has ended. Returns whether there was one.
    fn reap(&mut self) -> bool {
        let mut has_reaped = false;
        while let Ok(Some(_)) = self.child_ended.read_signal() {}
        while let Ok(Some((pid, exit))) = sys::reap_any() {
            has_reaped = true;
            self.runs.reaped(pid, exit);
        }
        has_reaped
    }

    fn scan(&mut self) -> Result<(), Disconnected> {
        let mut findings = Vec::new();
        self.runs.scan(&mut findings);
        self.scan_at = match (self.runs.need_watching(), self.runs.is_eager()) {
            (true, true) => Some(Instant::now()),
            (true, false) => Some(Instant::now() + SCAN_INTERVAL),
            (false, _) => None,
        };
        self.report(findings)
    }

    fn report(&mut self, findings: Vec<ReportOfRun>) -> Result<(), Disconnected> {
        for (run, report) in findings {
            self.send(&Message::Run(run, report))?;
        }
        Ok(())
    }

    fn spawn(&mut self, run: RunId, request: &Rc<SpawnRequest>, streams: &[OwnedFd]) -> Result<(), Disconnected> {
        let started = sys::ticks_since_boot();
        let process = match self.spawner.spawn(request, streams) {
            Ok(process) => process,
            Err(failure) => return self.report(vec![(run, RunReport::SpawnFailed(failure.describe(request)))]),
        };
        let is_session = |variable: &&Vec<u8>| variable.starts_with(b"DYNO_SESSION=");
        let session = request.environment.iter().find(is_session).and_then(|text| text.split_last());
        let session = session.map_or(&[][..], |(_, text)| text);
        let new = NewRun {
            id: run,
            leader: process.pid,
            execution: Some(process.execution),
            started,
            own_shell: request.own_shell.then(|| request.arguments.concat()),
            dyno: request.dyno.clone(),
            streams: streams.iter().filter_map(|stream| stream_name(stream.as_fd())).collect(),
            port: request.port,
        };
        self.runs.add(new, session);
        self.collect_at.get_or_insert_with(|| Instant::now() + COLLECT_EXECS);
        Ok(())
    }

    fn serve_one(&mut self) -> Result<(), Disconnected> {
        let (run, request, streams) = self.receive()?;
        match request {
            Request::Spawn(request) => self.spawn(run, &Rc::new(request), &streams),
            Request::Signal(order) => {
                self.runs.order(run, order);
                Ok(())
            }
            Request::RememberTerminal { before, during } => {
                let terminal = streams.into_iter().next();
                self.terminal = terminal.map(|terminal| RememberedTerminal { terminal, before, during });
                Ok(())
            }
            Request::ForgetTerminal => {
                self.terminal = None;
                Ok(())
            }
            Request::Sweep => {
                self.reap();
                let mut left = 0;
                super::proc_table::for_each_own_child(|_| left += 1);
                let survivors = sweep(&Spared::default()).into_iter().map(|survivor| survivor.description).collect();
                self.send(&Message::Swept { left, survivors })?;
                self.flush()?;
                self.swept = true;
                Err(Disconnected)
            }
        }
    }

    /// Reads one whole frame. This cannot block for long: `dyno` completes every frame it begins, or dies, which ends
    /// the stream.
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

    /// Queues a message. It is sent when no more requests are in the socket.
    fn send(&mut self, message: &Message) -> Result<(), Disconnected> {
        self.outgoing.append(&mut message.encode());
        if self.outgoing.len() < OUTGOING_BYTES { Ok(()) } else { self.flush() }
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
