//! The lock that starts take, one at a time, while they change their descriptions (S10.1).

use std::fs::File;
use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use tokio::time::{Instant, sleep};

use super::RuntimeDirectory;
use super::start_registry::{NotRegistered, lock};

/// Its file.
pub(super) const GATE: &str = "starts.lock";
/// How long a start waits for it. Others hold it for about a millisecond, but dozens may start at once on a busy machine.
const GATE_WITHIN: Duration = Duration::from_secs(20);
/// How long a request waits for it: shorter than its client waits for the answer, so that nothing is done after the client
/// has given up.
const GATE_WITHIN_A_REQUEST: Duration = Duration::from_secs(4);
/// The pause before the event loop tries again to lock it: the kernel cannot report that it is free.
const GATE_RETRY: Duration = Duration::from_millis(10);

impl RuntimeDirectory {
    /// Locks the gate. Waits for it in a thread: the kernel cannot limit the time.
    pub(super) fn gate(&self) -> Result<Flock<File>, NotRegistered> {
        let file = self.gate_file().map_err(NotRegistered::Refused)?;
        let file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(gate) => return Ok(gate),
            Err((file, Errno::EWOULDBLOCK)) => file,
            Err((_, errno)) => return Err(NotRegistered::Refused(errno.into())),
        };
        let (sender, locked) = mpsc::channel();
        // It ends with the process if the lock is never released.
        let wait = move || sender.send(lock(file, FlockArg::LockExclusive));
        thread::Builder::new().spawn(wait).map_err(NotRegistered::Refused)?;
        match locked.recv_timeout(GATE_WITHIN) {
            Ok(gate) => gate.map_err(NotRegistered::Refused),
            Err(_) => Err(NotRegistered::Locked(self.1.join(GATE))),
        }
    }

    /// Locks the gate if it is free.
    pub(super) fn free_gate(&self) -> Option<Flock<File>> {
        Flock::lock(self.gate_file().ok()?, FlockArg::LockExclusiveNonblock).ok()
    }

    /// Locks the gate for a request, while the event loop does other things.
    pub(super) async fn gate_while_others_run(&self) -> Result<Flock<File>, NotRegistered> {
        let mut file = self.gate_file().map_err(NotRegistered::Refused)?;
        let deadline = Instant::now() + GATE_WITHIN_A_REQUEST;
        loop {
            file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(gate) => return Ok(gate),
                Err((file, Errno::EWOULDBLOCK)) if Instant::now() < deadline => file,
                Err((_, Errno::EWOULDBLOCK)) => return Err(NotRegistered::Locked(self.1.join(GATE))),
                Err((_, errno)) => return Err(NotRegistered::Refused(errno.into())),
            };
            sleep(GATE_RETRY).await;
        }
    }

    fn gate_file(&self) -> io::Result<File> {
        self.file_to_write(GATE, OFlag::empty())
    }
}
