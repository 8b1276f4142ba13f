//! How far a smoke has come, and until when it may stay there.

use std::time::Duration;

use crate::supervisor::SmokePhase;

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
