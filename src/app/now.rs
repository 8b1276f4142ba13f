//! The moment an event is handled, as the caller saw it.
//!
//! Pure code never reads a clock: whoever calls it passes a [`Now`].

use std::time::Duration;

/// One moment on two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Time since this run began, on a clock that never jumps. Deadlines are on this one.
    pub mono: Duration,
    /// The wall clock. Only shown, never compared.
    pub wall: jiff::Timestamp,
}
