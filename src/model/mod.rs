//! Words that all layers share: the names of dynos and process types, environments, exit statuses, the specification of
//! a dyno, and what happens to its runs. Values without behaviour of their own; pure.

mod dialect;
mod dyno;
mod dyno_spec;
mod env_change;
mod environment;
mod http_check;
mod listen_address;
mod now;
mod process_type;
mod run_order;
mod usage;

pub use dialect::Dialect;
pub use dyno::{DynoName, ExitStatus, LeftRunning, RunId};
pub use dyno_spec::{DynoSpec, Focus, Io, Launch, PtySize, Readiness, Shell, SpawnSpec};
pub use env_change::EnvChange;
pub use environment::{Environment, Secret};
pub use http_check::{HttpCheck, HttpCheckError};
pub use listen_address::{http_url, is_loopback_only, reachable_at};
pub use now::Now;
pub use process_type::{InvalidProcessType, ProcessType};
pub use run_order::{RunOrder, RunReport, SpawnFailure};
pub use usage::{Usage, Usages};
