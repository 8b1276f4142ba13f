//! Asks the kernel for the sockets that listen, and for the state of one (`sock_diag(7)`).
//!
//! The tables in `/proc/net` also list every connection, take milliseconds to read, and do not show `IPV6_V6ONLY`,
//! which nginx sets by default. A system without this service (a kernel without `tcp_diag`, a sandbox) gives an error.
//! Called by `listening` and `client_presence`.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

use super::listening::Listener;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// The type of the message after the last socket.
const DONE: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const REQUEST_ALL: u16 = 0x301;
/// `NLM_F_REQUEST`.
const REQUEST_ONE: u16 = 1;
/// The bit of the state LISTEN.
const LISTENING: u32 = 1 << 10;
/// The states in which a program has not closed its socket: ESTABLISHED and CLOSE-WAIT.
const OPEN: [u8; 2] = [1, 8];
/// The attribute for `IPV6_V6ONLY`, one byte long.
const INET_DIAG_SKV6ONLY: u16 = 11;

/// Bytes of `struct nlmsghdr`, `inet_diag_req_v2`, `inet_diag_msg` and `nlattr`.
const HEADER: usize = 16;
const REQUEST: usize = 56;
const SOCKET: usize = 72;
const ATTRIBUTE: usize = 4;
/// Offsets in `inet_diag_msg`.
const STATE_AT: usize = 1;
const PORT_AT: usize = 4;
const ADDRESS_AT: usize = 8;
const INODE_AT: usize = 68;

/// Maximum number of bytes of one answer from the kernel.
const ANSWER_BYTES: usize = 32 << 10;

/// All TCP sockets that listen.
///
/// # Errors
/// The kernel does not answer, or does not support the request.
pub(super) fn listeners() -> Result<Vec<Listener>, Errno> {
    let kernel = kernel()?;
    let mut found = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        send(kernel.as_raw_fd(), &request(REQUEST_ALL, family, LISTENING, &[]), MsgFlags::empty())?;
        let mut answer = vec![0; ANSWER_BYTES];
        loop {
            // No wait is needed: the kernel answers within `send`, or not at all.
            let length = recv(kernel.as_raw_fd(), &mut answer, MsgFlags::MSG_DONTWAIT)?;
            match read_messages(answer.get(..length).unwrap_or_default(), family, &mut found) {
                AfterAnswer::More => {}
                AfterAnswer::End => break,
                // A kernel without IPv6 refuses this request.
                AfterAnswer::Refused if family == libc::AF_INET6 => break,
                AfterAnswer::Refused => return Err(Errno::EOPNOTSUPP),
            }
        }
    }
    Ok(found)
}

/// Whether the program at the other end of a connection has closed its socket, which is on this machine, too. `theirs`: its
/// own address.
///
/// # Errors
/// The kernel does not answer, does not support the request, or does not know the socket any more.
pub(super) fn is_closing(theirs: SocketAddr, ours: SocketAddr) -> Result<bool, Errno> {
    let (IpAddr::V4(from), IpAddr::V4(to)) = (theirs.ip(), ours.ip()) else { return Err(Errno::EAFNOSUPPORT) };
    let ports = [theirs.port().to_be_bytes(), ours.port().to_be_bytes()].concat();
    let [from, to] = [from, to].map(|address| [&address.octets()[..], &[0; 12]].concat());
    // The interface may be any, and so may be the cookie.
    let id = [ports, from, to, vec![0; 4], vec![0xff; 8]].concat();
    let kernel = kernel()?;
    send(kernel.as_raw_fd(), &request(REQUEST_ONE, libc::AF_INET, u32::MAX, &id), MsgFlags::empty())?;
    let mut answer = vec![0; ANSWER_BYTES];
    let length = recv(kernel.as_raw_fd(), &mut answer, MsgFlags::MSG_DONTWAIT)?;
    match (u16_at(&answer, 4), answer.get(..length).and_then(|answer| answer.get(HEADER + STATE_AT))) {
        (Some(SOCK_DIAG_BY_FAMILY), Some(state)) => Ok(!OPEN.contains(state)),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

fn kernel() -> Result<OwnedFd, Errno> {
    socket(AddressFamily::Netlink, SockType::Datagram, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag)
}

/// A request for TCP sockets of a family in these states. `id`: which one; empty: all of them.
fn request(flags: u16, family: i32, states: u32, id: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + REQUEST).unwrap_or_default();
    let mut bytes = Vec::with_capacity(HEADER + REQUEST);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.resize(HEADER, 0);
    let byte = |number: i32| u8::try_from(number).unwrap_or_default();
    bytes.extend([byte(family), byte(libc::IPPROTO_TCP), 0, 0]);
    bytes.extend(states.to_ne_bytes());
    bytes.extend(id);
    bytes.resize(HEADER + REQUEST, 0);
    bytes
}

/// What follows the messages of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AfterAnswer {
    /// Other answers.
    More,
    /// Nothing: these were the last ones.
    End,
    /// Nothing: the kernel refused the request, or its answer cannot be parsed.
    Refused,
}

/// Reads the messages of one answer.
fn read_messages(mut answer: &[u8], family: i32, found: &mut Vec<Listener>) -> AfterAnswer {
    if answer.is_empty() {
        return AfterAnswer::Refused;
    }
    while let Some((length, kind)) = u32_at(answer, 0).zip(u16_at(answer, 4)) {
        // Otherwise the length is invalid.
        let Some(message) = usize::try_from(length).ok().and_then(|length| answer.get(HEADER..length)) else {
            return AfterAnswer::Refused;
        };
        match kind {
            SOCK_DIAG_BY_FAMILY => found.extend(listener(message, family)),
            DONE => return AfterAnswer::End,
            _ => return AfterAnswer::Refused,
        }
        answer = answer.get(aligned(HEADER + message.len())..).unwrap_or_default();
    }
    AfterAnswer::More
}

/// The socket that a message describes. The port and the address are in network byte order.
fn listener(message: &[u8], family: i32) -> Option<Listener> {
    let port = message.get(PORT_AT..PORT_AT + 2)?.try_into().ok().map(u16::from_be_bytes)?;
    let address = message.get(ADDRESS_AT..ADDRESS_AT + 16)?;
    let address = if family == libc::AF_INET {
        IpAddr::from(<[u8; 4]>::try_from(address.get(..4)?).ok()?)
    } else {
        IpAddr::from(<[u8; 16]>::try_from(address).ok()?)
    };
    let inode = u32_at(message, INODE_AT)?.into();
    let only_ipv6 = is_ipv6_only(message.get(SOCKET..).unwrap_or_default());
    Some(Listener { port, address, inode, only_ipv6 })
}

fn is_ipv6_only(mut attributes: &[u8]) -> bool {
    while let Some((length, kind)) = u16_at(attributes, 0).zip(u16_at(attributes, 2)) {
        let Some(value) = attributes.get(ATTRIBUTE..usize::from(length)) else { return false };
        if kind == INET_DIAG_SKV6ONLY {
            return value.first().is_some_and(|byte| *byte != 0);
        }
        attributes = attributes.get(aligned(usize::from(length))..).unwrap_or_default();
    }
    false
}

/// Messages and attributes begin at multiples of 4.
fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A message of this kind.
    fn message(kind: u16, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + content.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(HEADER, 0);
        bytes.extend(content);
        bytes.resize(aligned(bytes.len()), 0);
        bytes
    }

    #[test]
    fn an_answer_cut_anywhere_is_read_without_a_panic() {
        let mut content = vec![0; SOCKET];
        content[PORT_AT..PORT_AT + 2].copy_from_slice(&5000_u16.to_be_bytes());
        content[ADDRESS_AT + 15] = 1;
        content[INODE_AT..].copy_from_slice(&7_u32.to_ne_bytes());
        // Another attribute, of an odd length, comes first.
        for (kind, value) in [(5_u16, &b"cubic\0"[..]), (INET_DIAG_SKV6ONLY, &[1])] {
            let length = u16::try_from(ATTRIBUTE + value.len()).unwrap();
            content.extend([length.to_ne_bytes(), kind.to_ne_bytes()].concat());
            content.extend(value);
            content.resize(aligned(content.len()), 0);
        }
        let answer = message(SOCK_DIAG_BY_FAMILY, &content);
        let read = |bytes: &[u8]| {
            let mut found = Vec::new();
            let rest = read_messages(bytes, libc::AF_INET6, &mut found);
            (rest, found)
        };

        let address = "::1".parse().unwrap();
        let expected = Listener { port: 5000, address, inode: 7, only_ipv6: true };
        assert_eq!(read(&answer), (AfterAnswer::More, vec![expected]));
        assert_eq!(read(&[answer.clone(), message(DONE, &[0; 4])].concat()), (AfterAnswer::End, vec![expected]));
        assert_eq!(read(&message(2, &[0; 4])), (AfterAnswer::Refused, vec![]));
        for end in 0..answer.len() {
            assert!(read(&answer[..end]).1.is_empty(), "{end}");
        }
        assert_eq!(read(&[0; HEADER]), (AfterAnswer::Refused, vec![]));
    }

    #[test]
    fn the_kernel_and_its_tables_show_the_same_sockets() {
        let servers =
            ["127.0.0.1:0", "127.0.0.2:0", "0.0.0.0:0"].map(|address| std::net::TcpListener::bind(address).unwrap());
        // Another test may listen on one of these ports at another address.
        let places = servers.each_ref().map(|server| server.local_addr().unwrap());
        let of_ours = |all: Vec<Listener>| {
            let is_ours = |socket: &Listener| places.contains(&(socket.address, socket.port).into());
            let mut found: Vec<Listener> = all.into_iter().filter(is_ours).collect();
            found.sort();
            found
        };

        let asked = of_ours(listeners().unwrap_or_else(|_| super::super::listening::in_tables()));

        assert_eq!(asked, of_ours(super::super::listening::in_tables()));
        assert_eq!(asked.len(), 3);
    }

    #[test]
    fn s17_3_a_socket_that_was_closed_is_known_before_its_data_is_read() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = std::net::TcpStream::connect(server.local_addr().unwrap()).unwrap();
        let (stream, theirs) = server.accept().unwrap();
        let ours = stream.local_addr().unwrap();
        // A sandbox may have no such service.
        let Ok(before) = is_closing(theirs, ours) else { return };
        client.set_nonblocking(true).unwrap();
        while client.write(&[b'x'; 1 << 12]).is_ok() {}

        drop(client);

        assert!(!before && is_closing(theirs, ours).unwrap());
        drop(stream);
    }
}
