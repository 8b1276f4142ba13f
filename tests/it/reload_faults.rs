//! Faults of the files of an app with `--reload`: the formation goes on, and the fixed file is applied (S14.1, S14.2).

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::app::OTHER_USER;
use crate::harness::{App, Ended, Running, note};
use crate::reload_watch::sh;
use crate::running::{pid_of, start, stop, up};

const SHOWS_LEVEL: &str = "worker: echo level $LEVEL; exec sleep 1000\n";

fn releases(running: &Running) -> usize {
    running.stdout.text().matches("system   | release v").count()
}

/// The lines of `dyno` itself before the app is stopped.
fn said(app: &App, running: Running) -> Vec<String> {
    let lines = stop(app, running).lines_of("system").into_iter();
    lines.take_while(|line| line != "stop requested, starting shutdown").collect()
}

#[test]
fn s14_1_an_unreadable_env_changes_nothing_until_it_is_fixed() {
    let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=1\n");
    // Root can read everything.
    let is_root = nix::unistd::geteuid().is_root();
    let call = app.dyno(["start", "--reload"]);
    let running = if is_root { call.user(OTHER_USER).spawn() } else { call.spawn() };
    running.until_shown("level 1");

    let mode = |mode| fs::set_permissions(app.path(".env"), Permissions::from_mode(mode)).unwrap();
    mode(0o200);
    running.until_shown("not applied: .env cannot be read: Permission denied");
    app.write(".env", "LEVEL=2\n");
    mode(0o644);
    running.until_shown("level 2");

    let text = running.stdout.text();
    assert_eq!((text.matches("terminated by").count(), releases(&running)), (1, 1), "{text}");
    running.signal(nix::sys::signal::Signal::SIGTERM);
    running.finish();
}

#[test]
fn s14_1_a_directory_in_place_of_env_is_reported_until_it_is_a_file() {
    let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=1\n");
    let running = start(&app, ["--reload", "-e", ".env"]);
    running.until_shown("level 1");
    let worker = pid_of(&app, "worker.1");

    sh(&app, "rm .env; mkdir .env");
    running.until_shown("not applied: .env is a directory");
    assert_eq!(pid_of(&app, "worker.1"), worker);
    sh(&app, "rmdir .env; echo LEVEL=2 >.env");
    running.until_shown("level 2");

    let said = said(&app, running);
    assert_eq!(said.last().unwrap(), "release v2: .env: ~ LEVEL");
}

#[test]
fn s2_1_a_directory_that_replaces_the_usual_env_is_not_read() {
    let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=1\n");
    let running = start(&app, ["--reload"]);
    running.until_shown("level 1");

    sh(&app, "rm .env; mkdir .env");
    running.until_shown("release v2: .env: - LEVEL");
    sh(&app, "rmdir .env; echo LEVEL=2 >.env");
    running.until_shown("level 2");

    let hint = "hint: if your config vars are in another file, name it with `-e`";
    let warning = ["warning: .env is a directory, so it is not read", hint];
    let said = said(&app, running);
    assert_eq!(said, ["release v2: .env: - LEVEL", warning[0], warning[1], "release v3: .env: + LEVEL"]);
}

#[test]
fn s14_2_endless_changes_are_applied_while_they_last_and_afterwards() {
    let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=0\n");
    let running = start(&app, ["--reload"]);
    running.until_shown("level 0");

    let mut level = 0;
    // The files are never unchanged for 200 ms.
    running.until("a change is applied anyway", || {
        level += 1;
        app.write(".env", &format!("LEVEL={level}\n"));
        releases(&running) == 2
    });
    app.write(".env", "LEVEL=last\n");

    running.until_shown("level last");
    assert!(level > 10 && releases(&running) <= 4, "{level}: {}", running.stdout.text());
    stop(&app, running).expect_end(Ended::Code(0));
}

#[test]
fn s14_1_a_type_that_may_exit_may_still_do_so_after_a_reload() {
    let app = App::new("web: exec sleep 1000\nsetup: echo level $LEVEL; cat gate\n").file(".env", "LEVEL=1\n");
    let app = app.fifo("gate");
    let running = start(&app, ["--reload", "--can-die", "setup"]);
    running.until_shown("level 1");
    app.write(".env", "LEVEL=2\n");
    running.until_shown("level 2");

    app.release("gate");

    running.until_shown("setup.1 | exited with code 0");
    let web = pid_of(&app, "web.1");
    assert_eq!(app.dyno(["ps", "web"]).run().ended, Ended::Code(0));
    assert_eq!(pid_of(&app, "web.1"), web);
    stop(&app, running).expect_end(Ended::Code(0));
}

#[test]
fn s14_2_three_hundred_changes_in_a_moment_are_few_releases() {
    let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=0\n");
    let running = start(&app, ["--reload"]);
    running.until_shown("level 0");

    for level in 1..=300 {
        app.write(".env", &format!("LEVEL={level}\n"));
    }
    running.until_shown("level 300");

    // One, or a few on a machine that needs several seconds for these changes.
    assert!(releases(&running) <= 10, "{}", running.stdout.text());
    stop(&app, running).expect_end(Ended::Code(0));
}

#[test]
fn s14_2_sed_in_place_is_one_change() {
    let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=1\n");
    let running = start(&app, ["--reload"]);
    running.until_shown("level 1");

    sh(&app, "sed -i s/1/2/ .env");
    running.until_shown("level 2");

    assert_eq!(said(&app, running), ["release v2: .env: ~ LEVEL"]);
}

#[test]
fn s14_1_a_saved_foreman_file_is_applied() {
    let app = App::new(SHOWS_LEVEL).file("a.rb", "").file(".foreman", "timeout: 5\n");
    let running = start(&app, ["--reload", "--restart"]);
    running.until_shown("level");

    app.write(".foreman", "watch: worker\ntimeout: 6\n");
    running.until_shown("release v2: .foreman: ~ watch");
    running.until("the files are watched", || {
        fs::write(app.path("a.rb"), "changed\n").unwrap();
        running.stdout.text().contains("worker restarting: a.rb changed")
    });

    let said = said(&app, running);
    let notes = ["this change needs a new start: `timeout` (.foreman:2)", "hint: `dyno stop`, then `dyno start`"];
    assert_eq!((said[0].as_str(), &said[1..3]), ("release v2: .foreman: ~ watch", &notes.map(str::to_owned)[..]));
}

#[test]
fn s14_2_a_file_on_another_file_system_is_watched_through_its_link() {
    let app = App::new(SHOWS_LEVEL);
    let elsewhere = Path::new("/dev/shm").join(app.top().file_name().unwrap());
    if fs::write(&elsewhere, "LEVEL=1\n").is_err() {
        note("a file on another file system was not tested: nothing can be written to /dev/shm");
        return;
    }
    symlink(&elsewhere, app.path(".env")).unwrap();
    let running = up(&app, app.dyno(["start", "--reload"]).spawn());
    running.until_shown("level 1");

    let written = fs::write(&elsewhere, "LEVEL=2\n");
    running.until_shown("level 2");
    let removed = fs::remove_file(&elsewhere);

    running.until_shown("release v3: .env: - LEVEL");
    assert!(written.is_ok() && removed.is_ok());
    stop(&app, running);
}
