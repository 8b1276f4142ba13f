//! What an export prints: lists, texts and differences. Files with values of config vars are only named.

use std::fmt::Write as _;

use std::path::Path;

use similar::TextDiff;

use crate::export::{ExportChanges, ExportFile, ExportFormat, FoundFile};

/// The names of the files, with their permissions.
pub(super) fn list(files: &[ExportFile], format: ExportFormat) -> Vec<u8> {
    let mut text = String::new();
    for file in files {
        let _ = writeln!(text, "{:04o} {}", file.mode, file.path);
    }
    let _ = writeln!(text, "`dyno export {format} DIR` writes these files; `--stdout` prints them");
    text.into_bytes()
}

/// The texts of the files, each below its name if there are several.
pub(super) fn texts(files: &[ExportFile]) -> Vec<u8> {
    let mut text = Vec::new();
    for (at, file) in files.iter().enumerate() {
        if at > 0 {
            text.push(b'\n');
        }
        if files.len() > 1 {
            text.extend(format!("# ==> {}\n", file.path).bytes());
        }
        if is_secret(file) {
            text.extend(b"# has values of config vars, which are not shown\n");
        } else {
            text.extend(&file.text);
        }
    }
    text
}

/// What a write would change, as unified differences.
pub(super) fn diff(changes: &ExportChanges, found: &[FoundFile]) -> Vec<u8> {
    let old = |path: &str| found.iter().find(|one| one.path == path).and_then(|one| one.text.as_deref());
    let mut text = Vec::new();
    for file in &changes.write {
        let before = old(&file.path);
        let verb = if before.is_some() { "differs" } else { "is new" };
        if is_secret(file) {
            text.extend(format!("{} {verb}; it has values of config vars, which are not shown\n", file.path).bytes());
        } else if before == Some(file.text.as_slice()) {
            text.extend(format!("{} has other permissions than {:04o}\n", file.path, file.mode).bytes());
        } else {
            let before = before.unwrap_or_default();
            text.extend(unified(&file.path, before, &file.text).bytes());
        }
    }
    for path in &changes.remove {
        text.extend(format!("{path} is not needed any more, and would be removed\n").bytes());
    }
    text
}

fn unified(path: &str, before: &[u8], after: &[u8]) -> String {
    let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
    let (from, to) = (format!("a/{path}"), format!("b/{path}"));
    TextDiff::from_lines(&*before, &*after).unified_diff().header(&from, &to).to_string()
}

/// What was done.
pub(super) fn done(directory: &Path, changes: &ExportChanges) -> String {
    let mut text = String::new();
    for file in &changes.write {
        let _ = writeln!(text, "wrote {}", directory.join(&file.path).display());
    }
    for path in &changes.remove {
        let _ = writeln!(text, "removed {}", directory.join(path).display());
    }
    match changes.unchanged.len() {
        0 => {}
        1 => text.push_str("1 file is unchanged\n"),
        count => {
            let _ = writeln!(text, "{count} files are unchanged");
        }
    }
    text
}

/// What was done, in the words of foreman.
pub(super) fn as_foreman(directory: &Path, changes: &ExportChanges) -> String {
    let line = |verb: &str, path: &str| format!("[foreman export] {verb}: {}\n", directory.join(path).display());
    let removed = changes.remove.iter().map(|path| line("cleaning up", path));
    let written = changes.write.iter().map(|file| line("writing", &file.path));
    let unchanged = changes.unchanged.iter().map(|path| line("writing", path));
    removed.chain(written).chain(unchanged).collect()
}

/// Whether only its owner may read it.
fn is_secret(file: &ExportFile) -> bool {
    file.mode == ExportFile::SECRET
}
