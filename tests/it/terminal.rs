//! A pseudo-terminal that a test controls: it types keys, reads the output, and resizes or closes the window.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{Termios, tcgetattr};

use crate::app::fork;
use crate::harness::{Capture, until};

/// Pause of the reader between two checks whether the window was closed, in milliseconds.
const LOOK_MS: u8 = 5;

/// The master side of a pseudo-terminal, which a terminal window holds.
pub(crate) struct Terminal {
    keyboard: File,
    /// Our copy of the slave side, until the first program has one: without any, the master reads as closed.
    side: Option<File>,
    path: PathBuf,
    shown: Capture,
    closing: Arc<AtomicBool>,
    closed: Arc<AtomicBool>,
}

impl Terminal {
    /// Opens a terminal of 24 × 80.
    pub(crate) fn open() -> Self {
        // Close-on-exec from the start: a copy of the master side in another process would keep the window open.
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = PathBuf::from(ptsname_r(&master).unwrap());
        let window = File::from(OwnedFd::from(master));
        let side = Some(open_side(&path));
        let (closing, closed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let keyboard = window.try_clone().unwrap();
        let reader = Screen { window, closing: Arc::clone(&closing), _closed: SetOnDrop(Arc::clone(&closed)) };
        let terminal = Self { keyboard, side, path, shown: Capture::of(reader), closing, closed };
        terminal.resize(24, 80);
        terminal
    }

    /// The slave side, for a program.
    pub(crate) fn side(&self) -> Stdio {
        open_side(&self.path).into()
    }

    /// Drops our copy of the slave side once a program has one. The output then ends with the last program.
    pub(crate) fn handed_over(&mut self) {
        self.side = None;
    }

    /// The output of the terminal.
    pub(crate) fn shown(&self) -> Capture {
        self.shown.clone()
    }

    /// The modes, such as echo and line editing.
    pub(crate) fn modes(&self) -> Termios {
        tcgetattr(&self.keyboard).unwrap()
    }

    /// Types keys.
    pub(crate) fn type_keys(&self, keys: &[u8]) {
        (&self.keyboard).write_all(keys).unwrap();
    }

    /// Changes the size of the window.
    pub(crate) fn resize(&self, rows: u16, cols: u16) {
        let stty = |words: &[String]| fork(Command::new("stty").args(words).stdin(self.side())).wait().unwrap();
        assert!(stty(&["rows".into(), rows.to_string(), "cols".into(), cols.to_string()]).success());
    }

    /// Closes the window, with all copies of the master side.
    pub(crate) fn close(self) {
        self.closing.store(true, Ordering::Release);
        until("the window is closed", || self.closed.load(Ordering::Acquire));
    }
}

fn open_side(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits()).open(path).unwrap()
}

/// Reads the output until the last program is gone or the window is closed.
struct Screen {
    window: File,
    closing: Arc<AtomicBool>,
    // Must be the last field: fields are dropped in order, and `window` must be closed before this is set.
    _closed: SetOnDrop,
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Read for Screen {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.closing.load(Ordering::Acquire) {
                return Ok(0);
            }
            let mut fds = [PollFd::new(self.window.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, PollTimeout::from(LOOK_MS))? == 0 {
                continue;
            }
            return self.window.read(buffer);
        }
    }
}
