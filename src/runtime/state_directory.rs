//! The files that outlive every start: `$XDG_STATE_HOME/dyno`, else `~/.local/state/dyno`.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, OFlag};
use nix::unistd::geteuid;

use super::own_files;
use super::unused_directory::{UnusedDirectory, named};
use crate::project::file_lock::lock_within;

/// The variable that names the parent directory.
const STATE_HOME: &str = "XDG_STATE_HOME";
/// The file that remembers each checkout, and the one that is locked while it is replaced.
const CHECKOUTS: &str = "ports";
const LOCK: &str = "ports.lock";
const UNFINISHED: &str = "ports.new";
/// The most bytes of it that are read.
const MAX_BYTES: u64 = 4 << 20;
/// How long to wait for the lock. It is held only while a small file is replaced, but dozens may start at once.
const LOCKS_WITHIN: Duration = Duration::from_secs(10);

/// The directory. It may not exist yet.
#[derive(Debug, Clone)]
pub struct StateDirectory(PathBuf);

impl StateDirectory {
    /// The directory of this user. None: neither variable names one.
    #[must_use]
    pub fn find() -> Option<Self> {
        let of_home = Self::of_home();
        let instead = of_home.as_deref().unwrap_or(Path::new(""));
        let given = named(STATE_HOME, |_| None, instead).and_then(Result::ok);
        given.map(|state| state.join("dyno")).or(of_home).map(Self)
    }

    /// Why the directory that `XDG_STATE_HOME` names is not used. None: it is used, or the variable is not set.
    #[must_use]
    pub fn unused() -> Option<UnusedDirectory> {
        named(STATE_HOME, |_| None, &Self::of_home()?)?.err()
    }

    fn of_home() -> Option<PathBuf> {
        let home = env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute())?;
        Some(home.join(".local/state/dyno"))
    }

    /// What is known about checkouts; empty if nothing is.
    #[must_use]
    pub fn checkouts(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let path = self.0.join(CHECKOUTS);
        let opened = open(&path, OpenOptions::new().read(true)).or_else(|error| {
            if error.kind() != ErrorKind::PermissionDenied {
                return Err(error);
            }
            own_files::open_up_directory(&self.0);
            open(&path, OpenOptions::new().read(true))
        });
        if let Ok(file) = opened
            && file.metadata().is_ok_and(|metadata| metadata.is_file())
        {
            let _ = file.take(MAX_BYTES).read_to_end(&mut bytes);
        }
        bytes
    }

    /// Locks what is known about checkouts, and creates the directory if it is missing.
    ///
    /// # Errors
    /// The directory cannot be written or belongs to another user, or another process does not release the lock.
    pub fn lock(&self) -> io::Result<LockedState> {
        self.create()?;
        let file = open(&self.0.join(LOCK), OpenOptions::new().write(true).create(true).truncate(false))?;
        Ok(LockedState { directory: self.clone(), _lock: lock_within(file, LOCKS_WITHIN)? })
    }

    /// Never leaves a directory that belongs to root in the home of another user, who could not write there: `sudo` can
    /// keep `HOME`.
    fn create(&self) -> io::Result<()> {
        let existing = self.0.ancestors().find_map(|path| path.metadata().ok());
        if existing.is_some_and(|existing| geteuid().is_root() && existing.uid() != 0) {
            return Err(Errno::EACCES.into());
        }
        own_files::create_directories(&self.0)?;
        own_files::open_up_directory(&self.0);
        if self.0.metadata()?.uid() != geteuid().as_raw() {
            return Err(Errno::EACCES.into());
        }
        Ok(())
    }
}

/// The locked state of this user: other runs wait until it is dropped.
#[derive(Debug)]
pub struct LockedState {
    directory: StateDirectory,
    _lock: Flock<File>,
}

impl LockedState {
    /// Replaces what is known about checkouts as a whole.
    ///
    /// # Errors
    /// The file cannot be replaced, and is unchanged.
    pub fn replace_checkouts(&self, bytes: &[u8]) -> io::Result<()> {
        let StateDirectory(path) = &self.directory;
        let unfinished = path.join(UNFINISHED);
        let _ = fs::remove_file(&unfinished);
        let mut file = open(&unfinished, OpenOptions::new().write(true).create_new(true))?;
        let replaced = file.write_all(bytes).and_then(|()| fs::rename(&unfinished, path.join(CHECKOUTS)));
        replaced.inspect_err(|_| drop(fs::remove_file(&unfinished)))
    }
}

/// Opens a file for this user alone; never a symbolic link, and without waiting for the other end of a pipe.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    own_files::open_up_file(path);
    own_files::open(path, options.custom_flags(flags.bits()))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn scratch(name: &str) -> StateDirectory {
        let path = env::temp_dir().join(format!("dyno-state-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        StateDirectory(path.join("a/dyno"))
    }

    fn remove(state: &StateDirectory) {
        fs::remove_dir_all(state.0.parent().and_then(Path::parent).expect("a parent")).expect("removed");
    }

    fn append(state: &StateDirectory, bytes: &[u8]) {
        let locked = state.lock().expect("locked");
        locked.replace_checkouts(&[&state.checkouts(), bytes].concat()).expect("written");
    }

    #[test]
    fn s10_3_the_file_is_private_and_replaced_as_a_whole() {
        let state = scratch("life");
        assert_eq!(state.checkouts(), b"");

        state.lock().expect("locked").replace_checkouts(b"1\n").expect("written");
        append(&state, b"2\n");

        assert_eq!(state.checkouts(), b"1\n2\n");
        let mode = |name: &str| fs::metadata(state.0.join(name)).expect("there").mode() & 0o777;
        assert_eq!((mode(CHECKOUTS), mode(LOCK), mode(".")), (0o600, 0o600, 0o700));
        assert!(!state.0.join(UNFINISHED).exists());
        remove(&state);
    }

    #[test]
    fn s10_3_what_a_umask_has_closed_is_opened_up() {
        let state = scratch("closed");
        append(&state, b"1\n");
        let set = |name: &str, mode| fs::set_permissions(state.0.join(name), Permissions::from_mode(mode));
        for name in [CHECKOUTS, LOCK, "."] {
            set(name, 0).expect("set");
        }

        assert_eq!(state.checkouts(), b"1\n");
        append(&state, b"2\n");

        assert_eq!(state.checkouts(), b"1\n2\n");
        let mode = |name: &str| fs::metadata(state.0.join(name)).expect("there").mode() & 0o777;
        assert_eq!((mode(CHECKOUTS), mode(LOCK), mode(".")), (0o600, 0o600, 0o700));
        remove(&state);
    }

    #[test]
    fn s10_3_no_change_is_lost_when_many_are_made_at_once() {
        let state = scratch("race");

        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| append(&state, b"x"));
            }
        });

        assert_eq!(state.checkouts(), b"xxxxxxxx");
        remove(&state);
    }

    #[test]
    fn s10_3_a_symbolic_link_or_a_pipe_is_neither_read_nor_written() {
        let state = scratch("link");
        fs::create_dir_all(&state.0).expect("made");
        std::os::unix::fs::symlink("/etc/passwd", state.0.join(CHECKOUTS)).expect("made");
        assert_eq!(state.checkouts(), b"");
        nix::unistd::mkfifo(&state.0.join(LOCK), nix::sys::stat::Mode::S_IRWXU).expect("made");

        assert!(state.lock().is_err());
        remove(&state);
    }
}
