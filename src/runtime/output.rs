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
use crate::logs::{Audience, Chunk, LineMode, Lines, LogBlock, ScreenSize, Source};

/// The most the buffers of a terminal can hold that its writer has left.
const TERMINAL_BYTES: usize = 128 << 10;

/// Bytes read at once where tokio sees nothing to read; what is left is read by the next turn of the drain.
const DIRECT_BYTES: usize = 4096;

/// What the run loop tells the task. The queue needs no bound of its own: it grows by a few orders a run, and a run
/// ends only after the guardian was asked.
pub(super) enum Order {
    /// A new run: read this from now on. The stream of the run before was closed by `Close`.
    Open(Rc<Receiver>, LineMode),
    /// The terminal of the run has another size now.
    Resize(ScreenSize),
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
    /// It was said that it draws a whole screen.
    told_of_focus: bool,
    /// What waits to be shown; None: there is nothing.
    waiting: Option<Waiting>,
}

/// When something that was read and not shown is shown.
#[derive(Clone, Copy)]
struct Waiting {
    since: Instant,
    /// If nothing is read before that.
    still_at: Instant,
    /// Whatever is read before that.
    at_latest: Option<Instant>,
}

impl Waiting {
    fn until(self) -> Instant {
        self.at_latest.map_or(self.still_at, |latest| latest.min(self.still_at))
    }
}

enum Read {
    Some(usize),
    Empty,
    Ended,
}

impl Output {
    pub(super) fn new(dyno: DynoName, hub: LogHub, orders: UnboundedReceiver<Order>, backlog: Backlog) -> Self {
        let lines = Lines::new(LineMode::AllBytes);
        Self {
            dyno,
            hub,
            orders,
            backlog,
            stream: None,
            lines,
            is_seen_as_it_is: false,
            told_of_focus: false,
            waiting: None,
        }
    }

    /// Whether what it writes is shown as it is and at once, besides its lines for those who keep them (S6.8).
    pub(super) fn seen_as_it_is(mut self, is_seen_as_it_is: bool) -> Self {
        self.is_seen_as_it_is = is_seen_as_it_is;
        self
    }

    /// Runs until no more orders can come; then all is handed to the hub.
    pub(super) async fn live(mut self) {
        loop {
            let show_at = self.waiting.map(Waiting::until);
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
                () = at(show_at) => self.show_waiting().await,
            }
        }
        self.close().await;
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Open(stream, mode) => {
                // Its lines are shown already; what is left are the files, which keep all bytes.
                self.lines = Lines::new(if self.is_seen_as_it_is { LineMode::AllBytes } else { mode });
                self.stream = Some(stream);
            }
            Order::Resize(size) => {
                let buffer = self.hub.buffer().await;
                let mut pieces = Pieces::new(&self.hub, &self.dyno);
                self.lines.resize(size, &mut |chunk| pieces.add(chunk));
                pieces.finish(Some(buffer));
            }
            Order::Notice(text) => {
                self.drain().await;
                // Not the end of the line while the stream is open: what a grandchild adds goes on with it.
                self.show_all().await;
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
        if self.is_seen_as_it_is {
            self.hub.end_shown();
        }
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
                self.plan();
                self.say_that_it_takes_the_screen();
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

    /// A program that draws a whole screen is of no use among the lines of others.
    fn say_that_it_takes_the_screen(&mut self) {
        if self.lines.took_whole_screen() && !self.told_of_focus {
            self.told_of_focus = true;
            let (dyno, process_type) = (&self.dyno, &self.dyno.process_type);
            let text = format!("{dyno} draws a whole screen: type `dyno start --focus {process_type}` to use it");
            self.notice(Source::System, text);
        }
    }

    /// `buffer`: one of the budget.
    fn split(&mut self, buffer: Vec<u8>, fresh_from: usize) {
        let mut pieces = Pieces::new(&self.hub, &self.dyno);
        let spare = self.lines.split(buffer, fresh_from, &mut |chunk| pieces.add(chunk));
        pieces.finish(spare);
    }

    /// After fresh bytes.
    fn plan(&mut self) {
        let now = Instant::now();
        self.waiting = self.lines.patience().map(|patience| {
            let since = self.waiting.map_or(now, |waiting| waiting.since);
            let at_latest = patience.at_most.map(|most| since + most);
            Waiting { since, still_at: now + patience.still, at_latest }
        });
    }

    /// Shows what has waited long enough.
    async fn show_waiting(&mut self) {
        let Some(waiting) = self.waiting.take() else { return };
        let now = Instant::now();
        self.flush(now >= waiting.still_at).await;
        // What a program that is drawing changed only a little waits on.
        if let Some(patience) = self.lines.patience() {
            let at_latest = patience.at_most.map(|most| now + most);
            self.waiting = Some(Waiting { since: now, still_at: waiting.still_at.max(now), at_latest });
        }
    }

    async fn show_all(&mut self) {
        self.waiting = None;
        self.flush(true).await;
    }

    async fn flush(&mut self, is_still: bool) {
        let buffer = self.hub.buffer().await;
        let mut pieces = Pieces::new(&self.hub, &self.dyno);
        self.lines.flush(is_still, &mut |chunk| pieces.add(chunk));
        pieces.finish(Some(buffer));
    }

    async fn finish_line(&mut self) {
        self.waiting = None;
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
    last: Option<(LogBlock, Audience)>,
}

impl<'a> Pieces<'a> {
    fn new(hub: &'a LogHub, dyno: &'a DynoName) -> Self {
        Self { hub, dyno, time: Timestamp::now(), last: None }
    }

    fn add(&mut self, chunk: Chunk) {
        let audience = chunk.audience;
        if let Some((before, audience)) = self.last.replace((block(self.dyno, self.time, chunk), audience)) {
            self.hub.push_extra(before, audience);
        }
    }

    /// `spare`: the buffer, where it is none of the pieces.
    fn finish(self, spare: Option<Vec<u8>>) {
        match self.last {
            Some((last, audience)) => {
                self.hub.push(last, audience);
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
