//! Options of `dyno router` (S16.7).

use clap::Args;

use crate::app::parse_port;

/// The port of the front door: below 5000, so that the ports of no app contain it.
const PORT: u16 = 4900;

/// Options of `dyno router`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(
    after_help = "Examples:\n  dyno router             runs until you press Ctrl-C\n  dyno router --detach    runs in the background; `dyno router --stop` stops it\n\nhttp://localhost:4900/ lists all running apps. http://APP.localhost:4900/ is the app called APP in `dyno ls`, and http://APP-api.localhost:4900/ is its process type `api`. Apps need no option for this; `dyno start --router` gives a single app a port of its own. Requests are logged by the app."
)]
pub struct FrontDoorArgs {
    /// Port to listen on
    #[arg(short, long, value_name = "PORT", value_parser = port, default_value_t = PORT)]
    pub port: u16,
    /// Run in the background; return once the port is open
    #[arg(long)]
    pub detach: bool,
    /// Stop the `dyno router` on this port
    #[arg(long, conflicts_with = "detach")]
    pub stop: bool,
}

fn port(text: &str) -> Result<u16, String> {
    parse_port(text.as_bytes()).ok_or_else(|| "a port from 1 to 65535, such as `--port 4900`".to_owned())
}
