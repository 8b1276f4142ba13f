//! Turns messages of an MCP client into answers or `dyno` command lines (S17.2).
//!
//! Pure: bytes in, values out. Each tool is a command line of `dyno`, so that programs get the same answers as people.
//! Not here: how it is run (`commands::mcp`).

mod protocol;
mod tools;

pub use protocol::{Incoming, ToolOutcome, answer, duplicate, read, too_long};
pub use tools::{ToolCall, ToolKind};
