//! The router: one HTTP address for all web dynos (S16).
//!
//! Carries bytes and decides nothing: which dyno gets a request, what its headers become and which error answers it are
//! decided in [`crate::routing`]. Reads the state of the dynos only as the run loop publishes it, so a request costs no round
//! trip through the loop.

mod client_io;
mod dyno_io;
mod exchange;
mod pool;
mod read_scratch;
mod request_body;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep;

use self::client_io::{ClientConnection, ClientIo};
use self::pool::DynoPool;
use self::read_scratch::ReadScratch;
use crate::model::{ProcessType, RunId};
use crate::routing::RouterRules;
use crate::supervisor::{LifeStage, Snapshot};

/// The pause after the system has refused a connection, for example because too many files are open.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);

/// What a router needs to begin.
pub struct RouterStart {
    /// The sockets that clients connect to. They do not block.
    pub listeners: Vec<std::net::TcpListener>,
    /// What the options decide.
    pub rules: RouterRules,
}

/// A run of a web dyno that gets requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reachable {
    run: RunId,
    port: u16,
}

/// What all connections of one router share.
pub(super) struct Router {
    rules: RouterRules,
    reachable: RefCell<Vec<Reachable>>,
    /// The state of the dynos has changed.
    changed: Notify,
    pool: DynoPool,
    scratch: Rc<ReadScratch>,
}

impl Router {
    /// Begins to accept clients, until the run ends.
    ///
    /// # Errors
    /// The event queue does not take one of the listeners.
    pub(super) fn begin(start: RouterStart) -> std::io::Result<Rc<Self>> {
        let scratch = Rc::new(ReadScratch::default());
        let router = Rc::new(Self {
            rules: start.rules,
            reachable: RefCell::default(),
            changed: Notify::new(),
            pool: DynoPool::new(Rc::clone(&scratch)),
            scratch,
        });
        for listener in start.listeners {
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            tokio::task::spawn_local(Rc::clone(&router).accept(listener));
        }
        Ok(router)
    }

    /// Learns the state of the dynos.
    pub(super) fn publish(&self, snapshot: &Snapshot) {
        let is_web = |name: &ProcessType| name.as_str() == ProcessType::WEB;
        let up = snapshot.rows.iter().filter(|row| is_web(&row.dyno.process_type) && row.life.stage == LifeStage::Up);
        let reachable: Vec<Reachable> =
            up.filter_map(|row| Some(Reachable { run: RunId(row.run), port: row.port? })).collect();
        if *self.reachable.borrow() != reachable {
            self.pool.keep_only(|run| reachable.iter().any(|known| known.run == run));
            *self.reachable.borrow_mut() = reachable;
            self.changed.notify_waiters();
        }
    }

    async fn accept(self: Rc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((socket, _)) => {
                        connections.spawn_local(Rc::clone(&self).serve(socket));
                        // Requests that have arrived are read before more clients are accepted.
                        yield_now().await;
                    }
                    Err(_) => sleep(AFTER_REFUSAL).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn serve(self: Rc<Self>, socket: TcpStream) {
        // The end of an answer must not wait for an acknowledgement.
        let _ = socket.set_nodelay(true);
        let connection = Rc::new(ClientConnection::new(socket, Rc::clone(&self.scratch)));
        let service = service_fn(|request| {
            let (router, connection) = (Rc::clone(&self), Rc::clone(&connection));
            async move { router.answer(request, &connection).await }
        });
        // An error has ended the connection; there is nobody to tell.
        let _ = http1::Builder::new().serve_connection(ClientIo::new(Rc::clone(&connection)), service).await;
    }
}
