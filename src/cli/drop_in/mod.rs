//! The command lines of the tools we stand in for, translated into our own (S13.2).
//!
//! Pure: words in, [`Cli`](super::Cli) out. Where a tool's option means what ours does, it is passed on; where it
//! means something else, that is translated here; what we do not have is refused by clap.

pub(super) mod foreman;
pub(super) mod honcho;
