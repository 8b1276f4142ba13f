//! Finds and reads the files of an app: root, Procfile, `.env`.
//!
//! Decides which files are read (S1.7, S2.1); what they say is decided in `app`. All that is wrong with them is told
//! at once, warnings as they are found.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::diagnostics::warn;
use super::source_file::{self, Unreadable};
use crate::app::{EnvFile, Environment, Layers, Problem, Procfile, Severity};
use crate::cli::ProjectArgs;
use crate::error::{Complaint, Error, Status};

/// The app that is run.
pub(super) struct Project {
    /// Working directory of the dynos, absolute.
    pub(super) root: PathBuf,
    /// What the Procfile says.
    pub(super) procfile: Procfile,
    /// All variables and where they came from.
    pub(super) layers: Layers,
}

/// What decides the layers besides the files.
pub(super) struct Settings<'a> {
    /// `--set KEY=VALUE`.
    pub(super) set: &'a [String],
    /// `--prefer-shell`.
    pub(super) prefer_shell: bool,
}

impl Project {
    /// Reads all files of the app and shows their warnings.
    ///
    /// # Errors
    /// Status 78 with everything that makes a file unusable; 2 for a bad `--set`.
    pub(super) fn load(args: &ProjectArgs, settings: &Settings<'_>) -> Result<Self, Error> {
        let current = env::current_dir().map_err(|error| {
            let fact = format!("the current directory cannot be used: {}", reason(&error));
            Error::new(Status::Config, fact, "change to a directory that exists")
        })?;
        let root = root(args, &current)?;
        let mut complaints = Vec::new();
        let layers = read_layers(args, settings, &root, &current, &mut complaints)?;
        let procfile = read_procfile(args, &layers, &root, &mut complaints);
        match procfile {
            Some(procfile) if complaints.is_empty() => Ok(Self { root, procfile, layers }),
            _ => Err(Error::all(Status::Config, complaints)),
        }
    }
}

fn reason(error: &std::io::Error) -> &'static str {
    nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(0)).desc()
}

/// `-d`, else the directory of `-f`, else the current one (S1.7).
fn root(args: &ProjectArgs, current: &Path) -> Result<PathBuf, Error> {
    let of_procfile = || {
        let procfile = args.procfile.as_deref().filter(|path| !is_stream(path))?;
        procfile.parent().filter(|parent| !parent.as_os_str().is_empty())
    };
    let root = match args.root.as_deref().or_else(of_procfile) {
        Some(directory) => current.join(directory),
        None => current.to_owned(),
    };
    match std::fs::metadata(&root) {
        Ok(metadata) if metadata.is_dir() => Ok(root),
        // A missing directory of `-f` is told as a missing Procfile.
        _ if args.root.is_none() => Ok(root),
        Ok(_) => Err(Error::new(Status::Config, format!("`{}` is not a directory", root.display()), "")),
        Err(error) => {
            let fact = format!("the directory `{}` cannot be used: {}", root.display(), reason(&error));
            Err(Error::new(Status::Config, fact, "check `-d`"))
        }
    }
}

/// stdin, or a pipe of the shell: it has no directory of its own.
fn is_stream(path: &Path) -> bool {
    path == Path::new("-") || path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd")
}

fn read_layers(
    args: &ProjectArgs,
    settings: &Settings<'_>,
    root: &Path,
    current: &Path,
    complaints: &mut Vec<Complaint>,
) -> Result<Layers, Error> {
    let mut inherited = Environment::default();
    for (key, value) in env::vars_os() {
        inherited.set(key.into_vec(), value.into_vec());
    }
    let mut layers = Layers::new(inherited, settings.prefer_shell);
    if args.env.is_empty() {
        let mut candidates = vec![root.join(".env")];
        if root != current {
            candidates.push(current.join(".env"));
        }
        for path in candidates {
            match source_file::read(&path) {
                Ok(bytes) => {
                    add_env_file(&mut layers, &shown(&path, current), &bytes, complaints);
                    break;
                }
                Err(Unreadable::Missing) => {}
                Err(why) => complaints.push(unreadable(&shown(&path, current), &why, complaints.is_empty())),
            }
        }
    }
    for path in &args.env {
        let name = path.display().to_string();
        match source_file::read(path) {
            Ok(bytes) => add_env_file(&mut layers, &name, &bytes, complaints),
            Err(why) => complaints.push(unreadable(&name, &why, true)),
        }
    }
    for setting in settings.set {
        layers
            .add_setting(setting.as_bytes())
            .map_err(|error| Error::new(Status::Usage, error.to_string(), "write `--set KEY=VALUE`"))?;
    }
    Ok(layers)
}

fn add_env_file(layers: &mut Layers, name: &str, bytes: &[u8], complaints: &mut Vec<Complaint>) {
    match EnvFile::parse(bytes, &layers.scope()) {
        Ok(file) => {
            sort_out(name, file.problems(), complaints);
            layers.add_file(name, file);
        }
        Err(problems) => sort_out(name, &problems, complaints),
    }
}

/// `-f`, else `PROCFILE` of `.env` or the shell, else `Procfile` of the root (S1.7).
fn read_procfile(
    args: &ProjectArgs,
    layers: &Layers,
    root: &Path,
    complaints: &mut Vec<Complaint>,
) -> Option<Procfile> {
    let named = args.procfile.clone().or_else(|| {
        let value = layers.get("PROCFILE")?.value?;
        let name = OsString::from_vec(value.reveal().to_vec());
        (!name.is_empty()).then(|| root.join(name))
    });
    let (path, by_default) = match named {
        Some(path) => (path, false),
        None => (root.join("Procfile"), true),
    };
    let current = env::current_dir().unwrap_or_default();
    let name = shown(&path, &current);
    match source_file::read(&path) {
        Ok(bytes) => {
            if by_default && root.join("Procfile.dev").exists() {
                let hint = "`dyno start -f Procfile.dev` runs that one";
                warn(&Complaint::new("`Procfile` is used, and there is a `Procfile.dev` too", hint));
            }
            match Procfile::parse(&bytes) {
                Ok(procfile) => {
                    sort_out(&name, procfile.problems(), complaints);
                    Some(procfile)
                }
                Err(problems) => {
                    sort_out(&name, &problems, complaints);
                    None
                }
            }
        }
        Err(Unreadable::Missing) => {
            complaints.push(Complaint::new(format!("{name} does not exist"), missing_procfile_hint(root)));
            None
        }
        Err(why) => {
            complaints.push(unreadable(&name, &why, true));
            None
        }
    }
}

/// Names the files that may have been meant.
fn missing_procfile_hint(root: &Path) -> String {
    let mut others: Vec<String> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with("Procfile"))
        .collect();
    others.sort();
    match others.as_slice() {
        [] => "write one line for each process type into it, such as `web: npm start`".to_owned(),
        [first, ..] => {
            let list: Vec<String> = others.iter().map(|name| format!("`{name}`")).collect();
            format!("there is {}; `dyno start -f {first}` runs it", list.join(" and "))
        }
    }
}

fn unreadable(name: &str, why: &Unreadable, with_hint: bool) -> Complaint {
    let hint = match why {
        Unreadable::Missing if with_hint => "check the name, or make the file",
        Unreadable::Special => "give a regular file; `-` reads stdin",
        Unreadable::Endless => "the program that writes it must end",
        Unreadable::Missing | Unreadable::Directory | Unreadable::TooLarge | Unreadable::Other(_) => "",
    };
    Complaint::new(format!("{name} {why}"), hint)
}

/// Shows warnings, keeps errors.
fn sort_out(name: &str, problems: &[Problem], complaints: &mut Vec<Complaint>) {
    for problem in problems {
        let fact = format!("{name}:{}: {}", problem.line, problem.message);
        let complaint = Complaint::new(fact, problem.hint.clone());
        match problem.severity {
            Severity::Warning | Severity::Defect => warn(&complaint),
            Severity::Error => complaints.push(complaint),
        }
    }
}

/// The path as the user would write it: relative where it is below the current directory.
fn shown(path: &Path, current: &Path) -> String {
    let path = path.strip_prefix(current).unwrap_or(path);
    if path.as_os_str().as_bytes().is_empty() { ".".to_owned() } else { path.display().to_string() }
}
