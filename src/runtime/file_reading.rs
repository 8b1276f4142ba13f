//! Reads the files of the app again in a thread of its own, because a `.env` may be a named pipe whose writer is slow (S2.1).
//!
//! The reading is abandoned as soon as nothing waits for it, and the end of the run does not wait for it. Not here:
//! which files are read (`project`), and what is done with the result (`api_reload`).

use std::io::{self, PipeReader};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;

use tokio::sync::{mpsc, oneshot};

use super::Reload;
use crate::error::{Complaint, Error};
use crate::project::WatchedFile;
use crate::supervisor::{Deploy, DeployOrigin};

/// The most lines that are not shown yet. A file that is slow to read causes one.
const MAX_LINES: usize = 16;

/// What the files of the app say now.
pub struct ReadFiles {
    /// The release that they describe, or why there is none.
    pub release: Result<Deploy, Error>,
    /// The files, as they were before they were read.
    pub(crate) files: Vec<WatchedFile>,
    /// The paths of the files, for other processes.
    pub paths: Vec<String>,
    /// What a start with these files would warn about.
    pub warnings: Vec<Complaint>,
    /// What else the person who reloads should know.
    pub notes: Vec<Complaint>,
    /// Another note, which is shown only if nothing is different.
    pub note_if_unchanged: Option<Complaint>,
}

/// One reading of the files, as seen by the code that reads them.
pub struct FileReading {
    origin: DeployOrigin,
    lines: mpsc::Sender<String>,
    abandoned: PipeReader,
}

impl FileReading {
    /// Why the files are read.
    #[must_use]
    pub fn origin(&self) -> DeployOrigin {
        self.origin
    }

    /// Shows a line about a file that is slow to read to the person who waits.
    pub fn announce(&self, line: &str) {
        let _ = self.lines.try_send(line.to_owned());
    }

    /// A pipe whose other end is closed as soon as nothing waits for the files any more.
    #[must_use]
    pub fn abandoned(&self) -> BorrowedFd<'_> {
        self.abandoned.as_fd()
    }
}

/// Reads the files. Dropping the future abandons that. `origin`: why they are read. `announce` shows a line about a slow file.
/// None: the system has no room for a thread.
pub(super) async fn read(reload: Reload, origin: DeployOrigin, announce: impl Fn(&str)) -> Option<ReadFiles> {
    // Dropped with this future, which closes the pipe.
    let (abandoned, _interest) = io::pipe().ok()?;
    let (lines, mut announced) = mpsc::channel(MAX_LINES);
    let (sender, mut read) = oneshot::channel();
    let reading = FileReading { origin, lines, abandoned };
    thread::Builder::new().spawn(move || drop(sender.send((reload.read)(&reading)))).ok()?;
    loop {
        tokio::select! {
            biased;
            Some(line) = announced.recv() => announce(&line),
            read = &mut read => return read.ok(),
        }
    }
}
