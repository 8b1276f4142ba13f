//! The size of our own terminal and of the dynos' terminals, and a way to wait until a descriptor is writable.

use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::guardian::terminal_size;
use crate::model::PtySize;

/// Long dyno names must not make a dyno's terminal narrower than this.
const MIN_COLUMNS: u16 = 20;

/// The size of the terminal that stdout is connected to. None: it is not connected to one.
#[must_use]
pub fn own_terminal_size() -> Option<PtySize> {
    terminal_size(std::io::stdout())
}

/// The size of the terminal for a dyno with the keyboard, whose lines have no prefix. If stdout is not a terminal, the
/// size of the terminal `keyboard`.
pub(super) fn full_size(keyboard: impl AsFd) -> Option<PtySize> {
    own_terminal_size().or_else(|| terminal_size(keyboard))
}

/// The size of the terminal for any other dyno: ours less the columns of the prefix.
pub(super) fn dyno_size(prefix_columns: u16) -> Option<PtySize> {
    own_terminal_size().map(|size| PtySize {
        rows: size.rows,
        cols: size.cols.saturating_sub(prefix_columns).max(MIN_COLUMNS.min(size.cols)),
    })
}

/// Waits until `fd` accepts bytes or has failed.
pub(super) fn wait_writable(fd: BorrowedFd<'_>) {
    let mut ready = [PollFd::new(fd, PollFlags::POLLOUT)];
    let _ = poll(&mut ready, PollTimeout::NONE);
}
