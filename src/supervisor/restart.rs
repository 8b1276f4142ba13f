//! Decides when a crashed dyno may start again (S6.4).
//!
//! Pure arithmetic on the crashes in a row of one dyno. Not here: what counts as a crash (`Supervisor::judge`), and the
//! waiting (`DynoState::Backoff`).

use std::time::Duration;

use super::RestartPolicy;

/// The restarts in a row of one dyno. They are forgotten once it was up long enough.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct CrashCount {
    restarts: u32,
    last_delay: Duration,
}

/// What to do with a crashed dyno.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Start it again after this delay; zero: at once.
    Restart { after: Duration },
    /// It was restarted that often in a row already and stays crashed.
    GiveUp { restarts: u32 },
}

impl CrashCount {
    /// Takes note of a crash after `up_for` of being up: the healthy window, max(shortest healthy time, 2 × last delay),
    /// clears the count.
    pub(super) fn record_crash(&mut self, up_for: Duration, policy: RestartPolicy) {
        if up_for >= policy.min_healthy.max(self.last_delay.saturating_mul(2)) {
            *self = Self::default();
        }
    }

    /// Decides about the restart after the crash that was recorded last, and counts it.
    pub(super) fn next_restart(&mut self, policy: RestartPolicy) -> Decision {
        if policy.max_restarts.is_some_and(|most| self.restarts >= most) {
            return Decision::GiveUp { restarts: self.restarts };
        }
        let after = delay(self.restarts, policy);
        self.restarts = self.restarts.saturating_add(1);
        self.last_delay = after;
        Decision::Restart { after }
    }
}

/// The delay after this many restarts in a row: none, then base, twice the base, … up to the cap.
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
            Decision::Restart { after } => after.as_secs(),
            Decision::GiveUp { .. } => u64::MAX,
        };
        std::iter::repeat_with(decide).take(crashes).collect()
    }

    #[test]
    fn s6_4_the_first_restart_comes_at_once_then_the_delay_doubles_up_to_the_cap() {
        assert_eq!(seconds(RestartPolicy::default(), 9), [0, 1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn s6_9_the_longest_delay_can_be_chosen_and_may_be_none() {
        let capped = |seconds| RestartPolicy { cap: Duration::from_secs(seconds), ..RestartPolicy::default() };

        assert_eq!(seconds(capped(3), 6), [0, 1, 2, 3, 3, 3]);
        assert_eq!(seconds(capped(0), 4), [0, 0, 0, 0]);
    }

    #[test]
    fn a_dyno_that_crashes_for_weeks_never_overflows_the_delay() {
        assert_eq!(seconds(RestartPolicy::default(), 100).last(), Some(&60));
        let endless = RestartPolicy { base: Duration::MAX, cap: Duration::MAX, ..RestartPolicy::default() };
        assert_eq!(seconds(endless, 100).last(), Some(&Duration::MAX.as_secs()));
    }

    #[test]
    fn s6_4_the_count_clears_after_the_healthy_window() {
        let policy = RestartPolicy::default();
        let mut count = CrashCount::default();
        count.next_restart(policy);
        count.next_restart(policy);

        count.record_crash(Duration::from_secs(10), policy);

        assert_eq!(count.next_restart(policy), Decision::Restart { after: Duration::ZERO });
    }

    #[test]
    fn s6_4_the_healthy_window_is_at_least_twice_the_last_delay() {
        let policy = RestartPolicy::default();
        let mut count = CrashCount::default();
        for _ in 0..6 {
            count.next_restart(policy);
        }

        count.record_crash(Duration::from_secs(31), policy);
        assert_eq!(count.next_restart(policy), Decision::Restart { after: Duration::from_secs(32) });
        count.record_crash(Duration::from_secs(64), policy);
        assert_eq!(count.next_restart(policy), Decision::Restart { after: Duration::ZERO });
    }

    #[test]
    fn s6_4_with_a_limit_it_is_given_up_after_that_many_restarts_in_a_row() {
        let policy = RestartPolicy { max_restarts: Some(2), ..RestartPolicy::default() };
        let mut count = CrashCount::default();
        count.next_restart(policy);
        count.next_restart(policy);

        assert_eq!(count.next_restart(policy), Decision::GiveUp { restarts: 2 });
    }
}
