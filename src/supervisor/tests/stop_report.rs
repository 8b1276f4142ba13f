//! What the log says about a stop: which dyno caused it, and which ones have not ended yet.

use super::*;

fn explaining(keys: bool, options: bool) -> Policy {
    Policy { stop_advice: Some(StopAdvice { keys, options }), ..Policy::default() }
}

#[test]
fn s6_3_the_dyno_that_stops_the_others_is_named_before_the_signal() {
    let mut supervisor = all_up(&["web.1", "worker.1"], explaining(true, true));

    assert_eq!(
        exit(&mut supervisor, "web.1", code(3), at(1)),
        [
            "web.1: exited with code 3",
            "#1 stop 15",
            "system: web.1 exited first (code 3): stopping the others; press Ctrl-C to kill them",
            "system: hint: `--can-die web=any` or `--restart` keeps the others up",
            "system: sending SIGTERM to all processes",
            "#2 stop 15",
        ]
    );
    gone(&mut supervisor, "web.1", at(1));
    assert_eq!(
        tick(&mut supervisor, at(3)),
        ["system: waiting for worker.1 to exit; SIGKILL in 3 seconds; Ctrl-C kills now"]
    );
}

#[test]
fn s6_3_a_dyno_that_runs_alone_needs_no_explanation() {
    let mut supervisor = all_up(&["web.1"], explaining(true, true));

    assert_eq!(exit(&mut supervisor, "web.1", code(3), at(1)), ["web.1: exited with code 3", "#1 stop 15"]);
}

#[test]
fn s6_3_after_an_allowed_exit_no_line_says_exited_first() {
    let can_die = [(process_type("setup"), CanDie::Success)].into();
    let mut supervisor = all_up(&["setup.1", "web.1", "worker.1"], Policy { can_die, ..explaining(false, false) });
    exit(&mut supervisor, "setup.1", code(0), at(1));
    gone(&mut supervisor, "setup.1", at(1));

    let lines = exit(&mut supervisor, "web.1", killed_by(11), at(2));

    assert_eq!(lines[2], "system: web.1 exited (SIGSEGV): stopping the others");
}

#[test]
fn s6_3_a_release_command_is_not_the_first_exit() {
    let plan = with_release(&["web.1", "worker.1"]);
    let mut supervisor = Supervisor::new(plan, explaining(false, false));
    boot(&mut supervisor);
    spawned(&mut supervisor, "release.1", at(0));
    exit(&mut supervisor, "release.1", code(0), at(0));
    gone(&mut supervisor, "release.1", at(0));
    spawned(&mut supervisor, "web.1", at(1));

    let lines = exit(&mut supervisor, "web.1", code(0), at(2));

    assert_eq!(lines[2], "system: web.1 exited first (code 0): stopping the others");
}

#[test]
fn s6_3_a_dyno_that_cannot_be_started_stops_the_others_without_a_hint() {
    let mut supervisor = Supervisor::new(formation(&["web.1", "worker.1"]), explaining(false, true));
    boot(&mut supervisor);
    spawned(&mut supervisor, "worker.1", at(0));

    assert_eq!(
        spawn_failed(&mut supervisor, "web.1", at(0)),
        [
            "web.1: cannot start /bin/sh: no memory",
            "system: web.1 could not be started: stopping the others",
            "system: sending SIGTERM to all processes",
            "#2 stop 15",
        ]
    );
}

#[test]
fn s6_3_a_command_that_was_not_found_gets_no_hint_to_go_on_without_it() {
    let mut supervisor = all_up(&["web.1", "worker.1"], explaining(false, true));

    let lines = exit(&mut supervisor, "web.1", code(127), at(1));

    assert_eq!(lines[3], "system: web.1 exited first (code 127): stopping the others");
    assert_eq!(lines[4], "system: sending SIGTERM to all processes");
}

#[test]
fn s6_5_a_dyno_that_is_not_up_in_time_stops_the_others() {
    let boot_timeout = Some(Duration::from_secs(9));
    let policy = Policy { boot_timeout, ..explaining(false, true) };
    let mut supervisor = all_spawned(awaiting_web(formation(&["web.1", "worker.1"])), policy);

    let lines = tick(&mut supervisor, at(9));

    let line = "system: web.1 was not up in time: stopping the others".to_owned();
    assert!(lines.contains(&line) && !lines.iter().any(|line| line.contains("hint")), "{lines:?}");
}

#[test]
fn s6_6_a_stop_names_the_dyno_whose_leftover_processes_it_waits_for() {
    let mut supervisor = all_up(&["web.1", "worker.1"], explaining(false, false));
    signal(&mut supervisor, UserSignal::Term, at(1));
    exit(&mut supervisor, "web.1", killed_by(15), at(1));

    assert_eq!(
        tick(&mut supervisor, at_ms(3_003)),
        ["system: waiting for processes of web.1 and worker.1 to exit; SIGKILL in 3 seconds"]
    );
    assert_eq!(supervisor.next_deadline(), Some(at(5).mono), "one line is enough for a grace period of 5 seconds");
}

#[test]
fn s6_6_a_short_grace_is_over_before_a_line_would_help() {
    let mut supervisor = all_up(&["web.1"], Policy { grace: Duration::from_millis(2_900), ..Policy::default() });

    signal(&mut supervisor, UserSignal::Term, at(1));

    assert_eq!(supervisor.deadlines().count(), 1, "the rest gets the signal");
}
