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
}

impl Pace {
    /// How many effects there may be, and in what time.
    pub const LIMIT: (usize, Duration) = (MOST, WINDOW);

    /// Files have changed. Returns whether they may have an effect, and if so, counts that effect.
    pub fn change(&mut self, now: Duration) -> Verdict {
        if let Some(last) = self.paused {
            if now.saturating_sub(last) < WINDOW {
                self.paused = Some(now);
                return Verdict::Paused;
            }
            self.paused = None;
            self.effects.clear();
        }
        while self.effects.front().is_some_and(|at| now.saturating_sub(*at) >= WINDOW) {
            self.effects.pop_front();
        }
        if self.effects.len() >= MOST {
            self.paused = Some(now);
            return Verdict::Pause;
        }
        self.effects.push_back(now);
        Verdict::Go
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(at: impl IntoIterator<Item = u64>) -> Vec<Verdict> {
        let mut pace = Pace::default();
        at.into_iter().map(|seconds| pace.change(Duration::from_secs(seconds))).collect()
    }

    #[test]
    fn s14_3_the_eleventh_effect_in_20_seconds_is_paused_and_reported_once() {
        let seen = verdicts(0..13);

        assert_eq!(seen[..10], [Verdict::Go; 10]);
        assert_eq!(seen[10..], [Verdict::Pause, Verdict::Paused, Verdict::Paused]);
    }

    #[test]
    fn s14_3_twenty_quiet_seconds_end_the_pause() {
        let seen = verdicts((0..11).chain([29, 48, 68, 69]));

        assert_eq!(seen[10..], [Verdict::Pause, Verdict::Paused, Verdict::Paused, Verdict::Go, Verdict::Go]);
    }

    #[test]
    fn s14_3_a_change_every_two_seconds_is_never_too_many() {
        assert_eq!(verdicts((0..200).step_by(2)), [Verdict::Go; 100]);
    }
}
