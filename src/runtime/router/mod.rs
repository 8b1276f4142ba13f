//! The router: one HTTP address for the dynos (S16).
//!
//! Carries bytes and decides nothing: which dyno gets a request, what its headers become and which error answers it are
//! decided in [`crate::routing`]. Reads the state of the dynos only as the run loop publishes it, so a request costs no round
//! trip through the loop.
//!
//! A client is a [`client`] with a [`client_io`] between its socket and hyper. Each of its requests is an [`exchange`]:
//! [`answer`] finds a dyno for it, with a connection of the [`pool`], and sends the answer as an [`answer_body`]. After a
//! `101` the connection is a [`tunnel`]. [`deadlines`] has the only timer. A connection without a request has no buffers, and
//! [`after_load`] gives the memory back that many requests have needed.

mod accept;
mod after_load;
mod answer;
mod answer_body;
mod answer_extent;
mod client;
mod client_io;
mod deadlines;
mod drains;
mod dyno_io;
mod exchange;
mod interim;
mod later;
mod pages;
mod pool;
mod read_scratch;
mod request_body;
mod router_log;
mod shortage;
#[cfg(test)]
mod tests;
mod trials;
mod tunnel;
mod wish;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

pub(super) use self::accept::most_clients;
use self::after_load::AfterLoad;
use self::client::ClientConnection;
use self::deadlines::{ReviewTime, Roster};
use self::drains::Drains;
use self::exchange::Exchange;
pub(super) use self::later::LaterRouter;
pub(super) use self::pages::date;
use self::pool::{DynoConnection, DynoPool};
use self::read_scratch::ReadScratch;
use self::router_log::RouterLog;
use self::shortage::Shortage;
use self::trials::Trials;
pub(super) use self::tunnel::write_all;
pub(super) use self::wish::RouterWish;
use super::log_archive::LogArchive;
use super::log_hub::LogHub;
use crate::guardian::keep_free_memory;
use crate::model::{ProcessType, RunId};
use crate::routing::{
    BackendState, Backends, Choice, ChoiceInput, HCode, KnownApp, Quarantine, RequestRules, RouteTarget, RouterEntry,
    RouterRules, ServedTypes,
};
use crate::supervisor::Snapshot;

/// How long the end of the run waits for answers that clients are still reading.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// The pause between two looks whether they are.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What a router needs to begin.
pub struct RouterStart {
    /// The sockets that clients connect to. None: the router begins with the first connection that the front door hands over.
    pub listeners: Vec<std::net::TcpListener>,
    /// What the options decide.
    pub rules: RouterRules,
}

/// What all connections of one router share.
pub(super) struct Router {
    rules: RouterRules,
    request_rules: RequestRules,
    web: ProcessType,
    /// The last state that was published.
    snapshot: RefCell<Snapshot>,
    /// The dynos of each process type, as that state has them.
    backends: RefCell<HashMap<ProcessType, Backends>>,
    /// The app with the names that it has on a port of its own.
    app: RefCell<KnownApp>,
    /// The app with the names that it has at the front door: those of all types.
    named: RefCell<KnownApp>,
    served: RefCell<ServedTypes>,
    /// They have changed.
    changed: Notify,
    /// How many requests wait for a dyno.
    held: Cell<usize>,
    /// The first request waits, or the last one does not any more.
    interest_changed: Notify,
    quarantine: RefCell<Quarantine>,
    trials: Trials,
    pool: DynoPool,
    drains: Rc<Drains>,
    clients: Roster<ClientConnection>,
    exchanges: Roster<Exchange>,
    deadline: ReviewTime,
    after_load: AfterLoad,
    /// A client has left.
    has_room: Notify,
    shortage: Shortage,
    scratch: Rc<ReadScratch>,
    log: RouterLog,
    archive: Option<LogArchive>,
    began: Instant,
    /// How long `dyno` was suspended since then: no limit counts that time (S12.2).
    paused: Cell<Duration>,
    random: (RandomState, Cell<u64>),
    /// What listens for clients.
    accepting: RefCell<JoinSet<()>>,
    connections: RefCell<JoinSet<()>>,
    /// A connection has begun.
    has_client: Notify,
    tasks: RefCell<JoinSet<()>>,
}

impl Router {
    /// Begins to accept clients.
    ///
    /// # Errors
    /// The event queue does not take one of the listeners.
    pub(super) fn begin(start: RouterStart, hub: LogHub, archive: Option<LogArchive>) -> std::io::Result<Rc<Self>> {
        keep_free_memory();
        let scratch = Rc::new(ReadScratch::default());
        let RouterStart { listeners, rules } = start;
        let web = ProcessType::new(ProcessType::WEB).map_err(std::io::Error::other)?;
        let app = KnownApp { name: rules.app.clone(), types: Vec::new(), hosts: rules.hosts.clone() };
        let router = Rc::new(Self {
            request_rules: RequestRules::new(&rules),
            rules,
            web,
            snapshot: RefCell::default(),
            backends: RefCell::default(),
            named: RefCell::new(app.clone()),
            app: RefCell::new(app),
            served: RefCell::default(),
            changed: Notify::new(),
            held: Cell::default(),
            interest_changed: Notify::new(),
            quarantine: RefCell::default(),
            trials: Trials::default(),
            pool: DynoPool::new(Rc::clone(&scratch)),
            drains: Rc::default(),
            clients: Roster::default(),
            exchanges: Roster::default(),
            deadline: ReviewTime::default(),
            after_load: AfterLoad::default(),
            has_room: Notify::new(),
            shortage: Shortage::default(),
            scratch,
            log: RouterLog::new(hub),
            archive,
            began: Instant::now(),
            paused: Cell::default(),
            random: (RandomState::new(), Cell::default()),
            accepting: RefCell::default(),
            connections: RefCell::default(),
            has_client: Notify::new(),
            tasks: RefCell::default(),
        });
        let (mut accepting, mut tasks) = (JoinSet::new(), JoinSet::new());
        for listener in listeners {
            listener.set_nonblocking(true)?;
            accepting.spawn_local(Rc::clone(&router).accept(TcpListener::from_std(listener)?));
        }
        let (logging, timing) = (Rc::clone(&router), Rc::clone(&router));
        tasks.spawn_local(async move { logging.log.carry().await });
        tasks.spawn_local(async move { timing.deadline.keep(|now| timing.review(now)).await });
        accepting.spawn_local(Rc::clone(&router).forget_ended());
        *router.accepting.borrow_mut() = accepting;
        *router.tasks.borrow_mut() = tasks;
        Ok(router)
    }

    /// Learns the state of the dynos.
    pub(super) fn publish(&self, snapshot: Snapshot) {
        let types = self.served.borrow_mut().learn(&snapshot);
        let of_type = |process_type: &ProcessType| (process_type.clone(), Backends::new(&snapshot, process_type));
        let named = ServedTypes::named(&snapshot);
        let backends: HashMap<ProcessType, Backends> = named.iter().chain([&self.web]).map(of_type).collect();
        self.app.borrow_mut().types = types;
        self.named.borrow_mut().types = named;
        if *self.backends.borrow() != backends {
            // A dyno that is leaving gets no more requests.
            let gets_requests = |run: RunId| {
                let mut all = backends.values().flat_map(|backends| &backends.0);
                all.any(|backend| backend.run == run.0 && backend.state == BackendState::Up)
            };
            self.pool.keep_only(gets_requests);
            *self.backends.borrow_mut() = backends;
            self.changed.notify_waiters();
        }
        *self.snapshot.borrow_mut() = snapshot;
    }

    /// A stop waits until this run has no requests; [`RouterWish::Stop`] then says so.
    pub(super) fn drain(&self, run: RunId) {
        self.drains.ask(run);
    }

    /// Whether requests wait for dynos, so that it matters when those listen (S6.2).
    pub(super) fn has_waiting(&self) -> bool {
        self.held.get() > 0
    }

    /// Counts a request that waits, until the value is dropped.
    fn hold(&self) -> HeldRequest<'_> {
        self.count_held(self.held.get() + 1);
        HeldRequest(self)
    }

    fn count_held(&self, count: usize) {
        let before = self.held.replace(count);
        if (before == 0) != (count == 0) {
            self.interest_changed.notify_one();
        }
    }

    /// Waits a moment for answers that clients are still reading, but not longer than for `gives_up`, then closes all
    /// connections.
    pub(super) async fn finish(&self, gives_up: impl Future<Output = ()>) {
        take_tasks(&self.accepting).shutdown().await;
        let all_answered = async {
            while self.exchanges.len() > 0 || self.clients.any(ClientConnection::has_unwritten) {
                sleep(LOOK_AGAIN).await;
            }
        };
        tokio::select! {
            _ = timeout(ENDS_WITHIN, all_answered) => {}
            () = gives_up => {}
        }
        // First, because a connection that is closed looks like one whose client has gone.
        self.exchanges.each(Exchange::end_with_run);
        take_tasks(&self.connections).shutdown().await;
        take_tasks(&self.tasks).shutdown().await;
        self.log.flush();
    }

    /// Does what is due for all connections, and returns when the next thing is.
    fn review(&self, now: Instant) -> Option<Instant> {
        let connections = [self.exchanges.review(now), self.clients.review(now), self.pool.review(now)];
        connections.into_iter().chain([self.after_load.review(now)]).flatten().min()
    }

    /// Keeps a connection to a dyno for the next request.
    fn keep(&self, connection: DynoConnection) {
        let backends = self.backends.borrow();
        let mut all = backends.values().flat_map(|backends| &backends.0);
        if all.any(|backend| backend.run == connection.run.0 && backend.state == BackendState::Up)
            && let Some(until) = self.pool.keep(connection)
        {
            self.deadline.arm(until);
        }
    }

    /// The time on the clock of the decisions.
    fn now(&self) -> Duration {
        self.time(Instant::now())
    }

    fn time(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.began).saturating_sub(self.paused.get())
    }

    /// When that clock has this time.
    fn instant(&self, time: Duration) -> Instant {
        self.began + self.paused.get() + time
    }

    /// `dyno` was suspended: what is due comes as much later.
    pub(super) fn postpone(&self, paused_for: Duration) {
        self.paused.set(self.paused.get() + paused_for);
        self.clients.each(|client| client.postpone(paused_for));
    }

    fn choose(&self, input: &ChoiceInput, target: &RouteTarget, now: Duration) -> Choice {
        let backends = self.backends.borrow();
        let Some(found) = backends.get(self.type_of(target)) else { return Choice::Refuse(HCode::H14) };
        found.choose(input, &self.quarantine.borrow(), &self.rules, now, self.random())
    }

    /// How many requests the dynos have that a request may be for, if that matters.
    fn in_flight(&self, target: &RouteTarget) -> usize {
        if !self.rules.is_platform {
            return 0;
        }
        let backends = self.backends.borrow();
        let of_type = backends.get(self.type_of(target)).into_iter().flat_map(|backends| &backends.0);
        of_type.map(|backend| self.drains.of(RunId(backend.run))).sum()
    }

    /// Whether the dynos of a type that a request names do not listen, as far as is known.
    fn is_not_served(&self, target: &RouteTarget, input: &ChoiceInput) -> bool {
        let RouteTarget::Type { process_type, .. } = target else { return false };
        !self.served.borrow().is_meant(process_type, self.backends.borrow().get(process_type), &input.all_tried())
    }

    /// The process type that a request is for.
    fn type_of<'a>(&'a self, target: &'a RouteTarget) -> &'a ProcessType {
        match target {
            RouteTarget::Type { process_type, .. } => process_type,
            RouteTarget::Web { .. } | RouteTarget::AppList | RouteTarget::UnknownName(_) | RouteTarget::Misdirected => {
                &self.web
            }
        }
    }

    fn random(&self) -> u64 {
        let (state, count) = &self.random;
        count.set(count.get().wrapping_add(1));
        state.hash_one(count.get())
    }

    /// From now on, clients that read the log find the lines of all requests that were answered.
    pub(super) fn settle_log(&self) {
        self.log.keep();
    }

    /// Writes the line of a request.
    fn write(&self, entry: &RouterEntry) {
        self.log.line(&if self.rules.writes_platform_lines { entry.platform() } else { entry.text() });
    }
}

fn take_tasks(tasks: &RefCell<JoinSet<()>>) -> JoinSet<()> {
    std::mem::take(&mut *tasks.borrow_mut())
}

/// A request that waits for a dyno.
struct HeldRequest<'a>(&'a Router);

impl Drop for HeldRequest<'_> {
    fn drop(&mut self) {
        self.0.count_held(self.0.held.get().saturating_sub(1));
    }
}
