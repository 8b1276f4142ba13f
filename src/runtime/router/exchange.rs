//! One request and its answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use super::Router;
use super::client_io::ClientConnection;
use super::pool::DynoConnection;
use super::request_body::RequestBody;

impl Router {
    /// Answers one request.
    pub(super) async fn answer(
        self: &Rc<Self>,
        request: Request<Incoming>,
        _client: &Rc<ClientConnection>,
    ) -> Result<Response<AnswerBody>, Infallible> {
        let first = self.reachable.borrow().first().copied();
        let Some(reachable) = first else { return Ok(refusal()) };
        let connection = match self.pool.take(reachable.run) {
            Some(connection) => Ok(connection),
            None => self.pool.dial(reachable.run, reachable.port).await,
        };
        let Ok(mut connection) = connection else { return Ok(refusal()) };
        match connection.sender.try_send_request(request.map(RequestBody::new)).await {
            Ok(answer) => {
                let lease = DynoLease { router: Rc::clone(self), connection: Some(connection) };
                Ok(answer.map(|inner| AnswerBody::Dyno { inner, _lease: lease }))
            }
            Err(_) => Ok(refusal()),
        }
    }
}

fn refusal() -> Response<AnswerBody> {
    let mut answer = Response::new(AnswerBody::Page(None));
    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    answer
}

/// Gives the connection back to the pool.
pub(super) struct DynoLease {
    router: Rc<Router>,
    connection: Option<DynoConnection>,
}

impl Drop for DynoLease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.router.pool.keep(connection);
        }
    }
}

/// The body of an answer.
pub(super) enum AnswerBody {
    /// From a dyno.
    Dyno { inner: Incoming, _lease: DynoLease },
    /// Our own.
    Page(Option<Bytes>),
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut *self {
            Self::Dyno { inner, .. } => Pin::new(inner).poll_frame(cx),
            Self::Page(page) => Poll::Ready(page.take().map(|page| Ok(Frame::data(page)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Dyno { inner, .. } => inner.is_end_stream(),
            Self::Page(page) => page.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Dyno { inner, .. } => inner.size_hint(),
            Self::Page(page) => SizeHint::with_exact(page.as_ref().map_or(0, |page| page.len() as u64)),
        }
    }
}
