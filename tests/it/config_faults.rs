//! `config:set` while the disk is full, others change the same file, or it is killed: no change is lost or half made (S15.3).

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use crate::harness::{App, Ended, error, note};
use crate::process_table::status;

const UNFINISHED: &str = ".env.dyno-new";

fn app() -> App {
    App::new("web: true\n")
}

fn env(app: &App) -> String {
    fs::read_to_string(app.path(".env")).unwrap()
}

/// A comment of this many bytes.
fn comment(bytes: usize) -> String {
    format!("#{}\n", "x".repeat(bytes - 2))
}

#[test]
fn s15_3_a_read_only_file_is_refused_for_root_too() {
    let app = app().file(".env", "A=1\n");
    fs::set_permissions(app.path(".env"), fs::Permissions::from_mode(0o400)).unwrap();

    app.refuses(&["config:set", "A=2"], 73, &error(".env is read-only", "`chmod u+w .env` lets its owner change it"));

    assert_eq!(env(&app), "A=1\n");
    app.dyno(["config:set", "A=1"]).run().expect(Ended::Code(0), "Setting A in .env... done\n", "");
}

#[test]
fn s15_3_a_read_only_directory_and_the_file_of_another_user_are_refused() {
    if !geteuid().is_root() {
        return note("not tested: only root can become another user");
    }
    let app = app().file("one/.env", "A=1\n").file("two/.env", "A=1\n");
    for directory in ["one", "two"] {
        fs::set_permissions(app.path(directory), fs::Permissions::from_mode(0o777)).unwrap();
        fs::set_permissions(app.path(directory).join(".env"), fs::Permissions::from_mode(0o666)).unwrap();
    }
    fs::set_permissions(app.path("one"), fs::Permissions::from_mode(0o755)).unwrap();
    chown(app.path("one/.env"), Some(65_534), Some(65_534)).unwrap();
    let set = |directory: &str| app.dyno(["config:set", "A=2"]).user(65_534).directory(&app.path(directory)).run();

    let fact = ".env cannot be replaced, and is as it was: Permission denied";
    let hint = format!("`ls -ld {}` shows who may write there", app.root().join("one").display());
    set("one").expect(Ended::Code(73), "", &error(fact, &hint));
    let fact = ".env belongs to another user, who would lose it";
    set("two").expect(Ended::Code(73), "", &error(fact, "change it as that user"));

    for directory in ["one", "two"] {
        assert_eq!(fs::read_to_string(app.path(directory).join(".env")).unwrap(), "A=1\n");
        assert!(!app.has(&format!("{directory}/{UNFINISHED}")));
    }
}

#[test]
fn s15_3_a_write_over_the_limit_of_the_shell_leaves_the_old_file() {
    let old = comment(10_000) + "A=1\n";
    let app = app().file(".env", &old);

    let limited = app.dyno(["config:set", "A=2"]).after("ulimit -f 1").run();

    let fact = ".env cannot be replaced, and is as it was: File too large";
    limited.expect(Ended::Code(73), "", &error(fact, "`ulimit -f` shows the limit of the shell"));
    assert_eq!(env(&app), old);
    assert!(!app.has(UNFINISHED));
}

#[test]
fn s15_3_a_full_disk_leaves_the_old_file() {
    let app = app().file("disk/.keep", "");
    let mount = "mount -t tmpfs -o size=16k none disk 2>mount.err || { cat mount.err; exit 99; }
                 { printf '#'; head -c 9000 /dev/zero | tr '\\0' x; printf '\\nA=1\\n'; } >disk/.env
                 cp disk/.env before
                 \"$0\" config:set -e disk/.env A=2; status=$?
                 cmp before disk/.env && ls -A disk && exit $status";
    let call = app.dyno([]).under(&["unshare", "--mount", "sh", "-c", mount]);

    let ended = call.run();

    if ended.stdout().contains("mount") || ended.stderr().contains("unshare") {
        return note("not tested: this user cannot mount a file system");
    }
    let fact = "disk/.env cannot be replaced, and is as it was: No space left on device";
    ended.expect(Ended::Code(73), ".env\n", &error(fact, "make room on its disk, and try again"));
}

#[test]
fn s15_3_of_twelve_changes_at_once_none_is_lost() {
    let app = app().file(".env", comment(100_000) + "K0=0\n");

    let setting = |number| app.dyno(["config:set"]).args(&[&format!("K{number}={number}")]).spawn();
    let all: Vec<_> = (0..12).map(setting).collect();
    for (number, running) in all.into_iter().enumerate() {
        running.finish().expect(Ended::Code(0), &format!("Setting K{number} in .env... done\n"), "");
    }

    let mut lines: Vec<String> = env(&app).lines().skip(1).map(str::to_owned).collect();
    lines.sort();
    let mut expected: Vec<String> = (0..12).map(|number| format!("K{number}={number}")).collect();
    expected.sort();
    assert_eq!(lines, expected);
    assert!(!app.has(UNFINISHED));
}

#[test]
fn s15_3_one_that_is_killed_leaves_the_old_file_or_the_new_one() {
    let start = comment(4_000_000);
    let app = app().file(".env", format!("{start}A=0\n"));
    let mut value = 0;
    for thousandths in (1..=40).map(|step| step * 3) {
        let limit = format!("0.{thousandths:03}");
        let next = format!("A={thousandths}");
        let ended = app.dyno(["config:set"]).args(&[&next]).under(&["timeout", "-s", "KILL", &limit]).run();

        let now = env(&app);
        let is_new = now == format!("{start}{next}\n");
        assert!(is_new || now == format!("{start}A={value}\n"), "half a file of {} bytes", now.len());
        assert!(is_new || ended.stdout().is_empty());
        if is_new {
            value = thousandths;
        }
    }
    fs::write(app.path(UNFINISHED), "left by one that was killed").unwrap();

    app.dyno(["config:set", "A=last"]).run().expect(Ended::Code(0), "Setting A in .env... done\n", "");

    assert_eq!(env(&app), format!("{start}A=last\n"));
    assert!(!app.has(UNFINISHED));
}

#[test]
fn s15_3_one_that_waits_for_another_change_can_be_stopped() {
    let app = app().file(".env", "A=1\n");
    let mut held = app.dyno([]).under(&["flock", "-F", ".", "sh", "-c", "echo held; exec sleep 1000"]).spawn();
    held.until_shown("held\n");

    let waiting = app.dyno(["config:set", "A=2"]).spawn();
    // One thread waits for the lock, and the other one for that thread.
    let threads = || status(waiting.main(), "Threads");
    waiting.until("it waits for the lock", || threads().as_deref() == Some("2"));
    waiting.signal(Signal::SIGINT);

    waiting.finish().expect_end(Ended::Signal(Signal::SIGINT));
    held.signal(Signal::SIGKILL);
    held.returned();
    assert_eq!(env(&app), "A=1\n");
}
