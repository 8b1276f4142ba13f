//! Dynos that have refused a connection get no requests for a while (S16.3).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::Backend;

/// How long such a dyno is left out.
const LEFT_OUT: Duration = Duration::from_secs(5);

/// How many runs that have accepted a connection are remembered. Without that they would only be tried more often.
const MOST_ACCEPTED: usize = 1024;

/// The runs that are left out. Times are on a clock that never jumps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quarantine {
    until: HashMap<u64, Duration>,
    /// The runs that have accepted a connection.
    accepted: HashSet<u64>,
}

impl Quarantine {
    /// The run has refused a connection.
    pub fn refused(&mut self, run: u64, now: Duration) {
        self.until.retain(|_, until| *until > now);
        self.until.insert(run, now.saturating_add(LEFT_OUT));
    }

    /// The run has accepted a connection.
    pub fn accepted(&mut self, run: u64) {
        self.until.remove(&run);
        if self.accepted.len() >= MOST_ACCEPTED {
            self.accepted.clear();
        }
        self.accepted.insert(run);
    }

    /// Whether the run has ever accepted a connection.
    #[must_use]
    pub fn has_accepted(&self, run: u64) -> bool {
        self.accepted.contains(&run)
    }

    /// Whether the dyno has been seen listening. Most process types are up before that.
    #[must_use]
    pub fn has_listened(&self, backend: &Backend) -> bool {
        backend.listens || self.has_accepted(backend.run)
    }

    /// Until when the run is left out. None: it is not.
    #[must_use]
    pub fn until(&self, run: u64, now: Duration) -> Option<Duration> {
        self.until.get(&run).copied().filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s16_3_a_dyno_that_refused_is_left_out_for_five_seconds() {
        let at = Duration::from_millis;
        let mut quarantine = Quarantine::default();
        quarantine.refused(7, at(1000));

        assert_eq!(quarantine.until(7, at(5999)), Some(at(6000)));
        assert_eq!(quarantine.until(7, at(6000)), None);
        assert_eq!(quarantine.until(8, at(1000)), None);
        assert!(!quarantine.has_accepted(7));
        quarantine.accepted(7);
        assert!(quarantine.has_accepted(7));
        assert_eq!(quarantine.until(7, at(1000)), None);
    }

    #[test]
    fn ended_quarantines_use_no_memory() {
        let mut quarantine = Quarantine::default();
        for run in 0..3000 {
            quarantine.refused(run, Duration::from_secs(run * 10));
            quarantine.accepted(run + 1_000_000);
        }
        assert_eq!(quarantine.until.len(), 1);
        assert!(quarantine.accepted.len() <= MOST_ACCEPTED);
    }
}
