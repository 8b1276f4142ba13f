//! How far a client has come with its request, and what follows when time passes.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

use super::super::deadlines::Timed;
use super::{ClientConnection, ClientEnd, IDLE_FOR};

/// How long after the last request the buffers for the next one are kept.
pub(in super::super) const RESTS_AFTER: Duration = Duration::from_secs(1);
/// How long the head of a request may take to arrive.
const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// What is expected of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientStage {
    /// It has sent nothing of a request since then.
    Idle(Instant),
    /// The head of a request has begun then.
    Head(Instant),
    /// A request is being answered.
    Busy,
}

impl ClientConnection {
    /// Begins to rest, unless there is something to do.
    pub(in super::super) fn rest(&self) -> bool {
        let is_over = self.is_over();
        if is_over {
            self.is_speaking.set(false);
        }
        self.late.set(self.late.get().filter(|end| *end != ClientEnd::Resting));
        is_over
    }

    /// Whether all that it has sent is answered.
    fn is_over(&self) -> bool {
        let guard = self.guard.borrow();
        let is_idle = matches!(self.stage.get(), ClientStage::Idle(_)) && !self.is_refused();
        is_idle && guard.is_between_requests() && self.requests.get() >= guard.heads() && !self.has_unwritten()
    }

    /// No request is being answered. The end of the last one may still be on its way, after an early answer.
    pub(super) fn await_request(&self) {
        let now = Instant::now();
        let has_begun = self.guard.borrow().is_in_head();
        self.enter(if has_begun { ClientStage::Head(now) } else { ClientStage::Idle(now) });
    }

    pub(super) fn enter(&self, stage: ClientStage) {
        self.stage.set(stage);
        // What was too late for the stage before.
        self.late.set(self.late.get().filter(|end| *end == ClientEnd::Cut));
    }

    /// `dyno` was suspended: its time runs out as much later.
    pub(in super::super) fn postpone(&self, paused_for: Duration) {
        self.stage.set(match self.stage.get() {
            ClientStage::Idle(since) => ClientStage::Idle(since + paused_for),
            ClientStage::Head(since) => ClientStage::Head(since + paused_for),
            ClientStage::Busy => ClientStage::Busy,
        });
        self.wrote.set(self.wrote.get() + paused_for);
    }

    #[cfg(test)]
    pub(in super::super) fn is_speaking(&self) -> bool {
        self.is_speaking.get()
    }

    #[cfg(test)]
    pub(in super::super) fn is_in_head(&self) -> bool {
        matches!(self.stage.get(), ClientStage::Head(_))
    }
}

impl Timed for ClientConnection {
    fn review(&self, now: Instant) -> Option<Instant> {
        let (until, end) = match self.stage.get() {
            ClientStage::Busy => return None,
            // It still reads the last answer, or has stopped.
            ClientStage::Idle(_) | ClientStage::Head(_) if self.has_unwritten() => {
                (self.wrote.get() + IDLE_FOR, ClientEnd::Idle)
            }
            ClientStage::Idle(_) if self.has_unseen() => return Some(now + HEAD_WITHIN),
            ClientStage::Idle(since) if self.is_speaking.get() && self.is_over() => {
                (since + RESTS_AFTER, ClientEnd::Resting)
            }
            ClientStage::Idle(since) => (since + IDLE_FOR, ClientEnd::Idle),
            ClientStage::Head(since) => (since + HEAD_WITHIN, ClientEnd::SlowHead),
        };
        if until > now {
            return Some(until);
        }
        self.late.set(Some(end));
        self.ending.notify_one();
        // The stage may change before the end is noticed.
        Some(if end == ClientEnd::Resting { until + IDLE_FOR.saturating_sub(RESTS_AFTER) } else { now + IDLE_FOR })
    }

    fn seat(&self) -> &Cell<usize> {
        &self.seat
    }
}
