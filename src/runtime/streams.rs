//! The streams of a run: a pipe or a terminal of its own, and what it reads as stdin.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::pty::openpty;
use nix::sys::stat::Mode;
use nix::sys::termios::{OutputFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::pipe2;

use crate::app::{Io, PtySize};
use crate::guardian::set_terminal_size;

/// What a dyno without a terminal reads.
pub(super) enum Stdin {
    /// A pipe that never gives data and never ends: watchers stop at the end of their input (S6.1).
    Endless {
        reader: OwnedFd,
        /// Held open for as long as `dyno` lives; nothing is ever written to it.
        _writer: OwnedFd,
    },
    /// `/dev/null`.
    Null(OwnedFd),
}

impl Stdin {
    pub(super) fn endless() -> Result<Self, Errno> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
        Ok(Self::Endless { reader, _writer: writer })
    }

    pub(super) fn null() -> Result<Self, Errno> {
        Ok(Self::Null(nix::fcntl::open("/dev/null", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?))
    }

    fn for_a_run(&self) -> Result<OwnedFd, Errno> {
        let (Self::Endless { reader, .. } | Self::Null(reader)) = self;
        reader.try_clone().map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EMFILE)))
    }
}

/// The two sides of a run's streams.
pub(super) struct Streams {
    /// Our side, not blocking: the pipe's reading end or the terminal's master. None: the run uses our own streams.
    pub(super) ours: Option<OwnedFd>,
    /// The run's side, in the form the guardian takes.
    pub(super) theirs: Vec<OwnedFd>,
}

impl Streams {
    pub(super) fn open(io: Io, stdin: &Stdin) -> Result<Self, Errno> {
        match io {
            Io::Pipe => {
                let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
                // Only our end: the flag belongs to it alone, the dyno's end blocks as a program expects.
                fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
                Ok(Self { ours: Some(reader), theirs: vec![stdin.for_a_run()?, writer] })
            }
            Io::Pty(size) => {
                let (master, slave) = terminal(size)?;
                fcntl(&master, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))?;
                Ok(Self { ours: Some(master), theirs: vec![slave] })
            }
            Io::Inherit => {
                let own = |fd: std::os::fd::BorrowedFd<'_>| {
                    fd.try_clone_to_owned()
                        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EMFILE)))
                };
                let (stdout, stderr) = (own(std::io::stdout().as_fd())?, own(std::io::stderr().as_fd())?);
                // It shall never wait for anybody.
                Ok(Self { ours: None, theirs: vec![Stdin::null()?.for_a_run()?, stdout, stderr] })
            }
        }
    }
}

/// A terminal that knows its size before anybody can ask, and leaves `\n` alone.
fn terminal(size: PtySize) -> Result<(OwnedFd, OwnedFd), Errno> {
    let pty = openpty(None, None)?;
    for end in [&pty.master, &pty.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    }
    let mut modes = tcgetattr(&pty.slave)?;
    // `\n` -> `\r\n` would only be undone again by the splitter.
    modes.output_flags.remove(OutputFlags::ONLCR);
    tcsetattr(&pty.slave, SetArg::TCSANOW, &modes)?;
    set_terminal_size(&pty.slave, size)?;
    Ok((pty.master, pty.slave))
}
