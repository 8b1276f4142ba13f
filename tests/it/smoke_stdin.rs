//! The stdin of the command of a smoke test (S19.3): that of `dyno` if it is a pipe, a socket or a file; otherwise it
//! is empty.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use crate::harness::{App, Ended, Finished};
use crate::smoke::{app, smoke};

/// Arguments of a smoke test whose command prints its stdin.
const ECHO: [&str; 5] = ["--settle", "0", "--", "cat", "-"];

#[track_caller]
fn assert_passed(finished: &Finished, stdout: &str) {
    finished.expect_end(Ended::Code(0));
    assert_eq!(finished.stdout(), stdout, "{}", finished.stderr());
}

fn web() -> App {
    app("web: ./listen\n")
}

#[test]
fn s19_3_the_command_reads_a_here_document() {
    let app = web();
    let call = smoke(&app, &["--settle", "0", "--", "sh"]);

    let finished = call.under(&["sh", "-c", "\"$0\" \"$@\" <<X\necho tested\nexit 3\nX"]).run();

    finished.expect_end(Ended::Code(3));
    assert_eq!(finished.stdout(), "tested\n");
}

#[test]
fn s19_3_the_command_reads_a_pipe_to_its_end() {
    const LINES: usize = 100_000;
    let writer = format!("i=0; while [ $i -lt {LINES} ]; do echo line $i; i=$((i+1)); done | \"$0\" \"$@\"");

    let finished = smoke(&web(), &ECHO).under(&["sh", "-c", &writer]).run();

    assert_passed(&finished, &(0..LINES).fold(String::new(), |text, i| text + "line " + &i.to_string() + "\n"));
}

#[test]
fn s19_3_the_command_reads_a_socket() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let app = web();
    let smoke = smoke(&app, &ECHO).stdin_from(OwnedFd::from(theirs)).spawn();

    (&ours).write_all(b"from a socket\n").unwrap();
    drop(ours);

    assert_passed(&smoke.finish(), "from a socket\n");
}

#[test]
fn s19_3_only_the_command_reads_a_file_on_stdin() {
    let app = app("release: cat; echo released\nweb: ./listen\nworker: read -r line && echo took $line\n");
    let app = app.file("list", "one\ntwo\n");
    let options = ["--settle", "0.1", "--", "read -r line; echo command: $line"];

    let call = smoke(&app, &options).under(&["sh", "-c", "\"$0\" \"$@\" && read -r line && echo left: $line"]);
    let finished = call.stdin_from(File::open(app.path("list")).unwrap()).run();

    assert_passed(&finished, "command: one\nleft: two\n");
    assert!(!finished.stderr().contains("took"), "{}", finished.stderr());
}

#[test]
fn s19_3_a_closed_stdin_is_empty() {
    assert_passed(&smoke(&web(), &ECHO).after("exec <&-").run(), "");
}

#[test]
fn s19_3_a_device_or_a_directory_is_not_given_to_the_command() {
    let app = web();

    for path in ["/dev/zero", "/"] {
        let call = smoke(&app, &["--settle", "0", "--", "head -c 4 | wc -c"]);
        let finished = call.stdin_from(File::open(path).unwrap()).run();

        assert_passed(&finished, "0\n");
        assert!(!finished.stderr().contains("head:"), "{path}: {}", finished.stderr());
    }
}

#[test]
fn s19_3_a_terminal_is_not_given_to_the_command() {
    let app = web();
    // One line: between two lines a notice could be shown.
    let command = "read -r line; read=$?; test -t 0; echo \"read: $read, terminal: $?\"";
    let smoke = smoke(&app, &["--settle", "0", "--", command]).spawn_in_terminal();

    let finished = smoke.finish();

    finished.expect_end(Ended::Code(0));
    assert!(finished.stdout().contains("read: 1, terminal: 1\r\n"), "{}", finished.stdout());
}

#[test]
fn s19_3_a_procfile_from_stdin_leaves_the_command_an_empty_stdin() {
    let app = web();
    let call = smoke(&app, &["-f", "-", "--settle", "0", "--", "cat; echo end"]);

    let finished = call.stdin_from(File::open(app.path("Procfile")).unwrap()).run();

    assert_passed(&finished, "end\n");
}
