//! The connections to dynos: dialled when needed, and kept for the next request.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use hyper::client::conn::http1::{self, SendRequest};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::dyno_io::{DynoIo, DynoMeter};
use super::read_scratch::ReadScratch;
use super::request_body::RequestBody;
use crate::model::RunId;

/// How long a dyno may take to accept a connection. The platform's number.
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);
/// The most connections that are kept for one dyno while nobody needs them.
const MOST_IDLE: usize = 64;

/// A connection to one run.
pub(super) struct DynoConnection {
    pub(super) run: RunId,
    pub(super) sender: SendRequest<RequestBody>,
    pub(super) meter: Rc<DynoMeter>,
}

/// The connections that nobody needs now.
pub(super) struct DynoPool {
    idle: RefCell<HashMap<RunId, Vec<DynoConnection>>>,
    scratch: Rc<ReadScratch>,
}

impl DynoPool {
    pub(super) fn new(scratch: Rc<ReadScratch>) -> Self {
        Self { idle: RefCell::default(), scratch }
    }

    /// A connection on which a request can be sent at once.
    pub(super) fn take(&self, run: RunId) -> Option<DynoConnection> {
        let mut idle = self.idle.borrow_mut();
        let connections = idle.get_mut(&run)?;
        connections.retain(|connection| !connection.sender.is_closed());
        let at = connections.iter().rposition(|connection| connection.sender.is_ready())?;
        Some(connections.swap_remove(at))
    }

    /// Keeps a connection for the next request.
    pub(super) fn keep(&self, connection: DynoConnection) {
        if connection.sender.is_closed() {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        let connections = idle.entry(connection.run).or_default();
        if connections.len() < MOST_IDLE {
            connections.push(connection);
        }
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
        let (sender, connection) = http1::Builder::new().handshake(io).await.map_err(io::Error::other)?;
        tokio::task::spawn_local(connection);
        Ok(DynoConnection { run, sender, meter })
    }
}

/// Some servers listen on one of the two only.
async fn connect(port: u16) -> io::Result<TcpStream> {
    let at = |address: IpAddr| TcpStream::connect(SocketAddr::new(address, port));
    match at(Ipv4Addr::LOCALHOST.into()).await {
        Ok(socket) => Ok(socket),
        Err(refused) => at(Ipv6Addr::LOCALHOST.into()).await.map_err(|_| refused),
    }
}
