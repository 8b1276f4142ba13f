//! What a request that needs a dyno has found out so far (S16.3).

use std::time::Duration;

/// What is known of a request that needs a dyno. Times are on a clock that never jumps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChoiceInput {
    /// Since when it has needed a dyno.
    pub since: Duration,
    /// The runs that did not accept a connection for it, in order.
    pub tried: Vec<u64>,
    /// The same for runs that had not listened yet: once they do, they are tried as if for the first time.
    pub tried_early: Vec<u64>,
    /// When the last of them did that.
    pub last_try: Duration,
    /// Whether the last of them refused. Otherwise it did not answer in time.
    pub was_refused: bool,
    /// The runs that other requests are trying: it waits for what they find out.
    pub left_to_others: Vec<u64>,
    /// How many other requests the dynos of the process type have. Only counted with the limits of the platform.
    pub in_flight: usize,
}

impl ChoiceInput {
    /// The dyno that accepted the request has lost it: it waits for one again, as long as a new request.
    pub fn begin_again(&mut self, now: Duration) {
        self.since = now;
    }

    /// A run has not accepted a connection. `has_listened`: whether it is known to have listened before.
    pub fn note_refusal(&mut self, run: u64, has_listened: bool, was_refused: bool, now: Duration) {
        let tried = if has_listened { &mut self.tried } else { &mut self.tried_early };
        if !tried.contains(&run) {
            tried.push(run);
        }
        (self.last_try, self.was_refused) = (now, was_refused);
    }

    /// All runs that did not accept a connection for it.
    #[must_use]
    pub fn all_tried(&self) -> Vec<u64> {
        [&self.tried[..], &self.tried_early].concat()
    }

    /// It is for another process type.
    pub fn forget_tries(&mut self) {
        (self.tried, self.tried_early) = (Vec::new(), Vec::new());
    }
}
