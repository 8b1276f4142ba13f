//! The state machine that the runtime drives: the supervisor of a start, or a smoke test that wraps one.
//!
//! Forwards calls and decides nothing itself.

use std::sync::Arc;
use std::time::Duration;

use crate::app::Scale;
use crate::model::{DynoSpec, Now, ProcessType};

use super::{Effect, Event, Outcome, Smoke, SmokeReport, Snapshot, Supervisor};

/// Accepts events and returns effects.
#[derive(Debug, Clone)]
pub enum Director {
    /// `dyno start`: runs until it is stopped or a dyno exits.
    Start(Box<Supervisor>),
    /// `dyno smoke`: runs until the command has exited or, without a command, until all dynos stayed up long enough.
    Smoke(Box<Smoke>),
}

impl Director {
    /// Handles one event and returns the effects to perform, see [`Supervisor::handle`].
    #[must_use = "an effect that is not performed never happens"]
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Effect> {
        match self {
            Self::Start(supervisor) => supervisor.handle(event, now),
            Self::Smoke(smoke) => smoke.handle(event, now),
        }
    }

    /// When to call [`Director::handle`] with `Event::Tick` next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        match self {
            Self::Start(supervisor) => supervisor.next_deadline(),
            Self::Smoke(smoke) => smoke.next_deadline(),
        }
    }

    /// The state of all dynos now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        match self {
            Self::Start(supervisor) => supervisor.snapshot(),
            Self::Smoke(smoke) => smoke.snapshot(),
        }
    }

    /// The dynos that these changes would add, see [`Supervisor::added_by`].
    #[must_use]
    pub fn added_by(&self, changes: &[(ProcessType, Scale)]) -> Vec<Arc<DynoSpec>> {
        match self {
            Self::Start(supervisor) => supervisor.added_by(changes),
            Self::Smoke(_) => Vec::new(),
        }
    }

    /// The report of a smoke test, at its end. `outcome`: how `dyno` ends.
    #[must_use]
    pub fn report(&self, outcome: Outcome, at: Duration) -> Option<SmokeReport> {
        match self {
            Self::Start(_) => None,
            Self::Smoke(smoke) => Some(smoke.report(outcome, at)),
        }
    }
}
