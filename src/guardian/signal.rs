//! Signals one process of a table. Its pid may have been reused since the table was read.

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::unistd::getpid;

use super::proc_table;
use super::sys;
use super::table::Process;

/// Signals this process, and never a later process that has the same pid.
pub(super) fn signal_process(process: &Process, signal: i32) {
    if process.parent == getpid() {
        // Our own child: only we can reap it, and we have not done so since the table was read.
        sys::send(process.pid, signal);
        return;
    }
    let descriptor = sys::open_process(process.pid);
    let is_same = || proc_table::read_process(process.pid).is_some_and(|now| now.start == process.start);
    match descriptor {
        Ok(descriptor) if is_same() => sys::send_by_descriptor(descriptor.as_fd(), signal),
        Ok(_) | Err(Errno::ESRCH) => {}
        // The kernel or the sandbox does not support pidfds.
        Err(_) if is_same() => {
            sys::send(process.pid, signal);
        }
        Err(_) => {}
    }
}
