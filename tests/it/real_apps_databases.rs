//! `PostgreSQL` and Redis before the app that needs them (S6.12). Both ignore `PORT`. Needs `postgres`, `redis-server`
//! and, for root, `setpriv`.

use std::fs;
use std::path::PathBuf;

use nix::unistd::{chown, geteuid};

use crate::app::{OTHER_USER, free_port};
use crate::harness::{App, Ended};
use crate::running::{dynos, pid_of, stop};

/// The directory with the programs of `PostgreSQL`. Debian does not add it to the `PATH`.
fn postgres_programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().map(|entry| entry.unwrap().path());
    let of_path = std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect::<Vec<_>>();
    let mut directories = versions.map(|version| version.join("bin")).chain(of_path);
    directories.find(|directory| directory.join("initdb").exists()).expect("PostgreSQL is installed")
}

/// What `web.1` waits for, as `ps` shows it.
fn waits_for(app: &App) -> String {
    let web = dynos(app).into_iter().find(|dyno| dyno["name"] == "web.1").unwrap_or_default();
    web["waits_for"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn s6_12_an_app_starts_after_postgresql_and_redis_listen() {
    let (db, redis, programs) = (free_port(), free_port(), postgres_programs());
    let programs = programs.display();
    // `PostgreSQL` refuses to run as root.
    let as_other_user = format!("exec setpriv --reuid={OTHER_USER} --regid={OTHER_USER} --clear-groups");
    let (is_root, exec) = if geteuid().is_root() { (true, as_other_user.as_str()) } else { (false, "exec") };
    let app = App::empty().file("data/keep", "").fifo("go").file(
        "Procfile",
        format!(
            "web: {programs}/pg_isready -q -h 127.0.0.1 -p {db}; echo status $?; redis-cli -p {redis} ping; exec sleep 1000\n\
             setup: read -r line <go; rm data/keep; {exec} {programs}/initdb --no-sync -A trust -U app -D data\n\
             db: {exec} {programs}/postgres -D data -k '' -p {db} -c listen_addresses=127.0.0.1 -c fsync=off\n\
             redis: exec redis-server --port {redis} --bind 127.0.0.1 --save ''\n"
        ),
    );
    if is_root {
        chown(&app.path("data"), Some(OTHER_USER.into()), Some(OTHER_USER.into())).unwrap();
    }
    let running = app.dyno(["start", "-p", "auto", "--after", "db=setup:done,web=db+redis"]).spawn();
    running.until("only PostgreSQL is missing", || waits_for(&app) == "db.1 to listen");
    assert_eq!((pid_of(&app, "db.1"), pid_of(&app, "web.1")), (0, 0));
    app.release("go");

    running.until_shown("| PONG\n");

    let log = running.stdout.text();
    // 2: no response. 1: the database is still starting, but answers.
    assert!(["status 0\n", "status 1\n"].iter().any(|line| log.contains(line)), "{log}");
    let at = |text: &str| log.find(text).unwrap_or_else(|| panic!("no `{text}`: {log}"));
    assert!(at("setup.1 | exited with code 0") < at("db.1    | started with pid"), "{log}");
    assert!(at("db.1    | started with pid") < at("web.1   | started with pid"), "{log}");
    stop(&app, running).expect_end(Ended::Code(0));
}
