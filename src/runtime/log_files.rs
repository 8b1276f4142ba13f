//! Writes the files of `--log-dir`: one for each dyno and one for all, always complete (S7.7).
//!
//! The log thread appends block by block, whatever happens to the terminal: the files also have the lines of quiet types,
//! and they go on after the terminal is closed or its reader stops reading. A file that was moved or removed is created
//! again.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::poll::poll;

use super::own_files;
use crate::logs::{Formatter, LogBlock, Source};
use crate::model::DynoName;

/// The file of all lines. It cannot clash with the file of a dyno, whose name ends in `.N.log`.
const MERGED: &str = "all.log";

/// How many times to try to create a file that is gone before giving up, with a pause of [`PAUSE_MS`] in between.
const ATTEMPTS: u32 = 100;

/// Pause before the next attempt, in milliseconds. Only the log thread pauses.
const PAUSE_MS: u8 = 1;

/// Why lines cannot be written to a log file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogFileError {
    /// The directory cannot be created.
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
        /// What the system said, or what the path is instead of a file.
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

/// The open log files of one directory.
pub struct LogFiles {
    directory: PathBuf,
    formatter: Formatter,
    merged: LogFile,
    dynos: HashMap<DynoName, LogFile>,
    buffer: Vec<u8>,
}

impl LogFiles {
    /// Creates the directory if it is missing, readable only by its owner, and opens the merged file and those of these
    /// dynos, so that every problem is reported before anything runs. Files of other dynos are opened with their first line.
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
        let file = |dyno: &DynoName| Ok((dyno.clone(), Self::file_of(directory, dyno)?));
        let dynos = dynos.map(file).collect::<Result<_, LogFileError>>()?;
        Ok(Self { directory: directory.to_owned(), formatter, merged, dynos, buffer: Vec::new() })
    }

    fn file_of(directory: &Path, dyno: &DynoName) -> Result<LogFile, LogFileError> {
        LogFile::open(directory.join(format!("{dyno}.log")))
    }

    /// Where the files are.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether the file of a dyno that is about to be added can be opened.
    ///
    /// # Errors
    /// The directory or the file cannot be used.
    pub(super) fn check(directory: &Path, dyno: &DynoName) -> Result<(), LogFileError> {
        make(directory).and_then(|()| Self::file_of(directory, dyno)).map(drop)
    }

    /// Closes the file of a dyno that was removed. If lines of a dyno of the same name follow, they are appended.
    pub(super) fn close(&mut self, dyno: &DynoName) {
        self.dynos.remove(dyno);
    }

    /// Appends a block to the merged file and to that of its dyno.
    pub(super) fn write(&mut self, block: &LogBlock) -> Result<(), LogFileError> {
        self.buffer.clear();
        self.formatter.render(block, &mut self.buffer);
        let own = match &block.source {
            Source::App(dyno) | Source::Notice(dyno) => {
                // A dyno that was added while others run.
                if !self.dynos.contains_key(dyno) {
                    self.dynos.insert(dyno.clone(), Self::file_of(&self.directory, dyno)?);
                }
                self.dynos.get_mut(dyno)
            }
            Source::System | Source::Router => None,
        };
        for file in [Some(&mut self.merged), own].into_iter().flatten() {
            if !file.is_in_place() {
                file.create_again(&self.directory)?;
            }
            file.append(&self.buffer)?;
        }
        Ok(())
    }
}

fn make(directory: &Path) -> Result<(), LogFileError> {
    own_files::create_directories(directory)
        .map_err(|error| LogFileError::Directory { path: directory.to_owned(), why: reason(&error) })
}

/// An open file, with the numbers that tell whether its path still leads to it.
struct LogFile {
    path: PathBuf,
    file: File,
    device: u64,
    inode: u64,
}

impl LogFile {
    /// Does not follow a symbolic link, because other users may be able to write to the directory. Does not wait for the
    /// reader of a FIFO.
    fn open(path: PathBuf) -> Result<Self, LogFileError> {
        const NOT_A_FILE: &str = "it is not a regular file";
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
        let opened = own_files::open(&path, OpenOptions::new().append(true).create(true).custom_flags(flags));
        let result = opened.and_then(|file| Ok((file.metadata()?, file))).map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP) => "it is a symbolic link",
            Some(libc::ENXIO) => NOT_A_FILE,
            Some(_) | None => reason(&error),
        });
        match result {
            Ok((metadata, file)) if metadata.is_file() => {
                Ok(Self { path, file, device: metadata.dev(), inode: metadata.ino() })
            }
            Ok(_) => Err(LogFileError::File { path, why: NOT_A_FILE }),
            Err(why) => Err(LogFileError::File { path, why }),
        }
    }

    /// Whether the path still leads to this file. If not, the file was removed and further lines would be lost, or it was
    /// moved away by `logrotate`, which will compress it.
    fn is_in_place(&self) -> bool {
        match fs::symlink_metadata(&self.path) {
            Ok(found) => (found.dev(), found.ino()) == (self.device, self.inode),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => false,
            // The directory cannot be searched now, but the file itself can still be written.
            Err(_) => self.file.metadata().is_ok_and(|metadata| metadata.nlink() > 0),
        }
    }

    /// Tries more than once, because another program may be moving or removing the directory right now.
    fn create_again(&mut self, directory: &Path) -> Result<(), LogFileError> {
        let mut left = ATTEMPTS;
        loop {
            left -= 1;
            match make(directory).and_then(|()| Self::open(self.path.clone())) {
                Ok(file) => {
                    *self = file;
                    return Ok(());
                }
                Err(_) if left > 0 => {
                    let _ = poll(&mut [], PAUSE_MS);
                }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProcessType;

    #[test]
    fn s7_7_a_dyno_that_is_added_later_gets_its_file_with_its_first_line() {
        let directory = std::env::temp_dir().join(format!("dyno-log-files-{}", std::process::id()));
        let dyno = DynoName::new(ProcessType::new("web").unwrap(), 2);
        let line = |text: &str| LogBlock {
            source: Source::App(dyno.clone()),
            time: jiff::Timestamp::UNIX_EPOCH,
            bytes: text.as_bytes().to_vec(),
            continued: false,
        };
        let mut files = LogFiles::open(&directory, [].iter(), Formatter::plain()).unwrap();
        let path = directory.join("web.2.log");
        let existed = path.exists();

        files.write(&line("one\n")).unwrap();
        files.close(&dyno);
        files.write(&line("two\n")).unwrap();

        let text = fs::read_to_string(&path);
        fs::remove_dir_all(&directory).unwrap();
        assert!(!existed);
        assert_eq!(text.unwrap(), "web.2  | one\nweb.2  | two\n");
    }

    #[test]
    fn s7_7_a_directory_that_is_gone_for_a_moment_does_not_end_the_files() {
        let parent = std::env::temp_dir().join(format!("dyno-log-files-gone-{}", std::process::id()));
        let directory = parent.join("log");
        let block = LogBlock {
            source: Source::System,
            time: jiff::Timestamp::UNIX_EPOCH,
            bytes: b"one\n".to_vec(),
            continued: false,
        };
        let mut files = LogFiles::open(&directory, [].iter(), Formatter::plain()).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        // As long as a file has its name, the directory cannot be created.
        fs::write(&directory, "").unwrap();
        let began = std::time::Instant::now();

        let result = files.write(&block);

        let waited = began.elapsed();
        fs::remove_dir_all(&parent).unwrap();
        assert!(matches!(result, Err(LogFileError::Directory { .. })), "{result:?}");
        assert!(waited.as_millis() >= 99, "it gave up after {waited:?}");
    }
}
