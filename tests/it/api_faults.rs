//! Rude clients, odd directories and unlucky moments: the result is defined or a clear error, and the dynos keep
//! running (S10.1 to S10.3).

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::completions::{nothing_is_offered, offered};
use crate::harness::{App, Ended, Finished, Running, error, until};
use crate::process_table;

const TWO: &str = "web: exec sleep 1000\nworker: exec sleep 1000\n";

/// A release command that continues, and a dyno that ends, only when the test says so.
const SLOW: &str = "release: echo releasing; read line <release\nweb: trap 'read line <stop; exit' TERM; echo up; while :; do sleep 1000 & wait; done\n";
/// Longer than a stop that waits for the test. A signal can miss the child that a shell has just forked: then this ends it.
const GRACE: &str = "60";

/// The number of files in the runtime directory, without those that reserve ports: they depend on what else runs on the
/// machine.
pub(crate) fn own_files(app: &App) -> usize {
    let names = fs::read_dir(app.top().join("run/dyno")).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| !name.to_string_lossy().starts_with("ports-")).count()
}

/// Starts the app and waits until its dynos are up.
fn start<const N: usize>(app: &App, args: [&str; N]) -> Running {
    let running = app.dyno(["start"]).args(&args).spawn();
    running.until("all dynos are up", || {
        let dynos = dynos(app);
        !dynos.is_empty() && dynos.iter().all(|dyno| dyno["state"] == "up")
    });
    running
}

fn dynos(app: &App) -> Vec<Value> {
    serde_json::from_slice(&app.dyno(["ps", "--json"]).run().stdout).unwrap_or_default()
}

fn pids(app: &App) -> Vec<Value> {
    dynos(app).iter().map(|dyno| dyno["pid"].clone()).collect()
}

fn state(app: &App, name: &str) -> String {
    let found = dynos(app).into_iter().find(|dyno| dyno["name"] == name);
    found.map_or_else(String::new, |dyno| dyno["state"].as_str().unwrap().to_owned())
}

fn stop(app: &App, running: Running) -> Finished {
    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    running.finish()
}

/// A connection to the only start.
pub(crate) fn connect(app: &App) -> UnixStream {
    let entries = fs::read_dir(app.top().join("run/dyno")).unwrap().map(|entry| entry.unwrap().path());
    let sockets: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|name| name == "sock")).collect();
    UnixStream::connect(&sockets[0]).unwrap()
}

/// Sends as many of these bytes as the server reads, and returns the status of the answer.
fn answered(app: &App, bytes: &[u8]) -> String {
    let mut stream = connect(app);
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).get(9..12).unwrap_or_default().to_owned()
}

fn open_files(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

#[test]
fn s10_3_rude_clients_leave_the_dynos_alone() {
    let app = App::new(TWO);
    let running = start(&app, []);
    let (before, files) = (pids(&app), open_files(running.main()));

    // 1,000 connections, 200 of them at a time.
    for _ in 0..5 {
        let unfinished: Vec<UnixStream> = (0..200)
            .map(|_| {
                let mut stream = connect(&app);
                let _ = stream.write_all(b"PATCH /apps/app/formation HTTP/1.1\r\ncontent-length: 50\r\n\r\n{");
                stream
            })
            .collect();
        assert_eq!(answered(&app, b"GET /account HTTP/1.1\r\n\r\n"), "200");
        drop(unfinished);
    }
    let patch = |body: &str| {
        format!("PATCH /apps/app/formation HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    };
    assert_eq!(answered(&app, &patch(&"[".repeat(900_000))), "400");
    assert_eq!(answered(&app, &patch(&"x".repeat(100_000_000))), "413");
    let update = r#"{"type":"ghost","quantity":1}"#;
    assert_eq!(answered(&app, &patch(&format!(r#"{{"updates":[{update}]}}"#))), "422");
    assert_eq!(answered(&app, b"\0\x01\xff\r\n\r\n"), "400");
    assert_eq!(answered(&app, b"GET /account HTTP/1.1\r\n\r\nDELETE /apps/app/dynos HTTP/1.1\r\n\r\n"), "200");
    let mut killed = connect(&app);
    killed.write_all(b"GET /apps/app/dynos HTTP/1.1\r\n\r\n").unwrap();
    killed.read_exact(&mut [0; 5]).unwrap();
    drop(killed);

    assert_eq!(pids(&app), before);
    until("the connections are closed", || open_files(running.main()) <= files);
    stop(&app, running).expect_end(Ended::Code(0));
}

#[test]
fn s10_1_a_directory_that_is_not_private_is_not_used() {
    let app = App::new("web: echo hello\n").file("elsewhere/keep", "");
    let directory = app.top().join("run/dyno");
    let not_private = |what: &str| {
        let fact =
            format!("the directory `{}` is not private: it must be owned by you, with mode 0700", directory.display());
        let hint = "set `XDG_RUNTIME_DIR` to a directory that you own";
        let finished = app.dyno(["start"]).run();
        finished.expect_end(Ended::Code(0));
        let warning = format!("warning: commands such as `dyno ps` will not find this start: {fact}\nhint: {hint}\n");
        assert_eq!(finished.stderr(), warning, "{what}");
        assert!(finished.stdout().contains("hello"), "{what}");
        app.refuses(&["ps"], 69, &error(&fact, hint));
        app.refuses(&["run", "--detach", "true"], 69, &error(&fact, hint));
    };

    symlink(app.path("elsewhere"), &directory).unwrap();
    not_private("a symbolic link");
    fs::remove_file(&directory).unwrap();
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    not_private("others can enter it");
    if nix::unistd::geteuid().is_root() {
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
        nix::unistd::chown(&directory, Some(65_534.into()), None).unwrap();
        not_private("another user owns it");
    }
    assert_eq!(fs::read_dir(app.path("elsewhere")).unwrap().count(), 1);
}

#[test]
fn s10_1_the_path_of_the_runtime_directory_may_be_long() {
    let deep = "x".repeat(200);
    let app = App::new(TWO).file(&format!("{deep}/keep"), "");
    let call = |args: [&str; 1]| app.dyno(args).env("XDG_RUNTIME_DIR", app.path(&deep));
    let running = call(["start"]).spawn();
    running.until("it is found", || call(["ps"]).run().ended == Ended::Code(0));

    call(["restart"]).run().expect(Ended::Code(0), "restarting: web.1, worker.1\n", "");
    call(["stop"]).run().expect_end(Ended::Code(0));
    running.finish().expect_end(Ended::Code(0));
}

#[test]
fn s10_1_files_left_by_kill_9_of_everything_do_no_harm() {
    let app = App::new(TWO);
    let killed = start(&app, []);
    let guardian = Pid::from_raw(killed.guardian());
    // Otherwise the guardian would clean up.
    kill(guardian, Signal::SIGSTOP).unwrap();
    killed.signal(Signal::SIGKILL);
    kill(guardian, Signal::SIGKILL).unwrap();
    drop(killed);

    let running = start(&app, []);
    assert_eq!(own_files(&app), 4, "a description, a socket, the lock, and a summary of the start that was killed");
    stop(&app, running).expect_end(Ended::Code(0));
}

#[test]
fn s10_1_a_start_runs_even_if_no_file_can_be_written() {
    let app = App::new("worker: echo hello\n");

    // A limit of the user has the same effect as a full disk.
    let finished = app.dyno(["start"]).after("ulimit -f 0").run();

    let warning = "warning: commands such as `dyno ps` will not find this start: File too large\n\
                   hint: make room in the directory that `XDG_RUNTIME_DIR` names\n";
    finished.expect_end(Ended::Code(0));
    assert_eq!(finished.stderr(), warning);
    assert!(finished.stdout().contains("hello"));
    let left: Vec<_> =
        fs::read_dir(app.top().join("run/dyno")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["starts.lock"]);
}

#[test]
fn s10_1_of_many_starts_at_the_same_moment_only_one_runs() {
    let app = App::new(TWO);

    let mut starts: Vec<Running> = (0..6).map(|_| app.dyno(["start", "web"]).spawn()).collect();
    let worker = app.dyno(["start", "worker"]).spawn();
    until("all but one have ended", || {
        starts.iter_mut().filter_map(|start| start.has_ended().then_some(())).count() == 5
    });
    until("both types run", || dynos(&app).len() == 2);

    app.dyno(["stop"]).run().expect(Ended::Code(0), "stopping: web.1, worker.1\n", "");
    let mut ends: Vec<Ended> = starts.into_iter().map(|start| start.finish().ended).collect();
    ends.sort_by_key(|ended| *ended != Ended::Code(0));
    assert_eq!(ends[0], Ended::Code(0));
    assert!(ends[1..].iter().all(|ended| *ended == Ended::Code(69)), "{ends:?}");
    worker.finish().expect_end(Ended::Code(0));
}

#[test]
fn s10_2_the_release_phase_allows_only_scale_and_a_stop_of_all() {
    let app = App::new(SLOW).fifo("release").fifo("stop");
    let running = app.dyno(["start"]).spawn();
    running.until_shown("releasing");

    let refused = error("the release command is still running", "try again when it has ended");
    for args in [&["stop", "web.1"][..], &["stop", "web"], &["restart"], &["restart", "web.1"]] {
        app.refuses(args, 69, &refused);
    }
    app.dyno(["scale", "web=2"]).run().expect(Ended::Code(0), "web=2\n", "");
    app.dyno(["stop"]).run().expect(Ended::Code(0), "stopping: release.1\n", "");

    let finished = running.finish();
    finished.expect_end(Ended::Code(0));
    assert!(!finished.stdout().contains("web.1"), "{}", finished.stdout());
}

#[test]
fn s10_2_during_shutdown_everything_but_stop_is_refused() {
    let app = App::new(SLOW).fifo("release").fifo("stop");
    let running = app.dyno(["start", "--no-release", "-t", GRACE]).spawn();
    running.until_shown("| up\n");
    // `stop` waits for the end of the app.
    let first = app.dyno(["stop"]).spawn();
    first.until_shown("stopping: web.1");

    let refused = error("everything is being stopped", "start it again with `dyno start`");
    for args in [&["scale", "web=2"][..], &["restart"], &["restart", "web.1"], &["run", "--detach", "true"]] {
        app.refuses(args, 69, &refused);
    }
    let second = app.dyno(["stop"]).spawn();
    second.until_shown("stopping: web.1");
    app.release("stop");
    for ended in [running, first, second] {
        ended.finish().expect_end(Ended::Code(0));
    }
}

#[test]
fn s10_2_a_dyno_in_any_state_can_be_restarted() {
    let app = App::new(
        "up: exec sleep 1000\nstarting: exec sleep 1000\ncrashed: test ! -e ok && exit 3; exec sleep 1000\nstopping: \
         trap 'read line <stop; exit' TERM; echo ready; while :; do sleep 1000 & wait; done\ndown: exec sleep 1000\n",
    )
    .fifo("stop");
    let running = app.dyno(["start", "--restart", "--max-restarts", "0", "--ready", "starting", "-t", GRACE]).spawn();
    running.until("the states are reached", || {
        ["up", "starting", "crashed"].iter().all(|name| state(&app, &format!("{name}.1")) == *name)
    });
    running.until_shown("| ready\n");
    app.dyno(["stop", "down"]).run().expect(Ended::Code(0), "stopping: down.1\n", "");
    until("down.1 is down", || state(&app, "down.1") == "down");
    app.dyno(["stop", "stopping"]).run().expect(Ended::Code(0), "stopping: stopping.1\n", "");
    fs::write(app.path("ok"), "").unwrap();
    let before = pids(&app);

    for name in ["up", "starting", "crashed", "stopping", "down"] {
        let name = format!("{name}.1");
        app.dyno(["restart", &name]).run().expect(Ended::Code(0), &format!("restarting: {name}\n"), "");
    }
    app.release("stop");

    until("all are new", || {
        let now = dynos(&app);
        let is_new = |(dyno, old): (&Value, &Value)| dyno["pid"].is_i64() && dyno["pid"] != *old;
        now.len() == 5 && now.iter().zip(&before).all(is_new)
    });
    running.until("stopping.1 is ready again", || running.stdout.text().matches("| ready\n").count() == 2);
    let stopping = app.dyno(["stop"]).spawn();
    app.release("stop");
    // Its report says more if the app does not end.
    running.finish();
    stopping.finish().expect_end(Ended::Code(0));
}

#[test]
fn s10_3_a_client_gets_an_error_when_the_guardian_is_killed() {
    let app = App::new("web: exec sleep 1000\n");
    // It never listens, so it is never up.
    let running = app.dyno(["start", "--ready", "web"]).spawn();
    running.until("web.1 runs", || pids(&app).iter().any(Value::is_i64));
    let waiting = app.dyno(["restart", "web", "--wait"]).spawn();
    running.until("web.1 is replaced", || running.stdout.text().matches("started with pid").count() == 2);

    kill(Pid::from_raw(running.guardian()), Signal::SIGKILL).unwrap();

    let ended = waiting.finish();
    ended.expect_end(Ended::Code(69));
    assert!(ended.stderr().starts_with("error: "), "{}", ended.stderr());
    // Asserts that no process is left.
    running.finish().expect_end(Ended::Code(70));
}

#[test]
fn s10_3_clients_that_are_killed_while_they_wait_change_nothing() {
    let app = App::new("web: exec sleep 1000\n");
    let running = app.dyno(["start", "--ready", "web"]).spawn();
    running.until("web.1 runs", || pids(&app).iter().any(Value::is_i64));
    let files = open_files(running.main());

    let waiting: Vec<Running> = (0..5).map(|_| app.dyno(["scale", "web=1", "--wait"]).spawn()).collect();
    // The connection of the last `ps` may have been counted, too.
    running.until("they wait", || open_files(running.main()) >= files + 4);
    for client in waiting {
        client.signal(Signal::SIGKILL);
        client.finish();
    }

    until("their connections are closed", || open_files(running.main()) <= files);
    stop(&app, running).expect_end(Ended::Code(0));
}

/// How many times a dyno is restarted; `.ci/long` asks for more.
fn restarts() -> usize {
    std::env::var("DYNO_RESTARTS").map_or(20, |text| text.parse().expect("a number"))
}

#[test]
fn s10_2_restarts_in_a_row_are_all_answered() {
    let app = App::new("worker: exec sleep 1000\n");
    let running = start(&app, []);

    for _ in 0..restarts() {
        app.dyno(["restart", "worker", "--wait"]).run().expect(Ended::Code(0), "restarting: worker.1\n", "");
        assert_eq!(running.of_dynos().len(), 1);
    }

    stop(&app, running).expect_end(Ended::Code(0));
}

#[test]
fn s10_2_restarts_from_four_clients_are_all_answered() {
    let app = App::new("worker: exec sleep 1000\n");
    let running = start(&app, []);

    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..restarts() {
                    app.dyno(["restart", "worker", "--wait"]).run().expect_end(Ended::Code(0));
                }
            });
        }
    });

    assert_eq!((state(&app, "worker.1"), running.of_dynos().len()), ("up".to_owned(), 1));
    stop(&app, running).expect_end(Ended::Code(0));
}

#[test]
fn s10_2_tab_does_not_wait_for_an_app_that_does_not_answer() {
    let app = App::new("job: exec sleep 1000\n");
    let running = start(&app, []);
    assert_eq!(offered(&app, "dyno restart "), ["job", "job.1"]);
    running.signal(Signal::SIGSTOP);
    running.until("it is suspended", || process_table::stat(running.main()).is_some_and(|(state, _)| state == 'T'));

    // Without a time limit, the names of the Procfile would be offered once the request has timed out.
    nothing_is_offered(&app, "dyno restart ");

    running.signal(Signal::SIGCONT);
    stop(&app, running);
}
