//! `dynorun`, the library behind the binary `dyno`: the Heroku runtime on a developer's machine.

pub mod app;
pub mod cli;
pub mod commands;
pub mod error;
pub mod guardian;
pub mod logs;
pub mod runtime;
pub mod supervisor;
