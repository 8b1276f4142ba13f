//! The files below the root of an app whose changes restart process types (S14.3): all that no ignore file excludes.
//!
//! Knows every file by name, so that a deleted file is a change, and a temporary file that is already gone is not. Also
//! knows what each looked like, so that a new look at everything finds what has changed, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

use crate::project::{FileStamp, UNFINISHED};

/// Directories that are never watched.
const NEVER: [&str; 4] = [".git", "node_modules", "target", "__pycache__"];
/// The files that say what is ignored.
const IGNORE_FILES: [&str; 3] = [".gitignore", ".ignore", ".dynoignore"];

/// What is in a directory tree.
#[derive(Debug, Default)]
pub(super) struct WatchedTree {
    root: PathBuf,
    /// What each file looked like when it was last looked at.
    files: BTreeMap<PathBuf, FileStamp>,
    directories: BTreeSet<PathBuf>,
    /// Files and directories that are never watched.
    excluded: BTreeSet<PathBuf>,
}

/// What a look at changed paths has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The files that have changed, in the order in which their paths were given.
    pub(super) changed: Vec<PathBuf>,
    /// Whether an ignore file or the root itself has changed.
    pub(super) rules_changed: bool,
}

impl WatchedTree {
    /// Everything below `root` as it is now. `enter` is called for each directory before its entries are read, so that it can
    /// be watched from then on.
    pub(super) fn of(root: &Path, excluded: BTreeSet<PathBuf>, enter: impl FnMut(&Path)) -> Self {
        let mut tree = Self { root: root.to_owned(), excluded, ..Self::default() };
        tree.add(root, enter);
        tree
    }

    /// Looks at these paths again and updates the tree. `enter`: see [`Self::of`].
    pub(super) fn update(&mut self, paths: &[PathBuf], mut enter: impl FnMut(&Path)) -> Found {
        let mut found = Found::default();
        let parents: BTreeSet<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
        let mut visible = BTreeSet::new();
        for parent in parents.into_iter().filter(|parent| self.directories.contains(*parent)) {
            visible.extend(self.walk(parent, Some(1)).map(|entry| (entry.path().to_owned(), is_directory(&entry))));
        }
        let mut renewed = BTreeSet::new();
        for path in paths {
            found.rules_changed |= path.file_name().is_some_and(is_ignore_file);
            if path.ancestors().any(|above| renewed.contains(above)) {
                continue;
            }
            let is_known = self.files.contains_key(path) || self.directories.contains(path);
            if visible.contains(&(path.clone(), true)) {
                // It may be new, or another one than before, which is not watched yet. The inode does not tell: a file system
                // may give that of a removed directory to the next one.
                found.changed.extend(self.renew(path, &mut enter));
                renewed.insert(path.as_path());
            } else if visible.contains(&(path.clone(), false)) {
                self.files.insert(path.clone(), FileStamp::of(path));
                found.changed.push(path.clone());
            } else if is_known && fs::symlink_metadata(path).is_err() {
                found.changed.extend(self.remove(path).into_keys());
            }
        }
        found
    }

    /// Replaces the excluded paths. A path that is no longer excluded is watched again. `enter`: see [`Self::of`].
    pub(super) fn exclude(&mut self, excluded: BTreeSet<PathBuf>, enter: impl FnMut(&Path)) {
        let before = std::mem::replace(&mut self.excluded, excluded);
        for path in self.excluded.clone() {
            self.remove(&path);
        }
        let included: Vec<PathBuf> = before.difference(&self.excluded).cloned().collect();
        // That they are watched now is not a change.
        let _ = self.update(&included, enter);
    }

    /// Looks again at a directory and everything below it. Returns the files that have changed.
    fn renew(&mut self, directory: &Path, enter: impl FnMut(&Path)) -> BTreeSet<PathBuf> {
        let before = self.remove(directory);
        let mut changed: BTreeSet<PathBuf> = self.add(directory, enter).into_iter().collect();
        for (file, then) in before {
            if self.files.get(&file).is_some_and(|now| !then.may_have_changed(now)) {
                changed.remove(&file);
            } else {
                changed.insert(file);
            }
        }
        changed
    }

    /// Adds a directory and what is below it. Returns the files.
    fn add(&mut self, directory: &Path, mut enter: impl FnMut(&Path)) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for entry in self.walk(directory, None) {
            if is_directory(&entry) {
                enter(entry.path());
                self.directories.insert(entry.into_path());
            } else {
                files.push(entry.into_path());
            }
        }
        self.files.extend(files.iter().map(|file| (file.clone(), FileStamp::of(file))));
        files
    }

    /// A path relative to the root. None: it is not below the root.
    pub(super) fn relative(&self, path: &Path) -> Option<PathBuf> {
        path.strip_prefix(&self.root).ok().map(Path::to_owned)
    }

    /// The files, relative to the root, that were changed, created or deleted since an earlier look. One that is ignored
    /// since then is not among them.
    pub(super) fn changed_since(&self, before: &Self) -> BTreeSet<PathBuf> {
        let mut changed = BTreeSet::new();
        for (file, stamp) in &self.files {
            let Some(name) = self.relative(file) else { continue };
            let then = before.files.get(&before.root.join(&name));
            if then.is_none_or(|then| then.may_have_changed(stamp)) {
                changed.insert(name);
            }
        }
        let names = before.files.keys().filter_map(|file| before.relative(file));
        changed.extend(names.filter(|name| fs::symlink_metadata(self.root.join(name)).is_err()));
        changed
    }

    /// Removes a path and what was below it. Returns the files, as they were when they were last looked at.
    fn remove(&mut self, path: &Path) -> BTreeMap<PathBuf, FileStamp> {
        let after = self.files.range(path.to_owned()..).map(|(file, _)| file);
        let gone: Vec<PathBuf> = after.take_while(|file| file.starts_with(path)).cloned().collect();
        if self.directories.contains(path) {
            self.directories.retain(|directory| !directory.starts_with(path));
        }
        gone.into_iter().filter_map(|file| self.files.remove_entry(&file)).collect()
    }

    /// The directory and everything below it that is not ignored, down to this depth.
    fn walk(&self, directory: &Path, depth: Option<usize>) -> impl Iterator<Item = DirEntry> + use<> {
        let excluded = self.excluded.clone();
        WalkBuilder::new(directory)
            .max_depth(depth)
            .hidden(false)
            .require_git(false)
            .add_custom_ignore_filename(".dynoignore")
            .filter_entry(move |entry| !is_never(entry.file_name()) && !excluded.contains(entry.path()))
            .build()
            .filter_map(Result::ok)
            // A socket or a named pipe is not something that is edited.
            .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_dir() || kind.is_file() || kind.is_symlink()))
    }
}

fn is_directory(entry: &DirEntry) -> bool {
    entry.file_type().is_some_and(|kind| kind.is_dir())
}

fn is_ignore_file(name: &OsStr) -> bool {
    IGNORE_FILES.iter().any(|file| name == *file)
}

/// Whether this is a directory that is never watched, or a file that an editor or `config:set` writes beside the one that it
/// saves.
fn is_never(name: &OsStr) -> bool {
    if NEVER.iter().any(|directory| name == *directory) {
        return true;
    }
    let name = name.to_string_lossy();
    let has_ending = |ending: &str| Path::new(&*name).extension().is_some_and(|found| found == ending);
    let is_unfinished = ["swp", "swx", UNFINISHED].into_iter().any(has_ending);
    is_unfinished || name.ends_with('~') || name.starts_with(".#") || name == "4913"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::scratch::Scratch;

    fn tree(scratch: &Scratch) -> WatchedTree {
        WatchedTree::of(scratch.path(), BTreeSet::new(), |_| ())
    }

    #[test]
    fn s14_3_ignored_files_and_files_of_tools_are_not_watched() {
        let scratch = Scratch::new("ignored");
        scratch.file(".gitignore", "*.log\n/build\n");
        scratch.file(".dynoignore", "data/\n");
        scratch.file("src/.ignore", "made.rb\n");
        for name in
            ["a.rb", "b.log", "build/x", "data/y", "src/made.rb", "src/app.rb", "src/app.rb~", "src/.app.rb.swp"]
        {
            scratch.file(name, "");
        }
        for name in [".git/HEAD", "node_modules/p/index.js", "src/__pycache__/a.pyc", "target/debug/x"] {
            scratch.file(name, "");
        }

        let tree = tree(&scratch);

        let files = scratch.names(tree.files.keys());
        assert_eq!(files, [".dynoignore", ".gitignore", "a.rb", "src/.ignore", "src/app.rb"]);
        assert_eq!(scratch.names(tree.directories.iter()), ["", "src"]);
    }

    #[test]
    fn s14_3_changed_new_and_deleted_files_are_found_but_vanished_ones_not() {
        let scratch = Scratch::new("update");
        scratch.file(".gitignore", "*.log\n");
        let (changed, deleted) = (scratch.file("a.rb", ""), scratch.file("b.rb", ""));
        let mut tree = tree(&scratch);

        fs::remove_file(&deleted).unwrap();
        let (new, ignored) = (scratch.file("c.rb", ""), scratch.file("d.log", ""));
        let found = tree.update(&[changed, scratch.path().join("sedXyZ12"), ignored, deleted.clone(), new], |_| ());

        assert_eq!(scratch.names(&found.changed), ["a.rb", "b.rb", "c.rb"]);
        assert!(!found.rules_changed);
        assert_eq!(tree.update(&[deleted], |_| ()), Found::default());
    }

    #[test]
    fn s14_3_new_directories_are_added_and_removed_ones_are_dropped() {
        let scratch = Scratch::new("directories");
        let mut tree = tree(&scratch);
        scratch.file("src/lib/a.rb", "");

        let mut entered = Vec::new();
        let found = tree.update(&[scratch.path().join("src")], |directory| entered.push(directory.to_owned()));
        assert_eq!(scratch.names(&found.changed), ["src/lib/a.rb"]);
        assert_eq!(scratch.names(&entered), ["src", "src/lib"]);

        fs::remove_dir_all(scratch.path().join("src")).unwrap();
        let found = tree.update(&[scratch.path().join("src")], |_| ());
        assert_eq!(scratch.names(&found.changed), ["src/lib/a.rb"]);
        assert_eq!(scratch.names(tree.directories.iter()), [""]);
    }

    #[test]
    fn s14_3_a_directory_that_was_replaced_by_another_is_entered_again() {
        let scratch = Scratch::new("replaced");
        scratch.file("src/a.rb", "");
        let mut tree = tree(&scratch);
        let source = scratch.path().join("src");
        fs::rename(&source, scratch.path().join("old")).unwrap();
        scratch.file("src/b.rb", "");

        let mut entered = Vec::new();
        let found = tree.update(&[source], |directory| entered.push(directory.to_owned()));

        assert_eq!(scratch.names(&found.changed), ["src/a.rb", "src/b.rb"]);
        assert_eq!(scratch.names(&entered), ["src"]);
        assert_eq!(scratch.names(tree.files.keys()), ["src/b.rb"]);
    }

    // The event may be about another directory, to which the file system has given the same inode.
    #[test]
    fn s14_3_a_directory_with_an_event_is_entered_again() {
        let scratch = Scratch::new("inode");
        for name in ["src/changed.rb", "src/gone.rb", "src/same.rb"] {
            scratch.file(name, "");
        }
        // Once its files are so old that each further change leaves other times.
        let mut tree =
            std::iter::repeat_with(|| tree(&scratch)).find(|tree| tree.changed_since(tree).is_empty()).unwrap();
        fs::remove_file(scratch.file("src/gone.rb", "")).unwrap();
        scratch.file("src/changed.rb", "x");
        scratch.file("src/new.rb", "");

        let mut entered = Vec::new();
        let paths = ["src", "src/new.rb"].map(|name| scratch.path().join(name));
        let found = tree.update(&paths, |directory| entered.push(directory.to_owned()));

        assert_eq!(scratch.names(&entered), ["src"]);
        // Each of them once.
        assert_eq!(scratch.names(&found.changed), ["src/changed.rb", "src/gone.rb", "src/new.rb"]);
    }

    #[test]
    fn s14_3_sockets_and_named_pipes_are_not_watched() {
        let scratch = Scratch::new("special");
        let (socket, pipe) = (scratch.path().join("web.sock"), scratch.path().join("pipe"));
        let mut tree = tree(&scratch);
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();

        assert_eq!(tree.update(&[socket, pipe], |_| ()), Found::default());
    }

    #[test]
    fn s14_3_ignore_files_above_the_directory_of_a_change_apply() {
        let scratch = Scratch::new("above");
        scratch.file(".gitignore", "gen/*.rb\n");
        scratch.file("gen/kept.txt", "");
        let mut tree = tree(&scratch);

        let (ignored, counts) = (scratch.file("gen/new.rb", ""), scratch.file("gen/new.txt", ""));
        let found = tree.update(&[ignored, counts], |_| ());

        assert_eq!(scratch.names(&found.changed), ["gen/new.txt"]);
    }

    #[test]
    fn s14_3_a_changed_ignore_file_is_noticed() {
        let scratch = Scratch::new("rules");
        let mut tree = tree(&scratch);

        assert!(tree.update(&[scratch.file(".gitignore", "*.log\n")], |_| ()).rules_changed);
    }

    #[test]
    fn s14_3_another_look_finds_what_has_changed_since_the_last_one() {
        let scratch = Scratch::new("again");
        for name in ["changed", "deleted", "same", "src/moved", "a.log"] {
            scratch.file(name, "");
        }
        // Until the times of the files are so old that another change leaves other ones.
        let before =
            std::iter::repeat_with(|| tree(&scratch)).find(|tree| tree.changed_since(tree).is_empty()).unwrap();
        scratch.file("changed", "x");
        fs::remove_file(scratch.path().join("deleted")).unwrap();
        fs::rename(scratch.path().join("src"), scratch.path().join("lib")).unwrap();
        scratch.file(".gitignore", "*.log\n");

        let changed = tree(&scratch).changed_since(&before);

        let names: Vec<&str> = changed.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(names, [".gitignore", "changed", "deleted", "lib/moved", "src/moved"]);
    }

    #[test]
    fn s14_3_a_file_created_while_its_directory_is_entered_is_found() {
        let scratch = Scratch::new("entered");
        scratch.file("src/a.rb", "");

        let tree = WatchedTree::of(scratch.path(), BTreeSet::new(), |directory| {
            if directory.ends_with("src") {
                scratch.file("src/new/b.rb", "");
            }
        });

        assert_eq!(scratch.names(tree.files.keys()), ["src/a.rb", "src/new/b.rb"]);
    }
}
