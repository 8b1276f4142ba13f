//! The values of the app that Tab offers: process types, dynos, keys of `.env`.
//!
//! Reads regular files only: pressing Tab must not empty a named pipe or wait for one.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::builder::StyledStr;
use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter};

use super::programs;
use super::typed_line::TypedLine;
use crate::api::StartDescription;
use crate::app::{Layers, Procfile, list_items};
use crate::cli::{FormationArgs, Offers, ProjectArgs, RunningArgs, VariableArgs, WhichArgs};
use crate::client::RunningApp;
use crate::model::Dialect;
use crate::project::Findings;
use crate::project::Places;
use crate::project::files;
use crate::project::program_lookup::is_executable;
use crate::runtime::RuntimeDirectory;
use crate::settings::RequestedFormation;

/// How many characters of its command are shown next to a process type.
const COMMAND_CHARS: usize = 60;

/// Signals that are offered for `--stop-signal`.
const SIGNALS: [&str; 6] = ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2"];

/// The parts of the line that concern the app. Files are read only when a value is needed.
pub(super) struct AppValues {
    project: ProjectArgs,
    which: WhichArgs,
    variables: VariableArgs,
    formation: FormationArgs,
    /// The whole word at the cursor.
    word: String,
    runs_process_types: bool,
}

/// The files of the app, as far as they can be used.
struct ReadableFiles {
    places: Places,
    layers: Layers,
    procfile: Option<Procfile>,
}

impl AppValues {
    pub(super) fn of(line: &TypedLine) -> Self {
        Self {
            project: line.project(),
            which: line.which(),
            variables: line.variables(),
            formation: line.formation(),
            word: line.current().to_owned(),
            runs_process_types: line.runs_process_types(),
        }
    }

    /// The values of an argument that start with `typed`. `is_positional`: types already on the line are left out.
    pub(super) fn offered(&self, offers: Offers, is_positional: bool, typed: &str) -> Vec<CompletionCandidate> {
        // The engine first offers every word to the positional arguments.
        if is_positional && typed.starts_with('-') {
            return Vec::new();
        }
        let (list, item) = typed.split_at(typed.rfind(',').map_or(0, |comma| comma + 1));
        let taken = self.taken(is_positional);
        let process_types = |after: &str| {
            let all = self.process_types(false).into_iter();
            all.filter(|(name, _)| !taken.contains(name)).map(|(name, help)| (name + after, help)).collect::<Vec<_>>()
        };
        let values = match offers {
            Offers::ProcessTypes => process_types(""),
            Offers::Quantities => process_types("="),
            Offers::WholeFormation => {
                let all = ("all=".to_owned(), "every type that is not named".to_owned());
                process_types("=").into_iter().chain((!taken.iter().any(|name| name == "all")).then_some(all)).collect()
            }
            Offers::MayExit => after_type(item, &["any"]).unwrap_or_else(|| process_types("")),
            Offers::StartOrder => self.others(item).unwrap_or_else(|| process_types("=")),
            Offers::StopSignals => after_type(item, &SIGNALS).unwrap_or_else(|| process_types("=")),
            Offers::Dynos => self.dynos(),
            Offers::RunningDynos => self.running_types("").into_iter().chain(self.running_dynos()).collect(),
            Offers::RunningTypes => self.running_types(""),
            Offers::RunningQuantities => self.running_types("="),
            Offers::RunningApps => of_apps(&all_starts()),
            Offers::RunningNames => self.names_of_starts(),
            Offers::RunningPids => {
                all_starts().iter().map(|start| (start.pid.to_string(), start.app.clone())).collect()
            }
            Offers::RunningReleases => self.releases(),
            Offers::Keys => self.keys(""),
            Offers::NewValues => self.keys("="),
            Offers::CommandWords => return self.command_words(0, typed),
        };
        let values =
            values.into_iter().filter(|(value, _)| value.starts_with(item) && !(value == item && item.ends_with('=')));
        values.map(|(value, help)| candidate(format!("{list}{value}"), &help)).collect()
    }

    /// The candidates for a word of the inner command; `position` is 0 for its program.
    pub(super) fn command_words(&self, position: usize, typed: &str) -> Vec<CompletionCandidate> {
        if position > 0 {
            return paths(&PathCompleter::any(), typed);
        }
        let all = if self.runs_process_types { self.process_types(true) } else { Vec::new() };
        let named = all.into_iter().filter(|(name, _)| name.starts_with(typed));
        let mut found: Vec<CompletionCandidate> = named.map(|(name, help)| candidate(name, &help)).collect();
        let is_path = typed.contains('/');
        // A list of all programs would bury the rest.
        if !typed.is_empty() && !is_path {
            found.extend(programs::starting_with(typed).into_iter().map(CompletionCandidate::new));
        }
        // A shell runs a program of this directory only if its path has a `/`.
        let leads_on = move |path: &Path| path.is_dir() || is_path && is_executable(path);
        found.extend(paths(&PathCompleter::any().filter(leads_on), typed));
        found
    }

    /// The process types that the word or the line already names.
    fn taken(&self, is_positional: bool) -> Vec<String> {
        let word = if self.word.starts_with("--") {
            self.word.split_once('=').map_or("", |(_, value)| value)
        } else {
            self.word.as_str()
        };
        let listed = list_items(word.rsplit_once(',').map_or("", |(list, _)| list));
        let named = self.formation.types.iter().filter(|_| is_positional).flat_map(|list| list_items(list));
        listed.chain(named).filter_map(|item| item.split('=').next()).map(|name| name.trim().to_owned()).collect()
    }

    /// The process types with their commands, in the order of the Procfile. `release`: whether to include `release`.
    fn process_types(&self, release: bool) -> Vec<(String, String)> {
        let procfile = self.files().and_then(|files| files.procfile);
        let entries = procfile.iter().flat_map(Procfile::entries);
        let wanted = entries.filter(|entry| release || !entry.process_type.is_release());
        wanted.map(|entry| (entry.process_type.to_string(), shortened(&entry.command))).collect()
    }

    /// The types that `worker=` or `worker=web+` can wait for. None: there is no `=` yet.
    fn others(&self, item: &str) -> Option<Vec<(String, String)>> {
        let (waits, typed) = item.split_once('=')?;
        let before = typed.rfind('+').map_or("", |plus| typed.get(..=plus).unwrap_or_default());
        let is_other = |name: &str| name != waits && !before.split('+').any(|named| named == name);
        let all = self.process_types(false).into_iter().filter(|(name, _)| is_other(name));
        Some(all.map(|(name, help)| (format!("{waits}={before}{name}"), help)).collect())
    }

    /// The process types, and the dynos of types that run more than once.
    fn dynos(&self) -> Vec<(String, String)> {
        let Some(ReadableFiles { places, procfile: Some(procfile), .. }) = self.files() else { return Vec::new() };
        let formation = RequestedFormation::new(&self.formation, &places.foreman).resolved(&procfile.formation_types());
        let mut found = Vec::new();
        for entry in procfile.entries() {
            let help = shortened(&entry.command);
            let quantity = formation.as_ref().map_or(1, |formation| formation.quantity(&entry.process_type));
            found.push((entry.process_type.to_string(), help.clone()));
            if quantity > 1 {
                found.extend((1..=quantity).map(|index| (format!("{}.{index}", entry.process_type), help.clone())));
            }
        }
        found
    }

    /// The process types of the app that runs here; nothing if none runs.
    fn running_types(&self, after: &str) -> Vec<(String, String)> {
        let formation = self.running_app(&self.which).and_then(|app| app.formation().ok()).unwrap_or_default();
        formation.into_iter().map(|entry| (entry.process_type + after, cut(&entry.command))).collect()
    }

    /// The dynos of the app that runs here; nothing if none runs.
    fn running_dynos(&self) -> Vec<(String, String)> {
        let dynos = self.running_app(&self.which).and_then(|app| app.dynos().ok()).unwrap_or_default();
        dynos.into_iter().map(|dyno| (dyno.name, cut(&dyno.command))).collect()
    }

    /// The releases of the app that runs here, newest first, each with what made it.
    fn releases(&self) -> Vec<(String, String)> {
        let app = self.running_app(&self.which);
        let releases = app.and_then(|app| app.releases(app.oldest().ok()?).ok()).unwrap_or_default();
        let named = releases.into_iter().map(|release| (format!("v{}", release.version), release.description));
        named.collect()
    }

    /// What `--name` calls the starts of the app that runs here.
    fn names_of_starts(&self) -> Vec<(String, String)> {
        // The name at the cursor is not complete.
        let app = self.running_app(&WhichArgs { name: None, ..self.which.clone() });
        let starts = app.as_ref().map(RunningApp::starts).unwrap_or_default();
        starts.iter().filter_map(|start| Some((start.name.clone()?, start.app.clone()))).collect()
    }

    fn running_app(&self, which: &WhichArgs) -> Option<RunningApp> {
        let root = self.project.root.as_deref().map(at_home);
        let procfile = self.project.procfile.as_deref().map(at_home);
        let args = RunningArgs { root, procfile, which: which.clone(), json: false };
        RunningApp::find(&ProjectArgs::default(), &args).ok()
    }

    /// The config vars of the app with their origin, never with their values.
    fn keys(&self, after: &str) -> Vec<(String, String)> {
        let vars = self.files().map(|files| files.layers.config_vars()).unwrap_or_default();
        vars.into_iter().map(|(key, given)| (key + after, given.origin.to_string())).collect()
    }

    /// The files that `start` would use. None if the app has no directory.
    fn files(&self) -> Option<ReadableFiles> {
        let project = ProjectArgs {
            procfile: self.project.procfile.as_deref().map(at_home),
            root: self.project.root.as_deref().map(at_home),
            env: self.project.env.iter().map(|path| at_home(path)).collect(),
            no_color: false,
        };
        let places = Places::find(project.into(), Dialect::Dyno, &mut Findings::default())?;
        let layers = files::layers_at_tab(&places, &(&self.variables).into());
        let procfile = files::procfile_at_tab(&places, &layers);
        Some(ReadableFiles { places, layers, procfile })
    }
}

/// The starts that run, of any app.
fn all_starts() -> Vec<StartDescription> {
    let directory = RuntimeDirectory::open_existing().ok().flatten();
    directory.and_then(|directory| directory.starts().ok()).map(|living| living.starts).unwrap_or_default()
}

/// The names of their apps, each with its root.
fn of_apps(starts: &[StartDescription]) -> Vec<(String, String)> {
    let mut apps: Vec<_> = starts.iter().map(|start| (start.app.clone(), start.root.clone())).collect();
    apps.sort();
    apps.dedup_by(|(app, _), (other, _)| app == other);
    apps
}

/// The candidates after `web=`. None: there is no `=` yet.
fn after_type(item: &str, values: &[&str]) -> Option<Vec<(String, String)>> {
    let (name, _) = item.split_once('=')?;
    Some(values.iter().map(|value| (format!("{name}={value}"), String::new())).collect())
}

/// The help is shown without control characters, which would reach the terminal.
fn candidate(value: impl Into<OsString>, help: &str) -> CompletionCandidate {
    let help: String = help.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    CompletionCandidate::new(value).help((!help.is_empty()).then(|| StyledStr::from(help)))
}

/// Files and directories; hidden ones only if nothing else fits.
fn paths(completer: &PathCompleter, typed: &str) -> Vec<CompletionCandidate> {
    let mut found = completer.complete(OsStr::new(typed));
    found.retain(|candidate| candidate.get_value() != ".");
    if found.iter().any(|candidate| !candidate.is_hide_set()) {
        found.retain(|candidate| !candidate.is_hide_set());
    }
    found
}

fn shortened(command: &[u8]) -> String {
    cut(&String::from_utf8_lossy(command))
}

fn cut(command: &str) -> String {
    command.chars().take(COMMAND_CHARS).collect()
}

/// The path with its tilde expanded: the shell does that only when it runs the line.
fn at_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), env::var_os("HOME")) {
        (Ok(rest), Some(home)) => PathBuf::from(home).join(rest),
        (_, _) => path.to_owned(),
    }
}
