//! An earlier release that runs again (S15.2).

use super::deploy::{deploy_from, running, statuses};
use super::*;

fn rollback(supervisor: &mut Supervisor, version: u32, now: Now) -> Vec<String> {
    let command = Command::Rollback { version, elsewhere: Vec::new() };
    feed(supervisor, Event::Request { id: RequestId(1), command }, now)
}

/// The third release runs: `web` has another command, `worker` is gone. The second had a release command and both types.
fn changed() -> Supervisor {
    let mut supervisor = running();
    reload(&mut supervisor, "release: ./migrate\nweb: ./web 2\nworker: ./worker\n", at(1));
    migrate(&mut supervisor, at(1));
    obey(&mut supervisor, "web.1", at(1));
    reload(&mut supervisor, "web: ./web 3\n", at(1));
    obey(&mut supervisor, "web.1", at(1));
    obey(&mut supervisor, "worker.1", at(1));
    supervisor
}

/// The release command starts and succeeds.
fn migrate(supervisor: &mut Supervisor, now: Now) -> Vec<String> {
    spawned(supervisor, "release.1", now);
    exit(supervisor, "release.1", code(0), now);
    gone(supervisor, "release.1", now)
}

fn reload(supervisor: &mut Supervisor, procfile: &str, now: Now) -> Vec<String> {
    deploy_from(supervisor, procfile, DeployOrigin::Files, now)
}

fn save(supervisor: &mut Supervisor, procfile: &str, now: Now) -> Vec<String> {
    deploy_from(supervisor, procfile, DeployOrigin::SavedFile, now)
}

fn command(supervisor: &Supervisor, name: &str) -> String {
    row(supervisor, name).command.to_string()
}

#[test]
fn s15_2_a_rollback_runs_an_earlier_release_as_a_new_one() {
    let mut supervisor = changed();

    let lines = rollback(&mut supervisor, 2, at(2));

    assert_eq!(
        lines,
        [
            "system: release v4: Rollback to v2 (Procfile: + release, ~ web, + worker)",
            "spawn release.1 #6",
            "reply 1: deploying v4"
        ]
    );
    assert_eq!(
        migrate(&mut supervisor, at(3)),
        [
            "system: running the config of v2, which differs from the Procfile; `dyno reload` goes back to the Procfile",
            "web.1: replaced by release v4: sending SIGTERM",
            "#5 stop 15",
            "spawn worker.1 #7",
        ]
    );
    obey(&mut supervisor, "web.1", at(3));
    assert_eq!([command(&supervisor, "web.1"), command(&supervisor, "worker.1")], ["./web 2", "./worker"]);
    assert_eq!(row(&supervisor, "worker.1").port, Some(5_100), "its type keeps its ports");
    let snapshot = supervisor.snapshot();
    let last = snapshot.releases.last().unwrap();
    assert_eq!((snapshot.release, last.version, last.description()), (4, 4, Some("Rollback to v2")));
}

#[test]
fn s15_2_what_never_ran_cannot_be_rolled_back_to() {
    let mut supervisor = changed();
    reload(&mut supervisor, "release: ./migrate\nweb: ./web 4\n", at(2));
    spawned(&mut supervisor, "release.1", at(2));
    assert_eq!(rollback(&mut supervisor, 4, at(2)), ["reply 1: NeverRan { version: 4, status: Pending }"]);
    crash(&mut supervisor, "release.1", at(3));

    assert_eq!(rollback(&mut supervisor, 4, at(4)), ["reply 1: NeverRan { version: 4, status: Failed }"]);
    for version in [0, 5] {
        let refusal = format!("reply 1: UnknownRelease {{ version: {version}, known: [1, 2, 3, 4] }}");
        assert_eq!(rollback(&mut supervisor, version, at(4)), [refusal]);
    }
    assert_eq!(supervisor.snapshot().release, 3);
}

#[test]
fn s15_2_a_rollback_to_the_release_that_runs_changes_nothing() {
    let mut supervisor = changed();

    assert_eq!(rollback(&mut supervisor, 3, at(2)), ["reply 1: unchanged"]);

    assert_eq!(statuses(&supervisor).len(), 3);
}

#[test]
fn s15_2_a_rollback_to_what_runs_replaces_a_release_to_come() {
    let mut supervisor = changed();
    reload(&mut supervisor, "release: ./migrate\nweb: ./web 4\n", at(2));

    let lines = rollback(&mut supervisor, 3, at(3));

    assert_eq!(lines, ["system: release v5: Rollback to v3 (Procfile: - release, ~ web)", "reply 1: deploying v5"]);
    migrate(&mut supervisor, at(3));
    assert_eq!(statuses(&supervisor)[3..], [(4, ReleaseStatus::Superseded), (5, ReleaseStatus::Succeeded)]);
    assert_eq!(command(&supervisor, "web.1"), "./web 3");
}

#[test]
fn s15_2_if_the_command_of_a_rollback_fails_the_app_goes_on() {
    let mut supervisor = changed();
    rollback(&mut supervisor, 2, at(2));
    spawned(&mut supervisor, "release.1", at(2));

    let lines = crash(&mut supervisor, "release.1", at(3));

    assert_eq!(lines[2], "system: release v4 failed: its command exited with status 1; the app stays on v3");
    assert_eq!(command(&supervisor, "web.1"), "./web 3");
    assert_eq!(statuses(&supervisor).last(), Some(&(4, ReleaseStatus::Failed)));
}

#[test]
fn s15_2_a_file_that_is_saved_unchanged_does_not_undo_a_rollback() {
    let mut supervisor = changed();
    rollback(&mut supervisor, 1, at(2));

    assert_eq!(save(&mut supervisor, "web: ./web 3\n", at(3)), ["reply 1: unchanged"]);

    assert_eq!((supervisor.snapshot().release, command(&supervisor, "web.1")), (4, "./web".to_owned()));
    let lines = save(&mut supervisor, "web: ./web 4\n", at(4));
    assert_eq!(lines[0], "system: release v5: Procfile: - release, ~ web, - worker");
}

#[test]
fn s15_2_a_saved_file_undoes_no_rollback_that_is_to_come() {
    let mut supervisor = changed();
    rollback(&mut supervisor, 2, at(2));

    assert_eq!(save(&mut supervisor, "web: ./web 3\n", at(3)), ["reply 1: unchanged"]);

    migrate(&mut supervisor, at(4));
    assert_eq!(supervisor.snapshot().release, 4);
}

#[test]
fn s15_2_a_person_who_reloads_after_a_rollback_gets_the_files() {
    let mut supervisor = changed();
    rollback(&mut supervisor, 1, at(2));

    let lines = reload(&mut supervisor, "web: ./web 3\n", at(3));

    assert_eq!(lines[0], "system: release v5: Procfile: - release, ~ web, - worker");
    assert_eq!(save(&mut supervisor, "web: ./web 3\n", at(4)), ["reply 1: unchanged"]);
    assert_eq!(save(&mut supervisor, "web: ./web\n", at(5))[0], "system: release v6: Procfile: ~ web");
}

#[test]
fn s15_2_files_that_follow_a_rollback_can_change_back() {
    let mut supervisor = changed();
    rollback(&mut supervisor, 1, at(2));
    let first = "release: ./release\nweb: ./web\nworker: ./worker\n";
    assert_eq!(save(&mut supervisor, first, at(3)), ["reply 1: unchanged"]);

    let lines = save(&mut supervisor, "web: ./web 3\n", at(4));

    assert_eq!(lines[0], "system: release v5: Procfile: - release, ~ web, - worker");
}

#[test]
fn s15_2_a_type_that_another_start_runs_gets_no_dyno() {
    let mut supervisor = changed();
    let command = Command::Rollback { version: 1, elsewhere: vec![process_type("worker")] };

    feed(&mut supervisor, Event::Request { id: RequestId(1), command }, at(2));

    let quantities: Vec<u32> = supervisor.snapshot().formation.iter().map(|entry| entry.quantity).collect();
    assert_eq!(quantities, [1, 0]);
}

#[test]
fn s15_1_the_release_that_runs_is_remembered_however_many_fail() {
    let mut supervisor = running();
    for number in 2..100 {
        reload(&mut supervisor, &format!("release: ./migrate {number}\nweb: ./web\nworker: ./worker\n"), at(number));
        spawned(&mut supervisor, "release.1", at(number));
        crash(&mut supervisor, "release.1", at(number));
    }

    let known = statuses(&supervisor);

    assert_eq!((known.len(), known[0], known[1].0), (50, (1, ReleaseStatus::Succeeded), 51));
    let refused = rollback(&mut supervisor, 50, at(100));
    assert!(refused[0].starts_with("reply 1: UnknownRelease { version: 50, known: [1, 51, "), "{refused:?}");
}
