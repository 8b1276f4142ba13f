//! The resource limits of the user, which `dyno` raises for itself and every dyno gets back.

use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A resource limit as the user has it.
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

/// The limits of the user, which every dyno gets back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub(super) open_files: Limit,
    pub(super) core: Limit,
}

impl Limits {
    /// Remembers the user's limits, then lets this process open as many files as it may and write no core file:
    /// its memory holds the values of the config vars.
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

    /// Makes room for this many open files at once. Later, with a second thread, the kernel would wait each time its
    /// table grows until no processor looks at the old one: several milliseconds in which no dyno is started.
    pub fn make_room(&self, open_files: u64) {
        let Some(last) = RawFd::try_from(open_files.min(self.open_files.hard)).ok().and_then(|n| n.checked_sub(1))
        else {
            return;
        };
        // Only the highest number matters, and failing costs nothing but the time above.
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
