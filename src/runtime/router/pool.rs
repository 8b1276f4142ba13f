//! The connections to dynos: dialled when needed, and kept for the next request.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use http::HeaderMap;
use hyper::client::conn::http1::{self, SendRequest};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::Router;
use super::dyno_io::{DynoIo, DynoMeter};
use super::read_scratch::ReadScratch;
use super::request_body::RequestBody;
use super::tunnel::DynoParts;
use crate::model::RunId;

/// How long a dyno may take to accept a connection. The platform's number.
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);
/// How long an idle connection is kept. The platform's number.
const IDLE_FOR: Duration = Duration::from_secs(90);
/// The same for one with large buffers.
const GROWN_IDLE_FOR: Duration = Duration::from_secs(2);
/// For how long after its last request a dyno surely keeps a connection.
const SURELY_KEPT: Duration = Duration::from_secs(1);
/// The most connections that are kept for one dyno while no request needs them.
const MOST_IDLE: usize = 64;
/// The same for all dynos.
const MOST_IDLE_IN_ALL: usize = 256;
/// What hyper may buffer of a dyno, and of a body that the dyno does not take. A longer head is refused.
const MOST_BUFFERED: usize = 192 << 10;
/// The most headers of an answer.
const MOST_HEADERS: usize = 1000;

/// A connection to one run.
pub(super) struct DynoConnection {
    pub(super) run: RunId,
    pub(super) sender: SendRequest<RequestBody>,
    pub(super) meter: Rc<DynoMeter>,
    /// When it was used last.
    used: Instant,
    /// How long it is kept after that.
    kept_for: Duration,
}

impl DynoConnection {
    /// Learns from an answer how long the dyno keeps the connection. We close it before that, because a request that meets its
    /// end is lost.
    pub(super) fn learn(&mut self, headers: &HeaderMap) {
        let value = headers.get("keep-alive").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let seconds = value.split(',').find_map(|part| part.trim().strip_prefix("timeout=")?.parse::<u64>().ok());
        if let Some(seconds) = seconds {
            self.kept_for = IDLE_FOR.min(Duration::from_secs(seconds.saturating_sub(1)));
        }
    }

    /// When it is closed if no request needs it.
    pub(super) fn until(&self) -> Instant {
        let most = if self.meter.has_grown.get() { GROWN_IDLE_FOR } else { IDLE_FOR };
        self.used + self.kept_for.min(most)
    }

    fn is_kept(&self, now: Instant) -> bool {
        self.until() > now && !self.sender.is_closed()
    }
}

/// Gives a connection back when the answer is complete.
pub(super) struct DynoLease {
    router: Rc<Router>,
    connection: Option<DynoConnection>,
}

impl DynoLease {
    pub(super) fn new(router: &Rc<Router>, connection: DynoConnection) -> Self {
        Self { router: Rc::clone(router), connection: Some(connection) }
    }
}

impl Drop for DynoLease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.router.keep(connection);
        }
    }
}

/// The connections that no request needs now.
pub(super) struct DynoPool {
    idle: RefCell<HashMap<RunId, Vec<DynoConnection>>>,
    scratch: Rc<ReadScratch>,
}

impl DynoPool {
    pub(super) fn new(scratch: Rc<ReadScratch>) -> Self {
        Self { idle: RefCell::default(), scratch }
    }

    /// A connection on which a request can be sent at once. `is_resent`: whether the request is sent once more if the dyno
    /// closes the connection at that moment.
    pub(super) fn take(&self, run: RunId, is_resent: bool, now: Instant) -> Option<DynoConnection> {
        let mut idle = self.idle.borrow_mut();
        let connections = idle.get_mut(&run)?;
        // From the last one on, which is the most likely to be kept by the dyno.
        for at in (0..connections.len()).rev() {
            let connection = connections.get(at)?;
            let is_kept = connection.is_kept(now);
            let is_sure = is_resent || connection.used + SURELY_KEPT > now;
            if !is_kept || (connection.sender.is_ready() && is_sure) {
                let connection = connections.swap_remove(at);
                if is_kept {
                    return Some(connection);
                }
            }
        }
        None
    }

    /// Keeps a connection for the next request. Returns until when.
    pub(super) fn keep(&self, mut connection: DynoConnection) -> Option<Instant> {
        connection.used = Instant::now();
        let until = connection.until();
        let mut idle = self.idle.borrow_mut();
        if !connection.is_kept(connection.used) || idle.values().map(Vec::len).sum::<usize>() >= MOST_IDLE_IN_ALL {
            return None;
        }
        let connections = idle.entry(connection.run).or_default();
        if connections.len() >= MOST_IDLE {
            return None;
        }
        connections.push(connection);
        Some(until)
    }

    /// Closes the connections that no request has needed for a while, and returns when the next one is due.
    pub(super) fn review(&self, now: Instant) -> Option<Instant> {
        let mut idle = self.idle.borrow_mut();
        for connections in idle.values_mut() {
            connections.retain(|connection| connection.is_kept(now));
        }
        idle.retain(|_, connections| !connections.is_empty());
        idle.values().flatten().map(DynoConnection::until).min()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.idle.borrow().values().map(Vec::len).sum()
    }

    /// Closes the connections to other runs than these.
    pub(super) fn keep_only(&self, mut is_kept: impl FnMut(RunId) -> bool) {
        self.idle.borrow_mut().retain(|run, _| is_kept(*run));
    }

    /// Connects to a run.
    ///
    /// # Errors
    /// `TimedOut` if it did not accept in time, else the reason why the last address was refused.
    pub(super) async fn dial(&self, run: RunId, port: u16) -> io::Result<DynoConnection> {
        let late = |_| io::Error::from(io::ErrorKind::TimedOut);
        let socket = timeout(CONNECTS_WITHIN, connect(port)).await.map_err(late)??;
        // The end of a request must not wait for an acknowledgement.
        let _ = socket.set_nodelay(true);
        let meter = Rc::new(DynoMeter::default());
        let io = DynoIo::new(socket, Rc::clone(&meter), Rc::clone(&self.scratch));
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(MOST_BUFFERED)
            .max_headers(MOST_HEADERS)
            .handshake(io)
            .await
            .map_err(io::Error::other)?;
        let kept = Rc::clone(&meter);
        tokio::task::spawn_local(async move {
            if let Ok(parts) = connection.without_shutdown().await
                && let Some(taker) = kept.takes_over.take()
            {
                let _ = taker.send(DynoParts { socket: parts.io.into_socket(), first: parts.read_buf.to_vec() });
            }
        });
        Ok(DynoConnection { run, sender, meter, used: Instant::now(), kept_for: IDLE_FOR })
    }
}

/// Some servers listen on one of the two only.
async fn connect(port: u16) -> io::Result<TcpStream> {
    let at = async |address: IpAddr| {
        let socket = TcpStream::connect(SocketAddr::new(address, port)).await?;
        // The system may choose the same port for our end, and connect it to itself if nothing listens there.
        let ends = (socket.local_addr(), socket.peer_addr());
        if matches!(ends, (Ok(ours), Ok(other)) if ours == other) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(socket)
    };
    match at(Ipv4Addr::LOCALHOST.into()).await {
        Ok(socket) => Ok(socket),
        Err(refused) => at(Ipv6Addr::LOCALHOST.into()).await.map_err(|_| refused),
    }
}
