//! The lines of the router on their way to the log. None is lost: while the log is not read, no further requests are taken.

use std::cell::{Cell, RefCell};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::super::log_hub::LogHub;
use crate::logs::{Audience, LogBlock, Source};

/// The most bytes of lines that wait for a place in the log before requests wait, too.
const MOST_PENDING: usize = 64 << 10;

/// The lines that the log has not taken yet.
pub(super) struct RouterLog {
    hub: LogHub,
    pending: RefCell<Vec<u8>>,
    /// When the first of them was written.
    since: Cell<Timestamp>,
    arrived: Notify,
    has_room: Notify,
}

impl RouterLog {
    pub(super) fn new(hub: LogHub) -> Self {
        let (arrived, has_room) = (Notify::new(), Notify::new());
        Self { hub, pending: RefCell::default(), since: Cell::new(Timestamp::UNIX_EPOCH), arrived, has_room }
    }

    /// Writes a line.
    pub(super) fn line(&self, text: &str) {
        let mut pending = self.pending.borrow_mut();
        if pending.is_empty() {
            self.since.set(Timestamp::now());
            self.arrived.notify_one();
        }
        pending.extend_from_slice(text.as_bytes());
        pending.push(b'\n');
    }

    /// Waits until the log has taken most of the lines.
    pub(super) async fn room(&self) {
        while self.pending.borrow().len() > MOST_PENDING {
            self.has_room.notified().await;
        }
    }

    /// Passes the lines on to the log, for ever.
    pub(super) async fn carry(&self) {
        loop {
            self.arrived.notified().await;
            let place = self.hub.place().await;
            if let Some(block) = self.take() {
                self.hub.push(block, Audience::All, Some(place));
            }
            self.has_room.notify_waiters();
        }
    }

    /// Passes on the lines that are left, without waiting for room.
    pub(super) fn flush(&self) {
        if let Some(block) = self.take() {
            self.hub.push(block, Audience::All, None);
        }
    }

    fn take(&self) -> Option<LogBlock> {
        let bytes = std::mem::take(&mut *self.pending.borrow_mut());
        (!bytes.is_empty()).then(|| LogBlock {
            source: Source::Router,
            time: self.since.get(),
            bytes,
            continued: false,
        })
    }
}
