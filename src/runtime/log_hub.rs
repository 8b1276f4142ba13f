//! The one thread that owns the output: it formats blocks and writes them.
//!
//! Dynos wait for it, decisions never do: a reader takes a buffer out of a bounded budget and gets it back when the
//! buffer's lines were written, so a slow terminal stops the dynos' output and nothing else. Notices of our own
//! need no buffer, but at most [`MAX_NOTICES`] wait.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;

use super::delivery::Delivery;
use super::focused::Focused;
use super::log_files::{LogFileError, LogFiles};
use super::outlet::Outlet;
use super::patience::Progress;
use super::tails::Tails;
use crate::logs::{Audience, Formatter, LogBlock, Source};

/// Bytes read at once: what a pipe holds.
pub(super) const READ_BYTES: usize = 64 << 10;
/// Buffers in flight between the readers and the terminal; with [`READ_BYTES`] a budget of 4 MiB.
const BUFFERS: usize = 64;
/// Notices that wait for a stalled terminal; the rest are counted.
const MAX_NOTICES: usize = 1024;
/// Formatted bytes gathered before they are written, so that many small blocks share one write(2).
const WRITE_BYTES: usize = 64 << 10;
/// A formatted buffer that grew beyond this is let go: very short lines grow by a factor of 20.
const KEEP_BYTES: usize = 512 << 10;

/// What the hub tells the run loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HubEvent {
    /// Nothing can be written to the screen any more, for this reason. Told once; later output is taken and dropped.
    Lost(Errno),
    /// The same for the files of `--log-dir`.
    FilesLost(LogFileError),
    /// All is written and the thread has ended.
    Done,
}

enum Item {
    /// Lines of a dyno; when they are written a buffer goes back to the budget.
    Block(LogBlock, Audience),
    /// A piece before them of the same buffer, or a notice: no buffer to give back.
    Extra(LogBlock, Audience),
    /// Written as it is, where the log is shown.
    Mark(Vec<u8>),
    /// What the focused dyno writes, as it is, in a buffer of the budget.
    Shown(Vec<u8>),
    /// The run of the focused dyno is over.
    ShownEnd,
}

impl Item {
    fn bytes(&self) -> u64 {
        match self {
            Self::Block(block, _) | Self::Extra(block, _) => block.bytes.len() as u64,
            Self::Mark(text) | Self::Shown(text) => text.len() as u64,
            Self::ShownEnd => 0,
        }
    }
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    notices: usize,
    skipped_notices: u64,
    closing: bool,
    sleeping: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    budget: Semaphore,
    pool: Mutex<Vec<Vec<u8>>>,
    delivery: Delivery,
}

/// Where the lines go.
pub(super) struct Receivers<Q> {
    /// How they look where they are shown.
    pub(super) formatter: Formatter,
    /// Whose lines are taken but not shown.
    pub(super) quiet: Q,
    /// Files that all of them go to besides.
    pub(super) files: Option<LogFiles>,
    /// What keeps the last ones of each dyno.
    pub(super) tails: Option<Tails>,
    /// Where they are shown.
    pub(super) screen: Screen,
    /// The dyno that is shown as it is.
    pub(super) focused: Option<Focused>,
}

/// The stream that shows the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Screen {
    Stdout,
    Stderr,
}

impl Screen {
    pub(super) fn is_terminal(self) -> bool {
        match self {
            Self::Stdout => std::io::stdout().is_terminal(),
            Self::Stderr => std::io::stderr().is_terminal(),
        }
    }

    fn outlet(self) -> Outlet {
        match self {
            Self::Stdout => Outlet::new(std::io::stdout()),
            Self::Stderr => Outlet::new(std::io::stderr()),
        }
    }
}

/// The way to the hub. Cheap to clone.
#[derive(Clone)]
pub(super) struct LogHub {
    shared: Arc<Shared>,
}

impl LogHub {
    /// Starts the thread.
    ///
    /// # Errors
    /// The thread, or what wakes it, could not be created.
    pub(super) fn start(
        receivers: Receivers<impl Fn(&Source) -> bool + Send + 'static>,
        events: UnboundedSender<HubEvent>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            budget: Semaphore::new(BUFFERS),
            pool: Mutex::default(),
            delivery: Delivery::new(receivers.screen.outlet())?,
        });
        let writer = Writer { shared: Arc::clone(&shared), receivers, events, out: Vec::new(), lost: false };
        // Small: the thread calls nothing deep, and it counts towards the memory of every user.
        std::thread::Builder::new().name("log-hub".into()).stack_size(256 << 10).spawn(move || writer.live())?;
        Ok(Self { shared })
    }

    /// An empty buffer, once the budget has one.
    pub(super) async fn buffer(&self) -> Vec<u8> {
        if let Ok(permit) = self.shared.budget.acquire().await {
            permit.forget();
        }
        lock(&self.shared.pool).pop().unwrap_or_else(|| Vec::with_capacity(READ_BYTES))
    }

    /// Gives back a buffer that was not needed.
    pub(super) fn give_back(&self, buffer: Vec<u8>) {
        self.shared.recycle(buffer);
    }

    /// Keeps the memory of a buffer whose place in the budget a block has.
    pub(super) fn keep(&self, buffer: Vec<u8>) {
        self.shared.keep(buffer);
    }

    /// Queues lines that have the place of a buffer of [`LogHub::buffer`] in the budget.
    pub(super) fn push(&self, block: LogBlock, audience: Audience) {
        self.enqueue(Item::Block(block, audience));
    }

    /// Queues a piece of what follows in the place of one buffer.
    pub(super) fn push_extra(&self, block: LogBlock, audience: Audience) {
        self.enqueue(Item::Extra(block, audience));
    }

    /// Queues what is to be shown as it is, in a buffer of [`LogHub::buffer`].
    pub(super) fn show(&self, bytes: Vec<u8>) {
        self.enqueue(Item::Shown(bytes));
    }

    /// Says that the run whose output is shown as it is is over.
    pub(super) fn end_shown(&self) {
        self.enqueue(Item::ShownEnd);
    }

    /// Queues a notice of our own, or counts it where too many wait.
    pub(super) fn notice(&self, block: LogBlock) {
        {
            let mut queue = lock(&self.shared.queue);
            if queue.notices >= MAX_NOTICES {
                queue.skipped_notices += 1;
                return;
            }
            queue.notices += 1;
        }
        self.enqueue(Item::Extra(block, Audience::All));
    }

    /// Queues a mark between the lines. Few: it is not counted.
    pub(super) fn mark(&self, text: Vec<u8>) {
        self.enqueue(Item::Mark(text));
    }

    /// Lets the thread end when all that was queued is written; [`HubEvent::Done`] follows.
    pub(super) fn close(&self) {
        let mut queue = lock(&self.shared.queue);
        queue.closing = true;
        self.shared.wake.notify_one();
    }

    /// The end has begun: from now on it is known soon whether the reader still reads.
    pub(super) fn begin_end(&self) {
        self.shared.delivery.begin_end();
    }

    /// The reader has stopped reading: the rest goes to the log files alone and is counted.
    pub(super) fn give_up(&self) {
        self.shared.delivery.give_up();
    }

    /// How far the output has come.
    pub(super) fn progress(&self) -> Progress {
        self.shared.delivery.progress()
    }

    /// Bytes of output that no `write` has accepted.
    pub(super) fn unwritten_bytes(&self) -> u64 {
        self.shared.delivery.unwritten_bytes()
    }

    fn enqueue(&self, item: Item) {
        self.shared.delivery.queue(item.bytes());
        let mut queue = lock(&self.shared.queue);
        queue.items.push_back(item);
        // Waking costs a system call; a thread that works looks again by itself.
        if queue.sleeping {
            queue.sleeping = false;
            self.shared.wake.notify_one();
        }
    }
}

impl Shared {
    fn recycle(&self, buffer: Vec<u8>) {
        self.keep(buffer);
        self.budget.add_permits(1);
    }

    fn keep(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        if (READ_BYTES..=2 * READ_BYTES).contains(&buffer.capacity()) {
            lock(&self.pool).push(buffer);
        }
    }
}

/// A thread that panicked while it held the lock left a queue that is still whole: every change is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Writer<Q> {
    shared: Arc<Shared>,
    receivers: Receivers<Q>,
    events: UnboundedSender<HubEvent>,
    out: Vec<u8>,
    lost: bool,
}

impl<Q: Fn(&Source) -> bool> Writer<Q> {
    fn live(mut self) {
        let mut batch = VecDeque::new();
        while self.next_batch(&mut batch) {
            for item in batch.drain(..) {
                self.take(item);
            }
            if let Some(focused) = &mut self.receivers.focused {
                focused.come_back(&mut self.out);
            }
            self.write_out();
        }
        let _ = self.events.send(HubEvent::Done);
    }

    /// Waits for work; false: all is done.
    fn next_batch(&mut self, batch: &mut VecDeque<Item>) -> bool {
        let mut queue = lock(&self.shared.queue);
        loop {
            if !queue.items.is_empty() {
                std::mem::swap(batch, &mut queue.items);
                queue.notices = 0;
                let skipped = std::mem::take(&mut queue.skipped_notices);
                if skipped > 0 {
                    let bytes = format!("… {skipped} notices skipped\n").into_bytes();
                    let time = jiff::Timestamp::now();
                    let block = LogBlock { source: Source::System, time, bytes, continued: false };
                    batch.push_back(Item::Extra(block, Audience::All));
                }
                return true;
            }
            if queue.closing {
                return false;
            }
            queue.sleeping = true;
            queue = self.shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn take(&mut self, item: Item) {
        let bytes = item.bytes();
        match item {
            Item::Block(block, audience) => {
                self.hand_out(&block, audience);
                self.shared.recycle(block.bytes);
            }
            Item::Extra(block, audience) => self.hand_out(&block, audience),
            Item::Mark(text) if !self.lost => self.out.extend_from_slice(&text),
            Item::Mark(_) => {}
            Item::Shown(shown) => {
                if let Some(focused) = self.receivers.focused.as_mut().filter(|_| !self.lost) {
                    focused.show(&shown, &mut self.receivers.formatter, &mut self.out);
                }
                self.shared.recycle(shown);
            }
            Item::ShownEnd => {
                if let Some(focused) = self.receivers.focused.as_mut().filter(|_| !self.lost) {
                    focused.end_of_run(&mut self.receivers.formatter, &mut self.out);
                }
            }
        }
        self.shared.delivery.take(bytes);
        if self.out.len() >= WRITE_BYTES {
            self.write_out();
        }
    }

    fn hand_out(&mut self, block: &LogBlock, audience: Audience) {
        let Receivers { formatter, quiet, files, tails, focused, .. } = &mut self.receivers;
        if audience != Audience::Screens
            && let Some(file) = files
            && let Err(error) = file.write(block)
        {
            *files = None;
            let _ = self.events.send(HubEvent::FilesLost(error));
        }
        if audience == Audience::Files {
            return;
        }
        if let Some(tails) = tails {
            tails.push(block);
        }
        if self.lost || quiet(&block.source) {
            return;
        }
        match focused {
            Some(focused) => focused.render(formatter, block, &mut self.out),
            None => formatter.render(block, &mut self.out),
        }
    }

    fn write_out(&mut self) {
        if !self.lost
            && let Err(errno) = self.shared.delivery.write_all(&self.out)
        {
            self.lost = true;
            let _ = self.events.send(HubEvent::Lost(errno));
        }
        self.out.clear();
        if self.out.capacity() > KEEP_BYTES {
            self.out = Vec::new();
        }
    }
}
