//! Writes the formatted log to its reader and counts exactly how many bytes were accepted.
//!
//! The hub's thread writes. The run loop watches the progress and, at the end, makes the thread give up. How long to wait
//! for a slow reader is decided in `patience`.

use std::io::{PipeReader, PipeWriter};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::direct_output::note_stopped_reading;
use super::outlet::{Aim, Outlet};
use super::patience::{CHECK_INTERVAL, OutputProgress};

/// Writes output to its reader and counts the bytes.
pub(super) struct Delivery {
    outlet: Outlet,
    /// Bytes that were accepted or handed to the log files. It grows as long as there is progress.
    done: AtomicU64,
    /// Bytes of dynos and notices that are not formatted yet.
    queued: AtomicU64,
    /// Formatted bytes that `write` has not accepted yet.
    formatted: AtomicU64,
    /// Formatted bytes that were dropped because the reader stopped reading.
    dropped: AtomicU64,
    is_ending: AtomicBool,
    is_given_up: AtomicBool,
    /// Closed at the end to wake the thread if it is waiting for the reader.
    waker: Mutex<Option<PipeWriter>>,
    woken: PipeReader,
}

impl Delivery {
    /// # Errors
    /// Those of pipe(2).
    pub(super) fn new(outlet: Outlet) -> std::io::Result<Self> {
        let (woken, waker) = std::io::pipe()?;
        Ok(Self {
            outlet,
            done: AtomicU64::new(0),
            queued: AtomicU64::new(0),
            formatted: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            is_ending: AtomicBool::new(false),
            is_given_up: AtomicBool::new(false),
            waker: Mutex::new(Some(waker)),
            woken,
        })
    }

    /// Counts bytes that wait to be formatted.
    pub(super) fn count_queued(&self, bytes: u64) {
        self.queued.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts bytes that are now formatted, and written to the log files if there are any.
    pub(super) fn count_formatted(&self, bytes: u64) {
        self.queued.fetch_sub(bytes, Ordering::Relaxed);
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Writes all bytes as fast as the reader reads them. Drops them after [`Delivery::give_up`].
    ///
    /// # Errors
    /// Those of write(2). Nothing can be written after one.
    pub(super) fn write_all(&self, mut bytes: &[u8]) -> Result<(), Errno> {
        let result = loop {
            self.formatted.store(bytes.len() as u64, Ordering::Relaxed);
            if bytes.is_empty() {
                return Ok(());
            }
            if self.is_given_up.load(Ordering::Acquire) {
                self.dropped.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                break Ok(());
            }
            match self.outlet.write_now(bytes, self.aim()) {
                Ok(0) => break Err(Errno::EIO),
                Ok(count) => {
                    self.done.fetch_add(count as u64, Ordering::Relaxed);
                    bytes = bytes.get(count..).unwrap_or_default();
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => self.wait(),
                Err(errno) => break Err(errno),
            }
        };
        self.formatted.store(0, Ordering::Relaxed);
        result
    }

    fn aim(&self) -> Aim {
        if self.is_ending.load(Ordering::Acquire) { Aim::VisibleProgress } else { Aim::Throughput }
    }

    /// Waits for the reader: without a limit until the end begins, then only briefly, because a pseudoterminal with a slow
    /// reader accepts bytes long before poll(2) reports it.
    fn wait(&self) {
        if self.is_ending.load(Ordering::Acquire) {
            self.outlet.wait(PollTimeout::try_from(CHECK_INTERVAL).unwrap_or(PollTimeout::ZERO));
        } else {
            // On EINTR or an error the next write decides what to do.
            let _ = poll(
                &mut [self.outlet.poll_fd(), PollFd::new(self.woken.as_fd(), PollFlags::POLLIN)],
                PollTimeout::NONE,
            );
        }
    }

    /// From now on every wait is short, so that progress can be watched.
    pub(super) fn begin_end(&self) {
        self.is_ending.store(true, Ordering::Release);
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Gives up on a reader that has stopped reading: the bytes that it did not get are dropped and counted.
    pub(super) fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Release);
        note_stopped_reading(&self.outlet);
    }

    pub(super) fn progress(&self) -> OutputProgress {
        OutputProgress { done: self.done.load(Ordering::Relaxed), unread: self.outlet.unread_bytes() }
    }

    /// Bytes that no `write` has accepted. Exact only after the thread has ended, because queued lines have no prefix yet.
    pub(super) fn unwritten_bytes(&self) -> u64 {
        let bytes = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        bytes(&self.dropped) + bytes(&self.formatted) + bytes(&self.queued)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn s7_5_giving_up_wakes_the_writer_and_counts_every_byte() {
        let text = vec![b'x'; 1 << 20];
        let (reader, writer) = std::io::pipe().unwrap();
        let delivery = Delivery::new(Outlet::new(writer)).unwrap();

        let written = thread::scope(|scope| {
            let writing = scope.spawn(|| delivery.write_all(&text));
            while delivery.progress().unread == 0 {
                thread::yield_now();
            }
            delivery.begin_end();
            delivery.give_up();
            writing.join().unwrap()
        });

        assert_eq!(written, Ok(()));
        assert_eq!(delivery.progress().done + delivery.unwritten_bytes(), text.len() as u64);
        assert_eq!(delivery.progress().done, delivery.progress().unread as u64);
        drop(reader);
    }
}
