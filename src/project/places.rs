//! Where the files of an app are: root, `.foreman`, `.env`, Procfile (S1.7, S2.1, S4.5).
//!
//! Decides only paths. Reads `.foreman`, because its settings can change them; `files` reads the other files.

use std::env;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::findings::{Finding, Findings};
use super::source_file::{self, Unreadable};
use super::watched_file::FileStamp;
use crate::app::{ForemanFile, Severity, did_you_mean, nearest};
use crate::model::Dialect;
use crate::settings::{NamedFiles, SetBy};

/// Why the directory of an app cannot be used.
struct NoDirectory {
    /// The directory, or the file that names it.
    file: String,
    /// The line of that file, 1-based.
    line: Option<usize>,
    fact: String,
    hint: String,
}

impl From<NoDirectory> for Finding {
    fn from(none: NoDirectory) -> Self {
        let NoDirectory { file, line, fact, hint } = none;
        // The message names the directory.
        Self::new(Severity::Error, file, line, fact, hint).in_a_sentence()
    }
}

/// The places of one app.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The directory in which `dyno` was started.
    pub(crate) current: PathBuf,
    /// The root of the app, absolute.
    pub(crate) root: PathBuf,
    /// Which tool's behaviour applies.
    pub(crate) dialect: Dialect,
    /// The settings of `.foreman`; empty without one.
    pub(crate) foreman: ForemanFile,
    /// The path of `.foreman` in messages.
    pub(crate) foreman_name: String,
    /// The directory of `.foreman`: paths in it are relative to this.
    foreman_directory: PathBuf,
    /// What `.foreman` looked like before it was read.
    pub(super) foreman_stamp: FileStamp,
    named: NamedFiles,
}

impl Places {
    /// Finds the root and reads `.foreman`. None, with an error among the findings: there is no current directory, or `-d`
    /// is not a directory.
    pub(crate) fn find(named: NamedFiles, dialect: Dialect, findings: &mut Findings) -> Option<Self> {
        match Self::in_directory(named, dialect, findings) {
            Ok(places) => Some(places),
            Err(none) => {
                findings.push(none.into());
                None
            }
        }
    }

    fn in_directory(named: NamedFiles, dialect: Dialect, findings: &mut Findings) -> Result<Self, NoDirectory> {
        let current = env::current_dir().map_err(|error| NoDirectory {
            file: ".".to_owned(),
            line: None,
            fact: format!("the current directory cannot be used: {}", reason(&error)),
            hint: "change to a directory that exists".to_owned(),
        })?;
        let foreman_directory = named.root.as_deref().map_or_else(|| current.clone(), |root| current.join(root));
        let mut places = Self {
            root: current.clone(),
            foreman: ForemanFile::default(),
            foreman_name: ".foreman".to_owned(),
            foreman_directory,
            foreman_stamp: FileStamp::default(),
            current,
            dialect,
            named,
        };
        // honcho has no such file.
        if dialect != Dialect::Honcho {
            places.read_foreman_file(findings);
        }
        places.root = places.find_root()?;
        Ok(places)
    }

    /// The same places, with `.foreman` as it is now. The root stays what it was.
    pub(crate) fn read_again(&self, findings: &mut Findings) -> Self {
        let mut places = Self { foreman: ForemanFile::default(), ..self.clone() };
        if self.dialect != Dialect::Honcho {
            places.read_foreman_file(findings);
        }
        places
    }

    pub(super) fn foreman_path(&self) -> PathBuf {
        self.foreman_directory.join(".foreman")
    }

    fn read_foreman_file(&mut self, findings: &mut Findings) {
        let path = self.foreman_path();
        self.foreman_name = self.shown(&path);
        self.foreman_stamp = FileStamp::of(&path);
        match source_file::read(&path) {
            Ok(bytes) => {
                self.foreman = ForemanFile::parse(&bytes);
                findings.add(&self.foreman_name, &self.foreman.problems);
            }
            // If `-d` is not a directory, `find_root` reports it.
            Err(Unreadable::Missing | Unreadable::NotADirectory) => {}
            Err(why) => {
                let severity = if why.is_missing() { Severity::Defect } else { Severity::Error };
                findings.add_file(severity, &self.foreman_name, &why.to_string(), why.hint());
            }
        }
    }

    /// `-d`, else `root` of `.foreman`, else the directory of a named Procfile, else the current directory.
    fn find_root(&self) -> Result<PathBuf, NoDirectory> {
        if let Some(root) = &self.named.root {
            let root = self.current.join(root);
            return self.directory(&root).map_err(|fact| NoDirectory {
                file: self.shown(&root),
                line: None,
                fact,
                hint: self.instead_of_directory(&root, |name| format!("-d {name}"), "leave out `-d`"),
            });
        }
        if let Some(setting) = &self.foreman.root {
            let root = self.foreman_directory.join(&setting.value);
            return self.directory(&root).map_err(|fact| NoDirectory {
                file: self.foreman_name.clone(),
                line: Some(setting.line),
                fact,
                hint: self.instead_of_directory(&root, |name| format!("root: {name}"), "remove the line"),
            });
        }
        // For honcho the root never follows the Procfile (S13.2).
        let of_procfile = self.named_procfile().filter(|_| self.dialect != Dialect::Honcho);
        let parent = of_procfile.as_deref().filter(|path| !is_stream(path)).and_then(Path::parent);
        let parent = parent.filter(|parent| !parent.as_os_str().is_empty());
        // If that directory is missing, the Procfile is reported as missing.
        Ok(parent.map_or_else(|| self.current.clone(), Path::to_owned))
    }

    /// A directory that was named, or why it cannot be used.
    fn directory(&self, path: &Path) -> Result<PathBuf, String> {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => Ok(path.to_owned()),
            Ok(_) => Err(format!("`{}` is not a directory", self.shown(path))),
            Err(error) => Err(format!("the directory `{}` cannot be used: {}", self.shown(path), reason(&error))),
        }
    }

    /// What to write for a directory that cannot be used: a similar one, or nothing, which means the current directory.
    fn instead_of_directory(&self, path: &Path, written: impl Fn(&str) -> String, nothing: &str) -> String {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let parent = path.parent().unwrap_or(path);
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir());
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        let near = nearest(&name, names.iter().map(String::as_str));
        let near: Vec<String> = near.iter().map(|name| written(&self.shown(&parent.join(name)))).collect();
        did_you_mean(&near).unwrap_or_else(|| format!("{nothing} to use the current directory"))
    }

    /// The working directory of the dynos: the root, except that honcho keeps the current directory (S13.2).
    pub(crate) fn dyno_directory(&self) -> &Path {
        match self.dialect {
            Dialect::Honcho => &self.current,
            Dialect::Dyno | Dialect::Foreman | Dialect::HerokuLocal => &self.root,
        }
    }

    /// `PWD` of a dyno, chosen like a shell does: `inherited` if it names the working directory, even through symlinks,
    /// else the path without symlinks.
    pub(crate) fn directory_name(&self, inherited: Option<&[u8]>) -> Vec<u8> {
        let directory = self.dyno_directory();
        let inherited = inherited.map(|name| Path::new(OsStr::from_bytes(name)));
        let is_ours = |name: &&Path| {
            let same = |(one, other): (Metadata, Metadata)| (one.dev(), one.ino()) == (other.dev(), other.ino());
            let both = || Some((std::fs::metadata(name).ok()?, std::fs::metadata(directory).ok()?));
            name.is_absolute() && both().is_some_and(same)
        };
        let own = || std::fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
        inherited.filter(is_ours).map_or_else(own, Path::to_owned).into_os_string().into_vec()
    }

    /// `-f`, else `procfile` of `.foreman`.
    fn named_procfile(&self) -> Option<PathBuf> {
        self.option_procfile().or_else(|| self.foreman_procfile().map(|(path, _)| path))
    }

    /// `-f`, relative to the current directory; for honcho to the root.
    pub(crate) fn option_procfile(&self) -> Option<PathBuf> {
        let path = self.named.procfile.as_deref()?;
        if is_stream(path) {
            return Some(path.to_owned());
        }
        let from = if self.dialect == Dialect::Honcho { &self.root } else { &self.current };
        Some(from.join(path))
    }

    /// `procfile` of `.foreman`.
    pub(crate) fn foreman_procfile(&self) -> Option<(PathBuf, SetBy)> {
        let setting = self.foreman.procfile.as_ref()?;
        Some((self.foreman_directory.join(&setting.value), self.by_foreman("procfile", setting.line)))
    }

    /// The `.env` files that `-e` or `.foreman` names. None: neither names any; empty: `-e ''` means no file.
    pub(crate) fn named_env_files(&self) -> Option<(Vec<PathBuf>, SetBy)> {
        if !self.named.env.is_empty() {
            let from = if self.dialect == Dialect::Honcho { &self.root } else { &self.current };
            let paths = self.named.env.iter().flat_map(|list| items(list)).map(|path| absolute(from, path));
            return Some((paths.collect(), SetBy::Option("-e")));
        }
        let setting = self.foreman.env.as_ref()?;
        let paths = setting.value.iter().map(|path| absolute(&self.foreman_directory, Path::new(path)));
        Some((paths.collect(), self.by_foreman("env", setting.line)))
    }

    fn by_foreman(&self, key: &'static str, line: usize) -> SetBy {
        SetBy::Foreman { file: self.foreman_name.clone(), line, key }
    }

    /// The path as the user would write it: relative if it is below the current directory.
    pub(crate) fn shown(&self, path: &Path) -> String {
        if path == Path::new("-") {
            return "stdin".to_owned();
        }
        let path = path.strip_prefix(&self.current).unwrap_or(path);
        if path.as_os_str().is_empty() { ".".to_owned() } else { path.display().to_string() }
    }
}

/// The items of a comma-separated list, without surrounding blanks; empty ones are left out.
fn items(list: &Path) -> impl Iterator<Item = &Path> {
    let items = list.as_os_str().as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    items.filter(|item| !item.is_empty()).map(|item| Path::new(OsStr::from_bytes(item)))
}

fn absolute(from: &Path, path: &Path) -> PathBuf {
    if is_stream(path) { path.to_owned() } else { from.join(path) }
}

/// Whether the path is stdin or a pipe of the shell: the directory of such a path says nothing about the app.
pub(super) fn is_stream(path: &Path) -> bool {
    let is = |name: &str| path == Path::new(name);
    is("-") || is("/dev/stdin") || path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd")
}

/// The system's message, without the number that Rust appends.
pub(crate) fn reason(error: &std::io::Error) -> &'static str {
    nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(0)).desc()
}

#[cfg(test)]
impl Places {
    /// The places of an app whose `.foreman` has this text.
    pub(super) fn with_foreman(text: &[u8]) -> Self {
        Self {
            current: PathBuf::from("/"),
            root: PathBuf::from("/"),
            dialect: Dialect::Dyno,
            foreman: ForemanFile::parse(text),
            foreman_name: ".foreman".to_owned(),
            foreman_directory: PathBuf::from("/"),
            foreman_stamp: FileStamp::default(),
            named: NamedFiles::default(),
        }
    }
}
