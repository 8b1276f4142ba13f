//! Signals one process of a table, and never a later one that has its number.

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::unistd::getpid;

use super::proc_table;
use super::sys;
use super::table::Process;

/// Signals this process, and never a later one with its pid.
pub(super) fn signal_process(process: &Process, signal: i32) {
    if process.parent == getpid() {
        // Our own child: only we can reap it, and have not since the look.
        sys::send(process.pid, signal);
        return;
    }
    let descriptor = sys::open_process(process.pid);
    let is_same = || proc_table::read_process(process.pid).is_some_and(|now| now.start == process.start);
    match descriptor {
        Ok(descriptor) if is_same() => sys::send_by_descriptor(descriptor.as_fd(), signal),
        Ok(_) | Err(Errno::ESRCH) => {}
        // A kernel or a sandbox that knows no such descriptors.
        Err(_) if is_same() => sys::send(process.pid, signal),
        Err(_) => {}
    }
}
