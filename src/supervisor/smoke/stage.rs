//! How far a smoke has come, and until when it may stay there.

use std::time::Duration;

use crate::supervisor::{About, Effect, NoticeKind, SmokePhase};

/// How long all are watched once the command has passed: what its last request killed takes a moment to end.
pub(super) const LAST_LOOK: Duration = Duration::from_millis(20);

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Before,
    Release {
        /// When it counts as hanging.
        until: Option<Duration>,
    },
    Boot,
    Settle {
        until: Duration,
    },
    Command,
    LastLook {
        until: Duration,
    },
    Stop,
}

impl Stage {
    /// When it is over if nothing happens.
    pub(super) fn deadline(&mut self) -> Option<&mut Duration> {
        match self {
            Self::Release { until } => until.as_mut(),
            Self::Settle { until } | Self::LastLook { until } => Some(until),
            Self::Before | Self::Boot | Self::Command | Self::Stop => None,
        }
    }

    /// The phase it belongs to in what is told.
    pub(super) fn phase(self) -> SmokePhase {
        match self {
            Self::Before | Self::Release { .. } => SmokePhase::Release,
            Self::Boot => SmokePhase::Boot,
            Self::Settle { .. } => SmokePhase::Settle,
            Self::Command | Self::LastLook { .. } => SmokePhase::Command,
            Self::Stop => SmokePhase::Stop,
        }
    }
}

/// Behind what is said of the dyno that ends a phase, and of the release that it was.
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
