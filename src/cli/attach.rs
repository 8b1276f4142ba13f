//! Options of `dyno attach` and `dyno screen` (S10.5).

use clap::Args;

use super::{Offers, RunningArgs};
use crate::terminal::DetachKeys;

/// Options of `dyno attach`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno attach web.1               type into its terminal; Ctrl-\\ Ctrl-\\ detaches\n  dyno attach web.1 --read-only   only watch"
)]
pub struct AttachArgs {
    /// The dyno, or a process type with one dyno
    #[arg(value_name = "DYNO", add = Offers::RunningDynos)]
    pub dyno: String,
    /// Only watch: send no keys, and leave the size of the dyno's terminal alone
    #[arg(long, conflicts_with = "take")]
    pub read_only: bool,
    /// Take the keyboard from the client that has it; that client then only watches
    #[arg(long)]
    pub take: bool,
    /// Keys that detach [default: ctrl-\,ctrl-\]
    #[arg(long, value_name = "KEY,…", default_value = "ctrl-\\,ctrl-\\", hide_default_value = true)]
    pub detach_keys: DetachKeys,
    /// Which app, and how.
    #[command(flatten)]
    pub running: RunningArgs,
}

/// Options of `dyno screen`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno screen web.1          the last screenful, as text\n  dyno screen web.1 --json   the same as JSON, with size and cursor position"
)]
pub struct ScreenArgs {
    /// The dyno, or a process type with one dyno
    #[arg(value_name = "DYNO", add = Offers::RunningDynos)]
    pub dyno: String,
    /// Which app, and how.
    #[command(flatten)]
    pub running: RunningArgs,
}
