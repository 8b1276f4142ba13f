//! Decides when a crashed dyno may start again (S6.4).
//!
//! Pure arithmetic on how many times one dyno crashed in a row. Not here: which exits are crashes (`reports::judge`), and
//! the waiting (`Rest::Backoff`).

use std::time::Duration;

use super::RestartPolicy;

/// How many times one dyno was restarted in a row. The count is reset once the dyno was up long enough.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct CrashCount {
    restarts: u32,
    last_delay: Duration,
}

/// What to do with a crashed dyno.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RestartDecision {
    /// Start it again after this delay, or at once if it is zero.
    Restart { after: Duration },
    /// It was already restarted this often in a row, and stays crashed.
    GiveUp { restarts: u32 },
}

impl CrashCount {
    /// Records a crash of a dyno that was up for `up_for`. The count is reset if that is at least the healthy window:
    /// the longer of the shortest healthy time and twice the last delay.
    pub(super) fn record_crash(&mut self, up_for: Duration, policy: RestartPolicy) {
        if up_for >= policy.min_healthy.max(self.last_delay.saturating_mul(2)) {
            *self = Self::default();
        }
    }

    /// Decides what to do about the last recorded crash, and counts the restart.
    pub(super) fn next_restart(&mut self, policy: RestartPolicy) -> RestartDecision {
        if policy.max_restarts.is_some_and(|most| self.restarts >= most) {
            return RestartDecision::GiveUp { restarts: self.restarts };
        }
        let after = delay(self.restarts, policy);
        self.restarts = self.restarts.saturating_add(1);
        self.last_delay = after;
        RestartDecision::Restart { after }
    }
}

/// The delay after this many restarts in a row: zero, then the base, twice the base and so on up to the cap.
fn delay(restarts: u32, policy: RestartPolicy) -> Duration {
    match restarts.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => {
            let factor = 2_u32.checked_pow(doublings).unwrap_or(u32::MAX);
            policy.base.saturating_mul(factor).min(policy.cap)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(policy: RestartPolicy, crashes: usize) -> Vec<u64> {
        let mut count = CrashCount::default();
        let decide = || match count.next_restart(policy) {
            RestartDecision::Restart { after } => after.as_secs(),
            RestartDecision::GiveUp { .. } => u64::MAX,
        };
        std::iter::repeat_with(decide).take(crashes).collect()
    }

    #[test]
    fn s6_4_the_first_restart_is_immediate_then_delays_double_up_to_the_cap() {
        assert_eq!(seconds(RestartPolicy::default(), 9), [0, 1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn s6_9_the_longest_delay_is_configurable_and_may_be_zero() {
        let capped = |seconds| RestartPolicy { cap: Duration::from_secs(seconds), ..RestartPolicy::default() };

        assert_eq!(seconds(capped(3), 6), [0, 1, 2, 3, 3, 3]);
        assert_eq!(seconds(capped(0), 4), [0, 0, 0, 0]);
    }

    #[test]
    fn weeks_of_crashes_do_not_overflow_the_delay() {
        assert_eq!(seconds(RestartPolicy::default(), 100).last(), Some(&60));
        let endless = RestartPolicy { base: Duration::MAX, cap: Duration::MAX, ..RestartPolicy::default() };
        assert_eq!(seconds(endless, 100).last(), Some(&Duration::MAX.as_secs()));
    }

    #[test]
    fn s6_4_the_restart_count_resets_after_the_healthy_window() {
        let policy = RestartPolicy::default();
        let mut count = CrashCount::default();
        count.next_restart(policy);
        count.next_restart(policy);

        count.record_crash(Duration::from_secs(10), policy);

        assert_eq!(count.next_restart(policy), RestartDecision::Restart { after: Duration::ZERO });
    }

    #[test]
    fn s6_4_the_healthy_window_is_at_least_twice_the_last_delay() {
        let policy = RestartPolicy::default();
        let mut count = CrashCount::default();
        for _ in 0..6 {
            count.next_restart(policy);
        }

        count.record_crash(Duration::from_secs(31), policy);
        assert_eq!(count.next_restart(policy), RestartDecision::Restart { after: Duration::from_secs(32) });
        count.record_crash(Duration::from_secs(64), policy);
        assert_eq!(count.next_restart(policy), RestartDecision::Restart { after: Duration::ZERO });
    }

    #[test]
    fn s6_4_a_dyno_is_given_up_on_after_the_allowed_restarts_in_a_row() {
        let policy = RestartPolicy { max_restarts: Some(2), ..RestartPolicy::default() };
        let mut count = CrashCount::default();
        count.next_restart(policy);
        count.next_restart(policy);

        assert_eq!(count.next_restart(policy), RestartDecision::GiveUp { restarts: 2 });
    }
}
