//! Finds the sockets on `::` that accept no IPv4 connections (`IPV6_V6ONLY`, the default of nginx).
//!
//! `/proc/net/tcp6` does not show this option; the kernel's socket diagnostics do (`sock_diag(7)`). If the system does not
//! answer (a kernel without `tcp_diag`, a sandbox), the result is empty. Called by `listening`.

use std::collections::BTreeSet;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const REQUEST_ALL: u16 = 0x301;
/// The bit of the state LISTEN.
const LISTENING: u32 = 1 << 10;
/// The attribute for `IPV6_V6ONLY`, one byte long.
const INET_DIAG_SKV6ONLY: u16 = 11;

/// Bytes of `struct nlmsghdr`, `inet_diag_req_v2`, `inet_diag_msg` and `nlattr`.
const HEADER: usize = 16;
const REQUEST: usize = 56;
const SOCKET: usize = 72;
const ATTRIBUTE: usize = 4;
/// Offset of the inode in `inet_diag_msg`.
const INODE_AT: usize = 68;

/// Maximum number of bytes of one answer from the kernel.
const ANSWER_BYTES: usize = 32 << 10;

/// The inodes of the TCP sockets that listen on IPv6 only.
pub(super) fn sockets() -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    // What was read before an error is valid.
    let _ = ask(&mut found);
    found
}

fn ask(found: &mut BTreeSet<u64>) -> Result<(), Errno> {
    let kernel =
        socket(AddressFamily::Netlink, SockType::Datagram, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag)?;
    send(kernel.as_raw_fd(), &request(), MsgFlags::empty())?;
    let mut answer = vec![0; ANSWER_BYTES];
    loop {
        // No wait is needed: the kernel answers within `send`, or not at all.
        let length = recv(kernel.as_raw_fd(), &mut answer, MsgFlags::MSG_DONTWAIT)?;
        let read = answer.get(..length).unwrap_or_default();
        if read.is_empty() || !read_messages(read, found) {
            return Ok(());
        }
    }
}

/// The request for all listening IPv6 TCP sockets.
fn request() -> Vec<u8> {
    let length = u32::try_from(HEADER + REQUEST).unwrap_or_default();
    let mut bytes = Vec::with_capacity(HEADER + REQUEST);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(REQUEST_ALL.to_ne_bytes());
    bytes.resize(HEADER, 0);
    let (family, protocol) = (libc::AF_INET6.to_ne_bytes(), libc::IPPROTO_TCP.to_ne_bytes());
    let first = |bytes: [u8; 4]| if cfg!(target_endian = "little") { bytes[0] } else { bytes[3] };
    bytes.extend([first(family), first(protocol), 0, 0]);
    bytes.extend(LISTENING.to_ne_bytes());
    bytes.resize(HEADER + REQUEST, 0);
    bytes
}

/// Reads the messages of one answer. Returns whether more answers follow.
fn read_messages(mut answer: &[u8], found: &mut BTreeSet<u64>) -> bool {
    while let Some((length, kind)) = u32_at(answer, 0).zip(u16_at(answer, 4)) {
        // The length is invalid.
        let Some(message) = usize::try_from(length).ok().and_then(|length| answer.get(HEADER..length)) else {
            return false;
        };
        // The end of the list, or an error.
        if kind != SOCK_DIAG_BY_FAMILY {
            return false;
        }
        if let Some(inode) = u32_at(message, INODE_AT)
            && is_ipv6_only(message.get(SOCKET..).unwrap_or_default())
        {
            found.insert(inode.into());
        }
        answer = answer.get(aligned(HEADER + message.len())..).unwrap_or_default();
    }
    true
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
    use super::*;

    #[test]
    fn an_answer_cut_anywhere_is_read_without_a_panic() {
        let mut message = vec![0; SOCKET];
        message[INODE_AT..].copy_from_slice(&7_u32.to_ne_bytes());
        // Another attribute, of an odd length, comes first.
        for (kind, value) in [(5_u16, &b"cubic\0"[..]), (INET_DIAG_SKV6ONLY, &[1])] {
            let length = u16::try_from(ATTRIBUTE + value.len()).unwrap();
            message.extend([length.to_ne_bytes(), kind.to_ne_bytes()].concat());
            message.extend(value);
            message.resize(aligned(message.len()), 0);
        }
        let length = u32::try_from(HEADER + message.len()).unwrap();
        let mut answer = length.to_ne_bytes().to_vec();
        answer.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        answer.resize(HEADER, 0);
        answer.extend(message);

        let read = |bytes: &[u8]| {
            let mut found = BTreeSet::new();
            let more_follow = read_messages(bytes, &mut found);
            (more_follow, found)
        };
        assert_eq!(read(&answer), (true, BTreeSet::from([7])));
        for end in 0..answer.len() {
            assert!(read(&answer[..end]).1.is_empty(), "{end}");
        }
        assert_eq!(read(&[0; HEADER]), (false, BTreeSet::new()));
    }
}
