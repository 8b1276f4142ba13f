//! Log sessions: what a client wants to read of the log, behind an address that only it knows (S10.4).
//!
//! Pure: the caller makes the tokens. Not here: the lines (`logs`), and how they are sent (`runtime::log_body`).

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::formation_update::{object, shortened};
use super::id::stable_id;
use super::request::target;
use crate::supervisor::Target;

/// How many sessions are remembered. The oldest is forgotten first.
const MAX_SESSIONS: usize = 1_000;

/// Lines without a number in the request, as on the platform.
const DEFAULT_LINES: u64 = 100;

/// Most names in a request.
const MAX_NAMES: usize = 1_000;

/// The path below which the log is read. A token follows.
pub(super) const LOG_PATH: [&str; 2] = ["dyno", "log"];

/// What a client wants to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSession {
    /// Only lines of, and about, these. All if it is empty.
    pub targets: Vec<Target>,
    /// Whose lines.
    pub source: LogSource,
    /// The most lines of those that are kept. None: all of them.
    pub lines: Option<u64>,
    /// Only lines that are not older.
    pub since: Option<Timestamp>,
    /// Whether later lines are wanted as well.
    pub tail: bool,
}

/// Whose lines are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogSource {
    /// All lines.
    #[default]
    All,
    /// The lines of the dynos.
    App,
    /// The lines of `dyno` itself. On the platform, this is the source of lines about dynos.
    #[serde(alias = "dyno")]
    Heroku,
}

/// The body of a request for a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSessionRequest {
    /// A dyno or a process type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dyno: Option<String>,
    /// Whose lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<LogSource>,
    /// The most lines of those that are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    /// Whether later lines are wanted as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<bool>,
    /// Ours: dynos and process types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dynos: Vec<String>,
    /// Ours: only lines that are not older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSessionResource {
    /// Its id.
    pub id: String,
    /// Where to read.
    pub logplex_url: String,
    /// When it was made.
    pub created_at: String,
    /// The same time: a session never changes.
    pub updated_at: String,
    /// Ours: how the start shows its log.
    pub look: LogLook,
}

/// How a start shows its log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLook {
    /// The format.
    pub format: LookFormat,
    /// Whether lines have the time of day.
    pub timestamps: bool,
    /// Whether lines have a prefix.
    pub prefix: bool,
    /// The width of the names.
    pub name_width: usize,
    /// All process types, in the order of their colours.
    pub types: Vec<String>,
}

/// The format in which a start shows its log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LookFormat {
    /// Our own format.
    #[default]
    Text,
    /// The format of the platform.
    Heroku,
    /// JSON objects.
    Json,
}

impl LogSession {
    /// Reads the body of a request. An empty one asks for the default.
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let body = if body.is_empty() { b"{}" } else { body };
        let request: LogSessionRequest = object(body, r#"{"dyno":"web.1","lines":100,"tail":true}"#)?;
        let names = request.dyno.iter().chain(&request.dynos).take(MAX_NAMES);
        let since = request.since.as_deref().map(|since| {
            let refused = || ApiError::invalid_params(format!("`{}` is not a time", shortened(since)));
            since.parse().map_err(|_| refused().with_hint("write a time such as `2026-11-23T05:00:00Z`"))
        });
        let since = since.transpose()?;
        Ok(Self {
            targets: names.map(|name| target(name)).collect::<Result<_, _>>()?,
            source: request.source.unwrap_or_default(),
            // All of them, if there is another limit.
            lines: request.lines.or_else(|| since.is_none().then_some(DEFAULT_LINES)),
            since,
            tail: request.tail.unwrap_or_default(),
        })
    }
}

impl LogSessionResource {
    /// The answer to a request that arrived under the name `host`.
    #[must_use]
    pub fn new(token: &str, host: &str, now: Timestamp, look: LogLook) -> Self {
        let [first, second] = LOG_PATH;
        let now = now.to_string();
        Self {
            id: stable_id(&["log-session", token]),
            logplex_url: format!("http://{host}/{first}/{second}/{token}"),
            created_at: now.clone(),
            updated_at: now,
            look,
        }
    }

    /// The path of its address.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        let rest = self.logplex_url.strip_prefix("http://")?;
        rest.find('/').and_then(|at| rest.get(at..))
    }
}

/// The sessions that can be read. A client whose connection was lost reads its session again.
#[derive(Debug, Default)]
pub struct LogSessions(VecDeque<(String, LogSession)>);

impl LogSessions {
    /// Remembers a session.
    pub fn add(&mut self, token: String, session: LogSession) {
        if self.0.len() >= MAX_SESSIONS {
            self.0.pop_front();
        }
        self.0.push_back((token, session));
    }

    /// The session with this token.
    ///
    /// # Errors
    /// 404 if there is no such session.
    pub fn find(&self, token: &str) -> Result<&LogSession, ApiError> {
        let found = self.0.iter().find(|(known, _)| known == token);
        found.map(|(_, session)| session).ok_or_else(|| ApiError::not_found("there is no such log session"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_4_the_requests_of_the_platforms_client_are_understood() {
        let web = || target("web").expect("a name");
        let session = |body: &str| LogSession::parse(body.as_bytes()).expect("a session");
        let default =
            LogSession { targets: Vec::new(), source: LogSource::All, lines: Some(100), since: None, tail: false };

        assert_eq!(session(r#"{"lines":100,"tail":false}"#), default);
        assert_eq!(session(""), default);
        assert_eq!(session(r#"{"lines":100,"tail":true}"#), LogSession { tail: true, ..default.clone() });
        let one = LogSession { targets: vec![target("web.1").expect("a name")], lines: Some(5), ..default.clone() };
        assert_eq!(session(r#"{"dyno":"web.1","lines":5,"tail":false}"#), one);
        let app = LogSession { targets: vec![web()], source: LogSource::App, ..default.clone() };
        assert_eq!(session(r#"{"source":"app","dyno":"web","lines":100,"tail":false}"#), app);
        let since = LogSession { lines: None, since: Some("2026-11-23T05:00:00Z".parse().expect("a time")), ..default };
        assert_eq!(session(r#"{"since":"2026-11-23T05:00:00Z"}"#), since);
    }

    #[test]
    fn s10_4_a_session_that_asks_for_nonsense_is_refused() {
        for (body, status) in [
            (r#"{"dyno":"we b"}"#, 404),
            (r#"{"lines":-1}"#, 400),
            (r#"{"source":"router"}"#, 400),
            (r#"{"since":"yesterday"}"#, 422),
            ("[", 400),
        ] {
            assert_eq!(LogSession::parse(body.as_bytes()).map_err(|error| error.status), Err(status), "{body}");
        }
    }

    #[test]
    fn s10_4_the_oldest_sessions_are_forgotten() {
        let mut sessions = LogSessions::default();
        for number in 0..=MAX_SESSIONS {
            sessions.add(number.to_string(), LogSession::parse(b"").expect("a session"));
        }

        assert!(sessions.find("0").is_err() && sessions.find("1").is_ok());
    }

    #[test]
    fn s10_4_the_address_of_a_session_has_the_name_that_was_asked() {
        let session = LogSessionResource::new("t", "127.0.0.1:5099", Timestamp::UNIX_EPOCH, LogLook::default());

        assert_eq!(session.logplex_url, "http://127.0.0.1:5099/dyno/log/t");
        assert_eq!(session.path(), Some("/dyno/log/t"));
    }
}
