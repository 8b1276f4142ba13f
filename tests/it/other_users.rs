//! What users other than the one who started the app can do: nothing (S10.3). And what happens to their processes in a run
//! (S6.6). Only root can test that.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::api_faults::connect;
use crate::app::fork;
use crate::harness::{App, Call, Ended, Running, note};
use crate::running::{start, stop};

/// A user id without an account.
const OTHER_USER: u32 = 54_321;

/// Whether this is root. If not, a note says that the test was skipped.
fn is_root() -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        note("skipped: only root can start a run as another user");
    }
    is_root
}

#[test]
fn s10_3_another_user_cannot_connect() {
    if !is_root() {
        return;
    }
    let app = App::new("web: exec sleep 1000\n");
    let running = start(&app, []);

    for words in [&["ps"][..], &["screen", "web"], &["attach", "web"]] {
        let asked = app.dyno([]).args(words).user(OTHER_USER).run();

        assert_eq!(asked.ended, Ended::Code(69), "{words:?}: {}", asked.stderr());
        let stderr = asked.stderr();
        assert!(stderr.contains("is not private") || stderr.contains("cannot be used"), "{stderr}");
    }
    stop(&app, running);
}

#[test]
fn s10_3_a_client_of_another_user_is_dropped_even_if_it_can_connect() {
    if !is_root() {
        return;
    }
    let app = App::new("web: exec sleep 1000\n");
    let by_other_user = |args: &[&str]| app.dyno([]).args(args).user(OTHER_USER);
    let running = by_other_user(&["start"]).spawn();
    running.until_shown("| started with pid");
    // Its own user is answered.
    by_other_user(&["ps"]).run().expect_end(Ended::Code(0));

    // No mode keeps root from connecting.
    let mut stream = connect(&app);
    let sent = stream.write_all(b"DELETE /apps/app/dynos HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);

    let dropped = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
    assert!(sent.map_or_else(|error| dropped.contains(&error.kind()), |()| true));
    assert!(read.map_or_else(|error| dropped.contains(&error.kind()), |_| true));
    assert_eq!(String::from_utf8_lossy(&answer), "");
    by_other_user(&["stop"]).run().expect(Ended::Code(0), "stopping: web.1\n", "");
    running.finish().expect_end(Ended::Code(0));
}

/// Hides the processes of other users, as some servers do, and then runs the rest of the words as [`OTHER_USER`].
const HIDING: [&str; 7] = [
    "./root",
    "--reuid=0",
    "unshare",
    "--mount",
    "sh",
    "-c",
    "mount -t proc -o hidepid=2 proc /proc && exec ./root --reuid=54321 \"$0\" \"$@\"",
];

/// An app whose dyno is a process of root. That runs `sleep` as the user of the app, in another session. `./root` is to
/// `setpriv` what `sudo` is to `env`. None: that is not possible here, which a note says.
fn app_of_root() -> Option<App> {
    if !is_root() {
        return None;
    }
    let app = App::new("web: exec ./root --reuid=0 sh -c 'setsid ./root --reuid=54321 sleep 7777; :'\n");
    let root = app.path("root");
    // `cp` writes it: a file that this process has open for writing could not be executed.
    let mut copy = Command::new("sh");
    copy.args(["-c", "cp \"$(command -v setpriv)\" \"$0\" 2>/dev/null"]).arg(&root);
    if !fork(&mut copy).wait().unwrap().success() {
        note("skipped: there is no `setpriv`");
        return None;
    }
    // No one else on this machine may become root.
    chown(&root, Some(0), Some(OTHER_USER)).unwrap();
    fs::set_permissions(&root, Permissions::from_mode(0o4750)).unwrap();
    let mut probe = Command::new(HIDING[0]);
    probe.args(&HIDING[1..]).arg("true").current_dir(app.path("")).uid(OTHER_USER).gid(OTHER_USER);
    let is_possible = fork(&mut probe).wait().unwrap().success();
    if !is_possible {
        note("skipped: no program can be setuid root here, or `hidepid` is not permitted");
    }
    is_possible.then_some(app)
}

/// Starts it as [`OTHER_USER`] and waits until `sleep` runs.
fn sleeping(call: Call) -> Running {
    let running = call.user(OTHER_USER).spawn();
    running.until("it sleeps", || running.processes().iter().any(|process| process.command == "sleep 7777"));
    running
}

// The process of root ends when its `sleep` has ended. Otherwise the harness would find both.
#[test]
fn s6_6_what_a_process_of_another_user_runs_as_us_is_killed() {
    let Some(app) = app_of_root() else { return };
    for wrapper in [&[][..], &HIDING] {
        let call = || app.dyno(["start"]).under(wrapper);

        let running = sleeping(call());
        running.signal(Signal::SIGKILL);
        running.finish().expect_end(Ended::Signal(Signal::SIGKILL));

        let running = sleeping(call());
        kill(Pid::from_raw(running.guardian()), Signal::SIGKILL).unwrap();
        running.finish().expect_end(Ended::Code(70));
    }
}

#[test]
fn s6_6_a_stop_reaches_what_a_hidden_process_runs_as_us() {
    let Some(app) = app_of_root() else { return };
    let running = sleeping(app.dyno(["start", "-t", "1"]).under(&HIDING));

    running.signal(Signal::SIGTERM);

    running.finish().expect_end(Ended::Signal(Signal::SIGTERM));
}
