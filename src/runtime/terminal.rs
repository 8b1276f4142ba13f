//! Questions about our own terminal, and waiting for a descriptor without blocking for ever.

use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::app::PtySize;
use crate::guardian::terminal_size;

/// A dyno's terminal is never narrower than this, however long the names are.
const MIN_COLUMNS: u16 = 20;

/// The size of the terminal behind stdout.
#[must_use]
pub fn own_terminal_size() -> Option<PtySize> {
    terminal_size(std::io::stdout())
}

/// The size of the terminal of a dyno that has it for itself. `keyboard`: where what is shown goes elsewhere.
pub(super) fn full_size(keyboard: impl AsFd) -> Option<PtySize> {
    own_terminal_size().or_else(|| terminal_size(keyboard))
}

/// The size of a dyno's terminal: ours without the columns of the prefix.
pub(super) fn dyno_size(prefix_columns: u16) -> Option<PtySize> {
    own_terminal_size().map(|size| PtySize {
        rows: size.rows,
        cols: size.cols.saturating_sub(prefix_columns).max(MIN_COLUMNS.min(size.cols)),
    })
}

/// Waits until `fd` takes bytes, or has failed.
pub(super) fn wait_writable(fd: BorrowedFd<'_>) {
    let mut ready = [PollFd::new(fd, PollFlags::POLLOUT)];
    let _ = poll(&mut ready, PollTimeout::NONE);
}
