//! When runs are looked at, and what is found.

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
    let listener = |port, address: &str, inode| {
        let address = address.parse().expect(address);
        Listener { port, address, inode, only_ipv6: false }
    };
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
        let port = std::net::TcpListener::from(server.try_clone().expect("a copy")).local_addr().expect("bound").port();

        let own: Vec<Listener> = listeners().into_iter().filter(|socket| socket.port == port).collect();

        assert_eq!(answers_at(&own).first().copied(), address.parse().ok(), "{own:?}");
    }
}
