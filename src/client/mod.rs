//! A client of the app that runs here: finds its starts, sends requests to them, and waits (S10.1, S10.2).
//!
//! All commands about a running app use it. It decides which directories are searched and how a failure is worded. Not
//! here: which starts are meant (`api`).

mod all_apps;
mod failure;
mod owners;
mod routed_apps;
mod running_app;
mod waiting;
mod whereabouts;
mod which_app;

pub(crate) use all_apps::{AllApps, SeenStartState};
pub(crate) use failure::{Failure, finish};
pub(crate) use owners::SeenApp;
pub(crate) use routed_apps::routed_apps;
pub(crate) use running_app::{PATIENCE, RunningApp, change_each, in_path, of_each};
pub(crate) use waiting::{Silent, Waiting};
pub(crate) use whereabouts::{real, whereabouts};
pub(crate) use which_app::option_for;
