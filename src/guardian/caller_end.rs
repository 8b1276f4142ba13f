//! Finds out how the caller of a detached start has ended: whether it has returned or was killed (S10.6).
//!
//! The caller writes a last word before it returns, but it can still be killed after that. So its exit status is read,
//! too: from `/proc` until its parent has reaped it, and afterwards, from Linux 6.15 on, from a descriptor of the
//! process. On an older kernel, a caller that has written its last word and is reaped at once is assumed to have
//! returned.

use std::fs::File;
use std::io::{PipeReader, Read};
use std::os::fd::{AsFd, OwnedFd};

use nix::unistd::Pid;

use super::sys;

/// The last word of the caller, before it returns.
pub(super) const RETURNING: &[u8] = b".";

/// The index of the exit status in `/proc/PID/stat`. Fields are counted after the name of the program, which may
/// contain blanks.
const STATUS_FIELD: usize = 49;

/// What the start keeps to find out how its caller ends.
pub struct CallerEnd {
    last_word: PipeReader,
    /// A descriptor of the process. None: the kernel is older than 5.3.
    process: Option<OwnedFd>,
    /// `/proc/PID/stat`. None: `/proc` is not mounted.
    stat: Option<File>,
}

impl CallerEnd {
    /// Call it while the caller is certain to be alive. Later its pid may belong to another process.
    pub(super) fn of(caller: Pid, last_word: PipeReader) -> Self {
        let stat = File::open(format!("/proc/{caller}/stat")).ok();
        Self { last_word, process: sys::open_process(caller).ok(), stat }
    }

    /// Whether the caller has returned and was not killed. Call it when the socket of the caller is closed: its exit
    /// status no longer changes then.
    #[must_use]
    pub fn is_return(mut self) -> bool {
        let mut said = Vec::new();
        let has_said = self.last_word.read_to_end(&mut said).is_ok() && said == RETURNING;
        has_said && self.status().is_none_or(|status| status == 0)
    }

    /// The wait status of the caller. None: it can no longer be found out.
    fn status(&mut self) -> Option<i32> {
        // The order matters, because the caller may be reaped between the two looks.
        self.status_before_reaping().or_else(|| sys::status_after_reaping(self.process.as_ref()?.as_fd()))
    }

    fn status_before_reaping(&mut self) -> Option<i32> {
        let mut text = String::new();
        self.stat.as_mut()?.read_to_string(&mut text).ok()?;
        let (_, after_name) = text.rsplit_once(')')?;
        after_name.split_ascii_whitespace().nth(STATUS_FIELD)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    use nix::unistd::{ForkResult, getpid};

    use super::*;

    /// How a caller may end after its last word (exit status or signal), and its wait status then.
    const ENDS: [(Result<i32, i32>, i32); 3] = [(Ok(0), 0), (Ok(3), 3 << 8), (Err(libc::SIGKILL), libc::SIGKILL)];

    /// A caller that has ended in this way and is not reaped yet.
    fn ended(end: Result<i32, i32>) -> (Pid, CallerEnd) {
        let (last_word, mut saying) = std::io::pipe().expect("a pipe");
        saying.write_all(RETURNING).expect("said");
        let pid = match sys::fork_process().expect("forked") {
            ForkResult::Child => {
                if let Err(signal) = end {
                    sys::send(getpid(), signal);
                }
                sys::exit_at_once(end.unwrap_or_default());
            }
            ForkResult::Parent { child } => child,
        };
        waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).expect("ended");
        (pid, CallerEnd::of(pid, last_word))
    }

    #[test]
    fn s10_6_only_a_caller_that_ends_with_0_has_returned() {
        for (end, status) in ENDS {
            let (pid, caller) = ended(end);

            assert_eq!(caller.is_return(), status == 0, "{end:?}");
            sys::reap_when_ended(pid);
        }
    }

    #[test]
    fn s10_6_the_kernel_knows_how_a_reaped_caller_has_ended() {
        for (end, status) in ENDS {
            let (pid, mut caller) = ended(end);
            let (other, mut reaped) = ended(end);
            sys::reap_when_ended(other);

            assert_eq!(caller.status(), Some(status), "{end:?}");
            // None: the kernel is older than 6.15.
            assert!(reaped.status().is_none_or(|known| known == status), "{end:?}");
            sys::reap_when_ended(pid);
        }
    }
}
