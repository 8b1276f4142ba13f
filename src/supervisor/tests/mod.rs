//! Event histories: each test feeds events and compares the effects, written as lines of text.

mod deploy;
mod detached;
mod drain;
mod grace;
mod heroku;
mod keyboard;
mod life;
mod lost;
mod order;
mod ready;
mod refresh;
mod release;
mod replaced;
mod requests;
mod restart;
mod rollback;
mod signals;
mod stop_all;
mod stop_report;
mod time;
mod walk;

use core::net::{IpAddr, Ipv4Addr};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::app::{Layers, Ports, Procfile, StartOrder};
use crate::model::{
    DynoName, DynoSpec, Environment, ExitStatus, Focus, Io, Launch, ProcessType, Readiness, RunReport, Shell,
    SpawnFailure,
};
use crate::release::{HttpChecks, Listeners, OneOff, Release, RunSettings};

/// The address of a server, for tests in which it does not matter.
pub(crate) const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(crate) fn at(seconds: u64) -> Now {
    at_ms(seconds * 1_000)
}

pub(crate) fn at_ms(milliseconds: u64) -> Now {
    let mono = Duration::from_millis(milliseconds);
    Now { mono, wall: jiff::Timestamp::from_second(1_700_000_000).unwrap() + mono }
}

pub(crate) fn code(code: u8) -> ExitStatus {
    ExitStatus::Code(code)
}

pub(crate) fn killed_by(signal: u8) -> ExitStatus {
    ExitStatus::Signal(signal)
}

fn dyno(name: &str) -> DynoName {
    let (process_type, index) = name.split_once('.').unwrap();
    DynoName::new(ProcessType::new(process_type).unwrap(), index.parse().unwrap())
}

pub(crate) fn process_type(name: &str) -> ProcessType {
    ProcessType::new(name).unwrap()
}

pub(crate) fn spec(name: &str) -> Arc<DynoSpec> {
    Arc::new(DynoSpec {
        dyno: dyno(name),
        command_line: format!("./{name}").into(),
        launch: Launch::Shell { shell: Shell::Sh, line: format!("exec ./{name}").into_bytes(), leads: false },
        port: None,
        readiness: Readiness::Runs,
        expected_port: None,
        environment: Environment::default(),
        directory: PathBuf::from("/app"),
        io: Io::Pipe,
        focus: Focus::Elsewhere,
        stdin_is_empty: false,
    })
}

/// The same dyno, but it must listen on port 5000 + its index before it is up.
pub(crate) fn listening(spec: &DynoSpec) -> Arc<DynoSpec> {
    let port = 5000 + u16::try_from(spec.dyno.index).unwrap();
    Arc::new(DynoSpec { readiness: Readiness::Listens { port }, expected_port: Some(port), ..spec.clone() })
}

/// The same plan, but its web dynos must listen before they are up.
fn awaiting_web(plan: Plan) -> Plan {
    let dyno = |spec: &Arc<DynoSpec>| {
        if spec.dyno.process_type.as_str() == "web" { listening(spec) } else { Arc::clone(spec) }
    };
    Plan { formation: plan.formation.iter().map(dyno).collect(), ..plan }
}

pub(crate) fn formation(names: &[&str]) -> Plan {
    plan_of(names.iter().map(|name| spec(name)).collect())
}

fn plan_of(formation: Vec<Arc<DynoSpec>>) -> Plan {
    let types: Vec<ProcessType> = formation.iter().map(|spec| spec.dyno.process_type.clone()).collect();
    Plan { blueprint: blueprint(&types, 100), release: None, formation, command: None }
}

/// A release with a release command and these process types. Their ports begin at 5000. `step`: the distance from the
/// first port of a type to that of the next.
fn blueprint(types: &[ProcessType], step: u16) -> Blueprint {
    blueprint_with(types, step, |_| ())
}

fn blueprint_with(types: &[ProcessType], step: u16, change: impl FnOnce(&mut RunSettings)) -> Blueprint {
    let lines: Vec<String> = types.iter().map(|name| format!("{name}: ./{name}\n")).collect();
    let procfile = Procfile::parse(format!("release: ./release\n{}", lines.concat()).as_bytes()).unwrap();
    blueprint_of(Release::first("local".to_owned(), procfile, Layers::default()), step, change)
}

fn blueprint_of(release: Release, step: u16, change: impl FnOnce(&mut RunSettings)) -> Blueprint {
    let mut settings = RunSettings {
        app: "app".to_owned(),
        names_siblings: true,
        ports: Ports::new(5_000, step, &release.procfile.formation_types()),
        expected: Vec::new(),
        ready: Vec::new(),
        http: HttpChecks::default(),
        shell: Shell::Sh,
        directory: PathBuf::from("/app"),
        session: String::new(),
        io: Io::Pipe,
        focused: None,
    };
    change(&mut settings);
    Blueprint::new(release, settings)
}

/// The same plan, in this order.
fn in_order(plan: Plan, order: StartOrder) -> Plan {
    let release = Release { order, ..plan.blueprint.release().clone() };
    let blueprint = plan.blueprint.succeeded_by(release, plan.blueprint.listeners(), &HashMap::new());
    Plan { blueprint, ..plan }
}

fn with_release(names: &[&str]) -> Plan {
    Plan { release: Some(spec("release.1")), ..formation(names) }
}

fn restarting() -> Policy {
    Policy { on_exit: OnExit::Restart(RestartPolicy::default()), ..Policy::default() }
}

fn restarting_at_most(restarts: u32) -> Policy {
    let policy = RestartPolicy { max_restarts: Some(restarts), ..RestartPolicy::default() };
    Policy { on_exit: OnExit::Restart(policy), ..Policy::default() }
}

/// A formation whose dynos are all up at second 0.
fn all_up(names: &[&str], policy: Policy) -> Supervisor {
    all_spawned(formation(names), policy)
}

fn all_spawned(plan: Plan, policy: Policy) -> Supervisor {
    let names: Vec<String> = plan.formation.iter().map(|spec| spec.dyno.to_string()).collect();
    let mut supervisor = Supervisor::new(plan, policy);
    boot(&mut supervisor);
    for name in names {
        spawned(&mut supervisor, &name, at(0));
    }
    supervisor
}

fn run_of(supervisor: &Supervisor, name: &str) -> RunId {
    let slot = supervisor.slots.iter().find(|slot| slot.spec.dyno == dyno(name)).unwrap();
    slot.state.run().unwrap_or_else(|| panic!("{name} has no run: {:?}", slot.state))
}

fn row(supervisor: &Supervisor, name: &str) -> Row {
    supervisor.snapshot().rows.into_iter().find(|row| row.dyno == dyno(name)).unwrap()
}

fn state(supervisor: &Supervisor, name: &str) -> PublicState {
    row(supervisor, name).state
}

fn feed(supervisor: &mut Supervisor, event: Event, now: Now) -> Vec<String> {
    supervisor.handle(event, now).iter().filter_map(|effect| line(effect, NoticeStyle::Plain)).collect()
}

fn boot(supervisor: &mut Supervisor) -> Vec<String> {
    feed(supervisor, Event::Boot, at(0))
}

fn spawned(supervisor: &mut Supervisor, name: &str, now: Now) -> Vec<String> {
    let run = run_of(supervisor, name);
    feed(supervisor, Event::Run(run, RunReport::Spawned { pid: i32::try_from(run.0).unwrap() + 100 }), now)
}

fn spawn_failed(supervisor: &mut Supervisor, name: &str, now: Now) -> Vec<String> {
    let run = run_of(supervisor, name);
    feed(
        supervisor,
        Event::Run(run, RunReport::SpawnFailed(SpawnFailure("cannot start /bin/sh: no memory".into()))),
        now,
    )
}

fn ready(supervisor: &mut Supervisor, name: &str, now: Now) -> Vec<String> {
    let run = run_of(supervisor, name);
    feed(supervisor, Event::Ready { run, address: LOCALHOST, loopback_only: false }, now)
}

fn exit(supervisor: &mut Supervisor, name: &str, exit: ExitStatus, now: Now) -> Vec<String> {
    let run = run_of(supervisor, name);
    feed(supervisor, Event::Run(run, RunReport::Exited { exit, left: Vec::new() }), now)
}

fn gone(supervisor: &mut Supervisor, name: &str, now: Now) -> Vec<String> {
    let run = run_of(supervisor, name);
    feed(supervisor, Event::Run(run, RunReport::Gone), now)
}

/// The leader exits with 1 and leaves no process behind.
fn crash(supervisor: &mut Supervisor, name: &str, now: Now) -> Vec<String> {
    let mut lines = exit(supervisor, name, code(1), now);
    lines.extend(gone(supervisor, name, now));
    lines
}

/// The leader is terminated by SIGTERM and leaves no process behind.
fn obey(supervisor: &mut Supervisor, name: &str, now: Now) -> Vec<String> {
    let mut lines = exit(supervisor, name, killed_by(15), now);
    lines.extend(gone(supervisor, name, now));
    lines
}

fn unkillable(supervisor: &mut Supervisor, name: &str, now: Now) -> Vec<String> {
    let run = run_of(supervisor, name);
    feed(supervisor, Event::Run(run, RunReport::Unkillable { survivor: "77 (nfs)".into() }), now)
}

fn signal(supervisor: &mut Supervisor, signal: UserSignal, now: Now) -> Vec<String> {
    feed(supervisor, Event::Signal(signal), now)
}

fn tick(supervisor: &mut Supervisor, now: Now) -> Vec<String> {
    feed(supervisor, Event::Tick, now)
}

/// One effect as a line: `spawn web.1 #1`, `#1 stop 15`, `web.1: exited with code 1`, `system: …`, `finish 1`. None for
/// a notice that has no text in this style.
pub(crate) fn line(effect: &Effect, style: NoticeStyle) -> Option<String> {
    Some(match effect {
        Effect::Spawn(SpawnSpec { run, spec }) => format!("spawn {} #{}", spec.dyno, run.0),
        Effect::Signal { run, signal } => format!("#{} {}", run.0, order(*signal)),
        Effect::Notify(Notice { about: About::Dyno(dyno), kind }) => format!("{dyno}: {}", kind.text(style)?),
        Effect::Notify(Notice { about: About::Formation { .. }, kind }) => format!("system: {}", kind.text(style)?),
        Effect::Drain { run } => format!("#{} drain", run.0),
        Effect::FindListener { run } => format!("#{} find listener", run.0),
        Effect::PassInterrupt { run } => format!("#{} Ctrl-C", run.0),
        Effect::Reply { request, result } => format!("reply {}: {}", request.0, reply(result)),
        // Only the runtime needs to know.
        Effect::Retire { .. } => return None,
        Effect::Suspend => "suspend".into(),
        Effect::ReplaceGuardian => "replace guardian".into(),
        Effect::Finish(Outcome::Code(code)) => format!("finish {code}"),
        Effect::Finish(Outcome::Signal(signal)) => format!("finish by {signal}"),
    })
}

/// The answer to a command: `scaled web=2`, `restarting web.1 after 1`, `stopping web.1`, `started run.4711`.
fn reply(result: &Result<Reply, Refusal>) -> String {
    let join = |names: Vec<String>| names.join(" ");
    match result {
        Ok(Reply::Scaled(formation)) => {
            let quantity = |entry: &Quantity| format!("{}={}", entry.process_type, entry.quantity);
            format!("scaled {}", join(formation.iter().map(quantity).collect()))
        }
        Ok(Reply::Restarting(dynos)) => {
            let restarted = |restarted: &Restarted| format!("{} after {}", restarted.dyno, restarted.run);
            format!("restarting {}", join(dynos.iter().map(restarted).collect()))
        }
        Ok(Reply::Stopping(dynos)) => format!("stopping {}", join(dynos.iter().map(DynoName::to_string).collect())),
        Ok(Reply::Started(dyno)) => format!("started {dyno}"),
        Ok(Reply::Deploying { version, difference: _ }) => format!("deploying v{version}"),
        Ok(Reply::Unchanged) => "unchanged".to_owned(),
        Err(refusal) => format!("{refusal:?}"),
    }
}

fn order(signal: RunOrder) -> String {
    match signal {
        RunOrder::Stop { signal, everything: false } => format!("stop {signal}"),
        RunOrder::Stop { signal, everything: true } => format!("stop everything {signal}"),
        RunOrder::StopRest => "stop the rest".into(),
        RunOrder::Kill => "kill".into(),
        RunOrder::Pause => "pause".into(),
        RunOrder::Continue => "continue".into(),
        RunOrder::Resized => "resized".into(),
        RunOrder::FromTerminal { signal } => format!("key of {signal}"),
        RunOrder::Usr1 => "pass SIGUSR1".into(),
        RunOrder::Usr2 => "pass SIGUSR2".into(),
    }
}
