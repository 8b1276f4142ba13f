//! Accepts API clients on the socket of this start (S10.3), with limits that a misbehaving client cannot exceed.
//!
//! Each connection carries one request. At most [`MAX_CONNECTIONS`] are open, besides those that wait for dynos; a new
//! one replaces one whose answer has been sent, or else the oldest one whose request has not arrived yet, TCP clients
//! first, so that neither unfinished requests nor strangers keep others out. Not here: what a request means (`api`) and
//! what is done about it (`api_service`).

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::hash::RandomState;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use nix::unistd::geteuid;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::{AbortHandle, JoinSet, yield_now};
use tokio::time::{sleep, timeout};

use super::app_files::AppFiles;
use super::attach::attach_session::AttachSession;
use super::calls::ApiCaller;
use super::changes::Changes;
use super::client_socket::ClientSocket;
use super::client_stream::{ClientStream, ConnectionProgress, gone, interim, whole};
use super::hand_over::receive_connection;
use super::log_archive::LogArchive;
use super::output::at;
use super::{ApiStart, Ending, RegisteredStart, Reload, TlsIdentity};
use crate::api::{ApiError, AppFacts, LastRun, LogSessions, ReloadedFiles};
use crate::guardian::unmap_unchanged_pages;
use crate::supervisor::Snapshot;

/// How long code stays in memory after the start or an answer has used it. It is most of the program, and the page
/// cache still has it when it is needed again.
const MAPPED_FOR: Duration = Duration::from_millis(300);

/// The most connections that are receiving a request or sending an answer.
const MAX_CONNECTIONS: usize = 32;
/// The most connections that wait for dynos or follow the log.
pub(super) const MAX_WAITING: usize = 256;
/// How long a request may take to arrive completely.
const ARRIVES_WITHIN: Duration = Duration::from_secs(5);
/// How long a client may take to close the connection after its answer.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);
/// The most bytes of a request before its body. The platform's client sends up to 7 KB.
const MAX_HEAD: usize = 64 << 10;
/// The pause after the system has refused a connection, for example because too many files are open.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);
/// How long the end of the run waits for clients that take nothing of their answers.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it waits for clients that go on reading.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// What a connection carries after an HTTP exchange.
pub(super) enum ClientSession {
    Attach(Box<AttachSession>),
    HandOver,
}

/// One connection.
pub(super) struct Connection {
    pub(super) progress: Rc<Cell<ConnectionProgress>>,
    pub(super) socket: Rc<ClientSocket>,
    /// Its request has arrived.
    pub(super) arrived: Notify,
    /// Its place is needed.
    replaced: Notify,
    /// What it carries after its answer.
    pub(super) session: RefCell<Option<ClientSession>>,
}

impl Connection {
    /// Sends the client a line before its answer.
    pub(super) fn inform(&self, line: &str) {
        // If there is no room for so few bytes, the client reads nothing anyway.
        let _ = self.socket.try_write(&interim(line));
    }
}

/// Everything that the requests of one start share.
pub(super) struct ApiServer {
    pub(super) app: AppFacts,
    pub(super) registered: RegisteredStart,
    pub(super) reload: Option<Reload>,
    pub(super) calls: ApiCaller,
    pub(super) changes: Rc<Changes>,
    /// Held while the formation and the locks on its process types change.
    pub(super) scaling: Mutex<()>,
    /// Held while the files of the app are read and the release that they describe is passed on.
    pub(super) reading: Mutex<()>,
    /// How many bytes clients have taken.
    pub(super) taken: Rc<Cell<u64>>,
    /// Notified of each release that was accepted.
    pub(super) deployed: Notify,
    /// The release whose files restart process types. The largest number: no files do.
    pub(super) watched_release: watch::Sender<u32>,
    /// The files that decide what runs.
    pub(super) files: watch::Sender<AppFiles>,
    /// The files of the last reload that has succeeded or found nothing different.
    pub(super) reloaded: RefCell<Option<ReloadedFiles>>,
    /// The task that gives up locks on process types as soon as their dynos have ended.
    pub(super) releasing: RefCell<Option<AbortHandle>>,
    pub(super) began: Instant,
    /// The source of the random numbers of one-off dynos.
    pub(super) random: RandomState,
    pub(super) log_sessions: RefCell<LogSessions>,
    pub(super) archive: LogArchive,
    /// Oldest first.
    connections: RefCell<Vec<Rc<Connection>>>,
    /// A connection has ended, or waits for dynos.
    pub(super) has_room: Notify,
    /// The key and certificate for attached one-off dynos. None: such dynos are refused.
    pub(super) tls: Option<Rc<TlsIdentity>>,
    /// How many such dynos there are, and how many of their clients are still to get something.
    pub(super) attached: Rc<Cell<usize>>,
    pub(super) talking: Cell<usize>,
    /// The conversation with such a client is over.
    pub(super) attended: Notify,
}

impl ApiServer {
    /// `calls`: to the run loop.
    pub(super) fn new(start: ApiStart, calls: ApiCaller, archive: LogArchive) -> Rc<Self> {
        Rc::new(Self {
            app: start.facts,
            registered: start.registered,
            reload: start.reload,
            calls,
            changes: Changes::new(),
            scaling: Mutex::default(),
            reading: Mutex::default(),
            taken: Rc::default(),
            deployed: Notify::new(),
            watched_release: watch::Sender::new(u32::MAX),
            files: watch::Sender::new(AppFiles::of_start(start.files)),
            reloaded: RefCell::default(),
            releasing: RefCell::default(),
            began: Instant::now(),
            random: RandomState::new(),
            log_sessions: RefCell::default(),
            archive,
            connections: RefCell::default(),
            has_room: Notify::new(),
            tls: start.tls.map(Rc::new),
            attached: Rc::default(),
            talking: Cell::default(),
            attended: Notify::new(),
        })
    }

    /// Accepts clients until the returned future is dropped; connections end with it.
    pub(super) async fn serve(self: Rc<Self>, listener: UnixListener, tcp: Option<TcpListener>) {
        let mut tasks = JoinSet::new();
        let after_work = || Some(tokio::time::Instant::now() + MAPPED_FOR);
        let mut unmap_at = after_work();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted.map(|(stream, _)| ClientSocket::Unix(stream)),
                accepted = accept(tcp.as_ref()) => accepted.map(ClientSocket::Tcp),
                Some(_) = tasks.join_next() => {
                    unmap_at = after_work();
                    continue;
                }
                () = self.attended.notified() => {
                    unmap_at = after_work();
                    continue;
                }
                () = at(unmap_at) => {
                    if tasks.is_empty() {
                        unmap_unchanged_pages();
                    }
                    unmap_at = None;
                    continue;
                }
            };
            match accepted {
                Ok(socket) if is_allowed(&socket) => {
                    let connection = self.admit(socket).await;
                    tasks.spawn_local(Rc::clone(&self).carry(connection));
                    // Requests that have arrived are read before more clients are accepted.
                    yield_now().await;
                }
                Ok(_) => {}
                Err(_) => sleep(AFTER_REFUSAL).await,
            }
        }
    }

    /// Waits until the answers that were begun are sent, and the last lines of the log, as long as a client goes on reading.
    /// Call it while [`serve`](Self::serve) still runs.
    pub(super) async fn finish(&self) {
        self.archive.close();
        let all_sent = async {
            while self.has_answers() {
                self.has_room.notified().await;
            }
        };
        let mut all_sent = std::pin::pin!(all_sent);
        let until_stalled = async {
            loop {
                let taken = self.taken.get();
                if timeout(PATIENCE, &mut all_sent).await.is_ok() || self.taken.get() == taken {
                    return;
                }
            }
        };
        let _ = timeout(ENDS_WITHIN, until_stalled).await;
    }

    /// Leaves a summary for those who ask about this start after its end. Without room for it there is none.
    pub(super) fn leave_summary(&self, last: &Snapshot, ending: &Ending) {
        self.registered.leave(|start| LastRun {
            reason: ending.reason().map(str::to_owned),
            ..LastRun::new(&self.app, start, last, ending.shell_status(), jiff::Timestamp::now())
        });
    }

    /// Whether an answer is to be sent, or is being sent.
    fn has_answers(&self) -> bool {
        let is_answer = |progress| match progress {
            ConnectionProgress::Answering | ConnectionProgress::Waiting | ConnectionProgress::Streaming => true,
            ConnectionProgress::Receiving | ConnectionProgress::Leaving => false,
        };
        self.talking.get() > 0 || self.connections.borrow().iter().any(|open| is_answer(open.progress.get()))
    }

    /// Makes room for a connection.
    async fn admit(&self, socket: ClientSocket) -> Rc<Connection> {
        let limited = [ConnectionProgress::Receiving, ConnectionProgress::Answering, ConnectionProgress::Leaving];
        while limited.into_iter().map(|progress| self.count(progress)).sum::<usize>() >= MAX_CONNECTIONS {
            // The oldest connection with the lowest rank is replaced.
            let rank = |open: &&Rc<Connection>| match open.progress.get() {
                ConnectionProgress::Leaving => Some(0),
                ConnectionProgress::Receiving => Some(if open.socket.needs_key() { 1 } else { 2 }),
                ConnectionProgress::Answering | ConnectionProgress::Waiting | ConnectionProgress::Streaming => None,
            };
            let connections = self.connections.borrow().clone();
            if let Some(replaced) = connections.iter().filter(|open| rank(open).is_some()).min_by_key(rank) {
                replaced.replaced.notify_one();
            }
            self.has_room.notified().await;
        }
        let progress = Rc::new(Cell::new(ConnectionProgress::Receiving));
        let (arrived, replaced, session) = (Notify::new(), Notify::new(), RefCell::default());
        let connection = Rc::new(Connection { progress, socket: Rc::new(socket), arrived, replaced, session });
        self.connections.borrow_mut().push(Rc::clone(&connection));
        connection
    }

    pub(super) fn count(&self, progress: ConnectionProgress) -> usize {
        self.connections.borrow().iter().filter(|open| open.progress.get() == progress).count()
    }

    /// How many connections may stay open for long.
    pub(super) fn count_waiting(&self) -> usize {
        self.count(ConnectionProgress::Waiting) + self.count(ConnectionProgress::Streaming)
    }

    /// Records that a connection waits for dynos, so that it does not keep others out.
    pub(super) fn wait_apart(&self, connection: &Connection) {
        connection.progress.set(ConnectionProgress::Waiting);
        self.has_room.notify_waiters();
    }

    /// Records that a connection gets the log or a terminal, so that it does not keep others out.
    pub(super) fn stream_apart(&self, connection: &Connection) {
        connection.progress.set(ConnectionProgress::Streaming);
        self.has_room.notify_waiters();
    }

    async fn carry(self: Rc<Self>, connection: Rc<Connection>) {
        let refusal = self.exchange(&connection).await;
        if let Some(refusal) = refusal {
            // If there is no room for so few bytes, the client reads nothing anyway.
            let _ = connection.socket.try_write(&whole(&refusal.answer()));
        }
        let session = connection.session.take();
        if let Some(session) = session {
            self.stream_apart(&connection);
            match session {
                ClientSession::Attach(session) => session.run(&connection.socket).await,
                ClientSession::HandOver => receive_connection(&connection.socket, &self.calls).await,
            }
        }
        connection.progress.set(ConnectionProgress::Leaving);
        self.has_room.notify_waiters();
        tokio::select! {
            biased;
            () = connection.socket.finish() => {}
            () = connection.replaced.notified() => {}
            () = sleep(LEAVES_WITHIN) => {}
        }
        self.connections.borrow_mut().retain(|open| !Rc::ptr_eq(open, &connection));
        self.has_room.notify_waiters();
    }

    /// Receives one request and sends its answer. Returns what to send if the request did not arrive.
    async fn exchange(self: &Rc<Self>, connection: &Rc<Connection>) -> Option<ApiError> {
        let client =
            ClientStream::new(Rc::clone(&connection.socket), Rc::clone(&connection.progress), Rc::clone(&self.taken));
        let service = service_fn(|request| {
            let (server, connection) = (Rc::clone(self), Rc::clone(connection));
            async move { server.respond(request, &connection).await }
        });
        let exchange = http1::Builder::new()
            .keep_alive(false)
            // A client may close its half after the request, and still reads the answer.
            .half_close(true)
            .max_buf_size(MAX_HEAD)
            .auto_date_header(false)
            .serve_connection(client, service);
        let mut exchange = std::pin::pin!(exchange);
        let left = async {
            connection.arrived.notified().await;
            gone(&connection.socket).await;
        };
        let mut left = std::pin::pin!(left);
        let refusal = tokio::select! {
            _ = &mut exchange => return None,
            () = &mut left => return None,
            () = sleep(ARRIVES_WITHIN) => ApiError::too_slow(),
            () = connection.replaced.notified() => ApiError::unavailable("too many clients are connected"),
        };
        if connection.progress.get() == ConnectionProgress::Receiving {
            return Some(refusal);
        }
        tokio::select! {
            _ = exchange => {}
            () = left => {}
        }
        None
    }
}

/// The next client over TCP. Without a listener, this never returns.
async fn accept(listener: Option<&TcpListener>) -> std::io::Result<TcpStream> {
    let Some(listener) = listener else { return std::future::pending().await };
    let (stream, _) = listener.accept().await?;
    // The end of an answer must not wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Whether the client may connect. Over TCP, each request is checked instead.
fn is_allowed(socket: &ClientSocket) -> bool {
    match socket {
        ClientSocket::Unix(stream) => stream.peer_cred().is_ok_and(|peer| peer.uid() == geteuid().as_raw()),
        ClientSocket::Tcp(_) => true,
    }
}
