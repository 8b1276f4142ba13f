//! Clients of an app with a router see no restart, whatever causes it (S16.3).

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::signal::Signal;

use crate::harness::{App, Ended};
use crate::router::{OK, Routed, answer_to};
use crate::smoke;

/// Ends a load, even if the test fails meanwhile.
struct EndOfLoad<'a>(&'a AtomicBool);

impl Drop for EndOfLoad<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Calls `during` while several clients send one request after another: `ask(CLIENT, NUMBER)`, both from 0, says what is wrong
/// with its answer. Asserts that nothing is. Returns how many requests each client has sent.
pub(crate) fn under_load(
    clients: usize,
    ask: impl Fn(usize, usize) -> Result<(), String> + Sync,
    during: impl FnOnce(),
) -> Vec<usize> {
    let is_over = AtomicBool::new(false);
    let (ask, is_over) = (&ask, &is_over);
    let outcomes: Vec<Vec<_>> = thread::scope(|scope| {
        let load = EndOfLoad(is_over);
        let numbers = || (0..).take_while(|_| !is_over.load(Ordering::Relaxed));
        let send = |client| scope.spawn(move || numbers().map(|number| ask(client, number)).collect());
        let clients: Vec<_> = (0..clients).map(send).collect();
        during();
        drop(load);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let sent = outcomes.iter().map(Vec::len).collect();
    let failed: Vec<String> = outcomes.into_iter().flatten().filter_map(Result::err).collect();
    assert_eq!(failed, [] as [&str; 0]);
    sent
}

/// Restarts the web dynos several times while clients send requests, one of them POSTs. `restart` gets the number of the restart,
/// from 1.
fn restart_under_load(dynos: usize, args: &[&str], times: usize, restart: impl Fn(&App, usize)) {
    let app = smoke::app("web: exec ./listen 127.0.0.1 log\n").file(".env", "LEVEL=0\n").file("src/a.rb", "");
    let formation = format!("web={dynos}");
    let routed = Routed::start(app, &[&["-q", "router", &formation], args].concat());
    // A run that is stopped before its program has started has no such line.
    let started = format!("web.{dynos}  | started with pid ");
    let starts = || routed.running.stdout.text().matches(&started).count();
    let ask = |client, number| {
        let asked = if client == 0 { format!("POST /{number}") } else { "GET /items".to_owned() };
        let answer = answer_to(&asked, routed.port, "Content-Length: 0\r\n");
        if answer.starts_with(OK) { Ok(()) } else { Err(format!("{asked}: {answer}")) }
    };

    let sent = under_load(4, ask, || {
        routed.running.until_shown(&started);
        for number in 1..=times {
            let before = starts();
            restart(&routed.app, number);
            routed.running.until("the dynos have started again", || starts() > before);
        }
    });

    routed.running.signal(Signal::SIGTERM);
    let finished = routed.running.finish();
    finished.expect_end(Ended::Signal(Signal::SIGTERM));
    let lines = finished.lines();
    let received =
        lines.values().flatten().filter_map(|line| line.strip_prefix("POST /")?.split(' ').next()?.parse().ok());
    let mut received: Vec<usize> = received.collect();
    received.sort_unstable();
    assert!(received.iter().copied().eq(0..sent[0]), "{} POSTs, received {received:?}", sent[0]);
}

fn restart_by_command(app: &App, _: usize) {
    app.dyno(["restart", "web", "--wait"]).run().expect_end(Ended::Code(0));
}

fn restart_by_reload(app: &App, number: usize) {
    app.write(".env", &format!("LEVEL={number}\n"));
    app.dyno(["reload"]).run().expect_end(Ended::Code(0));
}

fn restart_by_watch(app: &App, number: usize) {
    app.write("src/a.rb", &format!("{number}\n"));
}

#[test]
fn s16_3_ten_restarts_of_one_dyno_fail_no_request() {
    restart_under_load(1, &[], 10, restart_by_command);
}

#[test]
fn s16_3_ten_restarts_of_two_dynos_fail_no_request() {
    restart_under_load(2, &[], 10, restart_by_command);
}

#[test]
fn s16_3_reloads_fail_no_request_and_send_none_twice() {
    for dynos in [1, 2] {
        restart_under_load(dynos, &[], 5, restart_by_reload);
    }
}

// After ten restarts within 20 seconds, a type is not restarted again (S14.3), and one change may be seen as two.
#[test]
fn s16_3_restarts_by_watch_fail_no_request_and_send_none_twice() {
    for dynos in [1, 2] {
        restart_under_load(dynos, &["--watch", "web=src"], 5, restart_by_watch);
    }
}
