//! Answers the requests of clients that want to read the log (S10.4).

use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};

use super::api_server::{ApiServer, Connection, MAX_WAITING};
use super::api_service::text;
use super::identity;
use super::log_body::{ApiBody, LogBody};
use crate::api::{ApiAnswer, ApiError, LogSession, LogSessionResource, LogSource};
use crate::logs::{LogEncoding, LogFilter, LogQuery, Source, Speaker};
use crate::model::{DynoName, ProcessType};
use crate::supervisor::{Refusal, Snapshot, Target};

/// The type of a log as JSON objects.
const JSON_LINES: &str = "application/x-ndjson";

/// The type of a log as server-sent events.
const EVENTS: &str = "text/event-stream";

/// Names that lines can have from time to time although the Procfile's formation does not have them.
const OTHER_NAMES: [&str; 3] = ["run", "release", Source::ROUTER];

impl ApiServer {
    /// Makes a session.
    pub(super) fn open_log(
        &self,
        session: LogSession,
        headers: &HeaderMap,
        snapshot: &Snapshot,
    ) -> Result<ApiAnswer, ApiError> {
        for target in &session.targets {
            self.check_is_known(target, snapshot)?;
        }
        let host = text(headers, HOST.as_str()).unwrap_or("localhost");
        // Its address is read without any other secret.
        let token =
            identity::random_hex().map_err(|_| ApiError::unavailable("cannot get random bytes for the log session"))?;
        let look = self.app.look.clone();
        let answer = LogSessionResource::new(&token, host, jiff::Timestamp::now(), look);
        self.log_sessions.borrow_mut().add(token, session);
        Ok(ApiAnswer::created(&answer))
    }

    /// Begins to send the log of a session.
    pub(super) fn read_log(
        &self,
        token: &str,
        headers: &HeaderMap,
        connection: &Connection,
    ) -> Result<Response<ApiBody>, ApiError> {
        let session = self.log_sessions.borrow().find(token)?.clone();
        if self.count_waiting() >= MAX_WAITING {
            return Err(ApiError::unavailable(format!("{MAX_WAITING} clients are waiting already")));
        }
        self.stream_apart(connection);
        let encoding = match text(headers, ACCEPT.as_str()) {
            Some(accepted) if accepted.contains(JSON_LINES) => LogEncoding::JsonLines,
            Some(accepted) if accepted.contains(EVENTS) => LogEncoding::EventStream,
            Some(_) | None => LogEncoding::Text,
        };
        let tail = session.tail;
        let query = LogQuery {
            filter: filter(&session),
            lines: session.lines,
            since: session.since,
            after: text(headers, "last-event-id").and_then(|id| id.parse().ok()),
            tail,
        };
        let body = LogBody::new(self.archive.read(query), encoding, tail);
        let mut response = Response::new(ApiBody::Log(Box::new(body)));
        *response.status_mut() = StatusCode::OK;
        let content_type = match encoding {
            LogEncoding::JsonLines => JSON_LINES,
            LogEncoding::EventStream => EVENTS,
            LogEncoding::Text => "text/plain; charset=utf-8",
        };
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Ok(response)
    }

    /// A name is known if it is in the Procfile or has a dyno, or had one whose lines are still kept.
    fn check_is_known(&self, target: &Target, snapshot: &Snapshot) -> Result<(), ApiError> {
        let types = || snapshot.formation.iter().map(|entry| &entry.process_type);
        let dynos = || snapshot.rows.iter().map(|row| &row.dyno);
        let refusal = match target {
            Target::All => return Ok(()),
            Target::Type(name) => {
                let is_type = types().any(|known| known == name) || OTHER_NAMES.contains(&name.as_str());
                if is_type || dynos().any(|dyno| dyno.process_type == *name) || self.archive.has_any(&of_type(name)) {
                    return Ok(());
                }
                Refusal::UnknownType { name: name.clone(), known: types().cloned().collect() }
            }
            Target::Dyno(name) => {
                if dynos().any(|dyno| dyno == name) || self.archive.has_any(&of_dyno(name)) {
                    return Ok(());
                }
                Refusal::UnknownDyno { name: name.clone(), known: dynos().cloned().collect() }
            }
        };
        Err(ApiError::of_refusal(&refusal, false))
    }
}

fn of_type(name: &ProcessType) -> LogFilter {
    LogFilter { process_types: vec![name.clone()], ..LogFilter::default() }
}

fn of_dyno(name: &DynoName) -> LogFilter {
    LogFilter { dynos: vec![name.clone()], ..LogFilter::default() }
}

/// Which lines a session wants.
fn filter(session: &LogSession) -> LogFilter {
    let speaker = match session.source {
        LogSource::All => None,
        LogSource::App => Some(Speaker::App),
        LogSource::Heroku => Some(Speaker::Dyno),
    };
    let mut filter = LogFilter { speaker, ..LogFilter::default() };
    for target in &session.targets {
        match target {
            Target::All => {}
            Target::Type(name) => filter.process_types.push(name.clone()),
            Target::Dyno(name) => filter.dynos.push(name.clone()),
        }
    }
    filter
}
