//! Smoke tests that pass, and the functions that the other tests of `dyno smoke` share (S6.2, S11).
//!
//! The order of lines of different dynos varies, so the tests compare stderr grouped by dyno. Port numbers, which
//! differ in every run, become `PORT`.

use std::fs::{DirBuilder, File};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::PathBuf;
use std::sync::OnceLock;

use dynorun::app::BLOCK_UNIT;
use nix::fcntl::{Flock, FlockArg};

use crate::app::{example, has_ipv6};
use crate::harness::{App, Call, Ended, Finished, Running};

/// An app with the web server `listen` of `examples`.
pub(crate) fn app(procfile: &str) -> App {
    let app = App::new(procfile);
    symlink(example("listen"), app.path("listen")).unwrap();
    app
}

/// A call of `dyno smoke`. All calls in all test runs of this user share a runtime directory, and with it the locks of
/// ports, so that no two of them get the same port.
pub(crate) fn smoke(app: &App, args: &[&str]) -> Call {
    static PORTS: OnceLock<Ports> = OnceLock::new();
    app.dyno(["smoke"]).args(args).env("XDG_RUNTIME_DIR", &PORTS.get_or_init(Ports::shared).directory)
}

/// A runtime directory in which the ports of other tests are locked: if a smoke test listened on one of them, `start`
/// would warn about it in those tests. The directory is not removed, because another test run may be about to lock a
/// file in it.
struct Ports {
    directory: PathBuf,
    _taken: Vec<Flock<File>>,
}

impl Ports {
    /// The default ports of `start`.
    const TAKEN: Range<u16> = 5_000..6_000;

    fn shared() -> Self {
        let directory = std::env::temp_dir().join(format!("dyno-it-ports-{}", nix::unistd::geteuid()));
        let locks = directory.join("dyno");
        DirBuilder::new().recursive(true).mode(0o700).create(&locks).unwrap();
        let take = |port: u16| {
            let file = locks.join(format!("ports-{port}"));
            let file = File::options().write(true).create(true).truncate(false).open(file).unwrap();
            Flock::lock(file, FlockArg::LockShared).unwrap()
        };
        let taken = Self::TAKEN.step_by(BLOCK_UNIT.into()).map(take).collect();
        Self { directory, _taken: taken }
    }
}

/// Waits until stderr contains this text.
pub(crate) fn until_logged(smoke: &Running, text: &str) {
    smoke.until(&format!("`{text}` is logged"), || smoke.stderr.text().contains(text));
}

/// The ports of a run, from its line `ports: ...`.
pub(crate) fn ports(stderr: &str) -> Vec<String> {
    let first = stderr.lines().find_map(|line| line.strip_prefix("ports: ")).unwrap_or_default();
    first.split(", ").filter_map(|item| item.split_once(' ')).map(|(_, port)| port.to_owned()).collect()
}

/// Stderr in a fixed order: the lines without a prefix, then the lines of each dyno, then the verdict. Left out are
/// messages of the shell about a command that it cannot run, because each shell words them differently; the last lines
/// of the culprit, because they repeat the log (see `smoke_reports`); and progress lines, because on a loaded machine
/// any smoke test may take 5 seconds (see `smoke_progress`).
pub(crate) fn stderr_by_dyno(finished: &Finished) -> String {
    let all = full_stderr_by_dyno(finished);
    all.split_inclusive('\n').filter(|line| !line.starts_with("system: still waiting after ")).collect()
}

/// The same with progress lines.
pub(crate) fn full_stderr_by_dyno(finished: &Finished) -> String {
    let mut text = finished.stderr();
    for port in ports(&text.clone()) {
        text = text.replace(&port, "PORT");
    }
    if let Some((log, (_, verdict))) =
        text.split_once("\nlast ").map(|(log, rest)| (log, rest.rsplit_once("\nsmoke ").unwrap()))
    {
        text = format!("{log}\nsmoke {verdict}");
    }
    let (mut before, mut after) = (String::new(), String::new());
    for line in text.lines().filter(|line| !line.starts_with("TIME ") && !line.starts_with("/bin/sh: ")) {
        let place = if line.starts_with("smoke ") { &mut after } else { &mut before };
        place.extend([line, "\n"]);
    }
    let log = Finished { ended: finished.ended, stdout: text.into_bytes(), stderr: Vec::new() };
    for (name, lines) in log.lines() {
        before.extend(lines.iter().map(|line| format!("{name}: {line}\n")));
    }
    before + &after
}

#[track_caller]
fn assert_output(finished: &Finished, ended: Ended, stdout: &str, lines: &[&str]) {
    let seen = stderr_by_dyno(finished);
    let seen: Vec<&str> = seen.lines().collect();
    assert_eq!((finished.ended, finished.stdout().as_str(), seen.as_slice()), (ended, stdout, lines));
    assert!(finished.stderr().lines().last().is_some_and(|line| line.starts_with("smoke ")), "{}", finished.stderr());
}

/// The lines of a web dyno that listens until it is stopped.
const WEB: [&str; 3] =
    ["web.1: started with pid PID", "web.1: Listening on 0.0.0.0:PORT", "web.1: terminated by SIGTERM"];
const STOPPING: &str = "system: sending SIGTERM to all processes";

fn passed(command: &[&'static str], reason: &'static str) -> Vec<&'static str> {
    [&["ports: web.1 PORT"][..], command, &[STOPPING], &WEB, &[reason]].concat()
}

#[test]
fn the_command_gets_the_address_of_web_1_and_the_stdout_of_dyno() {
    let app = app("web: ./listen\n").file(".env", "TOKEN=s3cret\n");
    let command = "echo $TOKEN $DYNO; test $BASE_URL = http://127.0.0.1:$PORT && test $WEB_PORT = $PORT && echo same; \
                   read -r line || echo end of input; tty";

    let finished = smoke(&app, &["--settle", "0", "--http", "/", "--", command]).run();

    let command = ["run.1: started with pid PID", "run.1: exited with code 1"];
    let reason = "smoke failed: the command exited with code 1 (status 1)";
    // `tty` fails without a terminal.
    let stdout = "s3cret run.1\nsame\nend of input\nnot a tty\n";
    assert_output(&finished, Ended::Code(1), stdout, &passed(&command, reason));
}

#[test]
fn stderr_of_the_command_has_no_prefix_and_its_port_is_that_of_web_1() {
    let app = app("web: ./listen >/dev/null\n");

    let finished = smoke(&app, &["web=2", "--settle", "0", "--", "echo $PORT $WEB_PORT $BASE_URL >&2"]).run();

    finished.expect_end(Ended::Code(0));
    let stderr = finished.stderr();
    let first = &ports(&stderr)[0];
    let line = format!("{first} {first} http://127.0.0.1:{first}");
    assert!(stderr.lines().any(|shown| shown == line), "{stderr}");
}

#[test]
fn without_a_command_a_smoke_test_passes_when_all_dynos_are_up() {
    let finished = smoke(&app("web: ./listen\n"), &["--settle", "0.1"]).run();

    let reason = "smoke passed: all dynos came up and stayed up for 0.1 seconds";
    assert_output(&finished, Ended::Code(0), "", &passed(&[], reason));
}

#[test]
fn s9_1_several_words_are_kept_apart() {
    let finished = smoke(&app("web: ./listen\n"), &["--settle", "0", "--", "printf", "%s|", "a b", "$PORT"]).run();

    let command = ["run.1: started with pid PID", "run.1: exited with code 0"];
    let expected = passed(&command, "smoke passed: the command exited with code 0");
    assert_output(&finished, Ended::Code(0), "a b|$PORT|", &expected);
}

#[test]
fn a_redirect_is_an_answer_and_is_not_followed() {
    let finished = smoke(&app("web: ./listen 0.0.0.0 302\n"), &["--settle", "0", "--http", "/"]).run();

    assert_output(&finished, Ended::Code(0), "", &passed(&[], "smoke passed: all dynos came up"));
}

#[test]
fn a_smoke_test_waits_for_a_web_dyno_that_listens_late() {
    let app = app("web: read -r _ <go; exec ./listen\n").fifo("go");
    let smoke = smoke(&app, &["--settle", "0", "--", "true"]).spawn();

    until_logged(&smoke, "web.1  | started");
    app.release("go");

    let command = ["run.1: started with pid PID", "run.1: exited with code 0"];
    let expected = passed(&command, "smoke passed: the command exited with code 0");
    assert_output(&smoke.finish(), Ended::Code(0), "", &expected);
}

#[test]
fn a_server_that_listens_on_ipv6_only_is_probed_too() {
    if !has_ipv6() {
        return;
    }
    let finished = smoke(&app("web: ./listen ::1\n"), &["--settle", "0", "--http", "/"]).run();

    finished.expect_end(Ended::Code(0));
}

#[test]
fn a_command_that_reads_stdin_gets_end_of_file_at_once() {
    let finished = smoke(&app("web: ./listen\n"), &["--settle", "0", "--", "read -r line; echo \"read: $?\""]).run();

    finished.expect_end(Ended::Code(0));
    assert_eq!(finished.stdout(), "read: 1\n");
}

#[test]
fn no_output_of_a_flooding_command_is_lost() {
    const LINES: usize = 200_000;
    let command = format!("i=0; while [ $i -lt {LINES} ]; do echo line $i; i=$((i+1)); done");

    let finished = smoke(&app("web: ./listen\n"), &["--settle", "0", "--", &command]).run();

    finished.expect_end(Ended::Code(0));
    let expected = (0..LINES).fold(String::new(), |text, i| text + "line " + &i.to_string() + "\n");
    assert!(finished.stdout == expected.as_bytes(), "{} bytes of {}", finished.stdout.len(), expected.len());
}

#[test]
fn a_daemon_of_the_command_is_gone_before_the_formation_is_stopped() {
    let app = app("web: ./listen\n").fifo("ready").fifo("never");
    let daemon = "setsid sh -c 'echo >ready; read -r _ <never' </dev/null >/dev/null 2>&1 & read -r _ <ready";
    let finished = smoke(&app, &["--settle", "0", "--", daemon]).run();

    let left = "run.1: left sh (pid PID) running; stopped it too";
    let command = ["run.1: started with pid PID", "run.1: exited with code 0", left];
    let expected = passed(&command, "smoke passed: the command exited with code 0");
    assert_output(&finished, Ended::Code(0), "", &expected);
}

#[test]
fn a_daemon_without_marks_is_gone_at_the_end_of_the_run() {
    let app = app("web: ./listen\n");
    let daemon = "setsid env -i sleep 1000 </dev/null >/dev/null 2>&1 & exit 0";
    let finished = smoke(&app, &["--settle", "0", "--", daemon]).run();

    // Whether `dyno` sees the daemon before its parent ends depends on the scheduler. In both cases the smoke test ends
    // soon.
    finished.expect_end(Ended::Code(0));
}

#[test]
fn s6_3_types_that_may_exit_do_not_fail_the_test() {
    let app = app("web: ./listen\njob: echo done\nflaky: exit 3\n");
    let args = ["--settle", "0.1", "--allow-exit", "job,flaky=any", "--", "echo tested"];

    let finished = smoke(&app, &args).run();

    finished.expect_end(Ended::Code(0));
    assert_eq!(finished.stdout(), "tested\n");
    assert!(
        stderr_by_dyno(&finished).contains("job.1: done\njob.1: exited with code 0\n"),
        "{}",
        stderr_by_dyno(&finished)
    );
}

#[test]
fn s7_7_log_dir_writes_the_log_to_files_too() {
    let app = app("web: ./listen\n");

    let finished = smoke(&app, &["--settle", "0", "--log-dir", "log", "--", "echo out"]).run();

    finished.expect_end(Ended::Code(0));
    let log = std::fs::read_to_string(app.path("log/web.1.log")).unwrap();
    assert!(log.contains("web.1  | Listening on "), "{log}");
    assert!(!std::fs::read_to_string(app.path("log/all.log")).unwrap().contains("out\n"));
}

#[test]
fn s7_2_a_smoke_test_shows_no_escape_sequences_without_color_always() {
    let app = app("web: ./listen\n");
    let shown = |args: &[&str]| {
        let smoke = smoke(&app, &[&["--settle", "0"], args].concat()).spawn_in_terminal();
        let finished = smoke.finish();
        finished.expect_end(Ended::Code(0));
        String::from_utf8(finished.stdout).unwrap()
    };

    let plain = shown(&[]);
    assert!(!plain.contains(|c: char| c.is_control() && c != '\n' && c != '\r'), "{plain:?}");
    assert!(plain.ends_with("smoke passed: all dynos came up\r\n"), "{plain:?}");
    assert!(shown(&["--color", "always"]).contains("\u{1b}["));
}

#[test]
fn the_output_of_a_smoke_test_is_the_same_every_time() {
    let app = app("release: echo migrated\nweb: ./listen\nworker: echo works; read -r _ <never\n").fifo("never");
    let once = || stderr_by_dyno(&smoke(&app, &["--settle", "0.2", "--http", "/", "--", "echo tested"]).run());

    let first = once();

    assert_eq!([once(), once()], [first.clone(), first]);
}

#[test]
fn mistaken_options_are_refused_before_anything_starts() {
    let app = app("worker: echo never\nweb: ./listen\n");
    let refused = |args: &[&str], fact: &str, hint: &str| {
        smoke(&app, args).run().expect(Ended::Code(2), "", &format!("error: {fact}\n\nhint: {hint}\n"));
    };
    let no_type = |option: &str, name: &str| format!("`{option}`: the Procfile has no process type `{name}`");

    refused(
        &["worker", "--http", "/"],
        "`--http` has nothing to probe: no started process type is expected to listen",
        "name the types that listen on `$PORT` with `--ready`",
    );
    for option in ["--allow-exit", "--can-die"] {
        refused(&[option, "wroker"], &no_type(option, "wroker"), "did you mean `worker`?");
    }
    for option in ["--quiet", "--ready"] {
        refused(&[option, "wbe"], &no_type(option, "wbe"), "did you mean `web`?");
    }
    refused(
        &["-t", "3"],
        "unknown option `-t`",
        "`-t` is an option of `dyno start`, `dyno logs`, `dyno restart` and 3 more",
    );
}
