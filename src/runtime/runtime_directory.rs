//! Opens this user's runtime directory, and locks blocks of ports (S5.4).
//!
//! The directory is `$XDG_RUNTIME_DIR/dyno`, else `/tmp/dyno-UID`. Other users can write to `/tmp`, so the directory is only
//! used if it belongs to us and no other user can enter it. Each unit of a block is locked twice: with a file in the
//! directory, and with a socket name that runs of other users and with other directories see as well.

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

/// The permissions of the directory: access for its owner only.
const DIRECTORY_MODE: u32 = 0o700;
/// The permission bits of all other users.
const OTHERS: u32 = 0o077;

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeDirectoryError {
    /// It could not be created or opened.
    #[error("the directory `{}` cannot be used: {}", path.display(), Errno::from_raw(error.raw_os_error().unwrap_or(0)).desc())]
    Unusable {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It belongs to another user, or other users can enter it.
    #[error("the directory `{}` is not private: it must be owned by you, with mode 0700", path.display())]
    Foreign {
        /// Its path.
        path: PathBuf,
    },
}

/// An open directory that only this user can enter, and its path.
#[derive(Debug)]
pub struct RuntimeDirectory(pub(super) File, pub(super) PathBuf);

/// Locks on ports: while this value exists, no other run of `dyno` takes them.
#[derive(Debug)]
pub struct PortLocks(#[expect(dead_code, reason = "held for its locks")] Vec<PortLock>);

/// The lock on one unit of ports.
#[derive(Debug)]
#[expect(dead_code, reason = "held for its locks")]
struct PortLock {
    /// Keeps out other runs with the same directory.
    file: Flock<File>,
    /// Keeps out runs of other users and with other directories: all processes of the network namespace see the name.
    name: OwnedFd,
}

impl RuntimeDirectory {
    /// Opens the directory, and creates it if it is missing.
    ///
    /// # Errors
    /// [`RuntimeDirectoryError`] if it cannot be opened or is not private.
    pub fn open() -> Result<Self, RuntimeDirectoryError> {
        Self::open_at(Self::path())
    }

    /// Opens the directory without creating it. None: there is no such directory.
    ///
    /// # Errors
    /// [`RuntimeDirectoryError`] if it cannot be opened or is not private.
    pub fn open_existing() -> Result<Option<Self>, RuntimeDirectoryError> {
        let path = Self::path();
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        Self::check(path).map(Some)
    }

    fn path() -> PathBuf {
        let given = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        match given.filter(|path| path.is_absolute() && path.is_dir()) {
            Some(path) => path.join("dyno"),
            None => PathBuf::from(format!("/tmp/dyno-{}", geteuid())),
        }
    }

    pub(super) fn open_at(path: PathBuf) -> Result<Self, RuntimeDirectoryError> {
        match DirBuilder::new().mode(DIRECTORY_MODE).create(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(RuntimeDirectoryError::Unusable { path, error }),
        }
        Self::check(path)
    }

    /// Opens a directory that exists, if only this user can enter it.
    fn check(path: PathBuf) -> Result<Self, RuntimeDirectoryError> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let opened = File::options().read(true).custom_flags(flags.bits()).open(&path);
        let checked = opened.and_then(|file| Ok((file.metadata()?, file)));
        match checked {
            Ok((metadata, file)) if metadata.uid() == geteuid().as_raw() && metadata.mode() & OTHERS == 0 => {
                Ok(Self(file, path))
            }
            Ok(_) => Err(RuntimeDirectoryError::Foreign { path }),
            // A symbolic link or a file, which we did not create.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENOTDIR)) => {
                Err(RuntimeDirectoryError::Foreign { path })
            }
            Err(error) => Err(RuntimeDirectoryError::Unusable { path, error }),
        }
    }

    /// Locks all of these units of ports. None if another run holds one of them; then nothing is locked.
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

/// Takes an abstract socket name. Like a port, it can be taken once in a network namespace, and is free again when the
/// process ends.
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
    fn a_directory_open_to_others_and_a_symlink_are_refused() {
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
    fn all_units_or_none_are_locked_until_the_locks_are_dropped() {
        // Higher than any real unit, so that no other run on this machine has them.
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
