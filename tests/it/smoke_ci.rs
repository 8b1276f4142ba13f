//! `dyno smoke` on GitHub Actions, the examples in `examples/ci`, and the claims of `docs/ci.md` about both.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::binary;
use crate::harness::{App, Call, Ended};
use crate::smoke::app;
use crate::smoke_reports::{quick, stable_stderr};

const CI: &str = include_str!("../../docs/ci.md");
const SCRIPT: &str = include_str!("../../examples/ci/smoke.sh");
const WORKFLOW: &str = include_str!("../../examples/ci/smoke.yml");

#[test]
fn on_github_each_phase_is_a_group_of_the_log() {
    let app = app("release: echo migrated\nweb: ./listen >/dev/null\n");

    let finished = quick(&app, ["--", "echo tested"]).env("GITHUB_ACTIONS", "true").run();

    finished.expect_end(Ended::Code(0));
    assert_eq!(finished.stdout(), "tested\n");
    assert_eq!(
        stable_stderr(&finished),
        "::group::smoke: release\nTIME release.1 | started with pid PID\nTIME release.1 | migrated\n\
         TIME release.1 | exited with code 0\n::endgroup::\n\
         ::group::smoke: boot\nTIME web.1     | started with pid PID\n::endgroup::\n\
         ::group::smoke: settle\n::endgroup::\n\
         ::group::smoke: command\nTIME run.1     | started with pid PID\nTIME run.1     | exited with code 0\n::endgroup::\n\
         ::group::smoke: stop\nTIME system    | sending SIGTERM to all processes\n\
         TIME web.1     | terminated by SIGTERM\n::endgroup::\n\
         smoke passed: the command exited with code 0\n"
    );
}

#[test]
fn on_github_an_annotation_names_the_dyno_and_the_reason() {
    let app = app("web: echo no; exit 3\n");

    let finished = quick(&app, []).env("GITHUB_ACTIONS", "true").run();

    finished.expect_end(Ended::Code(3));
    assert_eq!(
        stable_stderr(&finished),
        "::group::smoke: boot\nTIME web.1  | started with pid PID\nTIME web.1  | no\nTIME web.1  | exited with code 3\n\
         ::endgroup::\n::group::smoke: stop\n::endgroup::\n\
         last line of web.1:\nweb.1 | no\nsmoke failed: web.1 exited with code 3 while booting (status 3)\n\
         ::error title=smoke failed%3A web.1::web.1 exited with code 3 while booting (status 3)\n"
    );
    let elsewhere = quick(&app, []).env("GITHUB_ACTIONS", "false").run();
    assert!(!stable_stderr(&elsewhere).contains("::"), "{}", stable_stderr(&elsewhere));
}

#[test]
fn on_github_an_error_before_anything_starts_is_an_annotation_too() {
    let app = app("web: ./listen\n");

    for (args, status, text) in [
        (&["-f", "nowhere"][..], 78, "nowhere does not exist (status 78)"),
        (&["wep"], 2, "the Procfile has no process type `wep` (status 2)"),
        (&["--json", "no/x"], 74, "cannot write the report `no/x`: No such file or directory (status 74)"),
    ] {
        let finished = quick(&app, []).args(args).env("GITHUB_ACTIONS", "true").run();

        finished.expect_end(Ended::Code(status));
        let annotation = format!("::error title=smoke failed::{text}\n");
        assert_eq!(stable_stderr(&finished).matches(&annotation).count(), 1, "{}", stable_stderr(&finished));
        assert!(!stable_stderr(&quick(&app, []).args(args).run()).contains("::error"));
    }
}

#[test]
fn on_github_the_notice_of_a_failed_release_is_in_its_group() {
    let app = app("release: exit 4\nweb: ./listen\n");

    let finished = quick(&app, []).env("GITHUB_ACTIONS", "true").run();

    let stderr = stable_stderr(&finished);
    let (group, _) = stderr.split_once("::endgroup::").unwrap();
    assert!(group.contains("system    | release v1 failed: "), "{stderr}");
}

#[test]
fn on_github_the_dyno_that_is_not_up_in_time_is_named_in_its_group() {
    let app = app("web: exec sleep 1000\n");

    let finished = quick(&app, ["web=2", "--timeout", "1"]).env("GITHUB_ACTIONS", "true").run();

    finished.expect_end(Ended::Code(75));
    let stderr = stable_stderr(&finished);
    let (group, stop) = stderr.split_once("::endgroup::\n::group::smoke: stop\n").unwrap();
    let last = group.lines().last().unwrap();
    // Either dyno may be the one that is reported.
    assert!(last.starts_with("TIME web.") && last.contains("within 1 second"), "{stderr}");
    assert!(stop.contains("TIME system | sending SIGTERM to all processes\n"), "{stderr}");
}

/// The lines that the runner treats as commands: with `::` at the start, also after a bare CR, or `##[` anywhere.
fn commands(log: &str) -> Vec<&str> {
    let lines = log.split(['\n', '\r']);
    lines.filter(|line| line.trim_start().starts_with("::") || line.contains("##[")).collect()
}

#[test]
fn a_dyno_cannot_command_the_runner_but_the_test_command_can() {
    let attack = "printf '::add-mask::a\\n  ::stop-commands::x\\nb\\r::error::c\\n##[add-mask]d\\n\\r\\n##[group]e'";
    for options in [&[][..], &["--no-prefix"], &["--log-format", "json"], &["--log-format", "heroku"]] {
        let app = app(&format!("web: {attack}; exit 3\n"));

        let finished = quick(&app, []).args(options).env("GITHUB_ACTIONS", "true").run();

        let stderr = stable_stderr(&finished);
        let annotation = "::error title=smoke failed%3A web.1::web.1 exited with code 3 while booting (status 3)";
        let expected = ["::group::smoke: boot", "::endgroup::", "::group::smoke: stop", "::endgroup::", annotation];
        assert_eq!(commands(&stderr), expected, "{options:?}: {stderr}");
        assert!(stderr.contains("add-mask"), "{stderr}");
    }
    let app = app("web: ./listen >/dev/null\n");
    let finished = quick(&app, ["--", "echo ::error::mine"]).env("GITHUB_ACTIONS", "true").run();
    assert_eq!(finished.stdout(), "::error::mine\n");
}

/// An app with an `npm` that prints its arguments and the `BASE_URL` without its port, and exits with `status`.
fn app_with_npm(procfile: &str, status: u8) -> App {
    let npm = format!("echo npm \"$@\" at ${{BASE_URL%:*}}\nexit {status}\n");
    app(procfile).script("bin/npm", &npm)
}

/// A call of `/bin/sh` with these arguments; `dyno` and the `npm` of the app are on its `PATH`.
fn shell(app: &App, words: &[&str]) -> Call {
    let binaries = binary::directory();
    let path = format!("{}:{}:{}", app.path("bin").display(), binaries.display(), std::env::var("PATH").unwrap());
    app.dyno([]).program(Path::new("/bin/sh")).args(words).env("PATH", path).env("XDG_RUNTIME_DIR", "")
}

/// The cells of the table in `docs/ci.md` that follows this text or has it in its header.
fn table(before: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = CI.split_once(before).unwrap();
    let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let rows = rows.map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").collect()).collect()
}

#[test]
fn every_replacement_in_the_ci_page_works() {
    let rows = table("\n## Instead of\n");
    let replaced: Vec<&str> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    assert!(
        replaced[0].starts_with("start-server-and-test ")
            && replaced[1].contains("wait-on")
            && replaced[2].contains("sleep")
    );
    assert_eq!(rows.len(), 3);

    for row in &rows {
        let line = row[1].trim_matches('`');
        let runs_tests = line.ends_with("-- npm test");
        let good = app_with_npm("web: ./listen\n", 0);
        let red = app_with_npm("web: ./listen\n", 7);
        let crashing = app_with_npm("web: exit 9\n", 0);

        let passed = shell(&good, &["-c", line]).run();
        let failed = shell(&red, &["-c", line]).run();
        let crashed = shell(&crashing, &["-c", line]).run();

        assert_eq!(passed.stdout(), if runs_tests { "npm test at http://127.0.0.1\n" } else { "" }, "{line}");
        passed.expect_end(Ended::Code(0));
        failed.expect_end(Ended::Code(if runs_tests { 7 } else { 0 }));
        crashed.expect_end(Ended::Code(9));
    }
    let failing = app_with_npm("web: ./listen 0.0.0.0 500\n", 0);
    let probing = rows.iter().map(|row| row[1].trim_matches('`')).filter(|line| line.contains("--http"));
    for line in probing {
        shell(&failing, &["-c", &line.replace("smoke", "smoke --timeout 1")]).run().expect_end(Ended::Code(75));
    }
}

#[test]
fn the_ci_page_names_each_field_of_the_summary() {
    let app = app("web: ./listen\n");
    quick(&app, ["--json", "smoke.json", "--", "true"]).run().expect_end(Ended::Code(0));
    let summary: Value = serde_json::from_slice(&fs::read(app.path("smoke.json")).unwrap()).unwrap();

    let rows = table("\n| field of the JSON summary |");
    let named = rows.iter().flat_map(|row| row[0].split(", ")).map(|name| name.trim_matches('`'));
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut named: Vec<&str> = named.collect();
    named.sort_unstable();
    let mut fields = keys(&summary);
    fields.sort_unstable();
    assert_eq!(named, fields);
    for (field, each) in [("phases", "Each phase has"), ("dynos", "Each dyno has")] {
        let (_, listed) = CI.split_once(each).unwrap();
        let inner = keys(&summary[field][0]);
        assert!(inner.iter().all(|key| listed.contains(&format!("`{key}`"))), "{field}: {inner:?}");
    }
}

#[test]
fn the_shell_script_writes_the_reports_that_a_ci_service_collects() {
    let app = app_with_npm("web: ./listen\nworker: exec sleep 1000\n", 3).file("smoke.sh", SCRIPT);

    shell(&app, &["smoke.sh"]).run().expect_end(Ended::Code(0));
    let finished = shell(&app, &["smoke.sh", "npm", "test", "-v"]).env("REPORTS", "out/of").env("HEALTH", "/up").run();

    finished.expect_end(Ended::Code(3));
    assert_eq!(finished.stdout(), "npm test -v at http://127.0.0.1\n");
    for folder in ["smoke-reports", "out/of"] {
        for name in ["smoke.xml", "smoke.json", "log/all.log", "log/web.1.log", "log/worker.1.log"] {
            assert!(app.has(&format!("{folder}/{name}")), "{folder}/{name}");
        }
    }
}

/// The line of the workflow that runs the smoke test, and the files that it keeps.
fn workflow() -> (&'static str, Vec<&'static str>) {
    let (_, step) = WORKFLOW.split_once("- name: Smoke test\n").unwrap();
    let line = step.lines().find_map(|line| line.trim().strip_prefix("run: ")).unwrap();
    let (_, kept) = WORKFLOW.split_once("path: |\n").unwrap();
    (line, kept.lines().map(str::trim).collect())
}

/// The first block of YAML below this heading of `docs/ci.md`.
fn yaml_below(heading: &str) -> &'static str {
    let (_, section) = CI.split_once(&format!("\n## {heading}\n\n")).unwrap();
    section.strip_prefix("```yaml\n").unwrap().split_once("```\n").unwrap().0
}

/// Runs a line as this CI service would, for an app that passes and for one that crashes, and checks that every file
/// that the service keeps was written.
#[track_caller]
fn runs_in_ci(line: &str, service: &str, kept: &[&str], crash: &str) {
    for (procfile, status, stdout, last) in [
        ("web: ./listen\n", 0, "npm test at http://127.0.0.1\n", "smoke passed: the command exited with code 0"),
        ("web: exit 8\n", 8, "", crash),
    ] {
        let app = app_with_npm(procfile, 0);
        // CI services run the line in bash and stop at the first error. For this line, `sh -e` does the same.
        let finished = shell(&app, &["-e", "-c", line]).env(service, "true").env("CI", "true").run();

        finished.expect_end(Ended::Code(status));
        assert_eq!((finished.stdout().as_str(), stable_stderr(&finished).lines().last()), (stdout, Some(last)));
        let missing: Vec<_> = kept.iter().filter(|name| !app.has(name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}

const CRASH_ON_GITHUB: &str = "::error title=smoke failed%3A web.1::web.1 exited with code 8 while booting (status 8)";

#[test]
fn the_workflow_runs_unchanged_and_writes_all_files_that_it_keeps() {
    let (line, kept) = workflow();
    assert_eq!(kept.len(), 3);
    assert!(!WORKFLOW.contains('\t'));

    runs_in_ci(line, "GITHUB_ACTIONS", &kept, CRASH_ON_GITHUB);
}

// The runner folds the lines after `run: >` into one command; `path: |` keeps one file name per line.
#[test]
fn the_github_block_of_the_ci_page_is_the_step_of_the_workflow() {
    let (step, upload) = yaml_below("GitHub Actions").split_once("      - uses: actions/upload-artifact@v4\n").unwrap();
    let (name, folded) = step.split_once("        run: >\n").unwrap();
    let (_, kept) = upload.split_once("          path: |\n").unwrap();
    let line = folded.lines().map(|part| part.strip_prefix("          ").unwrap()).collect::<Vec<_>>().join(" ");
    let kept: Vec<&str> = kept.lines().map(|name| name.strip_prefix("            ").unwrap()).collect();

    assert_eq!(name, "      - name: Smoke test\n");
    assert_eq!((line.as_str(), kept), workflow());
    // The reports matter most when the test has failed.
    assert!(upload.starts_with("        if: always()\n") && WORKFLOW.contains("        if: always()\n"), "{upload}");
}

#[test]
fn the_gitlab_block_of_the_ci_page_runs_and_writes_what_it_keeps() {
    let job = yaml_below("GitLab");
    let value = |key: &str| job.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap();
    let lines: Vec<&str> = job.lines().filter_map(|line| line.strip_prefix("    - ")).collect();
    let [line] = lines[..] else { panic!("{lines:?}") };
    let kept = [value("paths: ").trim_matches(['[', ']']), value("junit: ")];

    assert_eq!(value("when: "), "always");
    runs_in_ci(line, "GITLAB_CI", &kept, "smoke failed: web.1 exited with code 8 while booting (status 8)");
}
