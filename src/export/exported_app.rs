//! An app as every format sees it: what its dynos run, with which variables, and how they are started and stopped (S18.2).

use std::path::PathBuf;
use std::time::Duration;

use crate::app::{Formation, Origin, Prerequisite, is_set_by_dyno, sibling_variables};
use crate::model::{DynoName, DynoSpec, Launch, ProcessType, Readiness, Secret};
use crate::release::{Blueprint, BlueprintError};
use crate::supervisor::{CanDie, Policy, RestartPolicy};

/// What the options of the export decide.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// The user who runs the app. None: the engine's own, or the user who installs the files.
    pub user: Option<String>,
    /// The directory of log files. None: the engine's own log.
    pub log_dir: Option<PathBuf>,
    /// The image of the app, for engines that run containers.
    pub image: Option<String>,
    /// The host name under which clients reach the app.
    pub host: Option<String>,
    /// Whether the values of config vars are left out (S18.3).
    pub without_values: bool,
    /// The directory that the files are written to, absolute. None: they are only shown.
    pub target: Option<PathBuf>,
    /// Whether systemd runs the units for a user, not for the machine.
    pub user_units: bool,
    /// How a dyno that exits is restarted.
    pub restarts: RestartPolicy,
    /// Whether an option says when a dyno is ready, and not `app.json`.
    pub sets_readiness: bool,
}

/// An app to export.
#[derive(Debug, Clone)]
pub struct ExportedApp {
    /// Its name.
    pub name: String,
    /// Its directory, absolute.
    pub directory: PathBuf,
    /// Its process types in start order, without the release phase, and also those with quantity 0.
    pub types: Vec<ExportedType>,
    /// The command that must succeed before everything else starts.
    pub release: Option<ExportedCommand>,
    /// Whether the Procfile has such a command, which is left out.
    pub skips_release: bool,
    /// The config vars, sorted by name, without those that a dyno sets itself.
    pub config_vars: Vec<ExportedVariable>,
    /// What every dyno gets as well, unless a config var of this name exists: `PYTHONUNBUFFERED`, `DYNO_APP`.
    pub shared_variables: Vec<ExportedVariable>,
    /// The `PATH` of this machine, in which commands are found. None: a config var sets it, or there is none.
    pub search_path: Option<Secret>,
    /// The time between the stop signal and SIGKILL.
    pub grace: Duration,
    /// Its `app.json`, as JSON. Empty: it has none.
    pub app_json: String,
    /// What the options of the export decide.
    pub options: ExportOptions,
}

/// A variable. Its value may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedVariable {
    /// Its name: `A-Z a-z 0-9 _ . -`.
    pub key: String,
    /// Its value: any byte but NUL.
    pub value: Secret,
}

/// A process type.
#[derive(Debug, Clone)]
pub struct ExportedType {
    /// Its name.
    pub process_type: ProcessType,
    /// What it runs.
    pub command: ExportedCommand,
    /// The port of its first dyno, whether that runs or not.
    pub port: u16,
    /// Its dynos, as many as its quantity.
    pub dynos: Vec<ExportedDyno>,
    /// Whether it is expected to listen on its port: `web`, or what `--ready` names.
    pub listens: bool,
    /// When one of its dynos is ready. The port in it is that of the first dyno.
    pub readiness: Readiness,
    /// The number of its stop signal.
    pub stop_signal: i32,
    /// Whether all processes of a dyno get the stop signal at once: an option says so, or its first process is a shell. Otherwise
    /// the first process gets it alone.
    pub stops_all: bool,
    /// What happens when a dyno exits by itself.
    pub restart: RestartRule,
    /// What must have happened before it starts.
    pub after: Vec<Prerequisite>,
    /// The size of its dynos, such as `standard-1x`, if `app.json` has one.
    pub size: Option<String>,
}

/// One dyno of an engine that runs on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedDyno {
    /// Its name, such as `web.1`.
    pub name: DynoName,
    /// Its port.
    pub port: u16,
}

/// A command line, and how a shell runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedCommand {
    /// The shell: `/bin/sh`, or `/bin/bash` with `--profile`.
    pub shell: &'static str,
    /// The argument of its `-c`: the command line, with `exec ` before it if the shell may become the program.
    pub line: Vec<u8>,
    /// The words of the command, if the shell would do nothing but execute it.
    pub words: Option<Vec<Vec<u8>>>,
    /// Whether the shell stays the first process of the dyno, and has to be stopped together with its programs.
    pub shell_leads: bool,
    /// The command line, for comments: as in the Procfile, and on one line.
    pub shown: String,
}

/// What happens when a dyno exits by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartRule {
    /// It is started again, whatever its status is.
    Always,
    /// It is started again unless its status is 0 (`--can-die TYPE`).
    OnFailure,
    /// It is never started again (`--can-die TYPE=any`).
    Never,
}

impl ExportedApp {
    /// The app of a blueprint. `formation`: how many dynos of each type run. `runs_release`: whether the release command is
    /// exported, too.
    ///
    /// # Errors
    /// [`BlueprintError`] if a dyno has no port.
    pub fn of(
        blueprint: &Blueprint,
        (name, formation, runs_release): (&str, &Formation, bool),
        policy: &Policy,
        options: ExportOptions,
    ) -> Result<Self, BlueprintError> {
        let layers = &blueprint.release().layers;
        let config_vars: Vec<ExportedVariable> = layers
            .config_vars()
            .into_iter()
            .filter(|(key, _)| !is_set_by_dyno(key.as_bytes()) && key != "PORT")
            .filter_map(|(key, found)| Some(ExportedVariable { key, value: found.value? }))
            .collect();
        let is_config_var = |key: &str| config_vars.iter().any(|known| known.key == key);
        let python = layers.get(PYTHONUNBUFFERED).filter(|found| found.origin == Origin::Default);
        let python =
            python.and_then(|found| Some(ExportedVariable { key: PYTHONUNBUFFERED.to_owned(), value: found.value? }));
        let app = ExportedVariable { key: "DYNO_APP".to_owned(), value: Secret::new(name) };
        let search_path = layers.get("PATH").and_then(|found| found.value).filter(|_| !is_config_var("PATH"));
        let types = blueprint
            .types()
            .iter()
            .map(|process_type| exported_type(blueprint, process_type, formation.quantity(process_type), policy));
        let types = types.collect::<Result<Vec<_>, _>>()?;
        let release = blueprint.release_command().filter(|_| runs_release);
        let release = release.map(|dyno| blueprint.spec(&dyno).map(|spec| ExportedCommand::of(&spec))).transpose()?;
        Ok(Self {
            name: name.to_owned(),
            directory: blueprint.directory().to_owned(),
            types,
            skips_release: !runs_release && blueprint.release_command().is_some(),
            release,
            config_vars,
            shared_variables: python.into_iter().chain([app]).collect(),
            search_path,
            grace: policy.grace,
            app_json: String::new(),
            options,
        })
    }

    /// The name of the file with the values of the config vars.
    #[must_use]
    pub fn env_file(&self) -> String {
        format!("{}.env", self.name)
    }

    /// Whether there are config vars whose values are left out (S18.3).
    #[must_use]
    pub fn lacks_values(&self) -> bool {
        self.options.without_values && !self.config_vars.is_empty()
    }

    /// The name of what runs a dyno on this machine, such as `shop-web-1`.
    #[must_use]
    pub fn service(&self, dyno: &DynoName) -> String {
        format!("{}-{}", self.name, dyno.to_string().replace('.', "-"))
    }

    /// The name of what runs the release command.
    #[must_use]
    pub fn release_service(&self) -> String {
        format!("{}-release", self.name)
    }

    /// The variables with the ports and addresses of the types that are expected to listen (S5.6), except those that are config
    /// vars. `url`: the address of the first dyno of a type with this port.
    pub fn siblings(&self, url: impl Fn(&ProcessType, u16) -> String) -> Vec<ExportedVariable> {
        let is_config_var = |key: &str| self.config_vars.iter().any(|known| known.key == key);
        let listening = self.types.iter().filter(|exported| exported.listens);
        let of_types = listening.flat_map(|exported| {
            let url = url(&exported.process_type, exported.port);
            let [(port_key, port), (url_key, _)] = sibling_variables(&exported.process_type, exported.port, None);
            [(port_key, port), (url_key, Secret::new(url))]
        });
        let web = self.types.iter().find(|exported| exported.process_type.as_str() == ProcessType::WEB);
        let of_app = web.map(|web| ("DYNO_URL".to_owned(), Secret::new(url(&web.process_type, web.port))));
        let all = of_types.chain(of_app).filter(|(key, _)| !is_config_var(key));
        all.map(|(key, value)| ExportedVariable { key, value }).collect()
    }

    /// The variables of one dyno apart from the config vars: those that every dyno has, the addresses of the others on this machine,
    /// `PATH`, and its own.
    #[must_use]
    pub fn own_variables(&self, dyno: &ExportedDyno) -> Vec<ExportedVariable> {
        let mut variables = self.common_variables();
        variables.extend(dyno.variables());
        variables
    }

    /// The variables of the release command apart from the config vars. It has no port.
    #[must_use]
    pub fn release_variables(&self) -> Vec<ExportedVariable> {
        let mut variables = self.common_variables();
        variables.extend(["DYNO", "PS"].map(|key| ExportedVariable::plain(key, "release.1")));
        variables
    }

    /// What dynos on this machine have in common, apart from the config vars.
    fn common_variables(&self) -> Vec<ExportedVariable> {
        let path = self.search_path.clone().map(|value| ExportedVariable { key: "PATH".to_owned(), value });
        let shared = self.shared_variables.iter().cloned();
        let siblings = self.siblings(|_, port| crate::app::url_of_port(port));
        path.into_iter().chain(shared).chain(siblings).collect()
    }
}

/// See `app::env`: without it, a Python program shows its output only when its buffer is full.
const PYTHONUNBUFFERED: &str = "PYTHONUNBUFFERED";

impl ExportedVariable {
    /// A variable whose value is not a secret.
    #[must_use]
    pub fn plain(key: &str, value: impl Into<String>) -> Self {
        Self { key: key.to_owned(), value: Secret::new(value.into()) }
    }
}

impl ExportedDyno {
    /// The variables that only this dyno has.
    #[must_use]
    pub fn variables(&self) -> [ExportedVariable; 3] {
        let name = self.name.to_string();
        [
            ExportedVariable::plain("PORT", self.port.to_string()),
            ExportedVariable::plain("DYNO", name.clone()),
            ExportedVariable::plain("PS", name),
        ]
    }
}

impl ExportedCommand {
    fn of(spec: &DynoSpec) -> Self {
        let words = match &spec.launch {
            Launch::Program { words, .. } => Some(words.clone()),
            Launch::Shell { .. } => None,
        };
        let shown = spec.command_line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self {
            shell: spec.launch.shell().path(),
            line: spec.launch.line().to_vec(),
            words,
            shell_leads: spec.launch.shell_leads(),
            shown,
        }
    }
}

fn exported_type(
    blueprint: &Blueprint,
    process_type: &ProcessType,
    quantity: u16,
    policy: &Policy,
) -> Result<ExportedType, BlueprintError> {
    let port_of = |index: u16| {
        let name = DynoName::new(process_type.clone(), index.into());
        let port = blueprint.ports().port_of(&name)?;
        let port = port.ok_or_else(|| BlueprintError::UnknownType(process_type.clone()))?;
        Ok::<_, BlueprintError>(ExportedDyno { name, port })
    };
    let first = port_of(1)?;
    let spec = blueprint.spec(&first.name)?;
    let after = blueprint.release().order.iter().find(|(known, _)| *known == process_type);
    let command = ExportedCommand::of(&spec);
    Ok(ExportedType {
        process_type: process_type.clone(),
        stops_all: policy.stops_everything(process_type) || command.shell_leads,
        command,
        port: first.port,
        dynos: (1..=quantity).map(port_of).collect::<Result<_, _>>()?,
        listens: spec.expected_port.is_some(),
        readiness: spec.readiness,
        stop_signal: policy.stop_signal(process_type),
        restart: match policy.can_die.get(process_type) {
            None => RestartRule::Always,
            Some(CanDie::Success) => RestartRule::OnFailure,
            Some(CanDie::Any) => RestartRule::Never,
        },
        after: after.map(|(_, prerequisites)| prerequisites.to_vec()).unwrap_or_default(),
        size: None,
    })
}
