//! The front door: one port for all apps of this user (S16.7).
//!
//! The data of requests and answers does not pass through it. It accepts a connection, reads the head of its first request, finds
//! the start that is meant among those that run now, and hands the connection over to it ([`handing`]). What it answers itself
//! is an [`answer`]. It keeps no list, so it is never out of date, and it does not wake up while no client connects. [`name`]
//! makes it known to other `dyno` processes.

mod answer;
mod handing;
mod name;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::{JoinSet, LocalSet, yield_now};
use tokio::time::{sleep, timeout};

use self::answer::FrontAnswer;
use self::handing::HandedOver;
use super::RuntimeDirectory;
use super::client_socket::discard_rest;
use super::hand_over::MOST_FIRST_BYTES;
use super::router::{most_clients, write_all};
use crate::api::{StartDescription, StartKind};
use crate::model::ProcessType;
use crate::routing::{
    FirstRequest, FrontDoorApp, FrontDoorPage, HeadLimits, KnownApp, Rejection, RequestGuard, RouteTarget,
    front_door_route,
};

pub use self::name::FrontDoorName;

/// How long the head of the first request may take to arrive (S16.7).
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// How long a client may take to read an answer, and to close the connection after it.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);
/// How long a connection waits until others were handed over to the same start.
const TURN_WITHIN: Duration = Duration::from_secs(30);
/// The pause after the system has refused a connection, for example because too many files are open.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);
/// Bytes per read.
const READ_BYTES: usize = 16 << 10;
/// How many connections are handed over to one start at the same time. It has room for more, and needs some for others.
const AT_ONCE: usize = 8;

/// Lists all apps, for the page of the front door.
pub type ListsApps = dyn Fn() -> Vec<FrontDoorApp> + Send + Sync;

/// What a front door needs.
pub struct FrontDoorStart {
    /// The sockets that clients connect to.
    pub listeners: Vec<std::net::TcpListener>,
    /// Lists the apps. It may wait for them.
    pub list: Arc<ListsApps>,
}

/// A front door that runs.
struct FrontDoor {
    list: Arc<ListsApps>,
    connections: Cell<usize>,
    has_room: Notify,
    /// The turns of each start that something is handed over to now, by its session.
    turns: RefCell<HashMap<String, Rc<Semaphore>>>,
}

/// One connection, which is counted.
struct Seat(Rc<FrontDoor>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get().saturating_sub(1));
        self.0.has_room.notify_waiters();
    }
}

/// Serves clients until a signal ends this process.
///
/// # Errors
/// The system refused the event queue.
pub fn run_front_door(start: FrontDoorStart) -> io::Result<Infallible> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    LocalSet::new().block_on(&tokio, async {
        let front = Rc::new(FrontDoor {
            list: start.list,
            connections: Cell::default(),
            has_room: Notify::new(),
            turns: RefCell::default(),
        });
        for listener in start.listeners {
            listener.set_nonblocking(true)?;
            tokio::task::spawn_local(Rc::clone(&front).accept(TcpListener::from_std(listener)?));
        }
        std::future::pending().await
    })
}

/// The first bytes of a connection: at least one whole head.
struct FirstBytes {
    bytes: Vec<u8>,
    request: FirstRequest,
}

/// Why a connection is not handed over.
enum NoHead {
    /// The client has gone without a request.
    Gone,
    Refused(Rejection),
}

impl From<Rejection> for NoHead {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection)
    }
}

impl FrontDoor {
    async fn accept(self: Rc<Self>, listener: TcpListener) {
        let most = most_clients();
        let mut connections = JoinSet::new();
        loop {
            let has_room = self.has_room.notified();
            if self.connections.get() >= most {
                has_room.await;
                continue;
            }
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((socket, _)) => {
                        self.connections.set(self.connections.get() + 1);
                        connections.spawn_local(Self::serve(Seat(Rc::clone(&self)), socket));
                        // Requests that have arrived are read before more clients are accepted.
                        yield_now().await;
                    }
                    Err(_) => sleep(AFTER_REFUSAL).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn serve(seat: Seat, socket: TcpStream) {
        let mut bytes = Vec::new();
        let answer = match timeout(HEAD_WITHIN, read_head(&socket, &mut bytes)).await {
            Ok(Ok(request)) => match seat.0.pass_on(&socket, FirstBytes { bytes, request }).await {
                Some(answer) => answer,
                None => return,
            },
            Ok(Err(NoHead::Refused(rejection))) => FrontAnswer::rejected(rejection),
            Err(_) if !bytes.is_empty() => FrontAnswer::slow_head(),
            // A browser has opened it in advance.
            Err(_) | Ok(Err(NoHead::Gone)) => return,
        };
        let leave = async {
            let _ = write_all(&socket, &answer.bytes()).await;
            discard_rest(&socket).await;
        };
        let _ = timeout(LEAVES_WITHIN, leave).await;
    }

    /// Hands a connection over to the start that is meant. Returns what the client gets otherwise.
    async fn pass_on(&self, socket: &TcpStream, first: FirstBytes) -> Option<FrontAnswer> {
        let is_head = first.request.is_head;
        let answer = match meant(&first.request) {
            Meant::Start(directory, start) => match self.hand_over(&directory, &start, socket, &first.bytes).await {
                HandedOver::Taken => return None,
                HandedOver::Gone => self.list(Some(start.app.clone()), &first.request).await,
                HandedOver::Late => {
                    let (app, pid) = (&start.app, start.pid);
                    FrontAnswer::unavailable(&format!(
                        "`{app}` did not answer in time: its `dyno` (pid {pid}) is busy or suspended; \
                         `kill -CONT {pid}` continues a suspended one"
                    ))
                }
                HandedOver::Refused(why) => FrontAnswer::unavailable(&why),
            },
            Meant::List => self.list(None, &first.request).await,
            Meant::Unknown(name) => self.list(Some(name), &first.request).await,
            Meant::Nothing => FrontAnswer::rejected(Rejection::NotLocal),
        };
        Some(if is_head { answer.without_body() } else { answer })
    }

    async fn hand_over(
        &self,
        directory: &RuntimeDirectory,
        start: &StartDescription,
        socket: &TcpStream,
        bytes: &[u8],
    ) -> HandedOver {
        let turns = Rc::clone(
            self.turns.borrow_mut().entry(start.session.clone()).or_insert_with(|| Rc::new(Semaphore::new(AT_ONCE))),
        );
        let handed = match timeout(TURN_WITHIN, turns.acquire()).await {
            Ok(Ok(_turn)) => handing::hand_over(directory, start, socket, bytes).await,
            Ok(Err(_)) | Err(_) => HandedOver::Late,
        };
        drop(turns);
        self.turns.borrow_mut().retain(|_, turns| Rc::strong_count(turns) > 1);
        handed
    }

    /// The page with all apps. `missing`: the name that no app has.
    async fn list(&self, missing: Option<String>, request: &FirstRequest) -> FrontAnswer {
        let list = Arc::clone(&self.list);
        // In another thread, because it waits for the apps.
        let apps = tokio::task::spawn_blocking(move || list()).await.unwrap_or_default();
        FrontAnswer::list(&FrontDoorPage { missing, apps }, request.wants_json)
    }
}

/// Reads until the first head is complete.
async fn read_head(socket: &TcpStream, bytes: &mut Vec<u8>) -> Result<FirstRequest, NoHead> {
    let mut guard = RequestGuard::new(HeadLimits::new(false));
    loop {
        socket.readable().await.map_err(|_| NoHead::Gone)?;
        let mut piece = [0; READ_BYTES];
        let count = match socket.try_read(&mut piece) {
            Ok(0) => return Err(NoHead::Gone),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(_) => return Err(NoHead::Gone),
        };
        let piece = piece.get(..count).unwrap_or_default();
        bytes.extend_from_slice(piece);
        let guarded = guard.feed(piece);
        // What comes after the first head is judged by the app's own router.
        if guard.heads() > 0 {
            debug_assert!(bytes.len() <= MOST_FIRST_BYTES, "the guard limits heads");
            return Ok(FirstRequest::parse(bytes)?);
        }
        if let Some(rejection) = guarded.refusal {
            return Err(rejection.into());
        }
    }
}

/// What a request is for.
enum Meant {
    Start(RuntimeDirectory, Box<StartDescription>),
    List,
    Unknown(String),
    Nothing,
}

/// Finds what a request is for among the starts that run now.
fn meant(request: &FirstRequest) -> Meant {
    let directory = RuntimeDirectory::open_existing().ok().flatten();
    let mut starts = directory.as_ref().and_then(|found| found.starts().ok()).unwrap_or_default().starts;
    starts.retain(|start| start.kind != StartKind::Smoke);
    let runs_web = |start: &StartDescription| start.types.iter().any(|name| name == ProcessType::WEB);
    starts.sort_by_key(|start| (!runs_web(start), !start.kind.is_exclusive(), start.started_at_ms, start.pid));
    let apps: Vec<KnownApp> = starts.iter().map(known).collect();
    match front_door_route(&request.host, &apps) {
        RouteTarget::Web { app } | RouteTarget::Type { app, .. } => match (directory, starts.into_iter().nth(app)) {
            (Some(directory), Some(start)) => Meant::Start(directory, Box::new(start)),
            _ => Meant::Nothing,
        },
        RouteTarget::AppList => Meant::List,
        RouteTarget::UnknownName(name) => Meant::Unknown(name),
        RouteTarget::Misdirected => Meant::Nothing,
    }
}

fn known(start: &StartDescription) -> KnownApp {
    let types = start.types.iter().filter(|name| *name != ProcessType::WEB);
    let types = types.filter_map(|name| ProcessType::new(name).ok()).collect();
    KnownApp { name: start.app.clone(), types, hosts: Vec::new() }
}
