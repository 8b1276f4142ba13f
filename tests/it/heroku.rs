//! `--heroku`: the log of an app is the same as on the platform.
//!
//! The files in `tests/data/heroku` have the expected logs, written by hand from real logs and the documentation of the
//! platform. Never generate them from the output of `dyno`. They differ from the platform only where `dyno` differs on
//! purpose, as docs/heroku.md lists: commands as written, `release.1`, no `Deploy 60a874b3` and no `Scaled to`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::app::free_port;
use crate::harness::{App, Ended};
use crate::smoke;

/// The timeouts of these tests, instead of the platform's 30 and 60 seconds.
const LIMIT: &str = "2";

/// The log with times and the user's name replaced by `TIME` and `USER`.
fn filtered(log: &[u8]) -> String {
    let log = String::from_utf8(log.to_vec()).unwrap();
    let mut lines = String::new();
    for line in log.lines() {
        let (time, rest) = line.split_once(' ').unwrap_or((line, ""));
        assert!(is_platform_time(time), "{line}");
        let rest = rest.split_once(" by user ").map_or(rest.to_owned(), |(what, _)| format!("{what} by user USER"));
        lines.extend(["TIME ", &rest, "\n"]);
    }
    lines
}

/// `2025-09-16T02:55:24.741657+00:00`.
fn is_platform_time(time: &str) -> bool {
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00.000000+00:00"
}

/// The offset of a line in the log.
#[track_caller]
fn offset(log: &str, line: &str) -> usize {
    assert!(log.contains(line), "`{line}` is missing in\n{log}");
    log.find(line).unwrap()
}

/// The lines of each dyno, and those of the API. Only lines of the same source have a fixed order, as on the platform.
fn by_dyno(log: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut lines: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in log.lines() {
        let name = line.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("", |(name, _)| name);
        lines.entry(name).or_default().push(line);
    }
    lines
}

/// The line of the API at the start of every log.
const CREATED: &str = "TIME app[api]: Release v1 created by user USER\n";

/// The lines of the app and the API, and those of the platform: only lines of the same source have a fixed order.
fn by_source(log: &str) -> [String; 2] {
    let (app, heroku): (Vec<&str>, Vec<&str>) =
        log.split_inclusive('\n').partition(|line| line.starts_with("TIME app["));
    [app.concat(), heroku.concat()]
}

#[track_caller]
fn assert_like_the_platform(name: &str, log: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/heroku").join(name);
    let expected = fs::read_to_string(path).unwrap();
    // `commands::policy` tests that the default limits are those of the platform.
    let limit = format!("within {LIMIT} seconds of");
    let expected = expected.replace("within 60 seconds of", &limit).replace("within 30 seconds of", &limit);
    let seen = filtered(log);
    assert_eq!(by_dyno(&seen), by_dyno(&expected), "seen:\n{seen}");
}

#[test]
fn a_deploy_a_crash_and_a_shutdown_are_logged_as_on_the_platform() {
    let app = smoke::app("release: ./migrate\nweb: ./serve --port $PORT\nworker: ./work\n")
        .script("migrate", "echo Migrating the database\n")
        .script("serve", "echo Booting the server\nexec ./listen >/dev/null\n")
        .script(
            "work",
            "if mkdir crashed 2>/dev/null; then\n\
             echo Working on job 1; read -r _ <go; echo Cannot reach the queue >&2; exit 1\n\
             fi\n\
             trap 'echo Job 2 is not finished yet' TERM\n\
             echo Working on job 2\n\
             while :; do sleep 1000 & wait; done\n",
        )
        .fifo("go");
    let dyno = app.dyno(["start", "--heroku", "-t", LIMIT, "-p"]).args(&[&free_port().to_string()]).spawn();

    dyno.until_shown("app[worker.1]: Working on job 1\n");
    dyno.until_shown("heroku[web.1]: State changed from starting to up\n");
    app.release("go");
    dyno.until_shown("app[worker.1]: Working on job 2\n");
    dyno.signal(Signal::SIGTERM);

    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGTERM));
    assert_eq!(String::from_utf8_lossy(&finished.stderr), "");
    assert_like_the_platform("deploy.log", &finished.stdout);
    let log = filtered(&finished.stdout);
    let phases = ["Running release v1", "from up to complete", "Release v1 created", "heroku[web.1]: Starting process"];
    assert!(phases.map(|line| offset(&log, line)).is_sorted(), "{log}");
}

#[test]
fn s6_5_a_web_dyno_that_never_listens_gets_r10_and_is_restarted() {
    let app = App::new("web: ./serve\n").script("serve", "echo Booting the server\nexec sleep 1000\n");

    let options = ["start", "--heroku", "--boot-timeout", LIMIT, "--max-restarts", "1", "-p"];
    let finished = app.dyno(options).args(&[&free_port().to_string()]).run();

    finished.expect_end(Ended::Code(137));
    // The platform never stops restarting a dyno, so the last line is in our own words.
    let log = String::from_utf8(finished.stdout).unwrap();
    let (before, last) = log.trim_end().rsplit_once('\n').unwrap();
    let given_up = " heroku[web.1]: crashed again after 1 restart: not restarted";
    assert_eq!(last.find(' ').map(|end| &last[end..]), Some(given_up), "{log}");
    assert_like_the_platform("boot-timeout.log", before.as_bytes());
}

/// A base port, which the router of `--heroku` gets, and the port of web.1 after it.
fn base_and_web() -> (String, String) {
    let base = free_port();
    (base.to_string(), (base + 100).to_string())
}

/// A server that ignores `$PORT` gets R10 and a line that names its port.
fn boot_timeout_of(serve: &str) {
    let app = smoke::app("web: ./serve\n").script("serve", serve);
    // The router has the base port.
    let (base, port) = base_and_web();

    let options = ["start", "--heroku", "--boot-timeout", LIMIT, "--max-restarts", "0", "-p", &base];
    let finished = app.dyno(options).run();

    finished.expect_end(Ended::Code(137));
    let log = filtered(&finished.stdout);
    let own_port =
        log.lines().find_map(|line| line.strip_prefix("TIME app[web.1]: Listening on 0.0.0.0:")).expect(&log);
    let lines = [
        "Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 2 seconds of launch\n".to_owned(),
        format!("TIME heroku[web.1]: listens on port {own_port}, not on $PORT ({port})\n"),
        "TIME heroku[web.1]: State changed from starting to crashed\n".to_owned(),
    ];
    assert!(lines.map(|line| offset(&log, &line)).is_sorted(), "{log}");
}

#[test]
fn s6_5_a_boot_timeout_names_the_port_that_the_server_listens_on_instead() {
    boot_timeout_of("PORT=0 exec ./listen\n");
}

#[test]
fn s6_5_a_boot_timeout_names_the_port_of_a_server_in_another_session() {
    boot_timeout_of("PORT=0 setsid ./listen &\nwait\n");
}

#[test]
fn s6_2_a_server_on_loopback_only_is_up_with_a_warning() {
    let app = smoke::app("web: ./listen 127.0.0.1\n");
    let (base, port) = base_and_web();
    let dyno = app.dyno(["start", "--heroku", "-p", &base]).spawn();

    dyno.until_shown("heroku[web.1]: listens on 127.0.0.1 only: on Heroku it must bind 0.0.0.0\n");

    dyno.signal(Signal::SIGINT);
    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGINT));
    let [from_app, from_heroku] = by_source(&filtered(&finished.stdout));
    assert_eq!(from_app, format!("{CREATED}TIME app[web.1]: Listening on 127.0.0.1:{port}\n"));
    let expected = "TIME heroku[web.1]: Starting process with command `./listen 127.0.0.1`\n\
                    TIME heroku[web.1]: State changed from starting to up\n\
                    TIME heroku[web.1]: listens on 127.0.0.1 only: on Heroku it must bind 0.0.0.0\n\
                    TIME heroku[web.1]: State changed from up to down\n\
                    TIME heroku[web.1]: Stopping all processes with SIGTERM\n\
                    TIME heroku[web.1]: Process exited with status 143\n";
    assert_eq!((from_heroku.as_str(), finished.stderr()), (expected, String::new()));
}

#[test]
fn s3_3_every_dyno_sources_the_profile_first() {
    let app = App::new("release: echo release has $FROM\nworker: echo worker has $FROM; exit 3\n")
        .file(".profile.d/from.sh", "export FROM=profile.d\n")
        .file(".profile", "echo reading with $FROM\n");

    let finished = app.dyno(["start", "--heroku", "--no-router", "--max-restarts", "0"]).run();

    finished.expect_end(Ended::Code(3));
    let log = filtered(&finished.stdout);
    for dyno in ["release", "worker"] {
        let lines =
            [format!("app[{dyno}.1]: reading with profile.d\n"), format!("app[{dyno}.1]: {dyno} has profile.d\n")];
        assert!(lines.map(|line| offset(&log, &line)).is_sorted(), "{log}");
    }
}

// There must be more dynos than the runtime reads in one turn.
#[test]
fn s7_5_the_notice_of_the_stop_signal_comes_before_the_reaction_to_it() {
    const DYNOS: usize = 150;
    let app = App::new(
        "worker: trap 'echo stopping; exit 0' TERM; echo ready; while :; do read -r _ <never; done 2>/dev/null\n",
    )
    .fifo("never");
    let formation = format!("worker={DYNOS}");
    let dyno = app.dyno(["start", "--heroku", "--no-router", "-m", &formation]).spawn();
    dyno.until("all are ready", || dyno.stdout.text().matches("]: ready\n").count() == DYNOS);

    dyno.signal(Signal::SIGTERM);

    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGTERM));
    let log = filtered(&finished.stdout);
    for index in 1..=DYNOS {
        let line = |source: &str, text: &str| format!("TIME {source}[worker.{index}]: {text}\n");
        let lines = [
            line("heroku", "Stopping all processes with SIGTERM"),
            line("app", "stopping"),
            line("heroku", "Process exited with status 0"),
        ];
        assert!(lines.map(|line| offset(&log, &line)).is_sorted(), "worker.{index}");
    }
}

#[test]
fn s7_3_the_heroku_log_format_changes_only_the_log() {
    let app = App::new("worker: echo up; exit 4\n").file(".profile", "echo never\n");

    let finished = app.dyno(["start", "--log-format", "heroku"]).run();

    finished.expect_end(Ended::Code(4));
    let seen = filtered(&finished.stdout);
    let expected = "TIME heroku[worker.1]: Starting process with command `echo up; exit 4`\n\
                    TIME heroku[worker.1]: State changed from starting to up\n\
                    TIME app[worker.1]: up\n\
                    TIME heroku[worker.1]: Process exited with status 4\n\
                    TIME heroku[worker.1]: State changed from up to crashed\n";
    let (api, rest): (Vec<&str>, Vec<&str>) = seen.split_inclusive('\n').partition(|line| line.contains("app[api]"));
    assert_eq!(rest.concat(), expected);
    assert_eq!(api, ["TIME app[api]: Release v1 created by user USER\n"]);
}

#[test]
fn s6_2_with_the_heroku_log_format_web_is_up_when_it_listens() {
    let app = smoke::app("web: echo not yet; read -r _ <go; exec ./listen 127.0.0.1\n").fifo("go");
    let port = free_port().to_string();
    let dyno = app.dyno(["start", "--log-format", "heroku", "-p", &port]).spawn();
    dyno.until_shown("app[web.1]: not yet\n");

    app.release("go");

    dyno.until_shown("heroku[web.1]: listens on 127.0.0.1 only: on Heroku it must bind 0.0.0.0\n");
    dyno.signal(Signal::SIGINT);
    let finished = dyno.finish();
    finished.expect_end(Ended::Signal(Signal::SIGINT));
    let log = filtered(&finished.stdout);
    let lines = ["app[web.1]: not yet\n", "heroku[web.1]: State changed from starting to up\n"];
    assert!(lines.map(|line| offset(&log, line)).is_sorted(), "{log}");
    let [from_app, from_heroku] = by_source(&log);
    assert_eq!(
        from_app,
        format!("{CREATED}TIME app[web.1]: not yet\nTIME app[web.1]: Listening on 127.0.0.1:{port}\n")
    );
    let expected = "TIME heroku[web.1]: Starting process with command \
                    `echo not yet; read -r _ <go; exec ./listen 127.0.0.1`\n\
                    TIME heroku[web.1]: State changed from starting to up\n\
                    TIME heroku[web.1]: listens on 127.0.0.1 only: on Heroku it must bind 0.0.0.0\n\
                    TIME heroku[web.1]: State changed from up to down\n\
                    TIME heroku[web.1]: Stopping all processes with SIGTERM\n\
                    TIME heroku[web.1]: Process exited with status 143\n";
    assert_eq!((from_heroku.as_str(), finished.stderr()), (expected, String::new()));
}

#[test]
fn s7_3_heroku_with_the_text_format_logs_text() {
    let app =
        App::new("worker: trap '' TERM; echo ready; while :; do read -r _ <never; done 2>/dev/null\n").fifo("never");
    let dyno = app.dyno(["start", "--heroku", "--no-router", "--log-format", "text", "-t", "0.2"]).spawn();
    dyno.until_shown("ready\n");

    dyno.signal(Signal::SIGTERM);

    let expected = [
        "started with pid PID",
        "ready",
        "Error R12 (Exit timeout) -> At least one process failed to exit within 0.2 seconds of SIGTERM",
        "terminated by SIGKILL",
    ];
    assert_eq!(dyno.finish().lines_of("worker.1"), expected);
}

#[test]
fn s6_6_an_exit_timeout_is_logged_only_with_heroku() {
    let app =
        App::new("worker: trap '' TERM; echo ready; while :; do read -r _ <never; done 2>/dev/null\n").fifo("never");
    let dyno = app.dyno(["start", "-t", "0.2"]).spawn();
    dyno.until_shown("ready\n");

    dyno.signal(Signal::SIGTERM);

    assert_eq!(dyno.finish().lines_of("worker.1"), ["started with pid PID", "ready", "terminated by SIGKILL"]);
}

#[test]
fn s3_3_the_profile_option_applies_to_start_and_run() {
    let app = App::new("web: echo $FROM $DYNO; exit 5\n").file(".profile", "export FROM=profile PATH=$PWD/bin:$PATH\n");
    let app = app.script("bin/tool", "echo tool of $FROM\n");

    let finished = app.dyno(["start", "--profile"]).run();
    finished.expect_end(Ended::Code(5));
    assert_eq!(finished.lines_of("web.1"), ["started with pid PID", "profile web.1", "exited with code 5"]);

    let in_profile = |option: &str| app.dyno(["run", option, "tool"]).run();
    in_profile("--profile").expect(Ended::Code(0), "tool of profile\n", "");
    in_profile("--heroku").expect(Ended::Code(0), "tool of profile\n", "");
    app.dyno(["run", "echo none${FROM}"]).run().expect(Ended::Code(0), "none\n", "");
}

#[test]
fn s3_3_an_error_in_the_profile_is_shown_and_an_exit_ends_the_dyno() {
    let app = App::new("worker: echo works; exit 3\n").file(".profile", "no-such-command\n");
    let start = |app: &App| app.dyno(["start", "--profile"]).run();

    let failing = start(&app);
    failing.expect_end(Ended::Code(3));
    let lines = failing.lines_of("worker.1");
    assert!(lines[1].ends_with(".profile: line 1: no-such-command: command not found"), "{lines:?}");
    assert_eq!(lines[2..], ["works", "exited with code 3"]);

    let exiting = start(&app.file(".profile", "echo closed; exit 6\n"));
    exiting.expect_end(Ended::Code(6));
    assert_eq!(exiting.lines_of("worker.1"), ["started with pid PID", "closed", "exited with code 6"]);
}

#[test]
fn options_without_effect_in_a_log_format_cause_warnings() {
    let app = App::new("web: true\n");

    let finished = app.dyno(["start", "--log-format", "json", "--no-timestamps", "--no-prefix"]).run();

    finished.expect_end(Ended::Code(0));
    let warning = |option: &str| {
        format!(
            "warning: `{option}` has no effect: lines of the log format `json` always have time and source\n\
             hint: leave it out, or add `--log-format text`\n"
        )
    };
    assert_eq!(finished.stderr(), warning("--no-timestamps") + &warning("--no-prefix"));
}

#[test]
fn s15_3_the_log_says_which_config_vars_were_set_and_by_whom() {
    let app = App::new("worker: exec sleep 1000\n").file(".env", "LEVEL=1\n");
    let running = app.dyno(["start", "--heroku", "-p", "auto"]).spawn();
    running.until_shown("State changed from starting to up");

    let set = app.dyno(["config:set", "API_KEY=secret"]).run();
    assert_eq!(set.stdout(), "Setting API_KEY and restarting worker... done, v2\n");
    fs::write(app.path(".env"), "LEVEL=2\n").unwrap();
    running.until_shown("Release v3 created");
    app.dyno(["stop"]).run().expect_end(Ended::Code(0));

    let log = filtered(&running.finish().stdout);
    let of_api: Vec<&str> = log.lines().filter_map(|line| line.strip_prefix("TIME app[api]: ")).collect();
    let expected = [
        "Release v1 created by user USER",
        "Set API_KEY config vars by user USER",
        "Release v2 created by user USER",
        "Set LEVEL, remove API_KEY config vars by user USER",
        "Release v3 created by user USER",
    ];
    assert_eq!(of_api, expected);
    assert!(!log.contains("secret"), "{log}");
}
