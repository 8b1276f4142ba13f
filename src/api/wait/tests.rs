//! When a wait ends, and how.

use super::*;
use crate::model::{DynoName, ExitStatus, ProcessType};
use crate::supervisor::{DynoLife, PastRun, Quantity};

fn web() -> ProcessType {
    ProcessType::new("web").expect("a name")
}

fn row(index: u32, state: PublicState, run: u64) -> Row {
    Row {
        dyno: DynoName::new(web(), index),
        role: DynoRole::Formation,
        state,
        since: jiff::Timestamp::UNIX_EPOCH,
        not_up: None,
        prevented: None,
        wanted: true,
        pid: None,
        port: None,
        command: "true".into(),
        run,
        restarts: 0,
        last_exit: (state == PublicState::Crashed).then_some(ExitStatus::Code(3)),
        life: DynoLife::default(),
    }
}

fn end(dynos: &[(&str, Option<u64>)], rows: Vec<Row>) -> (bool, WaitAnswer) {
    let dyno = |(name, run): &(&str, Option<u64>)| RestartedDyno { name: (*name).to_owned(), run: *run };
    let request = WaitRequest { dynos: dynos.iter().map(dyno).collect(), until: WaitUntil::Up, timeout: 1 };
    let mut condition = request.condition().expect("a condition");
    let snapshot =
        Snapshot { formation: vec![Quantity { process_type: web(), quantity: 2 }], rows, ..Snapshot::default() };
    (condition.is_decided(&snapshot), condition.answer(&snapshot))
}

fn result(result: WaitResult, dyno: Option<&str>) -> WaitAnswer {
    WaitAnswer::about(result, dyno.map(str::to_owned))
}

#[test]
fn s10_2_a_wait_ends_when_all_dynos_are_up() {
    use PublicState::{Starting, Up};

    let late = (false, result(WaitResult::Late, Some("web.2")));
    assert_eq!(end(&[], vec![row(1, Up, 1), row(2, Starting, 1)]), late);
    assert_eq!(end(&[("web", None)], vec![row(1, Up, 1), row(2, Starting, 1)]), late);
    let up = (true, result(WaitResult::Up, None));
    assert_eq!(end(&[], vec![row(1, Up, 1), row(2, Up, 1)]), up);
    assert_eq!(end(&[("web.1", None)], vec![row(1, Up, 1), row(2, Starting, 1)]), up);
    assert_eq!(end(&[("web", None)], vec![]), up);
}

#[test]
fn s10_2_a_wait_for_a_restart_ignores_the_old_run() {
    use PublicState::{Crashed, Down, Starting, Up};

    for state in [Up, Crashed, Starting, Down] {
        let waiting = (false, result(WaitResult::Late, Some("web.1")));
        assert_eq!(end(&[("web.1", Some(1))], vec![row(1, state, 1)]), waiting, "{state}");
    }
    assert_eq!(end(&[("web.1", Some(1))], vec![row(1, Up, 2)]), (true, result(WaitResult::Up, None)));
}

#[test]
fn s10_2_a_crash_or_a_stop_ends_a_wait_at_once() {
    use PublicState::{Crashed, Down, Starting};

    let crashed = WaitAnswer { exit_status: Some(3), ..result(WaitResult::Crashed, Some("web.2")) };
    assert_eq!(end(&[], vec![row(1, Starting, 1), row(2, Crashed, 1)]), (true, crashed));
    let stopped = Row { wanted: false, ..row(1, Down, 1) };
    let gone = (true, result(WaitResult::Gone, Some("web.1")));
    assert_eq!(end(&[("web.1", None)], vec![stopped]), gone);
    assert_eq!(end(&[("web.1", None)], vec![]), gone);
}

#[test]
fn s10_2_a_wait_has_a_limit() {
    let wait = |timeout| {
        WaitRequest { dynos: Vec::new(), until: WaitUntil::Up, timeout }.condition().map_err(|error| error.status)
    };

    assert!(wait(MAX_TIMEOUT).is_ok());
    assert_eq!(wait(MAX_TIMEOUT + 1), Err(422));
}

#[test]
fn s6_2_a_dyno_that_should_listen_is_not_up_before_it_does() {
    use PublicState::Up;

    let silent = DynoLife { stage: LifeStage::Up, expected_port: Some(5000), ..DynoLife::default() };
    let late = (false, WaitAnswer { pid: Some(7), port: Some(5000), ..result(WaitResult::Late, Some("web.1")) });
    assert_eq!(end(&[], vec![Row { pid: Some(7), life: silent.clone(), ..row(1, Up, 1) }]), late);
    let booting = DynoLife { stage: LifeStage::Booting, ..silent.clone() };
    assert_eq!(end(&[], vec![Row { pid: Some(7), life: booting, ..row(1, PublicState::Starting, 1) }]), late);
    let listening = DynoLife { listens: true, ..silent };
    let late = (false, result(WaitResult::Late, Some("web.1")));
    assert_eq!(end(&[], vec![Row { life: listening.clone(), ..row(1, Up, 1) }]), late);
    let ready = DynoLife { ready: true, ..listening };
    assert_eq!(end(&[], vec![Row { life: ready, ..row(1, Up, 1) }]), (true, result(WaitResult::Up, None)));
}

#[test]
fn s10_2_a_wait_for_everything_ignores_what_is_down_on_purpose() {
    use PublicState::{Down, Up};

    let stopped = Row { wanted: false, ..row(1, Down, 1) };
    assert_eq!(end(&[], vec![stopped, row(2, Up, 1)]), (true, result(WaitResult::Up, None)));
}

fn condition(name: &str, until: WaitUntil) -> WaitCondition {
    let dynos = vec![RestartedDyno { name: name.to_owned(), run: None }];
    WaitRequest { dynos, until, timeout: 1 }.condition().expect("a condition")
}

fn release(state: PublicState) -> Row {
    let dyno = DynoName::new(ProcessType::new("release").expect("a name"), 1);
    Row { dyno, role: DynoRole::Release, ..row(1, state, 1) }
}

#[test]
fn s10_2_a_wait_for_the_end_finds_the_release_command_that_has_ended() {
    let ended = Row { last_exit: Some(ExitStatus::Code(0)), ..release(PublicState::Down) };
    let snapshot = Snapshot { removed: vec![ended], ..Snapshot::default() };

    for name in ["release", "release.1"] {
        let mut condition = condition(name, WaitUntil::Exit);
        assert!(condition.is_decided(&snapshot), "{name}");
        assert_eq!(condition.answer(&snapshot), result(WaitResult::Ended, None), "{name}");
    }
}

#[test]
fn s10_2_a_wait_goes_on_in_the_release_phase_unless_it_fails() {
    let mut condition = condition("web", WaitUntil::Up);
    let waiting = Row { wanted: false, ..row(1, PublicState::Down, 0) };
    let snapshot = |phase, rows| Snapshot { rows, phase, ..Snapshot::default() };

    let in_release = snapshot(StartPhase::Release, vec![release(PublicState::Up), waiting.clone()]);
    let stopping = snapshot(StartPhase::Stopping, vec![release(PublicState::Crashed), waiting]);

    assert!(!condition.is_decided(&in_release));
    let late = WaitAnswer { leaving: true, ..result(WaitResult::Late, Some("release.1")) };
    assert_eq!(condition.answer(&in_release), late);
    assert_eq!(late.missing(WaitUntil::Up), "release.1 to end");
    assert_eq!(late.failure(WaitUntil::Up, 60, None), "`release.1` has not ended after 60 s");
    let crashed = WaitAnswer { exit_status: Some(3), ..result(WaitResult::Crashed, Some("release.1")) };
    assert_eq!(condition.answer(&stopping), crashed);
}

#[test]
fn s10_2_a_wait_for_the_end_finds_a_one_off_dyno_that_is_removed() {
    let dyno = DynoName::new(ProcessType::one_off(), 4711);
    let ended = |exit| Row {
        dyno: dyno.clone(),
        role: DynoRole::OneOff,
        last_exit: Some(ExitStatus::Code(exit)),
        ..row(1, PublicState::Down, 1)
    };
    let condition = condition("run.4711", WaitUntil::Exit);
    let answer = |exit| condition.answer(&Snapshot { removed: vec![ended(exit)], ..Snapshot::default() });

    assert_eq!(answer(0), result(WaitResult::Ended, None));
    assert_eq!(answer(3), WaitAnswer { exit_status: Some(3), ..result(WaitResult::Ended, Some("run.4711")) });
    assert_eq!(condition.answer(&Snapshot::default()), result(WaitResult::Gone, Some("run.4711")));
}

#[test]
fn s10_2_a_wait_includes_dynos_that_are_being_scaled_down() {
    use PublicState::{Down, Up};

    // The formation has two dynos.
    let leaving = || Row { wanted: false, ..row(3, Down, 1) };
    let rows = || vec![row(1, Up, 1), row(2, Up, 1), leaving()];
    let waiting = WaitAnswer { leaving: true, ..result(WaitResult::Late, Some("web.3")) };
    assert_eq!(end(&[("web", None)], rows()), (false, waiting));
    assert_eq!(end(&[("web", None)], vec![row(1, Up, 1), row(2, Up, 1)]), (true, result(WaitResult::Up, None)));
    assert_eq!(end(&[("web.3", None)], rows()), (true, result(WaitResult::Gone, Some("web.3"))));
}

#[test]
fn s10_2_a_dyno_that_is_named_several_times_is_checked_only_once() {
    let web = RestartedDyno { name: "web".to_owned(), run: None };
    let request = WaitRequest { dynos: vec![web; 10_000], until: WaitUntil::Up, timeout: 1 };

    assert_eq!(request.condition().expect("a condition").dynos.len(), 1);
}

#[test]
fn s6_2_a_wait_depends_on_the_ports_of_its_own_dynos() {
    let depends = |dynos: &[&str], until: WaitUntil| {
        let awaited = |name: &&str| RestartedDyno { name: (*name).to_owned(), run: None };
        let request = WaitRequest { dynos: dynos.iter().map(awaited).collect(), until, timeout: 1 };
        let condition = request.condition().expect("a condition");
        [1, 2].map(|index| condition.depends_on(&DynoName::new(web(), index)))
    };

    assert_eq!(depends(&[], WaitUntil::Up), [true, true]);
    assert_eq!(depends(&["web"], WaitUntil::Up), [true, true]);
    assert_eq!(depends(&["worker.1", "web.2"], WaitUntil::Up), [false, true]);
    assert_eq!(depends(&["web.2"], WaitUntil::Failure), [false, false]);
}

/// A dyno at one moment of its life. `exit`: how the last of its runs that are over ended.
fn at(index: u32, stage: LifeStage, run: u64, exit: Option<u8>, requested: bool) -> Row {
    let public = match stage {
        LifeStage::Up => PublicState::Up,
        LifeStage::Waiting | LifeStage::Starting | LifeStage::Booting => PublicState::Starting,
        LifeStage::Clearing | LifeStage::Backoff | LifeStage::Crashed => PublicState::Crashed,
        LifeStage::Down | LifeStage::Draining | LifeStage::Stopping | LifeStage::Lost => PublicState::Down,
    };
    let last_exit = exit.map(ExitStatus::Code);
    let end = |exit| PastRun {
        at: jiff::Timestamp::UNIX_EPOCH,
        exit,
        ran_for: std::time::Duration::ZERO,
        requested,
        left: Vec::new(),
    };
    let life = DynoLife { stage, ends: last_exit.map(end).into_iter().collect(), ..DynoLife::default() };
    Row { last_exit, life, ..row(index, public, run) }
}

/// Whether each of these moments decides a wait for the end of `web`, and the answer after the last one.
fn ends(moments: Vec<Vec<Row>>) -> (Vec<bool>, WaitAnswer) {
    let mut condition = condition("web", WaitUntil::Exit);
    let snapshots = moments.into_iter().map(|rows| Snapshot { rows, ..Snapshot::default() });
    let snapshots: Vec<Snapshot> = snapshots.collect();
    let decided = snapshots.iter().map(|snapshot| condition.is_decided(snapshot)).collect();
    (decided, condition.answer(snapshots.last().expect("a moment")))
}

#[test]
fn s10_2_a_wait_for_the_end_lasts_until_nothing_of_the_run_is_left() {
    use LifeStage::{Clearing, Crashed, Up};

    let one = |stage, exit| vec![at(1, stage, 1, exit, false)];
    let (decided, answer) = ends(vec![one(Up, None), one(Clearing, Some(4)), one(Crashed, Some(4))]);

    assert_eq!(decided, [false, false, true]);
    assert_eq!(answer, WaitAnswer { exit_status: Some(4), ..result(WaitResult::Ended, Some("web.1")) });
}

#[test]
fn s10_2_a_wait_for_the_end_sees_a_crash_that_a_restart_follows_at_once() {
    use LifeStage::{Clearing, Starting, Up};

    let one = |stage, run, exit| vec![at(1, stage, run, exit, false)];
    // It had crashed before the wait began.
    let moments = vec![one(Up, 2, Some(9)), one(Clearing, 2, Some(3)), one(Starting, 3, Some(3))];
    let (decided, answer) = ends(moments);

    assert_eq!(decided, [false, false, true]);
    assert_eq!(answer.exit_status, Some(3));
}

#[test]
fn s10_2_a_wait_for_several_ends_remembers_each_of_them() {
    use LifeStage::{Clearing, Starting, Up};

    let both = |stage, run, exit, other| vec![at(1, stage, run, exit, false), other];
    let running = || at(2, Up, 2, None, false);
    let moments = vec![
        both(Up, 1, None, running()),
        both(Clearing, 1, Some(3), running()),
        both(Starting, 3, Some(3), running()),
        both(Clearing, 3, Some(5), running()),
        both(Starting, 4, Some(5), at(2, LifeStage::Down, 2, Some(0), false)),
    ];
    let (decided, answer) = ends(moments);

    assert_eq!(decided, [false, false, false, false, true]);
    assert_eq!(answer, WaitAnswer { exit_status: Some(3), ..result(WaitResult::Ended, Some("web.1")) });
}

#[test]
fn s10_2_a_requested_restart_is_not_the_end() {
    use LifeStage::{Crashed, Starting, Stopping, Up};

    let one = |stage, run, exit, requested| vec![at(1, stage, run, exit, requested)];
    let moments = vec![
        one(Up, 1, None, false),
        one(Stopping, 1, None, false),
        one(Starting, 2, Some(143), true),
        one(Crashed, 2, Some(3), false),
    ];
    let (decided, answer) = ends(moments);

    assert_eq!(decided, [false, false, false, true]);
    assert_eq!(answer.exit_status, Some(3));
}

#[test]
fn s10_2_a_wait_for_a_failure_is_not_decided_by_dynos_that_are_up() {
    use PublicState::{Crashed, Down, Starting, Up};

    let decided = |row: Row| {
        condition("web", WaitUntil::Failure).is_decided(&Snapshot { rows: vec![row], ..Snapshot::default() })
    };

    assert!(!decided(row(1, Up, 1)) && !decided(row(1, Starting, 1)));
    assert!(decided(row(1, Crashed, 1)) && decided(Row { wanted: false, ..row(1, Down, 1) }));
}
