//! Event histories of a smoke test: each test feeds events and compares the effects, written as lines of text.

mod failures;
mod progress;
mod reports;
mod walk;

use std::sync::Arc;

use super::*;
use crate::model::{ExitStatus, HttpCheck, Readiness, RunId, RunReport, SpawnFailure, SpawnSpec};
use crate::supervisor::tests::{LOCALHOST, at, at_ms, code, formation, killed_by, line, listening, process_type, spec};
use crate::supervisor::{CanDie, HttpAnswer, HttpSilence, NoticeStyle, OnExit, OutputLoss, RestartPolicy, UserSignal};

const SECOND: Duration = Duration::from_secs(1);

/// A supervisor and the smoke test that uses it.
#[derive(Clone)]
struct Tested {
    supervisor: Supervisor,
    smoke: Smoke,
}

impl Tested {
    fn new(plan: Plan, policy: Policy, rules: SmokeRules) -> Self {
        let (supervisor, smoke) = Smoke::new(plan, policy, rules);
        Self { supervisor, smoke }
    }

    fn handle(&mut self, event: Event, now: Now) -> Vec<Step> {
        self.smoke.handle(&mut self.supervisor, event, now)
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.supervisor.next_deadline().into_iter().chain(self.smoke.next_deadline()).min()
    }

    fn report(&self, outcome: Outcome, at: Duration) -> SmokeReport {
        self.smoke.report(outcome, at)
    }
}

fn plan(names: &[&str], command: bool) -> Plan {
    let plan = formation(names);
    let formation = plan
        .formation
        .iter()
        .map(|spec| if spec.dyno.process_type.as_str() == "web" { listening(spec) } else { Arc::clone(spec) });
    Plan { formation: formation.collect(), command: command.then(|| spec("run.1")), ..plan.clone() }
}

fn policy() -> Policy {
    Policy { boot_timeout: Some(60 * SECOND), ..Policy::default() }
}

fn rules() -> SmokeRules {
    SmokeRules { settle: SECOND, base: Some(spec("web.1").dyno.clone()), words: vec!["npm".into(), "test".into()] }
}

/// The same plan, but dynos that must listen must also answer.
fn probing(plan: Plan) -> Plan {
    let check = Arc::new(HttpCheck::new("/health", None).unwrap());
    let answering = |spec: &Arc<DynoSpec>| match spec.readiness.port() {
        Some(port) => {
            let readiness = Readiness::Answers { port, check: Arc::clone(&check) };
            Arc::new(DynoSpec { readiness, ..DynoSpec::clone(spec) })
        }
        None => Arc::clone(spec),
    };
    Plan { formation: plan.formation.iter().map(answering).collect(), ..plan }
}

/// A smoke test after `Event::Boot`.
fn begun(plan: Plan, policy: Policy, rules: SmokeRules) -> Tested {
    let mut smoke = Tested::new(plan, policy, rules);
    let _ = smoke.handle(Event::Boot, at(0));
    smoke
}

/// A smoke test with `web.1` and a command: `web.1` has settled, and the command runs.
fn testing(policy: Policy) -> Tested {
    let mut smoke = begun(plan(&["web.1"], true), policy, rules());
    spawned(&mut smoke, "web.1", at(0));
    ready(&mut smoke, "web.1", at(1));
    feed(&mut smoke, Event::Tick, at(2));
    spawned(&mut smoke, "run.1", at(2));
    smoke
}

/// Lets the time pass for which all dynos are watched after the command succeeded.
fn last_look(smoke: &mut Tested, after: u64) -> Vec<String> {
    feed(smoke, Event::Tick, Now { mono: at(after).mono + LAST_CHECK, ..at(after) })
}

fn feed(smoke: &mut Tested, event: Event, now: Now) -> Vec<String> {
    smoke.handle(event, now).iter().filter_map(step_line).collect()
}

/// One step as a line: `-- boot`, or an effect as in the tests of the supervisor.
fn step_line(step: &Step) -> Option<String> {
    match step {
        Step::Effect(effect) => line(effect, NoticeStyle::Plain),
        Step::Begin(phase) => Some(format!("-- {phase}")),
    }
}

fn run_of(smoke: &Tested, name: &str) -> RunId {
    smoke.smoke.account.run_of(&spec(name).dyno).unwrap_or_else(|| panic!("{name} has no run"))
}

fn spawned(smoke: &mut Tested, name: &str, now: Now) -> Vec<String> {
    let run = run_of(smoke, name);
    feed(smoke, Event::Run(run, RunReport::Spawned { pid: 100 + i32::try_from(run.0).unwrap() }), now)
}

fn ready(smoke: &mut Tested, name: &str, now: Now) -> Vec<String> {
    let run = run_of(smoke, name);
    feed(smoke, Event::Ready { run, address: LOCALHOST, loopback_only: false }, now)
}

fn answered(smoke: &mut Tested, name: &str, answer: HttpAnswer, now: Now) -> Vec<String> {
    let run = run_of(smoke, name);
    feed(smoke, Event::NotAnswering { run, answer: Some(answer) }, now)
}

/// It listens, and is probed from now on.
fn listens(smoke: &mut Tested, name: &str, now: Now) -> Vec<String> {
    let run = run_of(smoke, name);
    feed(smoke, Event::NotAnswering { run, answer: None }, now)
}

fn exit(smoke: &mut Tested, name: &str, exit: ExitStatus, now: Now) -> Vec<String> {
    let run = run_of(smoke, name);
    feed(smoke, Event::Run(run, RunReport::Exited { exit, left: Vec::new() }), now)
}

fn gone(smoke: &mut Tested, name: &str, now: Now) -> Vec<String> {
    let run = run_of(smoke, name);
    feed(smoke, Event::Run(run, RunReport::Gone), now)
}

/// The leader exits and leaves no process behind.
fn end(smoke: &mut Tested, name: &str, how: ExitStatus, now: Now) -> Vec<String> {
    let mut lines = exit(smoke, name, how, now);
    lines.extend(gone(smoke, name, now));
    lines
}

#[test]
fn a_smoke_test_boots_settles_runs_the_command_and_stops() {
    let mut smoke = Tested::new(plan(&["web.1", "worker.1"], true), policy(), rules());

    assert_eq!(feed(&mut smoke, Event::Boot, at(0)), ["-- boot", "spawn web.1 #1", "spawn worker.1 #2"]);
    assert_eq!(spawned(&mut smoke, "web.1", at(0)), ["web.1: started with pid 101"]);
    assert_eq!(spawned(&mut smoke, "worker.1", at(0)), ["worker.1: started with pid 102"]);
    assert_eq!(ready(&mut smoke, "web.1", at(3)), ["-- settle"]);
    assert_eq!(smoke.next_deadline(), Some(4 * SECOND));
    assert_eq!(feed(&mut smoke, Event::Tick, at_ms(3_999)), [""; 0]);
    assert_eq!(feed(&mut smoke, Event::Tick, at(4)), ["-- command", "spawn run.1 #3"]);
    assert_eq!(spawned(&mut smoke, "run.1", at(4)), ["run.1: started with pid 103"]);
    assert_eq!(exit(&mut smoke, "run.1", code(0), at(9)), ["run.1: exited with code 0", "#3 stop 15"]);
    assert_eq!(gone(&mut smoke, "run.1", at(9)), [""; 0]);
    assert_eq!(smoke.next_deadline(), Some(9 * SECOND + LAST_CHECK));
    assert_eq!(
        last_look(&mut smoke, 9),
        ["-- stop", "system: sending SIGTERM to all processes", "#1 stop 15", "#2 stop 15"]
    );
    assert_eq!(end(&mut smoke, "web.1", killed_by(15), at(9)), ["web.1: terminated by SIGTERM"]);
    assert_eq!(end(&mut smoke, "worker.1", code(0), at(9)), ["worker.1: exited with code 0", "finish 0"]);
}

#[test]
fn without_a_command_a_smoke_test_ends_when_all_stayed_up() {
    let mut smoke = begun(plan(&["web.1"], false), policy(), rules());
    spawned(&mut smoke, "web.1", at(0));
    ready(&mut smoke, "web.1", at(1));

    assert_eq!(
        feed(&mut smoke, Event::Tick, at(2)),
        ["-- stop", "system: sending SIGTERM to all processes", "#1 stop 15"]
    );
    assert_eq!(end(&mut smoke, "web.1", killed_by(15), at(2)), ["web.1: terminated by SIGTERM", "finish 0"]);
}

#[test]
fn with_settle_0_the_command_starts_when_the_last_dyno_is_up() {
    let settle = SmokeRules { settle: Duration::ZERO, ..rules() };
    let mut smoke = begun(plan(&["web.1", "web.2"], true), policy(), settle);
    for name in ["web.1", "web.2"] {
        spawned(&mut smoke, name, at(0));
    }

    assert_eq!(ready(&mut smoke, "web.2", at(1)), [""; 0]);
    assert_eq!(ready(&mut smoke, "web.1", at(2)), ["-- settle", "-- command", "spawn run.1 #3"]);
}

#[test]
fn the_release_phase_comes_first() {
    let plan = Plan { release: Some(spec("release.1")), ..plan(&["worker.1"], false) };
    let mut smoke = Tested::new(plan, policy(), rules());

    assert_eq!(feed(&mut smoke, Event::Boot, at(0)), ["-- release", "spawn release.1 #1"]);
    spawned(&mut smoke, "release.1", at(0));
    exit(&mut smoke, "release.1", code(0), at(2));
    assert_eq!(gone(&mut smoke, "release.1", at(2)), ["-- boot", "spawn worker.1 #2"]);
    // A worker need not listen.
    assert_eq!(spawned(&mut smoke, "worker.1", at(2)), ["worker.1: started with pid 102", "-- settle"]);
}

#[test]
fn a_release_command_that_hangs_is_stopped_after_the_timeout() {
    let plan = Plan { release: Some(spec("release.1")), ..plan(&["worker.1"], true) };
    let mut smoke = begun(plan, policy(), rules());
    spawned(&mut smoke, "release.1", at(1));
    feed(&mut smoke, Event::Signal(UserSignal::Tstp), at(2));
    feed(&mut smoke, Event::Resumed { paused_for: 10 * SECOND }, at(12));
    feed(&mut smoke, Event::Tick, at(69));
    let line = feed(&mut smoke, Event::Tick, at(69));
    assert_eq!(line, ["system: still waiting after 55 seconds: release.1 has not exited"]);
    assert_eq!(smoke.next_deadline(), Some(70 * SECOND));

    assert_eq!(
        feed(&mut smoke, Event::Tick, at(70)),
        ["-- stop", "system: sending SIGTERM to all processes", "#1 stop 15"]
    );

    assert_eq!(end(&mut smoke, "release.1", killed_by(15), at(71)).last().unwrap(), "finish 75");
    let report = smoke.report(Outcome::Code(75), at(71).mono);
    assert_eq!(report.reason, "not up within 60 seconds: release.1 has not exited");
    assert_eq!(report.culprit, Some(spec("release.1").dyno.clone()));
}

#[test]
fn suspension_extends_the_settle_phase() {
    let mut smoke = begun(plan(&["worker.1"], false), policy(), rules());
    spawned(&mut smoke, "worker.1", at(0));

    feed(&mut smoke, Event::Signal(UserSignal::Tstp), at_ms(500));
    feed(&mut smoke, Event::Resumed { paused_for: 10 * SECOND }, at_ms(10_500));

    assert_eq!(smoke.next_deadline(), Some(11 * SECOND));
    assert_eq!(feed(&mut smoke, Event::Tick, at_ms(10_900)), [""; 0]);
}

#[test]
fn a_can_die_type_that_exits_does_not_delay_the_command() {
    let may_exit = Policy { can_die: [(process_type("worker"), CanDie::Success)].into(), ..policy() };
    let mut smoke = begun(plan(&["web.1", "worker.1"], true), may_exit, rules());
    spawned(&mut smoke, "web.1", at(0));
    spawned(&mut smoke, "worker.1", at(0));

    assert_eq!(end(&mut smoke, "worker.1", code(0), at(0)), ["worker.1: exited with code 0", "#2 stop 15"]);
    assert_eq!(ready(&mut smoke, "web.1", at(1)), ["-- settle"]);
    assert_eq!(feed(&mut smoke, Event::Tick, at(2)), ["-- command", "spawn run.1 #3"]);
}

#[test]
fn the_command_runs_even_if_all_dynos_exited_as_allowed() {
    let may_exit = Policy { can_die: [(process_type("worker"), CanDie::Success)].into(), ..policy() };
    let mut smoke = begun(plan(&["worker.1"], true), may_exit, rules());
    spawned(&mut smoke, "worker.1", at(0));
    end(&mut smoke, "worker.1", code(0), at(0));

    assert_eq!(feed(&mut smoke, Event::Tick, at(1)), ["-- command", "spawn run.1 #2"]);
    spawned(&mut smoke, "run.1", at(1));
    end(&mut smoke, "run.1", code(0), at(2));
    assert_eq!(last_look(&mut smoke, 2), ["-- stop", "finish 0"]);
}

#[test]
fn with_http_a_web_dyno_is_up_once_its_answer_is_right() {
    let mut smoke = begun(probing(plan(&["web.1"], true)), policy(), rules());
    spawned(&mut smoke, "web.1", at(0));

    assert_eq!(listens(&mut smoke, "web.1", at(1)), [""; 0]);
    assert_eq!(answered(&mut smoke, "web.1", HttpAnswer::None(HttpSilence::Slow), at(2)), [""; 0]);
    let wrong = ["web.1: answers GET /health with 500, not 200 to 399; trying again"];
    assert_eq!(answered(&mut smoke, "web.1", HttpAnswer::Status(500), at(3)), wrong);
    assert_eq!(ready(&mut smoke, "web.1", at(4)), ["-- settle"]);
    // An answer that arrives late changes nothing.
    assert_eq!(answered(&mut smoke, "web.1", HttpAnswer::Status(500), at(4)), [""; 0]);
    assert_eq!(smoke.next_deadline(), Some(5 * SECOND));
}

#[test]
fn processes_left_by_the_command_end_before_the_formation_is_stopped() {
    let mut smoke = testing(policy());

    assert_eq!(exit(&mut smoke, "run.1", code(3), at(3)), ["run.1: exited with code 3", "#2 stop 15"]);
    assert_eq!(feed(&mut smoke, Event::Tick, at(7)), ["#2 stop the rest"]);
    assert_eq!(feed(&mut smoke, Event::Tick, at(8)), ["#2 kill"]);
    assert_eq!(gone(&mut smoke, "run.1", at(8)), ["-- stop", "system: sending SIGTERM to all processes", "#1 stop 15"]);
}

#[test]
fn nothing_is_restarted_even_if_the_policy_says_so() {
    let restarting = Policy { on_exit: OnExit::Restart(RestartPolicy::default()), ..policy() };
    let mut smoke = begun(plan(&["worker.1"], false), restarting, rules());
    spawned(&mut smoke, "worker.1", at(0));

    assert_eq!(end(&mut smoke, "worker.1", code(3), at(0)).last().unwrap(), "finish 3");
}
