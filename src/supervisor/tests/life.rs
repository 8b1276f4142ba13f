//! The life of a dyno, from spawn to `Gone`.

use super::*;
use crate::model::LeftRunning;

#[test]
fn boot_spawns_the_formation_in_the_order_of_the_procfile() {
    let mut supervisor = Supervisor::new(formation(&["web.1", "web.2", "clock.1"]), Policy::default());

    let lines = boot(&mut supervisor);

    assert_eq!(lines, ["spawn web.1 #1", "spawn web.2 #2", "spawn clock.1 #3",]);
    assert_eq!(boot(&mut supervisor), [""; 0], "a second Boot changes nothing");
}

#[test]
fn an_empty_formation_finishes_at_once() {
    assert_eq!(boot(&mut Supervisor::new(formation(&[]), Policy::default())), ["finish 0"]);
}

#[test]
fn s6_2_a_dyno_is_up_when_its_exec_succeeds() {
    let mut supervisor = Supervisor::new(formation(&["worker.1"]), Policy::default());
    boot(&mut supervisor);
    assert_eq!(state(&supervisor, "worker.1"), PublicState::Starting);

    assert_eq!(spawned(&mut supervisor, "worker.1", at(1)), ["worker.1: started with pid 101"]);

    let row = row(&supervisor, "worker.1");
    assert_eq!((row.state, row.pid, row.since), (PublicState::Up, Some(101), at(1).wall));
}

#[test]
fn s6_2_a_ready_type_is_up_when_it_listens() {
    let mut supervisor = Supervisor::new(awaiting_web(formation(&["web.1"])), Policy::default());
    boot(&mut supervisor);

    assert_eq!(spawned(&mut supervisor, "web.1", at(1)), ["web.1: started with pid 101"]);
    assert_eq!(state(&supervisor, "web.1"), PublicState::Starting);
    assert_eq!(ready(&mut supervisor, "web.1", at(2)), [""; 0]);
    assert_eq!(state(&supervisor, "web.1"), PublicState::Up);
    assert_eq!(ready(&mut supervisor, "web.1", at(3)), [""; 0], "a repeated report changes nothing");
}

#[test]
fn s6_7_the_next_run_starts_only_after_the_old_one_is_gone() {
    let mut supervisor = all_up(&["web.1"], restarting());

    assert_eq!(
        exit(&mut supervisor, "web.1", code(1), at(1)),
        ["web.1: exited with code 1", "#1 stop 15"],
        "what the leader left behind is stopped"
    );
    assert_eq!(gone(&mut supervisor, "web.1", at(3)), ["web.1: restarting", "spawn web.1 #2"]);
}

#[test]
fn a_report_about_an_older_run_changes_nothing() {
    let mut supervisor = all_up(&["web.1"], restarting());
    let old = run_of(&supervisor, "web.1");
    crash(&mut supervisor, "web.1", at(1));
    spawned(&mut supervisor, "web.1", at(1));
    let before = supervisor.snapshot();

    for event in [
        Event::Run(old, RunReport::Exited { exit: code(3), left: Vec::new() }),
        Event::Run(old, RunReport::Gone),
        Event::Ready { run: old, address: LOCALHOST, loopback_only: false },
        Event::Run(old, RunReport::Spawned { pid: 9 }),
        Event::Run(old, RunReport::SpawnFailed(SpawnFailure("late".into()))),
        Event::Run(old, RunReport::Unkillable { survivor: "9 (x)".into() }),
        Event::Run(RunId(999), RunReport::Gone),
    ] {
        assert_eq!(feed(&mut supervisor, event.clone(), at(2)), [""; 0], "{event:?}");
    }
    assert_eq!(supervisor.snapshot(), before);
}

#[test]
fn s1_6_exit_127_points_to_the_line_above() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());

    assert_eq!(
        exit(&mut supervisor, "web.1", code(127), at(1)),
        [
            "web.1: exited with code 127",
            "web.1: command not found, see the line above",
            "#1 stop 15",
            "system: sending SIGTERM to all processes",
            "#2 stop 15",
        ]
    );
}

#[test]
fn a_dyno_that_cannot_start_says_why_and_the_status_is_126() {
    let mut supervisor = Supervisor::new(formation(&["web.1", "worker.1"]), Policy::default());
    boot(&mut supervisor);

    assert_eq!(
        spawn_failed(&mut supervisor, "web.1", at(0)),
        ["web.1: cannot start /bin/sh: no memory", "system: sending SIGTERM to all processes", "#2 stop 15"]
    );
    assert_eq!(
        spawn_failed(&mut supervisor, "worker.1", at(0)),
        ["worker.1: cannot start /bin/sh: no memory", "finish 126"]
    );
}

#[test]
fn a_stop_does_not_wait_for_the_spawn_to_be_confirmed() {
    let mut supervisor = Supervisor::new(formation(&["web.1"]), Policy::default());
    boot(&mut supervisor);

    let lines = signal(&mut supervisor, UserSignal::Term, at(0));
    assert_eq!(lines.last().unwrap(), "#1 stop 15");
    assert_eq!(spawned(&mut supervisor, "web.1", at(0)), [""; 0], "nothing starts after the stop was announced");
    assert_eq!(obey(&mut supervisor, "web.1", at(0)), ["web.1: terminated by SIGTERM", "finish by SIGTERM"]);
}

#[test]
fn s6_5_a_ready_type_that_does_not_listen_in_time_is_killed() {
    let policy = Policy { boot_timeout: Some(Duration::from_secs(60)), ..Policy::default() };
    let mut supervisor = Supervisor::new(awaiting_web(formation(&["web.1", "worker.1"])), policy);
    boot(&mut supervisor);
    spawned(&mut supervisor, "web.1", at(1));
    spawned(&mut supervisor, "worker.1", at(1));
    assert_eq!(supervisor.next_deadline(), Some(at(61).mono));

    assert_eq!(
        tick(&mut supervisor, at(61)),
        [
            "web.1: Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 60 seconds of launch",
            "#1 find listener",
            "#1 kill",
            "system: sending SIGTERM to all processes",
            "#2 stop 15",
        ]
    );
    assert_eq!(state(&supervisor, "web.1"), PublicState::Starting, "until its leader ends");
    obey(&mut supervisor, "worker.1", at(62));
    assert_eq!(exit(&mut supervisor, "web.1", killed_by(9), at(62)), ["web.1: terminated by SIGKILL"]);
    assert_eq!(gone(&mut supervisor, "web.1", at(62)), ["finish 137"]);
}

#[test]
fn s6_5_with_restarts_a_boot_timeout_is_a_crash_like_any_other() {
    let policy = Policy { boot_timeout: Some(Duration::from_secs(60)), ..restarting_at_most(0) };
    let mut supervisor = Supervisor::new(awaiting_web(formation(&["web.1"])), policy);
    boot(&mut supervisor);
    spawned(&mut supervisor, "web.1", at(0));
    tick(&mut supervisor, at(60));
    exit(&mut supervisor, "web.1", killed_by(9), at(60));

    assert_eq!(gone(&mut supervisor, "web.1", at(60)), ["web.1: crashed: not restarted", "finish 137"]);
}

#[test]
fn s6_6_after_the_grace_the_rest_is_killed_and_r12_logged_if_enabled() {
    let policy = Policy { grace: Policy::HEROKU_GRACE, report_exit_timeout: true, ..Policy::default() };
    let mut supervisor = all_up(&["web.1", "worker.1"], policy);
    signal(&mut supervisor, UserSignal::Term, at(1));
    obey(&mut supervisor, "worker.1", at(2));
    for (seconds, left) in [(3, 28), (13, 18), (23, 8)] {
        assert_eq!(supervisor.next_deadline(), Some(at(seconds).mono));
        let line = format!("system: waiting for web.1 to exit; SIGKILL in {left} seconds");
        assert_eq!(tick(&mut supervisor, at(seconds)), [line]);
    }
    assert_eq!(supervisor.next_deadline(), Some(at(30).mono));

    assert_eq!(tick(&mut supervisor, at(30)), ["#1 stop the rest"]);
    assert_eq!(
        tick(&mut supervisor, at(31)),
        [
            "system: sending SIGKILL to all processes",
            "web.1: Error R12 (Exit timeout) -> At least one process failed to exit within 30 seconds of SIGTERM",
            "#1 kill",
        ]
    );
    assert_eq!(tick(&mut supervisor, at(32)), [""; 0], "killed only once; the guardian repeats it");
}

#[test]
fn s6_6_the_rest_gets_the_stop_signal_halfway_through_a_short_grace() {
    for (grace, rest_at) in [(1, at_ms(1_500)), (2, at(2)), (3, at(3))] {
        let policy = Policy { grace: Duration::from_secs(grace), ..Policy::default() };
        let mut supervisor = all_up(&["web.1"], policy);

        signal(&mut supervisor, UserSignal::Term, at(1));

        assert!(supervisor.deadlines().any(|at| at == rest_at.mono), "a grace period of {grace} s");
        assert_eq!(tick(&mut supervisor, rest_at)[0], "#1 stop the rest");
    }
}

#[test]
fn s6_6_with_stop_all_every_process_gets_the_stop_signal_at_once() {
    let mut supervisor = all_up(&["web.1"], Policy { stop_all: StopAll::EveryType, ..Policy::default() });

    assert_eq!(signal(&mut supervisor, UserSignal::Term, at(1)).last().unwrap(), "#1 stop everything 15");
    tick(&mut supervisor, at(3));
    assert_eq!(supervisor.next_deadline(), Some(at(6).mono), "no process is left that has not had the signal");
}

#[test]
fn s6_10_a_server_in_the_background_is_named_when_its_leader_exits() {
    let mut supervisor = all_up(&["web.1"], Policy::default());
    let server = LeftRunning { pid: 812, name: "python3".to_owned(), port: Some(5000) };

    let exited = Event::Run(RunId(1), RunReport::Exited { exit: code(0), left: vec![server] });

    assert_eq!(
        feed(&mut supervisor, exited, at(1))[..2],
        [
            "web.1: exited with code 0, and left a process listening on port 5000 (python3, pid 812), which was stopped: \
             run the server in the foreground",
            "#1 stop 15",
        ]
    );
}

#[test]
fn s6_10_a_process_of_uncertain_origin_is_named_with_its_possible_dynos() {
    let mut supervisor = all_up(&["web.1", "worker.1"], restarting());
    let process = LeftRunning { pid: 812, name: "ssh-agent".to_owned(), port: None };
    exit(&mut supervisor, "web.1", code(1), at(1));
    let dynos = vec!["web.1".to_owned(), "worker.1".to_owned()];

    assert_eq!(
        feed(&mut supervisor, Event::Run(RunId(1), RunReport::LeftBehind { dynos, process }), at(1)),
        ["system: left behind by web.1 or worker.1: ssh-agent (pid 812), stopped at the end"]
    );
}

#[test]
fn processes_left_behind_by_a_crash_are_killed_after_the_grace() {
    let mut supervisor = all_up(&["web.1", "worker.1"], restarting());
    exit(&mut supervisor, "web.1", code(1), at(1));

    assert_eq!(tick(&mut supervisor, at(5)), ["#1 stop the rest"]);
    assert_eq!(tick(&mut supervisor, at(6)), ["#1 kill"]);
    assert_eq!(gone(&mut supervisor, "web.1", at(6)).last().unwrap(), "spawn web.1 #3");
}

#[test]
fn s11_an_unkillable_process_is_named_and_the_status_is_70() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());
    signal(&mut supervisor, UserSignal::Quit, at(1));

    assert_eq!(unkillable(&mut supervisor, "web.1", at(3)), ["web.1: process 77 (nfs) could not be killed"]);
    assert_eq!(obey(&mut supervisor, "worker.1", at(3)).last().unwrap(), "finish 70");
}

#[test]
fn a_dyno_with_an_unkillable_process_stays_down_but_others_go_on() {
    let mut supervisor = all_up(&["web.1", "worker.1"], restarting());
    exit(&mut supervisor, "web.1", code(1), at(1));
    tick(&mut supervisor, at(6));
    unkillable(&mut supervisor, "web.1", at(8));

    assert_eq!(tick(&mut supervisor, at(100)), [""; 0]);
    assert_eq!(state(&supervisor, "worker.1"), PublicState::Up);
    signal(&mut supervisor, UserSignal::Int, at(101));
    assert_eq!(obey(&mut supervisor, "worker.1", at(101)).last().unwrap(), "finish 70");
}

#[test]
fn unkillable_is_ignored_for_a_run_that_was_not_killed() {
    let mut supervisor = all_up(&["web.1"], Policy::default());

    assert_eq!(unkillable(&mut supervisor, "web.1", at(1)), [""; 0]);
    assert_eq!(state(&supervisor, "web.1"), PublicState::Up);
}

#[test]
fn a_run_that_is_gone_without_an_exit_report_has_crashed() {
    let mut supervisor = all_up(&["web.1"], restarting());

    assert_eq!(
        gone(&mut supervisor, "web.1", at(1)),
        ["web.1: terminated by SIGKILL", "web.1: restarting", "spawn web.1 #2"]
    );
}

#[test]
fn the_snapshot_counts_dynos_by_type_and_keeps_the_last_exit() {
    let mut supervisor = all_up(&["web.1", "web.2", "worker.1"], restarting());
    crash(&mut supervisor, "web.2", at(7));

    let snapshot = supervisor.snapshot();

    let quantities: Vec<_> =
        snapshot.formation.iter().map(|entry| (entry.process_type.as_str(), entry.quantity)).collect();
    assert_eq!(quantities, [("web", 2), ("worker", 1)]);
    let web_2 = row(&supervisor, "web.2");
    assert_eq!(
        (web_2.state, web_2.pid, web_2.restarts, web_2.last_exit, web_2.since),
        (PublicState::Starting, None, 1, Some(code(1)), at(7).wall)
    );
}

#[test]
fn a_thousand_dynos_boot_and_stop() {
    let names: Vec<String> = (1..=1_000).map(|index| format!("web.{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut supervisor = all_up(&names, Policy::default());

    signal(&mut supervisor, UserSignal::Int, at(1));
    let last = names.iter().map(|name| obey(&mut supervisor, name, at(1))).last().unwrap();

    assert_eq!(last.last().unwrap(), "finish by SIGINT");
}
