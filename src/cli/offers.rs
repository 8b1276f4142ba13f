//! What Tab offers as the value of an argument where that depends on the app.
//!
//! Each argument says it at its own definition. `commands::completions` looks the values up; files, directories and fixed
//! values need nothing here, since clap knows them.

use clap::builder::ArgExt;

/// Which values of the app an argument takes.
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
    /// `web=INT`.
    StopSignals,
    /// `web`, and `web.2` where there are several; `release`.
    Dynos,
    /// `KEY`.
    Keys,
    /// `KEY=`.
    NewValues,
    /// A program and its arguments, or a process type.
    CommandWords,
}

impl ArgExt for Offers {}
