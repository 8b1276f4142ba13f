//! One task per dyno: reads the output of its runs and puts our notices about them in the right place.
//!
//! Decides only the order: the output of the run's leader, then the exit notice, then what its children write after that,
//! then the output of the next run. The exit notice does not wait for the children, which may live until the grace period has
//! passed. The task reads only while the hub has a free buffer, so a slow terminal stops the dyno and costs no memory.

use std::io::ErrorKind;
use std::rc::Rc;

use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use tokio::net::unix::pipe::Receiver;
use tokio::time::{Instant, sleep_until};

use super::attach::dyno_terminal::DynoTerminal;
use super::log_hub::{BufferPlace, LogHub, READ_BYTES};
use super::output_orders::{Order, OrderQueue, OutputEvent, RunTerminal};
use crate::logs::{Audience, Chunk, LineMode, Lines, LogBlock, ScreenSize, Source, UnfinishedLine};
use crate::model::{DynoName, RunId};
use crate::supervisor::{FocusAdvice, KeyboardSign, NoticeKind, NoticeStyle};

/// Maximum number of bytes that the buffers of a terminal hold after its last writer has gone.
const TERMINAL_BYTES: usize = 128 << 10;

/// Bytes read at once if tokio reports nothing to read. A drain reads again until nothing is left.
const DIRECT_BYTES: usize = 4096;

/// The state of one dyno's output.
pub(super) struct Output {
    dyno: DynoName,
    hub: LogHub,
    queue: OrderQueue,
    run: Option<RunId>,
    stream: Option<Rc<Receiver>>,
    lines: Lines,
    /// Records the output of the run if it has a terminal.
    terminal: Option<Rc<DynoTerminal>>,
    /// Whether its output is also shown raw and immediately.
    is_shown_raw: bool,
    /// What the notice about a full screen says.
    focus_advice: FocusAdvice,
    /// Whether that notice was shown.
    has_suggested_focus: bool,
    /// When to show something that was read but not shown yet. None: there is nothing.
    waiting: Option<PendingText>,
}

/// When to show something that was read but not shown yet.
#[derive(Clone, Copy)]
struct PendingText {
    since: Instant,
    /// The time to show it if nothing more is read before.
    still_at: Instant,
    /// The time to show it even if more is read before.
    at_latest: Option<Instant>,
}

impl PendingText {
    fn until(self) -> Instant {
        self.at_latest.map_or(self.still_at, |latest| latest.min(self.still_at))
    }
}

enum Read {
    Some(usize),
    Empty,
    Ended,
}

/// How far a drain came.
#[derive(PartialEq, Eq)]
enum Drained {
    /// The stream was empty at the end.
    Everything,
    /// There may be more, which was written during the drain.
    AsMuchAsItHeld,
}

impl Output {
    pub(super) fn new(dyno: DynoName, hub: LogHub, queue: OrderQueue) -> Self {
        let lines = Lines::new(LineMode::AllBytes);
        Self {
            dyno,
            hub,
            queue,
            run: None,
            stream: None,
            lines,
            terminal: None,
            is_shown_raw: false,
            focus_advice: FocusAdvice::default(),
            has_suggested_focus: false,
            waiting: None,
        }
    }

    /// Sets whether the output is also shown raw and immediately (S6.8). Log files and reports still get its lines.
    pub(super) fn shown_raw(mut self, is_shown_raw: bool) -> Self {
        self.is_shown_raw = is_shown_raw;
        self
    }

    /// Runs until no more orders can come, then hands everything that is left to the hub.
    pub(super) async fn run(mut self) {
        loop {
            let show_at = self.waiting.map(PendingText::until);
            tokio::select! {
                biased;
                order = self.queue.orders.recv() => match order {
                    Some(order) => {
                        let is_end = order.is_end();
                        self.carry_out(order).await;
                        self.queue.done(is_end);
                    }
                    None => break,
                },
                () = readable(self.stream.as_deref()) => { self.read().await; }
                () = at(show_at) => self.show_waiting().await,
            }
        }
        self.close().await;
    }

    async fn carry_out(&mut self, order: Order) {
        match order {
            Order::Open { run, stream, mode, terminal, advice } => {
                self.run = Some(run);
                self.focus_advice = advice;
                if let Some(RunTerminal { terminal, size }) = &terminal {
                    terminal.begin(run, Rc::clone(&stream), *size);
                }
                self.terminal = terminal.map(|of_run| of_run.terminal);
                // The terminal gets the raw output. The lines are for files and reports, which keep all bytes.
                self.lines = Lines::new(if self.is_shown_raw { LineMode::AllBytes } else { mode });
                self.stream = Some(stream);
            }
            Order::Resize => {
                let Some(size) = self.queue.size.take() else { return };
                if let Some(terminal) = &self.terminal {
                    terminal.resized(size);
                }
                let size = ScreenSize { rows: size.rows, columns: size.cols };
                let mut pieces = Pieces::new(&self.hub, &self.dyno, self.hub.place().await);
                self.lines.resize(size, &mut |chunk| pieces.add(chunk));
                pieces.finish();
            }
            Order::LeaderExited(run) if self.run == Some(run) => {
                // If more has come meanwhile, a child is writing right now, and an incomplete character is not the leader's.
                if self.drain().await == Drained::Everything {
                    self.waiting = None;
                    let mut pieces = Pieces::new(&self.hub, &self.dyno, self.hub.place().await);
                    self.lines.flush_all(&mut |chunk| pieces.add(chunk));
                    pieces.finish();
                }
            }
            Order::Notice(text) => {
                self.drain().await;
                // Does not finish the line, because a grandchild that still has the stream may continue it.
                self.show_all().await;
                self.notice(Source::Notice(self.dyno.clone()), text);
            }
            Order::SystemLine(text) => self.notice(Source::System, text),
            Order::Mark(text) => self.hub.mark(text.into_bytes()),
            Order::Close(run) if self.run == Some(run) => self.close().await,
            // It was never opened.
            Order::LeaderExited(_) | Order::Close(_) => {}
            Order::Retire => {
                self.close().await;
                self.hub.retire(self.dyno.clone());
            }
        }
    }

    fn notice(&self, source: Source, text: String) {
        let bytes = (text + "\n").into_bytes();
        self.hub.notice(LogBlock { source, time: Timestamp::now(), bytes, continued: false });
    }

    async fn close(&mut self) {
        self.drain().await;
        self.finish_line().await;
        (self.stream, self.run) = (None, None);
        if let Some(terminal) = self.terminal.take() {
            terminal.end();
        }
        if self.is_shown_raw {
            self.hub.end_raw();
        }
    }

    /// Reads what the stream holds now, but no more, because a grandchild may go on writing forever.
    async fn drain(&mut self) -> Drained {
        let held = self.stream.as_deref().map_or(0, capacity);
        let mut drained = 0;
        while self.stream.is_some() && drained < held {
            match self.read().await {
                Read::Some(bytes) => drained += bytes,
                Read::Empty | Read::Ended => return Drained::Everything,
            }
        }
        if self.stream.is_some() { Drained::AsMuchAsItHeld } else { Drained::Everything }
    }

    async fn read(&mut self) -> Read {
        let Some(stream) = self.stream.as_deref() else { return Read::Ended };
        // From the same budget, so that a slow terminal stops this dyno, too.
        let raw = if self.is_shown_raw { Some(self.hub.place().await) } else { None };
        let place = self.hub.place().await;
        let mut buffer = self.hub.buffer();
        self.lines.begin(&mut buffer);
        let fresh_from = buffer.len();
        buffer.reserve(READ_BYTES.saturating_sub(fresh_from).max(READ_BYTES / 2));
        let result = read_some(stream, &mut buffer);
        if let Some(terminal) = &self.terminal {
            terminal.record(buffer.get(fresh_from..).unwrap_or_default());
        }
        if let Some(place) = raw {
            self.hub.show_raw(buffer.get(fresh_from..).unwrap_or_default(), place);
        }
        let mut pieces = Pieces::new(&self.hub, &self.dyno, place);
        let spare = self.lines.split(buffer, fresh_from, &mut |chunk| pieces.add(chunk));
        self.hub.keep(spare.unwrap_or_default());
        pieces.finish();
        match result {
            Ok(0) => {
                self.finish_line().await;
                self.stream = None;
                Read::Ended
            }
            Ok(bytes) => {
                self.plan();
                self.suggest_focus();
                Read::Some(bytes)
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Read::Empty,
            // EIO: the run is gone, and with it the last open side of its terminal. After other errors nothing can be read.
            Err(_) => {
                self.finish_line().await;
                self.stream = None;
                Read::Ended
            }
        }
    }

    /// Says how to use the program if it draws a full screen, which cannot be shown among the other dynos' lines, and no client
    /// uses it. Not through the supervisor: the program may end before an event about it is handled.
    fn suggest_focus(&mut self) {
        if self.lines.entered_alternate_screen()
            && !self.has_suggested_focus
            && !self.terminal.as_ref().is_some_and(|terminal| terminal.has_clients())
        {
            self.has_suggested_focus = true;
            let (dyno, sign, advice) = (self.dyno.clone(), KeyboardSign::FullScreen, self.focus_advice);
            let kind = NoticeKind::NeedsKeyboard { dyno, sign, advice };
            self.notice(Source::System, kind.text(NoticeStyle::Plain).unwrap_or_default());
        }
    }

    /// Decides after fresh bytes when to show what is still held back.
    fn plan(&mut self) {
        let now = Instant::now();
        self.waiting = self.lines.patience().map(|patience| {
            let since = self.waiting.map_or(now, |waiting| waiting.since);
            let at_latest = patience.at_most.map(|most| since + most);
            PendingText { since, still_at: now + patience.still, at_latest }
        });
    }

    /// Shows what has waited long enough.
    async fn show_waiting(&mut self) {
        let Some(waiting) = self.waiting.take() else { return };
        let now = Instant::now();
        self.flush(now >= waiting.still_at).await;
        // Small changes keep waiting while the program is drawing.
        if let Some(patience) = self.lines.patience() {
            let at_latest = patience.at_most.map(|most| now + most);
            self.waiting = Some(PendingText { since: now, still_at: waiting.still_at.max(now), at_latest });
        }
    }

    async fn show_all(&mut self) {
        self.waiting = None;
        self.flush(true).await;
    }

    async fn flush(&mut self, is_still: bool) {
        // There is nothing to show, and a line about this dyno must not wait for a slow terminal without need.
        let Some(run) = self.run else { return };
        let event = match self.lines.unfinished_line() {
            Some(UnfinishedLine::DebuggerPrompt) => Some(OutputEvent::AtPrompt(run)),
            Some(UnfinishedLine::Text) if is_still && self.terminal.is_some() => Some(OutputEvent::Still(run)),
            Some(UnfinishedLine::Text) | None => None,
        };
        if let Some(event) = event {
            let _ = self.queue.events.send(event);
        }
        let mut pieces = Pieces::new(&self.hub, &self.dyno, self.hub.place().await);
        self.lines.flush(is_still, &mut |chunk| pieces.add(chunk));
        pieces.finish();
    }

    async fn finish_line(&mut self) {
        self.waiting = None;
        let mut pieces = Pieces::new(&self.hub, &self.dyno, self.hub.place().await);
        self.lines.finish(&mut |chunk| pieces.add(chunk));
        pieces.finish();
    }
}

/// Hands the pieces of one buffer to the hub. The last one takes the buffer's place in the budget with it, because the
/// pieces are copies that need memory like the buffer itself.
struct Pieces<'a> {
    hub: &'a LogHub,
    dyno: &'a DynoName,
    time: Timestamp,
    place: BufferPlace,
    last: Option<(LogBlock, Audience)>,
}

impl<'a> Pieces<'a> {
    fn new(hub: &'a LogHub, dyno: &'a DynoName, place: BufferPlace) -> Self {
        Self { hub, dyno, time: Timestamp::now(), place, last: None }
    }

    fn add(&mut self, chunk: Chunk) {
        let audience = chunk.audience;
        if let Some((before, audience)) = self.last.replace((block(self.dyno, self.time, chunk), audience)) {
            self.hub.push(before, audience, None);
        }
    }

    fn finish(self) {
        if let Some((last, audience)) = self.last {
            self.hub.push(last, audience, Some(self.place));
        }
    }
}

fn block(dyno: &DynoName, time: Timestamp, chunk: Chunk) -> LogBlock {
    LogBlock { source: Source::App(dyno.clone()), time, bytes: chunk.bytes, continued: chunk.continued }
}

/// Maximum number of bytes that the stream can hold. A dyno may have enlarged its pipe.
fn capacity(stream: &Receiver) -> usize {
    let size = fcntl(stream, FcntlArg::F_GETPIPE_SZ).ok().and_then(|size| usize::try_from(size).ok());
    size.unwrap_or(TERMINAL_BYTES)
}

/// Returns when there is something to read. Never returns without a stream.
async fn readable(stream: Option<&Receiver>) {
    match stream {
        // Does not clear the readiness. The read that follows does so if it finds nothing.
        Some(stream) => drop(stream.readable().await),
        None => std::future::pending().await,
    }
}

/// Returns at this moment. Never returns without one.
pub(super) async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Reads once into the spare capacity, even if tokio does not know yet that there is something to read: a drain must not
/// miss what is in the pipe.
fn read_some(stream: &Receiver, buffer: &mut Vec<u8>) -> Result<usize, Errno> {
    let result = match stream.try_read_buf(buffer) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            let before = buffer.len();
            buffer.resize(before + DIRECT_BYTES, 0);
            let result = nix::unistd::read(stream, buffer.get_mut(before..).unwrap_or_default());
            buffer.truncate(before + result.unwrap_or(0));
            return result;
        }
        result => result,
    };
    result.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
}
