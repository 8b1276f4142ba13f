//! Watches the kernel's socket tables to see when a dyno listens on its port (S6.2).
//!
//! Never connects, because the server would see a stray client. Any listening socket on the port means that the dyno
//! listens, unless the socket existed before the run was spawned. It does not matter which process holds it:
//! `docker-proxy` and `sudo` listen for a dyno without being its children. Called by `run_loop`.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::ipv6_only;
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
    next: Option<Instant>,
}

/// The runs that are being watched.
#[derive(Debug)]
pub(super) struct Listening {
    watches: HashMap<RunId, Watch>,
    patience: Duration,
}

impl Listening {
    /// `boot_timeout`: how long a run may take to listen. Each run is watched for at least that long.
    pub(super) fn new(boot_timeout: Option<Duration>) -> Self {
        // Beyond the boot timeout, because a run that begins to listen just before it is still in time.
        let patience = boot_timeout.map_or(PATIENCE, |limit| PATIENCE.max(limit.saturating_add(LONGEST_PAUSE)));
        Self { watches: HashMap::new(), patience }
    }

    /// Moves all deadlines by the time during which we and the dynos were stopped.
    pub(super) fn postpone(&mut self, by: Duration) {
        for watch in self.watches.values_mut() {
            watch.began += by;
            watch.next = watch.next.map(|next| next + by);
        }
    }

    /// Remembers which sockets listen before a run is spawned.
    pub(super) fn before_spawn(&mut self, run: RunId, port: u16) {
        let older = listeners().into_iter().filter(|listener| listener.port == port).map(|listener| listener.inode);
        let watch = Watch { port, older: older.collect(), began: Instant::now(), pause: FIRST_PAUSE, next: None };
        self.watches.insert(run, watch);
    }

    /// Begins to watch a run that was spawned.
    pub(super) fn begin(&mut self, run: RunId) {
        if let Some(watch) = self.watches.get_mut(&run) {
            watch.next = Some(Instant::now() + watch.pause);
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
            } else if watch.began + self.patience <= now {
                found.push(WatchResult::GaveUp { run: *run, after: self.patience });
            } else {
                watch.pause = (2 * watch.pause).min(LONGEST_PAUSE);
                watch.next = Some(now + watch.pause);
            }
        }
        for result in &found {
            let (WatchResult::Listening { run, .. } | WatchResult::GaveUp { run, .. }) = result;
            self.watches.remove(run);
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV6;
    use std::os::fd::AsRawFd;

    use nix::sys::socket::{
        AddressFamily, Backlog, SockFlag, SockType, SockaddrIn6, bind, listen, setsockopt, socket, sockopt,
    };

    use super::*;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
         0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 111 1 0 100 0 0 10 0\n   \
         1: 00000000:1389 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1 0 100 0 0 10 0\n   \
         2: 0100007F:1388 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 333 1 0 20 4 0 10 -1\n";

    #[test]
    fn only_listening_sockets_are_found() {
        let listener = |port, address: &str, inode| Listener { port, address: address.parse().expect(address), inode };
        let expected = [listener(5000, "127.0.0.1", 111), listener(5001, "0.0.0.0", 222)];

        assert_eq!(parse(TCP), expected);
    }

    #[test]
    fn an_unknown_line_is_skipped() {
        assert_eq!(parse(&format!("{TCP}short\n")), parse(TCP));
    }

    #[test]
    fn a_table_cut_in_the_middle_of_a_line_is_read_as_far_as_it_goes() {
        for end in 0..TCP.len() {
            let _ = parse(&TCP[..end]);
        }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn an_address_is_read_in_words_of_four_bytes() {
        for (text, address) in [
            ("0100007F", "127.0.0.1"),
            ("0200007F", "127.0.0.2"),
            ("00000000", "0.0.0.0"),
            ("00000000000000000000000001000000", "::1"),
            ("00000000000000000000000000000000", "::"),
            ("0000000000000000FFFF00000100007F", "::ffff:127.0.0.1"),
            ("B80D0120000000000000000005000000", "2001:db8::5"),
        ] {
            assert_eq!(parse_address(text), address.parse().ok(), "{text}");
        }
        assert_eq!([parse_address("0100007"), parse_address(""), parse_address("0100007G")], [None; 3]);
    }

    #[test]
    fn s6_2_a_socket_that_existed_before_the_run_is_ignored() {
        let before = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = before.local_addr().expect("bound").port();
        let mut listening = Listening::new(None);
        listening.before_spawn(RunId(1), port);
        listening.begin(RunId(1));

        let later = Instant::now() + FIRST_PAUSE;
        assert_eq!(listening.check(later), []);
        drop(before);
        let _own = std::net::TcpListener::bind(("127.0.0.1", port)).expect("free again");

        let found = listening.check(later + LONGEST_PAUSE);
        let address = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(found, [WatchResult::Listening { run: RunId(1), address, loopback_only: true }]);
        assert_eq!(listening.next_check(), None);
    }

    #[test]
    fn s19_3_a_server_on_ipv6_only_answers_at_the_ipv6_loopback_address() {
        for (only_ipv6, address) in [(true, "::1"), (false, "127.0.0.1")] {
            let Ok(server) = socket(AddressFamily::Inet6, SockType::Stream, SockFlag::SOCK_CLOEXEC, None) else {
                return;
            };
            setsockopt(&server, sockopt::Ipv6V6Only, &only_ipv6).expect("an option of IPv6");
            let everywhere = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0);
            // Skipped if this machine has no IPv6.
            if bind(server.as_raw_fd(), &SockaddrIn6::from(everywhere)).is_err() {
                return;
            }
            listen(&server, Backlog::MAXCONN).expect("it can listen");
            let port =
                std::net::TcpListener::from(server.try_clone().expect("a copy")).local_addr().expect("bound").port();

            let own: Vec<Listener> = listeners().into_iter().filter(|socket| socket.port == port).collect();

            assert_eq!(answers_at(&own), address.parse().ok(), "{own:?}");
        }
    }

    #[test]
    fn s6_2_pauses_double_from_10_to_500_ms_until_it_gives_up_after_a_minute() {
        let (checks, last) = check_until_it_gives_up(&mut Listening::new(None));

        assert_eq!(last, [WatchResult::GaveUp { run: RunId(1), after: PATIENCE }]);
        assert!((120..140).contains(&checks), "{checks}");
    }

    /// Watches a run that never listens. Returns the number of checks and the last result.
    fn check_until_it_gives_up(listening: &mut Listening) -> (usize, Vec<WatchResult>) {
        listening.before_spawn(RunId(1), 1);
        listening.begin(RunId(1));
        let mut checks = 0;
        let mut last = Vec::new();
        while let Some(next) = listening.next_check() {
            last = listening.check(next);
            checks += 1;
        }
        (checks, last)
    }

    #[test]
    fn s6_5_a_run_is_watched_longer_if_its_boot_timeout_is_longer() {
        let second = Duration::from_secs(1);

        let (checks, last) = check_until_it_gives_up(&mut Listening::new(Some(180 * second)));

        let found = matches!(last[..], [WatchResult::GaveUp { after, .. }] if after > 180 * second);
        assert!(found && checks > 360, "{checks} {last:?}");
        let (_, last) = check_until_it_gives_up(&mut Listening::new(Some(second)));
        assert_eq!(last, [WatchResult::GaveUp { run: RunId(1), after: PATIENCE }]);
    }

    #[test]
    fn s6_5_a_run_is_checked_once_more_when_its_time_is_up() {
        let mut listening = Listening::new(None);
        listening.before_spawn(RunId(1), 1);
        let now = Instant::now();

        listening.hurry(now);
        assert_eq!(listening.next_check(), None, "no check is due before the spawn");
        listening.begin(RunId(1));
        listening.hurry(now);

        assert_eq!(listening.next_check(), Some(now));
    }

    #[test]
    fn suspension_does_not_shorten_the_wait() {
        let mut listening = Listening::new(None);
        listening.before_spawn(RunId(1), 1);
        listening.begin(RunId(1));
        let next = listening.next_check().expect("one check is due");

        listening.postpone(2 * PATIENCE);

        assert_eq!(listening.next_check(), Some(next + 2 * PATIENCE));
        assert_eq!(listening.check(next + 2 * PATIENCE), []);
    }
}
