//! System calls without a safe form: forking the guardian, received descriptors, terminal sizes.
//!
//! One of the two files that may hold `unsafe`; the other is `spawn`.
#![expect(unsafe_code, reason = "the calls below have no safe form")]

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use nix::unistd::{ForkResult, fork};

use super::protocol::{HEADER_BYTES, MAX_FDS};
use crate::app::PtySize;

/// The shortest turn the scheduler grants, in nanoseconds.
const TURN_NANOSECONDS: u64 = 100_000;

nix::ioctl_read_bad!(get_window_size, libc::TIOCGWINSZ, libc::winsize);
nix::ioctl_write_ptr_bad!(set_window_size, libc::TIOCSWINSZ, libc::winsize);

/// Forks this process.
///
/// # Errors
/// Those of fork(2): EAGAIN at the limit of processes, ENOMEM.
pub(super) fn fork_guardian() -> Result<ForkResult, Errno> {
    // SAFETY: called before any thread exists, so the child is a full copy and may do anything.
    unsafe { fork() }
}

/// Gives every signal back its default disposition, whatever was inherited or set: `nohup` ignores SIGHUP, a careless
/// parent SIGCHLD, the standard library SIGPIPE. Children inherit this.
pub(super) fn reset_signals() {
    // SAFETY: zeroed bytes are a valid action, and no handler is installed.
    unsafe {
        let mut default: libc::sigaction = std::mem::zeroed();
        default.sa_sigaction = libc::SIG_DFL;
        for signal in 1..=libc::SIGRTMAX() {
            // Refused for KILL, STOP and the C library's own; those need no reset.
            libc::sigaction(signal, &raw const default, std::ptr::null_mut());
        }
    }
}

/// Asks the scheduler for short turns that come soon: the guardian works for microseconds at a time, and should not
/// stand in line behind all it has started. Children get the usual turns. Kernels before 6.12 take no notice.
pub(super) fn ask_for_short_turns() {
    // Otherwise the children would lose the niceness below 0 that the user gave us.
    // SAFETY: reads the niceness of this process.
    if unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) } < 0 {
        return;
    }
    // SAFETY: zeroed bytes are valid numbers; both calls fill or read one structure of the size they are told.
    unsafe {
        let mut attributes: libc::sched_attr = std::mem::zeroed();
        let size = size_of::<libc::sched_attr>();
        if libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) < 0
            || i64::from(attributes.sched_policy) != i64::from(libc::SCHED_OTHER)
        {
            return;
        }
        attributes.sched_flags = libc::SCHED_FLAG_RESET_ON_FORK as u64;
        attributes.sched_runtime = TURN_NANOSECONDS;
        libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0);
    }
}

/// Ends this process at once; nothing of `dyno` that the fork copied is run or flushed a second time.
pub(super) fn exit_at_once(status: i32) -> ! {
    // SAFETY: ends the process; nothing is read or written.
    unsafe { libc::_exit(status) }
}

/// Sends bytes with descriptors on the first of them.
///
/// # Errors
/// Those of sendmsg(2).
pub(super) fn send_with_fds(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[OwnedFd]) -> Result<usize, Errno> {
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &[][..] } else { &rights[..] };
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], control, MsgFlags::MSG_NOSIGNAL, None)
}

/// Reads some bytes of a header and the descriptors that ride on them; 0 bytes: the other end is closed.
///
/// # Errors
/// Those of recvmsg(2).
pub(super) fn receive_header(
    socket: BorrowedFd<'_>,
    header: &mut [u8],
    fds: &mut Vec<OwnedFd>,
) -> Result<usize, Errno> {
    debug_assert!(header.len() <= HEADER_BYTES);
    let mut space = nix::cmsg_space!([RawFd; MAX_FDS]);
    let mut parts = [IoSliceMut::new(header)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(received) = control {
            // SAFETY: the kernel made these descriptors for us in this call; nobody else owns them.
            fds.extend(received.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    Ok(message.bytes)
}

/// The size of the terminal behind `fd`; None where it is none, or one that does not know.
#[must_use]
pub fn terminal_size(fd: impl AsFd) -> Option<PtySize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one winsize, which outlives the call.
    unsafe { get_window_size(fd.as_fd().as_raw_fd(), &raw mut size) }.ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some(PtySize { rows: size.ws_row, cols: size.ws_col })
}

/// Tells the terminal behind `fd` its size; its foreground processes get SIGWINCH.
///
/// # Errors
/// Those of ioctl(2): `fd` is no terminal.
pub fn set_terminal_size(fd: impl AsFd, size: PtySize) -> Result<(), Errno> {
    let size = libc::winsize { ws_row: size.rows, ws_col: size.cols, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads one winsize, which outlives the call.
    unsafe { set_window_size(fd.as_fd().as_raw_fd(), &raw const size) }.map(drop)
}

/// Whether a signal is ignored in this process, as `nohup` leaves it.
#[must_use]
pub fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with a null new action sigaction only writes the old one; zeroed bytes are a valid value of it.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
