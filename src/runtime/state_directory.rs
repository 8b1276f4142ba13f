//! The files that outlive every start: `$XDG_STATE_HOME/dyno`, else `~/.local/state/dyno`.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, OFlag};

use super::file_lock::lock_within;

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
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
        Some(Self(state.join("dyno")))
    }

    /// What is known about checkouts; empty if nothing is.
    #[must_use]
    pub fn checkouts(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Ok(file) = open(&self.0.join(CHECKOUTS), OpenOptions::new().read(true))
            && file.metadata().is_ok_and(|metadata| metadata.is_file())
        {
            let _ = file.take(MAX_BYTES).read_to_end(&mut bytes);
        }
        bytes
    }

    /// Replaces what is known about checkouts. `change`: turns the old content into the new one; None keeps the old.
    ///
    /// # Errors
    /// The file cannot be replaced, and is unchanged.
    pub fn change_checkouts(&self, change: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let _lock = self.lock()?;
        let Some(bytes) = change(&self.checkouts()) else { return Ok(()) };
        let unfinished = self.0.join(UNFINISHED);
        let _ = fs::remove_file(&unfinished);
        let mut file = open(&unfinished, OpenOptions::new().write(true).create_new(true))?;
        let replaced = file.write_all(&bytes).and_then(|()| fs::rename(&unfinished, self.0.join(CHECKOUTS)));
        replaced.inspect_err(|_| drop(fs::remove_file(&unfinished)))
    }

    fn lock(&self) -> io::Result<Flock<File>> {
        let file = open(&self.0.join(LOCK), OpenOptions::new().write(true).create(true).truncate(false))?;
        lock_within(file, LOCKS_WITHIN)
    }
}

/// Opens a file for this user alone; never a symbolic link, and without waiting for the other end of a pipe.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    options.mode(0o600).custom_flags(flags.bits()).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn scratch(name: &str) -> StateDirectory {
        let path = env::temp_dir().join(format!("dyno-state-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        StateDirectory(path.join("a/dyno"))
    }

    fn remove(state: &StateDirectory) {
        fs::remove_dir_all(state.0.parent().and_then(Path::parent).expect("a parent")).expect("removed");
    }

    #[test]
    fn s10_3_the_file_is_private_and_replaced_as_a_whole() {
        let state = scratch("life");
        assert_eq!(state.checkouts(), b"");

        state.change_checkouts(|old| old.is_empty().then(|| b"1\n".to_vec())).expect("written");
        state.change_checkouts(|old| Some([old, b"2\n"].concat())).expect("written");
        state.change_checkouts(|_| None).expect("kept");

        assert_eq!(state.checkouts(), b"1\n2\n");
        let mode = |name: &str| fs::metadata(state.0.join(name)).expect("there").mode() & 0o777;
        assert_eq!((mode(CHECKOUTS), mode(LOCK), mode(".")), (0o600, 0o600, 0o700));
        assert!(!state.0.join(UNFINISHED).exists());
        remove(&state);
    }

    #[test]
    fn s10_3_no_change_is_lost_when_many_are_made_at_once() {
        let state = scratch("race");

        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| state.change_checkouts(|old| Some([old, b"x"].concat())).expect("written"));
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

        assert!(state.change_checkouts(|_| Some(Vec::new())).is_err());
        remove(&state);
    }
}
