//! How one request gets its answer: from which dyno, how often it is tried, and what the client gets if none answers.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use hyper::body::{Body, Incoming};
use hyper::ext::ReasonPhrase;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Router;
use super::answer_body::{AnswerBody, DynoAnswer};
use super::client::ClientConnection;
use super::drains::Busy;
use super::exchange::{OpenExchange, copied};
use super::pool::{DynoConnection, DynoLease};
use super::request_body::RequestBody;
use super::trials::Trial;
use super::tunnel::PendingTunnel;
use crate::model::RunId;
use crate::routing::{
    AnswerFault, Backend, BackendState, Choice, ChoiceInput, HCode, Prepared, Rejection, RequestStage, RouteTarget,
    RouterEntry, handed_over_route, is_idempotent, route, wants_json,
};

/// How long to wait for the news that a dyno has exited.
const NEWS_WITHIN: Duration = Duration::from_millis(250);
/// The same if a connection was lost that had been kept.
const KEPT_NEWS_WITHIN: Duration = Duration::from_millis(50);
/// The longest reason that the platform passes on: its status lines have at most 8192 bytes.
const LONGEST_REASON: usize = 8192 - "HTTP/1.1 200 ".len();
/// The age of a request from which on its client may have left without our notice.
const JUST_COME: Duration = Duration::from_millis(5);
/// The pause after we could not make a connection.
const AFTER_SHORTAGE: Duration = Duration::from_millis(100);

/// What is sent again if a dyno has lost it.
struct Copied {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

/// A request for which a dyno can be looked for.
struct Routed {
    head: Prepared,
    target: RouteTarget,
    /// Whether the client understands interim answers.
    takes_interim: bool,
    /// Whether `web` gets the request if the dynos of the type that it names do not listen. At the front door each name means
    /// one thing.
    may_be_web: bool,
}

/// A connection to the dyno that was chosen.
struct Reached {
    connection: DynoConnection,
    busy: Busy,
    backend: Backend,
    is_new: bool,
}

/// Why a dyno has not answered.
enum FailedTry {
    /// It has received nothing of the request.
    Unsent(Box<Request<RequestBody>>),
    /// It may have received the request, but has not begun to answer.
    Silent(HCode),
    /// It has begun to answer, or its time has run out.
    Final(HCode),
}

impl Router {
    /// Answers one request.
    pub(super) async fn answer(
        self: &Rc<Self>,
        request: Request<Incoming>,
        client: &Rc<ClientConnection>,
    ) -> Response<AnswerBody> {
        let (mut head, body) = request.into_parts();
        let open = OpenExchange::begin(self, client, entry(&head));
        self.log.room().await;
        client.has_unread.set(!body.is_end_stream());
        let mut routed = match self.prepare(&mut head, client) {
            Ok(routed) => routed,
            Err(rejection) => {
                let wants_json = wants_json(&head.headers);
                let mut answer = self.reject(&open, rejection, wants_json);
                // On a new connection, the front door finds the app with that name.
                if rejection == Rejection::OtherApp {
                    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                return answer;
            }
        };
        open.learn(&head.headers);
        if routed.head.ends_here {
            return Self::options(&open);
        }
        let wants_json = wants_json(&head.headers);
        match self.ask(head, body, &mut routed, &open, client).await {
            Ok((answer, reached)) => self.pass_on(answer, reached, &routed, open, client, wants_json),
            // It does not expect an answer any more.
            Err(code) if code.is_of_client() => {
                open.finish(Some(code));
                client.cut();
                std::future::pending().await
            }
            Err(code) => self.refuse(&open, code, &routed.target, wants_json),
        }
    }

    /// Makes the head of a request the one for the dyno.
    fn prepare(&self, head: &mut Parts, client: &ClientConnection) -> Result<Routed, Rejection> {
        let takes_interim = head.version == Version::HTTP_11;
        let unix_ms = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
        let random = (u128::from(self.random()) << 64) | u128::from(self.random());
        let (prepared, target) = match client.front_door {
            None => {
                let prepared = self.request_rules.prepare(head, &client.address, unix_ms, random)?;
                let target = route(&prepared.host, &self.app.borrow());
                (prepared, target)
            }
            Some(port) => {
                let prepared = self.request_rules.at_port(port).prepare(head, &client.address, unix_ms, random)?;
                let target = handed_over_route(&prepared.host, &self.named.borrow());
                (prepared, target)
            }
        };
        if target == RouteTarget::Misdirected {
            return Err(if client.front_door.is_some() { Rejection::OtherApp } else { Rejection::Misdirected });
        }
        Ok(Routed { head: prepared, target, takes_interim, may_be_web: client.front_door.is_none() })
    }

    /// Sends the request to one dyno after another, until one answers.
    async fn ask(
        &self,
        head: Parts,
        body: Incoming,
        routed: &mut Routed,
        open: &OpenExchange,
        client: &Rc<ClientConnection>,
    ) -> Result<(Response<Incoming>, Reached), HCode> {
        // A body cannot be sent twice, because it is not kept.
        let mut copied = (is_idempotent(&head.method) && body.is_end_stream() && !routed.head.wants_upgrade)
            .then(|| Copied { method: head.method.clone(), uri: head.uri.clone(), headers: head.headers.clone() });
        let mut request = Request::from_parts(head, RequestBody::new(body, Rc::clone(open)));
        let mut input = ChoiceInput { since: self.time(open.began), ..ChoiceInput::default() };
        loop {
            let reached = self.reach(&mut input, routed, open, client, copied.is_some()).await?;
            let (is_new, backend) = (reached.is_new, reached.backend.clone());
            if routed.takes_interim {
                client.interim.pass_from(&mut request);
            }
            match self.send(request, reached, routed, open, client).await {
                Ok(answered) => return Ok(answered),
                Err(FailedTry::Unsent(unsent)) => {
                    request = *unsent;
                    // It has accepted the connection only to close it.
                    if is_new {
                        self.note_refusal(&backend, io::ErrorKind::ConnectionReset, &mut input);
                    }
                }
                // The dyno has lost the rest of the request.
                Err(FailedTry::Silent(_) | FailedTry::Final(_)) if open.client_failed.get() => return Err(HCode::H27),
                Err(FailedTry::Final(code)) => return Err(code),
                Err(FailedTry::Silent(code)) => {
                    let Some(again) = copied.take() else {
                        self.learn_end(backend.run, NEWS_WITHIN).await;
                        return Err(code);
                    };
                    // A dyno that exits may accept connections until it has. One that was kept is more likely to have been
                    // idle for too long.
                    self.learn_end(backend.run, if is_new { NEWS_WITHIN } else { KEPT_NEWS_WITHIN }).await;
                    let (mut head, ()) = Request::new(()).into_parts();
                    (head.method, head.uri, head.headers) = (again.method, again.uri, again.headers);
                    request = Request::from_parts(head, RequestBody::empty(Rc::clone(open)));
                    input.begin_again(self.now());
                }
            }
            open.enter(RequestStage::Choosing);
        }
    }

    /// Waits a moment for the news that a dyno which has lost a request has exited, so that the page says so.
    async fn learn_end(&self, run: u64, within: Duration) {
        let is_up = || {
            let backends = self.backends.borrow();
            let mut all = backends.values().flat_map(|backends| &backends.0);
            all.any(|backend| backend.run == run && backend.state == BackendState::Up)
        };
        let ends = async {
            while is_up() {
                self.changed.notified().await;
            }
        };
        let _ = timeout(within, ends).await;
    }

    /// Waits for a dyno that accepts a connection.
    async fn reach(
        &self,
        input: &mut ChoiceInput,
        routed: &mut Routed,
        open: &OpenExchange,
        client: &ClientConnection,
        is_resent: bool,
    ) -> Result<Reached, HCode> {
        let mut trials = Vec::new();
        loop {
            let changed = self.changed.notified();
            if routed.may_be_web && self.is_not_served(&routed.target, input) {
                routed.target = RouteTarget::Web { app: 0 };
                input.forget_tries();
                open.forget_dyno();
            }
            input.in_flight = self.in_flight(&routed.target);
            input.left_to_others = self.trials.of_others(&trials);
            let now = Instant::now();
            let backend = match self.choose(input, &routed.target, self.time(now)) {
                Choice::Send(backend) => backend,
                Choice::Refuse(code) => {
                    self.name_tried(input, open);
                    return Err(code);
                }
                Choice::Hold { until } => {
                    let _held = self.hold();
                    tokio::select! {
                        () = changed => {}
                        () = sleep_until(self.instant(until)) => {}
                    }
                    self.learn_trials(input);
                    continue;
                }
            };
            // hyper sees that itself unless a body waits. Looking costs a system call.
            if (client.has_unread.get() || now - open.began > JUST_COME) && client.has_left() {
                return Err(HCode::H27);
            }
            // From now on a stop waits for the request.
            let busy = self.drains.occupy(RunId(backend.run));
            open.try_dyno(&backend);
            if !self.quarantine.borrow().has_listened(&backend) && !self.trials.has(backend.run) {
                trials.push(Trial::begin(self, backend.run));
            }
            if let Some(connection) = self.pool.take(RunId(backend.run), is_resent, now) {
                return Ok(Reached { connection, busy, backend, is_new: false });
            }
            match self.pool.dial(RunId(backend.run), backend.port).await {
                Ok(connection) => {
                    self.quarantine.borrow_mut().accepted(backend.run);
                    self.served.borrow_mut().accepted(&backend.dyno.process_type);
                    return Ok(Reached { connection, busy, backend, is_new: true });
                }
                Err(error) if is_of_peer(error.kind()) => self.note_refusal(&backend, error.kind(), input),
                Err(_) if self.now() >= input.since + self.rules.hold => return Err(HCode::H99),
                // We have no files or ports left: the kept connections have some.
                Err(error) => {
                    self.note_shortage(&error);
                    self.pool.keep_only(|_| false);
                    drop(busy);
                    sleep(AFTER_SHORTAGE).await;
                }
            }
        }
    }

    fn note_refusal(&self, backend: &Backend, error: io::ErrorKind, input: &mut ChoiceInput) {
        let (now, mut quarantine) = (self.now(), self.quarantine.borrow_mut());
        let has_listened = quarantine.has_listened(backend);
        quarantine.refused(backend.run, now);
        input.note_refusal(backend.run, has_listened, error != io::ErrorKind::TimedOut, now);
    }

    /// Sends the request and waits until the answer begins.
    async fn send(
        &self,
        request: Request<RequestBody>,
        mut reached: Reached,
        routed: &Routed,
        open: &OpenExchange,
        client: &ClientConnection,
    ) -> Result<(Response<Incoming>, Reached), FailedTry> {
        open.begin_service(request.body().is_end_stream());
        let meter = Rc::clone(&reached.connection.meter);
        meter.begin();
        let before = meter.received.get();
        if routed.head.wants_upgrade {
            let (sender, end) = oneshot::channel();
            meter.takes_over.set(Some(sender));
            open.dyno_end.set(Some(end));
        }
        let answer = reached.connection.sender.try_send_request(request);
        let answered = tokio::select! {
            biased;
            never = client.pass_interim() => match never {},
            answered = answer => answered,
            code = poll_fn(|cx| open.poll_cut(cx)) => return Err(FailedTry::Final(code)),
        };
        match answered {
            Ok(answer) => Ok((answer, reached)),
            Err(mut error) => {
                if let Some(unsent) = error.take_message() {
                    return Err(FailedTry::Unsent(Box::new(unsent)));
                }
                let is_silent = meter.received.get() == before;
                let error = error.error();
                Err(if error.is_parse_too_large() {
                    FailedTry::Final(HCode::H25(AnswerFault::Header))
                } else if error.is_parse() && error.to_string().contains("content-length") {
                    FailedTry::Final(HCode::H25(AnswerFault::ContentLength))
                } else if error.is_parse() {
                    FailedTry::Final(HCode::H17)
                } else if !is_silent {
                    FailedTry::Final(HCode::H18)
                } else if meter.has_failed.get() {
                    FailedTry::Silent(HCode::H18)
                } else {
                    FailedTry::Silent(HCode::H13)
                })
            }
        }
    }

    /// Passes the answer of a dyno on to the client.
    fn pass_on(
        self: &Rc<Self>,
        answer: Response<Incoming>,
        mut reached: Reached,
        routed: &Routed,
        open: OpenExchange,
        client: &Rc<ClientConnection>,
        wants_json: bool,
    ) -> Response<AnswerBody> {
        let (mut head, inner) = answer.into_parts();
        let is_switch = head.status == StatusCode::SWITCHING_PROTOCOLS;
        reached.connection.learn(&head.headers);
        let prepared = match head.extensions.get::<ReasonPhrase>() {
            Some(reason) if self.rules.is_platform && reason.as_bytes().len() > LONGEST_REASON => {
                Err(HCode::H25(AnswerFault::StatusLine))
            }
            Some(_) | None => self.request_rules.prepare_answer(&mut head, routed.head.wants_upgrade),
        };
        if let Err(code) = prepared {
            return self.refuse(&open, code, &routed.target, wants_json);
        }
        open.entry.borrow_mut().status = Some(head.status.as_u16());
        open.enter(RequestStage::Answering);
        let Reached { connection, busy, .. } = reached;
        if is_switch && let Some(end) = open.dyno_end.take() {
            client.open_tunnel();
            *client.tunnel.borrow_mut() = Some(PendingTunnel { arriving: end, open });
            return Response::from_parts(head, AnswerBody::Page(None));
        }
        connection.meter.takes_over.take();
        let is_events = is_event_stream(&head.headers);
        let lease = DynoLease::new(self, connection);
        let busy = (!is_events).then_some(busy);
        Response::from_parts(
            head,
            AnswerBody::Dyno(DynoAnswer { inner, open, busy, lease: Some(lease), is_broken: false }),
        )
    }
}

/// Whether the other side is the reason why there is no connection, and not a shortage of ours.
pub(super) fn is_of_peer(error: io::ErrorKind) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, TimedOut};
    matches!(error, ConnectionAborted | ConnectionRefused | ConnectionReset | TimedOut)
}

/// What the log says about a request, as far as its head says it.
fn entry(head: &Parts) -> RouterEntry {
    RouterEntry {
        method: head.method.as_str().to_owned(),
        path: head.uri.path_and_query().map_or_else(|| head.uri.to_string(), |path| path.as_str().to_owned()),
        host: copied(head.headers.get(header::HOST)),
        ..RouterEntry::default()
    }
}

/// An answer that goes on for as long as someone listens (S16.3).
fn is_event_stream(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("text/event-stream")
}
