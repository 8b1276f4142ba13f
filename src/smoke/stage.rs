//! The stages of a smoke test and their deadlines.

use std::time::Duration;

use crate::supervisor::{About, Effect, NoticeKind};

use super::SmokePhase;

/// How long all dynos are watched after the command succeeded: a dyno that was killed by the command's last
/// request needs time to exit.
pub(super) const LAST_CHECK: Duration = Duration::from_millis(20);

/// The stage that a smoke test has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SmokeStage {
    Before,
    Release {
        /// When the release command is stopped.
        until: Option<Duration>,
    },
    Boot {
        /// The dynos that wait for others before they start.
        held: Option<Held>,
    },
    Settle {
        until: Duration,
    },
    Command,
    LastCheck {
        until: Duration,
    },
    Stop,
}

/// The dynos that wait for others before they start (S6.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// How many there are.
    pub(super) dynos: usize,
    /// When the test fails if all of them are still waiting.
    pub(super) until: Duration,
}

impl SmokeStage {
    /// When the stage ends if nothing happens.
    pub(super) fn deadline(&mut self) -> Option<&mut Duration> {
        match self {
            Self::Release { until } => until.as_mut(),
            Self::Boot { held } => held.as_mut().map(|held| &mut held.until),
            Self::Settle { until } | Self::LastCheck { until } => Some(until),
            Self::Before | Self::Command | Self::Stop => None,
        }
    }

    /// The phase of the log and the report that it belongs to.
    pub(super) fn phase(self) -> SmokePhase {
        match self {
            Self::Before | Self::Release { .. } => SmokePhase::Release,
            Self::Boot { .. } => SmokePhase::Boot,
            Self::Settle { .. } => SmokePhase::Settle,
            Self::Command | Self::LastCheck { .. } => SmokePhase::Command,
            Self::Stop => SmokePhase::Stop,
        }
    }
}

/// The position after the notices about the dyno that ended the phase, or about the failed release.
pub(super) fn end_of_phase(effects: &[Effect]) -> usize {
    let of_release = effects.iter().position(is_about_the_release).map(|at| at + 1);
    of_release.unwrap_or_else(|| effects.iter().take_while(|effect| is_about_a_dyno(effect)).count())
}

fn is_about_a_dyno(effect: &Effect) -> bool {
    matches!(effect, Effect::Notify(notice) if matches!(notice.about, About::Dyno(_)))
}

fn is_about_the_release(effect: &Effect) -> bool {
    matches!(effect, Effect::Notify(notice) if matches!(notice.kind, NoticeKind::ReleaseFailed { .. }))
}
