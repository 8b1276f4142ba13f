//! Performs the effects that the supervisor returns: spawns, signals, notices, probes. Decides nothing.
//!
//! Called by `run_loop`. Orders to the guardian go through a queue (`guardian_orders`).

use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use nix::errno::Errno;
use tokio::net::unix::pipe::Receiver;

use super::client_run::attached_run::RunStreams;
use super::guardian_orders::Signalled;
use super::output_orders::{Order, RunTerminal};
use super::ports::listening_ports;
use super::run_loop::{Finished, LiveRun, Runtime};
use super::streams::{RunStdin, Streams, with_empty_stdin};
use super::{signals, terminal_sizes};
use crate::guardian::{Lost, family_of, set_terminal_size, terminal_size};
use crate::logs::{LineMode, LogBlock, ScreenSize, Source};
use crate::model::{DynoName, DynoSpec, Focus, Io, PtySize, RunId, RunOrder, RunReport, SpawnFailure, SpawnSpec};
use crate::smoke::SmokePhase;
use crate::supervisor::{About, Effect, Event, Notice, NoticeKind};

impl Runtime {
    pub(super) fn perform(&mut self, effect: Effect) -> Option<Finished> {
        match effect {
            Effect::Spawn(spec) => {
                self.outputs.open(&spec.spec.dyno);
                if spec.spec.focus == Focus::Client {
                    self.attached.expect(spec.run, &spec.spec.dyno);
                }
                self.orders.spawn(spec);
            }
            Effect::Signal { run, signal } => match self.orders.signal(run, signal) {
                Signalled::Continues => {}
                Signalled::NeverStarts => {
                    self.attached.follow(run, &RunReport::Gone);
                    self.events.push_back(Event::Run(run, RunReport::Gone));
                }
            },
            // Nothing has counted its requests.
            Effect::Drain { run } => match &self.router {
                Some(router) => router.drain(run),
                None => self.events.push_back(Event::Drained { run }),
            },
            Effect::Notify(notice) => self.notify(notice),
            Effect::FindListener { run } => self.find_listener(run),
            Effect::PassInterrupt { run } => {
                if let Some(keyboard) = &mut self.keyboard {
                    keyboard.type_interrupt(run);
                }
            }
            Effect::Reply { request, result } => self.calls.reply(request, result),
            Effect::Retire { dyno } => {
                self.outputs.retire(&dyno);
                if let Some(terminal) = self.terminals.remove(&dyno) {
                    terminal.retire(&format!("{dyno} was removed"));
                }
                self.last_notice_about.take_if(|about| *about == dyno);
            }
            Effect::Suspend => self.suspend(),
            Effect::ReplaceGuardian => return Some(Finished::GuardianLost),
            Effect::Finish(outcome) => return Some(Finished::Outcome(outcome)),
        }
        None
    }

    /// Must look at once: the effects that follow kill the run.
    fn find_listener(&mut self, run: RunId) {
        let Some(live) = self.runs.get(&run) else { return };
        let Some(leader) = live.pid else { return };
        // One port is enough for the message: it shows that the server does not listen on its `PORT`.
        let ports = listening_ports(&family_of(leader), live.spec.spec.expected_port);
        if let Some(&port) = ports.first() {
            self.events.push_back(Event::ListensElsewhere { run, port });
        }
    }

    /// Shows that a phase of a smoke test begins.
    pub(super) fn mark(&mut self, phase: SmokePhase) {
        let Some(mark) = &mut self.phase_mark else { return };
        let text = mark(phase);
        match &self.last_notice_about {
            // After that dyno's last lines and the notice about it.
            Some(dyno) => self.outputs.order(dyno, Order::Mark(text)),
            None => self.hub.mark(text.into_bytes()),
        }
    }

    /// Sends the orders to the guardian, as far as it has answered earlier ones and the earlier output of the dynos is shown:
    /// while nothing reads our output, the dynos wait (S7.5). Some wait for their clients, too (S17.3).
    pub(super) fn send_orders(&mut self) -> Result<(), Lost> {
        self.send_signals()?;
        while let Some(spec) = self
            .orders
            .next_spawn(|spawn| self.outputs.is_ready(&spawn.spec.dyno) && self.attached.may_begin(spawn.run))
        {
            self.spawn(spec);
            // The guardian starts it while the streams of the next one are created.
            self.link.guardian.flush()?;
        }
        Ok(())
    }

    fn send_signals(&mut self) -> Result<(), Lost> {
        while let Some((run, signal)) = self.orders.next_signal() {
            self.link.guardian.order(run, signal);
        }
        self.link.guardian.flush()
    }

    fn spawn(&mut self, spec: SpawnSpec) {
        let run = spec.run;
        let awaited_ports = self.supervisor.awaited_ports(&spec.spec.dyno.process_type);
        self.readiness.before_spawn(run, &spec.spec, awaited_ports);
        let io = match spec.spec.io {
            Io::Pty(size) => Io::Pty(self.terminal_size(&spec.spec).unwrap_or(size)),
            other @ (Io::Pipe | Io::Inherit) => other,
        };
        let opened = Streams::open(io, self.stdin_of(&spec.spec)).and_then(|streams| {
            // Unchecked, because it may be the master of a terminal instead of a pipe. Both are read in the same way.
            let ours = streams.ours.map(Receiver::from_owned_fd_unchecked).transpose();
            let ours = ours.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EMFILE)))?;
            let theirs = if spec.spec.stdin_is_empty { with_empty_stdin(streams.theirs)? } else { streams.theirs };
            Ok((ours, streams.input, theirs, streams.kept_open))
        });
        let requested = match opened {
            Ok((ours, input, theirs, kept_open)) => {
                let stream = match (spec.spec.focus, ours) {
                    (Focus::Client, Some(output)) => {
                        self.attached.open(run, RunStreams { output, input });
                        None
                    }
                    (Focus::Client | Focus::Elsewhere | Focus::Keyboard | Focus::Stdin, ours) => ours.map(Rc::new),
                };
                let sent = self.link.guardian.spawn(&spec, theirs);
                sent.map(|()| LiveRun { spec, stream, kept_open, pid: None, looks: 0 })
            }
            Err(errno) => Err(SpawnFailure(format!("cannot create its pipe or terminal: {}", errno.desc()))),
        };
        match requested {
            Ok(live) => {
                self.runs.insert(run, live);
                self.orders.sent();
            }
            Err(why) => {
                self.readiness.forget(run);
                let report = RunReport::SpawnFailed(why);
                self.attached.follow(run, &report);
                self.events.push_back(Event::Run(run, report));
            }
        }
    }

    /// The size of a dyno's terminal: ours, less the columns of the prefix if its lines have one.
    fn terminal_size(&self, spec: &DynoSpec) -> Option<PtySize> {
        let attached = self.terminals.get(&spec.dyno).and_then(|terminal| terminal.wanted_size());
        attached.filter(|_| spec.focus == Focus::Elsewhere).or_else(|| self.usual_size(spec))
    }

    fn usual_size(&self, spec: &DynoSpec) -> Option<PtySize> {
        match (spec.focus, &self.keyboard) {
            (Focus::Keyboard, Some(keyboard)) => terminal_sizes::full_size(keyboard.terminal()),
            (Focus::Keyboard | Focus::Stdin, _) => terminal_sizes::own_terminal_size(),
            (Focus::Elsewhere, _) => terminal_sizes::dyno_size(self.prefix_columns),
            // The client has said its size once and for all.
            (Focus::Client, _) => None,
        }
    }

    fn stdin_of(&self, spec: &DynoSpec) -> RunStdin {
        match (spec.focus, &self.keyboard) {
            (Focus::Keyboard, Some(keyboard)) => {
                RunStdin::Keyboard { modes: keyboard.user_modes(), is_shown_raw: keyboard.shares_output() }
            }
            (Focus::Stdin, _) => RunStdin::OwnStdin,
            (Focus::Client, _) => RunStdin::Client,
            (Focus::Elsewhere, _) | (Focus::Keyboard, None) => RunStdin::Stdin(self.stdin),
        }
    }

    pub(super) fn open_stream(&mut self, run: RunId) {
        let terminal = self.run_terminal(run);
        let Some(live) = self.runs.get(&run) else { return };
        let Some(stream) = &live.stream else { return };
        if let (Focus::Keyboard, Some(keyboard)) = (live.spec.spec.focus, &mut self.keyboard) {
            // If we have run out of descriptors, the dyno runs on without the keyboard.
            let _ = keyboard.give_to(run, stream, &mut self.link.guardian);
        }
        let keeps_all_bytes = self.keeps_files;
        let mode = match live.spec.spec.io {
            Io::Pty(size) => {
                let size = screen_size(self.terminal_size(&live.spec.spec).unwrap_or(size));
                LineMode::Terminal { size, keeps_all_bytes }
            }
            Io::Pipe if self.lines_go_to_terminal => LineMode::PipeOnTerminal { keeps_all_bytes },
            Io::Pipe | Io::Inherit => LineMode::AllBytes,
        };
        let advice = self.supervisor.keyboard_advice(live.spec.spec.io);
        let stream = Rc::clone(stream);
        self.outputs.order(&live.spec.spec.dyno, Order::Open { run, stream, mode, terminal, advice });
    }

    /// Shows what the leader of a run wrote before its end. The notices about that follow.
    pub(super) fn show_last_words(&self, run: RunId) {
        if let Some(live) = self.runs.get(&run).filter(|live| live.stream.is_some()) {
            self.outputs.order(&live.spec.spec.dyno, Order::LeaderExited(run));
        }
    }

    /// Where the output of a run is recorded. None: it has no terminal.
    fn run_terminal(&mut self, run: RunId) -> Option<RunTerminal> {
        let spec = Arc::clone(&self.runs.get(&run)?.spec.spec);
        let Io::Pty(size) = spec.io else { return None };
        if spec.focus == Focus::Client {
            return None;
        }
        let size = self.terminal_size(&spec).unwrap_or(size);
        Some(RunTerminal { terminal: self.known_terminal(&spec, size), size })
    }

    fn notify(&mut self, notice: Notice) {
        let Some(text) = notice.kind.text(self.notices) else { return };
        let has_failed = matches!(notice.kind, NoticeKind::CommandNotFound | NoticeKind::CommandNotExecutable);
        match notice.about {
            // They point to the output, which only the client has.
            About::Dyno(dyno)
                if has_failed && self.running_spec(&dyno).is_some_and(|spec| spec.focus == Focus::Client) => {}
            About::Dyno(dyno) => {
                self.outputs.open(&dyno);
                self.outputs.order(&dyno, Order::Notice(text));
                if let Some(hint) = self.running_spec(&dyno).filter(|_| has_failed).and_then(self.hint_after_failure) {
                    self.outputs.order(&dyno, Order::Notice(format!("hint: {hint}")));
                }
                if self.phase_mark.is_some() {
                    self.last_notice_about = Some(dyno);
                }
            }
            // Through the queue of that dyno, so that it comes after the dyno's last lines.
            About::Formation { after: Some(dyno) } => self.outputs.order(&dyno, Order::SystemLine(text)),
            About::Formation { after: None } => self.system_line(text),
        }
    }

    fn running_spec(&self, dyno: &DynoName) -> Option<&DynoSpec> {
        self.runs.values().map(|live| &*live.spec.spec).find(|spec| spec.dyno == *dyno)
    }

    pub(super) fn system_line(&self, text: String) {
        let bytes = (text + "\n").into_bytes();
        let time = jiff::Timestamp::now();
        self.hub.notice(LogBlock { source: Source::System, time, bytes, continued: false });
    }

    pub(super) fn resize(&mut self) {
        let runs: Vec<RunId> = self.runs.keys().copied().collect();
        for run in runs {
            self.resize_run(run);
        }
    }

    /// Gives the terminal of a run the size that it should have now.
    pub(super) fn resize_run(&mut self, run: RunId) {
        let Some(live) = self.runs.get(&run) else { return };
        let (Io::Pty(usual), Some(stream)) = (live.spec.spec.io, &live.stream) else { return };
        let size = self.terminal_size(&live.spec.spec).unwrap_or(usual);
        // At once, because the client whose size it is may be about to get its first picture. The output task may be waiting
        // for a slow terminal.
        if let Some(terminal) = self.terminals.get(&live.spec.spec.dyno) {
            terminal.resized(size);
        }
        if terminal_size(stream.as_ref()) == Some(size) {
            return;
        }
        // Fails if the last process of the terminal is gone; then the size does not matter.
        let _ = set_terminal_size(stream.as_ref(), size);
        self.outputs.resize(&live.spec.spec.dyno, size);
        // The kernel sends SIGWINCH only to processes whose controlling terminal this is.
        if live.spec.spec.focus != Focus::Keyboard {
            self.link.guardian.order(run, RunOrder::Resized);
            // The loop notices if the guardian is gone.
            let _ = self.link.guardian.flush();
        }
    }

    /// Stops this process until it gets SIGCONT. First sends the orders to stop the dynos to the guardian.
    fn suspend(&mut self) {
        self.keyboard_in_use(false);
        // Runs whose spawn was not sent yet start after the pause.
        while self.send_signals().is_ok() && self.link.guardian.has_queued() {
            terminal_sizes::wait_writable(self.link.guardian.as_fd());
        }
        let before = Instant::now();
        signals::stop_ourselves();
        let paused_for = before.elapsed();
        self.keyboard_in_use(true);
        self.readiness.postpone(paused_for);
        if let Some(router) = &self.router {
            router.postpone(paused_for);
        }
        // Before all other events: they must not count the time during which we were stopped.
        self.events.push_front(Event::Resumed { paused_for });
    }
}

fn screen_size(size: PtySize) -> ScreenSize {
    ScreenSize { rows: size.rows, columns: size.cols }
}
