//! Releases that replace the current one: what each must change, and what the log must say.

use super::dyno::{Dyno, Kind};
use super::model::{Model, Verdict};
use super::new_release::{NewRelease, Program};
use super::scenario::{STEP, TYPES, check_ports};
use super::*;

/// A release that was accepted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Accepted {
    pub(super) version: u32,
    pub(super) release: NewRelease,
}

/// A release as the log of releases shows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) release: NewRelease,
    pub(super) origin: DeployOrigin,
    pub(super) status: ReleaseStatus,
}

/// The releases as the model sees them.
#[derive(Debug, Clone)]
pub(super) struct Deployed {
    /// The one that the formation runs on.
    pub(super) current: u32,
    pub(super) running: NewRelease,
    pub(super) has_type: [bool; 3],
    /// All of them, in order.
    pub(super) releases: Vec<Known>,
    /// What the files said when they were read last.
    pub(super) files: NewRelease,
    pub(super) deploying: Option<Accepted>,
    queued: Option<Accepted>,
    /// What the log must say at the current event.
    must_say: Vec<String>,
    /// The formation may start.
    is_created: bool,
    /// The current event has changed the current release.
    pub(super) has_changed: bool,
    /// The release that ran after the last event.
    pub(super) last_current: u32,
}

impl Deployed {
    pub(super) fn new(first: NewRelease) -> Self {
        Self {
            current: 1,
            running: first,
            has_type: first.has_type,
            releases: vec![Known { release: first, origin: DeployOrigin::Files, status: ReleaseStatus::Pending }],
            files: first,
            deploying: None,
            queued: None,
            must_say: Vec::new(),
            is_created: false,
            has_changed: false,
            last_current: 1,
        }
    }

    pub(super) fn types(&self) -> Vec<ProcessType> {
        (0..3).filter(|place| self.has_type[*place]).map(|place| process_type(TYPES[place])).collect()
    }

    /// The last release that was accepted and has not turned out yet.
    pub(super) fn last(&self) -> Option<Accepted> {
        let is_pending = |it: &Accepted| self.releases[it.version as usize - 1].status == ReleaseStatus::Pending;
        self.queued.or(self.deploying.filter(is_pending))
    }

    fn settle(&mut self, version: u32, status: ReleaseStatus) -> bool {
        let known = &mut self.releases[version as usize - 1].status;
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
            NoticeKind::Deploying { version, description: None, .. } => format!("v{version} accepted"),
            NoticeKind::Deploying { version, description: Some(what), .. } => format!("v{version} accepted: {what}"),
            NoticeKind::ReleaseDescribed { description, .. } => description.clone(),
            NoticeKind::RolledBack { to, files } => format!("v{to} runs, not {}", files.join(" or ")),
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

    /// Checks a dyno that starts: one of the formation must start after its release was announced, and the release
    /// command before that.
    pub(super) fn allow_on_release(&self, index: usize) -> Result<(), Broken> {
        let name = &self.dynos[index].name;
        let is_release = self.dynos[index].kind == Kind::Release;
        let is_first = self.deployed.deploying.is_none();
        let is_announced = self.deployed.is_created && !self.deployed.must_say.iter().any(|what| what.ends_with("ted"));
        rule!(!is_release || !is_first || !is_announced, "{name} must start only before `Release created`");
        rule!(is_release || is_announced, "{name} must start only after `Release created`");
        Ok(())
    }

    pub(super) fn compare_releases(&mut self, snapshot: &Snapshot) -> Result<(), Broken> {
        let current = self.deployed.current;
        rule!(snapshot.release == current, "release {current} must run, not {}", snapshot.release);
        let shown: Vec<_> = snapshot.releases.iter().map(|info| (info.version, info.status)).collect();
        let expected: Vec<_> = (1..).zip(self.deployed.releases.iter().map(|known| known.status)).collect();
        rule!(shown == expected, "the releases must be {expected:?}, not {shown:?}");
        self.deployed.compare_infos(snapshot)
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

    pub(super) fn on_deploy(&mut self, release: NewRelease, origin: DeployOrigin, now: Now) -> Result<Reply, Refusal> {
        if self.deployed.keeps_rollback(release, origin) {
            return Ok(Reply::Unchanged);
        }
        let reply = self.replace_release(release, origin, now)?;
        match origin {
            DeployOrigin::Files | DeployOrigin::SavedFile => self.deployed.files = release,
            DeployOrigin::Rollback { .. } => {}
        }
        Ok(reply)
    }

    fn replace_release(&mut self, release: NewRelease, origin: DeployOrigin, now: Now) -> Result<Reply, Refusal> {
        let last = self.deployed.last();
        let before = last.map_or(self.deployed.running, |accepted| accepted.release);
        let difference = before.difference(release);
        if let (Some(Accepted { version, release }), true) = (last, difference.is_empty()) {
            return Ok(Reply::Deploying { version, difference: self.deployed.running.difference(release) });
        }
        if difference.is_empty() {
            return Ok(Reply::Unchanged);
        }
        check_ports(&self.quantities_on(release, &self.quantities))?;
        let is_lost = self.present().any(|dyno| dyno.kind == Kind::Release && dyno.lost);
        if release.has_command && release.runs_command && is_lost {
            let why = "one of its processes could not be killed".to_owned();
            return Err(Refusal::Impossible { dyno: dyno("release.1"), why });
        }
        self.deployed.releases.push(Known { release, origin, status: ReleaseStatus::Pending });
        let version = u32::try_from(self.deployed.releases.len()).unwrap();
        match origin {
            DeployOrigin::Files | DeployOrigin::SavedFile => {
                self.deployed.must_say(format!("v{version} accepted"));
                if let Some(description) = before.config_change(release) {
                    self.deployed.must_say(description);
                }
            }
            DeployOrigin::Rollback { to } => {
                self.deployed.must_say(format!("v{version} accepted: Rollback to v{to}"));
                self.deployed.must_say(format!("Rollback to v{to}"));
            }
        }
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
        if !accepted.release.has_command || !accepted.release.runs_command {
            return self.run_on(accepted, now);
        }
        self.deployed.must_say(format!("v{} runs its command", accepted.version));
        self.deployed.must_say("one-off");
        let mut command = Dyno::new(dyno("release.1"), Kind::Release, (usize::MAX, 0), None);
        (command.wanted, command.must_spawn, command.since) = (true, true, now.wall);
        match self.removed.iter().position(|name| *name == command.name) {
            // The last release command has just been removed: in the log, this one continues its state.
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
        self.order = release.order.start_order();
        self.deployed.settle(version, ReleaseStatus::Succeeded);
        self.deployed.must_say(format!("v{version} created"));
        (self.deployed.current, self.deployed.running) = (version, release);
        (self.deployed.has_type, self.deployed.has_changed) = (release.has_type, true);
        self.deployed.must_say_rolled_back();
        for (place, quantity) in self.quantities.into_iter().enumerate() {
            // Dynos of a type that had nothing to wait for are not held back from now on.
            self.released[place] |= !had_prerequisites[place] && before[place] > 0;
            self.released[place] &= quantity > 0;
        }
        for at in self.in_order().filter(|at| self.dynos[*at].kind == Kind::Formation).collect::<Vec<_>>() {
            let (place, index) = self.dynos[at].key;
            if i64::from(index) <= self.quantities[place] {
                self.renew(at, release.program(place));
            } else if !self.dynos[at].leaving {
                self.scale_away(at);
            }
        }
        for place in 0..3 {
            self.add_missing(place, Some(release.program(place)), true, now);
        }
    }

    fn renew(&mut self, at: usize, program: Program) {
        let differs = std::mem::replace(&mut self.dynos[at].program, program) != program;
        if self.dynos[at].leaving {
            self.bring_back(at, true);
        } else if differs && self.is_replaceable(at) {
            self.replace(at);
        }
    }

    /// The dynos that the quantity of a type requires and that do not exist. `program`: None if they have that of the others.
    pub(super) fn add_missing(&mut self, place: usize, program: Option<Program>, is_running: bool, now: Now) {
        let name = process_type(TYPES[place]);
        let program = program.unwrap_or(self.programs[place]);
        self.programs[place] = program;
        for index in 1..=u32::try_from(self.quantities[place]).unwrap() {
            if self.present().all(|dyno| dyno.key != (place, index)) {
                let awaited = self.ready.contains(&name);
                let mut dyno = Dyno::new(DynoName::new(name.clone(), index), Kind::Formation, (place, index), None);
                dyno.port = Some(5_000 + STEP * u16::try_from(place).unwrap() + u16::try_from(index).unwrap() - 1);
                (dyno.awaited, dyno.wanted, dyno.must_spawn) = (awaited, is_running, is_running);
                (dyno.since, dyno.program) = (now.wall, program);
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
