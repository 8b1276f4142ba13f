//! The files that decide what runs. A reload may add others, which `.foreman` names (S14.1).

use std::path::PathBuf;

use super::Reload;
use super::api_server::ApiServer;
use super::file_reading::{self, ReadFiles};
use crate::api::ReloadedFiles;
use crate::project::WatchedFile;
use crate::supervisor::DeployOrigin;

/// The files of an app that runs.
#[derive(Debug, Clone)]
pub(super) struct AppFiles {
    /// Those that were read last, even if they could not be applied: a change of them is of interest.
    pub(super) last_read: Vec<WatchedFile>,
    /// The paths of those that the last release was made of, other than a rollback.
    applied: Vec<PathBuf>,
}

impl AppFiles {
    pub(super) fn of_start(files: Vec<WatchedFile>) -> Self {
        Self { applied: paths(&files).collect(), last_read: files }
    }

    /// The paths of all of them.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        paths(&self.last_read).chain(self.applied.iter().cloned()).collect()
    }
}

fn paths(files: &[WatchedFile]) -> impl Iterator<Item = PathBuf> {
    files.iter().map(|file| file.path.clone())
}

impl ApiServer {
    /// Reads the files of the app as they are now. `origin`, `announce`: see [`file_reading::read`].
    pub(super) async fn read(
        &self,
        reload: Reload,
        origin: DeployOrigin,
        announce: impl Fn(&str),
    ) -> Option<ReadFiles> {
        let read = file_reading::read(reload, origin, announce).await?;
        self.files.send_modify(|files| files.last_read.clone_from(&read.files));
        Some(read)
    }

    /// Records which files a release that now runs was made of.
    pub(super) async fn applied(&self, reloaded: ReloadedFiles, files: &[WatchedFile]) {
        let applied: Vec<PathBuf> = paths(files).collect();
        self.files.send_if_modified(|known| {
            let is_other = known.applied != applied;
            known.applied = applied;
            is_other
        });
        let _turn = self.scaling.lock().await;
        // If this fails, `config:set` does not find this start by a file that is new, and the next reload tries again.
        let _ = self.registered.set_files(reloaded.paths.clone()).await;
        self.reloaded.replace(Some(reloaded));
    }
}
