//! Commands at any moment: what each must change, and the reply that it must get.

use super::dyno::{Dyno, Kind};
use super::model::{Model, Seen, Verdict};
use super::new_release::NewRelease;
use super::scenario::{TYPES, check_ports};
use super::*;
use crate::app::{MAX_QUANTITY, Scale};

/// A command. Picks select among what exists at that moment; a pick beyond the process types names an unknown one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ask {
    Scale {
        pick: usize,
        scale: Scale,
        other: Option<(usize, Scale)>,
    },
    Restart(Which),
    Stop(Which),
    RunOneOff,
    /// A one-off dyno with a complete specification.
    Run,
    /// None: what the files said last.
    Deploy {
        release: Option<NewRelease>,
        origin: DeployOrigin,
    },
    Rollback {
        pick: usize,
        elsewhere: usize,
    },
    Refresh(usize),
    Shutdown,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    All,
    Type(usize),
    Dyno(usize),
    /// The dyno that comes last, often a one-off dyno.
    Last,
}

impl Ask {
    pub(super) fn random(random: &mut Random) -> Self {
        let pick = |random: &mut Random| usize::try_from(random.below(64)).unwrap();
        match random.below(24) {
            20.. => Self::of_release(random),
            0..7 => {
                let scale = |random: &mut Random| match random.below(40) {
                    0 => Scale::Up(MAX_QUANTITY + 1),
                    1..16 => Scale::To(random.one_of(&[0, 1, 2, 3])),
                    16..28 => Scale::Up(1),
                    _ => Scale::Down(1),
                };
                let first = pick(random);
                // Each type occurs once.
                let other = random.one_in(3).then(|| (first + 1, scale(random)));
                Self::Scale { pick: first, scale: scale(random), other }
            }
            7..13 => match Which::random(random, pick) {
                Which::Type(pick) if pick % 2 == 0 => Self::Refresh(pick),
                which @ (Which::All | Which::Type(_) | Which::Dyno(_) | Which::Last) => Self::Restart(which),
            },
            13..16 => Self::Stop(Which::random(random, pick)),
            16 if random.one_in(8) => Self::Shutdown,
            16 => Self::Run,
            _ => Self::RunOneOff,
        }
    }

    pub(super) fn of_release(random: &mut Random) -> Self {
        let pick = |random: &mut Random| usize::try_from(random.below(64)).unwrap();
        if random.one_in(3) {
            return Self::Rollback { pick: pick(random), elsewhere: pick(random) };
        }
        let release = (!random.one_in(4)).then(|| NewRelease::random(random));
        Self::Deploy { release, origin: random.one_of(&[DeployOrigin::Files, DeployOrigin::SavedFile]) }
    }

    pub(super) fn command(self, model: &Model) -> Command {
        match self {
            Self::Scale { pick, scale, other } => {
                let changes = [Some((pick, scale)), other].into_iter().flatten();
                Command::Scale(changes.map(|(pick, scale)| (type_at(pick), scale)).collect())
            }
            Self::Restart(which) => Command::Restart(which.target(model), None),
            Self::Stop(which) => Command::Stop(which.target(model), None),
            Self::Run => Command::Run(spec("run.7")),
            Self::Deploy { release, origin } => release.unwrap_or(model.deployed.files).command(&model.ready, origin),
            Self::Rollback { pick, elsewhere } => model.some_rollback(pick, elsewhere),
            Self::Refresh(pick) => {
                Command::Refresh { process_type: type_at(pick), first: "app.rb".to_owned(), more: 0 }
            }
            Self::Shutdown => Command::Shutdown { after: None },
            Self::RunOneOff => Command::RunOneOff { number: 4711, one_off: OneOff::detached(b"rake jobs".to_vec()) },
        }
    }
}

impl Which {
    fn random(random: &mut Random, pick: impl Fn(&mut Random) -> usize) -> Self {
        match random.below(20) {
            0 => Self::All,
            1..5 => Self::Type(pick(random)),
            5..9 => Self::Last,
            _ => Self::Dyno(pick(random)),
        }
    }

    fn target(self, model: &Model) -> Target {
        let names: Vec<DynoName> = model.in_order().map(|at| model.dynos[at].name.clone()).collect();
        let at_place = |at: usize| Target::Dyno(names.get(at).cloned().unwrap_or_else(|| dyno("web.99")));
        match self {
            Self::All => Target::All,
            Self::Type(pick) => Target::Type(type_at(pick)),
            Self::Dyno(pick) => at_place(pick % (names.len() + 1)),
            Self::Last => at_place(names.len().saturating_sub(1)),
        }
    }
}

fn type_at(pick: usize) -> ProcessType {
    // Rarely a type that does not exist.
    process_type(if pick == 63 { "wbe" } else { TYPES[pick % TYPES.len()] })
}

impl Model {
    /// Changes what a command must change, and returns the reply that it must get.
    pub(super) fn on_request(&mut self, ask: Option<Ask>, command: &Command, now: Now) -> Result<Reply, Refusal> {
        let (is_stopping, is_running) = (self.cause.is_some(), self.booted && self.gate_open);
        match command {
            Command::Stop(Target::All, _) | Command::Shutdown { .. } if is_stopping => {
                Ok(Reply::Stopping(self.active(&self.in_order().collect::<Vec<_>>())))
            }
            Command::Stop(target, _) if is_stopping => Ok(Reply::Stopping(self.active(&self.targets(target)?))),
            _ if is_stopping => Err(Refusal::ShuttingDown),
            Command::Scale(changes) => self.on_scale(changes, is_running, now),
            Command::Stop(Target::All, _) | Command::Shutdown { .. } => {
                let active = self.active(&self.in_order().collect::<Vec<_>>());
                self.stop_for(Outcome::Code(0));
                Ok(Reply::Stopping(active))
            }
            Command::Refresh { .. } if !is_running => Ok(Reply::Restarting(Vec::new())),
            _ if !is_running => Err(Refusal::ReleasePhase),
            Command::Refresh { process_type, .. } => Ok(self.on_refresh(process_type)),
            Command::Stop(target, _) => {
                let targets = self.targets(target)?;
                let active = self.active(&targets);
                for at in targets {
                    self.stop_dyno(at);
                }
                Ok(Reply::Stopping(active))
            }
            Command::Restart(target, _) => self.on_restart(target),
            Command::Deploy(_) => match ask {
                Some(Ask::Deploy { release, origin }) => {
                    self.on_deploy(release.unwrap_or(self.deployed.files), origin, now)
                }
                _ => panic!("every release is random"),
            },
            Command::Rollback { version, elsewhere } => self.on_rollback(*version, elsewhere, now),
            Command::RunOneOff { .. } => {
                self.deployed.must_say("one-off");
                let is_taken = |number: &u32| self.present().any(|dyno| dyno.name == one_off(*number));
                let number = (4711..9_999).find(|number| !is_taken(number)).unwrap();
                Ok(self.start_one_off(number, now))
            }
            Command::Run(spec) if self.present().any(|dyno| dyno.name == spec.dyno) => Err(Refusal::Impossible {
                dyno: spec.dyno.clone(),
                why: "there is already a dyno with that name".to_owned(),
            }),
            Command::Run(spec) => Ok(self.start_one_off(spec.dyno.index, now)),
        }
    }

    fn start_one_off(&mut self, number: u32, now: Now) -> Reply {
        let mut dyno = Dyno::new(one_off(number), Kind::OneOff, (usize::MAX, number), None);
        (dyno.wanted, dyno.must_spawn, dyno.since) = (true, true, now.wall);
        let name = dyno.name.clone();
        self.dynos.push(dyno);
        Reply::Started(name)
    }

    fn on_scale(&mut self, changes: &[(ProcessType, Scale)], is_running: bool, now: Now) -> Result<Reply, Refusal> {
        let mut quantities = self.quantities;
        let place = |name: &ProcessType| TYPES.iter().position(|known| *known == name.as_str());
        for (name, _) in changes {
            place(name).filter(|place| self.deployed.has_type[*place]).ok_or_else(|| self.unknown_type(name))?;
        }
        for (name, scale) in changes {
            let quantity = &mut quantities[place(name).unwrap()];
            *quantity = match scale {
                Scale::To(quantity) => i64::from(*quantity),
                Scale::Up(more) => *quantity + i64::from(*more),
                Scale::Down(fewer) => (*quantity - i64::from(*fewer)).max(0),
            };
            if *quantity > i64::from(MAX_QUANTITY) {
                return Err(Refusal::TooMany { process_type: name.clone() });
            }
        }
        check_ports(&quantities)?;
        self.check_later(&quantities)?;
        self.quantities = quantities;
        for (place, quantity) in quantities.iter().enumerate() {
            self.released[place] &= *quantity > 0;
        }
        for (name, _) in changes {
            let place = place(name).unwrap();
            let of_type: Vec<usize> = self.in_order().filter(|at| self.dynos[*at].key.0 == place).collect();
            for at in of_type {
                if i64::from(self.dynos[at].key.1) > quantities[place] {
                    self.scale_away(at);
                } else {
                    self.bring_back(at, is_running);
                }
            }
            self.add_missing(place, None, is_running, now);
        }
        Ok(Reply::Scaled(self.formation()))
    }

    /// How a dyno has ended does not matter any more.
    pub(super) fn forget(&mut self, at: usize) {
        for ended in [&mut self.failures, &mut self.given_up] {
            ended.retain(|(index, _)| *index != at);
        }
    }

    pub(super) fn scale_away(&mut self, at: usize) {
        self.forget(at);
        let has_run = self.runs.values().any(|run| run.dyno == at);
        let dyno = &mut self.dynos[at];
        (dyno.wanted, dyno.leaving, dyno.must_spawn, dyno.restart_due) = (false, true, false, None);
        if !has_run && !dyno.lost {
            self.remove(at);
        }
        self.end_run(at, Verdict::Requested, false);
    }

    pub(super) fn bring_back(&mut self, at: usize, is_running: bool) {
        let has_run = self.runs.values().any(|run| run.dyno == at);
        let dyno = &mut self.dynos[at];
        if dyno.lost {
            dyno.leaving = false;
            return;
        }
        let is_down = !has_run && dyno.without_run == PublicState::Down;
        (dyno.leaving, dyno.wanted, dyno.retired) = (false, is_running, false);
        dyno.must_spawn = is_running && is_down;
        let is_crashed = !has_run && dyno.without_run == PublicState::Crashed && dyno.restart_due.is_none();
        if !is_crashed {
            self.forget(at);
        }
        if is_running && self.runs.values().any(|run| run.dyno == at && run.ends_as_requested()) {
            self.end_run(at, Verdict::Replaced, true);
        }
    }

    fn stop_dyno(&mut self, at: usize) {
        self.forget(at);
        let dyno = &mut self.dynos[at];
        (dyno.wanted, dyno.must_spawn) = (false, false);
        dyno.leaving |= dyno.kind != Kind::Formation;
        let was_due = dyno.restart_due.take().is_some();
        let has_run = self.runs.values().any(|run| run.dyno == at);
        if was_due || (!has_run && !dyno.lost) {
            dyno.without_run = PublicState::Down;
        }
        self.end_run(at, Verdict::Requested, true);
    }

    fn on_restart(&mut self, target: &Target) -> Result<Reply, Refusal> {
        let targets = self.targets(target)?;
        if let Some(at) = targets.iter().find(|at| self.dynos[**at].kind != Kind::Formation) {
            return Err(Refusal::RunsOnce { dyno: self.dynos[*at].name.clone() });
        }
        // The formation does not have these any more.
        let targets: Vec<usize> = targets.into_iter().filter(|at| !self.dynos[*at].leaving).collect();
        if let (Target::Dyno(name), true) = (target, targets.is_empty()) {
            return Err(self.unknown_dyno(name));
        }
        let others: Vec<usize> = targets.iter().copied().filter(|at| !self.dynos[*at].lost).collect();
        if let (Some(at), true) = (targets.first(), others.is_empty()) {
            let why = "one of its processes could not be killed".to_owned();
            return Err(Refusal::Impossible { dyno: self.dynos[*at].name.clone(), why });
        }
        let restarted = |at: &usize| Restarted { dyno: self.dynos[*at].name.clone(), run: self.dynos[*at].last_run };
        let reply = Reply::Restarting(others.iter().map(restarted).collect());
        for at in others {
            self.replace(at);
        }
        Ok(reply)
    }

    /// From now on the run of a dyno is expected to end like this. `even_if_judged`: even if another end was expected.
    pub(super) fn end_run(&mut self, at: usize, verdict: Verdict, even_if_judged: bool) {
        let kind = self.dynos[at].kind;
        let Some(run) = self.runs.values_mut().find(|run| run.dyno == at) else { return };
        let is_replaced = run.verdict == Some(Verdict::Replaced);
        if run.verdict.is_none() || even_if_judged || is_replaced {
            run.shown = match (kind, verdict) {
                (Kind::OneOff | Kind::Release, _) => run.visible(),
                (Kind::Formation, Verdict::Replaced) => PublicState::Starting,
                (Kind::Formation, Verdict::Requested | Verdict::Done | Verdict::Crashed(_)) => PublicState::Down,
            };
            run.verdict = Some(verdict);
        }
    }

    fn targets(&self, target: &Target) -> Result<Vec<usize>, Refusal> {
        let is_named = |dyno: &Dyno| dyno.kind != Kind::Release || self.deployed.deploying.is_some();
        let all = |matches: &dyn Fn(&Dyno) -> bool| -> Vec<usize> {
            self.in_order().filter(|at| is_named(&self.dynos[*at]) && matches(&self.dynos[*at])).collect()
        };
        match target {
            Target::All => Ok(all(&|dyno| dyno.kind == Kind::Formation)),
            Target::Type(name) => {
                let found = all(&|dyno| dyno.name.process_type == *name);
                let is_known = !found.is_empty() || self.deployed.types().contains(name);
                if is_known { Ok(found) } else { Err(self.unknown_type(name)) }
            }
            Target::Dyno(name) => {
                let found = all(&|dyno| dyno.name == *name);
                if found.is_empty() { Err(self.unknown_dyno(name)) } else { Ok(found) }
            }
        }
    }

    fn unknown_dyno(&self, name: &DynoName) -> Refusal {
        let staying = self.in_order().filter(|at| !self.dynos[*at].leaving);
        let known = staying.map(|at| self.dynos[at].name.clone()).collect();
        Refusal::UnknownDyno { name: name.clone(), known }
    }

    /// The names of those among `dynos` that have a run, or wait for their restart or their port.
    fn active(&self, dynos: &[usize]) -> Vec<DynoName> {
        let has_run = |at: usize| self.runs.values().any(|run| run.dyno == at);
        let waits = |dyno: &Dyno| dyno.restart_due.is_some() || dyno.must_spawn;
        let active = dynos.iter().filter(|at| has_run(**at) || waits(&self.dynos[**at]));
        active.map(|at| self.dynos[*at].name.clone()).collect()
    }

    pub(super) fn formation(&self) -> Vec<Quantity> {
        let quantity = |(name, quantity): (&&str, &i64)| Quantity {
            process_type: process_type(name),
            quantity: u32::try_from(*quantity).unwrap(),
        };
        let is_known = |(place, _): &(usize, _)| self.deployed.has_type[*place];
        TYPES.iter().zip(&self.quantities).enumerate().filter(is_known).map(|(_, entry)| quantity(entry)).collect()
    }

    fn unknown_type(&self, name: &ProcessType) -> Refusal {
        Refusal::UnknownType { name: name.clone(), known: self.deployed.types() }
    }

    /// At rest, every dyno of the formation runs unless it was stopped, has ended or crashed, is held back, or lost its
    /// port. Dynos beyond the formation do not exist, unless they are lost.
    pub(super) fn compare_formation(&self) -> Result<(), Broken> {
        let is_running = self.booted && self.gate_open && self.cause.is_none() && !self.over;
        let is_at_rest = self.runs.values().all(|run| run.verdict.is_none());
        if !is_running || !is_at_rest {
            return Ok(());
        }
        for (place, name) in TYPES.iter().enumerate() {
            let of_type = || self.dynos.iter().enumerate().filter(move |(_, dyno)| dyno.key.0 == place);
            for index in 1..=u32::try_from(self.quantities[place]).unwrap() {
                let found = of_type().find(|(_, dyno)| dyno.present && dyno.key.1 == index);
                let (at, dyno) = found.ok_or_else(|| format!("{name}.{index} must exist"))?;
                let runs = self.runs.values().any(|run| run.dyno == at && run.seen != Seen::Group);
                let is_crashed = dyno.without_run == PublicState::Crashed;
                let has_port = !self.is_port_lost(dyno.port);
                let may_rest = !dyno.wanted || is_crashed || self.is_held(at) || !has_port;
                rule!(runs || may_rest, "{name}.{index} must run");
                rule!(!runs || dyno.wanted, "{name}.{index} must not run");
            }
            let is_extra = |dyno: &Dyno| dyno.present && !dyno.lost && i64::from(dyno.key.1) > self.quantities[place];
            let extra = of_type().find(|(_, dyno)| is_extra(dyno));
            rule!(extra.is_none(), "the formation has no {:?}", extra.map(|(_, dyno)| &dyno.name));
        }
        Ok(())
    }
}

fn one_off(number: u32) -> DynoName {
    DynoName::new(process_type("run"), number)
}
