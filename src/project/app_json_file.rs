//! The `app.json` of an app, for the commands that read it (S18.4), and what it says that `dyno check` should mention.
//!
//! A plain start never opens it: in an old repository every key is "required" there.

use std::path::PathBuf;

use super::findings::{Finding, Findings};
use super::places::Places;
use super::source_file::{self, Unreadable};
use crate::app::{
    AppJson, DeclaredVariable, HealthCheck, Layers, Severity, did_you_mean, is_set_by_dyno, nearest, quote_word,
    some_in_words, some_of,
};
use crate::error::Complaint;
use crate::model::ProcessType;

/// What an `app.json` declares; nothing, if there is none.
#[derive(Debug)]
pub(crate) struct AppJsonFile {
    /// Its name in messages.
    name: String,
    pub(crate) declared: AppJson,
}

impl AppJsonFile {
    /// Reads the file in the root of the app.
    pub(crate) fn read(places: &Places, findings: &mut Findings) -> Self {
        let path: PathBuf = places.root.join("app.json");
        let name = places.shown(&path);
        let declared = match source_file::read(&path) {
            Ok(bytes) => AppJson::parse(&bytes),
            Err(Unreadable::Missing | Unreadable::NotADirectory) => AppJson::default(),
            Err(Unreadable::Directory) => {
                let hint = "rename it if it hides a file of that name";
                findings.add_file(Severity::Warning, &name, "is a directory, so it is not read", hint);
                AppJson::default()
            }
            Err(why) => {
                let severity = if why.is_missing() { Severity::Defect } else { Severity::Error };
                findings.add_file(severity, &name, &why.to_string(), why.hint());
                AppJson::default()
            }
        };
        findings.add(&name, &declared.problems);
        Self { name, declared }
    }

    /// Notes the process types that the Procfile does not have.
    pub(crate) fn note_types(&self, types: &[ProcessType], findings: &mut Findings) {
        let names = || types.iter().map(ProcessType::as_str);
        let of_formation = self.declared.formation.iter().map(|one| ("formation", &one.process_type, one.line));
        let of_checks = self.declared.health_checks.iter().map(|one| ("healthchecks", &one.process_type, one.line));
        let unknown = of_formation.chain(of_checks).filter(|(_, name, _)| names().all(|known| known != name.as_str()));
        findings.push_limited(unknown.map(|(key, name, line)| {
            let near = nearest(name, names());
            let has = || format!("it has {}", some_of(&names().collect::<Vec<_>>()));
            let message = format!("`{key}` names the process type `{name}`, which the Procfile does not have");
            self.note(line, message, &did_you_mean(&near).unwrap_or_else(has)).about(name)
        }));
    }

    /// Notes everything that is declared here and has no effect, or is missing. `strict`: a missing variable fails the check.
    pub(crate) fn note_everything(
        &self,
        types: &[ProcessType],
        layers: &Layers,
        strict: bool,
        findings: &mut Findings,
    ) {
        self.note_types(types, findings);
        findings.push_limited(self.missing(layers).map(|variable| {
            let message = format!("the config var `{}` is required, but it is not set", variable.key);
            let severity = if strict { Severity::Defect } else { Severity::Warning };
            let note = self.note(variable.line, message, &set_hint(&variable.key)).about(&variable.key);
            Finding { severity, ..note }
        }));
        findings.push_limited(self.declared.health_checks.iter().flat_map(|check| self.not_checked(check)));
        findings.push_limited(self.declared.scripts.iter().map(|(name, command)| {
            let message = format!("`dyno` does not run the script `{name}`");
            let line = String::from_utf8_lossy(&quote_word(command.value.as_bytes())).into_owned();
            self.note(command.line, message, &format!("run it with `dyno run {line}`")).about(name)
        }));
        if let Some(first) = self.declared.addons.first() {
            let mut addons: Vec<&str> = Vec::new();
            for addon in &self.declared.addons {
                // An app can have two databases of the same plan.
                if !addons.contains(&addon.value.as_str()) {
                    addons.push(&addon.value);
                }
            }
            let noun = if addons.len() == 1 { "add-on" } else { "add-ons" };
            let message = format!("`dyno` does not provide the {noun} {}", some_in_words(&addons));
            let hint = "run such a service yourself, and set its config vars, as in `dyno config:set DATABASE_URL=…`";
            findings.push(self.note(first.line, message, hint).about("addons"));
        }
    }

    /// The line about all config vars that are missing, for a start.
    pub(crate) fn missing_line(&self, layers: &Layers) -> Option<Complaint> {
        let missing: Vec<&DeclaredVariable> = self.missing(layers).collect();
        let first = missing.first()?;
        let keys: Vec<&str> = missing.iter().map(|variable| variable.key.as_str()).collect();
        let what = if missing.len() == 1 { "a required config var is" } else { "required config vars are" };
        let fact = format!("{}:{}: {what} not set: {}", self.name, first.line, some_in_words(&keys));
        Some(Complaint::new(fact, set_hint(&first.key)))
    }

    fn missing(&self, layers: &Layers) -> impl Iterator<Item = &DeclaredVariable> {
        let is_set = |key: &str| {
            key == "PORT"
                || is_set_by_dyno(key.as_bytes())
                || layers.get(key).is_some_and(|found| found.value.is_some())
        };
        self.declared.missing(is_set)
    }

    fn not_checked(&self, check: &HealthCheck) -> impl Iterator<Item = Finding> {
        check.left_out.iter().map(|key| {
            let hint = match *key {
                "command" => "test it with `dyno smoke -- COMMAND`",
                "content" => "let the path answer with an error status, or test it with `dyno smoke -- COMMAND`",
                "uptime" => "use `dyno smoke --settle SECONDS`",
                "httpHeaders" => "let the path answer without them",
                "port" => "leave it out: each dyno is asked on its own `PORT`",
                _ => "let the app answer without TLS",
            };
            let message = format!("`{key}` of a health check has no effect in `dyno smoke` and `dyno export`");
            self.note(check.line, message, hint).about(&check.process_type)
        })
    }

    fn note(&self, line: usize, message: String, hint: &str) -> Finding {
        Finding::new(Severity::Warning, &self.name, line, message, hint)
    }
}

fn set_hint(key: &str) -> String {
    format!("set it, as in `dyno config:set {key}=…`, or write `\"required\": false`")
}
