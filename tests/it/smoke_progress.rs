//! Progress lines of a smoke test (S19.5), and the hint for a type that exits.

use crate::harness::Ended;
use crate::smoke::{app, full_stderr_by_dyno, smoke, until_logged};

/// Asserts the first progress line of a smoke test, and that the test then passes.
#[track_caller]
fn assert_waits(procfile: &str, http: &[&str], line: &str) {
    let app = app(procfile).fifo("go");
    let smoke = smoke(&app, &[http, &["--settle", "0"]].concat()).spawn();

    until_logged(&smoke, "still waiting after 5 seconds: ");
    app.release("go");

    let finished = smoke.finish();
    finished.expect_end(Ended::Code(0));
    let stderr = full_stderr_by_dyno(&finished);
    assert!(stderr.contains(&format!("system: still waiting after 5 seconds: {line}\n")), "{stderr}");
}

#[test]
fn s19_5_a_dyno_that_does_not_listen_is_named_after_5_seconds() {
    assert_waits("web: read -r _ <go; exec ./listen\n", &[], "web.1 does not listen on $PORT (PORT)");
}

#[test]
fn s19_5_a_release_command_is_named_after_5_seconds() {
    assert_waits("release: read -r _ <go\nweb: ./listen\n", &[], "release.1 has not exited");
}

#[test]
fn s19_5_the_line_names_the_port_on_which_the_dyno_listens_instead() {
    let app = app("web: p=$PORT; PORT=0 ./listen >log & read -r _ <go; kill $!; PORT=$p exec ./listen\n").fifo("go");
    let smoke = smoke(&app, &["--settle", "0"]).spawn();

    until_logged(&smoke, "still waiting after 5 seconds: ");
    let log = std::fs::read_to_string(app.path("log")).unwrap();
    app.release("go");

    let finished = smoke.finish();
    finished.expect_end(Ended::Code(0));
    let other = log.trim_end().rsplit_once(':').unwrap().1;
    let line = format!("system: still waiting after 5 seconds: web.1 listens on port {other}, not on $PORT (PORT)\n");
    assert!(full_stderr_by_dyno(&finished).contains(&line), "{}", full_stderr_by_dyno(&finished));
}

#[test]
fn s19_5_a_wrong_answer_is_reported_at_once_and_only_once() {
    let app = app("web: ./listen 0.0.0.0 404 & read -r _ <go; kill $!; wait; exec ./listen\n").fifo("go");
    let smoke = smoke(&app, &["--http", "/up", "--settle", "0"]).spawn();

    until_logged(&smoke, "answers GET /up with 404, not 200 to 399; trying again\n");
    app.release("go");

    let finished = smoke.finish();
    finished.expect_end(Ended::Code(0));
    let stderr = full_stderr_by_dyno(&finished);
    assert_eq!(stderr.matches("trying again").count(), 1, "{stderr}");
    assert!(stderr.contains("web.1: answers GET /up with 404, not 200 to 399; trying again\n"), "{stderr}");
}

#[test]
fn a_type_that_exits_with_0_gets_the_can_die_hint() {
    let app = app("web: read -r _ <never\nsetup: echo done\n").fifo("never");

    let finished = smoke(&app, &[]).run();

    finished.expect_end(Ended::Code(1));
    let end = "last line of setup.1:\nsetup.1 | done\nhint: if `setup` is meant to exit, add `--can-die setup`\n\
               smoke failed: setup.1 exited with code 0 while booting (status 1)\n";
    assert!(finished.stderr().ends_with(end), "{}", finished.stderr());
}

#[test]
fn a_failed_type_and_a_web_dyno_that_exits_get_no_can_die_hint() {
    for procfile in ["setup: exit 3\n", "web: true\n", "web: ./listen\nrelease: exit 3\n"] {
        let finished = smoke(&app(procfile), &[]).run();

        assert!(!finished.stderr().contains("--can-die"), "{}", finished.stderr());
    }
}
