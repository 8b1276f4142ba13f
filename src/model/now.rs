//! The time at which an event is handled.
//!
//! Pure code never reads a clock: its caller passes a [`Now`].

use std::time::Duration;

/// One point in time, on two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Time since `dyno` started, on a clock that never jumps. Deadlines use this clock.
    pub mono: Duration,
    /// Wall-clock time, for display only; never compared.
    pub wall: jiff::Timestamp,
}
