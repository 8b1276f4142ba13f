//! A client of the app that runs here: finds its starts, sends requests to them, and waits (S10.1, S10.2).
//!
//! For all commands about a running app. Decides which directories are searched and how a failure is worded; `api` decides
//! which starts are meant.

mod failure;
mod owners;
mod running_app;
mod waiting;
mod whereabouts;
mod which_app;

pub(crate) use failure::{Failure, finish};
pub(crate) use running_app::{RunningApp, change_each, in_path};
pub(crate) use waiting::{Waiting, failed_wait};
pub(crate) use whereabouts::{real, whereabouts};
