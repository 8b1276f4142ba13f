//! `dynorun`, the library behind the binary `dyno`: the Heroku runtime on a developer's machine.

pub mod app;
pub mod logs;
pub mod supervisor;
