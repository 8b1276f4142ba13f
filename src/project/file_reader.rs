//! How the files of an app are read: where the line about a slow file is shown, when the wait for that file is abandoned,
//! and what the files looked like before they were read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::places::is_stream;
use super::source_file::{self, Unreadable, is_named_pipe};
use super::watched_file::FileStamp;
use crate::model::Secret;

/// The texts of stdin and of pipes of the shell, which can be read only once, and of named pipes, which have a text only
/// while their writer is there.
#[derive(Debug, Default)]
pub(crate) struct StreamTexts(Mutex<BTreeMap<PathBuf, Secret>>);

impl StreamTexts {
    /// Those that have been read and cannot be read again: stdin and pipes of the shell.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.texts().keys().filter(|path| is_stream(path)).cloned().collect()
    }

    fn text(&self, path: &Path) -> Option<Vec<u8>> {
        self.texts().get(path).map(|text| text.reveal().to_vec())
    }

    fn keep(&self, path: &Path, text: &[u8]) {
        self.texts().insert(path.to_owned(), Secret::new(text));
    }

    fn forget(&self, path: &Path) {
        self.texts().remove(path);
    }

    fn texts(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Secret>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the files of an app.
pub(crate) struct FileReader<'a> {
    /// Shows a line about a file that is slow to read.
    announce: &'a dyn Fn(&str),
    /// A pipe whose other end is closed as soon as nothing waits for the files any more. None: the wait is never
    /// abandoned.
    abandoned: Option<BorrowedFd<'a>>,
    /// Where the texts of streams and named pipes are kept. None: nothing is read twice.
    streams: Option<&'a StreamTexts>,
    /// Whether a named pipe that was read keeps its text. Otherwise it is read again.
    reuses_pipes: bool,
    /// What the files looked like before they were read.
    stamps: RefCell<BTreeMap<PathBuf, FileStamp>>,
}

impl<'a> FileReader<'a> {
    /// A reader that calls `announce` with a line about each slow file.
    pub(crate) fn announcing(announce: &'a dyn Fn(&str)) -> Self {
        Self { announce, abandoned: None, streams: None, reuses_pipes: false, stamps: RefCell::default() }
    }

    /// The same reader, which stops as soon as the other end of this pipe is closed.
    pub(crate) fn until_abandoned(self, abandoned: BorrowedFd<'a>) -> Self {
        Self { abandoned: Some(abandoned), ..self }
    }

    /// The same reader, which keeps the texts of streams and named pipes in `streams`, and takes those of streams from there.
    pub(crate) fn keeping(self, streams: &'a StreamTexts) -> Self {
        Self { streams: Some(streams), ..self }
    }

    /// The same reader, which takes the texts of named pipes from there, too.
    pub(crate) fn reusing_pipes(self) -> Self {
        Self { reuses_pipes: true, ..self }
    }

    /// Records what a file looks like before it is read or looked for.
    pub(super) fn note(&self, path: &Path) {
        self.stamps.borrow_mut().entry(path.to_owned()).or_insert_with(|| FileStamp::of(path));
    }

    /// What a file looked like before it was read.
    pub(super) fn stamp(&self, path: &Path) -> FileStamp {
        self.stamps.borrow().get(path).copied().unwrap_or_else(|| FileStamp::of(path))
    }

    /// Reads a file of config vars, which may be a named pipe. `name`: as shown to the user.
    pub(super) fn read_env(&self, path: &Path, name: &str) -> Result<Vec<u8>, Unreadable> {
        let announce = |seconds| {
            let line = format!("waiting up to {seconds} seconds for a program to write to {name} (a named pipe)");
            (self.announce)(&line);
        };
        self.once(path, || source_file::read_or_wait(path, self.abandoned, announce))
    }

    /// Reads a Procfile.
    pub(super) fn read_procfile(&self, path: &Path) -> Result<Vec<u8>, Unreadable> {
        self.note(path);
        self.once(path, || source_file::read(path))
    }

    fn once(&self, path: &Path, read: impl FnOnce() -> Result<Vec<u8>, Unreadable>) -> Result<Vec<u8>, Unreadable> {
        let Some(streams) = self.streams else { return read() };
        if !is_stream(path) && !is_named_pipe(path) {
            // Another file may have taken the place of a named pipe.
            streams.forget(path);
            return read();
        }
        let kept = streams.text(path).filter(|_| is_stream(path) || self.reuses_pipes);
        if let Some(text) = kept {
            return Ok(text);
        }
        let text = read()?;
        streams.keep(path, &text);
        Ok(text)
    }
}
