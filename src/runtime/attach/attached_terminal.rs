//! One client of the terminal of a dyno, in the start (S10.5): it reads from the record, types and resizes.

use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

use nix::unistd::tcgetpgrp;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::watch;
use tokio::task::{spawn_local, yield_now};
use tokio::time::Instant;

use super::dyno_terminal::{AttachWish, DynoTerminal, Occupied, TerminalEvent, Typist};
use crate::model::{PtySize, RunId};
use crate::runtime::calls::{self, ApiCall, ApiCaller};
use crate::runtime::output::at;
use crate::runtime::run_input::{RunInput, writable};
use crate::terminal::{Newlines, bounded};

/// Bytes of output that one client gets at once.
const MOST_OUTPUT: usize = 32 << 10;

/// The shortest time between two drawings for a client that reads too slowly for the output.
const REDRAW_INTERVAL: Duration = Duration::from_millis(50);

/// A client of the terminal of a dyno: reads, types and resizes. Dropping it detaches.
pub(in crate::runtime) struct AttachedTerminal {
    terminal: Rc<DynoTerminal>,
    calls: ApiCaller,
    id: u64,
    /// Whether it wanted to type.
    wants_keys: bool,
    had_keys: bool,
    /// How many runs had begun when it looked last. None: it has not looked yet.
    runs: Option<u64>,
    /// Whether it has seen a run begin and not end.
    is_running: bool,
    /// Up to where it has read. None: the screen has to be drawn.
    at: Option<u64>,
    /// The place for `\n` up to there.
    newlines: Newlines,
    input: Option<(RunId, RunInput)>,
    /// When the screen may be drawn again.
    draw_at: Option<Instant>,
    changed: watch::Receiver<()>,
}

impl AttachedTerminal {
    /// Attaches a client. The terminal has the size of the client only after [`fit`](Self::fit). `calls`: to the run
    /// loop.
    ///
    /// # Errors
    /// It wants to type, and another client does.
    pub(in crate::runtime) fn attach(
        terminal: &Rc<DynoTerminal>,
        wish: AttachWish,
        calls: ApiCaller,
    ) -> Result<Self, Occupied> {
        let wants_keys = wish.types;
        let wish = AttachWish { types: wish.types && !terminal.has_keyboard, ..wish };
        let mut state = terminal.state.borrow_mut();
        if let Some(typist) = state.typist
            && wish.types
            && !wish.takes
        {
            return Err(Occupied { pid: typist.pid });
        }
        state.note_newline();
        state.last_id += 1;
        let id = state.last_id;
        if wish.types {
            state.typist = Some(Typist { id, pid: wish.pid, size: wish.size.map(bounded) });
        }
        // Wakes the one that has lost the keys.
        terminal.changed.send_replace(());
        Ok(Self {
            terminal: Rc::clone(terminal),
            calls,
            id,
            wants_keys,
            had_keys: wish.types,
            runs: None,
            is_running: false,
            at: None,
            newlines: Newlines::default(),
            input: None,
            draw_at: None,
            changed: terminal.changed.subscribe(),
        })
    }

    /// What happens next. Writes held keys meanwhile. `looks`: whether the client can take an event; if not, this only
    /// writes keys. Cancel safe.
    pub(in crate::runtime) async fn next(&mut self, looks: bool) -> TerminalEvent {
        loop {
            if looks {
                self.changed.mark_unchanged();
                if let Some(event) = self.look() {
                    return event;
                }
            }
            let is_waiting = self.input.as_ref().is_some_and(|(_, input)| input.is_waiting());
            let draw_at = if self.at.is_none() && looks { self.draw_at } else { None };
            tokio::select! {
                _ = self.changed.changed(), if looks => {}
                () = at(draw_at) => {}
                () = writable(self.input.as_ref().map(|(_, input)| input)), if is_waiting => {
                    if let Some((_, input)) = &mut self.input {
                        input.write();
                    }
                    // A terminal that no program has open is always ready: let others work.
                    yield_now().await;
                }
            }
        }
    }

    /// What has happened since the last look.
    fn look(&mut self) -> Option<TerminalEvent> {
        let state = &mut *self.terminal.state.borrow_mut();
        if self.had_keys && state.typist.is_none_or(|typist| typist.id != self.id) {
            self.had_keys = false;
            return Some(TerminalEvent::LostKeys(state.typist.and_then(|typist| typist.pid)));
        }
        if self.runs.is_some_and(|runs| runs != state.runs) && self.is_running {
            (self.is_running, self.input) = (false, None);
            return Some(TerminalEvent::RunEnded);
        }
        if self.runs != Some(state.runs) {
            self.runs = Some(state.runs);
            self.is_running = state.run.is_some();
            (self.at, self.draw_at) = (None, None);
            return Some(if self.is_running { TerminalEvent::RunBegan } else { TerminalEvent::RunEnded });
        }
        let mut output = Vec::new();
        match self.at.and_then(|at| state.record.after(at, MOST_OUTPUT, &mut output)) {
            Some(at) => {
                self.at = Some(at);
                let written = std::mem::take(&mut output);
                self.newlines.translate(&written, state.record.newline(), &mut output);
            }
            None if self.draw_at.is_none_or(|at| at <= Instant::now()) => {
                // First below what the person sees. Later, when bytes are missing, the whole screen.
                let is_first = self.draw_at.is_none();
                output = state.record.redraw(is_first);
                (self.at, self.newlines) = (Some(state.record.end()), state.record.newlines());
                self.draw_at = Some(Instant::now() + REDRAW_INTERVAL);
                if !is_first {
                    return Some(TerminalEvent::Redraw(output));
                }
            }
            None => {
                self.at = None;
                return None;
            }
        }
        if !output.is_empty() {
            return Some(TerminalEvent::Output(output));
        }
        if self.is_running && state.run.is_none() {
            (self.is_running, self.input) = (false, None);
            return Some(TerminalEvent::RunEnded);
        }
        // The last output of a run is recorded after the dyno was removed.
        state.gone.clone().filter(|_| state.run.is_none()).map(TerminalEvent::Gone)
    }

    /// Whether this client types. If not, keys and sizes have no effect.
    pub(in crate::runtime) fn types(&self) -> bool {
        self.terminal.state.borrow().typist.is_some_and(|typist| typist.id == self.id)
    }

    /// Whether it wanted to type, but the dyno has the keyboard of `dyno` itself, so that no client types.
    pub(in crate::runtime) fn is_refused_keys(&self) -> bool {
        self.wants_keys && self.terminal.has_keyboard
    }

    /// Types these keys. A key that means a signal reaches the processes of the run even if their terminal controls no
    /// session.
    pub(in crate::runtime) async fn type_keys(&mut self, keys: &[u8]) {
        if !self.types() {
            return;
        }
        let Some((run, stream)) = self.terminal.state.borrow().run.as_ref().map(|run| (run.id, Rc::clone(&run.stream)))
        else {
            return;
        };
        if self.input.as_ref().is_none_or(|(of_run, _)| *of_run != run) {
            // If we have run out of descriptors, the keys are lost.
            self.input = RunInput::of_terminal(&stream).ok().map(|input| (run, input));
        }
        let mut rest = keys;
        while let Some((_, input)) = self.input.as_mut().filter(|_| !rest.is_empty()) {
            let sends_signals = controls_a_session(&stream);
            let (signal, after) = input.type_to_signal(rest, sends_signals);
            rest = after;
            if let Some(signal) = signal.filter(|_| !sends_signals) {
                calls::ask(&self.calls, |done| ApiCall::SignalTerminal { run, signal, done }).await;
            }
        }
    }

    /// The terminal of the client has this size now.
    pub(in crate::runtime) async fn resize(&self, size: PtySize) {
        {
            let mut state = self.terminal.state.borrow_mut();
            let Some(typist) = state.typist.as_mut().filter(|typist| typist.id == self.id) else { return };
            typist.size = Some(bounded(size));
        }
        self.fit().await;
    }

    /// Gives the terminal the size of the client that types.
    pub(in crate::runtime) async fn fit(&self) {
        let dyno = self.terminal.dyno.clone();
        calls::ask(&self.calls, |done| ApiCall::FitTerminal { dyno, done: Some(done) }).await;
    }
}

impl Drop for AttachedTerminal {
    fn drop(&mut self) {
        if self.types() {
            self.terminal.state.borrow_mut().typist = None;
            let dyno = self.terminal.dyno.clone();
            if let Err(TrySendError::Full(call)) = self.calls.try_send(ApiCall::FitTerminal { dyno, done: None }) {
                let calls = self.calls.clone();
                // If the run loop is gone, no size matters any more.
                spawn_local(async move { calls.send(call).await.is_ok() });
            }
        }
    }
}

/// Whether some process has this terminal as its controlling terminal. Then the system sends the signals of its keys.
fn controls_a_session(stream: &Receiver) -> bool {
    tcgetpgrp(stream.as_fd()).is_ok_and(|group| group.as_raw() > 0)
}
