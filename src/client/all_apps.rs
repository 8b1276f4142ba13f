//! All starts of this user, of any app, and the state of each (S10.2).

use std::fmt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use serde::Deserialize;

use super::failure::Failure;
use super::running_app::{directory, unknown};
use crate::api::{StartDescription, StartKind};
use crate::runtime::{ClientRequest, NoAnswer, RuntimeDirectory};

/// How long a start may take to answer. Other commands wait longer, but one suspended start must not hold up the whole
/// list.
pub(super) const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// How many starts are asked at the same time.
const ASKED_AT_ONCE: usize = 32;

/// The state of a start. If an app has several starts, the one that is last in this list is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SeenStartState {
    /// A smoke test runs.
    Smoke,
    /// All dynos were stopped.
    Down,
    /// Something runs, and nothing is wrong.
    Up,
    /// Something is not up yet.
    Starting,
    /// Everything is being stopped.
    Stopping,
    /// A dyno has crashed.
    Crashed,
    /// It did not answer in time.
    #[serde(skip)]
    Silent,
    /// It was killed. Its files have just been removed.
    #[serde(skip)]
    Killed,
}

impl fmt::Display for SeenStartState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Smoke => "smoke",
            Self::Down => "down",
            Self::Up => "up",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Crashed => "crashed",
            Self::Silent => "no answer",
            Self::Killed => "killed",
        })
    }
}

/// All starts of this user.
pub(crate) struct AllApps {
    /// In no particular order.
    pub(crate) starts: Vec<(StartDescription, SeenStartState)>,
    /// Descriptions that cannot be read although their starts are running.
    pub(crate) unreadable: Vec<PathBuf>,
}

/// The answer of a start.
#[derive(Deserialize)]
struct StateOfApp {
    state: SeenStartState,
}

impl AllApps {
    /// Finds all starts. A start that was killed is found only once.
    ///
    /// # Errors
    /// Status 69: `dyno` cannot find out what is running.
    pub(crate) fn find() -> Result<Self, Failure> {
        let Some(directory) = directory()? else { return Ok(Self { starts: Vec::new(), unreadable: Vec::new() }) };
        let killed = directory.take_killed().map_err(|error| unknown(&error))?;
        let living = directory.starts().map_err(|error| unknown(&error))?;
        let mut starts: Vec<_> = killed.into_iter().map(|start| (start, SeenStartState::Killed)).collect();
        starts.extend(ask_each(&living.starts, &SeenStartState::Silent, |start| state(&directory, start)));
        Ok(Self { starts, unreadable: living.unreadable })
    }
}

/// Asks all starts, each in its own thread, some at a time. One that has ended meanwhile is left out. `silent`: the answer of
/// one whose thread has failed.
pub(super) fn ask_each<T: Clone + Send>(
    starts: &[StartDescription],
    silent: &T,
    ask: impl Fn(&StartDescription) -> Option<T> + Sync,
) -> Vec<(StartDescription, T)> {
    let ask = &ask;
    let ask_some = |starts: &[StartDescription]| {
        thread::scope(|scope| {
            let begin = |start| thread::Builder::new().spawn_scoped(scope, move || ask(start));
            let asked: Vec<_> = starts.iter().map(|start| (start, begin(start))).collect();
            let answers = asked.into_iter().map(|(start, thread)| {
                let answer = match thread {
                    Ok(thread) => thread.join().unwrap_or(Some(silent.clone())),
                    // The system has no room for a thread.
                    Err(_) => ask(start),
                };
                Some((start.clone(), answer?))
            });
            answers.flatten().collect::<Vec<_>>()
        })
    };
    starts.chunks(ASKED_AT_ONCE).flat_map(ask_some).collect()
}

fn state(directory: &RuntimeDirectory, start: &StartDescription) -> Option<SeenStartState> {
    if start.kind == StartKind::Smoke {
        return Some(SeenStartState::Smoke);
    }
    let request =
        ClientRequest { method: "GET", path: "/dyno/state", body: &[], patience: ANSWERS_WITHIN, notice: |_| () };
    match directory.ask(start, &request) {
        Ok(answer) => {
            let known = serde_json::from_slice(&answer.body).map(|StateOfApp { state }| state);
            Some(known.unwrap_or(SeenStartState::Silent))
        }
        Err(NoAnswer::Ended) => None,
        Err(NoAnswer::Late | NoAnswer::Refused(_)) => Some(SeenStartState::Silent),
    }
}
