//! Whether the program of a command line can be executed: checked before a one-off dyno starts, and by `check`.
//!
//! Handles only lines that are one plain command. What any other line runs is up to the shell.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use crate::app::shell_line;
use crate::model::Environment;

/// Where the shell looks for programs if `PATH` is not set.
const DEFAULT_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why a program cannot be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    Missing,
    Directory,
    NotExecutable,
}

/// The word of a command line that names its program. None: the line is not plain enough to know.
pub(super) fn program_of(line: &[u8]) -> Option<Vec<u8>> {
    let line = shell_line(line);
    if line.own_shell {
        return None;
    }
    let words = line.line.strip_prefix(b"exec")?;
    let words = words.first().filter(|byte| byte.is_ascii_whitespace()).map(|_| words.trim_ascii_start())?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./+@%:,".contains(byte);
    let word = words.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    (!word.is_empty() && word.iter().all(plain)).then(|| word.to_vec())
}

/// Looks for a program like the shell does. None: it can be executed.
///
/// `environment`: of the dyno, for its `PATH`; `directory`: where relative paths start.
pub(super) fn obstacle(program: &[u8], environment: &Environment, directory: &Path) -> Option<Obstacle> {
    let path = environment.get(b"PATH").map_or(DEFAULT_PATH, |path| path.reveal());
    let candidates: Vec<PathBuf> = if program.contains(&b'/') {
        vec![directory.join(OsStr::from_bytes(program))]
    } else {
        let folders = path.split(|byte| *byte == b':').map(|folder| directory.join(OsStr::from_bytes(folder)));
        folders.map(|folder| folder.join(OsStr::from_bytes(program))).collect()
    };
    if candidates.iter().any(|path| is_executable(path)) {
        return None;
    }
    Some(match candidates.iter().find(|path| path.exists()) {
        None => Obstacle::Missing,
        Some(found) if found.is_dir() => Obstacle::Directory,
        Some(_) => Obstacle::NotExecutable,
    })
}

/// Whether this user may execute the file.
pub(super) fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, AccessFlags::X_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_command_names_its_program() {
        let program = |line: &str| program_of(line.as_bytes()).map(|word| String::from_utf8_lossy(&word).into_owned());

        for (line, word) in [("npm start", "npm"), ("exec puma -C x", "puma"), ("./bin/web \"$PORT\"", "./bin/web")] {
            assert_eq!(program(line).as_deref(), Some(word), "{line}");
        }
        for line in ["", "A=1 npm start", "npm start | tee log", "$SERVER", "\"my server\"", "cd x", "exec -a x y"] {
            assert_eq!(program(line), None, "{line}");
        }
    }
}
