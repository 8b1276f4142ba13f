//! A random plan under random rules.

use std::fmt;

use super::new_release::NewOrder;
use super::*;
use crate::model::HttpCheck;
use crate::release::HttpChecks;

/// The distance from the first port of a type to that of the next. So small that a dyno can get the port of a dyno of
/// another type that is still being stopped.
pub(super) const STEP: u16 = 2;

/// The process types of the Procfile.
pub(super) const TYPES: [&str; 3] = ["web", "worker", "job"];

pub(super) struct Scenario {
    pub(super) plan: Plan,
    /// Which of its process types start after others.
    pub(super) order: NewOrder,
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
            if random.one_in(2) {
                settings.http = HttpChecks::EveryType(Arc::new(HttpCheck::new("/up", None).unwrap()));
            }
        });
        let spec = |dyno: DynoName| Arc::new(blueprint.spec(&dyno).unwrap());
        let release = random.one_in(3).then(|| spec(dyno("release.1")));
        let mut dynos = Vec::new();
        for name in TYPES {
            dynos.extend((1..=random.below(3)).map(|index| spec(dyno(&format!("{name}.{index}")))));
        }
        let plan = Plan { blueprint, release, formation: dynos, command: None };
        let policy = random_policy(random);
        let order = NewOrder::random(random);
        let plan = in_order(plan, order.start_order());
        Self { plan, order, ready, policy, stubborn: random.one_in(2), boots_late: random.one_in(20) }
    }
}

/// No two dynos of a formation may have the same port.
pub(super) fn check_ports(quantities: &[i64; 3]) -> Result<(), Refusal> {
    let mut taken: Vec<(u16, DynoName)> = Vec::new();
    for (place, quantity) in quantities.iter().enumerate() {
        for index in 1..=u16::try_from(*quantity).unwrap() {
            let port = 5_000 + STEP * u16::try_from(place).unwrap() + index - 1;
            let second = DynoName::new(process_type(TYPES[place]), index.into());
            if let Some((_, first)) = taken.iter().find(|(other, _)| *other == port) {
                let why = format!("`{first}` and `{second}` would both get port {port}");
                return Err(Refusal::Impossible { dyno: second, why });
            }
            taken.push((port, second));
        }
    }
    Ok(())
}

fn random_policy(random: &mut Random) -> Policy {
    let mut policy = Policy {
        grace: Duration::from_millis(random.one_of(&[0, 1_000, 5_000, 30_000])),
        stop_all: if random.one_in(3) { StopAll::EveryType } else { StopAll::Types(Vec::new()) },
        drain: Random(random.0).one_of(&[None, Some(Duration::ZERO), Some(Duration::from_secs(2))]),
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
