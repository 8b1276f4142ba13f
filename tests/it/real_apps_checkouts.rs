//! Checkouts made by git itself, and the port of the main checkout on a machine of its own (S5.5). Needs `git` and `ip`.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::app::{fork, with_all_blocks};
use crate::checkouts::{end, said, web_port};
use crate::harness::{App, Ended, Running, note, until};
use crate::running::{dynos, stop};
use crate::smoke;

const WEB: &str = "web: echo $PORT $WEB_URL $DYNO_APP; exec sleep 1000\n";

/// A port that a database listens on.
const DATABASE: u16 = 5432;

/// A TCP connection in this state is in `TIME_WAIT`.
const TIME_WAIT: &str = "06";

/// Runs a line of `sh` in the root of the app.
fn shell(app: &App, line: &str) {
    let mut command = Command::new("sh");
    command.args(["-euc", line]).current_dir(app.path("")).env("HOME", app.top().join("home"));
    assert!(fork(command.stdin(Stdio::null())).wait().unwrap().success(), "{line}");
}

/// Starts the apps of these directories at the same time, and waits until each `web` has printed its line.
fn start_all<const N: usize>(app: &App, directories: [&str; N]) -> [Running; N] {
    let starts = directories.map(|directory| app.dyno(["start"]).directory(&app.path(directory)).spawn());
    for start in &starts {
        start.until_shown(" http");
    }
    starts
}

#[test]
fn s5_5_two_real_worktrees_keep_their_ports_beside_the_main_checkout() {
    let _blocks = with_all_blocks();
    let app = App::new(WEB);
    shell(&app, "git init -q -b main .; git add Procfile");
    shell(&app, "git -c user.name=me -c user.email=me@example.com commit -qm one");
    shell(&app, "git worktree add -q -b fix-1 ../one; git worktree add -q -b feature/two ../two");
    let starts = start_all(&app, ["", "../one", "../two"]);

    let listed: Vec<Value> = serde_json::from_slice(&app.dyno(["ls", "--json"]).run().stdout).unwrap();
    let all = starts.map(end);

    let text = |app: &Value, key: &str| app[key].as_str().unwrap().to_owned();
    let mut shown: Vec<_> = listed.iter().map(|app| ["name", "state", "branch"].map(|key| text(app, key))).collect();
    shown.sort();
    let expected = [["app", "up", "main"], ["app-one", "up", "fix-1"], ["app-two", "up", "feature/two"]];
    assert_eq!(shown, expected);
    let [(main, ..), (one, url, name), (two, ..)] = all.each_ref().map(|finished| said(finished, "web.1"));
    assert_eq!((url, name.as_str()), (format!("http://127.0.0.1:{one}"), "app-one"));
    assert!(one != two && main != one && main != two, "{main} {one} {two}");
    assert!([one, two].iter().all(|port| (10_100..20_000).contains(port) && port % 100 == 0), "{one} {two}");
    // Another program may have a port for a moment.
    until("both worktrees have their ports again", || {
        start_all(&app, ["../two", "../one"]).map(|start| web_port(&end(start))) == [two, one]
    });
}

/// Runs a test in a thread with a network of its own, in which no other program uses a port.
fn in_a_network_of_its_own(test: fn()) {
    let thread = std::thread::spawn(move || {
        let is_up = unshare(CloneFlags::CLONE_NEWNET).is_ok() && {
            let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
            up.is_ok_and(|status| status.success())
        };
        if is_up { test() } else { note("skipped: a network of its own is not permitted here, or `ip` is missing") }
    });
    thread.join().unwrap();
}

/// Whether the network of this thread has a connection in `TIME_WAIT` on this port.
fn has_time_wait(port: u16) -> bool {
    let table = fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
    let is_one = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields[1].ends_with(&format!(":{port:04X}")) && fields[3] == TIME_WAIT
    };
    table.lines().skip(1).any(is_one)
}

/// Starts the main checkout and asserts that its server gets port 5000 without a word.
fn starts_on_5000(app: &App) -> Running {
    let running = app.dyno(["start"]).spawn();
    running.until_shown("| Listening on 127.0.0.1:5000\n");
    assert_eq!(running.stderr.text(), "");
    assert_eq!(dynos(app)[0]["port"], 5000);
    running
}

#[test]
fn s5_5_time_wait_and_a_database_leave_the_main_checkout_on_5000() {
    let _blocks = with_all_blocks();
    in_a_network_of_its_own(|| {
        let app = smoke::app("web: exec ./listen 127.0.0.1\nworker: exec sleep 1000\n").file(".git/HEAD", "");
        let _database = TcpListener::bind(("127.0.0.1", DATABASE)).unwrap();
        let first = starts_on_5000(&app);
        let mut client = TcpStream::connect(("127.0.0.1", 5000)).unwrap();
        client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        // The server closes the connection first, so its side is the one in TIME_WAIT.
        client.read_to_end(&mut Vec::new()).unwrap();
        drop(client);
        stop(&app, first).expect_end(Ended::Code(0));
        assert!(has_time_wait(5000));

        let second = starts_on_5000(&app);

        second.signal(Signal::SIGTERM);
        second.finish().expect_end(Ended::Signal(Signal::SIGTERM));
    });
}
