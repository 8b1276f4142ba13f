//! Options of `dyno smoke` that choose what to run and which answer to expect (S19.1, S19.4).

use crate::harness::{App, Ended};
use crate::smoke::{app, smoke, stderr_by_dyno};

/// An app without a Procfile.
fn without_procfile() -> App {
    let app = app("");
    std::fs::remove_file(app.path("Procfile")).unwrap();
    app
}

#[test]
fn s19_1_start_runs_a_command_as_web_without_a_procfile() {
    let app = without_procfile().file(".env", "NAME=x\n").file(".foreman", "formation: api=2\n");
    let args =
        ["--start", "echo for $NAME; exec ./listen", "--settle", "0", "--http", "/", "--", "echo $NAME on $PORT"];

    let finished = smoke(&app, &args).run();

    let lines = [
        "ports: web.1 PORT",
        "run.1: started with pid PID",
        "run.1: exited with code 0",
        "system: sending SIGTERM to all processes",
        "web.1: started with pid PID",
        "web.1: for x",
        "web.1: Listening on 0.0.0.0:PORT",
        "web.1: terminated by SIGTERM",
        "smoke passed: the command exited with code 0",
    ];
    assert_eq!(stderr_by_dyno(&finished).lines().collect::<Vec<_>>(), lines);
    finished.expect_end(Ended::Code(0));
    assert!(finished.stdout().starts_with("x on "), "{}", finished.stdout());
}

#[test]
fn s19_1_start_replaces_the_procfile_and_its_release_command() {
    let app = app("release: touch released\nweb: touch started\nworker: touch started\n");

    let finished = smoke(&app, &["--start", "./listen", "--settle", "0"]).run();

    finished.expect_end(Ended::Code(0));
    assert!(!app.has("released") && !app.has("started"), "{}", finished.stderr());
    assert!(!finished.stderr().contains("worker"), "{}", finished.stderr());
}

#[test]
fn s19_1_start_accepts_a_command_of_several_lines() {
    let finished = smoke(&without_procfile(), &["--start", "echo one\nexec ./listen\n", "--settle", "0"]).run();

    let lines = [
        "ports: web.1 PORT",
        "system: sending SIGTERM to all processes",
        "web.1: started with pid PID",
        "web.1: one",
        "web.1: Listening on 0.0.0.0:PORT",
        "web.1: terminated by SIGTERM",
        "smoke passed: all dynos came up",
    ];
    finished.expect_end(Ended::Code(0));
    assert_eq!(stderr_by_dyno(&finished).lines().collect::<Vec<_>>(), lines);
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let app = without_procfile().file("other", "web: touch started\n");
    let refused = |args: &[&str], fact: &str, hint: &str| {
        smoke(&app, args).run().expect(Ended::Code(2), "", &format!("error: {fact}\n\nhint: {hint}\n"));
        assert!(!app.has("started"));
    };
    let instead = |line: &str| format!("did you mean `dyno smoke --start 'touch started'` or `dyno smoke {line}`?");

    let types = "`--start` cannot be used with `TYPE[=N]`";
    refused(&["--start", "touch started", "web"], types, "did you mean `dyno smoke web`?");
    let file = "`--start` cannot be used with `--procfile`";
    refused(&["--start", "touch started", "-f", "other"], file, &instead("-f other"));
    let formation = "`--start` cannot be used with `--formation`";
    refused(&["--start", "touch started", "-m", "web=2"], formation, &instead("-m web=2"));
    let blank = "a variable in the command may be empty; write a command, such as `--start 'npm start'`";
    refused(&["--start", " "], "the command of `--start` is empty", blank);
    let unknown = ["--start", "touch started", "--can-die", "worker"];
    refused(&unknown, "`--can-die`: the Procfile has no process type `worker`", "it has `web`");

    let before = app.dyno(["-f", "other", "smoke", "--start", "touch started"]).run();
    let text = "error: `--start` cannot be used with `--procfile`\n\n\
                hint: leave out `-f`: `--start` replaces the Procfile\n";
    before.expect(Ended::Code(2), "", text);
}

#[test]
fn s19_4_an_equals_sign_in_a_query_is_not_a_status() {
    let app = app("web: ./listen\n");

    for args in [&["--http", "/ready?min=204"][..], &["--http", "/ready?min=5", "--http-status", "200-299"]] {
        smoke(&app, &[args, &["--settle", "0"]].concat()).run().expect_end(Ended::Code(0));
    }
    let other = ["--http", "/ready?min=5", "--http-status", "204", "--timeout", "6"];
    let finished = smoke(&app, &other).run();
    finished.expect_end(Ended::Code(75));
    let reason = "smoke failed: not up within 6 seconds: web.1 answers GET /ready?min=5 with 200, not 204 (status 75)";
    assert_eq!(stderr_by_dyno(&finished).lines().last(), Some(reason));
}

#[test]
fn s19_4_an_invalid_http_option_suggests_a_valid_one() {
    let app = app("web: touch started\n");
    for (args, fact, hint) in [
        (
            &["--http", "/health=4xx"][..],
            "`--http /health=4xx`: `4xx` is not a status",
            "write `--http /health=400-499`",
        ),
        (
            &["--http", "/up?a=b", "--http-status", "2xx"],
            "`--http-status 2xx`: `2xx` is not a status",
            "write `--http-status 200-299`",
        ),
        (
            &["--http", "/a=204", "--http-status", "204"],
            "`--http /a=204` and `--http-status` both specify a status",
            "leave one of them out",
        ),
        (
            &["--http", "http://localhost:3000/health"],
            "`--http http://localhost:3000/health`: expected a path that begins with `/`",
            "write `--http /health`",
        ),
        (
            &["--http", "/\u{1b}[31m"],
            "`--http /\\u{1b}[31m`: expected a path of visible ASCII characters",
            "write `--http /%1B[31m`",
        ),
    ] {
        let finished = smoke(&app, args).run();

        finished.expect(Ended::Code(2), "", &format!("error: {fact}\n\nhint: {hint}\n"));
        assert!(!app.has("started"));
    }
}

#[test]
fn s1_7_a_smoke_test_does_not_mention_procfile_dev() {
    let app = app("web: ./listen\n").file("Procfile.dev", "web: true\n");

    let finished = smoke(&app, &["--settle", "0"]).run();

    let lines = [
        "ports: web.1 PORT",
        "system: sending SIGTERM to all processes",
        "web.1: started with pid PID",
        "web.1: Listening on 0.0.0.0:PORT",
        "web.1: terminated by SIGTERM",
        "smoke passed: all dynos came up",
    ];
    finished.expect_end(Ended::Code(0));
    assert_eq!(
        (stderr_by_dyno(&finished).lines().collect::<Vec<_>>(), finished.stdout()),
        (lines.to_vec(), String::new())
    );
}

#[test]
fn s6_3_can_die_is_also_called_allow_exit_in_start_and_smoke() {
    let app = app("web: ./listen\nsetup: true\n");
    for name in ["--can-die", "--allow-exit"] {
        smoke(&app, &["--settle", "0", name, "setup", "--", "true"]).run().expect_end(Ended::Code(0));
        let alone = App::new("setup: true\nworker: exit 3\n");
        alone.dyno(["start", name, "setup"]).run().expect_end(Ended::Code(3));
    }
}
