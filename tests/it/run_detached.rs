//! `dyno run --detach`: one-off dynos inside the app that runs here (S10.2).

use std::fs;

use serde_json::Value;

use crate::harness::{App, Ended, Finished, Running, error, until};

const APP: &str = "web: exec sleep 1000\nworker: echo worker with\nclock: echo tick # often\n";

/// Starts only the web dyno, and waits until it is up.
fn start(app: &App) -> Running {
    let running = app.dyno(["start", "web"]).spawn();
    running.until("web.1 is up", || dynos(app).iter().any(|dyno| dyno["state"] == "up"));
    running
}

fn dynos(app: &App) -> Vec<Value> {
    serde_json::from_slice(&app.dyno(["ps", "--json"]).run().stdout).unwrap_or_default()
}

fn names(app: &App) -> Vec<String> {
    dynos(app).iter().map(|dyno| dyno["name"].as_str().unwrap().to_owned()).collect()
}

/// Starts a one-off dyno and returns its name.
fn detach(app: &App, args: &[&str]) -> String {
    let finished = app.dyno(["run", "--detach"]).args(args).run();
    finished.expect_end(Ended::Code(0));
    assert_eq!(finished.stderr(), "");
    let name = finished.stdout().trim_end().to_owned();
    let number = name.strip_prefix("run.").and_then(|number| number.parse::<u32>().ok());
    assert!(number.is_some_and(|number| (1_000..=9_999).contains(&number)), "{name}");
    name
}

/// Ends the run as `dyno stop` does.
fn stop(app: &App, running: Running) -> Finished {
    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    let finished = running.finish();
    finished.expect_end(Ended::Code(0));
    finished
}

#[test]
fn s10_2_a_detached_command_is_logged_and_gone_when_it_ends() {
    let app = App::new(APP).file(".env", "KEY=value\n").fifo("go");
    let running = start(&app);

    let name = detach(&app, &["echo $DYNO $KEY $PORT; read line; echo got $line; read line <go; exit 3"]);
    running.until_shown("| got\n");
    let shown: Vec<String> = names(&app);
    app.release("go");
    until("it is gone", || names(&app) == ["web.1"]);
    let log = stop(&app, running);

    assert_eq!(shown, ["web.1", &name]);
    let expected = ["started with pid PID", &format!("{name} value"), "got", "exited with code 3"];
    assert_eq!(log.lines_of(&name), expected);
    let unaffected = log.lines_of("web.1");
    assert!(unaffected.iter().all(|line| !line.contains("code 3")), "{unaffected:?}");
}

#[test]
fn s9_2_a_detached_process_type_gets_the_words_after_it() {
    let app = App::new(APP);
    let running = start(&app);

    let worker = detach(&app, &["worker", "a  b", "$HOME"]);
    let shell = detach(&app, &["echo", "a  b"]);
    let refused = app.dyno(["run", "--detach", "clock", "42"]).run();
    running.until("both have ended", || running.stdout.text().matches("| exited with code 0").count() == 2);

    let fact = "cannot pass the arguments to `clock`: the command ends in a comment, which would swallow the arguments";
    refused.expect(Ended::Code(2), "", &error(fact, "move the comment to its own line"));
    let log = stop(&app, running);
    assert!(log.lines_of(&worker).contains(&"worker with a  b $HOME".to_owned()), "{}", log.stdout());
    assert!(log.lines_of(&shell).contains(&"a  b".to_owned()), "{}", log.stdout());
}

#[test]
fn s10_2_run_detach_wait_ends_with_the_status_of_the_command() {
    let app = App::new(APP).fifo("go");
    let running = start(&app);

    let waiting = app.dyno(["run", "--detach", "--wait", "read line <go; exit 3"]).spawn();
    waiting.until("its name is shown", || waiting.stdout.text().ends_with('\n'));
    let shown = waiting.stdout.text();
    app.release("go");
    let name = shown.trim_end();
    let stderr = error(&format!("`{name}` has ended (status 3)"), &format!("`dyno why {name}` says more"));
    waiting.finish().expect(Ended::Code(3), &shown, &stderr);
    assert!(shown.starts_with("run."), "{shown}");
    // It may have ended before the wait for it begins.
    app.dyno(["run:detached", "--wait=30", "--json", "true"]).run().expect_end(Ended::Code(0));

    let late = app.dyno(["run", "--detach", "--wait=0", "exec sleep 1000"]).run();
    let name = late.stdout().trim_end().to_owned();
    let fact = format!("`{name}` has not ended after 0 s");
    late.expect(Ended::Code(75), &format!("{name}\n"), &error(&fact, &format!("`dyno why {name}` says more")));
    // The dyno itself goes on.
    let stopped = app.dyno(["wait", "--exit", &name]).spawn();
    app.dyno(["stop", &name]).run().expect_end(Ended::Code(0));
    stopped.finish().expect_end(Ended::Code(143));
    let hint = "did you mean `dyno run --detach --wait true`?";
    app.refuses(&["run", "--wait", "true"], 2, &error("`--wait` needs `--detach`", hint));
    stop(&app, running);
}

#[test]
fn s10_2_run_detach_wait_lasts_until_nothing_of_the_dyno_is_left() {
    let app = App::new(APP).fifo("go");
    let running = app.dyno(["start", "web", "-t", "1000"]).spawn();
    running.until("web.1 runs", || names(&app).contains(&"web.1".to_owned()));
    let mut waiting = app.dyno(["run", "--detach", "--wait", "(trap '' TERM; read line <go) & exit 4"]).spawn();
    waiting.until("its name is shown", || waiting.stdout.text().ends_with('\n'));
    running.until_shown("exited with code 4");
    let name = waiting.stdout.text().trim_end().to_owned();

    assert!(names(&app).contains(&name) && !waiting.has_ended());
    app.release("go");

    waiting.finish().expect_end(Ended::Code(4));
    assert!(!names(&app).contains(&name));
    stop(&app, running);
}

#[test]
fn s10_2_a_detached_dyno_is_stopped_like_any_other() {
    let app = App::new(APP);
    let running = start(&app);
    let name = detach(&app, &["exec sleep 1000"]);
    until("it is up", || dynos(&app).iter().any(|dyno| dyno["name"] == *name && dyno["state"] == "up"));

    let refused = error(&format!("`{name}` runs once and cannot be restarted"), "");
    let refused = refused.trim_end_matches("\nhint: \n");
    app.dyno(["restart", &name]).run().expect(Ended::Code(2), "", refused);
    app.dyno(["stop", &name]).run().expect(Ended::Code(0), &format!("stopping: {name}\n"), "");
    until("it is gone", || names(&app) == ["web.1"]);
    let why = app.dyno(["why", &name]).run();
    assert!(why.stdout().starts_with(&format!("{name} is gone: it was stopped\n")), "{}", why.stdout());
    // One that still runs is stopped with everything else.
    detach(&app, &["exec sleep 1000"]);
    stop(&app, running);
}

#[test]
fn s10_2_options_of_run_and_of_the_platform_are_accepted() {
    let app = App::new(APP);
    let running = start(&app);

    let args =
        ["run:detached", "-s", "standard-1x", "--set", "A=1 2", "--set", "DYNO=other", "--json", "echo $A $DYNO"];
    let finished = app.dyno(args).run();

    let dyno: Value = serde_json::from_slice(&finished.stdout).unwrap();
    let name = dyno["name"].as_str().unwrap();
    assert_eq!((&dyno["type"], &dyno["command"]), (&"run".into(), &"echo $A $DYNO".into()));
    running.until_shown(&format!("| 1 2 {name}\n"));
    for (args, message) in [
        (&["--set", "A"][..], "error: `--set A` has no value\n\nhint: write `--set A=VALUE`\n"),
        (
            &["--profile"],
            "error: `--detach` cannot be used with `--profile`\n\nhint: did you mean `dyno run --detach true` or \
             `dyno run --profile true`?\n",
        ),
    ] {
        app.dyno(["run", "--detach"]).args(args).args(&["true"]).run().expect(Ended::Code(2), "", message);
    }
    let hint = "did you mean `dyno run --detach --json true`?";
    app.refuses(&["run", "--json", "true"], 2, &error("`--json` needs `--detach`", hint));
    app.refuses(&["run", "--detach", " "], 2, "error: the command is empty\n");
    stop(&app, running);
}

#[test]
fn s10_2_run_detach_needs_a_running_app() {
    let app = App::new(APP);

    let hint = "`dyno start` starts the app; without `--detach`, `dyno run` needs no running app";
    app.refuses(&["run", "--detach", "touch x"], 69, &error("no app is running here", hint));
    let listed = error("no app `shop` is running", "no app is running");
    app.refuses(&["run", "--detach", "-a", "shop", "touch x"], 69, &listed);
    assert!(!app.has("x"));
}

#[test]
fn s10_2_run_detach_is_refused_in_the_release_phase() {
    let app = App::new("web: exec sleep 1000\nrelease: echo releasing; read line <go\n").fifo("go");
    let running = app.dyno(["start"]).spawn();
    running.until_shown("releasing");

    let refused = error("the release command is still running", "try again when it has ended");
    app.refuses(&["run", "--detach", "true"], 69, &refused);
    app.release("go");
    running.until("web.1 is up", || names(&app) == ["web.1"]);
    stop(&app, running);
}

#[test]
fn s10_1_of_two_starts_the_oldest_runs_a_detached_command() {
    let app = App::new("web: exec sleep 1000\nworker: exec sleep 1000\n");
    let oldest = start(&app);
    let second = app.dyno(["start", "worker"]).spawn();
    until("both run", || names(&app) == ["web.1", "worker.1"]);

    let name = detach(&app, &["exec sleep 1000"]);
    oldest.until_shown(&name);
    app.dyno(["stop", &name]).run().expect(Ended::Code(0), &format!("stopping: {name}\n"), "");

    let log = stop(&app, oldest);
    assert!(!log.lines_of(&name).is_empty());
    assert!(!second.finish().stdout().contains(&name));
}

#[test]
fn s10_2_a_detached_command_leaves_no_process_after_kill_9() {
    let app = App::new(APP).fifo("alive");
    let running = start(&app);
    detach(&app, &["setsid sleep 1000 & exec sleep 1000"]);
    running.until("its processes run", || running.of_dynos().len() >= 3);

    running.signal(nix::sys::signal::Signal::SIGKILL);

    // Asserts that no process is left.
    running.finish();
    assert!(fs::read_dir(app.top().join("run/dyno")).is_ok());
}
