//! One task per dyno: what its runs write, in order, with our notices about them in between.
//!
//! Decides nothing but order: what the run's leader wrote, then its exit notice, then what its children wrote after that,
//! then the next run's first words. The notice never waits for a child: that may live as long as the grace. Reads a stream
//! only while the hub has a buffer to spare, so a slow terminal stops the dyno and costs no memory.

use std::cell::Cell;
use std::io::ErrorKind;
use std::rc::Rc;

use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use super::log_hub::{LogHub, READ_BYTES};
use crate::app::DynoName;
use crate::logs::{Chunk, LineMode, Lines, LogBlock, PARTIAL_AFTER, Source};

/// The most the buffers of a terminal can hold that its writer has left.
const TERMINAL_BYTES: usize = 128 << 10;

/// Bytes read at once where tokio sees nothing to read; what is left is read by the next turn of the drain.
const DIRECT_BYTES: usize = 4096;

/// What the run loop tells the task. The queue needs no bound of its own: it grows by a few orders a run, and a run
/// ends only after the guardian was asked.
pub(super) enum Order {
    /// A new run: read this from now on. The stream of the run before was closed by `Close`.
    Open(Rc<Receiver>, LineMode),
    /// Show a line of ours, after all that was written before now.
    Notice(String),
    /// Show a line about the whole formation, after the notices before it.
    SystemLine(String),
    /// Write this as it is, after all that was ordered before.
    Mark(String),
    /// The run is gone: show what is left in its stream and close it.
    Close,
}

/// How many orders the tasks have not carried out yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Backlog(Rc<Cell<usize>>);

impl Backlog {
    /// An order was sent.
    pub(super) fn add(&self) {
        self.0.set(self.0.get() + 1);
    }

    fn remove(&self) {
        self.0.set(self.0.get().saturating_sub(1));
    }

    /// Lets the tasks carry out what they were ordered, unless they wait for a slow terminal: then there is no end to
    /// wait for.
    pub(super) async fn work_off(&self) {
        let mut before = usize::MAX;
        while (1..before).contains(&self.0.get()) {
            before = self.0.get();
            yield_now().await;
        }
    }
}

/// The state of one dyno's output.
pub(super) struct Output {
    dyno: DynoName,
    hub: LogHub,
    orders: UnboundedReceiver<Order>,
    backlog: Backlog,
    stream: Option<Rc<Receiver>>,
    lines: Lines,
    /// Besides its lines, what it writes is shown as it is and at once.
    is_seen_as_it_is: bool,
    /// When the unfinished line is shown; None: there is none.
    show_partial_at: Option<Instant>,
}

enum Read {
    Some(usize),
    Empty,
    Ended,
}

impl Output {
    pub(super) fn new(dyno: DynoName, hub: LogHub, orders: UnboundedReceiver<Order>, backlog: Backlog) -> Self {
        let lines = Lines::new(LineMode::Pipe);
        Self { dyno, hub, orders, backlog, stream: None, lines, is_seen_as_it_is: false, show_partial_at: None }
    }

    /// Whether what it writes is shown as it is and at once, besides its lines for those who keep them (S6.8).
    pub(super) fn seen_as_it_is(mut self, is_seen_as_it_is: bool) -> Self {
        self.is_seen_as_it_is = is_seen_as_it_is;
        self
    }

    /// Runs until no more orders can come; then all is handed to the hub.
    pub(super) async fn live(mut self) {
        loop {
            let show_partial_at = self.show_partial_at;
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(order) => {
                        self.obey(order).await;
                        self.backlog.remove();
                    }
                    None => break,
                },
                () = readable(self.stream.as_deref()) => { self.read().await; }
                () = at(show_partial_at) => self.show_partial().await,
            }
        }
        self.close().await;
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Open(stream, mode) => {
                self.lines = Lines::new(mode);
                self.stream = Some(stream);
            }
            Order::Notice(text) => {
                self.drain().await;
                // Not the end of the line while the stream is open: what a grandchild adds goes on with it.
                self.show_partial().await;
                self.notice(Source::Notice(self.dyno.clone()), text);
            }
            Order::SystemLine(text) => self.notice(Source::System, text),
            Order::Mark(text) => self.hub.mark(text.into_bytes()),
            Order::Close => self.close().await,
        }
    }

    fn notice(&self, source: Source, text: String) {
        let bytes = (text + "\n").into_bytes();
        self.hub.notice(LogBlock { source, time: Timestamp::now(), bytes, continued: false });
    }

    async fn close(&mut self) {
        self.drain().await;
        self.finish_line().await;
        self.stream = None;
    }

    /// Takes all the stream holds now, and no more: a grandchild may go on writing for ever.
    async fn drain(&mut self) {
        let held = self.stream.as_deref().map_or(0, capacity);
        let mut drained = 0;
        while self.stream.is_some() && drained < held {
            match self.read().await {
                Read::Some(bytes) => drained += bytes,
                Read::Empty | Read::Ended => return,
            }
        }
    }

    async fn read(&mut self) -> Read {
        let Some(stream) = self.stream.as_deref() else { return Read::Ended };
        // Of the same budget: a slow terminal stops this dyno, too.
        let shown = if self.is_seen_as_it_is { Some(self.hub.buffer().await) } else { None };
        let mut buffer = self.hub.buffer().await;
        self.lines.begin(&mut buffer);
        let fresh_from = buffer.len();
        buffer.reserve(READ_BYTES.saturating_sub(fresh_from).max(READ_BYTES / 2));
        let result = read_some(stream, &mut buffer);
        if let Some(mut shown) = shown {
            shown.extend_from_slice(buffer.get(fresh_from..).unwrap_or_default());
            if shown.is_empty() {
                self.hub.give_back(shown);
            } else {
                self.hub.show(shown);
            }
        }
        self.split(buffer, fresh_from);
        match result {
            Ok(0) => {
                self.finish_line().await;
                self.stream = None;
                Read::Ended
            }
            Ok(bytes) => {
                self.plan_partial();
                Read::Some(bytes)
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Read::Empty,
            // EIO: the run is gone, and with it the last open side of its terminal. Nothing else leaves anything to read.
            Err(_) => {
                self.finish_line().await;
                self.stream = None;
                Read::Ended
            }
        }
    }

    /// `buffer`: one of the budget.
    fn split(&mut self, buffer: Vec<u8>, fresh_from: usize) {
        let mut pieces = Pieces::new(&self.hub, &self.dyno);
        let spare = self.lines.split(buffer, fresh_from, &mut |chunk| pieces.add(chunk));
        pieces.finish(spare);
    }

    fn plan_partial(&mut self) {
        if !self.lines.has_partial() {
            self.show_partial_at = None;
        } else if self.show_partial_at.is_none() || !self.lines.wants_refresh() {
            self.show_partial_at = Some(Instant::now() + PARTIAL_AFTER);
        }
    }

    async fn show_partial(&mut self) {
        self.show_partial_at = None;
        if self.lines.has_partial() {
            let buffer = self.hub.buffer().await;
            let mut pieces = Pieces::new(&self.hub, &self.dyno);
            self.lines.flush_silent(&mut |chunk| pieces.add(chunk));
            pieces.finish(Some(buffer));
        }
    }

    async fn finish_line(&mut self) {
        self.show_partial_at = None;
        let buffer = self.hub.buffer().await;
        let mut pieces = Pieces::new(&self.hub, &self.dyno);
        self.lines.finish(&mut |chunk| pieces.add(chunk));
        pieces.finish(Some(buffer));
    }
}

/// What one buffer of the budget became, on its way to the hub. The budget gets it back when the last piece was written:
/// pieces are copies, and they take memory like the buffer itself.
struct Pieces<'a> {
    hub: &'a LogHub,
    dyno: &'a DynoName,
    time: Timestamp,
    last: Option<LogBlock>,
}

impl<'a> Pieces<'a> {
    fn new(hub: &'a LogHub, dyno: &'a DynoName) -> Self {
        Self { hub, dyno, time: Timestamp::now(), last: None }
    }

    fn add(&mut self, chunk: Chunk) {
        if let Some(before) = self.last.replace(block(self.dyno, self.time, chunk)) {
            self.hub.push_extra(before);
        }
    }

    /// `spare`: the buffer, where it is none of the pieces.
    fn finish(self, spare: Option<Vec<u8>>) {
        match self.last {
            Some(last) => {
                self.hub.push(last);
                self.hub.keep(spare.unwrap_or_default());
            }
            None => self.hub.give_back(spare.unwrap_or_default()),
        }
    }
}

fn block(dyno: &DynoName, time: Timestamp, chunk: Chunk) -> LogBlock {
    LogBlock { source: Source::App(dyno.clone()), time, bytes: chunk.bytes, continued: chunk.continued }
}

/// The most the stream can hold. A dyno may have made its pipe larger.
fn capacity(stream: &Receiver) -> usize {
    let size = fcntl(stream, FcntlArg::F_GETPIPE_SZ).ok().and_then(|size| usize::try_from(size).ok());
    size.unwrap_or(TERMINAL_BYTES)
}

/// Ready when the stream has something to say; never without a stream.
async fn readable(stream: Option<&Receiver>) {
    match stream {
        // The readiness is left as it is: the read that follows clears it when it finds nothing.
        Some(stream) => drop(stream.readable().await),
        None => std::future::pending().await,
    }
}

/// When the moment has come; never without one.
pub(super) async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Reads once into the spare capacity, also where tokio has not been told yet that there is something to read: a drain
/// must not miss what is in the pipe.
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
