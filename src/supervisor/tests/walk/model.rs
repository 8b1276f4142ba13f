//! What the supervisor can know, and what it must do about it: a second, independent statement of the rules.

use std::collections::{BTreeMap, BTreeSet};

use super::asked::Ask;
use super::deployed::Deployed;
use super::dyno::{Dyno, Kind};
use super::new_release::{NewRelease, Program};
use super::scenario::TYPES;
use super::*;

const KEYPRESS: Duration = Duration::from_millis(300);

/// What has been reported about a run so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Ordered,
    Leader(i32),
    Group,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Requested,
    /// Requested, and the dyno starts again at once.
    Replaced,
    Done,
    Crashed(ExitStatus),
}

#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) dyno: usize,
    pub(super) seen: Seen,
    /// When it came up.
    pub(super) up: Option<Duration>,
    pub(super) verdict: Option<Verdict>,
    pub(super) shown: PublicState,
    pub(super) stopped: bool,
    pub(super) killed: bool,
    pub(super) boot_due: Option<Duration>,
    /// When it gets its stop signal, although it may still have requests.
    pub(super) drain_due: Option<Duration>,
    /// When the remaining processes get the stop signal.
    pub(super) rest_due: Option<Duration>,
    pub(super) kill_due: Option<Duration>,
    pub(super) answer_due: Option<Duration>,
    /// The ports that its processes listen on.
    pub(super) listens: Vec<u16>,
    /// When the log says that it uses a port other than its own.
    pub(super) line_due: Option<Duration>,
    /// The log has said where it listens.
    pub(super) has_line: bool,
}

/// What the supervisor must and must not do.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each read by one rule")]
pub(super) struct Model {
    pub(super) policy: Policy,
    /// Which process types start after others on the release that runs.
    pub(super) order: StartOrder,
    /// The types that are up once they listen, and answer if they must.
    pub(super) ready: Vec<ProcessType>,
    pub(super) dynos: Vec<Dyno>,
    /// Runs that, as far as the supervisor knows, still have processes.
    pub(super) runs: BTreeMap<RunId, Run>,
    /// Runs with a process that cannot be killed, and the dyno of each.
    pub(super) lost_runs: BTreeMap<RunId, usize>,
    pub(super) last_run: u64,
    pub(super) booted: bool,
    pub(super) gate_open: bool,
    pub(super) cause: Option<Outcome>,
    /// When it began to stop everything.
    pub(super) stopping_since: Option<Duration>,
    /// When the dynos that have not ended are named.
    pub(super) report_due: Option<Duration>,
    pub(super) may_kill: bool,
    /// Whether a Ctrl-C was passed to a dyno, with no other key since.
    interrupted: bool,
    /// The run that must get the current Ctrl-C.
    pub(super) must_pass: Option<RunId>,
    pub(super) announced: BTreeSet<&'static str>,
    /// The dynos that were allowed to exit and did so with a status other than 0.
    pub(super) failures: Vec<(usize, ExitStatus)>,
    /// The dynos that are crashed for good, by their index.
    pub(super) given_up: Vec<(usize, ExitStatus)>,
    /// How many dynos of each type there should be.
    pub(super) quantities: [i64; 3],
    /// What each type runs.
    pub(super) programs: [Program; 3],
    pub(super) deployed: Deployed,
    /// The types whose dynos do not wait for others any more.
    pub(super) released: [bool; 3],
    /// When the log says what the dynos of a type wait for.
    pub(super) wait_due: [Option<Duration>; 3],
    /// The run that must get a line with its address at the current event.
    pub(super) must_show: Option<RunId>,
    /// The reply that the current request must get.
    pub(super) must_reply: Option<(RequestId, Result<Reply, Refusal>)>,
    /// The dynos that were removed at the current event.
    pub(super) removed: Vec<DynoName>,
    pub(super) lost: bool,
    pub(super) over: bool,
}

impl Model {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let release =
            scenario.plan.release.iter().map(|spec| Dyno::new(spec.dyno.clone(), Kind::Release, (usize::MAX, 0), None));
        let formation = scenario.plan.formation.iter().map(|spec| {
            let place = TYPES.iter().position(|name| *name == spec.dyno.process_type.as_str()).unwrap();
            let mut dyno = Dyno::new(spec.dyno.clone(), Kind::Formation, (place, spec.dyno.index), spec.port);
            dyno.awaited = spec.readiness != Readiness::Runs;
            dyno
        });
        let count =
            |name: &str| scenario.plan.formation.iter().filter(|spec| spec.dyno.process_type.as_str() == name).count();
        let quantities = TYPES.map(|name| i64::try_from(count(name)).unwrap());
        Self {
            policy: scenario.policy.clone(),
            order: scenario.plan.blueprint.release().order.clone(),
            ready: scenario.ready.clone(),
            dynos: release.chain(formation).collect(),
            runs: BTreeMap::new(),
            lost_runs: BTreeMap::new(),
            last_run: 0,
            booted: false,
            gate_open: scenario.plan.release.is_none(),
            cause: None,
            stopping_since: None,
            report_due: None,
            may_kill: false,
            interrupted: false,
            must_pass: None,
            announced: BTreeSet::new(),
            failures: Vec::new(),
            given_up: Vec::new(),
            quantities,
            programs: [Program::default(); 3],
            deployed: Deployed::new(NewRelease::first(quantities, scenario.plan.release.is_some(), scenario.order)),
            released: [false; 3],
            wait_due: [None; 3],
            must_show: None,
            must_reply: None,
            removed: Vec::new(),
            lost: false,
            over: false,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn present(&self) -> impl Iterator<Item = &Dyno> {
        self.dynos.iter().filter(|dyno| dyno.present)
    }

    /// The dynos that exist, in start order.
    pub(super) fn in_order(&self) -> impl Iterator<Item = usize> + use<> {
        let mut order: Vec<_> = self.dynos.iter().enumerate().filter(|(_, dyno)| dyno.present).collect();
        order.sort_by_key(|(_, dyno)| (dyno.kind != Kind::Release, dyno.key));
        order.into_iter().map(|(index, _)| index).collect::<Vec<_>>().into_iter()
    }

    /// A dyno that exists, or was removed at the current event.
    pub(super) fn index_of(&self, name: &DynoName) -> Result<usize, Broken> {
        let exists = |dyno: &Dyno| dyno.present || self.removed.contains(name);
        let index = self.dynos.iter().rposition(|dyno| dyno.name == *name && exists(dyno));
        index.ok_or_else(|| format!("{name} does not exist"))
    }

    /// Whether a process that cannot be killed holds this port.
    pub(super) fn is_port_lost(&self, port: Option<u16>) -> bool {
        port.is_some() && self.lost_runs.values().any(|at| self.dynos[*at].port == port)
    }

    pub(super) fn remove(&mut self, at: usize) {
        self.dynos[at].present = false;
        self.removed.push(self.dynos[at].name.clone());
    }

    /// Updates the model with an event. True if the event is the first report of a leader's exit.
    pub(super) fn update(&mut self, event: &Event, ask: Option<Ask>, now: Now) -> bool {
        let mono = now.mono;
        match event {
            Event::Boot if !self.booted && self.cause.is_none() => {
                self.booted = true;
                self.begin_first_release();
                self.boot(if self.gate_open { Kind::Formation } else { Kind::Release });
            }
            Event::Request { id, command } => {
                let reply = self.on_request(ask, command, now);
                self.must_reply = Some((*id, reply));
            }
            Event::Boot
            | Event::Tick
            | Event::ListensElsewhere { .. }
            | Event::Run(_, RunReport::LeftBehind { .. })
            | Event::NeedsKeyboard { .. }
            | Event::Routed { .. }
            | Event::Drained { .. }
            | Event::NotAnswering { .. } => {}
            Event::Listens { run, at } => self.on_listens(*run, at, mono),
            Event::Run(run, RunReport::Spawned { pid }) => self.on_spawned(*run, *pid, mono),
            Event::Ready { run, .. } => {
                if let Some(run) = self.runs.get_mut(run).filter(|run| run.seen != Seen::Group && run.verdict.is_none())
                {
                    run.up = run.up.or(Some(mono));
                    run.boot_due = None;
                }
            }
            Event::NotReady { run, .. } => {
                let is_booting = |run: &&mut Run| matches!(run.seen, Seen::Leader(_)) && run.verdict.is_none();
                if let Some(run) = self.runs.get_mut(run).filter(is_booting) {
                    run.up = run.up.or(Some(mono).filter(|_| run.boot_due.is_none()));
                }
            }
            Event::Run(run, RunReport::SpawnFailed(_)) => self.on_end(*run, code(126), now, true),
            Event::Run(run, RunReport::Exited { exit, .. }) => {
                let is_new = self.runs.get(run).is_some_and(|run| run.seen != Seen::Group);
                self.on_end(*run, *exit, now, false);
                return is_new;
            }
            Event::Run(run, RunReport::Gone) => self.on_gone(*run, now),
            Event::Run(run, RunReport::Unkillable { .. }) => self.on_lost(*run),
            Event::Signal(signal) => self.on_signal(*signal, mono),
            Event::Key { key: Key::Other, .. } => self.interrupted = false,
            Event::Key { run, key: Key::Interrupt } => self.on_interrupt(*run, mono),
            Event::OutputLost(OutputLoss::Closed) => self.stop_for(Outcome::Code(141)),
            Event::OutputLost(OutputLoss::Failed) => self.stop_for(Outcome::Code(74)),
            Event::Resumed { paused_for } => {
                let runs = self.runs.values_mut();
                let dues = runs.flat_map(|run| {
                    [
                        &mut run.boot_due,
                        &mut run.drain_due,
                        &mut run.rest_due,
                        &mut run.kill_due,
                        &mut run.answer_due,
                        &mut run.line_due,
                        &mut run.up,
                    ]
                });
                let restarts = self.dynos.iter_mut().map(|dyno| &mut dyno.restart_due);
                let all = dues
                    .chain(restarts)
                    .chain(&mut self.wait_due)
                    .chain([&mut self.stopping_since, &mut self.report_due]);
                all.flatten().for_each(|due| *due += *paused_for);
            }
        }
        false
    }

    pub(super) fn boot(&mut self, kind: Kind) {
        for dyno in self.dynos.iter_mut().filter(|dyno| dyno.present && dyno.kind == kind) {
            (dyno.wanted, dyno.must_spawn) = (true, true);
        }
    }

    fn on_spawned(&mut self, id: RunId, pid: i32, mono: Duration) {
        let Some(run) = self.runs.get_mut(&id).filter(|run| run.seen == Seen::Ordered) else { return };
        run.seen = Seen::Leader(pid);
        if run.verdict.is_none() {
            run.up = Some(mono).filter(|_| !self.dynos[run.dyno].awaited);
            run.boot_due = self.policy.boot_timeout.filter(|_| run.up.is_none()).map(|limit| mono + limit);
        }
    }

    fn on_end(&mut self, id: RunId, exit: ExitStatus, now: Now, nothing_left: bool) {
        let Some(run) = self.runs.get_mut(&id).filter(|run| run.seen != Seen::Group) else { return };
        run.seen = Seen::Group;
        run.boot_due = None;
        self.dynos[run.dyno].last_exit = Some(exit);
        if run.verdict.is_none() {
            self.judge(id, exit, now.mono);
        }
        if nothing_left {
            self.on_gone(id, now);
        }
    }

    fn on_gone(&mut self, id: RunId, now: Now) {
        if let Some(at) = self.lost_runs.remove(&id) {
            self.dynos[at].lost = false;
            if self.dynos[at].leaving || self.dynos[at].kind != Kind::Formation {
                self.remove(at);
            }
        }
        let Some(run) = self.runs.get(&id) else { return };
        if run.seen != Seen::Group && run.verdict.is_none() {
            return self.on_end(id, killed_by(9), now, true);
        }
        let Some(run) = self.runs.remove(&id) else { return };
        let stopping = self.cause.is_some();
        let dyno = &mut self.dynos[run.dyno];
        dyno.without_run = PublicState::Down;
        dyno.last_verdict = run.verdict;
        match run.verdict {
            Some(Verdict::Crashed(_)) if dyno.leaving => {}
            Some(Verdict::Crashed(exit)) => {
                dyno.without_run = PublicState::Crashed;
                dyno.must_decide = Some(exit).filter(|_| !stopping && dyno.wanted);
            }
            Some(Verdict::Replaced) => dyno.must_spawn = dyno.wanted,
            Some(Verdict::Done | Verdict::Requested) | None => {}
        }
        let kind = self.dynos[run.dyno].kind;
        if self.dynos[run.dyno].leaving {
            self.remove(run.dyno);
        }
        if kind == Kind::Release {
            self.on_release_gone(run.verdict == Some(Verdict::Done), now);
        }
    }

    fn on_lost(&mut self, id: RunId) {
        let Some(run) = self.runs.remove(&id) else { return };
        self.lost_runs.insert(id, run.dyno);
        let dyno = &mut self.dynos[run.dyno];
        dyno.without_run = PublicState::Crashed;
        dyno.last_verdict = Some(Verdict::Requested);
        (dyno.retired, dyno.lost, dyno.wanted) = (true, true, false);
        self.lost = true;
        if dyno.kind == Kind::Release {
            self.on_release_lost();
        }
    }

    fn on_signal(&mut self, signal: UserSignal, mono: Duration) {
        match signal {
            UserSignal::Int | UserSignal::Term | UserSignal::Hup => {
                let same_key = self.stopping_since.is_some_and(|at| mono < at + KEYPRESS);
                self.may_kill = self.cause.is_some() && !same_key;
                self.stop_for(Outcome::Signal(signal));
            }
            UserSignal::Quit => {
                self.may_kill = true;
                self.stop_for(Outcome::Signal(signal));
            }
            UserSignal::Tstp | UserSignal::Usr1 | UserSignal::Usr2 => {}
        }
    }

    /// S6.8: the first Ctrl-C in a row goes to the dyno if it is not being stopped; any other stops everything.
    fn on_interrupt(&mut self, id: RunId, mono: Duration) {
        let accepts_keys = |run: &Run| matches!(run.seen, Seen::Leader(_)) && run.verdict.is_none();
        if !self.interrupted && self.runs.get(&id).is_some_and(accepts_keys) {
            self.interrupted = true;
            self.must_pass = Some(id);
        } else {
            self.on_signal(UserSignal::Int, mono);
        }
    }

    /// The first cause wins.
    pub(super) fn stop_for(&mut self, outcome: Outcome) {
        if self.cause.is_some() {
            return;
        }
        self.cause = Some(outcome);
        for run in self.runs.values_mut().filter(|run| run.verdict == Some(Verdict::Replaced)) {
            (run.verdict, run.shown) = (Some(Verdict::Requested), PublicState::Down);
        }
        for dyno in &mut self.dynos {
            (dyno.wanted, dyno.must_spawn) = (false, false);
            dyno.must_decide = None;
            if dyno.restart_due.take().is_some() {
                dyno.without_run = PublicState::Down;
            }
        }
    }
}
