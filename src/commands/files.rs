//! Reads the files of an app: `.env` and Procfile.
//!
//! Decides which file counts (S1.7, S2.1); what it says is decided in `app`. All that is wrong goes to the findings.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::findings::Findings;
use super::named_by::NamedBy;
use super::places::Places;
use super::source_file::{self, Unreadable};
use crate::app::{EnvFile, Environment, Given, Layers, Procfile, Secret, Severity};
use crate::cli::Dialect;
use crate::error::{Error, Status};

/// What decides the layers besides the files.
pub(super) struct Settings<'a> {
    /// `--set KEY=VALUE`.
    pub(super) set: &'a [String],
    /// `--prefer-shell`.
    pub(super) prefer_shell: bool,
}

/// A `.env` file as it was read, for whoever looks at its text again.
pub(super) struct EnvText {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) file: EnvFile,
}

/// The Procfile that counts.
pub(super) struct ProcfilePath {
    pub(super) path: PathBuf,
    /// As the user knows it.
    pub(super) name: String,
    pub(super) named_by: NamedBy,
}

/// All variables of the app.
///
/// # Errors
/// Status 2 for a bad `--set`.
pub(super) fn layers(places: &Places, settings: &Settings<'_>, findings: &mut Findings) -> Result<Layers, Error> {
    layers_with_texts(places, settings, findings, None)
}

/// As [`layers`]; the files are kept in `texts` as they were read.
pub(super) fn layers_with_texts(
    places: &Places,
    settings: &Settings<'_>,
    findings: &mut Findings,
    mut texts: Option<&mut Vec<EnvText>>,
) -> Result<Layers, Error> {
    let mut inherited = Environment::default();
    for (key, value) in env::vars_os() {
        inherited.set(key.into_vec(), value.into_vec());
    }
    let directory = places.directory_name(inherited.get(b"PWD").map(Secret::reveal));
    let mut layers = Layers::new(inherited, settings.prefer_shell);
    layers.set_directory(directory);
    let (paths, named_by) = env_paths(places);
    for path in paths {
        let name = places.shown(&path);
        match source_file::read(&path) {
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
            Err(Unreadable::Missing) if named_by == NamedBy::Nobody => {}
            Err(why) => {
                let severity = missing_is(places.dialect, &why);
                findings.push(named_by.finding(severity, "the file", &name, &why.to_string(), why.hint()));
            }
        }
    }
    for setting in settings.set {
        layers
            .add_setting(setting.as_bytes())
            .map_err(|error| Error::new(Status::Usage, error.to_string(), "write `--set KEY=VALUE`"))?;
    }
    Ok(layers)
}

/// A file that is named must be there; honcho and heroku local start without it, so there it is a warning.
fn missing_is(dialect: Dialect, why: &Unreadable) -> Severity {
    match dialect {
        Dialect::Honcho | Dialect::HerokuLocal if matches!(why, Unreadable::Missing) => Severity::Warning,
        Dialect::Dyno | Dialect::Foreman | Dialect::Honcho | Dialect::HerokuLocal => Severity::Error,
    }
}

fn env_paths(places: &Places) -> (Vec<PathBuf>, NamedBy) {
    if let Some(named) = places.named_env_files() {
        return named;
    }
    let of_root = places.root.join(".env");
    let of_current = places.current.join(".env");
    let path = if of_root != of_current && is_missing(&of_root) { of_current } else { of_root };
    (vec![path], NamedBy::Nobody)
}

fn is_missing(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_err()
}

/// `-f`, else `PROCFILE` of `.env` or the shell, else `.foreman`'s, else `Procfile` of the root (S1.7).
pub(super) fn procfile_path(places: &Places, layers: &Layers) -> ProcfilePath {
    let by_option = places.option_procfile().map(|path| (path, NamedBy::Option));
    let by_variable = || {
        // As of `PORT`, an empty one counts as not set.
        let is_set = |given: &Given| given.value.as_ref().is_some_and(|value| !value.reveal().is_empty());
        let by_setting = || layers.get_from_options("PROCFILE").filter(is_set);
        let in_files = || layers.get_from_files("PROCFILE").filter(is_set);
        let by_shell = || layers.get_from_shell("PROCFILE").filter(is_set);
        let given = by_setting().or_else(in_files).or_else(by_shell)?;
        let name = OsString::from_vec(given.value?.reveal().to_vec());
        Some((places.root.join(name), NamedBy::Variable(given.origin)))
    };
    let named = by_option.or_else(by_variable).or_else(|| places.foreman_procfile());
    let (path, named_by) = named.unwrap_or_else(|| (places.root.join("Procfile"), NamedBy::Nobody));
    ProcfilePath { name: places.shown(&path), path, named_by }
}

/// Reads the Procfile. None: the findings say why.
pub(super) fn procfile(places: &Places, found: &ProcfilePath, findings: &mut Findings) -> Option<Procfile> {
    let name = &found.name;
    match source_file::read(&found.path) {
        Ok(bytes) => {
            if found.named_by == NamedBy::Nobody && places.root.join("Procfile.dev").exists() {
                let other = places.shown(&places.root.join("Procfile.dev"));
                let message = format!("is used, and there is `{other}` too");
                findings.add_file(Severity::Warning, name, &message, &format!("`-f {other}` uses that one"));
            }
            match Procfile::parse(&bytes) {
                Ok(procfile) => {
                    findings.add(name, procfile.problems());
                    Some(procfile)
                }
                Err(problems) => {
                    findings.add(name, &problems);
                    None
                }
            }
        }
        // Where it is may stand in the line that could not be read: that is told, and enough.
        Err(Unreadable::Missing)
            if found.named_by == NamedBy::Nobody && findings.may_hide_procfile(&places.foreman_name) =>
        {
            None
        }
        Err(why) => {
            let is_missing = matches!(why, Unreadable::Missing);
            let hint = if is_missing { missing_procfile_hint(places, &found.named_by) } else { why.hint().to_owned() };
            findings.push(found.named_by.finding(Severity::Error, "the Procfile", name, &why.to_string(), &hint));
            None
        }
    }
}

/// Names the files that may have been meant.
fn missing_procfile_hint(places: &Places, named_by: &NamedBy) -> String {
    let mut others: Vec<String> = std::fs::read_dir(&places.root)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with("Procfile"))
        .map(|name| places.shown(&places.root.join(name)))
        .collect();
    others.sort();
    let list: Vec<String> = others.iter().map(|name| format!("`{name}`")).collect();
    let list = list.join(" and ");
    match (others.as_slice(), named_by) {
        ([], NamedBy::Nobody | NamedBy::Option) => {
            "write one line for each process type into it, such as `web: npm start`".to_owned()
        }
        ([], NamedBy::Foreman { .. } | NamedBy::Variable(_)) => Unreadable::Missing.hint().to_owned(),
        ([first, ..], NamedBy::Nobody | NamedBy::Option) => format!("there is {list}; `-f {first}` uses it"),
        ([_, ..], NamedBy::Foreman { .. } | NamedBy::Variable(_)) => format!("check the name; there is {list}"),
    }
}
