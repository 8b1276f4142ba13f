//! The body of an answer: a whole one, or the log as it is read (S10.4).

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::log_archive::ArchiveReader;
use crate::logs::{FollowTurn, LogEncoder, LogEncoding};

/// How often a quiet stream of events gets a comment: the platform's client gives up after 5 minutes without a byte.
const COMMENT_INTERVAL: Duration = Duration::from_secs(30);

/// A comment in a stream of events.
const COMMENT: &[u8] = b": still here\n\n";

/// The body of an answer.
pub(super) enum ApiBody {
    Whole(Full<Bytes>),
    Log(Box<LogBody>),
}

/// Sends the log to one client.
pub(super) struct LogBody {
    reader: ArchiveReader,
    encoder: LogEncoder,
    /// What comes before the first line.
    beginning: Vec<u8>,
    /// Runs while the client has to wait for its next piece, or for the next comment.
    timer: Option<Pin<Box<Sleep>>>,
    /// What the timer is for.
    is_for_comment: bool,
}

impl LogBody {
    pub(super) fn new(reader: ArchiveReader, encoding: LogEncoding, tail: bool) -> Self {
        let encoder = LogEncoder::new(encoding);
        let mut beginning = Vec::new();
        encoder.begin(tail, &mut beginning);
        Self { reader, encoder, beginning, timer: None, is_for_comment: false }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        loop {
            let mut piece = std::mem::take(&mut self.beginning);
            let turn = self.reader.turn(cx, &mut self.encoder, &mut piece);
            if !piece.is_empty() {
                self.timer = None;
                return Poll::Ready(Some(piece));
            }
            match turn {
                FollowTurn::Send => {}
                FollowTurn::End => return Poll::Ready(None),
                FollowTurn::Pause(pause) => {
                    if self.is_for_comment {
                        self.timer = None;
                    }
                    self.is_for_comment = false;
                    ready!(self.poll_timer(cx, pause));
                }
                FollowTurn::Wait => match self.encoder.encoding() {
                    LogEncoding::JsonLines | LogEncoding::Text => return Poll::Pending,
                    LogEncoding::EventStream => {
                        self.is_for_comment = true;
                        ready!(self.poll_timer(cx, COMMENT_INTERVAL));
                        return Poll::Ready(Some(COMMENT.to_vec()));
                    }
                },
            }
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>, length: Duration) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(length)));
        ready!(timer.as_mut().poll(cx));
        self.timer = None;
        Poll::Ready(())
    }
}

impl Body for ApiBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(body) => Pin::new(body).poll_frame(cx),
            Self::Log(log) => log.poll_piece(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece.into())))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Log(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            // Unknown, so that its end is marked: a client can tell a complete log from one that was cut.
            Self::Log(_) => SizeHint::default(),
        }
    }
}
