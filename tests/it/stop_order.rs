//! Which processes get the stop signal, and in which order (S6.6).

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::app::example;
use crate::binary;
use crate::harness::{App, Call, Ended, Running};

/// A task that ends after `release("go")`, or prints `task lost` if it gets the stop signal.
const TASK: &str = "trap 'echo task lost; exit 1' TERM\necho up\n{ read -r _ <go; } 2>/dev/null\necho task done\n";

/// An app with this Procfile line, in which `POOL` is the program `pool` of `examples`, a leader with one worker.
fn app_with_pool(command: &str) -> App {
    let pool = example("pool");
    App::new(&command.replace("POOL", pool.to_str().unwrap())).file("task", TASK).fifo("go")
}

fn up(call: Call) -> Running {
    let dyno = call.spawn();
    dyno.until_shown("| up");
    dyno
}

/// Stops a pool and releases its task after the leader got the signal. Returns the lines of web.1 from the signal on.
fn lines_if_released(app: &App, args: &[&str]) -> Vec<String> {
    let dyno = up(app.dyno(["start", "-t", "300"]).args(args));
    dyno.signal(Signal::SIGTERM);
    dyno.until_shown("leader: TERM");
    app.release("go");
    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGTERM));
    finished.lines_of("web.1")[2..].to_vec()
}

#[test]
fn s6_6_a_leader_that_is_a_program_stops_its_own_workers() {
    let app = app_with_pool("web: POOL '. ./task'\n");

    assert_eq!(
        lines_if_released(&app, &[]),
        ["leader: TERM", "task done", "worker: exit status: 0", "exited with code 0"]
    );
}

#[test]
fn s6_6_a_program_below_a_shell_stops_its_own_workers() {
    let app = app_with_pool("web: cd . && POOL '. ./task'\n");

    let lines = lines_if_released(&app, &[]);

    let of_pool: Vec<_> = lines.iter().filter(|line| !line.starts_with("terminated")).collect();
    assert_eq!(of_pool, ["leader: TERM", "task done", "worker: exit status: 0"]);
}

#[test]
fn s6_6_a_program_below_two_shells_stops_its_own_workers() {
    let run = format!("{} '. ./task'\n:\n", example("pool").display());
    let app = app_with_pool("web: cd . && ./run\n").script("run", &run);

    let lines = lines_if_released(&app, &[]);

    assert!(lines.contains(&"task done".to_owned()), "{lines:?}");
    assert!(!lines.contains(&"task lost".to_owned()), "{lines:?}");
}

/// Stops a pool without releasing its task, so that only a signal can end the task. Returns the lines of web.1 from the
/// signal on, sorted.
fn lines_if_not_released(app: &App, args: &[&str]) -> Vec<String> {
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
        let app = app_with_pool("web: POOL '. ./task'\n");

        assert_eq!(lines_if_not_released(&app, &["-t", "300", "--stop-all", types]), expected, "--stop-all {types}");
    }
}

#[test]
fn s6_6_heroku_sends_the_signal_to_everything_at_once() {
    let app = app_with_pool("web: POOL '. ./task'\n");
    let dyno =
        up(app.dyno(["start", "--heroku", "--no-router", "--log-format", "text", "--ready", "web", "-t", "300"]));

    dyno.signal(Signal::SIGTERM);

    let lines = dyno.finish().lines_of("web.1");
    assert!(lines.contains(&"task lost".to_owned()), "{lines:?}");
}

#[test]
fn s6_6_under_the_name_honcho_everything_gets_the_signal_at_once() {
    let app = app_with_pool("web: POOL '. ./task'\n");
    let dyno = up(app.called("honcho", ["start"]));

    dyno.signal(Signal::SIGTERM);

    let mut lines = dyno.finish().lines_of("web.1")[2..].to_vec();
    lines.sort();
    assert_eq!(lines, ["exited with code 0", "leader: TERM", "task lost", "worker: exit status: 1"]);
}

#[test]
fn s6_6_under_the_name_foreman_only_the_leader_gets_the_signal() {
    let app = app_with_pool("web: POOL '. ./task'\n");
    let dyno = up(app.called("foreman", ["start", "-t", "300"]));

    dyno.signal(Signal::SIGTERM);
    dyno.until_shown("leader: TERM");
    app.release("go");

    let lines = dyno.finish().lines_of("web.1")[2..].to_vec();
    assert_eq!(lines, ["leader: TERM", "task done", "worker: exit status: 0", "exited with code 0"]);
}

#[test]
fn s6_6_workers_get_the_signal_before_the_grace_expires() {
    let app = app_with_pool("web: POOL '. ./task'\n");

    // Nothing releases the task: only the signal ends it, and nothing is killed.
    let expected = ["exited with code 0", "leader: TERM", "task lost", "worker: exit status: 1"];
    assert_eq!(lines_if_not_released(&app, &["-t", "2"]), expected);
}

#[test]
fn s6_6_the_rest_gets_the_signal_when_the_program_has_ended() {
    let app = app_with_pool("web: POOL '. ./begin'\n")
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

// Like `npm run dev`: npm passes the signal to its `sh`, which ends without the server that it runs.
#[test]
fn s6_6_a_server_below_a_program_that_ends_at_once_has_the_whole_grace() {
    let server = "trap 'echo server: TERM; read -r _ <go; echo server: done; exit 0' TERM\necho up\n\
                  while :; do read -r _ <never; done 2>/dev/null\n";
    let app = app_with_pool("web: POOL 'echo $$ >pid; sh ./server; :'\n").file("server", server).fifo("never");
    let dyno = up(app.dyno(["start", "-t", "300"]));

    dyno.signal(Signal::SIGTERM);
    dyno.until_shown("leader: TERM");
    assert!(!dyno.stdout.text().contains("server: TERM"), "{}", dyno.report());
    let of_npm = fs::read_to_string(app.path("pid")).unwrap().trim().parse().unwrap();
    kill(Pid::from_raw(of_npm), Signal::SIGTERM).unwrap();
    dyno.until_shown("server: TERM");
    dyno.until_shown("web.1  | exited with code 0");
    app.release("go");

    let lines = dyno.finish().lines_of("web.1")[2..].to_vec();
    let of_server: Vec<_> = lines.iter().filter(|line| line.starts_with("server: ")).collect();
    assert_eq!(of_server, ["server: TERM", "server: done"]);
    assert!(lines.contains(&"worker: signal: 15 (SIGTERM)".to_owned()), "{lines:?}");
}

/// On SIGTERM, runs programs that clean up and must not get the signal themselves. Creates the file `cleaned` at the
/// end.
const SERVER: &str = "clean() {\n\
                      \x20   for step in 1 2 3; do sleep 0.1 || echo \"step $step failed\"; done\n\
                      \x20   >cleaned\n\
                      \x20   echo clean\n\
                      \x20   exit 0\n\
                      }\n\
                      trap clean TERM\n\
                      echo up\n\
                      while :; do read -r _ <never; done 2>/dev/null\n";

fn app_with_server(procfile: &str) -> App {
    App::new(procfile).file("server", SERVER).fifo("never")
}

// Like `tail -f /dev/null | npx tailwindcss --watch`: the pipe only keeps its stdin open.
#[test]
fn s6_6_a_server_at_the_end_of_a_pipe_is_not_a_filter() {
    let app = app_with_server("web: tail -f /dev/null | sh ./server\n");
    let dyno = up(app.dyno(["start", "-t", "300"]));

    dyno.signal(Signal::SIGTERM);

    let lines = dyno.finish().lines_of("web.1")[2..].to_vec();
    assert!(lines.contains(&"clean".to_owned()), "{lines:?}");
}

#[test]
fn s6_6_programs_that_are_started_to_clean_up_get_no_signal() {
    let app = app_with_server("web: setsid -w sh ./server\n");
    let dyno = up(app.dyno(["start", "-t", "300"]));

    dyno.signal(Signal::SIGTERM);

    let mut lines = dyno.finish().lines_of("web.1")[2..].to_vec();
    lines.sort();
    assert_eq!(lines, ["clean", "terminated by SIGTERM"]);
}

// `cat` ends only after the worker has got the signal, and the worker gets it only after the program has ended.
#[test]
fn s6_6_the_clean_up_of_a_script_below_a_shell_gets_no_signal() {
    let script = "trap 'cat rest && echo clean || echo killed; exit 0' TERM\nxargs sh ./worker </dev/null &\n\
                  while :; do read -r _ <never; done 2>/dev/null\n";
    let worker = "trap 'echo >rest; exit 0' TERM\necho up\nwhile :; do read -r _ <never; done 2>/dev/null\n";
    for line in ["cd . && sh ./script", "sh ./script | cat"] {
        let app = App::new(&format!("web: {line}\n")).file("script", script).file("worker", worker);
        let app = app.fifo("rest").fifo("never");
        let dyno = up(app.dyno(["start", "-t", "300"]));

        dyno.signal(Signal::SIGTERM);

        let lines = dyno.finish().lines_of("web.1");
        assert!(lines.contains(&"clean".to_owned()), "{line}: {lines:?}");
    }
}

// worker.1 leaves processes behind that end before any scan sees them, so that each stage of the stop is repeated.
#[test]
fn s6_6_a_clean_up_gets_no_signal_while_other_processes_come_and_go() {
    let restless = "trap '' TERM\nwhile [ ! -e cleaned ]; do ( (exit 0) & ); done\n";
    for args in [&[][..], &["--stop-all", "all"]] {
        let app = app_with_server("web: setsid -w sh ./server\nworker: sh ./restless\n").file("restless", restless);
        let dyno = up(app.dyno(["start", "-t", "300"]).args(args));
        dyno.until_shown("worker.1 | started");

        dyno.signal(Signal::SIGTERM);

        let finished = dyno.finish();
        let mut lines = finished.lines_of("web.1")[2..].to_vec();
        lines.sort();
        assert_eq!(lines, ["clean", "terminated by SIGTERM"], "{args:?}\n{}", finished.stdout());
    }
}

#[test]
fn s6_6_the_clean_up_of_a_nested_start_gets_no_signal() {
    for (command, name) in [("exec", "dyno"), ("cd . &&", "dyno"), ("exec", "honcho"), ("exec", "foreman")] {
        let app = app_with_server(&format!("web: {command} ../{name} start -f inner\n"))
            .file("inner", "api: sh ./server\njob: setsid -w sh ./server\n");
        std::os::unix::fs::symlink(binary::dyno(), app.top().join(name)).unwrap();
        let dyno = app.dyno(["start", "-t", "300", "-e", ""]).spawn();
        dyno.until("both servers are up", || dyno.stdout.text().matches("| up\n").count() == 2);

        dyno.signal(Signal::SIGTERM);

        let finished = dyno.finish();
        let lines = finished.lines_of("web.1");
        let count = |end: &str| lines.iter().filter(|line| line.ends_with(end)).count();
        assert_eq!((count("| clean"), count("failed")), (2, 0), "{command} {name}\n{}", finished.stdout());
    }
}

#[test]
fn s7_5_a_filter_passes_on_the_last_words_of_a_stopped_program() {
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
