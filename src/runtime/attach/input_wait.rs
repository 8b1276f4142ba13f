//! Whether a run waits for someone to type (S10.5): one look, after its output has stopped in the middle of a line.
//!
//! A program that waits for input reads single keys, as debuggers, shells and REPLs do; or it hides what is typed, as `sudo`
//! does; or a process is blocked in a read of the terminal. A server that merely has the terminal as its stdin does none of
//! these.

use std::fs;
use std::os::fd::{AsFd, RawFd};
use std::os::linux::fs::MetadataExt;

use crate::guardian::{TerminalModes, family_of, terminal_device};

/// `/dev/tty`, the controlling terminal, by its device number.
const CONTROLLING: u64 = libc::makedev(5, 0);

/// The most threads of one process that are looked at.
const MAX_THREADS: usize = 64;

/// Whether a program of the run reads its terminal. `master`: of that terminal; `leader`: the process of the run.
pub(in crate::runtime) fn reads_terminal(master: impl AsFd, ours: impl AsFd, leader: i32) -> bool {
    if TerminalModes::of(master).is_ok_and(|modes| modes.gives_single_keys() || !modes.echoes()) {
        return true;
    }
    let Some(device) = terminal_device(ours).map(u64::from) else { return false };
    let is_terminal = |device_of_fd: u64| [device, CONTROLLING].contains(&device_of_fd);
    family_of(leader).into_iter().any(|pid| {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten().take(MAX_THREADS);
        let mut blocked =
            threads.filter_map(|thread| blocked_read(&fs::read_to_string(thread.path().join("syscall")).ok()?));
        blocked.any(|fd| fs::metadata(format!("/proc/{pid}/fd/{fd}")).is_ok_and(|file| is_terminal(file.st_rdev())))
    })
}

/// The descriptor that a thread is blocked in a read of, from its `/proc/PID/syscall`: the number of the system call, then
/// its arguments. `running`: it is in none.
fn blocked_read(syscall: &str) -> Option<RawFd> {
    let mut words = syscall.split_whitespace();
    let number: i64 = words.next()?.parse().ok()?;
    if number != libc::SYS_read {
        return None;
    }
    RawFd::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_5_only_a_thread_in_a_read_waits_for_input() {
        let read = libc::SYS_read;

        assert_eq!(blocked_read(&format!("{read} 0x0 0x7ffd 0x1000 0x0 0x0 0x0 0x7ffd 0x7f12\n")), Some(0));
        assert_eq!(blocked_read(&format!("{} 0x0 0x7ffd\n", read + 1)), None);
        assert_eq!(blocked_read("running\n"), None);
        assert_eq!(blocked_read("-1 0x7ffd 0x7f12\n"), None);
        assert_eq!(blocked_read(""), None);
    }
}
