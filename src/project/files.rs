//! Reads the files of an app: `.env` and Procfile.
//!
//! Decides which files are used (S1.7, S2.1); `app` parses them. All problems go to the findings.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::file_reader::FileReader;
use super::findings::{Finding, Findings};
use super::missing_procfile;
use super::places::{Places, is_stream};
use super::source_file::{self, Unreadable};
use super::watched_file::WatchedFile;
use crate::app::{EnvFile, InvalidSetting, Layers, Procfile, Severity};
use crate::error::{Error, Status};
use crate::model::{Dialect, Environment, Secret};
use crate::settings::{ForemanRank, Given, SetBy, VariableOptions, file_option, ranked};

/// A `.env` file with its text, for checks that need both.
pub(crate) struct EnvText {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) file: EnvFile,
}

/// The Procfile that is used.
#[derive(Debug, Clone)]
pub(crate) struct ProcfilePath {
    pub(crate) path: PathBuf,
    /// As shown to the user.
    pub(crate) name: String,
    pub(crate) named_by: SetBy,
}

/// All variables of the app.
///
/// # Errors
/// Status 2 for a bad `--set`.
pub(crate) fn layers(
    places: &Places,
    options: &VariableOptions,
    reader: &FileReader<'_>,
    findings: &mut Findings,
) -> Result<Layers, Error> {
    read_layers(places, options, reader, findings, None)
}

/// Like [`layers`], together with the texts of the files.
pub(crate) fn layers_with_texts(
    places: &Places,
    options: &VariableOptions,
    reader: &FileReader<'_>,
    findings: &mut Findings,
) -> Result<(Layers, Vec<EnvText>), Error> {
    let mut texts = Vec::new();
    let layers = read_layers(places, options, reader, findings, Some(&mut texts))?;
    Ok((layers, texts))
}

/// All variables of the app, for completion: unusable files are left out, and only regular files are opened (S2.1).
pub(crate) fn layers_at_tab(places: &Places, options: &VariableOptions) -> Layers {
    let mut layers = inherited_layers(places, options.prefer_shell);
    for setting in &options.set {
        let _ = layers.add_setting(setting.as_bytes());
    }
    let (paths, _) = env_paths(places, &mut Findings::default());
    for path in paths {
        let file = source_file::read_if_regular(&path).map(|bytes| EnvFile::parse(&bytes, &layers.scope()));
        if let Some(Ok(file)) = file {
            layers.add_file(places.shown(&path), file);
        }
    }
    layers
}

/// The Procfile, for completion. None if it cannot be used.
pub(crate) fn procfile_at_tab(places: &Places, layers: &Layers) -> Option<Procfile> {
    Procfile::parse(&source_file::read_if_regular(&procfile_path(places, layers).path)?).ok()
}

fn inherited_layers(places: &Places, prefer_shell: bool) -> Layers {
    let mut inherited = Environment::default();
    for (key, value) in env::vars_os() {
        inherited.set(key.into_vec(), value.into_vec());
    }
    let directory = places.directory_name(inherited.get(b"PWD").map(Secret::reveal));
    let mut layers = Layers::new(inherited, prefer_shell);
    layers.set_directory(directory);
    layers
}

fn read_layers(
    places: &Places,
    options: &VariableOptions,
    reader: &FileReader<'_>,
    findings: &mut Findings,
    mut texts: Option<&mut Vec<EnvText>>,
) -> Result<Layers, Error> {
    let mut layers = inherited_layers(places, options.prefer_shell);
    // Before any file: the user should not have to wait for a named pipe to see this error.
    for setting in &options.set {
        layers.add_setting(setting.as_bytes()).map_err(|error| invalid_setting(setting, error))?;
    }
    for path in env_candidates(places) {
        reader.note(&path);
    }
    let (paths, named_by) = env_paths(places, findings);
    for path in paths {
        let name = places.shown(&path);
        // `web: npm start` is also a valid assignment, so nothing else would report this mistake.
        if file_option(&name) == Some("-f") {
            let hint = format!("to use it as the Procfile, write `-f {name}`");
            findings.add_file(Severity::Warning, &name, "is read as a file of config vars", &hint);
        }
        match reader.read_env(&path, &name) {
            Ok(bytes) => match EnvFile::parse(&bytes, &layers.scope()) {
                Ok(file) => {
                    findings.add(&name, file.problems());
                    if let Some(texts) = &mut texts {
                        texts.push(EnvText { name: name.clone(), bytes, file: file.clone() });
                    }
                    layers.add_file(name, file);
                }
                Err(problems) => findings.add(&name, &problems),
            },
            Err(Unreadable::Missing) if named_by == SetBy::Default => {}
            Err(why) => findings.push(unreadable_env(&name, &why, &named_by, places.dialect)),
        }
    }
    Ok(layers)
}

/// The error for a bad `--set`. It repeats the word only if that is a key such as `FOO`: any other may be a secret.
pub(crate) fn invalid_setting(setting: &str, error: InvalidSetting) -> Error {
    let like_key = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if setting.starts_with(|first: char| first.is_ascii_uppercase()) && setting.bytes().all(like_key) {
        let hint = format!("write `--set {setting}=VALUE`");
        return Error::new(Status::Usage, format!("`--set {setting}` has no value"), hint);
    }
    Error::new(Status::Usage, error.to_string(), "write `--set KEY=VALUE`")
}

/// Why a `.env` file was not read. A named file must exist; for honcho and heroku local, which start without it, a missing
/// one is a warning.
fn unreadable_env(name: &str, why: &Unreadable, named_by: &SetBy, dialect: Dialect) -> Finding {
    let by_default = *named_by == SetBy::Default;
    let (severity, message, hint) = match (why, dialect) {
        (Unreadable::BrokenLink(_), _) if by_default => {
            (Severity::Defect, format!("{why}, so no config vars are read from it"), why.hint())
        }
        (Unreadable::Special(_), _) if by_default => {
            (Severity::Error, why.to_string(), "replace it with a regular file, or name another one with `-e`")
        }
        (why, Dialect::Honcho | Dialect::HerokuLocal) if why.is_missing() => {
            (Severity::Warning, why.to_string(), why.hint())
        }
        (why, _) => (Severity::Error, why.to_string(), why.hint()),
    };
    named_by.finding(severity, "the file", name, &message, hint)
}

/// The files to read: the named ones, else the first existing one of the root and the current directory.
fn env_paths(places: &Places, findings: &mut Findings) -> (Vec<PathBuf>, SetBy) {
    if let Some(named) = places.named_env_files() {
        return named;
    }
    let mut paths = vec![places.root.join(".env"), places.current.join(".env")];
    paths.dedup();
    let directories = paths.extract_if(.., |path| path.is_dir()).collect::<Vec<_>>();
    // Python's virtual environments often have this name.
    if let Some(directory) = directories.first() {
        let hint = "if your config vars are in another file, name it with `-e`";
        findings.add_file(Severity::Warning, &places.shown(directory), "is a directory, so it is not read", hint);
    }
    let found = paths.into_iter().find(|path| !is_missing(path));
    (found.into_iter().collect(), SetBy::Default)
}

/// The `.env` that is read if none is named, whether it exists or not.
pub(super) fn default_env(places: &Places) -> PathBuf {
    let (found, _) = env_paths(places, &mut Findings::default());
    found.into_iter().next().unwrap_or_else(|| places.root.join(".env"))
}

/// The `.env` files that are named, or else the default ones, of which the first that exists is read.
pub(crate) fn env_candidates(places: &Places) -> Vec<PathBuf> {
    let default = || vec![places.root.join(".env"), places.current.join(".env")];
    places.named_env_files().map_or_else(default, |(paths, _)| paths)
}

/// The files that decide what runs: Procfile, `.env` and `.foreman`, whether they exist or not, as `reader` has found them.
/// Files that can be read only once are left out.
pub(crate) fn watched(places: &Places, procfile: &Path, reader: &FileReader<'_>) -> Vec<WatchedFile> {
    let others = std::iter::once(procfile.to_owned()).chain(env_candidates(places));
    let others = others.map(|path| (reader.stamp(&path), path));
    let foreman = (places.dialect != Dialect::Honcho).then(|| (places.foreman_stamp, places.foreman_path()));
    let files = others.chain(foreman).filter(|(_, path)| !is_stream(path)).map(|(stamp, path)| WatchedFile {
        path: places.current.join(&path),
        name: places.shown(&path),
        stamp,
    });
    let mut seen = BTreeSet::new();
    files.filter(|file| seen.insert(file.path.clone())).collect()
}

/// Whether nothing exists at that path, not even a broken link.
pub(crate) fn is_missing(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_err_and(|error| Unreadable::from(error).is_missing())
}

/// `-f`, else `PROCFILE` of `--set`, `.env` or the shell, else `.foreman`'s, else `Procfile` of the root (S1.7).
pub(crate) fn procfile_path(places: &Places, layers: &Layers) -> ProcfilePath {
    let by_option = places.option_procfile().map(|value| Given { value, by: SetBy::Option("-f") });
    let by_foreman = places.foreman_procfile().map(|(value, by)| (ForemanRank::Last, Given { value, by }));
    let read = |name: &[u8]| places.root.join(OsStr::from_bytes(name));
    let named = ranked(by_option, "PROCFILE", layers, by_foreman, read).into_iter().next();
    let default = || Given { value: places.root.join("Procfile"), by: SetBy::Default };
    let Given { value: path, by: named_by } = named.unwrap_or_else(default);
    ProcfilePath { name: places.shown(&path), path, named_by }
}

/// The warning that there is also a `Procfile.dev`, if no Procfile was named (S1.7).
pub(crate) fn procfile_dev(places: &Places, found: &ProcfilePath) -> Option<Finding> {
    let other = places.root.join("Procfile.dev");
    let may_be_meant = found.named_by == SetBy::Default && found.path.exists() && other.exists();
    may_be_meant.then(|| {
        let other = places.shown(&other);
        let message = format!("is used, but `{other}` exists as well");
        Finding::new(Severity::Warning, &found.name, None, message, format!("to use it, add `-f {other}`"))
    })
}

/// Reads the Procfile. None: the findings contain the reason.
pub(crate) fn procfile(places: &Places, found: &ProcfilePath, findings: &mut Findings) -> Option<Procfile> {
    procfile_by(&FileReader::announcing(&|_| ()), places, found, None, findings)
}

/// Reads the Procfile with this reader. `option`: the command line that runs a command without one, if any.
pub(super) fn procfile_by(
    reader: &FileReader<'_>,
    places: &Places,
    found: &ProcfilePath,
    option: Option<&str>,
    findings: &mut Findings,
) -> Option<Procfile> {
    let name = &found.name;
    match reader.read_procfile(&found.path) {
        Ok(bytes) => match Procfile::parse(&bytes) {
            Ok(procfile) => {
                findings.add(name, procfile.problems());
                Some(procfile)
            }
            Err(problems) => {
                findings.add(name, &problems);
                None
            }
        },
        // An invalid line of `.foreman` may have named the Procfile. That line is reported instead.
        Err(Unreadable::Missing)
            if found.named_by == SetBy::Default && findings.may_hide_procfile(&places.foreman_name) =>
        {
            None
        }
        Err(Unreadable::Missing) => {
            findings.push(missing_procfile::finding(places, &found.named_by, name, option));
            None
        }
        Err(why) => {
            findings.push(found.named_by.finding(Severity::Error, "the Procfile", name, &why.to_string(), why.hint()));
            None
        }
    }
}
