//! `--log-dir` (S7.7).

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use crate::harness::{App, Ended, without_times_and_pids};

#[test]
fn s7_7_every_line_is_appended_to_the_file_of_its_dyno_and_to_the_merged_one() {
    let app = App::new("web: echo one; echo two; read -r _ <never\n").fifo("never");
    let said = "TIME web.1  | started with pid PID\nTIME web.1  | one\nTIME web.1  | two\n";
    let end = "TIME web.1  | terminated by SIGTERM\n";
    let stop = "TIME system | SIGTERM received, starting shutdown\nTIME system | sending SIGTERM to all processes\n";
    let (own, all) = (format!("{said}{end}"), format!("{said}{stop}{end}"));

    for times in 1..=2 {
        let dyno = app.dyno(["start", "--log-dir", "log", "--color", "always", "-q", "web"]).spawn();
        let is_said = |log: String| log.matches("two\n").count() == times;
        dyno.until("all is said", || fs::read_to_string(app.path("log/web.1.log")).is_ok_and(is_said));
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
fn a_log_directory_that_cannot_be_made_is_an_error_before_anything_starts() {
    let app = App::new("web: touch started\n").file("taken", "");

    app.dyno(["start", "--log-dir", "taken"]).run().expect(
        Ended::Code(74),
        "",
        "error: the log directory `taken` cannot be used: File exists\n\nhint: name a directory you may write to\n",
    );
    assert!(!app.has("started"));
}

#[test]
fn the_files_go_on_to_the_last_word_when_nobody_reads_stdout_any_more() {
    let app = App::new("web: trap 'echo last word; exit 0' TERM; while :; do echo tick; done\n");

    let line = "\"$0\" \"$@\" | head -n 1";
    app.dyno(["start", "--log-dir", "log", "--no-prefix"]).under(&["sh", "-c", line]).run().expect_end(Ended::Code(0));

    let log = fs::read_to_string(app.path("log").join("web.1.log")).unwrap();
    assert!(log.ends_with("last word\nexited with code 0\n"), "{}", log.get(log.len().saturating_sub(200)..).unwrap());
}
