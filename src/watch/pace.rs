//! Notices a loop, in which changed files have an effect that changes files again (S14.3).

use std::collections::VecDeque;
use std::time::Duration;

/// The most effects within [`WINDOW`].
const MOST: usize = 10;
/// The time in which effects are counted. After too many of them, files must stay unchanged for the same time.
const WINDOW: Duration = Duration::from_secs(20);

/// Whether changed files may have an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They may.
    Go,
    /// From now on they may not.
    Pause,
    /// They may not, as before.
    Paused,
}

/// How often changed files had an effect recently.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    effects: VecDeque<Duration>,
    /// While paused: when files last changed.
    paused: Option<Duration>,
    /// A pause has ended, and perhaps the loop goes on.
    has_resumed: bool,
}

impl Pace {
    /// How many effects there may be, and in what time.
    pub const LIMIT: (usize, Duration) = (MOST, WINDOW);

    /// Files have changed. Returns whether they may have an effect, which [`count`](Self::count) reports if they have one.
    pub fn change(&mut self, now: Duration) -> Verdict {
        if self.paused.is_some() && !self.resume(now) {
            self.paused = Some(now);
            return Verdict::Paused;
        }
        while self.effects.front().is_some_and(|at| now.saturating_sub(*at) >= WINDOW) {
            self.effects.pop_front();
        }
        if self.effects.len() >= MOST {
            self.paused = Some(now);
            return if self.has_resumed { Verdict::Paused } else { Verdict::Pause };
        }
        self.has_resumed &= !self.effects.is_empty();
        Verdict::Go
    }

    /// Changed files have an effect.
    pub fn count(&mut self, now: Duration) {
        self.effects.push_back(now);
    }

    /// When a pause ends if no file changes until then.
    #[must_use]
    pub fn resumes_at(&self) -> Option<Duration> {
        self.paused.map(|last| last.saturating_add(WINDOW))
    }

    /// Ends a pause if that is due: what has changed during it takes effect now. Another change soon after that begins the next
    /// pause, without a report.
    pub fn resume(&mut self, now: Duration) -> bool {
        let is_due = self.resumes_at().is_some_and(|at| at <= now);
        if is_due {
            (self.paused, self.has_resumed) = (None, true);
            self.effects = [now; MOST].into();
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(at: impl IntoIterator<Item = u64>) -> Vec<Verdict> {
        let mut pace = Pace::default();
        let mut change = |seconds| {
            let now = Duration::from_secs(seconds);
            let verdict = pace.change(now);
            if verdict == Verdict::Go {
                pace.count(now);
            }
            verdict
        };
        at.into_iter().map(&mut change).collect()
    }

    #[test]
    fn s14_3_the_eleventh_effect_in_20_seconds_is_paused_and_reported_once() {
        let seen = verdicts(0..13);

        assert_eq!(seen[..10], [Verdict::Go; 10]);
        assert_eq!(seen[10..], [Verdict::Pause, Verdict::Paused, Verdict::Paused]);
    }

    #[test]
    fn s14_3_twenty_quiet_seconds_end_the_pause() {
        let mut pace = Pace::default();
        let at = Duration::from_secs;
        (0..10).for_each(|_| pace.count(at(0)));
        assert_eq!((pace.change(at(10)), pace.resumes_at()), (Verdict::Pause, Some(at(30))));
        assert_eq!((pace.change(at(29)), pace.resumes_at()), (Verdict::Paused, Some(at(49))));

        assert_eq!((pace.resume(at(48)), pace.resume(at(49)), pace.resume(at(50))), (false, true, false));

        // A loop goes on: its next effect waits, too, and nothing new is reported.
        assert_eq!((pace.change(at(50)), pace.resumes_at()), (Verdict::Paused, Some(at(70))));
        assert!(pace.resume(at(70)));
        assert_eq!(pace.change(at(90)), Verdict::Go);
        // A later loop is reported again.
        (0..10).for_each(|_| pace.count(at(91)));
        assert_eq!(pace.change(at(92)), Verdict::Pause);
    }

    #[test]
    fn s14_1_changes_without_an_effect_are_not_counted() {
        let mut pace = Pace::default();

        assert!((0..100).all(|_| pace.change(Duration::ZERO) == Verdict::Go));
    }

    #[test]
    fn s14_3_a_change_every_two_seconds_is_never_too_many() {
        assert_eq!(verdicts((0..200).step_by(2)), [Verdict::Go; 100]);
    }
}
