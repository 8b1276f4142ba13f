//! Progress lines of a smoke test (S19.5), and the hint for a type that exits.

use crate::harness::{Ended, Finished};
use crate::smoke::{app, full_stderr_by_dyno, smoke, stderr_by_dyno, until_logged};

/// Stderr without the progress lines after the first one: a machine that stalls shows more of them.
fn with_one_progress_line(finished: &Finished) -> Vec<String> {
    let text = full_stderr_by_dyno(finished);
    let is_later = |line: &&str| line.contains("still waiting after ") && !line.contains(" after 5 seconds");
    text.lines().filter(|line| !is_later(line)).map(str::to_owned).collect()
}

/// Asserts the log of a smoke test that waits for `go` until its first progress line. `lines`: those of the dynos.
#[track_caller]
fn assert_waits(procfile: &str, line: &str, lines: &[&str]) {
    let app = app(procfile).fifo("go");
    let smoke = smoke(&app, &["--settle", "0"]).spawn();

    until_logged(&smoke, "still waiting after 5 seconds: ");
    app.release("go");

    let finished = smoke.finish();
    finished.expect_end(Ended::Code(0));
    let progress = format!("system: still waiting after 5 seconds: {line}");
    let system = [progress.as_str(), "system: sending SIGTERM to all processes"];
    let (before, after) = lines.split_at(lines.iter().position(|line| line.starts_with("web.1")).unwrap());
    let expected = [&["ports: web.1 PORT"], before, &system, after, &["smoke passed: all dynos came up"]].concat();
    assert_eq!(with_one_progress_line(&finished), expected);
}

/// The lines of a web dyno that listens until it is stopped.
const WEB: [&str; 3] =
    ["web.1: started with pid PID", "web.1: Listening on 0.0.0.0:PORT", "web.1: terminated by SIGTERM"];

#[test]
fn s19_5_a_dyno_that_does_not_listen_is_named_after_5_seconds() {
    assert_waits("web: read -r _ <go; exec ./listen\n", "web.1 does not listen on $PORT (PORT)", &WEB);
}

#[test]
fn s19_5_a_release_command_is_named_after_5_seconds() {
    let release = ["release.1: started with pid PID", "release.1: exited with code 0"];
    let lines = [&release[..], &WEB].concat();
    assert_waits("release: read -r _ <go\nweb: ./listen\n", "release.1 has not exited", &lines);
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
    let line = format!("system: still waiting after 5 seconds: web.1 listens on port {other}, not on $PORT (PORT)");
    let system = [&line, "system: sending SIGTERM to all processes"];
    let expected = [&["ports: web.1 PORT"][..], &system, &WEB, &["smoke passed: all dynos came up"]].concat();
    assert_eq!(with_one_progress_line(&finished), expected);
}

#[test]
fn s19_5_a_wrong_answer_is_reported_at_once_and_only_once() {
    for status in ["404", "500"] {
        let web = format!("web: ./listen 0.0.0.0 {status} & read -r _ <go; kill $!; wait; exec ./listen\n");
        let app = app(&web).fifo("go");
        let smoke = smoke(&app, &["--http", "/up", "--settle", "0"]).spawn();

        let answer = format!("answers GET /up with {status}, not 200 to 399; trying again");
        until_logged(&smoke, &format!("{answer}\n"));
        app.release("go");

        let finished = smoke.finish();
        finished.expect_end(Ended::Code(0));
        let expected = [
            "ports: web.1 PORT",
            "system: sending SIGTERM to all processes",
            "web.1: started with pid PID",
            "web.1: Listening on 0.0.0.0:PORT",
            &format!("web.1: {answer}"),
            "web.1: Listening on 0.0.0.0:PORT",
            "web.1: terminated by SIGTERM",
            "smoke passed: all dynos came up",
        ];
        assert_eq!(stderr_by_dyno(&finished).lines().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_type_that_exits_with_0_gets_the_can_die_hint() {
    let app = app("web: read -r _ <never\nsetup: echo done\n").fifo("never");

    let finished = smoke(&app, &[]).run();

    finished.expect_end(Ended::Code(1));
    let stderr = finished.stderr();
    // Whether `web` had started by then depends on the machine.
    let (ports, rest) = stderr.split_once("TIME ").unwrap();
    let (log, end) = rest.rsplit_once("last line of ").unwrap();
    assert!(ports.starts_with("ports: web.1 ") && ports.lines().count() == 1, "{ports}");
    let setup: Vec<&str> = log.lines().filter_map(|line| line.split_once("setup.1 | ")).map(|(_, text)| text).collect();
    assert_eq!(setup, ["started with pid PID", "done", "exited with code 0"]);
    let expected = "setup.1:\nsetup.1 | done\nhint: if `setup` is meant to exit, add `--can-die setup`\n\
                    smoke failed: setup.1 exited with code 0 while booting (status 1)\n";
    assert_eq!(end, expected);
}

#[test]
fn a_failed_type_and_a_web_dyno_that_exits_get_no_can_die_hint() {
    let no_port = "warning: no started process type is expected to listen: each is treated as up as soon as it starts\n\
                   hint: name the types that listen on `$PORT` with `--ready`\n";
    let release = "system: release v1 failed: its command exited with status 3; nothing was started\n";
    for (procfile, before, name, code, after, end) in [
        ("setup: exit 3\n", no_port, "setup.1", 3, "", "exited with code 3 while booting (status 3)"),
        ("web: true\n", "", "web.1", 0, "", "exited with code 0 while booting (status 1)"),
        ("web: ./listen\nrelease: exit 3\n", "", "release.1", 3, release, "exited with code 3 (status 3)"),
    ] {
        let finished = smoke(&app(procfile), &[]).run();

        let log = format!(
            "{name}: started with pid PID\n{name}: exited with code {code}\n{after}smoke failed: {name} {end}\n"
        );
        let seen = stderr_by_dyno(&finished);
        let seen = seen.split_inclusive('\n').filter(|line| !line.starts_with("ports: "));
        assert_eq!(seen.collect::<String>(), format!("{before}{log}"), "{procfile}");
    }
}
