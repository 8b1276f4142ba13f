//! The files that a start watches while it runs (S14.1).

use std::path::Path;
use std::time::SystemTime;

use super::Scope;
use crate::console::diagnostics::warn;
use crate::error::Complaint;
use crate::project::{Places, files};
use crate::runtime::{ApiStart, FilesWatch, OnChange};

/// What decides which files are watched.
pub(super) struct Watched<'a> {
    places: &'a Places,
    /// The path of the Procfile.
    procfile: &'a Path,
    /// When the start began to read its files.
    read_at: SystemTime,
}

impl<'a> Watched<'a> {
    pub(super) fn new(places: &'a Places, procfile: &'a Path, read_at: SystemTime) -> Self {
        Self { places, procfile, read_at }
    }

    /// A start that watches the files of `scope`. None, with a warning: it was not registered.
    pub(super) fn added_to(&self, api: Option<ApiStart>, scope: Scope<'_>) -> Option<ApiStart> {
        let on_change = scope.on_change(self.places.dialect);
        let Some(api) = api else {
            if on_change == Some(OnChange::Reload) {
                warn(&Complaint::new("no file is watched in such a start", ""));
            }
            return None;
        };
        let files_watch = on_change.map(|on_change| self.files(on_change));
        Some(ApiStart { files_watch, ..api })
    }

    /// The files that `dyno reload` reads.
    fn files(&self, on_change: OnChange) -> FilesWatch {
        let files = files::watched(self.places, self.procfile);
        FilesWatch { files, on_change, read_at: self.read_at }
    }
}
