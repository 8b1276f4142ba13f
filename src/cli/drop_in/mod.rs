//! The command lines of the tools that `dyno` replaces, translated into our own (S13.2).
//!
//! Pure: words in, [`Cli`](super::Cli) out. An option with our meaning is passed on, one with another
//! meaning is translated, and clap refuses one that we do not have.

pub(super) mod foreman;
pub(super) mod honcho;
