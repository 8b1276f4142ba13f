//! What is watched, and by what means: nothing by default, another root, a bind mount, and the limits of the system (S14).

use std::fs;

use nix::sys::signal::Signal;

use crate::harness::{App, Ended, Running};
use crate::reload::reloads;
use crate::reload_watch::sh;
use crate::running::{pid_of, start, stop, up};

const SHOWS_LEVEL: &str = "worker: echo level $LEVEL; exec sleep 1000\n";

/// How many inotify instances `dyno` itself has.
fn instances(running: &Running) -> usize {
    let open = fs::read_dir(format!("/proc/{}/fd", running.main())).unwrap().flatten();
    let targets = open.filter_map(|file| fs::read_link(file.path()).ok());
    targets.filter(|target| target.to_string_lossy().contains("inotify")).count()
}

#[test]
fn s14_3_nothing_is_watched_unless_it_is_asked_for() {
    let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=1\n").file("a.rb", "");
    let running = start(&app, ["--restart"]);
    running.until_shown("level 1");
    let worker = pid_of(&app, "worker.1");

    sh(&app, "echo LEVEL=2 >.env; echo changed >a.rb");

    assert_eq!((instances(&running), pid_of(&app, "worker.1")), (0, worker));
    reloads(&app, "release v2: .env: ~ LEVEL\n");
    stop(&app, running);
    let running = start(&app, ["--reload"]);
    running.until("something watches", || instances(&running) == 1);
    stop(&app, running);
}

#[test]
fn s14_2_another_directory_in_place_of_the_root_is_read_and_watched() {
    let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=1\n").file("a.rb", "");
    let running = start(&app, ["--reload", "--watch", "worker"]);
    running.until_shown("level 1");

    sh(&app, "cd ..; cp -r app new; echo LEVEL=2 >new/.env; mv app old; mv new app");
    running.until_shown("level 2");
    fs::write(app.path(".env"), "LEVEL=3\n").unwrap();
    running.until_shown("level 3");
    running.until("it restarts", || {
        // Perhaps the new root was read only after the file was there.
        fs::write(app.path("b.rb"), "").unwrap();
        running.stdout.text().contains("b.rb changed")
    });

    stop(&app, running);
}

#[test]
fn s14_2_a_file_behind_a_bind_mount_is_watched() {
    let app = App::new(SHOWS_LEVEL).file("real/.env", "LEVEL=1\n").file("config/.env", "LEVEL=0\n");
    let call = app.dyno(["start", "--reload", "-e", "config/.env"]);
    let Some(call) = call.in_namespaces(&["--mount"], "mount --bind real config") else { return };
    let running = up(&app, call.spawn());
    running.until_shown("level 1");

    fs::write(app.path("real/.env"), "LEVEL=2\n").unwrap();

    running.until_shown("level 2");
    stop(&app, running);
}

#[test]
fn s14_2_a_single_mounted_file_is_watched() {
    let app = App::new(SHOWS_LEVEL).file("host/env", "LEVEL=1\n").file(".env", "LEVEL=0\n");
    let app = app.file("host/rb", "").file("a.rb", "");
    let call = app.dyno(["start", "--reload", "--watch", "worker=a.rb"]);
    let mounts = "mount --bind host/env .env; mount --bind host/rb a.rb";
    let Some(call) = call.in_namespaces(&["--mount"], mounts) else { return };
    let running = up(&app, call.spawn());
    running.until_shown("level 1");

    // Like an editor on the host, which does not see the mount.
    fs::write(app.path("host/env"), "LEVEL=2\n").unwrap();
    running.until_shown("level 2");
    fs::write(app.path("host/rb"), "changed").unwrap();
    running.until_shown("worker restarting: a.rb changed");

    stop(&app, running);
}

#[test]
fn s13_under_the_names_of_other_tools_no_file_is_watched() {
    for name in ["foreman", "honcho"] {
        let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=1\n");
        let running = app.called(name, ["start"]).spawn_in_terminal();
        running.until_shown("level 1");
        // Under its own name on a terminal, `dyno` would be watching by now.
        app.dyno(["restart", "worker", "--wait"]).run().expect_end(Ended::Code(0));

        assert_eq!(instances(&running), 0, "{name}");
        running.signal(Signal::SIGTERM);
        running.finish();
    }
}

#[test]
fn s14_2_at_each_limit_the_files_of_the_app_are_checked_every_2_s() {
    for limit in ["max_inotify_watches", "max_inotify_instances"] {
        let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=1\n");
        let call = app.dyno(["start", "--reload"]);
        let Some(call) = call.in_namespaces(&[], &format!("echo 0 >/proc/sys/user/{limit}")) else { return };
        let running = up(&app, call.spawn());
        let said =
            "the files of the app are checked every 2 s, because the system's limit on file watches has been reached";
        running.until_shown(said);

        for level in ["level 2", "level 3"] {
            fs::write(app.path(".env"), format!("LEVEL={}\n", &level[6..])).unwrap();
            running.until_shown(level);
        }

        assert_eq!(stop(&app, running).stdout().matches(said).count(), 1, "{limit}");
    }
}

#[test]
fn s14_1_a_save_before_a_new_run_is_up_is_applied_by_another_run() {
    let app = App::new("worker: echo level $LEVEL; cat gate; exec sleep 1000\n").file(".env", "LEVEL=1\n").fifo("gate");
    let running = app.dyno(["start", "--reload"]).spawn();
    running.until_shown("level 1");
    fs::write(app.path(".env"), "LEVEL=2\n").unwrap();
    running.until_shown("level 2");

    // This run has not got past its first line.
    fs::write(app.path(".env"), "LEVEL=3\n").unwrap();

    running.until_shown("level 3");
    app.release("gate");
    running.until("the last run goes on", || running.all_of_dynos(|process| process.command == "sleep 1000"));
    stop(&app, running);
}
