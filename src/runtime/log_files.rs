//! `--log-dir`: one file for each dyno and one for all, appended and complete (S7.7).
//!
//! Written by the log thread, block by block, whatever becomes of the terminal: types that are quiet are in them, and a
//! closed terminal does not end them.

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::app::DynoName;
use crate::logs::{Formatter, LogBlock, Source};

/// The file of all lines. No dyno has it: their files end in `.N.log`.
const MERGED: &str = "all.log";

/// The files of one directory.
pub struct LogFiles {
    directory: PathBuf,
    formatter: Formatter,
    merged: File,
    dynos: HashMap<DynoName, File>,
    buffer: Vec<u8>,
}

impl LogFiles {
    /// Makes the directory if there is none, readable for its owner only, and opens the merged file.
    ///
    /// # Errors
    /// The directory or the file cannot be made.
    pub fn open(directory: &Path, formatter: Formatter) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let merged = open(&directory.join(MERGED))?;
        Ok(Self { directory: directory.to_owned(), formatter, merged, dynos: HashMap::new(), buffer: Vec::new() })
    }

    /// Appends a block to the merged file and to that of its dyno.
    pub(super) fn write(&mut self, block: &LogBlock) -> io::Result<()> {
        self.buffer.clear();
        self.formatter.render(block, &mut self.buffer);
        self.merged.write_all(&self.buffer)?;
        let dyno = match &block.source {
            Source::App(dyno) | Source::Notice(dyno) => dyno,
            Source::System => return Ok(()),
        };
        if !self.dynos.contains_key(dyno) {
            let file = open(&self.directory.join(format!("{dyno}.log")))?;
            self.dynos.insert(dyno.clone(), file);
        }
        match self.dynos.get_mut(dyno) {
            Some(file) => file.write_all(&self.buffer),
            None => Ok(()),
        }
    }
}

/// Not through a link: the directory may be one that others can write to.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(path)
}
