//! Watches the files of the app and applies their changes, or says that they wait for `dyno reload` (S14.1, S14.2).

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;
use tokio::task::{spawn_blocking, spawn_local};

use super::api_reload::moved;
use super::api_server::ApiServer;
use super::calls::ApiCall;
use super::file_reading::{self, ReadFiles};
use super::file_watcher::{FileWatcher, Seen, WhyPolled, has_changed_since, until};
use super::watched_places::WatchedPlaces;
use crate::api::{ApiError, ReloadResult, ReloadedFiles};
use crate::error::Complaint;
use crate::model::DynoName;
use crate::release::ReleaseFacts;
use crate::supervisor::{Deploy, DeployOrigin, Reply, Snapshot, StartPhase};
use crate::watch::{Pace, Settling, Verdict};

/// How long all files must stay unchanged before a change has an effect.
const QUIET: Duration = Duration::from_millis(200);
/// The files of the app that are watched while it runs.
#[derive(Debug, Clone)]
pub struct FilesWatch {
    /// Their absolute paths, and their names in messages.
    pub files: Vec<(PathBuf, String)>,
    /// What a change does.
    pub on_change: OnChange,
    /// When the start began to read them.
    pub read_at: SystemTime,
}

/// What a change of a file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnChange {
    /// What `dyno reload` does.
    Reload,
    /// A line says that `dyno reload` would apply it.
    Mention,
}

/// The same files. If their changes are to be applied, they are watched already.
pub(super) struct WatchedFiles {
    watch: FilesWatch,
    armed: Option<ArmedFiles>,
}

/// What is watched now.
struct ArmedFiles {
    watcher: FileWatcher,
    places: WatchedPlaces,
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

impl FilesWatch {
    /// If changes are to be applied, watches the files from now on: call it before the first dyno starts. If changes
    /// are only mentioned, the watch begins later, so that it does not delay the start.
    pub(super) async fn begin(self) -> WatchedFiles {
        let armed = match self.on_change {
            OnChange::Reload => Some(arm(self.paths()).await),
            OnChange::Mention => None,
        };
        WatchedFiles { watch: self, armed }
    }

    fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|(path, _)| path.clone()).collect()
    }
}

impl ApiServer {
    /// Applies or mentions changes until the run ends.
    pub(super) async fn watch_files(self: Rc<Self>, files: WatchedFiles) {
        let WatchedFiles { watch, armed } = files;
        let paths = watch.paths();
        let mut progress = Progress { pace: Pace::default(), mentioned: None, has_mistake: false, held_back: None };
        let mut settling = Settling::new(QUIET);
        let mut armed = match armed {
            Some(armed) => armed,
            None => arm(paths.clone()).await,
        };
        // The watcher has no event for a file that changed between the reading and now.
        for number in 0..paths.len() {
            if paths.get(number).is_some_and(|path| !is_pipe(path) && has_changed_since(path, watch.read_at)) {
                settling.changed(number, self.began.elapsed());
            }
        }
        let mut has_said_polled = false;
        loop {
            match (watch.on_change, armed.polled) {
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
                    armed = arm(paths.clone()).await;
                    let names = progress.held_back.take().unwrap_or_default();
                    if self.apply(&names, &mut progress).await.is_none() {
                        return;
                    }
                }
                seen = armed.watcher.next() => match seen {
                    Seen::Changed(path) => {
                        if let Some(number) = armed.places.paths.get(&path).filter(|_| !is_pipe(&path)) {
                            settling.changed(*number, self.began.elapsed());
                        }
                    }
                    Seen::TooMany => settling.changed(0, self.began.elapsed()),
                },
                () = until(due) => {
                    let numbers = settling.take_due(self.began.elapsed());
                    if numbers.is_empty() {
                        continue;
                    }
                    // Before the files are read, so that a change during the reading is seen.
                    armed = arm(paths.clone()).await;
                    let names = numbers.iter().filter_map(|number| Some(watch.files.get(*number)?.1.as_str()));
                    let names = names.collect::<Vec<_>>().join(", ");
                    let handled = match watch.on_change {
                        OnChange::Reload => self.apply_unless_paused(&names, &mut progress).await,
                        OnChange::Mention => self.mention(&names, &paths, &mut progress).await,
                    };
                    if handled.is_none() {
                        return;
                    }
                }
            }
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
        let ReadFiles { release, paths, warnings, mut notes, note_if_unchanged: _ } = self.read_files().await?;
        let before = self.ask(ApiCall::Snapshot).await.ok()?;
        match release {
            Ok(deploy) => match self.deploy_files(Deploy { origin: DeployOrigin::SavedFile, ..deploy }).await {
                Ok((Reply::Deploying { version, .. }, left_out)) => {
                    progress.pace.count(self.began.elapsed());
                    notes.extend(left_out);
                    self.say_all("warning: ", &warnings).await;
                    self.say_all("", &notes).await;
                    let server = Rc::clone(self);
                    spawn_local(async move { server.conclude(version, &before, ReloadedFiles { at_ms, paths }).await });
                }
                Ok(_) => {
                    self.reloaded.replace(Some(ReloadedFiles { at_ms, paths }));
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
    async fn conclude(&self, version: u32, before: &Snapshot, files: ReloadedFiles) {
        let Ok(answer) = self.until_settled(version, "").await else { return };
        if answer.result == ReloadResult::Succeeded {
            self.reloaded.replace(Some(files));
            if let Ok(after) = self.ask(ApiCall::Snapshot).await {
                self.say_all("", moved(before, &after).as_slice()).await;
            }
        }
    }

    /// Says that `dyno reload` would apply a change. None: everything is being stopped.
    async fn mention(&self, names: &str, paths: &[PathBuf], progress: &mut Progress) -> Option<()> {
        // Only regular files, because reading anything else may have an effect.
        let is_plain = |path: &PathBuf| fs::metadata(path).map_or(true, |found| found.is_file());
        if !paths.iter().all(is_plain) {
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
            read = file_reading::read(reload, announce) => read,
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

/// Watches these files. Their directories and symlinks are those that exist now.
async fn arm(files: Vec<PathBuf>) -> ArmedFiles {
    // Asking a file system about a path may take long.
    let armed = spawn_blocking(move || {
        let places = WatchedPlaces::of(&files);
        let wanted = places.paths.clone();
        let mut watcher = FileWatcher::new(Box::new(move |path| wanted.contains_key(path)));
        let mut polled = None;
        for directory in places.directories() {
            polled = watcher.watch(directory).err().or(polled);
        }
        ArmedFiles { watcher, places, polled }
    });
    armed.await.unwrap_or_else(|_| ArmedFiles {
        watcher: FileWatcher::new(Box::new(|_| false)),
        places: WatchedPlaces::default(),
        polled: None,
    })
}
