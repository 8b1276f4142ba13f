//! A runtime directory, a state directory or a checkout on a read-only mount, so that not even root can write to it
//! (S5.5, S10.1, S10.6).

use std::path::Path;

use crate::app::with_all_blocks;
use crate::checkouts::{end, remembered, start, web_port, with_worktree};
use crate::harness::{App, Call, Ended, Finished, RARE_PORT, error, until};
use crate::running::{dynos, stop};
use crate::smoke;

/// A server in a worktree of the app that has the program.
const WEB: &str = "web: echo $PORT $WEB_URL $DYNO_APP; exec ../app/listen 127.0.0.1\n";

fn not_in_the_background() -> String {
    let hint = "follow the hint above first, or leave out `--detach`";
    error("cannot run in the background, because `dyno stop` would not find the app", hint)
}

/// Makes this directory read-only for the call. None: that is not possible here. `cd` enters the new mount if the call
/// starts in this directory; otherwise its working directory would still be the writable one.
fn where_read_only(call: Call, directory: &Path) -> Option<Call> {
    let path = directory.to_str().unwrap();
    let line = format!(
        "mount --bind '{path}' '{path}' && mount -o remount,bind,ro '{path}' && ! touch '{path}/x' 2>/dev/null && \
         cd \"$PWD\""
    );
    call.in_namespaces(&["--mount"], &line)
}

#[test]
fn s10_1_a_start_runs_with_a_read_only_runtime_directory() {
    let app = App::new("web: echo hello\n");
    let run = app.top().join("run");
    let read_only = |args: &[&str]| where_read_only(app.dyno([]).args(args), &run);
    let fact = format!("the directory `{}/dyno` cannot be used: Read-only file system", run.display());
    let hint = "set `XDG_RUNTIME_DIR` to a directory that you own";

    let Some(call) = read_only(&["start", "-p", RARE_PORT]) else { return };
    let finished = call.run();
    finished.expect_end(Ended::Code(0));
    let warning = format!("warning: commands such as `dyno ps` will not find this start: {fact}\nhint: {hint}\n");
    assert_eq!(finished.stderr(), warning);
    assert_eq!(finished.lines_of("web.1")[1], "hello");

    let refused = read_only(&["start", "--detach", "-p", RARE_PORT]).unwrap();
    refused.run().expect(Ended::Code(69), "", &format!("{warning}{}", not_in_the_background()));
    read_only(&["ls"]).unwrap().run().expect(Ended::Code(0), "", "no app is running\n");
}

#[test]
fn s10_1_a_running_app_is_found_in_a_read_only_runtime_directory() {
    let app = App::new("worker: exec sleep 1000\n");
    let running = crate::running::start(&app, ["-p", RARE_PORT]);
    let run = app.top().join("run");
    let read_only = |args: &[&str]| where_read_only(app.dyno([]).args(args), &run);

    let Some(listed) = read_only(&["ls"]) else { return };
    let listed = listed.run();
    listed.expect_end(Ended::Code(0));
    assert!(listed.stdout().lines().nth(1).is_some_and(|line| line.starts_with("app   up")), "{}", listed.stdout());
    read_only(&["restart", "--wait"]).unwrap().run().expect(Ended::Code(0), "restarting: worker.1\n", "");
    // A second start cannot take a lock there.
    let other = read_only(&["start", "--name", "copy", "--detach", "-p", "auto"]).unwrap().run();
    other.expect_end(Ended::Code(69));
    let warning = "warning: commands such as `dyno ps` will not find this start: Read-only file system\n";
    let stderr = other.stderr();
    assert!(stderr.starts_with(warning) && stderr.ends_with(&not_in_the_background()), "{stderr}");

    assert_eq!(dynos(&app).len(), 1);
    stop(&app, running).expect_end(Ended::Code(0));
}

#[test]
fn s5_5_with_a_read_only_state_directory_the_hash_decides() {
    let _blocks = with_all_blocks();
    let app = with_worktree(smoke::app(WEB), "fix-1", WEB);
    let home = app.top().join("home");
    let read_only = |args: &[&str]| {
        let call = app.dyno([]).args(args).directory(&app.path("../fix-1"));
        where_read_only(call, &home)
    };
    if read_only(&["start"]).is_none() {
        return;
    }
    let port = web_port(&end(start(&app, "../fix-1", &[], &["web.1"])));
    let before = remembered(&app);
    let ports = |port: &str| format!("ports of this worktree: web.1 {port}\n");

    // What is remembered can still be read. Another program may have the port for a moment.
    until("the worktree has its port again", || {
        let running = read_only(&["start"]).unwrap().spawn();
        running.until_shown(" http");
        let finished = end(running);
        web_port(&finished) == port && finished.stderr() == ports(&port.to_string())
    });
    std::fs::remove_dir_all(home.join(".local")).unwrap();
    let mut detached = read_only(&["start", "--detach"]).unwrap().spawn();
    let returned = detached.returned();
    returned.expect_end(Ended::Code(0));
    let url = returned.stdout();
    let chosen = url.trim_end().rsplit(':').next().unwrap();
    let warning = "warning: cannot remember the ports of this checkout: Read-only file system\n\
                   hint: set `XDG_STATE_HOME` to a directory that you can write to, or choose the ports with `-p`\n";
    assert_eq!(returned.stderr(), format!("{}{warning}", ports(chosen)));
    let listed = read_only(&["ls"]).unwrap().run();
    assert!(listed.stdout().contains(&format!("  http://127.0.0.1:{chosen}  ")), "{}", listed.stdout());
    read_only(&["stop"]).unwrap().run().expect_end(Ended::Code(0));
    assert_eq!((before.lines().count(), remembered(&app).as_str()), (1, ""));
}

#[test]
fn s5_5_the_ports_of_a_read_only_checkout_are_remembered() {
    let _blocks = with_all_blocks();
    let web = "web: touch written; echo $PORT $WEB_URL $DYNO_APP; exec ../app/listen 127.0.0.1\n";
    let app = with_worktree(smoke::app(web), "fix-1", web);
    let root = app.path("../fix-1");
    let read_only = |args: &[&str]| where_read_only(app.dyno([]).args(args).directory(&root), &root);
    let Some(call) = read_only(&["start"]) else { return };
    let started = |call: Call| {
        let running = call.spawn();
        running.until_shown(" http");
        end(running)
    };
    let ports = |port: u16| format!("ports of this worktree: web.1 {port}\n");

    let first = started(call);

    let port = web_port_after_touch(&first);
    assert!((10_100..20_000).contains(&port) && port.is_multiple_of(100), "{port}");
    assert_eq!(first.stderr(), ports(port));
    let line = format!("{port} app-fix-1 {}/fix-1\n", app.root().parent().unwrap().display());
    assert_eq!(remembered(&app), line);
    // Another program may have the port for a moment: then try again.
    until("the checkout gets the same port again", || {
        let again = started(read_only(&["start"]).unwrap());
        web_port_after_touch(&again) == port && again.stderr() == ports(port)
    });
    assert_eq!((remembered(&app), app.has("../fix-1/written")), (line, false));
}

/// The port of `web.1`, after checking that its `touch` failed because the checkout is read-only.
fn web_port_after_touch(finished: &Finished) -> u16 {
    let lines = finished.lines_of("web.1");
    assert!(lines[1].ends_with(": Read-only file system"), "{lines:?}");
    lines[2].split(' ').next().unwrap().parse().unwrap()
}
