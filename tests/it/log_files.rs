//! `--log-dir` (S7.7).

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::{App, Ended, without_times_and_pids};

#[test]
fn s7_7_every_line_is_appended_to_the_file_of_its_dyno_and_to_the_merged_one() {
    let app = App::new("web: echo one; echo two; exit 3\n");
    let own =
        "TIME web.1  | started with pid PID\nTIME web.1  | one\nTIME web.1  | two\nTIME web.1  | exited with code 3\n";
    let all = format!("{own}TIME system | sending SIGTERM to all processes\n");

    for times in 1..=2 {
        let finished = app.dyno(["start", "--log-dir", "log", "--color", "always", "-q", "web"]).run();

        finished.expect_end(Ended::Code(3));
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
