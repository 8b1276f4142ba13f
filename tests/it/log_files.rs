//! `--log-dir`: the log files, and what happens if they cannot be written, are moved or are removed (S7.7).

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use nix::sys::signal::Signal;

use crate::harness::{App, Ended, Finished, without_times_and_pids};

#[test]
fn s7_7_every_line_goes_to_the_file_of_its_dyno_and_to_all_log() {
    let app = App::new("web: echo one; echo two; read -r _ <never\n").fifo("never");
    let begin = "TIME web.1  | started with pid PID\nTIME web.1  | one\nTIME web.1  | two\n";
    let end = "TIME web.1  | terminated by SIGTERM\n";
    let stop = "TIME system | SIGTERM received, starting shutdown\nTIME system | sending SIGTERM to all processes\n";
    let (own, all) = (format!("{begin}{end}"), format!("{begin}{stop}{end}"));

    for times in 1..=2 {
        let dyno = app.dyno(["start", "--log-dir", "log", "--color", "always", "-q", "web"]).spawn();
        let is_complete = |log: String| log.matches("two\n").count() == times;
        dyno.until("both lines are logged", || fs::read_to_string(app.path("log/web.1.log")).is_ok_and(is_complete));
        dyno.signal(Signal::SIGTERM);

        dyno.finish().expect_end(Ended::Signal(Signal::SIGTERM));
        let read = |name: &str| without_times_and_pids(&fs::read(app.path("log").join(name)).unwrap());
        assert_eq!(read("web.1.log"), own.repeat(times));
        assert_eq!(read("all.log"), all.repeat(times));
    }
    for name in ["web.1.log", "all.log"] {
        let mode = fs::metadata(app.path("log").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn s7_7_log_files_use_the_log_format() {
    let app = App::new("web: echo one\n");

    for (format, is_line) in [
        ("json", (|line: &str| line.starts_with("{\"time\":\"") && line.ends_with("\"}")) as fn(&str) -> bool),
        ("heroku", |line| line.contains("+00:00 app[web.1]: ") || line.contains("+00:00 heroku[web.1]: ")),
    ] {
        app.dyno(["start", "--log-dir", format, "--log-format", format]).run().expect_end(Ended::Code(0));

        let log = fs::read_to_string(app.path(format).join("web.1.log")).unwrap();
        assert!(log.contains("one") && log.lines().all(is_line), "{log}");
    }
}

#[test]
fn s7_7_a_log_directory_that_cannot_be_created_is_an_error_at_the_start() {
    let app = App::new("web: touch started\n").file("taken", "");

    app.dyno(["start", "--log-dir", "taken"]).run().expect(
        Ended::Code(74),
        "",
        "error: the log directory `taken` cannot be used: File exists\n\nhint: name a directory that you can write to\n",
    );
    assert!(!app.has("started"));
}

#[test]
fn s7_7_log_files_are_complete_even_if_stdout_is_closed_early() {
    let app = App::new("web: trap 'echo last word; exit 0' TERM; while :; do echo tick; done\n");

    let line = "\"$0\" \"$@\" | head -n 1";
    app.dyno(["start", "--log-dir", "log", "--no-prefix"]).under(&["sh", "-c", line]).run().expect_end(Ended::Code(0));

    let log = fs::read_to_string(app.path("log").join("web.1.log")).unwrap();
    let log = without_times_and_pids(log.as_bytes());
    let last = "TIME web.1  | last word\nTIME web.1  | exited with code 0\n";
    assert!(log.ends_with(last), "{}", log.get(log.len().saturating_sub(200)..).unwrap());
}

#[test]
fn s7_7_no_prefix_does_not_apply_to_log_files() {
    let app = App::new("web: echo one; exit 3\n");

    let finished = app.dyno(["start", "--log-dir", "log", "--no-prefix", "--no-timestamps"]).run();

    finished.expect(Ended::Code(3), "started with pid PID\none\nexited with code 3\n", "");
    let log = without_times_and_pids(&fs::read(app.path("log/all.log")).unwrap());
    assert_eq!(log, "web.1  | started with pid PID\nweb.1  | one\nweb.1  | exited with code 3\n");
}

#[test]
fn s7_7_a_log_file_that_cannot_be_used_is_an_error_at_the_start() {
    let refused = |app: &App, why: &str| {
        let fact = format!("error: the log file `log/{why}\n\nhint: move it away, or name another directory\n");
        app.dyno(["start", "--log-dir", "log"]).run().expect(Ended::Code(74), "", &fact);
        assert!(!app.has("started"));
    };
    let app = || App::new("web: touch started\nrelease: touch started\n").file("log/taken", "");

    refused(&app().fifo("log/web.1.log"), "web.1.log` cannot be used: it is not a regular file");
    refused(&app().file("log/all.log/file", ""), "all.log` cannot be used: Is a directory");
    let app = app();
    symlink("taken", app.path("log/release.1.log")).unwrap();
    refused(&app, "release.1.log` cannot be used: it is a symbolic link");
}

// The limit on file sizes has the same effect as a full disk, and needs no extra file system.
#[test]
fn s7_7_a_log_file_that_cannot_grow_is_named_at_the_end() {
    let app = App::new("web: seq 1 100000; read -r _ <never\n").fifo("never");

    let finished = app.dyno(["start", "--log-dir", "log"]).after("trap '' XFSZ; ulimit -f 8").run();

    let fact = "error: the log file `log/all.log` could not be written: File too large\n";
    finished.expect_end(Ended::Code(74));
    assert_eq!(finished.stderr(), format!("{fact}\nhint: all dynos were stopped\n"));
}

/// The lines of the dyno in a log file, without their prefix and without notices.
fn texts(app: &App, file: &str) -> Vec<String> {
    let log = fs::read_to_string(app.path(file)).unwrap_or_default();
    let texts = log.lines().filter_map(|line| Some(line.split_once("web.1  | ")?.1.to_owned()));
    texts.filter(|text| !text.starts_with("started") && !text.starts_with("exited")).collect()
}

/// Runs a command line that changes the log files. It starts after the first notice has been logged, so that `dyno`
/// does not write at the same time.
fn run_when_logged(line: &str) -> (App, Finished) {
    let app = App::new(&format!("web: read -r _ <go; {line}\n")).fifo("go").fifo("never");
    let dyno = app.dyno(["start", "--log-dir", "log"]).spawn();
    let log = app.path("log/web.1.log");
    dyno.until("the start is logged", || fs::read_to_string(&log).is_ok_and(|log| log.contains("started with pid")));
    app.release("go");
    let finished = dyno.finish();
    (app, finished)
}

#[test]
fn s7_7_a_removed_log_directory_is_created_again() {
    let (app, finished) = run_when_logged("rm -r log; echo after");

    finished.expect_end(Ended::Code(0));
    for file in ["log/web.1.log", "log/all.log"] {
        assert_eq!(texts(&app, file), ["after"]);
        assert_eq!(fs::metadata(app.path(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    assert_eq!(fs::metadata(app.path("log")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn s7_7_a_log_file_that_was_moved_is_replaced_by_a_new_one() {
    let app = App::new("web: echo before; read -r _ <go; echo after\n").fifo("go");
    let dyno = app.dyno(["start", "--log-dir", "log"]).spawn();
    dyno.until("the first line is logged", || texts(&app, "log/web.1.log") == ["before"]);

    fs::rename(app.path("log/web.1.log"), app.path("log/web.1.log.1")).unwrap();
    app.release("go");

    dyno.finish().expect_end(Ended::Code(0));
    assert_eq!(texts(&app, "log/web.1.log.1"), ["before"]);
    assert_eq!(texts(&app, "log/web.1.log"), ["after"]);
    assert_eq!(texts(&app, "log/all.log"), ["before", "after"]);
}

#[test]
fn s7_7_no_line_is_lost_while_the_log_directory_keeps_moving() {
    const MOVES: usize = 20;
    const LINES: usize = 300_000;
    let app = App::new(&format!("web: seq 1 {LINES}\n"));
    let mut dyno = app.dyno(["start", "--log-dir", "log", "-q", "web"]).spawn();
    // Until the files are open, a missing directory is still an error.
    dyno.until("the log files are open", || app.has("log/web.1.log"));

    let mut moved = 0;
    while moved < MOVES && !dyno.has_ended() {
        if fs::rename(app.path("log"), app.path(&format!("log.{moved}"))).is_ok() {
            moved += 1;
        }
    }

    dyno.finish().expect_end(Ended::Code(0));
    let directories = (0..moved).map(|n| format!("log.{n}")).chain(["log".to_owned()]);
    for name in ["web.1.log", "all.log"] {
        let files = directories.clone().map(|directory| format!("{directory}/{name}"));
        let lines: Vec<String> = files.filter(|file| app.has(file)).flat_map(|file| texts(&app, &file)).collect();
        assert!(lines.iter().cloned().eq((1..=LINES).map(|line| line.to_string())), "{name}: {} lines", lines.len());
    }
}

#[test]
fn s7_7_a_log_directory_that_cannot_be_created_again_ends_the_run_with_74() {
    let (_app, finished) = run_when_logged("rm -r log; : >log; echo after; read -r _ <never");

    let fact = "error: the log directory `log` cannot be used: File exists\n";
    finished.expect_end(Ended::Code(74));
    assert_eq!(finished.stderr(), format!("{fact}\nhint: all dynos were stopped\n"));
}
