//! When changed files have an effect (S14.2, S14.3): after a quiet time, and not in an endless loop.
//!
//! Pure: paths and times in, decisions out. `runtime` watches the files and acts.

mod pace;
mod settling;

pub use pace::{Pace, Verdict};
pub use settling::Settling;
