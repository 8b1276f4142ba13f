//! `heroku run`: one-off dynos whose streams belong to a client of the API (S17.3).
//!
//! [`api_run`] starts one, [`rendezvous`] meets its client over TLS, and [`attached_session`] connects the two.

mod api_run;
mod attached_input;
pub(super) mod attached_run;
mod attached_session;
mod certificate_file;
mod client_presence;
mod rendezvous;
pub(super) mod tls;
#[cfg(feature = "attached-run")]
mod tls_keys;
