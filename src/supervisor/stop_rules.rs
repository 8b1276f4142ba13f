//! How the runs of a dyno are stopped (S6.6): with which signal, and after which time the next step follows.

use std::time::Duration;

use crate::model::{ProcessType, RunOrder};

use super::Policy;
use super::dyno_state::Ordered;

/// How the runs of one dyno are stopped.
#[derive(Debug, Clone, Copy)]
pub(super) struct StopRules {
    pub(super) signal: i32,
    /// Whether all its processes get the signal at once.
    everything: bool,
    pub(super) grace: Duration,
}

impl StopRules {
    pub(super) fn new(process_type: &ProcessType, policy: &Policy) -> Self {
        let everything = policy.stops_everything(process_type);
        Self { signal: policy.stop_signal(process_type), everything, grace: policy.grace }
    }

    /// The order to stop at `now`. `grace`: the grace period of the request, which replaces that of the policy.
    pub(super) fn ordered(self, now: Duration, grace: Option<Duration>) -> Ordered {
        let grace = grace.unwrap_or(self.grace);
        let rest_after = Policy::stop_rest_after(grace).filter(|_| !self.everything);
        let rest_at = rest_after.map(|after| now.saturating_add(after));
        Ordered::Stop { rest_at, kill_at: now.saturating_add(grace) }
    }

    pub(super) fn stop_order(self) -> RunOrder {
        RunOrder::Stop { signal: self.signal, everything: self.everything }
    }
}
