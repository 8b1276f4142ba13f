//! Requests that name the grace of their own stop (S6.6, S10.2).

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn ask(supervisor: &mut Supervisor, command: Command, now: Now) -> Vec<String> {
    feed(supervisor, Event::Request { id: RequestId(1), command }, now)
}

fn web() -> Target {
    Target::Type(process_type("web"))
}

#[test]
fn s6_6_a_request_can_name_the_grace_of_its_own_stop() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());

    ask(&mut supervisor, Command::Restart(web(), Some(20 * SECOND)), at(1));

    assert_eq!(supervisor.next_deadline(), Some(at(20).mono), "the rest gets the signal");
    tick(&mut supervisor, at(20));
    assert_eq!(tick(&mut supervisor, at(21)).last().unwrap(), "#1 kill");
}

#[test]
fn s6_6_the_next_stop_has_the_usual_grace_again() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());
    ask(&mut supervisor, Command::Restart(web(), Some(20 * SECOND)), at(1));
    obey(&mut supervisor, "web.1", at(2));
    spawned(&mut supervisor, "web.1", at(2));

    ask(&mut supervisor, Command::Restart(web(), None), at(10));

    assert_eq!(supervisor.next_deadline(), Some(at(14).mono));
}

#[test]
fn s6_6_a_second_request_can_only_shorten_the_grace() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());
    ask(&mut supervisor, Command::Stop(web(), None), at(1));

    ask(&mut supervisor, Command::Stop(web(), Some(100 * SECOND)), at(2));
    assert_eq!(supervisor.next_deadline(), Some(at(5).mono));
    ask(&mut supervisor, Command::Stop(web(), Some(Duration::ZERO)), at(2));

    assert_eq!(supervisor.next_deadline(), Some(at(2).mono));
    assert_eq!(tick(&mut supervisor, at(2)).last().unwrap(), "#1 kill");
}

#[test]
fn s6_6_a_stop_of_everything_can_be_hastened_too() {
    let mut supervisor = all_up(&["web.1", "worker.1"], Policy::default());
    ask(&mut supervisor, Command::Stop(Target::All, Some(100 * SECOND)), at(1));

    ask(&mut supervisor, Command::Stop(Target::All, Some(Duration::ZERO)), at(2));

    let lines = tick(&mut supervisor, at(2));
    assert!(lines.contains(&"#1 kill".to_owned()) && lines.contains(&"#2 kill".to_owned()), "{lines:?}");
}

#[test]
fn s6_6_hastening_a_stop_of_everything_includes_one_off_dynos() {
    let mut supervisor = all_up(&["web.1"], Policy::default());
    let one_off = OneOff::detached("rake jobs".into());
    ask(&mut supervisor, Command::RunOneOff { number: 4711, one_off }, at(0));
    spawned(&mut supervisor, "run.4711", at(0));
    ask(&mut supervisor, Command::Stop(Target::All, Some(100 * SECOND)), at(1));

    ask(&mut supervisor, Command::Stop(Target::All, Some(Duration::ZERO)), at(2));

    let lines = tick(&mut supervisor, at(2));
    assert!(lines.contains(&"#1 kill".to_owned()) && lines.contains(&"#2 kill".to_owned()), "{lines:?}");
}

#[test]
fn s6_6_hastening_a_stop_of_everything_includes_the_release_phase() {
    let mut supervisor = Supervisor::new(with_release(&["web.1"]), Policy::default());
    boot(&mut supervisor);
    spawned(&mut supervisor, "release.1", at(0));
    ask(&mut supervisor, Command::Stop(Target::All, Some(100 * SECOND)), at(1));

    ask(&mut supervisor, Command::Stop(Target::All, Some(Duration::ZERO)), at(2));

    let lines = tick(&mut supervisor, at(2));
    assert!(lines.contains(&"#1 kill".to_owned()), "{lines:?}");
}

#[test]
fn s10_2_the_ends_of_the_last_three_runs_are_remembered() {
    let mut supervisor = all_up(&["web.1", "worker.1"], restarting());
    for second in 1..6 {
        crash(&mut supervisor, "web.1", at(100 * second));
        tick(&mut supervisor, at(100 * second + 90));
        spawned(&mut supervisor, "web.1", at(100 * second + 90));
    }
    ask(&mut supervisor, Command::Stop(web(), None), at(700));
    obey(&mut supervisor, "web.1", at(701));

    let life = row(&supervisor, "web.1").life;
    let requested: Vec<bool> = life.ends.iter().map(|end| end.requested).collect();
    assert_eq!(requested, [true, false, false]);
    assert_eq!(life.ends[0].ran_for, Duration::from_secs(111));
    assert_eq!(life.stage, LifeStage::Down);
}
