//! The files that a start watches while it runs (S14).

use std::path::Path;
use std::time::SystemTime;

use super::Scope;
use crate::app::WatchList;
use crate::console::diagnostics::warn;
use crate::error::Complaint;
use crate::project::{Places, files};
use crate::runtime::{ApiStart, FilesWatch, OnChange, SourcesWatch};
use crate::settings::Settings;

/// What decides which files are watched.
pub(super) struct Watched<'a> {
    places: &'a Places,
    /// The path of the Procfile.
    procfile: &'a Path,
    settings: &'a Settings,
    /// When the start began to read its files.
    read_at: SystemTime,
}

impl<'a> Watched<'a> {
    pub(super) fn new(places: &'a Places, procfile: &'a Path, settings: &'a Settings, read_at: SystemTime) -> Self {
        Self { places, procfile, settings, read_at }
    }

    /// Adds to a start the files that it watches: those of `scope`, and of the list in its releases. If the start was not
    /// registered, warns that nothing is watched, and returns None.
    pub(super) fn added_to(&self, api: Option<ApiStart>, scope: Scope<'_>, list: &WatchList) -> Option<ApiStart> {
        let on_change = scope.on_change(self.places.dialect);
        let Some(api) = api else {
            if on_change == Some(OnChange::Reload) || !list.types.is_empty() {
                warn(&Complaint::new("no files are watched, because this start is not registered", ""));
            }
            return None;
        };
        let files_watch = on_change.map(|on_change| self.files(on_change));
        Some(ApiStart { files_watch, sources_watch: Some(self.sources()), ..api })
    }

    /// The files that `dyno reload` reads.
    fn files(&self, on_change: OnChange) -> FilesWatch {
        let files = files::watched(self.places, self.procfile);
        FilesWatch { files, on_change, read_at: self.read_at }
    }

    /// How the files of `--watch` are watched.
    fn sources(&self) -> SourcesWatch {
        let read = files::watched(self.places, self.procfile).into_iter().map(|(path, _)| path);
        let log_directory = self.settings.look.log_dir.as_ref().map(|directory| self.places.current.join(directory));
        SourcesWatch {
            root: self.places.root.clone(),
            delay: self.settings.watch.delay,
            excluded: read.chain(log_directory).collect(),
        }
    }
}
