//! Where a change of a file can be seen: in its directory, and in the directory of every symlink on the way to it
//! (S14.2).

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The most symlinks that are followed from one file.
const MOST_LINKS: usize = 16;

/// The paths to watch for some files: a change of such a path may be a change of one of the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct WatchedPlaces {
    /// Each path, with the number of the file that it belongs to.
    pub(super) paths: HashMap<PathBuf, usize>,
}

impl WatchedPlaces {
    /// The paths to watch for these files, which are absolute paths, as the file system is now.
    pub(super) fn of(files: &[PathBuf]) -> Self {
        let mut places = Self::default();
        for (number, file) in files.iter().enumerate() {
            places.add(file.clone(), number);
        }
        places
    }

    /// The directories to watch.
    pub(super) fn directories(&self) -> BTreeSet<&Path> {
        self.paths.keys().filter_map(|path| path.parent()).collect()
    }

    fn add(&mut self, file: PathBuf, number: usize) {
        let mut path = file;
        for _ in 0..MOST_LINKS {
            let Some((parent, name)) = path.parent().zip(path.file_name()) else { return };
            self.add_directories(parent, number);
            let Ok(directory) = fs::canonicalize(parent) else { return };
            let real = directory.join(name);
            self.paths.entry(real.clone()).or_insert(number);
            match fs::read_link(&real) {
                Ok(target) => path = directory.join(target),
                // It is not a symlink, or does not exist.
                Err(_) => return,
            }
        }
    }

    /// The directory itself, because it may be replaced by another one; each symlink in its path; and the first part of it
    /// that does not exist.
    fn add_directories(&mut self, directory: &Path, number: usize) {
        let mut so_far = PathBuf::new();
        for part in directory.components() {
            let before = fs::canonicalize(&so_far);
            so_far.push(part);
            let Component::Normal(name) = part else { continue };
            let is_last = so_far == directory;
            let is_plain = fs::symlink_metadata(&so_far).is_ok_and(|found| found.is_dir());
            if let (Ok(before), true) = (before, is_last || !is_plain) {
                self.paths.entry(before.join(name)).or_insert(number);
            }
            if fs::metadata(&so_far).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::runtime::scratch::Scratch;

    fn places(scratch: &Scratch, file: &str) -> Vec<String> {
        let places = WatchedPlaces::of(&[scratch.path().join(file)]);
        let mut names = scratch.names(places.paths.keys());
        names.sort();
        names
    }

    #[test]
    fn s14_2_a_plain_file_and_its_directory_are_watched() {
        let scratch = Scratch::new("plain");
        fs::create_dir(scratch.path().join("app")).unwrap();
        fs::write(scratch.path().join("app/.env"), "").unwrap();

        assert_eq!(places(&scratch, "app/.env"), ["app", "app/.env"]);
        assert_eq!(places(&scratch, "app/none"), ["app", "app/none"]);
    }

    #[test]
    fn s14_2_each_symlink_on_the_way_to_a_file_is_watched() {
        let scratch = Scratch::new("links");
        fs::create_dir_all(scratch.path().join("releases/7")).unwrap();
        fs::write(scratch.path().join("releases/7/real.env"), "").unwrap();
        symlink("releases/7", scratch.path().join("current")).unwrap();
        symlink("current/real.env", scratch.path().join(".env")).unwrap();

        assert_eq!(places(&scratch, ".env"), ["", ".env", "current", "releases/7/real.env"]);
    }

    #[test]
    fn s14_2_the_first_missing_directory_above_a_file_is_watched() {
        let scratch = Scratch::new("missing");

        assert_eq!(places(&scratch, "config/local/.env"), ["config"]);
    }

    #[test]
    fn s14_2_a_symlink_to_itself_is_watched_like_any_other() {
        let scratch = Scratch::new("circle");
        symlink("circle", scratch.path().join("circle")).unwrap();

        assert_eq!(places(&scratch, "circle"), ["", "circle"]);
    }
}
