//! `dyno ls`: all apps of this user that run (S10.2).

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::detached::no_files_left;
use crate::harness::{App, Ended, until};
use crate::process_table;
use crate::running::{start, stop};

/// `dyno ls --json`.
fn apps(app: &App) -> Vec<Value> {
    serde_json::from_slice(&app.dyno(["ls", "--json"]).run().stdout).unwrap()
}

/// Name and state of each.
fn states(app: &App) -> Vec<String> {
    let state = |app: &Value| format!("{} {}", app["name"].as_str().unwrap(), app["state"].as_str().unwrap());
    apps(app).iter().map(state).collect()
}

#[test]
fn s10_2_ls_lists_every_app_with_its_state_address_root_and_branch() {
    let app = App::new("web: exec sleep 1000\n").file(".git/HEAD", "ref: refs/heads/fix/one\n");
    app.dyno(["ls"]).run().expect(Ended::Code(0), "", "no app is running\n");
    app.dyno(["ls", "--json"]).run().expect(Ended::Code(0), "[]\n", "");
    fs::create_dir(app.path("jobs")).unwrap();
    fs::write(app.path("jobs/Procfile"), "job: exec sleep 1000\n").unwrap();
    let web = start(&app, ["-p", "5000"]);
    let mut jobs = app.dyno(["start", "-d", "jobs", "--detach"]).spawn();
    jobs.returned().expect(Ended::Code(0), "", "");
    app.dyno(["stop", "--app", "jobs", "job"]).run().expect_end(Ended::Code(0));
    until("it is down", || states(&app) == ["app up", "jobs down"]);

    let shown = app.dyno(["ls"]).directory(app.top()).run();

    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<Vec<String>> = shown.stdout().lines().map(words).collect();
    let root = app.root().display().to_string();
    assert_eq!(lines[0].join(" "), "NAME STATE URL ROOT BRANCH SINCE");
    assert_eq!(lines[1][..5].join(" "), format!("app up http://127.0.0.1:5000 {root} fix/one"));
    assert_eq!(lines[2][..5].join(" "), format!("jobs down - {root}/jobs fix/one"));
    assert!(shown.stdout().lines().skip(1).all(|line| line.ends_with(" ago")), "{}", shown.stdout());
    let first = &apps(&app)[0];
    assert_eq!((&first["web_url"], &first["branch"]), (&"http://127.0.0.1:5000/".into(), &"fix/one".into()));
    app.dyno(["apps"]).run().expect_end(Ended::Code(0));
    app.dyno(["stop", "--app", "jobs"]).run().expect_end(Ended::Code(0));
    stop(&app, web);
}

#[test]
fn s10_2_ls_lists_several_starts_of_one_app_as_one() {
    let app = App::new("web: exec sleep 1000\nworker: exec sleep 1000\n");
    let web = app.dyno(["start", "web"]).spawn();
    let worker = app.dyno(["start", "worker"]).spawn();
    until("both run", || app.dyno(["ps", "web", "worker"]).run().ended == Ended::Code(0));

    until("both are up", || states(&app) == ["app up"]);

    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    web.finish().expect_end(Ended::Code(0));
    worker.finish().expect_end(Ended::Code(0));
}

#[test]
fn s10_2_an_app_that_was_killed_is_listed_once_and_cleaned_up() {
    let app = App::new("web: exec sleep 1000\n");
    let running = start(&app, []);
    running.signal(Signal::SIGKILL);
    running.finish().expect_end(Ended::Signal(Signal::SIGKILL));

    assert_eq!(states(&app), ["app killed"]);
    assert_eq!(states(&app), [""; 0]);
    no_files_left(&app);
}

#[test]
fn s10_2_an_app_that_does_not_answer_is_listed_beside_the_others() {
    let app = App::new("web: exec sleep 1000\n");
    let running = start(&app, []);
    let copy = app.dyno(["start", "--name", "copy", "-p", "5700"]).spawn();
    until("both are up", || states(&app) == ["app up", "app-copy up"]);

    copy.signal(Signal::SIGSTOP);
    copy.until("it is stopped", || process_table::stat(copy.main()).is_some_and(|(state, _)| state == 'T'));
    assert_eq!(states(&app), ["app up", "app-copy no answer"]);

    kill(Pid::from_raw(copy.main()), Signal::SIGCONT).unwrap();
    app.dyno(["stop", "--name", "copy"]).run().expect_end(Ended::Code(0));
    copy.finish().expect_end(Ended::Code(0));
    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    running.finish().expect_end(Ended::Code(0));
}

#[test]
fn s10_2_a_smoke_test_is_listed_as_such() {
    let app = App::new("worker: exec sleep 1000\n").fifo("go");
    let smoke = app.dyno(["smoke", "--", "read line <go"]).spawn();

    until("it is listed", || states(&app) == ["app smoke"]);

    app.release("go");
    smoke.finish().expect_end(Ended::Code(0));
}

#[test]
fn s10_2_an_unreadable_description_of_a_running_app_is_named() {
    let app = App::new("web: exec sleep 1000\n");
    let running = start(&app, []);
    let folder = app.top().join("run/dyno");
    let files = || fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let description = files().find(|path| path.extension().is_some_and(|ending| ending == "start")).unwrap();
    let text = fs::read(&description).unwrap();
    fs::write(&description, "{}").unwrap();

    let shown = app.dyno(["ls"]).run();

    let shown_path = description.display();
    let stderr = format!(
        "warning: `{shown_path}` describes a running app, but cannot be read\n\
         hint: use the version of `dyno` that started the app\nno app is running\n"
    );
    shown.expect(Ended::Code(0), "", &stderr);
    fs::write(&description, text).unwrap();
    stop(&app, running);
}
