//! Releases that replace the one that runs: what each must change, and what the log must say.

use super::asked::check_ports;
use super::dyno::{Dyno, Kind};
use super::model::{Model, Verdict};
use super::scenario::{STEP, TYPES};
use super::*;
use crate::app::Formation;

/// A release that a front end asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NewRelease {
    pub(super) has_type: [bool; 3],
    /// Another number is another command.
    pub(super) commands: [u32; 3],
    /// The quantities of the types that are new.
    pub(super) added: [i64; 3],
    pub(super) has_command: bool,
    /// Which of [`ORDERS`] it has. None: that of the first release.
    order: Option<usize>,
}

/// Orders in which the process types of a release may start.
const ORDERS: [&[&str]; 4] =
    [&[], &["web=worker"], &["worker=web", "job=worker:done"], &["web=job:5433", "worker=job:started"]];

impl NewRelease {
    pub(super) fn random(random: &mut Random) -> Self {
        if random.one_in(8) {
            // As the first one, and perhaps the one that runs.
            return Self { added: [1; 3], ..Self::FIRST };
        }
        let mut has_type = [(); 3].map(|()| !random.one_in(4));
        has_type[usize::try_from(random.below(3)).unwrap()] = true;
        Self {
            has_type,
            commands: [(); 3].map(|()| random.one_of(&[0, 0, 1, 2])),
            added: [(); 3].map(|()| i64::try_from(random.below(4)).unwrap()),
            has_command: random.one_in(2),
            order: random.one_in(3).then(|| usize::try_from(random.below(4)).unwrap()),
        }
    }

    /// The first one of a start.
    const FIRST: Self = Self { has_type: [true; 3], commands: [0; 3], added: [0; 3], has_command: true, order: None };

    /// The order in which its process types start. `first`: that of the first release.
    fn order(self, first: &StartOrder) -> StartOrder {
        let parsed = |at: usize| StartOrder::parse(ORDERS[at].iter().copied(), &TYPES.map(process_type)).unwrap();
        self.order.map_or_else(|| first.clone(), parsed)
    }

    pub(super) fn command(self, listeners: &[ProcessType], first: &StartOrder) -> Command {
        let of_type = |place: usize| {
            let (name, number) = (TYPES[place], self.commands[place]);
            let argument = if number == 0 { String::new() } else { format!(" {number}") };
            self.has_type[place].then(|| format!("{name}: ./{name}{argument}\n"))
        };
        let types: String = (0..3).filter_map(of_type).collect();
        let release = if self.has_command { "release: ./release\n" } else { "" };
        let procfile = Procfile::parse(format!("{release}{types}").as_bytes()).unwrap();
        let names = TYPES.map(process_type);
        let dynos: Vec<&ProcessType> = (0..3)
            .flat_map(|place| std::iter::repeat_n(&names[place], usize::try_from(self.added[place]).unwrap()))
            .collect();
        Command::Deploy(Box::new(Deploy {
            release: Release {
                order: self.order(first),
                ..Release::first("local".to_owned(), procfile, Layers::default())
            },
            listeners: Listeners { expected: listeners.to_vec(), ready: listeners.to_vec() },
            added: Formation::counted(&names, dynos.into_iter()),
            runs_release_command: true,
            spare_ports: std::collections::HashMap::new(),
        }))
    }
}

/// A release that was accepted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Accepted {
    version: u32,
    release: NewRelease,
}

/// The releases as the model sees them.
#[derive(Debug, Clone)]
pub(super) struct Deployed {
    /// The one that the formation runs on.
    current: u32,
    running: NewRelease,
    pub(super) has_type: [bool; 3],
    statuses: Vec<ReleaseStatus>,
    pub(super) deploying: Option<Accepted>,
    queued: Option<Accepted>,
    /// What the log must say at the current event.
    must_say: Vec<String>,
    /// The formation may start.
    is_created: bool,
    /// The current event has changed the release that runs.
    pub(super) has_changed: bool,
}

impl Default for Deployed {
    fn default() -> Self {
        Self {
            current: 1,
            running: NewRelease::FIRST,
            has_type: [true; 3],
            statuses: vec![ReleaseStatus::Pending],
            deploying: None,
            queued: None,
            must_say: Vec::new(),
            is_created: false,
            has_changed: false,
        }
    }
}

/// What the log says about a release that replaces another. `first`: the order of the first release.
fn difference(before: NewRelease, after: NewRelease, first: &StartOrder) -> String {
    let command = |of: NewRelease, name: &str| match TYPES.iter().position(|known| *known == name) {
        Some(place) => of.has_type[place].then_some(of.commands[place]),
        None => of.has_command.then_some(0),
    };
    let mut changes = Vec::new();
    for name in ["job", "release", "web", "worker"] {
        match (command(before, name), command(after, name)) {
            (None, Some(_)) => changes.push(format!("+ {name}")),
            (Some(_), None) => changes.push(format!("- {name}")),
            (one, other) if one != other => changes.push(format!("~ {name}")),
            _ => {}
        }
    }
    let mut parts = Vec::new();
    if !changes.is_empty() {
        parts.push(format!("Procfile: {}", changes.join(", ")));
    }
    if before.order(first) != after.order(first) {
        parts.push(".foreman: ~ after".to_owned());
    }
    parts.join("; ")
}

impl Deployed {
    pub(super) fn types(&self) -> Vec<ProcessType> {
        (0..3).filter(|place| self.has_type[*place]).map(|place| process_type(TYPES[place])).collect()
    }

    /// The last release that was accepted and has not turned out yet.
    fn last(&self) -> Option<Accepted> {
        let is_pending = |it: &Accepted| self.statuses[it.version as usize - 1] == ReleaseStatus::Pending;
        self.queued.or(self.deploying.filter(is_pending))
    }

    fn settle(&mut self, version: u32, status: ReleaseStatus) -> bool {
        let known = &mut self.statuses[version as usize - 1];
        let is_pending = *known == ReleaseStatus::Pending;
        if is_pending {
            *known = status;
        }
        is_pending
    }

    pub(super) fn must_say(&mut self, what: impl Into<String>) {
        self.must_say.push(what.into());
    }

    /// What a notice says about a release. None: it is about something else.
    fn said(kind: &NoticeKind) -> Option<String> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "only some notices are about releases")]
        Some(match kind {
            NoticeKind::ReleaseRunning { version, .. } => format!("v{version} runs its command"),
            NoticeKind::OneOffRequested { .. } => "one-off".to_owned(),
            NoticeKind::ReleaseCreated { version, .. } => format!("v{version} created"),
            NoticeKind::ReleaseFailed { version, kept: None, .. } => format!("v{version} failed"),
            NoticeKind::ReleaseFailed { version, kept: Some(kept), .. } => format!("v{version} failed, {kept} kept"),
            NoticeKind::ReleaseStuck { version, kept } => format!("v{version} stuck, {kept} kept"),
            NoticeKind::Deploying { version, .. } => format!("v{version} accepted"),
            _ => return None,
        })
    }
}

impl Model {
    /// False: the notice is not about a release.
    pub(super) fn allow_release_notice(&mut self, kind: &NoticeKind) -> Result<bool, Broken> {
        let Some(said) = Deployed::said(kind) else { return Ok(false) };
        let must_say = &mut self.deployed.must_say;
        let at = must_say.iter().position(|expected| *expected == said);
        must_say.remove(at.ok_or_else(|| format!("the log must not say `{said}`, but {must_say:?}"))?);
        self.deployed.is_created |= matches!(kind, NoticeKind::ReleaseCreated { .. });
        Ok(true)
    }

    pub(super) fn demand_release_notices(&self) -> Result<(), Broken> {
        let missing = &self.deployed.must_say;
        rule!(missing.is_empty(), "the log must say {missing:?}");
        Ok(())
    }

    /// A dyno of the formation starts on the release that was announced, the release command before that.
    pub(super) fn allow_on_release(&self, index: usize) -> Result<(), Broken> {
        let name = &self.dynos[index].name;
        let is_release = self.dynos[index].kind == Kind::Release;
        let is_first = self.deployed.deploying.is_none();
        let is_announced = self.deployed.is_created && !self.deployed.must_say.iter().any(|what| what.ends_with("ted"));
        rule!(!is_release || !is_first || !is_announced, "{name} must start only before `Release created`");
        rule!(is_release || is_announced, "{name} must start only after `Release created`");
        Ok(())
    }

    pub(super) fn compare_releases(&self, snapshot: &Snapshot) -> Result<(), Broken> {
        let current = self.deployed.current;
        rule!(snapshot.release == current, "release {current} must run, not {}", snapshot.release);
        let shown: Vec<_> = snapshot.releases.iter().map(|info| (info.version, info.status)).collect();
        let all: Vec<_> = (1..).zip(self.deployed.statuses.iter().copied()).collect();
        let expected = &all[all.len().saturating_sub(50)..];
        rule!(shown == expected, "the releases must be {expected:?}, not {shown:?}");
        Ok(())
    }

    pub(super) fn begin_first_release(&mut self) {
        if self.gate_open {
            self.create_first_release();
        } else {
            self.deployed.must_say("v1 runs its command");
            self.deployed.must_say("one-off");
        }
    }

    pub(super) fn create_first_release(&mut self) {
        self.deployed.settle(1, ReleaseStatus::Succeeded);
        self.deployed.must_say("v1 created");
    }

    pub(super) fn on_deploy(&mut self, release: NewRelease, now: Now) -> Result<Reply, Refusal> {
        let last = self.deployed.last();
        let before = last.map_or(self.deployed.running, |accepted| accepted.release);
        let difference = difference(before, release, &self.first_order);
        if let (Some(Accepted { version, release }), true) = (last, difference.is_empty()) {
            let difference = self::difference(self.deployed.running, release, &self.first_order);
            return Ok(Reply::Deploying { version, difference });
        }
        if difference.is_empty() {
            return Ok(Reply::Unchanged);
        }
        check_ports(&self.quantities_on(release, &self.quantities))?;
        let is_lost = self.present().any(|dyno| dyno.kind == Kind::Release && dyno.lost);
        if release.has_command && is_lost {
            let why = "one of its processes could not be killed".to_owned();
            return Err(Refusal::Impossible { dyno: dyno("release.1"), why });
        }
        self.deployed.statuses.push(ReleaseStatus::Pending);
        let version = u32::try_from(self.deployed.statuses.len()).unwrap();
        self.deployed.must_say(format!("v{version} accepted"));
        let accepted = Accepted { version, release };
        if self.deployed.deploying.is_none() {
            self.begin_release(accepted, now);
        } else if let Some(replaced) = self.deployed.queued.replace(accepted) {
            self.deployed.settle(replaced.version, ReleaseStatus::Superseded);
        }
        Ok(Reply::Deploying { version, difference })
    }

    /// Whether the releases to come have ports for these quantities.
    pub(super) fn check_later(&self, quantities: &[i64; 3]) -> Result<(), Refusal> {
        let later = self.deployed.deploying.iter().chain(&self.deployed.queued);
        later.map(|later| self.quantities_on(later.release, quantities)).try_for_each(|sum| check_ports(&sum))
    }

    fn quantities_on(&self, release: NewRelease, before: &[i64; 3]) -> [i64; 3] {
        let mut quantities = [0; 3];
        for place in (0..3).filter(|place| release.has_type[*place]) {
            let kept = self.deployed.has_type[place];
            quantities[place] = if kept { before[place] } else { release.added[place] };
        }
        quantities
    }

    fn begin_release(&mut self, accepted: Accepted, now: Now) {
        if !accepted.release.has_command {
            return self.run_on(accepted, now);
        }
        self.deployed.must_say(format!("v{} runs its command", accepted.version));
        self.deployed.must_say("one-off");
        let mut command = Dyno::new(dyno("release.1"), Kind::Release, (usize::MAX, 0), None);
        (command.wanted, command.must_spawn, command.since) = (true, true, now.wall);
        match self.removed.iter().position(|name| *name == command.name) {
            // The last one has just been removed: the log goes on with this one.
            Some(at) => {
                self.removed.remove(at);
                let last = self.dynos.iter_mut().rfind(|dyno| dyno.name == command.name).unwrap();
                command.logged = last.logged;
                *last = command;
            }
            None => self.dynos.push(command),
        }
        self.deployed.deploying = Some(accepted);
    }

    /// A release command has failed.
    pub(super) fn on_release_failed(&mut self, at: usize, exit: ExitStatus) {
        if !self.gate_open {
            if self.cause.is_none() {
                self.deployed.settle(1, ReleaseStatus::Failed);
                self.deployed.must_say("v1 failed");
            }
            return self.stop_for(Outcome::Code(exit.shell_code()));
        }
        let (kept, later) = (self.deployed.current, self.deployed.deploying);
        if let (Some(later), None) = (later, self.cause) {
            self.deployed.settle(later.version, ReleaseStatus::Failed);
            self.deployed.must_say(format!("v{} failed, {kept} kept", later.version));
            (self.dynos[at].leaving, self.dynos[at].wanted) = (true, false);
        }
    }

    /// Nothing of a release command is left.
    pub(super) fn on_release_gone(&mut self, has_succeeded: bool, now: Now) {
        if self.cause.is_some() {
            return;
        }
        if !self.gate_open {
            if has_succeeded {
                self.gate_open = true;
                self.create_first_release();
                self.boot(Kind::Formation);
            }
            return;
        }
        let Some(later) = self.deployed.deploying.take() else { return };
        if !has_succeeded && self.deployed.settle(later.version, ReleaseStatus::Failed) {
            let kept = self.deployed.current;
            self.deployed.must_say(format!("v{} failed, {kept} kept", later.version));
        }
        match self.deployed.queued.take() {
            Some(next) => {
                self.deployed.settle(later.version, ReleaseStatus::Superseded);
                self.begin_release(next, now);
            }
            None if has_succeeded => self.run_on(later, now),
            None => {}
        }
    }

    /// A process of a release command cannot be killed.
    pub(super) fn on_release_lost(&mut self) {
        if !self.gate_open {
            return self.stop_for(Outcome::Code(70));
        }
        if self.cause.is_some() {
            return;
        }
        let kept = self.deployed.current;
        for later in [self.deployed.deploying.take(), self.deployed.queued.take()].into_iter().flatten() {
            if self.deployed.settle(later.version, ReleaseStatus::Failed) {
                self.deployed.must_say(format!("v{} stuck, {kept} kept", later.version));
            }
        }
    }

    fn run_on(&mut self, accepted: Accepted, now: Now) {
        let Accepted { version, release } = accepted;
        let quantities = self.quantities_on(release, &self.quantities);
        let before = std::mem::replace(&mut self.quantities, quantities);
        let had_prerequisites = [0, 1, 2].map(|place| !self.prerequisites(place).is_empty());
        self.order = release.order(&self.first_order);
        self.deployed.settle(version, ReleaseStatus::Succeeded);
        self.deployed.must_say(format!("v{version} created"));
        (self.deployed.current, self.deployed.running) = (version, release);
        (self.deployed.has_type, self.deployed.has_changed) = (release.has_type, true);
        for (place, quantity) in self.quantities.into_iter().enumerate() {
            // Dynos of a type that had nothing to wait for are not held back from now on.
            self.released[place] |= !had_prerequisites[place] && before[place] > 0;
            self.released[place] &= quantity > 0;
        }
        for at in self.in_order().filter(|at| self.dynos[*at].kind == Kind::Formation).collect::<Vec<_>>() {
            let (place, index) = self.dynos[at].key;
            if i64::from(index) <= self.quantities[place] {
                self.renew(at, release.commands[place]);
            } else if !self.dynos[at].leaving {
                self.scale_away(at);
            }
        }
        for place in 0..3 {
            self.add_missing(place, Some(release.commands[place]), true, now);
        }
    }

    fn renew(&mut self, at: usize, command: u32) {
        let differs = std::mem::replace(&mut self.dynos[at].command, command) != command;
        if self.dynos[at].leaving {
            self.bring_back(at, true);
        } else if differs && self.is_replaceable(at) {
            self.replace(at);
        }
    }

    /// The dynos that the quantity of a type requires and that do not exist. `command`: None if they have that of the others.
    pub(super) fn add_missing(&mut self, place: usize, command: Option<u32>, is_running: bool, now: Now) {
        let name = process_type(TYPES[place]);
        let command = command.unwrap_or(self.commands[place]);
        self.commands[place] = command;
        for index in 1..=u32::try_from(self.quantities[place]).unwrap() {
            if self.present().all(|dyno| dyno.key != (place, index)) {
                let awaited = self.ready.contains(&name);
                let mut dyno = Dyno::new(DynoName::new(name.clone(), index), Kind::Formation, (place, index), None);
                dyno.port = Some(5_000 + STEP * u16::try_from(place).unwrap() + u16::try_from(index).unwrap() - 1);
                (dyno.awaited, dyno.wanted, dyno.must_spawn) = (awaited, is_running, is_running);
                (dyno.since, dyno.command) = (now.wall, command);
                self.dynos.push(dyno);
            }
        }
    }

    /// Its run is replaced, or it starts.
    pub(super) fn replace(&mut self, at: usize) {
        self.forget(at);
        let has_run = self.runs.values().any(|run| run.dyno == at);
        let dyno = &mut self.dynos[at];
        (dyno.wanted, dyno.leaving, dyno.retired, dyno.restart_due) = (true, false, false, None);
        (dyno.restarts, dyno.in_a_row, dyno.must_spawn) = (0, (0, Duration::ZERO), !has_run);
        self.end_run(at, Verdict::Replaced, true);
    }
}
