//! Makes a start known to commands: its description, its lock and its socket (S10.1).
//!
//! Decides which starts keep others from starting the same process types. Not here: the name of the app
//! (`checkout`), and how locks and sockets work (`runtime`).

use std::env;
use std::io;
use std::path::{Path, PathBuf};

use super::checkout::Checkout;
use crate::api::{AppFacts, LogLook, StartDescription, StartKind};
use crate::app::url_of_port;
use crate::client::real;
use crate::commands::ps::span;
use crate::console::diagnostics::warn;
use crate::error::{Complaint, Error, Status};
use crate::model::{Dialect, DynoName};
use crate::project::Places;
use crate::project::files::env_candidates;
use crate::release::Blueprint;
use crate::runtime::{ApiStart, ListeningSockets, NotRegistered, RuntimeDirectory};
use crate::settings::NameSettings;

/// The process type whose address is that of the app, unless it has a router.
const WEB: &str = "web";

/// Where an app comes from, as text (see [`StartDescription`]).
pub(super) struct StartOrigin {
    app: String,
    name: Option<String>,
    root: String,
    directory: String,
    procfile: String,
    files: Vec<String>,
}

impl StartOrigin {
    pub(super) fn of(places: &Places, procfile: &Path, checkout: &Checkout, names: &NameSettings) -> Self {
        let text = |path: &Path| StartDescription::path_text(&real(path));
        Self {
            app: checkout.app_name(),
            name: names.copy.clone(),
            root: StartDescription::path_text(checkout.root()),
            directory: text(&places.current),
            procfile: text(procfile),
            files: files_of(places, procfile),
        }
    }
}

/// The paths of the files that were read, and of those that would have been read if they existed.
pub(super) fn files_of(places: &Places, procfile: &Path) -> Vec<String> {
    let text = |path: PathBuf| StartDescription::path_text(&real(&path));
    let files = [procfile.to_owned(), places.root.join(".foreman")].into_iter().chain(env_candidates(places));
    let mut files: Vec<String> = files.map(|path| text(places.current.join(path))).collect();
    files.dedup();
    files
}

/// How a start is registered.
pub(super) fn kind(is_smoke: bool, dialect: Dialect) -> StartKind {
    match dialect {
        Dialect::Dyno | Dialect::HerokuLocal if is_smoke => StartKind::Smoke,
        Dialect::Dyno | Dialect::HerokuLocal => StartKind::Start,
        // These tools allow a second start.
        Dialect::Foreman | Dialect::Honcho => StartKind::Beside,
    }
}

/// Registers a start. If that fails, warns that commands will not find the start and returns None; it can run
/// nevertheless.
///
/// # Errors
/// Status 69 if one of its process types is running already.
pub(super) fn register(
    kind: StartKind,
    origin: StartOrigin,
    blueprint: &Blueprint,
    ports: &[(DynoName, u16)],
    look: LogLook,
    log_directory: Option<&Path>,
) -> Result<Option<ApiStart>, Error> {
    let directory = match RuntimeDirectory::open() {
        Ok(directory) => directory,
        Err(error) => {
            unregistered(&error.to_string(), OWN_DIRECTORY);
            return Ok(None);
        }
    };
    let now = jiff::Timestamp::now();
    let mut types: Vec<String> = ports.iter().map(|(dyno, _)| dyno.process_type.to_string()).collect();
    types.dedup();
    let web = ports.iter().find(|(dyno, _)| dyno.process_type.as_str() == WEB).map(|(_, port)| *port);
    let router = blueprint.ports().router();
    let url = router.or(web).map(url_of_port);
    let description = StartDescription {
        pid: i32::try_from(std::process::id()).unwrap_or_default(),
        session: blueprint.session().to_owned(),
        kind: if kind == StartKind::Start && is_inside_dyno(&directory) { StartKind::Beside } else { kind },
        app: origin.app.clone(),
        name: origin.name,
        root: origin.root.clone(),
        directory: origin.directory,
        procfile: origin.procfile,
        types,
        started_at_ms: now.as_millisecond(),
        url: url.clone(),
        web_port: router.and(web),
        files: origin.files,
        log_directory: log_directory.map(|path| StartDescription::path_text(&real(path))),
    };
    let registered = match directory.register(&description) {
        Ok(registered) => registered,
        Err(NotRegistered::Running { process_type, by }) => return Err(running(&process_type, &by, now)),
        Err(NotRegistered::Locked(path)) => return Err(locked(&path)),
        Err(NotRegistered::Unreadable(path)) => return Err(unreadable(&path)),
        Err(NotRegistered::Refused(error)) => {
            unregistered(crate::project::reason(&error), advice(&error));
            return Ok(None);
        }
    };
    if let Some(unused) = RuntimeDirectory::unused().filter(|_| kind != StartKind::Beside) {
        let hint = "`unset XDG_RUNTIME_DIR`, or set it to a directory that you own";
        warn(&Complaint::new(unused.to_string(), hint));
    }
    let facts = AppFacts {
        name: origin.app,
        root: origin.root,
        url,
        email: format!("{}@localhost", blueprint.release().user),
        started_at: now,
        look,
        tcp: None,
    };
    Ok(Some(ApiStart::new(registered, facts)))
}

/// Whether this process runs inside a dyno of a live start.
fn is_inside_dyno(directory: &RuntimeDirectory) -> bool {
    let Ok(session) = env::var("DYNO_SESSION") else { return false };
    directory.starts().is_ok_and(|living| living.starts.iter().any(|start| start.session == session))
}

/// The hint if the directory for sockets cannot be used.
const OWN_DIRECTORY: &str = "set `XDG_RUNTIME_DIR` to a directory that you own";

/// What to do if a file or a socket could not be created.
fn advice(error: &io::Error) -> &'static str {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    if matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge) {
        return "make room in the directory that `XDG_RUNTIME_DIR` names";
    }
    OWN_DIRECTORY
}

fn unregistered(why: &str, hint: &str) {
    let fact = format!("commands such as `dyno ps` will not find this start: {why}");
    warn(&Complaint::new(fact, hint));
}

/// The error if a lock hides whether another start runs the same process types (S10.1).
fn locked(path: &Path) -> Error {
    let path = path.display();
    let fact = format!("another process holds the lock on `{path}`");
    Error::new(Status::Unavailable, fact, format!("`fuser '{path}'` shows which process that is"))
}

/// The same error if the description of a running start cannot be read.
fn unreadable(path: &Path) -> Error {
    let path = path.display();
    let fact = format!("`{path}` describes a running app, but this version of `dyno` cannot read it");
    Error::new(Status::Unavailable, fact, format!("`fuser '{path}'` shows which process that is; stop it first"))
}

/// The error for the second start of a process type (S10.1).
fn running(process_type: &str, by: &StartDescription, now: jiff::Timestamp) -> Error {
    let seconds = now.as_millisecond().saturating_sub(by.started_at_ms) / 1_000;
    let age = span(u64::try_from(seconds).unwrap_or(0));
    let url = by.url.clone().filter(|_| process_type == WEB).map(|url| ListeningSockets::default().answering_url(url));
    let at = url.map_or_else(String::new, |url| format!(": {url}"));
    let fact = format!("`{process_type}` is already running (dyno pid {}, up {age}){at}", by.pid);
    let hint = format!(
        "`dyno restart {process_type}` restarts it; `dyno logs -t` shows its log; `dyno start --name copy -p auto {process_type}` starts a second one"
    );
    Error::new(Status::Unavailable, fact, hint)
}
