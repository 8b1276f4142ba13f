//! `dyno attach` and `dyno screen`: the terminal of a dyno for clients on the unix socket (S10.5).
//!
//! [`dyno_terminal`] is that terminal across the runs of the dyno, and an [`attached_terminal`] one client of it;
//! [`attach_session`] connects that with a socket. [`attach_client`] is the other end, in `dyno attach`.

pub(super) mod attach_client;
pub(super) mod attach_session;
mod attached_terminal;
pub(super) mod dyno_terminal;
mod input_wait;
pub(super) mod terminal_calls;
pub(super) mod terminal_requests;
