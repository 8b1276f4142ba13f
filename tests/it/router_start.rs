//! Where the router listens, which ports the dynos have then, and who learns its address (S16.1).

use std::net::TcpListener;

use nix::sys::signal::Signal;

use crate::app::{free_base, with_all_blocks};
use crate::checkouts::{end, with_worktree};
use crate::harness::{App, Call, Ended, Running};
use crate::smoke;

/// Each dyno prints its port and the addresses that it knows.
const TWO: &str = "web: echo $PORT $WEB_PORT $WEB_URL $DYNO_URL; exec sleep 1000\n\
                   worker: echo $PORT $WEB_PORT $WEB_URL $DYNO_URL; exec sleep 1000\n";

/// Runs it until the worker has printed its line. Returns what web.1 and worker.1 have printed, and stderr.
fn said(call: Call) -> ([String; 2], String) {
    let running = call.spawn();
    for dyno in ["web.1", "worker.1"] {
        running.until("each dyno has printed its line", || {
            running.stdout.text().lines().any(|line| line.contains(&format!("{dyno} ")) && line.contains("http://"))
        });
    }
    let finished = end(running);
    (["web.1", "worker.1"].map(|dyno| finished.lines_of(dyno)[1].clone()), finished.stderr())
}

/// What web.1 and worker.1 print if the app has this address, and they have these ports.
fn lines(url: u16, web: u16, worker: u16) -> [String; 2] {
    [web, worker].map(|own| format!("{own} {web} http://127.0.0.1:{url} http://127.0.0.1:{url}"))
}

#[test]
fn s16_1_the_router_has_the_base_port_and_the_dynos_follow() {
    let app = App::new(TWO);
    let port = free_base();

    let (said, stderr) = said(app.dyno(["start", "--router", "-p", &port.to_string()]));

    assert_eq!((said, stderr.as_str()), (lines(port, port + 100, port + 200), ""));
}

#[test]
fn s16_1_a_router_with_a_port_of_its_own_moves_no_dyno() {
    let app = App::new(TWO);
    let (base, port) = (free_base(), free_base());

    let (said, _) = said(app.dyno(["start", "-p", &base.to_string(), &format!("--router={port}")]));

    assert_eq!(said, lines(port, base, base + 100));
}

#[test]
fn s16_1_without_a_router_the_address_is_that_of_web() {
    let app = App::new(TWO);
    let port = free_base();
    let base = port.to_string();

    assert_eq!(said(app.dyno(["start", "-p", &base])).0, lines(port, port, port + 100));
    let app = app.file(".foreman", "router: true\n");
    assert_eq!(said(app.dyno(["start", "-p", &base, "--no-router"])).0, lines(port, port, port + 100));
    assert_eq!(said(app.dyno(["start", "-p", &base])).0, lines(port, port + 100, port + 200));
    app.write(".foreman", "router: off\n");
    assert_eq!(said(app.dyno(["start", "-p", &base])).0, lines(port, port, port + 100));
}

#[test]
fn s16_1_heroku_starts_a_router_unless_it_is_left_out() {
    let app = App::new(TWO);
    let port = free_base();
    let base = port.to_string();
    let heroku = ["start", "--heroku", "--log-format", "text", "-p", &base];

    assert_eq!(said(app.dyno(heroku)), (lines(port, port + 100, port + 200), String::new()));
    assert_eq!(said(app.dyno(heroku).args(&["--no-router"])), (lines(port, port, port + 100), String::new()));
    app.write(".foreman", "router: false\n");
    assert_eq!(said(app.dyno(heroku)), (lines(port, port, port + 100), String::new()));
}

#[test]
fn s16_1_an_address_that_the_user_sets_wins() {
    let app = App::new(TWO).file(".env", "DYNO_URL=http://shop.example\n");
    let port = free_base();

    let (said, _) = said(app.dyno(["start", "--router", "-p", &port.to_string()]));

    assert_eq!(said[0], format!("{} {} http://127.0.0.1:{port} http://shop.example", port + 100, port + 100));
}

#[test]
fn s16_1_under_the_name_foreman_there_is_no_router() {
    let app = App::new("web: echo port $PORT, address $DYNO_URL.\n").file(".foreman", "router: true\n");
    let port = free_base();

    let finished = app.called("foreman", ["start", "-p", &port.to_string()]).run();

    assert_eq!(finished.lines_of("web.1")[1], format!("port {port}, address ."));
}

#[test]
fn s16_1_the_router_has_a_place_of_its_own_in_a_block() {
    let _blocks = with_all_blocks();
    let app = with_worktree(App::new(TWO), "fix-1", TWO);
    let root = app.path("../fix-1");

    let (_, stderr) = said(app.dyno(["start", "--router"]).directory(&root));
    let port: u16 = stderr.split_once("router ").unwrap().1.split(',').next().unwrap().parse().unwrap();
    let (web, worker) = (port + 10, port + 20);
    assert_eq!(stderr, format!("ports of this worktree: router {port}, web.1 {web}, worker.1 {worker}\n"));

    let (lines_of_auto, stderr) = said(app.dyno(["start", "--router", "-p", "auto"]));
    let port: u16 = stderr.split_once("router ").unwrap().1.split(',').next().unwrap().parse().unwrap();
    let (web, worker) = (port + 10, port + 20);
    assert_eq!(stderr, format!("ports: router {port}, web.1 {web}, worker.1 {worker}\n"));
    assert_eq!(lines_of_auto, lines(port, web, worker));
}

#[test]
fn s16_1_config_explains_the_ports_with_a_router() {
    let app = App::new(TWO).file(".foreman", "port: 7000\nrouter: true\n");
    let explained = |key| app.dyno(["config", "--explain", key]).run();

    let text = "base 7000 from .foreman:1; router 7000, web.1 7100, worker.1 7200\n";
    explained("PORT").expect(Ended::Code(0), text, "");
    app.write(".foreman", "port: 7000\nrouter: 8080\n");
    explained("PORT").expect(Ended::Code(0), "base 7000 from .foreman:1; web.1 7000, worker.1 7100\n", "");
}

#[test]
fn s16_1_a_port_in_use_is_an_error() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let app = App::new(TWO);

    for args in [["start", "-p", &port.to_string(), "--router"], ["start", "-p", "auto", &format!("--router={port}")]] {
        let refused = app.dyno(args).run();

        let stderr = refused.stderr();
        let (before, rest) = stderr.split_once(" by `").unwrap();
        let after = rest.split_once(')').unwrap().1;
        assert_eq!((refused.ended, refused.stdout()), (Ended::Code(69), String::new()));
        let fact = format!("error: port {port} for the router is in use");
        let hint = "\n\nhint: stop that process, or choose another port: `--router=8080`\n";
        assert_eq!((before, after), (fact.as_str(), hint));
    }
}

#[test]
fn s16_1_invalid_router_options_are_errors_with_a_hint() {
    let app = App::new("web: true\n");
    let refuses = |args: &[&str], fact: &str, hint: &str| {
        app.refuses(&[&["start"], args].concat(), 2, &format!("error: {fact}\n\nhint: {hint}\n"));
    };

    refuses(
        &["--router", "--port-step", "0"],
        "with `--port-step 0` the router and the dynos would share one port",
        "give the router a port of its own, such as `--router=8080`",
    );
    refuses(
        &["-p", "6000", "--router=6001", "web=2"],
        "the router and `web.2` would both get port 6001",
        "choose another port for the router, such as `--router=8080`",
    );
    refuses(
        &["--router", "8080"],
        "the Procfile has no process type `8080`",
        "for a port, write `--router=8080` or `-p 8080`",
    );
    refuses(
        &["--hosts", "shop.example"],
        "`--hosts` has no effect without a router",
        "add `--router`, or leave out `--hosts`",
    );
    app.write(".foreman", "router: maybe\n");
    app.refuses(
        &["start"],
        78,
        "error: .foreman:1: `maybe` is not a valid value for `router`\n\nhint: write `router: true`, `router: false`, or a port, such as `router: 8080`\n",
    );
}

#[test]
fn s16_1_an_address_of_another_machine_is_an_error_that_names_it() {
    let app = App::new("web: true\n");

    app.refuses(
        &["start", "--router", "-p", &free_base().to_string(), "--bind", "192.0.2.1"],
        69,
        "error: the router cannot listen on 192.0.2.1: this machine does not have that address\n\n\
         hint: `ip address` lists its addresses; `--bind 0.0.0.0` means all of IPv4\n",
    );
}

#[test]
fn s16_5_a_router_without_web_is_a_warning() {
    let app = smoke::app("api: exec ./listen 127.0.0.1\n");
    let port = free_base();
    let running = app.dyno(["start", "--router", "-p", &port.to_string()]).spawn();
    running.until_shown("api.1  | Listening on ");
    let answer = crate::router::answer(port, "Accept: application/json\r\n");

    let finished = end(running);

    let warning = "warning: the router has no dyno for its address: the Procfile has no process type `web`\n\
                   hint: rename the process type that answers requests to `web`\n";
    assert_eq!(finished.stderr(), warning);
    assert!(
        answer.contains(
            r#""message": "The Procfile has no process type `web`, which gets all requests to this address.""#
        ),
        "{answer}"
    );
    assert!(answer.contains(&format!(r#""http://app-api.localhost:{port}""#)), "{answer}");
}

/// An app with two dynos that listen, started with a router on this port.
fn two_servers(app: &App, port: u16, args: &[&str]) -> Running {
    app.dyno(["start", "--router", "-p", &port.to_string(), "--urls", "web=2"]).args(args).spawn()
}

#[test]
fn s6_11_one_line_of_the_log_says_where_the_router_listens() {
    let app = smoke::app("web: exec ./listen\n");
    let port = free_base();
    let running = two_servers(&app, port, &[]);
    running.until_shown("web.1  | listening on http://");
    running.until_shown("web.2  | Listening on ");
    let ls = app.dyno(["ls"]).run().stdout();
    let second = app.dyno(["start"]).run();
    let own = app.dyno(["run", "echo $WEB_PORT $WEB_URL $DYNO_URL"]).run();

    let finished = end(running);
    let url = format!("http://127.0.0.1:{port}");
    assert!(finished.lines_of("web.1").contains(&format!("listening on {url}")), "{}", finished.stdout());
    let of_second = finished.lines_of("web.2");
    assert!(!of_second.iter().any(|line| line.starts_with("listening on ")), "{of_second:?}");
    assert!(ls.contains(&format!("  {url}  ")), "{ls}");
    assert!(second.stderr().contains(&format!("): {url}\n")), "{}", second.stderr());
    own.expect(Ended::Code(0), &format!("{} {url} {url}\n", port + 100), "");
}

#[test]
fn s10_6_a_detached_start_prints_the_address_of_the_router() {
    let app = smoke::app("web: exec ./listen\n");
    let port = free_base();

    let mut start = app.dyno(["start", "--detach", "--router", "-p", &port.to_string()]).spawn();

    start.returned().expect(Ended::Code(0), &format!("http://127.0.0.1:{port}\n"), "");
    crate::detached::stop(&app, &start);
}

#[test]
fn s14_1_a_router_that_the_file_asks_for_later_needs_a_new_start() {
    let app = App::new("web: exec sleep 1000\n");
    let running = app.dyno(["start"]).spawn();
    running.until_shown("web.1  | started with pid ");
    app.write(".foreman", "router: true\n");

    let reloaded = app.dyno(["reload"]).run();

    running.signal(Signal::SIGTERM);
    running.finish();
    let note = "note: this change needs a new start: `router` (.foreman:1)\nhint: `dyno stop`, then `dyno start`\n";
    let shown = format!("{}{}", reloaded.stdout(), reloaded.stderr());
    assert!(shown.contains(note), "{shown}");
}
