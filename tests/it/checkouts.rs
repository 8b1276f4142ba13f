//! Every checkout has ports of its own (S5.5).

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::app::held_5000;
use crate::harness::{App, Call, Ended, Finished, Running, until};

/// Each dyno prints its port.
const TWO: &str = "web: echo port $PORT; exec sleep 1000\nworker: echo port $PORT; exec sleep 1000\n";

/// Adds the files that `git worktree add ../NAME` creates.
fn with_worktree(app: App, name: &str, procfile: &str) -> App {
    let git_file = format!("gitdir: {}/.git/worktrees/{name}\n", app.root().display());
    let app = app.file(&format!(".git/worktrees/{name}/commondir"), "../..\n");
    app.file(&format!("../{name}/Procfile"), procfile).file(&format!("../{name}/.git"), git_file)
}

fn at(call: Call, directory: &Path) -> Call {
    call.directory(directory)
}

/// Starts the app of a directory and waits until each of these dynos has printed its line.
fn start(app: &App, directory: &str, args: &[&str], dynos: &[&str]) -> Running {
    let running = at(app.dyno(["start"]).args(args), &app.path(directory)).spawn();
    running.until("all dynos have printed their line", || {
        let shown = running.stdout.text();
        dynos.iter().all(|dyno| shown.lines().any(|line| line.contains(&format!("{dyno} ")) && line.contains(" port ")))
    });
    running
}

fn end(running: Running) -> Finished {
    running.signal(Signal::SIGTERM);
    running.finish()
}

/// The port that a dyno printed.
fn port_of(finished: &Finished, dyno: &str) -> u16 {
    finished.lines_of(dyno)[1].strip_prefix("port ").unwrap().parse().unwrap()
}

fn web_port(finished: &Finished) -> u16 {
    port_of(finished, "web.1")
}

/// The file that remembers the ports and names of checkouts.
pub(crate) fn remembered(app: &App) -> String {
    fs::read_to_string(app.top().join("home/.local/state/dyno/ports")).unwrap_or_default()
}

#[test]
fn s5_5_a_linked_worktree_has_a_block_of_its_own_and_keeps_it() {
    let app = with_worktree(App::new(TWO), "fix-1", TWO);
    let first = end(start(&app, "../fix-1", &[], &["web.1", "worker.1"]));

    let port = web_port(&first);
    assert!((10_100..20_000).contains(&port) && port % 100 == 0, "{port}");
    assert_eq!(port_of(&first, "worker.1"), port + 10);
    assert_eq!(first.stderr(), format!("ports of this worktree: web.1 {port}, worker.1 {}\n", port + 10));
    let line = format!("{port} app-fix-1 {}/fix-1\n", app.root().parent().unwrap().display());
    assert_eq!(remembered(&app), line);
    // Another program may have the port for a moment.
    until("the worktree has its port again", || {
        web_port(&end(start(&app, "../fix-1", &["-c", "worker=3"], &["web.1"]))) == port
    });
    assert_eq!(remembered(&app), line);
}

#[test]
fn s5_5_other_checkouts_leave_5000_only_if_a_server_needs_that_port() {
    let app = App::new(TWO);
    let _held = held_5000();

    let finished = end(start(&app, "", &[], &["web.1", "worker.1"]));
    let port = web_port(&finished);
    let stderr = String::from_utf8(finished.stderr.clone()).unwrap();
    assert!(port >= 10_100, "{port}");
    assert!(stderr.starts_with("port 5000 is in use") && stderr.ends_with(&format!(": using {port}\n")), "{stderr}");

    // `worker` is not expected to listen.
    assert_eq!(port_of(&end(start(&app, "", &["worker"], &["worker.1"])), "worker.1"), 5_100);
    for fixed in [&["--fixed-ports"][..], &["--set", "PORT=5000"]] {
        let finished = end(start(&app, "", fixed, &["web.1"]));
        assert_eq!(web_port(&finished), 5_000, "{fixed:?}");
        assert!(String::from_utf8_lossy(&finished.stderr).contains("warning: port 5000 for `web.1` is in use"));
    }
    let strict = app.dyno(["start", "--strict-ports"]).run();
    assert_eq!(strict.ended, Ended::Code(69));
}

#[test]
fn s5_5_a_block_that_another_app_uses_is_replaced_for_one_run() {
    let app = with_worktree(App::new(TWO), "fix-1", TWO);
    let port = web_port(&end(start(&app, "../fix-1", &[], &["web.1"])));
    let before = remembered(&app);
    let other = start(&app, "", &["-p", &port.to_string(), "web"], &["web.1"]);

    let replaced = end(start(&app, "../fix-1", &[], &["web.1"]));

    let new = web_port(&replaced);
    let why = format!("port {port} is in use by ../app (dyno, web.1)");
    assert_ne!(new, port);
    let line = format!("ports of this worktree for this run ({why}): web.1 {new}, worker.1 {}\n", new + 10);
    assert_eq!(replaced.stderr(), line);
    assert!(remembered(&app).starts_with(&before));
    end(other);
}

#[test]
fn s5_5_explain_port_says_what_a_start_says() {
    let app = with_worktree(App::new(TWO), "fix-1", TWO);
    let explain = |app: &App| at(app.dyno(["config", "--explain", "PORT"]), &app.path("../fix-1")).run().stdout();

    // Another program may take a port in between.
    until("both say the same", || {
        let before = explain(&app);
        let running = start(&app, "../fix-1", &[], &["web.1"]);
        let meanwhile = explain(&app);
        let started = end(running);
        let port = web_port(&started);
        let list = format!("web.1 {port}, worker.1 {}", port + 10);
        let expected =
            format!("base {port} from the ports of this worktree; {list}\n  ports of this worktree: {list}\n");
        (before.as_str(), meanwhile.as_str()) == (&expected, &expected)
    });
    let explain = |args: &[&str]| {
        let call = app.dyno(["config", "--explain", "PORT"]).args(args);
        at(call, &app.path("../fix-1")).run()
    };
    until("both say the same about a copy", || {
        let before = explain(&["--name", "copy"]).stdout();
        let started = end(start(&app, "../fix-1", &["--name", "copy"], &["web.1"]));
        let port = web_port(&started);
        let list = format!("web.1 {port}, worker.1 {}", port + 10);
        before == format!("base {port} from the ports of the copy `copy`; {list}\n  ports of the copy `copy`: {list}\n")
    });
    let fixed = "base 5000 from `--fixed-ports`; web.1 5000, worker.1 5100\n";
    explain(&["--fixed-ports"]).expect(Ended::Code(0), fixed, "");
    explain(&["--fixed-ports", "-p", "7000"]).expect(
        Ended::Code(0),
        "base 7000 from `-p`; web.1 7000, worker.1 7100\n",
        "",
    );
}

#[test]
fn s5_5_if_every_block_is_taken_nothing_starts() {
    let app = with_worktree(App::new(TWO), "fix-1", TWO);
    let app = app.file("../home/.local/state/dyno/ports", "10100-19999 all /\n");

    let refused = at(app.dyno(["start"]), &app.path("../fix-1")).run();

    let fact = "no block of 100 free ports was found from 10100 to 19999";
    let hint = "`-p auto` looks for free ports from 20000 up; or remove checkouts that you no longer need";
    refused.expect(Ended::Code(69), "", &crate::harness::error(fact, hint));
    assert_eq!(remembered(&app), "10100-19999 all /\n");
}

#[test]
fn s5_5_foreman_and_fixed_ports_keep_5000_in_a_worktree() {
    let app = with_worktree(App::new("worker: true\n"), "fix-1", "worker: echo port $PORT\n");
    for call in
        [app.called("foreman", ["start"]), app.called("honcho", ["start"]), app.dyno(["start", "--fixed-ports"])]
    {
        let finished = at(call, &app.path("../fix-1")).run();
        assert_eq!(port_of(&finished, "worker.1"), 5_000);
    }
    assert_eq!(remembered(&app).lines().count(), 1);
}

#[test]
fn s5_5_a_start_beside_foreman_in_one_directory_has_ports_of_its_own() {
    let app = with_worktree(App::new(TWO), "fix-1", TWO);
    let port = web_port(&end(start(&app, "../fix-1", &[], &["web.1"])));
    let foreman = at(app.called("foreman", ["start", "-p", &port.to_string()]), &app.path("../fix-1")).spawn();
    foreman.until_shown("web.1    | ");

    let replaced = end(start(&app, "../fix-1", &[], &["web.1"]));

    let in_use = format!("(port {port} is in use by this directory (dyno, web.1))");
    assert!(replaced.stderr().contains(&in_use), "{}", replaced.stderr());
    assert_ne!(web_port(&replaced), port);
    end(foreman);
}
