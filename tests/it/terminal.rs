//! A terminal in the hand of a test: it types, reads what is shown, stops reading, and closes the window.

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

/// How long the reader waits before it looks whether the window was closed, in milliseconds.
const LOOK_MS: u8 = 5;

/// The side of a terminal that the window holds.
pub(crate) struct Terminal {
    keyboard: File,
    /// Until the first program has it: without any, a terminal is at its end.
    side: Option<File>,
    path: PathBuf,
    shown: Capture,
    closing: Arc<AtomicBool>,
    closed: Arc<AtomicBool>,
}

impl Terminal {
    /// Opens a terminal of 24 lines of 80 characters.
    pub(crate) fn open() -> Self {
        // Close-on-exec from the first moment: in another process, this side would keep the window open.
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

    /// The side that programs hold.
    pub(crate) fn side(&self) -> Stdio {
        open_side(&self.path).into()
    }

    /// The programs have it now; when the last of them is gone, it is at its end.
    pub(crate) fn handed_over(&mut self) {
        self.side = None;
    }

    /// What was shown so far.
    pub(crate) fn shown(&self) -> Capture {
        self.shown.clone()
    }

    /// What it does with keys and with output.
    pub(crate) fn modes(&self) -> Termios {
        tcgetattr(&self.keyboard).unwrap()
    }

    /// Presses keys.
    pub(crate) fn type_keys(&self, keys: &[u8]) {
        (&self.keyboard).write_all(keys).unwrap();
    }

    /// Makes the window larger or smaller.
    pub(crate) fn resize(&self, rows: u16, cols: u16) {
        let stty = |words: &[String]| fork(Command::new("stty").args(words).stdin(self.side())).wait().unwrap();
        assert!(stty(&["rows".into(), rows.to_string(), "cols".into(), cols.to_string()]).success());
    }

    /// Closes the window: nobody holds its side any more.
    pub(crate) fn close(self) {
        self.closing.store(true, Ordering::Release);
        until("the window is closed", || self.closed.load(Ordering::Acquire));
    }
}

fn open_side(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits()).open(path).unwrap()
}

/// Reads what is shown until the last program is gone or the window is closed.
struct Screen {
    window: File,
    closing: Arc<AtomicBool>,
    // The last field: dropped when the window is closed already.
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
