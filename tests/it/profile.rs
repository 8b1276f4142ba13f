//! The profile of an app, sourced by a real bash (S3.3).

use std::process::{Command, Output};

use dynorun::app::launch;
use dynorun::model::{Environment, Shell};

use crate::app::App;

/// The line for bash.
fn line(command_line: &str) -> String {
    let launched = launch(command_line.as_bytes(), Shell::Bash, &Environment::default());
    String::from_utf8(launched.line().to_vec()).unwrap()
}

/// Sources the profile of an app and then runs a command line, in the root of the app.
fn run(app: &App, command_line: &str) -> Output {
    Command::new(Shell::Bash.path()).args(["-c", &line(command_line)]).current_dir(app.path("")).output().unwrap()
}

fn printed(app: &App, command_line: &str) -> String {
    let output = run(app, command_line);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn s3_3_scripts_are_sourced_in_the_order_of_their_names_then_the_profile() {
    let app = App::empty()
        .file(".profile.d/b.sh", "echo b; export FROM=b\n")
        .file(".profile.d/a.sh", "echo a; export FROM=a\n")
        .file(".profile.d/c.txt", "echo c\n")
        .file(".profile", "echo profile after $FROM; export FROM=profile\n");

    assert_eq!(printed(&app, "printenv FROM"), "a\nb\nprofile after b\nprofile\n");
    assert_eq!(printed(&app, "echo $FROM | cat; echo ${dyno_profile-none}"), "a\nb\nprofile after b\nprofile\nnone\n");
}

#[test]
fn without_a_profile_only_the_command_runs() {
    let app = App::empty();

    let output = run(&app, "printf '%s|' 'a b' 'c\"d'");

    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"a b|c\"d|"[..], &b""[..]));
}

#[test]
fn blanks_and_patterns_in_the_path_of_the_root_are_taken_literally() {
    let app = App::empty().file("a [b] *$c/.profile.d/x.sh", "echo inside\n").file("a b/.profile", "echo wrong\n");
    let output = Command::new(Shell::Bash.path())
        .args(["-c", &line("pwd -P")])
        .current_dir(app.path("a [b] *$c"))
        .output()
        .unwrap();

    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.starts_with("inside\n") && printed.ends_with("a [b] *$c\n"), "{printed}");
}

#[test]
fn an_error_in_a_script_is_shown_and_the_command_runs() {
    let app = App::empty()
        .file(".profile.d/1.sh", "no-such-command\n")
        .file(".profile.d/2.sh", "if then\n")
        .file(".profile.d/3.sh", "return 3\n")
        .file(".profile", "cd /\nfalse\n");

    let output = run(&app, "pwd");

    assert_eq!(String::from_utf8_lossy(&output.stdout), "/\n");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("1.sh: line 1: no-such-command: command not found"), "{stderr}");
    assert!(stderr.contains("2.sh: line 1: syntax error"), "{stderr}");
}

#[test]
fn a_script_that_changes_directory_does_not_break_the_next() {
    let app = App::empty().file(".profile.d/1.sh", "cd /\n").file(".profile.d/2.sh", "echo two\n");

    assert_eq!(printed(&app, "pwd"), "two\n/\n");
}

#[test]
fn a_script_that_exits_ends_the_dyno_with_its_status() {
    let app = App::empty().file(".profile", "echo closed; exit 4\n");

    let output = run(&app, "echo never");

    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(4), &b"closed\n"[..]));
}

#[test]
fn a_simple_command_replaces_bash() {
    let app = App::empty().file(".profile", "echo $$\n");

    let printed = printed(&app, "sh -c 'echo $$'");

    let pids: Vec<&str> = printed.lines().collect();
    assert_eq!(pids[0], pids[1]);
}

#[test]
fn the_profile_runs_even_if_the_command_has_a_syntax_error() {
    let app = App::empty().file(".profile", "echo profile\n");

    let output = run(&app, "echo 'open");

    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b"profile\n"[..]));
}
