//! A command sees the same environment and signals whether or not `dyno` needs a shell to start it (S1.6).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::harness::{App, Call, Ended};

/// The same command twice. Only the quoted one needs a shell.
const TWICE: &str = "plain: env\nquoted: \"env\"\n";

/// Variables that differ from dyno to dyno, or that some shells set themselves.
const OWN: [&str; 7] = ["DYNO", "FOREMAN_WORKER_NAME", "HONCHO_PROCESS_NAME", "PORT", "PS", "SHLVL", "_"];

/// The variables of the two dynos, without [`OWN`].
fn environments(call: Call) -> [BTreeMap<String, String>; 2] {
    let finished = call.args(&["--can-die", "plain,quoted"]).run();
    finished.expect_end(Ended::Code(0));
    ["plain.1", "quoted.1"].map(|dyno| {
        let stdout = finished.stdout();
        let lines = stdout.lines().filter_map(|line| line.strip_prefix("TIME ")?.split_once("| "));
        let variables = lines.filter(|(name, _)| name.trim_end() == dyno).filter_map(|(_, text)| text.split_once('='));
        variables
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .filter(|(key, _)| !OWN.contains(&&**key))
            .collect()
    })
}

#[test]
fn the_environment_is_the_same_with_and_without_a_shell() {
    let app = App::new(TWICE).file("sub/Procfile", TWICE);
    symlink(app.path(""), app.top().join("link")).unwrap();
    let root = app.path("").canonicalize().unwrap();
    let through_link = app.top().join("link");
    for (call, pwd) in [
        (app.dyno(["start"]), root.clone()),
        (app.dyno(["start"]).env("PWD", "/"), root.clone()),
        (app.dyno(["start"]).env("PWD", "relative"), root.clone()),
        (app.dyno(["start"]).env("PWD", "/does/not/exist"), root.clone()),
        // As in a shell, a symlink in the path of the directory is kept.
        (app.dyno(["start"]).env("PWD", &through_link), through_link.clone()),
        (app.dyno(["start", "-d", "sub"]).env("PWD", &root), root.join("sub")),
        (app.dyno(["start", "-f", "sub/Procfile"]), root.join("sub")),
    ] {
        let [plain, quoted] = environments(call);
        assert_eq!(plain.get("PWD").unwrap(), pwd.to_str().unwrap());
        assert_eq!(plain, quoted);
    }
}

#[test]
fn variables_that_a_shell_changes_or_drops_are_the_same_without_it() {
    let app = App::new(TWICE).file(".env", "PWD=/etc\na.b=1\na-b=2\nOPTIND=7\nIFS=x\nPPID=1\nPLAIN=1\n");
    let [plain, quoted] = environments(app.dyno(["start"]));
    assert_eq!(plain.get("PLAIN").unwrap(), "1");
    // `PPID` is in both, but its value is a process id and differs.
    let [plain, quoted] = [plain, quoted].map(|mut all| (all.remove("PPID").is_some(), all));
    assert_eq!(plain, quoted);
}

#[test]
fn a_program_is_found_as_a_shell_would_find_it() {
    let app = App::new("web: hello there\n")
        .script("first/other", "echo other")
        .script("own/hello", "echo \"own $1\"")
        .script("late/hello", "echo \"late $1\"")
        .script("hello", "echo \"here $1\"")
        .file("no/hello", "echo not executable")
        .file("odd/hello", "echo \"without a first line $1\"");
    fs::set_permissions(app.path("odd/hello"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(app.path("directory/hello")).unwrap();
    let system = std::env::var("PATH").unwrap();
    for (path, output) in [
        ("first:own:late", "own there"),
        // Neither a directory, nor a file that is not executable, nor a missing entry ends the search.
        ("directory:no:missing:late:own", "late there"),
        // An empty entry is the root.
        (":own", "here there"),
        // The shell runs a file without `#!` as a script, and the search ends there.
        ("odd:own", "without a first line there"),
    ] {
        let finished = app.dyno(["start"]).env("PATH", format!("{path}:{system}")).run();
        finished.expect_end(Ended::Code(0));
        assert!(finished.stdout().contains(&format!("| {output}\n")), "{path}: {}", finished.stdout());
    }
}

#[test]
fn a_command_that_cannot_be_executed_has_the_message_of_the_shell() {
    let app = App::new("web: ./hello\n").file("hello", "#!/bin/sh\n");
    let finished = app.dyno(["start"]).run();
    finished.expect_end(Ended::Code(126));
    assert!(finished.stdout().contains("./hello: Permission denied\n"), "{}", finished.stdout());

    let app = App::new("web: hello\n");
    let finished = app.dyno(["start"]).run();
    finished.expect_end(Ended::Code(127));
    assert!(finished.stdout().contains("hello: not found\n"), "{}", finished.stdout());
}

#[test]
fn a_name_that_is_too_long_for_a_program_is_left_to_the_shell() {
    let app = App::new(&format!("web: {}\n", "x".repeat(90_000)));
    // Each entry of `PATH` with this name would make more than 8 MiB.
    let path = std::env::var("PATH").unwrap() + &":/missing".repeat(120);

    let finished = app.dyno(["start"]).env("PATH", path).run();

    assert!(matches!(finished.ended, Ended::Code(126 | 127)), "{:?}", finished.ended);
    assert_eq!(finished.stderr(), "");
    assert!(finished.stdout().contains("| started with pid PID"), "{}", &finished.stdout()[..200]);
}

#[test]
fn signals_that_dyno_ignores_are_not_ignored_in_a_dyno() {
    // `dyno` must get the statuses of its dynos even if its caller ignored SIGCHLD.
    let app = App::new("web: grep SigIgn /proc/self/status\n");
    let finished = app.dyno(["start"]).after("trap '' CHLD HUP PIPE USR1").run();
    finished.expect_end(Ended::Code(0));
    let stdout = finished.stdout();
    let ignored = stdout.lines().find_map(|line| line.split_once("SigIgn:\t")).unwrap().1;
    // Signals 32 and 33 belong to the C library and cannot be changed.
    assert_eq!(u64::from_str_radix(ignored, 16).unwrap() & !(0b11 << 31), 0, "{stdout}");
}
