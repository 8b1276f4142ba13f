//! Whoever decides in a run: the supervisor of a start, or a smoke round one.
//!
//! The one type that the runtime talks to. Decides nothing itself.

use std::time::Duration;

use crate::app::Now;

use super::{Effect, Event, Outcome, Smoke, SmokeReport, Supervisor};

/// What takes events and orders effects.
#[derive(Debug, Clone)]
pub enum Director {
    /// `dyno start`: runs until it is stopped, or a dyno ends.
    Start(Box<Supervisor>),
    /// `dyno smoke`: runs until the command has ended.
    Smoke(Box<Smoke>),
}

impl Director {
    /// Takes one event and returns what to do: [`Supervisor::handle`].
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

    /// What there is to tell at the end of a smoke. `outcome`: how it ends.
    #[must_use]
    pub fn report(&self, outcome: Outcome, at: Duration) -> Option<SmokeReport> {
        match self {
            Self::Start(_) => None,
            Self::Smoke(smoke) => Some(smoke.report(outcome, at)),
        }
    }
}
