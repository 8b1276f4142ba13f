//! The lines of the router on their way to the log. None is lost: while the log is not read, no further requests are taken.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::super::log_hub::{BufferPlace, LogHub};
use crate::logs::{Audience, LogBlock, Source};

/// The most bytes of lines that wait for a place in the log before requests wait, too.
const MOST_PENDING: usize = 64 << 10;

/// The shortest time between two looks at the lines. Each wakes the thread that writes the log; and a wait of 10 ms, shorter
/// than those that the system has to set anyway, would cost each request a fourth of its CPU time. A line after a longer pause
/// is passed on at once.
const GATHERED_FOR: Duration = Duration::from_millis(50);

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
    block: LogBlock,
    /// Whether clients that read the log find them already, so that none can be added.
    is_kept: bool,
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
        if pending.back().is_none_or(|last| last.is_kept || now.duration_since(last.block.time) >= SAME_TIME) {
            let block = LogBlock { source: Source::Router, time: now, bytes: Vec::new(), continued: false };
            pending.push_back(TimedLines { block, is_kept: false });
        }
        if let Some(TimedLines { block, .. }) = pending.back_mut() {
            block.bytes.extend_from_slice(text.as_bytes());
            block.bytes.push(b'\n');
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
                self.pass_next(Some(place));
                self.has_room.notify_waiters();
            }
        }
    }

    /// Passes on the lines that are left, without waiting for room.
    pub(super) fn flush(&self) {
        while self.pass_next(None) {}
    }

    /// Shows the lines that wait to those who read the log, even if the terminal has no room for them.
    pub(super) fn keep(&self) {
        for lines in self.pending.borrow_mut().iter_mut().filter(|lines| !lines.is_kept) {
            self.hub.archive(&lines.block, Audience::All);
            lines.is_kept = true;
        }
    }

    #[cfg(test)]
    pub(super) fn hub(&self) -> LogHub {
        self.hub.clone()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.pending.borrow().is_empty()
    }

    /// Passes the oldest lines on. False: there are none.
    fn pass_next(&self, place: Option<BufferPlace>) -> bool {
        let Some(TimedLines { block, is_kept }) = self.pending.borrow_mut().pop_front() else { return false };
        self.bytes.set(self.bytes.get().saturating_sub(block.bytes.len()));
        if is_kept {
            self.hub.show(block, Audience::All, place);
        } else {
            self.hub.push(block, Audience::All, place);
        }
        true
    }
}
