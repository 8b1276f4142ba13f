//! Options of the router (S16).

use core::net::IpAddr;

use clap::Args;

use super::Seconds;
use super::help::ROUTER;
use crate::app::{RouterPort, parse_port};

/// What `--router` means without a number.
const BASE: &str = "base";

/// Options of the router.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct RouterArgs {
    /// One address for all `web` dynos
    ///
    /// Requests go to one of the dynos that are up, and wait while they are restarted. Without PORT, the router has the base
    /// port, and the ports of the dynos begin one step later. [default: `router` in .foreman; with --heroku: yes]
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = BASE, value_parser = router_port, conflicts_with = "no_router", help_heading = ROUTER)]
    pub router: Option<RouterPort>,
    /// No router, even with --heroku or if .foreman has one
    #[arg(long, help_heading = ROUTER, hide_short_help = true)]
    pub no_router: bool,
    /// How long a request waits for a dyno that is starting [default: 30]
    ///
    /// The default with --heroku is 75.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, help_heading = ROUTER, hide_short_help = true)]
    pub router_hold: Option<Seconds>,
    /// How long a stop or restart waits for the requests of a dyno [default: 5]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, help_heading = ROUTER, hide_short_help = true)]
    pub router_drain: Option<Seconds>,
    /// End slow requests as the platform does: 30 s without an answer, or 55 s without a byte
    ///
    /// Otherwise a line of the log says that the platform would have ended the request. Implied by --heroku.
    #[arg(long, help_heading = ROUTER, hide_short_help = true)]
    pub router_timeout: bool,
    /// Other host names that reach the app, besides localhost and *.localhost
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = host, help_heading = ROUTER, hide_short_help = true)]
    pub hosts: Vec<String>,
    /// Other addresses to listen on; 0.0.0.0 lets other machines connect
    #[arg(long, value_name = "ADDRESS,…", value_delimiter = ',', value_parser = address, help_heading = ROUTER, hide_short_help = true)]
    pub bind: Vec<IpAddr>,
}

fn router_port(text: &str) -> Result<RouterPort, String> {
    if text == BASE {
        return Ok(RouterPort::Base);
    }
    let port = parse_port(text.as_bytes()).map(RouterPort::At);
    port.ok_or_else(|| "a port from 1 to 65535, such as `--router=8080`, or `--router` alone".to_owned())
}

/// A name as in `Host`, without a port.
fn host(text: &str) -> Result<String, String> {
    let name = text.trim_end_matches('.').to_ascii_lowercase();
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if is_name { Ok(name) } else { Err("names without scheme and port, such as `shop.example`".to_owned()) }
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| "IP addresses, such as `0.0.0.0` or `192.168.1.5`".to_owned())
}
