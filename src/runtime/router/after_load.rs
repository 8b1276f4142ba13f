//! Gives memory back once a load has passed: that of buffers, and that of code which only requests need.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

use crate::guardian::{unmap_free_memory, unmap_unchanged_pages};

/// Fewer requests are not worth the work.
const LOAD: u64 = 100;
/// An answer with this many bytes is treated as one more request.
const LONG_ANSWER: u64 = 64 << 10;
/// How long after the last request. By then idle connections have given their buffers back.
const PASSED_AFTER: Duration = Duration::from_secs(3);

/// The load since memory was given back.
#[derive(Default)]
pub(super) struct AfterLoad {
    requests: Cell<u64>,
    last: Cell<Option<Instant>>,
}

impl AfterLoad {
    /// A request has been answered with this many bytes.
    pub(super) fn note(&self, now: Instant, bytes: u64) {
        self.requests.set(self.requests.get().saturating_add(1 + bytes / LONG_ANSWER));
        self.last.set(Some(now));
    }

    /// Gives memory back if it is time, or returns when it is.
    pub(super) fn review(&self, now: Instant) -> Option<Instant> {
        let due = self.last.get().filter(|_| self.requests.get() >= LOAD)? + PASSED_AFTER;
        if due > now {
            return Some(due);
        }
        self.requests.set(0);
        unmap_unchanged_pages();
        unmap_free_memory();
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s16_6_memory_is_given_back_3_s_after_a_load() {
        let (load, begin) = (AfterLoad::default(), Instant::now());
        let after = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(load.review(begin), None);
        for _ in 1..LOAD {
            load.note(begin, 1_000);
        }
        assert_eq!(load.review(begin), None);
        load.note(after(1), 0);
        assert_eq!(load.review(after(3)), Some(after(4)));
        // Once.
        assert_eq!(load.review(after(4)), None);
        load.note(after(5), 0);
        assert_eq!(load.review(after(6)), None);
    }

    #[test]
    fn s16_6_a_long_answer_is_a_load() {
        let (load, begin) = (AfterLoad::default(), Instant::now());

        load.note(begin, 100 << 20);

        assert_eq!(load.review(begin), Some(begin + PASSED_AFTER));
    }
}
