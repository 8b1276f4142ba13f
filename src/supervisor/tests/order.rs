//! Dynos that start after others (S6.12).

use super::*;
use crate::app::Scale;

/// The plan in this order.
fn ordered(plan: Plan, items: &str) -> Plan {
    let order = StartOrder::parse(items.split(','), plan.blueprint.types()).unwrap();
    in_order(plan, order)
}

/// A formation that was booted with this order.
fn booted(policy: Policy, items: &str, names: &[&str]) -> (Supervisor, Vec<String>) {
    let mut supervisor = Supervisor::new(ordered(formation(names), items), policy);
    let lines = boot(&mut supervisor);
    (supervisor, lines)
}

fn listens(supervisor: &mut Supervisor, name: &str, ports: &[u16], now: Now) -> Vec<String> {
    let run = run_of(supervisor, name);
    let at = ports.iter().map(|port| (LOCALHOST, *port).into()).collect();
    feed(supervisor, Event::Listens { run, at }, now)
}

fn ask(supervisor: &mut Supervisor, command: Command, now: Now) -> Vec<String> {
    feed(supervisor, Event::Request { id: RequestId(1), command }, now)
}

fn waits_for(supervisor: &Supervisor, name: &str) -> Option<String> {
    row(supervisor, name).not_up.and_then(|why| why.waits_for())
}

#[test]
fn s6_12_a_dyno_starts_when_the_other_one_listens() {
    let (mut supervisor, lines) = booted(Policy::default(), "worker=web", &["worker.1", "web.1"]);
    assert_eq!(lines, ["spawn web.1 #1"]);
    assert_eq!(state(&supervisor, "worker.1"), PublicState::Starting);

    assert_eq!(spawned(&mut supervisor, "web.1", at(0)), ["web.1: started with pid 101"]);
    assert_eq!(waits_for(&supervisor, "worker.1").as_deref(), Some("web.1 to listen"));
    assert_eq!(listens(&mut supervisor, "web.1", &[6379], at(1)), ["spawn worker.1 #2"]);
    assert_eq!(waits_for(&supervisor, "worker.1"), None);
}

#[test]
fn s6_12_all_dynos_must_listen_at_the_same_moment() {
    let (mut supervisor, _) = booted(restarting(), "worker=web", &["web.1", "web.2", "worker.1", "worker.2"]);
    spawned(&mut supervisor, "web.1", at(0));
    spawned(&mut supervisor, "web.2", at(0));

    assert!(listens(&mut supervisor, "web.1", &[5000], at(1)).is_empty());
    crash(&mut supervisor, "web.1", at(2));
    assert!(listens(&mut supervisor, "web.2", &[5001], at(2)).is_empty());
    spawned(&mut supervisor, "web.1", at(3));
    assert_eq!(listens(&mut supervisor, "web.1", &[5000], at(4)), ["spawn worker.1 #4", "spawn worker.2 #5"]);
}

#[test]
fn s6_12_a_type_can_wait_for_a_named_port_an_end_or_a_start() {
    let names = ["web.1", "db.1", "setup.1", "clock.1"];
    let (mut supervisor, lines) = booted(Policy::default(), "web=db:5433+setup:done,clock=db:started", &names);
    assert_eq!(lines, ["spawn db.1 #1", "spawn setup.1 #2"]);

    assert_eq!(spawned(&mut supervisor, "db.1", at(0)), ["db.1: started with pid 101", "spawn clock.1 #3"]);
    spawned(&mut supervisor, "setup.1", at(0));
    assert!(listens(&mut supervisor, "db.1", &[5432], at(1)).is_empty());
    let missing = "db.1 to listen on port 5433 (it listens on 5432) and setup.1 to exit with code 0";
    assert_eq!(waits_for(&supervisor, "web.1").as_deref(), Some(missing));
    assert!(listens(&mut supervisor, "db.1", &[5432, 5433], at(2)).is_empty());
    // What the leader leaves behind may still be at work.
    assert_eq!(exit(&mut supervisor, "setup.1", code(0), at(3)), ["setup.1: exited with code 0", "#2 stop 15"]);
    assert_eq!(gone(&mut supervisor, "setup.1", at(3)), ["spawn web.1 #4"]);
}

#[test]
fn s6_12_a_dyno_that_is_stopped_while_it_waits_is_named_as_stopped() {
    let names = ["web.1", "worker.1", "clock.1"];
    let (mut supervisor, _) = booted(Policy::default(), "clock=worker,worker=web", &names);
    spawned(&mut supervisor, "web.1", at(0));

    let stop = Command::Stop(Target::Dyno(dyno("worker.1")), None);

    let lines = ask(&mut supervisor, stop, at(1));
    assert!(lines.contains(&"clock.1: not started: worker.1 was stopped".to_owned()), "{lines:?}");
}

#[test]
fn s6_12_a_stop_ends_a_wait_at_once() {
    let (mut supervisor, _) = booted(Policy::default(), "worker=web", &["web.1", "worker.1"]);
    spawned(&mut supervisor, "web.1", at(0));

    let lines = signal(&mut supervisor, UserSignal::Int, at(1));
    assert_eq!(
        lines,
        ["system: SIGINT received, starting shutdown", "system: sending SIGTERM to all processes", "#1 stop 15"]
    );
    assert_eq!(state(&supervisor, "worker.1"), PublicState::Down);
    assert!(listens(&mut supervisor, "web.1", &[5000], at(1)).is_empty());
    assert_eq!(obey(&mut supervisor, "web.1", at(1)).last().unwrap(), "finish by SIGINT");
}

#[test]
fn s6_12_after_5_then_every_30_seconds_a_line_says_what_is_missing() {
    let names = ["web.1", "db.1", "worker.1", "worker.2"];
    let (mut supervisor, _) = booted(Policy::default(), "worker=web+db:5433", &names);
    spawned(&mut supervisor, "web.1", at(0));
    spawned(&mut supervisor, "db.1", at(0));
    listens(&mut supervisor, "db.1", &[5432, 9187], at(1));

    assert_eq!(supervisor.next_deadline(), Some(at(5).mono));
    let line =
        "system: worker is waiting for web.1 to listen and db.1 to listen on port 5433 (it listens on 5432, 9187)";
    assert_eq!(tick(&mut supervisor, at(5)), [line]);
    assert_eq!(supervisor.next_deadline(), Some(at(35).mono));
    listens(&mut supervisor, "db.1", &[5433], at(6));
    assert_eq!(tick(&mut supervisor, at(35)), ["system: worker is waiting for web.1 to listen"]);
    listens(&mut supervisor, "web.1", &[5000], at(36));
    assert_eq!(supervisor.next_deadline(), None);
}

#[test]
fn s6_12_a_dyno_stays_down_if_the_other_one_stays_crashed() {
    let names = ["db.1", "web.1", "worker.1"];
    let (mut supervisor, _) = booted(restarting_at_most(0), "web=db,worker=web:started", &names);
    spawned(&mut supervisor, "db.1", at(0));

    let lines = crash(&mut supervisor, "db.1", at(1));
    let expected = [
        "db.1: exited with code 1",
        "#1 stop 15",
        "db.1: crashed: not restarted",
        "web.1: not started: db.1 has crashed",
        "worker.1: not started: web.1 was not started",
        "finish 1",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn s6_12_a_dyno_stays_down_if_the_other_one_is_stopped_and_can_wait_again() {
    let (mut supervisor, _) = booted(Policy::default(), "worker=web", &["web.1", "worker.1", "clock.1"]);
    spawned(&mut supervisor, "web.1", at(0));
    let web = Target::Dyno(dyno("web.1"));

    let lines = ask(&mut supervisor, Command::Stop(web.clone(), None), at(1));
    let stopped = ["web.1: stop requested: sending SIGTERM", "#1 stop 15", "reply 1: stopping web.1"];
    assert_eq!(lines, [&stopped[..], &["worker.1: not started: web.1 was stopped"]].concat());
    assert!(!row(&supervisor, "worker.1").wanted);
    assert_eq!(row(&supervisor, "worker.1").prevented.unwrap().to_string(), "web.1 was stopped");

    obey(&mut supervisor, "web.1", at(2));
    ask(&mut supervisor, Command::Restart(web, None), at(3));
    ask(&mut supervisor, Command::Restart(Target::Dyno(dyno("worker.1")), None), at(3));
    assert_eq!(state(&supervisor, "worker.1"), PublicState::Starting);
    spawned(&mut supervisor, "web.1", at(4));
    assert_eq!(listens(&mut supervisor, "web.1", &[5000], at(5)), ["spawn worker.1 #4"]);
}

#[test]
fn s6_12_dynos_that_are_added_when_the_wait_ends_start_with_the_others() {
    let (mut supervisor, _) = booted(Policy::default(), "web=worker", &["web.1", "worker.1"]);
    spawned(&mut supervisor, "worker.1", at(0));
    let changes = vec![(process_type("web"), Scale::To(2)), (process_type("worker"), Scale::To(0))];

    let lines = ask(&mut supervisor, Command::Scale(changes), at(1));

    assert_eq!(lines[lines.len() - 2..], ["spawn web.1 #2", "spawn web.2 #3"]);
}

#[test]
fn s6_12_an_allowed_exit_that_is_not_awaited_keeps_the_rest_down() {
    let policy = || Policy { can_die: [(process_type("setup"), CanDie::Any)].into(), ..Policy::default() };
    for (order, exit_code, why) in [("web=setup", 0, "exited with code 0"), ("web=setup:done", 3, "exited with code 3")]
    {
        let (mut supervisor, _) = booted(policy(), order, &["setup.1", "web.1", "clock.1"]);
        spawned(&mut supervisor, "setup.1", at(0));
        exit(&mut supervisor, "setup.1", code(exit_code), at(1));
        assert_eq!(gone(&mut supervisor, "setup.1", at(1)), [format!("web.1: not started: setup.1 {why}")]);
    }
}

#[test]
fn s6_12_a_type_without_dynos_holds_nothing_back() {
    let types = ["web.1", "db.1", "worker.1"].map(|name| dyno(name).process_type);
    let plan = Plan { blueprint: blueprint(&types, 100), ..formation(&["web.1", "worker.1"]) };
    let mut supervisor = Supervisor::new(ordered(plan, "worker=web+db"), Policy::default());
    assert_eq!(boot(&mut supervisor), ["spawn web.1 #1"]);
    spawned(&mut supervisor, "web.1", at(0));

    let lines = ask(&mut supervisor, Command::Scale(vec![(process_type("web"), Scale::To(0))]), at(1));
    let nothing = "system: worker does not wait for web and db, which have quantity 0".to_owned();
    assert_eq!(lines.get(lines.len() - 2..).unwrap(), [nothing, "spawn worker.1 #2".to_owned()]);
}

#[test]
fn s6_12_the_order_applies_at_a_scale_from_0_but_not_at_a_restart() {
    let (mut supervisor, _) = booted(restarting(), "worker=web", &["web.1", "worker.1"]);
    spawned(&mut supervisor, "web.1", at(0));
    listens(&mut supervisor, "web.1", &[5000], at(0));
    spawned(&mut supervisor, "worker.1", at(0));
    let scale = |quantity| Command::Scale(vec![(process_type("worker"), Scale::To(quantity))]);

    crash(&mut supervisor, "web.1", at(1));
    assert!(ask(&mut supervisor, scale(2), at(1)).contains(&"spawn worker.2 #4".to_owned()));
    assert!(crash(&mut supervisor, "worker.1", at(2)).contains(&"spawn worker.1 #5".to_owned()));
    ask(&mut supervisor, scale(0), at(3));
    for name in ["worker.1", "worker.2"] {
        obey(&mut supervisor, name, at(3));
    }
    ask(&mut supervisor, scale(1), at(4));
    assert_eq!(waits_for(&supervisor, "worker.1").as_deref(), Some("web.1 to listen"));
}

#[test]
fn s6_12_a_wait_has_no_boot_timeout_and_no_line_in_the_heroku_format() {
    let policy = Policy { boot_timeout: Some(Duration::from_secs(2)), ..Policy::default() };
    let plan = ordered(awaiting_web(formation(&["db.1", "web.1"])), "web=db");
    let mut supervisor = Supervisor::new(plan, policy);
    let effects = supervisor.handle(Event::Boot, at(0));
    let lines: Vec<String> = effects.iter().filter_map(|effect| line(effect, NoticeStyle::Heroku)).collect();
    assert!(lines.iter().all(|line| !line.starts_with("web.1")), "{lines:?}");
    spawned(&mut supervisor, "db.1", at(0));

    tick(&mut supervisor, at(60));
    listens(&mut supervisor, "db.1", &[5432], at(61));
    spawned(&mut supervisor, "web.1", at(61));
    assert_eq!(supervisor.next_deadline(), Some(at(63).mono));
}

#[test]
fn s6_12_sockets_matter_only_while_a_dyno_waits_for_them() {
    let (mut supervisor, _) = booted(Policy::default(), "worker=web", &["web.1", "worker.1"]);
    let web = run_of(&supervisor, "web.1");
    assert_eq!(supervisor.listen_interest(web), ListenInterest::None);

    spawned(&mut supervisor, "web.1", at(0));
    assert_eq!(supervisor.listen_interest(web), ListenInterest::Order);
    listens(&mut supervisor, "web.1", &[5000], at(1));
    assert_eq!(supervisor.listen_interest(web), ListenInterest::None);
}

/// A web dyno on port 5000 in a start that is watched by a person.
fn watched() -> Supervisor {
    let policy = Policy { shows_addresses: true, ..Policy::default() };
    let web = Arc::new(DynoSpec { port: Some(5000), ..DynoSpec::clone(&spec("web.1")) });
    all_spawned(plan_of(vec![web, spec("worker.1")]), policy)
}

#[test]
fn s6_11_the_address_is_shown_once_for_each_run() {
    let mut supervisor = watched();
    let run = run_of(&supervisor, "web.1");
    assert_eq!(supervisor.listen_interest(run), ListenInterest::Address);
    assert_eq!(supervisor.listen_interest(run_of(&supervisor, "worker.1")), ListenInterest::None);

    let lines = listens(&mut supervisor, "web.1", &[3000, 5000], at(1));
    assert_eq!(lines, ["web.1: listening on http://127.0.0.1:5000"]);
    assert_eq!(supervisor.listen_interest(run), ListenInterest::None);
    assert!(listens(&mut supervisor, "web.1", &[5000], at(2)).is_empty());
    assert_eq!(supervisor.next_deadline(), None);
}

#[test]
fn s6_11_a_server_that_only_listens_on_ipv6_has_that_address() {
    let mut supervisor = watched();
    let run = run_of(&supervisor, "web.1");

    let at_v6 = vec!["[::1]:5000".parse().unwrap()];
    let lines = feed(&mut supervisor, Event::Listens { run, at: at_v6 }, at(1));
    assert_eq!(lines, ["web.1: listening on http://[::1]:5000"]);
}

#[test]
fn s6_11_another_port_is_named_after_3_seconds() {
    let mut supervisor = watched();

    assert!(listens(&mut supervisor, "web.1", &[5173], at(1)).is_empty());
    assert!(listens(&mut supervisor, "web.1", &[5173, 24678], at(2)).is_empty());
    assert_eq!(supervisor.next_deadline(), Some(at(4).mono));
    assert_eq!(tick(&mut supervisor, at(4)), ["web.1: listens on port 5173, but its PORT is 5000"]);
    assert_eq!(supervisor.next_deadline(), None);
}

#[test]
fn s6_11_a_private_port_that_is_opened_first_is_not_named() {
    let mut supervisor = watched();

    listens(&mut supervisor, "web.1", &[9229], at(1));
    let lines = listens(&mut supervisor, "web.1", &[5000, 9229], at(3));
    assert_eq!(lines, ["web.1: listening on http://127.0.0.1:5000"]);
    assert_eq!(supervisor.next_deadline(), None);
}
