//! Decides what a request asks for: a resource, a change, an answer as soon as dynos are up, or the log.

use serde::Deserialize;

use super::AppFacts;
use super::config_change::config_changes;
use super::error::ApiError;
use super::formation_update::{object, shortened, single, updates};
use super::grace::grace;
use super::log_session::{LOG_PATH, LogSession};
use super::range::ReleaseRange;
use super::run_request::{AttachedOneOff, RunAsked, run_asked};
use super::terminal::AttachRequest;
use super::wait::WaitRequest;
use crate::app::Scale;
use crate::model::{DynoName, EnvChange, ProcessType};
use crate::supervisor::{Command, Target};

/// The path of a hand-over (S16.7).
pub const HAND_OVER_PATH: &str = "/dyno/connections";

/// The most parts that a path can have. No known path has more than 7.
const MAX_SEGMENTS: usize = 16;

/// The parts of a request that decide what it asks for.
#[derive(Debug, Clone, Copy)]
pub struct ApiRequest<'a> {
    /// `GET`.
    pub method: &'a str,
    /// The path, without the part from `?` on, and with names in place of ids ([`AppFacts::named_path`]).
    pub path: &'a str,
    /// The header `Range`.
    pub range: Option<&'a str>,
    /// The body; empty without one.
    pub body: &'a [u8],
    /// The number for a one-off dyno, 1000..=9999, in case the request starts one.
    pub one_off_number: u32,
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// To see something.
    See(Resource),
    /// To change something.
    Do(Change),
    /// To run a command once and get its streams.
    RunAttached {
        /// The number for the dyno, if it is free.
        number: u32,
        /// The dyno.
        attached: AttachedOneOff,
    },
    /// To read the files of the app again.
    Reload,
    /// To run a release again.
    Rollback(ReleaseKey),
    /// To be answered when a release has turned out, for better or worse.
    AwaitRelease(ReleaseKey),
    /// To change config vars in the file.
    ChangeConfig(Vec<EnvChange>),
    /// To see everything about a dyno, or about all of them.
    Why(Option<String>),
    /// To be answered when dynos are up, or when it is clear that they will not be.
    Wait(WaitRequest),
    /// To read the log, for which it gets an address.
    OpenLog(LogSession),
    /// To read the log. The token of a session.
    ReadLog(String),
    /// To see the last screenful of a dyno.
    SeeScreen(DynoName),
    /// To get the terminal of a dyno.
    Attach(DynoName, AttachRequest),
    /// To hand a connection of a client over to the router.
    HandOver,
}

/// Something that can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// The user.
    Account,
    /// How many requests the user may send.
    RateLimit,
    /// How clients reach the API over TCP.
    TcpAccess,
    /// The apps of the user: this one.
    Apps,
    /// The app.
    App,
    /// Ours: only its state. `dyno ls` looks up the addresses of all apps itself, once.
    State,
    /// Ours: its state, and the ports of its process types, for the list of the front door.
    Routes,
    /// A list that is always empty here, such as that of the add-ons.
    EmptyList,
    /// All dynos.
    Dynos,
    /// The dyno with this name.
    Dyno(String),
    /// The quantity of every process type.
    Formation,
    /// The quantity of the process type with this name.
    FormationOf(String),
    /// The config vars.
    ConfigVars,
    /// Releases.
    Releases(ReleaseRange),
    /// One release.
    Release(ReleaseKey),
    /// The config vars of a release.
    ReleaseConfigVars(ReleaseKey),
}

impl Resource {
    /// Whether the answer has the address of the app.
    #[must_use]
    pub fn shows_url(&self) -> bool {
        matches!(self, Self::Apps | Self::App)
    }

    /// Whether it shows what the processes of dynos use.
    #[must_use]
    pub fn shows_usage(&self) -> bool {
        match self {
            Self::Dynos | Self::Dyno(_) => true,
            Self::Account
            | Self::RateLimit
            | Self::TcpAccess
            | Self::Apps
            | Self::App
            | Self::State
            | Self::Routes
            | Self::EmptyList
            | Self::Formation
            | Self::FormationOf(_)
            | Self::ConfigVars
            | Self::Releases(_)
            | Self::Release(_)
            | Self::ReleaseConfigVars(_) => false,
        }
    }
}

/// A release as named in a path: by its version or its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseKey(String);

impl ReleaseKey {
    /// A version with or without `v`, or an id.
    fn new(text: &str) -> Self {
        let number = text.strip_prefix('v').filter(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
        Self(number.unwrap_or(text).to_owned())
    }

    /// Whether this is the release.
    pub(super) fn is(&self, version: u32, id: &str) -> bool {
        self.version() == Some(version) || self.0 == id
    }

    /// The version, unless it is an id.
    pub(super) fn version(&self) -> Option<u32> {
        self.0.parse().ok()
    }
}

/// A command, and how its reply is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The command.
    pub command: Command,
    /// How the reply is shown.
    pub shown_as: ShownAs,
}

impl Change {
    /// The process types of which it may start dynos although none of them runs.
    #[must_use]
    pub fn types_to_start(&self) -> Vec<String> {
        let is_growth = |scale: &Scale| match scale {
            Scale::To(quantity) | Scale::Up(quantity) => *quantity > 0,
            Scale::Down(_) => false,
        };
        match &self.command {
            Command::Scale(changes) => {
                let growing = changes.iter().filter(|(_, scale)| is_growth(scale));
                growing.map(|(name, _)| name.to_string()).collect()
            }
            Command::Restart(..)
            | Command::Refresh { .. }
            | Command::Stop(..)
            | Command::Run(_)
            | Command::RunOneOff { .. }
            | Command::Deploy(_)
            | Command::Rollback { .. }
            | Command::Shutdown { .. } => Vec::new(),
        }
    }
}

/// How the reply to a command is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShownAs {
    /// The whole formation.
    Formation,
    /// The formation of the process type with this name.
    FormationOf(String),
    /// The dynos that the command is about.
    Touched,
}

impl ApiRequest<'_> {
    /// Decides what the request asks for.
    ///
    /// # Errors
    /// 400 or 422 if the request is wrong; 404 if what it names does not exist here.
    pub fn asks(&self, app: &AppFacts) -> Result<Asked, ApiError> {
        let segments = segments(self.path)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (self.method, segments.as_slice()) {
            ("GET", ["account"]) => Ok(Asked::See(Resource::Account)),
            ("GET", ["account", "rate-limits"]) => Ok(Asked::See(Resource::RateLimit)),
            ("GET", ["apps"] | ["users", "~", "apps"]) => Ok(Asked::See(Resource::Apps)),
            ("GET", ["dyno", "state"]) => Ok(Asked::See(Resource::State)),
            ("GET", ["addons" | "addon-attachments"] | ["account", "features"]) => Ok(Asked::See(Resource::EmptyList)),
            ("GET", ["dyno", "routes"]) => Ok(Asked::See(Resource::Routes)),
            ("POST", _) if self.path == HAND_OVER_PATH => Ok(Asked::HandOver),
            ("GET", ["dyno", "tcp"]) => Ok(Asked::See(Resource::TcpAccess)),
            ("GET", ["dyno", "why"]) => Ok(Asked::Why(None)),
            ("GET", ["dyno", "why", name]) => Ok(Asked::Why(Some((*name).to_owned()))),
            ("POST", ["dyno", "wait"]) => {
                object(self.body, r#"{"dynos":[{"name":"web.1"}],"timeout":60}"#).map(Asked::Wait)
            }
            ("GET", [first, second, token]) if [*first, *second] == LOG_PATH => Ok(Asked::ReadLog((*token).to_owned())),
            (_, ["apps", name, rest @ ..]) => {
                app.check(name)?;
                self.asks_of_app(rest)
            }
            _ => Err(self.unsupported()),
        }
    }

    /// The same for the part of the path after `/apps/NAME`.
    fn asks_of_app(&self, rest: &[&str]) -> Result<Asked, ApiError> {
        let see = |resource| Ok(Asked::See(resource));
        let key = |name: &&str| ReleaseKey::new(name);
        match (self.method, rest) {
            ("GET", []) => see(Resource::App),
            ("GET", ["addons" | "addon-attachments" | "collaborators" | "domains" | "features" | "log-drains"]) => {
                see(Resource::EmptyList)
            }
            // The platform's own client cannot read an empty list here.
            ("GET", ["pipeline-couplings"]) => Err(ApiError::not_found("the app is not in a pipeline")),
            // The `heroku` CLI shows the message but not the hint.
            ("PATCH", []) => Err(ApiError::invalid_params(
                "the settings of an app, such as maintenance mode, cannot be changed here; `dyno stop` stops the app",
            )),
            ("GET", ["buildpack-installations"]) => Err(ApiError::not_found(
                "there are no buildpacks here; type `dyno run sh` for a shell with the environment of the app",
            )),
            ("GET", ["dynos"]) => see(Resource::Dynos),
            ("POST", ["dynos"]) => Ok(match run_asked(self.body)? {
                RunAsked::Detached(one_off) => change(Command::RunOneOff { number: self.one_off_number, one_off }),
                RunAsked::Attached(attached) => Asked::RunAttached { number: self.one_off_number, attached },
            }),
            ("GET", ["dynos", name]) => see(Resource::Dyno((*name).to_owned())),
            ("GET", ["dynos", name, "screen"]) => dyno(name).map(Asked::SeeScreen),
            ("POST", ["dynos", name, "terminal"]) => {
                Ok(Asked::Attach(dyno(name)?, object(self.body, r#"{"read_only":false,"take":false}"#)?))
            }
            ("DELETE", ["dynos"]) => self.restart(Target::All),
            ("DELETE", ["dynos", name]) => self.restart(target(name)?),
            ("DELETE", ["formations", name]) => self.restart(type_target(name)?),
            // Ours: the platform has no way to stop a whole app.
            ("POST", ["dynos", "actions", "stop"]) => self.stop(Target::All),
            ("POST", ["dynos", name, "actions", "stop"]) => self.stop(target(name)?),
            ("POST", ["formations", name, "actions", "stop"]) => self.stop(type_target(name)?),
            ("POST", ["log-sessions"]) => LogSession::parse(self.body).map(Asked::OpenLog),
            ("GET", ["formation"]) => see(Resource::Formation),
            ("GET", ["formation", name]) => see(Resource::FormationOf((*name).to_owned())),
            ("PATCH", ["formation"]) => {
                let command = Command::Scale(updates(self.body)?);
                Ok(Asked::Do(Change { command, shown_as: ShownAs::Formation }))
            }
            ("PATCH", ["formation", name]) => {
                let command = Command::Scale(single(known_form(name)?, self.body)?);
                Ok(Asked::Do(Change { command, shown_as: ShownAs::FormationOf((*name).to_owned()) }))
            }
            ("GET", ["config-vars"]) => see(Resource::ConfigVars),
            ("PATCH", ["config-vars"]) => config_changes(self.body).map(Asked::ChangeConfig),
            ("GET", ["releases"]) => see(Resource::Releases(ReleaseRange::parse(self.range))),
            // Ours: the platform's apps have no files to read again.
            ("POST", ["releases", "actions", "reload"]) => Ok(Asked::Reload),
            ("POST", ["releases"]) => rollback(self.body),
            // Ours: the platform's clients ask again and again.
            ("POST", ["releases", name, "actions", "wait"]) => Ok(Asked::AwaitRelease(key(name))),
            ("GET", ["releases", name]) => see(Resource::Release(key(name))),
            ("GET", ["releases", name, "config-vars"]) => see(Resource::ReleaseConfigVars(key(name))),
            _ => Err(self.unsupported()),
        }
    }

    fn restart(&self, target: Target) -> Result<Asked, ApiError> {
        Ok(change(Command::Restart(target, grace(self.body)?)))
    }

    fn stop(&self, target: Target) -> Result<Asked, ApiError> {
        Ok(change(Command::Stop(target, grace(self.body)?)))
    }

    fn unsupported(&self) -> ApiError {
        let (method, path) = (shortened(self.method), shortened(self.path));
        ApiError::not_found(format!("`{method} {path}` is not supported here"))
    }
}

/// The body of a rollback.
#[derive(Deserialize)]
struct RollbackRequest {
    /// The id of the release, or its version.
    release: Option<String>,
}

fn rollback(body: &[u8]) -> Result<Asked, ApiError> {
    let RollbackRequest { release } = object(body, r#"{"release":"1"}"#)?;
    let release = release.ok_or_else(|| {
        ApiError::invalid_params("the release is missing").with_hint(r#"send an object such as `{"release":"1"}`"#)
    })?;
    Ok(Asked::Rollback(ReleaseKey::new(&release)))
}

fn change(command: Command) -> Asked {
    Asked::Do(Change { command, shown_as: ShownAs::Touched })
}

/// The dynos that a name in a path means: `web.1` is a dyno; `web`, in its place, is a process type.
///
/// # Errors
/// 404: it cannot be the name of either.
pub fn target(name: &str) -> Result<Target, ApiError> {
    let Some((process_type, index)) = name.rsplit_once('.') else { return type_target(name) };
    let is_index = !index.starts_with('0') && index.bytes().all(|byte| byte.is_ascii_digit());
    let index = index.parse().ok().filter(|_| is_index);
    match (ProcessType::new(process_type), index) {
        (Ok(process_type), Some(index)) => Ok(Target::Dyno(DynoName::new(process_type, index))),
        (Ok(_) | Err(_), _) => Err(no_dyno(name)),
    }
}

/// A single dyno.
fn dyno(name: &str) -> Result<DynoName, ApiError> {
    match target(name)? {
        Target::Dyno(name) => Ok(name),
        Target::All | Target::Type(_) => Err(no_dyno(name)),
    }
}

fn no_dyno(name: &str) -> ApiError {
    ApiError::not_found(format!("there is no dyno `{}`", shortened(name))).with_hint("`dyno ps` lists all dynos")
}

fn type_target(name: &str) -> Result<Target, ApiError> {
    known_form(name).map(Target::Type)
}

fn known_form(name: &str) -> Result<ProcessType, ApiError> {
    ProcessType::new(name)
        .map_err(|_| ApiError::not_found(format!("the Procfile has no process type `{}`", shortened(name))))
}

/// The parts of a path, decoded.
fn segments(path: &str) -> Result<Vec<String>, ApiError> {
    let parts = path.strip_prefix('/').unwrap_or(path);
    let parts = parts.strip_suffix('/').unwrap_or(parts);
    let segments: Option<Vec<String>> =
        parts.split('/').take(MAX_SEGMENTS).map(|part| String::from_utf8(decoded(part)?).ok()).collect();
    segments.ok_or_else(|| ApiError::bad_request("the path has an invalid `%` sequence"))
}

/// The text with each `%41` replaced by the byte it means. None if a sequence is broken.
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend(parts.next().unwrap_or_default().bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(rest.bytes());
    }
    Some(bytes)
}
