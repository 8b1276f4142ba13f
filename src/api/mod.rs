//! The Platform API of a running app (S10.3): its resources and errors, and what a request asks for.
//!
//! Pure: the bytes of a request become a question or a command, a snapshot becomes the bytes of an answer. Not here:
//! sockets, HTTP and time limits (`runtime::api_server`), and what a command does (`supervisor`). Called by `runtime`
//! and, for the resources and the descriptions of starts, by `commands`.

mod answer;
mod app_facts;
mod app_name;
mod app_resource;
mod checkouts;
mod config_change;
mod error;
mod formation_update;
mod grace;
mod id;
mod last_run;
mod log_session;
mod meant;
mod named_path;
mod owners;
mod port_claim;
mod range;
mod release_resource;
mod reload;
mod replay;
mod request;
mod resources;
mod routes_resource;
mod run_request;
mod start_description;
mod tcp_access;
mod terminal;
mod wait;
mod wait_text;
mod why;

#[cfg(test)]
mod tests;

pub use answer::ApiAnswer;
pub use app_facts::AppFacts;
pub use app_name::{Worktree, app_name, name_from};
pub use app_resource::AppResource;
pub use checkouts::{BlockOrigin, Checkouts, GivenBlock, GivenName};
pub use error::{ApiError, ENDING};
pub use formation_update::updates;
pub use grace::StopRequest;
pub use id::stable_id;
pub use last_run::LastRun;
pub use log_session::{LogLook, LogSession, LogSessionRequest, LogSessionResource, LogSessions, LogSource, LookFormat};
pub use meant::{MeantBy, Whereabouts, meant_starts};
pub use named_path::may_have_ids;
pub use owners::{NoOwner, SeenStart, owner, owners};
pub use port_claim::PortClaim;
pub use release_resource::{EXPIRED, ReleaseResource, RollbackAnswer};
pub use reload::{ReloadAnswer, ReloadProblem, ReloadResult};
pub use replay::{Arrival, ReplayKey, Replays};
pub use request::{ApiRequest, Asked, Change, HAND_OVER_PATH, ReleaseKey, Resource, ShownAs, target};
pub use resources::{
    AccountResource, AppRef, DynoResource, ErrorResource, FormationResource, NameRef, RateLimitResource, ReleaseRef,
    RestartedDyno, TouchedDynos, UserRef,
};
pub use routes_resource::{RouteResource, RoutesResource};
pub use run_request::AttachedOneOff;
pub use start_description::{StartDescription, StartKind};
pub use tcp_access::{ClientHead, TcpAccess, TcpAccessResource};
pub use terminal::{AttachRequest, CursorResource, ScreenResource};
pub use wait::{AwaitedDynos, SILENT_FOR, WaitAnswer, WaitCondition, WaitRequest, WaitResult, WaitUntil};
pub use why::{EndResource, NextRestartResource, ReloadedFiles, WhyReason, WhyResource};
