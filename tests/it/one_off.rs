//! `dyno run` (S9): the command's own words, streams, status and environment.

use nix::sys::signal::Signal;

use crate::harness::{App, Ended};

#[test]
fn s9_1_several_words_are_kept_apart_and_nothing_in_them_is_expanded() {
    let app = App::new("web: true\n").file(".env", "A=1\n");

    let finished = app.dyno(["run", "printf", "%s|", "a b", "c\"d", "$A"]).run();

    finished.expect(Ended::Code(0), "a b|c\"d|$A|", "");
}

#[test]
fn s9_1_one_word_is_a_line_for_the_shell_with_the_environment_of_the_app() {
    let app = App::new("web: true\n").file(".env", "A=1\n");

    let finished = app.dyno(["run", "echo $A ${PORT:-none}; case $DYNO in run.[1-9]???) echo named;; esac"]).run();

    finished.expect(Ended::Code(0), "1 none\nnamed\n", "");
}

#[test]
fn s9_2_a_process_type_stands_for_its_command_and_takes_more_words() {
    let app = App::new("greet: echo hello\n");

    app.dyno(["run", "greet", "dear reader"]).run().expect(Ended::Code(0), "hello dear reader\n", "");
}

#[test]
fn s13_1_an_option_that_run_does_not_have_is_a_usage_error_and_not_the_shells() {
    let app = App::new("web: true\n");
    let refuses = |args: &[&str], tip: &str| {
        let finished = app.dyno(["run"]).args(args).run();

        let fact = format!("error: unexpected argument '{}' found\n\n{tip}", args[0]);
        let usage = "Usage: dyno run [OPTIONS] COMMAND [WORD…]\n\nFor more information, try '--help'.\n";
        finished.expect(Ended::Code(2), "", &(fact + usage));
    };

    refuses(&["--porcfile", "P", "ls"], "  tip: a similar argument exists: '--procfile'\n\n");
    refuses(&["--nope", "ls"], "");
    refuses(&["-x"], "");
    // Behind the command they are its own.
    app.dyno(["run", "printf", "%s|", "--nope", "-f", "--"]).run().expect(Ended::Code(0), "--nope|-f|--|", "");
}

#[test]
fn s1_6_a_command_that_begins_like_an_option_is_none_of_the_shell() {
    let app = App::new("job: --foo; echo \"then $0\"\nlist: -e echo x\n");

    let finished = app.dyno(["run", "--", "--nope"]).run();
    finished.expect_end(Ended::Code(127));
    assert!(finished.stderr().contains("--nope: ") && finished.stderr().contains("not found"), "{}", finished.stderr());
    let finished = app.dyno(["run", "job"]).run();
    finished.expect_end(Ended::Code(0));
    assert_eq!(finished.stdout(), "then /bin/sh\n");
    let started = app.dyno(["start", "job"]).run();
    started.expect_end(Ended::Code(0));
    assert!(started.lines_of("job.1").contains(&"then /bin/sh".to_owned()), "{}", started.stdout());
    app.dyno(["start", "list"]).run().expect_end(Ended::Code(127));
}

#[test]
fn s9_2_words_after_a_comment_are_refused_with_a_hint() {
    let app = App::new("greet: echo hello # politely\n");

    let finished = app.dyno(["run", "greet", "you"]).run();

    finished.expect_end(Ended::Code(78));
    assert!(finished.stderr().contains("hint: "), "{}", finished.stderr());
}

#[test]
fn s9_1_a_line_that_begins_with_a_process_type_says_how_the_type_is_run() {
    let app = App::new("worker-x: echo w\n");

    for (line, meant) in
        [("worker-x 42", "worker-x 42"), ("worker-x --once", "worker-x --once"), ("worker-x ", "worker-x")]
    {
        app.dyno(["run", line]).run().expect(
            Ended::Code(127),
            "",
            &format!(
                "error: `worker-x` was not found\n\n\
                 hint: one argument is a line for the shell; write `dyno run {meant}`\n"
            ),
        );
    }
}

#[test]
fn s9_3_status_and_death_by_a_signal_are_the_commands_own() {
    let app = App::new("web: true\n");

    app.dyno(["run", "exit 3"]).run().expect(Ended::Code(3), "", "");
    app.dyno(["run", "kill -KILL $$"]).run().expect(Ended::Signal(Signal::SIGKILL), "", "");
}

#[test]
fn s9_3_what_is_missing_is_127_and_what_is_no_program_126() {
    let app = App::new("web: true\n").file("notes.txt", "");

    app.dyno(["run", "no-such-program"]).run().expect(
        Ended::Code(127),
        "",
        "error: `no-such-program` was not found\n\n\
         hint: it is no process type of the Procfile, and no program of that name is in `PATH`\n",
    );
    app.dyno(["run", "./notes.txt", "x"]).run().expect(
        Ended::Code(126),
        "",
        "error: `./notes.txt` is not executable\n\nhint: `chmod +x ./notes.txt` makes it so\n",
    );
}

#[test]
fn options_after_the_command_belong_to_it() {
    let app = App::new("web: true\n");

    app.dyno(["run", "printf", "%s", "-e"]).run().expect(Ended::Code(0), "-e", "");
}

#[test]
fn a_command_has_default_signals_and_an_empty_mask() {
    let app = App::new("web: true\n");

    let finished = app.dyno(["run", "grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"]).run();

    finished.expect_end(Ended::Code(0));
    // Signals 1 to 31; what the caller ignores beyond them is the C library's own.
    for line in finished.stdout().lines() {
        let (_, mask) = line.split_once('\t').unwrap();
        assert_eq!(u64::from_str_radix(mask, 16).unwrap() & 0x7fff_ffff, 0, "{line}");
    }
}
