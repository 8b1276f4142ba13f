//! `--log-dir`: one file for each dyno and one for all, appended and complete (S7.7).
//!
//! Written by the log thread, block by block, whatever becomes of the terminal: types that are quiet are in them, and a
//! closed terminal does not end them.

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::app::DynoName;
use crate::logs::{Formatter, LogBlock, Source};

/// The file of all lines. No dyno has it: their files end in `.N.log`.
const MERGED: &str = "all.log";

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
    merged: File,
    dynos: HashMap<DynoName, File>,
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
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(|error| LogFileError::Directory { path: directory.to_owned(), why: reason(&error) })?;
        let merged = open(&directory.join(MERGED))?;
        let files = dynos.map(|dyno| Ok((dyno.clone(), open(&file_of(directory, dyno))?)));
        let dynos = files.collect::<Result<_, LogFileError>>()?;
        Ok(Self { directory: directory.to_owned(), formatter, merged, dynos, buffer: Vec::new() })
    }

    /// Appends a block to the merged file and to that of its dyno.
    pub(super) fn write(&mut self, block: &LogBlock) -> Result<(), LogFileError> {
        self.buffer.clear();
        self.formatter.render(block, &mut self.buffer);
        let refused = |path, error: &io::Error| LogFileError::Write { path, why: reason(error) };
        self.merged.write_all(&self.buffer).map_err(|error| refused(self.directory.join(MERGED), &error))?;
        let dyno = match &block.source {
            Source::App(dyno) | Source::Notice(dyno) => dyno,
            Source::System => return Ok(()),
        };
        match self.dynos.get_mut(dyno) {
            Some(file) => file.write_all(&self.buffer).map_err(|error| refused(file_of(&self.directory, dyno), &error)),
            None => Ok(()),
        }
    }
}

fn file_of(directory: &Path, dyno: &DynoName) -> PathBuf {
    directory.join(format!("{dyno}.log"))
}

/// Not through a link: the directory may be one that others can write to. And never waiting: for the reader of a FIFO.
fn open(path: &Path) -> Result<File, LogFileError> {
    const NO_FILE: &str = "it is no regular file";
    let refused = |why| LogFileError::File { path: path.to_owned(), why };
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
    let file = OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(path);
    let file = file.map_err(|error| {
        refused(match error.raw_os_error() {
            Some(libc::ELOOP) => "it is a symbolic link",
            Some(libc::ENXIO) => NO_FILE,
            Some(_) | None => reason(&error),
        })
    })?;
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(file),
        Ok(_) => Err(refused(NO_FILE)),
        Err(error) => Err(refused(reason(&error))),
    }
}

fn reason(error: &io::Error) -> &'static str {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)).desc()
}
