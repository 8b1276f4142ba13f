//! Accidental input: huge, binary, unreadable or removed. Each gets the right status and one clear message, and nothing
//! starts.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::app::OTHER_USER;
use crate::binary;
use crate::harness::{App, Ended, without_sizes};

fn app() -> App {
    App::new("web: touch started\n")
}

#[test]
fn a_binary_file_is_reported_in_one_message() {
    let app = app();
    fs::copy(binary::dyno(), app.path("program")).unwrap();
    // At most 1 MiB of it: a file over the size limit is refused before its bytes are looked at.
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
fn a_file_without_read_permission_is_refused() {
    if !nix::unistd::geteuid().is_root() {
        // Only root can switch to another user. A file of our own without permissions has the same effect.
        let app = app();
        fs::set_permissions(app.path("Procfile"), fs::Permissions::from_mode(0o000)).unwrap();
        let fact = "error: Procfile cannot be read: Permission denied\n\nhint: `ls -l` shows who may read it\n";
        app.dyno(["start"]).run().expect(Ended::Code(78), "", fact);
        return;
    }
    let app = app().file("secret.env", "A=1\n");
    fs::set_permissions(app.path("secret.env"), fs::Permissions::from_mode(0o600)).unwrap();

    let finished = app.dyno(["start", "-e", "secret.env"]).user(OTHER_USER).run();

    let fact = "error: secret.env cannot be read: Permission denied\n\nhint: `ls -l` shows who may read it\n";
    finished.expect(Ended::Code(78), "", fact);
}

#[test]
fn s1_6_a_too_long_command_line_is_refused_before_any_dyno_starts() {
    let limit = 128 * 1024;
    // The shell gets `exec env echo …` and a NUL byte.
    let line = |bytes: usize| format!("env echo {}", "x".repeat(bytes - "exec env echo ".len() - 1));
    let error = |between: &str, bytes: usize| {
        format!(
            "error: Procfile:2: the command of `big` is {bytes} bytes long, and the system allows \
             131072\n{between}hint: put it in a script and run the script\n"
        )
    };
    for bytes in [limit + 1, 1 << 20] {
        let app = App::new(&format!("first: touch started\nbig: {}\nlast: touch started\n", line(bytes)));

        app.dyno(["check"]).run().expect(Ended::Code(78), "", &error("", bytes));
        app.dyno(["start"]).run().expect(Ended::Code(78), "", &error("\n", bytes));
        let long = "error: the command is too long: Argument list too long\n\nhint: give fewer or shorter arguments\n";
        app.dyno(["run", "big"]).run().expect(Ended::Code(126), "", long);
        assert!(!app.has("started"));
        // Without the type with the long command, the app starts.
        app.dyno(["start", "last"]).run().expect_end(Ended::Code(0));
        assert!(app.has("started"));
    }
    let app = App::new(&format!("job: true\nbig: {}\n", line(limit)));
    app.dyno(["check"]).run().expect(Ended::Code(0), "valid procfile detected (job, big)\n", "");
    let longest = app.dyno(["start", "big"]).run();
    longest.expect_end(Ended::Code(0));
    assert!(longest.stdout.len() > limit - 100, "{}", longest.stdout.len());
    // `--profile` makes the command line longer.
    let finished = app.dyno(["start", "big", "--profile"]).run();
    let seen = (finished.ended, finished.stdout(), without_sizes(&finished.stderr()));
    assert_eq!(seen, (Ended::Code(78), String::new(), without_sizes(&error("\n", limit + 1))));
}

#[test]
fn a_megabyte_line_that_is_not_an_entry_gets_a_short_message() {
    let app = App::new(&format!("web: true\n{}\n", "x".repeat(1 << 20)));

    let shown = format!("{}…", "x".repeat(40));
    let stderr = format!("error: Procfile:2: `{shown}` has no process type\nhint: write `web: {shown}`\n");
    app.dyno(["check"]).run().expect(Ended::Code(78), "", &stderr);
}

#[test]
fn ten_of_a_hundred_thousand_invalid_lines_are_listed() {
    let listed = |first: usize, blank: &str| -> String {
        let line = |number: usize| {
            format!(
                "error: Procfile:{number}: `this is prose` has no process type\n{blank}\
                 hint: write `web: this is prose`\n"
            )
        };
        (first..first + 10).map(line).collect()
    };
    let more = |at: usize, of: usize, blank: &str| {
        format!(
            "error: Procfile:{at}: and 99990 more: 100000 of {of} lines are not Procfile entries\n{blank}\
             hint: write lines such as `web: npm start`, or pass another file with `-f`\n"
        )
    };
    let nonsense = "this is prose\n".repeat(100_000);

    let app = App::new(&("web: true\n".to_owned() + &nonsense));
    app.dyno(["check"]).run().expect(Ended::Code(78), "", &(listed(2, "") + &more(12, 100_001, "")));
    let app = App::new(&nonsense);
    app.dyno(["check"]).run().expect(Ended::Code(78), "", &(listed(1, "") + &more(11, 100_000, "")));
    app.dyno(["start"]).run().expect(Ended::Code(78), "", &(listed(1, "\n") + &more(11, 100_000, "\n")));
}

#[test]
fn s2_9_a_too_large_environment_is_reported_at_its_longest_variable() {
    let value = "x".repeat(100_000);
    let file: Vec<String> = (1..=80).map(|n| format!("K{n:02}={value}")).collect();
    let app = App::new("job: touch started\n").file(".env", file.join("\n") + "y\n");

    let (checked, started) = (app.dyno(["check"]).run(), app.dyno(["start"]).run());

    let run = app.dyno(["run", "touch", "started"]).run();
    for (finished, blank) in [(checked, ""), (started, "\n"), (run, "\n")] {
        let seen = (finished.ended, finished.stdout(), without_sizes(&finished.stderr()));
        let stderr = format!(
            "error: .env:80: the environment is N bytes long, over the system limit of N; the longest variable is \
             `K80`\n{blank}hint: write the value to a file and set the variable to its path\n"
        );
        assert_eq!(seen, (Ended::Code(78), String::new(), stderr));
        assert!(!app.has("started"));
    }
}

#[test]
fn s2_9_a_too_long_variable_of_a_file_is_reported_with_its_line() {
    // The system counts `BIG=…` and a NUL byte.
    let value = "x".repeat(131_073 - 5);
    let app = App::new("job: touch started\n").file(".env", format!("A=1\nBIG={value}\n"));
    let too_long = "`BIG` is 131073 bytes long; the limit for a variable is 131072\n";
    let hint = "hint: write the value to a file and set the variable to its path\n";

    app.dyno(["check"]).run().expect(Ended::Code(78), "", &format!("error: .env:2: {too_long}{hint}"));
    for args in [&["start"][..], &["run", "touch", "started"], &["run", "job"]] {
        let finished = app.dyno([]).args(args).run();
        finished.expect(Ended::Code(78), "", &format!("error: .env:2: {too_long}\n{hint}"));
    }
    assert!(!app.has("started"));
}

#[test]
fn s2_5_references_that_would_fill_the_memory_are_refused_with_their_line() {
    let repeats: Vec<String> = (1..=4_000).map(|n| format!("K{n}=${{K0}}\n")).collect();
    let app =
        App::new("job: touch started\n").file(".env", format!("K0={}\n{}", "x".repeat(120_000), repeats.concat()));

    let fact = "error: .env:140: the values up to this line exceed 16 MiB in total\n";
    let hint = "hint: write long values to files and set the variables to their paths\n";
    app.dyno(["check"]).run().expect(Ended::Code(78), "", &[fact, hint].concat());
    app.dyno(["start"]).run().expect(Ended::Code(78), "", &format!("{fact}\n{hint}"));
}

#[test]
fn s2_9_too_many_variables_are_refused_with_the_longest_one_named() {
    let keys = (0..100_000).map(|n| format!("KEY_NUMBER_{n}=some_value_of_it\n"));
    let keys: Vec<String> = keys.chain([format!("LONGEST_OF_ALL={}\n", "x".repeat(100_000))]).collect();
    let keys = keys.concat();
    let app = App::new("job: touch started\n").file(".env", keys);

    let finished = app.dyno(["start"]).run();

    let stderr = "error: .env:100001: the environment is N bytes long, over the system limit of N; the longest variable is \
                  `LONGEST_OF_ALL`\n\nhint: write the value to a file and set the variable to its path\n";
    let seen = (finished.ended, finished.stdout(), without_sizes(&finished.stderr()));
    assert_eq!(seen, (Ended::Code(78), String::new(), stderr.to_owned()));
    assert!(!app.has("started"));
}

#[test]
fn a_removed_current_directory_is_an_error() {
    let app = app();
    fs::create_dir(app.path("gone")).unwrap();

    for (command, gap) in [("start", "\n"), ("check", ""), ("config", "\n")] {
        let finished = app.dyno([command]).after("mkdir -p gone && cd gone && rmdir \"$PWD\"").run();

        finished.expect(
            Ended::Code(78),
            "",
            &format!(
                "error: the current directory cannot be used: No such file or directory\n{gap}\
                 hint: change to a directory that exists\n"
            ),
        );
    }
}

#[test]
fn a_command_ends_quietly_if_its_reader_has_gone_away() {
    let app = app().file(".env", "A=1\n");
    for command in ["check", "config", "version"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);

        let finished = app.dyno([command]).stdout_to(writer).run();

        finished.expect(Ended::Code(141), "", "");
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let app = app();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();

    let finished = app.dyno(["check"]).stdout_to(full).run();

    let fact = "error: the output could not be written: No space left on device\n";
    finished.expect(Ended::Code(74), "", fact);
}
