//! How an app gets its name, and how commands find it by that name (S10.1 to S10.3).

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::app::with_all_blocks;
use crate::checkouts;
use crate::harness::{App, Call, Ended, Running, error, until};

const TWO: &str = "web: exec sleep 1000\nworker: exec sleep 1000\n";

/// Two apps below one home: `app` and `other/app`.
fn two_checkouts() -> App {
    App::new(TWO).file("other/app/Procfile", TWO)
}

fn at(call: Call, directory: &Path) -> Call {
    call.directory(directory)
}

/// Starts the app of a directory and waits until commands find its first dyno there.
fn start<const N: usize>(app: &App, directory: &Path, args: [&str; N]) -> Running {
    let running = at(app.dyno(["start"]).args(&args), directory).spawn();
    running.until_shown("started with pid");
    running
}

/// The dynos with the name of their app, as `dyno ps` with these options shows them: `app/web.1`.
fn ps(app: &App, options: &[&str]) -> Vec<String> {
    let dynos: Vec<Value> =
        serde_json::from_slice(&app.dyno(["ps", "--json"]).args(options).run().stdout).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    dynos.iter().map(|dyno| format!("{}/{}", text(&dyno["app"]["name"]), text(&dyno["name"]))).collect()
}

fn stop(app: &App, options: &[&str], running: Running) {
    app.dyno(["stop"]).args(options).run().expect_end(Ended::Code(0));
    running.finish().expect_end(Ended::Code(0));
}

/// The file that remembers names, without ports.
fn remembered(app: &App) -> String {
    let text = checkouts::remembered(app);
    let lines = text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned() + "\n");
    lines.collect::<String>().replace(app.root().to_str().unwrap(), "ROOT")
}

#[test]
fn s10_3_the_second_checkout_of_one_name_gets_a_name_of_its_own() {
    let app = two_checkouts();
    let first = start(&app, &app.path(""), ["web"]);
    let second = start(&app, &app.path("other/app"), ["web"]);

    let named = ps(&app, &["--root", "other/app"]).remove(0);
    let name = named.strip_suffix("/web.1").unwrap().to_owned();
    assert!(name.starts_with("app-") && name.len() == 8, "{name}");
    assert_eq!(ps(&app, &[]), ["app/web.1"]);
    assert_eq!(ps(&app, &["-a", "app"]), ["app/web.1"]);
    assert_eq!(ps(&app, &["--app", &name]), [named]);
    assert_eq!(remembered(&app), format!("app ROOT\n{name} ROOT/other/app\n"));

    stop(&app, &["-a", "app"], first);
    app.dyno(["stop", "-a", &name]).run().expect_end(Ended::Code(0));
    let note = format!("note: `app` is the app in {}, so this one is called `{name}`\n", app.root().display());
    assert!(second.finish().stderr().contains(&note));
    // The name stays, whichever starts first.
    let second = start(&app, &app.path("other/app"), ["web"]);
    assert_eq!(ps(&app, &["-a", &name]), [format!("{name}/web.1")]);
    stop(&app, &["-a", &name], second);
}

#[test]
fn s10_3_the_app_option_and_the_foreman_file_set_the_name() {
    let app = App::new(TWO).file(".foreman", "app: My Shop\n");
    let running = start(&app, &app.path(""), ["web"]);
    assert_eq!(ps(&app, &["-a", "my-shop"]), ["my-shop/web.1"]);
    stop(&app, &["-a", "my-shop"], running);

    let running = start(&app, &app.path(""), ["--app", "store", "web"]);
    assert_eq!(ps(&app, &[]), ["store/web.1"]);
    assert_eq!(remembered(&app), "store ROOT\n");
    stop(&app, &[], running);
    let hint = "write a name of up to 40 characters a-z 0-9 and `-`, without a leading `-`";
    app.refuses(&["start", "--app", "My Shop"], 2, &error("`My Shop` is not a valid value for `--app`", hint));
    app.refuses(&["start", "--name=-x"], 2, &error("`-x` is not a valid value for `--name`", hint));
}

#[test]
fn s10_3_a_name_of_another_directory_gets_digits_even_if_asked_for() {
    let app = two_checkouts();
    let first = start(&app, &app.path(""), ["--app", "shop", "web"]);
    let second = start(&app, &app.path("other/app"), ["--app", "shop", "web"]);

    let named = ps(&app, &["--root", "other/app"]).remove(0);
    let name = named.strip_suffix("/web.1").unwrap().to_owned();

    assert!(name.starts_with("shop-") && name.len() == 9, "{name}");
    assert_eq!(ps(&app, &["-a", "shop"]), ["shop/web.1"]);
    stop(&app, &["-a", "shop"], first);
    app.dyno(["stop", "-a", &name]).run().expect_end(Ended::Code(0));
    let hint = "hint: `--app NAME` gives it another name\n";
    let stderr = second.finish().stderr();
    assert!(stderr.contains(&format!(", so this one is called `{name}`\n")) && stderr.contains(hint), "{stderr}");
}

#[test]
fn s10_3_a_linked_worktree_is_named_after_the_repository_too() {
    let _blocks = with_all_blocks();
    // What `git worktree add ../fix-1` leaves behind.
    let app = App::new(TWO).file(".git/worktrees/fix-1/commondir", "../..\n").file("../fix-1/Procfile", TWO);
    let git_file = format!("gitdir: {}/.git/worktrees/fix-1\n", app.root().display());
    fs::write(app.path("../fix-1/.git"), git_file).unwrap();
    // A submodule has such a file as well, but no `commondir`.
    let app = app.file("lib/Procfile", TWO).file("lib/.git", "gitdir: ../.git/modules/lib\n");

    for (directory, name) in [("../fix-1", "app-fix-1"), ("lib", "lib")] {
        let running = start(&app, &app.path(directory), ["web"]);
        assert_eq!(ps(&app, &["-a", name]), [format!("{name}/web.1")]);
        stop(&app, &["-a", name], running);
    }
}

#[test]
fn s10_3_a_state_directory_that_cannot_be_written_only_forgets_names() {
    let app = App::new("worker: echo hello\n").file("../home/.local", "");

    let finished = app.dyno(["start"]).run();

    finished.expect_end(Ended::Code(0));
    assert_eq!(finished.stderr(), "");
}

#[test]
fn s10_3_only_start_remembers_a_name() {
    let app = App::new("release: true\nworker: true\n");

    app.dyno(["release"]).run().expect_end(Ended::Code(0));
    app.called("foreman", ["start"]).run().expect_end(Ended::Code(0));
    app.dyno(["smoke", "--start", "exec sleep 1000", "--ready", "", "--", "true"]).run();

    assert_eq!(remembered(&app), "");
}

#[test]
fn s10_1_a_named_start_runs_the_same_types_a_second_time() {
    let app = App::new(TWO);
    let first = start(&app, &app.path(""), []);
    first.until_shown("worker.1 | started");
    let second = app.dyno(["start", "web"]).run();
    second.expect_end(Ended::Code(69));
    let hint = "\nhint: `dyno restart web` restarts it; `dyno logs -t` shows its log; `dyno start --name copy -p auto web` starts a second one\n";
    assert!(second.stderr().ends_with(hint), "{}", second.stderr());

    let copy = start(&app, &app.path(""), ["--name", "copy", "-p", "7000", "web"]);

    assert_eq!(ps(&app, &["--name", "copy"]), ["app-copy/web.1"]);
    assert_eq!(ps(&app, &["-a", "app-copy"]), ["app-copy/web.1"]);
    assert_eq!(ps(&app, &["-a", "app"]), ["app/web.1", "app/worker.1"]);
    assert_eq!(ps(&app, &[]).len(), 3);
    let (main, stderr) = (first.main(), app.dyno(["restart", "web"]).run());
    let expected = format!(
        "error: `web` runs in more than one start of this app\n\nhint: add one of `--run {main}`, `--name copy`\n"
    );
    assert_eq!((stderr.ended, String::from_utf8(stderr.stderr).unwrap()), (Ended::Code(2), expected));
    let why = app.dyno(["why", "web"]).run();
    assert_eq!(why.stdout().matches("web.1 is up").count(), 2, "{}", why.stdout());
    app.dyno(["restart", "worker"]).run().expect(Ended::Code(0), "restarting: worker.1\n", "");
    app.dyno(["restart", "web", "--run", &main.to_string()]).run().expect(Ended::Code(0), "restarting: web.1\n", "");
    app.dyno(["start", "--name", "copy", "web"]).run().expect_end(Ended::Code(69));

    stop(&app, &["--name", "copy"], copy);
    stop(&app, &[], first);
}

#[test]
fn s10_2_an_app_that_does_not_run_is_an_error_listing_those_that_do() {
    let app = App::new(TWO);
    app.refuses(&["ps", "-a", "shop"], 69, &error("no app `shop` is running", "no app is running"));
    let running = start(&app, &app.path(""), ["web"]);

    let misses = |args: &[&str], fact: &str, hint: &str| app.refuses(args, 69, &error(fact, hint));
    misses(&["ps", "-a", "apps"], "no app `apps` is running", "did you mean `app`?");
    misses(&["stop", "-a", "zzz"], "no app `zzz` is running", "running now: `app`");
    misses(&["ps", "--name", "x"], "no app with `--name x` is running here", "`dyno start --name x` starts one");
    let hint = format!("running now: `{} (app)`", running.main());
    misses(&["ps", "--run", "1"], "no `dyno` with the process id 1 is running", &hint);
    let hint = "write the process id of a `dyno start`, such as 4711";
    app.refuses(&["ps", "--run", "x"], 2, &error("`x` is not a valid value for `--run`", hint));
    stop(&app, &[], running);
}

#[test]
fn s10_1_of_several_starts_without_a_lock_one_must_be_chosen() {
    let app = App::new("worker: exec sleep 1000\n");
    let runs = [(); 2].map(|()| app.called("foreman", ["start"]).spawn());
    for run in &runs {
        run.until_shown("started with pid");
    }

    let asked = app.dyno(["ps"]).run();
    let mut pids = runs.each_ref().map(Running::main);
    asked.expect_end(Ended::Code(2));
    let stderr = String::from_utf8(asked.stderr).unwrap();
    assert!(stderr.starts_with("error: several starts of this app match\n\nhint: add one of `--run "), "{stderr}");
    assert!(pids.iter().all(|pid| stderr.contains(&format!("`--run {pid}`"))), "{stderr}");

    pids.sort_unstable();
    for (run, pid) in runs.into_iter().zip(pids) {
        app.dyno(["stop", "--run", &pid.to_string()]).run().expect(Ended::Code(0), "stopping: worker.1\n", "");
        drop(run);
    }
}

#[test]
fn s10_1_two_starts_of_one_app_are_one_formation() {
    let app = App::new(TWO);
    let web = start(&app, &app.path(""), ["web"]);
    let worker = start(&app, &app.path(""), ["worker"]);

    assert_eq!(ps(&app, &[]), ["app/web.1", "app/worker.1"]);
    app.dyno(["scale", "web=2", "worker+1"]).run().expect(Ended::Code(0), "web=2 worker=2\n", "");
    until("all four run", || ps(&app, &[]) == ["app/web.1", "app/web.2", "app/worker.1", "app/worker.2"]);
    let restarted = "restarting: worker.2, web.1, web.2\n";
    app.dyno(["restart", "worker.2", "web"]).run().expect(Ended::Code(0), restarted, "");
    let refused = error("there is no dyno `worker.3`", "did you mean `worker.1` or `worker.2`?");
    app.refuses(&["stop", "worker.3"], 2, &refused);
    app.dyno(["stop", "worker.2"]).run().expect(Ended::Code(0), "stopping: worker.2\n", "");

    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    assert!(worker.finish().stdout().contains("worker.2 | started"));
    web.finish().expect_end(Ended::Code(0));
}
