//! `dyno attach`: the terminal of a dyno in this terminal (S10.5).
//!
//! Carries bytes between the two, and restores this terminal at the end. Not here: what keys mean (`terminal`), and how a
//! start treats its clients (`runtime`).

use std::time::Instant;

use super::screen::the_dyno;
use crate::api::{AttachRequest, StartDescription};
use crate::cli::{AttachArgs, Cli};
use crate::client::{Failure, RunningApp, finish, in_path};
use crate::console::diagnostics;
use crate::error::Status;
use crate::runtime::{AttachConnection, AttachedSignals, ClientEvent, UserTerminal};
use crate::supervisor::{Outcome, UserSignal};
use crate::terminal::{AttachFrame, KeyPart, KeyReader, KeyTable, ScreenModes, TerminalFrame};

/// How the connection has ended.
enum AttachEnd {
    /// By the detach keys.
    Detached { is_running: bool },
    /// There is nothing left to be attached to: why.
    Over(String),
    /// The start is gone and has not said why: it was killed, or did not wait for us any longer.
    Cut,
    /// By a signal, or because the terminal is gone.
    Signal(UserSignal),
}

/// Signals stay blocked: they are read.
pub(super) fn run(cli: &Cli, args: &AttachArgs) -> Outcome {
    finish(&args.running, attach(cli, args))
}

fn attach(cli: &Cli, args: &AttachArgs) -> Result<Outcome, Failure> {
    let app = RunningApp::find(cli.project_before(), &args.running)?;
    let (start, dyno) = the_dyno(&app, &args.dyno)?;
    let of_caller = |name: &str| std::env::var(name).ok();
    if of_caller("DYNO_SESSION").as_ref() == Some(&start.session) && of_caller("DYNO").as_ref() == Some(&dyno) {
        let message = format!("`dyno attach {dyno}` was typed in {dyno} itself");
        return Err(Failure::new(Status::Usage, "own_terminal", message, "type it in a terminal outside of the app"));
    }
    if !UserTerminal::is_there() {
        let message = "`dyno attach` must run in the foreground of a terminal, with stdin and stdout not redirected";
        let hint = format!("`dyno screen {dyno}` prints the last screenful; `dyno logs -t {dyno}` follows the log");
        return Err(Failure::new(Status::Usage, "no_terminal", message, hint));
    }
    let (rows, columns) = UserTerminal::size().map(|size| (size.rows, size.cols)).unzip();
    let request = AttachRequest { read_only: args.read_only, take: args.take, rows, columns };
    let body = serde_json::to_vec(&request).unwrap_or_default();
    let connection = app.attach(start, &format!("dynos/{}/terminal", in_path(&dyno)), &body)?;
    diagnostics::print_line(&greeting(&dyno, args));
    let (Ok(signals), Ok(terminal)) = (AttachedSignals::catch(), UserTerminal::open()) else {
        return Err(Failure::new(Status::Internal, "no_terminal", "the modes of the terminal cannot be changed", ""));
    };
    let attached = Attached {
        connection,
        terminal,
        signals,
        keys: KeyReader::new(KeyTable::Attach(args.detach_keys.clone())),
        read_only: args.read_only,
        modes: ScreenModes::default(),
        is_running: true,
        held: Vec::new(),
        began: Instant::now(),
    };
    let mut end = attached.run();
    if matches!(end, AttachEnd::Cut) && app.has_ended_well(start) {
        end = AttachEnd::Over("the app has ended".to_owned());
    }
    finished(end, &dyno, start)
}

fn greeting(dyno: &str, args: &AttachArgs) -> String {
    let verb = if args.read_only { "watching" } else { "attached to" };
    format!("{verb} {dyno}: press {} to detach", args.detach_keys)
}

fn finished(end: AttachEnd, dyno: &str, start: &StartDescription) -> Result<Outcome, Failure> {
    match end {
        AttachEnd::Detached { is_running } => {
            let state = if is_running { "is still running" } else { "is not running" };
            diagnostics::print_line(&format!("detached from {dyno}, which {state}"));
            Ok(Outcome::Code(0))
        }
        AttachEnd::Over(why) => {
            diagnostics::print_line(&why);
            Ok(Outcome::Code(0))
        }
        AttachEnd::Cut => {
            let message = format!("`dyno` (pid {}) has ended unexpectedly", start.pid);
            Err(Failure::new(Status::Unavailable, "not_running", message, "`dyno start` starts it again"))
        }
        AttachEnd::Signal(signal) => Ok(Outcome::Signal(signal)),
    }
}

/// A terminal that shows that of a dyno.
struct Attached {
    connection: AttachConnection,
    terminal: UserTerminal,
    signals: AttachedSignals,
    keys: KeyReader,
    read_only: bool,
    /// What the dyno has changed in our terminal.
    modes: ScreenModes,
    /// Whether the dyno has a run.
    is_running: bool,
    /// Lines of our own that wait for the end of a full screen.
    held: Vec<String>,
    began: Instant,
}

impl Attached {
    /// Runs to the end. The terminal is then as it was before.
    fn run(mut self) -> AttachEnd {
        let end = loop {
            let now = self.began.elapsed();
            if let Some(KeyPart::Text(keys)) = self.keys.expire(now) {
                self.send_keys(keys);
            }
            let limit = self.keys.deadline().map(|deadline| deadline.saturating_sub(now));
            let end = match self.signals.wait(&self.terminal, &mut self.connection, limit) {
                ClientEvent::Keys => self.read_keys(),
                ClientEvent::Frames => self.read_frames(),
                ClientEvent::Resized => {
                    self.send_size();
                    None
                }
                ClientEvent::Signal(signal) => Some(AttachEnd::Signal(signal)),
                ClientEvent::Nothing => None,
            };
            if let Some(end) = end {
                break end;
            }
        };
        // On the main screen, a prompt of the dyno may be where the next line begins.
        let is_on_main_screen = !self.modes.is_alternate();
        let mut last = self.modes.unset();
        if is_on_main_screen {
            last.extend(b"\r\n");
        }
        for line in &self.held {
            last.extend_from_slice(line.as_bytes());
            last.extend(b"\r\n");
        }
        // If the terminal is gone, nothing has to be shown.
        let _ = match end {
            // Without waiting: the signal may have come because the terminal accepts nothing.
            AttachEnd::Signal(_) => self.terminal.show_now(&last).map(drop).map_err(drop),
            AttachEnd::Detached { .. } | AttachEnd::Over(_) | AttachEnd::Cut => {
                self.terminal.show(&last, &self.signals).map_err(drop)
            }
        };
        end
    }

    fn send_size(&mut self) {
        if let Some(size) = UserTerminal::size() {
            self.connection.send(&AttachFrame::Size(size));
        }
    }

    fn send_keys(&mut self, keys: Vec<u8>) {
        if !self.read_only {
            self.connection.send(&AttachFrame::Keys(keys));
        }
    }

    fn read_keys(&mut self) -> Option<AttachEnd> {
        let Some(keys) = self.terminal.keys() else { return Some(AttachEnd::Signal(UserSignal::Hup)) };
        for part in self.keys.press(&keys, self.began.elapsed()) {
            match part {
                KeyPart::Text(keys) => self.send_keys(keys),
                // Only with `--focus`.
                KeyPart::Interrupt => {}
                KeyPart::Detach => return Some(AttachEnd::Detached { is_running: self.is_running }),
            }
        }
        None
    }

    fn read_frames(&mut self) -> Option<AttachEnd> {
        let Some(frames) = self.connection.receive() else { return Some(AttachEnd::Cut) };
        for frame in frames {
            let shown = match frame {
                TerminalFrame::Output(bytes) => {
                    self.modes.feed(&bytes);
                    self.terminal.show(&bytes, &self.signals).and_then(|()| self.say_held())
                }
                TerminalFrame::Redraw => self.leave_modes(),
                TerminalFrame::Line(line) => self.say(line),
                TerminalFrame::RunBegan(line) => {
                    self.is_running = true;
                    self.leave_modes().and_then(|()| self.say(line))
                }
                TerminalFrame::RunEnded(line) => {
                    self.is_running = false;
                    self.leave_modes().and_then(|()| self.say(line))
                }
                TerminalFrame::End(why) => return Some(AttachEnd::Over(why)),
            };
            if let Err(signal) = shown {
                return Some(AttachEnd::Signal(signal));
            }
        }
        None
    }

    /// Shows a line of our own. On a full screen it would disturb the program: the terminal rings, and the line waits.
    fn say(&mut self, line: String) -> Result<(), UserSignal> {
        self.held.push(line);
        if self.modes.is_alternate() {
            return self.terminal.show(b"\x07", &self.signals);
        }
        self.say_held()
    }

    /// Shows the lines that have waited, unless they still have to.
    fn say_held(&mut self) -> Result<(), UserSignal> {
        if self.modes.is_alternate() {
            return Ok(());
        }
        for line in std::mem::take(&mut self.held) {
            self.terminal.show(format!("\r\n{line}\r\n").as_bytes(), &self.signals)?;
        }
        Ok(())
    }

    fn leave_modes(&mut self) -> Result<(), UserSignal> {
        let modes = std::mem::take(&mut self.modes);
        self.terminal.show(&modes.unset(), &self.signals)
    }
}
