//! A random walk: whatever happens, the command runs at most once and only when all dynos are up, no dyno has two runs
//! at once, the test ends only once, after all runs have ended, and its status and reason fit what happened.

use std::collections::BTreeMap;

use super::*;
use crate::supervisor::{About, Notice};

const EPISODES: u64 = 4_000;
const STEPS: usize = 60;

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}

/// The stage that a run has reached: ordered, running, or its leader has exited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Ordered,
    Runs,
    Clears,
}

struct Episode {
    smoke: Tested,
    now: u64,
    lives: BTreeMap<RunId, (String, Life)>,
    up: BTreeMap<String, bool>,
    commands: usize,
    finished: Option<Outcome>,
    removed: Vec<DynoName>,
    history: Vec<String>,
}

impl Episode {
    fn feed(&mut self, event: Event) {
        self.history.push(format!("{:>6} {event:?}", self.now));
        let now = at_ms(self.now);
        for step in self.smoke.handle(event, now) {
            self.history.extend(step_line(&step).map(|line| format!("         {line}")));
            let Step::Effect(effect) = step else {
                assert!(self.finished.is_none(), "a phase after the end\n{}", self.history.join("\n"));
                continue;
            };
            self.must_be_showable(&effect);
            assert!(self.finished.is_none(), "an effect after the end\n{}", self.history.join("\n"));
            match effect {
                Effect::Spawn(SpawnSpec { run, spec }) => self.order(run, spec.dyno.to_string()),
                Effect::Finish(outcome) => {
                    assert!(self.lives.is_empty(), "the end, but {:?} live\n{}", self.lives, self.history.join("\n"));
                    self.finished = Some(outcome);
                }
                Effect::Signal { .. }
                | Effect::Drain { .. }
                | Effect::Notify(_)
                | Effect::FindListener { .. }
                | Effect::PassInterrupt { .. }
                | Effect::Reply { .. }
                | Effect::Suspend => {}
                Effect::Retire { dyno } => self.removed.push(dyno),
                Effect::ReplaceGuardian => self.finished = Some(Outcome::Code(70)),
            }
        }
    }

    /// Nothing is shown after the output of a dyno that was removed.
    fn must_be_showable(&self, effect: &Effect) {
        let Effect::Notify(Notice { about: About::Dyno(dyno) | About::Formation { after: Some(dyno) }, .. }) = effect
        else {
            return;
        };
        assert!(!self.removed.contains(dyno), "{dyno} has no output any more\n{}", self.history.join("\n"));
    }

    fn order(&mut self, run: RunId, name: String) {
        let is_releasing = self.lives.values().any(|(name, _)| name == "release.1");
        assert!(!is_releasing, "the release command has not ended\n{}", self.history.join("\n"));
        let is_second = self.lives.values().any(|(other, _)| *other == name);
        assert!(!is_second, "{name} must not have two runs\n{}", self.history.join("\n"));
        if name == "run.1" {
            self.commands += 1;
            assert!(self.up.values().all(|up| *up), "the command started too early\n{}", self.history.join("\n"));
        }
        self.lives.insert(run, (name, Life::Ordered));
    }

    /// A random run takes the next step of its life.
    fn advance_a_run(&mut self, random: &mut Random) {
        let runs: Vec<RunId> = self.lives.keys().copied().collect();
        if runs.is_empty() {
            return;
        }
        let run = random.pick(&runs);
        let (name, life) = self.lives[&run].clone();
        match life {
            Life::Ordered if random.below(30) == 0 => {
                self.lives.remove(&run);
                self.feed(Event::Run(run, RunReport::SpawnFailed(SpawnFailure("no".into()))));
            }
            Life::Ordered => {
                self.lives.insert(run, (name.clone(), Life::Runs));
                self.up.entry(name.clone()).and_modify(|up| *up |= !name.starts_with("web"));
                self.feed(Event::Run(run, RunReport::Spawned { pid: 1 }));
            }
            Life::Runs if name.starts_with("web") && !self.up[&name] && random.below(4) > 0 => {
                self.up.insert(name, true);
                self.feed(Event::NotAnswering { run, answer: None });
                self.feed(Event::Ready { run, address: LOCALHOST, loopback_only: false });
            }
            Life::Runs if name == "run.1" || random.below(12) == 0 || self.smoke.smoke.is_ending() => {
                self.lives.insert(run, (name, Life::Clears));
                self.feed(Event::Run(
                    run,
                    RunReport::Exited {
                        exit: random.pick(&[code(0), code(0), code(3), killed_by(9)]),
                        left: Vec::new(),
                    },
                ));
            }
            Life::Runs => {}
            Life::Clears => {
                self.lives.remove(&run);
                self.feed(Event::Run(run, RunReport::Gone));
            }
        }
    }

    fn step(&mut self, random: &mut Random) {
        match random.below(100) {
            0..80 => self.advance_a_run(random),
            80..97 => {
                self.now += random.below(700);
                if self.smoke.next_deadline().is_some_and(|at| at <= at_ms(self.now).mono) {
                    self.feed(Event::Tick);
                }
            }
            97 => {
                self.now += 60_000;
                self.feed(Event::Tick);
            }
            98 => self.feed(Event::Signal(random.pick(&[UserSignal::Term, UserSignal::Int, UserSignal::Quit]))),
            _ => {
                self.feed(Event::Signal(UserSignal::Tstp));
                self.now += 500;
                self.feed(Event::Resumed { paused_for: Duration::from_millis(500) });
            }
        }
    }

    fn check_end(&self) {
        let Some(outcome) = self.finished else { panic!("no end\n{}", self.history.join("\n")) };
        let report = self.smoke.report(outcome, at_ms(self.now).mono);
        let history = || format!("{report:#?}\n{}", self.history.join("\n"));
        let passed = |result: &PhaseResult| matches!(result, PhaseResult::Passed(_));
        if outcome == Outcome::Code(0) {
            let phases = report.phases.iter().filter(|phase| phase.phase != SmokePhase::Release);
            assert!(phases.map(|phase| &phase.result).all(passed), "{}", history());
            assert!(self.commands == 1 && report.culprit.is_none(), "{}", history());
        } else {
            let has_failed = |phase: &PhaseReport| matches!(phase.result, PhaseResult::Failed { .. });
            assert!(report.phases.iter().any(has_failed) && !report.reason.is_empty(), "{}", history());
        }
        if outcome == Outcome::Code(70) {
            return;
        }
        let is_late = report.reason.starts_with("not up within");
        assert_eq!(outcome == Outcome::Code(75), is_late, "{}", history());
        assert_eq!(matches!(outcome, Outcome::Signal(_)), report.reason.starts_with("stopped by"), "{}", history());
        assert!(self.commands <= 1, "{}", history());
    }
}

fn play(random: &mut Random) -> (Outcome, bool) {
    let names: &[&str] = random.pick(&[&["web.1"][..], &["web.1", "web.2"], &["web.1", "worker.1"], &["worker.1"]]);
    let plan = plan(names, true);
    let plan = if random.below(2) == 0 { plan } else { probing(plan) };
    let release = (random.below(3) == 0).then(|| spec("release.1"));
    let mut episode = Episode {
        smoke: Tested::new(Plan { release, ..plan }, policy(), rules()),
        now: 0,
        lives: BTreeMap::new(),
        up: names.iter().map(|name| ((*name).to_owned(), false)).collect(),
        commands: 0,
        finished: None,
        removed: Vec::new(),
        history: Vec::new(),
    };
    episode.feed(Event::Boot);
    for _ in 0..STEPS {
        episode.step(random);
    }
    if episode.finished.is_none() {
        episode.feed(Event::Signal(UserSignal::Term));
    }
    for _ in 0..STEPS * 4 {
        episode.advance_a_run(random);
    }
    episode.check_end();
    (episode.finished.unwrap(), episode.commands == 1)
}

#[test]
fn a_random_walk_of_a_smoke_test_breaks_no_rule() {
    let mut random = Random(0x5310_c0de);
    let mut ends = BTreeMap::new();
    for _ in 0..EPISODES {
        let (outcome, with_command) = play(&mut random);
        *ends.entry(format!("{outcome:?} {with_command}")).or_insert(0) += 1;
    }

    for end in ["Code(0) true", "Code(3) true", "Code(1) false", "Code(1) true", "Code(75) false", "Signal(Term) true"]
    {
        assert!(ends.get(end).is_some_and(|times| *times >= 20), "{end} is reached too rarely: {ends:#?}");
    }
}
