//! What should happen: the pure state machine.

mod effect;
mod event;
mod notice;
mod policy;

pub use effect::{Effect, GroupSignal, Outcome};
pub use event::{Event, OutputLoss, SpawnFailure, UserSignal};
pub use notice::{Notice, NoticeKind};
pub use policy::{CanDie, OnExit, Plan, Policy, RestartPolicy};
