//! The directory of an export: which files are there, and how all of them change together or not at all (S18.1).
//!
//! New texts are written beside their files first. Then each old file gets a second name, and the new one is renamed over it;
//! if anything fails, everything is put back. A path that has a file never lacks one in between.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Status};
use crate::export::{ExportChanges, ExportFile, FoundFile, Marker};
use crate::project::reason;
use crate::runtime;

/// The endings of new files and of those set aside. A leftover is replaced by the next export.
const NEW: &str = "dyno-new";
const OLD: &str = "dyno-old";

/// The longest file that is compared. Those that an export writes are shorter.
const MAX_BYTES: u64 = 64 << 20;

/// The directory of an export.
pub(super) struct ExportDirectory {
    path: PathBuf,
}

/// A failure, and the path it is about.
type Failed = (PathBuf, io::Error);

/// One step that can be taken back.
enum FileStep {
    /// The old file has a second name.
    Kept(PathBuf),
    /// The new file is where there was none.
    Added(PathBuf),
}

impl ExportDirectory {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The files at the paths of the export, and all others of the app that carry a marker.
    ///
    /// # Errors
    /// Status 73: the directory cannot be read. Status 1: a file would be written elsewhere.
    pub(super) fn find(&self, app: &str, files: &[ExportFile]) -> Result<Vec<FoundFile>, Error> {
        if fs::metadata(&self.path).is_ok_and(|metadata| !metadata.is_dir()) {
            return Err(not_written((self.path.clone(), io::Error::from_raw_os_error(libc::ENOTDIR))));
        }
        let mut found = Vec::new();
        for file in files {
            self.refuse_symlinks(&file.path)?;
            found.extend(self.found(&file.path).map_err(|error| not_written((self.path.join(&file.path), error)))?);
        }
        let mut others = Vec::new();
        match self.marked("", app, &mut others) {
            Ok(()) => {}
            Err((_, error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(failed) => return Err(not_written(failed)),
        }
        // The order of the directory is that of its file system.
        others.sort_by(|a, b| a.path.cmp(&b.path));
        let is_new = |one: &FoundFile| files.iter().any(|file| file.path == one.path);
        found.extend(others.into_iter().filter(|one| !is_new(one)));
        Ok(found)
    }

    /// # Errors
    /// Status 1: a directory of this path is a symlink, so that a file elsewhere would be replaced.
    fn refuse_symlinks(&self, path: &str) -> Result<(), Error> {
        let directories = Path::new(path).ancestors().skip(1).filter(|below| !below.as_os_str().is_empty());
        let Some(link) = directories.map(|below| self.path.join(below)).find(|directory| directory.is_symlink()) else {
            return Ok(());
        };
        let fact = format!("{} is a symlink, so nothing was written", link.display());
        Err(Error::new(Status::Failed, fact, "remove it, or choose another directory"))
    }

    /// The file at a path. None: there is none.
    fn found(&self, path: &str) -> io::Result<Option<FoundFile>> {
        let full = self.path.join(path);
        let metadata = match fs::symlink_metadata(&full) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
            Ok(metadata) => metadata,
        };
        let is_read = metadata.is_file() && metadata.len() <= MAX_BYTES;
        let text = is_read.then(|| fs::read(&full)).transpose()?;
        Ok(Some(FoundFile { path: path.to_owned(), mode: metadata.mode() & 0o7777, text }))
    }

    /// The files with a marker, directly in a directory of the export and in the directories whose names begin with that of the
    /// app.
    fn marked(&self, below: &str, app: &str, found: &mut Vec<FoundFile>) -> Result<(), Failed> {
        let path = self.path.join(below);
        let fail = |error| (path.clone(), error);
        for entry in fs::read_dir(&path).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let relative = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
            let kind = entry.file_type().map_err(fail)?;
            if kind.is_dir() && (!below.is_empty() || name.starts_with(app)) {
                self.marked(&relative, app, found)?;
            } else if kind.is_file() && !name.ends_with(OLD) && !name.ends_with(NEW) {
                // One that cannot be read was not written by this user.
                let file = self.found(&relative).ok().flatten();
                let is_marked =
                    |file: &FoundFile| file.text.as_deref().is_some_and(|text| Marker::find(text).is_some());
                found.extend(file.filter(is_marked));
            }
        }
        Ok(())
    }

    /// Makes all changes, or none.
    ///
    /// # Errors
    /// Status 73: one of them failed, and the directory is as it was.
    pub(super) fn apply(&self, changes: &ExportChanges) -> Result<(), Error> {
        if changes.write.is_empty() && changes.remove.is_empty() {
            return Ok(());
        }
        // A signal that ends the process in the middle would leave half of the changes.
        runtime::block_all();
        let mut made = Vec::new();
        let done = self.prepare(changes, &mut made).and_then(|()| self.replace(changes));
        for file in &changes.write {
            let _ = fs::remove_file(beside(&self.path.join(&file.path), NEW));
        }
        if done.is_err() {
            made.iter().rev().for_each(|path| drop(fs::remove_dir(path)));
        }
        runtime::unblock_for_start();
        done.map_err(not_written)
    }

    /// Writes the new texts beside their files.
    fn prepare(&self, changes: &ExportChanges, made: &mut Vec<PathBuf>) -> Result<(), Failed> {
        for file in &changes.write {
            let path = self.path.join(&file.path);
            if let Some(parent) = path.parent() {
                make_directories(parent, made)?;
            }
            let new = beside(&path, NEW);
            write(&new, file).map_err(|error| (path, error))?;
        }
        Ok(())
    }

    /// Renames the new files into their places, and removes what is not needed any more.
    fn replace(&self, changes: &ExportChanges) -> Result<(), Failed> {
        let mut steps = Vec::new();
        let replaced = changes.write.iter().map(|file| (&file.path, true));
        let removed = changes.remove.iter().map(|path| (path, false));
        for (path, is_new) in replaced.chain(removed) {
            let path = self.path.join(path);
            if let Err(error) = exchange(&path, is_new, &mut steps) {
                take_back(steps);
                return Err((path, error));
            }
        }
        for step in &steps {
            if let FileStep::Kept(path) = step {
                let _ = fs::remove_file(beside(path, OLD));
            }
        }
        for path in &changes.remove {
            // A directory that is empty now was made for this file.
            for parent in Path::new(path).ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
                if fs::remove_dir(self.path.join(parent)).is_err() {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Gives the old file a second name, and renames the new one over it; if there is no new one, removes the old one.
fn exchange(path: &Path, is_new: bool, steps: &mut Vec<FileStep>) -> io::Result<()> {
    let old = beside(path, OLD);
    // Left by an export that was killed.
    let _ = fs::remove_file(&old);
    match fs::hard_link(path, &old) {
        Ok(()) => steps.push(FileStep::Kept(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => steps.push(FileStep::Added(path.to_owned())),
        // Not every file system has hard links.
        Err(_) => {
            fs::rename(path, &old)?;
            steps.push(FileStep::Kept(path.to_owned()));
        }
    }
    if is_new {
        return fs::rename(beside(path, NEW), path);
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn take_back(steps: Vec<FileStep>) {
    for step in steps.into_iter().rev() {
        match step {
            FileStep::Added(path) => drop(fs::remove_file(path)),
            FileStep::Kept(path) => drop(fs::rename(beside(&path, OLD), path)),
        }
    }
}

/// Creates the missing directories, and remembers them.
fn make_directories(path: &Path, made: &mut Vec<PathBuf>) -> Result<(), Failed> {
    let missing: Vec<&Path> = path.ancestors().take_while(|one| !one.as_os_str().is_empty() && !one.exists()).collect();
    for directory in missing.into_iter().rev() {
        fs::create_dir(directory).map_err(|error| (directory.to_owned(), error))?;
        made.push(directory.to_owned());
    }
    Ok(())
}

/// Writes one file with its permissions, so that not even its owner's group sees a value for a moment.
fn write(path: &Path, file: &ExportFile) -> io::Result<()> {
    // Left by an export that was killed.
    let _ = fs::remove_file(path);
    let flags = libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let mut open = OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(flags).open(path)?;
    open.write_all(&file.text)?;
    open.set_permissions(Permissions::from_mode(file.mode))?;
    File::sync_all(&open)
}

/// The name of a file with this ending.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}

fn not_written((path, error): Failed) -> Error {
    let fact = format!("cannot write {}: {}; nothing was changed", path.display(), reason(&error));
    Error::new(Status::CannotWrite, fact, "choose another directory, or make this one writable")
}
