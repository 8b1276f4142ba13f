//! Whether the system accepts an environment and a command line (S2.9, S1.6): checked before anything starts.

use std::collections::BTreeMap;

use nix::unistd::{SysconfVar, sysconf};

use super::findings::{Finding, Findings};
use crate::app::{
    DynoVariables, EnvironmentTooBig, Layers, MAX_VARIABLE_BYTES, Origin, PortVariable, Procfile, ProcfileEntry,
    Severity,
};
use crate::error::{Error, Status};
use crate::model::{DynoName, DynoSpec, Environment};
use crate::release::Release;

/// Linux accepts at most three quarters of its default stack size (8 MiB), even if the user's limit is larger.
const MOST_OF_LINUX_BYTES: usize = 6 * 1024 * 1024;

/// The shell's arguments without the line: its name twice, `-c`, and pointers.
const OTHER_ARGUMENTS_BYTES: usize = 64;

/// The `PORT` with the most digits.
const LONGEST_PORT: u16 = u16::MAX;

/// How many variables contain the name of the dyno.
const VARIABLES_OF_THE_NAME: usize = 4;

/// As long as the value of a real `DYNO_SESSION`.
const SESSION: &str = "0123456789abcdef0123456789abcdef";

/// Checks one environment before anything is started with it.
///
/// # Errors
/// Status 78, naming the variable.
pub(crate) fn check(environment: &Environment) -> Result<(), Error> {
    fits(environment, b"").map_err(|error| Error::new(Status::Config, error.to_string(), error.hint()))
}

/// Checks the environment of a one-off dyno. `layers`: where it comes from.
///
/// # Errors
/// Status 78, naming the variable and its line.
pub(crate) fn check_one_off(environment: &Environment, layers: &Layers) -> Result<(), Error> {
    fits(environment, b"").map_err(|error| refused(&error, layers))
}

/// Checks the command and environment of a dyno. `file`: the name of the Procfile.
///
/// # Errors
/// Status 78, naming the line of the Procfile or the variable.
pub(crate) fn check_run(file: &str, spec: &DynoSpec, release: &Release) -> Result<(), Error> {
    let entry = release.procfile.get(&spec.dyno.process_type);
    if let Some(finding) = entry.and_then(|entry| too_long(file, entry, spec.launch.line())) {
        return Err(Error::all(Status::Config, [finding.complaint()]));
    }
    fits(&spec.environment, spec.launch.line()).map_err(|error| refused(&error, &release.layers))
}

/// The error, at the line of the variable if a file sets it.
fn refused(error: &EnvironmentTooBig, layers: &Layers) -> Error {
    let place = given_at(error, layers).map_or_else(String::new, |(file, line)| format!("{file}:{line}: "));
    Error::new(Status::Config, format!("{place}{error}{}", mostly_from(error, layers)), error.hint())
}

/// Finds what `start` would refuse, for `check`.
pub(crate) fn find(file: &str, procfile: &Procfile, layers: &Layers, findings: &mut Findings) {
    let mut most: Option<(usize, &ProcfileEntry, Vec<u8>)> = None;
    for entry in procfile.entries() {
        let line = entry.shell_line();
        let bytes = line.len() + VARIABLES_OF_THE_NAME * entry.process_type.as_str().len();
        match too_long(file, entry, &line) {
            Some(finding) => findings.push(finding),
            None if most.as_ref().is_none_or(|(most, _, _)| *most < bytes) => most = Some((bytes, entry, line)),
            None => {}
        }
    }
    // Environments differ only in the name of the dyno, so the largest one is enough.
    let Some((_, entry, line)) = most else { return };
    let dyno = DynoName::new(entry.process_type.clone(), 1);
    let port = PortVariable::Assigned(LONGEST_PORT);
    let environment = layers.environment(&DynoVariables { dyno: &dyno, port, session: SESSION });
    if let Err(error) = fits(&environment, &line) {
        findings.push(too_big(&error, layers));
    }
}

fn fits(environment: &Environment, line: &[u8]) -> Result<(), EnvironmentTooBig> {
    let limit = sysconf(SysconfVar::ARG_MAX).ok().flatten().and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(MOST_OF_LINUX_BYTES).min(MOST_OF_LINUX_BYTES);
    // Without the line first, so that the message usually has the system's own limit.
    environment.check_size(limit)?;
    environment.check_size(limit.saturating_sub(line.len() + OTHER_ARGUMENTS_BYTES))
}

/// A line is one argument of the shell, and the limit of an argument is that of a variable.
fn too_long(file: &str, entry: &ProcfileEntry, line: &[u8]) -> Option<Finding> {
    let bytes = line.len() + 1;
    let name = entry.process_type.as_str();
    (bytes > MAX_VARIABLE_BYTES).then(|| {
        let message =
            format!("the command of `{name}` is {bytes} bytes long, and the system allows {MAX_VARIABLE_BYTES}");
        let hint = "put it in a script and run the script";
        Finding::new(Severity::Error, file, entry.line, message, hint).about(name)
    })
}

/// The error as a finding, at the line of the variable if a file sets it.
fn too_big(error: &EnvironmentTooBig, layers: &Layers) -> Finding {
    let (file, line, message) = if let Some((file, line)) = given_at(error, layers) {
        (file, Some(line), error.to_string())
    } else {
        let message = format!("is too big: {error}{}", mostly_from(error, layers));
        ("the environment of a dyno".to_owned(), None, message)
    };
    let key = error.variable().map(str::to_owned);
    Finding { key, ..Finding::new(Severity::Error, file, line, message, error.hint()) }
}

/// The file with the most variables, if there are too many of them.
fn mostly_from(error: &EnvironmentTooBig, layers: &Layers) -> String {
    if error.variable().is_some() {
        return String::new();
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for given in layers.config_vars().into_values() {
        match given.origin {
            Origin::File { name, .. } => *counts.entry(name).or_default() += 1,
            Origin::Shell | Origin::Default | Origin::Option | Origin::Dyno => {}
        }
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map_or_else(String::new, |(file, count)| format!("; {count} of them are in {file}"))
}

/// File and line of the variable, if a file sets it.
fn given_at(error: &EnvironmentTooBig, layers: &Layers) -> Option<(String, usize)> {
    match layers.get(error.variable()?)?.origin {
        Origin::File { name, line } => Some((name, line)),
        Origin::Shell | Origin::Default | Origin::Option | Origin::Dyno => None,
    }
}
