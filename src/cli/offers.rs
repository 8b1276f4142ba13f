//! Which values of the app Tab offers for an argument.
//!
//! Each argument declares them where it is defined, and `commands::completions` looks them up. clap itself completes
//! files, directories and fixed values.

use clap::builder::ArgExt;

/// Which values of the app an argument accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offers {
    /// `web`, or `web,worker`.
    ProcessTypes,
    /// `web=`.
    Quantities,
    /// `web=` and `all=`.
    WholeFormation,
    /// `web`, `web=any`.
    MayExit,
    /// `worker=web`, `clock=web+db`.
    StartOrder,
    /// `web=INT`.
    StopSignals,
    /// `web`, and `web.2` if there are several; `release`.
    Dynos,
    /// `web` and `web.2`: the process types and dynos of the app that runs.
    RunningDynos,
    /// `web`: the process types of the app that runs.
    RunningTypes,
    /// `web=`, likewise.
    RunningQuantities,
    /// `shop`: the names of the apps that run.
    RunningApps,
    /// `copy`: what `--name` calls the starts of the app that runs here.
    RunningNames,
    /// `4711`: the process ids of the starts that run.
    RunningPids,
    /// `v2`: the releases of the app that runs.
    RunningReleases,
    /// `KEY`.
    Keys,
    /// `KEY=`.
    NewValues,
    /// A program and its arguments, or a process type.
    CommandWords,
}

impl ArgExt for Offers {}
