//! Watches the kernel's socket tables to see when a dyno listens on its port (S6.2).
//!
//! Never connects, because the server would see a stray client. Any listening socket on the port means that the dyno
//! listens, unless the socket existed before the run was spawned. It does not matter which process holds it:
//! `docker-proxy` and `sudo` listen for a dyno without being its children. Called by `run_loop`.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::ipv6_only;
use super::ports::can_be_bound;
use crate::model::{RunId, is_loopback_only, reachable_at};

/// Pause after the first check. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// Longest pause between two checks.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How long to watch a run, unless its boot timeout is longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The socket tables for IPv4 and IPv6.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

/// A listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Listener {
    pub(super) port: u16,
    pub(super) address: IpAddr,
    pub(super) inode: u64,
}

/// Why a run is not watched any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WatchResult {
    /// The run listens on its port.
    Listening { run: RunId, address: IpAddr, loopback_only: bool },
    /// The run did not listen in time.
    GaveUp { run: RunId, after: Duration },
}

#[derive(Debug)]
struct Watch {
    port: u16,
    /// Sockets that listened on the port before the run.
    older: BTreeSet<u64>,
    began: Instant,
    pause: Duration,
    /// The next look. None: nothing depends on it, or the run has not been spawned.
    next: Option<Instant>,
    is_spawned: bool,
    /// Whether the run is up only when it listens. Otherwise it is watched while a client waits for it.
    is_awaited: bool,
}

impl Watch {
    /// Looks again soon, unless a look is due already.
    fn wake(&mut self, now: Instant) {
        if self.is_spawned && self.next.is_none() {
            self.pause = FIRST_PAUSE;
            self.next = Some(now);
        }
    }
}

/// The runs that are being watched.
#[derive(Debug)]
pub(super) struct Listening {
    watches: HashMap<RunId, Watch>,
    patience: Duration,
    /// Whether a client waits for dynos.
    is_observed: bool,
}

impl Listening {
    /// `boot_timeout`: how long a run may take to listen. Each run is watched for at least that long.
    pub(super) fn new(boot_timeout: Option<Duration>) -> Self {
        // Beyond the boot timeout, because a run that begins to listen just before it is still in time.
        let patience = boot_timeout.map_or(PATIENCE, |limit| PATIENCE.max(limit.saturating_add(LONGEST_PAUSE)));
        Self { watches: HashMap::new(), patience, is_observed: false }
    }

    /// Moves all deadlines by the time during which we and the dynos were stopped.
    pub(super) fn postpone(&mut self, by: Duration) {
        for watch in self.watches.values_mut() {
            watch.began += by;
            watch.next = watch.next.map(|next| next + by);
        }
    }

    /// Remembers which sockets listen before a run is spawned. `is_awaited`: it is up only when it listens.
    pub(super) fn before_spawn(&mut self, run: RunId, port: u16, is_awaited: bool) {
        // The tables also hold every connection of the machine, and most ports are free.
        let older = if can_be_bound(port) { BTreeSet::new() } else { inodes(port) };
        let (began, pause) = (Instant::now(), FIRST_PAUSE);
        let watch = Watch { port, older, began, pause, next: None, is_spawned: false, is_awaited };
        self.watches.insert(run, watch);
    }

    /// A run was spawned: begins to watch it if anything depends on that.
    pub(super) fn begin(&mut self, run: RunId) {
        let is_observed = self.is_observed;
        if let Some(watch) = self.watches.get_mut(&run) {
            watch.is_spawned = true;
            watch.next = (watch.is_awaited || is_observed).then(|| Instant::now() + watch.pause);
        }
    }

    /// Watches all runs that have not been seen listening, as long as a client waits for dynos (S6.2).
    pub(super) fn observe(&mut self, is_observed: bool, now: Instant) {
        if std::mem::replace(&mut self.is_observed, is_observed) == is_observed {
            return;
        }
        for watch in self.watches.values_mut() {
            if is_observed {
                watch.wake(now);
            } else if !watch.is_awaited {
                watch.next = None;
            }
        }
    }

    /// The run has ended: stops watching it.
    pub(super) fn forget(&mut self, run: RunId) {
        self.watches.remove(&run);
    }

    /// Makes every run due for a check, because a decision will depend on the result.
    pub(super) fn hurry(&mut self, now: Instant) {
        for next in self.watches.values_mut().filter_map(|watch| watch.next.as_mut()) {
            *next = now.min(*next);
        }
    }

    /// When to check again. None if no run is being watched.
    pub(super) fn next_check(&self) -> Option<Instant> {
        self.watches.values().filter_map(|watch| watch.next).min()
    }

    /// Looks at the runs that are due.
    pub(super) fn check(&mut self, now: Instant) -> Vec<WatchResult> {
        if self.next_check().is_none_or(|next| next > now) {
            return Vec::new();
        }
        let listeners = listeners();
        let mut found = Vec::new();
        for (run, watch) in &mut self.watches {
            if watch.next.is_none_or(|next| next > now) {
                continue;
            }
            let is_own = |socket: &&Listener| socket.port == watch.port && !watch.older.contains(&socket.inode);
            let own: Vec<Listener> = listeners.iter().filter(is_own).copied().collect();
            if let Some(address) = answers_at(&own) {
                let addresses: Vec<IpAddr> = own.iter().map(|socket| socket.address).collect();
                found.push(WatchResult::Listening { run: *run, address, loopback_only: is_loopback_only(&addresses) });
                continue;
            }
            if watch.is_awaited && watch.began + self.patience <= now {
                found.push(WatchResult::GaveUp { run: *run, after: self.patience });
                watch.is_awaited = false;
            }
            watch.pause = (2 * watch.pause).min(LONGEST_PAUSE);
            watch.next = (watch.is_awaited || self.is_observed).then(|| now + watch.pause);
        }
        for result in &found {
            match result {
                WatchResult::Listening { run, .. } => drop(self.watches.remove(run)),
                // A client may wait for it later.
                WatchResult::GaveUp { .. } => {}
            }
        }
        found
    }
}

/// The best address at which this machine can reach a server. None if it does not listen.
fn answers_at(own: &[Listener]) -> Option<IpAddr> {
    let is_any = |socket: &Listener| socket.address == IpAddr::from(Ipv6Addr::UNSPECIFIED);
    let only_ipv6 = if own.iter().any(is_any) { ipv6_only::sockets() } else { BTreeSet::new() };
    let seen_from_here = |socket: &Listener| {
        if is_any(socket) && only_ipv6.contains(&socket.inode) { Ipv6Addr::LOCALHOST.into() } else { socket.address }
    };
    reachable_at(&own.iter().map(seen_from_here).collect::<Vec<_>>()).first().copied()
}

/// The sockets that listen on a port.
fn inodes(port: u16) -> BTreeSet<u64> {
    listeners().into_iter().filter(|listener| listener.port == port).map(|listener| listener.inode).collect()
}

/// The addresses of the sockets that listen on a port.
pub(super) fn listening_addresses(port: u16) -> Vec<IpAddr> {
    listeners().into_iter().filter(|listener| listener.port == port).map(|listener| listener.address).collect()
}

/// All listening sockets. Empty if the system does not show them.
pub(super) fn listeners() -> Vec<Listener> {
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
        if listening { Some(Listener { port, address: parse_address(address)?, inode }) } else { None }
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
