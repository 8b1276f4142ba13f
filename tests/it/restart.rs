//! Restarts after crashes, their limit and the back-off between them (S6.4, S6.9), and the boot timeout (S6.5).

use nix::sys::signal::Signal;

use crate::harness::{App, Ended};

#[test]
fn s6_4_a_dyno_that_crashes_too_often_stays_down_and_says_so() {
    let app = App::new("worker: echo working; exit 3\n");

    let finished = app.dyno(["start", "--restart", "--max-restarts", "2"]).run();

    // No dyno can run any more: `dyno` ends with the status of the last crash.
    finished.expect_end(Ended::Code(3));
    let run = ["started with pid PID", "working", "exited with code 3"];
    let expected: Vec<&str> = run
        .into_iter()
        .chain(["restarting"])
        .chain(run)
        .chain(["restarting in 1s"])
        .chain(run)
        .chain(["crashed again after 2 restarts in a row: not restarted"])
        .collect();
    assert_eq!(finished.lines_of("worker.1"), expected);
}

/// The colour of the second process type, which begins each of its lines.
const YELLOW: &str = "\x1b[33m";

#[test]
fn s6_4_restarts_keep_name_port_and_colour() {
    let app = App::new("web: true\nworker: echo $DYNO on $PORT; exit 3\nlast: read -r _ <never\n").fifo("never");

    let options = ["start", "worker=2", "last", "-p", "6000", "--color", "always", "--restart", "--max-restarts", "1"];
    let dyno = app.dyno(options).spawn();
    dyno.until("both give up", || dyno.stdout.text().matches(": not restarted\n").count() == 2);
    dyno.signal(Signal::SIGINT);

    let finished = dyno.finish();
    let shown = String::from_utf8_lossy(&finished.stdout);
    for (name, port) in [("worker.1", 6100), ("worker.2", 6101)] {
        let lines: Vec<&str> = shown.lines().filter(|line| line.contains(name)).collect();
        let texts: Vec<&str> = lines.iter().map(|line| line.rsplit_once("\x1b[0m").unwrap().1.trim()).collect();
        let expected = format!("{name} on {port}");
        let runs: Vec<&str> = texts.iter().copied().filter(|text| text.contains(" on ")).collect();
        assert_eq!(runs, [&expected; 2], "{shown}");
        assert!(lines.len() == 8 && lines.iter().all(|line| line.starts_with(YELLOW)), "{shown}");
    }
}

#[test]
fn s6_4_a_dyno_that_stays_crashed_leaves_the_others_running() {
    let app =
        App::new("web: read -r _ <go; echo still here; read -r _ <never\nworker: exit 3\n").fifo("go").fifo("never");
    let dyno = app
        .dyno(["start", "--heroku", "--no-router", "--ready", "worker", "--boot-timeout", "60", "--max-restarts", "0"])
        .spawn();
    dyno.until_shown("heroku[worker.1]: State changed from starting to crashed\n");
    dyno.until_shown("heroku[worker.1]: crashed: not restarted\n");

    app.release("go");

    dyno.until_shown("app[web.1]: still here\n");
    dyno.signal(Signal::SIGINT);
    dyno.finish().expect_end(Ended::Signal(Signal::SIGINT));
}

#[test]
fn s6_4_a_can_die_type_that_exits_with_0_is_not_restarted() {
    let app = App::new("setup: echo done\nworker: echo working; exit 3\n");

    let finished = app.dyno(["start", "--restart", "--max-restarts", "0", "--can-die", "setup"]).run();

    finished.expect_end(Ended::Code(3));
    assert_eq!(finished.lines_of("setup.1"), ["started with pid PID", "done", "exited with code 0"]);
}

#[test]
fn s6_5_without_restart_a_boot_timeout_stops_everything() {
    let app = App::new("api: read -r _ <never\nworker: read -r _ <never\n").fifo("never");

    let finished = app.dyno(["start", "--boot-timeout", "0.3", "--ready", "api"]).run();

    finished.expect_end(Ended::Code(137));
    let r10 = "Error R10 (Boot timeout) -> Api process failed to bind to $PORT within 0.3 seconds of launch";
    assert_eq!(finished.lines_of("api.1"), ["started with pid PID", r10, "terminated by SIGKILL"]);
    assert_eq!(finished.lines_of("worker.1"), ["started with pid PID", "terminated by SIGTERM"]);
}

#[test]
fn s6_5_a_boot_timeout_of_0_is_refused() {
    let app = App::new("web: touch started\n");

    let finished = app.dyno(["start", "--heroku", "--no-router", "--boot-timeout", "0"]).run();

    let error = "error: `0` is not a valid value for `--boot-timeout`\n\n\
                 hint: write a number of seconds above 0, up to 86400\n";
    finished.expect(Ended::Code(2), "", error);
    assert!(!app.has("started"));
}

/// The error for an option that needs `--restart`.
fn without_restarts(option: &str) -> String {
    let line = format!("dyno start --restart {option} 3");
    format!("error: `{option}` needs `--restart` or `--heroku`\n\nhint: did you mean `{line}`?\n")
}

#[test]
fn max_restarts_needs_restart_or_heroku() {
    let app = App::new("web: touch started\n");

    let finished = app.dyno(["start", "--max-restarts", "3"]).run();

    finished.expect(Ended::Code(2), "", &without_restarts("--max-restarts"));
    assert!(!app.has("started"));
}

#[test]
fn s6_9_with_max_delay_0_every_restart_is_immediate() {
    let app = App::new("worker: exit 3\n");

    let finished = app.dyno(["start", "--restart", "--max-delay", "0", "--max-restarts", "4"]).run();

    finished.expect_end(Ended::Code(3));
    let run = ["started with pid PID", "exited with code 3"];
    let restarts = [&run[..], &["restarting"]].concat().repeat(4);
    let last = [run[0], run[1], "crashed again after 4 restarts in a row: not restarted"];
    assert_eq!(finished.lines_of("worker.1"), [restarts, last.to_vec()].concat());
}

#[test]
fn s6_9_max_delay_caps_the_back_off() {
    let app = App::new("worker: exit 3\n");

    let finished = app
        .dyno(["start", "--heroku", "--no-router", "--log-format", "text", "--max-delay", "0.1", "--max-restarts", "3"])
        .run();

    let lines = finished.lines_of("worker.1");
    let delays: Vec<&String> = lines.iter().filter(|line| line.starts_with("restarting")).collect();
    assert_eq!(delays, ["restarting", "restarting in 0.1s", "restarting in 0.1s"]);
}

#[test]
fn s6_9_max_delay_needs_restart_or_heroku() {
    let finished = App::new("web: touch started\n").dyno(["start", "--max-delay", "3"]).run();

    finished.expect(Ended::Code(2), "", &without_restarts("--max-delay"));
}
