//! When a smoke test says what it is still waiting for (S19.5): after 5 s of a phase, then every 10 s.
//!
//! Right before that line, the ports of runs that do not listen are looked up once more: a run that listens on another
//! port is the most common reason, and the most helpful one to name.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::RunId;

/// Time until the first line.
const FIRST_LINE: Duration = Duration::from_secs(5);
/// Time from one line to the next.
const NEXT_LINE: Duration = Duration::from_secs(10);

/// The progress lines of one phase.
#[derive(Debug, Clone)]
pub(super) struct ProgressLines {
    began: Duration,
    due: Duration,
    lookup: PortLookup,
}

/// The lookup for the next line.
#[derive(Debug, Clone)]
enum PortLookup {
    NotYet,
    /// The ports found so far. They arrive before the next tick.
    Started(BTreeMap<RunId, u16>),
}

/// What to do at a tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ProgressStep {
    Nothing,
    /// Find out on which other ports the runs listen.
    FindListeners,
    /// Say what the smoke test is waiting for. `elsewhere`: the other ports on which runs listen.
    Say {
        after: Duration,
        elsewhere: BTreeMap<RunId, u16>,
    },
}

impl ProgressLines {
    pub(super) fn new(began: Duration) -> Self {
        Self { began, due: began.saturating_add(FIRST_LINE), lookup: PortLookup::NotYet }
    }

    /// When to call [`step`](Self::step) again.
    pub(super) fn due(&self) -> Duration {
        self.due
    }

    /// `dyno` was suspended for this long.
    pub(super) fn postpone(&mut self, by: Duration) {
        self.began = self.began.saturating_add(by);
        self.due = self.due.saturating_add(by);
    }

    /// Records that a run listens on a port that is not its own.
    pub(super) fn note_other_port(&mut self, run: RunId, port: u16) {
        match &mut self.lookup {
            PortLookup::Started(elsewhere) => {
                elsewhere.insert(run, port);
            }
            PortLookup::NotYet => {}
        }
    }

    /// What to do at this tick.
    pub(super) fn step(&mut self, now: Duration) -> ProgressStep {
        if now < self.due {
            return ProgressStep::Nothing;
        }
        match std::mem::replace(&mut self.lookup, PortLookup::NotYet) {
            PortLookup::NotYet => {
                self.lookup = PortLookup::Started(BTreeMap::new());
                ProgressStep::FindListeners
            }
            PortLookup::Started(elsewhere) => {
                // If several lines are due, for example after the machine slept, one is enough.
                let missed = (now.saturating_sub(self.due).as_secs() / NEXT_LINE.as_secs()).try_into();
                let due = self.due.saturating_add(NEXT_LINE.saturating_mul(missed.unwrap_or(u32::MAX)));
                self.due = due.saturating_add(NEXT_LINE);
                ProgressStep::Say { after: due.saturating_sub(self.began), elsewhere }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn said(after: u64, elsewhere: &[(RunId, u16)]) -> ProgressStep {
        ProgressStep::Say { after: Duration::from_secs(after), elsewhere: elsewhere.iter().copied().collect() }
    }

    #[test]
    fn s19_5_a_line_is_due_after_5_seconds_then_every_10() {
        let mut progress = ProgressLines::new(2 * SECOND);

        assert_eq!((progress.due(), progress.step(6 * SECOND)), (7 * SECOND, ProgressStep::Nothing));
        assert_eq!([progress.step(7 * SECOND), progress.step(7 * SECOND)], [ProgressStep::FindListeners, said(5, &[])]);
        assert_eq!((progress.due(), progress.step(16 * SECOND)), (17 * SECOND, ProgressStep::Nothing));
        assert_eq!(
            [progress.step(17 * SECOND), progress.step(17 * SECOND)],
            [ProgressStep::FindListeners, said(15, &[])]
        );
    }

    #[test]
    fn a_port_is_named_only_in_the_line_it_was_looked_up_for() {
        let mut progress = ProgressLines::new(Duration::ZERO);
        progress.note_other_port(RunId(1), 3000);
        progress.step(5 * SECOND);
        progress.note_other_port(RunId(2), 5173);

        assert_eq!(progress.step(5 * SECOND), said(5, &[(RunId(2), 5173)]));
        progress.step(15 * SECOND);
        assert_eq!(progress.step(15 * SECOND), said(15, &[]));
    }

    #[test]
    fn missed_lines_are_skipped() {
        let mut progress = ProgressLines::new(Duration::ZERO);

        progress.step(47 * SECOND);

        assert_eq!(progress.step(47 * SECOND), said(45, &[]));
        assert_eq!(progress.due(), 55 * SECOND);
    }

    #[test]
    fn suspension_moves_the_progress_lines() {
        let mut progress = ProgressLines::new(Duration::ZERO);

        progress.postpone(60 * SECOND);

        assert_eq!(progress.due(), 65 * SECOND);
        progress.step(65 * SECOND);
        assert_eq!(progress.step(65 * SECOND), said(5, &[]));
    }
}
