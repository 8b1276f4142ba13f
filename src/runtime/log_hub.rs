//! The one thread that owns the output: it formats blocks and writes them.
//!
//! A slow terminal holds back the dynos' output and nothing else. Each task that reads a dyno takes a [`BufferPlace`]
//! in a bounded budget; it travels with the lines and is free again when they are written. Our own notices need none, so
//! that no decision ever waits for the terminal, but at most [`MAX_NOTICES`] of them are queued.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::delivery::Delivery;
use super::focused::Focused;
use super::log_archive::LogArchive;
use super::log_files::{LogFileError, LogFiles};
use super::log_stream::LogStream;
use super::patience::OutputProgress;
use super::tails::Tails;
use crate::logs::{Audience, Formatter, LogBlock, Source};
use crate::model::DynoName;

/// Bytes read at once: as many as a pipe holds.
pub(super) const READ_BYTES: usize = 64 << 10;
/// Places for buffers on their way from the dynos to the terminal. With [`READ_BYTES`] that is a budget of 4 MiB.
const BUFFERS: usize = 64;
/// Notices that wait for a stalled terminal. Further ones are only counted.
const MAX_NOTICES: usize = 1024;
/// Formatted bytes gathered before they are written, so that many small blocks share one write(2).
const WRITE_BYTES: usize = 64 << 10;
/// An output buffer that grew beyond this is freed: prefixes make very short lines 20 times as long.
const KEEP_BYTES: usize = 512 << 10;

/// A report from the thread to the run loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HubEvent {
    /// The stream that shows the log cannot be written any more. Sent once; later output is dropped.
    Lost(Errno),
    /// The same for the files of `--log-dir`.
    FilesLost(LogFileError),
    /// Everything is written and the thread has ended.
    Done,
}

/// The place of one buffer in the budget. It is free again when this is dropped.
pub(super) type BufferPlace = OwnedSemaphorePermit;

enum Item {
    /// Lines. A notice has no place, and of the pieces of one buffer only the last has one.
    Lines(LogBlock, Audience, Option<BufferPlace>),
    /// Text that is written unchanged where the log is shown.
    Mark(Vec<u8>),
    /// Raw output of the focused dyno.
    Raw(Vec<u8>, BufferPlace),
    /// The run of the focused dyno has ended.
    RawEnd,
    /// A dyno was removed, and these were its last lines.
    Retired(DynoName),
}

impl Item {
    fn bytes(&self) -> u64 {
        match self {
            Self::Lines(block, ..) => block.bytes.len() as u64,
            Self::Mark(text) | Self::Raw(text, _) => text.len() as u64,
            Self::RawEnd | Self::Retired(_) => 0,
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
    budget: Arc<Semaphore>,
    pool: Mutex<Vec<Vec<u8>>>,
    delivery: Delivery,
}

/// Everything that gets the lines.
pub(super) struct Receivers<Q> {
    /// Formats the lines that are shown.
    pub(super) formatter: Formatter,
    /// Which sources are hidden.
    pub(super) quiet: Q,
    /// The files of `--log-dir`.
    pub(super) files: Option<LogFiles>,
    /// Keeps the last lines of each dyno.
    pub(super) tails: Option<Tails>,
    /// The stream that shows the lines.
    pub(super) stream: LogStream,
    /// The dyno whose output is shown raw.
    pub(super) focused: Option<Focused>,
}

/// A handle to the thread. Cheap to clone.
#[derive(Clone)]
pub(super) struct LogHub {
    shared: Arc<Shared>,
    archive: Option<LogArchive>,
}

impl LogHub {
    /// Starts the thread.
    ///
    /// # Errors
    /// The thread, or the pipe that wakes it, could not be created.
    pub(super) fn start(
        receivers: Receivers<impl Fn(&Source) -> bool + Send + 'static>,
        archive: Option<LogArchive>,
        events: UnboundedSender<HubEvent>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            budget: Arc::new(Semaphore::new(BUFFERS)),
            pool: Mutex::default(),
            delivery: Delivery::new(receivers.stream.outlet()?)?,
        });
        let shows = receivers.stream != LogStream::Nowhere;
        let writer = Writer { shared: Arc::clone(&shared), receivers, events, out: Vec::new(), shows };
        // A small stack is enough, because the thread has no deep calls, and it saves memory.
        std::thread::Builder::new().name("log-hub".into()).stack_size(256 << 10).spawn(move || writer.run())?;
        Ok(Self { shared, archive })
    }

    /// Waits for a place in the budget.
    pub(super) async fn place(&self) -> BufferPlace {
        match Arc::clone(&self.shared.budget).acquire_owned().await {
            Ok(place) => place,
            // Never: the budget is not closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// An empty buffer.
    pub(super) fn buffer(&self) -> Vec<u8> {
        lock(&self.shared.pool).pop().unwrap_or_else(|| Vec::with_capacity(READ_BYTES))
    }

    /// Keeps the memory of a buffer for reuse.
    pub(super) fn keep(&self, buffer: Vec<u8>) {
        self.shared.keep(buffer);
    }

    /// Queues lines. `place`: their place in the budget, unless it belongs to a later piece of the same buffer.
    pub(super) fn push(&self, block: LogBlock, audience: Audience, place: Option<BufferPlace>) {
        self.archive(&block, audience);
        self.show(block, audience, place);
    }

    /// Queues lines that are in the archive already.
    pub(super) fn show(&self, block: LogBlock, audience: Audience, place: Option<BufferPlace>) {
        self.enqueue(Item::Lines(block, audience, place));
    }

    /// Queues raw output of the focused dyno.
    pub(super) fn show_raw(&self, fresh: &[u8], place: BufferPlace) {
        if !fresh.is_empty() {
            let mut raw = self.buffer();
            raw.extend_from_slice(fresh);
            self.enqueue(Item::Raw(raw, place));
        }
    }

    /// Reports that the run of the focused dyno has ended.
    pub(super) fn end_raw(&self) {
        self.enqueue(Item::RawEnd);
    }

    /// Closes the files of a dyno that was removed.
    pub(super) fn retire(&self, dyno: DynoName) {
        self.enqueue(Item::Retired(dyno));
    }

    /// Queues a notice of our own, or only counts it if too many are queued.
    pub(super) fn notice(&self, block: LogBlock) {
        self.archive(&block, Audience::All);
        {
            let mut queue = lock(&self.shared.queue);
            if queue.notices >= MAX_NOTICES {
                queue.skipped_notices += 1;
                return;
            }
            queue.notices += 1;
        }
        self.enqueue(Item::Lines(block, Audience::All, None));
    }

    /// Queues text that is written unchanged between the lines. There are too few of these to need a limit.
    pub(super) fn mark(&self, text: Vec<u8>) {
        self.enqueue(Item::Mark(text));
    }

    /// Lets the thread end when everything queued is written. [`HubEvent::Done`] follows.
    pub(super) fn close(&self) {
        let mut queue = lock(&self.shared.queue);
        queue.closing = true;
        self.shared.wake.notify_one();
    }

    /// Announces the end: from now on [`LogHub::progress`] soon shows whether the reader is still reading.
    pub(super) fn begin_end(&self) {
        self.shared.delivery.begin_end();
    }

    /// Gives up on a reader that has stopped reading: the rest is counted and goes only to the log files.
    pub(super) fn give_up(&self) {
        self.shared.delivery.give_up();
    }

    /// How much of the output is written, and how much of that is read.
    pub(super) fn progress(&self) -> OutputProgress {
        self.shared.delivery.progress()
    }

    /// Bytes of output that no `write` has accepted.
    pub(super) fn unwritten_bytes(&self) -> u64 {
        self.shared.delivery.unwritten_bytes()
    }

    /// Adds lines to the archive only.
    pub(super) fn archive(&self, block: &LogBlock, audience: Audience) {
        if let Some(archive) = &self.archive {
            archive.add(block, audience);
        }
    }

    fn enqueue(&self, item: Item) {
        self.shared.delivery.count_queued(item.bytes());
        let mut queue = lock(&self.shared.queue);
        queue.items.push_back(item);
        // Waking costs a system call, and a thread that is working looks at the queue again by itself.
        if queue.sleeping {
            queue.sleeping = false;
            self.shared.wake.notify_one();
        }
    }
}

impl Shared {
    fn keep(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut pool = lock(&self.pool);
        // A long line comes back twice: the buffer it was read into, and the copy of each piece.
        if pool.len() < BUFFERS && (READ_BYTES..=2 * READ_BYTES).contains(&buffer.capacity()) {
            pool.push(buffer);
        }
    }
}

/// Ignores poison: every change is a single step, so a thread that panicked with the lock has left the data consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Writer<Q> {
    shared: Arc<Shared>,
    receivers: Receivers<Q>,
    events: UnboundedSender<HubEvent>,
    out: Vec<u8>,
    /// Whether lines are shown: not in the background, and not after a write has failed.
    shows: bool,
}

impl<Q: Fn(&Source) -> bool> Writer<Q> {
    fn run(mut self) {
        let mut batch = VecDeque::new();
        while self.next_batch(&mut batch) {
            for item in batch.drain(..) {
                self.process(item);
            }
            if let Some(focused) = &mut self.receivers.focused {
                focused.come_back(&mut self.out);
            }
            self.write_out();
        }
        let _ = self.events.send(HubEvent::Done);
    }

    /// Waits for work. False if everything is done.
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
                    let item = Item::Lines(block, Audience::All, None);
                    self.shared.delivery.count_queued(item.bytes());
                    batch.push_back(item);
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

    fn process(&mut self, item: Item) {
        let bytes = item.bytes();
        match item {
            Item::Lines(block, audience, place) => {
                self.distribute(&block, audience);
                self.shared.keep(block.bytes);
                drop(place);
            }
            Item::Retired(dyno) => {
                if let Some(files) = &mut self.receivers.files {
                    files.close(&dyno);
                }
            }
            Item::Mark(text) if self.shows => self.out.extend_from_slice(&text),
            Item::Mark(_) => {}
            Item::Raw(raw, place) => {
                if let Some(focused) = self.receivers.focused.as_mut().filter(|_| self.shows) {
                    focused.show(&raw, &mut self.receivers.formatter, &mut self.out);
                }
                self.shared.keep(raw);
                drop(place);
            }
            Item::RawEnd => {
                if let Some(focused) = self.receivers.focused.as_mut().filter(|_| self.shows) {
                    focused.end_of_run(&mut self.receivers.formatter, &mut self.out);
                }
            }
        }
        self.shared.delivery.count_formatted(bytes);
        if self.out.len() >= WRITE_BYTES {
            self.write_out();
        }
    }

    fn distribute(&mut self, block: &LogBlock, audience: Audience) {
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
        if !self.shows || quiet(&block.source) {
            return;
        }
        match focused {
            Some(focused) => focused.render(formatter, block, &mut self.out),
            None => formatter.render(block, &mut self.out),
        }
    }

    fn write_out(&mut self) {
        if self.shows
            && let Err(errno) = self.shared.delivery.write_all(&self.out)
        {
            self.shows = false;
            let _ = self.events.send(HubEvent::Lost(errno));
        }
        self.out.clear();
        if self.out.capacity() > KEEP_BYTES {
            self.out = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests;
