//! Our stdout or stderr, written without ever waiting inside `write`.
//!
//! A blocking `write` cannot be interrupted, and says only when it returns how much was accepted. But `O_NONBLOCK` on the
//! descriptor we were given would change the stream for everyone who shares it, the user's shell included. So pipes and
//! terminals are opened a second time, with that flag on our own description alone; sockets have a flag for each call.
//!
//! Not here: who waits for a slow reader (`delivery`), and for how long (`patience`).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};
use nix::sys::stat::{Mode, SFlag, fstat};

use crate::guardian::{terminal_device, unread_in_pipe, unsent};

/// A pipe that is ready takes this much without blocking, all of it or nothing (`PIPE_BUF`).
const PIPE_PIECE_BYTES: usize = 4096;

/// A socket reports a piece as unread until its last byte is read. With small pieces a reader that takes 600 bytes a second
/// still shows progress.
const SOCKET_PIECE_BYTES: usize = 1024;

/// A terminal keeps the memory of a piece until its last byte is read, so the same holds for its free space.
const TERMINAL_PIECE_BYTES: usize = 256;

/// What matters about a write: few calls, or seeing at once that the reader has taken something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    Throughput,
    VisibleProgress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pipe,
    Terminal,
    Socket,
    /// Never waits for a reader: a regular file, or a device such as `/dev/null`.
    File,
}

/// A stream for output.
pub(super) struct Outlet {
    shared: Box<dyn AsFd + Send + Sync>,
    /// A description of our own that does not block. None: not needed, or the system refused to open it again.
    own: Option<OwnedFd>,
    kind: Kind,
}

impl Outlet {
    pub(super) fn new(stream: impl AsFd + Send + Sync + 'static) -> Self {
        let kind = Kind::of(stream.as_fd());
        let own = open_again(stream.as_fd(), kind);
        Self { shared: Box::new(stream), own, kind }
    }

    /// Writes what the stream accepts at this moment.
    ///
    /// # Errors
    /// EAGAIN: it accepts nothing now. Otherwise those of write(2).
    pub(super) fn write_now(&self, bytes: &[u8], aim: Aim) -> Result<usize, Errno> {
        let piece = bytes.get(..self.most_at_once(aim)).unwrap_or(bytes);
        match (self.kind, &self.own) {
            (Kind::Socket, _) => {
                send(self.shared.as_fd().as_raw_fd(), piece, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL)
            }
            (Kind::File, _) => nix::unistd::write(&self.shared, piece),
            (Kind::Pipe | Kind::Terminal, Some(own)) => nix::unistd::write(own, piece),
            // Blocks only if another process fills the stream in this instant. The piece is then not counted as written.
            (Kind::Pipe | Kind::Terminal, None) if self.is_ready() => nix::unistd::write(&self.shared, piece),
            (Kind::Pipe | Kind::Terminal, None) => Err(Errno::EAGAIN),
        }
    }

    fn most_at_once(&self, aim: Aim) -> usize {
        match (self.kind, &self.own, aim) {
            (Kind::Socket, _, _) => SOCKET_PIECE_BYTES,
            (Kind::Pipe, None, _) => PIPE_PIECE_BYTES,
            (Kind::Terminal, None, _) | (Kind::Terminal, Some(_), Aim::VisibleProgress) => TERMINAL_PIECE_BYTES,
            (Kind::Pipe, Some(_), _) | (Kind::Terminal, Some(_), Aim::Throughput) | (Kind::File, _, _) => usize::MAX,
        }
    }

    /// Bytes that were accepted and that the reader has not taken yet; 0 if the system cannot tell.
    pub(super) fn unread_bytes(&self) -> usize {
        let unread = match self.kind {
            Kind::Pipe => unread_in_pipe(&self.shared),
            // Always 0 for a pseudoterminal: there only what `write` accepts shows progress.
            Kind::Terminal | Kind::Socket => unsent(&self.shared),
            Kind::File => None,
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

    /// Waits until the stream accepts bytes or has failed, at most this long.
    pub(super) fn wait(&self, most: PollTimeout) {
        // An error would only mean to look again sooner.
        let _ = poll(&mut [self.poll_fd()], most);
    }

    fn is_ready(&self) -> bool {
        poll(&mut [self.poll_fd()], PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

impl Kind {
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

/// A description of our own of the same pipe or terminal. Refused without `/proc`, or if the stream belongs to another user,
/// as after `sudo -u`; our controlling terminal can be opened even then.
fn open_again(shared: BorrowedFd<'_>, kind: Kind) -> Option<OwnedFd> {
    let link = format!("/proc/self/fd/{}", shared.as_raw_fd());
    let paths = match kind {
        Kind::Pipe => &[link.as_str()][..],
        Kind::Terminal => &[link.as_str(), "/dev/tty"],
        Kind::Socket | Kind::File => &[],
    };
    let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let mut opened = paths.iter().filter_map(|path| open(*path, flags, Mode::empty()).ok());
    opened.find(|own| is_same(shared, own.as_fd(), kind))
}

/// Opening the master of a pseudoterminal again gives another one, and `/dev/tty` may be another terminal.
fn is_same(shared: BorrowedFd<'_>, own: BorrowedFd<'_>, kind: Kind) -> bool {
    match kind {
        Kind::Pipe => is_same_file(shared, own),
        Kind::Terminal => terminal_device(shared).is_some_and(|device| terminal_device(own) == Some(device)),
        Kind::Socket | Kind::File => false,
    }
}

fn is_same_file(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let identity = |fd| fstat(fd).map(|stat| (stat.st_dev, stat.st_ino));
    identity(one).is_ok_and(|one| identity(other) == Ok(one))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use nix::fcntl::{FcntlArg, fcntl};
    use nix::pty::openpty;

    use super::*;

    /// Writes until nothing more is accepted.
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
    fn a_pipe_that_cannot_be_opened_again_does_not_block_either() {
        let (reader, writer) = std::io::pipe().unwrap();
        let outlet = Outlet { shared: Box::new(writer), own: None, kind: Kind::Pipe };

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
    fn the_master_of_a_pseudoterminal_is_never_replaced_by_another_one() {
        let pty = openpty(None, None).unwrap();

        assert!(Outlet::new(pty.master).own.is_none());
    }

    #[test]
    fn a_file_gets_all_of_it_at_once() {
        let null = std::fs::File::options().write(true).open("/dev/null").unwrap();

        assert_eq!(Outlet::new(null).write_now(&[0; 10_000], Aim::VisibleProgress), Ok(10_000));
    }
}
