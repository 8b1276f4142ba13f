//! Writes to our stdout or stderr without ever blocking inside `write`.
//!
//! A blocking `write` cannot be interrupted, and it reports how much was accepted only when it returns. But `O_NONBLOCK` on
//! the inherited descriptor would change the stream for every process that shares it, the user's shell included. So pipes
//! and terminals are opened a second time, with that flag on our own description only; sockets have a flag for each call.
//!
//! Not here: when to wait for a slow reader (`delivery`), and how long (`patience`).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};
use nix::sys::stat::{Mode, SFlag, fstat};

use crate::guardian::{terminal_device, unread_in_pipe, unsent};

/// A pipe that is ready accepts this much without blocking, all of it or nothing (`PIPE_BUF`).
const PIPE_PIECE_BYTES: usize = 4096;

/// A socket reports a piece as unread until its last byte is read. Pieces are small, so that even a reader that takes 600
/// bytes a second shows progress.
const SOCKET_PIECE_BYTES: usize = 1024;

/// A terminal frees the space of a piece only when its last byte is read, so its pieces are small, too.
const TERMINAL_PIECE_BYTES: usize = 256;

/// The goal of a write: few calls, or to see at once that the reader has taken something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    Throughput,
    VisibleProgress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StreamKind {
    Pipe,
    Terminal,
    Socket,
    /// A regular file, or a device such as `/dev/null`. It has no reader to wait for.
    File,
}

/// A stream for output.
pub(super) struct Outlet {
    shared: Box<dyn AsFd + Send + Sync>,
    /// Our own description, which does not block. None if it is not needed, or if the system refused to open it again.
    own: Option<OwnedFd>,
    kind: StreamKind,
}

impl Outlet {
    pub(super) fn new(stream: impl AsFd + Send + Sync + 'static) -> Self {
        let kind = StreamKind::of(stream.as_fd());
        let own = open_again(stream.as_fd(), kind);
        Self { shared: Box::new(stream), own, kind }
    }

    /// Writes as much as the stream accepts now.
    ///
    /// # Errors
    /// EAGAIN if it accepts nothing now. Otherwise the errors of write(2).
    pub(super) fn write_now(&self, bytes: &[u8], aim: Aim) -> Result<usize, Errno> {
        let piece = bytes.get(..self.max_piece_bytes(aim)).unwrap_or(bytes);
        match (self.kind, &self.own) {
            (StreamKind::Socket, _) => {
                send(self.shared.as_fd().as_raw_fd(), piece, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL)
            }
            (StreamKind::File, _) => nix::unistd::write(&self.shared, piece),
            (StreamKind::Pipe | StreamKind::Terminal, Some(own)) => nix::unistd::write(own, piece),
            // May block if another process fills the stream right now. The piece is not yet counted as written then.
            (StreamKind::Pipe | StreamKind::Terminal, None) if self.is_ready() => {
                nix::unistd::write(&self.shared, piece)
            }
            (StreamKind::Pipe | StreamKind::Terminal, None) => Err(Errno::EAGAIN),
        }
    }

    fn max_piece_bytes(&self, aim: Aim) -> usize {
        match (self.kind, &self.own, aim) {
            (StreamKind::Socket, _, _) => SOCKET_PIECE_BYTES,
            (StreamKind::Pipe, None, _) => PIPE_PIECE_BYTES,
            (StreamKind::Terminal, None, _) | (StreamKind::Terminal, Some(_), Aim::VisibleProgress) => {
                TERMINAL_PIECE_BYTES
            }
            (StreamKind::Pipe, Some(_), _)
            | (StreamKind::Terminal, Some(_), Aim::Throughput)
            | (StreamKind::File, _, _) => usize::MAX,
        }
    }

    /// Bytes that were accepted but not read yet. 0 if the system does not report it.
    pub(super) fn unread_bytes(&self) -> usize {
        let unread = match self.kind {
            StreamKind::Pipe => unread_in_pipe(&self.shared),
            // Always 0 for a pseudoterminal. Only an accepted `write` shows its progress.
            StreamKind::Terminal | StreamKind::Socket => unsent(&self.shared),
            StreamKind::File => None,
        };
        unread.unwrap_or(0)
    }

    /// Whether this is the same stream as another one.
    pub(super) fn is_same_as(&self, other: impl AsFd) -> bool {
        is_same_file(self.shared.as_fd(), other.as_fd())
    }

    /// What to poll for [`PollFlags::POLLOUT`].
    pub(super) fn poll_fd(&self) -> PollFd<'_> {
        let fd = self.own.as_ref().map_or_else(|| self.shared.as_fd(), AsFd::as_fd);
        PollFd::new(fd, PollFlags::POLLOUT)
    }

    /// Waits until the stream accepts bytes or has failed, but not longer than `limit`.
    pub(super) fn wait(&self, limit: PollTimeout) {
        // After an error the caller just tries again sooner.
        let _ = poll(&mut [self.poll_fd()], limit);
    }

    fn is_ready(&self) -> bool {
        poll(&mut [self.poll_fd()], PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

impl StreamKind {
    fn of(fd: BorrowedFd<'_>) -> Self {
        let format = fstat(fd).map_or(SFlag::empty(), |stat| SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT);
        if format == SFlag::S_IFIFO {
            Self::Pipe
        } else if format == SFlag::S_IFSOCK {
            Self::Socket
        } else if format == SFlag::S_IFCHR && nix::unistd::isatty(fd).unwrap_or(false) {
            Self::Terminal
        } else {
            Self::File
        }
    }
}

/// Opens the same pipe or terminal once more. Fails without `/proc`, or if the stream belongs to another user, as after
/// `sudo -u`; our controlling terminal can be opened even then.
fn open_again(shared: BorrowedFd<'_>, kind: StreamKind) -> Option<OwnedFd> {
    let link = format!("/proc/self/fd/{}", shared.as_raw_fd());
    let paths = match kind {
        StreamKind::Pipe => &[link.as_str()][..],
        StreamKind::Terminal => &[link.as_str(), "/dev/tty"],
        StreamKind::Socket | StreamKind::File => &[],
    };
    let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let mut opened = paths.iter().filter_map(|path| open(*path, flags, Mode::empty()).ok());
    opened.find(|own| is_same(shared, own.as_fd(), kind))
}

/// Whether `own` really is the same pipe or terminal. Opening the master of a pseudoterminal again creates a new one,
/// and `/dev/tty` may be another terminal.
fn is_same(shared: BorrowedFd<'_>, own: BorrowedFd<'_>, kind: StreamKind) -> bool {
    match kind {
        StreamKind::Pipe => is_same_file(shared, own),
        StreamKind::Terminal => terminal_device(shared).is_some_and(|device| terminal_device(own) == Some(device)),
        StreamKind::Socket | StreamKind::File => false,
    }
}

fn is_same_file(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let identity = |fd| fstat(fd).map(|stat| (stat.st_dev, stat.st_ino));
    identity(one).is_ok_and(|one| identity(other) == Ok(one))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::path::Path;

    use nix::fcntl::{FcntlArg, fcntl};
    use nix::pty::openpty;

    use super::*;
    use crate::runtime::scratch::Scratch;

    /// Writes until the outlet accepts nothing more. Returns the number of accepted bytes.
    fn fill(outlet: &Outlet, aim: Aim) -> usize {
        let mut accepted = 0;
        loop {
            match outlet.write_now(&[b'x'; 10_000], aim) {
                Ok(count) => accepted += count,
                Err(errno) => {
                    assert_eq!(errno, Errno::EAGAIN);
                    return accepted;
                }
            }
        }
    }

    fn flags(fd: impl AsFd) -> OFlag {
        OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL).unwrap())
    }

    #[test]
    fn a_full_pipe_accepts_nothing_and_keeps_its_flags() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let outlet = Outlet::new(writer.try_clone().unwrap());

        let accepted = fill(&outlet, Aim::Throughput);

        assert_eq!(outlet.unread_bytes(), accepted);
        assert!(!flags(&writer).contains(OFlag::O_NONBLOCK));
        reader.read_exact(&mut [0; 600]).unwrap();
        assert_eq!(outlet.write_now(b"more", Aim::Throughput), Err(Errno::EAGAIN));
        assert_eq!(outlet.unread_bytes(), accepted - 600);
    }

    #[test]
    fn a_pipe_that_cannot_be_opened_again_does_not_block() {
        let (reader, writer) = std::io::pipe().unwrap();
        let outlet = Outlet { shared: Box::new(writer), own: None, kind: StreamKind::Pipe };

        assert_eq!(fill(&outlet, Aim::Throughput), unread_in_pipe(&reader).unwrap());
    }

    #[test]
    fn a_full_socket_accepts_nothing_and_shows_what_its_reader_takes() {
        let (mut reader, writer) = UnixStream::pair().unwrap();
        let outlet = Outlet::new(writer.try_clone().unwrap());

        let accepted = fill(&outlet, Aim::Throughput);
        let before = outlet.unread_bytes();

        assert!(!flags(&writer).contains(OFlag::O_NONBLOCK));
        reader.read_exact(&mut [0; SOCKET_PIECE_BYTES]).unwrap();
        assert!(outlet.unread_bytes() < before, "{accepted} bytes were accepted");
    }

    #[test]
    fn a_full_terminal_accepts_nothing_and_keeps_its_flags() {
        let pty = openpty(None, None).unwrap();
        let outlet = Outlet::new(pty.slave.try_clone().unwrap());

        assert!(outlet.own.is_some());
        assert!(fill(&outlet, Aim::VisibleProgress) > 0);
        assert!(!flags(&pty.slave).contains(OFlag::O_NONBLOCK));
    }

    #[test]
    fn the_master_of_a_pseudoterminal_is_not_opened_again() {
        let pty = openpty(None, None).unwrap();

        assert!(Outlet::new(pty.master).own.is_none());
    }

    #[test]
    fn a_file_gets_all_bytes_at_once() {
        let scratch = Scratch::new("outlet");
        let regular = scratch.file("log", "before\n");
        let open = |path: &Path| File::options().append(true).open(path).unwrap();

        let bytes = vec![b'x'; 100_000];
        for path in [&*regular, Path::new("/dev/null")] {
            let outlet = Outlet::new(open(path));
            assert_eq!(outlet.write_now(&bytes, Aim::VisibleProgress), Ok(bytes.len()), "{}", path.display());
            assert_eq!(outlet.unread_bytes(), 0);
        }

        assert_eq!(fs::read(&regular).unwrap(), [&b"before\n"[..], &bytes].concat());
    }
}
