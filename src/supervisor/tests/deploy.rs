//! A release that replaces the current one (S8.3, S14.1).

use std::collections::HashMap;

use super::*;
use crate::app::Formation;

/// A Procfile with these lines becomes the next release. One dyno of each new type starts.
fn deploy(supervisor: &mut Supervisor, procfile: &str, now: Now) -> Vec<String> {
    deploy_from(supervisor, procfile, DeployOrigin::Files, now)
}

/// The same, asked for by something else.
pub(super) fn deploy_from(supervisor: &mut Supervisor, procfile: &str, origin: DeployOrigin, now: Now) -> Vec<String> {
    let procfile = Procfile::parse(procfile.as_bytes()).unwrap();
    let added = Formation::one_of_each(&procfile.formation_types());
    let deploy = Deploy {
        release: Release::first("local".to_owned(), procfile, Layers::default()),
        listeners: Listeners::default(),
        added,
        runs_release_command: true,
        spare_ports: HashMap::new(),
        origin,
    };
    feed(supervisor, Event::Request { id: RequestId(1), command: Command::Deploy(Box::new(deploy)) }, now)
}

/// `web.1` and `worker.1`, up at second 0, and described by the blueprint like every dyno of a real start.
pub(super) fn running() -> Supervisor {
    let types = ["web", "worker"].map(process_type);
    let blueprint = blueprint(&types, 100);
    let spec = |name: &str| Arc::new(blueprint.spec(&dyno(name)).unwrap());
    let formation = vec![spec("web.1"), spec("worker.1")];
    all_spawned(Plan { blueprint, release: None, formation, command: None }, Policy::default())
}

pub(super) fn statuses(supervisor: &Supervisor) -> Vec<(u32, ReleaseStatus)> {
    supervisor.snapshot().releases.iter().map(|info| (info.version, info.status)).collect()
}

#[test]
fn s14_1_only_dynos_whose_command_has_changed_are_replaced() {
    let mut supervisor = running();

    let lines = deploy(&mut supervisor, "web: ./web --new\nworker: ./worker\n", at(1));

    assert_eq!(
        lines,
        [
            "system: release v2: Procfile: - release, ~ web",
            "web.1: replaced by release v2: sending SIGTERM",
            "#1 stop 15",
            "reply 1: deploying v2"
        ]
    );
    assert_eq!(obey(&mut supervisor, "web.1", at(2)), ["web.1: terminated by SIGTERM", "spawn web.1 #3"]);
    assert_eq!(row(&supervisor, "web.1").command.as_ref(), "./web --new");
    assert_eq!(supervisor.snapshot().release, 2);
}

#[test]
fn s14_1_types_come_and_go_and_the_ports_of_the_others_stay() {
    let mut supervisor = running();

    let lines = deploy(&mut supervisor, "clock: ./clock\nworker: ./worker\n", at(1));

    assert_eq!(
        lines,
        [
            "system: release v2: Procfile: + clock, - release, - web",
            "web.1: removed by release v2: sending SIGTERM",
            "#1 stop 15",
            "spawn clock.1 #3",
            "reply 1: deploying v2",
        ]
    );
    assert_eq!(obey(&mut supervisor, "web.1", at(2)), ["web.1: terminated by SIGTERM"]);
    let ports: Vec<_> = supervisor.snapshot().rows.iter().map(|row| (row.dyno.to_string(), row.port)).collect();
    assert_eq!(ports, [("worker.1".to_owned(), Some(5_100)), ("clock.1".to_owned(), Some(5_200))]);
    deploy(&mut supervisor, "clock: ./clock\nweb: ./web\nworker: ./worker\n", at(3));
    assert_eq!(row(&supervisor, "web.1").port, Some(5_000), "a type that is back has its old port");
}

#[test]
fn s14_1_a_crashed_dyno_starts_again_if_its_command_has_changed() {
    let policy = Policy {
        on_exit: OnExit::Restart(RestartPolicy { max_restarts: Some(0), ..RestartPolicy::default() }),
        ..Policy::default()
    };
    let mut supervisor = all_up(&["web.1", "worker.1"], policy);
    crash(&mut supervisor, "web.1", at(1));

    let lines = deploy(&mut supervisor, "web: ./fixed\nworker: ./worker\n", at(2));

    assert!(lines.contains(&"spawn web.1 #3".to_owned()), "{lines:?}");
}

#[test]
fn s14_1_a_dyno_that_was_stopped_on_request_stays_down() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy { lifetime: Lifetime::Unlimited, ..Policy::default() });
    let stop = Command::Stop(Target::Dyno(dyno("web.1")), None);
    feed(&mut supervisor, Event::Request { id: RequestId(7), command: stop }, at(1));
    obey(&mut supervisor, "web.1", at(1));

    deploy(&mut supervisor, "web: ./web --new\nworker: ./worker.1\n", at(2));

    assert_eq!(state(&supervisor, "web.1"), PublicState::Down);
}

#[test]
fn s8_3_a_later_release_fails_if_its_command_is_stopped() {
    for name in [Target::Type(process_type("release")), Target::Dyno(dyno("release.1"))] {
        let mut supervisor = running();
        deploy(&mut supervisor, "release: ./migrate\nweb: ./web 2\nworker: ./worker\n", at(1));
        spawned(&mut supervisor, "release.1", at(1));

        let stop = Event::Request { id: RequestId(2), command: Command::Stop(name, None) };
        let lines = feed(&mut supervisor, stop, at(2));

        assert_eq!(lines, ["release.1: stop requested: sending SIGTERM", "#3 stop 15", "reply 2: stopping release.1"]);
        // Even if the command exits with 0.
        exit(&mut supervisor, "release.1", code(0), at(3));
        let lines = gone(&mut supervisor, "release.1", at(3));
        assert_eq!(lines, ["system: release v2 failed: its command was stopped; the app stays on v1"]);
        assert_eq!(statuses(&supervisor), [(1, ReleaseStatus::Succeeded), (2, ReleaseStatus::Failed)]);
        assert_eq!(row(&supervisor, "web.1").command.as_ref(), "./web");
    }
}

#[test]
fn s8_3_the_formation_goes_on_while_the_release_command_runs() {
    let mut supervisor = running();

    let lines = deploy(&mut supervisor, "release: ./migrate\nweb: ./web 2\nworker: ./worker\n", at(1));

    assert_eq!(
        lines,
        ["system: release v2: Procfile: ~ release, ~ web", "spawn release.1 #3", "reply 1: deploying v2"]
    );
    assert_eq!(statuses(&supervisor), [(1, ReleaseStatus::Succeeded), (2, ReleaseStatus::Pending)]);
    assert_eq!(supervisor.snapshot().release, 1);
    spawned(&mut supervisor, "release.1", at(1));
    exit(&mut supervisor, "release.1", code(0), at(2));
    assert_eq!(
        gone(&mut supervisor, "release.1", at(2)),
        ["web.1: replaced by release v2: sending SIGTERM", "#1 stop 15"]
    );
    assert_eq!(statuses(&supervisor), [(1, ReleaseStatus::Succeeded), (2, ReleaseStatus::Succeeded)]);
}

#[test]
fn s8_3_if_the_release_command_fails_the_old_release_goes_on() {
    let mut supervisor = running();
    deploy(&mut supervisor, "release: ./migrate\nweb: ./web 2\nworker: ./worker\n", at(1));
    spawned(&mut supervisor, "release.1", at(1));

    assert_eq!(
        crash(&mut supervisor, "release.1", at(2)),
        [
            "release.1: exited with code 1",
            "#3 stop 15",
            "system: release v2 failed: its command exited with status 1; the app stays on v1",
        ]
    );
    assert_eq!(state(&supervisor, "web.1"), PublicState::Up);
    assert_eq!(statuses(&supervisor), [(1, ReleaseStatus::Succeeded), (2, ReleaseStatus::Failed)]);
    assert_eq!(supervisor.snapshot().rows.len(), 2, "a later release phase that failed has no row");
}

#[test]
fn s8_3_the_last_release_that_comes_while_a_command_runs_wins() {
    let mut supervisor = running();
    let procfile = |number| format!("release: ./migrate {number}\nweb: ./web {number}\nworker: ./worker\n");
    for number in 2..5 {
        deploy(&mut supervisor, &procfile(number), at(1));
    }
    spawned(&mut supervisor, "release.1", at(1));
    exit(&mut supervisor, "release.1", code(0), at(2));

    assert_eq!(gone(&mut supervisor, "release.1", at(2)), ["spawn release.1 #4"]);

    assert_eq!(row(&supervisor, "release.1").command.as_ref(), "./migrate 4");
    assert_eq!(
        statuses(&supervisor),
        [
            (1, ReleaseStatus::Succeeded),
            (2, ReleaseStatus::Superseded),
            (3, ReleaseStatus::Superseded),
            (4, ReleaseStatus::Pending)
        ]
    );
}

#[test]
fn s8_3_a_release_command_that_cannot_be_killed_changes_nothing() {
    let mut supervisor = running();
    let procfile = "release: ./migrate\nweb: ./web 2\nworker: ./worker\n";
    deploy(&mut supervisor, procfile, at(1));
    spawned(&mut supervisor, "release.1", at(1));
    exit(&mut supervisor, "release.1", code(0), at(2));
    tick(&mut supervisor, at(7));

    assert_eq!(
        unkillable(&mut supervisor, "release.1", at(9)),
        [
            "release.1: process 77 (nfs) could not be killed",
            "system: release v2 failed: a process of a release command could not be killed; the app stays on v1",
        ]
    );
    assert_eq!(state(&supervisor, "web.1"), PublicState::Up);
    let lines = deploy(&mut supervisor, procfile, at(10));
    assert!(lines[0].contains("one of its processes could not be killed"), "{lines:?}");
}

#[test]
fn s8_3_a_signal_stops_the_release_command_before_the_formation() {
    let mut supervisor = running();
    deploy(&mut supervisor, "release: ./migrate\nweb: ./web 2\nworker: ./worker\n", at(1));
    spawned(&mut supervisor, "release.1", at(1));

    let lines = signal(&mut supervisor, UserSignal::Int, at(2));

    let stops: Vec<&String> = lines.iter().filter(|line| line.starts_with('#')).collect();
    assert_eq!(stops, ["#3 stop 15", "#1 stop 15", "#2 stop 15"]);
}

#[test]
fn s14_1_a_release_whose_dynos_would_have_no_port_is_refused() {
    let mut supervisor = running();
    let many: Vec<String> = (0..700).map(|number| format!("t{number}: ./t\n")).collect();

    let lines = deploy(&mut supervisor, &many.concat(), at(1));

    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("reply 1: Impossible"), "{lines:?}");
    assert_eq!(supervisor.snapshot().release, 1);
}

#[test]
fn s14_1_a_scale_that_leaves_no_port_for_a_later_release_is_refused() {
    let types = ["web", "worker"].map(process_type);
    let blueprint = blueprint(&types, 2);
    let spec = |name: &str| Arc::new(blueprint.spec(&dyno(name)).unwrap());
    let formation = vec![spec("web.1"), spec("worker.1")];
    let plan = Plan { blueprint, release: None, formation, command: None };
    let mut supervisor = all_spawned(plan, Policy::default());
    deploy(&mut supervisor, "release: ./migrate\nweb: ./web\nworker: ./worker\nclock: ./clock\n", at(1));

    let scale = Command::Scale(vec![(process_type("worker"), crate::app::Scale::To(3))]);
    let lines = feed(&mut supervisor, Event::Request { id: RequestId(2), command: scale }, at(2));

    assert_eq!(
        lines,
        [
            "reply 2: Impossible { dyno: DynoName { process_type: ProcessType(\"clock\"), index: 1 }, why: \"`worker.3` and \
          `clock.1` would both get port 5004\" }"
        ]
    );
}

#[test]
fn s8_3_the_same_release_can_follow_one_that_has_just_failed() {
    let mut supervisor = running();
    let procfile = "release: ./migrate\nweb: ./web 2\nworker: ./worker\n";
    deploy(&mut supervisor, procfile, at(1));
    spawned(&mut supervisor, "release.1", at(1));
    assert_eq!(deploy(&mut supervisor, procfile, at(1)), ["reply 1: deploying v2"], "the one that is to come");
    exit(&mut supervisor, "release.1", code(1), at(2));

    deploy(&mut supervisor, procfile, at(2));

    assert_eq!(gone(&mut supervisor, "release.1", at(2)), ["spawn release.1 #4"]);
}

#[test]
fn s15_1_a_pending_release_is_remembered_however_many_follow() {
    let mut supervisor = running();
    for number in 2..100 {
        deploy(&mut supervisor, &format!("release: ./migrate {number}\nweb: ./web\nworker: ./worker\n"), at(1));
    }

    let known = statuses(&supervisor);

    assert!(known.contains(&(2, ReleaseStatus::Pending)) && known.contains(&(99, ReleaseStatus::Pending)), "{known:?}");
    assert!(known.len() <= 52, "{known:?}");
}

/// A release with the Procfile of [`running`] and this order.
fn reordered(supervisor: &mut Supervisor, items: &str, now: Now) -> Vec<String> {
    let procfile = Procfile::parse(b"release: ./release\nweb: ./web\nworker: ./worker\n").unwrap();
    let order =
        StartOrder::parse(items.split(',').filter(|item| !item.is_empty()), &procfile.formation_types()).unwrap();
    let deploy = Deploy {
        release: Release { order, ..Release::first("local".to_owned(), procfile, Layers::default()) },
        listeners: Listeners::default(),
        added: Formation::default(),
        runs_release_command: false,
        spare_ports: HashMap::new(),
        origin: DeployOrigin::Files,
    };
    feed(supervisor, Event::Request { id: RequestId(1), command: Command::Deploy(Box::new(deploy)) }, now)
}

#[test]
fn s14_1_a_new_order_holds_back_only_what_starts_from_now_on() {
    let mut supervisor = running();

    let lines = reordered(&mut supervisor, "worker=web", at(1));
    assert_eq!(lines, ["system: release v2: .foreman: ~ after", "reply 1: deploying v2"]);
    assert!(crash(&mut supervisor, "worker.1", at(2)).iter().all(|line| !line.contains("waiting")));
}

#[test]
fn s14_1_dynos_that_wait_start_when_a_new_order_lets_them() {
    let types = ["web", "worker"].map(process_type);
    let blueprint = blueprint(&types, 100);
    let spec = |name: &str| Arc::new(blueprint.spec(&dyno(name)).unwrap());
    let formation = vec![spec("web.1"), spec("worker.1")];
    let plan = Plan { blueprint, release: None, formation, command: None };
    let order = StartOrder::parse(["worker=web"], &types).unwrap();
    let mut supervisor = Supervisor::new(in_order(plan, order), Policy::default());
    assert_eq!(boot(&mut supervisor), ["spawn web.1 #1"]);
    spawned(&mut supervisor, "web.1", at(0));

    let lines = reordered(&mut supervisor, "worker=web:5433", at(1));
    assert_eq!(lines, ["system: release v2: .foreman: ~ after", "reply 1: deploying v2"]);
    let listens = Event::Listens { run: run_of(&supervisor, "web.1"), at: vec![(LOCALHOST, 80).into()] };
    assert!(feed(&mut supervisor, listens, at(2)).is_empty());

    let lines = reordered(&mut supervisor, "", at(3));
    assert_eq!(lines, ["system: release v3: .foreman: ~ after", "spawn worker.1 #2", "reply 1: deploying v3"]);
}

#[test]
fn s14_1_a_type_whose_end_is_awaited_from_now_on_may_end() {
    let mut supervisor = running();
    reordered(&mut supervisor, "worker=web:done", at(1));

    assert_eq!(exit(&mut supervisor, "web.1", code(0), at(2)), ["web.1: exited with code 0", "#1 stop 15"]);
    assert!(gone(&mut supervisor, "web.1", at(2)).is_empty());
    assert_eq!(state(&supervisor, "worker.1"), PublicState::Up);
}
