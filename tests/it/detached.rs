//! `dyno start --detach` returns once the app is up, and the app keeps running (S10.6).

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::app::free_port;
use crate::harness::{App, Ended, Running, error};
use crate::running::{dynos, names};
use crate::smoke;

/// How many bytes a new pipe holds.
const PIPE_BYTES: usize = 64 << 10;

/// An app whose `web` listens after a line has arrived in the fifo `go`.
fn web_that_listens_later() -> App {
    smoke::app("web: read line <go; exec ./listen 127.0.0.1\nworker: echo works; exec sleep 1000\n").fifo("go")
}

fn states(app: &App) -> Vec<String> {
    dynos(app).iter().map(|dyno| dyno["state"].as_str().unwrap().to_owned()).collect()
}

/// An app that is up as soon as its programs run.
pub(crate) fn workers() -> App {
    App::new("a: exec sleep 1000\nb: echo hello; exec sleep 1000\n")
}

/// Starts it and waits until it is in the background.
pub(crate) fn in_background(app: &App) -> Running {
    let mut start = app.dyno(["start", "--detach"]).spawn();
    start.returned().expect(Ended::Code(0), "", "");
    start
}

/// Stops the app and checks that nothing of it is left.
pub(crate) fn stop(app: &App, start: &Running) {
    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    all_gone(app, start);
}

/// Checks that no process and no file of this start is left.
pub(crate) fn all_gone(app: &App, start: &Running) {
    start.until("nothing is left", || start.processes().is_empty());
    no_files_left(app);
}

/// Checks that no start has left a file that other starts would read.
pub(crate) fn no_files_left(app: &App) {
    let is_looked_at =
        |path: &PathBuf| ["start", "new", "sock"].iter().any(|ending| path.extension() == Some(ending.as_ref()));
    let left = std::fs::read_dir(app.top().join("run/dyno")).map(|files| {
        let paths = files.map(|file| file.unwrap().path());
        paths.filter(is_looked_at).collect::<Vec<_>>()
    });
    assert_eq!(left.unwrap_or_default(), Vec::<PathBuf>::new());
}

#[test]
fn s10_6_a_detached_start_returns_when_all_are_up_and_goes_on() {
    let app = web_that_listens_later();
    let port = free_port().to_string();
    let mut start = app.dyno(["start", "--detach", "-p", &port]).spawn();
    start.until("the dynos run", || names(&app) == ["web.1", "worker.1"]);
    assert!(!start.has_ended());
    // S6.2: one meaning of "up" for the caller and everybody else.
    start.until("only the worker is up", || states(&app) == ["starting", "up"]);
    let listed = app.dyno(["ls"]).run().stdout();
    assert!(listed.contains("  starting  "), "{listed}");

    app.release("go");

    // The harness waits for the end of both streams, so nothing may hold a descriptor of the caller.
    start.returned().expect(Ended::Code(0), &format!("http://127.0.0.1:{port}\n"), "");
    app.dyno(["wait"]).run().expect(Ended::Code(0), "", "");
    assert_eq!(states(&app), ["up", "up"]);
    assert!(app.dyno(["logs"]).run().stdout().contains("worker.1 | works\n"));
    stop(&app, &start);
}

#[test]
fn s10_6_no_descriptor_of_the_caller_stays_open() {
    let app = workers();
    let mut start = app.dyno(["start", "--detach"]).after("exec 7>&1 9>&2").spawn();

    start.returned().expect(Ended::Code(0), "", "");

    assert_eq!(names(&app), ["a.1", "b.1"]);
    stop(&app, &start);
}

#[test]
fn s10_6_a_command_substitution_ends_when_the_app_is_up() {
    let app = smoke::app("web: exec ./listen 127.0.0.1\n");
    let port = free_port().to_string();
    let line = "echo \"got $(\"$0\" \"$@\")\"";
    let mut shell = app.dyno(["start", "--detach", "-p", &port]).under(&["sh", "-c", line]).spawn();

    shell.returned().expect(Ended::Code(0), &format!("got http://127.0.0.1:{port}\n"), "");

    stop(&app, &shell);
}

#[test]
fn s10_6_the_dynos_have_terminals_and_no_output_is_shown() {
    let app = App::new("a: test -t 1 && echo has a terminal; exec sleep 1000\n");
    let start = in_background(&app);

    start.until("it is logged", || app.dyno(["logs"]).run().stdout().contains("| has a terminal\n"));
    stop(&app, &start);
}

#[test]
fn s10_6_the_log_goes_to_the_files_of_log_dir() {
    let app = workers();
    let mut start = app.dyno(["start", "--detach", "--log-dir", "log"]).spawn();
    start.returned().expect(Ended::Code(0), "", "");

    start.until("it is written", || {
        std::fs::read_to_string(app.path("log/b.1.log")).is_ok_and(|text| text.contains("hello\n"))
    });
    stop(&app, &start);
}

#[test]
fn s10_6_a_crash_stops_everything_and_shows_the_last_20_lines() {
    let app = App::new("web: for n in $(seq 25); do echo line $n; done; exit 3\nworker: exec sleep 1000\n");

    let failed = app.dyno(["start", "--detach"]).run();

    let lines: Vec<String> = (6..=25).map(|n| format!("web.1 | line {n}\n")).collect();
    let lines = lines.concat();
    let fact = error("`web.1` has crashed (status 3)", "`dyno why web.1` says more");
    failed.expect(Ended::Code(3), "", &format!("last 20 lines of web.1:\n{lines}{fact}"));
    assert_eq!(dynos(&app).len(), 0);
}

#[test]
fn s10_6_an_exit_with_0_and_a_missing_command_are_failures() {
    for (line, status) in [("exit 0", 1), ("kill -9 $$", 137), ("./nope", 127)] {
        let failed = App::new(&format!("worker: exec sleep 1000\nweb: {line}\n")).dyno(["start", "--detach"]).run();

        failed.expect_end(Ended::Code(status));
        assert!(failed.stderr().contains("error: `web.1` has crashed (status "), "{}", failed.stderr());
    }
}

#[test]
fn s10_6_a_restart_policy_does_not_hide_the_first_crash() {
    let failed = App::new("web: exit 4\n").dyno(["start", "--detach", "--restart"]).run();

    failed.expect(Ended::Code(4), "", &error("`web.1` has crashed (status 4)", "`dyno why web.1` says more"));
}

#[test]
fn s10_6_a_release_command_that_fails_is_named() {
    let app = App::new("release: echo no database; exit 5\na: exec sleep 1000\n");

    let failed = app.dyno(["start", "--detach"]).run();

    let fact = error("`release.1` has crashed (status 5)", "`dyno why release.1` says more");
    failed.expect(Ended::Code(5), "", &format!("last line of release.1:\nrelease.1 | no database\n{fact}"));
}

#[test]
fn s10_6_a_release_command_that_takes_too_long_is_named() {
    let app = App::new("release: exec sleep 1000\na: exec sleep 1000\n");

    let late = app.dyno(["start", "--detach=1"]).run();

    let fact = error("`release.1` has not ended after 1 s", "`dyno why release.1` says more");
    late.expect(Ended::Code(75), "", &fact);
    let why = app.dyno(["why", "release"]).run().stdout();
    assert!(why.starts_with("release.1 is not running: its start ended "), "{why}");
}

#[test]
fn s10_6_an_app_that_is_not_up_in_time_is_stopped_with_status_75() {
    let app = web_that_listens_later();
    let port = free_port().to_string();

    let late = app.dyno(["start", "--detach=0", "-p", &port]).run();

    late.expect_end(Ended::Code(75));
    assert!(late.stderr().ends_with(" says more\n"), "{}", late.stderr());
    assert_eq!(dynos(&app).len(), 0);
}

#[test]
fn s10_6_a_late_server_on_another_port_is_named() {
    let app = smoke::app("web: PORT=$OTHER exec ./listen 127.0.0.1\n");
    let (port, other) = (free_port().to_string(), free_port().to_string());

    let late = app.dyno(["start", "--detach=2", "-p", &port, "--set", &format!("OTHER={other}")]).run();

    let fact = format!("`web.1` does not listen on port {port} after 2 s, but on port {other}");
    late.expect_end(Ended::Code(75));
    assert!(late.stderr().ends_with(&error(&fact, "`dyno why web.1` says more")), "{}", late.stderr());
}

#[test]
fn s10_6_a_signal_before_it_returns_stops_everything_and_ends_it() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let app = web_that_listens_later();
        let start = app.dyno(["start", "--detach", "-p", &free_port().to_string()]).spawn();
        start.until("the dynos run", || names(&app) == ["web.1", "worker.1"]);

        start.signal(signal);

        start.finish().expect(Ended::Signal(signal), "", "");
        assert_eq!(dynos(&app).len(), 0);
    }
}

// Like a shell that starts a background job.
#[test]
fn s10_6_signals_ignored_at_the_start_still_stop_it_except_hup() {
    let app = web_that_listens_later();
    let call = app.dyno(["start", "--detach", "-p", &free_port().to_string()]);
    let start = call.after("trap '' INT HUP").spawn();
    start.until("the dynos run", || names(&app) == ["web.1", "worker.1"]);

    start.signal(Signal::SIGHUP);
    start.signal(Signal::SIGINT);

    start.finish().expect(Ended::Signal(Signal::SIGINT), "", "");
}

#[test]
fn s10_6_a_second_signal_kills_what_does_not_stop() {
    let app = App::new("web: trap '' TERM; echo up; while :; do sleep 1000; done\n");
    let start = app.dyno(["start", "--detach", "-t", "1000"]).spawn();
    start.until("it has set its trap", || app.dyno(["logs"]).run().stdout().contains("| up\n"));

    start.signal(Signal::SIGINT);
    start.until("it is being stopped", || app.dyno(["logs"]).run().stdout().contains("starting shutdown\n"));
    let mut start = start;
    start.until("it is killed", || {
        start.signal(Signal::SIGINT);
        start.of_dynos().is_empty()
    });

    start.returned().expect(Ended::Signal(Signal::SIGINT), "", "");
    all_gone(&app, &start);
}

#[test]
fn s10_6_a_closed_terminal_stops_it_before_it_returns_and_not_after() {
    let app = web_that_listens_later();
    let mut start = app.dyno(["start", "--detach", "-p", &free_port().to_string()]).spawn_in_terminal();
    start.until("the dynos run", || names(&app) == ["web.1", "worker.1"]);
    start.close_terminal();
    start.finish().expect_end(Ended::Signal(Signal::SIGHUP));
    assert_eq!(dynos(&app).len(), 0);

    let app = workers();
    let mut start = app.dyno(["start", "--detach"]).spawn_in_terminal();
    start.returned().expect_end(Ended::Code(0));
    start.close_terminal();
    app.dyno(["wait"]).run().expect(Ended::Code(0), "", "");
    stop(&app, &start);
}

#[test]
fn s10_6_a_requested_stop_of_the_last_dyno_does_not_end_the_app() {
    let app = workers();
    let start = in_background(&app);

    app.dyno(["stop", "a", "b"]).run().expect_end(Ended::Code(0));
    start.until("both are down", || dynos(&app).iter().all(|dyno| dyno["state"] == "down"));
    app.dyno(["restart", "a", "--wait"]).run().expect(Ended::Code(0), "restarting: a.1\n", "");
    app.dyno(["scale", "a=0", "b=0"]).run().expect(Ended::Code(0), "a=0 b=0\n", "");
    start.until("both are gone", || dynos(&app).is_empty());
    app.dyno(["scale", "a=1", "--wait"]).run().expect(Ended::Code(0), "a=1 b=0\n", "");

    stop(&app, &start);
}

#[test]
fn s10_6_the_end_of_a_dyno_ends_a_detached_start_as_in_the_foreground() {
    let app = App::new("a: read line <go; exit 3\nb: exec sleep 1000\n").fifo("go");
    let start = in_background(&app);

    app.release("go");

    all_gone(&app, &start);
}

#[test]
fn s10_6_a_running_app_or_a_bad_file_is_an_error_as_in_the_foreground() {
    let app = workers();
    let start = in_background(&app);

    let second = app.dyno(["start", "--detach"]).run();

    second.expect_end(Ended::Code(69));
    assert!(second.stderr().starts_with("error: `a` is already running (dyno pid PID, up "), "{}", second.stderr());
    stop(&app, &start);
    let broken = App::new("a b: x\n");
    let plain = broken.dyno(["start"]).run();
    broken.dyno(["start", "--detach"]).run().expect(plain.ended, "", &plain.stderr());
}

#[test]
fn s10_6_without_a_socket_there_is_no_detached_start() {
    let app = workers();
    std::fs::write(app.top().join("run/dyno"), "").unwrap();

    let failed = app.dyno(["start", "--detach"]).run();

    let hint = "follow the hint above first, or leave out `--detach`";
    failed.expect_end(Ended::Code(69));
    let end = error("cannot run in the background, because `dyno stop` would not find the app", hint);
    assert!(failed.stderr().ends_with(&end), "{}", failed.stderr());
}

#[test]
fn s10_6_if_the_address_cannot_be_written_everything_is_stopped_first() {
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let no_space = "error: the output could not be written: No space left on device\n";
    for (stdout, status, stderr) in [(Stdio::from(closed), 141, ""), (Stdio::from(full), 74, no_space)] {
        let app = smoke::app("web: read line <ready; exec ./listen 127.0.0.1\nworker: exec sh ./slow\n")
            .file("slow", "trap 'read line <go; exit' TERM\necho >ready\nwhile :; do sleep 1000 & wait; done\n")
            .fifo("ready")
            .fifo("go");
        let call = app.dyno(["start", "--detach", "-t", "60", "-p", &free_port().to_string()]);
        let mut start = call.stdout_to(stdout).spawn();
        start.until("it is being stopped", || app.dyno(["logs"]).run().stdout().contains("starting shutdown\n"));
        assert!(!start.has_ended());

        app.release("go");

        // The harness asserts that nothing is left when it ends.
        start.finish().expect(Ended::Code(status), "", stderr);
        no_files_left(&app);
    }
}

#[test]
fn s10_6_a_signal_while_the_address_waits_for_its_reader_stops_everything() {
    let app = smoke::app("web: exec ./listen 127.0.0.1\n");
    let (_reader, mut writer) = std::io::pipe().unwrap();
    let call = app.dyno(["start", "--detach", "-p", &free_port().to_string()]);
    let start = call.stdout_to(writer.try_clone().unwrap()).spawn();
    // The pipe is full long before the app is up.
    writer.write_all(&vec![b'x'; PIPE_BYTES]).unwrap();
    start.until("the app is up", || app.dyno(["wait"]).run().ended == Ended::Code(0));

    start.signal(Signal::SIGTERM);

    start.finish().expect(Ended::Signal(Signal::SIGTERM), "", "");
    no_files_left(&app);
}

#[test]
fn s10_6_detach_and_focus_exclude_each_other() {
    let app = workers();

    let refused = app.dyno(["start", "--detach", "--focus", "a"]).run();

    refused.expect_end(Ended::Code(2));
    let fact = "error: `--detach` cannot be used with `--focus";
    assert!(refused.stderr().starts_with(fact), "{}", refused.stderr());
}

#[test]
fn s10_6_it_also_works_under_nohup_and_setsid() {
    let app = workers();
    let mut start = app.dyno(["start", "--detach"]).under(&["nohup", "setsid", "-w"]).spawn();
    start.returned().expect_end(Ended::Code(0));
    start.until("only the start and its guardian are left", || {
        let mut of_dyno = start.processes();
        of_dyno.retain(|process| process.dyno.is_none());
        of_dyno.len() == 2
    });
    stop(&app, &start);
}
