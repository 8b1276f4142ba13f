//! Our own stdout and stderr: colour, diagnostics, results.
//!
//! Decides how a message looks; `commands` decides what is shown. The log of an app goes through `runtime`.

pub(crate) mod color;
pub(crate) mod diagnostics;
pub(crate) mod stdout;
pub(crate) mod table;
