//! Reads a file of the user without ever waiting for one that does not answer.
//!
//! Rule: S1.1. A regular file of at most 16 MiB; stdin, and a pipe the shell made for `<(…)`, for at most 5 s. Any other
//! pipe or device is refused, not waited for.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Largest file that is read.
pub(super) const MAX_BYTES: u64 = 16 << 20;
/// How long stdin or a pipe of the shell may take to give all of its text.
const PIPE_PATIENCE: Duration = Duration::from_secs(5);

/// Why a file was not read. `Display` is the fact without the file's name.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("does not exist")]
    Missing,
    #[error("does not exist: a part of its path is not a directory")]
    NotADirectory,
    #[error("is a directory")]
    Directory,
    #[error("is not a regular file")]
    Special,
    #[error("is larger than 16 MiB")]
    TooLarge,
    #[error("gave no end within 5 seconds")]
    Endless,
    #[error("cannot be read: Permission denied")]
    Denied,
    #[error("cannot be read: {0}")]
    Other(String),
}

impl Unreadable {
    /// What to do about it.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Missing | Self::NotADirectory => "check the name, or make the file",
            Self::Directory => "name a file in it",
            Self::Special => "give a regular file; `-` reads stdin",
            Self::TooLarge => "is it the right file?",
            Self::Endless => "the program that writes it must end",
            Self::Denied => "`ls -l` shows who may read it",
            Self::Other(_) => "check the name and what it leads to",
        }
    }
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotADirectory {
            return Self::NotADirectory;
        }
        if error.kind() == io::ErrorKind::NotFound {
            return Self::Missing;
        }
        if error.kind() == io::ErrorKind::PermissionDenied {
            return Self::Denied;
        }
        Self::Other(nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(0)).desc().to_owned())
    }
}

/// Reads a file. `-` is stdin.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Unreadable> {
    if path.as_os_str() == "-" {
        let stdin = io::stdin();
        let file = File::from(stdin.as_fd().try_clone_to_owned()?);
        return if file.metadata()?.is_file() { read_regular(file) } else { read_pipe(file) };
    }
    // Not blocking: opening a FIFO for reading would wait for a writer.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return read_regular(file);
    }
    if kind.is_dir() {
        return Err(Unreadable::Directory);
    }
    if kind.is_fifo() && is_of_the_shell(path) {
        return read_pipe(file);
    }
    if kind.is_char_device() && is_null(path) {
        return Ok(Vec::new());
    }
    Err(Unreadable::Special)
}

/// `/dev/fd/N` and its other names: an open pipe of the shell, not a FIFO that somebody may or may not open.
fn is_of_the_shell(path: &Path) -> bool {
    let parent = path.parent().map(Path::as_os_str).unwrap_or_default();
    path == Path::new("/dev/stdin") || parent == "/dev/fd" || parent == "/proc/self/fd"
}

fn is_null(path: &Path) -> bool {
    std::fs::canonicalize(path).is_ok_and(|path| path == Path::new("/dev/null"))
}

fn read_regular(file: File) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES { Err(Unreadable::TooLarge) } else { Ok(bytes) }
}

fn read_pipe(mut file: File) -> Result<Vec<u8>, Unreadable> {
    let deadline = Instant::now() + PIPE_PATIENCE;
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        wait_readable(file.as_fd(), deadline)?;
        match file.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(read) => bytes.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error.into()),
        }
        if bytes.len() as u64 > MAX_BYTES {
            return Err(Unreadable::TooLarge);
        }
    }
}

fn wait_readable(fd: BorrowedFd<'_>, deadline: Instant) -> Result<(), Unreadable> {
    let left = deadline.saturating_duration_since(Instant::now());
    let mut ready = [PollFd::new(fd, PollFlags::POLLIN)];
    match poll(&mut ready, PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO)) {
        Ok(0) => Err(Unreadable::Endless),
        _ => Ok(()),
    }
}
