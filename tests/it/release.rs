//! The release phase (S8.1, S8.2): it runs first, shows its output, and nothing else starts before it exits with 0.
//! `dyno release` runs it alone.

use nix::sys::signal::Signal;

use crate::harness::{App, Ended};

#[test]
fn s8_1_the_release_command_runs_before_the_formation_without_a_port() {
    let app = App::new("web: echo up on $PORT; exit 4\nrelease: echo \"$DYNO has ${PORT-no port}\"; echo migrated\n");

    let finished = app.dyno(["start", "-p", "6000"]).run();

    finished.expect(
        Ended::Code(4),
        "TIME release.1 | started with pid PID\n\
         TIME release.1 | release.1 has no port\n\
         TIME release.1 | migrated\n\
         TIME release.1 | exited with code 0\n\
         TIME web.1     | started with pid PID\n\
         TIME web.1     | up on 6000\n\
         TIME web.1     | exited with code 4\n",
        "",
    );
}

#[test]
fn s8_2_a_failed_release_is_reported_and_sets_the_exit_status() {
    for (end, notice, status) in [("exit 3", "exited with code 3", 3), ("kill -9 $$", "terminated by SIGKILL", 137)] {
        let app = App::new(&format!("release: echo migrating; {end}\nweb: touch started\n"));

        for command in ["start", "release"] {
            app.dyno([command]).run().expect(
                Ended::Code(status),
                &format!(
                    "TIME release.1 | started with pid PID\n\
                     TIME release.1 | migrating\n\
                     TIME release.1 | {notice}\n\
                     TIME system    | release v1 failed: its command exited with status {status}; nothing was started\n"
                ),
                "",
            );
            assert!(!app.has("started"));
        }
    }
}

#[test]
fn s8_2_no_release_skips_the_command_and_dyno_release_runs_it_alone() {
    let app = App::new("release: echo released\nweb: echo up\n").file(".env", "A=1\n");

    let skipped = app.dyno(["start", "--no-release", "--no-prefix"]).run();
    skipped.expect_end(Ended::Code(0));
    assert!(skipped.stdout().contains("up\n") && !skipped.stdout().contains("released"), "{}", skipped.stdout());

    app.dyno(["release"]).run().expect(
        Ended::Code(0),
        "TIME release.1 | started with pid PID\nTIME release.1 | released\nTIME release.1 | exited with code 0\n",
        "",
    );
}

#[test]
fn s8_2_dyno_release_reads_the_same_files_and_options_as_start() {
    let app = App::new("web: touch started\n")
        .file("Procfile.dev", "release: echo $A $B $FROM\n")
        .file("dev.env", "A=file\nB=file\n")
        .file(".profile", "export FROM=profile\n");

    let options = ["release", "-f", "Procfile.dev", "-e", "dev.env", "--set", "B=set", "--profile", "--log-dir", "log"];
    let finished = app.dyno(options).run();

    finished.expect_end(Ended::Code(0));
    assert_eq!(finished.lines_of("release.1"), ["started with pid PID", "file set profile", "exited with code 0"]);
    assert!(app.has("log/release.1.log"));
}

#[test]
fn dyno_release_without_a_release_command_is_an_error() {
    let app = App::new("web: touch started\n");

    let error = "error: the Procfile has no `release` command\n\nhint: add a line such as `release: ./migrate`\n";
    app.dyno(["release"]).run().expect(Ended::Code(78), "", error);
    assert!(!app.has("started"));
}

#[test]
fn a_release_command_that_is_not_found_ends_with_127_and_starts_nothing() {
    let app = App::new("release: no-such-command\nweb: touch started\n");

    let finished = app.dyno(["start"]).run();

    finished.expect_end(Ended::Code(127));
    let lines = finished.lines_of("release.1");
    assert_eq!(lines[2..], ["exited with code 127", "command not found, see the line above"]);
    assert!(!app.has("started"));
}

#[test]
fn s8_a_signal_ends_a_release_that_hangs() {
    for (command, signal) in [("start", Signal::SIGTERM), ("release", Signal::SIGINT)] {
        let app = App::new("release: echo hanging; exec sleep 1000\nweb: touch started\n");
        let dyno = app.dyno([command]).spawn();
        dyno.until_shown("hanging\n");

        dyno.signal(signal);

        let finished = dyno.finish();
        finished.expect_end(Ended::Signal(signal));
        assert_eq!(
            finished.stdout(),
            format!(
                "TIME release.1 | started with pid PID\n\
                 TIME release.1 | hanging\n\
                 TIME system    | {signal} received, starting shutdown\n\
                 TIME system    | sending SIGTERM to all processes\n\
                 TIME release.1 | terminated by SIGTERM\n"
            )
        );
        assert!(!app.has("started"));
    }
}

#[test]
fn s8_after_a_signal_nothing_starts_even_if_the_release_succeeds() {
    let app = App::new(
        "release: trap 'echo rolled back; exit 0' TERM; echo ready; while :; do read -r _ <never; done 2>/dev/null\n\
         web: touch started\n",
    )
    .fifo("never");
    let dyno = app.dyno(["start"]).spawn();
    dyno.until_shown("ready\n");

    dyno.signal(Signal::SIGTERM);

    let stdout = "TIME release.1 | started with pid PID\n\
                  TIME release.1 | ready\n\
                  TIME system    | SIGTERM received, starting shutdown\n\
                  TIME system    | sending SIGTERM to all processes\n\
                  TIME release.1 | rolled back\n\
                  TIME release.1 | exited with code 0\n";
    dyno.finish().expect(Ended::Signal(Signal::SIGTERM), stdout, "");
    assert!(!app.has("started"));
}

#[test]
fn s8_a_release_that_ignores_the_signal_is_killed_after_the_grace() {
    let app = App::new(
        "release: trap '' TERM; echo ready; while :; do read -r _ <never; done 2>/dev/null\nweb: touch started\n",
    )
    .fifo("never");
    let dyno = app.dyno(["release", "-t", "0.2"]).spawn();
    dyno.until_shown("ready\n");

    dyno.signal(Signal::SIGTERM);

    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGTERM));
    assert_eq!(finished.lines_of("release.1"), ["started with pid PID", "ready", "terminated by SIGKILL"]);
    assert!(!app.has("started"));
}

// S6.6: the release has ended when none of its processes is left: one of them may hold a port or a lock that the
// formation needs.
#[test]
fn processes_left_by_a_release_are_stopped_before_anything_else_starts() {
    let app = App::new("release: setsid ./daemon & read -r _ <begun; echo migrated\nweb: cat ended; exit 4\n")
        .script(
            "daemon",
            "exec 2>/dev/null\ntrap 'echo the daemon has ended >ended; exit 0' TERM\necho >begun\nread -r _ <never\n",
        )
        .fifo("begun")
        .fifo("never");

    let finished = app.dyno(["start"]).run();

    finished.expect_end(Ended::Code(4));
    assert_eq!(
        finished.lines_of("release.1"),
        ["started with pid PID", "migrated", "exited with code 0", "left daemon (pid PID) running; stopped it too"]
    );
    assert_eq!(finished.lines_of("web.1"), ["started with pid PID", "the daemon has ended", "exited with code 4"]);
}

#[test]
fn a_flood_of_release_output_is_shown_whole_before_the_formation() {
    const LINES: usize = 100_000;
    let app = App::new(&format!("release: seq 1 {LINES}\nweb: echo up; exit 4\n"));

    let finished = app.dyno(["start"]).run();

    finished.expect_end(Ended::Code(4));
    let mut expected = vec!["release.1 | started with pid PID".to_owned()];
    expected.extend((1..=LINES).map(|number| format!("release.1 | {number}")));
    expected.extend(
        [
            "release.1 | exited with code 0",
            "web.1     | started with pid PID",
            "web.1     | up",
            "web.1     | exited with code 4",
        ]
        .map(str::to_owned),
    );
    let stdout = finished.stdout();
    assert!(stdout.lines().map(|line| line.trim_start_matches("TIME ")).eq(expected.iter().map(String::as_str)));
}

// As on the platform, stdin is empty, so that a question fails instead of waiting forever. Stdout is a terminal or a
// pipe, like that of other dynos.
#[test]
fn a_release_that_asks_a_question_fails_at_once() {
    let app = App::new(
        "release: test -t 1 && echo shown on a terminal; echo Sure?; read -r answer || { echo no answer; exit 9; }\n\
         web: touch started\n",
    );

    for command in ["start", "release"] {
        let without = app.dyno([command]).run();
        without.expect_end(Ended::Code(9));
        assert_eq!(without.lines_of("release.1")[1..], ["Sure?", "no answer", "exited with code 9"]);

        let with = app.dyno([command, "--color", "never"]).spawn_in_terminal();
        let with = with.finish();
        with.expect_end(Ended::Code(9));
        let expected = ["shown on a terminal", "Sure?", "no answer", "exited with code 9"];
        assert_eq!(with.lines_of("release.1")[1..], expected, "{}", with.stdout());
    }
    assert!(!app.has("started"));
}

#[test]
fn dyno_run_release_lets_the_user_answer_a_question() {
    let app = App::new("release: test -t 0; read -r answer; echo migrated by $answer; exit 7\nweb: true\n");

    let dyno = app.dyno(["run", "release"]).spawn_in_terminal();
    dyno.terminal().type_keys(b"ada\n");

    let finished = dyno.finish();
    finished.expect_end(Ended::Code(7));
    assert!(finished.stdout().contains("migrated by ada"), "{}", finished.stdout());
}

#[test]
fn s4_5_quantity_0_skips_the_release_command() {
    let app = App::new("release: touch released\nweb: true\n");
    for (file, args) in [
        ("formation: all=1,release=0\n", &["start"][..]),
        ("concurrency: release=0\n", &["start"]),
        ("", &["start", "-c", "release=0"]),
        ("", &["start", "-m", "all=1,release=0"]),
        ("", &["start", "web", "release=0"]),
    ] {
        std::fs::write(app.path(".foreman"), file).unwrap();

        let finished = app.dyno([]).args(args).run();

        finished.expect_end(Ended::Code(0));
        assert!(!app.has("released"), "{file:?} {args:?}: {}", finished.stdout());
    }
    // `dyno release` ignores the quantity.
    std::fs::write(app.path(".foreman"), "formation: all=1,release=0\n").unwrap();
    app.dyno(["release"]).run().expect_end(Ended::Code(0));
    assert!(app.has("released"));
}
