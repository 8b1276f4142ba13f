//! Decides at which addresses a server can be reached from this machine, given the addresses it listens on (S19.3).
//!
//! Pure: `runtime` finds the listening sockets. `core::net` has only address types, no sockets.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const LOCALHOST_V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOCALHOST_V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// The addresses at which to reach a server, the best first: 127.0.0.1, then `::1`, then other loopback addresses, then
/// the rest. Empty only if it does not listen.
///
/// `::` gives both loopback addresses: it also accepts IPv4 connections, unless the server or the system has turned
/// that off, which the address does not show.
#[must_use]
pub fn reachable_at(listens_on: &[IpAddr]) -> Vec<IpAddr> {
    let reach = |address: &IpAddr| {
        let address = address.to_canonical();
        match (address.is_unspecified(), address) {
            (true, IpAddr::V4(_)) => [Some(LOCALHOST_V4), None],
            (true, IpAddr::V6(_)) => [Some(LOCALHOST_V4), Some(LOCALHOST_V6)],
            (false, IpAddr::V4(_) | IpAddr::V6(_)) => [Some(address), None],
        }
    };
    let mut addresses: Vec<IpAddr> = listens_on.iter().flat_map(reach).flatten().collect();
    // `false` sorts before `true`.
    addresses
        .sort_by_key(|address| (*address != LOCALHOST_V4, *address != LOCALHOST_V6, !address.is_loopback(), *address));
    addresses.dedup();
    addresses
}

/// Whether only this machine can reach a server that listens on these addresses.
#[must_use]
pub fn is_loopback_only(listens_on: &[IpAddr]) -> bool {
    listens_on.iter().all(|address| address.to_canonical().is_loopback())
}

/// The URL of a server, such as `http://127.0.0.1:5000` or `http://[::1]:5000`.
#[must_use]
pub fn http_url(address: IpAddr, port: u16) -> String {
    format!("http://{}", SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().expect(text)).collect()
    }

    #[test]
    fn s19_3_a_server_is_reachable_at_the_address_it_listens_on() {
        for (listens_on, reached_at) in [
            (&["127.0.0.1"][..], &["127.0.0.1"][..]),
            (&["0.0.0.0"], &["127.0.0.1"]),
            (&["::"], &["127.0.0.1", "::1"]),
            (&["::1"], &["::1"]),
            (&["127.0.0.2"], &["127.0.0.2"]),
            (&["192.168.1.5"], &["192.168.1.5"]),
            (&["2001:db8::5"], &["2001:db8::5"]),
            // The JVM listens like this.
            (&["::ffff:127.0.0.1"], &["127.0.0.1"]),
            (&["::ffff:0.0.0.0"], &["127.0.0.1"]),
            (&[], &[]),
        ] {
            assert_eq!(reachable_at(&addresses(listens_on)), addresses(reached_at), "{listens_on:?}");
        }
    }

    #[test]
    fn s19_3_the_usual_loopback_address_comes_first() {
        let listens_on = addresses(&["2001:db8::5", "127.0.0.2", "::1", "192.168.1.5", "127.0.0.1", "0.0.0.0"]);

        let expected = ["127.0.0.1", "::1", "127.0.0.2", "192.168.1.5", "2001:db8::5"];
        assert_eq!(reachable_at(&listens_on), addresses(&expected));
        assert_eq!(reachable_at(&addresses(&["0.0.0.0", "::"])), addresses(&["127.0.0.1", "::1"]));
    }

    #[test]
    fn loopback_is_recognised_in_ipv4_and_ipv6() {
        assert!(is_loopback_only(&addresses(&["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"])));
        for reachable in ["0.0.0.0", "::", "192.168.1.5", "::ffff:0.0.0.0"] {
            assert!(!is_loopback_only(&addresses(&["127.0.0.1", reachable])), "{reachable}");
        }
    }

    #[test]
    fn a_url_puts_an_ipv6_address_in_brackets() {
        assert_eq!(http_url(LOCALHOST_V4, 5000), "http://127.0.0.1:5000");
        assert_eq!(http_url(LOCALHOST_V6, 5000), "http://[::1]:5000");
    }
}
