//! Reports changes in directories: by the events of the system, or by looking every 2 seconds where there are none.
//!
//! `notify` receives the events. Its debouncer is not used, because it reports the opening of a file as a change: a
//! program that reads a watched file would be restarted for that. Its polling is not used either: it compares times in
//! whole seconds, and misses a file that is replaced by an older one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::statfs::{FUSE_SUPER_MAGIC, FsType, NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, statfs};
use notify::event::{AccessKind, AccessMode};
use notify::{Config, ErrorKind, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::spawn_blocking;
use tokio::time::sleep_until;

use super::mounted_files::MountedFiles;

/// The pause between two looks at directories without events.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// File systems on which another machine can change files without an event here.
const WITHOUT_EVENTS: [FsType; 8] = [
    NFS_SUPER_MAGIC,
    // Three versions of SMB.
    SMB_SUPER_MAGIC,
    FsType(0xFE53_4D42),
    FsType(0xFF53_4D42),
    // 9P: shared folders of virtual machines.
    FsType(0x0102_1997),
    FUSE_SUPER_MAGIC,
    // The shared folders of `VirtualBox`.
    FsType(0x786F_4256),
    // Ceph.
    FsType(0x00C3_6400),
];

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// This was created, changed, renamed or deleted.
    Changed(PathBuf),
    /// Changes were too many to be reported one by one.
    TooMany,
}

/// Why directories are checked every 2 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhyPolled {
    /// Their file system has no events for changes that another machine makes.
    NoEvents,
    /// The system watches no more directories for this user.
    Limit,
}

impl WhyPolled {
    /// The line that says so. `what`: `the files of the app`.
    pub(super) fn line(self, what: &str) -> String {
        let checked = format!("{what} are checked every {} s, because", BETWEEN_LOOKS.as_secs());
        match self {
            Self::NoEvents => format!("{checked} their file system does not report changes"),
            Self::Limit => format!(
                "{checked} the system's limit on file watches has been reached\n\
                 hint: sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=1024"
            ),
        }
    }
}

/// Whether a change of this path is of interest. Called for every event.
pub(super) type IsWanted = Box<dyn Fn(&Path) -> bool + Send>;

/// Watches the entries of directories, but not the entries of their subdirectories.
pub(super) struct FileWatcher {
    /// Whether the file system of a directory has no events for all of its changes.
    has_no_events: fn(&Path) -> bool,
    /// None: the system gives no events at all.
    events: Option<RecommendedWatcher>,
    /// Files that need a watch of their own, because their directories do not report their changes.
    mounted: MountedFiles,
    seen: UnboundedReceiver<Seen>,
    polled: BTreeSet<PathBuf>,
    stamps: Stamps,
    /// When the polled directories are looked at next.
    look_at: Instant,
    /// Found by the last look, and not reported yet.
    found: Vec<PathBuf>,
}

impl FileWatcher {
    /// Watches nothing yet.
    pub(super) fn new(is_wanted: IsWanted) -> Self {
        Self::asking(has_no_events, is_wanted)
    }

    /// The same with another way to find out which file systems have no events.
    fn asking(has_no_events: fn(&Path) -> bool, is_wanted: IsWanted) -> Self {
        let (sender, seen) = unbounded_channel();
        let on_event = move |event: notify::Result<notify::Event>| {
            // An error is about a directory that has vanished, which another event reports.
            let Ok(event) = event else { return };
            if event.need_rescan() {
                let _ = sender.send(Seen::TooMany);
            } else if is_change(event.kind) {
                for path in event.paths.into_iter().filter(|path| is_wanted(path)) {
                    let _ = sender.send(Seen::Changed(path));
                }
            }
        };
        let events = RecommendedWatcher::new(on_event, Config::default()).ok();
        let look_at = Instant::now() + BETWEEN_LOOKS;
        let mounted = MountedFiles::now();
        let (polled, stamps, found) = (BTreeSet::new(), Stamps::new(), Vec::new());
        Self { has_no_events, events, mounted, seen, polled, stamps, look_at, found }
    }

    /// Watches a directory, given by its real path. One that does not exist is ignored.
    ///
    /// # Errors
    /// Why it is looked at every 2 seconds instead.
    pub(super) fn watch(&mut self, directory: &Path) -> Result<(), WhyPolled> {
        let why = if (self.has_no_events)(directory) {
            WhyPolled::NoEvents
        } else {
            let Some(events) = &mut self.events else { return self.poll(directory, WhyPolled::Limit) };
            let watched = events.watch(directory, RecursiveMode::NonRecursive);
            let is_full = |path| events.watch(path, RecursiveMode::NonRecursive).is_err_and(|error| is_limit(&error));
            if watched.is_ok() && self.mounted.within(directory).any(is_full) {
                return self.poll(directory, WhyPolled::Limit);
            }
            match watched {
                Ok(()) => return Ok(()),
                Err(error) if is_limit(&error) => WhyPolled::Limit,
                Err(_) if fs::metadata(directory).is_err() => return Ok(()),
                Err(_) => WhyPolled::NoEvents,
            }
        };
        self.poll(directory, why)
    }

    fn poll(&mut self, directory: &Path, why: WhyPolled) -> Result<(), WhyPolled> {
        self.polled.insert(directory.to_owned());
        self.stamps.extend(stamps_of(directory));
        Err(why)
    }

    /// What was seen next. Cancel safe. A change that a look has found is reported even if `is_wanted` would reject it.
    pub(super) async fn next(&mut self) -> Seen {
        loop {
            if let Some(path) = self.found.pop() {
                return Seen::Changed(path);
            }
            if self.polled.is_empty() {
                return match self.seen.recv().await {
                    Some(seen) => seen,
                    None => std::future::pending().await,
                };
            }
            tokio::select! {
                Some(seen) = self.seen.recv() => return seen,
                () = sleep_until(self.look_at.into()) => {}
            }
            let polled = self.polled.clone();
            let looked = spawn_blocking(move || polled.iter().flat_map(|directory| stamps_of(directory)).collect());
            if let Ok(now) = looked.await {
                self.found = differences(&self.stamps, &now);
                self.stamps = now;
            }
            self.look_at = Instant::now() + BETWEEN_LOOKS;
        }
    }
}

/// What changes when a file changes.
type Stamps = BTreeMap<PathBuf, (u64, u64, i64, i64, i64, i64)>;

fn stamps_of(directory: &Path) -> Stamps {
    let stamp = |metadata: &Metadata| {
        let times = (metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec());
        (metadata.ino(), metadata.size(), times.0, times.1, times.2, times.3)
    };
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.path(), stamp(&entry.metadata().ok()?)))).collect()
}

fn differences(before: &Stamps, now: &Stamps) -> Vec<PathBuf> {
    let changed = now.iter().filter(|(path, stamp)| before.get(*path) != Some(stamp)).map(|(path, _)| path);
    let gone = before.keys().filter(|path| !now.contains_key(*path));
    changed.chain(gone).cloned().collect()
}

/// Whether an event reports a change. False: a file was only opened or read.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
        EventKind::Access(_) => false,
    }
}

fn is_limit(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::MaxFilesWatch => true,
        ErrorKind::Io(error) => matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EMFILE | libc::ENFILE)),
        ErrorKind::Generic(_) | ErrorKind::PathNotFound | ErrorKind::WatchNotFound | ErrorKind::InvalidConfig(_) => {
            false
        }
    }
}

fn has_no_events(directory: &Path) -> bool {
    statfs(directory).is_ok_and(|found| WITHOUT_EVENTS.contains(&found.filesystem_type()))
}

/// Returns at this time. None: never returns.
pub(super) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::runtime::scratch::Scratch;

    #[test]
    fn s14_2_directories_without_events_are_polled() {
        let scratch = Scratch::new("polled");
        let (changed, gone) = (scratch.file("changed", "1"), scratch.file("gone", "1"));
        let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut watcher = FileWatcher::asking(|_| true, Box::new(|_| true));
        assert_eq!(watcher.watch(scratch.path()), Err(WhyPolled::NoEvents));
        let created = scratch.file("created", "1");
        fs::remove_file(&gone).unwrap();
        // An older file takes its place, as can happen with `mv` or `git checkout`.
        let older = scratch.file("older", "2");
        File::open(&older).unwrap().set_modified(UNIX_EPOCH).unwrap();
        fs::rename(&older, &changed).unwrap();

        let mut seen = tokio.block_on(async { [watcher.next().await, watcher.next().await, watcher.next().await] });

        seen.sort_by_key(|seen| format!("{seen:?}"));
        assert_eq!(seen, [changed, created, gone].map(Seen::Changed));
    }

    #[test]
    fn s14_2_the_line_about_polling_says_why() {
        let said = "some files are checked every 2 s, because their file system does not report changes";

        assert_eq!(WhyPolled::NoEvents.line("some files"), said);
    }

    #[test]
    fn s14_2_reading_a_file_does_not_change_it() {
        assert!(!is_change(EventKind::Access(AccessKind::Open(AccessMode::Any))));
        assert!(!is_change(EventKind::Access(AccessKind::Close(AccessMode::Read))));
        assert!(is_change(EventKind::Access(AccessKind::Close(AccessMode::Write))));
    }
}
