//! Creates the streams of a run: its own pipe or terminal for output, and its stdin.
//!
//! Decides nothing: `effects` says which kind a run gets.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::pty::openpty;
use nix::sys::stat::Mode;
use nix::sys::termios::{OutputFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::{mkfifo, pipe2, unlink};

use super::focus::own_stdin;
use crate::guardian::{TerminalModes, set_terminal_size};
use crate::model::{Io, PtySize};

/// How many names to try for a FIFO. Creating it fails only if all of them are in use.
const FIFO_NAMES: u32 = 100;

/// The stdin of dynos without a terminal.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stdin {
    /// A pipe that never gives data and never ends, because watchers stop at end of file (S6.1).
    Endless,
    /// `/dev/null`.
    Null,
}

impl Stdin {
    /// Opens a new one for each run, so that flags such as `O_NONBLOCK` that a program sets affect no other run.
    fn for_a_run(self) -> Result<OwnedFd, Errno> {
        match self {
            Self::Endless => endless(),
            Self::Null => dev_null(),
        }
    }
}

/// A pipe that is open for reading and writing in one descriptor: as long as the dyno can read it, it has a writer and does
/// not end. We keep no end ourselves.
fn endless() -> Result<OwnedFd, Errno> {
    let (reader, _writer) = pipe2(OFlag::O_CLOEXEC)?;
    let both_ends = format!("/proc/self/fd/{}", reader.as_raw_fd());
    nix::fcntl::open(both_ends.as_str(), OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())
        .or_else(|_| endless_without_proc())
}

/// The same with a FIFO that is removed from the file system before this returns.
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

/// What one run reads as stdin.
#[derive(Clone, Copy)]
pub(super) enum RunStdin {
    /// Its terminal if it has one, else this.
    Stdin(Stdin),
    /// Our own stdin.
    OwnStdin,
    /// Its terminal, or a pipe, which a client of the API fills.
    Client,
    /// Its terminal, which gets the user's keys.
    Keyboard {
        /// The modes of the user's terminal. None if they are not known: the run's terminal keeps its default modes.
        modes: Option<TerminalModes>,
        /// Whether its output is shown raw on the user's terminal.
        is_shown_raw: bool,
    },
}

/// The two sides of a run's streams.
pub(super) struct Streams {
    /// Our side, non-blocking: the reading end of the pipe or the master of the terminal. None if the run uses our streams.
    pub(super) ours: Option<OwnedFd>,
    /// Our side of its stdin, non-blocking, if it has a pipe of its own to a client.
    pub(super) input: Option<OwnedFd>,
    /// The run's side, in the form that the guardian expects.
    pub(super) theirs: Vec<OwnedFd>,
    /// A copy of the run's side of a terminal, kept open while the run lives. If no side is open, the master reports the end
    /// (EIO), although the run may open its terminal again.
    pub(super) kept_open: Option<OwnedFd>,
}

impl Streams {
    pub(super) fn open(io: Io, stdin: RunStdin) -> Result<Self, Errno> {
        match io {
            Io::Pipe => {
                let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
                // Only our end does not block. The dyno's end blocks, as programs expect.
                fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
                let (stdin, input) = stdin.for_a_pipe()?;
                Ok(Self { ours: Some(reader), input, theirs: vec![stdin, writer], kept_open: None })
            }
            Io::Pty(size) => {
                let (master, slave) = terminal(size, stdin)?;
                fcntl(&master, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))?;
                let kept_open = Some(copy(slave.as_fd())?);
                let theirs = match stdin {
                    RunStdin::Stdin(_) | RunStdin::Keyboard { .. } | RunStdin::Client => vec![slave],
                    RunStdin::OwnStdin => vec![own_stdin()?, slave],
                };
                Ok(Self { ours: Some(master), input: None, theirs, kept_open })
            }
            Io::Inherit => {
                let (stdout, stderr) = (copy(std::io::stdout().as_fd())?, copy(std::io::stderr().as_fd())?);
                let (stdin, input) = stdin.for_a_pipe()?;
                Ok(Self { ours: None, input, theirs: vec![stdin, stdout, stderr], kept_open: None })
            }
        }
    }
}

impl RunStdin {
    /// The stdin of a run whose output is not a terminal, and our side of it if there is one.
    fn for_a_pipe(self) -> Result<(OwnedFd, Option<OwnedFd>), Errno> {
        match self {
            Self::Stdin(stdin) => Ok((stdin.for_a_run()?, None)),
            Self::OwnStdin | Self::Keyboard { .. } => Ok((own_stdin()?, None)),
            Self::Client => {
                let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
                fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
                Ok((reader, Some(writer)))
            }
        }
    }
}

fn copy(fd: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    fd.try_clone_to_owned().map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EMFILE)))
}

fn dev_null() -> Result<OwnedFd, Errno> {
    nix::fcntl::open("/dev/null", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
}

/// These streams of a run, but with `/dev/null` as stdin.
pub(super) fn with_empty_stdin(mut theirs: Vec<OwnedFd>) -> Result<Vec<OwnedFd>, Errno> {
    let null = dev_null()?;
    match theirs.as_mut_slice() {
        // One descriptor serves as stdin, stdout and stderr.
        [_] => theirs.insert(0, null),
        [stdin, ..] => *stdin = null,
        [] => {}
    }
    Ok(theirs)
}

/// Creates a terminal whose size is set before any program can query it. It passes `\n` unchanged, unless its output goes
/// to a terminal as it is.
fn terminal(size: PtySize, stdin: RunStdin) -> Result<(OwnedFd, OwnedFd), Errno> {
    let pty = openpty(None, None)?;
    for end in [&pty.master, &pty.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    }
    let keeps_newlines = match stdin {
        RunStdin::Keyboard { modes, is_shown_raw } => {
            if let Some(modes) = modes {
                modes.set(&pty.slave)?;
            }
            !is_shown_raw
        }
        RunStdin::Client => false,
        RunStdin::Stdin(_) | RunStdin::OwnStdin => true,
    };
    if keeps_newlines {
        let mut modes = tcgetattr(&pty.slave)?;
        // The splitter would only undo the translation of `\n` to `\r\n`.
        modes.output_flags.remove(OutputFlags::ONLCR);
        tcsetattr(&pty.slave, SetArg::TCSANOW, &modes)?;
    }
    set_terminal_size(&pty.slave, size)?;
    Ok((pty.master, pty.slave))
}
