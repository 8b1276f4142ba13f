//! Whether the system would take an environment and a command line (S2.9, S1.6): known before anything starts.

use nix::unistd::{SysconfVar, sysconf};

use super::findings::{Finding, Findings};
use crate::app::{
    DynoName, DynoVariables, Environment, EnvironmentTooBig, Layers, MAX_VARIABLE_BYTES, Origin, PortVariable,
    Procfile, ProcfileEntry, Severity,
};
use crate::error::{Error, Status};

/// Linux takes no more than three quarters of its own default stack, however large that of the user is.
const MOST_OF_LINUX_BYTES: usize = 6 * 1024 * 1024;

/// What the shell is given besides the line: its name twice, `-c`, and pointers.
const OTHER_ARGUMENTS_BYTES: usize = 64;

/// The highest `PORT`: as long as any.
const LONGEST_PORT: u16 = u16::MAX;

/// The variables that hold the name of the dyno.
const VARIABLES_OF_THE_NAME: usize = 4;

/// As long as that of a run, which is random.
const SESSION: &str = "0123456789abcdef0123456789abcdef";

/// Checks one environment before anything is started with it.
///
/// # Errors
/// Status 78, naming the variable.
pub(super) fn check(environment: &Environment) -> Result<(), Error> {
    fits(environment, b"").map_err(|error| Error::new(Status::Config, error.to_string(), error.hint()))
}

/// Checks the environment of a one-off dyno. `layers`: where it came from.
///
/// # Errors
/// Status 78, naming the variable and its line.
pub(super) fn check_one_off(environment: &Environment, layers: &Layers) -> Result<(), Error> {
    fits(environment, b"").map_err(|error| refused(&error, layers))
}

/// Checks what a dyno is started with. `file`: the name of the Procfile; `line`: what the shell is given; `layers`: where
/// the environment came from.
///
/// # Errors
/// Status 78, naming the line of the Procfile or the variable.
pub(super) fn check_run(
    file: &str,
    entry: &ProcfileEntry,
    line: &[u8],
    environment: &Environment,
    layers: &Layers,
) -> Result<(), Error> {
    if let Some(finding) = too_long(file, entry, line) {
        return Err(Error::all(Status::Config, [finding.complaint()]));
    }
    fits(environment, line).map_err(|error| refused(&error, layers))
}

/// At the line of the variable, if a file gives it.
fn refused(error: &EnvironmentTooBig, layers: &Layers) -> Error {
    let place = given_at(error, layers).map_or_else(String::new, |(file, line)| format!("{file}:{line}: "));
    Error::new(Status::Config, format!("{place}{error}"), error.hint())
}

/// What `start` would refuse of any process type, for `check`.
pub(super) fn find(file: &str, procfile: &Procfile, layers: &Layers, findings: &mut Findings) {
    let mut most: Option<(usize, &ProcfileEntry, Vec<u8>)> = None;
    for entry in procfile.entries() {
        let line = entry.shell_line().line;
        let bytes = line.len() + VARIABLES_OF_THE_NAME * entry.process_type.as_str().len();
        match too_long(file, entry, &line) {
            Some(finding) => findings.push(finding),
            None if most.as_ref().is_none_or(|(most, _, _)| *most < bytes) => most = Some((bytes, entry, line)),
            None => {}
        }
    }
    // Environments differ by their names only, so the one that needs most is enough, however many types there are.
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
    // Most are too big by themselves: then the system's own number is told.
    environment.check_size(limit)?;
    environment.check_size(limit.saturating_sub(line.len() + OTHER_ARGUMENTS_BYTES))
}

/// A line is one argument of the shell, and to the system an argument is as long as a variable.
fn too_long(file: &str, entry: &ProcfileEntry, line: &[u8]) -> Option<Finding> {
    let bytes = line.len() + 1;
    let name = entry.process_type.as_str();
    (bytes > MAX_VARIABLE_BYTES).then(|| Finding {
        severity: Severity::Error,
        file: file.to_owned(),
        line: Some(entry.line),
        is_sentence: true,
        key: Some(name.to_owned()),
        message: format!(
            "the command of `{name}` is {bytes} bytes long for the shell, and an argument has at most {MAX_VARIABLE_BYTES}"
        ),
        hint: "write it into a script and run that".to_owned(),
    })
}

/// As something that was found, at the line of the variable that is named, if a file gives it.
fn too_big(error: &EnvironmentTooBig, layers: &Layers) -> Finding {
    let (file, line, message) = match given_at(error, layers) {
        Some((file, line)) => (file, Some(line), error.to_string()),
        None => ("the environment of a dyno".to_owned(), None, format!("is too big: {error}")),
    };
    let hint = error.hint().to_owned();
    let is_sentence = line.is_some();
    Finding { severity: Severity::Error, file, line, is_sentence, key: error.variable().map(str::to_owned), message, hint }
}

/// File and line of the variable that is named, if a file gives it.
fn given_at(error: &EnvironmentTooBig, layers: &Layers) -> Option<(String, usize)> {
    match layers.get(error.variable()?)?.origin {
        Origin::File { name, line } => Some((name, line)),
        Origin::Shell | Origin::Default | Origin::Option | Origin::Dyno => None,
    }
}
