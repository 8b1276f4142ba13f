//! Processes that outlive the leader of their run: to which run they belong, who stops them, and the notices about them
//! (S6.10). Also exits caused by a real-time signal, which has no name (S11).

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::app::{example, free_port};
use crate::harness::{App, Ended, until};
use crate::process_table;

/// A daemon that has no trace of its run: an empty environment, none of its streams, a new session. It writes its pid
/// to a file when it is up.
const UNMARKED: &str = "env -i setsid sh ./daemon </dev/null >/dev/null 2>&1 &";
const DAEMON: &str = "echo $$ >pid\necho >begun\nwhile :; do read -r _ <never; done\n";

fn with_daemon(procfile: &str) -> App {
    let app = App::new(&procfile.replace("DAEMON", UNMARKED));
    app.file("daemon", DAEMON).fifo("begun").fifo("never").fifo("go")
}

fn pid_of_daemon(app: &App) -> i32 {
    fs::read_to_string(app.path("pid")).unwrap().trim().parse().unwrap()
}

#[test]
fn s6_10_a_process_that_outlives_its_leader_is_named_and_stopped() {
    let app = with_daemon("web: DAEMON read -r _ <begun; exit 3\n");

    let finished = app.dyno(["start"]).run();

    finished.expect_end(Ended::Code(3));
    assert_eq!(
        finished.lines_of("web.1"),
        ["started with pid PID", "exited with code 3", "left sh (pid PID) running; stopped it too"]
    );
    assert_eq!(process_table::stat(pid_of_daemon(&app)), None);
}

#[test]
fn s6_10_a_restart_waits_until_an_unmarked_daemon_is_gone() {
    let app = with_daemon("web: [ -e second ] && exit 4; DAEMON read -r _ <begun; >second; exit 3\n");

    let finished = app.dyno(["start", "--restart", "--max-restarts", "1"]).run();

    finished.expect_end(Ended::Code(4));
    assert_eq!(process_table::stat(pid_of_daemon(&app)), None);
    assert!(finished.lines_of("web.1").contains(&"left sh (pid PID) running; stopped it too".to_owned()));
}

#[test]
fn s6_10_a_daemon_of_uncertain_origin_is_named_and_stopped_at_the_end() {
    // The daemon starts while both runs are alive.
    let app = with_daemon(
        "web: [ -e second ] && exec sleep 1000; read -r _ <go; DAEMON read -r _ <begun; >second; exit 3\n\
         worker: echo >go; exec sleep 1000\n",
    );
    let dyno = app.dyno(["start", "--restart"]).spawn();
    dyno.until_shown("web.1    | restarting");
    dyno.until("web.1 runs again", || dyno.stdout.text().matches("web.1    | started").count() == 2);
    let daemon = pid_of_daemon(&app);
    assert!(process_table::stat(daemon).is_some(), "a restart must not stop it");

    dyno.signal(Signal::SIGTERM);

    let finished = dyno.finish();
    let line = "left behind by web.1 or worker.1: sh (pid PID), stopped at the end\n";
    assert_eq!(finished.stdout().matches(line).count(), 1, "{}", finished.stdout());
    assert!(finished.stdout().ends_with("system   | killed 1 process left behind\n"), "{}", finished.stdout());
    assert_eq!(process_table::stat(daemon), None);
}

#[test]
fn s6_10_a_daemon_seen_with_its_parent_belongs_to_the_run_of_the_parent() {
    // When worker.1 exits, the guardian scans the processes, while the parent of the daemon is still alive.
    let app = with_daemon(
        "web: [ -e second ] && exec sleep 1000; (DAEMON read -r _ <go); >second; exit 3\n\
         worker: [ -e third ] && exec sleep 1000; read -r _ <begun; >third; exit 5\n",
    );
    let dyno = app.dyno(["start", "--restart"]).spawn();
    dyno.until("worker.1 runs again", || dyno.stdout.text().matches("worker.1 | started").count() == 2);
    app.release("go");
    dyno.until("web.1 runs again", || dyno.stdout.text().matches("web.1    | started").count() == 2);
    assert_eq!(process_table::stat(pid_of_daemon(&app)), None, "the restart of web.1 stops it");

    dyno.signal(Signal::SIGTERM);

    let finished = dyno.finish();
    assert!(finished.lines_of("web.1").contains(&"left sh (pid PID) running; stopped it too".to_owned()));
}

// The other dyno lives too, so the start time of the daemon does not show where it comes from. Its session and group
// belong to a process that ended before any scan.
#[test]
fn s6_10_a_daemon_with_one_trace_is_gone_before_its_dyno_restarts() {
    let by_port = format!("{} 127.0.0.1 >begun 2>/dev/null </dev/null & echo $! >pid", example("listen").display());
    for daemon in [by_port.as_str(), "sh ./daemon 2>/dev/null </dev/null &"] {
        let app = App::new("web: ./web\nworker: exec sleep 1000\n")
            .script(
                "web",
                "[ -e second ] && kill -0 $(cat pid) 2>/dev/null && echo it lives\n[ -e second ] && exit 4\n\
                 env -i PORT=$PORT setsid sh ./start\nread -r _ <begun; >second; read -r _ <go; exit 3\n",
            )
            .file("start", daemon)
            .file("daemon", DAEMON)
            .fifo("begun")
            .fifo("never")
            .fifo("go");
        let dyno = app.dyno(["start", "--restart", "--max-restarts", "1", "-p", &free_port().to_string()]).spawn();
        dyno.until_shown("worker.1 | started");
        app.release("go");
        dyno.until_shown("web.1    | exited with code 4");

        dyno.signal(Signal::SIGTERM);

        let finished = dyno.finish();
        let lines = finished.lines_of("web.1");
        assert!(!lines.contains(&"it lives".to_owned()), "{daemon}\n{}", finished.stdout());
        assert!(!finished.stdout().contains("left behind"), "{daemon}\n{}", finished.stdout());
    }
}

#[test]
fn s6_10_a_daemon_that_keeps_forking_is_gone_before_the_next_run() {
    let walker = "[ \"$1\" = 0 ] && exec sleep 1000\nsetsid sh ./walk $(($1 - 1)) </dev/null >/dev/null 2>&1 &\n";
    let app = App::new("web: [ -e second ] && exec sleep 1000; >second; setsid sh ./walk 100000 & exit 3\n")
        .file("walk", walker);
    let dyno = app.dyno(["start", "--restart", "-t", "0.2"]).spawn();
    let second = || dyno.stdout.text().matches("web.1  | started").count() == 2;
    dyno.until("web.1 runs again", second);

    let of_web = dyno.of_dynos();

    let (walkers, runs): (Vec<_>, Vec<_>) = of_web
        .iter()
        .partition(|process| process.command.contains("sh ./walk") && !process.command.starts_with("/bin/sh -c"));
    assert!(walkers.is_empty() && !runs.is_empty(), "{of_web:#?}");
    dyno.signal(Signal::SIGTERM);
    dyno.finish().expect_end(Ended::Signal(Signal::SIGTERM));
}

#[test]
fn s6_10_a_server_left_in_the_background_is_reported_with_its_port() {
    let listen = example("listen");
    let starter = format!("PORT=$PORT setsid {} >up 2>&1 </dev/null &\nread -r _ <up\nexit 0\n", listen.display());
    let app = App::new("web: ./starter\n").script("starter", &starter).fifo("up");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();

    let finished = app.dyno(["start", "-p", &port.to_string()]).run();

    finished.expect_end(Ended::Code(0));
    let expected = format!(
        "exited with code 0, and left a process listening on port {port} (listen, pid PID), which was stopped: run the \
         server in the foreground"
    );
    assert_eq!(finished.lines_of("web.1"), ["started with pid PID", &expected]);
}

#[test]
fn s11_a_dyno_killed_by_a_real_time_signal_ends_the_run() {
    let finished = App::new("web: kill -34 $$\nworker: sleep 1000\n").dyno(["start"]).run();

    finished.expect_end(Ended::Code(162));
    assert_eq!(finished.lines_of("web.1"), ["started with pid PID", "terminated by signal 34"]);
}

#[test]
fn s11_a_release_command_killed_by_a_real_time_signal_has_failed() {
    let finished = App::new("release: kill -64 $$\nweb: sleep 1000\n").dyno(["start"]).run();

    finished.expect_end(Ended::Code(192));
    assert_eq!(finished.lines_of("release.1"), ["started with pid PID", "terminated by signal 64"]);
    assert!(finished.lines_of("web.1").is_empty());
}

#[test]
fn s11_a_smoke_command_killed_by_a_real_time_signal_has_failed() {
    let finished = App::new("worker: sleep 1000\n").dyno(["smoke", "--settle", "0", "--", "kill -35 $$"]).run();

    finished.expect_end(Ended::Code(163));
}

#[test]
fn s11_two_real_time_signals_at_the_same_time_are_both_reported() {
    let procfile = "a: read -r _ <go; kill -34 $$\nb: read -r _ <go2; kill -34 $$\nc: sleep 1000\n";
    let app = App::new(procfile).fifo("go").fifo("go2");
    let dyno = app.dyno(["start", "--can-die", "a=any,b=any"]).spawn();
    dyno.until_shown("c.1");

    app.release("go");
    app.release("go2");
    dyno.until("both are reported", || dyno.stdout.text().matches("terminated by signal 34").count() == 2);

    dyno.signal(Signal::SIGTERM);
    dyno.finish().expect_end(Ended::Signal(Signal::SIGTERM));
}

// The guardian is stopped until all have ended, so that it reaps them in one go.
#[test]
fn s11_real_time_signals_and_an_exit_at_the_same_time_are_all_reported() {
    let wait = |name: &str| format!("{name}: echo $$ >pid-{name}; read -r _ <go-{name}");
    let procfile =
        format!("{}; kill -34 $$\n{}; exit 3\n{}; kill -64 $$\nd: sleep 1000\n", wait("a"), wait("b"), wait("c"));
    let app = App::new(&procfile).fifo("go-a").fifo("go-b").fifo("go-c");
    let dyno = app.dyno(["start", "--can-die", "a=any,b=any,c=any"]).spawn();
    dyno.until("all run", || dyno.stdout.text().matches("| started with pid ").count() == 4);
    let guardian = Pid::from_raw(dyno.guardian());
    kill(guardian, Signal::SIGSTOP).unwrap();
    dyno.until("the guardian is stopped", || {
        process_table::stat(guardian.as_raw()).is_some_and(|(state, _)| state == 'T')
    });

    for name in ["a", "b", "c"] {
        app.release(&format!("go-{name}"));
        let leader = || fs::read_to_string(app.path(&format!("pid-{name}"))).ok()?.trim().parse().ok();
        dyno.until(&format!("{name}.1 is a zombie"), || {
            leader().and_then(process_table::stat).is_some_and(|(state, _)| state == 'Z')
        });
    }
    kill(guardian, Signal::SIGCONT).unwrap();
    dyno.until("all are reported", || {
        let shown = dyno.stdout.text();
        ["a.1    | terminated by signal 34\n", "b.1    | exited with code 3\n", "c.1    | terminated by signal 64\n"]
            .iter()
            .all(|line| shown.matches(line).count() == 1)
    });

    dyno.signal(Signal::SIGTERM);
    dyno.finish().expect_end(Ended::Signal(Signal::SIGTERM));
}

// Like `tee` in `exec > >(tee log); exec dyno start`. One is older than `dyno`. The other is started later by a process that
// then ends, so that `dyno` adopts it.
#[test]
fn after_a_lost_guardian_only_descendants_of_dynos_are_killed() {
    let app = App::new("web: setsid sleep 1000 & exec sleep 1000\n")
        .file("older", "echo $$ >older.pid; read -r line <last; echo $line >older.written")
        .file("starter", "read -r line <begin; sh younger &")
        .file("younger", "echo $$ >younger.pid; read -r line <last2; echo $line >younger.written");
    let app = app.fifo("begin").fifo("last").fifo("last2");
    let foreign = "for script in older starter; do env -i sh $script </dev/null >/dev/null 2>&1 & done";
    let dyno = app.dyno(["start"]).after(foreign).spawn();
    dyno.until_shown("started");
    dyno.until("the foreign child runs", || app.has("older.pid"));
    app.release("begin");
    dyno.until("`dyno` has adopted the other", || {
        let pid = fs::read_to_string(app.path("younger.pid")).ok().and_then(|pid| pid.trim().parse().ok());
        pid.and_then(process_table::stat).is_some_and(|(_, parent)| parent == dyno.main())
    });
    dyno.until("both dyno processes run", || {
        dyno.of_dynos().iter().filter(|it| it.command.contains("sleep")).count() == 2
    });

    let guardian = process_table::children(dyno.main()).into_iter().find(|child| {
        fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|name| name.trim() == "dyno-guardian")
    });
    kill(Pid::from_raw(guardian.unwrap()), Signal::SIGKILL).unwrap();

    dyno.finish().expect_end(Ended::Code(70));
    for (fifo, written) in [("last", "older.written"), ("last2", "younger.written")] {
        app.release(fifo);
        until("the foreign process writes its last line", || {
            fs::read_to_string(app.path(written)).is_ok_and(|it| it == "go\n")
        });
    }
}
