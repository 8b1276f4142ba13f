//! The reports of a smoke test (`--junit FILE`, `--json FILE`) and the last lines of the culprit, for readers of CI
//! results.
//!
//! Times are replaced; everything else is compared in full. How a renderer escapes arbitrary bytes is tested in
//! `src/reports`.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{App, Call, Ended, Finished};
use crate::smoke::{app, smoke};

const FILES: [&str; 4] = ["--junit", "smoke.xml", "--json", "smoke.json"];

/// A call of `dyno smoke` with `--settle 0`.
pub(crate) fn quick<const N: usize>(app: &App, args: [&str; N]) -> Call {
    smoke(app, &["--settle", "0"]).args(&args)
}

/// Stderr without the line of port numbers and without progress lines, which depend on the load.
pub(crate) fn stable_stderr(finished: &Finished) -> String {
    let stderr = finished.stderr();
    let is_left_out = |line: &str| line.starts_with("ports: ") || line.contains("| still waiting after ");
    stderr.split_inclusive('\n').filter(|line| !is_left_out(line)).collect()
}

fn read(app: &App, name: &str) -> String {
    fs::read_to_string(app.path(name)).unwrap()
}

/// The JUnit file with `T` for each time.
fn junit(app: &App) -> String {
    let text = read(app, "smoke.xml");
    let mut parts = text.split("time=\"");
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (time, rest) = part.split_once('"').unwrap();
        assert!(time.parse::<f64>().is_ok_and(|time| (0.0..60.0).contains(&time)), "{time}");
        out.extend(["time=\"T\"", rest]);
    }
    let (before, rest) = out.split_once("timestamp=\"").unwrap();
    let (stamp, rest) = rest.split_once('"').unwrap();
    assert_eq!(stamp.len(), "2025-09-16T02:55:24".len());
    format!("{before}timestamp=\"T\"{rest}")
}

/// The summary with `"T"` for each time that is not null.
fn summary(app: &App) -> Value {
    fn without_times(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    let is_time = key == "seconds" || key.ends_with("_seconds") || key == "started";
                    match (is_time, value) {
                        (true, Value::Null) => {}
                        (true, value) => *value = json!("T"),
                        (false, value) => without_times(value),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(without_times),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let text = read(app, "smoke.json");
    assert_eq!(text.lines().count(), 1);
    let mut value = serde_json::from_str(&text).unwrap();
    without_times(&mut value);
    value
}

#[test]
fn a_passed_smoke_test_is_reported_phase_by_phase_and_dyno_by_dyno() {
    let app = app("release: true\nweb: ./listen >/dev/null\nworker: exec sleep 1000\n");

    let finished = quick(&app, FILES).args(&["--", "test", "-n", "-x"]).run();

    finished.expect_end(Ended::Code(0));
    let case =
        |class: &str, name: &str| format!("    <testcase classname=\"smoke.{class}\" name=\"{name}\" time=\"T\"/>\n");
    let phases = ["release", "boot", "settle", "command", "stop"].map(|name| case("phase", name)).concat();
    let dynos = ["release.1", "web.1", "worker.1"].map(|name| case("dyno", name)).concat();
    assert_eq!(
        junit(&app),
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  \
             <testsuite name=\"dyno smoke\" package=\"dyno\" id=\"0\" timestamp=\"T\" hostname=\"localhost\" tests=\"8\" \
             failures=\"0\" errors=\"0\" time=\"T\">\n    <properties>\n      \
             <property name=\"status\" value=\"0\"/>\n      \
             <property name=\"reason\" value=\"the command exited with code 0\"/>\n      \
             <property name=\"command\" value=\"test -n -x\"/>\n    </properties>\n{phases}{dynos}    \
             <system-out/>\n    <system-err/>\n  </testsuite>\n</testsuites>\n"
        )
    );
    let phase =
        |name: &str| json!({"phase": name, "result": "passed", "start_seconds": "T", "seconds": "T", "why": null});
    let dyno =
        |name: &str| json!({"dyno": name, "result": "passed", "boot_seconds": "T", "ready_seconds": "T", "why": null});
    let phases = ["release", "boot", "settle", "command", "stop"].map(phase);
    let dynos = ["release.1", "web.1", "worker.1"].map(dyno);
    assert_eq!(
        summary(&app),
        json!({
            "version": 1,
            "passed": true,
            "status": 0,
            "reason": "the command exited with code 0",
            "culprit": null,
            "started": "T",
            "seconds": "T",
            "phases": phases,
            "dynos": dynos,
            "command": {"words": ["test", "-n", "-x"], "status": 0},
            "last_lines": [],
        })
    );
}

#[test]
fn a_dyno_that_exits_is_named_in_every_report_with_its_last_lines() {
    let app = app("web: echo booting; printf '\\033[31mred\\r\\376'; exit 3\n");

    let finished = quick(&app, FILES).args(&["--", "true"]).run();

    finished.expect_end(Ended::Code(3));
    assert_eq!(
        stable_stderr(&finished),
        "TIME web.1  | started with pid PID\nTIME web.1  | booting\nTIME web.1  | red\\r\u{fffd}\n\
         TIME web.1  | exited with code 3\n\
         last 2 lines of web.1:\nweb.1 | booting\nweb.1 | red\\r\u{fffd}\n\
         smoke failed: web.1 exited with code 3 while booting (status 3)\n"
    );
    let junit = junit(&app);
    let failure = "<failure message=\"exited with code 3 while booting\" type=\"dyno\">exited with code 3 while booting\n\n\
                   last 2 lines of web.1:\nweb.1 | booting\nweb.1 | red\\r\u{fffd}\n</failure>";
    assert!(junit.contains(failure) && junit.contains("failures=\"2\""), "{junit}");
    let summary = summary(&app);
    assert_eq!((&summary["status"], &summary["culprit"]), (&json!(3), &json!("web.1")));
    assert_eq!(summary["last_lines"], json!(["booting", "\u{1b}[31mred\r\u{fffd}"]));
    assert_eq!(summary["command"], json!({"words": ["true"], "status": null}));
}

#[test]
fn the_last_50_lines_of_the_culprit_are_repeated() {
    let app = app("release: i=0; while [ $i -lt 5000 ]; do i=$((i + 1)); echo line $i; done; exit 4\nweb: ./listen\n");

    let finished = quick(&app, []).run();

    finished.expect_end(Ended::Code(4));
    let lines: Vec<String> = (4951..=5000).map(|line| format!("release.1 | line {line}\n")).collect();
    let end = format!(
        "last 50 lines of release.1:\n{}smoke failed: release.1 exited with code 4 (status 4)\n",
        lines.concat()
    );
    let stderr = stable_stderr(&finished);
    assert!(stderr.ends_with(&end), "{}", &stderr[stderr.len().saturating_sub(2000)..]);
    assert_eq!(stderr.matches("release.1 | line 4950\n").count(), 1);
}

#[test]
fn control_characters_are_escaped_and_colours_need_color_always() {
    let app = app("web: printf 'a\\033[1;32mb\\033[2Jc\\007d\\177e\\tf\\n'; exit 3\n");

    let plain = quick(&app, []).run();
    let colored = quick(&app, ["--color", "always"]).run();

    let shown = stable_stderr(&plain);
    assert!(shown.contains("TIME web.1  | abc\\x07d\\x7fe\tf\n"), "{shown}");
    assert!(!shown.chars().any(|letter| letter.is_control() && letter != '\n' && letter != '\t'), "{shown:?}");
    assert!(
        stable_stderr(&colored).contains("\nweb.1 | a\u{1b}[1;32mbc\\x07d\\x7fe\tf\u{1b}[0m\n"),
        "{:?}",
        stable_stderr(&colored)
    );
}

#[test]
fn reports_output_and_status_are_the_same_every_time() {
    let procfiles = ["web: ./listen >/dev/null\nworker: exec sleep 1000\n", "web: echo no; exit 5\n"];
    for procfile in procfiles {
        let app = app(procfile);
        let all = || {
            let finished = quick(&app, FILES).args(&["--", "true"]).run();
            // The order in which dynos start and exit varies.
            let stderr = stable_stderr(&finished);
            let mut lines: Vec<String> = stderr.lines().map(str::to_owned).collect();
            lines.sort();
            (finished.ended, lines, stderr.lines().last().map(str::to_owned), junit(&app), summary(&app))
        };

        let first = all();
        for _ in 0..5 {
            assert_eq!(all(), first);
        }
    }
}

#[test]
fn a_report_that_cannot_be_written_is_an_error_before_anything_starts() {
    let app = app("release: touch started\nweb: ./listen\n").file("older.xml", "<old/>").fifo("fifo");
    fs::create_dir(app.path("directory")).unwrap();
    let nowhere = "create its directory first";
    let other = "name a file that you can write to";

    for (option, path, fact, hint) in [
        ("--junit", "no/smoke.xml", "No such file or directory", nowhere),
        ("--json", "no/smoke.json", "No such file or directory", nowhere),
        ("--json", "directory", "Is a directory", other),
        ("--json", "Procfile/x", "Not a directory", other),
        ("--json", "fifo", "No such device or address", other),
    ] {
        let error = format!("error: cannot write the report `{path}`: {fact}\n\nhint: {hint}\n");
        quick(&app, [option, path]).run().expect(Ended::Code(74), "", &error);
    }
    quick(&app, ["--junit", "new.xml", "--json", "no/x"]).run().expect_end(Ended::Code(74));
    quick(&app, ["--junit", "x", "--json", "x"]).run().expect(
        Ended::Code(2),
        "",
        "error: `--junit` and `--json` must be different files\n\n\
         hint: give each its own file, such as `--junit smoke.xml --json smoke.json`\n",
    );
    quick(&app, ["--junit", "older.xml", "-f", "nowhere"]).run().expect_end(Ended::Code(78));
    for name in ["started", "new.xml", "x", "older.xml"] {
        assert!(!app.has(name), "{name}");
    }
    assert!(app.has("fifo") && app.has("directory"));
}

#[test]
fn a_report_lost_at_the_end_changes_the_status_only_if_the_test_passed() {
    let app = app("web: ./listen >/dev/null\n");
    let files = ["--junit", "smoke.xml", "--json", "/dev/full"];

    let passed = quick(&app, files).run();
    let failed = quick(&app, files).args(&["--", "exit 9"]).run();

    let error = "error: cannot write the report `/dev/full`: No space left on device\n\n\
                 hint: name a file that you can write to\n";
    passed.expect_end(Ended::Code(74));
    let end = format!("{error}smoke failed: a report could not be written (status 74)\n");
    assert!(stable_stderr(&passed).ends_with(&end), "{}", stable_stderr(&passed));
    failed.expect_end(Ended::Code(9));
    let end = format!("{error}smoke failed: the command exited with code 9 (status 9)\n");
    assert!(stable_stderr(&failed).ends_with(&end), "{}", stable_stderr(&failed));
    assert!(junit(&app).contains("<property name=\"status\" value=\"9\"/>"));
    quick(&app, files).run().expect_end(Ended::Code(74));
    assert!(junit(&app).contains("<property name=\"status\" value=\"74\"/>"), "{}", junit(&app));
}

#[test]
fn a_stopped_smoke_test_writes_reports_and_a_killed_one_empties_old_ones() {
    let app = app("web: ./listen >/dev/null\n").fifo("never").file("smoke.json", "{\"passed\":true}");

    let stopped = quick(&app, FILES).args(&["--", "echo here; read -r _ <never"]).spawn();
    stopped.until_shown("here");
    stopped.signal(Signal::SIGTERM);
    stopped.finish().expect_end(Ended::Signal(Signal::SIGTERM));
    let summary = summary(&app);
    assert_eq!(
        (&summary["status"], &summary["passed"], &summary["culprit"]),
        (&json!(143), &json!(false), &Value::Null)
    );
    assert_eq!(summary["reason"], "stopped by SIGTERM while the command ran");

    let killed = quick(&app, FILES).args(&["--", "echo here; read -r _ <never"]).spawn();
    killed.until_shown("here");
    killed.signal(Signal::SIGKILL);
    killed.finish().expect_end(Ended::Signal(Signal::SIGKILL));
    assert_eq!((read(&app, "smoke.json"), read(&app, "smoke.xml")), (String::new(), String::new()));
}
