//! Where the log says that a dyno listens (S6.11).

use super::*;

fn listens(supervisor: &mut Supervisor, name: &str, ports: &[u16], now: Now) -> Vec<String> {
    let run = run_of(supervisor, name);
    let at = ports.iter().map(|port| (LOCALHOST, *port).into()).collect();
    feed(supervisor, Event::Listens { run, at }, now)
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
