//! What is said on stderr when all is over: nothing follows it, so it waits for a slow reader, but not for ever.

use std::io::stderr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How long a reader that takes nothing is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a pipe that is ready takes at once, as POSIX has it.
const PIECE_BYTES: usize = 512;

/// Writes to stderr; gives up where nobody takes it.
pub fn write_last_words(text: &[u8]) {
    let fd = stderr();
    let mut rest = text;
    let mut began = Instant::now();
    while !rest.is_empty() {
        let mut ready = [PollFd::new(fd.as_fd(), PollFlags::POLLOUT)];
        let left = PollTimeout::try_from(PATIENCE.saturating_sub(began.elapsed())).unwrap_or(PollTimeout::ZERO);
        match poll(&mut ready, left) {
            Ok(0) => return,
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(_) => return,
        }
        match nix::unistd::write(&fd, rest.get(..PIECE_BYTES).unwrap_or(rest)) {
            Ok(0) => return,
            Ok(written) => {
                rest = rest.get(written..).unwrap_or_default();
                began = Instant::now();
            }
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(_) => return,
        }
    }
}
