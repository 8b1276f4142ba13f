//! The files of `--junit` and `--json`: opened before anything starts, written after everything has ended.
//!
//! Each file is emptied at once, so that a killed smoke test leaves no older report behind, and removed if nothing was
//! started. A file that is the log itself (`/dev/stdout`) is neither emptied nor removed: the report is appended. `reports`
//! decides the contents.

use std::fs::{self, File, Metadata};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Complaint, Error, Status};
use crate::project::reason;
use crate::reports::{FinishedSmoke, json, junit};

/// Renders the text of a file.
type Render = fn(&FinishedSmoke<'_>) -> io::Result<String>;

struct ReportFile {
    path: PathBuf,
    file: File,
    kind: ReportFileKind,
    render: Render,
}

/// What kind of file a path names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReportFileKind {
    /// A file that holds the report and nothing else.
    Own,
    /// It cannot be emptied, such as a pipe, or must not be: our own stdout or stderr.
    Stream,
    /// A stream that the report was written to: a second one could not replace it.
    Spent,
}

/// The report files that the options name.
pub(super) struct ReportFiles(Vec<ReportFile>);

impl ReportFiles {
    /// Opens and empties the files.
    ///
    /// # Errors
    /// Status 2: both are the same file. Status 74: one cannot be written; then the other is removed.
    pub(super) fn open(junit: Option<&Path>, json: Option<&Path>) -> Result<Self, Error> {
        let wanted: [(Option<&Path>, Render); 2] =
            [(junit, |smoke| Ok(junit::render(smoke))), (json, |smoke| Ok(json::render(smoke)?))];
        let mut files = Self(Vec::new());
        for (path, render) in wanted {
            let Some(path) = path else { continue };
            match ReportFile::open(path, render) {
                Ok(file) => files.0.push(file),
                Err(error) => {
                    files.discard();
                    return Err(cannot_be_written(path, &error));
                }
            }
        }
        if let [first, second] = files.0.as_slice()
            && first.is_same_as(second)
        {
            files.discard();
            let hint = "give each its own file, such as `--junit smoke.xml --json smoke.json`";
            return Err(Error::new(Status::Usage, "`--junit` and `--json` must be different files", hint));
        }
        Ok(files)
    }

    /// Writes a report to each file.
    ///
    /// # Errors
    /// Status 74, one complaint for each file that could not be written completely; the others are complete.
    pub(super) fn write(&mut self, smoke: &FinishedSmoke<'_>) -> Result<(), Error> {
        let failed: Vec<Complaint> = self.0.iter_mut().filter_map(|file| file.write(smoke).err()).collect();
        if failed.is_empty() { Ok(()) } else { Err(Error::all(Status::Output, failed)) }
    }

    /// Removes the files, because nothing was started.
    pub(super) fn discard(self) {
        for file in self.0 {
            // Not a FIFO, which another program may be reading, and not a link to the file.
            if file.kind == ReportFileKind::Own && file.is_at(fs::symlink_metadata(&file.path)) {
                let _ = fs::remove_file(&file.path);
            }
        }
    }
}

impl ReportFile {
    fn open(path: &Path, render: Render) -> io::Result<Self> {
        // Not blocking: opening a FIFO would wait for a reader.
        let flags = libc::O_NONBLOCK | libc::O_CLOEXEC;
        let file = File::options().write(true).create(true).truncate(false).custom_flags(flags).open(path)?;
        let metadata = file.metadata()?;
        // Our own stream is used as it is: writing to a file that was opened again would overwrite its start.
        let (file, kind) = match own_stream(&metadata)? {
            Some(stream) => (stream, ReportFileKind::Stream),
            None if metadata.is_file() => (file, ReportFileKind::Own),
            None => (file, ReportFileKind::Stream),
        };
        let report = Self { path: path.to_owned(), file, kind, render };
        report.clear()?;
        Ok(report)
    }

    fn write(&mut self, smoke: &FinishedSmoke<'_>) -> Result<(), Complaint> {
        if self.kind == ReportFileKind::Spent {
            return Ok(());
        }
        let written = (self.render)(smoke).and_then(|text| {
            // A command of the smoke test may have removed the file.
            if self.kind == ReportFileKind::Own && !self.is_at(fs::metadata(&self.path)) {
                *self = Self::open(&self.path, self.render)?;
            }
            // It may hold an earlier version.
            self.clear()?;
            self.file.write_all(text.as_bytes())?;
            if self.kind == ReportFileKind::Stream {
                self.kind = ReportFileKind::Spent;
            }
            Ok(())
        });
        written.map_err(|error| complaint(&self.path, &error))
    }

    fn clear(&self) -> io::Result<()> {
        match self.kind {
            ReportFileKind::Own => {
                self.file.set_len(0)?;
                (&self.file).seek(SeekFrom::Start(0)).map(drop)
            }
            ReportFileKind::Stream | ReportFileKind::Spent => Ok(()),
        }
    }

    /// Whether this file is still at its path.
    fn is_at(&self, found: io::Result<Metadata>) -> bool {
        found.and_then(|found| Ok(is_same(&found, &self.file.metadata()?))).unwrap_or(false)
    }

    /// Whether both are the same file. A device such as `/dev/null` is not counted: both may use it.
    fn is_same_as(&self, other: &Self) -> bool {
        let (Ok(one), Ok(other)) = (self.file.metadata(), other.file.metadata()) else { return false };
        is_same(&one, &other) && !one.file_type().is_char_device()
    }
}

/// Our own stdout or stderr, if it is that file.
fn own_stream(file: &Metadata) -> io::Result<Option<File>> {
    let (stdout, stderr) = (io::stdout(), io::stderr());
    for stream in [stdout.as_fd(), stderr.as_fd()] {
        // A stream may be closed.
        let Ok(stream) = stream.try_clone_to_owned().map(File::from) else { continue };
        if is_same(file, &stream.metadata()?) && !file.file_type().is_char_device() {
            return Ok(Some(stream));
        }
    }
    Ok(None)
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

fn cannot_be_written(path: &Path, error: &io::Error) -> Error {
    Error::all(Status::Output, [complaint(path, error)])
}

fn complaint(path: &Path, error: &io::Error) -> Complaint {
    let fact = format!("cannot write the report `{}`: {}", path.display(), reason(error));
    let hint = if error.kind() == io::ErrorKind::NotFound {
        "create its directory first"
    } else {
        "name a file that you can write to"
    };
    Complaint::new(fact, hint)
}
