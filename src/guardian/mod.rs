//! The only code that spawns: a tiny process between `dyno` and its dynos.
//!
//! It is forked from `dyno` before any thread exists, starts every dyno, reaps every process and exists so that
//! nothing outlives the run, whoever dies first: when `dyno` is killed it sees the end of its socket and kills all
//! its descendants; when it is killed itself its descendants fall to `dyno`, which does the same
//! (`sweep`). It decides nothing else. Called by `runtime` through [`Guardian`].

mod client;
mod finder;
mod limits;
mod proc_table;
mod process;
mod protocol;
mod run;
mod runs;
mod signal;
mod spawn;
mod spawn_request;
mod stop_order;
mod sweep;
mod sys;
mod table;
mod terminal_modes;
mod wire;

pub use client::{Guardian, Lost, Report, SpawnError};
pub use limits::Limits;
pub use proc_table::{NoProcessTable, check_process_table, family_of};
pub use sweep::Survivor;
pub use sys::{is_ignored, set_terminal_size, terminal_device, terminal_size, unread_in_pipe, unsent};
pub use terminal_modes::TerminalModes;
