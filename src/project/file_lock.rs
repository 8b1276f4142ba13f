//! Locks a file, and waits for it no longer than a limit: the process that holds it may be suspended.

use std::fs::File;
use std::io;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// Locks a file for this process alone.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`]: another process still has the lock after `patience`.
pub(crate) fn lock_within(file: File, patience: Duration) -> io::Result<Flock<File>> {
    let file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => return Ok(lock),
        Err((file, Errno::EWOULDBLOCK)) => file,
        Err((_, errno)) => return Err(errno.into()),
    };
    // The system has no lock with a time limit. A thread that gets it too late releases it at once.
    let (sender, locked) = channel();
    thread::Builder::new().spawn(move || {
        let _ = sender.send(Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| io::Error::from(errno)));
    })?;
    locked.recv_timeout(patience).unwrap_or_else(|_| Err(io::ErrorKind::WouldBlock.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_for_a_lock_has_a_limit() {
        let path = std::env::temp_dir().join(format!("dyno-lock-{}", std::process::id()));
        let open = || File::create(&path).expect("opened");
        let held = lock_within(open(), Duration::ZERO).expect("locked");

        let refused = lock_within(open(), Duration::from_millis(1));
        let waiting = open();
        let waiting = thread::spawn(move || lock_within(waiting, Duration::from_secs(60)).is_ok());
        drop(held);

        assert_eq!(refused.expect_err("refused").kind(), io::ErrorKind::WouldBlock);
        assert!(waiting.join().expect("joined"));
        std::fs::remove_file(path).expect("removed");
    }
}
