//! What an export changes in a directory: which files it writes, which it removes, and which are in its way (S18.1).

use super::{ExportFile, Marker};

/// A file that is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFile {
    /// Its path, relative to the directory of the export.
    pub path: String,
    /// Its permissions.
    pub mode: u32,
    /// Its bytes. None: it is something other than a regular file, such as a symlink.
    pub text: Option<Vec<u8>>,
}

/// What is done to the directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportChanges {
    /// The files that are written: they differ, or are missing.
    pub write: Vec<ExportFile>,
    /// The paths that are removed: an earlier export of this app and format wrote them.
    pub remove: Vec<String>,
    /// The paths that stay as they are.
    pub unchanged: Vec<String>,
    /// Why nothing may be written. `--force` removes some of them.
    pub obstacles: Vec<ExportObstacle>,
}

/// A file that is in the way of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportObstacle {
    /// A person has changed a file that an export wrote, or has written a file in its place.
    Edited {
        /// Its path.
        path: String,
        /// Whether an export wrote it at first.
        was_ours: bool,
    },
    /// It is a symlink, a directory or another special file.
    NotAFile(String),
    /// It belongs to the export of another app.
    OfAnotherApp {
        /// Its path.
        path: String,
        /// The app.
        app: String,
    },
    /// The directory has the files of another format.
    OfAnotherFormat {
        /// One of these files.
        path: String,
        /// The name of that format.
        format: &'static str,
    },
}

impl ExportObstacle {
    /// Whether `--force` overwrites it.
    #[must_use]
    pub fn yields_to_force(&self) -> bool {
        matches!(self, Self::Edited { .. })
    }
}

/// What an export changes. `found`: the files at the paths of the export, and all others in its directories that carry a
/// marker. `force`: edited files are replaced.
#[must_use]
pub fn changes(marker: &Marker, files: Vec<ExportFile>, found: &[FoundFile], force: bool) -> ExportChanges {
    let mut changes = ExportChanges::default();
    let at = |path: &str| found.iter().find(|one| one.path == path);
    let is_new = |path: &str| files.iter().any(|file| file.path == path);
    for other in found.iter().filter(|one| !is_new(&one.path)) {
        match other.text.as_deref().and_then(Marker::find) {
            Some((known, _)) if known.app != marker.app => {}
            Some((known, _)) if known.format != marker.format => {
                let format = known.format.name();
                add(&mut changes.obstacles, ExportObstacle::OfAnotherFormat { path: other.path.clone(), format });
            }
            Some((_, true)) => changes.remove.push(other.path.clone()),
            // A copy of the example, into which somebody has written values.
            Some((_, false)) if is_new(&format!("{}.example", other.path)) => {}
            Some((_, false)) if force => changes.remove.push(other.path.clone()),
            Some((_, false)) => {
                changes.obstacles.push(ExportObstacle::Edited { path: other.path.clone(), was_ours: true });
            }
            None => {}
        }
    }
    for file in files {
        let path = file.path.clone();
        let Some(old) = at(&path) else {
            changes.write.push(file);
            continue;
        };
        let Some(text) = &old.text else {
            changes.obstacles.push(ExportObstacle::NotAFile(path));
            continue;
        };
        let known = Marker::find(text);
        let obstacle = match known {
            Some((known, _)) if known.format != marker.format => {
                Some(ExportObstacle::OfAnotherFormat { path: path.clone(), format: known.format.name() })
            }
            Some((known, _)) if known.app != marker.app => {
                Some(ExportObstacle::OfAnotherApp { path: path.clone(), app: known.app })
            }
            Some((_, true)) => None,
            Some((_, false)) => Some(ExportObstacle::Edited { path: path.clone(), was_ours: true }),
            None => Some(ExportObstacle::Edited { path: path.clone(), was_ours: false }),
        };
        match obstacle {
            Some(obstacle) if !(force && obstacle.yields_to_force()) && *text != file.text => {
                add(&mut changes.obstacles, obstacle);
            }
            Some(_) | None if *text == file.text && old.mode == file.mode => changes.unchanged.push(path),
            Some(_) | None => changes.write.push(file),
        }
    }
    changes
}

/// Adds an obstacle. One file of another format is enough.
fn add(obstacles: &mut Vec<ExportObstacle>, obstacle: ExportObstacle) {
    let is_of_format = |one: &ExportObstacle| matches!(one, ExportObstacle::OfAnotherFormat { .. });
    if !is_of_format(&obstacle) || !obstacles.iter().any(is_of_format) {
        obstacles.push(obstacle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::{CommentStyle, ExportFormat};

    fn marker(app: &str) -> Marker {
        Marker::new(ExportFormat::Systemd, app)
    }

    fn file(path: &str, text: &str) -> ExportFile {
        ExportFile::new(path, &marker("shop"), CommentStyle::Hash, text)
    }

    fn found(file: &ExportFile) -> FoundFile {
        FoundFile { path: file.path.clone(), mode: file.mode, text: Some(file.text.clone()) }
    }

    fn edited(file: &ExportFile) -> FoundFile {
        let text = [file.text.as_slice(), b"\n"].concat();
        FoundFile { text: Some(text), ..found(file) }
    }

    #[test]
    fn s18_1_only_what_differs_is_written_and_only_old_files_are_removed() {
        let (same, old, new, gone) = (file("a", "1"), file("b", "1"), file("b", "2"), file("c", "1"));
        let foreign = FoundFile { path: "d".to_owned(), mode: 0o644, text: Some(b"mine".to_vec()) };
        let of_other = ExportFile::new("e", &marker("other"), CommentStyle::Hash, "1");
        let there = [found(&same), found(&old), found(&gone), foreign, found(&of_other)];

        let changes = changes(&marker("shop"), vec![same.clone(), new.clone()], &there, false);

        let expected = ExportChanges {
            write: vec![new],
            remove: vec!["c".to_owned()],
            unchanged: vec!["a".to_owned()],
            obstacles: Vec::new(),
        };
        assert_eq!(changes, expected);
    }

    #[test]
    fn s18_1_a_file_that_a_person_changed_is_kept_unless_forced() {
        let (new, gone) = (file("a", "2"), file("b", "1"));
        let there = [edited(&file("a", "1")), edited(&gone)];
        let edited = |path: &str| ExportObstacle::Edited { path: path.to_owned(), was_ours: true };

        let refused = changes(&marker("shop"), vec![new.clone()], &there, false);
        assert_eq!(refused.obstacles, [edited("b"), edited("a")]);

        let forced = changes(&marker("shop"), vec![new.clone()], &there, true);
        assert_eq!((forced.write, forced.remove), (vec![new], vec!["b".to_owned()]));
        assert_eq!(forced.obstacles, []);
    }

    #[test]
    fn s18_1_a_symlink_and_a_file_of_another_app_are_never_replaced() {
        let link = FoundFile { path: "a".to_owned(), mode: 0o777, text: None };
        let of_other = ExportFile::new("b", &marker("other"), CommentStyle::Hash, "1");

        let changes = changes(&marker("shop"), vec![file("a", "1"), file("b", "1")], &[link, found(&of_other)], true);

        let other = ExportObstacle::OfAnotherApp { path: "b".to_owned(), app: "other".to_owned() };
        assert_eq!(changes.obstacles, [ExportObstacle::NotAFile("a".to_owned()), other]);
        assert_eq!(changes.write, []);
    }

    #[test]
    fn s18_3_a_copy_of_an_example_belongs_to_the_user() {
        let example = file("app.env.example", "A=");
        let (copy, filled_in) = (found(&example), edited(&example));
        let at = |path: &str, of: &FoundFile| FoundFile { path: path.to_owned(), ..of.clone() };
        let changes = |there| changes(&marker("shop"), vec![example.clone()], &[there], true);

        assert_eq!(
            changes(at("app.env", &filled_in)),
            ExportChanges { write: vec![example.clone()], ..ExportChanges::default() }
        );
        assert_eq!(changes(at("other.env", &filled_in)).remove, ["other.env"]);
        assert_eq!(changes(at("app.env", &copy)).remove, ["app.env"], "nothing was written into it");
    }

    #[test]
    fn s18_1_a_second_format_is_named_once() {
        let of_runit = |path: &str| {
            let text = Marker::new(ExportFormat::Runit, "shop").mark(CommentStyle::Hash, b"1");
            FoundFile { path: path.to_owned(), mode: 0o644, text: Some(text) }
        };

        let changes = changes(&marker("shop"), vec![file("b", "1")], &[of_runit("b"), of_runit("c")], true);

        let obstacle = ExportObstacle::OfAnotherFormat { path: "c".to_owned(), format: "runit" };
        assert_eq!((changes.obstacles, changes.write), (vec![obstacle], Vec::new()));
    }

    #[test]
    fn s18_1_a_file_with_other_permissions_is_written_again() {
        let secret = file("app.env", "A=1").secret();
        let open = FoundFile { mode: 0o644, ..found(&secret) };

        assert_eq!(changes(&marker("shop"), vec![secret.clone()], &[open], false).write, [secret]);
    }
}
