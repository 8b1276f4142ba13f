//! Finds out when a run is up: watches whether it listens on its port, and then whether it answers over HTTP (S6.2).
//!
//! Any listening socket on the port means that the run listens, unless the socket existed before the run was spawned. It
//! does not matter which process holds it: `docker-proxy` and `sudo` listen for a dyno without being its children. Called
//! by `run_loop`; does nothing while no run is expected to listen.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::sleep_until;

use super::http_probe::probe_until_accepted;
use super::listen_watch::ListenWatch;
use super::listening::{Listener, answers_at, inodes, listeners, newer};
use super::ports::can_be_bound;
use crate::model::{DynoName, DynoSpec, HttpCheck, Readiness, RunId, RunReport, is_loopback_only};
use crate::supervisor::{Event, HttpAnswer, ListenInterest};

/// Pause after the first check. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// Longest pause between two checks.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How long to watch a run, unless its boot timeout is longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run that has not yet been seen to listen, or to answer, as expected.
struct Watch {
    dyno: DynoName,
    port: u16,
    check: Option<Arc<HttpCheck>>,
    /// Sockets that listened on the port before the run was spawned.
    older: BTreeSet<u64>,
    began: Instant,
    pause: Duration,
    /// The next check. None: nothing depends on it, the run has not been spawned, or only its answer is missing.
    next: Option<Instant>,
    is_spawned: bool,
    /// Whether the run is not up until then. If false, it is watched only while a client waits for its dyno.
    is_awaited: bool,
    /// Whether a client waits for its dyno.
    is_observed: bool,
    /// Set once it listens and must answer.
    probe: Option<Probe>,
}

/// The HTTP requests to a run that listens.
struct Probe {
    task: AbortHandle,
    loopback_only: bool,
}

/// An answer over HTTP, and the address that it came from.
#[derive(Debug, Clone, Copy)]
struct ProbeAnswer {
    run: RunId,
    address: IpAddr,
    answer: HttpAnswer,
}

/// The runs that do not listen or answer as expected yet, and where all runs listen.
pub(super) struct ReadinessProbes {
    watches: HashMap<RunId, Watch>,
    /// Every run that may still have processes.
    sockets: HashMap<RunId, ListenWatch>,
    patience: Duration,
    /// Unbounded is safe: a probe sends only changes, at most a few a second.
    sender: UnboundedSender<ProbeAnswer>,
    answers: UnboundedReceiver<ProbeAnswer>,
}

impl ReadinessProbes {
    /// `boot_timeout`: how long a run may take. Each run is watched for at least that long.
    pub(super) fn new(boot_timeout: Option<Duration>) -> Self {
        // Beyond the boot timeout, because a run that begins to listen just before it is still in time.
        let patience = boot_timeout.map_or(PATIENCE, |limit| PATIENCE.max(limit.saturating_add(LONGEST_PAUSE)));
        let (sender, answers) = unbounded_channel();
        Self { watches: HashMap::new(), sockets: HashMap::new(), patience, sender, answers }
    }

    /// Moves all deadlines by the time during which we and the dynos were stopped.
    pub(super) fn postpone(&mut self, by: Duration) {
        for watch in self.watches.values_mut() {
            watch.began += by;
            watch.next = watch.next.map(|next| next + by);
        }
        self.sockets.values_mut().for_each(|watch| watch.postpone(by));
    }

    /// Remembers which sockets listen before a run is spawned. `awaited_ports`: the ports on which other dynos wait for it.
    pub(super) fn before_spawn(&mut self, run: RunId, spec: &DynoSpec, awaited_ports: Vec<u16>) {
        let ports: Vec<u16> = awaited_ports.into_iter().chain(spec.expected_port).collect();
        // The tables also hold every connection of the machine, and most ports are free.
        let taken = ports.iter().filter(|port| !can_be_bound(**port));
        let older: BTreeSet<u64> = taken.flat_map(|port| inodes(*port)).collect();
        self.sockets.insert(run, ListenWatch::new(ports, older.clone(), Instant::now()));
        let Some(port) = spec.expected_port else { return };
        let watch = Watch {
            dyno: spec.dyno.clone(),
            port,
            check: spec.readiness.check().cloned(),
            older,
            began: Instant::now(),
            pause: FIRST_PAUSE,
            next: None,
            is_spawned: false,
            is_awaited: spec.readiness != Readiness::Runs,
            is_observed: false,
            probe: None,
        };
        self.watches.insert(run, watch);
    }

    /// Begins to watch a run when it was spawned, and stops when it has ended, however that is reported.
    pub(super) fn follow(&mut self, run: RunId, report: &RunReport) {
        match report {
            RunReport::Spawned { pid } => self.begin(run, *pid),
            // A run that is gone may never have been reported as exited.
            RunReport::SpawnFailed(_) | RunReport::Exited { .. } | RunReport::Gone => self.forget(run),
            RunReport::LeftBehind { .. } | RunReport::Unkillable { .. } => {}
        }
    }

    /// A run was spawned: begins to watch it if anything depends on that.
    fn begin(&mut self, run: RunId, leader: i32) {
        if let Some(watch) = self.sockets.get_mut(&run) {
            watch.begin(leader, Instant::now());
        }
        if let Some(watch) = self.watches.get_mut(&run) {
            watch.is_spawned = true;
            watch.began = Instant::now();
            watch.next = watch.is_needed().then(|| watch.began + watch.pause);
        }
    }

    /// Watches each run that has not been seen listening, as long as a client waits for its dyno (S6.2), and finds out
    /// where a run listens, while something depends on that. It looks for no other reason, because a look at the tables
    /// of sockets takes milliseconds on a machine with many connections.
    pub(super) fn observe(
        &mut self,
        is_observed: impl Fn(&DynoName) -> bool,
        interest: impl Fn(RunId) -> ListenInterest,
        now: Instant,
    ) {
        for (run, watch) in &mut self.sockets {
            watch.observe(interest(*run), now);
        }
        for watch in self.watches.values_mut() {
            let is_observed = is_observed(&watch.dyno);
            if std::mem::replace(&mut watch.is_observed, is_observed) == is_observed {
                continue;
            }
            if is_observed {
                watch.wake(now);
            } else {
                watch.rest_if_not_needed();
            }
        }
    }

    /// Stops watching a run.
    pub(super) fn forget(&mut self, run: RunId) {
        self.watches.remove(&run);
        self.sockets.remove(&run);
    }

    /// Waits until something has changed. Cancel safe.
    pub(super) async fn next(&mut self) -> Vec<Event> {
        let next_check = self.next_check();
        tokio::select! {
            Some(answered) = self.answers.recv() => self.judge(answered).into_iter().collect(),
            () = async {
                match next_check {
                    Some(next) => sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            } => self.check(Instant::now()),
        }
    }

    /// Checks every watched run now, because a decision depends on it.
    pub(super) fn look_at_once(&mut self) -> Vec<Event> {
        let now = Instant::now();
        for next in self.watches.values_mut().filter_map(|watch| watch.next.as_mut()) {
            *next = now.min(*next);
        }
        self.sockets.values_mut().for_each(|watch| watch.hurry(now));
        let mut seen = self.check(now);
        while let Ok(answered) = self.answers.try_recv() {
            seen.extend(self.judge(answered));
        }
        seen
    }

    /// When to check again. None if no run is being watched.
    fn next_check(&self) -> Option<Instant> {
        let of_sockets = self.sockets.values().filter_map(ListenWatch::next);
        self.watches.values().filter_map(|watch| watch.next).chain(of_sockets).min()
    }

    /// Checks the runs that are due.
    fn check(&mut self, now: Instant) -> Vec<Event> {
        if self.next_check().is_none_or(|next| next > now) {
            return Vec::new();
        }
        let listeners = listeners();
        let looks = self.sockets.iter_mut().filter_map(|(run, watch)| watch.look(*run, &listeners, now));
        let (mut seen, mut over): (Vec<Event>, Vec<RunId>) = (looks.collect(), Vec::new());
        for (run, watch) in &mut self.watches {
            if watch.next.is_none_or(|next| next > now) {
                continue;
            }
            let listens = if watch.probe.is_none() { watch.listens_at(&listeners) } else { None };
            match (listens, &watch.check) {
                (Some((address, loopback_only)), None) => {
                    over.push(*run);
                    seen.push(Event::Ready { run: *run, address, loopback_only });
                }
                (Some((_, loopback_only)), Some(check)) => {
                    let task =
                        begin_probe(*run, Arc::clone(check), watch.port, watch.older.clone(), self.sender.clone());
                    watch.probe = Some(Probe { task, loopback_only });
                    seen.push(Event::NotAnswering { run: *run, answer: None });
                }
                (None, _) if watch.is_awaited && watch.began + self.patience <= now => {
                    // A client may wait for it later.
                    watch.is_awaited = false;
                    watch.rest_if_not_needed();
                    seen.push(Event::NotReady { run: *run, after: self.patience });
                }
                (None, _) => {}
            }
            watch.pause = (2 * watch.pause).min(LONGEST_PAUSE);
            watch.next = match (watch.is_awaited, watch.probe.is_some()) {
                // The answers arrive by themselves.
                (true, true) => Some(watch.began + self.patience),
                (false, true) => None,
                (_, false) => watch.is_needed().then(|| now + watch.pause),
            };
        }
        for run in over {
            self.watches.remove(&run);
        }
        seen
    }

    /// What an answer means. None: its run is not watched any more.
    fn judge(&mut self, answered: ProbeAnswer) -> Option<Event> {
        let ProbeAnswer { run, address, answer } = answered;
        let watch = self.watches.get(&run)?;
        let (check, probe) = (watch.check.as_ref()?, watch.probe.as_ref()?);
        match answer {
            HttpAnswer::Status(status) if check.accepts(status) => {
                let loopback_only = probe.loopback_only;
                self.watches.remove(&run);
                Some(Event::Ready { run, address, loopback_only })
            }
            HttpAnswer::Status(_) | HttpAnswer::None(_) => Some(Event::NotAnswering { run, answer: Some(answer) }),
        }
    }
}

impl Watch {
    /// Makes a check due now, unless one is scheduled.
    fn wake(&mut self, now: Instant) {
        if self.is_spawned && self.next.is_none() {
            self.pause = FIRST_PAUSE;
            self.next = Some(now);
        }
    }

    /// Whether something depends on it.
    fn is_needed(&self) -> bool {
        self.is_awaited || self.is_observed
    }

    /// Stops checking it, unless something depends on it.
    fn rest_if_not_needed(&mut self) {
        if !self.is_needed() {
            (self.next, self.probe) = (None, None);
        }
    }

    /// The address at which the run can be reached, and whether it listens on loopback addresses only. None: it does not
    /// listen.
    fn listens_at(&self, listeners: &[Listener]) -> Option<(IpAddr, bool)> {
        let own = newer(listeners, self.port, &self.older);
        let addresses: Vec<IpAddr> = own.iter().map(|socket| socket.address).collect();
        Some((*answers_at(&own).first()?, is_loopback_only(&addresses)))
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn begin_probe(
    run: RunId,
    check: Arc<HttpCheck>,
    port: u16,
    older: BTreeSet<u64>,
    sender: UnboundedSender<ProbeAnswer>,
) -> AbortHandle {
    let pass_on = move |address, answer| {
        // The receiver is gone only at the end.
        let _ = sender.send(ProbeAnswer { run, address, answer });
    };
    spawn_local(probe_until_accepted(check, port, older, pass_on)).abort_handle()
}

#[cfg(test)]
mod tests;
