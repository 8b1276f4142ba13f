//! With `--restart`, an exit that was not requested is a crash (S6.4).

use super::*;

fn restart_and_crash(supervisor: &mut Supervisor, name: &str, now: Now) -> Vec<String> {
    tick(supervisor, now);
    spawned(supervisor, name, now);
    crash(supervisor, name, now)
}

#[test]
fn s6_4_the_first_restart_is_immediate_and_other_dynos_go_on() {
    let mut supervisor = all_up(&["web.1", "worker.1"], restarting());

    assert_eq!(
        crash(&mut supervisor, "web.1", at(1)),
        ["web.1: exited with code 1", "#1 stop 15", "web.1: restarting", "spawn web.1 #3",]
    );
}

#[test]
fn s6_4_each_crash_within_the_healthy_window_doubles_the_delay() {
    let mut supervisor = all_up(&["web.1"], restarting());
    crash(&mut supervisor, "web.1", at(1));

    assert_eq!(restart_and_crash(&mut supervisor, "web.1", at(2)).last().unwrap(), "web.1: restarting in 1s");
    assert_eq!(supervisor.next_deadline(), Some(at(3).mono));
    assert_eq!(state(&supervisor, "web.1"), PublicState::Crashed);
    assert_eq!(restart_and_crash(&mut supervisor, "web.1", at(3)).last().unwrap(), "web.1: restarting in 2s");
    assert_eq!(supervisor.next_deadline(), Some(at(5).mono));
    assert_eq!(tick(&mut supervisor, at_ms(4_999)), [""; 0]);
    assert_eq!(tick(&mut supervisor, at(5)), ["spawn web.1 #4"]);
}

#[test]
fn s6_4_the_restart_count_resets_after_ten_seconds_up() {
    let mut supervisor = all_up(&["web.1"], restarting());
    crash(&mut supervisor, "web.1", at(1));
    spawned(&mut supervisor, "web.1", at(1));

    assert_eq!(crash(&mut supervisor, "web.1", at(11)).last().unwrap(), "spawn web.1 #3");
}

#[test]
fn time_spent_booting_is_not_uptime() {
    let mut supervisor = all_spawned(awaiting_web(formation(&["web.1"])), restarting());
    crash(&mut supervisor, "web.1", at(1));
    spawned(&mut supervisor, "web.1", at(1));
    ready(&mut supervisor, "web.1", at(9));

    assert_eq!(crash(&mut supervisor, "web.1", at(18)).last().unwrap(), "web.1: restarting in 1s");
}

#[test]
fn s6_4_after_the_last_allowed_restart_a_dyno_stays_crashed() {
    let mut supervisor = all_up(&["web.1", "worker.1"], restarting_at_most(1));
    crash(&mut supervisor, "web.1", at(1));

    let lines = restart_and_crash(&mut supervisor, "web.1", at(1));

    assert_eq!(lines.last().unwrap(), "web.1: crashed again after 1 restart: not restarted");
    assert_eq!(state(&supervisor, "web.1"), PublicState::Crashed);
    assert_eq!(row(&supervisor, "web.1").restarts, 1);
    assert_eq!(supervisor.next_deadline(), None);
    assert_eq!(state(&supervisor, "worker.1"), PublicState::Up);
}

#[test]
fn s6_4_the_last_crash_sets_the_status_if_no_dyno_restarts() {
    let mut supervisor = all_up(&["web.1", "worker.1"], restarting_at_most(0));
    crash(&mut supervisor, "web.1", at(1));

    exit(&mut supervisor, "worker.1", code(7), at(2));

    assert_eq!(gone(&mut supervisor, "worker.1", at(2)), ["worker.1: crashed: not restarted", "finish 7"]);
}

#[test]
fn s6_4_a_can_die_type_stays_down_after_0_and_restarts_otherwise() {
    for rule in [CanDie::Success, CanDie::Any] {
        let policy = Policy { can_die: [(process_type("setup"), rule)].into(), ..restarting() };
        let mut supervisor = all_up(&["setup.1"], policy);

        assert_eq!(crash(&mut supervisor, "setup.1", at(1)).last().unwrap(), "spawn setup.1 #2");
        exit(&mut supervisor, "setup.1", code(0), at(2));
        assert_eq!(gone(&mut supervisor, "setup.1", at(2)), ["finish 0"]);
        assert_eq!(state(&supervisor, "setup.1"), PublicState::Down);
    }
}

#[test]
fn s6_4_without_can_die_an_exit_with_0_is_a_crash() {
    let mut supervisor = all_up(&["web.1"], restarting());

    exit(&mut supervisor, "web.1", code(0), at(1));

    assert_eq!(gone(&mut supervisor, "web.1", at(1)).last().unwrap(), "spawn web.1 #2");
}

#[test]
fn a_dyno_that_cannot_start_is_tried_again_with_the_same_delays() {
    let mut supervisor = Supervisor::new(formation(&["web.1"]), restarting());
    boot(&mut supervisor);

    assert_eq!(
        spawn_failed(&mut supervisor, "web.1", at(0)),
        ["web.1: cannot start /bin/sh: no memory", "web.1: restarting", "spawn web.1 #2"]
    );
    assert_eq!(spawn_failed(&mut supervisor, "web.1", at(0)).last().unwrap(), "web.1: restarting in 1s");
    assert_eq!(row(&supervisor, "web.1").last_exit, Some(code(126)));
}

#[test]
fn a_stop_ends_a_back_off() {
    let mut supervisor = all_up(&["web.1"], restarting());
    crash(&mut supervisor, "web.1", at(1));
    restart_and_crash(&mut supervisor, "web.1", at(1));

    assert_eq!(
        signal(&mut supervisor, UserSignal::Int, at(1)),
        ["system: SIGINT received, starting shutdown", "finish by SIGINT"],
        "there is no run to send a signal to"
    );
    assert_eq!(state(&supervisor, "web.1"), PublicState::Down);
}

#[test]
fn a_dyno_that_crashed_before_the_stop_is_not_restarted_after_it() {
    let mut supervisor = all_up(&["web.1"], restarting());
    exit(&mut supervisor, "web.1", code(1), at(1));

    assert_eq!(
        signal(&mut supervisor, UserSignal::Int, at(1)),
        ["system: SIGINT received, starting shutdown"],
        "its remaining processes were already sent the stop signal"
    );
    assert_eq!(gone(&mut supervisor, "web.1", at(1)), ["finish by SIGINT"]);
    assert_eq!(state(&supervisor, "web.1"), PublicState::Crashed);
}
