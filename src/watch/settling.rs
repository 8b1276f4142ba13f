//! Collects changes until nothing has changed for a moment: an editor or `git checkout` changes files in several steps.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// The longest wait, in quiet times, if new changes keep coming.
const LONGEST: u32 = 10;

/// Changes that have no effect yet. `T` says what has changed.
#[derive(Debug, Clone)]
pub struct Settling<T> {
    quiet: Duration,
    /// What has changed, and its place in the order of the first changes.
    changed: HashMap<T, usize>,
    /// When the first and the last change was seen.
    seen: Option<(Duration, Duration)>,
}

impl<T: Eq + Hash> Settling<T> {
    /// `quiet`: how long nothing more must change before the changes have an effect.
    #[must_use]
    pub fn new(quiet: Duration) -> Self {
        Self { quiet, changed: HashMap::new(), seen: None }
    }

    /// Something has changed.
    pub fn changed(&mut self, what: T, now: Duration) {
        let place = self.changed.len();
        self.changed.entry(what).or_insert(place);
        let first = self.seen.map_or(now, |(first, _)| first);
        self.seen = Some((first, now));
    }

    /// When the changes have an effect if no more of them come. None: nothing has changed.
    #[must_use]
    pub fn due_at(&self) -> Option<Duration> {
        let (first, last) = self.seen?;
        Some((last + self.quiet).min(first + self.quiet * LONGEST))
    }

    /// What has changed, in the order of the first changes, once it is due. Empty: it is not due yet.
    pub fn take_due(&mut self, now: Duration) -> Vec<T> {
        if self.due_at().is_none_or(|at| now < at) {
            return Vec::new();
        }
        self.seen = None;
        let mut changed: Vec<(T, usize)> = self.changed.drain().collect();
        changed.sort_by_key(|(_, place)| *place);
        changed.into_iter().map(|(what, _)| what).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn s14_2_a_burst_of_changes_has_one_effect_after_the_quiet_time() {
        let mut settling = Settling::new(ms(200));
        assert_eq!(settling.due_at(), None);

        settling.changed("b", ms(1000));
        settling.changed("a", ms(1100));
        settling.changed("b", ms(1150));

        assert_eq!(settling.due_at(), Some(ms(1350)));
        assert_eq!(settling.take_due(ms(1349)), Vec::<&str>::new());
        assert_eq!(settling.take_due(ms(1350)), ["b", "a"]);
        assert_eq!((settling.due_at(), settling.take_due(ms(2000))), (None, vec![]));
    }

    #[test]
    fn s14_2_changes_without_a_pause_have_an_effect_after_ten_quiet_times() {
        let mut settling = Settling::new(ms(200));
        for at in (0..=2000).step_by(10) {
            settling.changed((), ms(at));
        }

        assert_eq!(settling.due_at(), Some(ms(2000)));
        assert_eq!(settling.take_due(ms(2000)), [()]);
    }

    proptest! {
        #[test]
        fn no_change_is_lost_and_none_waits_for_more_than_ten_quiet_times(
            steps in prop::collection::vec((0_u8..5, 0_u64..400), 1..60),
        ) {
            let mut settling = Settling::new(ms(200));
            let (mut now, mut waiting) = (0, HashMap::new());
            for (what, pause) in steps {
                now += pause;
                settling.changed(what, ms(now));
                waiting.entry(what).or_insert(now);
                for taken in settling.take_due(ms(now)) {
                    waiting.remove(&taken);
                }
                prop_assert!(waiting.values().all(|since| now - since <= 2000 + 400));
            }
            let at = settling.due_at().unwrap_or_default();
            for taken in settling.take_due(at) {
                waiting.remove(&taken);
            }
            prop_assert!(waiting.is_empty());
        }
    }
}
