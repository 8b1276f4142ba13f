//! `dyno run` (S9): arguments, streams, status and environment of the command.

use nix::sys::signal::Signal;

use crate::harness::{App, Ended};

#[test]
fn s9_1_several_words_are_passed_on_without_expansion() {
    let app = App::new("web: true\n").file(".env", "A=1\n");

    let finished = app.dyno(["run", "printf", "%s|", "a b", "c\"d", "$A"]).run();

    finished.expect(Ended::Code(0), "a b|c\"d|$A|", "");
}

#[test]
fn s9_1_one_word_is_run_by_the_shell_with_the_config_vars() {
    let app = App::new("web: true\n").file(".env", "A=1\n");

    let finished = app.dyno(["run", "echo $A ${PORT:-none}; case $DYNO in run.[1-9]???) echo named;; esac"]).run();

    finished.expect(Ended::Code(0), "1 none\nnamed\n", "");
}

#[test]
fn s9_2_words_after_a_process_type_are_appended_to_its_command() {
    let app = App::new("greet: echo hello\n");

    app.dyno(["run", "greet", "dear reader"]).run().expect(Ended::Code(0), "hello dear reader\n", "");
}

#[test]
fn s13_1_an_unknown_option_before_the_command_is_a_usage_error() {
    let app = App::new("web: true\n");
    let refuses = |args: &[&str], hint: &str| {
        let finished = app.dyno(["run"]).args(args).run();

        finished.expect(Ended::Code(2), "", &format!("error: unknown option `{}`\n\nhint: {hint}\n", args[0]));
    };

    refuses(&["--porcfile", "P", "ls"], "did you mean `--procfile` or `--profile`?");
    refuses(&["--nope", "ls"], "`dyno help run` lists its options");
    refuses(&["-x"], "`-x` is an option of `dyno start`, `dyno smoke` and `dyno export`");
    // Options after the command belong to the command.
    app.dyno(["run", "printf", "%s|", "--nope", "-f", "--"]).run().expect(Ended::Code(0), "--nope|-f|--|", "");
}

#[test]
fn s1_6_a_command_that_begins_with_a_dash_is_not_an_option_of_the_shell() {
    let app = App::new("job: --foo; echo \"then $0\"\nlist: -e echo x\n");

    let finished = app.dyno(["run", "--", "--nope"]).run();
    let of_shell = |line: &str| {
        let output = std::process::Command::new("/bin/sh").args(["-c", "--", line]).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    finished.expect(Ended::Code(127), "", &of_shell("--nope"));
    app.dyno(["run", "job"]).run().expect(Ended::Code(0), "then /bin/sh\n", &of_shell("--foo"));
    let started = |job: &str, text: &[&str]| {
        let lines = text.iter().map(|line| format!("TIME {:6}{line}\n", format!("{job}.1")));
        lines.collect::<String>()
    };
    let (foo, e) = (of_shell("--foo"), of_shell("-e echo x"));
    let lines =
        [" | started with pid PID", &format!(" | {}", foo.trim_end()), " | then /bin/sh", " | exited with code 0"];
    app.dyno(["start", "job"]).run().expect(Ended::Code(0), &started("job", &lines), "");
    let not_found = " | command not found, see the line above";
    let lines = [" | started with pid PID", &format!(" | {}", e.trim_end()), " | exited with code 127", not_found];
    app.dyno(["start", "list"]).run().expect(Ended::Code(127), &started("list", &lines), "");
}

#[test]
fn s9_2_words_for_a_command_that_ends_in_a_comment_are_refused() {
    let app = App::new("greet: echo hello # politely\n");

    let stderr = "error: Procfile:1: cannot pass the arguments to `greet`: the command ends in a comment, which would \
                  swallow the arguments\n\nhint: move the comment to its own line\n";
    app.dyno(["run", "greet", "you"]).run().expect(Ended::Code(78), "", stderr);
}

#[test]
fn s9_1_a_quoted_process_type_gets_a_hint_to_leave_the_quotes_out() {
    let app = App::new("worker-x: echo w\n");

    for (line, meant) in
        [("worker-x 42", "worker-x 42"), ("worker-x --once", "worker-x --once"), ("worker-x ", "worker-x")]
    {
        app.dyno(["run", line]).run().expect(
            Ended::Code(127),
            "",
            &format!(
                "error: `worker-x` was not found\n\n\
                 hint: the shell runs a single quoted word; to run the process type, write `dyno run {meant}`\n"
            ),
        );
    }
}

#[test]
fn s9_3_run_ends_with_the_status_or_signal_of_the_command() {
    let app = App::new("web: true\n");

    app.dyno(["run", "exit 3"]).run().expect(Ended::Code(3), "", "");
    app.dyno(["run", "kill -KILL $$"]).run().expect(Ended::Signal(Signal::SIGKILL), "", "");
}

#[test]
fn s9_3_a_missing_program_is_127_and_a_non_executable_one_is_126() {
    let app = App::new("web: true\n").file("notes.txt", "");

    app.dyno(["run", "no-such-program"]).run().expect(
        Ended::Code(127),
        "",
        "error: `no-such-program` was not found\n\n\
         hint: it is neither a process type of the Procfile nor a program on `PATH`; a program of the app needs its path, such as `bin/rails`\n",
    );
    app.dyno(["run", "./notes.txt", "x"]).run().expect(
        Ended::Code(126),
        "",
        "error: `./notes.txt` is not executable\n\nhint: run `chmod +x ./notes.txt`\n",
    );
}

#[test]
fn options_after_the_command_belong_to_it() {
    let app = App::new("web: true\n");

    app.dyno(["run", "printf", "%s", "-e"]).run().expect(Ended::Code(0), "-e", "");
}

#[test]
fn a_command_has_default_signal_handling_and_an_empty_mask() {
    let app = App::new("web: true\n");

    let finished = app.dyno(["run", "grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"]).run();

    finished.expect_end(Ended::Code(0));
    // Only signals 1 to 31: the C library decides about the real-time signals.
    for line in finished.stdout().lines() {
        let (_, mask) = line.split_once('\t').unwrap();
        assert_eq!(u64::from_str_radix(mask, 16).unwrap() & 0x7fff_ffff, 0, "{line}");
    }
}
