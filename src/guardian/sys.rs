//! System calls that have no safe wrapper: forking the guardian, raw wait statuses, signals of any number, received
//! descriptors, terminal sizes.
//!
//! One of the three files that may contain `unsafe`. The others are `spawn` and `mapped_code`.
#![expect(unsafe_code, reason = "the calls below have no safe wrapper")]

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use nix::unistd::{ForkResult, Pid, fork};

use super::protocol::{HEADER_BYTES, MAX_FDS};
use crate::model::{ExitStatus, PtySize};

/// The shortest time slice that the scheduler grants, in nanoseconds.
const SLICE_NANOSECONDS: u64 = 100_000;

nix::ioctl_read_bad!(get_window_size, libc::TIOCGWINSZ, libc::winsize);
nix::ioctl_write_ptr_bad!(set_window_size, libc::TIOCSWINSZ, libc::winsize);
nix::ioctl_write_int_bad!(open_other_side, libc::TIOCGPTPEER);
nix::ioctl_read_bad!(get_readable_bytes, libc::FIONREAD, libc::c_int);
nix::ioctl_read_bad!(get_unsent_bytes, libc::TIOCOUTQ, libc::c_int);
nix::ioctl_read!(get_terminal_device, b'T', 0x32, libc::c_uint);
nix::ioctl_readwrite!(get_process_information, 0xff, 11, libc::pidfd_info);

/// Forks this process. `dyno` forks for a detached start and for its guardian; both processes fork for [`newest_pid`].
///
/// # Errors
/// Those of fork(2): EAGAIN if the process limit is reached, ENOMEM.
pub(super) fn fork_process() -> Result<ForkResult, Errno> {
    // SAFETY: `dyno` forks the start and the guardian before it has any thread and the guardian never has one, so the
    // child is a full copy and may do anything. Once `dyno` has threads, it forks only in `newest_pid`, whose child
    // exits at once.
    unsafe { fork() }
}

/// What a child shares with the guardian until its exec. Only where [`raw_syscall`] leaves `errno` alone.
pub(super) const SHARED_WITH_CHILD: libc::c_int =
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) { libc::CLONE_VM } else { 0 };

/// A system call that does not touch `errno`, which a child shares with the guardian.
///
/// # Errors
/// The errno.
///
/// # Safety
/// Whatever the call requires of its arguments.
pub(super) unsafe fn raw_syscall(number: libc::c_long, arguments: [usize; 4]) -> Result<usize, libc::c_int> {
    let [first, second, third, fourth] = arguments;
    #[cfg(target_arch = "x86_64")]
    let result = {
        let result: isize;
        // SAFETY: the instruction changes only the registers named here, and the caller guarantees the arguments.
        unsafe {
            std::arch::asm!(
                "syscall",
                inlateout("rax") number => result,
                in("rdi") first, in("rsi") second, in("rdx") third, in("r10") fourth,
                lateout("rcx") _, lateout("r11") _,
                options(nostack),
            );
        }
        result
    };
    #[cfg(target_arch = "aarch64")]
    let result = {
        let result: isize;
        // SAFETY: the instruction changes only the register of the result, and the caller guarantees the arguments.
        unsafe {
            std::arch::asm!(
                "svc 0",
                in("x8") number,
                inlateout("x0") first => result,
                in("x1") second, in("x2") third, in("x3") fourth,
                options(nostack),
            );
        }
        result
    };
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let result = {
        // SAFETY: the caller guarantees the arguments.
        match unsafe { libc::syscall(number, first, second, third, fourth) } {
            -1 => -(Errno::last_raw() as isize),
            result => result as isize,
        }
    };
    usize::try_from(result).map_err(|_| libc::c_int::try_from(-result).unwrap_or(libc::EINVAL))
}

/// Resets every signal to its default disposition, which children inherit. `nohup` ignores SIGHUP, the standard library
/// ignores SIGPIPE, and a careless parent may ignore SIGCHLD.
pub(super) fn reset_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // Fails for KILL, STOP and the C library's own signals, which need no reset.
        reset_signal(signal);
    }
}

/// Resets one signal to its default disposition.
pub fn reset_signal(signal: i32) {
    // SAFETY: zeroed bytes are a valid action, and no handler is installed.
    unsafe {
        let mut default: libc::sigaction = std::mem::zeroed();
        default.sa_sigaction = libc::SIG_DFL;
        libc::sigaction(signal, &raw const default, std::ptr::null_mut());
    }
}

/// Asks the scheduler for short time slices, which it grants with less delay: the guardian works for microseconds at a
/// time and should not have to wait for all the processes that it has started. Children get normal slices. Kernels
/// before 6.12 ignore this.
pub(super) fn request_short_time_slices() {
    // With reset-on-fork, children would lose a niceness below 0 that the user has set.
    // SAFETY: reads the niceness of this process.
    if unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) } < 0 {
        return;
    }
    // SAFETY: zeroed bytes are valid numbers; both calls access one structure of the given size.
    unsafe {
        let mut attributes: libc::sched_attr = std::mem::zeroed();
        let size = size_of::<libc::sched_attr>();
        if libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) < 0
            || i64::from(attributes.sched_policy) != i64::from(libc::SCHED_OTHER)
        {
            return;
        }
        attributes.sched_flags = libc::SCHED_FLAG_RESET_ON_FORK as u64;
        attributes.sched_runtime = SLICE_NANOSECONDS;
        libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0);
    }
}

/// Closes every descriptor besides the standard streams and this one. Kernels before 5.9 cannot.
pub(super) fn close_all_but(kept: BorrowedFd<'_>) {
    let kept = libc::c_long::from(kept.as_raw_fd());
    for (first, last) in [(3, kept - 1), (kept + 1, libc::c_long::from(u32::MAX))] {
        // SAFETY: the caller, the guardian, has just been forked and owns no other descriptor.
        unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    }
}

/// Exits immediately, so that destructors and buffers that the fork copied from `dyno` are not run or flushed twice.
pub(super) fn exit_at_once(status: i32) -> ! {
    // SAFETY: ends the process; nothing is read or written.
    unsafe { libc::_exit(status) }
}

/// Reaps one child that has ended. None: no child has ended.
///
/// Uses the raw wait status: `nix::WaitStatus` cannot represent a real-time signal, and when nix returns that error,
/// the child is already reaped.
///
/// # Errors
/// ECHILD: there are no children at all.
pub(super) fn reap_any() -> Result<Option<(Pid, ExitStatus)>, Errno> {
    loop {
        let mut status = 0;
        // SAFETY: writes one number, which outlives the call.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        let exit = match pid {
            0 => return Ok(None),
            pid if pid < 0 && Errno::last() == Errno::EINTR => continue,
            pid if pid < 0 => return Err(Errno::last()),
            _ if libc::WIFSIGNALED(status) => ExitStatus::Signal(number(libc::WTERMSIG(status))),
            _ => ExitStatus::Code(number(libc::WEXITSTATUS(status))),
        };
        return Ok(Some((Pid::from_raw(pid), exit)));
    }
}

/// Waits until this child has ended, and reaps it. Does nothing if it was reaped before.
pub(super) fn reap_when_ended(pid: Pid) {
    // SAFETY: with a null pointer no status is written.
    while unsafe { libc::waitpid(pid.as_raw(), std::ptr::null_mut(), 0) } < 0 && Errno::last() == Errno::EINTR {}
}

/// The pid that the system assigned most recently, found by forking a process for this purpose only.
pub(super) fn newest_pid() -> Option<Pid> {
    match fork_process() {
        Ok(ForkResult::Child) => exit_at_once(0),
        Ok(ForkResult::Parent { child }) => {
            reap_when_ended(child);
            Some(child)
        }
        Err(_) => None,
    }
}

fn number(status: libc::c_int) -> u8 {
    u8::try_from(status).unwrap_or(u8::MAX)
}

/// Whether this process has a child, dead or alive, with this pid or in this process group.
///
/// As long as there is one, the number cannot be reused: only we can reap the child.
pub(super) fn has_child(which: Child) -> bool {
    let (kind, id) = match which {
        Child::Any => (libc::P_ALL, Pid::from_raw(0)),
        Child::WithPid(pid) => (libc::P_PID, pid),
        Child::InGroup(group) => (libc::P_PGID, group),
    };
    libc::id_t::try_from(id.as_raw()).is_ok_and(|id| ended_child(kind, id).is_ok())
}

/// A child that has ended, which is not reaped yet. None: no child has ended.
pub(super) fn any_ended_child() -> Option<Pid> {
    ended_child(libc::P_ALL, 0).ok().filter(|pid| *pid > 0).map(Pid::from_raw)
}

/// One of these children that has ended, and is not reaped. 0: none has ended. ECHILD: there are none.
fn ended_child(kind: libc::idtype_t, id: libc::id_t) -> Result<libc::pid_t, Errno> {
    // SAFETY: zeroed bytes are a valid value, with the pid 0, and the call writes at most one.
    unsafe {
        let mut information: libc::siginfo_t = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        Errno::result(libc::waitid(kind, id, &raw mut information, flags)).map(|_| information.si_pid())
    }
}

/// Any child, the child with a pid, or a child in a process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Child {
    Any,
    WithPid(Pid),
    InGroup(Pid),
}

/// Sends any signal, real-time ones included. Returns false if we lack the permission: the process has another user.
///
/// The caller must make sure that the pid still belongs to the intended process.
pub(super) fn send(pid: Pid, signal: i32) -> bool {
    // SAFETY: no memory is involved.
    unsafe { libc::kill(pid.as_raw(), signal) == 0 || Errno::last() != Errno::EPERM }
}

/// Sends any signal to a process group. Returns whether the group has a member that we may signal. The caller must make
/// sure that the number still belongs to the intended group.
pub(super) fn send_to_group(group: Pid, signal: i32) -> bool {
    // SAFETY: no memory is involved.
    unsafe { libc::killpg(group.as_raw(), signal) == 0 }
}

/// A descriptor of a process, which never refers to a later process with the same pid.
///
/// # Errors
/// ESRCH: there is no such process. ENOSYS: the kernel is older than 5.3.
pub(super) fn open_process(pid: Pid) -> Result<OwnedFd, Errno> {
    // SAFETY: no memory is involved.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
    let fd = RawFd::try_from(Errno::result(fd)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel created this descriptor in this call; nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends any signal to the process of a descriptor from [`open_process`].
pub(super) fn send_by_descriptor(process: BorrowedFd<'_>, signal: i32) {
    // SAFETY: a null pointer means the same information as in kill(2).
    unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal, std::ptr::null::<libc::siginfo_t>(), 0);
    }
}

/// The wait status of a process that its parent has reaped. `process`: a descriptor from [`open_process`]. None: it is
/// not reaped yet, or the kernel is older than 6.15.
pub(super) fn status_after_reaping(process: BorrowedFd<'_>) -> Option<i32> {
    let wanted = u64::from(libc::PIDFD_INFO_EXIT);
    // SAFETY: zeroed bytes are valid numbers; the call accesses one structure of the size that is part of its number.
    let information = unsafe {
        let mut information: libc::pidfd_info = std::mem::zeroed();
        information.mask = wanted;
        get_process_information(process.as_raw_fd(), &raw mut information).ok()?;
        information
    };
    (information.mask & wanted != 0).then_some(information.exit_code)
}

/// Clock ticks of `/proc/PID/stat` in a second.
pub(super) fn ticks_per_second() -> u64 {
    // SAFETY: reads a constant of the system.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100)
}

/// Time since the system booted, in the clock ticks of `/proc/PID/stat`.
pub(super) fn ticks_since_boot() -> u64 {
    let per_second = ticks_per_second();
    let Ok(since_boot) = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME) else { return 0 };
    let seconds = u64::try_from(since_boot.tv_sec()).unwrap_or(0);
    let nanoseconds = u64::try_from(since_boot.tv_nsec()).unwrap_or(0);
    seconds * per_second + nanoseconds * per_second / 1_000_000_000
}

/// Sends bytes, with a descriptor attached to the first byte. The descriptor stays open here.
///
/// # Errors
/// Those of sendmsg(2).
pub fn send_with_fd(socket: BorrowedFd<'_>, bytes: &[u8], fd: BorrowedFd<'_>) -> Result<usize, Errno> {
    let raw = [fd.as_raw_fd()];
    let control = [ControlMessage::ScmRights(&raw)];
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], &control, MsgFlags::MSG_NOSIGNAL, None)
}

/// Sends bytes, with the descriptors attached to the first byte.
///
/// # Errors
/// Those of sendmsg(2).
pub(super) fn send_with_fds(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[OwnedFd]) -> Result<usize, Errno> {
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &[][..] } else { &rights[..] };
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], control, MsgFlags::MSG_NOSIGNAL, None)
}

/// Reads some bytes of a header and the descriptors attached to them. 0 bytes: the other end is closed.
///
/// # Errors
/// Those of recvmsg(2).
pub fn receive_header(socket: BorrowedFd<'_>, header: &mut [u8], fds: &mut Vec<OwnedFd>) -> Result<usize, Errno> {
    debug_assert!(header.len() <= HEADER_BYTES);
    let mut space = nix::cmsg_space!([RawFd; MAX_FDS]);
    let mut parts = [IoSliceMut::new(header)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(received) = control {
            // SAFETY: the kernel created these descriptors in this call; nothing else owns them.
            fds.extend(received.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    Ok(message.bytes)
}

/// The size of the terminal `fd`. None: it is not a terminal, or its size is not known.
#[must_use]
pub fn terminal_size(fd: impl AsFd) -> Option<PtySize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one winsize, which outlives the call.
    unsafe { get_window_size(fd.as_fd().as_raw_fd(), &raw mut size) }.ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some(PtySize { rows: size.ws_row, cols: size.ws_col })
}

/// Sets the size of the terminal `fd`. Its foreground processes get SIGWINCH.
///
/// # Errors
/// Those of ioctl(2), if `fd` is not a terminal.
pub fn set_terminal_size(fd: impl AsFd, size: PtySize) -> Result<(), Errno> {
    let size = libc::winsize { ws_row: size.rows, ws_col: size.cols, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads one winsize, which outlives the call.
    unsafe { set_window_size(fd.as_fd().as_raw_fd(), &raw const size) }.map(drop)
}

/// The side of a terminal that its programs have open. `master`: of that terminal.
///
/// # Errors
/// `master` is something else, or the system is older than Linux 4.13.
pub(super) fn other_side(master: impl AsFd) -> Result<OwnedFd, Errno> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_NONBLOCK | libc::O_CLOEXEC;
    // SAFETY: TIOCGPTPEER takes flags and returns a new descriptor, which belongs to no one else.
    Ok(unsafe { OwnedFd::from_raw_fd(open_other_side(master.as_fd().as_raw_fd(), flags)?) })
}

/// Bytes in a pipe that have not been read yet. None if the system cannot tell. `fd`: either end.
#[must_use]
pub fn unread_in_pipe(fd: impl AsFd) -> Option<usize> {
    let mut bytes = 0;
    // SAFETY: FIONREAD writes one integer, which outlives the call.
    unsafe { get_readable_bytes(fd.as_fd().as_raw_fd(), &raw mut bytes) }.ok()?;
    usize::try_from(bytes).ok()
}

/// Bytes that a terminal or a socket has accepted but not passed on yet. None if the system cannot tell.
#[must_use]
pub fn unsent(fd: impl AsFd) -> Option<usize> {
    let mut bytes = 0;
    // SAFETY: TIOCOUTQ, which has the number of SIOCOUTQ, writes one integer, which outlives the call.
    unsafe { get_unsent_bytes(fd.as_fd().as_raw_fd(), &raw mut bytes) }.ok()?;
    usize::try_from(bytes).ok()
}

/// The device number of the terminal `fd`, even if it was opened as `/dev/tty`. None if it is not a terminal.
#[must_use]
pub fn terminal_device(fd: impl AsFd) -> Option<u32> {
    let mut device = 0;
    // SAFETY: TIOCGDEV writes one unsigned integer, which outlives the call.
    unsafe { get_terminal_device(fd.as_fd().as_raw_fd(), &raw mut device) }.ok()?;
    Some(device)
}

/// Whether this process ignores a signal, for example because of `nohup`.
#[must_use]
pub fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with a null new action sigaction only writes the old one; zeroed bytes are a valid value of it.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
