//! Files and options that cannot be used: each gets the right status and one clear message, and nothing starts.
//!
//! Rarer and larger inputs are in `bad_input_hard`, the messages for single lines in `file_messages`.

use std::fs;

use crate::harness::{App, Ended, without_sizes};

/// `start` with these arguments ends with this error, and no dyno starts.
fn refuses(app: &App, args: &[&str], status: u8, stderr: &str) {
    let finished = app.dyno(["start"]).args(args).run();

    finished.expect(Ended::Code(i32::from(status)), "", stderr);
    assert!(!app.has("started"));
}

fn app() -> App {
    App::new("web: touch started\n")
}

#[test]
fn s1_1_a_procfile_that_is_not_a_regular_file_is_refused_at_once() {
    let app = app().fifo("fifo");
    fs::create_dir(app.path("folder")).unwrap();
    let special = ", not a regular file\n\nhint: use a regular file; `-` reads stdin\n";

    refuses(&app, &["-f", "fifo"], 78, &format!("error: fifo is a named pipe{special}"));
    refuses(&app, &["-f", "/dev/zero"], 78, &format!("error: /dev/zero is a device{special}"));
    refuses(&app, &["-f", "folder"], 78, "error: folder is a directory\n\nhint: name a file in it\n");
}

#[test]
fn s1_1_a_procfile_is_read_from_stdin() {
    let app = App::empty().file("text", "web: echo from a pipe\n");

    let finished = app.dyno(["start", "-f", "-", "--no-prefix"]).after("exec <text").run();

    finished.expect_end(Ended::Code(0));
    assert!(finished.stdout().contains("from a pipe\n"), "{}", finished.stdout());
}

#[test]
fn a_procfile_with_no_entry_or_with_a_nul_byte_is_refused() {
    let app = app().file("empty", "").file("binary", b"web: a\0b\n");

    let hint = "hint: write a line such as `web: npm start`\n";
    refuses(&app, &["-f", "empty"], 78, &format!("error: empty:1: no process type is defined\n\n{hint}"));
    let hint = "hint: it looks like a binary file; is it the right one?\n";
    refuses(&app, &["-f", "binary"], 78, &format!("error: binary:1: the file has a NUL byte\n\n{hint}"));
}

#[test]
fn a_missing_procfile_suggests_one_that_exists() {
    let app = App::empty().file("Procfile.dev", "web: touch started\n");

    let hint = "hint: there is `Procfile.dev`; `-f Procfile.dev` uses it\n";
    let fact = format!("error: no Procfile in {}", app.root().display());
    refuses(&app, &[], 78, &format!("{fact}\n\n{hint}"));
}

#[test]
fn an_unclosed_quote_or_a_too_long_variable_is_named_by_line_and_key() {
    let app = app().file("quote", "A=1\nB=\"secret\n").file("long", format!("A={}\n", "y".repeat(140_000)));

    let hint = "hint: close it, or use the other kind of quotes\n";
    let fact = "error: quote:2: `B` opens a quote that is never closed\n";
    refuses(&app, &["-e", "quote"], 78, &format!("{fact}\n{hint}"));
    let hint = "hint: write the value to a file and set the variable to its path\n";
    let fact = "error: long:1: `A` is longer than 128 KiB, the limit for a variable\n";
    refuses(&app, &["-e", "long"], 78, &format!("{fact}\n{hint}"));
}

#[test]
fn numbers_out_of_range_are_usage_errors() {
    let app = app();

    let hint = "hint: give a port such as `-p 5000`, or `-p auto`\n";
    for port in ["0", "65536", "http", "-"] {
        let fact = format!("error: `-p {port}` is not a port number from 1 to 65535\n");
        refuses(&app, &["-p", port], 2, &format!("{fact}\n{hint}"));
    }
    let fact = "error: `1001` is too many dynos of `web`: the limit is 1000\n";
    refuses(&app, &["web=1001"], 2, &format!("{fact}\nhint: write at most `web=1000`\n"));
    for seconds in ["soon", "86401"] {
        app.dyno(["start", "-t", seconds]).run().expect_end(Ended::Code(2));
    }
    app.dyno(["start", "-t", "1", "-t", "2"]).run().expect_end(Ended::Code(2));
}

#[test]
fn s1_3_a_hundred_thousand_comment_lines_are_ignored() {
    let app = App::new(&("# a comment\n".repeat(100_000) + "web: true\n"));

    app.dyno(["check"]).run().expect(Ended::Code(0), "valid procfile detected (web)\n", "");
}

#[test]
fn s4_5_a_hundred_thousand_keys_in_dot_foreman_are_read_quickly() {
    let keys: Vec<String> = (0..100_000).map(|n| format!("key{n}: x\n")).collect();
    let app = App::new("web: true\n").file(".foreman", keys.concat());

    // If each key were searched for among all earlier ones, this would time out.
    let finished = app.dyno(["check"]).run();

    let known = "the keys are `port`, `formation`, `concurrency` and 10 more";
    let line = |n: usize| format!("error: .foreman:{}: `key{n}` has no effect\nhint: {known}\n", n + 1);
    let more = "error: .foreman:101: and 99900 more problems\n\
                hint: fix the first ones and run `dyno check` again\n";
    let stderr: String = (0..100).map(line).chain([more.to_owned()]).collect();
    finished.expect(Ended::Code(78), "", &stderr);
}

#[test]
fn more_dynos_than_the_open_file_limit_allows_are_refused_at_once() {
    let types: Vec<String> = (0..100_000).map(|n| format!("t{n}: touch started\n")).collect();
    let app = App::new(&types.concat());

    // If each dyno were searched for among all types, this would time out.
    let finished = app.dyno(["start", "--port-step", "0"]).after("ulimit -n 1024").run();

    let fact = "error: 100000 dynos need 100097 open files, and the limit is 1024\n";
    let hint = "hint: raise it with `ulimit -n 100097`, or run fewer dynos\n";
    finished.expect(Ended::Code(70), "", &format!("{fact}\n{hint}"));
    assert!(!app.has("started"));
}

#[test]
fn every_command_reads_a_hundred_thousand_keys() {
    let keys: Vec<String> = (0..100_000).map(|n| format!("K{n:05}=v")).collect();
    let file = keys.join("\n") + "\n";
    // The shell and both files set the last key, one of them twice: every command uses the last value.
    let app = App::new("job: echo $K99999\n").file("keys", &file).file("more", "K99999=x\nK99999=y\n");
    let dyno = |args: &[&str]| app.dyno([]).args(args).args(&["-e", "keys,more"]).env("K99999", "of the shell").run();

    dyno(&["check"]).expect(Ended::Code(0), "valid procfile detected (job)\n", "");
    let shown = file.replace("K99999=v", "K99999=y");
    dyno(&["config"]).expect(Ended::Code(0), &shown, "");
    let entries: Vec<String> = shown.lines().map(|line| format!("\"{}\"", line.replace('=', "\":\""))).collect();
    dyno(&["config", "--json"]).expect(Ended::Code(0), &format!("{{{}}}\n", entries.join(",")), "");
    let explained =
        "K99999 comes from more:2\n  and overrides more:1\n  and overrides keys:100000\n  and overrides the shell\n";
    dyno(&["config", "--explain", "K99999"]).expect(Ended::Code(0), explained, "");
    // Some shells take seconds to import 100,000 variables.
    let app = app.file("keys", &file[file.len() / 5 * 4..]);
    let files = ["-e", "keys,more"];
    app.dyno(["run"]).args(&files).args(&["echo $K80000 $K99999"]).run().expect(Ended::Code(0), "v y\n", "");
    let started = app.dyno(["start"]).args(&files).run();
    started.expect_end(Ended::Code(0));
    assert_eq!(
        (started.lines_of("job.1"), started.stderr()),
        (Vec::from(["started with pid PID", "y", "exited with code 0"].map(str::to_owned)), String::new())
    );
}

#[test]
fn s2_9_more_variables_than_linux_accepts_are_refused_by_run_and_start() {
    // Ten bytes and a pointer for each variable: over 6 MiB, the most that Linux accepts with any stack limit.
    let keys: Vec<String> = (0..400_000).map(|n| format!("K{n:06}=v")).collect();
    let app = App::new("job: touch started\n").file(".env", keys.join("\n"));

    for args in [&["run", "touch", "started"][..], &["start"]] {
        let finished = app.dyno([]).args(args).run();

        let stderr = "error: the environment has N variables with N bytes, over the system limit of N bytes; N of them are in .env\n\n\
                      hint: remove variables that the app does not read, or let it read them from a file\n";
        let seen = (finished.ended, finished.stdout(), without_sizes(&finished.stderr()));
        assert_eq!(seen, (Ended::Code(78), String::new(), stderr.to_owned()));
        assert!(!app.has("started"));
    }
}

#[test]
fn s2_9_the_limit_of_the_environment_follows_that_of_the_stack() {
    let keys: Vec<String> = (0..20_000).map(|n| format!("K{n:06}=v")).collect();
    let app = App::new("job: touch started\n").file(".env", keys.join("\n"));

    // A quarter of the stack; never less than 128 KiB, so that a smaller stack changes nothing.
    for (kibibytes, limit) in [(1024, 262_144), (512, 131_072), (256, 131_072)] {
        let finished = app.dyno(["run", "touch", "started"]).after(&format!("ulimit -S -s {kibibytes}")).run();

        finished.expect_end(Ended::Code(78));
        let fact = format!("over the system limit of {limit} bytes; 20000 of them are in .env\n");
        assert!(finished.stderr().contains(&fact), "{}", finished.stderr());
        assert!(!app.has("started"));
    }
}

#[test]
fn a_dyno_that_cannot_enter_its_directory_says_so() {
    let app = App::new("release: rmdir \"$PWD\"\njob: touch started\nother: touch started\n");
    fs::create_dir(app.path("root")).unwrap();

    let finished = app.dyno(["start", "-f", "Procfile", "-d", "root"]).run();

    // The release command removes the directory, so this is noticed late. Which of the two dynos says so first varies.
    finished.expect_end(Ended::Code(126));
    let fact = format!("cannot enter the directory `{}`: No such file or directory", app.path("root").display());
    let by_dyno = finished.lines();
    let lines: Vec<&String> = ["job.1", "other.1"].iter().filter_map(|dyno| by_dyno.get(*dyno)).flatten().collect();
    assert!(!lines.is_empty() && lines.iter().all(|line| line.contains(&fact)), "{}", finished.stdout());
}
