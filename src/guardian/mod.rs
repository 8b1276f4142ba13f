//! A small process between `dyno` and its dynos: the only code that starts processes.
//!
//! It is forked from `dyno` before any thread exists, starts every dyno and reaps every process. It makes sure that no
//! process outlives the run, even if `dyno` or the guardian is killed. If `dyno` is killed, the guardian reads end of
//! file from its socket and kills all its descendants. If the guardian is killed, `dyno` inherits its descendants and
//! kills them (`sweep`). It also decides which processes belong to a run and which of them get the stop signal first.
//! Not here: the supervisor decides what starts and when it stops. Called by `runtime` through [`Guardian`].

mod caller_end;
mod client;
mod detach;
mod filters;
mod finder;
mod limits;
mod mapped_code;
mod proc_mount;
mod proc_programs;
mod proc_table;
mod process;
mod protocol;
mod run;
mod runs;
mod signal;
mod spawn;
mod spawn_failure;
mod spawn_request;
mod stop_order;
mod sweep;
mod sys;
mod table;
mod terminal_modes;
mod wire;

pub use caller_end::CallerEnd;
pub use client::{Guardian, Lost};
pub use detach::{BorrowedStreams, CallerLink, Detached, END_OF_NEWS, StartNews, WaitingCaller, detach};
pub use limits::Limits;
pub use mapped_code::{keep_free_memory, page_bytes, unmap_free_memory, unmap_unchanged_pages};
pub use proc_mount::{NoProcessTable, check_process_table};
pub use proc_table::{family_of, parent_of};
pub use protocol::Message;
pub use spawn_failure::fork_failure;
pub use sweep::Survivor;
pub use sys::{
    is_ignored, receive_header, reset_signal, send_with_fd, set_terminal_size, terminal_device, terminal_size,
    unread_in_pipe, unsent,
};
pub use terminal_modes::{TerminalModes, drop_unread_keys, press_signal_key};
