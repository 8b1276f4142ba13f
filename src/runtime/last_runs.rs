//! The summaries that starts leave in the runtime directory when they end, for `dyno why`. One file for each app and set of
//! process types; the oldest ones are removed.

use std::fs::{self, DirEntry, File};
use std::io::{self, Read, Write};
use std::time::SystemTime;

use nix::fcntl::OFlag;

use super::RuntimeDirectory;
use crate::api::{LastRun, StartDescription, stable_id};

/// The ending of their names.
const SUMMARY: &str = ".ended";
/// The ending of one that is being written.
const UNFINISHED: &str = ".ending";
/// How many are kept.
const MOST_SUMMARIES: usize = 50;
/// The longest one in bytes: a thousand dynos have less.
const MAX_SUMMARY: u64 = 4 << 20;

impl RuntimeDirectory {
    /// Leaves the summary of a start, in place of an earlier one of the same process types.
    ///
    /// # Errors
    /// The system refused the file.
    pub(super) fn leave(&self, run: &LastRun) -> io::Result<()> {
        let StartDescription { root, procfile, types, .. } = &run.start;
        let texts: Vec<&str> = [root, procfile].into_iter().chain(types).map(String::as_str).collect();
        let name = stable_id(&texts);
        // The process id keeps apart two starts that end at the same time.
        let unfinished = format!("{name}-{}{UNFINISHED}", std::process::id());
        let mut file = self.file_to_write(&unfinished, OFlag::O_TRUNC)?;
        let unfinished = self.1.join(unfinished);
        let written = file.write_all(&serde_json::to_vec(run)?);
        let left = written.and_then(|()| fs::rename(&unfinished, self.1.join(format!("{name}{SUMMARY}"))));
        if left.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        self.remove_oldest();
        left
    }

    /// The starts that have ended, the last one first.
    #[must_use]
    pub fn last_runs(&self) -> Vec<LastRun> {
        let read = |entry: DirEntry| {
            let mut text = Vec::new();
            File::open(entry.path()).ok()?.take(MAX_SUMMARY).read_to_end(&mut text).ok()?;
            serde_json::from_slice(&text).ok()
        };
        let now = jiff::Timestamp::now();
        let killed = self.killed().into_iter().map(|start| LastRun::of_killed(start, now));
        let mut runs: Vec<LastRun> = self.summaries().filter_map(read).chain(killed).collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.ended_at_ms));
        runs
    }

    fn summaries(&self) -> impl Iterator<Item = DirEntry> {
        let entries = fs::read_dir(&self.1).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(SUMMARY))
    }

    fn remove_oldest(&self) {
        let written = |entry: &DirEntry| entry.metadata().and_then(|found| found.modified());
        let mut all: Vec<DirEntry> = self.summaries().collect();
        all.sort_by_cached_key(|entry| std::cmp::Reverse(written(entry).unwrap_or(SystemTime::UNIX_EPOCH)));
        for old in all.iter().skip(MOST_SUMMARIES) {
            let _ = fs::remove_file(old.path());
        }
    }
}
