//! A random walk: a simulated world of misbehaving processes and users drives the supervisor, and every rule is checked
//! after every event. A failing episode is reduced to the operations that matter and printed with its seed.
//!
//! `world` holds the actual state of the processes, `model` what the supervisor can know of it and must do about it.

mod asked;
mod deployed;
mod drained;
mod dyno;
mod judged;
mod logged;
mod model;
mod new_release;
mod order;
mod picks;
mod random;
mod reached;
mod refreshed;
mod reported;
mod rolled_back;
mod rules;
mod scenario;
mod shown;
mod world;

use std::collections::BTreeMap;

use super::*;
use asked::Ask;
use model::Model;
use random::Random;
use reached::{EVERYTHING, kind};
use scenario::Scenario;
use world::{Op, World};

const EVENTS_PER_SEED: usize = 130_000;

/// Operations after the end of an episode: enough to see that no effect follows.
const OPS_AFTER_THE_END: usize = 10;

/// The message of a broken rule.
type Broken = String;

/// Returns with a message unless the rule holds.
macro_rules! rule {
    ($holds:expr, $($message:tt)+) => {
        if !$holds {
            return Err(format!($($message)+));
        }
    };
}
use rule;

#[test]
fn no_rule_breaks_on_walk_1() {
    walk(1);
}

#[test]
fn no_rule_breaks_on_walk_2() {
    walk(0x0dd_ba11);
}

#[test]
fn no_rule_breaks_on_walk_3() {
    walk(0x5eed_0003);
}

fn walk(seed: u64) {
    let mut random = Random(seed);
    let mut handled = 0;
    let mut reached = BTreeMap::new();
    while handled < EVENTS_PER_SEED {
        let scenario = Scenario::random(&mut random);
        let length = 5 + random.below(150);
        // Some episodes have many releases, so that there are several to go back to.
        let releases = if random.one_in(4) { 8 } else { 1_000 };
        let op = |random: &mut Random| match random.below(releases) {
            0 => Op::Ask(Ask::of_release(random)),
            _ => Op::random(random),
        };
        let ops: Vec<Op> = (0..length).map(|_| op(&mut random)).collect();
        let mut episode = Episode::new(&scenario);
        if episode.play(&ops).is_err() {
            report(seed, &scenario, &shrunk(&scenario, ops));
        }
        handled += episode.events;
        for (what, times) in episode.reached {
            *reached.entry(what).or_insert(0) += times;
        }
    }
    for what in EVERYTHING {
        let times = reached.get(what).copied().unwrap_or(0);
        assert!(times >= 20, "the walk reaches `{what}` only {times} times: {reached:#?}");
    }
}

fn report(seed: u64, scenario: &Scenario, ops: &[Op]) -> ! {
    let mut episode = Episode::new(scenario);
    let broken = episode.play(ops).err();
    panic!(
        "seed {seed:#x}: {}\n\n{scenario}\n\noperations: {ops:#?}\n\nhistory:\n{}",
        broken.unwrap_or_default(),
        episode.history.join("\n")
    )
}

/// Delta debugging: removes smaller and smaller pieces as long as some rule still breaks.
fn shrunk(scenario: &Scenario, mut ops: Vec<Op>) -> Vec<Op> {
    let mut piece = ops.len().max(1);
    loop {
        let mut start = 0;
        while start < ops.len() {
            let mut fewer = ops.clone();
            fewer.drain(start..(start + piece).min(ops.len()));
            if Episode::new(scenario).play(&fewer).is_err() {
                ops = fewer;
            } else {
                start += piece;
            }
        }
        if piece == 1 {
            return ops;
        }
        piece /= 2;
    }
}

/// The life of one supervisor, from `Boot` until it finishes.
struct Episode<'a> {
    scenario: &'a Scenario,
    supervisor: Supervisor,
    world: World,
    model: Model,
    mono: Duration,
    events: usize,
    requests: u64,
    reached: BTreeMap<String, usize>,
    history: Vec<String>,
}

impl<'a> Episode<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        Self {
            scenario,
            supervisor: Supervisor::new(scenario.plan.clone(), scenario.policy.clone()),
            world: World::default(),
            model: Model::new(scenario),
            mono: Duration::ZERO,
            events: 0,
            requests: 0,
            reached: BTreeMap::new(),
            history: Vec::new(),
        }
    }

    fn play(&mut self, ops: &[Op]) -> Result<(), Broken> {
        if !self.scenario.boots_late {
            self.feed(&Event::Boot)?;
        }
        let mut after_the_end = 0;
        for op in ops {
            self.perform(*op)?;
            after_the_end += usize::from(self.model.is_over());
            if after_the_end >= OPS_AFTER_THE_END {
                return Ok(());
            }
        }
        self.end_fairly()
    }

    fn perform(&mut self, op: Op) -> Result<(), Broken> {
        match op {
            Op::Boot => self.feed(&Event::Boot),
            Op::Advance { pick, fate } => {
                self.world.advance(pick, fate);
                Ok(())
            }
            Op::Deliver => match self.world.next_report() {
                Some(event) => self.feed(&event),
                None => Ok(()),
            },
            Op::Listen { pick, answer, found } => {
                let Some(run) = self.model.booting(pick) else { return Ok(()) };
                self.world.listen(run, found);
                let Some(answer) = answer else { return Ok(()) };
                self.feed(&Event::NotAnswering { run, answer: None })?;
                self.feed(&Event::NotAnswering { run, answer: Some(answer) })
            }
            Op::Open { pick, ports } => match self.model.running(pick) {
                Some(run) => {
                    let at = self.model.addresses(run, ports);
                    self.feed(&Event::Listens { run, at })
                }
                None => Ok(()),
            },
            Op::DeliverReady => match self.world.next_ready() {
                Some(event) => self.feed(&event),
                None => Ok(()),
            },
            Op::Repeat { pick } => match self.world.old_report(pick) {
                Some(event) => self.feed_ignored(&event),
                None => Ok(()),
            },
            Op::Forge { pick } => self.forge(pick),
            Op::Signal(signal) => self.feed(&Event::Signal(signal)),
            Op::Press { pick, key } => match self.model.running(pick) {
                Some(run) => self.feed(&Event::Key { run, key }),
                None => Ok(()),
            },
            Op::Ask(ask) => {
                self.requests += 1;
                let command = ask.command(&self.model);
                self.feed_asked(&Event::Request { id: RequestId(self.requests), command }, Some(ask))
            }
            Op::OutputLost(loss) => self.feed(&Event::OutputLost(loss)),
            Op::Wait { milliseconds } => {
                self.mono += Duration::from_millis(milliseconds);
                Ok(())
            }
            Op::Tick { late, answered } => {
                if answered {
                    while self.world.finish_one(true) {}
                    self.deliver_all()?;
                }
                self.mono = self.mono.max(self.supervisor.next_deadline().unwrap_or_default());
                self.mono += Duration::from_millis(late);
                self.feed(&Event::Tick)
            }
            Op::Suspend { milliseconds } => {
                self.feed(&Event::Signal(UserSignal::Tstp))?;
                let paused_for = Duration::from_millis(milliseconds);
                self.mono += paused_for;
                self.resume(paused_for)
            }
        }
    }

    fn deliver_all(&mut self) -> Result<(), Broken> {
        while let Some(event) = self.world.next_report() {
            self.feed(&event)?;
        }
        Ok(())
    }

    fn resume(&mut self, paused_for: Duration) -> Result<(), Broken> {
        let moved: Vec<_> = self.supervisor.deadlines().map(|at| at + paused_for).collect();
        self.feed(&Event::Resumed { paused_for })?;
        let now: Vec<_> = self.supervisor.deadlines().collect();
        rule!(moved == now, "suspension must move every deadline: {moved:?} became {now:?}");
        Ok(())
    }

    /// An impossible report: about a run that never existed, or about a survivor of a kill that never happened.
    fn forge(&mut self, pick: usize) -> Result<(), Broken> {
        let unknown = RunId(1_000_000 + pick as u64);
        let event = match (pick % 5, self.model.not_killed(pick)) {
            (0, Some(run)) => Event::Run(run, RunReport::Unkillable { survivor: "1 (x)".into() }),
            (0 | 1, _) => Event::Run(unknown, RunReport::Gone),
            (2, _) => Event::Run(unknown, RunReport::Exited { exit: code(1), left: Vec::new() }),
            (3, _) => Event::Listens { run: unknown, at: vec![(LOCALHOST, 5_433).into()] },
            _ => Event::Run(unknown, RunReport::Spawned { pid: 1 }),
        };
        self.feed_ignored(&event)
    }

    fn feed_ignored(&mut self, event: &Event) -> Result<(), Broken> {
        let before = self.supervisor.snapshot();
        let shown = format!("{event:?}");
        let effects = self.handle(event);
        rule!(effects.is_empty(), "{shown} must change nothing, but caused {effects:?}");
        rule!(self.supervisor.snapshot() == before, "{shown} must change nothing, but changed the snapshot");
        Ok(())
    }

    fn now(&self) -> Now {
        Now { mono: self.mono, wall: at(0).wall + self.mono }
    }

    fn handle(&mut self, event: &Event) -> Vec<Effect> {
        self.events += 1;
        let mut entry = format!("{:>9} ms  {event:?}", self.mono.as_millis());
        let effects = self.supervisor.handle(event.clone(), self.now());
        for effect in &effects {
            *self.reached.entry(kind(effect)).or_insert(0) += 1;
            let shown = line(effect, NoticeStyle::Heroku).or_else(|| line(effect, NoticeStyle::Plain));
            entry.push_str("\n              ");
            entry.push_str(&shown.unwrap_or_else(|| format!("{effect:?}")));
        }
        self.history.push(entry);
        effects
    }

    fn feed(&mut self, event: &Event) -> Result<(), Broken> {
        self.feed_asked(event, None)
    }

    fn feed_asked(&mut self, event: &Event, ask: Option<Ask>) -> Result<(), Broken> {
        let effects = self.handle(event);
        self.world.obey(&effects);
        self.model.check(event, ask, self.now(), &effects)?;
        self.model.compare(&self.supervisor, self.now())?;
        match self.world.next_answer() {
            Some(answer) => self.feed(&answer),
            None => Ok(()),
        }
    }

    /// A stop is requested, every report arrives and every killed process dies: the supervisor must finish soon.
    fn end_fairly(&mut self) -> Result<(), Broken> {
        self.feed(&Event::Signal(UserSignal::Term))?;
        let bound = self.events + 20 + 8 * (self.world.pending() + self.world.alive());
        loop {
            self.deliver_all()?;
            if self.model.is_over() {
                break;
            }
            rule!(self.events < bound, "it did not finish within {bound} events");
            if self.world.finish_one(self.scenario.stubborn) {
                continue;
            }
            let Some(deadline) = self.supervisor.next_deadline() else {
                return Err("a run is left, and no deadline is due to end it".into());
            };
            self.mono = self.mono.max(deadline);
            self.feed(&Event::Tick)?;
        }
        for event in [Event::Tick, Event::Boot, Event::Signal(UserSignal::Quit), Event::Run(RunId(1), RunReport::Gone)]
        {
            self.feed(&event)?;
        }
        Ok(())
    }
}
