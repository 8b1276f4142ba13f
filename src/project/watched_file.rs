//! A file that decides what runs, and what it looked like before it was read (S14.2).

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// File systems keep times in steps of up to 10 ms, or of up to 2 s if they keep no fractions of a second.
const STEP: Duration = Duration::from_millis(10);
const WHOLE_SECONDS_STEP: Duration = Duration::from_secs(2);

/// A file that is watched because the app reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WatchedFile {
    /// Its absolute path.
    pub(crate) path: PathBuf,
    /// Its name in messages.
    pub(crate) name: String,
    /// What it looked like before it was read.
    pub(crate) stamp: FileStamp,
}

impl WatchedFile {
    /// Whether the file may differ from what was read.
    pub(crate) fn may_have_changed(&self) -> bool {
        self.stamp.may_have_changed(&FileStamp::of(&self.path))
    }

    /// The same file as it looks now.
    pub(crate) fn as_it_is_now(&self) -> Self {
        Self { stamp: FileStamp::of(&self.path), ..self.clone() }
    }
}

/// What changes when a file changes, or another file takes its place, through any symlinks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum FileStamp {
    /// It does not exist.
    #[default]
    Missing,
    /// A named pipe. Its times change whenever it is read, and never show that there is something new.
    Pipe,
    /// Anything else.
    Found {
        /// Device and inode.
        id: (u64, u64),
        size: u64,
        /// When it was last written, in seconds and nanoseconds.
        written: (i64, i64),
        /// When anything about it last changed, in seconds and nanoseconds.
        changed: (i64, i64),
        /// Whether that was so recently that another change could leave the same times.
        is_recent: bool,
    },
}

impl FileStamp {
    /// The stamp of a file now. Take it before the file is read.
    pub(crate) fn of(path: &Path) -> Self {
        let Ok(found) = fs::metadata(path) else { return Self::Missing };
        if found.file_type().is_fifo() {
            return Self::Pipe;
        }
        let changed = (found.ctime(), found.ctime_nsec());
        Self::Found {
            id: (found.dev(), found.ino()),
            size: found.size(),
            written: (found.mtime(), found.mtime_nsec()),
            changed,
            is_recent: is_recent(changed, SystemTime::now()),
        }
    }

    /// The same stamp, however recent.
    fn settled(&self) -> Self {
        match *self {
            Self::Found { id, size, written, changed, is_recent: _ } => {
                Self::Found { id, size, written, changed, is_recent: false }
            }
            Self::Missing | Self::Pipe => *self,
        }
    }

    /// Whether the file may be something else now.
    pub(crate) fn may_have_changed(&self, now: &Self) -> bool {
        match (self, now) {
            (_, Self::Pipe) => false,
            (Self::Found { is_recent: true, .. }, Self::Found { .. }) => true,
            (Self::Missing | Self::Pipe | Self::Found { .. }, Self::Missing | Self::Found { .. }) => {
                self.settled() != now.settled()
            }
        }
    }
}

/// Whether this time is now. A time in the future is the clock of another machine.
fn is_recent((seconds, nanoseconds): (i64, i64), now: SystemTime) -> bool {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let time =
        Duration::new(u64::try_from(seconds).unwrap_or_default(), u32::try_from(nanoseconds).unwrap_or_default());
    time.abs_diff(now) <= if nanoseconds == 0 { WHOLE_SECONDS_STEP } else { STEP }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUND: FileStamp =
        FileStamp::Found { id: (1, 2), size: 3, written: (4, 5), changed: (6, 7), is_recent: false };
    const RECENT: FileStamp =
        FileStamp::Found { id: (1, 2), size: 3, written: (4, 5), changed: (6, 7), is_recent: true };

    #[test]
    fn s14_2_a_file_is_read_again_if_it_may_be_another_one() {
        let older = FileStamp::Found { id: (1, 2), size: 3, written: (3, 5), changed: (6, 7), is_recent: false };
        let missing = FileStamp::Missing;

        let changes = [(FOUND, older), (FOUND, missing), (missing, FOUND), (RECENT, FOUND), (FileStamp::Pipe, FOUND)];
        assert!(changes.iter().all(|(before, now)| before.may_have_changed(now)));
        let none = [(FOUND, FOUND), (FOUND, RECENT), (missing, missing), (FOUND, FileStamp::Pipe)];
        assert!(none.iter().all(|(before, now)| !before.may_have_changed(now)));
    }

    #[test]
    fn s14_2_a_time_is_recent_only_near_now() {
        let now = UNIX_EPOCH + Duration::from_secs(5);

        let recent =
            [(4, 980), (4, 995), (5, 5), (5, 20)].map(|(seconds, ms)| is_recent((seconds, ms * 1_000_000), now));

        assert_eq!(recent, [false, true, true, false]);
        // A file system without fractions of a second.
        assert_eq!([2, 3, 5].map(|seconds| is_recent((seconds, 0), now)), [false, true, true]);
    }
}
