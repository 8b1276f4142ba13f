//! Whether the program of a command line can be executed: checked before a one-off dyno starts, by `check`, and after a
//! dyno has ended with 126 or 127 (S1.6).
//!
//! Handles only lines that are one plain command. What any other line runs is up to the shell.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::quick_lookup::{FOR_A_HINT, look_up_within};
use crate::app::{bash_word, program_word};
use crate::model::{Dialect, DynoSpec, Environment, Shell};

/// Where the shell looks for programs if `PATH` is not set.
const DEFAULT_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A shorter word gets no suggestion: by chance, it is one typo away from some program.
const SHORTEST_TYPO: usize = 4;

/// Linux reads no more than this of the first line of a script.
const FIRST_LINE_BYTES: u64 = 256;

/// Where a program is looked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProgramLookup<'a> {
    /// The environment of the dyno, for its `PATH`.
    pub(crate) environment: &'a Environment,
    /// Where relative paths start: the root of the app.
    pub(crate) directory: &'a Path,
}

/// A program that cannot be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Obstacle {
    /// As in the command line.
    program: String,
    pub(crate) kind: ObstacleKind,
    /// The path to type for a file of the app. None: there is none, or it is not below the root.
    own_file: Option<String>,
}

/// Why a program cannot be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ObstacleKind {
    Missing,
    Directory,
    NotExecutable,
    /// The first line of the script ends in `\r`, which becomes part of the interpreter's name.
    WindowsLineEnds,
    /// The first line of the script names a program that does not exist.
    NoInterpreter(String),
}

/// The end of a sentence that begins with the program.
impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ObstacleKind::Missing if self.program.contains('/') => f.write_str("does not exist"),
            ObstacleKind::Missing => f.write_str("is not on `PATH`"),
            ObstacleKind::Directory => f.write_str("is a directory"),
            ObstacleKind::NotExecutable => f.write_str("is not executable"),
            ObstacleKind::WindowsLineEnds => f.write_str("has Windows line endings, so its interpreter is not found"),
            ObstacleKind::NoInterpreter(name) => write!(f, "needs `{name}` (its first line), which is not installed"),
        }
    }
}

impl Obstacle {
    /// What to do about it.
    pub(crate) fn hint(&self) -> String {
        let program = &self.program;
        match (&self.kind, &self.own_file) {
            (ObstacleKind::Missing, _) if program.contains(' ') => {
                format!("remove the quotes, which make it a single word: `{program}`")
            }
            (ObstacleKind::Missing, _) if program.starts_with('/') => "check the path".to_owned(),
            (ObstacleKind::Missing, _) if program.contains('/') => {
                "check the path: it is relative to the root of the app".to_owned()
            }
            (ObstacleKind::Missing, _) => "install it, or check the name".to_owned(),
            (ObstacleKind::Directory, _) => "name a program in it".to_owned(),
            (ObstacleKind::NotExecutable, Some(file)) => format!("run `chmod +x {file}`"),
            (ObstacleKind::NotExecutable, None) => {
                format!("if it is a script, name its interpreter, as in `sh {program}`")
            }
            (ObstacleKind::WindowsLineEnds, Some(file)) => format!("run `sed -i 's/\\r$//' {file}`"),
            (ObstacleKind::WindowsLineEnds, None) => "save it with LF line endings".to_owned(),
            (ObstacleKind::NoInterpreter(name), Some(file)) => {
                format!("install `{name}`, or correct the first line of `{file}`")
            }
            (ObstacleKind::NoInterpreter(name), None) => format!("install `{name}`"),
        }
    }
}

/// The word of a command line that names its program. None: the line is not plain enough to know.
pub(crate) fn program_of(line: &[u8]) -> Option<Vec<u8>> {
    program_word(line).filter(|word| !word.is_empty() && !word.starts_with(b"~"))
}

impl ProgramLookup<'_> {
    /// Looks for a program like the shell does. None: it can be executed.
    pub(crate) fn obstacle(&self, program: &[u8]) -> Option<Obstacle> {
        let candidates: Vec<PathBuf> = if program.contains(&b'/') {
            vec![self.directory.join(OsStr::from_bytes(program))]
        } else {
            self.folders().map(|folder| folder.join(OsStr::from_bytes(program))).collect()
        };
        let (kind, path) = match candidates.iter().find(|path| is_executable(path)) {
            Some(found) => (self.obstacle_of_script(found)?, Some(found)),
            None => match candidates.iter().find(|path| path.exists()) {
                None => (ObstacleKind::Missing, None),
                Some(found) if found.is_dir() => (ObstacleKind::Directory, Some(found)),
                Some(found) => (ObstacleKind::NotExecutable, Some(found)),
            },
        };
        let program = String::from_utf8_lossy(program).into_owned();
        let own_file = path
            .and_then(|path| self.own_file(path))
            .map(|below| if program.contains('/') { program.clone() } else { below });
        Some(Obstacle { program, kind, own_file })
    }

    fn folders(&self) -> impl Iterator<Item = PathBuf> {
        let path = self.environment.get(b"PATH").map_or(DEFAULT_PATH, |path| path.reveal());
        path.split(|byte| *byte == b':').map(|folder| self.directory.join(OsStr::from_bytes(folder)))
    }

    /// Why the interpreter of a script cannot be executed, although the script can.
    fn obstacle_of_script(&self, path: &Path) -> Option<ObstacleKind> {
        let mut start = Vec::new();
        File::open(path).ok()?.take(FIRST_LINE_BYTES).read_to_end(&mut start).ok()?;
        let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
        if line.ends_with(b"\r") {
            return Some(ObstacleKind::WindowsLineEnds);
        }
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let interpreter = words.next()?;
        let exists = |name: &[u8]| {
            if name.contains(&b'/') {
                self.directory.join(OsStr::from_bytes(name)).exists()
            } else {
                self.folders().any(|folder| is_executable(&folder.join(OsStr::from_bytes(name))))
            }
        };
        let of_env = words.next().filter(|word| interpreter.ends_with(b"/env") && !word.starts_with(b"-"));
        let is_missing = |name: &&[u8]| !exists(name) && !name.contains(&b'=');
        let missing = [Some(interpreter), of_env].into_iter().flatten().find(is_missing)?;
        Some(ObstacleKind::NoInterpreter(String::from_utf8_lossy(missing).into_owned()))
    }

    /// The path from the root of the app. None: the file is somewhere else.
    fn own_file(&self, path: &Path) -> Option<String> {
        let (path, root) = (path.canonicalize().ok()?, self.directory.canonicalize().ok()?);
        Some(path.strip_prefix(root).ok()?.display().to_string())
    }
}

/// What the log says about a dyno that ended with 126 or 127. Foreman and honcho have no `--profile`.
pub(crate) fn hint_after_failure(dialect: Dialect) -> fn(&DynoSpec) -> Option<String> {
    match dialect {
        Dialect::Dyno | Dialect::HerokuLocal => |spec| hint(spec, true),
        Dialect::Foreman | Dialect::Honcho => |spec| hint(spec, false),
    }
}

/// `profile`: whether `--profile` is an option of the command that was typed.
fn hint(spec: &DynoSpec, profile: bool) -> Option<String> {
    let line = spec.command_line.as_bytes();
    if let Some(word) = bash_word(line).filter(|_| spec.launch.shell() == Shell::Sh) {
        let other = if profile { ", or add `--profile`" } else { "" };
        return Some(format!("`{word}` needs bash: write `bash -c '…'` around the command{other}"));
    }
    let lookup = ProgramLookup { environment: &spec.environment, directory: &spec.directory };
    let obstacle = lookup.obstacle(&program_of(line)?)?;
    match obstacle.kind {
        ObstacleKind::Missing if obstacle.program.contains(' ') => Some(obstacle.hint()),
        // The shell's own message says that already.
        ObstacleKind::Missing | ObstacleKind::Directory => None,
        ObstacleKind::NotExecutable => Some(obstacle.hint()),
        ObstacleKind::WindowsLineEnds | ObstacleKind::NoInterpreter(_) => {
            Some(format!("`{}` {obstacle}: {}", obstacle.program, obstacle.hint()))
        }
    }
}

/// Whether a program of that name is on the `PATH` of the shell.
pub(crate) fn is_program(name: &str) -> bool {
    let mut environment = Environment::default();
    if let Some(path) = env::var_os("PATH") {
        environment.set("PATH", path.as_bytes());
    }
    env::current_dir().is_ok_and(|directory| {
        ProgramLookup { environment: &environment, directory: &directory }.obstacle(name.as_bytes()).is_none()
    })
}

/// The program on the `PATH` with the most similar name. Short words are similar to too many.
pub(crate) fn nearest_program(word: &str, environment: &Environment) -> Option<String> {
    if word.len() < SHORTEST_TYPO || word.contains('/') {
        return None;
    }
    let path = environment.get(b"PATH").map_or(DEFAULT_PATH, |path| path.reveal()).to_vec();
    let word = word.to_owned();
    look_up_within(FOR_A_HINT, move || {
        let folders = env::split_paths(OsStr::from_bytes(&path)).filter(|folder| folder.is_absolute());
        let entries = folders.filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        let programs = entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())));
        let near = programs.filter(|(name, _)| strsim::damerau_levenshtein(&word, name) == 1);
        near.filter(|(_, path)| is_executable(path)).map(|(name, _)| name).min()
    })
    .flatten()
}

/// Whether this user may execute the file.
pub(crate) fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, AccessFlags::X_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_command_names_its_program() {
        let program = |line: &str| program_of(line.as_bytes()).map(|word| String::from_utf8_lossy(&word).into_owned());

        for (line, word) in [
            ("npm start", "npm"),
            ("exec puma -C x", "puma"),
            ("./bin/web \"$PORT\"", "./bin/web"),
            ("\"npm start\"", "npm start"),
            ("exec 'my server' x", "my server"),
        ] {
            assert_eq!(program(line).as_deref(), Some(word), "{line}");
        }
        for line in
            ["", "A=1 npm start", "npm start | tee log", "$SERVER", "exec \"$SERVER\"", "~/web", "cd x", "exec -a x y"]
        {
            assert_eq!(program(line), None, "{line}");
        }
    }
}
