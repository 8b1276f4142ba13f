//! By default the first dyno that exits by itself stops everything (S6.3).

use super::*;

fn can_die(types: &[(&str, CanDie)]) -> Policy {
    let can_die = types.iter().map(|(name, rule)| (process_type(name), *rule)).collect();
    Policy { can_die, ..Policy::default() }
}

#[test]
fn s6_3_the_first_exit_stops_all_and_sets_the_exit_status() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());

    assert_eq!(
        exit(&mut supervisor, "web.1", code(3), at(1)),
        ["web.1: exited with code 3", "#1 stop 15", "system: sending SIGTERM to all processes", "#2 stop 15"]
    );
    assert_eq!(gone(&mut supervisor, "web.1", at(1)), [""; 0]);
    assert_eq!(state(&supervisor, "web.1"), PublicState::Crashed);
    assert_eq!(obey(&mut supervisor, "worker.1", at(2)), ["worker.1: terminated by SIGTERM", "finish 3"]);
    assert_eq!(state(&supervisor, "worker.1"), PublicState::Down);
    assert_eq!(signal(&mut supervisor, UserSignal::Int, at(3)), [""; 0], "finished only once");
    assert_eq!(supervisor.next_deadline(), None);
}

#[test]
fn s6_3_an_exit_with_0_stops_all_too() {
    let mut supervisor = all_up(&["web.1"], Policy::default());

    exit(&mut supervisor, "web.1", code(0), at(1));

    assert_eq!(gone(&mut supervisor, "web.1", at(1)), ["finish 0"]);
}

#[test]
fn s11_the_status_of_an_exit_by_signal_is_128_plus_its_number() {
    let mut supervisor = all_up(&["web.1"], Policy::default());

    exit(&mut supervisor, "web.1", killed_by(11), at(1));

    assert_eq!(gone(&mut supervisor, "web.1", at(1)), ["finish 139"]);
}

#[test]
fn a_second_exit_does_not_change_the_status() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());

    crash(&mut supervisor, "worker.1", at(1));
    exit(&mut supervisor, "web.1", code(9), at(1));

    assert_eq!(gone(&mut supervisor, "web.1", at(1)), ["finish 1"]);
}

#[test]
fn s6_3_a_can_die_type_may_exit_with_0_and_others_go_on() {
    let mut supervisor = all_up(&["web.1", "setup.1"], can_die(&[("setup", CanDie::Success)]));

    assert_eq!(exit(&mut supervisor, "setup.1", code(0), at(1)), ["setup.1: exited with code 0", "#2 stop 15"]);
    assert_eq!(gone(&mut supervisor, "setup.1", at(1)), [""; 0]);
    assert_eq!(state(&supervisor, "setup.1"), PublicState::Down);
    assert_eq!(state(&supervisor, "web.1"), PublicState::Up);
}

#[test]
fn s6_3_a_can_die_type_stops_all_with_another_status() {
    let mut supervisor = all_up(&["web.1", "setup.1"], can_die(&[("setup", CanDie::Success)]));

    let lines = exit(&mut supervisor, "setup.1", code(2), at(1));

    assert!(lines.contains(&"system: sending SIGTERM to all processes".to_owned()), "{lines:?}");
}

#[test]
fn if_all_dynos_exit_as_allowed_the_first_failure_is_the_status() {
    let policy = can_die(&[("a", CanDie::Success), ("b", CanDie::Any), ("c", CanDie::Any)]);
    let mut supervisor = all_up(&["a.1", "b.1", "c.1"], policy);
    for (name, status) in [("a.1", 0), ("b.1", 4), ("c.1", 5)] {
        exit(&mut supervisor, name, code(status), at(1));
    }

    assert_eq!(gone(&mut supervisor, "a.1", at(1)), [""; 0]);
    assert_eq!(gone(&mut supervisor, "b.1", at(1)), [""; 0]);
    assert_eq!(gone(&mut supervisor, "c.1", at(1)), ["finish 4"]);
}

#[test]
fn if_all_dynos_exit_with_0_as_allowed_the_status_is_0() {
    let mut supervisor = all_up(&["a.1"], can_die(&[("a", CanDie::Success)]));

    exit(&mut supervisor, "a.1", code(0), at(1));

    assert_eq!(gone(&mut supervisor, "a.1", at(1)), ["finish 0"]);
}

#[test]
fn a_requested_exit_does_not_change_the_status() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());
    signal(&mut supervisor, UserSignal::Term, at(1));

    exit(&mut supervisor, "web.1", code(5), at(1));
    gone(&mut supervisor, "web.1", at(1));

    assert_eq!(state(&supervisor, "web.1"), PublicState::Down);
    assert_eq!(obey(&mut supervisor, "worker.1", at(1)).last().unwrap(), "finish by SIGTERM");
}

#[test]
fn s7_5_a_closed_stdout_stops_all_with_141_and_a_full_disk_with_74() {
    for (loss, end) in [(OutputLoss::Closed, "finish 141"), (OutputLoss::Failed, "finish 74")] {
        let mut supervisor = all_up(&["web.1"], Policy::default());

        assert_eq!(
            feed(&mut supervisor, Event::OutputLost(loss), at(1)),
            ["system: sending SIGTERM to all processes", "#1 stop 15"]
        );
        feed(&mut supervisor, Event::OutputLost(OutputLoss::Failed), at(1));
        signal(&mut supervisor, UserSignal::Hup, at(2));
        assert_eq!(obey(&mut supervisor, "web.1", at(2)).last().unwrap(), end, "the first cause wins");
    }
}
