//! Decides which dyno gets a request, what its headers become, and which error answers it (S16).
//!
//! Pure: heads, bytes and snapshots in, values out; it needs no socket. Not here: connections and bodies
//! (`runtime::router`).
//!
//! The order in which a connection uses it: a [`RequestGuard`] sees every byte that a client sends, [`RequestRules`] change the
//! head, [`route()`] decides which process type is meant, [`Backends`] decide which of its dynos, and [`RequestRules`] change the
//! head of the answer. A [`RouterEntry`] is the line in the log.

mod backend;
mod choice;
mod choice_input;
mod first_request;
mod guard;
mod h_code;
mod header_lists;
mod host_name;
mod page;
mod quarantine;
mod rejection;
mod request_clock;
mod request_rules;
mod route;
mod router_entry;
mod rules;
mod served_types;

pub use backend::{Backend, BackendState, Backends};
pub use choice::Choice;
pub use choice_input::ChoiceInput;
pub use first_request::FirstRequest;
pub use guard::{Guarded, HeadLimits, RequestGuard};
pub use h_code::{AnswerFault, EntryLevel, HCode};
pub use host_name::{HostKind, HostName};
pub use page::{ErrorPage, FrontDoorApp, FrontDoorPage, PageDyno, PageFacts, wants_json};
pub use quarantine::Quarantine;
pub use rejection::{ALLOWED_METHODS, Rejection};
pub use request_clock::{ClockVerdict, RequestClock, RequestStage};
pub use request_rules::{ClientAddress, Prepared, RequestRules, is_idempotent};
pub use route::{KnownApp, RouteTarget, front_door_route, handed_over_route, route};
pub use router_entry::RouterEntry;
pub use rules::RouterRules;
pub use served_types::ServedTypes;
