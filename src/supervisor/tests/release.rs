//! The formation waits for the release phase (S8).

use super::*;

fn in_release_phase(policy: Policy) -> Supervisor {
    let mut supervisor = Supervisor::new(with_release(&["web.1"]), policy);
    boot(&mut supervisor);
    spawned(&mut supervisor, "release.1", at(0));
    supervisor
}

#[test]
fn s8_1_nothing_starts_before_the_release_command_succeeds_and_is_gone() {
    let mut supervisor = Supervisor::new(with_release(&["web.1"]), Policy::default());

    assert_eq!(boot(&mut supervisor), ["spawn release.1 #1"]);
    assert_eq!(spawned(&mut supervisor, "release.1", at(0)), ["release.1: started with pid 101"]);
    assert_eq!(state(&supervisor, "web.1"), PublicState::Down);
    assert_eq!(exit(&mut supervisor, "release.1", code(0), at(1)), ["release.1: exited with code 0", "#1 stop 15"]);
    assert_eq!(gone(&mut supervisor, "release.1", at(2)), ["spawn web.1 #2"]);
    assert_eq!(supervisor.snapshot().rows.len(), 1, "a finished release phase has no row");
}

#[test]
fn s8_2_if_the_release_fails_nothing_starts_and_its_status_is_used() {
    for policy in [Policy::default(), restarting()] {
        let mut supervisor = in_release_phase(policy);

        assert_eq!(
            exit(&mut supervisor, "release.1", code(4), at(1)),
            [
                "release.1: exited with code 4",
                "#1 stop 15",
                "system: release v1 failed: its command exited with status 4; nothing was started",
            ]
        );
        assert_eq!(gone(&mut supervisor, "release.1", at(1)), ["finish 4"]);
    }
}

#[test]
fn s8_2_a_release_command_that_cannot_start_has_failed() {
    let mut supervisor = Supervisor::new(with_release(&["web.1"]), restarting());
    boot(&mut supervisor);

    assert_eq!(
        spawn_failed(&mut supervisor, "release.1", at(0)),
        [
            "release.1: cannot start /bin/sh: no memory",
            "system: release v1 failed: its command exited with status 126; nothing was started",
            "finish 126",
        ]
    );
}

#[test]
fn a_signal_stops_the_release_command_like_any_dyno() {
    let mut supervisor = in_release_phase(Policy::default());

    assert_eq!(signal(&mut supervisor, UserSignal::Int, at(1)).last().unwrap(), "#1 stop 15");
    assert_eq!(obey(&mut supervisor, "release.1", at(1)), ["release.1: terminated by SIGTERM", "finish by SIGINT"]);
}

#[test]
fn s10_2_a_release_command_that_was_stopped_is_still_known() {
    let mut supervisor = in_release_phase(Policy::default());
    signal(&mut supervisor, UserSignal::Int, at(1));
    obey(&mut supervisor, "release.1", at(1));

    let removed: Vec<String> = supervisor.snapshot().removed.iter().map(|row| row.dyno.to_string()).collect();
    assert_eq!(removed, ["release.1"]);
}

#[test]
fn after_a_signal_a_successful_release_command_starts_nothing() {
    let mut supervisor = in_release_phase(Policy::default());
    exit(&mut supervisor, "release.1", code(0), at(1));
    signal(&mut supervisor, UserSignal::Int, at(1));

    assert_eq!(gone(&mut supervisor, "release.1", at(1)), ["finish by SIGINT"]);
}

#[test]
fn nothing_starts_while_an_unkillable_release_process_is_left() {
    let mut supervisor = in_release_phase(Policy::default());
    exit(&mut supervisor, "release.1", code(0), at(1));
    tick(&mut supervisor, at(6));

    assert_eq!(
        unkillable(&mut supervisor, "release.1", at(8)),
        ["release.1: process 77 (nfs) could not be killed", "finish 70"]
    );
}

#[test]
fn a_release_command_without_a_formation_ends_with_0() {
    let mut supervisor = Supervisor::new(with_release(&[]), Policy::default());
    boot(&mut supervisor);
    spawned(&mut supervisor, "release.1", at(0));
    exit(&mut supervisor, "release.1", code(0), at(0));

    assert_eq!(gone(&mut supervisor, "release.1", at(0)), ["finish 0"]);
}
