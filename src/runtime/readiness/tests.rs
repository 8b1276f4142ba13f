//! When a run is seen to be up, and how often it is checked.

use std::net::{Ipv4Addr, TcpListener};

use tokio::task::LocalSet;

use super::*;
use crate::model::{DynoName, Environment, Focus, Io, Launch, ProcessType, Shell};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A dyno that is expected to listen on this port.
fn spec(port: u16, readiness: Readiness) -> DynoSpec {
    DynoSpec {
        dyno: DynoName::new(ProcessType::new("web").expect("a name"), 1),
        command_line: "true".into(),
        launch: Launch::Shell { shell: Shell::Sh, line: b"true".to_vec(), leads: false },
        port: Some(port),
        readiness,
        expected_port: Some(port),
        environment: Environment::default(),
        directory: "/".into(),
        io: Io::Pipe,
        focus: Focus::Elsewhere,
        stdin_is_empty: false,
    }
}

/// The watched run has answered with this status.
fn answered(status: u16) -> ProbeAnswer {
    ProbeAnswer { run: RunId(1), address: LOOPBACK, answer: HttpAnswer::Status(status) }
}

/// Watches a run that must listen on this port.
fn listening(probes: &mut ReadinessProbes, port: u16) {
    watched(probes, &spec(port, Readiness::Listens { port }));
}

fn watched(probes: &mut ReadinessProbes, spec: &DynoSpec) {
    probes.before_spawn(RunId(1), spec, Vec::new());
    probes.begin(RunId(1), 1);
}

/// Nothing depends on the other ports of runs.
fn observe(probes: &mut ReadinessProbes, is_observed: impl Fn(&DynoName) -> bool, now: Instant) {
    probes.observe(is_observed, |_| ListenInterest::None, now);
}

#[test]
fn s6_2_a_socket_that_existed_before_the_run_is_ignored() {
    let before = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = before.local_addr().expect("bound").port();
    let mut probes = ReadinessProbes::new(None);
    listening(&mut probes, port);

    let later = Instant::now() + FIRST_PAUSE;
    assert_eq!(probes.check(later), []);
    drop(before);
    let _own = TcpListener::bind(("127.0.0.1", port)).expect("free again");

    let found = probes.check(later + LONGEST_PAUSE);
    assert_eq!(found, [Event::Ready { run: RunId(1), address: LOOPBACK, loopback_only: true }]);
    assert_eq!(probes.next_check(), None);
}

#[test]
fn s6_2_a_run_that_must_answer_is_ready_once_its_answer_is_accepted() {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&tokio, async {
        let mut probes = ReadinessProbes::new(None);
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let check = Arc::new(HttpCheck::new("/", None).expect("a check"));
        watched(&mut probes, &spec(port, Readiness::Answers { port, check }));
        let _server = TcpListener::bind(("127.0.0.1", port)).expect("still free");

        assert_eq!(probes.look_at_once(), [Event::NotAnswering { run: RunId(1), answer: None }]);
        assert_eq!(probes.look_at_once(), [], "it is reported once that it listens");
        let mut judge = |status| probes.judge(answered(status));

        let wrong = Event::NotAnswering { run: RunId(1), answer: Some(HttpAnswer::Status(500)) };
        assert_eq!(judge(500), Some(wrong));
        let ready = Event::Ready { run: RunId(1), address: LOOPBACK, loopback_only: true };
        assert_eq!(judge(204), Some(ready));
        assert_eq!(judge(500), None, "it is not watched any more");
    });
}

#[test]
fn s6_2_waiting_for_an_answer_ends_after_a_minute() {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&tokio, async {
        let mut probes = ReadinessProbes::new(None);
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let check = Arc::new(HttpCheck::new("/", None).expect("a check"));
        watched(&mut probes, &spec(port, Readiness::Answers { port, check }));
        let _server = TcpListener::bind(("127.0.0.1", port)).expect("still free");
        probes.look_at_once();

        let end = probes.next_check().expect("the end of its time");

        assert_eq!(probes.check(end), [Event::NotReady { run: RunId(1), after: PATIENCE }]);
        assert_eq!(probes.next_check(), None);
        observe(&mut probes, |_| true, end);
        let asked = [Event::NotAnswering { run: RunId(1), answer: None }];
        assert_eq!((probes.check(end), probes.next_check()), (asked.into(), None), "a client waits for the answer");
        observe(&mut probes, |_| false, end);
        assert_eq!(probes.judge(answered(200)), None, "nothing depends on it any more");
    });
}

#[test]
fn s6_2_pauses_double_from_10_to_500_ms_until_it_gives_up_after_a_minute() {
    let (checks, last) = check_until_it_gives_up(&mut ReadinessProbes::new(None));

    assert_eq!(last, [Event::NotReady { run: RunId(1), after: PATIENCE }]);
    assert!((120..140).contains(&checks), "{checks}");
}

/// Watches a run that never listens. Returns the number of checks and the last result.
fn check_until_it_gives_up(probes: &mut ReadinessProbes) -> (usize, Vec<Event>) {
    listening(probes, 1);
    let mut checks = 0;
    let mut last = Vec::new();
    while let Some(next) = probes.next_check() {
        last = probes.check(next);
        checks += 1;
    }
    (checks, last)
}

#[test]
fn s6_5_a_run_is_watched_longer_if_its_boot_timeout_is_longer() {
    let second = Duration::from_secs(1);

    let (checks, last) = check_until_it_gives_up(&mut ReadinessProbes::new(Some(180 * second)));

    let found = matches!(last[..], [Event::NotReady { after, .. }] if after > 180 * second);
    assert!(found && checks > 360, "{checks} {last:?}");
    let (_, last) = check_until_it_gives_up(&mut ReadinessProbes::new(Some(second)));
    assert_eq!(last, [Event::NotReady { run: RunId(1), after: PATIENCE }]);
}

#[test]
fn s6_5_a_run_is_checked_once_more_when_its_time_is_up() {
    let mut probes = ReadinessProbes::new(None);
    probes.before_spawn(RunId(1), &spec(1, Readiness::Listens { port: 1 }), Vec::new());
    assert_eq!((probes.look_at_once(), probes.next_check()), (Vec::new(), None), "it is not spawned yet");
    probes.begin(RunId(1), 1);
    let first = probes.next_check();

    probes.look_at_once();

    assert_ne!(probes.next_check(), first);
}

#[test]
fn s6_2_a_run_that_is_gone_is_not_watched_any_more() {
    let mut probes = ReadinessProbes::new(None);
    listening(&mut probes, 1);

    probes.follow(RunId(1), &RunReport::Gone);

    assert_eq!(probes.next_check(), None);
}

#[test]
fn suspension_does_not_shorten_the_wait() {
    let mut probes = ReadinessProbes::new(None);
    listening(&mut probes, 1);
    let next = probes.next_check().expect("one check is due");

    probes.postpone(2 * PATIENCE);

    assert_eq!(probes.next_check(), Some(next + 2 * PATIENCE));
    assert_eq!(probes.check(next + 2 * PATIENCE), []);
}

#[test]
fn s6_2_a_run_that_nothing_depends_on_is_checked_while_a_client_waits() {
    let mut probes = ReadinessProbes::new(None);
    watched(&mut probes, &spec(1, Readiness::Runs));
    let now = Instant::now();
    assert_eq!(probes.next_check(), None);

    observe(&mut probes, |_| true, now);
    assert_eq!(probes.next_check(), Some(now));
    let much_later = now + 2 * PATIENCE;
    assert_eq!(probes.check(much_later), [], "only the client decides when to give up");
    assert!(probes.next_check().is_some_and(|next| next > much_later));
    observe(&mut probes, |_| false, much_later);

    assert_eq!(probes.next_check(), None);
}

#[test]
fn s6_2_a_run_is_not_checked_for_a_client_that_waits_for_another_dyno() {
    let mut probes = ReadinessProbes::new(None);
    let own = spec(1, Readiness::Runs);
    watched(&mut probes, &own);
    let now = Instant::now();

    observe(&mut probes, |dyno| *dyno != own.dyno, now);
    assert_eq!(probes.next_check(), None);
    observe(&mut probes, |dyno| *dyno == own.dyno, now);

    assert_eq!(probes.next_check(), Some(now));
}

#[test]
fn s6_2_a_run_that_did_not_listen_in_time_is_checked_again_for_a_client() {
    let mut probes = ReadinessProbes::new(None);
    check_until_it_gives_up(&mut probes);

    let now = Instant::now() + 2 * PATIENCE;
    observe(&mut probes, |_| true, now);

    assert_eq!((probes.check(now), probes.next_check().is_some()), (Vec::new(), true));
}
