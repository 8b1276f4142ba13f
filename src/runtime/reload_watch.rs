//! Watches the files of the app and applies their changes, or says that they wait for `dyno reload` (S14.1, S14.2).

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::{spawn_blocking, spawn_local};

use super::api_reload::moved;
use super::api_server::ApiServer;
use super::app_files::AppFiles;
use super::calls::ApiCall;
use super::file_reading::ReadFiles;
use super::file_watcher::{FileWatcher, Seen, WhyPolled, until};
use super::watched_places::WatchedPlaces;
use crate::api::{ApiError, ReloadResult, ReloadedFiles};
use crate::error::Complaint;
use crate::model::DynoName;
use crate::project::WatchedFile;
use crate::release::ReleaseFacts;
use crate::supervisor::{Deploy, DeployOrigin, Reply, Snapshot, StartPhase};
use crate::watch::{Pace, Settling, Verdict};

/// How long all files must stay unchanged before a change has an effect.
const QUIET: Duration = Duration::from_millis(200);
/// How often in a row files are read again only because they look different from what was read: some file systems show
/// another inode each time.
const MOST_REREAD: u32 = 20;

/// What a change of a file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnChange {
    /// What `dyno reload` does.
    Reload,
    /// A line says that `dyno reload` would apply it.
    Mention,
}

/// The watch over the files of the app.
pub(super) struct FilesWatch {
    on_change: OnChange,
    /// None: it has not begun.
    armed: Option<ArmedFiles>,
}

/// What is watched now.
struct ArmedFiles {
    watcher: FileWatcher,
    files: Vec<WatchedFile>,
    places: WatchedPlaces,
    /// Which of the files may have changed before the watch began.
    outdated: Vec<usize>,
    polled: Option<WhyPolled>,
}

/// What the watch remembers.
struct Progress {
    pace: Pace,
    /// The last release that a line has mentioned.
    mentioned: Option<ReleaseFacts>,
    /// Whether the last reading found a mistake.
    has_mistake: bool,
    /// The names of the files that have changed during a pause.
    held_back: Option<String>,
}

impl ApiServer {
    /// If changes are to be applied, watches the files from now on: call it before the first dyno starts. If changes
    /// are only mentioned, the watch begins later, so that it does not delay the start.
    pub(super) async fn begin_to_watch(&self, on_change: OnChange) -> FilesWatch {
        let files = self.files.borrow().last_read.clone();
        let armed = match on_change {
            OnChange::Reload => Some(arm(files).await),
            OnChange::Mention => None,
        };
        FilesWatch { on_change, armed }
    }

    /// Applies or mentions changes until the run ends.
    pub(super) async fn watch_files(self: Rc<Self>, watch: FilesWatch) {
        let FilesWatch { on_change, armed } = watch;
        let mut known = self.files.subscribe();
        let mut progress = Progress { pace: Pace::default(), mentioned: None, has_mistake: false, held_back: None };
        let mut settling = Settling::new(QUIET);
        let mut armed = if let Some(armed) = armed {
            armed
        } else {
            let files = known.borrow_and_update().last_read.clone();
            arm(files).await
        };
        let mut has_said_polled = false;
        let mut reread = 0;
        loop {
            reread = if armed.outdated.is_empty() { 0 } else { reread + 1 };
            for number in armed.outdated.drain(..).filter(|_| reread <= MOST_REREAD) {
                if let Some(file) = armed.files.get(number) {
                    settling.changed(file.name.clone(), self.began.elapsed());
                }
            }
            match (on_change, armed.polled) {
                (OnChange::Reload, Some(why)) if !has_said_polled => {
                    has_said_polled = true;
                    self.say(&why.line("the files of the app")).await;
                }
                (OnChange::Mention, Some(_)) => return,
                (OnChange::Reload, _) | (OnChange::Mention, None) => {}
            }
            let due = settling.due_at().map(|at| self.began + at);
            let resumes_at = progress.pace.resumes_at().filter(|_| progress.held_back.is_some());
            tokio::select! {
                () = until(resumes_at.map(|at| self.began + at)) => {
                    if !progress.pace.resume(self.began.elapsed()) {
                        continue;
                    }
                    let names = progress.held_back.take().unwrap_or_default();
                    if self.apply(&names, &mut progress).await.is_none() {
                        return;
                    }
                }
                seen = armed.watcher.next() => {
                    match seen {
                        Seen::Changed(path) => {
                            if let Some(changed) = armed.changed(&path) {
                                settling.changed(changed, self.began.elapsed());
                            }
                        }
                        // Which files have changed shows when they are compared with what was read.
                        Seen::TooMany => armed = arm(armed.files).await,
                    }
                    continue;
                },
                // A client has had the files read.
                Ok(()) = known.changed() => known.mark_changed(),
                () = until(due) => {
                    let names = settling.take_due(self.began.elapsed());
                    if names.is_empty() {
                        continue;
                    }
                    let names = names.join(", ");
                    let handled = match on_change {
                        OnChange::Reload => self.apply_unless_paused(&names, &mut progress).await,
                        OnChange::Mention => self.mention(&names, &armed.files, &mut progress).await,
                    };
                    if handled.is_none() {
                        return;
                    }
                }
            }
            armed = armed.again(&mut known).await;
        }
    }

    /// Makes a release of changed files, unless they change too often. None: everything is being stopped.
    async fn apply_unless_paused(self: &Rc<Self>, names: &str, progress: &mut Progress) -> Option<()> {
        let verdict = progress.pace.change(self.began.elapsed());
        if verdict != Verdict::Go {
            progress.held_back = Some(names.to_owned());
        }
        match verdict {
            Verdict::Go => self.apply(names, progress).await,
            Verdict::Pause => {
                let (most, window) = Pace::LIMIT;
                let window = window.as_secs();
                self.say(&format!(
                    "{names} changed more than {most} times in {window} s, perhaps written by a dyno. Changes are not applied \
                     until there has been none for {window} s; `dyno reload` applies them now"
                ))
                .await;
                Some(())
            }
            Verdict::Paused => Some(()),
        }
    }

    /// Reads the files and makes a release of them. None: everything is being stopped.
    async fn apply(self: &Rc<Self>, names: &str, progress: &mut Progress) -> Option<()> {
        self.until_formation_runs().await?;
        let had_mistake = std::mem::take(&mut progress.has_mistake);
        let turn = self.reading.lock().await;
        let at_ms = jiff::Timestamp::now().as_millisecond();
        let ReadFiles { release, files, paths, warnings, mut notes, note_if_unchanged: _ } = self.read_files().await?;
        let before = self.ask(ApiCall::Snapshot).await.ok()?;
        match release {
            Ok(deploy) => match self.deploy_files(deploy).await {
                Ok((Reply::Deploying { version, .. }, left_out)) => {
                    progress.pace.count(self.began.elapsed());
                    notes.extend(left_out);
                    self.say_all("warning: ", &warnings).await;
                    self.say_all("", &notes).await;
                    let server = Rc::clone(self);
                    let reloaded = ReloadedFiles { at_ms, paths };
                    spawn_local(async move { server.conclude(version, &before, reloaded, &files).await });
                }
                Ok(_) => {
                    self.applied(ReloadedFiles { at_ms, paths }, &files).await;
                    if had_mistake {
                        self.say(&format!("{names}: fixed, nothing to apply")).await;
                    }
                }
                Err(refusal) => {
                    progress.has_mistake = true;
                    self.say(&format!("{names} changed, but cannot be applied: {}", refusal.message)).await;
                }
            },
            Err(error) => {
                progress.has_mistake = true;
                self.say_all("not applied: ", error.complaints()).await;
            }
        }
        drop(turn);
        Some(())
    }

    /// Waits until the formation runs on a release. Then remembers its files, and says which ports the next start would
    /// change.
    async fn conclude(&self, version: u32, before: &Snapshot, reloaded: ReloadedFiles, files: &[WatchedFile]) {
        let Ok(answer) = self.until_settled(version, "").await else { return };
        if answer.result == ReloadResult::Succeeded {
            self.applied(reloaded, files).await;
            if let Ok(after) = self.ask(ApiCall::Snapshot).await {
                self.say_all("", moved(before, &after).as_slice()).await;
            }
        }
    }

    /// Says that `dyno reload` would apply a change. None: everything is being stopped.
    async fn mention(&self, names: &str, files: &[WatchedFile], progress: &mut Progress) -> Option<()> {
        // Only regular files, because reading anything else may have an effect.
        let is_plain = |file: &WatchedFile| fs::metadata(&file.path).map_or(true, |found| found.is_file());
        if !files.iter().all(is_plain) {
            return Some(());
        }
        let line = format!("{names} changed: run `dyno reload` to apply it");
        match self.read_files().await?.release {
            Ok(deploy) => {
                let facts = ReleaseFacts::of(&deploy.release);
                let snapshot = self.ask(ApiCall::Snapshot).await.ok()?;
                let is_news = progress.mentioned.as_ref() != Some(&facts);
                // A rollback has a line of its own.
                let is_as_before = snapshot.rolled_back_to().is_some() && snapshot.files.difference(&facts).is_empty();
                if is_news && !is_as_before && !snapshot.facts.difference(&facts).is_empty() {
                    self.say(&line).await;
                }
                progress.mentioned = Some(facts);
            }
            Err(_) => self.say(&line).await,
        }
        Some(())
    }

    /// Reads the files as they are now. None: everything is being stopped.
    async fn read_files(&self) -> Option<ReadFiles> {
        let reload = self.reload.clone()?;
        let announce = |line: &str| {
            // If the queue is full, the line is dropped: the calls in it are more important.
            let _ = self.calls.try_send(ApiCall::Say(line.to_owned(), oneshot::channel().0));
        };
        tokio::select! {
            read = self.read(reload, DeployOrigin::SavedFile, announce) => read,
            _ = self.until_stopping() => None,
        }
    }

    async fn deploy_files(self: &Rc<Self>, deploy: Deploy) -> Result<(Reply, Vec<Complaint>), ApiError> {
        let accepted = self.accept_deploy(deploy).await;
        self.release_unused();
        accepted
    }

    /// During the first release phase a release cannot be replaced. None: everything is being stopped.
    async fn until_formation_runs(&self) -> Option<()> {
        let is_decided = Box::new(|snapshot: &Snapshot| snapshot.phase != StartPhase::Release);
        let depends_on = Box::new(|_: &DynoName| false);
        let snapshot = self.ask(|answer| ApiCall::Wait { is_decided, depends_on, answer }).await.ok()?;
        (snapshot.phase == StartPhase::Running).then_some(())
    }

    /// Writes complaints to the log, each after this text.
    async fn say_all(&self, before: &str, complaints: &[Complaint]) {
        for Complaint { fact, hint } in complaints {
            let hint = if hint.is_empty() { String::new() } else { format!("\nhint: {hint}") };
            self.say(&format!("{before}{fact}{hint}")).await;
        }
    }

    /// Writes lines to the log.
    pub(super) async fn say(&self, text: &str) {
        let text = text.to_owned();
        let _ = self.ask(|answer| ApiCall::Say(text, answer)).await;
    }
}

/// Whether this is a named pipe. Its times change whenever it is read, and never show that there is something new.
fn is_pipe(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo())
}

impl ArmedFiles {
    /// The name of the file that has changed if this path has. None: none of them.
    fn changed(&self, path: &Path) -> Option<String> {
        let number = self.places.paths.get(path).copied().filter(|_| !is_pipe(path))?;
        self.files.get(number).map(|file| file.name.clone())
    }

    /// Watches the files that were read since, or these as they are now.
    async fn again(self, known: &mut watch::Receiver<AppFiles>) -> Self {
        if known.has_changed().unwrap_or(false) {
            let files = known.borrow_and_update().last_read.clone();
            return arm(files).await;
        }
        let noticed = spawn_blocking(move || self.files.iter().map(WatchedFile::as_it_is_now).collect());
        arm(noticed.await.unwrap_or_default()).await
    }
}

/// Watches these files. Their directories and symlinks are those that exist now.
async fn arm(files: Vec<WatchedFile>) -> ArmedFiles {
    // Asking a file system about a path may take long.
    let armed = spawn_blocking(move || {
        let paths: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
        let places = WatchedPlaces::of(&paths);
        let wanted = places.paths.clone();
        let mut watcher = FileWatcher::new(Box::new(move |path| wanted.contains_key(path)));
        let mut polled = None;
        for directory in places.directories() {
            polled = watcher.watch(directory).err().or(polled);
        }
        // There is no event for what has changed before now.
        let outdated = files.iter().enumerate().filter(|(_, file)| file.may_have_changed());
        let outdated = outdated.map(|(number, _)| number).collect();
        ArmedFiles { watcher, files, places, outdated, polled }
    });
    armed.await.unwrap_or_else(|_| ArmedFiles {
        watcher: FileWatcher::new(Box::new(|_| false)),
        files: Vec::new(),
        places: WatchedPlaces::default(),
        outdated: Vec::new(),
        polled: None,
    })
}
