//! `dyno smoke` on GitHub Actions, the examples in `examples/ci`, and what the README says about both (issue 5).

use crate::harness::Ended;
use crate::smoke::app;
use crate::smoke_reports::{quick, said};

#[test]
fn on_github_each_phase_is_a_group_of_the_log() {
    let app = app("release: echo migrated\nweb: ./listen >/dev/null\n");

    let finished = quick(&app, ["--", "echo tested"]).env("GITHUB_ACTIONS", "true").run();

    finished.expect_end(Ended::Code(0));
    assert_eq!(finished.stdout(), "tested\n");
    assert_eq!(
        said(&finished),
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
        said(&finished),
        "::group::smoke: boot\nTIME web.1  | started with pid PID\nTIME web.1  | no\nTIME web.1  | exited with code 3\n\
         ::endgroup::\n::group::smoke: stop\nTIME system | sending SIGTERM to all processes\n::endgroup::\n\
         last line of web.1:\nweb.1 | no\nsmoke failed: web.1 exited with code 3 while booting (status 3)\n\
         ::error title=smoke failed%3A web.1::web.1 exited with code 3 while booting (status 3)\n"
    );
    let elsewhere = quick(&app, []).env("GITHUB_ACTIONS", "false").run();
    assert!(!said(&elsewhere).contains("::"), "{}", said(&elsewhere));
}

/// What the runner takes for a command: at the start of a line, where a bare CR begins one too, or anywhere in it.
fn commands(log: &str) -> Vec<&str> {
    let lines = log.split(['\n', '\r']);
    lines.filter(|line| line.trim_start().starts_with("::") || line.contains("##[")).collect()
}

#[test]
fn no_dyno_gives_a_command_to_the_runner_but_the_command_may() {
    let attack = "printf '::add-mask::a\\n  ::stop-commands::x\\nb\\r::error::c\\n##[add-mask]d\\n\\r\\n##[group]e'";
    for options in [&[][..], &["--no-prefix"], &["--log-format", "json"], &["--log-format", "heroku"]] {
        let app = app(&format!("web: {attack}; exit 3\n"));

        let finished = quick(&app, []).args(options).env("GITHUB_ACTIONS", "true").run();

        let said = said(&finished);
        let annotation = "::error title=smoke failed%3A web.1::web.1 exited with code 3 while booting (status 3)";
        let expected = ["::group::smoke: boot", "::endgroup::", "::group::smoke: stop", "::endgroup::", annotation];
        assert_eq!(commands(&said), expected, "{options:?}: {said}");
        assert!(said.contains("add-mask"), "{said}");
    }
    let app = app("web: ./listen >/dev/null\n");
    let finished = quick(&app, ["--", "echo ::error::mine"]).env("GITHUB_ACTIONS", "true").run();
    assert_eq!(finished.stdout(), "::error::mine\n");
}
