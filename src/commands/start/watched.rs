//! The files that a start watches while it runs (S14).

use super::Scope;
use crate::app::WatchList;
use crate::console::diagnostics::warn;
use crate::error::Complaint;
use crate::project::{Places, WatchedFile};
use crate::runtime::{ApiStart, OnChange, SourcesWatch};
use crate::settings::Settings;

/// What decides which files are watched.
pub(super) struct Watched<'a> {
    places: &'a Places,
    /// The files that the start has read.
    files: Vec<WatchedFile>,
    settings: &'a Settings,
}

impl<'a> Watched<'a> {
    pub(super) fn new(places: &'a Places, files: Vec<WatchedFile>, settings: &'a Settings) -> Self {
        Self { places, files, settings }
    }

    /// Adds to a start the files that it watches: those of `scope`, and of the list in its releases. If the start was not
    /// registered, warns that nothing is watched, and returns None.
    pub(super) fn added_to(self, api: Option<ApiStart>, scope: Scope<'_>, list: &WatchList) -> Option<ApiStart> {
        let on_change = scope.on_change(self.places.dialect);
        let Some(api) = api else {
            if on_change == Some(OnChange::Reload) || !list.types.is_empty() {
                warn(&Complaint::new("no files are watched, because this start is not registered", ""));
            }
            return None;
        };
        Some(ApiStart { on_change, sources_watch: Some(self.sources()), files: self.files, ..api })
    }

    /// How the files of `--watch` are watched.
    fn sources(&self) -> SourcesWatch {
        let log_directory = self.settings.look.log_dir.as_ref().map(|directory| self.places.current.join(directory));
        SourcesWatch { root: self.places.root.clone(), delay: self.settings.watch.delay, log_directory }
    }
}
