//! Decides when a reader has stopped reading.
//!
//! Pure. Progress means that the kernel accepts bytes or that the reader takes some. The first alone is not enough: a full
//! pipe accepts nothing until its reader has emptied a whole page, which takes a slow reader several seconds.

use std::time::{Duration, Instant};

/// How long to wait for a reader that makes no progress.
pub(super) const STALLED_AFTER: Duration = Duration::from_secs(2);

/// How often to check the progress.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// At most this much of the time between two checks is counted: if more has passed, we were suspended, and the reader
/// probably was, too.
const LONGEST_GAP: Duration = Duration::from_millis(500);

/// How much of the output is written, and how much of that is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OutputProgress {
    /// Bytes that were accepted so far. Never shrinks.
    pub(super) done: u64,
    /// Bytes in the kernel that the reader has not taken yet.
    pub(super) unread: usize,
}

/// How long one reader has made no progress.
#[derive(Debug)]
pub(super) struct Patience {
    seen: OutputProgress,
    checked_at: Instant,
    /// Time without progress.
    waited: Duration,
}

impl Patience {
    pub(super) fn new(progress: OutputProgress, now: Instant) -> Self {
        Self { seen: progress, checked_at: now, waited: Duration::ZERO }
    }

    /// Records the progress. Returns whether the patience has run out: the reader has stopped reading.
    pub(super) fn has_run_out(&mut self, progress: OutputProgress, now: Instant) -> bool {
        let gap = now.saturating_duration_since(self.checked_at).min(LONGEST_GAP);
        let is_moving = progress.done > self.seen.done || progress.unread < self.seen.unread;
        self.waited = if is_moving { Duration::ZERO } else { self.waited + gap };
        self.seen = progress;
        self.checked_at = now;
        self.waited >= STALLED_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the patience has run out at each check. `checks`: milliseconds since the start, bytes done, bytes unread.
    fn checks<const N: usize>(checks: [(u64, u64, usize); N]) -> [bool; N] {
        let begin = Instant::now();
        let mut patience = Patience::new(OutputProgress { done: 0, unread: 4096 }, begin);
        checks.map(|(ms, done, unread)| {
            patience.has_run_out(OutputProgress { done, unread }, begin + Duration::from_millis(ms))
        })
    }

    #[test]
    fn s7_5_a_reader_that_takes_nothing_for_two_seconds_has_stopped() {
        let stuck = [500, 1000, 1500, 1999, 2000].map(|ms| (ms, 0, 4096));

        assert_eq!(checks(stuck), [false, false, false, false, true]);
    }

    #[test]
    fn s7_5_a_reader_that_takes_bytes_makes_progress_without_a_write() {
        let slow = [(500, 0, 4096), (1000, 0, 3496), (1500, 0, 3496), (2000, 0, 2896), (2500, 0, 2296)];

        assert_eq!(checks(slow), [false; 5]);
    }

    #[test]
    fn s7_5_an_accepted_write_is_progress_even_if_the_pipe_stays_full() {
        let steady = [(500, 0, 4096), (1000, 0, 4096), (1500, 600, 4096), (2000, 600, 4096), (2500, 600, 4096)];

        assert_eq!(checks(steady), [false; 5]);
    }

    #[test]
    fn s7_5_time_while_suspended_is_not_counted() {
        assert_eq!(checks([(500, 0, 4096), (60_000, 0, 4096), (60_500, 0, 4096)]), [false; 3]);
    }
}
