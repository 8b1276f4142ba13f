//! Decides when a reader has stopped reading.
//!
//! Pure. Progress is what the reader takes as well as what the kernel accepts: a full pipe accepts nothing until its reader
//! has emptied a whole page, which takes a slow one several seconds.

use std::time::{Duration, Instant};

/// How long a reader that takes nothing is waited for.
pub(super) const STALLED_AFTER: Duration = Duration::from_secs(2);

/// Between two looks at the reader.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The longest time between two looks that counts. More means that we were suspended, and the reader probably was, too.
const LONGEST_GAP: Duration = Duration::from_millis(500);

/// How far the output has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Bytes that are dealt with; it never shrinks.
    pub(super) done: u64,
    /// Bytes in the kernel that the reader has not taken yet.
    pub(super) unread: usize,
}

/// The patience with one reader.
#[derive(Debug)]
pub(super) struct Patience {
    seen: Progress,
    looked_at: Instant,
    /// Time without progress.
    waited: Duration,
}

impl Patience {
    pub(super) fn new(progress: Progress, now: Instant) -> Self {
        Self { seen: progress, looked_at: now, waited: Duration::ZERO }
    }

    /// Takes note of how far the output has come; true: the reader has stopped reading.
    pub(super) fn is_over(&mut self, progress: Progress, now: Instant) -> bool {
        let gap = now.saturating_duration_since(self.looked_at).min(LONGEST_GAP);
        let is_moving = progress.done > self.seen.done || progress.unread < self.seen.unread;
        self.waited = if is_moving { Duration::ZERO } else { self.waited + gap };
        self.seen = progress;
        self.looked_at = now;
        self.waited >= STALLED_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the patience is over after each of these looks: milliseconds since the start, bytes done, bytes unread.
    fn looks<const N: usize>(looks: [(u64, u64, usize); N]) -> [bool; N] {
        let begin = Instant::now();
        let mut patience = Patience::new(Progress { done: 0, unread: 4096 }, begin);
        looks.map(|(ms, done, unread)| patience.is_over(Progress { done, unread }, begin + Duration::from_millis(ms)))
    }

    #[test]
    fn s7_5_a_reader_that_takes_nothing_for_two_seconds_has_stopped() {
        let stuck = [500, 1000, 1500, 1999, 2000].map(|ms| (ms, 0, 4096));

        assert_eq!(looks(stuck), [false, false, false, false, true]);
    }

    #[test]
    fn s7_5_what_the_reader_takes_is_progress_although_nothing_is_accepted() {
        let slow = [(500, 0, 4096), (1000, 0, 3496), (1500, 0, 3496), (2000, 0, 2896), (2500, 0, 2296)];

        assert_eq!(looks(slow), [false; 5]);
    }

    #[test]
    fn s7_5_what_is_accepted_is_progress_although_the_pipe_stays_full() {
        let steady = [(500, 0, 4096), (1000, 0, 4096), (1500, 600, 4096), (2000, 600, 4096), (2500, 600, 4096)];

        assert_eq!(looks(steady), [false; 5]);
    }

    #[test]
    fn s7_5_time_in_which_we_were_suspended_does_not_count() {
        assert_eq!(looks([(500, 0, 4096), (60_000, 0, 4096), (60_500, 0, 4096)]), [false; 3]);
    }
}
