//! Decides which dyno gets a request, what its headers become, and which error answers it (S16).
//!
//! Pure: heads, bytes and snapshots in, values out; it needs no socket. Not here: connections and bodies
//! (`runtime::router`).

mod rules;

pub use rules::RouterRules;
