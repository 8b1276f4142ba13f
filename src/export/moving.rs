//! What will differ when an app moves to another engine or platform: `dyno check --for` (S18.6).
//!
//! Reads what the Procfile and the config vars say, and asks the format of the export what it cannot carry. What is certain
//! fails the check; what depends on the image, the app or its users is a note. Values of config vars are never shown.

mod addresses;
mod carried;
mod files;
mod names;
mod ports;
mod release;
mod server;
mod shell_line;
mod shells;
mod target;
#[cfg(test)]
mod tests;
mod variables;

use self::shell_line::ReadCommandLine;
use super::{ExportedApp, ExportedVariable};
use crate::app::Procfile;
use crate::model::ProcessType;

pub use target::MoveTarget;

/// The app that moves.
#[derive(Debug, Clone, Copy)]
pub struct MovedApp<'a> {
    /// What it runs.
    pub procfile: &'a Procfile,
    /// Its config vars.
    pub config_vars: &'a [ExportedVariable],
    /// The app as it would be exported. None: it cannot start.
    pub exported: Option<&'a ExportedApp>,
}

/// Something that will differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveFinding {
    /// Whether it is known for sure that something breaks.
    pub is_certain: bool,
    /// Where it is.
    pub place: MovePlace,
    /// The fact: lowercase, no full stop.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MovePlace {
    /// A process type.
    Type(ProcessType),
    /// A config var.
    Variable(String),
    /// The app as a whole.
    App,
}

/// A process type of the app, with its command as a shell reads it.
struct MovedType<'a> {
    process_type: &'a ProcessType,
    command: String,
    read: ReadCommandLine,
}

impl MovedType<'_> {
    fn is_web(&self) -> bool {
        self.process_type.as_str() == ProcessType::WEB
    }

    fn finding(&self, is_certain: bool, message: String, hint: impl Into<String>) -> MoveFinding {
        MoveFinding { is_certain, place: MovePlace::Type(self.process_type.clone()), message, hint: hint.into() }
    }
}

/// Everything that will differ: first by process type, in the order of the Procfile, then by config var.
#[must_use]
pub fn move_findings(target: MoveTarget, app: MovedApp<'_>) -> Vec<MoveFinding> {
    let types: Vec<MovedType<'_>> = app
        .procfile
        .entries()
        .iter()
        .map(|entry| {
            let command = entry.command_line().into_owned();
            MovedType { process_type: &entry.process_type, read: ReadCommandLine::read(&command), command }
        })
        .collect();
    let mut findings = names::find(target, &types);
    for moved in &types {
        findings.extend(ports::find(target, moved));
        findings.extend(addresses::find(target, moved));
        findings.extend(shells::bash(target, moved));
        findings.extend(release::find(target, moved));
        findings.extend(files::of_command(target, moved));
    }
    findings.extend(shells::without_shell(target, &types));
    findings.extend(variables::find(target, app.config_vars));
    if let Some(exported) = app.exported {
        let refused = carried::find(target, exported);
        let is_new = |one: &MoveFinding| findings.iter().all(|known| !known.is_certain || known.place != one.place);
        let refused: Vec<MoveFinding> = refused.into_iter().filter(is_new).collect();
        findings.extend(refused);
    }
    findings
}
