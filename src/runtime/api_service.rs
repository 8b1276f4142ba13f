//! Answers one API request: reads its body and asks the run loop (S10.3).

use std::borrow::Cow;
use std::convert::Infallible;
use std::hash::BuildHasher;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, RANGE, UPGRADE};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use tokio::sync::oneshot;

use super::api_server::{ApiServer, Connection, MAX_WAITING};
use super::attach::terminal_requests::TERMINAL_PROTOCOL;
use super::calls::{self, ApiCall};
use super::client_stream::ConnectionProgress;
use super::hand_over::{HAND_OVER_PROTOCOL, hand_over};
use super::listening::ListeningSockets;
use super::log_body::ApiBody;
use super::start_registry::NotRegistered;
use super::usage::usage_of;
use crate::api::{
    ApiAnswer, ApiError, ApiRequest, AppFacts, Asked, Change, ClientHead, HAND_OVER_PATH, ReplayKey, WaitRequest,
    may_have_ids,
};
use crate::model::Usages;
use crate::supervisor::{Command, DynoRole, Quantity, Refusal, Reply, Row, Snapshot};

/// The most bytes of a body.
const MAX_BODY: usize = 1 << 20;
/// How many of its last lines explain a dyno.
pub(super) const SHOWN_LINES: usize = 10;

impl ApiServer {
    /// Answers a request. Errors are answers, too.
    pub(super) async fn respond(
        self: Rc<Self>,
        request: Request<Incoming>,
        connection: &Connection,
    ) -> Result<Response<ApiBody>, Infallible> {
        let (head, body) = request.into_parts();
        let body = match self.check(&head, connection) {
            Ok(()) => read(body).await,
            Err(error) => Err(error),
        };
        connection.progress.set(ConnectionProgress::Answering);
        // What a client sends after such a request is not thrown away.
        if !changes_protocol(&head) {
            connection.arrived.notify_one();
        }
        let answer = match body {
            Ok(body) => self.answer(&head, &body, connection).await,
            Err(error) => Err(error),
        };
        if connection.progress.get() != ConnectionProgress::Streaming {
            connection.progress.set(ConnectionProgress::Answering);
        }
        Ok(answer.unwrap_or_else(|error| response(error.answer())))
    }

    /// Checks that the client may send the request (S17.3).
    fn check(&self, head: &Parts, connection: &Connection) -> Result<(), ApiError> {
        if !connection.socket.needs_key() {
            return Ok(());
        }
        let access = self.app.tcp.as_ref().ok_or_else(|| ApiError::forbidden("there is no key"))?;
        let has = |name: &str| head.headers.contains_key(name);
        access.check(&ClientHead {
            method: head.method.as_str(),
            target: &head.uri.to_string(),
            hosts: head.headers.get_all(HOST).iter().map(HeaderValue::as_bytes).collect(),
            has_body: has("transfer-encoding")
                || text(&head.headers, "content-length").is_some_and(|length| length != "0"),
            is_from_page: has("origin") || has("sec-fetch-site"),
            authorization: head.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes),
        })
    }

    async fn answer(
        self: Rc<Self>,
        head: &Parts,
        body: &[u8],
        connection: &Connection,
    ) -> Result<Response<ApiBody>, ApiError> {
        let method = head.method.as_str();
        let named = self.named_path(head.uri.path()).await?;
        let path = named.as_ref();
        let range = text(&head.headers, RANGE.as_str());
        let request = ApiRequest { method, path, range, body, one_off_number: self.one_off_number() };
        let answer = match request.asks(&self.app)? {
            Asked::See(resource) => {
                let snapshot = self.ask(ApiCall::Snapshot).await?;
                let usages = if resource.shows_usage() { usages(&snapshot).await } else { Usages::new() };
                let app =
                    if resource.shows_url() { Cow::Owned(self.app_now().await) } else { Cow::Borrowed(&self.app) };
                app.answer(&resource, &snapshot, &usages)
            }
            Asked::Do(change) => {
                let server = Rc::clone(&self);
                let carried_out = async move { server.change(&change).await.unwrap_or_else(|error| error.answer()) };
                self.changes.once(replay_key(head), carried_out).await?
            }
            Asked::RunAttached { number, attached } => {
                let server = Rc::clone(&self);
                let carried_out =
                    async move { server.run_attached(number, attached).await.unwrap_or_else(|error| error.answer()) };
                self.changes.once(replay_key(head), carried_out).await?
            }
            Asked::Rollback(release) => {
                let server = Rc::clone(&self);
                let carried_out = async move { server.rollback(&release).await.unwrap_or_else(|error| error.answer()) };
                self.changes.once(replay_key(head), carried_out).await?
            }
            Asked::AwaitRelease(release) => self.await_release(&release, connection).await?,
            Asked::Why(name) => {
                let mut dynos = self.app.why(name.as_deref(), &self.ask(ApiCall::Snapshot).await?);
                for why in &mut dynos {
                    why.lines = self.archive.last_lines(&why.dyno.name, SHOWN_LINES);
                    why.reloaded.clone_from(&self.reloaded.borrow());
                }
                ApiAnswer::ok(&dynos)
            }
            Asked::Reload => self.reload(connection).await?,
            Asked::ChangeConfig(changes) => self.change_config(changes, connection).await?,
            Asked::Wait(wait) => self.wait(&wait, connection).await?,
            Asked::OpenLog(session) => {
                let snapshot = self.ask(ApiCall::SnapshotOfLog).await?;
                self.open_log(session, &head.headers, &snapshot)?
            }
            Asked::SeeScreen(dyno) => self.see_screen(&dyno, connection).await?,
            Asked::Attach(dyno, request) => return self.attach(dyno, request, &head.headers, connection).await,
            Asked::HandOver => return hand_over(&head.headers, connection),
            Asked::ReadLog(token) => return self.read_log(&token, &head.headers, connection),
        };
        Ok(response(answer))
    }

    /// The path with names in place of the ids of dynos and process types.
    async fn named_path<'a>(&self, path: &'a str) -> Result<Cow<'a, str>, ApiError> {
        if !may_have_ids(path) {
            return Ok(path.into());
        }
        let snapshot = self.ask(ApiCall::Snapshot).await?;
        Ok(self.app.named_path(path, &snapshot).into())
    }

    /// The facts about the app, with the address at which it answers now (S6.11).
    async fn app_now(&self) -> AppFacts {
        let mut app = self.app.clone();
        if let Some(url) = app.url.clone() {
            // In another thread, because some systems take milliseconds to list their sockets.
            let answering = tokio::task::spawn_blocking(|| ListeningSockets::default().answering_url(url));
            app.url = answering.await.ok().or(app.url);
        }
        app
    }

    async fn change(self: &Rc<Self>, change: &Change) -> Result<ApiAnswer, ApiError> {
        let result = match &change.command {
            Command::Scale(_) => self.scale(change).await?,
            Command::Restart(..)
            | Command::Refresh { .. }
            | Command::Stop(..)
            | Command::Run(_)
            | Command::RunOneOff { .. }
            | Command::Deploy(_)
            | Command::Rollback { .. }
            | Command::Shutdown { .. } => self.carry_out(change).await?,
        };
        let snapshot = match &result {
            Ok(Reply::Scaled(_) | Reply::Started(_) | Reply::Deploying { .. } | Reply::Unchanged) => {
                Some(self.ask(ApiCall::Snapshot).await?)
            }
            // After a stop the run loop may be gone.
            Ok(Reply::Restarting(_) | Reply::Stopping(_)) | Err(_) => None,
        };
        Ok(self.app.answer_change(change, &result, snapshot.as_ref()))
    }

    async fn carry_out(&self, change: &Change) -> Result<Result<Reply, Refusal>, ApiError> {
        self.ask(|answer| ApiCall::Command(change.command.clone(), answer)).await
    }

    /// Scales, with locks on the process types that it starts. One at a time, so that a change that is refused gives up its
    /// own locks and not those of another one.
    async fn scale(self: &Rc<Self>, change: &Change) -> Result<Result<Reply, Refusal>, ApiError> {
        let _turn = self.scaling.lock().await;
        let formation = self.ask(ApiCall::Snapshot).await?.formation;
        let is_known = |name: &String| formation.iter().any(|entry| entry.process_type.as_str() == name);
        let held = self.registered.types();
        let started = change.types_to_start().into_iter().filter(|name| is_known(name) && !held.contains(name));
        let added: Vec<String> = started.collect();
        if !added.is_empty() {
            self.claim([held, added].concat()).await?;
        }
        let result = self.carry_out(change).await;
        self.release_unused();
        result
    }

    /// A random number for a one-off dyno (S9.1).
    fn one_off_number(&self) -> u32 {
        let random = self.random.hash_one(self.began.elapsed());
        1_000 + u32::try_from(random % 9_000).unwrap_or_default()
    }

    /// Locks the process types that will run, so that no other start runs them, too (S10.1).
    pub(super) async fn claim(&self, types: Vec<String>) -> Result<(), ApiError> {
        self.registered.set_types(types).await.map_err(not_claimed)
    }

    /// Gives up the lock on each process type of which nothing runs any more, in a task that ends with the last one. It
    /// takes the place of an earlier task, which waits for fewer types.
    pub(super) fn release_unused(self: &Rc<Self>) {
        let server = Rc::clone(self);
        let task = tokio::task::spawn_local(async move {
            // An error: everything is being stopped.
            let _ = server.release_while_dynos_leave().await;
        });
        if let Some(earlier) = self.releasing.replace(Some(task.abort_handle())) {
            earlier.abort();
        }
    }

    async fn release_while_dynos_leave(&self) -> Result<(), ApiError> {
        loop {
            let is_changing;
            {
                let _turn = self.scaling.lock().await;
                let snapshot = self.ask(ApiCall::Snapshot).await?;
                // As long as a release is pending, the types that it removes are still in use.
                is_changing = !snapshot.coming.is_empty();
                let held = self.registered.types();
                let used: Vec<String> = held.iter().filter(|name| is_used(name, &snapshot)).cloned().collect();
                // If this fails, the next round tries again.
                let is_released = used == held || self.registered.set_types(used).await.is_ok();
                let is_settled = is_released && !is_changing;
                if is_settled && self.registered.types().iter().all(|name| has_dynos(name, &snapshot.formation)) {
                    return Ok(());
                }
            }
            let held = self.registered.types();
            let is_decided = Box::new(move |snapshot: &Snapshot| {
                let has_changed = is_changing && snapshot.coming.is_empty();
                has_changed || !held.iter().all(|name| is_used(name, snapshot))
            });
            self.ask(|answer| ApiCall::Wait { is_decided, depends_on: Box::new(|_| false), answer }).await?;
        }
    }

    async fn wait(&self, wait: &WaitRequest, connection: &Connection) -> Result<ApiAnswer, ApiError> {
        let condition = wait.condition()?;
        if self.count_waiting() >= MAX_WAITING {
            return Err(ApiError::unavailable(format!("{MAX_WAITING} clients are waiting already")));
        }
        self.wait_apart(connection);
        let limit = Duration::from_secs(wait.timeout);
        let mut answer = calls::wait(&self.calls, condition, limit).await.ok_or_else(ApiError::ending)?;
        if let Some(dyno) = answer.needs_last_words() {
            // The exit of a dyno is known before its last words are read.
            let _ = self.ask(ApiCall::Settle).await;
            answer.last_words = self.archive.last_words(dyno);
        }
        Ok(ApiAnswer::ok(&answer))
    }

    pub(super) async fn ask<T>(&self, call: impl FnOnce(oneshot::Sender<T>) -> ApiCall) -> Result<T, ApiError> {
        calls::ask(&self.calls, call).await.ok_or_else(ApiError::ending)
    }
}

/// Whether the connection may carry something else after the answer.
fn changes_protocol(head: &Parts) -> bool {
    let (path, wanted) = (head.uri.path(), text(&head.headers, UPGRADE.as_str()));
    wanted == Some(TERMINAL_PROTOCOL) && path.ends_with("/terminal")
        || wanted == Some(HAND_OVER_PROTOCOL) && path == HAND_OVER_PATH
}

/// Identifies a request, in case it is sent again.
fn replay_key(head: &Parts) -> Option<ReplayKey> {
    ReplayKey::new(text(&head.headers, "request-id"), head.method.as_str(), head.uri.path())
}

/// What the dynos use now. Read in another thread: with many processes it takes a while, and the loop must not block.
async fn usages(snapshot: &Snapshot) -> Usages {
    let leaders: Vec<i32> = snapshot.rows.iter().filter_map(|row| row.pid).collect();
    if leaders.is_empty() {
        return Usages::new();
    }
    let main = i32::try_from(std::process::id()).unwrap_or_default();
    tokio::task::spawn_blocking(move || usage_of(main, &leaders)).await.unwrap_or_default()
}

/// Whether dynos of this process type run, or are to run.
fn is_used(name: &str, snapshot: &Snapshot) -> bool {
    let is_there = |row: &Row| row.role == DynoRole::Formation && row.dyno.process_type.as_str() == name;
    let is_coming = snapshot.coming.iter().any(|process_type| process_type.as_str() == name);
    is_coming || has_dynos(name, &snapshot.formation) || snapshot.rows.iter().any(is_there)
}

/// Whether this process type is to have dynos.
fn has_dynos(name: &str, formation: &[Quantity]) -> bool {
    formation.iter().any(|entry| entry.quantity > 0 && entry.process_type.as_str() == name)
}

/// Reads a body to its end.
async fn read(body: Incoming) -> Result<Bytes, ApiError> {
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(ApiError::body_too_large(MAX_BODY));
    }
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::body_too_large(MAX_BODY)),
        Err(_) => Err(ApiError::bad_request("the body of the request cannot be read")),
    }
}

/// The value of a header, if it is text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn response(answer: ApiAnswer) -> Response<ApiBody> {
    let mut response = Response::new(ApiBody::Whole(Full::new(Bytes::from(answer.body))));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The error if process types cannot be locked.
pub(super) fn not_claimed(error: NotRegistered) -> ApiError {
    match error {
        NotRegistered::Running { process_type, by } => {
            ApiError::conflict(format!("`{process_type}` is already running (dyno pid {})", by.pid))
        }
        NotRegistered::Locked(path) => {
            let path = path.display();
            let hint = format!("`fuser '{path}'` shows which process that is");
            ApiError::unavailable(format!("another process holds the lock on `{path}`")).with_hint(hint)
        }
        NotRegistered::Unreadable(path) => {
            let message = format!("`{}` describes a running app, but cannot be read", path.display());
            ApiError::unavailable(message).with_hint("use the version of `dyno` that started the app")
        }
        NotRegistered::Refused(error) => {
            ApiError::unavailable(format!("the new process types cannot be registered: {error}"))
        }
    }
}
