//! What is known about one request from its first byte to the last one of its answer. Its end is one line in the log.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Router;
use super::client::ClientConnection;
use super::deadlines::Timed;
use super::tunnel::DynoParts;
use crate::routing::{Backend, ClockVerdict, HCode, Rejection, RequestClock, RequestStage, RouterEntry};

/// When the clock of a request is looked at after it has come further: no limit is shorter.
const LOOKED_AT_WITHIN: Duration = Duration::from_secs(30);

/// A value that holds no part of the buffer into which the head was read: a request may last for days.
pub(super) fn copied(value: Option<&HeaderValue>) -> Option<HeaderValue> {
    value.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok())
}

/// One request.
pub(super) struct Exchange {
    seat: Cell<usize>,
    pub(super) entry: RefCell<RouterEntry>,
    pub(super) began: Instant,
    clock: Cell<RequestClock>,
    /// Whether the next byte has to come from the dyno.
    pub(super) waits_for_dyno: Cell<bool>,
    /// Reading the request has failed.
    pub(super) client_failed: Cell<bool>,
    /// Brings the connection to the dyno, if the request may become a tunnel.
    pub(super) dyno_end: Cell<Option<oneshot::Receiver<DynoParts>>>,
    /// When the request was sent.
    sent: Cell<Option<Instant>>,
    bytes: Cell<u64>,
    is_over: Cell<bool>,
    cut: Cell<Option<HCode>>,
    waker: RefCell<Option<Waker>>,
    router: Rc<Router>,
    client: Rc<ClientConnection>,
}

/// A request that is not over. Dropping it means that the client has gone.
pub(super) struct OpenExchange(Rc<Exchange>);

impl std::ops::Deref for OpenExchange {
    type Target = Rc<Exchange>;

    fn deref(&self) -> &Rc<Exchange> {
        &self.0
    }
}

impl Drop for OpenExchange {
    fn drop(&mut self) {
        self.0.finish(Some(HCode::H27));
    }
}

impl OpenExchange {
    pub(super) fn begin(router: &Rc<Router>, client: &Rc<ClientConnection>, entry: RouterEntry) -> Self {
        let now = Instant::now();
        let exchange = Rc::new(Exchange {
            seat: Cell::default(),
            entry: RefCell::new(entry),
            began: now,
            clock: Cell::default(),
            waits_for_dyno: Cell::default(),
            client_failed: Cell::default(),
            dyno_end: Cell::default(),
            sent: Cell::default(),
            bytes: Cell::default(),
            is_over: Cell::default(),
            cut: Cell::default(),
            waker: RefCell::default(),
            router: Rc::clone(router),
            client: Rc::clone(client),
        });
        router.exchanges.add(&exchange);
        Self(exchange)
    }
}

impl Exchange {
    /// The request has come further.
    pub(super) fn enter(&self, stage: RequestStage) {
        self.enter_at(stage, Instant::now());
    }

    fn enter_at(&self, stage: RequestStage, now: Instant) {
        let mut clock = self.clock.get();
        clock.enter(stage, self.router.time(now));
        if stage == RequestStage::Answering {
            // The answer came just in time.
            self.cut.set(None);
        }
        self.clock.set(clock);
        self.client.is_answering.set(stage == RequestStage::Answering);
        self.router.deadline.arm(now + LOOKED_AT_WITHIN);
    }

    pub(super) fn stage(&self) -> RequestStage {
        self.clock.get().stage()
    }

    /// The head of the request is the one for the dyno.
    pub(super) fn learn(&self, headers: &HeaderMap) {
        let mut entry = self.entry.borrow_mut();
        entry.request_id = copied(headers.get("x-request-id"));
        // Put together here: not a part of that buffer.
        entry.fwd = headers.get("x-forwarded-for").cloned();
    }

    /// The request goes to this dyno, if that accepts the connection.
    pub(super) fn try_dyno(&self, backend: &Backend) {
        self.entry.borrow_mut().dyno = Some(backend.dyno.clone());
    }

    /// The dyno that was tried is not the one that it is for.
    pub(super) fn forget_dyno(&self) {
        self.entry.borrow_mut().dyno = None;
    }

    /// The client has sent all of it.
    pub(super) fn note_whole_request(&self) {
        self.client.has_unread.set(false);
    }

    /// The dyno has accepted the connection. `is_whole`: the request has no body.
    pub(super) fn begin_service(&self, is_whole: bool) {
        let now = Instant::now();
        self.sent.set(Some(now));
        self.enter_at(if is_whole { RequestStage::Awaiting } else { RequestStage::Sending }, now);
    }

    /// This many bytes of the answer have come.
    pub(super) fn count(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() + bytes as u64);
    }

    /// A byte was seen.
    pub(super) fn touch(&self) {
        let mut clock = self.clock.get();
        clock.touch(self.router.now());
        self.clock.set(clock);
    }

    /// Writes the line of the log, unless that was done. `code`: what went wrong.
    pub(super) fn finish(&self, code: Option<HCode>) {
        if self.is_over.replace(true) {
            return;
        }
        self.router.exchanges.remove(self);
        // A time-out is the reason why the connections are closed.
        let code = self.cut.get().or(code);
        let fault = self.client.body_fault().filter(|_| code.is_some());
        let code = code.filter(|_| fault.is_none());
        let now = Instant::now();
        {
            let mut entry = self.entry.borrow_mut();
            entry.code = code;
            if entry.dyno.is_some() {
                let sent = self.sent.get();
                entry.connect = Some(sent.unwrap_or(now).saturating_duration_since(self.began));
                entry.service = sent.map(|sent| now.saturating_duration_since(sent));
            }
            entry.status = match code {
                // What the client has seen.
                None | Some(HCode::H18) => {
                    entry.status.or_else(|| fault.map(Rejection::status)).or_else(|| code.map(HCode::status))
                }
                Some(code) => Some(code.status()),
            };
            entry.bytes = entry.bytes.or_else(|| entry.dyno.is_some().then(|| self.bytes.get()));
            self.router.write(&entry);
        }
        self.router.after_load.note(now, self.bytes.get());
        self.client.end();
        self.router.deadline.arm(now + super::client::RESTS_AFTER);
    }

    /// Ends the request for this reason.
    fn cut(&self, code: HCode) {
        self.cut.set(Some(code));
        match self.stage() {
            // The client gets an answer.
            RequestStage::Choosing | RequestStage::Sending | RequestStage::Awaiting => {
                if let Some(waker) = self.waker.take() {
                    waker.wake();
                }
            }
            RequestStage::Answering => self.client.cut(),
        }
    }

    /// The run has ended, and the dynos with it.
    pub(super) fn end_with_run(&self) {
        let is_tunnel = self.entry.borrow().status == Some(101);
        self.finish(match self.stage() {
            RequestStage::Choosing => Some(HCode::H14),
            RequestStage::Sending | RequestStage::Awaiting => Some(HCode::H13),
            RequestStage::Answering => (!is_tunnel).then_some(HCode::H18),
        });
    }

    /// The port of the front door that the client connected to, if it did.
    pub(super) fn front_door(&self) -> Option<u16> {
        self.client.front_door
    }

    /// Ready when the client has got everything that the dyno has sent.
    pub(super) fn poll_client_flushed(&self, cx: &Context<'_>) -> Poll<()> {
        self.client.poll_flushed(cx)
    }

    /// Ready when the request has to end before its answer has begun.
    pub(super) fn poll_cut(&self, cx: &mut Context<'_>) -> Poll<HCode> {
        if let Some(code) = self.cut.get() {
            return Poll::Ready(code);
        }
        let mut waker = self.waker.borrow_mut();
        match &*waker {
            Some(known) if known.will_wake(cx.waker()) => {}
            _ => *waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl Timed for Exchange {
    fn review(&self, now: Instant) -> Option<Instant> {
        let may_leave_unseen = self.stage() != RequestStage::Answering && self.client.may_leave_unseen();
        if may_leave_unseen && self.client.has_left() {
            self.cut(HCode::H27);
            return None;
        }
        let mut clock = self.clock.get();
        let waits_for_dyno = self.waits_for_dyno.get();
        let verdict = clock.look(self.router.time(now), waits_for_dyno, self.router.rules.enforces_timeouts);
        self.clock.set(clock);
        let next = match verdict {
            ClockVerdict::Next(at) => at.map(|at| self.router.instant(at)),
            ClockVerdict::Announce { code, limit } => {
                self.router.log.line(&self.entry.borrow().announcement(code, limit));
                None
            }
            ClockVerdict::End(code) => {
                self.cut(code);
                return None;
            }
        };
        let looks_again = may_leave_unseen.then(|| now + LOOKED_AT_WITHIN);
        next.into_iter().chain(looks_again).min()
    }

    fn seat(&self) -> &Cell<usize> {
        &self.seat
    }
}
