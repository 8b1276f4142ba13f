//! Whether the system accepts an environment and a command line (S2.9, S1.6): checked before anything starts.

use std::collections::BTreeMap;

use nix::sys::resource::{Resource, getrlimit};

use super::findings::{Finding, Findings};
use crate::app::{EnvironmentTooBig, Layers, MAX_VARIABLE_BYTES, Origin, ProcfileEntry, Severity, line_for_shell};
use crate::error::{Error, Status};
use crate::model::{DynoName, Environment, Shell};
use crate::release::Blueprint;

/// What Linux accepts however small the stack is.
const LEAST_OF_LINUX_BYTES: usize = 128 * 1024;

/// Linux accepts at most three quarters of its default stack size (8 MiB), even if the user's limit is larger.
const MOST_OF_LINUX_BYTES: usize = 6 * 1024 * 1024;

/// The shell's arguments without the line: its name twice, `-c`, and pointers.
const OTHER_ARGUMENTS_BYTES: usize = 64;

/// How many variables contain the name of the dyno.
const VARIABLES_OF_THE_NAME: usize = 4;

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
    let refused = |error| Error::all(Status::Config, [too_big(&error, layers).complaint()]);
    fits(environment, b"").map_err(refused)
}

/// Finds the commands that are too long, and whether the environment is too big. `file`: the name of the Procfile; `dynos`:
/// one for each process type, the one with the longest name.
pub(super) fn find(file: &str, blueprint: &Blueprint, shell: Shell, dynos: &[DynoName], findings: &mut Findings) {
    let mut most: Option<(usize, &DynoName, Vec<u8>)> = None;
    for dyno in dynos {
        let Some(entry) = blueprint.release().procfile.get(&dyno.process_type) else { continue };
        let line = line_for_shell(&entry.command, shell);
        let bytes = line.len() + VARIABLES_OF_THE_NAME * dyno.to_string().len();
        match too_long(file, entry, &line) {
            Some(finding) => findings.push(finding),
            None if most.as_ref().is_none_or(|(most, ..)| *most < bytes) => most = Some((bytes, dyno, line)),
            None => {}
        }
    }
    // Environments differ only in the name of the dyno and its port, so the largest one is enough.
    let Some((_, dyno, line)) = most else { return };
    let Ok(spec) = blueprint.spec(dyno) else { return };
    if let Err(error) = fits(&spec.environment, &line) {
        findings.push(too_big(&error, &blueprint.release().layers));
    }
}

fn fits(environment: &Environment, line: &[u8]) -> Result<(), EnvironmentTooBig> {
    let limit = system_limit();
    // Without the line first, so that the message usually has the system's own limit.
    environment.check_size(limit)?;
    environment.check_size(limit.saturating_sub(line.len() + OTHER_ARGUMENTS_BYTES))
}

/// A quarter of the stack. `sysconf` is not asked, because musl answers with the limit of old kernels.
fn system_limit() -> usize {
    let stack = getrlimit(Resource::RLIMIT_STACK).ok().and_then(|(stack, _)| usize::try_from(stack).ok());
    stack.map_or(MOST_OF_LINUX_BYTES, |bytes| (bytes / 4).clamp(LEAST_OF_LINUX_BYTES, MOST_OF_LINUX_BYTES))
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

/// The error, at the line of the variable if a file sets it.
fn too_big(error: &EnvironmentTooBig, layers: &Layers) -> Finding {
    let finding = if let Some((file, line)) = given_at(error, layers) {
        Finding::new(Severity::Error, file, line, error.to_string(), error.hint())
    } else {
        let message = format!("{error}{}", mostly_from(error, layers));
        Finding::new(Severity::Error, "the environment of a dyno", None, message, error.hint()).in_a_sentence()
    };
    Finding { key: error.variable().map(str::to_owned), ..finding }
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
