//! `config:set` while the disk is full, others change the same file, or it is killed: no change is lost or half made (S15.3).

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Command, Stdio};

use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, geteuid};

use crate::app::fork;
use crate::binary;
use crate::harness::{App, Ended, error, note, until};
use crate::process_table::{stat, status};

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

/// Runs `config:set A=VALUE` and kills it at this stop: each system call has two, before and after it. Returns the number of
/// stops until then, or until its end.
fn killed_at(app: &App, value: usize, last: usize) -> usize {
    let mut command = Command::new("sh");
    command.args(["-c", "kill -STOP $$; exec \"$0\" config:set \"A=$1\"", binary::dyno(), &value.to_string()]);
    command.current_dir(app.path("")).env("HOME", app.top().join("home")).env("XDG_RUNTIME_DIR", app.top().join("run"));
    let mut child = fork(command.stdout(Stdio::null()));
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    until("it has stopped itself", || stat(pid.as_raw()).is_some_and(|(state, _)| state == 'T'));
    ptrace::seize(pid, ptrace::Options::PTRACE_O_TRACESYSGOOD).unwrap();
    kill(pid, Signal::SIGCONT).unwrap();
    let mut stops = 0;
    loop {
        let signal = match waitpid(pid, Some(WaitPidFlag::__WALL)).unwrap() {
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {
                // Its end is known already.
                let _ = child.wait();
                return stops;
            }
            WaitStatus::PtraceSyscall(_) if stops == last => {
                child.kill().unwrap();
                child.wait().unwrap();
                return stops;
            }
            WaitStatus::PtraceSyscall(_) => {
                stops += 1;
                None
            }
            WaitStatus::Stopped(_, signal) => Some(signal),
            WaitStatus::PtraceEvent(..) | WaitStatus::Continued(_) | WaitStatus::StillAlive => None,
        };
        ptrace::syscall(pid, signal).unwrap();
    }
}

#[test]
fn s15_3_one_that_is_killed_leaves_the_old_file_or_the_new_one() {
    let app = app().file(".env", "# kept\nA=0\n");
    let all = killed_at(&app, 1, usize::MAX);
    assert_eq!(env(&app), "# kept\nA=1\n");
    let (mut value, mut leftovers) = (1, 0);

    // The file is changed near the end.
    for last in all.saturating_sub(150)..all {
        killed_at(&app, last, last);

        let now = env(&app);
        let is_new = now == format!("# kept\nA={last}\n");
        assert!(is_new || now == format!("# kept\nA={value}\n"), "killed at stop {last} of {all}: {now:?}");
        value = if is_new { last } else { value };
        leftovers += usize::from(app.has(UNFINISHED));
    }

    assert!(leftovers > 0 && value > 1, "it was killed neither before nor after the change");
    app.dyno(["config:set", "A=last"]).run().expect(Ended::Code(0), "Setting A in .env... done\n", "");
    assert_eq!(env(&app), "# kept\nA=last\n");
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

#[test]
fn s15_3_a_change_that_takes_too_long_makes_others_give_up() {
    let app = app().file(".env", "A=1\n");
    let mut held = app.dyno([]).under(&["flock", "-F", ".", "sh", "-c", "echo held; exec sleep 1000"]).spawn();
    held.until_shown("held\n");

    let fact = ".env is still being changed by another `dyno` after 10 seconds";
    app.refuses(&["config:set", "A=2"], 69, &error(fact, "try again later"));

    held.signal(Signal::SIGKILL);
    held.returned();
    assert_eq!(env(&app), "A=1\n");
    app.dyno(["config:set", "A=2"]).run().expect_end(Ended::Code(0));
}
