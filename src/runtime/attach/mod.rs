//! `dyno attach` and `dyno screen`: the terminal of a dyno for clients on the unix socket (S10.5).
//!
//! [`dyno_terminal`] is that terminal across the runs of the dyno; [`attach_session`] is one client of it in the start, and
//! [`attach_client`] the other end, in `dyno attach`.

pub(super) mod attach_client;
pub(super) mod attach_session;
pub(super) mod dyno_terminal;
mod input_wait;
pub(super) mod terminal_calls;
pub(super) mod terminal_requests;
