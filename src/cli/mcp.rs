//! Options of `dyno mcp`.

use clap::Args;

/// Options of `dyno mcp`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  dyno mcp             let an agent control the app in this directory\n  dyno help start      the command behind the tool `start`\n\nAn MCP client starts this command and talks to it over stdin and stdout. The command exits when stdin is closed. It opens no port."
)]
pub struct McpArgs {}
