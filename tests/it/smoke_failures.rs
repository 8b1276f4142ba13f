//! The ways in which a smoke test fails, each with its status and its stderr (S11).

use crate::harness::{Ended, Finished};
use crate::smoke::{app, smoke, stderr_by_dyno};

/// Long enough for `listen` to start and to be probed on a loaded machine, in seconds.
const TIMEOUT: &str = "6";

#[track_caller]
fn assert_fails(finished: &Finished, status: i32, lines: &[&str]) {
    let stderr = stderr_by_dyno(finished);
    let stderr: Vec<&str> = stderr.lines().collect();
    assert_eq!((finished.ended, finished.stdout().as_str(), stderr.as_slice()), (Ended::Code(status), "", lines));
    let last = finished.stderr().lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("smoke failed: ") && last.ends_with(&format!(" (status {status})")), "{last}");
}

/// Asserts that the smoke test fails because this web dyno is not up in time. `at_once`: a line reports the reason at
/// once, too.
#[track_caller]
fn assert_not_up(web: &str, http: &[&str], at_once: bool, why: &str) {
    let app = app(&format!("web: {web}\n"));

    let finished = smoke(&app, &[&["--timeout", TIMEOUT], http, &["--", "echo never"]].concat()).run();

    let notice = format!("web.1: not up within {TIMEOUT} seconds: it {why}");
    let reason = format!("smoke failed: not up within {TIMEOUT} seconds: web.1 {why} (status 75)");
    let first = format!("web.1: {why}; trying again");
    let begin = ["ports: web.1 PORT", "web.1: started with pid PID", "web.1: Listening on 0.0.0.0:PORT"];
    let at_once = if at_once { &[first.as_str()][..] } else { &[] };
    let end = [&notice, "web.1: terminated by SIGKILL", &reason];
    assert_fails(&finished, 75, &[&begin, at_once, &end].concat());
}

#[test]
fn a_web_dyno_that_answers_500_is_not_up() {
    assert_not_up("./listen 0.0.0.0 500", &["--http", "/"], true, "answers GET / with 500, not 200 to 399");
}

#[test]
fn a_web_dyno_that_answers_with_an_unexpected_status_is_not_up() {
    assert_not_up("./listen", &["--http", "/up=204"], true, "answers GET /up with 200, not 204");
}

#[test]
fn a_web_dyno_that_hangs_after_accept_is_not_up() {
    assert_not_up("./listen 0.0.0.0 mute", &["--http", "/"], false, "listens but does not answer GET /");
}

#[test]
fn a_web_dyno_that_answers_one_byte_a_second_is_not_up() {
    assert_not_up("./listen 0.0.0.0 drip", &["--http", "/"], false, "listens but does not answer GET /");
}

#[test]
fn a_web_dyno_that_closes_the_connection_is_not_up() {
    assert_not_up("./listen 0.0.0.0 close", &["--http", "/"], true, "closes the connection without answering GET /");
}

#[test]
fn a_web_dyno_that_does_not_speak_http_is_not_up() {
    assert_not_up("./listen 0.0.0.0 noise", &["--http", "/"], true, "answers GET / with something that is not HTTP");
}

#[test]
fn a_web_dyno_that_never_listens_is_killed_with_r10() {
    let finished = smoke(&app("web: exec sleep 1000\n"), &["--timeout", TIMEOUT, "--", "echo never"]).run();

    let lines = [
        "ports: web.1 PORT".to_owned(),
        "web.1: started with pid PID".to_owned(),
        format!(
            "web.1: Error R10 (Boot timeout) -> Web process failed to bind to $PORT within {TIMEOUT} seconds of launch"
        ),
        "web.1: terminated by SIGKILL".to_owned(),
        format!("smoke failed: not up within {TIMEOUT} seconds: web.1 does not listen on $PORT (PORT) (status 75)"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_fails(&finished, 75, &lines);
}

#[test]
fn a_web_dyno_that_listens_on_another_port_is_reported_with_that_port() {
    let finished = smoke(&app("web: PORT=0 exec ./listen\n"), &["--timeout", TIMEOUT]).run();

    finished.expect_end(Ended::Code(75));
    let stderr = stderr_by_dyno(&finished);
    let other = stderr.lines().find_map(|line| line.strip_prefix("web.1: Listening on 0.0.0.0:")).expect(&stderr);
    let reason = format!(
        "smoke failed: not up within {TIMEOUT} seconds: web.1 listens on port {other}, not on $PORT (PORT) (status 75)"
    );
    assert_eq!(stderr.lines().last(), Some(reason.as_str()));
}

#[test]
fn a_smoke_test_fails_if_only_one_of_two_web_dynos_is_up() {
    let app = app("web: case $DYNO in web.1) exec ./listen;; *) exec sleep 1000;; esac\n");

    let finished = smoke(&app, &["web=2", "--timeout", TIMEOUT, "--", "echo never"]).run();

    let lines = [
        "ports: web.1 PORT, web.2 PORT",
        "system: sending SIGTERM to all processes",
        "web.1: started with pid PID",
        "web.1: Listening on 0.0.0.0:PORT",
        "web.1: terminated by SIGTERM",
        "web.2: started with pid PID",
        "web.2: Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 6 seconds of launch",
        "web.2: terminated by SIGKILL",
        "smoke failed: not up within 6 seconds: web.2 does not listen on $PORT (PORT) (status 75)",
    ];
    assert_fails(&finished, 75, &lines);
}

/// Asserts that the smoke test fails because this web dyno exits while booting.
#[track_caller]
fn assert_exits_while_booting(web: &str, args: &[&str], status: i32, output: &[&str], how: &str, reason: &str) {
    let finished = smoke(&app(&format!("web: {web}\n")), &[args, &["--", "echo never"]].concat()).run();

    let first = ["ports: web.1 PORT", "web.1: started with pid PID"];
    let last = [format!("web.1: {how}"), format!("smoke failed: web.1 {reason} (status {status})")];
    assert_fails(&finished, status, &[&first, output, &last.each_ref().map(String::as_str)].concat());
}

#[test]
fn the_status_is_that_of_a_web_dyno_that_exits_while_booting() {
    assert_exits_while_booting(
        "echo no; exit 7",
        &[],
        7,
        &["web.1: no"],
        "exited with code 7",
        "exited with code 7 while booting",
    );
}

#[test]
fn the_status_is_1_if_a_web_dyno_exits_with_0_while_booting() {
    assert_exits_while_booting("true", &[], 1, &[], "exited with code 0", "exited with code 0 while booting");
}

#[test]
fn the_status_is_137_if_a_web_dyno_is_killed_while_booting() {
    assert_exits_while_booting(
        "kill -9 $$; :",
        &[],
        137,
        &[],
        "terminated by SIGKILL",
        "was terminated by SIGKILL while booting",
    );
}

#[test]
fn a_web_dyno_that_listens_and_then_exits_fails_the_test() {
    let output = ["web.1: Listening on 0.0.0.0:PORT"];
    let reason = "exited with code 3 while booting";
    assert_exits_while_booting("./listen 0.0.0.0 die", &["--http", "/"], 3, &output, "exited with code 3", reason);
}

#[test]
fn a_server_that_dies_fails_the_test_whether_it_was_seen_up_or_not() {
    for moment in ["", "read -r _ <go; "] {
        let web = format!("web: ./listen & pid=$!; {moment}kill -9 $pid; wait $pid; exit 3\n");
        let app = app(&web).fifo("go");
        let smoke = smoke(&app, &["--settle", "1000", "--json", "summary"]).spawn();

        if !moment.is_empty() {
            crate::smoke::until_logged(&smoke, "| Listening on ");
            app.release("go");
        }
        let finished = smoke.finish();

        let stderr = stderr_by_dyno(&finished);
        assert_eq!(finished.ended, Ended::Code(3), "{stderr}");
        assert_eq!(stderr.lines().last(), Some("smoke failed: web.1 exited with code 3 while booting (status 3)"));
        let summary = std::fs::read_to_string(app.path("summary")).unwrap();
        assert!(summary.contains(r#"{"phase":"settle","result":"not reached","#), "{summary}");
    }
}

#[test]
fn a_wrong_answer_of_one_of_two_ready_types_fails_the_test() {
    let app = app("web: ./listen\napi: exec ./listen 0.0.0.0 500\n");

    let finished = smoke(&app, &["--http", "/", "--ready", "web,api", "--timeout", TIMEOUT, "--", "echo never"]).run();

    finished.expect_end(Ended::Code(75));
    let reason = "smoke failed: not up within 6 seconds: api.1 answers GET / with 500, not 200 to 399 (status 75)";
    assert_eq!((stderr_by_dyno(&finished).lines().last(), finished.stdout().as_str()), (Some(reason), ""));
}

#[test]
fn a_worker_that_exits_while_settling_fails_the_test() {
    let app = app("worker: echo ready; read -r _ <go; exit 4\n").fifo("go");
    let smoke = smoke(&app, &["--settle", "60", "--", "echo never"]).spawn();

    crate::smoke::until_logged(&smoke, "| ready");
    app.release("go");

    let lines = [
        "ports: worker.1 PORT",
        "warning: no started process type is expected to listen: each is treated as up as soon as it starts",
        "hint: name the types that listen on `$PORT` with `--ready`",
        "worker.1: started with pid PID",
        "worker.1: ready",
        "worker.1: exited with code 4",
        "smoke failed: worker.1 exited with code 4 while booting (status 4)",
    ];
    assert_fails(&smoke.finish(), 4, &lines);
}

#[test]
fn a_web_dyno_that_dies_fails_the_test_even_if_the_command_exits_with_0() {
    let app = app("web: echo $$ >pid; exec ./listen\n").fifo("never");
    let command = "exec 2>/dev/null; trap 'exit 0' TERM; kill -9 $(cat pid); while :; do read -r _ <never; done";

    let finished = smoke(&app, &["--settle", "0", "--", command]).run();

    let lines = [
        "ports: web.1 PORT",
        "run.1: started with pid PID",
        "run.1: exited with code 0",
        "system: sending SIGTERM to all processes",
        "web.1: started with pid PID",
        "web.1: Listening on 0.0.0.0:PORT",
        "web.1: terminated by SIGKILL",
        "smoke failed: web.1 was terminated by SIGKILL while the command ran (status 137)",
    ];
    assert_fails(&finished, 137, &lines);
}

/// Asserts that the smoke test fails because this command fails.
#[track_caller]
fn assert_command_fails(command: &[&str], status: i32, output: &[&str], reason: &str) {
    let app = app("web: ./listen\n").file("script", "echo never\n");

    let finished = smoke(&app, &[&["--settle", "0", "--"], command].concat()).run();

    let reason = format!("smoke failed: the command {reason} (status {status})");
    let last = [
        "system: sending SIGTERM to all processes",
        "web.1: started with pid PID",
        "web.1: Listening on 0.0.0.0:PORT",
        "web.1: terminated by SIGTERM",
        &reason,
    ];
    assert_fails(&finished, status, &[&["ports: web.1 PORT", "run.1: started with pid PID"], output, &last].concat());
}

#[test]
fn the_status_is_that_of_the_command() {
    assert_command_fails(&["exit 3"], 3, &["run.1: exited with code 3"], "exited with code 3");
}

#[test]
fn the_status_is_127_if_the_command_is_not_found() {
    let output = ["run.1: exited with code 127", "run.1: command not found, see the line above"];
    let reason = "exited with code 127, the shell's status for a program that was not found";
    // Some shells write their message in several pieces, and log lines may come between them.
    assert_command_fails(&["no-such-command 2>/dev/null"], 127, &output, reason);
}

#[test]
fn the_status_is_126_if_the_command_is_not_executable() {
    let reason = "exited with code 126, the shell's status for a program that cannot be executed";
    let output = ["run.1: exited with code 126", "run.1: command cannot be executed, see the line above"];
    assert_command_fails(&["./script 2>/dev/null"], 126, &output, reason);
}

#[test]
fn s19_1_an_empty_command_is_a_usage_error() {
    for command in [&[][..], &[""], &["  "]] {
        let finished = smoke(&app("web: ./listen\n"), &[&["--"], command].concat()).run();

        let error = "error: the command after `--` is empty\n\n\
                     hint: a variable in the command may be empty; leave `--` out to run no command\n";
        finished.expect(Ended::Code(2), "", error);
    }
}

#[test]
fn the_status_is_137_if_the_command_is_killed() {
    let output = ["run.1: terminated by SIGKILL"];
    assert_command_fails(&["kill -9 $$; :"], 137, &output, "was terminated by SIGKILL");
}

#[test]
fn the_status_is_that_of_a_release_that_fails() {
    let app = app("release: echo no; exit 4\nweb: ./listen\n");

    let finished = smoke(&app, &["--", "echo never"]).run();

    let lines = [
        "ports: web.1 PORT",
        "release.1: started with pid PID",
        "release.1: no",
        "release.1: exited with code 4",
        "system: release v1 failed: its command exited with status 4; nothing was started",
        "smoke failed: release.1 exited with code 4 (status 4)",
    ];
    assert_fails(&finished, 4, &lines);
}

#[test]
fn the_status_is_75_if_a_release_hangs() {
    let app = app("release: echo migrating; read -r _ <never\nweb: ./listen\n").fifo("never");

    let finished = smoke(&app, &["--timeout", "3", "--", "echo never"]).run();

    let lines = [
        "ports: web.1 PORT",
        "release.1: started with pid PID",
        "release.1: migrating",
        "release.1: terminated by SIGTERM",
        "system: sending SIGTERM to all processes",
        "smoke failed: not up within 3 seconds: release.1 has not exited (status 75)",
    ];
    assert_fails(&finished, 75, &lines);
}
