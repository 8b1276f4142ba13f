//! The main loop: turns signals, the guardian's reports, messages of the log hub and deadlines into events.
//!
//! The supervisor returns effects, which `effects` performs. `ending` does the rest after the loop.

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Instant;

use tokio::net::unix::pipe::Receiver;
use tokio::sync::mpsc::unbounded_channel;

use super::attach::dyno_terminal::DynoTerminal;
use super::calls::{Calls, FrontEnd};
use super::client_run::attached_run::AttachedRuns;
use super::focus::{Keyboard, Pressed, PressedKeys};
use super::focused::Focused;
use super::guardian_link::GuardianLink;
use super::guardian_orders::GuardianOrders;
use super::log_archive::LogArchive;
use super::log_hub::{LogHub, Receivers};
use super::log_stream::LogStream;
use super::lost_output::HubEvents;
use super::output_orders::{Order, OutputEvent};
use super::outputs::Outputs;
use super::preflight::Preflight;
use super::readiness::ReadinessProbes;
use super::router::{LaterRouter, Router, RouterWish};
use super::signals::{Arrived, Signals};
use super::streams::Stdin;
use super::{FailureHint, PhaseMark, SmokeStart, Start};
use crate::guardian::{Guardian, Lost, Message, is_ignored};
use crate::model::{DynoName, Focus, Now, RunId, RunReport, SpawnSpec};
use crate::smoke::{Smoke, Step};
use crate::supervisor::{Event, Key, NoticeStyle, Outcome, Supervisor, UserSignal};
use crate::terminal::KeyPart;

/// Why the loop ended.
pub(super) enum Finished {
    /// The supervisor has finished.
    Outcome(Outcome),
    /// The guardian is gone or does not answer: we have to sweep its descendants.
    GuardianLost,
}

/// A run that was sent to the guardian and is not gone.
pub(super) struct LiveRun {
    pub(super) spec: SpawnSpec,
    pub(super) stream: Option<Rc<Receiver>>,
    /// Keeps its terminal from reporting the end before the run is gone.
    pub(super) kept_open: Option<OwnedFd>,
    /// The pid of its leader. None before the guardian has reported it.
    pub(super) pid: Option<i32>,
    /// How often it was checked whether the run waits for input.
    pub(super) looks: u32,
}

pub(super) struct Runtime {
    pub(super) supervisor: Supervisor,
    /// The smoke test of the start, if it is one.
    pub(super) smoke: Option<Smoke>,
    pub(super) notices: NoticeStyle,
    pub(super) hint_after_failure: FailureHint,
    pub(super) link: GuardianLink,
    pub(super) signals: Signals,
    pub(super) hub: LogHub,
    pub(super) hub_events: HubEvents,
    pub(super) outputs: Outputs,
    pub(super) calls: Calls,
    pub(super) runs: HashMap<RunId, LiveRun>,
    /// The runs whose streams belong to clients of the API.
    pub(super) attached: AttachedRuns,
    /// The terminals of the dynos that have one, whether they run or not.
    pub(super) terminals: HashMap<DynoName, Rc<DynoTerminal>>,
    pub(super) readiness: ReadinessProbes,
    pub(super) phase_mark: Option<PhaseMark>,
    /// The dyno of the last notice. Only recorded if phases are marked.
    pub(super) last_notice_about: Option<DynoName>,
    pub(super) orders: GuardianOrders,
    pub(super) stdin: Stdin,
    /// The user's keyboard, if a dyno has it.
    pub(super) keyboard: Option<Keyboard>,
    pub(super) prefix_columns: u16,
    pub(super) began: Instant,
    /// Events that the supervisor has not handled yet.
    pub(super) events: VecDeque<Event>,
    /// Determined at the start, because a terminal that is gone does not look like a terminal any more.
    pub(super) shows_on_terminal: bool,
    /// Whether lines go to stdout and that is a terminal, where a `\r` from a pipe would overwrite the prefix.
    pub(super) lines_go_to_terminal: bool,
    /// Whether log files get all bytes.
    pub(super) keeps_files: bool,
    /// Learns the state of the dynos after each change.
    pub(super) router: Option<Rc<Router>>,
    /// Begins when the front door hands the first connection over.
    pub(super) router_later: Option<LaterRouter>,
    /// What a dyno needs that is added.
    pub(super) preflight: Preflight,
    /// Which output could not be written, and why.
    pub(super) lost_output: Option<String>,
}

impl Runtime {
    pub(super) fn new(
        start: Start,
        stream: LogStream,
        guardian: Guardian,
        calls: Calls,
        archive: Option<LogArchive>,
    ) -> std::io::Result<Self> {
        let signals = Signals::install()?;
        let (hub_sender, hub_events) = unbounded_channel();
        let shows_on_terminal = stream.is_terminal();
        let lines_go_to_terminal = shows_on_terminal && start.smoke.is_none();
        let mut specs = start.plan.release.iter().chain(&start.plan.formation);
        let focused = specs.find(|spec| spec.focus != Focus::Elsewhere);
        let keyboard = match focused.map_or(Focus::Elsewhere, |spec| spec.focus) {
            Focus::Keyboard => Some(Keyboard::open()?),
            Focus::Elsewhere | Focus::Stdin | Focus::Client => None,
        };
        let shown_raw = focused.filter(|_| shows_on_terminal).map(|spec| spec.dyno.clone());
        let keeps_files = start.files.is_some();
        let log_directory = start.files.as_ref().map(|files| files.directory().to_owned());
        let preflight = Preflight { log_directory, strict_ports: start.strict_ports };
        let is_raw = keyboard.as_ref().is_some_and(Keyboard::shares_output);
        let focused = shown_raw.clone().map(|dyno| Focused::new(dyno, is_raw, keeps_files));
        let (formatter, quiet, files) = (start.formatter, start.quiet, start.files);
        let tails = start.smoke.as_ref().map(|smoke| smoke.tails.clone());
        let receivers = Receivers { formatter, quiet, files, tails, stream, focused };
        let hub = LogHub::start(receivers, archive.clone(), hub_sender)?;
        let (router, router_later) = LaterRouter::or_now(start.router, &hub, archive)?;
        let stdin = if start.null_stdin { Stdin::Null } else { Stdin::Endless };
        let link = GuardianLink::new(guardian)?;
        let outputs = Outputs::new(hub.clone(), shown_raw);
        let boot_timeout = start.policy.boot_timeout;
        let (supervisor, smoke, phase_mark) = if let Some(SmokeStart { rules, phase_mark, .. }) = start.smoke {
            let (supervisor, smoke) = Smoke::new(start.plan, start.policy, rules);
            (supervisor, Some(smoke), phase_mark)
        } else {
            (Supervisor::new(start.plan, start.policy), None, None)
        };
        Ok(Self {
            supervisor,
            smoke,
            notices: start.notices,
            hint_after_failure: start.hint_after_failure,
            link,
            signals,
            hub,
            hub_events: HubEvents::new(hub_events),
            outputs,
            calls,
            runs: HashMap::new(),
            attached: AttachedRuns::default(),
            terminals: HashMap::new(),
            readiness: ReadinessProbes::new(boot_timeout),
            phase_mark,
            last_notice_about: None,
            orders: GuardianOrders::default(),
            stdin,
            keyboard,
            prefix_columns: start.prefix_columns,
            began: Instant::now(),
            events: VecDeque::from([Event::Boot]),
            shows_on_terminal,
            lines_go_to_terminal,
            keeps_files,
            router,
            router_later,
            preflight,
            lost_output: None,
        })
    }

    pub(super) async fn until_finished(&mut self) -> Finished {
        loop {
            if let Some(finished) = self.handle_events() {
                return finished;
            }
            // The waits that are new.
            self.calls.answer_waits(|| self.supervisor.snapshot());
            let interest = |run| self.supervisor.listen_interest(run);
            let has_waiting = self.router.as_ref().is_some_and(|router| router.has_waiting());
            let is_observed = |dyno: &DynoName| has_waiting || self.calls.depend_on(dyno);
            self.readiness.observe(is_observed, interest, Instant::now());
            // Show notices such as `Stopping all processes with SIGTERM` before the order is sent. Otherwise the dyno's
            // reaction to SIGTERM could already be in its stream, and would be shown before the notice.
            if !self.orders.is_empty() {
                self.outputs.carry_out_orders().await;
            }
            if self.send_orders().is_err() {
                return Finished::GuardianLost;
            }
            // Events of spawns that failed here, without the guardian: nothing else would wake the loop for them.
            if !self.events.is_empty() {
                continue;
            }
            let of_smoke = self.smoke.as_ref().and_then(Smoke::next_deadline);
            let deadline = self.supervisor.next_deadline().into_iter().chain(of_smoke).min().map(|at| self.began + at);
            tokio::select! {
                arrived = self.signals.next() => match arrived {
                    Arrived::User(signal) => {
                        self.cover_echo(signal);
                        self.events.push_back(Event::Signal(signal));
                    }
                    Arrived::Resized => self.resize(),
                    Arrived::Continued => self.keyboard_in_use(true),
                    Arrived::ChildEnded => self.link.guardian.reap_adopted(),
                },
                pressed = pressed(self.keyboard.as_mut()) => match pressed {
                    Pressed::Keys(keys) => {
                        if let Some(finished) = self.typed(keys) {
                            return finished;
                        }
                    }
                    // A background job does not always get SIGHUP, so act as if it had come.
                    Pressed::Gone if !is_ignored(libc::SIGHUP) => self.events.push_back(Event::Signal(UserSignal::Hup)),
                    Pressed::Gone => {}
                },
                () = self.link.ready() => {
                    if let Some(finished) = self.receive().await {
                        return finished;
                    }
                },
                event = self.hub_events.next() => match event {
                    Some(event) => self.hub_event(event),
                    None => self.hub_ended(),
                },
                event = self.outputs.next() => match event {
                    OutputEvent::AtPrompt(run) => self.at_prompt(run),
                    OutputEvent::Still(run) => self.still(run),
                    // A spawn may have waited for it.
                    OutputEvent::EndShown => {}
                },
                Some(done) = self.calls.next() => match done {
                    FrontEnd::Called(call) => self.take_call(call).await,
                    // Its wait may have been the only reason to probe.
                    FrontEnd::Left => {}
                },
                wish = RouterWish::next(self.router.as_deref()) => match wish {
                    RouterWish::Stop(run) => self.events.push_back(Event::Drained { run }),
                    // The dynos that requests wait for are observed from now on.
                    RouterWish::Look => {}
                },
                seen = self.readiness.next() => self.events.extend(seen),
                () = until(deadline) => {
                    // A dyno that exited in time must not be treated as late because its report was not read yet.
                    if let Some(finished) = self.receive().await {
                        return finished;
                    }
                    // For the same reason check again which dynos listen: the last check is up to half a second old.
                    self.events.extend(self.readiness.look_at_once());
                    self.events.push_back(Event::Tick);
                },
            }
        }
    }

    async fn receive(&mut self) -> Option<Finished> {
        let mut messages = Vec::new();
        let result = self.link.guardian.receive(&mut messages);
        for message in messages {
            // Only `ending` requests a sweep, and it reads the answer itself.
            let Message::Run(run, report) = message else { continue };
            let has_started = matches!(report, RunReport::Spawned { .. });
            if let Some(finished) = self.report(run, report) {
                return Some(finished);
            }
            // `started` is shown before anything that happens later, such as `sending SIGTERM to all processes`.
            if has_started {
                self.outputs.carry_out_orders().await;
            }
        }
        (result == Err(Lost)).then_some(Finished::GuardianLost)
    }

    pub(super) fn now(&self) -> Now {
        Now { mono: self.began.elapsed(), wall: jiff::Timestamp::now() }
    }

    pub(super) fn handle_events(&mut self) -> Option<Finished> {
        if self.events.is_empty() {
            return None;
        }
        while let Some(event) = self.events.pop_front() {
            let now = self.now();
            let steps = match &mut self.smoke {
                Some(smoke) => smoke.handle(&mut self.supervisor, event, now),
                None => self.supervisor.handle(event, now).into_iter().map(Step::Effect).collect(),
            };
            for step in steps {
                match step {
                    Step::Effect(effect) => {
                        if let Some(finished) = self.perform(effect) {
                            return Some(finished);
                        }
                    }
                    Step::Begin(phase) => self.mark(phase),
                }
            }
            // After each event, because a wait must see a crash that a restart follows at once.
            self.calls.answer_waits(|| self.supervisor.snapshot());
        }
        if let Some(router) = &self.router {
            router.publish(self.supervisor.snapshot());
        }
        None
    }

    /// Passes a report on to the supervisor. Opens the stream of its run after that, or closes it before.
    fn report(&mut self, run: RunId, report: RunReport) -> Option<Finished> {
        self.readiness.follow(run, &report);
        self.attached.follow(run, &report);
        match report {
            RunReport::Spawned { pid } => {
                self.orders.answered();
                if let Some(live) = self.runs.get_mut(&run) {
                    live.pid = Some(pid);
                }
                self.events.push_back(Event::Run(run, report));
                let finished = self.handle_events();
                // Only now, so that the first output comes after the `started` notice.
                self.open_stream(run);
                return finished;
            }
            RunReport::SpawnFailed(_) => {
                self.orders.answered();
                self.runs.remove(&run);
            }
            RunReport::Gone => {
                if let Some(keyboard) = &mut self.keyboard {
                    keyboard.take_from(run, &mut self.link.guardian);
                }
                if let Some(live) = self.runs.remove(&run) {
                    self.outputs.order(&live.spec.spec.dyno, Order::Close(run));
                }
            }
            RunReport::Exited { .. } => self.show_last_words(run),
            RunReport::LeftBehind { .. } | RunReport::Unkillable { .. } => {}
        }
        self.events.push_back(Event::Run(run, report));
        self.handle_events()
    }

    /// Passes keys on in order. The supervisor decides what an interrupt does.
    fn typed(&mut self, keys: PressedKeys) -> Option<Finished> {
        // A shell may have brought us to the foreground without a signal.
        self.keyboard_in_use(true);
        for part in keys.parts {
            let key = match part {
                KeyPart::Text(text) => {
                    if let Some(keyboard) = &mut self.keyboard {
                        keyboard.type_text(keys.run, &text);
                    }
                    Key::Other
                }
                KeyPart::Interrupt => Key::Interrupt,
                // There is nothing to detach from.
                KeyPart::Detach => continue,
            };
            self.events.push_back(Event::Key { run: keys.run, key });
            if let Some(finished) = self.handle_events() {
                return Some(finished);
            }
        }
        None
    }

    /// Makes the user's terminal raw for the run that has the keyboard, or restores its modes for a while.
    pub(super) fn keyboard_in_use(&mut self, in_use: bool) {
        match &mut self.keyboard {
            Some(keyboard) if in_use => keyboard.change_modes(&mut self.link.guardian),
            Some(keyboard) => keyboard.restore_modes(&mut self.link.guardian),
            None => {}
        }
    }

    /// The terminal has echoed `^C` where the next line begins. Moves the cursor back, so that the line overwrites it.
    fn cover_echo(&self, signal: UserSignal) {
        let has_echo = matches!(signal, UserSignal::Int | UserSignal::Quit);
        if has_echo && self.lines_go_to_terminal && self.keyboard.is_none() {
            self.hub.mark(b"\r".to_vec());
        }
    }
}

/// Waits for keys. Never returns if no dyno has the keyboard.
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
