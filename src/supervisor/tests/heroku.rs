//! The notices of the heroku log format, in the words and the order of the platform.

use super::*;

/// The notices of the heroku format, without the other effects.
fn logged(supervisor: &mut Supervisor, event: Event, now: Now) -> Vec<String> {
    let effects = supervisor.handle(event, now);
    let notices = effects.iter().filter(|effect| matches!(effect, Effect::Notify(_)));
    notices.filter_map(|notice| line(notice, NoticeStyle::Heroku)).collect()
}

/// The run that was spawned last.
fn last_run(supervisor: &Supervisor) -> RunId {
    RunId(supervisor.last_run)
}

fn logged_spawned(supervisor: &mut Supervisor, now: Now) -> Vec<String> {
    let run = last_run(supervisor);
    logged(supervisor, Event::Run(run, RunReport::Spawned { pid: 7 }), now)
}

fn logged_exit(supervisor: &mut Supervisor, name: &str, exit: ExitStatus, now: Now) -> Vec<String> {
    let run = run_of(supervisor, name);
    logged(supervisor, Event::Run(run, RunReport::Exited { exit, left: Vec::new() }), now)
}

fn logged_gone(supervisor: &mut Supervisor, name: &str, now: Now) -> Vec<String> {
    let run = run_of(supervisor, name);
    logged(supervisor, Event::Run(run, RunReport::Gone), now)
}

fn heroku() -> Policy {
    Policy {
        grace: Policy::HEROKU_GRACE,
        boot_timeout: Some(Policy::HEROKU_BOOT_TIMEOUT),
        report_exit_timeout: true,
        ..restarting()
    }
}

fn by_ada(plan: Plan) -> Plan {
    let description = Some("Deploy 60a874b3".to_owned());
    let release = Release { version: 7, user: "ada".to_owned(), description, ..plan.blueprint.release().clone() };
    Plan { blueprint: blueprint_of(release, 100, |_| ()), ..plan }
}

#[test]
fn the_first_line_of_a_new_dyno_is_its_command() {
    let mut supervisor = Supervisor::new(by_ada(formation(&["worker.1"])), heroku());

    assert_eq!(
        logged(&mut supervisor, Event::Boot, at(0)),
        [
            "system: Deploy 60a874b3 by user ada",
            "system: Release v7 created by user ada",
            "worker.1: Starting process with command `./worker.1`",
        ]
    );
    assert_eq!(logged_spawned(&mut supervisor, at(0)), ["worker.1: State changed from starting to up"]);
}

#[test]
fn s8_1_a_release_is_created_when_its_command_is_complete() {
    let mut supervisor = Supervisor::new(awaiting_web(by_ada(with_release(&["web.1"]))), heroku());

    assert_eq!(
        logged(&mut supervisor, Event::Boot, at(0)),
        [
            "system: Deploy 60a874b3 by user ada",
            "system: Running release v7 commands by user ada",
            "system: Starting process with command `./release.1` by user ada",
            "release.1: Starting process with command `./release.1`",
        ]
    );
    assert_eq!(logged_spawned(&mut supervisor, at(0)), ["release.1: State changed from starting to up"]);
    assert_eq!(
        logged_exit(&mut supervisor, "release.1", code(0), at(1)),
        ["release.1: Process exited with status 0", "release.1: State changed from up to complete"]
    );
    assert_eq!(
        logged_gone(&mut supervisor, "release.1", at(1)),
        ["system: Release v7 created by user ada", "web.1: Starting process with command `./web.1`"]
    );
}

#[test]
fn s8_2_a_failed_release_command_is_complete_and_names_its_release() {
    let mut supervisor = Supervisor::new(awaiting_web(by_ada(with_release(&["web.1"]))), heroku());
    logged(&mut supervisor, Event::Boot, at(0));
    logged_spawned(&mut supervisor, at(0));

    assert_eq!(
        logged_exit(&mut supervisor, "release.1", killed_by(11), at(1)),
        [
            "release.1: Process exited with status 139",
            "release.1: State changed from up to complete",
            "system: release v7 failed: its command exited with status 139; nothing was started",
        ]
    );
    assert_eq!(logged_gone(&mut supervisor, "release.1", at(1)), [""; 0]);
}

#[test]
fn a_stopped_release_command_is_complete_when_it_has_exited() {
    let mut supervisor = Supervisor::new(awaiting_web(with_release(&["web.1"])), heroku());
    logged(&mut supervisor, Event::Boot, at(0));
    logged_spawned(&mut supervisor, at(0));

    assert_eq!(
        logged(&mut supervisor, Event::Signal(UserSignal::Int), at(1)),
        ["release.1: Stopping all processes with SIGTERM"]
    );
    assert_eq!(
        logged_exit(&mut supervisor, "release.1", killed_by(15), at(1)),
        ["release.1: Process exited with status 143", "release.1: State changed from up to complete"]
    );
}

#[test]
fn s6_4_a_crash_and_its_restart_are_logged_like_on_the_platform() {
    let mut supervisor = all_up(&["worker.1"], heroku());

    assert_eq!(
        logged_exit(&mut supervisor, "worker.1", code(1), at(1)),
        ["worker.1: Process exited with status 1", "worker.1: State changed from up to crashed"]
    );
    assert_eq!(
        logged_gone(&mut supervisor, "worker.1", at(1)),
        ["worker.1: State changed from crashed to starting", "worker.1: Starting process with command `./worker.1`",]
    );
}

#[test]
fn s6_4_a_dyno_stays_crashed_during_a_back_off() {
    let mut supervisor = all_up(&["worker.1"], heroku());
    crash(&mut supervisor, "worker.1", at(1));
    logged_spawned(&mut supervisor, at(1));
    logged_exit(&mut supervisor, "worker.1", code(1), at(1));

    assert_eq!(logged_gone(&mut supervisor, "worker.1", at(1)), [""; 0]);
    assert_eq!(
        logged(&mut supervisor, Event::Tick, at(2)),
        ["worker.1: State changed from crashed to starting", "worker.1: Starting process with command `./worker.1`",]
    );
}

#[test]
fn a_dyno_that_exits_before_it_listens_goes_from_starting_to_crashed() {
    let mut supervisor = Supervisor::new(awaiting_web(formation(&["web.1"])), heroku());
    logged(&mut supervisor, Event::Boot, at(0));
    assert_eq!(logged_spawned(&mut supervisor, at(0)), [""; 0]);

    assert_eq!(
        logged_exit(&mut supervisor, "web.1", code(0), at(1)),
        ["web.1: Process exited with status 0", "web.1: State changed from starting to crashed"]
    );
}

#[test]
fn a_dyno_that_cannot_start_goes_from_starting_to_crashed() {
    let mut supervisor = Supervisor::new(formation(&["worker.1"]), heroku());
    logged(&mut supervisor, Event::Boot, at(0));
    let run = last_run(&supervisor);

    assert_eq!(
        logged(
            &mut supervisor,
            Event::Run(run, RunReport::SpawnFailed(SpawnFailure("cannot start /bin/sh".into()))),
            at(0)
        ),
        [
            "worker.1: cannot start /bin/sh",
            "worker.1: State changed from starting to crashed",
            "worker.1: State changed from crashed to starting",
            "worker.1: Starting process with command `./worker.1`",
        ]
    );
}

#[test]
fn s6_5_r10_comes_before_the_kill_the_exit_and_the_crash() {
    let mut supervisor = Supervisor::new(awaiting_web(formation(&["web.1"])), heroku());
    logged(&mut supervisor, Event::Boot, at(0));
    logged_spawned(&mut supervisor, at(0));

    assert_eq!(
        logged(&mut supervisor, Event::Tick, at(60)),
        [
            "web.1: Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 60 seconds of launch",
            "web.1: Stopping process with SIGKILL",
        ]
    );
    assert_eq!(
        logged_exit(&mut supervisor, "web.1", killed_by(9), at(60)),
        ["web.1: Process exited with status 137", "web.1: State changed from starting to crashed"]
    );
}

#[test]
fn on_shutdown_each_dyno_is_down_before_it_is_stopped() {
    let mut supervisor = Supervisor::new(awaiting_web(formation(&["worker.1", "web.1"])), heroku());
    logged(&mut supervisor, Event::Boot, at(0));
    for name in ["worker.1", "web.1"] {
        let run = run_of(&supervisor, name);
        logged(&mut supervisor, Event::Run(run, RunReport::Spawned { pid: 7 }), at(0));
    }

    assert_eq!(
        logged(&mut supervisor, Event::Signal(UserSignal::Int), at(1)),
        [
            "worker.1: State changed from up to down",
            "worker.1: Stopping all processes with SIGTERM",
            "web.1: State changed from starting to down",
            "web.1: Stopping all processes with SIGTERM",
        ]
    );
    assert_eq!(
        logged_exit(&mut supervisor, "worker.1", killed_by(15), at(2)),
        ["worker.1: Process exited with status 143"]
    );
    assert_eq!(state(&supervisor, "worker.1"), PublicState::Down);
}

#[test]
fn s6_6_r12_is_logged_before_the_rest_is_killed() {
    let mut supervisor = all_up(&["worker.1"], heroku());
    logged(&mut supervisor, Event::Signal(UserSignal::Term), at(1));

    assert_eq!(
        logged(&mut supervisor, Event::Tick, at(31)),
        [
            "worker.1: Error R12 (Exit timeout) -> At least one process failed to exit within 30 seconds of SIGTERM",
            "worker.1: Stopping remaining processes with SIGKILL",
        ]
    );
    assert_eq!(
        logged_exit(&mut supervisor, "worker.1", killed_by(9), at(31)),
        ["worker.1: Process exited with status 137"]
    );
}

#[test]
fn a_stop_during_a_back_off_goes_from_crashed_to_down() {
    let mut supervisor = all_up(&["worker.1"], heroku());
    crash(&mut supervisor, "worker.1", at(1));
    logged_spawned(&mut supervisor, at(1));
    crash(&mut supervisor, "worker.1", at(1));

    assert_eq!(
        logged(&mut supervisor, Event::Signal(UserSignal::Int), at(1)),
        ["worker.1: State changed from crashed to down"]
    );
}

#[test]
fn a_stop_caused_by_an_exit_is_announced_after_that_dynos_output() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());
    let run = run_of(&supervisor, "worker.1");
    let announced = |effects: &[Effect]| {
        let is_stopping = |notice: &&Notice| matches!(notice.kind, NoticeKind::Stopping { .. });
        let notices =
            effects.iter().filter_map(|effect| if let Effect::Notify(notice) = effect { Some(notice) } else { None });
        notices.filter(is_stopping).map(|notice| notice.about.clone()).next()
    };

    let by_a_signal = announced(&supervisor.clone().handle(Event::Signal(UserSignal::Int), at(1)));
    let by_an_exit =
        announced(&supervisor.handle(Event::Run(run, RunReport::Exited { exit: code(1), left: Vec::new() }), at(1)));

    assert_eq!(by_a_signal, Some(About::Formation { after: None }));
    assert_eq!(by_an_exit, Some(About::Formation { after: Some(dyno("worker.1")) }));
}
