//! The body of a request on its way to a dyno.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use super::exchange::Exchange;
use crate::routing::RequestStage;

/// Passes the body on, piece by piece.
pub(super) struct RequestBody {
    /// None: a request that is sent again has no body.
    inner: Option<Incoming>,
    exchange: Rc<Exchange>,
}

impl RequestBody {
    pub(super) fn new(inner: Incoming, exchange: Rc<Exchange>) -> Self {
        Self { inner: Some(inner), exchange }
    }

    pub(super) fn empty(exchange: Rc<Exchange>) -> Self {
        Self { inner: None, exchange }
    }

    /// Everything is on its way.
    fn note_sent(&self) {
        self.exchange.note_whole_request();
        if self.exchange.stage() == RequestStage::Sending {
            self.exchange.enter(RequestStage::Awaiting);
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let polled = Pin::new(inner).poll_frame(cx);
        if self.exchange.stage() == RequestStage::Sending {
            // What has come, the dyno has to take before more is asked for.
            self.exchange.waits_for_dyno.set(polled.is_ready());
        }
        let frame = ready!(polled);
        self.exchange.touch();
        match &frame {
            Some(Err(_)) => self.exchange.client_failed.set(true),
            Some(Ok(_)) if !self.is_end_stream() => {}
            Some(Ok(_)) | None => self.note_sent(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
