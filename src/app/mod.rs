//! What the user wrote: values and parsers.
//!
//! Pure: text in, values out. Reading files, the clock and the environment of this process
//! belong to `commands`; what should happen with the values belongs to `supervisor`.

mod dyno;
mod environment;
mod now;
mod process_type;
mod spawn_spec;

pub use dyno::{DynoName, ExitStatus, RunId};
pub use environment::{Environment, Secret};
pub use now::Now;
pub use process_type::{InvalidProcessType, ProcessType};
pub use spawn_spec::{DynoSpec, Io, PtySize, SpawnSpec};
