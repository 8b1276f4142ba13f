//! Reads a file of the user, with a limit on how long it waits.
//!
//! Rules: S1.1, S2.1. A file may have at most 16 MiB. Reading waits at most 5 s for stdin or a pipe that the shell made
//! for `<(…)`, and at most 10 s for a `.env` that is a named pipe. Any other kind of file is refused without being
//! opened, because opening alone may have an effect, such as letting the writer of a named pipe continue.

use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::pipe_reader::{self, NAMED_PIPE, OPEN_PIPE};

/// Largest file that is read.
pub(crate) const MAX_BYTES: u64 = 16 << 20;

/// Why a file was not read. `Display` is the fact without the file's name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("does not exist")]
    Missing,
    #[error("does not exist: a part of its path is not a directory")]
    NotADirectory,
    #[error("is a broken symlink to `{}`", .0.display())]
    BrokenLink(PathBuf),
    #[error("is a directory")]
    Directory,
    #[error("is a {0}, not a regular file")]
    Special(&'static str),
    #[error("is larger than 16 MiB")]
    TooLarge,
    #[error("did not reach end of file within {seconds} seconds")]
    Endless { seconds: u64, received: bool },
    #[error("is a named pipe, and no program wrote to it within {seconds} seconds")]
    Silent { seconds: u64 },
    #[error("was not read to its end, because the result is no longer needed")]
    Abandoned,
    #[error("cannot be read: Permission denied")]
    Denied,
    #[error("cannot be read: {0}")]
    Other(String),
}

impl Unreadable {
    /// The hint for it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Missing | Self::NotADirectory => "check the name, or create the file",
            Self::BrokenLink(_) => "create the file that it points to, or change the link",
            Self::Directory => "name a file in it",
            Self::Special(_) => "use a regular file; `-` reads stdin",
            Self::TooLarge => "check that it is the right file",
            Self::Endless { .. } => "make sure that the program that writes to it exits",
            Self::Silent { .. } => "start the program that writes to it, or name another file with `-e`",
            Self::Abandoned => "",
            Self::Denied => "`ls -l` shows who may read it",
            Self::Other(_) => "check the name and what it points to",
        }
    }

    /// Whether there is no such file.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Missing | Self::NotADirectory | Self::BrokenLink(_))
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

/// The kinds of files that can be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SourceKind {
    Regular,
    /// stdin, or a pipe of the shell, or a named pipe.
    Pipe,
    /// `/dev/null`.
    Null,
}

/// Reads a file. `-` is stdin.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Unreadable> {
    if path.as_os_str() == "-" {
        let stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        return if stdin.metadata()?.is_file() { read_regular(stdin) } else { read_open_pipe(stdin) };
    }
    match kind(path, look_up(path)?)? {
        SourceKind::Regular => read_regular(open(path)?),
        SourceKind::Pipe if is_shell_pipe(path) => read_open_pipe(open(path)?),
        SourceKind::Pipe => Err(Unreadable::Special(NAMED)),
        SourceKind::Null => Ok(Vec::new()),
    }
}

/// Reads a file that may be a named pipe, and waits for its writer. `announce` reports the wait. `abandoned`: see
/// [`pipe_reader::read`].
pub(crate) fn read_or_wait(
    path: &Path,
    abandoned: Option<BorrowedFd<'_>>,
    announce: impl FnOnce(u64),
) -> Result<Vec<u8>, Unreadable> {
    if is_named_pipe(path) {
        return pipe_reader::read(open(path)?, NAMED_PIPE, abandoned, announce).map_err(of_named_pipe);
    }
    read(path)
}

/// If a named pipe gave no data, its writer is missing, not slow.
fn of_named_pipe(why: Unreadable) -> Unreadable {
    if let Unreadable::Endless { seconds, received: false } = why { Unreadable::Silent { seconds } } else { why }
}

/// Reads a regular file and opens nothing else. Never reads stdin, even if that is a regular file.
pub(crate) fn read_if_regular(path: &Path) -> Option<Vec<u8>> {
    let is_stdin = path.as_os_str() == "-" || is_shell_pipe(path);
    let is_regular = !is_stdin && fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    if is_regular { open(path).and_then(read_regular).ok() } else { None }
}

/// Reads a regular file, together with its metadata.
pub(crate) fn read_regular_file(path: &Path) -> Result<(Vec<u8>, Metadata), Unreadable> {
    match kind(path, look_up(path)?)? {
        SourceKind::Regular => {
            let file = open(path)?;
            let metadata = file.metadata()?;
            Ok((read_regular(file)?, metadata))
        }
        SourceKind::Pipe => Err(Unreadable::Special(NAMED)),
        SourceKind::Null => Err(Unreadable::Special("device")),
    }
}

/// The path of the file behind all symlinks.
pub(crate) fn target(path: &Path) -> Result<PathBuf, Unreadable> {
    look_up(path)?;
    Ok(fs::canonicalize(path)?)
}

/// Whether a path names a named pipe, which may have no writer.
pub(super) fn is_named_pipe(path: &Path) -> bool {
    !is_shell_pipe(path) && fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// A kind of [`Unreadable::Special`].
pub(super) const NAMED: &str = "named pipe";

fn look_up(path: &Path) -> Result<FileType, Unreadable> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.file_type()),
        Err(error) => {
            let errno = error.raw_os_error().unwrap_or(0);
            let leads_nowhere = [libc::ENOENT, libc::ENOTDIR, libc::ELOOP].contains(&errno);
            match fs::read_link(path) {
                Ok(target) if leads_nowhere => Err(Unreadable::BrokenLink(target)),
                Ok(_) | Err(_) => Err(error.into()),
            }
        }
    }
}

fn kind(path: &Path, file_type: FileType) -> Result<SourceKind, Unreadable> {
    if file_type.is_file() {
        Ok(SourceKind::Regular)
    } else if file_type.is_dir() {
        Err(Unreadable::Directory)
    } else if file_type.is_fifo() {
        Ok(SourceKind::Pipe)
    } else if file_type.is_socket() {
        Err(Unreadable::Special("socket"))
    } else if file_type.is_char_device() && is_null(path) {
        Ok(SourceKind::Null)
    } else {
        Err(Unreadable::Special("device"))
    }
}

/// Opens a file without waiting for the other side of a pipe, and without making a terminal the controlling terminal.
fn open(path: &Path) -> Result<File, Unreadable> {
    let flags = libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY;
    Ok(File::options().read(true).custom_flags(flags).open(path)?)
}

/// `/dev/fd/N` and its other names: a pipe that the shell has opened, not a FIFO that may have no writer.
fn is_shell_pipe(path: &Path) -> bool {
    let parent = path.parent().map(Path::as_os_str).unwrap_or_default();
    path == Path::new("/dev/stdin") || parent == "/dev/fd" || parent == "/proc/self/fd"
}

fn is_null(path: &Path) -> bool {
    fs::canonicalize(path).is_ok_and(|path| path == Path::new("/dev/null"))
}

fn read_regular(file: File) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES { Err(Unreadable::TooLarge) } else { Ok(bytes) }
}

fn read_open_pipe(pipe: File) -> Result<Vec<u8>, Unreadable> {
    pipe_reader::read(pipe, OPEN_PIPE, None, |_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s2_1_a_named_pipe_without_a_writer_differs_from_a_slow_one() {
        let shown = |received| {
            let why = of_named_pipe(Unreadable::Endless { seconds: 10, received });
            (why.to_string(), why.hint())
        };

        let silent = "is a named pipe, and no program wrote to it within 10 seconds".to_owned();
        assert_eq!(shown(false), (silent, "start the program that writes to it, or name another file with `-e`"));
        let slow = "did not reach end of file within 10 seconds".to_owned();
        assert_eq!(shown(true), (slow, "make sure that the program that writes to it exits"));
    }
}
