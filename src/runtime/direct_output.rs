//! Writes output outside the log: results to stdout, and diagnostics to stderr.
//!
//! A result waits for its reader as long as it takes. Diagnostics give up on a reader that has stopped reading, so that
//! they never delay the end for long. Called by `commands`.

use std::io::{Error, ErrorKind, stderr, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::PollTimeout;

use super::outlet::{Aim, Outlet};
use super::patience::{CHECK_INTERVAL, OutputProgress, Patience};

/// Set when the reader of stderr has stopped reading: later texts do not wait for it again.
static STOPPED_READING: AtomicBool = AtomicBool::new(false);

/// Notes that the reader of this stream has stopped reading, so that stderr does not wait for the same reader again.
pub(super) fn note_stopped_reading(outlet: &Outlet) {
    if outlet.is_same_as(stderr()) {
        STOPPED_READING.store(true, Ordering::Relaxed);
    }
}

/// Writes to stderr. Waits for a slow reader, but gives up on one that has stopped reading, because stderr may be the same
/// stopped terminal as stdout.
pub fn write_diagnostics(text: &[u8]) {
    let outlet = Outlet::new(stderr());
    let mut rest = text;
    let progress =
        |rest: &[u8]| OutputProgress { done: (text.len() - rest.len()) as u64, unread: outlet.unread_bytes() };
    let mut patience = Patience::new(progress(rest), Instant::now());
    while !rest.is_empty() {
        match outlet.write_now(rest, Aim::VisibleProgress) {
            Ok(0) => return,
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) if STOPPED_READING.load(Ordering::Relaxed) => return,
            Err(Errno::EAGAIN) => outlet.wait(PollTimeout::try_from(CHECK_INTERVAL).unwrap_or(PollTimeout::ZERO)),
            Err(_) => return,
        }
        if patience.has_run_out(progress(rest), Instant::now()) {
            STOPPED_READING.store(true, Ordering::Relaxed);
            return;
        }
    }
}

/// Writes a result to stdout and waits for its reader as long as it takes, even if another program has set `O_NONBLOCK`.
///
/// # Errors
/// Those of write(2).
pub fn write_result(mut text: &[u8]) -> std::io::Result<()> {
    let outlet = Outlet::new(stdout());
    while !text.is_empty() {
        match outlet.write_now(text, Aim::Throughput) {
            Ok(0) => return Err(Error::from(ErrorKind::WriteZero)),
            Ok(count) => text = text.get(count..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => outlet.wait(PollTimeout::NONE),
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
