//! The terminal of a dyno, across its runs, for clients that are attached to it (S10.5).
//!
//! The output task of the dyno records here what a run writes and when it begins and ends. An `attached_terminal` reads
//! and types. A client that reads slowly has no queue: it reads from the record, and if that has moved on, the screen is
//! drawn again. Belongs to the thread of the run loop. Not here: the run loop changes sizes and sends signals
//! (`terminal_calls`).

use std::cell::RefCell;
use std::rc::Rc;

use nix::unistd::write;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::watch;

use crate::guardian::TerminalModes;
use crate::model::{DynoName, PtySize, RunId};
use crate::terminal::{NewlineMeaning, QueryReader, ScreenRecord, ScreenText};

/// The terminal of one dyno.
pub(in crate::runtime) struct DynoTerminal {
    pub(super) dyno: DynoName,
    /// Whether its runs have the keyboard of `dyno` itself, so that no client types.
    pub(super) has_keyboard: bool,
    pub(super) state: RefCell<TerminalState>,
    /// Changes with everything that clients may wait for.
    pub(super) changed: watch::Sender<()>,
}

pub(super) struct TerminalState {
    pub(super) record: ScreenRecord,
    queries: QueryReader,
    pub(super) run: Option<OpenRun>,
    /// How many runs have begun.
    pub(super) runs: u64,
    pub(super) typist: Option<Typist>,
    pub(super) last_id: u64,
    /// Why there will be no run any more.
    pub(super) gone: Option<String>,
}

pub(super) struct OpenRun {
    pub(super) id: RunId,
    /// The master of its terminal.
    pub(super) stream: Rc<Receiver>,
}

/// The client that types.
#[derive(Clone, Copy)]
pub(super) struct Typist {
    pub(super) id: u64,
    /// Its process. None: another program, which cannot be named.
    pub(super) pid: Option<i32>,
    pub(super) size: Option<PtySize>,
}

/// What a client wants.
#[derive(Debug, Clone, Copy)]
pub(in crate::runtime) struct AttachWish {
    /// Its process, if known.
    pub(in crate::runtime) pid: Option<i32>,
    /// Whether it types.
    pub(in crate::runtime) types: bool,
    /// Whether it takes the keys from the one that types.
    pub(in crate::runtime) takes: bool,
    /// The size of its own terminal, if known.
    pub(in crate::runtime) size: Option<PtySize>,
}

/// Another client types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runtime) struct Occupied {
    pub(in crate::runtime) pid: Option<i32>,
}

/// What has happened to the terminal of a dyno.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::runtime) enum TerminalEvent {
    /// Bytes for the terminal of the client.
    Output(Vec<u8>),
    /// Bytes were left out for a client that reads too slowly. These draw the whole screen.
    Redraw(Vec<u8>),
    /// The first run, or the next one, has begun.
    RunBegan,
    /// The run has ended, and all its output was returned.
    RunEnded,
    /// Another client types from now on.
    LostKeys(Option<i32>),
    /// There will be no run any more: why.
    Gone(String),
}

impl TerminalState {
    /// Notes what the program means by `\n` at the moment.
    pub(super) fn note_newline(&mut self) {
        let modes = self.run.as_ref().and_then(|run| TerminalModes::of(&*run.stream).ok());
        let Some(modes) = modes else { return };
        self.record.set_newline(if modes.has_raw_output() {
            NewlineMeaning::Down
        } else if modes.echoes() {
            NewlineMeaning::NewLine
        } else {
            NewlineMeaning::DownOnAlternate
        });
    }

    /// Records these bytes and answers what the program asks its terminal, because there is no other that would.
    fn record_and_answer(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((read, query)) = self.queries.next(rest) {
            let (before, after) = rest.split_at_checked(read).unwrap_or((rest, &[]));
            self.record.push(before);
            self.note_newline();
            let answer = query.answer(self.record.cursor());
            if let Some(run) = &self.run {
                // A terminal that is full drops keys, too.
                let _ = write(&*run.stream, answer.as_bytes());
            }
            rest = after;
        }
        self.record.push(rest);
    }
}

impl DynoTerminal {
    pub(in crate::runtime) fn new(dyno: DynoName, size: PtySize, has_keyboard: bool) -> Rc<Self> {
        let record = ScreenRecord::new(size);
        let queries = QueryReader::default();
        let state = TerminalState { record, queries, run: None, runs: 0, typist: None, last_id: 0, gone: None };
        Rc::new(Self { dyno, has_keyboard, state: RefCell::new(state), changed: watch::Sender::new(()) })
    }

    /// A run writes to this terminal from now on.
    pub(in crate::runtime) fn begin(&self, run: RunId, stream: Rc<Receiver>, size: PtySize) {
        let mut state = self.state.borrow_mut();
        state.record.clear(size);
        state.queries.clear();
        state.run = Some(OpenRun { id: run, stream });
        state.runs += 1;
        self.changed.send_replace(());
    }

    /// The run has written these bytes.
    pub(in crate::runtime) fn record(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let mut state = self.state.borrow_mut();
            // Without viewers it is enough to know when someone looks.
            if self.has_clients() || state.record.draws() {
                state.note_newline();
            }
            if state.typist.is_none() && !self.has_keyboard {
                state.record_and_answer(bytes);
            } else {
                state.queries.clear();
                state.record.push(bytes);
            }
            self.changed.send_replace(());
        }
    }

    pub(in crate::runtime) fn resized(&self, size: PtySize) {
        let mut state = self.state.borrow_mut();
        state.note_newline();
        state.record.resize(size);
    }

    /// The run has ended, and everything that it wrote is recorded.
    pub(in crate::runtime) fn end(&self) {
        let mut state = self.state.borrow_mut();
        state.note_newline();
        state.run = None;
        self.changed.send_replace(());
    }

    /// There will be no run any more.
    pub(in crate::runtime) fn retire(&self, why: &str) {
        self.state.borrow_mut().gone.get_or_insert_with(|| why.to_owned());
        self.changed.send_replace(());
    }

    /// The size of the terminal of the client that types.
    pub(in crate::runtime) fn wanted_size(&self) -> Option<PtySize> {
        self.state.borrow().typist.and_then(|typist| typist.size)
    }

    pub(in crate::runtime) fn has_clients(&self) -> bool {
        self.changed.receiver_count() > 0
    }

    /// The last screenful.
    pub(in crate::runtime) fn text(&self) -> ScreenText {
        let mut state = self.state.borrow_mut();
        state.note_newline();
        state.record.text()
    }
}
