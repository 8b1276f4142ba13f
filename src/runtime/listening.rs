//! Reads from the kernel's tables which sockets listen, and where (S6.2). Never connects, because a server would see a
//! stray client.

#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use super::socket_diagnostics;
use crate::model::{http_url, reachable_at};

/// The socket tables for IPv4 and IPv6.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

/// A listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Listener {
    pub(super) port: u16,
    pub(super) address: IpAddr,
    pub(super) inode: u64,
    /// It accepts no IPv4 connections although its address is `::`. False if the system does not show that.
    pub(super) only_ipv6: bool,
}

/// The addresses at which this machine can reach a server, the best first. Empty only if it does not listen.
pub(super) fn answers_at(own: &[Listener]) -> Vec<IpAddr> {
    let is_any = |socket: &Listener| socket.address == IpAddr::from(Ipv6Addr::UNSPECIFIED);
    let seen_from_here = |socket: &Listener| {
        if is_any(socket) && socket.only_ipv6 { Ipv6Addr::LOCALHOST.into() } else { socket.address }
    };
    reachable_at(&own.iter().map(seen_from_here).collect::<Vec<_>>())
}

/// The sockets that listen on this machine. They are read once, when they are first needed: some systems take
/// milliseconds for that.
#[derive(Debug, Default)]
pub struct ListeningSockets(OnceCell<Vec<Listener>>);

impl ListeningSockets {
    /// The URL of a server with the address at which it answers, which may be one of IPv6 only (S6.11). The same URL if
    /// nothing listens on its port.
    #[must_use]
    pub fn answering_url(&self, url: String) -> String {
        let Some(port) = url.rsplit_once(':').and_then(|(_, port)| port.parse().ok()) else { return url };
        let own = newer(self.0.get_or_init(listeners), port, &BTreeSet::new());
        answers_at(&own).first().map_or(url, |address| http_url(*address, port))
    }

    /// Whether a server listens on this port.
    #[must_use]
    pub fn has(&self, port: u16) -> bool {
        self.0.get_or_init(listeners).iter().any(|listener| listener.port == port)
    }
}

/// The sockets that listen on a port.
pub(super) fn inodes(port: u16) -> BTreeSet<u64> {
    listeners().into_iter().filter(|listener| listener.port == port).map(|listener| listener.inode).collect()
}

/// Those that listen on a port and are not among these older sockets.
pub(super) fn newer(listeners: &[Listener], port: u16, older: &BTreeSet<u64>) -> Vec<Listener> {
    let is_newer = |listener: &&Listener| listener.port == port && !older.contains(&listener.inode);
    listeners.iter().filter(is_newer).copied().collect()
}

/// All listening sockets. Empty if the system does not show them.
pub(super) fn listeners() -> Vec<Listener> {
    socket_diagnostics::listeners().unwrap_or_else(|_| in_tables())
}

/// All listening sockets, read from `/proc/net`, which every kernel has. Empty if the system does not show them.
pub(super) fn in_tables() -> Vec<Listener> {
    let tables = TABLES.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    tables.flat_map(|table| parse(&table)).collect()
}

/// `  0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 …`
fn parse(table: &str) -> Vec<Listener> {
    const LISTEN: &str = "0A";
    let line = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (address, port) = fields.nth(1)?.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let listening = fields.nth(1)? == LISTEN;
        let inode = fields.nth(5)?.parse().ok()?;
        if listening {
            Some(Listener { port, address: parse_address(address)?, inode, only_ipv6: false })
        } else {
            None
        }
    };
    table.lines().skip(1).filter_map(line).collect()
}

/// Parses `0100007F` as 127.0.0.1: words of four bytes, each printed as a number in the machine's own byte order.
fn parse_address(text: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(text.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    match text.len() {
        8 => Some(IpAddr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.as_flattened().try_into().ok()?;
            Some(IpAddr::from(bytes))
        }
        _ => None,
    }
}
