//! Deadlines: suspension moves all of them, and a guardian that misses its deadline is replaced.

use super::*;

fn suspend(supervisor: &mut Supervisor, seconds: u64, now: Now) {
    let _ = supervisor.handle(Event::Signal(UserSignal::Tstp), now);
    let paused_for = Duration::from_secs(seconds);
    let _ = supervisor.handle(Event::Resumed { paused_for }, Now { mono: now.mono + paused_for, ..now });
}

#[test]
fn s12_suspension_moves_the_grace() {
    let mut supervisor = all_up(&["web.1"], Policy::default());
    signal(&mut supervisor, UserSignal::Int, at(1));

    suspend(&mut supervisor, 100, at(2));

    assert_eq!(tick(&mut supervisor, at(103)), ["system: waiting for web.1 to exit; SIGKILL in 3 seconds"]);
    assert_eq!(supervisor.next_deadline(), Some(at(105).mono), "the rest gets the signal");
    assert_eq!(tick(&mut supervisor, at(105)), ["#1 stop the rest"]);
    assert_eq!(supervisor.next_deadline(), Some(at(106).mono));
}

#[test]
fn s12_suspension_moves_a_back_off_and_a_boot_deadline() {
    let boot_timeout = Some(Duration::from_secs(60));
    let policy = Policy { boot_timeout, ..restarting() };
    let mut supervisor = all_spawned(awaiting_web(formation(&["web.1", "worker.1"])), policy);
    crash(&mut supervisor, "worker.1", at(0));
    spawned(&mut supervisor, "worker.1", at(0));
    crash(&mut supervisor, "worker.1", at(0));

    suspend(&mut supervisor, 100, at(0));

    let deadlines: Vec<_> = supervisor.deadlines().collect();
    assert_eq!(deadlines, [at(160).mono, at(101).mono]);
}

#[test]
fn s12_time_suspended_is_not_uptime() {
    let mut supervisor = all_up(&["web.1"], restarting());
    crash(&mut supervisor, "web.1", at(0));
    spawned(&mut supervisor, "web.1", at(0));

    suspend(&mut supervisor, 100, at(1));

    assert_eq!(crash(&mut supervisor, "web.1", at(105)).last().unwrap(), "web.1: restarting in 1s");
}

#[test]
fn s12_suspension_extends_the_300_ms_of_a_keypress() {
    let mut supervisor = all_up(&["web.1"], Policy::default());
    signal(&mut supervisor, UserSignal::Int, at(1));

    suspend(&mut supervisor, 100, at(1));

    assert_eq!(signal(&mut supervisor, UserSignal::Int, at_ms(101_100)), [""; 0]);
}

#[test]
fn a_guardian_that_does_not_answer_a_kill_within_3_s_is_replaced() {
    let mut supervisor = all_up(&["web.1"], Policy::default());
    signal(&mut supervisor, UserSignal::Int, at(1));
    tick(&mut supervisor, at(5));
    assert_eq!(tick(&mut supervisor, at(6)), ["system: sending SIGKILL to all processes", "#1 kill"]);
    assert_eq!(supervisor.next_deadline(), Some(at(9).mono));

    assert_eq!(
        tick(&mut supervisor, at(9)),
        ["system: `dyno`'s helper process (the guardian) does not respond; ending without it", "replace guardian"]
    );
    assert_eq!(supervisor.next_deadline(), None);
    assert_eq!(tick(&mut supervisor, at(99)), [""; 0]);
}

#[test]
fn a_guardian_that_answers_a_kill_in_time_is_not_replaced() {
    let mut supervisor = all_up(&["web.1", "worker.1"], restarting());
    exit(&mut supervisor, "web.1", code(1), at(1));
    tick(&mut supervisor, at(6));
    gone(&mut supervisor, "web.1", at(7));

    assert_eq!(tick(&mut supervisor, at(9)), [""; 0]);
}

#[test]
fn a_grace_of_zero_is_over_at_once() {
    let mut supervisor = all_up(&["web.1"], Policy { grace: Duration::ZERO, ..Policy::default() });
    signal(&mut supervisor, UserSignal::Int, at(1));

    assert_eq!(supervisor.next_deadline(), Some(at(1).mono));
    assert_eq!(tick(&mut supervisor, at(1)).last().unwrap(), "#1 kill");
}

#[test]
fn an_infinite_grace_does_not_overflow() {
    let mut supervisor = all_up(&["web.1"], Policy { grace: Duration::MAX, ..Policy::default() });
    signal(&mut supervisor, UserSignal::Int, at(1));
    suspend(&mut supervisor, 100, at(2));

    assert!(tick(&mut supervisor, at(103))[0].starts_with("system: waiting for web.1 to exit; SIGKILL in "));
    assert!(supervisor.deadlines().any(|due| due == Duration::MAX));
}

#[test]
fn sigkill_to_all_is_announced_only_when_the_last_runs_are_killed() {
    let mut supervisor = all_up(&["web.1", "worker.1"], restarting());
    exit(&mut supervisor, "web.1", code(1), at(1));
    signal(&mut supervisor, UserSignal::Int, at(3));

    tick(&mut supervisor, at(5));
    assert_eq!(tick(&mut supervisor, at(6)), ["#1 kill"]);
    tick(&mut supervisor, at(7));
    assert_eq!(tick(&mut supervisor, at(8)), ["system: sending SIGKILL to all processes", "#2 kill"]);
}
