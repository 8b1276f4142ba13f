//! Finds the running app that a command is about, and sends requests to it (S10.1, S10.2).
//!
//! Decides which directories are searched; `api::meant_starts` decides which starts are meant. Not here: what the commands
//! request, and how they print the answer.

use std::env;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::owners::{Look, summed};
use super::which_app::not_found;
use crate::api::{
    ApiError, DynoResource, ENDING, ErrorResource, FormationResource, LogSessionRequest, LogSessionResource, MeantBy,
    SeenStart, StartDescription, WaitAnswer, WaitRequest, Whereabouts, WhyResource, meant_starts,
};
use crate::app::{did_you_mean, nearest, some_of};
use crate::cli::{ProjectArgs, RunningArgs};
use crate::console::diagnostics;
use crate::error::{Complaint, Status};
use crate::project::reason;
use crate::runtime::{ANSWERS_WITHIN, ClientRequest, LogReader, NoAnswer, RuntimeDirectory};
use crate::supervisor::Outcome;

/// HTTP statuses of requests that are in order, but cannot be carried out now.
const BUSY: u16 = 409;
const TOO_SLOW: u16 = 408;

/// The id of the error if no app runs here.
pub(super) const NOT_RUNNING: &str = "not_running";

/// Why a command for a running app failed: an [`crate::error::Error`] with an id for programs (S17.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    status: u8,
    error: ErrorResource,
}

impl Failure {
    /// With the exit status of a dyno, for example.
    pub(super) fn with_status(self, status: u8) -> Self {
        Self { status, ..self }
    }

    /// Whether nothing runs here.
    pub(super) fn is_not_running(&self) -> bool {
        self.error.id == NOT_RUNNING
    }

    /// The error if no dyno and no process type has this name. `known`: those that exist.
    pub(super) fn unknown_name<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Self {
        let mut near = nearest(name, known);
        near.dedup();
        let hint = did_you_mean(&near).unwrap_or_else(|| "`dyno ps` lists all dynos".to_owned());
        Self::new(Status::Usage, "not_found", format!("no dyno of `{name}` runs here"), hint)
    }

    pub(super) fn new(status: Status, id: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let error = ErrorResource { id: id.to_owned(), message: message.into(), hint: Some(hint.into()) };
        Self { status: status.code(), error }
    }

    /// A wrong name or number. It is found before anything is asked of a start.
    pub(super) fn usage(error: ApiError) -> Self {
        Self::new(Status::Usage, error.id, error.message, error.hint)
    }

    /// The same after other starts have done what was asked for.
    fn after(mut self, done: &str) -> Self {
        let _ = write!(self.error.message, "; already done: {done}");
        self
    }

    /// Whether the start ended, or is ending, before it could answer.
    fn is_over(&self) -> bool {
        self.error.id == NOT_RUNNING || self.error.id == ENDING
    }

    pub(super) fn not_running() -> Self {
        let hint = "`dyno start` starts the app; `--root DIR` names another directory";
        Self::new(Status::Unavailable, NOT_RUNNING, "no app is running here", hint)
    }

    fn no_answer(why: &NoAnswer, start: &StartDescription) -> Self {
        let pid = start.pid;
        match why {
            NoAnswer::Ended => Self::new(
                Status::Unavailable,
                NOT_RUNNING,
                "the app ended before it answered",
                "`dyno start` starts it again",
            ),
            NoAnswer::Late => {
                let message = format!("`dyno` (pid {pid}) did not answer in time");
                Self::new(
                    Status::Unavailable,
                    "no_answer",
                    message,
                    format!("if it is suspended, run `kill -CONT {pid}`"),
                )
            }
            NoAnswer::Refused(error) => {
                let message = format!("cannot reach `dyno` (pid {pid}): {}", reason(error));
                Self::new(Status::Internal, "no_answer", message, "")
            }
        }
    }

    pub(super) fn late(start: &StartDescription) -> Self {
        Self::no_answer(&NoAnswer::Late, start)
    }

    /// The end of a log that was being read is missing.
    pub(super) fn log_was_cut(start: &StartDescription) -> Self {
        let message = format!("`dyno` (pid {}) has ended unexpectedly: the last lines may be missing", start.pid);
        Self::new(Status::Unavailable, NOT_RUNNING, message, "`dyno start` starts it again")
    }

    /// The same with other advice if nothing runs here.
    pub(super) fn if_not_running(mut self, hint: &str) -> Self {
        if self.error.id == NOT_RUNNING {
            self.error.hint = Some(hint.to_owned());
        }
        self
    }

    /// Shows it and returns the exit status.
    fn show(&self, json: bool) -> Outcome {
        if json {
            diagnostics::print_line(&serde_json::to_string(&self.error).unwrap_or_default());
        } else {
            let hint = self.error.hint.clone().unwrap_or_default();
            diagnostics::show_complaint(&Complaint::new(self.error.message.clone(), hint));
        }
        Outcome::Code(self.status)
    }
}

/// Ends a command: prints what it returns, or why it failed.
pub(super) fn finish(args: &RunningArgs, result: Result<Outcome, Failure>) -> Outcome {
    result.unwrap_or_else(|failure| failure.show(args.json))
}

/// The starts of the app that is meant, as one formation.
pub(super) struct RunningApp {
    directory: RuntimeDirectory,
    /// Oldest first; at least one.
    starts: Vec<StartDescription>,
}

impl RunningApp {
    /// Finds the app that runs here. `before`: the options before the name of the command.
    ///
    /// # Errors
    /// Status 69 if nothing runs here; 2 if it is not clear which of several is meant.
    pub(super) fn find(before: &ProjectArgs, args: &RunningArgs) -> Result<Self, Failure> {
        let directory = match RuntimeDirectory::open_existing() {
            Ok(Some(directory)) => directory,
            Ok(None) => return Err(not_found(&args.which, &[])),
            Err(error) => {
                let hint = "set `XDG_RUNTIME_DIR` to a directory that you own";
                return Err(Failure::new(Status::Unavailable, NOT_RUNNING, error.to_string(), hint));
            }
        };
        let place = whereabouts(before, args)?;
        let living = directory.starts().map_err(|error| {
            let message = format!("cannot find out which apps run: {}", reason(&error));
            Failure::new(Status::Unavailable, NOT_RUNNING, message, "")
        })?;
        let elsewhere = not_found(&args.which, &living.starts);
        match (meant_starts(living.starts, |start| start, &place), living.unreadable.first()) {
            (MeantBy::Starts(starts), _) => Ok(Self { directory, starts }),
            (MeantBy::None, None) => Err(elsewhere),
            (MeantBy::None, Some(path)) => {
                let message = format!("`{}` describes a running app, but cannot be read", path.display());
                Err(Failure::new(Status::Internal, "unreadable", message, "use the same version of `dyno` for both"))
            }
            (MeantBy::OneOf(starts), _) => {
                let options: Vec<String> = starts.iter().map(|start| format!("--run {}", start.pid)).collect();
                let message = "several starts of this app match";
                let hint = format!("add one of {}", some_of(&options));
                Err(Failure::new(Status::Usage, "ambiguous", message, hint))
            }
        }
    }

    /// Where the starts are registered.
    pub(super) fn directory(&self) -> &RuntimeDirectory {
        &self.directory
    }

    /// The same app, for another thread.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { directory: self.directory.try_clone()?, starts: self.starts.clone() })
    }

    /// All starts.
    pub(super) fn starts(&self) -> &[StartDescription] {
        &self.starts
    }

    /// The start that answers for what none runs: the oldest.
    pub(super) fn oldest(&self) -> Result<&StartDescription, Failure> {
        self.starts.first().ok_or_else(Failure::not_running)
    }

    /// The dynos of all starts.
    pub(super) fn dynos(&self) -> Result<Vec<DynoResource>, Failure> {
        Ok(self.dynos_of_starts()?.into_iter().flat_map(|(_, dynos)| dynos).collect())
    }

    /// The dynos of each start.
    pub(super) fn dynos_of_starts(&self) -> Result<Vec<(&StartDescription, Vec<DynoResource>)>, Failure> {
        self.see("dynos")
    }

    /// The formation of all starts, as by [`Look::formation`].
    pub(super) fn formation(&self) -> Result<Vec<FormationResource>, Failure> {
        let of_starts: Vec<(_, Vec<FormationResource>)> = self.see("formation")?;
        Ok(summed(of_starts.into_iter().flat_map(|(_, formation)| formation)))
    }

    /// What each start runs. One that ends meanwhile is left out.
    ///
    /// # Errors
    /// Status 69 if none is left.
    pub(super) fn look(&self) -> Result<Look<'_>, Failure> {
        let look = |start| {
            let (dynos, formation) = (self.ask(start, "GET", "dynos", &[])?, self.ask(start, "GET", "formation", &[])?);
            Ok((start, SeenStart { dynos, formation }))
        };
        let (starts, seen) = of_each(self.starts.iter(), look)?.into_iter().unzip();
        Ok(Look { starts, seen })
    }

    /// Sends the same query to every start. A start that ends meanwhile is left out.
    fn see<T: DeserializeOwned>(&self, what: &str) -> Result<Vec<(&StartDescription, T)>, Failure> {
        of_each(self.starts.iter(), |start| Ok((start, self.ask(start, "GET", what, &[])?)))
    }

    /// Sends a request to a start. `path`: relative to the path of the app.
    pub(super) fn ask<T: DeserializeOwned>(
        &self,
        start: &StartDescription,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<T, Failure> {
        let path = format!("/apps/{}/{path}", start.app);
        self.send(start, &ClientRequest { method, path: &path, body, patience: ANSWERS_WITHIN })
    }

    /// Asks every start for its log. A start that does not know a name is left out, unless none knows it.
    pub(super) fn log_sessions(
        &self,
        request: &LogSessionRequest,
    ) -> Result<Vec<(&StartDescription, LogSessionResource)>, Failure> {
        let body = serde_json::to_vec(request).unwrap_or_default();
        let mut sessions = Vec::with_capacity(self.starts.len());
        let mut last = None;
        for start in &self.starts {
            match self.ask(start, "POST", "log-sessions", &body) {
                Ok(session) => sessions.push((start, session)),
                Err(failure) if [NOT_RUNNING, "not_found"].contains(&failure.error.id.as_str()) => {
                    last = Some(failure);
                }
                Err(failure) => return Err(failure),
            }
        }
        match last {
            Some(failure) if sessions.is_empty() => Err(failure),
            Some(_) | None => Ok(sessions),
        }
    }

    /// Reads the log of a session.
    pub(super) fn open_log(&self, start: &StartDescription, path: &str) -> Result<LogReader, Failure> {
        self.directory.open_log(start, path).map_err(|why| Failure::no_answer(&why, start))
    }

    /// Sends a request that one start answers later, and that is not about one app.
    pub(super) fn wait(&self, start: &StartDescription, wait: &WaitRequest) -> Result<WaitAnswer, Failure> {
        let body = serde_json::to_vec(wait).unwrap_or_default();
        let patience = Duration::from_secs(wait.timeout) + ANSWERS_WITHIN;
        self.send(start, &ClientRequest { method: "POST", path: "/dyno/wait", body: &body, patience })
    }

    /// Everything that a start knows about a dyno, about those of a process type, or about all of them.
    pub(super) fn why(&self, start: &StartDescription, name: Option<&str>) -> Result<Vec<WhyResource>, Failure> {
        let path = name.map_or_else(|| "/dyno/why".to_owned(), |name| format!("/dyno/why/{}", in_path(name)));
        self.send(start, &ClientRequest { method: "GET", path: &path, body: &[], patience: ANSWERS_WITHIN })
    }

    fn send<T: DeserializeOwned>(&self, start: &StartDescription, request: &ClientRequest<'_>) -> Result<T, Failure> {
        let answer = self.directory.ask(start, request).map_err(|why| Failure::no_answer(&why, start))?;
        if (200..300).contains(&answer.status) {
            return serde_json::from_slice(&answer.body).map_err(|_| unreadable(start));
        }
        let error: ErrorResource = serde_json::from_slice(&answer.body).map_err(|_| unreadable(start))?;
        // As for the command line of `start`: a wrong name or number is a usage error.
        let status = match answer.status {
            BUSY | TOO_SLOW | 500.. => Status::Unavailable,
            _ => Status::Usage,
        };
        Err(Failure { status: status.code(), error })
    }
}

/// Does something with each start. One that ends meanwhile is left out.
///
/// # Errors
/// The first error; if none is left, that it has ended.
pub(super) fn of_each<I, T>(
    items: impl Iterator<Item = I>,
    ask: impl Fn(I) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    change_each(items, ask, |_| String::new())
}

/// Changes something in each start, likewise. `done`: what was changed before one has refused; the error says it.
pub(super) fn change_each<I, T>(
    items: impl Iterator<Item = I>,
    ask: impl Fn(I) -> Result<T, Failure>,
    done: impl Fn(Vec<T>) -> String,
) -> Result<Vec<T>, Failure> {
    let mut answers = Vec::new();
    let mut last = None;
    for item in items {
        match ask(item) {
            Ok(answer) => answers.push(answer),
            Err(failure) if failure.is_over() => last = Some(failure),
            Err(failure) => {
                let done = done(answers);
                return Err(if done.is_empty() { failure } else { failure.after(&done) });
            }
        }
    }
    match last {
        Some(failure) if answers.is_empty() => Err(failure),
        Some(_) | None => Ok(answers),
    }
}

fn unreadable(start: &StartDescription) -> Failure {
    let message = format!("`dyno` (pid {}) gave an answer that this version cannot read", start.pid);
    Failure::new(Status::Internal, "unreadable", message, "use the same version of `dyno` for both")
}

/// Where the command was typed, and what its options name.
pub(super) fn whereabouts(before: &ProjectArgs, args: &RunningArgs) -> Result<Whereabouts, Failure> {
    let project = args.project().over(before);
    let current = env::current_dir().map_err(|error| {
        let message = format!("the current directory cannot be used: {}", reason(&error));
        Failure::new(Status::Config, "no_directory", message, "change to a directory that exists")
    })?;
    let text = |path: &Path| StartDescription::path_text(&real(&current.join(path)));
    Ok(Whereabouts {
        session: env::var("DYNO_SESSION").ok(),
        directories: searched(&current).iter().map(|path| text(path)).collect(),
        root: project.root.as_deref().map(text),
        procfile: project.procfile.as_deref().map(text),
        app: args.which.app.clone(),
        name: args.which.name.clone(),
        pid: args.which.pid,
    })
}

/// The current directory and its parents, up to the first that is the top of a project.
fn searched(current: &Path) -> Vec<PathBuf> {
    let is_top = |path: &&Path| [".git", "Procfile"].iter().any(|name| path.join(name).exists());
    let below_top = current.ancestors().take_while(|path| !is_top(path));
    let top = current.ancestors().find(is_top);
    below_top.chain(top).map(Path::to_owned).collect()
}

/// The name as one part of a path.
pub(super) fn in_path(name: &str) -> String {
    let escaped = |byte: u8| {
        let is_plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if is_plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    name.bytes().map(escaped).collect()
}

/// The path without symbolic links, as far as it exists.
pub(super) fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
