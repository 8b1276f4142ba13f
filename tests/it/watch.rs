//! `dyno start --watch`: a process type restarts when its files change (S14.3).

use std::fs;
use std::os::unix::fs::symlink;

use crate::harness::{App, Ended, Running, error};
use crate::reload_watch::sh;
use crate::running::{pid_of, start, stop, up};

const TWO: &str = "api: cat src/a.rb; exec sleep 1000\nworker: exec sleep 1000\n";

pub(crate) fn restarts(running: &Running, name: &str) -> usize {
    running.stdout.text().matches(&format!("{name} restarting: ")).count()
}

#[test]
fn s14_3_a_changed_file_restarts_the_types_that_watch_it() {
    let app = App::new(TWO).file("src/a.rb", "first\n").file("config/b.yml", "");
    let running = start(&app, ["--watch", "api=src,config/*.yml"]);
    running.until_shown("first");
    let worker = pid_of(&app, "worker.1");

    app.write("src/a.rb", "second\n");
    running.until_shown("second");
    app.write("README", "of no interest\n");
    app.write("src/new.tmp", "third\n");
    fs::rename(app.path("src/new.tmp"), app.path("src/a.rb")).unwrap();
    running.until_shown("third");
    app.write("config/b.yml", "x: 1\n");
    running.until_shown("api restarting: config/b.yml changed");

    assert_eq!(pid_of(&app, "worker.1"), worker);
    let log = stop(&app, running);
    assert_eq!(log.lines_of("system")[0], "api restarting: src/a.rb changed");
    assert_eq!(log.lines_of("api.1")[2], "restart requested: sending SIGTERM");
}

#[test]
fn s14_3_a_type_alone_watches_all_files_but_ignored_ones() {
    let app = App::new("worker: exec sleep 1000\n").file(".gitignore", "*.log\n/data\n").file("src/a.rb", "");
    let running = start(&app, ["--watch", "worker"]);

    let ignored = ["a.log", "src/b.log", "data/c", "node_modules/d/index.js", ".git/HEAD", ".env"];
    for ignored in ignored {
        fs::create_dir_all(app.path(ignored).parent().unwrap()).unwrap();
        app.write(ignored, "");
    }
    fs::create_dir_all(app.path("lib/deep")).unwrap();
    app.write("lib/deep/e.rb", "");
    running.until_shown("worker restarting: lib/deep/e.rb changed");
    fs::remove_file(app.path("src/a.rb")).unwrap();
    running.until_shown("worker restarting: src/a.rb changed");

    let log = stop(&app, running);
    let restarted = log.lines_of("system").into_iter().filter(|line| line.starts_with("worker restarting: "));
    // On a slow machine, the creation of a file and the end of the writing may be two changes.
    let files: Vec<String> = restarted.map(|line| line.split(' ').nth(2).unwrap().to_owned()).collect();
    assert!(files.iter().all(|file| !ignored.contains(&file.as_str())), "{files:?}");
}

#[test]
fn s14_3_each_list_names_types_of_its_own() {
    let app = App::new(TWO).file("src/a.rb", "first\n").file(".foreman", "watch: api=src,worker=lib\n");
    let running = start(&app, []);
    fs::create_dir(app.path("lib")).unwrap();
    app.write("lib/b.rb", "");
    running.until_shown("worker restarting: lib/b.rb changed");
    stop(&app, running);

    let running = start(&app, ["--watch", "api=src", "--watch", "worker"]);
    app.write("c.rb", "");
    running.until_shown("worker restarting: c.rb changed");
    assert_eq!(restarts(&running, "api"), 0);
    stop(&app, running);
}

#[test]
fn s14_3_a_type_that_writes_its_own_files_is_not_restarted_forever() {
    let app = App::new("worker: echo $$ >state; exec sleep 1000\n");
    let running = start(&app, ["--watch", "worker", "--watch-delay", "10"]);

    running.until_shown(
        "worker is no longer restarted: state and others changed more than 10 times in 20 s, perhaps because worker writes \
         them. Restarts resume once its files have not changed for 20 s\n",
    );

    assert_eq!(restarts(&running, "worker"), 10);
    running.until_shown("hint: list files that worker writes in .dynoignore");
    stop(&app, running);
}

#[test]
fn s14_3_a_directory_that_is_created_again_is_watched() {
    let app = App::new("worker: exec sleep 1000\n").file("src/a.rb", "");
    let running = start(&app, ["--watch", "worker=src"]);

    fs::rename(app.path("src"), app.path("old")).unwrap();
    running.until_shown("worker restarting: src/a.rb changed");
    fs::create_dir(app.path("src")).unwrap();
    app.write("src/b.rb", "");
    running.until_shown("worker restarting: src/b.rb changed");
    app.write("src/b.rb", "changed\n");
    running.until("it restarts again", || restarts(&running, "worker") >= 3);

    stop(&app, running);
}

#[test]
fn s14_3_what_cannot_be_watched_is_refused() {
    let app = App::new(TWO);

    let refused = |list: &str, fact: &str, hint: &str| {
        let stderr = error(&format!("`--watch`: {fact}"), hint);
        app.dyno(["start", "--watch", list]).run().expect(Ended::Code(2), "", &stderr);
    };

    refused("wrker=src", "the Procfile has no process type `wrker`", "did you mean `worker`?");
    refused(
        "worker=../x",
        "`../x` is outside the root of the app",
        "start the app in a directory that contains those files",
    );
    app.write(".foreman", "watch: worker=\n");
    let fact = ".foreman:1: `worker=` does not say which files are watched for which process type";
    let stderr = error(fact, "write `web=src`, `web=src,config/*.yml`, or `web` for all files");
    app.dyno(["start"]).run().expect(Ended::Code(78), "", &stderr);
}

#[test]
fn s14_3_a_start_that_is_not_registered_says_that_no_file_is_watched() {
    let app = App::new("worker: true\n");
    // No file can be written, as on a full disk.
    let stderr = |args: &[&str]| app.dyno(["start"]).args(args).after("ulimit -f 0").run().stderr();
    let not_registered = "warning: commands such as `dyno ps` will not find this start: File too large\n\
                          hint: make room in the directory that `XDG_RUNTIME_DIR` names\n";
    let not_watched = format!("{not_registered}warning: no files are watched, because this start is not registered\n");

    assert_eq!(stderr(&["--watch", "worker"]), not_watched);
    assert_eq!(stderr(&["--reload"]), not_watched);
    assert_eq!(stderr(&[]), not_registered);
}

#[test]
fn s14_2_at_the_systems_limit_the_rest_is_checked_every_2_s() {
    let app = App::new("worker: exec sleep 1000\n").file("src/a.rb", "").file("src/deep/b.rb", "");
    let call = app.dyno(["start", "--watch", "worker"]);
    // A user namespace has a limit of its own. Three watches are not enough for all directories.
    let Some(call) = call.in_namespaces(&[], "echo 3 >/proc/sys/user/max_inotify_watches") else { return };
    let running = up(&app, call.spawn());
    running.until_shown(
        "some directories of the app are checked every 2 s, because the system's limit on file watches has been reached",
    );
    running.until_shown("hint: sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=1024");

    for file in ["src/deep/b.rb", "src/a.rb", "c.rb"] {
        app.write(file, "changed\n");
        running.until_shown(&format!("worker restarting: {file} changed"));
    }

    let log = stop(&app, running);
    let said = log.lines_of("system").into_iter().filter(|line| line.contains("checked every")).count();
    assert_eq!(said, 1);
}

#[test]
fn s14_1_a_reload_applies_another_watch_list() {
    let app = App::new(TWO).file("src/a.rb", "first\n").file(".foreman", "watch: api=src\n");
    let running = start(&app, ["--restart"]);
    let reload = |text: &str, shown: &str| {
        app.write(".foreman", text);
        app.dyno(["reload"]).run().expect(Ended::Code(0), shown, "");
    };

    reload("watch: worker=src\n", "release v2: .foreman: ~ watch\n");
    app.write("src/a.rb", "second\n");
    running.until_shown("worker restarting: src/a.rb changed");
    reload("", "release v3: .foreman: ~ watch\n");
    reload("watch: worker\n", "release v4: .foreman: ~ watch\n");
    app.write("b.rb", "");
    running.until_shown("worker restarting: b.rb changed");

    assert_eq!(restarts(&running, "api"), 0);
    stop(&app, running);
}

#[test]
fn s14_1_a_reload_can_begin_to_watch() {
    let app = App::new("worker: exec sleep 1000\n");
    let running = start(&app, []);
    app.write("a.rb", "");

    app.write(".foreman", "watch: worker\n");
    app.dyno(["reload"]).run().expect(Ended::Code(0), "release v2: .foreman: ~ watch\n", "");
    app.write("b.rb", "");
    running.until_shown("worker restarting: b.rb changed");

    stop(&app, running);
}

#[test]
fn s14_3_a_directory_that_is_swapped_for_another_is_watched() {
    let app = App::new("worker: exec sleep 1000\n").file("src/a.rb", "").file("new/b.rb", "");
    let running = start(&app, ["--watch", "worker=src"]);

    sh(&app, "mv src old; mv new src");
    running.until_shown("worker restarting: src/a.rb changed");
    app.write("src/c.rb", "");
    running.until_shown("worker restarting: src/c.rb changed");

    stop(&app, running);
}

#[test]
fn s14_3_five_thousand_replaced_files_are_few_restarts() {
    let app = App::new("worker: exec sleep 1000\n");
    let make = "for d in $(seq 50); do mkdir -p $0/$d; for f in $(seq 100); do echo $0 >$0/$d/$0$f; done; done";
    sh(&app, &format!("sh -c '{make}' src; sh -c '{make}' other"));
    let running = start(&app, ["--watch", "worker=src"]);

    sh(&app, "rm -r src; cp -r other src");
    running.until_shown("worker restarting: src/");
    app.write("src/last.rb", "");
    running.until("the last file restarts it", || {
        let shown = running.stdout.text();
        shown.contains("src/last.rb changed") || shown.matches("worker restarting: ").count() > 1
    });

    // 2 seconds are the longest that changes are collected, and a slow machine may need that several times.
    assert!(restarts(&running, "worker") <= 10);
    stop(&app, running);
}

#[test]
fn s14_3_the_change_that_starts_a_pause_restarts_after_it() {
    let app = App::new("worker: exec sleep 1000\n");
    let running = start(&app, ["--watch", "worker", "--watch-delay", "100"]);

    for number in 1..=11 {
        app.write(&format!("{number}.rb"), "");
        // The 11th restart comes after the pause of 20 seconds. On a very slow machine there is no pause.
        running.until_shown(&format!("worker restarting: {number}.rb changed"));
    }

    stop(&app, running);
}

#[test]
fn s14_3_a_symlinked_env_that_is_reloaded_does_not_also_restart_types() {
    let app = App::new("worker: echo level $LEVEL; exec sleep 1000\n").file("config/a.env", "LEVEL=1\n");
    symlink("config/a.env", app.path(".env")).unwrap();
    let running = start(&app, ["--reload", "--watch", "worker"]);

    app.write("config/a.env", "LEVEL=2\n");
    running.until_shown("level 2");
    app.write("b.rb", "");
    running.until_shown("worker restarting: b.rb changed");

    assert_eq!(restarts(&running, "worker"), 1);
    stop(&app, running);
}
