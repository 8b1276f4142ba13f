//! A connection that has switched protocols, such as a WebSocket: bytes both ways until both ends are closed.
//!
//! While nothing happens it holds no buffer, so that thousands of idle ones cost little.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::os::fd::AsRawFd;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use nix::sys::socket::{Shutdown, shutdown};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::client::ClientConnection;
use super::exchange::OpenExchange;
use super::read_scratch::{ReadScratch, read_arrived};
use crate::routing::HCode;

/// The most bytes that are read at once. What the other end does not take is kept until it does.
const PIECE: usize = 64 << 10;
/// After this many reads in a row, others get a turn.
const READS_IN_A_ROW: usize = 16;
/// How long a client may take to close its end after the dyno has closed.
const CLOSES_WITHIN: Duration = Duration::from_secs(5);

/// How long a dyno may be silent after the client has closed.
const SILENT_AFTER_CLOSE: Duration = Duration::from_secs(60);

/// A tunnel whose answer `101` is still to be written.
pub(super) struct PendingTunnel {
    /// Brings the connection to the dyno, once hyper has read the answer.
    pub(super) arriving: oneshot::Receiver<DynoParts>,
    pub(super) open: OpenExchange,
}

/// A connection to a dyno that has become a tunnel.
pub(super) struct DynoParts {
    pub(super) socket: TcpStream,
    /// What the dyno has sent after its answer.
    pub(super) first: Vec<u8>,
}

impl PendingTunnel {
    /// Carries the bytes of the tunnel to its end. `first`: what the client has sent after its request.
    pub(super) async fn run(self, client: &ClientConnection, first: Vec<u8>) {
        let Self { arriving, open } = self;
        let Ok(dyno) = arriving.await else { return open.finish(Some(HCode::H13)) };
        open.waits_for_dyno.set(true);
        let passed = |end, count| {
            open.touch();
            if end == TunnelEnd::Dyno {
                open.count(count);
            }
        };
        // What the client does afterwards does not belong to the tunnel.
        let ended = || open.finish(None);
        let first = (first, dyno.first);
        carry((&client.socket, &dyno.socket), first, &client.scratch, passed, ended).await;
        open.finish(None);
    }
}

/// Carries bytes until both ends are closed, or one has failed. `first`: what each end had sent already, the client's first.
/// `passed` learns how many bytes were written, `ended` that the dyno has closed its end.
async fn carry(
    (client, dyno): (&TcpStream, &TcpStream),
    first: (Vec<u8>, Vec<u8>),
    scratch: &ReadScratch,
    passed: impl Fn(TunnelEnd, usize),
    ended: impl Fn(),
) {
    let heard = Cell::new(Instant::now());
    let note = |end, count| {
        if end == TunnelEnd::Dyno {
            heard.set(Instant::now());
        }
        passed(end, count);
    };
    let mut up = OneWay { end: TunnelEnd::Client, from: client, to: dyno, unwritten: first.0, written: 0 };
    let mut down = OneWay { end: TunnelEnd::Dyno, from: dyno, to: client, unwritten: first.1, written: 0 };
    let (end, result) = poll_fn(|cx| {
        if let Poll::Ready(sent) = up.poll(cx, scratch, &note) {
            return Poll::Ready((TunnelEnd::Client, sent));
        }
        down.poll(cx, scratch, &note).map(|received| (TunnelEnd::Dyno, received))
    })
    .await;
    // Boxed, because most tunnels are open for long and do not need their memory.
    match end {
        // A client may close its half and wait for what the dyno still has to say.
        TunnelEnd::Client if result.is_ok() => {
            heard.set(Instant::now());
            let silence = Box::pin(async {
                while heard.get().elapsed() < SILENT_AFTER_CLOSE {
                    sleep_until(heard.get() + SILENT_AFTER_CLOSE).await;
                }
            });
            tokio::select! {
                _ = poll_fn(|cx| down.poll(cx, scratch, &note)) => {}
                () = silence => {}
            }
        }
        TunnelEnd::Client => {}
        TunnelEnd::Dyno => {
            ended();
            if result.is_ok() {
                let _ = Box::pin(timeout(CLOSES_WITHIN, poll_fn(|cx| up.poll(cx, scratch, &note)))).await;
            }
        }
    }
}

/// From where a piece has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TunnelEnd {
    Client,
    Dyno,
}

/// One direction. Not a chain of futures, because those of an idle tunnel would need most of its memory.
struct OneWay<'a> {
    end: TunnelEnd,
    from: &'a TcpStream,
    to: &'a TcpStream,
    /// What was read and is still to be written.
    unwritten: Vec<u8>,
    /// How many bytes of that are written.
    written: usize,
}

impl OneWay<'_> {
    /// Carries bytes until there are no more, and passes the end on.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &ReadScratch,
        passed: &impl Fn(TunnelEnd, usize),
    ) -> Poll<io::Result<()>> {
        for _ in 0..READS_IN_A_ROW {
            while let Some(rest) = self.unwritten.get(self.written..).filter(|rest| !rest.is_empty()) {
                let count = try_write(self.to, rest)?;
                if count == 0 {
                    ready!(self.to.poll_write_ready(cx))?;
                } else {
                    passed(self.end, count);
                    self.written += count;
                }
            }
            (self.unwritten, self.written) = (Vec::new(), 0);
            ready!(self.from.poll_read_ready(cx))?;
            let piece = scratch.with(PIECE, |buffer| {
                let count = read_arrived(self.from, buffer)?;
                let bytes = buffer.get(..count).unwrap_or_default();
                let written = if bytes.is_empty() { 0 } else { try_write(self.to, bytes)? };
                io::Result::Ok((count, written, bytes.get(written..).unwrap_or_default().to_vec()))
            });
            match piece {
                Ok((0, ..)) => {
                    let _ = shutdown(self.to.as_raw_fd(), Shutdown::Write);
                    return Poll::Ready(Ok(()));
                }
                Ok((_, written, unwritten)) => {
                    passed(self.end, written);
                    self.unwritten = unwritten;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        // Others get a turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Writes everything, however slowly the other end reads.
pub(in crate::runtime) async fn write_all(to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        let written = try_write(to, bytes)?;
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// How many bytes were written; 0 if there is no room.
fn try_write(to: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match to.try_write(bytes) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        written => written,
    }
}
