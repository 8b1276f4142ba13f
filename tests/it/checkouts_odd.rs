//! Odd directories of checkouts, and state and runtime directories that cannot be used (S5.4, S5.5, S10.3).

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::checkouts::{end, remembered, said, said_port, start, web_port, with_worktree};
use crate::harness::{App, Call, Ended, RARE_PORT, note, until};

const WEB: &str = "web: echo $PORT $WEB_URL $DYNO_APP; exec sleep 1000\n";

/// How many smoke tests run, and how many of them at a time.
const SMOKES: usize = 50;
const AT_A_TIME: usize = 8;

/// A user id without an account.
const OTHER_USER: u32 = 54_321;

#[test]
fn s5_5_without_a_state_directory_the_hash_decides_and_a_warning_says_so() {
    let app = with_worktree(App::new(WEB), "fix-1", WEB).file("../home/.local", "");

    // Another program may have the port for a moment.
    until("the same port is chosen twice", || {
        let [one, other] = [(); 2].map(|()| end(start(&app, "../fix-1", &[], &["web.1"])));
        let port = web_port(&one);
        let warning = "warning: cannot remember the ports of this checkout: Not a directory\n\
                       hint: set `XDG_STATE_HOME` to a directory that you can write to, or choose the ports with `-p`\n";
        assert_eq!(one.stderr(), format!("ports of this worktree: web.1 {port}\n{warning}"));
        port == web_port(&other)
    });
}

#[test]
fn s5_5_the_block_is_read_from_a_read_only_state_directory() {
    let app = with_worktree(App::new(WEB), "fix-1", WEB);
    let port = web_port(&end(start(&app, "../fix-1", &[], &["web.1"])));
    let state = app.top().join("home/.local/state/dyno");
    fs::set_permissions(&state, Permissions::from_mode(0o500)).unwrap();

    until("the worktree has its port again", || {
        let again = end(start(&app, "../fix-1", &[], &["web.1"]));
        assert!(!again.stderr().contains("warning"), "{}", again.stderr());
        web_port(&again) == port
    });
    fs::set_permissions(&state, Permissions::from_mode(0o700)).unwrap();
}

/// The runtime directory without a usable `XDG_RUNTIME_DIR`.
fn without_variable() -> String {
    let user = nix::unistd::geteuid();
    let usual = format!("/run/user/{user}");
    if fs::metadata(&usual).is_ok() { format!("{usual}/dyno") } else { format!("/tmp/dyno-{user}") }
}

#[test]
fn s10_1_without_xdg_runtime_dir_run_user_uid_is_used() {
    let app = App::new("worker: exec sleep 1000\n");
    let run = app.top().join("run").display().to_string();
    // The program without the variable sees as `/run/user/UID` the directory that the variable names in the terminal.
    let line =
        format!("mount -t tmpfs none /run && mkdir -p /run/user/$(id -u) && mount --bind '{run}' /run/user/$(id -u)");
    let program = app.dyno(["start"]).env("XDG_RUNTIME_DIR", "");
    let Some(program) = program.in_namespaces(&["--mount"], &line) else { return };
    let running = program.spawn();
    running.until_shown("started with pid");

    // In the terminal.
    app.dyno(["ps"]).run().expect_end(Ended::Code(0));
    crate::running::stop(&app, running);
}

#[test]
fn s10_1_a_runtime_directory_that_is_not_used_is_reported() {
    let app = App::new(WEB).file("file", "");
    let missing = app.path("missing").display().to_string();
    let file = app.path("file").display().to_string();
    let start = |named: &str| {
        let running = app.dyno(["start", "-p", RARE_PORT]).env("XDG_RUNTIME_DIR", named).spawn();
        running.until_shown(" http");
        // Commands find it there.
        app.dyno(["ps"]).env("XDG_RUNTIME_DIR", named).run().expect_end(Ended::Code(0));
        end(running)
    };
    let instead = without_variable();

    for (named, why) in
        [(missing.as_str(), "does not exist"), (&file, "is not a directory"), ("run", "is not an absolute path")]
    {
        let fact = format!("`XDG_RUNTIME_DIR` names `{named}`, which {why}: `{instead}` is used instead");
        let hint = "`unset XDG_RUNTIME_DIR`, or set it to a directory that you own";
        assert!(start(named).stderr().contains(&format!("warning: {fact}\nhint: {hint}\n")), "{named}");
    }
    assert!(!start("").stderr().contains("XDG_RUNTIME_DIR"));
}

#[test]
fn s10_1_root_leaves_nothing_in_the_runtime_directory_of_another_user() {
    if !nix::unistd::geteuid().is_root() {
        note("skipped: only root can give a directory to another user");
        return;
    }
    let app = App::new(WEB);
    let theirs = app.path("theirs");
    fs::create_dir(&theirs).unwrap();
    nix::unistd::chown(&theirs, Some(OTHER_USER.into()), Some(OTHER_USER.into())).unwrap();
    let running = app.dyno(["start", "-p", RARE_PORT]).env("XDG_RUNTIME_DIR", &theirs).spawn();
    running.until_shown(" http");

    let stderr = end(running).stderr();

    let instead = without_variable();
    assert!(stderr.contains(&format!(", which belongs to another user: `{instead}` is used instead\n")), "{stderr}");
    assert_eq!(fs::read_dir(&theirs).unwrap().count(), 0);
}

#[test]
fn s5_5_a_relative_state_directory_is_reported() {
    let app = with_worktree(App::new(WEB), "fix-1", WEB);
    let running = app.dyno(["start", "-p", RARE_PORT]).env("XDG_STATE_HOME", "state").spawn();
    running.until_shown(" http");

    let stderr = end(running).stderr();

    let instead = app.top().join("home/.local/state/dyno");
    let fact = format!(
        "`XDG_STATE_HOME` names `state`, which is not an absolute path: `{}` is used instead",
        instead.display()
    );
    assert!(stderr.contains(&format!("warning: {fact}\nhint: set `XDG_STATE_HOME` to an absolute path\n")), "{stderr}");
    assert!(remembered(&app).contains(" app "), "{}", remembered(&app));
}

#[test]
fn s5_5_root_leaves_nothing_in_the_state_directory_of_another_user() {
    if !nix::unistd::geteuid().is_root() {
        note("skipped: only root can give a directory to another user");
        return;
    }
    let app = with_worktree(App::new(WEB), "fix-1", WEB);
    let home = app.top().join("home");
    nix::unistd::chown(&home, Some(OTHER_USER.into()), Some(OTHER_USER.into())).unwrap();

    // Another program may have the port for a moment.
    until("the same port is chosen twice", || {
        let [one, other] = [(); 2].map(|()| end(start(&app, "../fix-1", &[], &["web.1"])));
        let port = web_port(&one);
        let warning = "warning: cannot remember the ports of this checkout: Permission denied\n\
                       hint: set `XDG_STATE_HOME` to a directory that you can write to, or choose the ports with `-p`\n";
        assert_eq!(one.stderr(), format!("ports of this worktree: web.1 {port}\n{warning}"));
        port == web_port(&other)
    });
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
}

#[test]
fn s5_4_without_a_usable_runtime_directory_ports_are_still_reserved() {
    let app = with_worktree(with_worktree(App::new(WEB), "fix-1", WEB), "fix-2", WEB);
    // `dyno` does not use a directory that other users can enter.
    fs::create_dir(app.top().join("run/dyno")).unwrap();
    fs::set_permissions(app.top().join("run/dyno"), Permissions::from_mode(0o755)).unwrap();
    let first = start(&app, "../fix-1", &[], &["web.1"]);
    let port = said_port(&first);
    // As if both had the same hash.
    let state = app.top().join("home/.local/state/dyno/ports");
    fs::write(state, format!("{port} app-fix-2 {}/fix-2\n", app.root().parent().unwrap().display())).unwrap();

    let second = end(start(&app, "../fix-2", &[], &["web.1"]));

    let in_use = format!("for this run (port {port} is in use by another run of dyno)");
    assert!(second.stderr().contains(&in_use), "{}", second.stderr());
    end(first);
}

#[test]
fn s5_4_runs_of_two_users_never_get_the_same_ports() {
    if !nix::unistd::geteuid().is_root() {
        note("skipped: only root can start a run as another user");
        return;
    }
    let app = with_worktree(App::new(WEB), "fix-1", WEB);
    let first = start(&app, "../fix-1", &[], &["web.1"]);
    let port = said_port(&first);
    // The other user has a line with the same block, a home and a runtime directory of its own.
    let other = App::new("").file(
        "../home/.local/state/dyno/ports",
        format!("{port} x {}\n", app.path("../fix-1").canonicalize().unwrap().display()),
    );
    let chown =
        |path: &std::path::Path| nix::unistd::chown(path, Some(OTHER_USER.into()), Some(OTHER_USER.into())).unwrap();
    for path in [
        "../home",
        "../home/.local",
        "../home/.local/state",
        "../home/.local/state/dyno",
        "../home/.local/state/dyno/ports",
        "../run",
    ] {
        chown(&other.path(path));
    }
    let call = app.dyno(["start", "web"]).directory(&app.path("../fix-1")).user(OTHER_USER);
    let call = call.env("HOME", other.top().join("home")).env("XDG_RUNTIME_DIR", other.top().join("run"));

    let running = call.spawn();
    running.until_shown(" http");
    let second = end(running);

    let in_use = format!("for this run (port {port} is in use by another run of dyno)");
    assert!(second.stderr().contains(&in_use), "{}", second.stderr());
    assert_ne!(web_port(&second), web_port(&end(first)));
}

#[test]
fn s5_5_a_checkout_has_one_line_whatever_path_leads_to_it() {
    let app = with_worktree(App::new(WEB), "fix-1", WEB);
    symlink(app.path("../fix-1"), app.path("../link")).unwrap();

    until("both paths have the same port", || {
        let [one, other] = ["../fix-1", "../link"].map(|path| web_port(&end(start(&app, path, &[], &["web.1"]))));
        one == other
    });

    assert_eq!(remembered(&app).lines().count(), 1, "{}", remembered(&app));
}

#[test]
fn s5_5_a_bind_mount_of_a_checkout_is_a_checkout_of_its_own() {
    let app = with_worktree(App::new(WEB), "fix-1", WEB);
    fs::create_dir(app.path("../mounted")).unwrap();
    let as_root = if nix::unistd::geteuid().is_root() { &[][..] } else { &["--user", "--map-root-user"] };
    let line = "mount --bind ../fix-1 ../mounted && cd ../mounted && exec \"$0\" \"$@\"";
    let words = [&["unshare", "--mount"][..], as_root, &["sh", "-c", line]].concat();
    let in_mount = |call: Call| call.under(&words);
    if in_mount(app.dyno(["--version"])).run().ended != Ended::Code(0) {
        note("skipped: mount(2) is not permitted here");
        return;
    }
    let running = start(&app, "../fix-1", &[], &["web.1"]);
    let mounted = in_mount(app.dyno(["start"])).spawn();
    mounted.until_shown(" http");

    let [port, of_mount] = [running, mounted].map(|running| said(&end(running), "web.1"));

    assert!(of_mount.0 >= 10_100 && of_mount.0 != port.0, "{of_mount:?} {port:?}");
    assert_eq!((port.2.as_str(), of_mount.2.as_str()), ("app-fix-1", "app-mounted"));
    assert_eq!(remembered(&app).lines().count(), 2, "{}", remembered(&app));
}

#[test]
fn s5_5_a_clock_that_was_set_back_changes_no_ports() {
    let app = with_worktree(App::new(WEB), "fix-1", WEB);
    let fix = app.path("../fix-1");
    let running = start(&app, "../fix-1", &[], &["web.1"]);
    let before = remembered(&app);
    // As if the clock had been set back since the start. The file stays the same one, which is locked.
    let files = fs::read_dir(app.top().join("run/dyno")).unwrap().map(|file| file.unwrap().path());
    let file = files.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "start")).unwrap();
    let mut description: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    description["started_at_ms"] = 4_000_000_000_000_i64.into();
    fs::write(&file, description.to_string()).unwrap();

    let refused = app.dyno(["start"]).directory(&fix).run();
    let [first, again] = [running, start(&app, "", &["-p", RARE_PORT], &["web.1"])].map(end);

    assert!(refused.stderr().contains("is already running (dyno pid PID, up 0s)"), "{}", refused.stderr());
    assert_eq!(web_port(&again).to_string(), RARE_PORT);
    until("the worktree has its port again", || {
        web_port(&end(start(&app, "../fix-1", &[], &["web.1"]))) == web_port(&first)
    });
    assert!(remembered(&app).starts_with(&before), "{}", remembered(&app));
}

#[test]
fn s5_4_fifty_smokes_beside_a_worktree_never_share_a_port() {
    // Each dyno holds a directory named after its port as long as it runs.
    let worker = "worker: trap 'rmdir held-$PORT; exit 0' TERM; mkdir held-$PORT || exit 7; \
                  while :; do sleep 1000 & wait; done\n";
    let app = with_worktree(App::new(worker), "fix-1", WEB);
    let running = start(&app, "../fix-1", &[], &["web.1"]);
    let begun = AtomicUsize::new(0);
    let smoke_until_all_have_begun = || {
        while begun.fetch_add(1, Ordering::Relaxed) < SMOKES {
            let smoke = app.dyno(["smoke", "--settle", "0.1"]).run();
            assert_eq!(smoke.ended, Ended::Code(0), "{}", smoke.stderr());
        }
    };

    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(smoke_until_all_have_begun);
        }
    });

    let names = fs::read_dir(app.root()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| name.as_bytes().starts_with(b"held-")).count(), 0);
    let port = web_port(&end(running));
    assert!((10_100..20_000).contains(&port), "{port}");
}

#[test]
fn s5_5_a_root_may_have_blanks_and_bytes_that_are_not_utf_8() {
    let app = with_worktree(App::new(WEB), "fix-1", WEB);
    let odd = app.top().join(OsStr::from_bytes(b"a b\xff\n%"));
    fs::rename(app.path("../fix-1"), &odd).unwrap();
    symlink(&odd, app.path("../fix-1")).unwrap();
    let running = start(&app, "../fix-1", &[], &["web.1"]);
    let port = said_port(&running);

    let other = end(start(&app, "", &["-p", &port], &["web.1"]));

    let (_, url, name) = said(&end(running), "web.1");
    assert_eq!((url, name.as_str()), (format!("http://127.0.0.1:{port}"), "app-a-b---"));
    assert_eq!(web_port(&other).to_string(), port);
    let line = format!("{port} app-a-b--- {}/a b%FF%0A%25\n", app.root().parent().unwrap().display());
    assert!(remembered(&app).contains(&line), "{}", remembered(&app));
}

#[test]
fn s5_5_a_read_only_checkout_has_its_own_ports_too() {
    let app = with_worktree(App::new(WEB), "fix-1", WEB);
    fs::set_permissions(app.path("../fix-1"), Permissions::from_mode(0o500)).unwrap();

    let finished = end(start(&app, "../fix-1", &[], &["web.1"]));

    assert!(web_port(&finished) >= 10_100);
    fs::set_permissions(app.path("../fix-1"), Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn s5_5_a_broken_state_file_is_replaced() {
    let app = with_worktree(App::new(WEB), "fix-1", WEB);
    let app = app.file("../home/.local/state/dyno/ports", b"\xff\0\n99999 x /\n10150 y /tmp\n");

    let finished = end(start(&app, "../fix-1", &[], &["web.1"]));

    let line = format!("{} app-fix-1 {}/fix-1\n", web_port(&finished), app.root().parent().unwrap().display());
    assert_eq!(remembered(&app), line);
    finished.expect_end(Ended::Signal(nix::sys::signal::Signal::SIGTERM));
}

#[test]
fn s5_5_only_a_port_that_a_dyno_needs_replaces_the_block() {
    let app = with_worktree(App::new(WEB), "fix-1", WEB);
    let first = || web_port(&end(start(&app, "../fix-1", &[], &["web.1"])));
    let port = first();
    let before = remembered(&app);

    let unused = TcpListener::bind(("127.0.0.1", port + 50)).unwrap();
    until("the worktree has its port although another one is in use", || first() == port);
    drop(unused);
    // Perhaps the port of the last server is still closing.
    let mut held = None;
    until("the port of `web` is taken", || {
        held = TcpListener::bind(("127.0.0.1", port)).ok();
        held.is_some()
    });
    let other = first();
    assert!(other != port && other % 100 == 0, "{other}");
    assert_eq!(remembered(&app), before);
    drop(held);
    until("the worktree has its port again", || first() == port);
}
