//! A connection that has switched protocols, such as a WebSocket: bytes both ways until both ends are closed.
//!
//! While nothing happens it holds no buffer, so that thousands of idle ones cost little.

use std::cell::Cell;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::{Shutdown, shutdown};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout};

use super::client::ClientConnection;
use super::exchange::OpenExchange;
use super::read_scratch::ReadScratch;
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
/// `passed` learns of each piece that was written, `ended` that the dyno has closed its end.
async fn carry(
    (client, dyno): (&TcpStream, &TcpStream),
    first: (Vec<u8>, Vec<u8>),
    scratch: &ReadScratch,
    passed: impl Fn(TunnelEnd, usize),
    ended: impl Fn(),
) {
    let up = one_way(client, dyno, first.0, scratch, |count| passed(TunnelEnd::Client, count));
    let heard = Cell::new(Instant::now());
    let down = one_way(dyno, client, first.1, scratch, |count| {
        heard.set(Instant::now());
        passed(TunnelEnd::Dyno, count);
    });
    let mut up = std::pin::pin!(up);
    let mut down = std::pin::pin!(down);
    tokio::select! {
        // A client may close its half and wait for what the dyno still has to say.
        sent = &mut up => if sent.is_ok() {
            heard.set(Instant::now());
            let silence = async {
                while heard.get().elapsed() < SILENT_AFTER_CLOSE {
                    sleep_until(heard.get() + SILENT_AFTER_CLOSE).await;
                }
            };
            tokio::select! {
                _ = down => {}
                () = silence => {}
            }
        },
        received = &mut down => {
            ended();
            if received.is_ok() {
                let _ = timeout(CLOSES_WITHIN, up).await;
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

/// Carries bytes in one direction until there are no more, and passes the end on.
async fn one_way(
    from: &TcpStream,
    to: &TcpStream,
    first: Vec<u8>,
    scratch: &ReadScratch,
    passed: impl Fn(usize),
) -> io::Result<()> {
    write_all(to, &first).await?;
    passed(first.len());
    drop(first);
    let mut reads = 0;
    loop {
        from.readable().await?;
        let piece = scratch.with(PIECE, |buffer| {
            let count = from.try_read(buffer)?;
            let bytes = buffer.get(..count).unwrap_or_default();
            let written = if bytes.is_empty() { 0 } else { try_write(to, bytes)? };
            io::Result::Ok((count, bytes.get(written..).unwrap_or_default().to_vec()))
        });
        match piece {
            Ok((0, _)) => {
                let _ = shutdown(to.as_raw_fd(), Shutdown::Write);
                return Ok(());
            }
            Ok((count, rest)) => {
                write_all(to, &rest).await?;
                passed(count);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        reads += 1;
        if reads % READS_IN_A_ROW == 0 {
            yield_now().await;
        }
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
