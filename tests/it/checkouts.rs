//! Every checkout has ports of its own (S5.5), and its dynos know each other's addresses (S5.6).

use std::fs;
use std::path::Path;

use crate::app::{held_5000, with_all_blocks};
use crate::harness::{App, Call, Ended, Finished, Running, until};
use nix::sys::signal::Signal;

/// Each dyno prints its port, the address of `web` and the name of the app.
const TWO: &str = "web: echo $PORT $WEB_URL $DYNO_APP; exec sleep 1000\n\
                   worker: echo $PORT $WEB_URL $DYNO_APP; exec sleep 1000\n";

/// Adds the files that `git worktree add ../NAME` creates.
pub(crate) fn with_worktree(app: App, name: &str, procfile: &str) -> App {
    let git_file = format!("gitdir: {}/.git/worktrees/{name}\n", app.root().display());
    let app = app.file(&format!(".git/worktrees/{name}/commondir"), "../..\n");
    app.file(&format!("../{name}/Procfile"), procfile).file(&format!("../{name}/.git"), git_file)
}

fn at(call: Call, directory: &Path) -> Call {
    call.directory(directory)
}

/// Starts the app of a directory and waits until each of these dynos has printed its line.
pub(crate) fn start(app: &App, directory: &str, args: &[&str], dynos: &[&str]) -> Running {
    let running = at(app.dyno(["start"]).args(args), &app.path(directory)).spawn();
    running.until("all dynos have printed their line", || {
        let shown = running.stdout.text();
        dynos.iter().all(|dyno| shown.lines().any(|line| line.contains(&format!("{dyno} ")) && line.contains(" http")))
    });
    running
}

/// The port of `web.1`, the only dyno of a worktree, as the start says it on stderr. Stdout may have come first.
pub(crate) fn said_port(running: &Running) -> String {
    let said = || {
        let text = running.stderr.text();
        let line = text.split_inclusive('\n').find_map(|line| line.strip_prefix("ports of this worktree: web.1 "))?;
        line.strip_suffix('\n').map(str::to_owned)
    };
    running.until("it says its ports", || said().is_some());
    said().unwrap()
}

pub(crate) fn end(running: Running) -> Finished {
    running.signal(Signal::SIGTERM);
    running.finish()
}

/// What a dyno printed: its port, the address of `web`, and the name of the app.
pub(crate) fn said(finished: &Finished, dyno: &str) -> (u16, String, String) {
    let lines = finished.lines_of(dyno);
    let words: Vec<&str> = lines[1].split(' ').collect();
    (words[0].parse().unwrap(), words[1].to_owned(), words[2].to_owned())
}

pub(crate) fn web_port(finished: &Finished) -> u16 {
    said(finished, "web.1").0
}

/// The file that remembers the ports and names of checkouts.
pub(crate) fn remembered(app: &App) -> String {
    fs::read_to_string(app.top().join("home/.local/state/dyno/ports")).unwrap_or_default()
}

#[test]
fn s5_5_a_linked_worktree_has_a_block_of_its_own_and_keeps_it() {
    let _blocks = with_all_blocks();
    let app = with_worktree(App::new(TWO), "fix-1", TWO);
    let first = end(start(&app, "../fix-1", &[], &["web.1", "worker.1"]));

    let (port, url, name) = said(&first, "web.1");
    assert!((10_100..20_000).contains(&port) && port % 100 == 0, "{port}");
    assert_eq!((url, name.as_str()), (format!("http://127.0.0.1:{port}"), "app-fix-1"));
    assert_eq!(said(&first, "worker.1"), (port + 10, format!("http://127.0.0.1:{port}"), name));
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
    let _blocks = with_all_blocks();
    let app = App::new(TWO);
    let _held = held_5000();

    let finished = end(start(&app, "", &[], &["web.1", "worker.1"]));
    let port = web_port(&finished);
    let stderr = String::from_utf8(finished.stderr.clone()).unwrap();
    assert!(port >= 10_100, "{port}");
    assert!(stderr.starts_with("port 5000 is in use") && stderr.ends_with(&format!(": using {port}\n")), "{stderr}");

    // `worker` is not expected to listen.
    assert_eq!(said(&end(start(&app, "", &["worker"], &["worker.1"])), "worker.1").0, 5_100);
    for fixed in [&["--fixed-ports"][..], &["--set", "PORT=5000"]] {
        let finished = end(start(&app, "", fixed, &["web.1"]));
        assert_eq!(web_port(&finished), 5_000, "{fixed:?}");
        assert!(String::from_utf8_lossy(&finished.stderr).contains("warning: port 5000 for `web.1` is in use"));
    }
    let strict = app.dyno(["start", "--strict-ports"]).run();
    assert_eq!(strict.ended, Ended::Code(69));
}

#[test]
fn s5_5_explain_port_names_the_program_that_uses_5000() {
    let _blocks = with_all_blocks();
    let app = App::new(TWO);
    let held = held_5000();
    let name = fs::read_to_string("/proc/self/comm").unwrap();

    // Another program may take a port in between.
    until("both name the same ports", || {
        let explained = app.dyno(["config", "--explain", "PORT"]).run();
        explained.expect_end(Ended::Code(0));
        let started = end(start(&app, "", &[], &["web.1", "worker.1"]));
        let port = web_port(&started);
        let stderr = String::from_utf8(started.stderr).unwrap();
        let by = format!("port 5000 is in use by `{}` (pid {}): using {port}\n", name.trim_end(), std::process::id());
        assert!(held.is_none() || stderr == by, "{stderr}");
        let list = format!("web.1 {port}, worker.1 {}", port + 10);
        String::from_utf8_lossy(&explained.stdout)
            == format!("base {port} because port 5000 is in use; {list}\n  {stderr}")
    });
}

#[test]
fn s5_5_a_block_that_another_app_uses_is_replaced_for_one_run() {
    let _blocks = with_all_blocks();
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
fn s5_5_a_block_that_another_run_has_partly_reserved_is_replaced() {
    let _blocks = with_all_blocks();
    let app = with_worktree(App::new(TWO), "fix-1", TWO);
    let port = web_port(&end(start(&app, "../fix-1", &[], &["web.1"])));
    let before = remembered(&app);
    // The port of `worker.1`, and one that only more dynos would need. Nothing listens there.
    for taken in [port + 10, port + 50] {
        let other = start(&app, "", &["-p", &taken.to_string(), "web"], &["web.1"]);

        let replaced = end(start(&app, "../fix-1", &[], &["web.1", "worker.1"]));

        let new = web_port(&replaced);
        assert!(new != port && new.is_multiple_of(100), "{new}");
        assert_eq!(said(&replaced, "worker.1").0, new + 10);
        let why = format!("port {taken} is in use by ../app (dyno, web.1)");
        let line = format!("ports of this worktree for this run ({why}): web.1 {new}, worker.1 {}\n", new + 10);
        assert_eq!(replaced.stderr(), line);
        assert!(remembered(&app).starts_with(&before));
        end(other);
    }
    until("the worktree has its port again", || web_port(&end(start(&app, "../fix-1", &[], &["web.1"]))) == port);
}

#[test]
fn s5_5_starts_of_one_checkout_share_its_block_and_a_copy_has_another() {
    let _blocks = with_all_blocks();
    let app = with_worktree(App::new(TWO), "fix-1", TWO);
    let web = start(&app, "../fix-1", &["web"], &["web.1"]);
    let worker = start(&app, "../fix-1", &["worker"], &["worker.1"]);
    let copy = start(&app, "../fix-1", &["--name", "copy"], &["web.1"]);
    let refused = at(app.dyno(["start", "--app", "other", "web"]), &app.path("../fix-1")).run();

    let [web, worker, copy] = [web, worker, copy].map(end);
    let port = web_port(&web);
    assert_eq!(said(&worker, "worker.1"), (port + 10, format!("http://127.0.0.1:{port}"), "app-fix-1".to_owned()));
    assert_eq!(worker.stderr(), format!("ports of this worktree: worker.1 {}\n", port + 10));
    let (of_copy, _, name) = said(&copy, "web.1");
    assert!(of_copy.abs_diff(port) >= 100 && name == "app-fix-1-copy", "{of_copy} {name}");
    assert_eq!(copy.stderr(), format!("ports of the copy `copy`: web.1 {of_copy}, worker.1 {}\n", of_copy + 10));
    // A start that is refused leaves nothing behind.
    refused.expect_end(Ended::Code(69));
    assert!(!remembered(&app).contains("other") && refused.stderr().starts_with("error: "), "{}", remembered(&app));
}

#[test]
fn s5_5_explain_port_says_what_a_start_says() {
    let _blocks = with_all_blocks();
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

/// Starts `first`, then `second`, and ends both. Returns the ports of `web.1` of the copy and of the checkout itself.
fn in_order(app: &App, directory: &str, first: &[&str], second: &[&str]) -> [u16; 2] {
    let first = start(app, directory, first, &["web.1"]);
    let second = start(app, directory, second, &["web.1"]);
    let mut ports = [end(first), end(second)].map(|finished| {
        let (port, _, name) = said(&finished, "web.1");
        (!name.ends_with("-copy"), port)
    });
    ports.sort_unstable();
    ports.map(|(_, port)| port)
}

#[test]
fn s5_5_no_address_depends_on_whether_a_copy_starts_first() {
    let _blocks = with_all_blocks();
    let (copy, own) = (["--name", "copy"], []);
    for directory in ["", "../fix-1"] {
        // Another program may take a port in between.
        until("both orders give the same ports", || {
            let app = with_worktree(App::new(TWO), "fix-1", TWO);
            let copy_first = in_order(&app, directory, &copy, &own);
            fs::remove_file(app.top().join("home/.local/state/dyno/ports")).unwrap();
            let own_first = in_order(&app, directory, &own, &copy);
            assert!(copy_first[0] >= 10_100 && copy_first[0].abs_diff(copy_first[1]) >= 100, "{copy_first:?}");
            // Only a checkout that is started under its own name has a block to remember.
            let copies = remembered(&app).lines().filter(|line| line.contains(&copy_first[0].to_string())).count();
            assert_eq!(copies, 0, "{}", remembered(&app));
            copy_first == own_first
        });
    }
}

#[test]
fn s5_5_starts_of_one_copy_share_its_block() {
    let _blocks = with_all_blocks();
    let app = App::new(TWO);
    let web = start(&app, "", &["--name", "copy", "web"], &["web.1"]);
    let worker = start(&app, "", &["--name", "copy", "worker"], &["worker.1"]);
    let other = start(&app, "", &["--name", "other", "web"], &["web.1"]);

    let [web, worker, other] = [web, worker, other].map(end);
    let port = web_port(&web);
    assert_eq!(said(&worker, "worker.1"), (port + 10, format!("http://127.0.0.1:{port}"), "app-copy".to_owned()));
    assert!(web_port(&other).abs_diff(port) >= 100);
    assert_eq!(remembered(&app).split(' ').next(), Some("-"));
}

#[test]
fn s5_5_if_every_block_is_taken_nothing_starts() {
    let _blocks = with_all_blocks();
    let app = with_worktree(App::new(TWO), "fix-1", TWO);
    let app = app.file("../home/.local/state/dyno/ports", "10100-19999 all /\n");

    let refused = at(app.dyno(["start"]), &app.path("../fix-1")).run();

    let fact = "no block of 100 free ports was found from 10100 to 19999";
    let hint = "use `-p auto`, which looks for free ports from 20000 up, or remove checkouts that you no longer need";
    refused.expect(Ended::Code(69), "", &crate::harness::error(fact, hint));
    assert_eq!(remembered(&app), "10100-19999 all /\n");
}

#[test]
fn s5_5_foreman_and_fixed_ports_keep_5000_in_a_worktree() {
    let _blocks = with_all_blocks();
    let app = with_worktree(App::new("worker: echo $PORT\n"), "fix-1", "worker: echo $PORT-$WEB_URL-$DYNO_APP\n");
    for call in
        [app.called("foreman", ["start"]), app.called("honcho", ["start"]), app.dyno(["start", "--fixed-ports"])]
    {
        let finished = at(call, &app.path("../fix-1")).run();
        assert_eq!(finished.lines_of("worker.1")[1], "5000--app-fix-1");
    }
    assert_eq!(remembered(&app).lines().count(), 1);
}

#[test]
fn s5_6_a_one_off_dyno_gets_the_address_of_the_running_web_dyno() {
    let _blocks = with_all_blocks();
    let app = with_worktree(App::new(TWO), "fix-1", TWO);
    let run =
        |app: &App| at(app.dyno(["run", "echo $WEB_PORT $WEB_URL $DYNO_APP"]), &app.path("../fix-1")).run().stdout();
    let line = |port: u16| format!("{port} http://127.0.0.1:{port} app-fix-1\n");
    let explained = at(app.dyno(["config", "--explain", "WEB_URL"]), &app.path("../fix-1")).run();
    explained.expect(Ended::Code(0), "WEB_URL comes from the default of `dyno`\n", "");

    // Another program may take a port in between.
    until("the address of the next start is given", || {
        let before = run(&app);
        before == line(web_port(&end(start(&app, "../fix-1", &[], &["web.1"]))))
    });
    let running = start(&app, "../fix-1", &["-p", "7300", "--pty", "never"], &["web.1"]);
    assert_eq!(run(&app), line(7_300));
    end(running);
    let foreman = app.called("foreman", ["run", "echo", "$WEB_PORT", "$DYNO_APP"]).run();
    foreman.expect(Ended::Code(0), "$WEB_PORT $DYNO_APP\n", "");
}

#[test]
fn s5_5_a_start_beside_foreman_in_one_directory_has_ports_of_its_own() {
    let _blocks = with_all_blocks();
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

#[test]
fn s5_6_every_layer_wins_over_the_addresses_of_other_dynos() {
    let app = App::new("web: echo $WEB_PORT $WEB_URL $ADMIN_PORT $ADMIN_URL $DYNO_APP\nadmin: true\nredis: true\n")
        .file(".env", "WEB_URL=mine\nDYNO_APP=mine\n");
    let printed = |call: Call| call.args(&["--can-die", "all"]).run().lines_of("web.1")[1].clone();

    let default = app.dyno(["start", "-p", "7100", "--ready", "web,admin"]).env("ADMIN_PORT", "1");
    assert_eq!(printed(default), "7100 mine 1 http://127.0.0.1:7200 app");
    let foreman = app.called("foreman", ["start", "-p", "7100", "web"]).run();
    assert_eq!(foreman.lines_of("web.1")[1], "mine app");
    // Values of an outer run are replaced, or removed.
    let nested = app.dyno(["start", "-p", "7100"]).env("DYNO_SESSION", "outer").env("DYNO_APP", "outer");
    let nested = nested.env("WEB_PORT", "5000").env("WEB_URL", "http://127.0.0.1:5000");
    let nested = nested.env("ADMIN_PORT", "5100").env("ADMIN_URL", "http://127.0.0.1:5100");
    assert_eq!(printed(nested), "7100 mine app");
}
