//! Writes at the pace of the reader, so that it can be told from one that does not read any more.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::log_hub::WRITE_BYTES;

/// Written at once as long as the reader keeps up. Not more: where it is slow from now on, this much shows no progress.
const FAST_WRITE_BYTES: usize = 16 << 10;
/// Written at once while the reader is slow: what a pipe takes as soon as its reader has read anything. So progress is seen.
const SLOW_WRITE_BYTES: usize = 4096;
/// A reader is slow if [`WRITE_BYTES`] take longer. Far beyond what a busy machine makes of it.
const SLOW_AFTER: Duration = Duration::from_millis(50);

/// How fast the reader is. A write that blocks shows no progress before it is over, and at the end a reader without any is
/// given up: a slow one gets little at a time.
#[derive(Debug, Default)]
pub(super) struct Pace {
    slow: bool,
    /// Bytes since the pace was last judged, and the time they took.
    bytes: usize,
    took: Duration,
}

impl Pace {
    fn most_at_once(&self) -> usize {
        if self.slow { SLOW_WRITE_BYTES } else { FAST_WRITE_BYTES }
    }

    fn note(&mut self, bytes: usize, took: Duration) {
        self.bytes += bytes;
        self.took += took;
        if self.took > SLOW_AFTER || self.bytes >= WRITE_BYTES {
            *self = Self { slow: self.took > SLOW_AFTER, ..Self::default() };
        }
    }
}

/// Writes all of it. Never sets `O_NONBLOCK`, but the user's shell may have: then it waits.
pub(super) fn write_all(
    fd: BorrowedFd<'_>,
    mut bytes: &[u8],
    pace: &mut Pace,
    written: &AtomicU64,
) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let began = Instant::now();
        let piece = bytes.get(..pace.most_at_once()).unwrap_or(bytes);
        match nix::unistd::write(fd, piece) {
            Ok(0) => return Err(Errno::EIO),
            Ok(count) => {
                pace.note(count, began.elapsed());
                written.fetch_add(count as u64, Ordering::Relaxed);
                bytes = bytes.get(count..).unwrap_or_default();
            }
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                let mut ready = [PollFd::new(fd, PollFlags::POLLOUT)];
                let _ = poll(&mut ready, PollTimeout::NONE);
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn a_reader_that_is_slow_gets_little_at_once_until_it_is_fast_again() {
        let mut pace = Pace::default();
        assert_eq!(pace.most_at_once(), FAST_WRITE_BYTES);

        pace.note(FAST_WRITE_BYTES, 51 * MILLISECOND);
        assert_eq!(pace.most_at_once(), SLOW_WRITE_BYTES);
        for _ in 0..20 {
            pace.note(SLOW_WRITE_BYTES, 4 * MILLISECOND);
        }
        assert_eq!(pace.most_at_once(), SLOW_WRITE_BYTES, "16 of them take 64 ms");

        for _ in 0..32 {
            pace.note(SLOW_WRITE_BYTES, MILLISECOND);
        }
        assert_eq!(pace.most_at_once(), FAST_WRITE_BYTES);
    }
}
