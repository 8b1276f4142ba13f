//! Opens the sockets of the router (S16.1).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::io;
use std::net::TcpListener;

use crate::app::url_of_port;
use crate::cli::LogFormatName;
use crate::error::{Error, Status};
use crate::project::reason;
use crate::release::Blueprint;
use crate::routing::RouterRules;
use crate::runtime::{self, RouterStart};
use crate::settings::Settings;
use crate::supervisor::Policy;

/// A router whose sockets are open, or why they are not. Without a port it has none, and waits for the front door (S16.7).
pub(super) struct OpenedRouter {
    listeners: Result<Vec<TcpListener>, ListenFailure>,
    rules: RouterRules,
}

impl OpenedRouter {
    /// Listens, if the app has a port for it. `app`: the name of the app. `policy` gets what the supervisor must know.
    pub(super) fn open(blueprint: &Blueprint, app: String, settings: &Settings, policy: &mut Policy) -> Self {
        let (port, router) = (blueprint.ports().router(), &settings.router.options);
        let rules = RouterRules {
            app,
            port: port.unwrap_or_default(),
            hosts: router.hosts.clone(),
            hold: router.hold,
            drain: router.drain,
            enforces_timeouts: router.enforces_timeouts,
            is_platform: settings.life.heroku,
            writes_platform_lines: settings.look.format == LogFormatName::Heroku,
        };
        let Some(port) = port else { return Self { listeners: Ok(Vec::new()), rules } };
        policy.drain = Some(rules.drain);
        policy.router_url = Some(url_of_port(port));
        Self { listeners: listen(port, &router.bind), rules }
    }

    /// What the runtime needs.
    ///
    /// # Errors
    /// Status 69: a port cannot be used. Reported only now: if the app is already running, the start has to report that.
    pub(super) fn into_start(self) -> Result<RouterStart, Error> {
        let Self { listeners, rules } = self;
        let listeners = listeners.map_err(|failure| refused(&failure, "--router=8080"))?;
        Ok(RouterStart { listeners, rules })
    }
}

/// Where the router cannot listen, and why.
pub(in crate::commands) struct ListenFailure {
    pub(in crate::commands) at: SocketAddr,
    pub(in crate::commands) error: io::Error,
}

/// Listens on the loopback addresses, and on those of `--bind`.
pub(in crate::commands) fn listen(port: u16, others: &[IpAddr]) -> Result<Vec<TcpListener>, ListenFailure> {
    let mut listeners = Vec::new();
    for address in addresses(others) {
        let at = SocketAddr::new(address, port);
        match runtime::listen_at(at) {
            Ok(listener) => listeners.push(listener),
            // This machine has no IPv6.
            Err(_) if address == IpAddr::V6(Ipv6Addr::LOCALHOST) && !has_ipv6() => {}
            Err(error) => return Err(ListenFailure { at, error }),
        }
    }
    Ok(listeners)
}

/// The loopback addresses and the others. Those that an unspecified address contains are left out: `0.0.0.0` contains all of
/// IPv4, and `::` all of IPv6. A user who asks for `::` also means IPv4.
fn addresses(others: &[IpAddr]) -> Vec<IpAddr> {
    let (v4, v6) = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    if others.contains(&v6) {
        return vec![v4, v6];
    }
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let mut all: Vec<IpAddr> = Vec::new();
    for address in loopback.iter().chain(others) {
        let is_contained = address.is_ipv4() && *address != v4 && others.contains(&v4);
        if !is_contained && !all.contains(address) {
            all.push(*address);
        }
    }
    all
}

fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// Why it cannot listen. `option`: names another port.
pub(in crate::commands) fn refused(failure: &ListenFailure, option: &str) -> Error {
    let ListenFailure { at, error } = failure;
    let (port, other) = (at.port(), format!("choose another port: `{option}`"));
    let is = |kind| error.kind() == kind;
    let (fact, hint) = if is(io::ErrorKind::PermissionDenied) {
        (format!("only root can use port {port} for the router"), format!("use a port above 1023: `{option}`"))
    } else if is(io::ErrorKind::AddrInUse) {
        let fact = format!("port {port} for the router is in use");
        match runtime::port_holder(port) {
            Some(holder) => (
                format!("{fact} by `{}` (pid {})", holder.command, holder.pid),
                format!("stop that process, or {other}"),
            ),
            None => (fact, other),
        }
    } else if is(io::ErrorKind::AddrNotAvailable) {
        (
            format!("the router cannot listen on {}: this machine does not have that address", at.ip()),
            "`ip address` lists its addresses; `--bind 0.0.0.0` means all of IPv4".to_owned(),
        )
    } else {
        (format!("the router cannot listen on {at}: {}", reason(error)), other)
    };
    Error::new(Status::Unavailable, fact, hint)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn s16_1_further_addresses_never_hide_the_loopback_ones() {
        let of = |others: &[&str]| {
            let others: Vec<IpAddr> = others.iter().map(|text| text.parse().expect("an address")).collect();
            addresses(&others).iter().map(ToString::to_string).collect::<Vec<_>>()
        };

        assert_eq!(of(&[]), ["127.0.0.1", "::1"]);
        assert_eq!(of(&["127.0.0.1", "192.168.1.5"]), ["127.0.0.1", "::1", "192.168.1.5"]);
        assert_eq!(of(&["0.0.0.0"]), ["::1", "0.0.0.0"]);
        assert_eq!(of(&["::"]), ["0.0.0.0", "::"]);
        assert_eq!(of(&["0.0.0.0", "::"]), ["0.0.0.0", "::"]);
    }

    // Whether a socket of `::` takes IPv4 connections is otherwise a setting of the system.
    #[test]
    fn s16_1_bind_to_all_addresses_means_ipv4_whatever_the_system_says() {
        let listeners = listen(0, &[Ipv6Addr::UNSPECIFIED.into()]).ok().expect("two sockets");

        let ipv4 = listeners.iter().find(|listener| listener.local_addr().is_ok_and(|at| at.is_ipv4()));
        let port = ipv4.expect("a socket of IPv4").local_addr().expect("its address").port();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
    }
}
