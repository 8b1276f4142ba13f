//! The lines of the router on their way to the log. None is lost: while the log is not read, no further requests are taken.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::super::log_hub::LogHub;
use crate::logs::{Audience, LogBlock, Source};

/// The most bytes of lines that wait for a place in the log before requests wait, too.
const MOST_PENDING: usize = 64 << 10;

/// The shortest time between two looks at the lines, because each wakes the thread that writes the log. A line after a longer
/// pause is passed on at once.
const GATHERED_FOR: Duration = Duration::from_millis(10);

/// This many bytes of lines are passed on sooner.
const MANY_BYTES: usize = MOST_PENDING / 2;

/// Lines that come within this time get the time of the first.
const SAME_TIME: SignedDuration = SignedDuration::from_millis(1);

/// The lines that the log has not taken yet.
pub(super) struct RouterLog {
    hub: LogHub,
    pending: RefCell<VecDeque<TimedLines>>,
    /// How many bytes they have.
    bytes: Cell<usize>,
    arrived: Notify,
    has_room: Notify,
}

/// Lines that were written at the same time.
struct TimedLines {
    time: Timestamp,
    bytes: Vec<u8>,
}

impl RouterLog {
    pub(super) fn new(hub: LogHub) -> Self {
        let (arrived, has_room) = (Notify::new(), Notify::new());
        Self { hub, pending: RefCell::default(), bytes: Cell::default(), arrived, has_room }
    }

    /// Writes a line.
    pub(super) fn line(&self, text: &str) {
        let mut pending = self.pending.borrow_mut();
        let now = Timestamp::now();
        let is_first = pending.is_empty();
        if pending.back().is_none_or(|last| now.duration_since(last.time) >= SAME_TIME) {
            pending.push_back(TimedLines { time: now, bytes: Vec::new() });
        }
        if let Some(last) = pending.back_mut() {
            last.bytes.extend_from_slice(text.as_bytes());
            last.bytes.push(b'\n');
        }
        self.bytes.set(self.bytes.get() + text.len() + 1);
        if is_first || self.bytes.get() >= MANY_BYTES {
            self.arrived.notify_one();
        }
    }

    /// Waits until the log has taken most of the lines.
    pub(super) async fn room(&self) {
        while self.bytes.get() > MOST_PENDING {
            self.has_room.notified().await;
        }
    }

    /// Passes the lines on to the log and never returns.
    pub(super) async fn carry(&self) {
        let mut next = Instant::now();
        loop {
            self.arrived.notified().await;
            while self.bytes.get() < MANY_BYTES && Instant::now() < next {
                tokio::select! {
                    () = sleep_until(next) => {}
                    () = self.arrived.notified() => {}
                }
            }
            next = Instant::now() + GATHERED_FOR;
            while !self.pending.borrow().is_empty() {
                let place = self.hub.place().await;
                if let Some(block) = self.take() {
                    self.hub.push(block, Audience::All, Some(place));
                }
                self.has_room.notify_waiters();
            }
        }
    }

    /// Passes on the lines that are left, without waiting for room.
    pub(super) fn flush(&self) {
        while let Some(block) = self.take() {
            self.hub.push(block, Audience::All, None);
        }
    }

    fn take(&self) -> Option<LogBlock> {
        let TimedLines { time, bytes } = self.pending.borrow_mut().pop_front()?;
        self.bytes.set(self.bytes.get().saturating_sub(bytes.len()));
        Some(LogBlock { source: Source::Router, time, bytes, continued: false })
    }
}
