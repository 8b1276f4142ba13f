//! The directory of this user's runs, and the locks on blocks of ports (S5.4): one in it for each unit of a block, and a
//! name that counts for other users and directories as well.
//!
//! `$XDG_RUNTIME_DIR/dyno`, else `/tmp/dyno-UID`. Others may write to `/tmp`: what is found there is only used if it
//! is a directory of ours that nobody else can enter.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag, openat};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, bind, socket};
use nix::sys::stat::Mode;
use nix::unistd::geteuid;

/// The permissions of the directory: its owner's alone.
const DIRECTORY_MODE: u32 = 0o700;
/// The bits of a mode that are permissions of others.
const OTHERS: u32 = 0o077;

/// Why there is no such directory.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeDirectoryError {
    /// It could not be made or opened.
    #[error("the directory `{}` cannot be used: {}", path.display(), Errno::from_raw(error.raw_os_error().unwrap_or(0)).desc())]
    Unusable {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Somebody else made it, or can enter it.
    #[error("the directory `{}` is not yours alone", path.display())]
    Foreign {
        /// Its path.
        path: PathBuf,
    },
}

/// An open directory that belongs to this user alone.
#[derive(Debug)]
pub struct RuntimeDirectory(File);

/// Ports that no other run takes while this value lives.
#[derive(Debug)]
pub struct PortLocks(#[expect(dead_code, reason = "held for its locks")] Vec<PortLock>);

/// The lock on one unit of ports.
#[derive(Debug)]
#[expect(dead_code, reason = "held for its locks")]
struct PortLock {
    /// Against the other runs that share the directory.
    file: Flock<File>,
    /// Against those of other users and directories: a name that all processes share that share the ports.
    name: OwnedFd,
}

impl RuntimeDirectory {
    /// Opens the directory, and makes it where it is missing.
    ///
    /// # Errors
    /// [`RuntimeDirectoryError`] if it is not ours alone.
    pub fn open() -> Result<Self, RuntimeDirectoryError> {
        let given = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        match given.filter(|path| path.is_absolute() && path.is_dir()) {
            Some(path) => Self::open_at(path.join("dyno")),
            None => Self::open_at(PathBuf::from(format!("/tmp/dyno-{}", geteuid()))),
        }
    }

    fn open_at(path: PathBuf) -> Result<Self, RuntimeDirectoryError> {
        match DirBuilder::new().mode(DIRECTORY_MODE).create(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(RuntimeDirectoryError::Unusable { path, error }),
        }
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let opened = File::options().read(true).custom_flags(flags.bits()).open(&path);
        let checked = opened.and_then(|file| Ok((file.metadata()?, file)));
        match checked {
            Ok((metadata, file)) if metadata.uid() == geteuid().as_raw() && metadata.mode() & OTHERS == 0 => {
                Ok(Self(file))
            }
            Ok(_) => Err(RuntimeDirectoryError::Foreign { path }),
            // A symlink, or a file: not made by us.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENOTDIR)) => {
                Err(RuntimeDirectoryError::Foreign { path })
            }
            Err(error) => Err(RuntimeDirectoryError::Unusable { path, error }),
        }
    }

    /// Locks all of these units of ports, or none: None if another run holds one of them.
    pub fn lock_ports(&self, units: impl IntoIterator<Item = u16>) -> Option<PortLocks> {
        let lock = |unit| {
            let file = self.lock(&format!("ports-{unit}"))?;
            Some(PortLock { file, name: take_name(&format!("dyno-ports-{unit}"))? })
        };
        units.into_iter().map(lock).collect::<Option<Vec<_>>>().map(PortLocks)
    }

    fn lock(&self, name: &str) -> Option<Flock<File>> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(self.0.as_fd(), name, flags, Mode::S_IRUSR | Mode::S_IWUSR).ok()?;
        Flock::lock(File::from(file), FlockArg::LockExclusiveNonblock).ok()
    }
}

/// Takes a name among the sockets that have no file: one process of a network namespace can have it, for as long as it
/// lives. Just there a port can be taken once, too.
fn take_name(name: &str) -> Option<OwnedFd> {
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).ok()?;
    bind(socket.as_raw_fd(), &UnixAddr::new_abstract(name.as_bytes()).ok()?).ok()?;
    Some(socket)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("dyno-test-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        let _ = fs::remove_file(&path);
        path
    }

    #[test]
    fn a_directory_that_others_can_enter_or_a_symlink_is_refused() {
        let open = scratch("open");
        fs::create_dir(&open).expect("made");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).expect("set");
        let link = scratch("link");
        std::os::unix::fs::symlink("/tmp", &link).expect("made");

        for path in [open, link] {
            let refused = RuntimeDirectory::open_at(path.clone());
            assert!(matches!(refused, Err(RuntimeDirectoryError::Foreign { .. })), "{refused:?}");
            let _ = fs::remove_dir(&path).or_else(|_| fs::remove_file(&path));
        }
    }

    #[test]
    fn units_are_locked_all_or_none_until_the_locks_are_dropped() {
        // Above what is ever asked for: no run of this machine has them.
        let [a, b, c] = [65_510, 65_520, 65_530];
        let [path, other] = ["locks", "other-locks"].map(scratch);
        let directory = RuntimeDirectory::open_at(path.clone()).expect("a directory");
        let elsewhere = RuntimeDirectory::open_at(other.clone()).expect("a directory");

        let first = directory.lock_ports([a, b]);

        assert!(first.is_some());
        assert!(directory.lock_ports([c, b]).is_none());
        assert!(elsewhere.lock_ports([c, b]).is_none());
        assert!(directory.lock_ports([c]).is_some());
        drop(first);
        assert!(elsewhere.lock_ports([b]).is_some());
        fs::remove_dir_all(path).and_then(|()| fs::remove_dir_all(other)).expect("removed");
    }
}
