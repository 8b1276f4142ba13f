//! Carries the formatted log to its reader, and knows exactly which bytes were accepted.
//!
//! The hub's thread writes; the run loop watches and, at the end, hurries and gives up. How long a slow reader is waited
//! for is decided in `ending`.

use std::io::{PipeReader, PipeWriter};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::last_words::note_stopped_reading;
use super::outlet::{Aim, Outlet};
use super::patience::{LOOK_AGAIN, Progress};

/// The way of the output to its reader.
pub(super) struct Delivery {
    outlet: Outlet,
    /// Bytes that were accepted or handed to the log files; the measure of progress.
    done: AtomicU64,
    /// Bytes of the dynos and notices that are not formatted yet.
    queued: AtomicU64,
    /// Formatted bytes that `write` has not accepted yet.
    formatted: AtomicU64,
    /// Formatted bytes that nobody will get any more.
    dropped: AtomicU64,
    is_ending: AtomicBool,
    is_given_up: AtomicBool,
    /// Closed at the end, which wakes the thread while it waits for a reader.
    sleep: Mutex<Option<PipeWriter>>,
    woken: PipeReader,
}

impl Delivery {
    /// # Errors
    /// Those of pipe(2).
    pub(super) fn new(outlet: Outlet) -> std::io::Result<Self> {
        let (woken, sleep) = std::io::pipe()?;
        Ok(Self {
            outlet,
            done: AtomicU64::new(0),
            queued: AtomicU64::new(0),
            formatted: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            is_ending: AtomicBool::new(false),
            is_given_up: AtomicBool::new(false),
            sleep: Mutex::new(Some(sleep)),
            woken,
        })
    }

    /// Bytes that wait to be formatted.
    pub(super) fn queue(&self, bytes: u64) {
        self.queued.fetch_add(bytes, Ordering::Relaxed);
    }

    /// These are formatted, and in the log files if there are any.
    pub(super) fn take(&self, bytes: u64) {
        self.queued.fetch_sub(bytes, Ordering::Relaxed);
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Writes all of it, as fast as the reader takes it, or drops it if that was given up.
    ///
    /// # Errors
    /// Those of write(2): nothing can be written any more.
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

    /// Waits for the reader. Without a limit until the end begins; then for short times only, since a pseudoterminal with a
    /// slow reader accepts bytes long before it says so.
    fn wait(&self) {
        if self.is_ending.load(Ordering::Acquire) {
            self.outlet.wait(PollTimeout::try_from(LOOK_AGAIN).unwrap_or(PollTimeout::ZERO));
        } else {
            // EINTR or an error: the next write shows what there is to do.
            let _ = poll(
                &mut [self.outlet.poll_fd(), PollFd::new(self.woken.as_fd(), PollFlags::POLLIN)],
                PollTimeout::NONE,
            );
        }
    }

    /// The end has begun: from now on the reader is watched.
    pub(super) fn begin_end(&self) {
        self.is_ending.store(true, Ordering::Release);
        *self.sleep.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The reader has stopped reading: what it has not got is dropped and counted.
    pub(super) fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Release);
        note_stopped_reading(&self.outlet);
    }

    pub(super) fn progress(&self) -> Progress {
        Progress { done: self.done.load(Ordering::Relaxed), unread: self.outlet.unread_bytes() }
    }

    /// Bytes that no `write` has accepted. Exact once the thread has ended: what is still queued has no prefixes yet.
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
