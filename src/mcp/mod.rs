//! The Model Context Protocol of `dyno mcp` (S17.2): messages of a client in, answers or command lines of `dyno` out.
//!
//! Pure: bytes in, values out. Each tool is a command line of `dyno`, so that a program gets what a person gets. Not
//! here: how it is run (`commands::mcp`).

mod protocol;
mod tools;

pub use protocol::{Incoming, ToolOutcome, answer, read};
pub use tools::{ToolCall, ToolKind};
