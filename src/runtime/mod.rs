//! The only code besides the guardian that touches the system: turns the world into events and effects into calls.
//!
//! Decides nothing: [`Supervisor`] does. One loop waits for signals, the guardian's reports, the log hub and the next
//! deadline; each becomes an event, and what the supervisor orders is performed at once. Called by `commands`.

mod ending;
mod log_hub;
mod output;
mod signals;
mod streams;
mod terminal;

use std::collections::{HashMap, VecDeque};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinSet, LocalSet};

use crate::app::{DynoName, Io, Now, RunId, SpawnSpec};
use crate::guardian::{Guardian, Lost, Report, set_terminal_size};
use crate::logs::{Formatter, LineMode, LogBlock, Source};
use crate::supervisor::{
    Effect, Event, GroupSignal, Notice, NoticeKind, Outcome, OutputLoss, Plan, Policy, SpawnFailure, Supervisor,
};

pub use ending::Ending;
pub use signals::{block_all, die_by, number as signal_number, unblock_all};
pub use terminal::{own_terminal_size, stderr_takes_text};

use log_hub::{HubEvent, LogHub};
use output::{Order, Output};
use signals::{Arrived, Signals};
use streams::{Stdin, Streams};

/// Spawns the guardian is asked for at once. More would not be started sooner: it starts one after the other.
const MAX_SPAWNS_IN_FLIGHT: usize = 16;

/// How long something that makes no progress is waited for at the end.
const STALLED_AFTER: Duration = Duration::from_secs(2);

/// Whose lines are taken but not shown.
pub type Quiet = Box<dyn Fn(&Source) -> bool + Send>;

/// All that a start needs besides the guardian.
pub struct Start {
    /// What runs.
    pub plan: Plan,
    /// By which rules.
    pub policy: Policy,
    /// How lines look.
    pub formatter: Formatter,
    /// Whose lines are not shown.
    pub quiet: Quiet,
    /// Whether dynos without a terminal read `/dev/null` instead of a pipe that never ends.
    pub null_stdin: bool,
    /// Columns of the terminal that the prefix takes away from a dyno's own.
    pub prefix_columns: u16,
}

/// Runs a formation to its end.
///
/// # Errors
/// The system refused something `dyno` itself cannot be without: a thread, a socket, the event queue.
pub fn run(start: Start, guardian: Guardian) -> std::io::Result<Ending> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let local = LocalSet::new();
    local.block_on(&tokio, async {
        let mut runtime = Runtime::new(start, guardian)?;
        let finished = runtime.until_finished().await;
        Ok(runtime.end(finished).await)
    })
}

/// Why the loop ended.
enum Finished {
    /// The supervisor says so.
    Outcome(Outcome),
    /// The guardian is gone or does not answer; its descendants are ours to sweep.
    GuardianLost,
}

/// Something to ask of the guardian, in this order.
enum Work {
    Spawn(SpawnSpec),
    Signal(RunId, GroupSignal),
}

/// A run whose guardian has not answered yet, or that lives.
struct LiveRun {
    spec: SpawnSpec,
    stream: Option<Rc<Receiver>>,
}

struct Runtime {
    supervisor: Supervisor,
    guardian: Guardian,
    /// The guardian's socket, for waiting only.
    link: UnixStream,
    signals: Signals,
    hub: LogHub,
    hub_events: UnboundedReceiver<HubEvent>,
    outputs: HashMap<DynoName, UnboundedSender<Order>>,
    tasks: JoinSet<()>,
    runs: HashMap<RunId, LiveRun>,
    work: VecDeque<Work>,
    /// Spawns that were sent and not answered.
    spawns_in_flight: usize,
    stdin: Stdin,
    prefix_columns: u16,
    began: Instant,
    /// Events that came out of performing effects.
    events: VecDeque<Event>,
    lost_output: Option<Errno>,
}

impl Runtime {
    fn new(start: Start, guardian: Guardian) -> std::io::Result<Self> {
        let signals = Signals::install()?;
        let (hub_sender, hub_events) = unbounded_channel();
        let hub = LogHub::start(start.formatter, start.quiet, hub_sender)?;
        let stdin = if start.null_stdin { Stdin::null() } else { Stdin::endless() }?;
        let link = UnixStream::from_std(guardian.as_fd().try_clone_to_owned()?.into())?;
        let mut tasks = JoinSet::new();
        let mut outputs = HashMap::new();
        for spec in start.plan.release.iter().chain(&start.plan.formation) {
            let (sender, orders) = unbounded_channel();
            tasks.spawn_local(Output::new(spec.dyno.clone(), hub.clone(), orders).live());
            outputs.insert(spec.dyno.clone(), sender);
        }
        Ok(Self {
            supervisor: Supervisor::new(start.plan, start.policy),
            guardian,
            link,
            signals,
            hub,
            hub_events,
            outputs,
            tasks,
            runs: HashMap::new(),
            work: VecDeque::new(),
            spawns_in_flight: 0,
            stdin,
            prefix_columns: start.prefix_columns,
            began: Instant::now(),
            events: VecDeque::from([Event::Boot]),
            lost_output: None,
        })
    }

    async fn until_finished(&mut self) -> Finished {
        let mut reports = Vec::new();
        loop {
            if let Some(finished) = self.handle_events() {
                return finished;
            }
            if self.send_work().is_err() {
                return Finished::GuardianLost;
            }
            let deadline = self.supervisor.next_deadline().map(|at| self.began + at);
            let sending = self.guardian.has_queued();
            tokio::select! {
                arrived = self.signals.next() => match arrived {
                    Arrived::User(signal) => self.events.push_back(Event::Signal(signal)),
                    Arrived::Resized => self.resize(),
                },
                _ = self.link.readable() => {
                    clear_readiness(&self.link, Interest::READABLE);
                    let result = self.guardian.receive(&mut reports);
                    for report in reports.drain(..) {
                        if let Some(finished) = self.report(report) {
                            return finished;
                        }
                    }
                    if result == Err(Lost) {
                        return Finished::GuardianLost;
                    }
                },
                _ = self.link.writable(), if sending => clear_readiness(&self.link, Interest::WRITABLE),
                event = self.hub_events.recv() => {
                    if let Some(HubEvent::Lost(errno)) = event {
                        self.output_lost(errno);
                    }
                },
                () = until(deadline) => self.events.push_back(Event::Tick),
            }
        }
    }

    fn now(&self) -> Now {
        Now { mono: self.began.elapsed(), wall: jiff::Timestamp::now() }
    }

    fn handle_events(&mut self) -> Option<Finished> {
        while let Some(event) = self.events.pop_front() {
            let now = self.now();
            let mut last_dyno = None;
            for effect in self.supervisor.handle(event, now) {
                if let Some(finished) = self.perform(effect, &mut last_dyno) {
                    return Some(finished);
                }
            }
        }
        None
    }

    /// Turns a report into an event, with what the streams of the run need before or after it.
    fn report(&mut self, report: Report) -> Option<Finished> {
        match report {
            Report::Spawned(run, pid) => {
                self.spawns_in_flight -= 1;
                self.events.push_back(Event::Spawned { run, pid });
                let finished = self.handle_events();
                // After the notice that it has started: its first words come second.
                self.open_stream(run);
                return finished;
            }
            Report::SpawnFailed(run, error) => {
                self.spawns_in_flight -= 1;
                let live = self.runs.remove(&run);
                let why = live.map_or_else(String::new, |live| error.describe(&live.spec.spec.directory));
                self.events.push_back(Event::SpawnFailed { run, why: SpawnFailure(why) });
            }
            Report::Exited(run, exit) => self.events.push_back(Event::Exited { run, exit }),
            Report::Gone(run) => {
                if let Some(live) = self.runs.remove(&run) {
                    self.order(&live.spec.spec.dyno, Order::Close);
                }
                self.events.push_back(Event::Gone { run });
            }
            Report::Unkillable(run, survivor) => self.events.push_back(Event::Unkillable { run, survivor }),
            // Asked for only by `end`, which hears it itself.
            Report::Swept { .. } => {}
        }
        self.handle_events()
    }

    /// `last_dyno`: whose notice came last out of the same event.
    fn perform(&mut self, effect: Effect, last_dyno: &mut Option<DynoName>) -> Option<Finished> {
        match effect {
            Effect::Spawn(spec) => self.work.push_back(Work::Spawn(spec)),
            Effect::Signal { run, signal } => self.work.push_back(Work::Signal(run, signal)),
            Effect::Notify(notice) => self.notify(notice, last_dyno),
            Effect::Suspend => self.suspend(),
            Effect::ReplaceGuardian => return Some(Finished::GuardianLost),
            Effect::Finish(outcome) => return Some(Finished::Outcome(outcome)),
        }
        None
    }

    /// Sends what the guardian takes now. A spawn waits for its turn, so that a large formation does not need all its
    /// descriptors twice at once; a signal never overtakes the spawn of its run.
    fn send_work(&mut self) -> Result<(), Lost> {
        loop {
            match self.work.front() {
                Some(Work::Spawn(_)) if self.spawns_in_flight >= MAX_SPAWNS_IN_FLIGHT => break,
                Some(_) => {}
                None => break,
            }
            match self.work.pop_front() {
                Some(Work::Spawn(spec)) => self.spawn(spec),
                Some(Work::Signal(run, signal)) => match signal {
                    GroupSignal::Stop(signal) => self.guardian.stop(run, signal),
                    GroupSignal::Kill => self.guardian.kill(run),
                    GroupSignal::Pause => self.guardian.signal(run, libc::SIGSTOP),
                    GroupSignal::Continue => self.guardian.signal(run, libc::SIGCONT),
                    GroupSignal::User(signal) => self.guardian.signal_sparing_shell(run, signal_number(signal)),
                },
                None => break,
            }
        }
        self.guardian.flush()
    }

    fn spawn(&mut self, spec: SpawnSpec) {
        let run = spec.run;
        let io = match spec.spec.io {
            Io::Pty(size) => Io::Pty(terminal::dyno_size(self.prefix_columns).unwrap_or(size)),
            other @ (Io::Pipe | Io::Inherit) => other,
        };
        let opened = Streams::open(io, &self.stdin).and_then(|streams| {
            // Not checked to be a pipe, since it may be a terminal's master: both are read alike.
            let ours = streams.ours.map(Receiver::from_owned_fd_unchecked).transpose();
            let ours = ours.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EMFILE)))?;
            Ok((ours.map(Rc::new), streams.theirs))
        });
        match opened {
            Ok((stream, theirs)) => {
                self.runs.insert(run, LiveRun { spec: spec.clone(), stream });
                self.spawns_in_flight += 1;
                self.guardian.spawn(spec, theirs);
            }
            Err(errno) => {
                let why = SpawnFailure(format!("cannot make its streams: {}", errno.desc()));
                self.events.push_back(Event::SpawnFailed { run, why });
            }
        }
    }

    fn open_stream(&self, run: RunId) {
        let Some(live) = self.runs.get(&run) else { return };
        let Some(stream) = &live.stream else { return };
        let mode = match live.spec.spec.io {
            Io::Pty(_) => LineMode::Pty,
            Io::Pipe | Io::Inherit => LineMode::Pipe,
        };
        self.order(&live.spec.spec.dyno, Order::Open(Rc::clone(stream), mode));
    }

    fn order(&self, dyno: &DynoName, order: Order) {
        if let Some(output) = self.outputs.get(dyno) {
            // Its task ends only when this sender is dropped.
            let _ = output.send(order);
        }
    }

    fn notify(&self, notice: Notice, last_dyno: &mut Option<DynoName>) {
        // The words of the platform for these belong to its own log format.
        if matches!(notice.kind, NoticeKind::Starting { .. } | NoticeKind::Up) {
            return;
        }
        let text = notice.kind.to_string();
        match (notice.about, &last_dyno) {
            (Some((dyno, _)), _) => {
                self.order(&dyno, Order::Notice(text));
                *last_dyno = Some(dyno);
            }
            // What follows from a dyno's end is said after it: through the same queue, behind its last words.
            (None, Some(dyno)) => self.order(dyno, Order::SystemLine(text)),
            (None, None) => self.system_line(text),
        }
    }

    fn system_line(&self, text: String) {
        let bytes = (text + "\n").into_bytes();
        let time = jiff::Timestamp::now();
        self.hub.notice(LogBlock { source: Source::System, time, bytes, continued: false });
    }

    fn resize(&self) {
        let Some(size) = terminal::dyno_size(self.prefix_columns) else { return };
        for live in self.runs.values() {
            if let (Io::Pty(_), Some(stream)) = (live.spec.spec.io, &live.stream) {
                // A terminal whose last process is gone has no size to change.
                let _ = set_terminal_size(stream.as_ref(), size);
            }
        }
    }

    /// Stops this process until somebody lets it go on. The guardian has the orders to stop the dynos by then.
    fn suspend(&mut self) {
        // A spawn that still waits for its turn stays behind with the signals that follow it.
        while self.send_work().is_ok() && self.guardian.has_queued() {
            terminal::wait_writable(self.guardian.as_fd());
        }
        let before = Instant::now();
        signals::stop_ourselves();
        self.events.push_back(Event::Resumed { paused_for: before.elapsed() });
    }

    fn output_lost(&mut self, errno: Errno) {
        let terminal_gone = errno == Errno::EIO && terminal::stdout_is_terminal();
        let loss = if errno == Errno::EPIPE || terminal_gone {
            OutputLoss::Closed
        } else {
            self.lost_output = Some(errno);
            OutputLoss::Failed
        };
        self.events.push_back(Event::OutputLost(loss));
    }
}

/// Lets the next wait be a real one. Before the I/O that follows, which goes on until the socket is empty or full.
fn clear_readiness(link: &UnixStream, interest: Interest) {
    let _ = link.try_io(interest, || Err::<(), _>(std::io::Error::from(std::io::ErrorKind::WouldBlock)));
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
