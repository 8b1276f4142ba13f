//! Restarts the dynos of a process type when files of the app change (S14.3).
//!
//! `watched_tree` decides which files are watched, `watch` when a change has an effect, and the supervisor which dynos
//! are replaced.

use std::collections::BTreeSet;
use std::fs;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use tokio::task::spawn_blocking;

use super::api_server::ApiServer;
use super::calls::ApiCall;
use super::file_watcher::{FileWatcher, Seen, WhyPolled, until};
use super::watched_places::WatchedPlaces;
use super::watched_tree::WatchedTree;
use crate::model::{DynoName, ProcessType};
use crate::supervisor::{Command, ReleaseInfo, ReleaseStatus, Snapshot, StartPhase};
use crate::watch::{Pace, Settling, Verdict};

/// What the files are watched for at first.
const FIRST: Current = Current { release: 1, has_pending: false };

/// A release that the formation runs on.
#[derive(Debug, Clone, Copy)]
struct Current {
    release: u32,
    /// Whether a later one may replace it soon.
    has_pending: bool,
}

/// How the files of the app are watched that restart process types.
#[derive(Debug, Clone)]
pub struct SourcesWatch {
    /// The root of the app.
    pub root: PathBuf,
    /// How long all files must stay unchanged before a change has an effect.
    pub delay: Duration,
    /// The directory of the log files, which `dyno` itself writes.
    pub log_directory: Option<PathBuf>,
}

/// The process types that restart, each with the patterns of its files. No pattern: all files.
pub(super) type WatchedTypes = Vec<(ProcessType, Vec<String>)>;

/// The same, with what is watched already.
pub(super) struct WatchedSources {
    watch: SourcesWatch,
    /// The files of the app, which `--reload` watches.
    read: Vec<PathBuf>,
    /// What the current release restarts.
    types: WatchedTypes,
    /// None: nothing.
    armed: Option<ArmedTree>,
}

/// One process type.
struct WatchedType {
    process_type: ProcessType,
    /// None: all files.
    files: Option<Gitignore>,
    pace: Pace,
    /// The first file that has changed during a pause, and how many others.
    held_back: Option<(String, usize)>,
}

/// What is watched now.
struct ArmedTree {
    /// The paths that change if another directory takes the place of the root.
    of_root: WatchedPlaces,
    tree: WatchedTree,
    watcher: FileWatcher,
    polled: Option<WhyPolled>,
}

impl SourcesWatch {
    /// Watches the files of the first release from now on. Call it before the first dyno starts, so that each change of a
    /// file that a dyno may have read is seen.
    /// `read`: the files of the app.
    pub(super) async fn begin(self, types: WatchedTypes, read: Vec<PathBuf>) -> WatchedSources {
        let armed = if types.is_empty() { None } else { arm(self.clone(), read.clone()).await };
        WatchedSources { watch: self, read, types, armed }
    }

    /// What is never watched below the root: each path without symlinks in its directory, and the target if it is a symlink.
    fn excluded(&self, read: &[PathBuf]) -> BTreeSet<PathBuf> {
        let both = |path: &PathBuf| [Some(real(path)), fs::canonicalize(path).ok()].into_iter().flatten();
        read.iter().chain(&self.log_directory).flat_map(both).collect()
    }
}

impl WatchedSources {
    /// Watches everything as the file system is now.
    async fn arm(&mut self) {
        self.armed = arm(self.watch.clone(), self.read.clone()).await;
    }

    /// Looks at these paths again (None: at everything). Returns the files that have changed, relative to the root.
    async fn update(&mut self, paths: Vec<Option<PathBuf>>) -> Vec<PathBuf> {
        let Some(armed) = self.armed.take() else { return Vec::new() };
        let (watch, read) = (self.watch.clone(), self.read.clone());
        let Ok((changed, armed)) = spawn_blocking(move || armed.update(paths, watch, &read)).await else {
            return Vec::new();
        };
        self.armed = Some(armed);
        changed
    }

    /// From now on, these are the files of the app.
    async fn exclude(&mut self, read: Vec<PathBuf>) {
        if let Some(armed) = self.armed.take_if(|_| read != self.read) {
            self.armed = armed.excluding(self.watch.clone(), read.clone()).await;
        }
        self.read = read;
    }
}

impl ApiServer {
    /// Restarts process types until the run ends, as the current release says.
    pub(super) async fn watch_sources(self: Rc<Self>, sources: WatchedSources) {
        self.restart_types(sources).await;
        self.watched_release.send_replace(u32::MAX);
    }

    async fn restart_types(&self, mut sources: WatchedSources) {
        self.watched_release.send_replace(FIRST.release);
        let mut files = self.files.subscribe();
        files.mark_changed();
        let mut types: Vec<WatchedType> = sources.types.iter().map(WatchedType::new).collect();
        let mut next = std::pin::pin!(self.next_release(FIRST));
        let mut has_said_polled = false;
        // None: any file may have changed.
        let mut settling: Settling<Option<PathBuf>> = Settling::new(sources.watch.delay);
        loop {
            let polled = sources.armed.as_ref().and_then(|armed| armed.polled);
            if let Some(why) = polled.filter(|_| !has_said_polled) {
                has_said_polled = true;
                self.say(&why.line("some directories of the app")).await;
            }
            let due = settling.due_at().map(|at| self.began + at);
            let resumes_at = types.iter().filter_map(WatchedType::resumes_at).min();
            tokio::select! {
                () = until(resumes_at.map(|at| self.began + at)) => {
                    for watched in &mut types {
                        if self.resume(watched).await.is_none() {
                            return;
                        }
                    }
                    continue;
                }
                changed = next_change(&mut sources.armed) => {
                    settling.changed(changed, self.began.elapsed());
                    continue;
                }
                found = &mut next => {
                    let Some((current, found)) = found else { return };
                    let read = files.borrow_and_update().paths();
                    sources.exclude(read).await;
                    if found != sources.types {
                        types = found.iter().map(WatchedType::new).collect();
                        sources.types = found;
                        if types.is_empty() {
                            (sources.armed, settling) = (None, Settling::new(sources.watch.delay));
                        } else if sources.armed.is_none() {
                            sources.arm().await;
                        }
                    }
                    self.watched_release.send_replace(current.release);
                    next.set(self.next_release(current));
                    continue;
                }
                Ok(()) = files.changed() => {
                    let read = files.borrow_and_update().paths();
                    sources.exclude(read).await;
                    continue;
                }
                () = until(due) => {}
            }
            let paths = settling.take_due(self.began.elapsed());
            if paths.is_empty() {
                continue;
            }
            let changed = sources.update(paths).await;
            for watched in &mut types {
                if self.refresh(watched, &changed).await.is_none() {
                    return;
                }
            }
        }
    }

    /// Waits for another release than this one, or for the end of one that failed. None: everything is being stopped.
    async fn next_release(&self, known: Current) -> Option<(Current, WatchedTypes)> {
        if !known.has_pending {
            self.deployed.notified().await;
        }
        let is_stopping = |snapshot: &Snapshot| snapshot.phase == StartPhase::Stopping;
        let is_pending = |info: &ReleaseInfo| info.status == ReleaseStatus::Pending;
        let is_decided = Box::new(move |snapshot: &Snapshot| {
            is_stopping(snapshot) || snapshot.release != known.release || !snapshot.releases.iter().any(is_pending)
        });
        let depends_on = Box::new(|_: &DynoName| false);
        let snapshot = self.ask(|answer| ApiCall::Wait { is_decided, depends_on, answer }).await.ok()?;
        let has_pending = snapshot.releases.iter().any(is_pending);
        let current = Current { release: snapshot.release, has_pending };
        (!is_stopping(&snapshot)).then(|| (current, snapshot.facts.watch.types.clone()))
    }

    /// Restarts a process type if it has one of these files. None: everything is being stopped.
    async fn refresh(&self, watched: &mut WatchedType, changed: &[PathBuf]) -> Option<()> {
        let own: Vec<&PathBuf> = changed.iter().filter(|path| watched.includes(path)).collect();
        let Some(first) = own.first() else { return Some(()) };
        let (first, more) = (first.display().to_string(), own.len() - 1);
        let verdict = watched.pace.change(self.began.elapsed());
        if verdict != Verdict::Go {
            watched.held_back = Some((first.clone(), more));
        }
        match verdict {
            Verdict::Go => {
                watched.pace.count(self.began.elapsed());
                self.restart(watched, first, more).await
            }
            Verdict::Pause => {
                let process_type = &watched.process_type;
                let (most, window) = Pace::LIMIT;
                let window = window.as_secs();
                self.say(&format!(
                    "{process_type} is no longer restarted: {first} and others changed more than {most} times in {window} s, \
                     perhaps because {process_type} writes them. Restarts resume once its files have not changed for \
                     {window} s\n\
                     hint: list files that {process_type} writes in .dynoignore"
                ))
                .await;
                Some(())
            }
            Verdict::Paused => Some(()),
        }
    }

    /// Restarts a process type for what has changed during a pause that ends now. None: everything is being stopped.
    async fn resume(&self, watched: &mut WatchedType) -> Option<()> {
        if !watched.pace.resume(self.began.elapsed()) {
            return Some(());
        }
        match watched.held_back.take() {
            Some((first, more)) => self.restart(watched, first, more).await,
            None => Some(()),
        }
    }

    /// None: everything is being stopped.
    async fn restart(&self, watched: &WatchedType, first: String, more: usize) -> Option<()> {
        let command = Command::Refresh { process_type: watched.process_type.clone(), first, more };
        let reply = self.ask(|answer| ApiCall::Command(command, answer)).await.ok()?;
        reply.ok().map(drop)
    }
}

impl WatchedType {
    fn new((process_type, patterns): &(ProcessType, Vec<String>)) -> Self {
        let files = (!patterns.is_empty()).then(|| {
            let mut builder = GitignoreBuilder::new("");
            for pattern in patterns {
                // Without wildcards it is a path from the root, like `src`.
                let is_path = !pattern.contains(['*', '?', '[', '\\']);
                let line = if is_path { format!("/{pattern}") } else { pattern.clone() };
                // Every line is a valid pattern unless its brackets are wrong. Such a line matches nothing.
                let _ = builder.add_line(None, &line);
            }
            builder.build().unwrap_or_else(|_| Gitignore::empty())
        });
        Self { process_type: process_type.clone(), files, pace: Pace::default(), held_back: None }
    }

    /// When it restarts for what has changed during a pause, if nothing changes until then.
    fn resumes_at(&self) -> Option<Duration> {
        self.pace.resumes_at().filter(|_| self.held_back.is_some())
    }

    /// Whether a file, relative to the root, is one of its own.
    fn includes(&self, file: &Path) -> bool {
        self.files.as_ref().is_none_or(|files| files.matched_path_or_any_parents(file, false).is_ignore())
    }
}

impl ArmedTree {
    /// Watches everything as the file system is now.
    fn new(watch: SourcesWatch, read: &[PathBuf]) -> Self {
        let of_root = WatchedPlaces::of(std::slice::from_ref(&watch.root));
        let excluded = watch.excluded(read);
        let root = fs::canonicalize(&watch.root).unwrap_or(watch.root);
        let (inside, of_root_too) = (root.clone(), of_root.paths.clone());
        let is_wanted = move |path: &Path| path.starts_with(&inside) || of_root_too.contains_key(path);
        let mut watcher = FileWatcher::new(Box::new(is_wanted));
        let mut polled = None;
        let mut watch = |directory: &Path| polled = watcher.watch(directory).err().or(polled);
        of_root.directories().into_iter().for_each(&mut watch);
        let tree = WatchedTree::of(&root, excluded, &mut watch);
        Self { of_root, tree, watcher, polled }
    }

    /// Looks at these paths again (None: at everything). Returns the files that have changed, relative to the root, and the
    /// watch to go on with.
    fn update(mut self, paths: Vec<Option<PathBuf>>, watch: SourcesWatch, read: &[PathBuf]) -> (Vec<PathBuf>, Self) {
        let is_all = paths.contains(&None);
        let paths: Vec<PathBuf> = paths.into_iter().flatten().collect();
        let (watcher, polled) = (&mut self.watcher, &mut self.polled);
        let found = self.tree.update(&paths, |directory| *polled = watcher.watch(directory).err().or(*polled));
        let mut changed: Vec<PathBuf> = found.changed.iter().filter_map(|path| self.tree.relative(path)).collect();
        if !is_all && !found.rules_changed {
            return (changed, self);
        }
        // Events that were not read yet are lost with the earlier watch, but not the changes.
        let again = Self::new(watch, read);
        let known: BTreeSet<&PathBuf> = changed.iter().collect();
        let others: Vec<PathBuf> =
            again.tree.changed_since(&self.tree).into_iter().filter(|path| !known.contains(path)).collect();
        changed.extend(others);
        (changed, again)
    }

    /// The same watch now that these are the files of the app. None: that was not possible.
    async fn excluding(mut self, watch: SourcesWatch, read: Vec<PathBuf>) -> Option<Self> {
        let updated = spawn_blocking(move || {
            let (watcher, polled) = (&mut self.watcher, &mut self.polled);
            self.tree.exclude(watch.excluded(&read), |directory| {
                *polled = watcher.watch(directory).err().or(*polled);
            });
            self
        });
        updated.await.ok()
    }
}

/// The next change of a path, or None if there were too many. Cancel safe.
async fn next_change(armed: &mut Option<ArmedTree>) -> Option<PathBuf> {
    let Some(armed) = armed else { return pending().await };
    match armed.watcher.next().await {
        Seen::Changed(path) => Some(path).filter(|path| !armed.of_root.paths.contains_key(path)),
        Seen::TooMany => None,
    }
}

/// Watches everything as the file system is now. None: that was not possible.
async fn arm(watch: SourcesWatch, read: Vec<PathBuf>) -> Option<ArmedTree> {
    spawn_blocking(move || ArmedTree::new(watch, &read)).await.ok()
}

/// The path without symlinks in its directory.
fn real(path: &Path) -> PathBuf {
    let parts = path.parent().zip(path.file_name());
    let directory = parts.and_then(|(parent, name)| Some(fs::canonicalize(parent).ok()?.join(name)));
    directory.unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::scratch::Scratch;

    /// Watches a directory, once its files are so old that each further change leaves other times.
    fn watched(scratch: &Scratch) -> (SourcesWatch, ArmedTree) {
        let watch = SourcesWatch { root: scratch.path().to_owned(), delay: Duration::ZERO, log_directory: None };
        let armed = std::iter::repeat_with(|| ArmedTree::new(watch.clone(), &[]));
        let armed = { armed }.find(|armed| armed.tree.changed_since(&armed.tree).is_empty()).unwrap();
        (watch, armed)
    }

    #[test]
    fn s14_3_no_change_is_lost_when_everything_is_looked_at_again() {
        let scratch = Scratch::new("looked");
        for name in ["src/a.rb", "src/b.rb", "src/same.rb", ".gitignore"] {
            scratch.file(name, "");
        }
        let (watch, armed) = watched(&scratch);
        scratch.file("src/a.rb", "x");
        let rules = scratch.file(".gitignore", "*.log\n");

        // The event of the other file has not been read yet.
        let (changed, armed) = armed.update(vec![Some(rules)], watch.clone(), &[]);
        assert_eq!(changed, [Path::new(".gitignore"), Path::new("src/a.rb")]);

        scratch.file("src/b.rb", "x");
        // The system has lost its event.
        let (changed, armed) = armed.update(vec![None], watch.clone(), &[]);
        assert_eq!(changed.last().unwrap(), Path::new("src/b.rb"));
        assert!(!changed.contains(&PathBuf::from("src/same.rb")));
        drop(armed);

        let (watch, armed) = watched(&scratch);
        assert!(armed.update(vec![None], watch, &[]).0.is_empty());
    }
}
