//! Commands to a running formation (S10.2).

use super::*;
use crate::app::Scale;

pub(super) fn ask(supervisor: &mut Supervisor, command: Command, now: Now) -> Vec<String> {
    feed(supervisor, Event::Request { id: RequestId(1), command }, now)
}

pub(super) fn scale(changes: &[(&str, Scale)]) -> Command {
    Command::Scale(changes.iter().map(|(name, scale)| (process_type(name), *scale)).collect())
}

pub(super) fn restart(name: &str) -> Command {
    Command::Restart(target(name), None)
}

pub(super) fn stop(name: &str) -> Command {
    Command::Stop(target(name), None)
}

fn target(name: &str) -> Target {
    if name.contains('.') { Target::Dyno(dyno(name)) } else { Target::Type(process_type(name)) }
}

fn run(line: &str) -> Command {
    Command::RunOneOff { number: 4711, one_off: OneOff::detached(line.into()) }
}

pub(super) fn names(supervisor: &Supervisor) -> Vec<String> {
    supervisor.snapshot().rows.iter().map(|row| format!("{} {}", row.dyno, row.state)).collect()
}

#[test]
fn s10_2_a_new_dyno_starts_with_the_port_of_its_index() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());

    let lines = ask(&mut supervisor, scale(&[("worker", Scale::Up(1))]), at(1));

    assert_eq!(lines, ["system: scaled to web=1 worker=2", "spawn worker.2 #3", "reply 1: scaled web=1 worker=2"]);
    assert_eq!(row(&supervisor, "worker.2").port, Some(5_101));
    assert_eq!(names(&supervisor), ["web.1 up", "worker.1 up", "worker.2 starting"]);
}

#[test]
fn s10_2_the_highest_index_stops_first_and_then_is_gone() {
    let mut supervisor = all_up(&["web.1", "web.2", "web.3"], Policy::default());

    let lines = ask(&mut supervisor, scale(&[("web", Scale::To(1))]), at(1));

    assert_eq!(
        lines,
        [
            "system: scaled to web=1",
            "web.3: scaled down: sending SIGTERM",
            "#3 stop 15",
            "web.2: scaled down: sending SIGTERM",
            "#2 stop 15",
            "reply 1: scaled web=1",
        ]
    );
    obey(&mut supervisor, "web.3", at(2));
    assert_eq!(names(&supervisor), ["web.1 up", "web.2 down"]);
    assert_eq!(obey(&mut supervisor, "web.2", at(2)), ["web.2: terminated by SIGTERM"]);
    assert_eq!(names(&supervisor), ["web.1 up"]);
}

#[test]
fn s10_2_a_type_that_was_left_out_can_be_scaled_up() {
    let plan = Plan { formation: vec![spec("web.1")], ..formation(&["web.1", "worker.1"]) };
    let mut supervisor = Supervisor::new(plan, Policy::default());
    boot(&mut supervisor);

    let lines = ask(&mut supervisor, scale(&[("worker", Scale::To(1))]), at(1));

    assert_eq!(lines[1..], ["spawn worker.1 #2", "reply 1: scaled web=1 worker=1"]);
}

#[test]
fn s10_2_one_bad_change_changes_nothing() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());
    let before = supervisor.snapshot();
    let up = ("web", Scale::Up(1));

    for (bad, refusal) in [
        (("wbe", Scale::To(1)), "UnknownType"),
        (("worker", Scale::Up(1_000)), "TooMany"),
        // web.101 would have the port of worker.1.
        (("web", Scale::To(101)), "Impossible"),
    ] {
        let lines = ask(&mut supervisor, scale(&[up, bad]), at(1));

        assert!(lines.len() == 1 && lines[0].starts_with(&format!("reply 1: {refusal}")), "{lines:?}");
        assert_eq!(supervisor.snapshot(), before);
    }
}

#[test]
fn s10_2_scaling_down_to_0_ends_with_0_when_nothing_is_left() {
    let mut supervisor = all_up(&["web.1"], Policy::default());

    ask(&mut supervisor, scale(&[("web", Scale::To(0))]), at(1));

    assert_eq!(obey(&mut supervisor, "web.1", at(2)), ["web.1: terminated by SIGTERM", "finish 0"]);
}

#[test]
fn s10_2_a_dyno_that_comes_back_while_it_stops_waits_for_its_old_run() {
    let mut supervisor = all_up(&["web.1", "web.2"], Policy::default());
    ask(&mut supervisor, scale(&[("web", Scale::To(1))]), at(1));

    let lines = ask(&mut supervisor, scale(&[("web", Scale::To(2))]), at(1));

    assert_eq!(lines, ["system: scaled to web=2", "reply 1: scaled web=2"]);
    assert_eq!(state(&supervisor, "web.2"), PublicState::Starting);
    assert_eq!(obey(&mut supervisor, "web.2", at(2)), ["web.2: terminated by SIGTERM", "spawn web.2 #3"]);
}

#[test]
fn s10_2_a_dyno_that_was_scaled_away_cannot_be_restarted() {
    let mut supervisor = all_up(&["web.1", "web.2"], Policy::default());
    ask(&mut supervisor, scale(&[("web", Scale::To(1))]), at(1));

    let lines = ask(&mut supervisor, restart("web.2"), at(1));

    assert!(lines.len() == 1 && lines[0].starts_with("reply 1: UnknownDyno"), "{lines:?}");
    assert_eq!(ask(&mut supervisor, stop("web.2"), at(1)), ["reply 1: stopping web.2"]);
    obey(&mut supervisor, "web.2", at(2));
    assert_eq!(names(&supervisor), ["web.1 up"]);
}

#[test]
fn s6_7_a_new_dyno_waits_for_the_port_of_a_dyno_that_is_being_stopped() {
    let mut plan = formation(&["web.1", "worker.1"]);
    let worker = DynoSpec { port: Some(5_100), ..DynoSpec::clone(&plan.formation[1]) };
    plan.formation[1] = Arc::new(worker);
    let mut supervisor = Supervisor::new(plan, Policy::default());
    boot(&mut supervisor);

    // web.101 gets port 5100.
    let lines = ask(&mut supervisor, scale(&[("worker", Scale::To(0)), ("web", Scale::To(101))]), at(1));

    assert!(!lines.iter().any(|line| line.starts_with("spawn web.101 ")), "{lines:?}");
    let lines = obey(&mut supervisor, "worker.1", at(2));
    assert_eq!(lines, ["worker.1: terminated by SIGTERM", "spawn web.101 #102"]);
}

#[test]
fn s6_7_a_restarted_dyno_is_replaced_when_its_old_run_is_gone() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());

    let lines = ask(&mut supervisor, restart("web"), at(1));

    assert_eq!(lines, ["web.1: restart requested: sending SIGTERM", "#1 stop 15", "reply 1: restarting web.1 after 1"]);
    assert_eq!(row(&supervisor, "web.1").run, 1);
    assert_eq!(exit(&mut supervisor, "web.1", killed_by(15), at(2)), ["web.1: terminated by SIGTERM"]);
    assert_eq!(gone(&mut supervisor, "web.1", at(2)), ["spawn web.1 #3"]);
    assert_eq!(row(&supervisor, "web.1").run, 3);
}

#[test]
fn s10_2_two_restarts_at_once_make_one_new_run() {
    let mut supervisor = all_up(&["web.1"], Policy::default());
    ask(&mut supervisor, restart("web.1"), at(1));

    let lines = ask(&mut supervisor, restart("web.1"), at(1));

    assert_eq!(lines, ["web.1: restart requested", "reply 1: restarting web.1 after 1"]);
    assert_eq!(obey(&mut supervisor, "web.1", at(2)), ["web.1: terminated by SIGTERM", "spawn web.1 #2"]);
}

#[test]
fn s10_2_a_restart_ends_back_off_and_forgets_the_crashes() {
    let mut supervisor = all_up(&["web.1"], restarting());
    crash(&mut supervisor, "web.1", at(1));
    tick(&mut supervisor, at(1));
    spawned(&mut supervisor, "web.1", at(1));
    crash(&mut supervisor, "web.1", at(1));

    let lines = ask(&mut supervisor, restart("web.1"), at_ms(1_100));

    let expected = ["web.1: restart requested", "spawn web.1 #3", "reply 1: restarting web.1 after 2"];
    assert_eq!(lines, expected);
    assert_eq!(row(&supervisor, "web.1").restarts, 0);
    spawned(&mut supervisor, "web.1", at(2));
    assert_eq!(
        crash(&mut supervisor, "web.1", at(2)),
        ["web.1: exited with code 1", "#3 stop 15", "web.1: restarting", "spawn web.1 #4"]
    );
}

#[test]
fn s10_2_a_restart_revives_a_dyno_that_was_given_up_on() {
    let mut supervisor = all_up(&["web.1", "worker.1"], restarting_at_most(0));
    crash(&mut supervisor, "web.1", at(1));

    let lines = ask(&mut supervisor, restart("web.1"), at(2));
    spawned(&mut supervisor, "web.1", at(2));
    ask(&mut supervisor, stop("worker.1"), at(3));
    obey(&mut supervisor, "worker.1", at(3));
    ask(&mut supervisor, stop("web.1"), at(4));

    assert_eq!(lines[1], "spawn web.1 #3");
    // Its crash does not decide the status any more.
    assert_eq!(obey(&mut supervisor, "web.1", at(4)), ["web.1: terminated by SIGTERM", "finish 0"]);
}

#[test]
fn s10_2_a_failure_that_was_restarted_does_not_decide_the_status() {
    for again in [restart("job"), scale(&[("job", Scale::To(1))])] {
        let can_die = [(process_type("job"), CanDie::Any), (process_type("web"), CanDie::Any)].into();
        let mut supervisor = all_up(&["job.1", "web.1"], Policy { can_die, ..Policy::default() });
        exit(&mut supervisor, "job.1", code(3), at(1));
        gone(&mut supervisor, "job.1", at(1));

        ask(&mut supervisor, again, at(2));
        for name in ["job.1", "web.1"] {
            exit(&mut supervisor, name, code(0), at(3));
        }

        gone(&mut supervisor, "job.1", at(3));
        assert_eq!(gone(&mut supervisor, "web.1", at(3)), ["finish 0"]);
    }
}

#[test]
fn s10_2_a_stopped_dyno_stays_down_and_stops_nothing_else() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());

    let lines = ask(&mut supervisor, stop("web.1"), at(1));

    assert_eq!(lines, ["web.1: stop requested: sending SIGTERM", "#1 stop 15", "reply 1: stopping web.1"]);
    assert_eq!(obey(&mut supervisor, "web.1", at(2)), ["web.1: terminated by SIGTERM"]);
    assert_eq!(names(&supervisor), ["web.1 down", "worker.1 up"]);
    assert!(!row(&supervisor, "web.1").wanted);
    assert_eq!(ask(&mut supervisor, stop("web.1"), at(3)), ["reply 1: stopping "]);
    let lines = ask(&mut supervisor, scale(&[("web", Scale::To(1))]), at(4));
    assert_eq!(lines[1], "spawn web.1 #3");
}

#[test]
fn s10_2_a_stop_while_a_restart_is_pending_wins() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());
    ask(&mut supervisor, restart("web.1"), at(1));

    ask(&mut supervisor, stop("web.1"), at(1));

    assert_eq!(obey(&mut supervisor, "web.1", at(2)), ["web.1: terminated by SIGTERM"]);
    assert_eq!(state(&supervisor, "web.1"), PublicState::Down);
}

#[test]
fn s10_2_stopping_everything_ends_the_start_with_0() {
    let mut supervisor = all_up(&["web.1"], Policy::default());

    let lines = ask(&mut supervisor, Command::Stop(Target::All, None), at(1));

    assert_eq!(
        lines,
        [
            "system: stop requested, starting shutdown",
            "system: sending SIGTERM to all processes",
            "#1 stop 15",
            "reply 1: stopping web.1",
        ]
    );
    assert_eq!(obey(&mut supervisor, "web.1", at(2)), ["web.1: terminated by SIGTERM", "finish 0"]);
}

#[test]
fn s10_2_a_one_off_dyno_is_gone_when_it_ends_and_stops_nothing() {
    let mut supervisor = all_up(&["web.1"], Policy::default());

    assert_eq!(ask(&mut supervisor, run("rake jobs"), at(1)), ["spawn run.4711 #2", "reply 1: started run.4711"]);
    let second = ask(&mut supervisor, run("rake jobs"), at(1));
    assert_eq!(second, ["spawn run.4712 #3", "reply 1: started run.4712"]);
    assert_eq!(row(&supervisor, "run.4711").role, DynoRole::OneOff);
    assert_eq!(crash(&mut supervisor, "run.4711", at(2)), ["run.4711: exited with code 1", "#2 stop 15"]);
    assert_eq!(spawn_failed(&mut supervisor, "run.4712", at(2)).len(), 1);
    assert_eq!(names(&supervisor), ["web.1 up"]);
}

#[test]
fn s10_2_a_one_off_dyno_can_be_stopped_but_not_restarted() {
    let mut supervisor = all_up(&["web.1"], Policy::default());
    ask(&mut supervisor, run("rake jobs"), at(1));

    let refused = ask(&mut supervisor, restart("run.4711"), at(1));
    let stopped = ask(&mut supervisor, stop("run.4711"), at(1));

    assert!(refused.len() == 1 && refused[0].starts_with("reply 1: RunsOnce"), "{refused:?}");
    assert_eq!(stopped.last().unwrap(), "reply 1: stopping run.4711");
    obey(&mut supervisor, "run.4711", at(2));
    assert_eq!(names(&supervisor), ["web.1 up"]);
}

#[test]
fn s10_2_an_unknown_name_is_refused_with_those_that_exist() {
    let mut supervisor = all_up(&["web.1"], Policy::default());

    let wrong_type = ask(&mut supervisor, restart("wbe"), at(1));
    let wrong_dyno = ask(&mut supervisor, stop("web.2"), at(1));

    let known = Refusal::UnknownType { name: process_type("wbe"), known: vec![process_type("web")] };
    assert_eq!(wrong_type, [format!("reply 1: {known:?}")]);
    let known = Refusal::UnknownDyno { name: dyno("web.2"), known: vec![dyno("web.1")] };
    assert_eq!(wrong_dyno, [format!("reply 1: {known:?}")]);
}

#[test]
fn s10_2_in_the_release_phase_only_the_coming_formation_can_change() {
    let mut supervisor = Supervisor::new(with_release(&["web.1"]), Policy::default());
    boot(&mut supervisor);
    spawned(&mut supervisor, "release.1", at(0));

    for command in [restart("web"), stop("web.1"), run("rake jobs")] {
        assert_eq!(ask(&mut supervisor, command, at(1)), ["reply 1: ReleasePhase"]);
    }
    let lines = ask(&mut supervisor, scale(&[("web", Scale::To(2))]), at(1));
    assert_eq!(lines, ["system: scaled to web=2", "reply 1: scaled web=2"]);
    exit(&mut supervisor, "release.1", code(0), at(2));
    assert_eq!(gone(&mut supervisor, "release.1", at(2)), ["spawn web.1 #2", "spawn web.2 #3"]);
}

#[test]
fn s10_2_stopping_everything_ends_the_release_phase() {
    let mut supervisor = Supervisor::new(with_release(&["web.1"]), Policy::default());
    boot(&mut supervisor);
    spawned(&mut supervisor, "release.1", at(0));

    let lines = ask(&mut supervisor, Command::Stop(Target::All, None), at(1));

    assert_eq!(lines.last().unwrap(), "reply 1: stopping release.1");
    assert_eq!(obey(&mut supervisor, "release.1", at(2)), ["release.1: terminated by SIGTERM", "finish 0"]);
}

#[test]
fn s10_2_during_shutdown_everything_but_a_stop_is_refused() {
    let mut supervisor = all_up(&["web.1"], Policy::default());
    signal(&mut supervisor, UserSignal::Term, at(1));

    for command in [restart("web"), scale(&[("web", Scale::To(2))]), run("rake jobs")] {
        assert_eq!(ask(&mut supervisor, command, at(1)), ["reply 1: ShuttingDown"]);
    }
    assert_eq!(ask(&mut supervisor, Command::Stop(Target::All, None), at(1)), ["reply 1: stopping web.1"]);
    obey(&mut supervisor, "web.1", at(2));
    assert_eq!(ask(&mut supervisor, stop("web.1"), at(3)), ["reply 1: ShuttingDown"]);
}

#[test]
fn s10_2_a_dyno_that_cannot_be_killed_cannot_be_restarted() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy { grace: Duration::ZERO, ..Policy::default() });
    ask(&mut supervisor, stop("web.1"), at(1));
    tick(&mut supervisor, at(1));
    unkillable(&mut supervisor, "web.1", at(3));

    let lines = ask(&mut supervisor, restart("web.1"), at(4));

    assert!(lines.len() == 1 && lines[0].starts_with("reply 1: Impossible"), "{lines:?}");
}

#[test]
fn s7_4_the_platform_logs_a_restart_and_a_scale_in_its_own_words() {
    let mut supervisor = all_up(&["worker.1"], Policy::default());
    let mut logged = |command| {
        let effects = supervisor.handle(Event::Request { id: RequestId(1), command }, at(1));
        let notices = effects.iter().filter(|effect| matches!(effect, Effect::Notify(_)));
        notices.filter_map(|notice| line(notice, NoticeStyle::Heroku)).collect::<Vec<_>>()
    };

    assert_eq!(
        logged(restart("worker")),
        [
            "worker.1: Restarting",
            "worker.1: State changed from up to starting",
            "worker.1: Stopping all processes with SIGTERM",
        ]
    );
    assert_eq!(
        logged(scale(&[("worker", Scale::To(2))])),
        ["system: Scaled to worker@2 by user local", "worker.2: Starting process with command `./worker`"]
    );
    assert_eq!(
        logged(run("rake jobs")),
        [
            "system: Starting process with command `rake jobs` by user local",
            "run.4711: Starting process with command `rake jobs`",
        ]
    );
}
