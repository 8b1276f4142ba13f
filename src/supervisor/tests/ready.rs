//! Ready types, which are up when they listen (S6.2, S6.5).

use super::*;
use crate::model::{Focus, HttpCheck};

fn awaited_for(boot_timeout: Option<Duration>) -> Supervisor {
    awaited(Policy { boot_timeout, ..restarting() })
}

fn awaited(policy: Policy) -> Supervisor {
    all_spawned(awaiting_web(formation(&["web.1"])), policy)
}

/// `web.1` listens, and must answer before it is up.
fn probed(boot_timeout: Option<Duration>) -> Supervisor {
    let check = Arc::new(HttpCheck::new("/up", None).unwrap());
    let spec = DynoSpec { readiness: Readiness::Answers { port: 5000, check }, ..DynoSpec::clone(&spec("web.1")) };
    let mut supervisor = all_spawned(plan_of(vec![Arc::new(spec)]), Policy { boot_timeout, ..restarting() });
    answers(&mut supervisor, None);
    supervisor
}

fn answers(supervisor: &mut Supervisor, answer: Option<HttpAnswer>) -> Vec<String> {
    let run = run_of(supervisor, "web.1");
    feed(supervisor, Event::NotAnswering { run, answer }, at(1))
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn s6_2_a_dyno_that_never_listens_is_up_after_a_minute_with_one_notice() {
    let mut supervisor = awaited_for(None);
    let event = Event::NotReady { run: run_of(&supervisor, "web.1"), after: MINUTE };

    assert_eq!(
        feed(&mut supervisor, event.clone(), at(60)),
        ["web.1: still not listening on port 5001 after 60 seconds; treated as up from now on"]
    );
    assert_eq!((state(&supervisor, "web.1"), row(&supervisor, "web.1").since), (PublicState::Up, at(60).wall));
    assert_eq!(feed(&mut supervisor, event, at(61)), [""; 0]);
}

#[test]
fn s6_5_a_boot_timeout_replaces_the_one_minute_limit() {
    let mut supervisor = awaited_for(Some(2 * MINUTE));
    let event = Event::NotReady { run: run_of(&supervisor, "web.1"), after: MINUTE };

    assert_eq!(feed(&mut supervisor, event, at(60)), [""; 0]);
    assert_eq!((state(&supervisor, "web.1"), supervisor.next_deadline()), (PublicState::Starting, Some(2 * MINUTE)));
}

#[test]
fn s6_5_a_dyno_with_the_keyboard_has_no_boot_timeout() {
    for (focus, deadline) in [(Focus::Keyboard, None), (Focus::Stdin, Some(MINUTE)), (Focus::Elsewhere, Some(MINUTE))] {
        let spec = DynoSpec { focus, ..DynoSpec::clone(&listening(&spec("web.1"))) };
        let policy = Policy { boot_timeout: Some(MINUTE), ..Policy::default() };
        let supervisor = all_spawned(plan_of(vec![Arc::new(spec)]), policy);

        assert_eq!((state(&supervisor, "web.1"), supervisor.next_deadline()), (PublicState::Starting, deadline));
    }
}

#[test]
fn s6_5_a_hanging_exec_is_killed_after_the_boot_timeout() {
    for name in ["web.1", "worker.1"] {
        let plan = plan_of(vec![spec(name)]);
        let policy = Policy { boot_timeout: Some(MINUTE), ..Policy::default() };
        let mut supervisor = Supervisor::new(awaiting_web(plan), policy);
        boot(&mut supervisor);

        assert_eq!(supervisor.next_deadline(), Some(MINUTE));
        assert_eq!(
            tick(&mut supervisor, at(60))[..2],
            [
                format!("{name}: not up within 60 seconds: it is still waiting for its program to start"),
                "#1 kill".to_owned()
            ]
        );
        assert_eq!(tick(&mut supervisor, at(62)), [""; 0], "a killed dyno is not waited for");
        assert_eq!(supervisor.next_deadline(), Some(at(63).mono));
    }
}

#[test]
fn s12_suspension_during_an_exec_moves_the_boot_timeout() {
    let plan = plan_of(vec![spec("web.1")]);
    let mut supervisor = Supervisor::new(plan, Policy { boot_timeout: Some(MINUTE), ..Policy::default() });
    boot(&mut supervisor);

    feed(&mut supervisor, Event::Resumed { paused_for: MINUTE }, at(100));

    assert_eq!(supervisor.next_deadline(), Some(2 * MINUTE));
}

#[test]
fn r10_names_the_other_port_that_the_dyno_listens_on() {
    let mut supervisor = awaited_for(Some(MINUTE));
    let run = run_of(&supervisor, "web.1");

    assert_eq!(
        tick(&mut supervisor, at(60)),
        [
            "web.1: Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 60 seconds of launch",
            "#1 find listener",
            "#1 kill",
        ]
    );
    assert_eq!(
        feed(&mut supervisor, Event::ListensElsewhere { run, port: 3000 }, at(60)),
        ["web.1: listens on port 3000, not on $PORT (5001)"]
    );
    exit(&mut supervisor, "web.1", killed_by(9), at(60));
    gone(&mut supervisor, "web.1", at(60));
    assert_eq!(feed(&mut supervisor, Event::ListensElsewhere { run, port: 3000 }, at(61)), [""; 0], "the run is over");
}

#[test]
fn a_server_on_loopback_only_gets_a_warning_if_enabled() {
    for (notes_loopback, lines) in
        [(true, &["web.1: listens on 127.0.0.1 only: on Heroku it must bind 0.0.0.0"][..]), (false, &[])]
    {
        let mut supervisor = awaited(Policy { notes_loopback, ..restarting() });
        let run = run_of(&supervisor, "web.1");

        assert_eq!(feed(&mut supervisor, Event::Ready { run, address: LOCALHOST, loopback_only: true }, at(1)), lines);
        assert_eq!(state(&supervisor, "web.1"), PublicState::Up);
    }
}

#[test]
fn s6_2_a_dyno_that_must_answer_is_up_after_the_right_answer() {
    let mut supervisor = probed(None);

    assert_eq!(
        answers(&mut supervisor, Some(HttpAnswer::Status(500))),
        ["web.1: answers GET /up with 500, not 200 to 399; trying again"]
    );
    assert_eq!(answers(&mut supervisor, Some(HttpAnswer::Status(500))), [""; 0], "each kind is shown once");
    assert_eq!(state(&supervisor, "web.1"), PublicState::Starting);
    let why = row(&supervisor, "web.1").not_up.map(|why| why.to_string());
    assert_eq!(why.as_deref(), Some("answers GET /up with 500, not 200 to 399"));

    assert_eq!(ready(&mut supervisor, "web.1", at(2)), [""; 0]);
    assert_eq!((state(&supervisor, "web.1"), row(&supervisor, "web.1").not_up), (PublicState::Up, None));
    assert_eq!(answers(&mut supervisor, Some(HttpAnswer::Status(404))), [""; 0], "too late to matter");
}

#[test]
fn s6_2_a_dyno_that_never_answers_is_up_after_a_minute_with_one_notice() {
    let mut supervisor = probed(None);
    let event = Event::NotReady { run: run_of(&supervisor, "web.1"), after: MINUTE };

    assert_eq!(
        feed(&mut supervisor, event, at(60)),
        ["web.1: still not up after 60 seconds: it listens but does not answer GET /up; treated as up from now on"]
    );
    assert_eq!(state(&supervisor, "web.1"), PublicState::Up);
    let life = row(&supervisor, "web.1").life;
    assert_eq!((life.listens, life.ready), (true, false), "a client still waits for the answer");
}

#[test]
fn s6_5_a_boot_timeout_also_covers_the_answer() {
    let mut supervisor = probed(Some(MINUTE));
    answers(&mut supervisor, Some(HttpAnswer::None(HttpSilence::Closed)));

    assert_eq!(
        tick(&mut supervisor, at(60)),
        ["web.1: not up within 60 seconds: it closes the connection without answering GET /up", "#1 kill"]
    );
}
