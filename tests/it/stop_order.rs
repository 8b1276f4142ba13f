//! Who gets the stop signal, and in which order (S6.6).

use nix::sys::signal::Signal;

use crate::app::example;
use crate::harness::{App, Call, Ended, Running};

/// A task that ends when it is released, and says if the stop signal hits it.
const TASK: &str = "trap 'echo task lost; exit 1' TERM\necho up\n{ read -r _ <go; } 2>/dev/null\necho task done\n";

fn pool(command: &str) -> App {
    let pool = example("pool");
    App::new(&command.replace("POOL", pool.to_str().unwrap())).file("task", TASK).fifo("go")
}

fn up(call: Call) -> Running {
    let dyno = call.spawn();
    dyno.until_shown("| up");
    dyno
}

/// Stops a pool whose worker goes on until the leader has been told; the lines of web.1 from then on.
fn stopped(app: &App, args: &[&str]) -> Vec<String> {
    let dyno = up(app.dyno(["start", "-t", "300"]).args(args));
    dyno.signal(Signal::SIGTERM);
    dyno.until_shown("leader: TERM");
    app.release("go");
    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGTERM));
    finished.lines_of("web.1")[2..].to_vec()
}

#[test]
fn s6_6_a_program_that_leads_ends_its_own_workers() {
    let app = pool("web: POOL '. ./task'\n");

    assert_eq!(stopped(&app, &[]), ["leader: TERM", "task done", "worker: exit status: 0", "exited with code 0"]);
}

#[test]
fn s6_6_a_program_behind_a_shell_ends_its_own_workers() {
    let app = pool("web: cd . && POOL '. ./task'\n");

    let lines = stopped(&app, &[]);

    let of_pool: Vec<_> = lines.iter().filter(|line| !line.starts_with("terminated")).collect();
    assert_eq!(of_pool, ["leader: TERM", "task done", "worker: exit status: 0"]);
}

#[test]
fn s6_6_a_script_between_a_shell_and_a_program_changes_nothing() {
    let run = format!("{} '. ./task'\n:\n", example("pool").display());
    let app = pool("web: cd . && ./run\n").script("run", &run);

    let lines = stopped(&app, &[]);

    assert!(lines.contains(&"task done".to_owned()), "{lines:?}");
    assert!(!lines.contains(&"task lost".to_owned()), "{lines:?}");
}

/// Stops a pool whose worker is hit; the lines of web.1 from then on.
fn hit(app: &App, args: &[&str]) -> Vec<String> {
    let dyno = up(app.dyno(["start"]).args(args));
    dyno.signal(Signal::SIGTERM);
    let mut lines = dyno.finish().lines_of("web.1")[2..].to_vec();
    lines.sort();
    lines
}

#[test]
fn s6_6_stop_all_sends_the_signal_to_everything_at_once() {
    let expected = ["exited with code 0", "leader: TERM", "task lost", "worker: exit status: 1"];
    for types in ["web", "all"] {
        let app = pool("web: POOL '. ./task'\n");

        assert_eq!(hit(&app, &["-t", "300", "--stop-all", types]), expected, "--stop-all {types}");
    }
}

#[test]
fn s6_6_the_platform_sends_the_signal_to_everything_at_once() {
    let app = pool("web: POOL '. ./task'\n");
    let dyno = up(app.dyno(["start", "--heroku", "--log-format", "text", "--ready", "web", "-t", "300"]));

    dyno.signal(Signal::SIGTERM);

    let lines = dyno.finish().lines_of("web.1");
    assert!(lines.contains(&"task lost".to_owned()), "{lines:?}");
}

#[test]
fn s6_6_workers_get_the_signal_before_the_grace_is_over() {
    let app = pool("web: POOL '. ./task'\n");

    // Nothing releases the task: only the signal ends it, and nothing is killed.
    let expected = ["exited with code 0", "leader: TERM", "task lost", "worker: exit status: 1"];
    assert_eq!(hit(&app, &["-t", "2"]), expected);
}

#[test]
fn s6_6_the_rest_gets_the_signal_when_the_program_has_ended() {
    let app = pool("web: POOL '. ./begin'\n")
        .file("begin", "sh ./helper &\nread -r _ <go\n")
        .file("helper", "trap 'echo helper: TERM; exit 0' TERM\necho up\n{ read -r _ <never; } 2>/dev/null\n")
        .fifo("never");
    let dyno = up(app.dyno(["start", "-t", "300"]));

    dyno.signal(Signal::SIGTERM);
    dyno.until_shown("leader: TERM");
    assert!(!dyno.stdout.text().contains("helper: TERM"), "{}", dyno.report());
    app.release("go");

    let finished = dyno.finish();
    let mut lines = finished.lines_of("web.1")[2..].to_vec();
    lines.sort();
    assert_eq!(lines, ["exited with code 0", "helper: TERM", "leader: TERM", "worker: exit status: 0"]);
}

#[test]
fn s6_6_programs_that_a_clean_up_starts_are_left_in_peace() {
    let server = "trap 'for step in 1 2 3; do sleep 0.1 || echo \"step $step was shot\"; done; echo clean; exit 0' TERM\n\
                  echo up\nwhile :; do read -r _ <never; done 2>/dev/null\n";
    let app = App::new("web: setsid -w sh ./server\n").file("server", server).fifo("never");
    let dyno = up(app.dyno(["start", "-t", "300"]));

    dyno.signal(Signal::SIGTERM);

    let mut lines = dyno.finish().lines_of("web.1")[2..].to_vec();
    lines.sort();
    assert_eq!(lines, ["clean", "terminated by SIGTERM"]);
}

#[test]
fn s7_5_a_filter_carries_the_last_words_of_a_program_that_is_stopped() {
    let server =
        "trap 'sleep 0.1; echo last words; exit 0' TERM\necho up\nwhile :; do read -r _ <never; done 2>/dev/null\n";
    for filter in ["tee copy", "cat | cat"] {
        let app = App::new(&format!("web: sh ./server 2>&1 | {filter}\n")).file("server", server).fifo("never");
        let dyno = up(app.dyno(["start", "-t", "300"]));

        dyno.signal(Signal::SIGTERM);

        let finished = dyno.finish();
        assert!(finished.lines_of("web.1").contains(&"last words".to_owned()), "{filter}:\n{}", finished.stdout());
    }
}

#[test]
fn s6_6_a_type_can_be_stopped_by_a_real_time_signal() {
    let app = App::new("web: trap 'echo bye; exit 0' 37; echo up; while :; do read -r _ <never; done 2>/dev/null\n")
        .fifo("never");
    let dyno = up(app.dyno(["start", "-t", "300", "--stop-signal", "web=RTMIN+3"]));

    dyno.signal(Signal::SIGTERM);

    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGTERM));
    assert!(finished.stdout().contains("sending signal 37 to all processes\n"), "{}", finished.stdout());
    assert_eq!(finished.lines_of("web.1")[2..], ["bye", "exited with code 0"]);
}
