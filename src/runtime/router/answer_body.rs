//! The body of an answer on its way to the client.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use super::drains::Busy;
use super::exchange::OpenExchange;
use super::pool::DynoLease;
use crate::routing::HCode;

/// What hyper sends to the client.
pub(super) enum AnswerBody {
    /// The answer of a dyno.
    Dyno(DynoAnswer),
    /// Our own.
    Page(Option<Bytes>),
}

/// The answer of a dyno, piece by piece.
pub(super) struct DynoAnswer {
    pub(super) inner: Incoming,
    pub(super) open: OpenExchange,
    /// Not there for an answer that a stop does not wait for.
    pub(super) busy: Option<Busy>,
    pub(super) lease: Option<DynoLease>,
    /// The dyno has gone. The client still gets what has come before.
    pub(super) is_broken: bool,
}

/// The answer ends before it is complete, and so does the connection.
#[derive(Debug)]
pub(super) struct CutShort;

impl fmt::Display for CutShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer was cut short")
    }
}

impl std::error::Error for CutShort {}

impl DynoAnswer {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        if self.is_broken {
            ready!(self.open.poll_client_flushed(cx));
            return Poll::Ready(Some(Err(self.fail(HCode::H18))));
        }
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        self.open.waits_for_dyno.set(polled.is_pending());
        match ready!(polled) {
            Some(Ok(frame)) => {
                self.open.touch();
                if let Some(data) = frame.data_ref() {
                    self.open.count(data.len());
                }
                if self.inner.is_end_stream() {
                    self.complete();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(_)) => {
                self.busy = None;
                self.is_broken = true;
                // hyper writes what it has before it asks again, because nothing comes now.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            None => {
                self.complete();
                Poll::Ready(None)
            }
        }
    }

    /// The last byte has come.
    fn complete(&mut self) {
        self.busy = None;
        self.lease = None;
        self.open.finish(None);
    }

    fn fail(&mut self, code: HCode) -> CutShort {
        self.busy = None;
        self.open.finish(Some(code));
        CutShort
    }
}

impl Drop for DynoAnswer {
    fn drop(&mut self) {
        // hyper does not ask for the end of a body whose end it knows.
        if self.inner.is_end_stream() {
            self.complete();
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut *self {
            Self::Dyno(answer) => answer.poll(cx),
            Self::Page(page) => Poll::Ready(page.take().map(|page| Ok(Frame::data(page)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Dyno(answer) => answer.inner.is_end_stream(),
            Self::Page(page) => page.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Dyno(answer) => answer.inner.size_hint(),
            Self::Page(page) => SizeHint::with_exact(page.as_ref().map_or(0, |page| page.len() as u64)),
        }
    }
}
