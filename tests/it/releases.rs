//! `dyno releases`, `releases:info` and `rollback`: what a start remembers, and how to go back (S15.1, S15.2).

use std::fs;

use serde_json::{Value, json};

use crate::completions::offered;
use crate::config_live::request;
use crate::harness::{App, Ended, Running, error, until};
use crate::reload::reloads;
use crate::running::{names, pid_of, start, stop};

const TWO: &str = "clock: exec sleep 1000\nworker: echo level $LEVEL; exec sleep 1000\n";
const LEFT_ALONE: &str = "note: running the config of v1, which differs from .env; `dyno reload` goes back to .env\n";

/// An app whose `.env` was changed and applied while it ran, so that v2 runs.
fn changed(args: &[&str]) -> (App, Running) {
    let app = App::new(TWO).file(".env", "LEVEL=secret1\n");
    let running = crate::running::up(&app, app.dyno(["start"]).args(args).spawn());
    running.until_shown("level secret1");
    app.write(".env", "LEVEL=secret2\nAPI_KEY=secret3\n");
    if args.is_empty() {
        reloads(&app, "release v2: .env: + API_KEY, ~ LEVEL\n");
    }
    running.until_shown("level secret2");
    (app, running)
}

/// The table that a command prints, with two blanks between the cells and without the ages, which depend on the speed.
fn table<const N: usize>(app: &App, args: [&str; N]) -> Vec<String> {
    let shown = app.dyno(args).run();
    shown.expect_end(Ended::Code(0));
    let cell = |cell: &str| if cell.ends_with(" ago") { "AGO".to_owned() } else { cell.trim().to_owned() };
    let row = |line: &str| {
        let cells = line.split("  ").filter(|cell| !cell.trim().is_empty()).map(|part| cell(part.trim()));
        cells.collect::<Vec<_>>().join("  ")
    };
    shown.stdout().lines().map(row).collect()
}

fn json<const N: usize>(app: &App, args: [&str; N]) -> Value {
    serde_json::from_slice(&app.dyno(args).run().stdout).unwrap()
}

#[test]
fn s15_1_releases_says_what_made_each_and_which_one_runs() {
    let (app, running) = changed(&[]);
    app.write("Procfile", "release: exit 3\nworker: exec sleep 1000\n");
    app.dyno(["reload"]).run().expect_end(Ended::Code(3));

    assert_eq!(
        table(&app, ["releases"]),
        [
            "VERSION  DESCRIPTION  USER  MADE  STATUS",
            "v3  Procfile: - clock, + release, ~ worker  you  AGO  failed",
            "v2  Set API_KEY, LEVEL config vars  you  AGO  current",
            "v1  Started  you  AGO",
        ]
    );
    assert_eq!(table(&app, ["releases", "-n", "1"]).len(), 2);
    let listed = json(&app, ["releases", "--json"]);
    let shown: Vec<_> = listed.as_array().unwrap().iter().map(|it| (&it["version"], &it["status"])).collect();
    assert_eq!(
        shown,
        [(&3.into(), &"failed".into()), (&2.into(), &"succeeded".into()), (&1.into(), &"succeeded".into())]
    );
    assert!(!listed.to_string().contains("secret"), "{listed}");
    stop(&app, running);
}

#[test]
fn s15_1_info_shows_names_and_on_request_values() {
    let (app, running) = changed(&[]);
    let section = |args: &[&str]| {
        let shown = app.dyno(["releases:info"]).args(args).run();
        shown.expect_end(Ended::Code(0));
        let lines = shown.stdout();
        lines.lines().filter(|line| !line.starts_with("made:")).map(str::to_owned).collect::<Vec<_>>()
    };

    assert_eq!(
        section(&["v1"]),
        [
            "release:     v1",
            "description: Started",
            "user:        you",
            "status:      succeeded",
            "config vars:",
            "  LEVEL",
            "process types:",
            "  clock: exec sleep 1000",
            "  worker: echo level $LEVEL; exec sleep 1000",
        ]
    );
    let current = section(&["--values"]);
    assert_eq!(current[..2], ["release:     v2", "description: Set API_KEY, LEVEL config vars"]);
    assert_eq!(current[2], "changes:     .env: + API_KEY, ~ LEVEL");
    assert_eq!(current[4..8], ["status:      current", "config vars:", "  API_KEY=secret3", "  LEVEL=secret2"]);
    let hidden = json(&app, ["releases:info", "1", "--json"]);
    assert_eq!(hidden[0]["config_vars"], serde_json::json!({ "LEVEL": null }));
    let whole = json(&app, ["releases:info", "v1", "--values", "--json"]);
    assert_eq!((&whole[0]["config_vars"]["LEVEL"], &whole[0]["version"]), (&"secret1".into(), &1.into()));
    stop(&app, running);
}

#[test]
fn s15_2_rollback_runs_what_ran_before_and_reload_the_files_again() {
    let (app, running) = changed(&[]);
    let before = running.stdout.text().matches("level secret1").count();

    app.dyno(["rollback"]).run().expect(
        Ended::Code(0),
        "release v3: Rollback to v1 (.env: - API_KEY, ~ LEVEL)\n",
        LEFT_ALONE,
    );

    running.until("v1's level is back", || running.stdout.text().matches("level secret1").count() > before);
    assert_eq!(fs::read_to_string(app.path(".env")).unwrap(), "LEVEL=secret2\nAPI_KEY=secret3\n");
    assert_eq!(table(&app, ["releases"])[1], "v3  Rollback to v1  you  AGO  current");
    reloads(&app, "release v4: .env: + API_KEY, ~ LEVEL\n");
    app.dyno(["releases:rollback", "v3"]).run().expect_end(Ended::Code(0));
    let log = stop(&app, running);
    let said = "running the config of v1, which differs from .env; `dyno reload` goes back to .env".to_owned();
    assert!(log.lines_of("system").contains(&said), "{}", log.stdout());
}

#[test]
fn s15_2_only_what_differs_restarts() {
    let app = App::new("clock: exec sleep 1000\nworker: exec sleep 1000\n");
    let running = start(&app, []);
    app.write("Procfile", "clock: exec sleep 1000\nworker: exec sleep 1001\napi: exec sleep 1000\n");
    app.dyno(["reload"]).run().expect_end(Ended::Code(0));
    running.until("api.1 runs", || names(&app).contains(&"api.1".to_owned()));
    let (clock, worker) = (pid_of(&app, "clock.1"), pid_of(&app, "worker.1"));

    let note =
        "note: running the config of v1, which differs from the Procfile; `dyno reload` goes back to the Procfile\n";
    app.dyno(["rollback"]).run().expect(
        Ended::Code(0),
        "release v3: Rollback to v1 (Procfile: - api, ~ worker)\n",
        note,
    );

    running.until("api.1 is gone", || names(&app) == ["clock.1", "worker.1"]);
    running.until("worker.1 runs again", || ![0, worker].contains(&pid_of(&app, "worker.1")));
    assert_eq!(pid_of(&app, "clock.1"), clock);
    stop(&app, running);
}

#[test]
fn s15_2_if_the_command_of_a_rollback_fails_everything_goes_on() {
    // The command succeeds only the first time.
    let release = "release: mkdir migrated || { echo cannot migrate; exit 4; }\n";
    let app = App::new(&format!("{release}clock: exec sleep 1000\n"));
    let running = start(&app, []);
    let first = pid_of(&app, "clock.1");
    app.write("Procfile", "clock: exec sleep 1001\n");
    reloads(&app, "release v2: Procfile: ~ clock, - release\n");
    running.until("clock.1 runs again", || ![0, first].contains(&pid_of(&app, "clock.1")));
    let clock = pid_of(&app, "clock.1");

    let rollback = app.dyno(["rollback", "v1"]).run();

    assert_eq!((rollback.ended, rollback.stdout().as_str()), (Ended::Code(4), ""));
    let end = "cannot migrate\nerror: release v3 failed: its command exited with status 4\n\nhint: the app stays on the \
               previous release; `dyno why release` says more\n";
    assert!(rollback.stderr().ends_with(end), "{}", rollback.stderr());
    assert_eq!(pid_of(&app, "clock.1"), clock);
    let fact = "release v3 cannot be rolled back to: its release command failed";
    let hint = "`dyno releases` shows which releases the app has run on";
    app.refuses(&["rollback", "v3"], 2, &error(fact, hint));
    stop(&app, running);
}

#[test]
fn s15_2_what_cannot_be_rolled_back_to_says_why() {
    let app = App::new("clock: exec sleep 1000\n");
    app.refuses(&["rollback"], 69, crate::running::NOTHING_RUNS);
    app.refuses(&["releases"], 69, crate::running::NOTHING_RUNS);
    let running = start(&app, []);

    let hint = "`dyno releases` lists the releases";
    app.refuses(&["rollback"], 2, &error("there is no earlier release to roll back to", hint));
    for args in [&["rollback", "v9"][..], &["releases:info", "9"]] {
        app.refuses(args, 2, &error("there is no release v9", hint));
    }
    for word in ["banana", "0", "v0", "-1", "v", "v1.5"] {
        let args = ["rollback", "--", word];
        let fact = format!("`{word}` is not a valid value for `VERSION`");
        app.refuses(&args, 2, &error(&fact, "write the number of a release, such as v2"));
    }
    app.dyno(["rollback", "v1"]).run().expect(Ended::Code(0), "nothing to apply: the app stays on release v1\n", "");
    stop(&app, running);
}

#[test]
fn s15_2_a_file_that_is_saved_unchanged_does_not_undo_a_rollback() {
    let (app, running) = changed(&["--reload"]);
    app.dyno(["rollback", "v1"]).run().expect_end(Ended::Code(0));
    let read_at = || json(&app, ["why", "clock.1", "--json"])[0]["reloaded"]["at_ms"].as_i64();
    let before = read_at();

    app.write(".env", "LEVEL=secret2\nAPI_KEY=secret3\n");

    running.until("the file was read again", || read_at() > before);
    assert_eq!(table(&app, ["releases", "-n", "1"])[1], "v3  Rollback to v1  you  AGO  current");
    app.write(".env", "LEVEL=secret4\n");
    running.until_shown("level secret4");
    stop(&app, running);
}

#[test]
fn s15_2_each_of_several_starts_has_releases_of_its_own() {
    let app = App::new("clock: exec sleep 1000\nworker: exec sleep 1000\n");
    let clock = start(&app, ["clock"]);
    let worker = app.dyno(["start", "worker"]).spawn();
    worker.until("worker.1 runs", || names(&app).len() == 2);
    app.write("Procfile", "clock: exec sleep 1001\nworker: exec sleep 1000\n");
    app.dyno(["reload"]).run().expect_end(Ended::Code(0));

    let rows = table(&app, ["releases", "-n", "1"]);
    assert_eq!(rows[0], "START  VERSION  DESCRIPTION  USER  MADE  STATUS");
    for (row, name) in rows[1..].iter().zip(["clock", "worker"]) {
        assert_eq!(*row, format!("{name} (dyno pid PID)  v2  Procfile: ~ clock  you  AGO  current"));
    }
    let only = worker.main().to_string();
    app.dyno(["rollback", "--run", &only]).run().expect_end(Ended::Code(0));
    let refused = app.dyno(["rollback", "v3"]).run();
    let fact = "error: no release v3 of clock (dyno pid PID) can be rolled back to\n";
    assert!(refused.stderr().starts_with(fact), "{}", refused.stderr());
    assert_eq!((refused.ended, table(&app, ["releases"]).len()), (Ended::Code(2), 6), "nothing has changed");
    let note =
        "note: running the config of v1, which differs from the Procfile; `dyno reload` goes back to the Procfile\n";
    let shown = "clock (dyno pid PID): release v3: Rollback to v1 (Procfile: ~ clock)\n\
                 worker (dyno pid PID): nothing to apply: the app stays on release v3\n";
    app.dyno(["rollback", "v1"]).run().expect(Ended::Code(0), shown, note);
    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    for running in [clock, worker] {
        running.finish().expect_end(Ended::Code(0));
    }
}

#[test]
fn s15_1_nothing_of_a_release_is_written_to_disk() {
    let (app, running) = changed(&[]);
    app.dyno(["rollback"]).run().expect_end(Ended::Code(0));
    stop(&app, running).expect_end(Ended::Code(0));

    let mut folders = vec![app.top().join("run"), app.top().join("home")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let text = fs::read(&entry).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&text).contains("secret"), "{}", entry.display());
            if entry.is_dir() {
                folders.push(entry);
            }
        }
    }
}

#[test]
fn s15_2_tab_offers_the_releases_of_the_running_app() {
    let (app, running) = changed(&[]);

    for line in ["dyno rollback ", "dyno releases:info v"] {
        let mut found = Vec::new();
        until("releases are offered", || {
            found = offered(&app, line);
            found.contains(&"v2".to_owned())
        });
        assert!(found.contains(&"v1".to_owned()), "{line}: {found:?}");
    }
    stop(&app, running);
}

#[test]
fn s15_2_a_release_that_runs_already_need_not_be_waited_for() {
    let app = App::new("worker: exec sleep 1000\n");
    let running = start(&app, []);

    let (status, answer) = request(&app, "POST", "releases/1/actions/wait", "");

    assert_eq!((status, answer["result"].as_str()), (200, Some("succeeded")));
    stop(&app, running);
}

#[test]
fn s15_2_a_rollback_over_the_api_does_not_wait_for_the_command() {
    let procfile = |seconds| format!("release: test -e skip || cat go\nworker: exec sleep {seconds}\n");
    let app = App::new(&procfile(1000)).file("skip", "").fifo("go");
    let running = start(&app, ["--heroku", "--no-router"]);
    fs::write(app.path("Procfile"), procfile(1001)).unwrap();
    running.until_shown("Release v2 created by user ");
    app.dyno(["reload"]).run().expect_end(Ended::Code(0));
    fs::remove_file(app.path("skip")).unwrap();

    let (status, release) = request(&app, "POST", "releases", r#"{"release":"v1"}"#);

    assert_eq!((status, &release["version"], &release["status"]), (201, &json!(3), &json!("pending")));
    app.release("go");
    running.until_shown("Release v3 created by user ");
    running.until_shown("Rollback to v1 by user ");
    stop(&app, running);
}
