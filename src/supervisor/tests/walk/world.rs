//! The simulated world: processes, a guardian that reports in order, and a probe that reports at any time.

use std::collections::{BTreeMap, VecDeque};

use super::asked::Ask;
use super::*;

/// One thing that happens. `pick` selects among what exists at that moment, so that any part of an episode is valid.
#[derive(Debug, Clone, Copy)]
pub(super) enum Op {
    Boot,
    /// A run takes the next step of its life.
    Advance {
        pick: usize,
        fate: Fate,
    },
    /// The guardian's oldest report arrives.
    Deliver,
    /// A run listens and perhaps gives a wrong answer. Then it is ready, or the probe gives up on it.
    Listen {
        pick: usize,
        answer: Option<HttpAnswer>,
        found: bool,
    },
    /// The processes of a run listen on these ports, and on no others.
    Open {
        pick: usize,
        ports: &'static [u16],
    },
    /// The probe's oldest report arrives.
    DeliverReady,
    /// A report arrives a second time.
    Repeat {
        pick: usize,
    },
    /// An impossible report arrives.
    Forge {
        pick: usize,
    },
    Signal(UserSignal),
    /// A key is pressed while the keyboard is connected to a run.
    Press {
        pick: usize,
        key: Key,
    },
    OutputLost(OutputLoss),
    Wait {
        milliseconds: u64,
    },
    /// The next deadline passes, and some more time. `answered`: all killed runs are gone by then.
    Tick {
        late: u64,
        answered: bool,
    },
    Suspend {
        milliseconds: u64,
    },
    /// A front end asks for something.
    Ask(Ask),
}

/// How the next step of a run turns out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fate {
    exit: ExitStatus,
    /// The spawn fails, the run vanishes without an exit report, or a killed process survives.
    badly: bool,
}

impl Op {
    pub(super) fn random(random: &mut Random) -> Self {
        let pick = usize::try_from(random.below(64)).unwrap();
        match random.below(120) {
            0..28 => Self::Advance { pick, fate: Fate { exit: random_exit(random), badly: random.one_in(12) } },
            28..54 => Self::Deliver,
            54..60 => Self::Ask(Ask::random(random)),
            60..68 | 118..120 => {
                let answers = [HttpAnswer::Status(500), HttpAnswer::None(HttpSilence::Refused)];
                let answer = (!random.one_in(4)).then(|| random.one_of(&answers));
                Self::Listen { pick, answer, found: random.one_in(2) }
            }
            68..77 => Self::DeliverReady,
            77..79 => Self::Repeat { pick },
            79 => Self::Forge { pick },
            80..85 => Self::Wait { milliseconds: random.one_of(&[1, 100, 400, 900, 3_000, 15_000]) },
            85..94 => Self::Tick { late: random.one_of(&[0, 0, 0, 1, 500, 4_000]), answered: !random.one_in(12) },
            94 => Self::Press { pick, key: random.one_of(&[Key::Interrupt, Key::Interrupt, Key::Other]) },
            95..97 => Self::Suspend { milliseconds: random.one_of(&[0, 10, 1_000, 60_000]) },
            97 => Self::Boot,
            98 => Self::Signal(random.one_of(&[UserSignal::Usr1, UserSignal::Usr2])),
            100..118 => Self::Open { pick, ports: random.one_of(&PORTS) },
            _ if random.one_in(6) => Self::OutputLost(random.one_of(&[OutputLoss::Closed, OutputLoss::Failed])),
            _ => Self::Signal(random.one_of(&[
                UserSignal::Int,
                UserSignal::Int,
                UserSignal::Term,
                UserSignal::Hup,
                UserSignal::Quit,
            ])),
        }
    }
}

fn random_exit(random: &mut Random) -> ExitStatus {
    match random.below(4) {
        0 | 1 => code(0),
        2 => code(random.one_of(&[1, 2, 126, 127, 255])),
        _ => killed_by(random.one_of(&[9, 11, 15])),
    }
}

/// The ports that the processes of a run use; 0 is their own `PORT`.
const PORTS: [&[u16]; 7] = [&[], &[0], &[0, 3_000], &[3_000], &[3_000], &[5_433], &[3_000, 5_433]];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Ordered,
    Leader,
    Group,
    /// A process was reported that cannot be killed.
    Lost,
}

#[derive(Debug, Default)]
pub(super) struct World {
    /// Every run that still has processes, and whether it was killed.
    runs: BTreeMap<RunId, (Stage, bool)>,
    guardian: VecDeque<Event>,
    probe: VecDeque<Event>,
    answers: VecDeque<Event>,
    delivered: Vec<Event>,
}

impl World {
    /// Performs the effects.
    pub(super) fn obey(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Spawn(spawn) => {
                    self.runs.insert(spawn.run, (Stage::Ordered, false));
                }
                Effect::Signal { run, signal } => self.on_signal(*run, *signal),
                Effect::FindListener { run } if run.0 % 2 == 0 => {
                    self.answers.push_back(Event::ListensElsewhere { run: *run, port: 3000 });
                }
                // The others are never done with their requests.
                Effect::Drain { run } if run.0 % 4 != 0 => self.probe.push_back(Event::Drained { run: *run }),
                Effect::Drain { .. }
                | Effect::FindListener { .. }
                | Effect::Notify(_)
                | Effect::PassInterrupt { .. }
                | Effect::Reply { .. }
                | Effect::Retire { .. }
                | Effect::Suspend
                | Effect::ReplaceGuardian
                | Effect::Finish(_) => {}
            }
        }
    }

    fn on_signal(&mut self, id: RunId, signal: RunOrder) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        let (is_kill, is_stop) = (signal == RunOrder::Kill, matches!(signal, RunOrder::Stop { .. }));
        if run.0 == Stage::Ordered && (is_kill || is_stop) && id.0.is_multiple_of(3) {
            // Its spawn was not sent yet.
            self.runs.remove(&id);
            self.guardian.push_back(Event::Run(id, RunReport::Gone));
        } else if is_kill {
            run.1 = true;
        }
    }

    pub(super) fn advance(&mut self, pick: usize, fate: Fate) {
        let Some((&run, &(stage, killed))) = self.runs.iter().nth(pick % self.runs.len().max(1)) else { return };
        let (next, report) = match (stage, fate.badly) {
            (Stage::Ordered, true) => (None, Event::Run(run, RunReport::SpawnFailed(SpawnFailure("no".into())))),
            (Stage::Ordered, false) => {
                (Some(Stage::Leader), Event::Run(run, RunReport::Spawned { pid: i32::try_from(run.0).unwrap() + 100 }))
            }
            (Stage::Leader | Stage::Group, true) if killed => {
                (Some(Stage::Lost), Event::Run(run, RunReport::Unkillable { survivor: "7 (x)".into() }))
            }
            (Stage::Leader, false) => {
                (Some(Stage::Group), Event::Run(run, RunReport::Exited { exit: fate.exit, left: Vec::new() }))
            }
            (Stage::Leader, true) | (Stage::Group | Stage::Lost, true | false) => {
                (None, Event::Run(run, RunReport::Gone))
            }
        };
        match next {
            Some(stage) => self.runs.insert(run, (stage, killed)),
            None => self.runs.remove(&run),
        };
        self.guardian.push_back(report);
    }

    /// One run takes a step toward its end; a stubborn one only if it was killed.
    pub(super) fn finish_one(&mut self, stubborn: bool) -> bool {
        let Some(pick) = self.runs.values().position(|(_, killed)| *killed || !stubborn) else { return false };
        self.advance(pick, Fate { exit: code(0), badly: false });
        true
    }

    pub(super) fn listen(&mut self, run: RunId, found: bool) {
        self.probe.push_back(if found {
            Event::Ready { run, address: LOCALHOST, loopback_only: !run.0.is_multiple_of(4) }
        } else {
            Event::NotReady { run, after: Duration::from_secs(60) }
        });
    }

    /// The answer to `Effect::FindListener`; it comes at once, and only once.
    pub(super) fn next_answer(&mut self) -> Option<Event> {
        self.answers.pop_front()
    }

    pub(super) fn next_report(&mut self) -> Option<Event> {
        let event = self.guardian.pop_front()?;
        self.delivered.push(event.clone());
        Some(event)
    }

    pub(super) fn next_ready(&mut self) -> Option<Event> {
        let event = self.probe.pop_front()?;
        self.delivered.push(event.clone());
        Some(event)
    }

    pub(super) fn old_report(&self, pick: usize) -> Option<Event> {
        self.delivered.iter().rev().nth(pick % self.delivered.len().max(1)).cloned()
    }

    pub(super) fn pending(&self) -> usize {
        self.guardian.len()
    }

    pub(super) fn alive(&self) -> usize {
        self.runs.len()
    }
}
