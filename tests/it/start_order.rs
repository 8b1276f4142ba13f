//! Process types that start after others (S6.12), and the line about where `web` listens (S6.11).

use nix::sys::signal::Signal;

use crate::app::free_port;
use crate::harness::{App, Ended, Running, error};
use crate::running::{dynos, pid_of, stop};
use crate::smoke;

/// An app whose `db` listens on `db_port`, not on its `PORT`, as soon as a line arrives in the fifo `go`. Its `web` is
/// meant to start after `db`.
fn web_after_db(db_port: u16) -> App {
    let procfile =
        format!("web: echo web runs; exec sleep 1000\ndb: read line <go; PORT={db_port} exec ./listen 127.0.0.1\n");
    smoke::app(&procfile).fifo("go")
}

fn runs(app: &App, running: &Running, name: &str) {
    running.until(&format!("{name} runs"), || pid_of(app, name) > 0);
}

fn state(app: &App, name: &str) -> String {
    let dynos = dynos(app);
    dynos
        .iter()
        .find(|dyno| dyno["name"] == name)
        .map_or_else(String::new, |dyno| dyno["state"].as_str().unwrap().into())
}

#[test]
fn s6_12_a_type_starts_after_another_one_listens_on_any_port() {
    let app = web_after_db(free_port());
    let running = app.dyno(["start", "-p", "auto", "--after", "web=db"]).spawn();
    runs(&app, &running, "db.1");

    assert_eq!(state(&app, "web.1"), "starting");
    assert_eq!(dynos(&app)[0]["waits_for"], "db.1 to listen");
    let table = app.dyno(["ps"]).run().stdout();
    assert!(table.ends_with("\nweb.1 waits for db.1 to listen\n"), "{table}");
    let why = app.dyno(["why", "web.1"]).run().stdout();
    assert!(why.starts_with("web.1 is starting, for ") && why.contains(": it waits for db.1 to listen\n"), "{why}");
    assert!(why.ends_with("\nnext: dyno why db.1\n"), "{why}");
    let late = app.dyno(["wait", "web", "--timeout=0"]).run();
    assert_eq!(late.ended, Ended::Code(75));
    app.release("go");

    running.until_shown("| web runs\n");
    assert!(app.dyno(["ps", "--json"]).run().stdout().find("waits_for").is_none());
    stop(&app, running).expect_end(Ended::Code(0));
}

#[test]
fn s6_12_foreman_can_name_the_order_and_the_port() {
    let port = free_port();
    let app = web_after_db(port).file(".foreman", format!("after: web=db:{port}\n"));
    let running = app.dyno(["start", "-p", "auto"]).spawn();
    runs(&app, &running, "db.1");
    assert_eq!(dynos(&app)[0]["waits_for"], format!("db.1 to listen on port {port}"));

    app.release("go");

    running.until_shown("| web runs\n");
    stop(&app, running);
}

#[test]
fn s6_12_ctrl_c_during_a_wait_stops_at_once_and_starts_nothing() {
    let app = web_after_db(free_port());
    let running = app.dyno(["start", "-p", "auto", "--after", "web=db"]).spawn();
    runs(&app, &running, "db.1");

    running.signal(Signal::SIGINT);

    let ended = running.finish();
    ended.expect_end(Ended::Signal(Signal::SIGINT));
    assert!(ended.lines_of("web.1").is_empty(), "{}", ended.stdout());
}

#[test]
fn s6_12_an_end_with_a_wrong_status_keeps_the_rest_down() {
    let app = App::new("web: echo web runs; exec sleep 1000\nsetup: exit $STATUS\nclock: exec sleep 1000\n");
    let running = app.dyno(["start", "--after", "web=setup:done", "--set", "STATUS=0"]).spawn();
    running.until_shown("| web runs\n");
    stop(&app, running).expect_end(Ended::Code(0));

    let line = ["start", "--after", "web=setup:done", "--can-die", "setup=any", "--set", "STATUS=3"];
    let running = app.dyno(line).spawn();
    running.until_shown("| not started: setup.1 exited with code 3\n");
    let why = app.dyno(["why", "web.1"]).run().stdout();
    assert!(why.starts_with("web.1 is down: not started because setup.1 exited with code 3\n"), "{why}");
    assert!(why.ends_with("next: dyno restart setup.1, then dyno restart web.1\n"), "{why}");
    let fact = "`web.1` was not started: setup.1 exited with code 3";
    app.dyno(["wait", "web"]).run().expect(Ended::Code(1), "", &error(fact, "`dyno why web.1` says more"));
    stop(&app, running);
}

#[test]
fn s6_12_a_type_that_is_left_out_holds_nothing_back() {
    let app = web_after_db(free_port());
    let running = app.dyno(["start", "web", "--after", "web=db"]).spawn();

    running.until_shown("| web does not wait for db, which has quantity 0\n");
    running.until_shown("| web runs\n");
    stop(&app, running);
}

#[test]
fn s6_12_an_order_that_is_impossible_is_an_error() {
    let app = App::new("web: exec sleep 1000\nworker: exec sleep 1000\n");
    let circle = "`web` waits for `worker`, which waits for `web`: none of them would start";
    for (order, fact, hint) in [
        ("worker=web,web=worker", circle, "remove one of these dependencies"),
        ("wroker=web", "the Procfile has no process type `wroker`", "did you mean `worker`?"),
        ("web=release", "`release` always runs before everything else", "leave it out"),
    ] {
        let stderr = error(&format!("`--after`: {fact}"), hint);
        app.dyno(["start", "--after", order]).run().expect(Ended::Code(2), "", &stderr);
        app.dyno(["smoke", "--after", order]).run().expect(Ended::Code(2), "", &stderr);
        app.dyno(["check", "--after", order]).run().expect(Ended::Code(78), "", &stderr.replace("\n\n", "\n"));
    }
    let valid = "valid procfile detected (web, worker)\n";
    app.dyno(["check", "--after", "worker=web"]).run().expect(Ended::Code(0), valid, "");
    let app = app.file(".foreman", "port: 5000\nafter: web=worker, worker=web\n");
    let stderr = error(&format!(".foreman:2: {circle}"), "remove one of these dependencies");
    app.dyno(["start"]).run().expect(Ended::Code(78), "", &stderr);
    app.dyno(["check"]).run().expect(Ended::Code(78), "", &stderr.replace("\n\n", "\n"));
    app.dyno(["check", "--after", "worker=web"]).run().expect(Ended::Code(0), valid, "");
}

#[test]
fn s6_12_a_smoke_test_ends_if_a_dyno_waits_too_long_or_for_nothing() {
    let app = App::new("web: exec sleep 1000\ndb: exec sleep 1000\n").file(".foreman", "after: web=db\n");
    let late = app.dyno(["smoke", "--timeout", "5"]).run();
    late.expect_end(Ended::Code(75));
    let line = "smoke failed: not up within 5 seconds: web.1 waits for db.1 to listen (status 75)\n";
    assert!(late.stderr().ends_with(line), "{}", late.stderr());

    let app = App::new("web: exec sleep 1000\ndb: exit 3\n");
    let prevented = app.dyno(["smoke", "--can-die", "db=any", "--after", "web=db"]).run();
    prevented.expect_end(Ended::Code(3));
    let line = "smoke failed: web.1 was not started: db.1 exited with code 3 (status 3)\n";
    assert!(prevented.stderr().ends_with(line), "{}", prevented.stderr());
}

#[test]
fn s6_11_the_address_of_web_is_shown_with_urls_and_not_without() {
    let app = smoke::app("web: exec ./listen 127.0.0.1\nworker: PORT=0 exec ./listen 127.0.0.1\n");
    let port = free_port().to_string();

    let running = app.dyno(["start", "-p", &port, "--urls"]).spawn();
    running.until_shown(&format!("| listening on http://127.0.0.1:{port}\n"));
    let ended = stop(&app, running);
    assert_eq!(ended.stdout().matches("listening on http").count(), 1, "{}", ended.stdout());

    let running = app.dyno(["start", "-p", &port]).spawn();
    runs(&app, &running, "worker.1");
    app.dyno(["wait"]).run().expect_end(Ended::Code(0));
    assert!(!stop(&app, running).stdout().contains("http://"));
}

#[test]
fn s6_11_a_server_that_ignores_its_port_is_named() {
    let other = free_port();
    let app = smoke::app(&format!("web: PORT={other} exec ./listen 127.0.0.1\n"));
    let port = free_port();

    let running = app.dyno(["start", "-p", &port.to_string(), "--urls"]).spawn();

    running.until_shown(&format!("| listens on port {other}, but its PORT is {port}\n"));
    stop(&app, running);
}
