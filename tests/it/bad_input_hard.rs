//! Input nobody meant to write: huge, unreadable, gone. The right status, one clear message, nothing started, nothing
//! left.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::{App, Ended};

/// A user that owns nothing; only root can become it.
const NOBODY: u32 = 65_534;

fn app() -> App {
    App::new("web: touch started\n")
}

#[test]
fn bytes_of_a_program_are_told_in_one_line() {
    let app = app();
    fs::copy(env!("CARGO_BIN_EXE_dyno"), app.path("program")).unwrap();
    // Beyond the limit it is not even looked at.
    let file = fs::OpenOptions::new().write(true).open(app.path("program")).unwrap();
    file.set_len(file.metadata().unwrap().len().min(1 << 20)).unwrap();

    for args in [["start", "-f", "program"], ["start", "-e", "program"]] {
        let finished = app.dyno(args).run();

        finished.expect(
            Ended::Code(78),
            "",
            "error: program:1: the file has a NUL byte\n\nhint: it looks like a binary file; is it the right one?\n",
        );
    }
    assert!(!app.has("started"));
}

#[test]
fn a_file_that_may_not_be_read_is_refused() {
    if !nix::unistd::geteuid().is_root() {
        // Another user cannot be played; our own file without permissions does the same.
        let app = app();
        fs::set_permissions(app.path("Procfile"), fs::Permissions::from_mode(0o000)).unwrap();
        let fact = "error: Procfile cannot be read: Permission denied\n";
        app.dyno(["start"]).run().expect(Ended::Code(78), "", fact);
        return;
    }
    let app = app().file("secret.env", "A=1\n");
    fs::set_permissions(app.path("secret.env"), fs::Permissions::from_mode(0o600)).unwrap();

    let finished = app.dyno(["start", "-e", "secret.env"]).user(NOBODY).run();

    finished.expect(Ended::Code(78), "", "error: secret.env cannot be read: Permission denied\n");
}

#[test]
fn a_line_of_a_megabyte_runs_or_is_told_in_a_short_message() {
    let long = "x".repeat(1 << 20);
    let comment = App::new(&format!("web: echo short # {long}\n"));
    let garbage = App::new(&format!("web: true\n{long}\n"));

    // The system takes no argument of a megabyte: the dyno says so, and nothing hangs.
    let finished = comment.dyno(["start"]).run();
    finished.expect_end(Ended::Code(126));
    assert!(finished.stdout().len() < 3 << 20 && finished.stdout().contains("Argument list too long"));
    let finished = garbage.dyno(["check"]).run();
    finished.expect_end(Ended::Code(78));
    assert!(finished.stderr().starts_with("error: Procfile:2: `xxx") && finished.stderr().len() < 400);
}

#[test]
fn a_hundred_thousand_lines_of_nonsense_give_one_page() {
    let app = App::new(&("web: true\n".to_owned() + &"this is prose\n".repeat(100_000)));

    let finished = app.dyno(["check"]).run();

    finished.expect_end(Ended::Code(78));
    assert!(finished.stderr().lines().count() < 300, "{}", finished.stderr().len());
}

#[test]
fn a_hundred_thousand_keys_are_too_much_for_the_system_and_the_longest_is_named() {
    let keys = (0..100_000).map(|n| {
        format!(
            "KEY_NUMBER_{n}=some_value_of_it
"
        )
    });
    let keys: Vec<String> = keys
        .chain([format!(
            "LONGEST_OF_ALL={}
",
            "x".repeat(100_000)
        )])
        .collect();
    let keys = keys.concat();
    let app = app().file(".env", keys);

    let finished = app.dyno(["start"]).run();

    finished.expect_end(Ended::Code(78));
    let stderr = finished.stderr();
    assert!(stderr.starts_with("error: the environment has ") && stderr.contains("`LONGEST_OF_ALL`"), "{stderr}");
    assert!(!stderr.contains("some_value") && !app.has("started"));
}

#[test]
fn a_current_directory_that_is_gone_is_told() {
    let app = app();
    fs::create_dir(app.path("gone")).unwrap();

    for command in ["start", "check", "config"] {
        let finished = app.dyno([command]).after("mkdir -p gone && cd gone && rmdir \"$PWD\"").run();

        finished.expect(
            Ended::Code(78),
            "",
            "error: the current directory cannot be used: No such file or directory\n\n\
             hint: change to a directory that exists\n",
        );
    }
}

#[test]
fn a_result_that_nobody_reads_ends_quietly() {
    let app = app().file(".env", "A=1\n");
    for command in ["check", "config", "version"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);

        let finished = app.dyno([command]).stdout_to(writer).run();

        finished.expect(Ended::Code(141), "", "");
    }
}

#[test]
fn a_full_disk_is_told() {
    let app = app();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();

    let finished = app.dyno(["check"]).stdout_to(full).run();

    let fact = "error: the output could not be written: No space left on device\n";
    finished.expect(Ended::Code(74), "", fact);
}
