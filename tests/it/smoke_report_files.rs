//! Where a smoke test writes its reports: into the log, into a directory that the command cleans, over an older report.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::harness::{App, Ended};
use crate::smoke::app;
use crate::smoke_reports::{quick, stable_stderr};

fn web() -> App {
    app("web: ./listen >/dev/null\n")
}

fn status(summary: &str) -> Value {
    serde_json::from_str::<Value>(summary).unwrap()["status"].clone()
}

#[test]
fn a_report_that_goes_to_the_log_is_appended() {
    let app = web();
    let log = app.path("ci.log");
    for redirected in ["exec >ci.log; echo earlier", "echo earlier >ci.log; exec >>ci.log"] {
        let finished = quick(&app, ["--json", "/dev/stdout", "--", "echo tested"]).after(redirected).run();

        finished.expect_end(Ended::Code(0));
        let text = fs::read_to_string(&log).unwrap();
        let summary = text.strip_prefix("earlier\ntested\n").unwrap_or_else(|| panic!("{text}"));
        assert_eq!(status(summary), 0);
    }
    let finished = quick(&app, ["--junit", "/dev/stderr"]).after("echo earlier >log; exec 2>>log").run();
    finished.expect_end(Ended::Code(0));
    let text = fs::read_to_string(app.path("log")).unwrap();
    assert!(text.starts_with("earlier\nports: "), "{text}");
    let (_, rest) = text.split_once("<?xml ").unwrap();
    assert_eq!(rest.split_once("</testsuites>\n").unwrap().1, "smoke passed: all dynos came up\n");
    // On a pipe, the report appears once, even if another report cannot be written.
    let finished = quick(&app, ["--json", "/dev/stdout", "--junit", "/dev/full"]).run();
    finished.expect_end(Ended::Code(74));
    assert_eq!(status(&finished.stdout()), 0);
}

#[test]
fn a_report_is_written_again_if_the_command_cleans_its_directory() {
    let app = web();
    fs::create_dir(app.path("build")).unwrap();
    let files = ["--junit", "build/smoke.xml", "--json", "build/smoke.json"];

    quick(&app, files).args(&["--", "rm -rf build; mkdir build"]).run().expect_end(Ended::Code(0));

    assert_eq!(status(&fs::read_to_string(app.path("build/smoke.json")).unwrap()), 0);
    assert!(fs::read_to_string(app.path("build/smoke.xml")).unwrap().ends_with("</testsuites>\n"));

    let finished = quick(&app, files).args(&["--", "rm -rf build"]).run();

    finished.expect_end(Ended::Code(74));
    let lost = |name| format!("cannot write the report `build/{name}`: No such file or directory\n");
    let stderr = stable_stderr(&finished);
    assert!(stderr.contains(&lost("smoke.xml")) && stderr.contains(&lost("smoke.json")), "{stderr}");
    assert!(stderr.ends_with("smoke failed: a report could not be written (status 74)\n"), "{stderr}");
}

#[test]
fn two_reports_cannot_share_a_file_but_both_can_be_dev_null() {
    let app = web();
    fs::write(app.path("x.xml"), "").unwrap();
    symlink("x.xml", app.path("link")).unwrap();
    let error = "error: `--junit` and `--json` must be different files\n\n\
                 hint: give each its own file, such as `--junit smoke.xml --json smoke.json`\n";

    for other in ["./x.xml", "link"] {
        quick(&app, ["--junit", "x.xml", "--json", other]).run().expect(Ended::Code(2), "", error);
    }
    quick(&app, ["--junit", "/dev/stdout", "--json", "/dev/stdout"]).run().expect(Ended::Code(2), "", error);
    quick(&app, ["--junit", "/dev/null", "--json", "/dev/null"]).run().expect_end(Ended::Code(0));
}

#[test]
fn if_nothing_starts_a_report_is_removed_but_a_link_is_kept() {
    let app = web();
    fs::write(app.path("real"), "older").unwrap();
    symlink("real", app.path("link")).unwrap();

    quick(&app, ["--junit", "link", "--json", "smoke.json", "-f", "nowhere"]).run().expect_end(Ended::Code(78));

    assert!(app.path("link").is_symlink() && !app.has("smoke.json"));
    assert_eq!(fs::read_to_string(app.path("real")).unwrap(), "");
}
