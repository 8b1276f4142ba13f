//! Opens this user's runtime directory.
//!
//! The directory is `$XDG_RUNTIME_DIR/dyno`. If the variable is not set, because many programs do not pass it on, it is
//! `/run/user/UID/dyno`, which terminals use as well, or `/tmp/dyno-UID` if `/run/user/UID` does not exist. Other users
//! can write to `/tmp`, so the directory is only used if it belongs to us and no other user can enter it. Root does not
//! create it inside a directory of another user, who could then not use it: `sudo` may keep the `XDG_RUNTIME_DIR` of
//! the user.

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::geteuid;

use super::own_files;
use super::unused_directory::{UnusedDirectory, named};

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

    /// Why the directory that `XDG_RUNTIME_DIR` names is not used. None: it is used, or the variable is not set.
    #[must_use]
    pub fn unused() -> Option<UnusedDirectory> {
        named("XDG_RUNTIME_DIR", why_not, &Self::without_variable())?.err()
    }

    fn path() -> PathBuf {
        let instead = Self::without_variable();
        let given = named("XDG_RUNTIME_DIR", why_not, &instead).and_then(Result::ok);
        given.map_or(instead, |path| path.join("dyno"))
    }

    fn without_variable() -> PathBuf {
        let user = geteuid();
        let usual = PathBuf::from(format!("/run/user/{user}"));
        let is_ours = usual.metadata().is_ok_and(|found| found.is_dir() && found.uid() == user.as_raw());
        if is_ours { usual.join("dyno") } else { PathBuf::from(format!("/tmp/dyno-{user}")) }
    }

    pub(super) fn open_at(path: PathBuf) -> Result<Self, RuntimeDirectoryError> {
        match own_files::create_directory(&path) {
            Ok(()) => Self::check(path),
            Err(error) => Err(RuntimeDirectoryError::Unusable { path, error }),
        }
    }

    /// Opens a directory that exists, if only this user can enter it.
    fn check(path: PathBuf) -> Result<Self, RuntimeDirectoryError> {
        own_files::open_up_directory(&path);
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

    /// Opens a file in it to write it, and creates it if it is missing. `how`: further flags.
    pub(super) fn file_to_write(&self, name: &str, how: OFlag) -> io::Result<File> {
        let flags = how | OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = File::from(openat(self.descriptor(), name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
        own_files::open_up(&file);
        Ok(file)
    }
}

/// Why our directory cannot be created inside this one. None: it can.
fn why_not(path: &Path) -> Option<&'static str> {
    match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some("does not exist"),
        Err(_) => Some("cannot be entered"),
        Ok(metadata) if !metadata.is_dir() => Some("is not a directory"),
        Ok(metadata) if geteuid().is_root() && metadata.uid() != 0 => Some("belongs to another user"),
        Ok(_) => None,
    }
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
    fn s10_3_a_directory_that_a_umask_has_closed_is_opened_up() {
        for mode in [0o000, 0o500] {
            let path = scratch("closed");
            fs::create_dir(&path).expect("made");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");

            let opened = RuntimeDirectory::open_at(path.clone()).expect("opened");

            assert_eq!(opened.0.metadata().expect("there").mode() & 0o777, 0o700);
            fs::remove_dir(&path).expect("removed");
        }
    }
}
