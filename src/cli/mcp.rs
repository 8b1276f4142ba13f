//! Options of `dyno mcp`.

use clap::Args;

/// Options of `dyno mcp`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno mcp                   serves the app of this directory\n  dyno help start            what `start`, one of the tools, does\n\nThe program that speaks the protocol starts it, and it ends when its stdin ends. It opens no port."
)]
pub struct McpArgs {}
