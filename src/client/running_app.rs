//! Sends requests to the starts of the app that a command is about.
//!
//! Not here: which starts are meant (`api::meant_starts`), what the commands request, and how they print the answer.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::failure::{Failure, UNAVAILABLE};
use super::owners::{SeenApp, summed};
use super::whereabouts::{real, whereabouts};
use super::which_app::not_found;
use crate::api::{
    DynoResource, ErrorResource, FormationResource, LastRun, LogSessionRequest, LogSessionResource, MeantBy,
    ReleaseResource, SeenStart, StartDescription, StartKind, TcpAccessResource, WaitAnswer, WaitRequest, WhyResource,
    meant_starts,
};
use crate::app::some_of;
use crate::cli::{ProjectArgs, RunningArgs};
use crate::error::Status;
use crate::project::reason;
use crate::runtime::{ANSWERS_WITHIN, AttachConnection, ClientRequest, LogReader, RuntimeDirectory};

/// How long a release command may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(86_400);

/// The app that a command is about. Its starts are treated as one formation.
pub(crate) struct RunningApp {
    directory: RuntimeDirectory,
    /// At least one start; the oldest is first.
    starts: Vec<StartDescription>,
}

impl RunningApp {
    /// Finds the app that runs here. `before`: the options before the name of the command.
    ///
    /// # Errors
    /// Status 69 if nothing runs here; 2 if it is not clear which of several is meant.
    pub(crate) fn find(before: &ProjectArgs, args: &RunningArgs) -> Result<Self, Failure> {
        let Some(directory) = directory()? else { return Err(not_found(&args.which, &[])) };
        let place = whereabouts(before, args)?;
        let living = directory.starts().map_err(|error| unknown(&error))?;
        let elsewhere = not_found(&args.which, &living.starts);
        match (meant_starts(living.starts, |start| start, &place), living.unreadable.first()) {
            (MeantBy::Starts(starts), _) => Ok(Self { directory, starts }),
            (MeantBy::None, None) => Err(elsewhere),
            (MeantBy::None, Some(path)) => {
                let message = format!("`{}` describes a running app, but cannot be read", path.display());
                let hint = "use the version of `dyno` that started the app";
                Err(Failure::new(Status::Internal, "unreadable", message, hint))
            }
            (MeantBy::OneOf(starts), _) => {
                let options: Vec<String> = starts.iter().map(|start| format!("--run {}", start.pid)).collect();
                let message = match &place.app {
                    Some(app) => format!("several running apps are called `{app}`"),
                    None => "several starts of this app match".to_owned(),
                };
                let hint = format!("add one of {}", some_of(&options));
                Err(Failure::new(Status::Usage, "ambiguous", message, hint))
            }
        }
    }

    /// The starts that read this file of config vars, wherever they run. None: there are none.
    pub(crate) fn reading(file: &Path) -> Result<Option<Self>, Failure> {
        let Some(directory) = directory()? else { return Ok(None) };
        let living = directory.starts().map_err(|error| unknown(&error))?;
        // When they were started, the file may not have existed, and then they know it by another path.
        let names = [real(file), file.to_owned()].map(|path| StartDescription::path_text(&path));
        let reads = |start: &StartDescription| {
            start.kind != StartKind::Smoke && names.iter().any(|name| start.files.contains(name))
        };
        let mut starts: Vec<_> = living.starts.into_iter().filter(reads).collect();
        starts.sort_by_key(|start| start.started_at_ms);
        Ok((!starts.is_empty()).then_some(Self { directory, starts }))
    }

    /// Where the starts are registered.
    pub(crate) fn directory(&self) -> &RuntimeDirectory {
        &self.directory
    }

    /// The same app, for another thread.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { directory: self.directory.try_clone()?, starts: self.starts.clone() })
    }

    /// Waits until all starts have ended, but not longer than this.
    pub(crate) fn until_ended(&self, limit: Duration) {
        let began = Instant::now();
        let ends: Vec<_> = self.starts.iter().filter_map(|start| self.directory.end_of(start).ok()).collect();
        for end in ends {
            let _ = end.recv_timeout(limit.saturating_sub(began.elapsed()));
        }
    }

    /// Whether a start that is gone has ended by itself.
    pub(crate) fn has_ended_well(&self, start: &StartDescription) -> bool {
        let is_it = |run: &LastRun| run.start.session == start.session && !run.killed;
        self.directory.last_runs().iter().any(is_it)
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
        Ok(self.dynos_of(self.starts.iter())?.into_iter().flat_map(|(_, dynos)| dynos).collect())
    }

    /// The dynos of these starts.
    pub(crate) fn dynos_of<'s>(
        &self,
        starts: impl Iterator<Item = &'s StartDescription>,
    ) -> Result<Vec<(&'s StartDescription, Vec<DynoResource>)>, Failure> {
        of_each(starts, |start| Ok((start, self.ask(start, "GET", "dynos", &[])?)))
    }

    /// The releases of a start, newest first.
    pub(crate) fn releases(&self, start: &StartDescription) -> Result<Vec<ReleaseResource>, Failure> {
        let mut releases: Vec<ReleaseResource> = self.ask(start, "GET", "releases", &[])?;
        releases.sort_by_key(|release| std::cmp::Reverse(release.version));
        Ok(releases)
    }

    /// The formation of all starts, like [`SeenApp::formation`].
    pub(crate) fn formation(&self) -> Result<Vec<FormationResource>, Failure> {
        let of_starts: Vec<(_, Vec<FormationResource>)> = self.see("formation")?;
        Ok(summed(of_starts.into_iter().flat_map(|(_, formation)| formation)))
    }

    /// What each start runs, for a command that is about these dynos and process types. A start that ends meanwhile is
    /// left out. A start that does not answer is left out with a warning if it runs none of them.
    ///
    /// # Errors
    /// Status 69 if none is left.
    pub(crate) fn look<'n>(&self, names: impl Iterator<Item = &'n str>) -> Result<SeenApp<'_>, Failure> {
        let look = |start| {
            let (dynos, formation) = (self.ask(start, "GET", "dynos", &[])?, self.ask(start, "GET", "formation", &[])?);
            Ok((start, SeenStart { dynos, formation }))
        };
        let names: Vec<&str> = names.collect();
        let (starts, seen) = self.of_answering(|start| runs_none(start, &names), look)?.into_iter().unzip();
        Ok(SeenApp { starts, seen })
    }

    /// The dynos of each start, for a command that only shows them. Starts are left out as in [`Self::look`]; without
    /// names, every start that does not answer is left out.
    ///
    /// # Errors
    /// The same as for [`Self::look`].
    pub(crate) fn shown_dynos<'n>(
        &self,
        names: impl Iterator<Item = &'n str>,
    ) -> Result<Vec<(&StartDescription, Vec<DynoResource>)>, Failure> {
        let names: Vec<&str> = names.collect();
        self.of_answering(|start| runs_none(start, &names), |start| Ok((start, self.ask(start, "GET", "dynos", &[])?)))
    }

    /// Asks each start. A start that ends meanwhile is left out. A start that does not answer is left out with a
    /// warning if `can_be_left_out` allows it.
    fn of_answering<'a, T>(
        &'a self,
        can_be_left_out: impl Fn(&StartDescription) -> bool,
        ask: impl Fn(&'a StartDescription) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        let answers = of_each(self.starts.iter(), |start| match ask(start) {
            Err(failure) if failure.is_silence() && can_be_left_out(start) => Ok(Err((start, failure))),
            answer => answer.map(Ok),
        })?;
        let (mut found, mut silent) = (Vec::new(), Vec::new());
        for answer in answers {
            match answer {
                Ok(answer) => found.push(answer),
                Err(left_out) => silent.push(left_out),
            }
        }
        match silent.pop() {
            Some((_, failure)) if found.is_empty() => Err(failure),
            last => {
                silent.iter().chain(&last).for_each(|(start, failure)| failure.warn_of(start));
                Ok(found)
            }
        }
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
        self.send(start, &ClientRequest { method, path: &path, body, patience: ANSWERS_WITHIN, notice: |_| () })
    }

    /// The number of the last release of each start.
    pub(crate) fn versions(&self) -> Vec<(&StartDescription, u64)> {
        let releases: Vec<(_, Vec<ReleaseResource>)> = self.see("releases").unwrap_or_default();
        let last = |releases: Vec<ReleaseResource>| releases.iter().map(|release| release.version).max();
        releases.into_iter().map(|(start, releases)| (start, last(releases).unwrap_or_default())).collect()
    }

    /// The same for a request that may be answered much later. `notice` shows what the start says before that.
    pub(crate) fn ask_patiently<T: DeserializeOwned>(
        &self,
        start: &StartDescription,
        method: &str,
        path: &str,
        patience: Duration,
        notice: fn(&str),
    ) -> Result<T, Failure> {
        let path = format!("/apps/{}/{path}", start.app);
        self.send(start, &ClientRequest { method, path: &path, body: &[], patience, notice })
    }

    /// Asks every start for its log. A start that does not know a name is left out, unless none knows it.
    pub(crate) fn log_sessions(
        &self,
        request: &LogSessionRequest,
    ) -> Result<Vec<(&StartDescription, LogSessionResource)>, Failure> {
        let body = serde_json::to_vec(request).unwrap_or_default();
        let mut sessions = Vec::with_capacity(self.starts.len());
        let names: Vec<&str> = request.dynos.iter().chain(&request.dyno).map(String::as_str).collect();
        let mut last = None;
        for start in &self.starts {
            match self.ask(start, "POST", "log-sessions", &body) {
                Err(failure) if failure.is_silence() && !names.is_empty() && runs_none(start, &names) => {
                    failure.warn_of(start);
                    last = Some(failure);
                }
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

    /// Attaches to the terminal of a dyno. `path`: relative to the path of the app.
    pub(crate) fn attach(
        &self,
        start: &StartDescription,
        path: &str,
        body: &[u8],
    ) -> Result<AttachConnection, Failure> {
        let path = format!("/apps/{}/{path}", start.app);
        let answer = self.directory.attach(start, &path, body).map_err(|why| Failure::no_answer(&why, start))?;
        answer.map_err(|refusal| match serde_json::from_slice(&refusal.body) {
            Ok(error) => Failure::answered(refusal.status, error),
            Err(_) => unreadable(start),
        })
    }

    /// Sends a request to wait. The start answers when the wait is over.
    pub(crate) fn wait(&self, start: &StartDescription, wait: &WaitRequest) -> Result<WaitAnswer, Failure> {
        let body = serde_json::to_vec(wait).unwrap_or_default();
        let patience = Duration::from_secs(wait.timeout) + ANSWERS_WITHIN;
        self.send(start, &ClientRequest { method: "POST", path: "/dyno/wait", body: &body, patience, notice: |_| () })
    }

    /// How clients reach the API of a start over TCP.
    pub(crate) fn tcp_access(&self, start: &StartDescription) -> Result<TcpAccessResource, Failure> {
        let request =
            ClientRequest { method: "GET", path: "/dyno/tcp", body: &[], patience: ANSWERS_WITHIN, notice: |_| () };
        self.send(start, &request)
    }

    /// Everything that a start knows about a dyno, about those of a process type, or about all of them.
    pub(crate) fn why(&self, start: &StartDescription, name: Option<&str>) -> Result<Vec<WhyResource>, Failure> {
        let path = name.map_or_else(|| "/dyno/why".to_owned(), |name| format!("/dyno/why/{}", in_path(name)));
        self.send(
            start,
            &ClientRequest { method: "GET", path: &path, body: &[], patience: ANSWERS_WITHIN, notice: |_| () },
        )
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

/// Whether a start runs none of these dynos and process types.
fn runs_none(start: &StartDescription, names: &[&str]) -> bool {
    let mut types = names.iter().map(|name| name.split_once('.').map_or(*name, |(process_type, _)| process_type));
    types.all(|name| !start.types.iter().any(|known| known == name))
}

/// The directory in which starts are registered. None: there has never been a start.
pub(super) fn directory() -> Result<Option<RuntimeDirectory>, Failure> {
    RuntimeDirectory::open_existing().map_err(|error| {
        let hint = "set `XDG_RUNTIME_DIR` to a directory that you own";
        Failure::new(Status::Unavailable, UNAVAILABLE, error.to_string(), hint)
    })
}

/// The error if `dyno` cannot find out what is running.
pub(super) fn unknown(error: &io::Error) -> Failure {
    let message = format!("cannot find out which apps are running: {}", reason(error));
    Failure::new(Status::Unavailable, UNAVAILABLE, message, "")
}

/// Asks each start. One that ends meanwhile is left out.
///
/// # Errors
/// The first error. If all starts have ended meanwhile, the error says that.
pub(crate) fn of_each<I, T>(
    items: impl Iterator<Item = I>,
    ask: impl Fn(I) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    change_each(items, ask, |_| String::new())
}

/// Changes something in each start, until one refuses. `done`: what the error then says about the starts that have
/// already been changed.
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
    Failure::new(Status::Internal, "unreadable", message, "use the version of `dyno` that started the app")
}

/// The name, escaped so that it is one component of a URL path.
pub(crate) fn in_path(name: &str) -> String {
    let escaped = |byte: u8| {
        let is_plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if is_plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    name.bytes().map(escaped).collect()
}
