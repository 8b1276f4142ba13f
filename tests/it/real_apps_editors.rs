//! Editors and `git` change the files of a running app, and so does a host whose changes are not reported (S14.2).
//! Needs `vi`, `nano`, `git` and `bindfs`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{App, note};
use crate::reload_watch::sh;
use crate::running::{start, stop, up};
use crate::watch::restarts;
use crate::window::Window;

const SHOWS_LEVEL: &str = "worker: echo level $LEVEL; exec sleep 1000\n";

/// A directory in which a program (FUSE) shows the files of another one.
struct Mounted {
    place: PathBuf,
}

impl Mounted {
    /// Shows `from` at `place`. None: the machine does not allow such a mount, and a note says so.
    fn new(from: &Path, place: PathBuf) -> Option<Self> {
        if File::options().read(true).write(true).open("/dev/fuse").is_err() {
            note("a file system without events was not tested: /dev/fuse cannot be opened");
            return None;
        }
        fs::create_dir(&place).unwrap();
        // The program stays in the background, and would keep a pipe open.
        let mount = Command::new("bindfs").args([from, &place]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(mount.unwrap().success());
        Some(Self { place })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: after a failed test, the app may still use it.
        let _ = Command::new("fusermount3").args(["-u", "-z"]).arg(&self.place).status();
    }
}

#[test]
fn s14_2_a_file_saved_by_vi_or_nano_is_applied() {
    let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=1\n");
    let running = start(&app, ["--reload"]);
    running.until_shown("level 1");
    let window = Window::open(app);

    window.line("vi .env");
    window.until("LEVEL=1");
    window.line(":%s/1/2/");
    window.line(":wq");
    running.until_shown("level 2");
    window.until("ready>");
    window.line("nano -I .env");
    window.until("LEVEL=2");
    window.line("NAME=3");
    window.press(&["C-o"]);
    window.until("File Name to Write");
    window.press(&["Enter"]);
    running.until_shown("release v3: .env: + NAME");
    window.press(&["C-x"]);
    window.expect_status("0");

    let log = stop(window.app(), running).stdout();
    assert_eq!(log.matches("system   | release v").count(), 2, "{log}");
}

#[test]
fn s14_3_a_checkout_of_five_thousand_files_causes_few_restarts() {
    let app = App::new(SHOWS_LEVEL).file(".env", "LEVEL=1\n");
    let make = "for d in $(seq 50); do mkdir -p src/$d; for f in $(seq 100); do echo $0 >src/$d/$f; done; done";
    let commit = "git add -A; git -c user.name=me -c user.email=me@example.com commit -qm $0";
    sh(&app, &format!("git init -q -b one .; sh -c '{make}; {commit}' one"));
    sh(&app, &format!("git checkout -q -b two; echo LEVEL=2 >.env; sh -c '{make}; {commit}' two; git checkout -q one"));
    let running = start(&app, ["--reload", "--watch", "worker=src"]);
    running.until_shown("level 1");

    sh(&app, "git checkout -q two");
    running.until_shown("level 2");
    running.until_shown("worker restarting: src/");
    app.write("src/last", "");
    running.until("the last file restarts it", || {
        let shown = running.stdout.text();
        shown.contains("src/last changed") || shown.matches("worker restarting: ").count() > 1
    });

    // Changes are collected for at most 2 seconds, and on a slow machine the checkout may take several times as long.
    assert!(restarts(&running, "worker") <= 10);
    let log = stop(&app, running).stdout();
    assert_eq!(log.matches("system   | release v").count(), 1, "{log}");
}

#[test]
fn s14_2_a_file_system_without_events_is_checked_every_2_s() {
    let app = App::new(SHOWS_LEVEL).file("host/.env", "LEVEL=1\n").file("host/Procfile", SHOWS_LEVEL);
    let Some(mounted) = Mounted::new(&app.path("host"), app.path("guest")) else { return };
    let running = up(&app, app.dyno(["start", "-d", "guest", "--reload", "--watch", "worker"]).spawn());
    running.until_shown("level 1");

    app.write("host/.env", "LEVEL=2\n");
    running.until_shown("level 2");
    for name in ["a.rb", "b.rb"] {
        app.write(&format!("host/{name}"), "");
        running.until_shown(&format!("worker restarting: {name} changed"));
    }

    running.signal(nix::sys::signal::Signal::SIGTERM);
    let log = running.finish().stdout();
    for what in ["the files", "some directories"] {
        let said =
            format!("{what} of the app are checked every 2 s, because their file system does not report changes");
        assert_eq!(log.matches(&said).count(), 1, "{log}");
    }
    drop(mounted);
}
