//! A random plan under random rules.

use std::fmt;

use super::*;
use crate::app::StartOrder;
use crate::model::HttpCheck;

/// The distance from the first port of a type to that of the next. So small that a dyno can get the port of a dyno of
/// another type that is still being stopped.
pub(super) const STEP: u16 = 2;

/// The process types of the Procfile.
pub(super) const TYPES: [&str; 3] = ["web", "worker", "job"];

pub(super) struct Scenario {
    pub(super) plan: Plan,
    /// The types that are up once they listen, and answer if they must.
    pub(super) ready: Vec<ProcessType>,
    pub(super) policy: Policy,
    /// At the end processes die only of SIGKILL.
    pub(super) stubborn: bool,
    /// `Boot` comes at a random moment.
    pub(super) boots_late: bool,
}

impl Scenario {
    pub(super) fn random(random: &mut Random) -> Self {
        let ready: Vec<ProcessType> = TYPES.into_iter().filter(|_| random.one_in(2)).map(process_type).collect();
        let blueprint = blueprint_with(&TYPES.map(process_type), STEP, |settings| {
            settings.ready.clone_from(&ready);
            settings.expected.clone_from(&ready);
            settings.http = random.one_in(2).then(|| Arc::new(HttpCheck::new("/up", None).unwrap()));
        });
        let spec = |dyno: DynoName| Arc::new(blueprint.spec(&dyno).unwrap());
        let release = random.one_in(3).then(|| spec(dyno("release.1")));
        let mut dynos = Vec::new();
        for name in TYPES {
            dynos.extend((1..=random.below(3)).map(|index| spec(dyno(&format!("{name}.{index}")))));
        }
        let plan = Plan { blueprint, release, formation: dynos, command: None };
        let policy = random_policy(random);
        let plan = in_order(plan, random_order(random));
        Self { plan, ready, policy, stubborn: random.one_in(2), boots_late: random.one_in(20) }
    }
}

fn random_policy(random: &mut Random) -> Policy {
    let mut policy = Policy {
        grace: Duration::from_millis(random.one_of(&[0, 1_000, 5_000, 30_000])),
        stop_all: if random.one_in(3) { StopAll::EveryType } else { StopAll::Types(Vec::new()) },
        boot_timeout: random.one_of(&[None, Some(Duration::from_secs(2)), Some(Duration::from_secs(7))]),
        notes_loopback: random.one_in(2),
        shows_addresses: !random.one_in(4),
        report_exit_timeout: random.one_in(2),
        stop_advice: random.one_in(2).then(|| StopAdvice { keys: random.one_in(2), options: random.one_in(2) }),
        ..Policy::default()
    };
    if random.one_in(2) {
        policy.on_exit = OnExit::Restart(RestartPolicy {
            base: Duration::from_millis(random.one_of(&[0, 1_000])),
            cap: Duration::from_secs(8),
            min_healthy: Duration::from_secs(random.below(12)),
            max_restarts: random.one_of(&[None, None, Some(0), Some(1), Some(3)]),
        });
    }
    for name in TYPES {
        if random.one_in(3) {
            policy.can_die.insert(process_type(name), random.one_of(&[CanDie::Success, CanDie::Any]));
        }
        if let (StopAll::Types(types), true) = (&mut policy.stop_all, random.one_in(4)) {
            types.push(process_type(name));
        }
        if random.one_in(4) {
            policy.stop_signals.insert(process_type(name), random.one_of(&[2, 3]));
        }
    }
    policy
}

/// Each type may wait for types that come before it in some order, so that there is no circle.
fn random_order(random: &mut Random) -> StartOrder {
    let orders = [[0, 1, 2], [2, 1, 0], [1, 0, 2]];
    let ranked = random.one_of(&orders).map(|at: usize| TYPES[at]);
    let mut items = Vec::new();
    if random.one_in(2) {
        for (rank, left) in ranked.iter().enumerate() {
            for right in ranked.iter().take(rank) {
                let until = random.one_of(&["", "", "", ":5433", ":done", ":started"]);
                items.extend(random.one_in(2).then(|| format!("{left}={right}{until}")));
            }
        }
    }
    StartOrder::parse(items.iter().map(String::as_str), &TYPES.map(process_type)).unwrap()
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |specs: &mut dyn Iterator<Item = &Arc<DynoSpec>>| {
            specs.map(|spec| spec.dyno.to_string()).collect::<Vec<_>>().join(" ")
        };
        writeln!(f, "release: {}", names(&mut self.plan.release.iter()))?;
        writeln!(f, "formation: {}", names(&mut self.plan.formation.iter()))?;
        write!(f, "policy: {:#?}\nstubborn: {}, boots late: {}", self.policy, self.stubborn, self.boots_late)
    }
}
