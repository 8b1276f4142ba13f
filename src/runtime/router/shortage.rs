//! What happens when the system gives us no more open files or ports: clients and requests wait, and a line says so (S16.6).

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::Router;

/// How many more files can be opened when we stop to accept clients, so that the requests of those that are connected reach
/// their dynos.
const SPARE_FILES: u64 = 32;
/// If a shortage comes back within this time, it is the same one.
const SAME_SHORTAGE: Duration = Duration::from_secs(60);

/// A shortage of open files or ports.
#[derive(Default)]
pub(super) struct Shortage {
    /// When it was noticed last.
    noticed: Cell<Option<Instant>>,
    /// The last client had one of the last files, so it is worth asking whether there are more.
    is_close: Cell<bool>,
}

impl Router {
    /// Says once that there are too few files or ports, however long that lasts.
    pub(super) fn note_shortage(&self, error: &io::Error) {
        if !self.is_new_shortage() {
            return;
        }
        let reason = Errno::from_raw(error.raw_os_error().unwrap_or_default()).desc();
        let advice = match error.raw_os_error() {
            Some(libc::EMFILE) => {
                let limit = open_files();
                format!("the limit is {limit}, and `ulimit -n NUMBER` before `dyno start` raises it")
            }
            Some(_) | None => "`ulimit -a` shows the limits".to_owned(),
        };
        self.log.line(&format!("{reason}: clients and requests wait until others have left or ended; {advice}"));
    }

    /// Says once that no more clients are accepted.
    pub(super) fn note_full(&self, most: usize) {
        if self.is_new_shortage() {
            self.log.line(&format!("{most} clients are connected, which is the limit: others wait until one has left"));
        }
    }

    fn is_new_shortage(&self) -> bool {
        let now = Instant::now();
        let before = self.shortage.noticed.replace(Some(now));
        before.is_none_or(|before| now.saturating_duration_since(before) >= SAME_SHORTAGE)
    }

    /// Notes whether a client has got one of the last files.
    pub(super) fn note_file(&self, socket: &TcpStream) {
        self.shortage.is_close.set(is_among_last(socket));
    }

    /// Whether the files that are left are needed by the clients that are connected.
    pub(super) fn lacks_files(&self, listener: &TcpListener) -> bool {
        if !self.shortage.is_close.get() || self.clients.len() == 0 {
            return false;
        }
        // The system gives the lowest number that is free.
        let is_close = listener.as_fd().try_clone_to_owned().map_or(true, |lowest| is_among_last(&lowest));
        self.shortage.is_close.set(is_close);
        if is_close {
            self.note_shortage(&io::Error::from_raw_os_error(libc::EMFILE));
        }
        is_close
    }
}

fn is_among_last(file: &impl AsRawFd) -> bool {
    u64::try_from(file.as_raw_fd()).is_ok_and(|file| file >= open_files().saturating_sub(SPARE_FILES))
}

/// How many files may be open.
pub(super) fn open_files() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft)
}
