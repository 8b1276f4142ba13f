//! The streams of a run: a pipe or a terminal of its own, and what it reads as stdin.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::pty::openpty;
use nix::sys::stat::Mode;
use nix::sys::termios::{OutputFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::{mkfifo, pipe2, unlink};

use super::focus::own_stdin;
use crate::app::{Io, PtySize};
use crate::guardian::{TerminalModes, set_terminal_size};

/// Names that are tried for a fifo; another program would have to take all of them.
const FIFO_NAMES: u32 = 100;

/// What a dyno without a terminal reads.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stdin {
    /// A pipe that never gives data and never ends: watchers stop at the end of their input (S6.1).
    Endless,
    /// `/dev/null`.
    Null,
}

impl Stdin {
    /// One of its own for each run: what a program sets on it, such as `O_NONBLOCK`, is nobody else's affair.
    fn for_a_run(self) -> Result<OwnedFd, Errno> {
        match self {
            Self::Endless => endless(),
            Self::Null => dev_null(),
        }
    }
}

/// The dyno holds the writing end of its own stdin: it never ends while anybody can read it, and we hold nothing.
fn endless() -> Result<OwnedFd, Errno> {
    let (reader, _writer) = pipe2(OFlag::O_CLOEXEC)?;
    let both_ends = format!("/proc/self/fd/{}", reader.as_raw_fd());
    nix::fcntl::open(both_ends.as_str(), OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())
        .or_else(|_| endless_without_proc())
}

/// The same by way of a name in the file system, which is gone when this returns.
fn endless_without_proc() -> Result<OwnedFd, Errno> {
    let name = |number: u32| std::env::temp_dir().join(format!("dyno-stdin-{}-{number}", std::process::id()));
    for path in (0..FIFO_NAMES).map(name) {
        match mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR) {
            Ok(()) => {
                let opened = nix::fcntl::open(&path, OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty());
                unlink(&path)?;
                return opened;
            }
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::EEXIST)
}

/// What one run reads.
#[derive(Clone, Copy)]
pub(super) enum Reads {
    /// Its terminal if it has one, else this.
    Stdin(Stdin),
    /// Our own stdin.
    OwnStdin,
    /// Its terminal, which the user types into.
    Keyboard {
        /// Of the user's terminal; None: not known, so a new terminal's own.
        modes: Option<TerminalModes>,
        /// Whether it shows things on the user's terminal as they are.
        is_shown_raw: bool,
    },
}

/// The two sides of a run's streams.
pub(super) struct Streams {
    /// Our side, not blocking: the pipe's reading end or the terminal's master. None: the run uses our own streams.
    pub(super) ours: Option<OwnedFd>,
    /// The run's side, in the form the guardian takes.
    pub(super) theirs: Vec<OwnedFd>,
    /// A copy of the run's side of a terminal, to keep open for as long as the run lives. Without any open side the master
    /// reports the end (EIO), although the run may open its terminal again.
    pub(super) kept_open: Option<OwnedFd>,
}

impl Streams {
    pub(super) fn open(io: Io, reads: Reads) -> Result<Self, Errno> {
        match io {
            Io::Pipe => {
                let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
                // Only our end: the flag belongs to it alone, the dyno's end blocks as a program expects.
                fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
                Ok(Self { ours: Some(reader), theirs: vec![reads.for_a_pipe()?, writer], kept_open: None })
            }
            Io::Pty(size) => {
                let (master, slave) = terminal(size, reads)?;
                fcntl(&master, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))?;
                let kept_open = Some(copy(slave.as_fd())?);
                let theirs = match reads {
                    Reads::Stdin(_) | Reads::Keyboard { .. } => vec![slave],
                    Reads::OwnStdin => vec![own_stdin()?, slave],
                };
                Ok(Self { ours: Some(master), theirs, kept_open })
            }
            Io::Inherit => {
                let (stdout, stderr) = (copy(std::io::stdout().as_fd())?, copy(std::io::stderr().as_fd())?);
                Ok(Self { ours: None, theirs: vec![reads.for_a_pipe()?, stdout, stderr], kept_open: None })
            }
        }
    }
}

impl Reads {
    /// What stands in for a keyboard.
    fn for_a_pipe(self) -> Result<OwnedFd, Errno> {
        match self {
            Self::Stdin(stdin) => stdin.for_a_run(),
            Self::OwnStdin | Self::Keyboard { .. } => own_stdin(),
        }
    }
}

fn copy(fd: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    fd.try_clone_to_owned().map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EMFILE)))
}

fn dev_null() -> Result<OwnedFd, Errno> {
    nix::fcntl::open("/dev/null", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
}

/// The same streams of a run with `/dev/null` as stdin.
pub(super) fn with_empty_stdin(mut theirs: Vec<OwnedFd>) -> Result<Vec<OwnedFd>, Errno> {
    let null = dev_null()?;
    match theirs.as_mut_slice() {
        // One for all three.
        [_] => theirs.insert(0, null),
        [stdin, ..] => *stdin = null,
        [] => {}
    }
    Ok(theirs)
}

/// A terminal that knows its size before anybody can ask, and leaves `\n` alone unless somebody sees it as it is.
fn terminal(size: PtySize, reads: Reads) -> Result<(OwnedFd, OwnedFd), Errno> {
    let pty = openpty(None, None)?;
    for end in [&pty.master, &pty.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    }
    let leaves_lines_alone = match reads {
        Reads::Keyboard { modes, is_shown_raw } => {
            if let Some(modes) = modes {
                modes.set(&pty.slave)?;
            }
            !is_shown_raw
        }
        Reads::Stdin(_) | Reads::OwnStdin => true,
    };
    if leaves_lines_alone {
        let mut modes = tcgetattr(&pty.slave)?;
        // `\n` -> `\r\n` would only be undone again by the splitter.
        modes.output_flags.remove(OutputFlags::ONLCR);
        tcsetattr(&pty.slave, SetArg::TCSANOW, &modes)?;
    }
    set_terminal_size(&pty.slave, size)?;
    Ok((pty.master, pty.slave))
}
