//! Finds out whether a port is free, and which process holds it if not (S5.3, S5.4).
//!
//! Never connects: it tries to bind the port, and looks up the holder in `/proc`. What a taken port means is decided by
//! `commands::start::ports`, which calls this.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, SockaddrIn6, SockaddrLike, bind, listen, setsockopt,
    socket, sockopt,
};

use super::listening::{inodes, listeners};
use crate::guardian::{check_process_table, family_of, parent_of};

/// The first ephemeral port if the system does not report it: the default of Linux.
const DEFAULT_FIRST_EPHEMERAL: u16 = 32_768;

/// Maximum number of ancestors that are looked at. While they are read, a pid can be reused, so that they form a loop.
const MAX_ANCESTORS: usize = 1000;

/// A process that listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortHolder {
    /// Its process id.
    pub pid: i32,
    /// The name of its program, as `ps` shows it.
    pub command: String,
}

/// How a server is expected to bind its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindMode {
    /// With `SO_REUSEADDR`, like most servers. Connections of an earlier run in `TIME_WAIT` do not matter (S5.3).
    ReuseAddress,
    /// Without `SO_REUSEADDR`. Connections in `TIME_WAIT` block the port until they expire, after a minute (S5.4).
    Plain,
}

/// Whether a server that binds in this mode could listen on this port, on IPv4 and IPv6. If the system refuses for
/// another reason (a port below 1024), the port is reported as free: the server's own message explains it better.
#[must_use]
pub fn is_port_free(port: u16, mode: BindMode) -> bool {
    let everywhere = SockaddrIn6::from(std::net::SocketAddrV6::new(std::net::Ipv6Addr::UNSPECIFIED, port, 0, 0));
    match try_bind(AddressFamily::Inet6, &everywhere, mode) {
        Ok(()) => true,
        Err(Errno::EADDRINUSE) => false,
        // This machine has no IPv6, or the system refuses for another reason.
        Err(_) => try_bind(AddressFamily::Inet, &SockaddrIn::new(0, 0, 0, 0, port), mode) != Err(Errno::EADDRINUSE),
    }
}

/// Listens at exactly this address: a socket of `::` takes no IPv4 connections, whatever the system's default is.
///
/// # Errors
/// The address is in use, or the system refuses it.
pub fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let SocketAddr::V6(only_v6) = address else { return TcpListener::bind(address) };
    let socket = socket(AddressFamily::Inet6, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    bind(socket.as_raw_fd(), &SockaddrIn6::from(only_v6))?;
    listen(&socket, Backlog::MAXCONN)?;
    Ok(TcpListener::from(socket))
}

/// Whether nothing listens on a port. False if the system does not say.
pub(super) fn can_be_bound(port: u16) -> bool {
    let everywhere = SockaddrIn6::from(std::net::SocketAddrV6::new(std::net::Ipv6Addr::UNSPECIFIED, port, 0, 0));
    try_bind(AddressFamily::Inet6, &everywhere, BindMode::ReuseAddress).is_ok()
}

fn try_bind(family: AddressFamily, address: &dyn SockaddrLike, mode: BindMode) -> Result<(), Errno> {
    let socket: OwnedFd = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&socket, sockopt::ReuseAddr, &(mode == BindMode::ReuseAddress))?;
    if family == AddressFamily::Inet6 {
        setsockopt(&socket, sockopt::Ipv6V6Only, &false)?;
    }
    bind(socket.as_raw_fd(), address)
}

/// The process that listens on a port. None if the system does not show it, for example a process of another user.
#[must_use]
pub fn port_holder(port: u16) -> Option<PortHolder> {
    let sockets = inodes(port);
    if sockets.is_empty() {
        return None;
    }
    let holders: Vec<i32> = all_pids().filter(|pid| !sockets_of(&[*pid]).is_disjoint(&sockets)).collect();
    let pid = topmost(&holders, parent_of)?;
    let command = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(PortHolder { pid, command: command.trim_end().to_owned() })
}

/// The one of these processes that the others descend from: the server that has opened the socket, not one of the workers
/// that have inherited it. Of several such processes, the one with the lowest pid.
fn topmost(pids: &[i32], parent_of: impl Fn(i32) -> Option<i32>) -> Option<i32> {
    let descends_from_another = |pid: &i32| {
        let mut ancestors = std::iter::successors(parent_of(*pid), |parent| parent_of(*parent)).take(MAX_ANCESTORS);
        ancestors.any(|ancestor| ancestor != *pid && pids.contains(&ancestor))
    };
    pids.iter().filter(|pid| !descends_from_another(pid)).min().copied()
}

/// The ports that the processes of a dyno listen on, sorted. `leader`: its process id.
#[must_use]
pub fn ports_of_dyno(leader: i32) -> Vec<u16> {
    listening_ports(&family_of(leader), None)
}

/// Whether a process of one of these dynos listens on a port. `leaders`: their process ids. If the system does not show
/// which process listens, the answer is yes: it may be a process in their container.
#[must_use]
pub fn listens_on(leaders: &[i32], port: u16) -> bool {
    let sockets = inodes(port);
    let is_held_by = |leader: &i32| !sockets_of(&family_of(*leader)).is_disjoint(&sockets);
    let are_shown = || sockets.is_subset(&sockets_of(&all_pids().collect::<Vec<_>>()));
    let can_listen = !leaders.is_empty() && !sockets.is_empty();
    can_listen && (leaders.iter().any(is_held_by) || !are_shown())
}

/// The ports that these processes listen on, sorted, without `except`. Empty if the system does not show them.
pub(super) fn listening_ports(pids: &[i32], except: Option<u16>) -> Vec<u16> {
    let others = listeners().into_iter().filter(|listener| Some(listener.port) != except);
    let own = sockets_of(pids);
    let mut ports: Vec<u16> =
        others.filter(|listener| own.contains(&listener.inode)).map(|listener| listener.port).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// The inodes of the sockets that these processes have open. Empty if the system does not show them.
pub(super) fn sockets_of(pids: &[i32]) -> BTreeSet<u64> {
    let open_files = pids.iter().flat_map(|pid| open_files(*pid));
    open_files.filter_map(|file| file.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()).collect()
}

/// What the entries of `/proc/PID/fd` point to.
fn open_files(pid: i32) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    entries.filter_map(|entry| fs::read_link(entry.path()).ok())
}

/// The process ids of all processes that the system shows. None if it shows those of another pid namespace.
fn all_pids() -> impl Iterator<Item = i32> {
    let table = check_process_table().ok().and_then(|()| fs::read_dir("/proc").ok());
    table.into_iter().flatten().flatten().filter_map(|entry| pid_of(&entry))
}

fn pid_of(entry: &fs::DirEntry) -> Option<i32> {
    entry.file_name().to_str()?.parse().ok()
}

/// The first port that the system uses for outgoing connections.
#[must_use]
pub fn first_ephemeral_port() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range.split_ascii_whitespace().next().and_then(|first| first.parse().ok());
    first.unwrap_or(DEFAULT_FIRST_EPHEMERAL)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};

    use super::*;

    fn port_of(listener: &TcpListener) -> u16 {
        listener.local_addr().expect("an address").port()
    }

    #[test]
    fn a_port_with_a_listener_is_not_free_on_either_protocol() {
        for address in [(Ipv4Addr::LOCALHOST.into(), 0), (std::net::IpAddr::from(Ipv6Addr::LOCALHOST), 0)] {
            let listener = TcpListener::bind(address).expect("a port");

            for mode in [BindMode::ReuseAddress, BindMode::Plain] {
                assert!(!is_port_free(port_of(&listener), mode), "{address:?} {mode:?}");
            }
            let holder = port_holder(port_of(&listener)).expect("we hold it");
            assert_eq!(holder.pid, i32::try_from(std::process::id()).expect("a pid"));
        }
    }

    #[test]
    fn s5_3_the_holder_is_the_process_that_the_others_descend_from() {
        // 900 (a server that got a high pid before the pids began again) forked 20, which forked 21 by way of 30.
        let parent_of = |pid| {
            [(900, 1), (20, 900), (30, 20), (21, 30), (50, 1)]
                .iter()
                .find_map(|(child, parent)| (*child == pid).then_some(*parent))
        };

        assert_eq!(topmost(&[20, 21, 900], parent_of), Some(900));
        assert_eq!(topmost(&[20, 21], parent_of), Some(20));
        assert_eq!(topmost(&[900, 50], parent_of), Some(50));
        assert_eq!(topmost(&[], parent_of), None);
        assert_eq!(topmost(&[7], |pid| Some(15 - pid)), Some(7), "a loop ends");
    }

    #[test]
    fn s6_5_the_ports_of_a_process_are_found_except_the_expected_one() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = port_of(&listener);
        let own = i32::try_from(std::process::id()).expect("a pid");

        assert!(listening_ports(&[own], None).contains(&port));
        assert!(!listening_ports(&[own], Some(port)).contains(&port));
        assert!(listening_ports(&[], None).is_empty());
    }

    /// Tries several ports: another test may take one meanwhile, or start a process that keeps it open until its exec.
    fn for_one_of_many_ports(mut holds: impl FnMut() -> bool) -> bool {
        (0..20).any(|_| holds())
    }

    #[test]
    fn a_port_is_free_after_its_listener_is_closed() {
        let is_free = for_one_of_many_ports(|| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            let port = port_of(&listener);

            drop(listener);

            is_port_free(port, BindMode::ReuseAddress) && is_port_free(port, BindMode::Plain)
        });

        assert!(is_free);
    }

    #[test]
    fn s5_4_a_connection_in_time_wait_only_matters_to_a_plain_bind() {
        for address in [std::net::IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            // Skipped if this machine has no IPv6.
            let Ok(_) = TcpListener::bind((address, 0)) else { continue };
            let is_free = for_one_of_many_ports(|| {
                let listener = TcpListener::bind((address, 0)).expect("a port");
                let port = port_of(&listener);
                let mut client = TcpStream::connect((address, port)).expect("a connection");
                let (server, _) = listener.accept().expect("a client");
                drop(listener);

                // The side that closes first keeps the connection in TIME_WAIT.
                drop(server);
                assert_eq!(client.read(&mut [0]).expect("the end"), 0);
                drop(client);

                assert!(!is_port_free(port, BindMode::Plain), "{address}");
                is_port_free(port, BindMode::ReuseAddress)
            });

            assert!(is_free, "{address}");
        }
    }
}
