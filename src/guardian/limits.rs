//! The resource limits of the user. `dyno` changes them for itself and restores them for every dyno.

use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// One resource limit of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    soft: u64,
    hard: u64,
}

impl From<Limit> for libc::rlimit {
    fn from(limit: Limit) -> Self {
        Self { rlim_cur: limit.soft, rlim_max: limit.hard }
    }
}

/// The limits of the user, which every dyno gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub(super) open_files: Limit,
    pub(super) core: Limit,
}

impl Limits {
    /// Remembers the user's limits, then raises the limit of open files to its maximum and forbids core files for this
    /// process, because its memory contains the values of the config vars.
    ///
    /// # Errors
    /// Those of getrlimit(2) and setrlimit(2).
    pub fn raise() -> Result<Self, Errno> {
        let read = |resource| getrlimit(resource).map(|(soft, hard)| Limit { soft, hard });
        let limits = Self { open_files: read(Resource::RLIMIT_NOFILE)?, core: read(Resource::RLIMIT_CORE)? };
        setrlimit(Resource::RLIMIT_NOFILE, limits.open_files.hard, limits.open_files.hard)?;
        setrlimit(Resource::RLIMIT_CORE, 0, limits.core.hard)?;
        Ok(limits)
    }

    /// Grows the kernel's table of open files to this size now, while there is only one thread. With a second thread,
    /// each growth waits until no processor uses the old table: several milliseconds in which no dyno is started.
    pub fn make_room(&self, open_files: u64) {
        let Some(last) = RawFd::try_from(open_files.min(self.open_files.hard)).ok().and_then(|n| n.checked_sub(1))
        else {
            return;
        };
        // Opening and closing the highest number grows the table. If it fails, growing later costs the time above.
        if let Ok(highest) = fcntl(std::io::stdin(), FcntlArg::F_DUPFD_CLOEXEC(last)) {
            let _ = nix::unistd::close(highest);
        }
    }

    /// How many files this process may open after [`Limits::raise`].
    #[must_use]
    pub fn open_files(&self) -> u64 {
        self.open_files.hard
    }
}
