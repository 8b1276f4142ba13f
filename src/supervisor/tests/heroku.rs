//! What the log says with the platform's words, in the platform's order.

use super::*;

/// The lines of the heroku format alone: what is ordered is left out.
fn told(supervisor: &mut Supervisor, event: Event, now: Now) -> Vec<String> {
    let effects = supervisor.handle(event, now);
    let notices = effects.iter().filter(|effect| matches!(effect, Effect::Notify(_)));
    notices.filter_map(|notice| line(notice, NoticeStyle::Heroku)).collect()
}

/// The run that was spawned last.
fn last_run(supervisor: &Supervisor) -> RunId {
    RunId(supervisor.last_run)
}

fn told_spawned(supervisor: &mut Supervisor, now: Now) -> Vec<String> {
    let run = last_run(supervisor);
    told(supervisor, Event::Spawned { run, pid: 7 }, now)
}

fn told_exit(supervisor: &mut Supervisor, name: &str, exit: ExitStatus, now: Now) -> Vec<String> {
    let run = run_of(supervisor, name);
    told(supervisor, Event::Exited { run, exit, left: Vec::new() }, now)
}

fn told_gone(supervisor: &mut Supervisor, name: &str, now: Now) -> Vec<String> {
    let run = run_of(supervisor, name);
    told(supervisor, Event::Gone { run }, now)
}

fn heroku() -> Policy {
    Policy {
        grace: Policy::HEROKU_GRACE,
        ready: vec![process_type("web")],
        boot_timeout: Some(Policy::HEROKU_BOOT_TIMEOUT),
        report_exit_timeout: true,
        ..restarting()
    }
}

fn by_ada(plan: Plan) -> Plan {
    let description = Some("Deploy 60a874b3".to_owned());
    Plan { record: ReleaseRecord { version: 7, user: "ada".to_owned(), description }, ..plan }
}

#[test]
fn a_new_dyno_is_created_starting_and_says_so_with_its_command() {
    let mut supervisor = Supervisor::new(by_ada(formation(&["worker.1"])), heroku());

    assert_eq!(
        told(&mut supervisor, Event::Boot, at(0)),
        [
            "system: Deploy 60a874b3 by user ada",
            "system: Release v7 created by user ada",
            "worker.1: Starting process with command `./worker.1`",
        ]
    );
    assert_eq!(told_spawned(&mut supervisor, at(0)), ["worker.1: State changed from starting to up"]);
}

#[test]
fn s8_1_a_release_is_created_when_its_command_is_complete() {
    let mut supervisor = Supervisor::new(by_ada(with_release(&["web.1"])), heroku());

    assert_eq!(
        told(&mut supervisor, Event::Boot, at(0)),
        [
            "system: Deploy 60a874b3 by user ada",
            "system: Running release v7 commands by user ada",
            "system: Starting process with command `./release.1` by user ada",
            "release.1: Starting process with command `./release.1`",
        ]
    );
    assert_eq!(told_spawned(&mut supervisor, at(0)), ["release.1: State changed from starting to up"]);
    assert_eq!(
        told_exit(&mut supervisor, "release.1", code(0), at(1)),
        ["release.1: Process exited with status 0", "release.1: State changed from up to complete"]
    );
    assert_eq!(
        told_gone(&mut supervisor, "release.1", at(1)),
        ["system: Release v7 created by user ada", "web.1: Starting process with command `./web.1`"]
    );
}

#[test]
fn s8_2_a_failed_release_command_is_complete_too_and_the_release_is_named() {
    let mut supervisor = Supervisor::new(by_ada(with_release(&["web.1"])), heroku());
    told(&mut supervisor, Event::Boot, at(0));
    told_spawned(&mut supervisor, at(0));

    assert_eq!(
        told_exit(&mut supervisor, "release.1", killed_by(11), at(1)),
        [
            "release.1: Process exited with status 139",
            "release.1: State changed from up to complete",
            "system: release v7 failed: its command ended with status 139, nothing was started",
        ]
    );
    assert_eq!(told_gone(&mut supervisor, "release.1", at(1)), [""; 0]);
}

#[test]
fn a_stopped_release_command_is_complete_when_it_has_ended() {
    let mut supervisor = Supervisor::new(with_release(&["web.1"]), heroku());
    told(&mut supervisor, Event::Boot, at(0));
    told_spawned(&mut supervisor, at(0));

    assert_eq!(
        told(&mut supervisor, Event::Signal(UserSignal::Int), at(1)),
        ["release.1: Stopping all processes with SIGTERM"]
    );
    assert_eq!(
        told_exit(&mut supervisor, "release.1", killed_by(15), at(1)),
        ["release.1: Process exited with status 143", "release.1: State changed from up to complete"]
    );
}

#[test]
fn s6_4_a_crash_and_its_restart_are_told_as_on_the_platform() {
    let mut supervisor = all_up(&["worker.1"], heroku());

    assert_eq!(
        told_exit(&mut supervisor, "worker.1", code(1), at(1)),
        ["worker.1: Process exited with status 1", "worker.1: State changed from up to crashed"]
    );
    assert_eq!(
        told_gone(&mut supervisor, "worker.1", at(1)),
        ["worker.1: State changed from crashed to starting", "worker.1: Starting process with command `./worker.1`",]
    );
}

#[test]
fn s6_4_in_a_back_off_it_just_stays_crashed() {
    let mut supervisor = all_up(&["worker.1"], heroku());
    crash(&mut supervisor, "worker.1", at(1));
    told_spawned(&mut supervisor, at(1));
    told_exit(&mut supervisor, "worker.1", code(1), at(1));

    assert_eq!(told_gone(&mut supervisor, "worker.1", at(1)), [""; 0]);
    assert_eq!(
        told(&mut supervisor, Event::Tick, at(2)),
        ["worker.1: State changed from crashed to starting", "worker.1: Starting process with command `./worker.1`",]
    );
}

#[test]
fn a_dyno_that_ends_before_it_listens_crashes_from_starting() {
    let mut supervisor = Supervisor::new(formation(&["web.1"]), heroku());
    told(&mut supervisor, Event::Boot, at(0));
    assert_eq!(told_spawned(&mut supervisor, at(0)), [""; 0]);

    assert_eq!(
        told_exit(&mut supervisor, "web.1", code(0), at(1)),
        ["web.1: Process exited with status 0", "web.1: State changed from starting to crashed"]
    );
}

#[test]
fn a_dyno_that_cannot_be_started_crashes_from_starting() {
    let mut supervisor = Supervisor::new(formation(&["worker.1"]), heroku());
    told(&mut supervisor, Event::Boot, at(0));
    let run = last_run(&supervisor);

    assert_eq!(
        told(&mut supervisor, Event::SpawnFailed { run, why: SpawnFailure("cannot start /bin/sh".into()) }, at(0)),
        [
            "worker.1: cannot start /bin/sh",
            "worker.1: State changed from starting to crashed",
            "worker.1: State changed from crashed to starting",
            "worker.1: Starting process with command `./worker.1`",
        ]
    );
}

#[test]
fn s6_5_r10_is_told_then_the_kill_then_the_end_then_the_crash() {
    let mut supervisor = Supervisor::new(formation(&["web.1"]), heroku());
    told(&mut supervisor, Event::Boot, at(0));
    told_spawned(&mut supervisor, at(0));

    assert_eq!(
        told(&mut supervisor, Event::Tick, at(60)),
        [
            "web.1: Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 60 seconds of launch",
            "web.1: Stopping process with SIGKILL",
        ]
    );
    assert_eq!(
        told_exit(&mut supervisor, "web.1", killed_by(9), at(60)),
        ["web.1: Process exited with status 137", "web.1: State changed from starting to crashed"]
    );
}

#[test]
fn a_shutdown_takes_each_dyno_down_before_it_is_stopped() {
    let mut supervisor = Supervisor::new(formation(&["worker.1", "web.1"]), heroku());
    told(&mut supervisor, Event::Boot, at(0));
    for name in ["worker.1", "web.1"] {
        let run = run_of(&supervisor, name);
        told(&mut supervisor, Event::Spawned { run, pid: 7 }, at(0));
    }

    assert_eq!(
        told(&mut supervisor, Event::Signal(UserSignal::Int), at(1)),
        [
            "worker.1: State changed from up to down",
            "worker.1: Stopping all processes with SIGTERM",
            "web.1: State changed from starting to down",
            "web.1: Stopping all processes with SIGTERM",
        ]
    );
    assert_eq!(
        told_exit(&mut supervisor, "worker.1", killed_by(15), at(2)),
        ["worker.1: Process exited with status 143"]
    );
    assert_eq!(state(&supervisor, "worker.1"), PublicState::Down);
}

#[test]
fn s6_6_r12_is_told_before_what_is_left_is_killed() {
    let mut supervisor = all_up(&["worker.1"], heroku());
    told(&mut supervisor, Event::Signal(UserSignal::Term), at(1));

    assert_eq!(
        told(&mut supervisor, Event::Tick, at(31)),
        [
            "worker.1: Error R12 (Exit timeout) -> At least one process failed to exit within 30 seconds of SIGTERM",
            "worker.1: Stopping remaining processes with SIGKILL",
        ]
    );
    assert_eq!(
        told_exit(&mut supervisor, "worker.1", killed_by(9), at(31)),
        ["worker.1: Process exited with status 137"]
    );
}

#[test]
fn a_stop_takes_a_dyno_in_back_off_from_crashed_to_down() {
    let mut supervisor = all_up(&["worker.1"], heroku());
    crash(&mut supervisor, "worker.1", at(1));
    told_spawned(&mut supervisor, at(1));
    crash(&mut supervisor, "worker.1", at(1));

    assert_eq!(
        told(&mut supervisor, Event::Signal(UserSignal::Int), at(1)),
        ["worker.1: State changed from crashed to down"]
    );
}

#[test]
fn what_follows_from_the_end_of_a_dyno_is_shown_after_it() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());
    let run = run_of(&supervisor, "worker.1");
    let announced = |effects: &[Effect]| {
        let is_stopping = |notice: &&Notice| matches!(notice.kind, NoticeKind::Stopping { .. });
        let notices =
            effects.iter().filter_map(|effect| if let Effect::Notify(notice) = effect { Some(notice) } else { None });
        notices.filter(is_stopping).map(|notice| notice.about.clone()).next()
    };

    let of_itself = announced(&supervisor.clone().handle(Event::Signal(UserSignal::Int), at(1)));
    let after_an_end = announced(&supervisor.handle(Event::Exited { run, exit: code(1), left: Vec::new() }, at(1)));

    assert_eq!(of_itself, Some(About::Formation { after: None }));
    assert_eq!(after_an_end, Some(About::Formation { after: Some(dyno("worker.1")) }));
}
