//! The files of `--junit` and `--json`: opened before anything starts, written when all is over.
//!
//! Each is emptied at once, so that a smoke that is killed leaves no report of an older one, and taken away where nothing
//! was started. Decides nothing about what is in them: `reports` does.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::places::reason;
use crate::error::{Complaint, Error, Status};
use crate::reports::{Smoke, json, junit};

/// What makes the text of a file.
type Render = fn(&Smoke<'_>) -> io::Result<String>;

struct ReportFile {
    path: PathBuf,
    file: File,
    render: Render,
}

/// Those that were asked for.
pub(super) struct ReportFiles(Vec<ReportFile>);

impl ReportFiles {
    /// Opens them.
    ///
    /// # Errors
    /// Status 2: both are the same file. Status 74: one cannot be written; then there is none.
    pub(super) fn open(junit: Option<&Path>, json: Option<&Path>) -> Result<Self, Error> {
        if junit.is_some() && junit == json {
            let hint = "give each its own file, such as `--junit smoke.xml --json smoke.json`";
            return Err(Error::new(Status::Usage, "`--junit` and `--json` name the same file", hint));
        }
        let wanted: [(Option<&Path>, Render); 2] =
            [(junit, |smoke| Ok(junit::render(smoke))), (json, |smoke| Ok(json::render(smoke)?))];
        let mut files = Self(Vec::new());
        for (path, render) in wanted {
            let Some(path) = path else { continue };
            match open(path) {
                Ok(file) => files.0.push(ReportFile { path: path.to_owned(), file, render }),
                Err(error) => {
                    files.discard();
                    return Err(cannot_be_written(path, &error));
                }
            }
        }
        Ok(files)
    }

    /// Writes all of them.
    ///
    /// # Errors
    /// Status 74, one complaint for each that could not be written whole; the others are.
    pub(super) fn write(&mut self, smoke: &Smoke<'_>) -> Result<(), Error> {
        let failed: Vec<Complaint> = self.0.iter_mut().filter_map(|file| file.write(smoke).err()).collect();
        if failed.is_empty() { Ok(()) } else { Err(Error::all(Status::Output, failed)) }
    }

    /// Takes them away: nothing was started.
    pub(super) fn discard(self) {
        for file in self.0 {
            // Not what others made and wait at, such as a FIFO.
            if file.file.metadata().is_ok_and(|metadata| metadata.is_file()) {
                let _ = fs::remove_file(&file.path);
            }
        }
    }
}

impl ReportFile {
    fn write(&mut self, smoke: &Smoke<'_>) -> Result<(), Complaint> {
        let written = (self.render)(smoke).and_then(|text| {
            // It may hold an earlier version; a pipe cannot be emptied and never does.
            if self.file.metadata()?.is_file() {
                self.file.set_len(0)?;
                self.file.seek(SeekFrom::Start(0))?;
            }
            self.file.write_all(text.as_bytes())
        });
        written.map_err(|error| complaint(&self.path, &error))
    }
}

/// Not blocking: opening a FIFO would wait for a reader.
fn open(path: &Path) -> io::Result<File> {
    File::options().write(true).create(true).truncate(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(path)
}

fn cannot_be_written(path: &Path, error: &io::Error) -> Error {
    Error::all(Status::Output, [complaint(path, error)])
}

fn complaint(path: &Path, error: &io::Error) -> Complaint {
    let fact = format!("the report `{}` cannot be written: {}", path.display(), reason(error));
    let hint = if error.kind() == io::ErrorKind::NotFound {
        "make its directory first"
    } else {
        "name a file you may write to"
    };
    Complaint::new(fact, hint)
}
