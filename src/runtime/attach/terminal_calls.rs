//! What clients that are attached to a dyno ask of the run loop (S10.5): its terminal, a size, a signal.

use std::rc::Rc;

use super::dyno_terminal::DynoTerminal;
use super::input_wait::reads_terminal;
use crate::model::{DynoName, DynoSpec, Focus, Io, PtySize, RunId, RunOrder};
use crate::runtime::run_loop::Runtime;
use crate::supervisor::{Event, KeyboardSign};

/// How often a run is checked at most: a program that prints a dot now and then must not cost a search each time.
const MAX_LOOKS: u32 = 100;

/// Why a dyno has no terminal to attach to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::runtime) enum NoTerminal {
    /// There is no such dyno. The dynos that there are.
    Unknown(Vec<DynoName>),
    /// Its output is a pipe.
    Pipe,
    /// Its streams belong to the client that has started it.
    OfClient,
}

impl Runtime {
    /// The terminal of a dyno, whether it runs at the moment or not.
    pub(in crate::runtime) fn terminal_of(&mut self, dyno: &DynoName) -> Result<Rc<DynoTerminal>, NoTerminal> {
        let Some(spec) = self.supervisor.spec_of(dyno) else {
            return Err(NoTerminal::Unknown(self.supervisor.snapshot().rows.into_iter().map(|row| row.dyno).collect()));
        };
        if spec.focus == Focus::Client {
            return Err(NoTerminal::OfClient);
        }
        let Io::Pty(size) = spec.io else { return Err(NoTerminal::Pipe) };
        let spec = spec.clone();
        Ok(self.known_terminal(&spec, size))
    }

    /// The terminal of a dyno. `size`: that of a new one.
    pub(in crate::runtime) fn known_terminal(&mut self, spec: &DynoSpec, size: PtySize) -> Rc<DynoTerminal> {
        let has_keyboard = spec.focus != Focus::Elsewhere;
        let known = self.terminals.entry(spec.dyno.clone());
        Rc::clone(known.or_insert_with(|| DynoTerminal::new(spec.dyno.clone(), size, has_keyboard)))
    }

    /// A run waits at the prompt of a debugger.
    pub(in crate::runtime) fn at_prompt(&mut self, run: RunId) {
        let sign = if self.can_be_attached(run) { KeyboardSign::WaitsForInput } else { KeyboardSign::DebuggerPrompt };
        if !self.has_clients(run) {
            self.events.push_back(Event::NeedsKeyboard { run, sign });
        }
    }

    /// The output of a run has stopped in the middle of a line. Looks once whether it waits for someone to type.
    pub(in crate::runtime) fn still(&mut self, run: RunId) {
        let is_asked = self.supervisor.may_need_keyboard(run) && self.can_be_attached(run) && !self.has_clients(run);
        let Some(live) = self.runs.get_mut(&run).filter(|live| is_asked && live.looks < MAX_LOOKS) else { return };
        live.looks += 1;
        if let (Some(stream), Some(ours), Some(leader)) = (&live.stream, &live.kept_open, live.pid)
            && reads_terminal(&**stream, ours, leader)
        {
            self.events.push_back(Event::NeedsKeyboard { run, sign: KeyboardSign::WaitsForInput });
        }
    }

    fn can_be_attached(&self, run: RunId) -> bool {
        self.runs.get(&run).is_some_and(|live| self.supervisor.can_attach(live.spec.spec.io))
    }

    fn has_clients(&self, run: RunId) -> bool {
        let terminal = self.runs.get(&run).and_then(|live| self.terminals.get(&live.spec.spec.dyno));
        terminal.is_some_and(|terminal| terminal.has_clients())
    }

    /// The client that types has another size, or has gone.
    pub(in crate::runtime) fn fit_terminal(&mut self, dyno: &DynoName) {
        let runs: Vec<RunId> =
            self.runs.iter().filter(|(_, live)| live.spec.spec.dyno == *dyno).map(|(run, _)| *run).collect();
        for run in runs {
            self.resize_run(run);
        }
    }

    /// A key means this signal, and the terminal of the run controls no session.
    pub(in crate::runtime) fn signal_terminal(&mut self, run: RunId, signal: i32) {
        if self.runs.get(&run).is_some_and(|live| live.pid.is_some()) {
            self.link.guardian.order(run, RunOrder::FromTerminal { signal });
            // The loop notices if the guardian is gone.
            let _ = self.link.guardian.flush();
        }
    }
}
