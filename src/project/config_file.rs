//! The `.env` file that `config:set` and `config:unset` change (S15.3): which one it is, and how it is replaced.
//!
//! The new text is written beside the file and renamed over it, so the file is always either the old or the new one. A lock
//! on the directory lets changes follow each other. `app::edit_env` makes the text. Prints nothing.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::Flock;
use nix::unistd::{AccessFlags, Gid, Uid, access, fchown, geteuid};

use super::file_lock::lock_within;
use super::files::{self, is_missing};
use super::places::{Places, is_stream, reason};
use super::source_file::{self, Unreadable};
use crate::app::{EditedEnv, EnvDifference, Problem, edit_env};
use crate::error::{Complaint, Error, Status};
use crate::model::EnvChange;

/// The ending of the unfinished file. A leftover is replaced by the next change.
pub(crate) const UNFINISHED: &str = "dyno-new";
/// How long to wait for the lock. It is held only while a small file is replaced, but dozens may want it at once.
const LOCKS_WITHIN: Duration = Duration::from_secs(10);

/// The file that is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigFile {
    /// Its absolute path.
    pub(crate) path: PathBuf,
    /// Its name as shown to the user.
    pub(crate) name: String,
}

/// What a change did.
#[derive(Debug)]
pub(crate) struct ChangedConfig {
    /// Keys that are on several lines.
    pub(crate) warnings: Vec<Complaint>,
    /// Values that other programs read differently.
    pub(crate) notes: Vec<Complaint>,
    /// The keys that were to be removed and were not in the file.
    pub(crate) absent: Vec<String>,
}

impl ConfigFile {
    /// The `.env` in use: the last of those that are named, else the existing one, else a new one in the root.
    ///
    /// # Errors
    /// No file is in use, or the last one is stdin or a pipe of the shell.
    pub(crate) fn find(places: &Places) -> Result<Self, Error> {
        let path = match places.named_env_files() {
            Some((paths, _)) => paths
                .into_iter()
                .last()
                .ok_or_else(|| Error::new(Status::Config, "no config var file is in use", "name one with `-e`"))?,
            None => files::default_env(places),
        };
        let name = places.shown(&path);
        if is_stream(&path) {
            let fact = format!("{name} cannot be changed: it is not a file of its own");
            return Err(Error::new(Status::Config, fact, "name a regular file with `-e`"));
        }
        Ok(Self { path: places.current.join(path), name })
    }

    /// Makes these changes.
    ///
    /// # Errors
    /// The file cannot be changed, and is what it was.
    pub(crate) fn change(&self, changes: &[EnvChange]) -> Result<ChangedConfig, Error> {
        let path = self.target()?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        let _lock = self.lock(directory)?;
        let old = self.read(&path)?;
        let text = old.as_ref().map_or(&[][..], |(text, _)| text);
        let edited = edit_env(text, changes).map_err(|problems| self.invalid(&problems))?;
        if edited.text != text {
            let metadata = old.as_ref().map(|(_, metadata)| metadata);
            if let Some(metadata) = metadata {
                self.check_writable(&path, metadata)?;
            }
            replace(&path, &edited.text, metadata).map_err(|error| self.not_written(directory, &error))?;
        }
        Ok(self.changed(edited))
    }

    /// The file itself, behind any symlinks.
    fn target(&self) -> Result<PathBuf, Error> {
        if !is_missing(&self.path) {
            return source_file::target(&self.path).map_err(|why| self.refused(&why));
        }
        let parent = self.path.parent().unwrap_or(Path::new("/"));
        let name = self.path.file_name().map(OsString::from).unwrap_or_default();
        let parent = fs::canonicalize(parent).map_err(|error| self.refused(&error.into()))?;
        Ok(parent.join(name))
    }

    /// Waits until no other change is being made in this directory.
    fn lock(&self, directory: &Path) -> Result<Option<Flock<File>>, Error> {
        let opened = File::open(directory).map_err(|error| self.not_written(directory, &error))?;
        match lock_within(opened, LOCKS_WITHIN) {
            Ok(lock) => Ok(Some(lock)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let fact = format!("{} is still being changed by another `dyno` after 10 seconds", self.name);
                Err(Error::new(Status::Unavailable, fact, "try again later"))
            }
            // Some network file systems lock no directories. A change is then still made as a whole.
            Err(_) => Ok(None),
        }
    }

    /// The text now. None: the file does not exist.
    fn read(&self, path: &Path) -> Result<Option<(Vec<u8>, Metadata)>, Error> {
        match source_file::read_regular_file(path) {
            Ok(read) => Ok(Some(read)),
            Err(Unreadable::Missing) => Ok(None),
            Err(why) => Err(self.refused(&why)),
        }
    }

    /// A file that its user has made read-only is left alone, although it could be replaced.
    fn check_writable(&self, path: &Path, metadata: &Metadata) -> Result<(), Error> {
        let user = geteuid();
        if !user.is_root() && metadata.uid() != user.as_raw() {
            let fact = format!("{} belongs to another user, who would lose it", self.name);
            return Err(Error::new(Status::CannotWrite, fact, "change it as that user"));
        }
        let is_read_only = metadata.permissions().readonly();
        match access(path, AccessFlags::W_OK) {
            Err(Errno::EROFS) => Err(self.not_written(path, &Errno::EROFS.into())),
            Err(_) => Err(self.read_only()),
            Ok(()) if is_read_only => Err(self.read_only()),
            Ok(()) => Ok(()),
        }
    }

    fn read_only(&self) -> Error {
        let Self { name, .. } = self;
        Error::new(
            Status::CannotWrite,
            format!("{name} is read-only"),
            format!("`chmod u+w {name}` lets its owner change it"),
        )
    }

    fn refused(&self, why: &Unreadable) -> Error {
        let hint = match why {
            Unreadable::Special(kind) if *kind == source_file::NAMED => "change the values where its writer has them",
            Unreadable::Special(_) | Unreadable::Directory => "name a regular file with `-e`",
            Unreadable::Missing | Unreadable::NotADirectory => "create its directory, or name another file with `-e`",
            Unreadable::BrokenLink(_)
            | Unreadable::TooLarge
            | Unreadable::Endless { .. }
            | Unreadable::Silent { .. }
            | Unreadable::Abandoned
            | Unreadable::Denied
            | Unreadable::Other(_) => why.hint(),
        };
        Error::new(Status::Config, format!("{} {why}", self.name), hint)
    }

    fn invalid(&self, problems: &[Problem]) -> Error {
        Error::all(Status::Config, problems.iter().map(|problem| self.complaint(problem)))
    }

    fn not_written(&self, directory: &Path, error: &io::Error) -> Error {
        let hint = match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EACCES | Errno::EPERM) => format!("`ls -ld {}` shows who may write there", directory.display()),
            Some(Errno::ENOSPC | Errno::EDQUOT) => "make room on its disk, and try again".to_owned(),
            Some(Errno::EFBIG) => "`ulimit -f` shows the limit of the shell".to_owned(),
            Some(_) | None => "nothing was changed".to_owned(),
        };
        let fact = format!("{} cannot be replaced, and is as it was: {}", self.name, reason(error));
        Error::new(Status::CannotWrite, fact, hint)
    }

    fn complaint(&self, problem: &Problem) -> Complaint {
        Complaint::new(format!("{}:{}: {}", self.name, problem.line, problem.message), problem.hint.clone())
    }

    fn changed(&self, edited: EditedEnv) -> ChangedConfig {
        let EditedEnv { text: _, warnings, differences, absent } = edited;
        let note = |difference: EnvDifference| {
            let (name, line) = (&self.name, difference.line);
            Complaint::new(format!("{name}:{line}: {}", difference.sentence()), "")
        };
        ChangedConfig {
            warnings: warnings.iter().map(|problem| self.complaint(problem)).collect(),
            notes: differences.into_iter().map(note).collect(),
            absent,
        }
    }
}

/// Writes the text beside the file and renames it. `old`: whose owner and mode it keeps.
fn replace(path: &Path, text: &[u8], old: Option<&Metadata>) -> io::Result<()> {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(".");
    name.push(UNFINISHED);
    let unfinished = path.with_file_name(name);
    // Left by one that was killed. The lock keeps others away.
    let _ = fs::remove_file(&unfinished);
    let flags = libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(flags).open(&unfinished)?;
    let written = write(&file, text, old).and_then(|()| fs::rename(&unfinished, path));
    written.inspect_err(|_| drop(fs::remove_file(&unfinished)))?;
    // The new name must survive a power failure, too; a file system that cannot promise that keeps the change.
    let _ = path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all());
    Ok(())
}

fn write(mut file: &File, text: &[u8], old: Option<&Metadata>) -> io::Result<()> {
    if let Some(old) = old {
        let new = file.metadata()?;
        let owner = (old.uid() != new.uid()).then(|| Uid::from_raw(old.uid()));
        let group = (old.gid() != new.gid()).then(|| Gid::from_raw(old.gid()));
        if owner.is_some() || group.is_some() {
            fchown(file, owner, group)?;
        }
        // After the owner, because changing that can clear bits of the mode.
        file.set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
    }
    file.write_all(text)?;
    file.sync_all()
}
