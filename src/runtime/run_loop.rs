//! The loop: waits for signals, reports of the guardian, the log hub and the next deadline, and makes events of them.
//!
//! What the supervisor orders in return is performed by `effects`, how it all ends is in `ending`.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Instant;

use nix::errno::Errno;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::focus::{Keyboard, Keys, Pressed, Typed};
use super::focused::Focused;
use super::http_probe::HttpProbes;
use super::listening::{Found, Listening};
use super::log_hub::{HubEvent, LogHub, Receivers, Screen};
use super::output::{Backlog, Order, Output};
use super::signals::{Arrived, Signals};
use super::streams::Stdin;
use super::{PhaseMark, SmokeStart, Start};
use crate::app::{DynoName, Focus, Now, RunId, SpawnSpec};
use crate::guardian::{Guardian, Lost, Report, is_ignored};
use crate::supervisor::{
    Director, Event, GroupSignal, Key, NoticeStyle, Outcome, OutputLoss, Smoke, SpawnFailure, Supervisor, UserSignal,
};

/// Why the loop ended.
pub(super) enum Finished {
    /// The supervisor says so.
    Outcome(Outcome),
    /// The guardian is gone or does not answer; its descendants are ours to sweep.
    GuardianLost,
}

/// Something to ask of the guardian, in this order.
pub(super) enum Work {
    Spawn(SpawnSpec),
    Signal(RunId, GroupSignal),
}

/// A run whose guardian has not answered yet, or that lives.
pub(super) struct LiveRun {
    pub(super) spec: SpawnSpec,
    pub(super) stream: Option<Rc<Receiver>>,
    /// Its terminal has no end before it is gone.
    pub(super) _kept_open: Option<OwnedFd>,
    /// Its leader; None before the guardian has told.
    pub(super) pid: Option<i32>,
}

pub(super) struct Runtime {
    pub(super) director: Director,
    pub(super) notices: NoticeStyle,
    pub(super) guardian: Guardian,
    /// The guardian's socket, for waiting only.
    pub(super) link: UnixStream,
    pub(super) signals: Signals,
    pub(super) hub: LogHub,
    pub(super) hub_events: UnboundedReceiver<HubEvent>,
    pub(super) outputs: HashMap<DynoName, UnboundedSender<Order>>,
    /// What these were sent and have not done.
    pub(super) backlog: Backlog,
    pub(super) tasks: JoinSet<()>,
    pub(super) runs: HashMap<RunId, LiveRun>,
    pub(super) listening: Listening,
    pub(super) http: HttpProbes,
    pub(super) phase_mark: Option<PhaseMark>,
    /// About whom something was said last; kept where phases are marked.
    pub(super) told_last: Option<DynoName>,
    pub(super) work: VecDeque<Work>,
    /// Spawns that were sent and not answered.
    pub(super) spawns_in_flight: usize,
    pub(super) stdin: Stdin,
    /// The user's, where a dyno has it.
    pub(super) keyboard: Option<Keyboard>,
    pub(super) prefix_columns: u16,
    pub(super) began: Instant,
    /// Events that came out of performing effects.
    pub(super) events: VecDeque<Event>,
    /// Asked at the start: a terminal that is gone does not say any more that it was one.
    shows_on_terminal: bool,
    /// Lines go to a terminal as they are: a `\r` of a pipe would overwrite the prefix.
    pub(super) terminal_takes_lines: bool,
    /// Whether files get all bytes besides.
    pub(super) keeps_files: bool,
    /// What could not be written, and why.
    pub(super) lost_output: Option<String>,
}

impl Runtime {
    pub(super) fn new(start: Start, guardian: Guardian) -> std::io::Result<Self> {
        let signals = Signals::install()?;
        let (hub_sender, hub_events) = unbounded_channel();
        let screen = if start.smoke.is_some() { Screen::Stderr } else { Screen::Stdout };
        let shows_on_terminal = screen.is_terminal();
        let terminal_takes_lines = shows_on_terminal && start.smoke.is_none();
        let mut specs = start.plan.release.iter().chain(&start.plan.formation);
        let focused = specs.find(|spec| spec.focus != Focus::Elsewhere);
        let keyboard = match focused.map_or(Focus::Elsewhere, |spec| spec.focus) {
            Focus::Keyboard => Some(Keyboard::open()?),
            Focus::Elsewhere | Focus::Stdin => None,
        };
        let seen_as_it_is = focused.filter(|_| shows_on_terminal).map(|spec| spec.dyno.clone());
        let keeps_files = start.files.is_some();
        let begins_lines = keyboard.as_ref().is_some_and(Keyboard::shares_output);
        let focused = seen_as_it_is.clone().map(|dyno| Focused::new(dyno, begins_lines, keeps_files));
        let (formatter, quiet, files) = (start.formatter, start.quiet, start.files);
        let tails = start.smoke.as_ref().map(|smoke| smoke.tails.clone());
        let hub = LogHub::start(Receivers { formatter, quiet, files, tails, screen, focused }, hub_sender)?;
        let stdin = if start.null_stdin { Stdin::Null } else { Stdin::Endless };
        let link = UnixStream::from_std(guardian.as_fd().try_clone_to_owned()?.into())?;
        let mut tasks = JoinSet::new();
        let mut outputs = HashMap::new();
        let backlog = Backlog::default();
        for spec in start.plan.release.iter().chain(&start.plan.formation).chain(&start.plan.command) {
            let (sender, orders) = unbounded_channel();
            let output = Output::new(spec.dyno.clone(), hub.clone(), orders, backlog.clone());
            let is_seen_as_it_is = seen_as_it_is.as_ref() == Some(&spec.dyno);
            tasks.spawn_local(output.seen_as_it_is(is_seen_as_it_is).live());
            outputs.insert(spec.dyno.clone(), sender);
        }
        let boot_timeout = start.policy.boot_timeout;
        let (director, http, phase_mark) = if let Some(SmokeStart { rules, phase_mark, .. }) = start.smoke {
            let http = HttpProbes::new(rules.http.clone());
            (Director::Smoke(Box::new(Smoke::new(start.plan, start.policy, rules))), http, phase_mark)
        } else {
            let supervisor = Supervisor::new(start.plan, start.policy);
            (Director::Start(Box::new(supervisor)), HttpProbes::new(None), None)
        };
        Ok(Self {
            director,
            notices: start.notices,
            guardian,
            link,
            signals,
            hub,
            hub_events,
            outputs,
            backlog,
            tasks,
            runs: HashMap::new(),
            listening: Listening::new(boot_timeout),
            http,
            phase_mark,
            told_last: None,
            work: VecDeque::new(),
            spawns_in_flight: 0,
            stdin,
            keyboard,
            prefix_columns: start.prefix_columns,
            began: Instant::now(),
            events: VecDeque::from([Event::Boot]),
            shows_on_terminal,
            terminal_takes_lines,
            keeps_files,
            lost_output: None,
        })
    }

    pub(super) async fn until_finished(&mut self) -> Finished {
        let mut reports = Vec::new();
        loop {
            if let Some(finished) = self.handle_events() {
                return finished;
            }
            // What is said about an order stands before the dyno's answer to it: a task that is told to show `Stopping all
            // processes with SIGTERM` shows first what it finds in the stream, and that must not be the last words yet.
            if !self.work.is_empty() {
                self.backlog.work_off().await;
            }
            if self.send_work().is_err() {
                return Finished::GuardianLost;
            }
            // A run whose streams could not be made: nothing else would wake the loop for it.
            if !self.events.is_empty() {
                continue;
            }
            let deadline = self.director.next_deadline().map(|at| self.began + at);
            let look = self.listening.next_look();
            let sending = self.guardian.has_queued();
            tokio::select! {
                arrived = self.signals.next() => match arrived {
                    Arrived::User(signal) => {
                        self.cover_echo(signal);
                        self.events.push_back(Event::Signal(signal));
                    }
                    Arrived::Resized => self.resize(),
                    Arrived::Continued => self.keyboard_in_use(true),
                },
                pressed = pressed(self.keyboard.as_mut()) => match pressed {
                    Pressed::Keys(keys) => {
                        if let Some(finished) = self.typed(&keys) {
                            return finished;
                        }
                    }
                    // Nobody else may tell a job in the background.
                    Pressed::Gone if !is_ignored(libc::SIGHUP) => self.events.push_back(Event::Signal(UserSignal::Hup)),
                    Pressed::Gone => {}
                },
                _ = self.link.readable() => {
                    if let Some(finished) = self.receive(&mut reports) {
                        return finished;
                    }
                },
                _ = self.link.writable(), if sending => clear_readiness(&self.link, Interest::WRITABLE),
                event = self.hub_events.recv() => {
                    if let Some(event) = event {
                        self.hub_event(event);
                    }
                },
                answer = self.http.next() => self.events.push_back(answer),
                () = until(deadline) => {
                    // What ended in time must not be found out about too late.
                    if let Some(finished) = self.receive(&mut reports) {
                        return finished;
                    }
                    // The last look is up to half a second old, and what listens in time is not killed.
                    self.listening.hurry(Instant::now());
                    self.look_who_listens();
                    self.events.push_back(Event::Tick);
                },
                () = until(look) => self.look_who_listens(),
            }
        }
    }

    fn receive(&mut self, reports: &mut Vec<Report>) -> Option<Finished> {
        clear_readiness(&self.link, Interest::READABLE);
        let result = self.guardian.receive(reports);
        for report in reports.drain(..) {
            if let Some(finished) = self.report(report) {
                return Some(finished);
            }
        }
        (result == Err(Lost)).then_some(Finished::GuardianLost)
    }

    pub(super) fn now(&self) -> Now {
        Now { mono: self.began.elapsed(), wall: jiff::Timestamp::now() }
    }

    pub(super) fn handle_events(&mut self) -> Option<Finished> {
        while let Some(event) = self.events.pop_front() {
            let now = self.now();
            for effect in self.director.handle(event, now) {
                if let Some(finished) = self.perform(effect) {
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
                if let Some(live) = self.runs.get_mut(&run) {
                    live.pid = Some(pid);
                }
                self.events.push_back(Event::Spawned { run, pid });
                let finished = self.handle_events();
                // After the notice that it has started: its first words come second.
                self.open_stream(run);
                self.listening.begin(run);
                return finished;
            }
            Report::SpawnFailed(run, error) => {
                self.spawns_in_flight -= 1;
                self.listening.forget(run);
                let live = self.runs.remove(&run);
                let why = live.map_or_else(String::new, |live| error.describe(&live.spec.spec));
                self.events.push_back(Event::SpawnFailed { run, why: SpawnFailure(why) });
            }
            Report::Exited(run, exit, left) => {
                self.listening.forget(run);
                self.http.forget(run);
                self.events.push_back(Event::Exited { run, exit, left });
            }
            Report::LeftBehind(run, dynos, process) => {
                self.events.push_back(Event::LeftBehind { run, dynos, process });
            }
            Report::Gone(run) => {
                if let Some(keyboard) = &mut self.keyboard {
                    keyboard.take_from(run, &mut self.guardian);
                }
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

    /// Hands keys over in order; who hears an interrupt is for the supervisor to say.
    fn typed(&mut self, keys: &Keys) -> Option<Finished> {
        // A shell has brought us to the foreground without a word.
        self.keyboard_in_use(true);
        for part in keys.parts() {
            let key = match part {
                Typed::Text(text) => {
                    if let Some(keyboard) = &mut self.keyboard {
                        keyboard.type_text(keys.run, text);
                    }
                    Key::Other
                }
                Typed::Interrupt => Key::Interrupt,
            };
            self.events.push_back(Event::Key { run: keys.run, key });
            if let Some(finished) = self.handle_events() {
                return Some(finished);
            }
        }
        None
    }

    /// Takes the user's terminal for the run that has the keyboard, or gives it back for a while.
    pub(super) fn keyboard_in_use(&mut self, in_use: bool) {
        match &mut self.keyboard {
            Some(keyboard) if in_use => keyboard.change_modes(&mut self.guardian),
            Some(keyboard) => keyboard.restore_modes(&mut self.guardian),
            None => {}
        }
    }

    /// The terminal has written `^C` where the next line begins: that line covers it.
    fn cover_echo(&self, signal: UserSignal) {
        let has_echo = matches!(signal, UserSignal::Int | UserSignal::Quit);
        if has_echo && self.terminal_takes_lines && self.keyboard.is_none() {
            self.hub.mark(b"\r".to_vec());
        }
    }

    fn look_who_listens(&mut self) {
        for found in self.listening.look(Instant::now()) {
            match found {
                Found::Listening { run, address, loopback_only } => {
                    self.events.push_back(Event::Ready { run, address, loopback_only });
                }
                Found::GaveUp { run, after } => self.events.push_back(Event::NotReady { run, after }),
            }
        }
    }

    pub(super) fn hub_event(&mut self, event: HubEvent) {
        match event {
            HubEvent::Lost(errno) => self.output_lost(errno),
            HubEvent::FilesLost(error) => {
                self.lost_output = Some(error.to_string());
                self.events.push_back(Event::OutputLost(OutputLoss::Failed));
            }
            // Said only when it was closed, which `ending` does and hears itself.
            HubEvent::Done => {}
        }
    }

    fn output_lost(&mut self, errno: Errno) {
        // A closed terminal is told twice, by SIGHUP and by the write; whichever comes first means the same.
        let terminal_gone = errno == Errno::EIO && self.shows_on_terminal;
        let event = if terminal_gone && !is_ignored(libc::SIGHUP) {
            Event::Signal(UserSignal::Hup)
        } else if terminal_gone || errno == Errno::EPIPE {
            Event::OutputLost(OutputLoss::Closed)
        } else {
            self.lost_output = Some(format!("the output could not be written: {}", errno.desc()));
            Event::OutputLost(OutputLoss::Failed)
        };
        self.events.push_back(event);
    }
}

/// Lets the next wait be a real one. Before the I/O that follows, which goes on until the socket is empty or full.
pub(super) fn clear_readiness(link: &UnixStream, interest: Interest) {
    let _ = link.try_io(interest, || Err::<(), _>(std::io::Error::from(std::io::ErrorKind::WouldBlock)));
}

/// What the user does next; never where no dyno has the keyboard.
async fn pressed(keyboard: Option<&mut Keyboard>) -> Pressed {
    match keyboard {
        Some(keyboard) => keyboard.next().await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
