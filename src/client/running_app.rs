//! Sends requests to the starts of the app that a command is about.
//!
//! `api::meant_starts` decides which starts are meant. Not here: what the commands request, and how they print the answer.

use std::io;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::failure::{Failure, UNAVAILABLE};
use super::owners::{SeenApp, summed};
use super::whereabouts::whereabouts;
use super::which_app::not_found;
use crate::api::{
    DynoResource, ErrorResource, FormationResource, LogSessionRequest, LogSessionResource, MeantBy, SeenStart,
    StartDescription, WaitAnswer, WaitRequest, WhyResource, meant_starts,
};
use crate::app::some_of;
use crate::cli::{ProjectArgs, RunningArgs};
use crate::error::Status;
use crate::project::reason;
use crate::runtime::{ANSWERS_WITHIN, ClientRequest, LogReader, RuntimeDirectory};

/// The starts of the app that is meant, as one formation.
pub(crate) struct RunningApp {
    directory: RuntimeDirectory,
    /// Oldest first; at least one.
    starts: Vec<StartDescription>,
}

impl RunningApp {
    /// Finds the app that runs here. `before`: the options before the name of the command.
    ///
    /// # Errors
    /// Status 69 if nothing runs here; 2 if it is not clear which of several is meant.
    pub(crate) fn find(before: &ProjectArgs, args: &RunningArgs) -> Result<Self, Failure> {
        let directory = match RuntimeDirectory::open_existing() {
            Ok(Some(directory)) => directory,
            Ok(None) => return Err(not_found(&args.which, &[])),
            Err(error) => {
                let hint = "set `XDG_RUNTIME_DIR` to a directory that you own";
                return Err(Failure::new(Status::Unavailable, UNAVAILABLE, error.to_string(), hint));
            }
        };
        let place = whereabouts(before, args)?;
        let living = directory.starts().map_err(|error| {
            let message = format!("cannot find out which apps run: {}", reason(&error));
            Failure::new(Status::Unavailable, UNAVAILABLE, message, "")
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
                let message = match &place.app {
                    Some(app) => format!("`{app}` is the name of several apps that run"),
                    None => "several starts of this app match".to_owned(),
                };
                let hint = format!("add one of {}", some_of(&options));
                Err(Failure::new(Status::Usage, "ambiguous", message, hint))
            }
        }
    }

    /// Where the starts are registered.
    pub(crate) fn directory(&self) -> &RuntimeDirectory {
        &self.directory
    }

    /// The same app, for another thread.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { directory: self.directory.try_clone()?, starts: self.starts.clone() })
    }

    /// All starts.
    pub(crate) fn starts(&self) -> &[StartDescription] {
        &self.starts
    }

    /// The oldest start. It answers for process types that none of them runs.
    pub(crate) fn oldest(&self) -> Result<&StartDescription, Failure> {
        self.starts.first().ok_or_else(Failure::not_running)
    }

    /// The dynos of all starts.
    pub(crate) fn dynos(&self) -> Result<Vec<DynoResource>, Failure> {
        Ok(self.dynos_of_starts()?.into_iter().flat_map(|(_, dynos)| dynos).collect())
    }

    /// The dynos of each start.
    pub(crate) fn dynos_of_starts(&self) -> Result<Vec<(&StartDescription, Vec<DynoResource>)>, Failure> {
        self.see("dynos")
    }

    /// The formation of all starts, as by [`SeenApp::formation`].
    pub(crate) fn formation(&self) -> Result<Vec<FormationResource>, Failure> {
        let of_starts: Vec<(_, Vec<FormationResource>)> = self.see("formation")?;
        Ok(summed(of_starts.into_iter().flat_map(|(_, formation)| formation)))
    }

    /// What each start runs. One that ends meanwhile is left out.
    ///
    /// # Errors
    /// Status 69 if none is left.
    pub(crate) fn look(&self) -> Result<SeenApp<'_>, Failure> {
        let look = |start| {
            let (dynos, formation) = (self.ask(start, "GET", "dynos", &[])?, self.ask(start, "GET", "formation", &[])?);
            Ok((start, SeenStart { dynos, formation }))
        };
        let (starts, seen) = of_each(self.starts.iter(), look)?.into_iter().unzip();
        Ok(SeenApp { starts, seen })
    }

    /// Sends the same query to every start. A start that ends meanwhile is left out.
    fn see<T: DeserializeOwned>(&self, what: &str) -> Result<Vec<(&StartDescription, T)>, Failure> {
        of_each(self.starts.iter(), |start| Ok((start, self.ask(start, "GET", what, &[])?)))
    }

    /// Sends a request to a start. `path`: relative to the path of the app.
    pub(crate) fn ask<T: DeserializeOwned>(
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
    pub(crate) fn log_sessions(
        &self,
        request: &LogSessionRequest,
    ) -> Result<Vec<(&StartDescription, LogSessionResource)>, Failure> {
        let body = serde_json::to_vec(request).unwrap_or_default();
        let mut sessions = Vec::with_capacity(self.starts.len());
        let mut last = None;
        for start in &self.starts {
            match self.ask(start, "POST", "log-sessions", &body) {
                Ok(session) => sessions.push((start, session)),
                Err(failure) if failure.is_unknown() => last = Some(failure),
                Err(failure) => return Err(failure),
            }
        }
        match last {
            Some(failure) if sessions.is_empty() => Err(failure),
            Some(_) | None => Ok(sessions),
        }
    }

    /// Reads the log of a session.
    pub(crate) fn open_log(&self, start: &StartDescription, path: &str) -> Result<LogReader, Failure> {
        self.directory.open_log(start, path).map_err(|why| Failure::no_answer(&why, start))
    }

    /// Sends a request that one start answers later, and that is not about one app.
    pub(crate) fn wait(&self, start: &StartDescription, wait: &WaitRequest) -> Result<WaitAnswer, Failure> {
        let body = serde_json::to_vec(wait).unwrap_or_default();
        let patience = Duration::from_secs(wait.timeout) + ANSWERS_WITHIN;
        self.send(start, &ClientRequest { method: "POST", path: "/dyno/wait", body: &body, patience })
    }

    /// Everything that a start knows about a dyno, about those of a process type, or about all of them.
    pub(crate) fn why(&self, start: &StartDescription, name: Option<&str>) -> Result<Vec<WhyResource>, Failure> {
        let path = name.map_or_else(|| "/dyno/why".to_owned(), |name| format!("/dyno/why/{}", in_path(name)));
        self.send(start, &ClientRequest { method: "GET", path: &path, body: &[], patience: ANSWERS_WITHIN })
    }

    fn send<T: DeserializeOwned>(&self, start: &StartDescription, request: &ClientRequest<'_>) -> Result<T, Failure> {
        let answer = self.directory.ask(start, request).map_err(|why| Failure::no_answer(&why, start))?;
        if (200..300).contains(&answer.status) {
            return serde_json::from_slice(&answer.body).map_err(|_| unreadable(start));
        }
        let error: ErrorResource = serde_json::from_slice(&answer.body).map_err(|_| unreadable(start))?;
        Err(Failure::answered(answer.status, error))
    }
}

/// Does something with each start. One that ends meanwhile is left out.
///
/// # Errors
/// The first error; if none is left, that it has ended.
fn of_each<I, T>(items: impl Iterator<Item = I>, ask: impl Fn(I) -> Result<T, Failure>) -> Result<Vec<T>, Failure> {
    change_each(items, ask, |_| String::new())
}

/// Changes something in each start, likewise. `done`: what was changed before one has refused; the error says it.
pub(crate) fn change_each<I, T>(
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

/// The name as one part of a path.
pub(crate) fn in_path(name: &str) -> String {
    let escaped = |byte: u8| {
        let is_plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if is_plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    name.bytes().map(escaped).collect()
}
