//! One client, from its first byte until its connection is closed.

mod stage;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::Instant;

use self::stage::ClientStage;
pub(super) use self::stage::RESTS_AFTER;
use super::interim::InterimAnswers;
use super::read_scratch::{ReadScratch, read_arrived};
use super::tunnel::PendingTunnel;
use crate::routing::{ClientAddress, Guarded, Rejection, RequestGuard};

/// How long a connection without a request stays open (S16.6).
pub(super) const IDLE_FOR: Duration = Duration::from_secs(60);
/// How each answer of ours begins, and what hyper writes instead for a client that speaks HTTP/1.0.
const ANSWER: &[u8] = b"HTTP/1.1";
const ANSWER_TO_HTTP_10: &[u8] = b"HTTP/1.0";

/// A connection that begins.
pub(super) struct ArrivedClient {
    pub(super) socket: TcpStream,
    pub(super) address: SocketAddr,
    /// What was read of it.
    pub(super) first: Vec<u8>,
    /// The port of the front door that has accepted it. None: we have.
    pub(super) front_door: Option<u16>,
}

/// One client.
pub(super) struct ClientConnection {
    pub(super) socket: TcpStream,
    /// What the front door has read of it, until hyper has it.
    first: RefCell<Vec<u8>>,
    /// The port of the front door that has handed it over.
    pub(super) front_door: Option<u16>,
    pub(super) address: ClientAddress,
    pub(super) scratch: Rc<ReadScratch>,
    seat: Cell<usize>,
    guard: RefCell<RequestGuard>,
    refusal: Cell<Option<Rejection>>,
    /// How many requests were passed to us.
    requests: Cell<u64>,
    stage: Cell<ClientStage>,
    pub(super) interim: InterimAnswers,
    ending: Notify,
    /// Its time has run out.
    late: Cell<Option<ClientEnd>>,
    /// What it becomes once the answer `101` is written.
    pub(super) tunnel: RefCell<Option<PendingTunnel>>,
    /// The answer has begun, so no other can be sent in its place.
    pub(super) is_answering: Cell<bool>,
    /// How many bytes of the first line of an answer were written around hyper.
    restated: Cell<usize>,
    /// When it took some bytes of an answer last.
    wrote: Cell<Instant>,
    /// Waits until hyper has written everything.
    flushed: RefCell<Option<Waker>>,
    /// The end of a request may have been left unread.
    pub(super) has_unread: Cell<bool>,
    /// It has buffers, because requests have come lately.
    is_speaking: Cell<bool>,
}

/// Why we end the connection of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientEnd {
    /// What it has sent is not a request that we accept.
    Refused(Rejection),
    /// The head of its request did not come in time.
    SlowHead,
    /// It has sent no request for a while.
    Idle,
    /// The same for so short a while that only its buffers are given back.
    Resting,
    /// Its answer or its tunnel is cut off.
    Cut,
}

impl ClientConnection {
    pub(super) fn new(arrival: ArrivedClient, scratch: Rc<ReadScratch>, guard: RequestGuard) -> Self {
        let ArrivedClient { socket, address, first, front_door } = arrival;
        Self {
            socket,
            first: RefCell::new(first),
            front_door,
            address: ClientAddress::new(address.ip()),
            scratch,
            seat: Cell::default(),
            guard: RefCell::new(guard),
            refusal: Cell::default(),
            requests: Cell::default(),
            stage: Cell::new(ClientStage::Idle(Instant::now())),
            interim: InterimAnswers::default(),
            ending: Notify::new(),
            late: Cell::default(),
            tunnel: RefCell::default(),
            is_answering: Cell::default(),
            restated: Cell::default(),
            wrote: Cell::new(Instant::now()),
            flushed: RefCell::default(),
            has_unread: Cell::default(),
            is_speaking: Cell::default(),
        }
    }

    /// Waits until it has sent something, or closed its end.
    pub(super) async fn arrives(&self) {
        let _ = poll_fn(|cx| self.poll_read_ready(cx)).await;
        self.is_speaking.set(true);
    }

    /// Waits until there is something to read.
    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.first.borrow().is_empty() { self.socket.poll_read_ready(cx) } else { Poll::Ready(Ok(())) }
    }

    /// Reads once: first what the front door has read.
    pub(super) fn try_read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut first = self.first.borrow_mut();
        if first.is_empty() {
            return read_arrived(&self.socket, bytes);
        }
        let count = first.len().min(bytes.len());
        for (to, from) in bytes.iter_mut().zip(first.drain(..count)) {
            *to = from;
        }
        // Idle connections hold no memory for it.
        if first.is_empty() {
            *first = Vec::new();
        }
        Ok(count)
    }

    /// What the front door has read and hyper has not.
    pub(super) fn take_first(&self) -> Vec<u8> {
        self.first.take()
    }

    /// Shows bytes to the guard. Returns how many of them hyper gets.
    pub(super) fn check(&self, bytes: &[u8]) -> usize {
        let Guarded { good, refusal } = self.guard.borrow_mut().feed(bytes);
        if let ClientStage::Idle(_) = self.stage.get()
            && !bytes.is_empty()
        {
            self.await_request();
        }
        if refusal.is_some() {
            self.refusal.set(refusal);
            self.ending.notify_one();
        }
        good
    }

    pub(super) fn is_refused(&self) -> bool {
        self.refusal.get().is_some()
    }

    /// A request has begun.
    pub(super) fn begin(&self) {
        self.requests.set(self.requests.get() + 1);
        self.enter(ClientStage::Busy);
        self.is_answering.set(false);
        self.restated.set(0);
    }

    /// The answer is complete.
    pub(super) fn end(&self) {
        self.await_request();
        if self.is_refused() {
            self.ending.notify_one();
        }
    }

    /// Whether it has not taken all of an answer.
    pub(super) fn has_unwritten(&self) -> bool {
        !self.interim.is_hyper_flushed()
    }

    /// Everything from now on belongs to a tunnel.
    pub(super) fn open_tunnel(&self) {
        self.guard.borrow_mut().open_tunnel();
    }

    /// Method and target of a request that was refused.
    pub(super) fn refused_request(&self) -> (String, String) {
        self.guard.borrow().method_and_target()
    }

    /// Ends when we have to end the connection.
    pub(super) async fn ended(&self) -> ClientEnd {
        loop {
            if let Some(end) = self.end_now() {
                return end;
            }
            if self.is_refused() {
                tokio::select! {
                    () = self.ending.notified() => {}
                    // Boxed, so that others need no memory for it.
                    () = Box::pin(self.closes()) => return ClientEnd::Cut,
                }
            } else {
                self.ending.notified().await;
            }
        }
    }

    /// Waits until it has closed its end, which hyper does not see after a refusal. Discards what it still sends.
    async fn closes(&self) {
        while self.socket.readable().await.is_ok() {
            match self.scratch.with(usize::MAX, |bytes| self.socket.try_read(bytes)) {
                Ok(1..) => yield_now().await,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) | Err(_) => return,
            }
        }
    }

    /// Whether it has closed its end. hyper does not see that while it waits to pass on a body.
    pub(super) fn has_left(&self) -> bool {
        // A call, because tokio may not have heard of it yet.
        let closed = PollFlags::from_bits_retain(libc::POLLRDHUP);
        poll(&mut [PollFd::new(self.socket.as_fd(), closed)], PollTimeout::ZERO).is_ok_and(|count| count > 0)
    }

    /// Whether hyper would not see it leave: what it has sent already waits to be passed on.
    pub(super) fn may_leave_unseen(&self) -> bool {
        self.has_unread.get() || self.guard.borrow().heads() > self.requests.get()
    }

    /// Whether bytes have come that were not read yet.
    fn has_unseen(&self) -> bool {
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        matches!(recv(self.socket.as_raw_fd(), &mut [0], flags), Ok(1..))
    }

    /// Ends the connection at once.
    pub(super) fn cut(&self) {
        self.late.set(Some(ClientEnd::Cut));
        self.ending.notify_one();
    }

    fn end_now(&self) -> Option<ClientEnd> {
        let refused = self.refusal.get().filter(|_| {
            let guard = self.guard.borrow();
            let is_answered = self.stage.get() != ClientStage::Busy && self.interim.is_hyper_flushed();
            // Earlier requests get their answers first.
            self.body_fault().is_some() || (is_answered && self.requests.get() >= guard.heads())
        });
        refused.map(ClientEnd::Refused).or(self.late.get())
    }

    /// Why the body of the request that is being answered was refused.
    pub(super) fn body_fault(&self) -> Option<Rejection> {
        let of_body = self.refusal.get().filter(|fault| matches!(fault, Rejection::Chunk | Rejection::Trailer));
        of_body.filter(|_| self.requests.get() >= self.guard.borrow().heads())
    }

    /// Sends interim answers of the dyno to the client and never returns.
    pub(super) async fn pass_interim(&self) -> Infallible {
        poll_fn(|cx| self.interim.poll_pass(&self.socket, cx)).await
    }

    /// Writes for hyper. `first`: the beginning of what `write` writes.
    pub(super) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        first: &[u8],
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        ready!(self.interim.poll_before(&self.socket, cx))?;
        let restated = self.restated.get();
        if restated == 0 && !first.starts_with(ANSWER_TO_HTTP_10) {
            // In the middle of an answer, these bytes could be anything.
            self.restated.set(ANSWER.len());
        } else if let Some(rest) = ANSWER.get(restated..).filter(|rest| !rest.is_empty()) {
            let written = self.try_until_written(cx, |socket| socket.try_write(rest));
            if let Poll::Ready(Ok(count)) = &written {
                self.restated.set(restated + count);
            }
            return written;
        }
        self.try_until_written(cx, write)
    }

    fn try_until_written(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match write(&self.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => {
                    self.wrote.set(Instant::now());
                    return Poll::Ready(written);
                }
            }
            ready!(self.socket.poll_write_ready(cx))?;
        }
    }

    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.interim.is_hyper_flushed() {
            if self.stage.get() != ClientStage::Busy {
                self.await_request();
            }
            if self.is_refused() {
                self.ending.notify_one();
            }
        }
        let flushed = self.interim.poll_after(&self.socket, cx);
        if let Some(waiting) = self.flushed.take() {
            waiting.wake();
        }
        flushed
    }

    /// Ready when hyper has written everything that it had.
    pub(super) fn poll_flushed(&self, cx: &Context<'_>) -> Poll<()> {
        if self.has_unwritten() {
            *self.flushed.borrow_mut() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Writes what is left of interim answers, so that another answer can follow.
    pub(super) async fn end_interim(&self) -> io::Result<()> {
        poll_fn(|cx| self.interim.poll_after(&self.socket, cx)).await
    }
}
