//! Turns a release and the name of a dyno into the complete specification of that dyno.
//!
//! Pure, and the only place that decides it. Not here: which dynos run, and whether the system accepts an environment of
//! that size (`commands`).

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{OneOff, Release};
use crate::app::{
    AppendError, DynoVariables, Formation, PortError, PortRange, PortVariable, Ports, app_url_variable, append_text,
    is_set_by_dyno, launch, sibling_variables, url_of_port,
};
use crate::model::{DynoName, DynoSpec, Environment, Focus, HttpCheck, Io, ProcessType, Readiness, Secret, Shell};

/// What all dynos of one start have in common, as decided by options and `.foreman`.
#[derive(Debug, Clone)]
pub struct RunSettings {
    /// The port of each dyno.
    pub ports: Ports,
    /// The process types that are expected to listen on their port (S6.2).
    pub expected: Vec<ProcessType>,
    /// The process types that are up only once they listen; all of them are in `expected`.
    pub ready: Vec<ProcessType>,
    /// The requests that they must answer, too.
    pub http: HttpChecks,
    /// The shell of every command. Bash first sources the profile of the app (S3.3).
    pub shell: Shell,
    /// The working directory, absolute.
    pub directory: PathBuf,
    /// The mark on every process of this start (S3.1).
    pub session: String,
    /// The name of the app.
    pub app: String,
    /// Whether every dyno gets the addresses of those that are expected to listen (S5.6).
    pub names_siblings: bool,
    /// The streams of all dynos but the focused one.
    pub io: Io,
    /// The focused dyno (S6.8), if there is one, and its streams.
    pub focused: Option<(DynoName, Io, Focus)>,
}

/// The requests that dynos must answer before they are up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpChecks {
    /// The same for every type (`--http`).
    EveryType(Arc<HttpCheck>),
    /// One for each of these types (`app.json`, S18.4). Others need not answer.
    Types(BTreeMap<ProcessType, Arc<HttpCheck>>),
}

impl Default for HttpChecks {
    fn default() -> Self {
        Self::Types(BTreeMap::new())
    }
}

impl HttpChecks {
    fn of(&self, process_type: &ProcessType) -> Option<&Arc<HttpCheck>> {
        match self {
            Self::EveryType(check) => Some(check),
            Self::Types(checks) => checks.get(process_type),
        }
    }
}

/// The process types that are expected to listen on their port (S6.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listeners {
    /// All of them.
    pub expected: Vec<ProcessType>,
    /// Those that are up only once they listen.
    pub ready: Vec<ProcessType>,
}

/// A process type that a new start would give another port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedPort {
    /// The process type.
    pub process_type: ProcessType,
    /// The port of its first dyno.
    pub now: u16,
    /// That port after a new start.
    pub next: u16,
}

/// What the streams of a dyno are connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DynoStreams {
    /// stdout and stderr, and with a terminal stdin as well.
    pub io: Io,
    /// Whether it gets the keyboard.
    pub focus: Focus,
    /// Whether its stdin is `/dev/null`.
    pub stdin_is_empty: bool,
}

/// Why there is no specification of a dyno.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlueprintError {
    /// The release has no such process type.
    #[error("the Procfile has no process type `{0}`")]
    UnknownType(ProcessType),
    /// It cannot have a port.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// A release with everything else that the specification of a dyno needs.
#[derive(Debug, Clone)]
pub struct Blueprint {
    release: Release,
    settings: RunSettings,
    /// In start order.
    types: Vec<ProcessType>,
    /// The position in start order of every process type that this start has or had. A map, because a Procfile may be very
    /// long.
    positions: HashMap<ProcessType, usize>,
    siblings: Vec<(String, Secret)>,
}

impl Blueprint {
    /// Combines a release with the settings of a start.
    #[must_use]
    pub fn new(release: Release, settings: RunSettings) -> Self {
        let types = release.procfile.formation_types();
        let positions = types.iter().cloned().zip(0..).collect();
        let siblings = siblings(&settings);
        Self { release, settings, types, positions, siblings }
    }

    /// The same start with a later release. Process types keep their positions and ports, even if they were removed and
    /// come back; new types get the next positions. `spare`: see [`Ports::extended`].
    #[must_use]
    pub fn succeeded_by(
        &self,
        release: Release,
        listeners: Listeners,
        spare: &HashMap<ProcessType, PortRange>,
    ) -> Self {
        let mut types = release.procfile.formation_types();
        let Listeners { expected, ready } = listeners;
        let ports = self.settings.ports.clone().extended(&types, spare);
        let settings = RunSettings { ports, expected, ready, ..self.settings.clone() };
        let mut positions = self.positions.clone();
        for process_type in &types {
            let next = positions.len();
            positions.entry(process_type.clone()).or_insert(next);
        }
        types.sort_by_key(|process_type| positions.get(process_type).copied());
        let siblings = siblings(&settings);
        Self { release, settings, types, positions, siblings }
    }

    /// The process types whose ports differ from those that a new start would give them, because their lines have moved. None
    /// if a new start would look for other ports.
    #[must_use]
    pub fn moved_ports(&self) -> Vec<MovedPort> {
        let types = self.release.procfile.formation_types();
        let Some(next_rule) = self.settings.ports.of_new_start(&types) else { return Vec::new() };
        let first_port = |rule: &Ports, process_type: &ProcessType| {
            rule.port_of(&DynoName::new(process_type.clone(), 1)).ok().flatten()
        };
        let moved = types.into_iter().filter_map(|process_type| {
            let (now, next) =
                (first_port(&self.settings.ports, &process_type)?, first_port(&next_rule, &process_type)?);
            (now != next).then_some(MovedPort { process_type, now, next })
        });
        moved.collect()
    }

    /// The rule that gives each dyno its port.
    #[must_use]
    pub fn ports(&self) -> &Ports {
        &self.settings.ports
    }

    /// The release.
    #[must_use]
    pub fn release(&self) -> &Release {
        &self.release
    }

    /// The working directory of every dyno, absolute.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.settings.directory
    }

    /// The process types that are expected to listen.
    #[must_use]
    pub fn listeners(&self) -> Listeners {
        Listeners { expected: self.settings.expected.clone(), ready: self.settings.ready.clone() }
    }

    /// Only the release, when nothing is started.
    #[must_use]
    pub fn into_release(self) -> Release {
        self.release
    }

    /// The mark on every process of this start.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.settings.session
    }

    /// All process types that can be part of the formation, in start order: that of the Procfile, and then those that later
    /// releases have added.
    #[must_use]
    pub fn types(&self) -> &[ProcessType] {
        &self.types
    }

    /// The position of a process type among [`types`](Self::types). None: it cannot be part of the formation.
    #[must_use]
    pub fn position(&self, process_type: &ProcessType) -> Option<usize> {
        self.positions.get(process_type).copied().filter(|_| self.release.procfile.get(process_type).is_some())
    }

    /// The name of the release command's dyno. None: the release has no release command.
    #[must_use]
    pub fn release_command(&self) -> Option<DynoName> {
        self.release.procfile.release().map(|entry| DynoName::new(entry.process_type.clone(), 1))
    }

    /// The specification of a dyno: any index of any process type, or the release command.
    ///
    /// # Errors
    /// [`BlueprintError`] if the release does not have its process type, or its port is over 65535.
    pub fn spec(&self, dyno: &DynoName) -> Result<DynoSpec, BlueprintError> {
        let process_type = &dyno.process_type;
        let entry = self.release.procfile.get(process_type);
        let entry = entry.ok_or_else(|| BlueprintError::UnknownType(process_type.clone()))?;
        let port = if process_type.is_release() { None } else { self.settings.ports.port_of(dyno)? };
        let variable = port.map_or(PortVariable::Removed, PortVariable::Assigned);
        let streams = self.streams(dyno);
        Ok(DynoSpec {
            readiness: self.readiness(process_type, port),
            expected_port: port.filter(|_| self.settings.expected.contains(process_type)),
            ..self.describe(dyno, &entry.command, variable, streams)
        })
    }

    /// The command line of a one-off dyno for a line that a user wrote: if its first word is a process type, the command
    /// of that type replaces it (S9.2).
    ///
    /// # Errors
    /// The process type and an [`AppendError`] if the rest of the line would not be arguments of that command.
    pub fn one_off_line(&self, line: &[u8]) -> Result<Vec<u8>, (ProcessType, AppendError)> {
        let line = line.trim_ascii();
        let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        let (word, rest) = line.split_at_checked(end).unwrap_or((line, b""));
        // `join_words` quotes a word that the shell would read as its own, such as `time`.
        let name = word.strip_prefix(b"'").and_then(|word| word.strip_suffix(b"'")).unwrap_or(word);
        let name = std::str::from_utf8(name).ok().and_then(|name| ProcessType::new(name).ok());
        match name.and_then(|name| self.release.procfile.get(&name)) {
            Some(entry) => append_text(&entry.command, rest.trim_ascii_start())
                .map_err(|error| (entry.process_type.clone(), error)),
            None => Ok(line.to_vec()),
        }
    }

    /// The specification of a one-off dyno.
    #[must_use]
    pub fn one_off(&self, dyno: &DynoName, one_off: &OneOff) -> DynoSpec {
        let streams = one_off.streams.unwrap_or_else(|| self.without_input());
        let mut spec = self.describe(dyno, &one_off.line, one_off.port, streams);
        for (key, value) in one_off.variables.iter().filter(|(key, _)| !is_set_by_dyno(key)) {
            spec.environment.set(key, value.reveal());
        }
        // If it has a port, that is the port of another dyno, and nothing waits until it listens.
        DynoSpec { port: None, ..spec }
    }

    /// Whether every dyno of a formation can have its own port.
    ///
    /// # Errors
    /// [`PortError`] if a port is over 65535, or two dynos would get the same one although they should not share it.
    pub fn check_ports(&self, formation: &Formation) -> Result<(), PortError> {
        self.settings.ports.assign(formation).map(|_| ())
    }

    /// Whether several dynos may use one port at the same time.
    #[must_use]
    pub fn shares_ports(&self) -> bool {
        self.settings.ports.are_shared()
    }

    fn describe(&self, dyno: &DynoName, command: &[u8], port: PortVariable, streams: DynoStreams) -> DynoSpec {
        let RunSettings { session, app, .. } = &self.settings;
        let variables = DynoVariables { dyno, port, session, app, siblings: &self.siblings };
        let environment: Environment = self.release.layers.environment(&variables);
        let assigned = match port {
            PortVariable::Assigned(port) => Some(port),
            PortVariable::Kept | PortVariable::Removed => None,
        };
        DynoSpec {
            dyno: dyno.clone(),
            command_line: String::from_utf8_lossy(command).into(),
            launch: launch(command, self.settings.shell, &environment),
            environment,
            port: assigned,
            readiness: Readiness::Runs,
            expected_port: None,
            directory: self.settings.directory.clone(),
            io: streams.io,
            focus: streams.focus,
            stdin_is_empty: streams.stdin_is_empty,
        }
    }

    fn readiness(&self, process_type: &ProcessType, port: Option<u16>) -> Readiness {
        let http = self.settings.http.of(process_type);
        match (port.filter(|_| self.settings.ready.contains(process_type)), http) {
            (None, _) => Readiness::Runs,
            (Some(port), None) => Readiness::Listens { port },
            (Some(port), Some(check)) => Readiness::Answers { port, check: Arc::clone(check) },
        }
    }

    fn streams(&self, dyno: &DynoName) -> DynoStreams {
        match &self.settings.focused {
            Some((focused, io, focus)) if focused == dyno => {
                DynoStreams { io: *io, focus: *focus, stdin_is_empty: false }
            }
            Some(_) | None if dyno.process_type.is_release() => self.without_input(),
            Some(_) | None => DynoStreams { stdin_is_empty: false, ..self.without_input() },
        }
    }

    /// Like on the platform: a command that asks a question fails at once instead of waiting forever.
    fn without_input(&self) -> DynoStreams {
        DynoStreams { io: self.settings.io, focus: Focus::Elsewhere, stdin_is_empty: true }
    }
}

/// The port and the address of the first dyno of each process type that is expected to listen, whether it runs or not:
/// another start of the app may run it. Then the address of the app.
fn siblings(settings: &RunSettings) -> Vec<(String, Secret)> {
    let expected = settings.expected.iter().filter(|_| settings.names_siblings);
    let port = |name: &ProcessType| settings.ports.port_of(&DynoName::new(name.clone(), 1)).ok().flatten();
    let url = app_url(&settings.ports);
    let found = expected.filter_map(|name| Some(sibling_variables(name, port(name)?, url.as_deref()))).flatten();
    found.chain(url.as_deref().filter(|_| settings.names_siblings).map(app_url_variable)).collect()
}

/// The address of an app with these ports: that of its router, or of `web.1`, whether it runs or not. None: it has neither.
#[must_use]
pub fn app_url(ports: &Ports) -> Option<String> {
    let web = || ports.port_of(&DynoName::new(ProcessType::new(ProcessType::WEB).ok()?, 1)).ok().flatten();
    ports.router().or_else(web).map(url_of_port)
}
