//! A dyno that is to be stopped first answers the requests that it has (S16.3).

use super::*;
use crate::app::Scale;

const SECOND: Duration = Duration::from_secs(1);

fn policy() -> Policy {
    Policy { drain: Some(5 * SECOND), ..restarting() }
}

/// The same formation with a port for each dyno, all up at second 0.
fn with_ports(names: &[&str], policy: Policy) -> Supervisor {
    let plan = formation(names);
    let with_port =
        |(port, spec): (u16, &Arc<DynoSpec>)| Arc::new(DynoSpec { port: Some(port), ..DynoSpec::clone(spec) });
    let formation = (5_000..).zip(&plan.formation).map(with_port).collect();
    all_spawned(Plan { formation, ..plan }, policy)
}

fn ask(supervisor: &mut Supervisor, command: Command, now: Now) -> Vec<String> {
    feed(supervisor, Event::Request { id: RequestId(1), command }, now)
}

fn web() -> Target {
    Target::Type(process_type("web"))
}

fn restart(supervisor: &mut Supervisor, now: Now) -> Vec<String> {
    ask(supervisor, Command::Restart(web(), None), now)
}

fn drained(supervisor: &mut Supervisor, name: &str, now: Now) -> Vec<String> {
    let run = run_of(supervisor, name);
    feed(supervisor, Event::Drained { run }, now)
}

const STOPPED: [&str; 1] = ["#1 stop 15"];

#[test]
fn s16_3_a_restart_stops_a_dyno_once_its_requests_are_answered() {
    let mut supervisor = with_ports(&["web.1"], policy());

    let lines = restart(&mut supervisor, at(1));

    let requested = "web.1: restart requested: sending SIGTERM";
    assert_eq!(lines, [requested, "#1 drain", "reply 1: restarting web.1 after 1"]);
    assert_eq!(row(&supervisor, "web.1").life.stage, LifeStage::Draining);
    assert_eq!(drained(&mut supervisor, "web.1", at(2)), STOPPED);
    assert_eq!(row(&supervisor, "web.1").life.stage, LifeStage::Stopping);
    assert_eq!(supervisor.next_deadline(), Some(at(6).mono), "the grace begins with the signal");
    assert_eq!(obey(&mut supervisor, "web.1", at(3)).last().unwrap(), "spawn web.1 #2");
}

#[test]
fn s16_7_stops_wait_for_requests_once_there_is_a_router() {
    let mut supervisor = with_ports(&["web.1", "web.2"], restarting());
    let stop = |name| Command::Stop(Target::Dyno(name), None);
    let lines = ask(&mut supervisor, stop(dyno("web.1")), at(1));
    assert!(!lines.contains(&"#1 drain".to_owned()), "{lines:?}");

    assert_eq!(feed(&mut supervisor, Event::Routed { drain: 5 * SECOND }, at(2)), [] as [&str; 0]);

    let lines = ask(&mut supervisor, stop(dyno("web.2")), at(3));
    assert!(lines.contains(&"#2 drain".to_owned()), "{lines:?}");
}

#[test]
fn s16_3_a_dyno_that_is_not_done_in_time_is_stopped() {
    let mut supervisor = with_ports(&["web.1"], policy());
    restart(&mut supervisor, at(1));

    assert_eq!(supervisor.next_deadline(), Some(at(6).mono));
    assert_eq!(tick(&mut supervisor, at(6)), STOPPED);
    assert!(drained(&mut supervisor, "web.1", at(7)).is_empty(), "too late to matter");
}

#[test]
fn s16_3_the_time_for_requests_does_not_run_while_suspended() {
    let mut supervisor = with_ports(&["web.1"], policy());
    restart(&mut supervisor, at(1));

    feed(&mut supervisor, Event::Resumed { paused_for: 10 * SECOND }, at(11));

    assert_eq!(supervisor.next_deadline(), Some(at(16).mono));
}

#[test]
fn s16_3_stop_and_scale_wait_for_the_requests_too() {
    let scale = Command::Scale(vec![(process_type("web"), Scale::To(0))]);
    for command in [Command::Stop(web(), None), scale] {
        let mut supervisor = with_ports(&["web.1", "worker.1"], policy());

        let lines = ask(&mut supervisor, command.clone(), at(1));

        assert!(lines.contains(&"#1 drain".to_owned()), "{lines:?}");
        assert!(!lines.contains(&"#1 stop 15".to_owned()), "{lines:?}");
        assert_eq!(drained(&mut supervisor, "web.1", at(1)), STOPPED, "{command:?}");
    }
}

#[test]
fn s16_3_when_everything_stops_nothing_waits_for_requests() {
    let stop = Event::Request { id: RequestId(1), command: Command::Stop(Target::All, None) };
    for event in [Event::Signal(UserSignal::Int), stop, Event::OutputLost(OutputLoss::Closed)] {
        let mut supervisor = with_ports(&["web.1"], policy());
        let lines = feed(&mut supervisor, event.clone(), at(1));
        assert!(lines.contains(&"#1 stop 15".to_owned()) && !lines.contains(&"#1 drain".to_owned()), "{lines:?}");

        let mut supervisor = with_ports(&["web.1"], policy());
        restart(&mut supervisor, at(1));
        let lines = feed(&mut supervisor, event, at(2));
        assert!(lines.contains(&"#1 stop 15".to_owned()), "{lines:?}");
    }
}

#[test]
fn s16_3_a_kill_does_not_wait_for_requests() {
    let mut supervisor = with_ports(&["web.1"], policy());
    restart(&mut supervisor, at(1));

    let lines = signal(&mut supervisor, UserSignal::Quit, at(2));

    assert!(lines.contains(&"#1 kill".to_owned()) && !lines.contains(&"#1 stop 15".to_owned()), "{lines:?}");
}

#[test]
fn s16_3_a_dyno_that_exits_before_its_stop_signal_is_cleared() {
    let mut supervisor = with_ports(&["web.1"], policy());
    restart(&mut supervisor, at(1));

    let lines = exit(&mut supervisor, "web.1", code(1), at(2));

    assert_eq!(lines, ["web.1: exited with code 1", "#1 stop 15"], "what it left running is stopped");
    assert_eq!(gone(&mut supervisor, "web.1", at(3)).last().unwrap(), "spawn web.1 #2", "not a crash");
}

#[test]
fn s16_3_only_a_dyno_that_is_up_and_has_a_port_is_drained() {
    let mut without_port = all_up(&["web.1"], policy());
    assert!(restart(&mut without_port, at(1)).contains(&STOPPED[0].to_owned()));

    let mut booting = Supervisor::new(awaiting_web(formation(&["web.1"])), policy());
    boot(&mut booting);
    spawned(&mut booting, "web.1", at(0));
    assert!(restart(&mut booting, at(1)).contains(&STOPPED[0].to_owned()));

    let mut up = with_ports(&["web.1"], Policy { drain: Some(Duration::ZERO), ..policy() });
    assert!(restart(&mut up, at(1)).contains(&STOPPED[0].to_owned()));
}

#[test]
fn s16_3_a_crash_has_no_requests_to_wait_for() {
    let mut supervisor = with_ports(&["web.1", "worker.1"], Policy { drain: Some(5 * SECOND), ..Policy::default() });

    let lines = exit(&mut supervisor, "worker.1", code(1), at(1));

    assert!(lines.contains(&"#1 stop 15".to_owned()) && !lines.contains(&"#1 drain".to_owned()), "{lines:?}");
}

#[test]
fn s16_3_a_second_request_that_names_a_grace_waits_no_longer_than_that() {
    let mut supervisor = with_ports(&["web.1"], policy());
    restart(&mut supervisor, at(1));

    ask(&mut supervisor, Command::Stop(web(), Some(100 * SECOND)), at(2));
    assert_eq!(supervisor.next_deadline(), Some(at(6).mono), "it cannot become longer");
    ask(&mut supervisor, Command::Stop(web(), Some(2 * SECOND)), at(2));
    assert_eq!(supervisor.next_deadline(), Some(at(4).mono));

    assert_eq!(tick(&mut supervisor, at(4)), STOPPED);
    tick(&mut supervisor, at(5));
    assert_eq!(tick(&mut supervisor, at(6)).last().unwrap(), "#1 kill");
}

#[test]
fn s16_3_a_stop_waits_for_requests_no_longer_than_a_named_grace() {
    let restarted = |grace, until| {
        let mut supervisor = with_ports(&["web.1"], policy());
        let lines = ask(&mut supervisor, Command::Restart(web(), Some(grace)), at(1));
        assert!(lines.contains(&"#1 drain".to_owned()), "{lines:?}");
        assert_eq!(supervisor.next_deadline(), Some(at(until).mono), "{grace:?}");
    };
    restarted(2 * SECOND, 3);
    restarted(100 * SECOND, 6);

    for command in [Command::Restart(web(), Some(Duration::ZERO)), Command::Stop(web(), Some(Duration::ZERO))] {
        let mut supervisor = with_ports(&["web.1", "worker.1"], policy());
        let lines = ask(&mut supervisor, command.clone(), at(1));
        assert!(!lines.contains(&"#1 drain".to_owned()), "{command:?}: {lines:?}");
        assert!(lines.contains(&STOPPED[0].to_owned()), "{command:?}: {lines:?}");
    }
}

#[test]
fn s16_3_what_a_dyno_leaves_when_it_exits_early_has_the_named_grace() {
    let mut supervisor = with_ports(&["web.1"], policy());
    ask(&mut supervisor, Command::Restart(web(), Some(2 * SECOND)), at(1));

    exit(&mut supervisor, "web.1", code(0), at(2));

    assert!(!tick(&mut supervisor, at(3)).contains(&"#1 kill".to_owned()));
    assert!(tick(&mut supervisor, at(4)).contains(&"#1 kill".to_owned()));
}

#[test]
fn s16_3_a_second_request_without_a_grace_changes_only_what_follows() {
    let mut supervisor = with_ports(&["web.1"], policy());
    restart(&mut supervisor, at(1));

    ask(&mut supervisor, Command::Stop(web(), None), at(2));

    assert_eq!(supervisor.next_deadline(), Some(at(6).mono));
    assert_eq!(drained(&mut supervisor, "web.1", at(3)), STOPPED);
    let lines = obey(&mut supervisor, "web.1", at(4));
    assert!(!lines.iter().any(|line| line.starts_with("spawn")), "{lines:?}");
}

#[test]
fn s16_3_an_answer_about_a_run_that_is_not_drained_changes_nothing() {
    let mut supervisor = with_ports(&["web.1"], policy());

    assert!(drained(&mut supervisor, "web.1", at(1)).is_empty());
    assert!(feed(&mut supervisor, Event::Drained { run: RunId(99) }, at(1)).is_empty());
    assert_eq!(state(&supervisor, "web.1"), PublicState::Up);
}
