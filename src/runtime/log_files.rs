//! `--log-dir`: one file for each dyno and one for all, appended and complete (S7.7).
//!
//! Written by the log thread, block by block, whatever becomes of the terminal: types that are quiet are in them, and
//! neither a closed terminal nor a reader that stands still ends them. A file that was moved or removed is created anew.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::app::DynoName;
use crate::logs::{Formatter, LogBlock, Source};

/// The file of all lines. No dyno has it: their files end in `.N.log`.
const MERGED: &str = "all.log";

/// How often a file that is gone is created anew before that is an error.
const ATTEMPTS: u32 = 100;

/// Why the lines cannot go to a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogFileError {
    /// The directory cannot be made.
    #[error("the log directory `{}` cannot be used: {why}", path.display())]
    Directory {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        why: &'static str,
    },
    /// A file in it cannot be opened.
    #[error("the log file `{}` cannot be used: {why}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What the system said, or what it is instead of a file.
        why: &'static str,
    },
    /// A file in it refused a write.
    #[error("the log file `{}` could not be written: {why}", path.display())]
    Write {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        why: &'static str,
    },
}

/// The files of one directory.
pub struct LogFiles {
    directory: PathBuf,
    formatter: Formatter,
    merged: LogFile,
    dynos: HashMap<DynoName, LogFile>,
    buffer: Vec<u8>,
}

impl LogFiles {
    /// Makes the directory if there is none, readable for its owner only, and opens the merged file and those of these
    /// dynos: what is wrong with one of them is known before anything runs.
    ///
    /// # Errors
    /// The directory or a file in it cannot be used.
    pub fn open<'a>(
        directory: &Path,
        dynos: impl Iterator<Item = &'a DynoName>,
        formatter: Formatter,
    ) -> Result<Self, LogFileError> {
        make(directory)?;
        let merged = LogFile::open(directory.join(MERGED))?;
        let file = |dyno: &DynoName| LogFile::open(directory.join(format!("{dyno}.log")));
        let dynos = dynos.map(|dyno| Ok((dyno.clone(), file(dyno)?))).collect::<Result<_, LogFileError>>()?;
        Ok(Self { directory: directory.to_owned(), formatter, merged, dynos, buffer: Vec::new() })
    }

    /// Appends a block to the merged file and to that of its dyno.
    pub(super) fn write(&mut self, block: &LogBlock) -> Result<(), LogFileError> {
        self.buffer.clear();
        self.formatter.render(block, &mut self.buffer);
        let own = match &block.source {
            Source::App(dyno) | Source::Notice(dyno) => self.dynos.get_mut(dyno),
            Source::System => None,
        };
        for file in [Some(&mut self.merged), own].into_iter().flatten() {
            if !file.is_in_place() {
                file.create_anew(&self.directory)?;
            }
            file.append(&self.buffer)?;
        }
        Ok(())
    }
}

fn make(directory: &Path) -> Result<(), LogFileError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|error| LogFileError::Directory { path: directory.to_owned(), why: reason(&error) })
}

/// One file, and what tells it from another at the same path.
struct LogFile {
    path: PathBuf,
    file: File,
    device: u64,
    inode: u64,
}

impl LogFile {
    /// Not through a link: the directory may be one that others can write to. And never waiting: for the reader of a FIFO.
    fn open(path: PathBuf) -> Result<Self, LogFileError> {
        const NO_FILE: &str = "it is no regular file";
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(&path);
        let result = opened.and_then(|file| Ok((file.metadata()?, file))).map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP) => "it is a symbolic link",
            Some(libc::ENXIO) => NO_FILE,
            Some(_) | None => reason(&error),
        });
        match result {
            Ok((metadata, file)) if metadata.is_file() => {
                Ok(Self { path, file, device: metadata.dev(), inode: metadata.ino() })
            }
            Ok(_) => Err(LogFileError::File { path, why: NO_FILE }),
            Err(why) => Err(LogFileError::File { path, why }),
        }
    }

    /// Whether its path still leads to it. If not, it was removed, and what is appended to it is lost; or it was moved away,
    /// as `logrotate` does, which then compresses it.
    fn is_in_place(&self) -> bool {
        match fs::symlink_metadata(&self.path) {
            Ok(found) => (found.dev(), found.ino()) == (self.device, self.inode),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => false,
            // Its directory cannot be searched now; the file itself still takes lines.
            Err(_) => self.file.metadata().is_ok_and(|metadata| metadata.nlink() > 0),
        }
    }

    /// Tried more than once: another program may be moving or removing the directory right now.
    fn create_anew(&mut self, directory: &Path) -> Result<(), LogFileError> {
        let mut left = ATTEMPTS;
        loop {
            left -= 1;
            match make(directory).and_then(|()| Self::open(self.path.clone())) {
                Ok(file) => {
                    *self = file;
                    return Ok(());
                }
                Err(_) if left > 0 => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), LogFileError> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| LogFileError::Write { path: self.path.clone(), why: reason(&error) })
    }
}

fn reason(error: &io::Error) -> &'static str {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)).desc()
}
